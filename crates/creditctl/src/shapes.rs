//! The platform's answers as the JSON that `--json` prints. The fields are a promise to scripts, described in the
//! README; additions only. Called by the commands and by [`crate::report`].

use proto::credit::ingest::v1::{Outcome, Receipt, Refusal, Standing};
use proto::credit::validation::v1 as validation;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

/// One finding, of the platform or of a local check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FindingShape {
    /// Stable code.
    pub code: String,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// Code of the field; `None` for the whole record.
    pub field: Option<String>,
    /// The rule that found it.
    pub rule: String,
    /// Version of that rule.
    pub rule_version: u32,
    /// Chinese text.
    pub message: String,
    /// A suggested fix.
    pub suggestion: Option<String>,
    /// Whether a named attester may answer for it.
    pub confirmable: bool,
}

impl FindingShape {
    /// Whether it sends the record back.
    pub fn is_error(&self) -> bool {
        self.severity == "error"
    }
}

fn given(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

impl From<validation::Finding> for FindingShape {
    fn from(finding: validation::Finding) -> Self {
        let error = finding.severity() == validation::Severity::Error;
        Self {
            code: finding.code,
            severity: if error { "error" } else { "warning" },
            field: given(finding.field),
            rule: finding.rule,
            rule_version: finding.rule_version,
            message: finding.message,
            suggestion: given(finding.suggestion),
            confirmable: finding.confirmable,
        }
    }
}

impl From<credit_record::Finding> for FindingShape {
    fn from(finding: credit_record::Finding) -> Self {
        let error = finding.severity == credit_record::Severity::Error;
        Self {
            code: finding.code.as_str().to_owned(),
            severity: finding.severity.as_str(),
            field: finding.field,
            rule: finding.rule.into_owned(),
            rule_version: finding.rule_version,
            message: finding.message,
            suggestion: finding.suggestion,
            // As the platform reports it: a warning needs no confirmation.
            confirmable: finding.confirmable && error,
        }
    }
}

/// A refusal on receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct RefusalShape {
    /// gRPC status code; 0 where the tool itself did not send the row.
    pub status: i32,
    /// Stable reason.
    pub reason: String,
    /// Field of the submission.
    pub field: String,
    /// Rule that was broken.
    pub rule: String,
    /// Chinese text.
    pub message: String,
}

impl From<Refusal> for RefusalShape {
    fn from(refusal: Refusal) -> Self {
        Self {
            status: refusal.status_code,
            reason: refusal.reason,
            field: refusal.field,
            rule: refusal.rule,
            message: refusal.message,
        }
    }
}

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReceiptShape {
    /// The caller's id.
    pub submission_id: String,
    /// The version that holds the content.
    pub record_id: String,
    /// Whose ledger.
    pub provider_code: String,
    /// Number in it.
    pub ledger_number: u64,
    /// Digest of the content, hexadecimal.
    pub content_sha256: String,
    /// Moment of the commit.
    pub received_at: Option<String>,
    /// Revision of the record.
    pub revision: u64,
    /// `accepted` or `unchanged`.
    pub outcome: &'static str,
}

impl From<Receipt> for ReceiptShape {
    fn from(receipt: Receipt) -> Self {
        Self {
            outcome: outcome_name(receipt.outcome()),
            received_at: receipt.received_at.and_then(format_moment),
            content_sha256: hex::encode(&receipt.content_sha256),
            submission_id: receipt.submission_id,
            record_id: receipt.record_id,
            provider_code: receipt.provider_code,
            ledger_number: receipt.ledger_number,
            revision: receipt.revision,
        }
    }
}

/// Name of an outcome on receipt.
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Unchanged => "unchanged",
        Outcome::Accepted | Outcome::Unspecified => "accepted",
    }
}

/// Name of a standing.
pub fn status_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Current => "current",
        Standing::Superseded => "superseded",
        Standing::Revoked => "revoked",
        Standing::Unspecified => "unknown",
    }
}

/// A moment as RFC 3339 in UTC.
pub fn format_moment(stamp: prost_types::Timestamp) -> Option<String> {
    let nanos = i128::from(stamp.seconds) * 1_000_000_000 + i128::from(stamp.nanos);
    let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    moment.format(&Rfc3339).ok()
}

/// A feedback case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseShape {
    /// Id of the case.
    pub case_id: String,
    /// Version that it is about.
    pub record_id: String,
    /// Item.
    pub item_code: String,
    /// Version of the item.
    pub item_version: u32,
    /// The provider's own key.
    pub record_key: String,
    /// Number in the ledger.
    pub ledger_number: u64,
    /// `open`, `closed_by_rereport`, `closed_by_confirmation`, `closed_by_withdrawal`.
    pub state: &'static str,
    /// `returned` or `contradicted`.
    pub kind: &'static str,
    /// When it was opened.
    pub opened_at: Option<String>,
    /// Day by which it is to be corrected.
    pub due_on: String,
    /// The calendar of that year is not published yet.
    pub due_provisional: bool,
    /// Open, and the due day is over.
    pub overdue: bool,
    /// How often the provider was reminded.
    pub reminders: u32,
    /// When it was closed.
    pub closed_at: Option<String>,
    /// What was found.
    pub findings: Vec<FindingShape>,
}

impl From<validation::FeedbackCase> for CaseShape {
    fn from(case: validation::FeedbackCase) -> Self {
        use validation::{CaseKind, CaseState};
        let state = match case.state() {
            CaseState::Open => "open",
            CaseState::ClosedByRereport => "closed_by_rereport",
            CaseState::ClosedByConfirmation => "closed_by_confirmation",
            CaseState::ClosedByWithdrawal => "closed_by_withdrawal",
            CaseState::Unspecified => "unknown",
        };
        let kind = match case.kind() {
            CaseKind::Contradicted => "contradicted",
            CaseKind::Returned | CaseKind::Unspecified => "returned",
        };
        let version = case.version.unwrap_or_default();
        Self {
            case_id: case.case_id,
            record_id: Uuid::from_slice(&version.record_id)
                .map(|id| id.to_string())
                .unwrap_or_default(),
            item_code: version.item_code,
            item_version: version.item_version,
            record_key: case.record_key,
            ledger_number: case.ledger_number,
            state,
            kind,
            opened_at: case.opened_at.and_then(format_moment),
            due_on: case.due_on,
            due_provisional: case.due_provisional,
            overdue: case.overdue,
            reminders: case.reminders,
            closed_at: case.closed_at.and_then(format_moment),
            findings: case.findings.into_iter().map(FindingShape::from).collect(),
        }
    }
}

/// Name of what happened to a case.
pub fn change_name(change: validation::CaseChange) -> &'static str {
    use validation::CaseChange;
    match change {
        CaseChange::Opened => "opened",
        CaseChange::Reminded => "reminded",
        CaseChange::Overdue => "overdue",
        CaseChange::Closed => "closed",
        CaseChange::Unspecified => "unknown",
    }
}
