//! The sealed messages of a verdict, a case or a confirmation: findings and applied normalisations; and the record that
//! travels sealed in its event. Called by `verdict` and `app`; `grpc` encodes what was opened.
//!
//! Rows keep these bytes for ever, so numbers of fields never change. They are those of the messages of
//! `credit.validation.v1` with the same content, in which rows were written first. Others open the sealed record, so that
//! is a message of the protocol.

use std::collections::HashMap;

use credit_record::{AcceptedRecord, CleansingChange, Finding, Severity};
use prost::Message;
use proto::credit::validation::events::v1::{AppliedChange, NormalisedRecord};
use record_ref::VersionId;
use vault::Keyring;

use crate::error::ValidationError;

/// Findings as they are sealed.
#[derive(Clone, PartialEq, Message)]
pub struct SealedFindings {
    /// Errors first.
    #[prost(message, repeated, tag = "1")]
    pub findings: Vec<StoredFinding>,
}

/// Applied normalisations as they are sealed in a verdict.
#[derive(Clone, PartialEq, Message)]
pub struct SealedChanges {
    /// In the order in which they were applied.
    #[prost(message, repeated, tag = "1")]
    pub changes: Vec<StoredChange>,
}

/// A finding as it was announced: its code may be one of an older program.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StoredFinding {
    /// Stable code.
    #[prost(string, tag = "1")]
    pub code: String,
    /// How serious it is.
    #[prost(enumeration = "StoredSeverity", tag = "2")]
    pub severity: i32,
    /// Code of the field; empty when the whole record is meant.
    #[prost(string, tag = "3")]
    pub field: String,
    /// Stable id of the rule.
    #[prost(string, tag = "4")]
    pub rule: String,
    /// Version of the rule.
    #[prost(uint32, tag = "5")]
    pub rule_version: u32,
    /// Chinese text for the provider's officer.
    #[prost(string, tag = "6")]
    pub message: String,
    /// A proposal; empty when there is none.
    #[prost(string, tag = "7")]
    pub suggestion: String,
    /// An error that a named attester may answer for.
    #[prost(bool, tag = "8")]
    pub confirmable: bool,
}

/// Weight of a stored finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum StoredSeverity {
    /// Of no finding.
    Unspecified = 0,
    /// The record goes back.
    Error = 1,
    /// The record is accepted.
    Warning = 2,
}

/// An applied normalisation.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StoredChange {
    /// Code of the field.
    #[prost(string, tag = "1")]
    pub field: String,
    /// Id of the step.
    #[prost(string, tag = "2")]
    pub rule: String,
    /// Version of the step.
    #[prost(uint32, tag = "3")]
    pub rule_version: u32,
    /// Value before.
    #[prost(string, tag = "4")]
    pub before: String,
    /// Value after.
    #[prost(string, tag = "5")]
    pub after: String,
}

impl StoredFinding {
    /// Whether it sends the record back.
    pub fn is_error(&self) -> bool {
        self.severity() == StoredSeverity::Error
    }
}

impl From<&Finding> for StoredFinding {
    fn from(finding: &Finding) -> Self {
        let severity = match finding.severity {
            Severity::Error => StoredSeverity::Error,
            Severity::Warning => StoredSeverity::Warning,
        };
        Self {
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
}

impl From<&CleansingChange> for StoredChange {
    fn from(change: &CleansingChange) -> Self {
        Self {
            field: change.field.clone(),
            rule: change.rule.to_owned(),
            rule_version: change.rule_version,
            before: change.before.clone(),
            after: change.after.clone(),
        }
    }
}

/// Findings as a verdict, a case or a confirmation keeps them; `None` when there are none.
pub fn seal_findings(keyring: &Keyring, context: &[u8], findings: &[Finding]) -> Option<Vec<u8>> {
    (!findings.is_empty()).then(|| {
        let findings = findings.iter().map(StoredFinding::from).collect();
        keyring.seal(context, &SealedFindings { findings }.encode_to_vec())
    })
}

/// Changes as a verdict keeps them; `None` when there are none.
pub fn seal_changes(
    keyring: &Keyring,
    context: &[u8],
    changes: &[CleansingChange],
) -> Option<Vec<u8>> {
    (!changes.is_empty()).then(|| {
        let changes = changes.iter().map(StoredChange::from).collect();
        keyring.seal(context, &SealedChanges { changes }.encode_to_vec())
    })
}

/// The derived layer of an accepted record, kept next to the original.
pub fn seal_record(
    keyring: &Keyring,
    context: &[u8],
    record: &AcceptedRecord,
    warning_codes: Vec<&'static str>,
    rule_set: &str,
) -> Vec<u8> {
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
    let changes = record.changes.iter().map(|change| AppliedChange {
        field: change.field.clone(),
        rule: change.rule.to_owned(),
        rule_version: change.rule_version,
        before: change.before.clone(),
        after: change.after.clone(),
    });
    let message = NormalisedRecord {
        values,
        changes: changes.collect(),
        warning_codes: warning_codes.into_iter().map(str::to_owned).collect(),
        rule_set: rule_set.to_owned(),
    };
    keyring.seal(context, &message.encode_to_vec())
}

/// Findings that were sealed under a version's id; none where nothing was sealed.
///
/// # Errors
/// [`ValidationError::Sealed`] and [`ValidationError::Content`] for a row that was not written by this service.
pub fn open_findings(
    keyring: &Keyring,
    version_id: VersionId,
    sealed: Option<&[u8]>,
) -> Result<Vec<StoredFinding>, ValidationError> {
    let opened = open_message(keyring, version_id, "sealed_findings", sealed)?;
    Ok(opened.map_or_else(Vec::new, |opened: SealedFindings| opened.findings))
}

/// Changes that were sealed under a version's id; none where nothing was sealed.
///
/// # Errors
/// As [`open_findings`].
pub fn open_changes(
    keyring: &Keyring,
    version_id: VersionId,
    sealed: Option<&[u8]>,
) -> Result<Vec<StoredChange>, ValidationError> {
    let opened = open_message(keyring, version_id, "sealed_changes", sealed)?;
    Ok(opened.map_or_else(Vec::new, |opened: SealedChanges| opened.changes))
}

/// A message that was sealed under a version's id; `what` names its column.
///
/// # Errors
/// As [`open_findings`].
pub fn open_message<M: Message + Default>(
    keyring: &Keyring,
    version_id: VersionId,
    what: &'static str,
    sealed: Option<&[u8]>,
) -> Result<Option<M>, ValidationError> {
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let plain = open_sealed(keyring, version_id, what, sealed)?;
    M::decode(&plain[..])
        .map(Some)
        .map_err(|source| ValidationError::Content { what, source })
}

/// What was sealed under a version's id; `what` names its column.
///
/// # Errors
/// [`ValidationError::Sealed`].
pub fn open_sealed(
    keyring: &Keyring,
    version_id: VersionId,
    what: &'static str,
    sealed: &[u8],
) -> Result<Vec<u8>, ValidationError> {
    keyring
        .open(version_id.as_bytes(), sealed)
        .map_err(|source| ValidationError::Sealed { what, source })
}

#[cfg(test)]
mod tests {
    use proto::credit::validation::v1;

    use super::*;

    #[test]
    fn rows_that_were_written_in_messages_of_the_protocol_open_as_before() {
        let message = v1::Finding {
            code: "USCC_CHECK".to_owned(),
            severity: v1::Severity::Error.into(),
            field: "CF_XDR_SHXYM".to_owned(),
            rule: "uscc".to_owned(),
            rule_version: 3,
            message: "校验码不正确".to_owned(),
            suggestion: "请核对".to_owned(),
            confirmable: true,
        };
        let kept = StoredFinding::decode(&message.encode_to_vec()[..]).unwrap();
        assert!(kept.is_error());
        assert_eq!(kept.encode_to_vec(), message.encode_to_vec());
        assert_eq!(
            (kept.field, kept.suggestion),
            (message.field, message.suggestion)
        );
        let message = v1::Change {
            field: "CF_JDRQ".to_owned(),
            rule: "date".to_owned(),
            rule_version: 1,
            before: "2026/6/10".to_owned(),
            after: "2026-06-10".to_owned(),
        };
        let kept = StoredChange::decode(&message.encode_to_vec()[..]).unwrap();
        assert_eq!(kept.encode_to_vec(), message.encode_to_vec());
        assert_eq!((kept.before, kept.after), (message.before, message.after));
    }

    #[test]
    fn findings_open_under_their_own_version_only() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let (own, other) = (VersionId::generate(), VersionId::generate());
        let sealed = seal_findings(
            &keyring,
            own.as_bytes(),
            &[crate::domain::comparison::contradiction_finding()],
        );
        let opened = open_findings(&keyring, own, sealed.as_deref()).unwrap();
        assert_eq!(opened[0].code, "BASE_INFO_CONFLICT");
        let foreign = open_findings(&keyring, other, sealed.as_deref());
        assert!(matches!(foreign, Err(ValidationError::Sealed { .. })));
        assert!(open_findings(&keyring, own, None).unwrap().is_empty());
        assert_eq!(seal_findings(&keyring, own.as_bytes(), &[]), None);
    }
}
