//! The verdict on one submission, ready to be stored and announced: what is personal is sealed under the
//! record id before it leaves this file. Called by `app`, off the async workers.

use std::collections::HashMap;

use credit_record::{
    AcceptedRecord, Change, Finding, Severity, SubjectKind, normalise::format_date,
};
use prost::Message;
use proto::credit::{
    common::v1 as common,
    validation::{
        events::v1::{AppliedChange, NormalisedRecord, RecordAccepted, RecordRevoked},
        v1,
    },
};
use service_kit::grpc::timestamp;
use vault::Keyring;

use super::{
    Submission,
    examine::{Content, Digest, Examined},
};

/// Domain of the blind index of a natural person's document, shared with the services that look up by it.
const PERSON_DOCUMENT: &str = "person-document";

/// A judged version.
#[derive(Debug, Clone)]
pub struct Decision {
    /// What was judged.
    pub submission: Submission,
    /// Accepted, with the fact to announce, or returned.
    pub outcome: Outcome,
    /// Codes of the errors, each once, in the order of the findings.
    pub error_codes: Vec<&'static str>,
    /// Codes of the warnings, each once.
    pub warning_codes: Vec<&'static str>,
    /// [`SealedFindings`], sealed; `None` when there are none.
    pub sealed_findings: Option<Vec<u8>>,
    /// [`SealedChanges`], sealed; `None` when there are none.
    pub sealed_changes: Option<Vec<u8>>,
    /// Name of the rule-set of cleansing that the values were derived by, the item's own or the standard one.
    pub rule_set: String,
    /// What an accepted record is about.
    pub identity: Option<Digest>,
}

/// How it went.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// No errors: this is announced.
    Accepted(Box<RecordAccepted>),
    /// It ends its record: this is announced.
    Ended(Box<RecordRevoked>),
    /// At least one error: goes back to its provider.
    Returned,
}

impl Decision {
    /// Whether the version passed.
    pub fn is_accepted(&self) -> bool {
        !matches!(self.outcome, Outcome::Returned)
    }

    /// Codes of all findings, errors first, each once.
    pub fn finding_codes(&self) -> Vec<String> {
        let warnings = self
            .warning_codes
            .iter()
            .filter(|code| !self.error_codes.contains(code));
        self.error_codes
            .iter()
            .chain(warnings)
            .map(|code| (*code).to_owned())
            .collect()
    }
}

/// Findings as they stand sealed in a verdict.
#[derive(Clone, PartialEq, Message)]
pub struct SealedFindings {
    /// Errors first.
    #[prost(message, repeated, tag = "1")]
    pub findings: Vec<v1::Finding>,
}

/// Applied normalisations as they stand sealed in a verdict.
#[derive(Clone, PartialEq, Message)]
pub struct SealedChanges {
    /// In the order in which they were applied.
    #[prost(message, repeated, tag = "1")]
    pub changes: Vec<v1::Change>,
}

/// The verdict on what was examined, with what was found beside it, sealed.
pub fn decide(keyring: &Keyring, examined: Examined, beside: Vec<Finding>) -> Decision {
    let Examined {
        submission,
        content,
        rule_set,
    } = examined;
    let context = submission.record_id.as_bytes();
    let refused = beside.iter().any(is_error);
    let (outcome, mut findings, changes, identity) = match content {
        Content::Record(record, facts) if !refused => {
            let mut warnings = record.warnings.clone();
            warnings.extend(beside);
            let event = accepted_event(keyring, &submission, &record, &warnings, &rule_set);
            let outcome = Outcome::Accepted(Box::new(event));
            (outcome, warnings, record.changes, Some(facts.identity))
        }
        Content::Record(record, _) => {
            let mut findings = beside;
            findings.extend(record.warnings);
            (Outcome::Returned, findings, Vec::new(), None)
        }
        Content::Faulty(mut findings) => {
            findings.extend(beside);
            (Outcome::Returned, findings, Vec::new(), None)
        }
        Content::End(findings) => {
            let event = RecordRevoked {
                version: Some(submission.version.clone()),
                received_at: Some(timestamp(submission.received_at)),
                operation: common::Operation::from(submission.operation).into(),
                // The original, sealed under the same record id.
                sealed_reason: submission.sealed_content.clone(),
            };
            let outcome = Outcome::Ended(Box::new(event));
            (outcome, findings, Vec::new(), None)
        }
    };
    findings.sort_by_key(|finding| finding.severity);
    let sealed_changes = (!changes.is_empty()).then(|| {
        let changes = changes.iter().map(change_message).collect();
        keyring.seal(context, &SealedChanges { changes }.encode_to_vec())
    });
    Decision {
        outcome,
        error_codes: codes(&findings, Severity::Error),
        warning_codes: codes(&findings, Severity::Warning),
        sealed_findings: seal_findings(keyring, context, &findings),
        sealed_changes,
        rule_set,
        identity,
        submission,
    }
}

/// Whether a finding sends the record back.
pub fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}

/// Findings as a verdict, a case or a confirmation keeps them; `None` when there are none.
pub fn seal_findings(keyring: &Keyring, context: &[u8], findings: &[Finding]) -> Option<Vec<u8>> {
    (!findings.is_empty()).then(|| {
        let findings = findings.iter().map(finding_message).collect();
        keyring.seal(context, &SealedFindings { findings }.encode_to_vec())
    })
}

/// Distinct codes of one severity. A record has few findings, so looking back is cheap.
fn codes(findings: &[Finding], severity: Severity) -> Vec<&'static str> {
    let mut codes = Vec::new();
    for finding in findings
        .iter()
        .filter(|finding| finding.severity == severity)
    {
        let code = finding.code.as_str();
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

/// The fact that disclosure builds on. Of a natural person nothing is in clear: no name, no
/// number, and no document number, which can name the person.
fn accepted_event(
    keyring: &Keyring,
    submission: &Submission,
    record: &AcceptedRecord,
    warnings: &[Finding],
    rule_set: &str,
) -> RecordAccepted {
    let subject = &record.subject;
    let person = subject.kind == SubjectKind::NaturalPerson;
    let unless_person = |text: &str| {
        if person {
            String::new()
        } else {
            text.to_owned()
        }
    };
    let blind = match &subject.person_document {
        Some((kind, number)) if person => keyring
            .blind(PERSON_DOCUMENT, &format!("{kind}:{number}"))
            .to_vec(),
        _ => Vec::new(),
    };
    let code = subject.credit_code.as_ref().map(|code| code.as_str());
    let sealed = keyring.seal(
        submission.record_id.as_bytes(),
        &normalised(record, warnings, rule_set).encode_to_vec(),
    );
    RecordAccepted {
        version: Some(submission.version.clone()),
        received_at: Some(timestamp(submission.received_at)),
        subject_kind: subject_kind(subject.kind).into(),
        subject_code: unless_person(code.unwrap_or_default()),
        subject_name: unless_person(&subject.name),
        subject_blind_index: blind.into(),
        document_number: unless_person(record.document_number.as_deref().unwrap_or_default()),
        decision_date: format_date(record.decision_date),
        effective_date: format_date(record.effective_date),
        expiry_date: record.expiry_date.map(format_date).unwrap_or_default(),
        authority: record.authority.clone(),
        sealed_record: sealed.into(),
        publicity_until: record.publicity_until.map(format_date).unwrap_or_default(),
    }
}

fn subject_kind(kind: SubjectKind) -> common::SubjectKind {
    match kind {
        SubjectKind::Organisation => common::SubjectKind::Organisation,
        SubjectKind::IndividualBusiness => common::SubjectKind::IndividualBusiness,
        SubjectKind::NaturalPerson => common::SubjectKind::NaturalPerson,
    }
}

/// The derived layer beside the original.
fn normalised(record: &AcceptedRecord, warnings: &[Finding], rule_set: &str) -> NormalisedRecord {
    let values: HashMap<String, String> = record
        .values
        .iter()
        .map(|(field, value)| {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            (field.clone(), text)
        })
        .collect();
    let changes = record
        .changes
        .iter()
        .map(|change| AppliedChange {
            field: change.field.clone(),
            rule: change.rule.to_owned(),
            rule_version: change.rule_version,
            before: change.before.clone(),
            after: change.after.clone(),
        })
        .collect();
    let warnings = codes(warnings, Severity::Warning);
    NormalisedRecord {
        values,
        changes,
        warning_codes: warnings.into_iter().map(str::to_owned).collect(),
        rule_set: rule_set.to_owned(),
    }
}

/// A finding as messages carry it.
pub fn finding_message(finding: &Finding) -> v1::Finding {
    let severity = match finding.severity {
        Severity::Error => v1::Severity::Error,
        Severity::Warning => v1::Severity::Warning,
    };
    v1::Finding {
        code: finding.code.as_str().to_owned(),
        severity: severity.into(),
        field: finding.field.clone().unwrap_or_default(),
        rule: finding.rule.clone().into_owned(),
        rule_version: finding.rule_version,
        message: finding.message.clone(),
        suggestion: finding.suggestion.clone().unwrap_or_default(),
        confirmable: finding.confirmable && finding.severity == Severity::Error,
    }
}

/// A change as messages carry it.
pub fn change_message(change: &Change) -> v1::Change {
    v1::Change {
        field: change.field.clone(),
        rule: change.rule.to_owned(),
        rule_version: change.rule_version,
        before: change.before.clone(),
        after: change.after.clone(),
    }
}
