//! An item as JSON Schema, draft 2020-12: the canonical form of the content of one record. Called by `catalog`
//! for developers of departments, who validate with it before they send.
//!
//! Keys that begin with `x-` are annotations: validators ignore them.

use serde_json::{Map, Value, json};

use super::{pattern, texts};
use crate::item::{
    Condition, Field, FieldKind, ItemVersion, Requirement, SubjectKind, ValueFormat,
};
use crate::person::RESIDENT;

/// The item as JSON Schema.
///
/// Types, longest values, enumerations or patterns of code lists, `required`, and `if`/`then` for what depends
/// on another field or on the kind of subject. Decimals may be texts or numbers, all else are texts. Neither
/// check digits nor the rules over several fields can be expressed here; titles of the rules stand in `x-rules`.
pub fn json_schema(item: &ItemVersion) -> Value {
    let mut properties = Map::with_capacity(item.fields.len());
    for field in &item.fields {
        properties.insert(field.code.clone(), property(item, field));
    }
    let required: Vec<&str> = item
        .fields
        .iter()
        .filter(|field| field.required == Requirement::Always)
        .map(|field| field.code.as_str())
        .collect();
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("{}-{}.schema.json", item.code, item.version),
        "title": item.name,
        "description": item.entry.conduct,
        "$comment": format!("版本{}，{}版；{}", item.version, item.edition, item.legal_basis.join("；")),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    });
    let mut all = conditions(item);
    all.extend(misplaced(item));
    all.extend(documents(item));
    if !all.is_empty() {
        schema["allOf"] = Value::Array(all);
    }
    let rules: Vec<Value> = item
        .rules
        .iter()
        .map(|rule| json!({"id": rule.id, "version": rule.version, "title": rule.title}))
        .collect();
    if !rules.is_empty() {
        schema["x-rules"] = Value::Array(rules);
    }
    schema
}

fn property(item: &ItemVersion, field: &Field) -> Value {
    let mut property = Map::new();
    let mut put = |key: &str, value: Value| {
        property.insert(key.to_owned(), value);
    };
    put("title", json!(field.name));
    put("description", json!(description(item, field)));
    if field.kind == FieldKind::Decimal {
        put("type", json!(["string", "number"]));
        put("minimum", json!(0));
    } else {
        put("type", json!("string"));
        put("minLength", json!(1));
    }
    put("maxLength", json!(field.max_len));
    if field.kind == FieldKind::Date {
        put("format", json!("date"));
    }
    match &field.code_list {
        Some(list) if list.open || list.several => put("pattern", json!(pattern::of_list(list))),
        Some(list) => put("enum", json!(enumeration(item, field, &list.values))),
        None => {
            if let Some(form) = pattern::of_format(field) {
                put("pattern", json!(form));
            }
        }
    }
    if let Some(unit) = &field.unit {
        put("x-unit", json!(unit));
    }
    put("x-publication", json!(field.publication.label()));
    let aliases = aliases(item, field);
    if !aliases.is_empty() {
        put("x-aliases", json!(aliases));
    }
    Value::Object(property)
}

/// Of the kinds of subject only those that the item collects.
fn enumeration<'a>(item: &ItemVersion, field: &Field, values: &'a [String]) -> Vec<&'a str> {
    let category = item.roles.subject_category.as_ref() == Some(&field.code);
    let collected = |value: &str| {
        SubjectKind::from_label(value).is_none_or(|kind| item.subject_kinds.contains(&kind))
    };
    values
        .iter()
        .map(String::as_str)
        .filter(|value| !category || collected(value))
        .collect()
}

fn description(item: &ItemVersion, field: &Field) -> String {
    let mut parts = vec![
        texts::requirement_text(item, field),
        texts::kind_text(field).to_owned(),
    ];
    if let Some(unit) = &field.unit {
        parts.push(format!("单位：{unit}"));
    }
    let meanings: Vec<String> = field
        .code_list
        .iter()
        .flat_map(|list| texts::list_choices(list))
        .filter(|(_, meaning)| !meaning.is_empty())
        .map(|(value, meaning)| format!("{value}（{meaning}）"))
        .collect();
    if !meanings.is_empty() {
        parts.push(meanings.join("、"));
    }
    if !field.note.is_empty() {
        parts.push(field.note.trim_end_matches('。').to_owned());
    }
    format!("{}。", parts.join("。"))
}

/// Other names of the field, those of source families with their family.
fn aliases(item: &ItemVersion, field: &Field) -> Vec<String> {
    let own = field.aliases.iter().cloned();
    let families = item.source_families.iter().flat_map(|family| {
        family
            .aliases
            .iter()
            .filter(|(_, code)| **code == field.code)
            .map(|(alias, _)| format!("{alias}（{}）", family.name))
    });
    own.chain(families).collect()
}

/// One `if`/`then` for each condition under which fields are required.
fn conditions(item: &ItemVersion) -> Vec<Value> {
    let mut groups: Vec<(&Condition, Vec<&str>)> = Vec::new();
    for field in &item.fields {
        let Requirement::When(condition) = &field.required else {
            continue;
        };
        match groups.iter_mut().find(|(known, _)| *known == condition) {
            Some((_, codes)) => codes.push(&field.code),
            None => groups.push((condition, vec![&field.code])),
        }
    }
    let one = |(condition, codes): (&Condition, Vec<&str>)| json!({"if": holds(condition), "then": {"required": codes}});
    groups.into_iter().map(one).collect()
}

fn holds(condition: &Condition) -> Value {
    let code = condition.field();
    match condition {
        Condition::OneOf { values, .. } => when(code, json!({ "enum": values })),
        Condition::Includes { values, .. } => when(
            code,
            json!({ "pattern": pattern::including_pattern(values) }),
        ),
        Condition::Present { .. } => json!({ "required": [code] }),
    }
}

/// The field is given and fits.
fn when(code: &str, form: Value) -> Value {
    json!({"properties": {code: form}, "required": [code]})
}

/// Fields that a kind of subject may not have.
fn misplaced(item: &ItemVersion) -> Vec<Value> {
    let Some(category) = &item.roles.subject_category else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for kind in &item.subject_kinds {
        let refused: Map<String, Value> = item
            .fields
            .iter()
            .filter(|field| !field.allowed_for(*kind))
            .map(|field| (field.code.clone(), Value::Bool(false)))
            .collect();
        if !refused.is_empty() {
            let about = when(category, json!({ "const": kind.label() }));
            all.push(json!({"if": about, "then": {"properties": refused}}));
        }
    }
    all
}

/// The form of a citizen number, where the type of the document is the resident identity card.
fn documents(item: &ItemVersion) -> Vec<Value> {
    let roles = &item.roles;
    let form = json!({ "pattern": pattern::CITIZEN });
    let pairs = [
        (&roles.person_document_number, &roles.person_document_type),
        (
            &roles.representative_document_number,
            &roles.representative_document_type,
        ),
    ];
    let mut all = Vec::new();
    for (number, kind) in pairs {
        let Some(number) = number else { continue };
        let then = json!({"properties": {number: form}});
        match kind {
            Some(kind) => {
                let about = when(kind, json!({ "const": RESIDENT }));
                all.push(json!({"if": about, "then": then}));
            }
            // An old edition without a type collects citizen numbers only.
            None if item.field(number).map(|f| f.format) == Some(ValueFormat::PersonDocument) => {
                all.push(then);
            }
            None => {}
        }
    }
    all
}
