//! A named official answers for a record as it is: the attestation, and the errors that it may cover. Called by
//! `grpc` (reading requests) and `app::confirm`.

use std::collections::BTreeSet;

use prost::Message;

use super::sealed::StoredFinding;
use crate::error::ValidationError;

/// Who answers and on what he relies; kept sealed as this message.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NamedAttestation {
    /// Name of the official.
    #[prost(string, tag = "1")]
    pub attester: String,
    /// On what he relies.
    #[prost(string, tag = "2")]
    pub statement: String,
}

impl NamedAttestation {
    /// Name and statement without the blanks around them.
    ///
    /// # Errors
    /// [`ValidationError::Attester`], [`ValidationError::Statement`] for one that is too short, too long or not text.
    pub fn parse(attester: &str, statement: &str) -> Result<Self, ValidationError> {
        let fits = |text: &str, most| {
            (2..=most).contains(&text.chars().count()) && !text.contains(char::is_control)
        };
        let attestation = Self {
            attester: attester.trim().to_owned(),
            statement: statement.trim().to_owned(),
        };
        if !fits(&attestation.attester, 100) {
            return Err(ValidationError::Attester);
        }
        if !fits(&attestation.statement.replace(['\n', '\t'], " "), 1000) {
            return Err(ValidationError::Statement);
        }
        Ok(attestation)
    }
}

/// Fields that the attester answers for.
pub fn faulty_fields(findings: &[StoredFinding]) -> BTreeSet<String> {
    let errors = findings.iter().filter(|finding| finding.is_error());
    errors
        .map(|finding| finding.field.clone())
        .filter(|field| !field.is_empty())
        .collect()
}

/// Refuses if one of the errors cannot be confirmed.
///
/// # Errors
/// [`ValidationError::NotConfirmable`], naming those errors.
pub fn refuse_unconfirmable(findings: &[StoredFinding]) -> Result<(), ValidationError> {
    let others = findings
        .iter()
        .filter(|finding| finding.is_error() && !finding.confirmable);
    let others = finding_names(others.map(|one| (one.code.as_str(), one.field.as_str())));
    if others.is_empty() {
        Ok(())
    } else {
        Err(ValidationError::NotConfirmable(others))
    }
}

/// Findings by code and field, without values, each once.
pub fn finding_names<'a>(findings: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let names: BTreeSet<String> = findings
        .map(|(code, field)| match field {
            "" => code.to_owned(),
            field => format!("{code}（{field}）"),
        })
        .collect();
    names.into_iter().collect::<Vec<_>>().join("、")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::sealed::StoredSeverity;

    fn finding(
        code: &str,
        field: &str,
        confirmable: bool,
        severity: StoredSeverity,
    ) -> StoredFinding {
        StoredFinding {
            code: code.to_owned(),
            field: field.to_owned(),
            confirmable,
            severity: severity.into(),
            ..StoredFinding::default()
        }
    }

    #[test]
    fn r13_an_attestation_helps_only_where_every_error_allows_it() {
        let code = finding("USCC_CHECK", "A", true, StoredSeverity::Error);
        let missing = finding("REQUIRED_MISSING", "B", false, StoredSeverity::Error);
        let late = finding("LATE_REPORT", "C", false, StoredSeverity::Warning);
        assert!(refuse_unconfirmable(&[code.clone(), late.clone()]).is_ok());
        let Err(ValidationError::NotConfirmable(named)) =
            refuse_unconfirmable(&[code.clone(), missing])
        else {
            panic!("refused")
        };
        assert_eq!(named, "REQUIRED_MISSING（B）");
        assert_eq!(
            faulty_fields(&[code, late]),
            BTreeSet::from(["A".to_owned()])
        );
    }

    #[test]
    fn r13_an_attestation_has_a_name_and_a_reason() {
        let parse = NamedAttestation::parse;
        assert!(parse(" 李明 ", "已核对营业执照\n原件").is_ok());
        assert!(matches!(
            parse("李", "已核对"),
            Err(ValidationError::Attester)
        ));
        assert!(matches!(
            parse("李\u{0}明", "已核对"),
            Err(ValidationError::Attester)
        ));
        assert!(matches!(
            parse("李明", " 已 "),
            Err(ValidationError::Statement)
        ));
        let long = "字".repeat(1001);
        assert!(matches!(
            parse("李明", &long),
            Err(ValidationError::Statement)
        ));
    }
}
