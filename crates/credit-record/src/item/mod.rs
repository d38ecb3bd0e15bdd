//! A catalogue item as data: which fields a kind of record has, what each means, who may see it and which
//! rules bind them. Called by `catalog` (publishes items), `validation` (checks by them) and `disclosure`
//! (publication and terms). A new edition of a standard is a new data file, not new code.

mod field;
mod lint;

pub use field::{
    CodeList, Condition, Field, FieldKind, Format, MaskRule, Publication, Requirement,
};
pub use lint::{LintFault, lint};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Pseudo field of a natural key: whoever the record is about (credit code, else name).
pub const SUBJECT_KEY: &str = "@subject";

/// One version of one catalogue item. Versions are never changed, only followed by the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ItemVersion {
    /// Stable code, such as `xzxk`.
    pub code: String,
    /// Version, counted from 1.
    pub version: u32,
    /// Edition of the standard that it follows, such as `2018`.
    pub edition: String,
    /// Chinese name.
    pub name: String,
    /// Class of the record.
    pub record_class: RecordClass,
    /// Kinds of subject that a record may be about.
    pub subject_kinds: Vec<SubjectKind>,
    /// Laws and documents that allow the item, in Chinese.
    pub legal_basis: Vec<String>,
    /// Most working days from decision to report.
    pub reporting_deadline_working_days: u32,
    /// Longest interval between two reports.
    pub update_cycle: UpdateCycle,
    /// Fields that together name a fact in the world; [`SUBJECT_KEY`] stands for the subject.
    pub natural_key: Vec<String>,
    /// How a record is disclosed, by kind of subject.
    pub disclosure: BTreeMap<SubjectKind, DisclosureMode>,
    /// How long an adverse record is disclosed. Absent: as long as the record is in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<Term>,
    /// Which field plays which part.
    pub roles: Roles,
    /// Rules that look at several fields, in the order in which they run.
    #[serde(default)]
    pub rules: Vec<RuleRef>,
    /// The fields, in the order of the standard.
    pub fields: Vec<Field>,
}

/// Class of a record (领域四分法).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecordClass {
    /// 基础.
    Basic,
    /// 优良.
    Favourable,
    /// 不良.
    Adverse,
    /// 其他.
    Other,
}

impl RecordClass {
    /// Chinese name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Basic => "基础",
            Self::Favourable => "优良",
            Self::Adverse => "不良",
            Self::Other => "其他",
        }
    }
}

/// Kind of subject (行政相对人类别).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectKind {
    /// 法人及非法人组织.
    Organisation,
    /// 个体工商户.
    IndividualBusiness,
    /// 自然人.
    NaturalPerson,
}

impl SubjectKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [
        Self::Organisation,
        Self::IndividualBusiness,
        Self::NaturalPerson,
    ];

    /// Exact text that the standard prescribes.
    pub fn label(self) -> &'static str {
        match self {
            Self::Organisation => "法人及非法人组织",
            Self::IndividualBusiness => "个体工商户",
            Self::NaturalPerson => "自然人",
        }
    }

    /// Stable English name, as in data files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Organisation => "organisation",
            Self::IndividualBusiness => "individual_business",
            Self::NaturalPerson => "natural_person",
        }
    }

    /// The kind with this exact Chinese text.
    pub fn from_label(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == text)
    }
}

/// How a record is disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisclosureMode {
    /// Published on the public site, shared and queried.
    Publish,
    /// Answered to an entitled query only.
    Query,
}

/// Disclosure term of an adverse record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Calendar years from the effective date.
    pub years: u32,
    /// Stable id of the rule that sets the years, such as `CS-2017-26/R-16`.
    pub rule: String,
}

/// Longest interval between two reports of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateCycle {
    /// 实时.
    RealTime,
    /// 每日.
    Daily,
    /// 每周.
    Weekly,
    /// 每月.
    Monthly,
    /// 每季度.
    Quarterly,
    /// 每年.
    Yearly,
}

/// Which field plays which part. All are field codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Kind of the subject.
    pub subject_category: String,
    /// Name of the subject.
    pub subject_name: String,
    /// Credit code of the subject.
    pub credit_code: String,
    /// Document type of a natural person.
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
    /// Day of the decision.
    pub decision_date: String,
    /// Day from which the record has effect; absent: the day of the decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_date: Option<String>,
    /// Last day of the effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// Last day of publicity that the provider asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub publicity_until: Option<String>,
    /// Authority that decided.
    pub authority: String,
    /// Credit code of the authority.
    pub authority_code: String,
    /// Unit that reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_unit: Option<String>,
    /// Credit code of the unit that reports: must be the caller.
    pub source_unit_code: String,
}

/// A use of a rule: its stable id and the fields and words that it works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleRef {
    /// Stable id of a rule of [`crate::check::rules`].
    pub id: String,
    /// Field codes by the parameter names of the rule.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// Words that the rule looks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<String>,
}

/// Why an item cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ItemError {
    /// Not the text of an item.
    #[error("catalogue item is not readable")]
    Toml(#[from] toml::de::Error),
    /// Not the JSON of an item.
    #[error("catalogue item is not readable JSON")]
    Json(#[from] serde_json::Error),
    /// Readable, but it contradicts itself.
    #[error("catalogue item {code} version {version} is inconsistent: {}", lint::list(.faults))]
    Inconsistent {
        /// Code of the item.
        code: String,
        /// Version of the item.
        version: u32,
        /// All faults.
        faults: Vec<LintFault>,
    },
}

impl ItemVersion {
    /// Reads and lints an item from TOML.
    ///
    /// # Errors
    /// [`ItemError`]: unreadable, or inconsistent.
    pub fn from_toml(text: &str) -> Result<Self, ItemError> {
        let item: Self = toml::from_str(text)?;
        lint(&item)?;
        Ok(item)
    }

    /// Reads and lints an item from JSON, the form in which events carry it.
    ///
    /// # Errors
    /// [`ItemError`]: unreadable, or inconsistent.
    pub fn from_json(text: &str) -> Result<Self, ItemError> {
        let item: Self = serde_json::from_str(text)?;
        lint(&item)?;
        Ok(item)
    }

    /// The item as JSON.
    ///
    /// # Errors
    /// [`ItemError::Json`].
    pub fn to_json(&self) -> Result<String, ItemError> {
        Ok(serde_json::to_string(self)?)
    }

    /// The field with this code.
    pub fn field(&self, code: &str) -> Option<&Field> {
        self.position(code).map(|i| &self.fields[i])
    }

    /// Position of the field with this code.
    pub fn position(&self, code: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.code == code)
    }

    /// How records about this kind of subject are disclosed. What the item does not name is query-only.
    pub fn disclosure_mode(&self, kind: SubjectKind) -> DisclosureMode {
        self.disclosure
            .get(&kind)
            .copied()
            .unwrap_or(DisclosureMode::Query)
    }
}

/// The two items of the double-publicity standard that this crate carries: `xzxk` (行政许可) and
/// `xzcf` (行政处罚), edition 2018.
///
/// # Errors
/// [`ItemError`] when a data file of this crate is broken; a test keeps that from being released.
pub fn standard_items() -> Result<Vec<ItemVersion>, ItemError> {
    [
        include_str!("../../items/xzxk.toml"),
        include_str!("../../items/xzcf.toml"),
    ]
    .into_iter()
    .map(ItemVersion::from_toml)
    .collect()
}
