//! The verdict on one submission, ready to be stored and announced: what is personal is sealed under the version's id
//! before it leaves this file. Called by `app`, on the blocking pool.

use credit_record::{AcceptedRecord, Finding, Severity, SubjectKind};
use time::Date;
use vault::{
    Keyring,
    keyed_hash::{KeyedHash, hash_person_document},
};

use super::{
    SubmittedVersion, SupervisionFigures,
    check::{CheckedContent, CheckedVersion},
    sealed::{seal_changes, seal_findings, seal_record},
};

/// A judged version.
#[derive(Debug, Clone)]
pub struct SealedVerdict {
    /// What was judged.
    pub submission: SubmittedVersion,
    /// Accepted, with what is announced of it, or returned.
    pub outcome: SealedOutcome,
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

/// The verdict, with what others may know of the record.
#[derive(Debug, Clone)]
pub enum SealedOutcome {
    /// No errors.
    Accepted(Box<DisclosedRecord>),
    /// It ends its record; the reason is its sealed content.
    Ended,
    /// At least one error: goes back to its provider.
    Returned,
}

/// What disclosure and the province get of an accepted record.
#[derive(Debug, Clone)]
pub struct DisclosedRecord {
    /// What its subject is.
    pub subject_kind: SubjectKind,
    /// Its subject, as far as that may be known.
    pub subject: DisclosedSubject,
    /// Day of the decision.
    pub decision_date: Date,
    /// From when on it has effect.
    pub effective_date: Date,
    /// Until when it has effect, where it says so.
    pub expiry_date: Option<Date>,
    /// Until when its provider shows it, where it says so (D-9).
    pub publicity_until: Option<Date>,
    /// The organ that decided.
    pub authority: String,
    /// All values, sealed under the version's id.
    pub sealed_record: Vec<u8>,
}

/// A subject as others may know it. Of a natural person nothing is in clear: no name, no number, and no document
/// number, which can name the person.
#[derive(Debug, Clone)]
pub enum DisclosedSubject {
    /// An organisation or individual business.
    Named {
        /// Credit code; empty where the record has none.
        code: String,
        /// Normalised name.
        name: String,
        /// Number of the decision's document; empty where the record has none.
        document_number: String,
    },
    /// A natural person.
    Person {
        /// Keyed hash of the document, where the record has one.
        document: Option<KeyedHash>,
    },
}

impl SealedVerdict {
    /// Whether the version passed.
    pub fn is_accepted(&self) -> bool {
        !matches!(self.outcome, SealedOutcome::Returned)
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
    checked: CheckedVersion,
    comparison_findings: Vec<Finding>,
) -> SealedVerdict {
    let CheckedVersion {
        submission,
        content,
        figures,
        rule_set,
    } = checked;
    let context = submission.version.id.as_bytes();
    let refused = comparison_findings.iter().any(is_error);
    let (outcome, mut findings, changes, identity) = match content {
        CheckedContent::Record(record, facts) if !refused => {
            let mut warnings = record.warnings.clone();
            warnings.extend(comparison_findings);
            let sealed_record = seal_record(
                keyring,
                context,
                &record,
                codes(&warnings, Severity::Warning),
                &rule_set,
            );
            let disclosed = DisclosedRecord::from_accepted(keyring, &record, sealed_record);
            let outcome = SealedOutcome::Accepted(Box::new(disclosed));
            (outcome, warnings, record.changes, Some(facts.identity))
        }
        CheckedContent::Record(record, _) => {
            let mut findings = comparison_findings;
            findings.extend(record.warnings);
            (SealedOutcome::Returned, findings, Vec::new(), None)
        }
        CheckedContent::Faulty(mut findings) => {
            findings.extend(comparison_findings);
            (SealedOutcome::Returned, findings, Vec::new(), None)
        }
        CheckedContent::End(findings) => (SealedOutcome::Ended, findings, Vec::new(), None),
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

impl DisclosedRecord {
    fn from_accepted(keyring: &Keyring, record: &AcceptedRecord, sealed_record: Vec<u8>) -> Self {
        let subject = &record.subject;
        let code = subject.credit_code.as_ref().map(|code| code.as_str());
        let document = subject.person_document.as_ref();
        let disclosed = match subject.kind {
            SubjectKind::NaturalPerson => DisclosedSubject::Person {
                document: document.map(|document| hash_person_document(keyring, document)),
            },
            SubjectKind::Organisation | SubjectKind::IndividualBusiness => {
                DisclosedSubject::Named {
                    code: code.unwrap_or_default().to_owned(),
                    name: subject.name.clone(),
                    document_number: record.document_number.clone().unwrap_or_default(),
                }
            }
        };
        Self {
            subject_kind: subject.kind,
            subject: disclosed,
            decision_date: record.decision_date,
            effective_date: record.effective_date,
            expiry_date: record.expiry_date,
            publicity_until: record.publicity_until,
            authority: record.authority.clone(),
            sealed_record,
        }
    }
}
