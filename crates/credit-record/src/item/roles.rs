//! Which field of an item plays which part, so that the other modules need no field codes. Called by `check`,
//! `rule` and the services that read an accepted record.

use serde::{Deserialize, Serialize};

/// Which field plays which part. All are field codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Kind of the subject. Absent in old editions: then it follows from the identifiers that are given, see
    /// [`crate::check_record()`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_category: Option<String>,
    /// Name of the subject.
    pub subject_name: String,
    /// Credit code of the subject.
    pub credit_code: String,
    /// Document type of a natural person. Absent in old editions: then the number is that of a 身份证.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_document_type: Option<String>,
    /// Document number of a natural person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person_document_number: Option<String>,
    /// Name of the legal representative or operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative_name: Option<String>,
    /// Document type of the representative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative_document_type: Option<String>,
    /// Document number of the representative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub representative_document_number: Option<String>,
    /// Number of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_number: Option<String>,
    /// Day on which the fact was established: of a decision, a registration, an entry in a list.
    pub decision_date: String,
    /// Day from which the record has effect; absent: the day of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_date: Option<String>,
    /// Last day of the effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// Last day of publicity as requested by the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publicity_until: Option<String>,
    /// Authority that decided.
    pub authority: String,
    /// Credit code of the authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority_code: Option<String>,
    /// Unit that reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_unit: Option<String>,
    /// Credit code of the unit that reports: must be the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_unit_code: Option<String>,
}
