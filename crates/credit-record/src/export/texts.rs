//! The descriptions of fields and items, in Chinese, for tables, templates and pages. Called by
//! [`super::json_schema`] and by `catalog`.

use crate::check::Severity;
use crate::item::{
    CodeList, Condition, DisclosureMode, Field, FieldKind, ItemVersion, Requirement, SubjectKind,
    UpdateCycle, ValueFormat,
};
use crate::rule::Rule;

/// Kind of the value, such as `日期（YYYY-MM-DD）`.
pub fn kind_text(field: &Field) -> &'static str {
    let (open, several) = field
        .code_list
        .as_ref()
        .map_or((false, false), |list| (list.open, list.several));
    match (field.kind, field.format) {
        _ if several && open => "代码表（多选，以“;”分隔，可填“其他-补充说明”）",
        _ if several => "代码表（多选，以“;”分隔）",
        _ if open => "代码表（单选，可填“其他-补充说明”）",
        _ if field.code_list.is_some() => "代码表（单选）",
        (FieldKind::Date, _) => "日期（YYYY-MM-DD）",
        (FieldKind::Decimal, _) => "数字",
        (_, ValueFormat::Name) => "名称",
        (_, ValueFormat::DocumentNumber) => "文号",
        (_, ValueFormat::CreditCode) => "统一社会信用代码（GB 32100）",
        (_, ValueFormat::OrganisationCode) => "组织机构代码（GB 11714）",
        (_, ValueFormat::RegistrationNumber) => "工商注册号（GS 15）",
        (_, ValueFormat::PersonDocument) => "证件号码",
        (FieldKind::Code, _) => "代码",
        (FieldKind::Text, _) => "文本",
    }
}

/// Longest value, such as `200` or `20，其中小数6位`.
pub fn length_text(field: &Field) -> String {
    match field.decimals {
        Some(places) => format!("{}，其中小数{places}位", field.max_len),
        None => field.max_len.to_string(),
    }
}

/// Whether and when the field must be given, and for whom it must not be.
pub fn requirement_text(item: &ItemVersion, field: &Field) -> String {
    let mut text = match &field.required {
        Requirement::Always => "必填".to_owned(),
        Requirement::Optional => "选填".to_owned(),
        Requirement::When(condition) => format!("{}时必填", condition_text(item, condition)),
    };
    let others: Vec<&str> = item
        .subject_kinds
        .iter()
        .filter(|kind| !field.allowed_for(**kind))
        .map(|kind| kind.label())
        .collect();
    if !others.is_empty() {
        text.push('；');
        text.push_str(&others.join("、"));
        text.push_str("不填");
    }
    text
}

fn condition_text(item: &ItemVersion, condition: &Condition) -> String {
    let code = condition.field();
    let name = item.field(code).map_or(code, |field| field.name.as_str());
    match condition {
        Condition::OneOf { values, .. } => format!("“{name}”为{}", values.join("或")),
        Condition::Includes { values, .. } => format!("“{name}”含{}", values.join("或")),
        Condition::Present { .. } => format!("填写了“{name}”"),
    }
}

/// The values on offer, each with its meaning where that adds something.
pub fn list_choices(list: &CodeList) -> Vec<(&str, &str)> {
    list.values
        .iter()
        .map(|value| {
            let meaning = list.labels.get(value).map_or("", String::as_str);
            (value.as_str(), meaning)
        })
        .collect()
}

/// How records are disclosed, kind of subject by kind of subject.
pub fn disclosure_text(item: &ItemVersion) -> String {
    let one = |kind: &SubjectKind| {
        let mode = match item.disclosure_mode(*kind) {
            DisclosureMode::Publish => "社会公示、共享和查询",
            DisclosureMode::Query => "只提供查询",
        };
        format!("{}：{mode}", kind.label())
    };
    let all: Vec<String> = item.subject_kinds.iter().map(one).collect();
    all.join("；")
}

/// Longest interval between two reports.
pub fn update_cycle_text(cycle: UpdateCycle) -> &'static str {
    match cycle {
        UpdateCycle::RealTime => "实时",
        UpdateCycle::Daily => "每日",
        UpdateCycle::Weekly => "每周",
        UpdateCycle::Monthly => "每月",
        UpdateCycle::Quarterly => "每季度",
        UpdateCycle::HalfYearly => "每半年",
        UpdateCycle::Yearly => "每年",
    }
}

/// What follows when a rule does not hold.
pub fn outcome_text(rule: &Rule) -> &'static str {
    match rule.severity {
        Severity::Error if rule.confirmable => "退回，报送单位核实确认后接收",
        Severity::Error => "退回",
        Severity::Warning => "接收并提示",
    }
}
