//! One field of a catalogue item. Called by `check` (form), `normalise` (which pipeline) and the services
//! that show a field (publication, mask).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::SubjectKind;

/// One field of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    /// Code of the standard, such as `XK_XDR_MC`; the key in the JSON of a record.
    pub code: String,
    /// Chinese name.
    pub name: String,
    /// Kind of the value.
    pub kind: FieldKind,
    /// Most characters (not bytes); for dates and decimals, of the canonical text.
    pub max_len: u32,
    /// Whether it must be given.
    pub required: Requirement,
    /// What the value means beyond its kind.
    #[serde(default, skip_serializing_if = "ValueFormat::is_plain")]
    pub format: ValueFormat,
    /// Unit of a decimal, such as `万元`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Most digits behind the point of a decimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimals: Option<u32>,
    /// Values that are allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_list: Option<CodeList>,
    /// Kinds of subject for which the field may be filled; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub applies_to: Vec<SubjectKind>,
    /// Who may see it.
    pub publication: Publication,
    /// How it is shown to those who may not see it in clear.
    #[serde(default, skip_serializing_if = "MaskRule::is_none")]
    pub mask: MaskRule,
    /// Other codes under which systems in use send it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Remark for people who fill it in, in Chinese.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

impl Field {
    /// True for a field whose value identifies a natural person, whatever the record is about: it is
    /// never published, and no finding or change repeats it.
    pub fn is_personal(&self) -> bool {
        self.format == ValueFormat::PersonDocument || self.mask == MaskRule::Document
    }

    /// True when the field may be filled for this kind of subject.
    pub fn allowed_for(&self, kind: SubjectKind) -> bool {
        self.applies_to.is_empty() || self.applies_to.contains(&kind)
    }
}

/// Kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Free text.
    Text,
    /// Calendar day, canonical `YYYY-MM-DD`.
    Date,
    /// Decimal number, not negative, canonical without separators and trailing zeros.
    Decimal,
    /// Identifier or code: half-width, upper case, without separators.
    Code,
}

/// What a value means beyond its kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueFormat {
    /// Nothing more than its kind.
    #[default]
    Plain,
    /// Name of an organisation or a person.
    Name,
    /// Number of a decision, with 〔year〕.
    DocumentNumber,
    /// Unified social credit code.
    CreditCode,
    /// Organisation code.
    OrganisationCode,
    /// Business registration number, or the opaque text of before 2007.
    RegistrationNumber,
    /// Number of a personal document; its type stands in the field of the matching role.
    PersonDocument,
}

impl ValueFormat {
    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }
}

/// Whether a field must be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Requirement {
    /// In every record.
    Always,
    /// Where the condition holds.
    When(Condition),
    /// Never.
    Optional,
}

/// A condition on another field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Condition {
    /// The other field has one of these values.
    OneOf {
        /// Code of the other field.
        field: String,
        /// The values.
        values: Vec<String>,
    },
    /// The other field, a list, includes a value that begins with one of these.
    Includes {
        /// Code of the other field.
        field: String,
        /// The beginnings.
        values: Vec<String>,
    },
    /// The other field is given.
    Present {
        /// Code of the other field.
        field: String,
    },
}

impl Condition {
    /// Code of the field that the condition reads.
    pub fn field(&self) -> &str {
        match self {
            Self::OneOf { field, .. } | Self::Includes { field, .. } | Self::Present { field } => {
                field
            }
        }
    }
}

/// Values that a field may have.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeList {
    /// Code of the list in the catalogue that the values were taken from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
    /// Version of that list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The values in force. A data file that names `list` leaves them out.
    #[serde(default)]
    pub values: Vec<String>,
    /// What a value means, where it does not speak for itself (`1`: 有效).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Values of earlier days, by the value in force that each is taken for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replaced: BTreeMap<String, String>,
    /// True: `其他-` with a description of one's own is allowed too.
    #[serde(default)]
    pub open: bool,
    /// True: several values, joined by `;`.
    #[serde(default)]
    pub several: bool,
}

impl CodeList {
    /// Beginning of a value of one's own.
    pub const OTHER: &'static str = "其他-";

    /// True when this single value is allowed.
    pub fn allows(&self, value: &str) -> bool {
        self.values.iter().any(|v| v == value)
            || (self.open
                && value
                    .strip_prefix(Self::OTHER)
                    .is_some_and(|rest| !rest.trim().is_empty()))
    }
}

/// Who may see a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Publication {
    /// 社会公开: everyone.
    Public,
    /// 政务共享: state organs, bound to a purpose.
    Shared,
    /// 授权查询: the subject, and whom the law or the subject authorises.
    Authorised,
}

impl Publication {
    /// Chinese name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Public => "社会公开",
            Self::Shared => "政务共享",
            Self::Authorised => "授权查询",
        }
    }
}

/// How a value is masked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskRule {
    /// Not at all.
    #[default]
    None,
    /// First character of a person's name, the rest as stars.
    Name,
    /// Ends of a document number, the middle as stars.
    Document,
}

impl MaskRule {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}
