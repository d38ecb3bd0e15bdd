//! A catalogue item as data: which fields a kind of record has, what each means, who may see it and which
//! rules bind them. Called by `catalog` (publishes items), `validation` (checks by them) and `disclosure`
//! (publication and terms). A new edition of a standard is a new data file, not new code.

mod code_list;
mod content;
pub(crate) mod day;
mod entry;
mod field;
mod lint;
mod roles;
mod standard;

pub use code_list::{CodeListFault, CodeListVersion, CodeLists, CodeValue};
pub use entry::{
    CatalogueEntry, DerivedConstant, FieldMapping, ItemOwner, NATIONAL_EDITIONS, NationalEntry,
    Predecessor, SourceFamily,
};
pub use field::{
    CodeList, Condition, Field, FieldKind, MaskRule, Publication, Requirement, ValueFormat,
};
pub(crate) use lint::structure_faults;
pub use lint::{LintFault, lint_item};
pub use roles::Roles;
pub use standard::{standard_code_lists, standard_items};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use time::Date;

use crate::rule::Rule;

/// Pseudo field of a natural key: the subject of the record (credit code, else name).
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
    /// First day of receipt (Asia/Shanghai) that this version is for; absent: from its publication. It ends
    /// with the day before that of the next version.
    #[serde(default, with = "day::option", skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<Date>,
    /// Whose catalogue it stands in.
    #[serde(default, skip_serializing_if = "ItemOwner::is_city")]
    pub owner: ItemOwner,
    /// Class of the record.
    pub record_class: RecordClass,
    /// Kinds of subject that a record may be about.
    pub subject_kinds: Vec<SubjectKind>,
    /// Laws and documents that allow the item, in Chinese.
    pub legal_basis: Vec<String>,
    /// What a catalogue states of each of its entries.
    pub entry: CatalogueEntry,
    /// Where the item stands in the national basic catalogue (全国公共信用信息基础目录).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub national: Option<NationalEntry>,
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
    pub term: Option<DisclosureTerm>,
    /// Which field plays which part.
    pub roles: Roles,
    /// Own steps of cleansing by the name of the list ([`crate::normalise::pipeline_names`]), each as `id/version`;
    /// lists that are not named are those of the standard rule-set. So a change of the rule-set is a version
    /// of the item: it can be replayed over stored originals before it is activated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cleansing: BTreeMap<String, Vec<String>>,
    /// Rules over several fields, in the order in which they run.
    #[serde(default)]
    pub rules: Vec<Rule>,
    /// Field names of other platforms under which records come in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub source_families: Vec<SourceFamily>,
    /// How a record of an earlier version reads in this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Predecessor>,
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
pub struct DisclosureTerm {
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
    /// 每半年.
    HalfYearly,
    /// 每年.
    Yearly,
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
    /// A data file of code lists that cannot be used.
    #[error("code list {code} version {version}: {fault}")]
    CodeList {
        /// Code of the list.
        code: String,
        /// Version of the list.
        version: u32,
        /// What is wrong.
        fault: CodeListFault,
    },
    /// Readable, but it contradicts itself.
    #[error("catalogue item {code} version {version} is inconsistent: {}", lint::join_faults(.faults))]
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
    /// Reads and lints an item from TOML, with the code lists that this crate carries.
    ///
    /// # Errors
    /// [`ItemError`]: unreadable, or inconsistent.
    pub fn from_toml(text: &str) -> Result<Self, ItemError> {
        Self::from_toml_with(text, &standard::code_lists()?)
    }

    /// Reads and lints an item from TOML. Fields that name a code list get its values, so that what comes
    /// out is complete by itself.
    ///
    /// # Errors
    /// [`ItemError`]: unreadable, or inconsistent, or a code list that is not among `lists`.
    pub fn from_toml_with(text: &str, lists: &CodeLists) -> Result<Self, ItemError> {
        let mut item: Self = toml::from_str(text)?;
        let faults = lists.resolve_lists(&mut item);
        if !faults.is_empty() {
            return Err(item.inconsistent(faults));
        }
        lint_item(&item)?;
        Ok(item)
    }

    pub(crate) fn inconsistent(&self, faults: Vec<LintFault>) -> ItemError {
        ItemError::Inconsistent {
            code: self.code.clone(),
            version: self.version,
            faults,
        }
    }

    /// Reads and lints an item from JSON, the form in which events carry it.
    ///
    /// # Errors
    /// [`ItemError`]: unreadable, or inconsistent.
    pub fn from_json(text: &str) -> Result<Self, ItemError> {
        let item: Self = serde_json::from_str(text)?;
        lint_item(&item)?;
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
