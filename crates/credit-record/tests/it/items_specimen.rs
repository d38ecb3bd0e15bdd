//! A record without fault for any item, made from the item itself. Used by the tests of items and exports.

use credit_record::item::{
    Condition, FieldKind, ItemVersion, Requirement, SubjectKind, ValueFormat,
};
use serde_json::{Map, Value, json};

use crate::support::PROVIDER;

/// The day on which everything in a specimen happened, by default.
pub const DAY: &str = "2026-06-10";

/// Which fields a specimen fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpecimenExtent {
    /// What must be given.
    Required,
    /// What may be given, too.
    Everything,
}

pub fn make_specimen(
    item: &ItemVersion,
    kind: SubjectKind,
    extent: SpecimenExtent,
) -> Map<String, Value> {
    specimen_on_day(item, kind, extent, DAY)
}

/// A specimen in which everything happened on this day.
pub fn specimen_on_day(
    item: &ItemVersion,
    kind: SubjectKind,
    extent: SpecimenExtent,
    day: &str,
) -> Map<String, Value> {
    let mut record = Map::new();
    // Conditions may read later fields, so two rounds.
    for _ in 0..2 {
        for field in &item.fields {
            let wanted = match &field.required {
                Requirement::Always => true,
                Requirement::When(condition) => {
                    holds(&record, condition)
                        // Type and number of a document demand each other: one has to begin.
                        || (extent == SpecimenExtent::Everything && matches!(condition, Condition::Present { .. }))
                }
                Requirement::Optional => extent == SpecimenExtent::Everything,
            };
            if wanted && field.allowed_for(kind) && fits_subject(item, &field.code, kind) {
                let value = value(item, &field.code, kind, day);
                record.insert(field.code.clone(), value);
            }
        }
    }
    // An organisation is identified even where an old edition leaves it open.
    let (code, document) = (&item.roles.credit_code, &item.roles.person_document_number);
    let (key, code) = match document {
        Some(document) if kind == SubjectKind::NaturalPerson => (document, document),
        _ => (code, code),
    };
    record.insert(key.clone(), value(item, code, kind, day));
    record
}

/// Old editions do not state for whom a field is; the code is the organisation's, the card the person's.
fn fits_subject(item: &ItemVersion, code: &String, kind: SubjectKind) -> bool {
    let roles = &item.roles;
    let person = kind == SubjectKind::NaturalPerson;
    if roles.person_document_number.as_ref() == Some(code) {
        return person;
    }
    let field = item.field(code).unwrap();
    let of_organisation = *code == roles.credit_code
        || roles.representative_name.as_ref() == Some(code)
        || matches!(
            field.format,
            ValueFormat::OrganisationCode | ValueFormat::RegistrationNumber
        );
    !(person && of_organisation)
}

pub fn holds(record: &Map<String, Value>, condition: &Condition) -> bool {
    let value = record.get(condition.field()).and_then(Value::as_str);
    match condition {
        Condition::Present { .. } => value.is_some(),
        Condition::OneOf { values, .. } => value.is_some_and(|v| values.iter().any(|w| w == v)),
        Condition::Includes { values, .. } => value.is_some_and(|v| {
            v.split(';')
                .any(|p| values.iter().any(|w| p.starts_with(w.as_str())))
        }),
    }
}

fn value(item: &ItemVersion, code: &str, kind: SubjectKind, day: &str) -> Value {
    let roles = &item.roles;
    let is = |role: &Option<String>| role.as_deref() == Some(code);
    let person = kind == SubjectKind::NaturalPerson;
    let field = item.field(code).unwrap();
    if is(&roles.subject_category) {
        return json!(kind.label());
    }
    if roles.subject_name == code {
        return json!(match kind {
            SubjectKind::Organisation => "湖南客偲家装饰工程有限公司",
            SubjectKind::IndividualBusiness => "长沙市雨花区老王面馆",
            SubjectKind::NaturalPerson => "刘芳",
        });
    }
    if roles.credit_code == code {
        return json!(match kind {
            SubjectKind::IndividualBusiness => "92430104MA4QQ0026Y",
            _ => "91430102MA4PX7RC64",
        });
    }
    if is(&roles.representative_name) {
        return json!("陈志远");
    }
    if is(&roles.expiry_date) {
        return json!("2099-12-31");
    }
    if is(&roles.publicity_until) {
        return json!("2029-06-10");
    }
    if let Some(list) = &field.code_list {
        if code == "DJ_LX" && kind == SubjectKind::IndividualBusiness {
            return json!("个体工商户");
        }
        return json!(list.values[0]);
    }
    match (field.kind, field.format) {
        (FieldKind::Date, _) => json!(day),
        (FieldKind::Decimal, _) => json!("0.2"),
        (_, ValueFormat::CreditCode) => json!(PROVIDER),
        (_, ValueFormat::OrganisationCode) => json!("D2143569X"),
        (_, ValueFormat::RegistrationNumber) => json!("430100000012344"),
        (_, ValueFormat::PersonDocument) if person => json!("430102199003071242"),
        (_, ValueFormat::PersonDocument) => json!("430102199003071234"),
        (_, ValueFormat::Name) => json!("长沙市市场监督管理局"),
        (_, ValueFormat::DocumentNumber) => json!("长市监决〔2026〕123号"),
        (FieldKind::Code, _) => json!("430100"),
        (FieldKind::Text, _) => json!("如实填写的内容"),
    }
}
