//! The verdict on one submission, ready to be stored and announced: what is personal is sealed under the version's id
//! before it leaves this file. Called by `app`, on the blocking pool.

use std::collections::HashMap;

use credit_record::{AcceptedRecord, Finding, Severity, SubjectKind, normalise::format_date};
use prost::Message;
use proto::credit::{
    common::v1 as common,
    validation::events::v1::{AppliedChange, NormalisedRecord, RecordAccepted, RecordRevoked},
};
use service_kit::grpc::to_timestamp;
use vault::{
    Keyring,
    keyed_hash::{KeyedHash, person_document},
};

use super::{
    SubmittedVersion, SupervisionFigures,
    check::{CheckedContent, CheckedVersion},
    sealed::{seal_changes, seal_findings},
};

/// A judged version.
#[derive(Debug, Clone)]
pub struct SealedVerdict {
    /// What was judged.
    pub submission: SubmittedVersion,
    /// Accepted, with the fact to announce, or returned.
    pub outcome: VerdictEvent,
    /// Codes of the errors, each once, in the order of the findings.
    pub error_codes: Vec<&'static str>,
    /// Codes of the warnings, each once.
    pub warning_codes: Vec<&'static str>,
    /// [`SealedFindings`](super::sealed::SealedFindings), sealed; `None` when there are none.
    pub sealed_findings: Option<Vec<u8>>,
    /// [`SealedChanges`](super::sealed::SealedChanges), sealed; `None` when there are none.
    pub sealed_changes: Option<Vec<u8>>,
    /// Name of the rule-set of cleansing that the values were derived by, the item's own or the standard one.
    pub rule_set: String,
    /// What an accepted record is about.
    pub identity: Option<KeyedHash>,
    /// What supervision counts of it.
    pub figures: SupervisionFigures,
}

/// The verdict, with the event that follows.
#[derive(Debug, Clone)]
pub enum VerdictEvent {
    /// No errors: this is announced.
    Accepted(Box<RecordAccepted>),
    /// It ends its record: this is announced.
    Ended(Box<RecordRevoked>),
    /// At least one error: goes back to its provider.
    Returned,
}

impl SealedVerdict {
    /// Whether the version passed.
    pub fn is_accepted(&self) -> bool {
        !matches!(self.outcome, VerdictEvent::Returned)
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

/// The verdict on a checked version with the findings of its comparison, sealed.
pub fn decide_verdict(
    keyring: &Keyring,
    examined: CheckedVersion,
    comparison_findings: Vec<Finding>,
) -> SealedVerdict {
    let CheckedVersion {
        submission,
        content,
        figures,
        rule_set,
    } = examined;
    let context = submission.version.id.as_bytes();
    let refused = comparison_findings.iter().any(is_error);
    let (outcome, mut findings, changes, identity) = match content {
        CheckedContent::Record(record, facts) if !refused => {
            let mut warnings = record.warnings.clone();
            warnings.extend(comparison_findings);
            let event = accepted_event(
                keyring,
                &submission,
                &record,
                &warnings,
                &rule_set,
                &figures,
            );
            let outcome = VerdictEvent::Accepted(Box::new(event));
            (outcome, warnings, record.changes, Some(facts.identity))
        }
        CheckedContent::Record(record, _) => {
            let mut findings = comparison_findings;
            findings.extend(record.warnings);
            (VerdictEvent::Returned, findings, Vec::new(), None)
        }
        CheckedContent::Faulty(mut findings) => {
            findings.extend(comparison_findings);
            (VerdictEvent::Returned, findings, Vec::new(), None)
        }
        CheckedContent::End(findings) => {
            let event = RecordRevoked {
                version: Some((&submission.version).into()),
                received_at: Some(to_timestamp(submission.received_at)),
                operation: submission.operation.into(),
                // The original, sealed under the same id.
                sealed_reason: submission.sealed_content.clone(),
            };
            let outcome = VerdictEvent::Ended(Box::new(event));
            (outcome, findings, Vec::new(), None)
        }
    };
    findings.sort_by_key(|finding| finding.severity);
    SealedVerdict {
        outcome,
        error_codes: codes(&findings, Severity::Error),
        warning_codes: codes(&findings, Severity::Warning),
        sealed_findings: seal_findings(keyring, context, &findings),
        sealed_changes: seal_changes(keyring, context, &changes),
        rule_set,
        identity,
        figures,
        submission,
    }
}

/// Whether a finding sends the record back.
pub fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}

/// Distinct codes of one severity. A record has few findings, so a linear search is cheap.
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
    submission: &SubmittedVersion,
    record: &AcceptedRecord,
    warnings: &[Finding],
    rule_set: &str,
    figures: &SupervisionFigures,
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
        Some(document) if person => person_document(keyring, document).to_vec(),
        _ => Vec::new(),
    };
    let code = subject.credit_code.as_ref().map(|code| code.as_str());
    let sealed = keyring.seal(
        submission.version.id.as_bytes(),
        &normalised_record(record, warnings, rule_set).encode_to_vec(),
    );
    RecordAccepted {
        version: Some((&submission.version).into()),
        received_at: Some(to_timestamp(submission.received_at)),
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
        filled_fields: figures.filled_fields,
        fillable_fields: figures.fillable_fields,
        document_series: figures.series_message(),
        document_running_number: figures.running_number(),
    }
}

fn subject_kind(kind: SubjectKind) -> common::SubjectKind {
    match kind {
        SubjectKind::Organisation => common::SubjectKind::Organisation,
        SubjectKind::IndividualBusiness => common::SubjectKind::IndividualBusiness,
        SubjectKind::NaturalPerson => common::SubjectKind::NaturalPerson,
    }
}

/// The derived layer, kept next to the original.
fn normalised_record(
    record: &AcceptedRecord,
    warnings: &[Finding],
    rule_set: &str,
) -> NormalisedRecord {
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
