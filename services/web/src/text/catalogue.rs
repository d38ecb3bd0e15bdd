//! Terms of the catalogue in the words of the site. Unknown terms of a newer service stay as they are. Pure.
//! Called by `pages::catalogue`.

use std::borrow::Cow;

use credit_record::{
    item::SUBJECT_KEY,
    normalise::{format_day, parse_date},
};
use proto::credit::{
    catalog::v1::{Catalogue, Item, ItemField, Owner, VersionState},
    common::v1::SubjectKind,
};
use time::OffsetDateTime;

use super::{CHINA, field_kind_name};
use crate::client::OrganNames;

/// The divisions of Changsha (GB/T 2260), for names only: which ones exist is catalog's to say.
const DISTRICTS: [(&str, &str); 9] = [
    ("430102", "芙蓉区"),
    ("430103", "天心区"),
    ("430104", "岳麓区"),
    ("430105", "开福区"),
    ("430111", "雨花区"),
    ("430112", "望城区"),
    ("430121", "长沙县"),
    ("430181", "浏阳市"),
    ("430182", "宁乡市"),
];

/// Name of a division; its code when it is none of Changsha's.
pub fn district_name(code: &str) -> &str {
    DISTRICTS
        .iter()
        .find(|(known, _)| *known == code)
        .map_or(code, |(_, name)| name)
}

/// Name of a catalogue.
pub fn catalogue_name(value: i32) -> &'static str {
    match Catalogue::try_from(value) {
        Ok(Catalogue::Department) => "部门目录",
        Ok(Catalogue::District) => "区县目录",
        Ok(Catalogue::City | Catalogue::Unspecified) | Err(_) => "市级目录",
    }
}

/// Name of an organ; its credit code when it is not registered any more.
pub fn organ_name<'a>(code: &'a str, organs: &'a OrganNames) -> &'a str {
    organs.get(code).map_or(code, String::as_str)
}

/// Whose catalogue an item is in: the catalogue, its district, its organ.
pub fn owner_name(owner: Option<&Owner>, organs: &OrganNames) -> String {
    let Some(owner) = owner else {
        return catalogue_name(Catalogue::City as i32).to_owned();
    };
    let place = if owner.district_code.is_empty() {
        ""
    } else {
        district_name(&owner.district_code)
    };
    [
        catalogue_name(owner.catalogue),
        place,
        organ_name(&owner.organ, organs),
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .collect::<Vec<_>>()
    .join(" · ")
}

/// Kind of a subject, in the words of the standard.
pub fn subject_kind_name(value: i32) -> &'static str {
    match SubjectKind::try_from(value) {
        Ok(SubjectKind::Organisation) => "法人及非法人组织",
        Ok(SubjectKind::IndividualBusiness) => "个体工商户",
        Ok(SubjectKind::NaturalPerson) => "自然人",
        Ok(SubjectKind::Unspecified) | Err(_) => "其他主体",
    }
}

/// How records are disclosed.
pub fn disclosure_mode_name(mode: &str) -> &str {
    match mode {
        "publish" => "向社会公示",
        "query" => "依法查询，不公示",
        other => other,
    }
}

/// What a finding of this severity does to a record.
pub fn severity_name(value: &str) -> &str {
    match value {
        "error" => "退回",
        "warning" => "提示",
        other => other,
    }
}

/// How a value is masked where it is not shown whole.
pub fn mask_name(value: &str) -> &str {
    match value {
        "name" => "姓名只显示首字",
        "document" => "号码只显示首尾",
        other => other,
    }
}

/// State of a version today.
pub fn version_state_name(value: i32) -> &'static str {
    match VersionState::try_from(value) {
        Ok(VersionState::InForce) => "现行",
        Ok(VersionState::Upcoming) => "尚未生效",
        Ok(VersionState::Superseded) => "已被替代",
        Ok(VersionState::Retired) => "已停用",
        Ok(VersionState::Unspecified) | Err(_) => "",
    }
}

/// Kind of a field's values with its unit.
pub fn kind_with_unit(field: &ItemField) -> Cow<'_, str> {
    let kind = field_kind_name(&field.kind);
    if field.unit.is_empty() {
        kind.into()
    } else {
        format!("{kind}（{}）", field.unit).into()
    }
}

/// Name of a field of the item; the code when there is none.
pub fn field_name<'a>(item: &'a Item, code: &'a str) -> &'a str {
    item.fields
        .iter()
        .find(|field| field.code == code)
        .map_or(code, |field| &field.name)
}

/// The natural key in names: what makes two records the same fact.
pub fn natural_key(item: &Item) -> String {
    let names = item.natural_key.iter().map(|code| {
        if code == SUBJECT_KEY {
            "信用主体"
        } else {
            field_name(item, code)
        }
    });
    names.collect::<Vec<_>>().join(" + ")
}

/// The rule behind a term, where it is an article of the city's regulation.
pub fn term_rule(id: &str) -> Cow<'_, str> {
    match id.strip_prefix("CS-2017-26/R-") {
        Some(article) => format!("长政办发〔2017〕26号第{article}条").into(),
        None => id.into(),
    }
}

/// The day before a civil date; empty when it is none.
pub fn day_before(text: &str) -> String {
    parse_date(text)
        .and_then(time::Date::previous_day)
        .map(format_day)
        .unwrap_or_default()
}

/// The civil date of a moment in Beijing; empty when there is none.
pub fn civil_day(seconds: Option<i64>) -> String {
    seconds
        .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
        .map(|moment| format_day(moment.to_offset(CHINA).date()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_named_with_district_and_organ() {
        let organs = OrganNames::from([("113".to_owned(), "长沙市文旅局".to_owned())]);
        let of = |catalogue: Catalogue, organ: &str, district_code: &str| {
            let found = Owner {
                catalogue: catalogue.into(),
                organ: organ.to_owned(),
                district_code: district_code.to_owned(),
            };
            owner_name(Some(&found), &organs)
        };
        assert_eq!(owner_name(None, &organs), "市级目录");
        assert_eq!(of(Catalogue::City, "", ""), "市级目录");
        assert_eq!(
            of(Catalogue::Department, "113", ""),
            "部门目录 · 长沙市文旅局"
        );
        assert_eq!(
            of(Catalogue::District, "999", "430104"),
            "区县目录 · 岳麓区 · 999"
        );
    }

    #[test]
    fn days_are_those_of_beijing() {
        assert_eq!(day_before("2021-03-01"), "2021-02-28");
        assert_eq!(day_before("soon"), "");
        // 2026-03-31 16:30 UTC.
        assert_eq!(civil_day(Some(1_774_974_600)), "2026-04-01");
        assert_eq!(civil_day(None), "");
        assert_eq!(civil_day(Some(i64::MAX)), "");
    }

    #[test]
    fn unknown_terms_stay() {
        assert_eq!(severity_name("fatal"), "fatal");
        assert_eq!(disclosure_mode_name("auction"), "auction");
        assert_eq!(term_rule("X-1"), "X-1");
        assert_eq!(term_rule("CS-2017-26/R-16"), "长政办发〔2017〕26号第16条");
        assert_eq!(district_name("430200"), "430200");
    }
}
