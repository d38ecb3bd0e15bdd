//! What an item states besides its fields: whose catalogue it stands in, what is collected from where
//! and how long it is kept, its place in the national catalogue, and how it relates to other field names and
//! to the version before. Called by `catalog` (publication, pages) and by `check` and `upgrade`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Whose catalogue an item stands in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "catalogue", rename_all = "snake_case", deny_unknown_fields)]
pub enum ItemOwner {
    /// The city's, made by the credit office together with the departments.
    #[default]
    City,
    /// A city department's own.
    Department {
        /// Credit code of the department.
        organ: String,
    },
    /// A district's or county's own.
    District {
        /// GB/T 2260 code of the district.
        district: String,
        /// Credit code of the organ that writes it.
        organ: String,
    },
}

impl ItemOwner {
    /// True for the city's catalogue.
    pub fn is_city(&self) -> bool {
        *self == Self::City
    }

    /// Stable English name of the level.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::City => "city",
            Self::Department { .. } => "department",
            Self::District { .. } => "district",
        }
    }

    /// Credit code of the organ; empty for the city's catalogue, which is the credit office's.
    pub fn organ(&self) -> &str {
        match self {
            Self::City => "",
            Self::Department { organ } | Self::District { organ, .. } => organ,
        }
    }

    /// Code of the district; empty outside of a district's catalogue.
    pub fn district(&self) -> &str {
        match self {
            Self::District { district, .. } => district,
            _ => "",
        }
    }
}

/// What has to stand in every entry of a catalogue, in Chinese sentences for its readers: the conduct that is
/// recorded, where it comes from and by which way, who shares it, how long it is kept (the list follows
/// 深圳经济特区社会信用条例 art. 34; disclosure attribute and update cycle are fields of the item).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CatalogueEntry {
    /// What conduct or fact is recorded.
    pub conduct: String,
    /// Whose records they are.
    pub source: String,
    /// By which way they arrive.
    pub channel: String,
    /// With whom they are shared.
    pub sharing: String,
    /// How long they are kept.
    pub retention: String,
}

/// Place of an item in the national basic catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NationalEntry {
    /// Edition, the year.
    pub edition: String,
    /// Kind of information, one of the edition's.
    pub kind: String,
}

/// Kinds of information of the national basic catalogue, in the order in which the editions brought them: that
/// of 2021 has the first 11, that of 2022 the first 12, that of 2024 all 13.
const NATIONAL_KINDS: [&str; 13] = [
    "登记注册基本信息",
    "司法裁判及执行信息",
    "行政管理信息",
    "职称和职业信息",
    "经营（活动）异常名录（状态）信息",
    "严重失信主体名单信息",
    "合同履行信息",
    "信用承诺及履行情况信息",
    "信用评价结果信息",
    "诚实守信相关荣誉信息",
    "经营主体自愿提供的信用信息",
    "遵守法律法规情况信息",
    "知识产权信息",
];

/// Editions of the national basic catalogue with their numbers of kinds.
pub const NATIONAL_EDITIONS: [(&str, usize); 3] = [("2021", 11), ("2022", 12), ("2024", 13)];

impl NationalEntry {
    /// Kinds of information of an edition; none for an edition that is not known here.
    pub fn kinds(edition: &str) -> &'static [&'static str] {
        NATIONAL_EDITIONS
            .iter()
            .find(|(year, _)| *year == edition)
            .map_or(&[], |(_, kinds)| &NATIONAL_KINDS[..*kinds])
    }
}

/// Field names of another platform or an older system, under which records of the item come in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFamily {
    /// Stable id, lower-case letters, digits and hyphens.
    pub id: String,
    /// Chinese name.
    pub name: String,
    /// Field codes of the item by the names of the family.
    pub aliases: BTreeMap<String, String>,
}

/// How a record of an earlier version reads in this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predecessor {
    /// The earlier version, lower than the item's own.
    pub version: u32,
    /// Fields that changed their code. Fields with the same code in both versions need no line.
    #[serde(default)]
    pub fields: Vec<FieldMapping>,
    /// Values that follow from the edition itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constants: Vec<DerivedConstant>,
    /// Fields of the earlier version that have no counterpart in this one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

/// One field under its old and its new code. Several may lead to a list of several values; they are joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FieldMapping {
    /// Code in the earlier version.
    pub from: String,
    /// Code in this version.
    pub to: String,
}

/// A value that follows from the edition itself, such as the document type where only one was collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedConstant {
    /// Code in this version.
    pub field: String,
    /// The value.
    pub value: String,
    /// Code in the earlier version that must be given; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_given: Option<String>,
}
