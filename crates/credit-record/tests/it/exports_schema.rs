//! A small validator for the keywords of JSON Schema that the export uses. A keyword that it does not know is
//! a failure of the test, so that the export cannot lean on one that is never tried.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};
use time::Date;
use time::macros::format_description;

/// What of the value does not fit the schema: paths and keywords.
pub fn schema_faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    validate(schema, value, "", &mut found);
    found
}

fn validate(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let schema = match schema {
        Value::Bool(true) => return,
        Value::Bool(false) => return found.push(format!("{at}: false")),
        Value::Object(schema) => schema,
        other => panic!("{at}: {other} is no schema"),
    };
    for (keyword, argument) in schema {
        if !fits(schema, keyword, argument, value, at, found) {
            found.push(format!("{at}: {keyword}"));
        }
    }
}

/// Keywords apply only to the types that they are for; faults inside are added, false is a fault here.
fn fits(
    schema: &Map<String, Value>,
    keyword: &str,
    argument: &Value,
    value: &Value,
    at: &str,
    found: &mut Vec<String>,
) -> bool {
    let text = value.as_str();
    let length = text.map(|t| t.chars().count() as u64);
    match keyword {
        "type" => match argument {
            Value::Array(types) => types.iter().any(|t| is(value, t.as_str().unwrap())),
            one => is(value, one.as_str().unwrap()),
        },
        "enum" => argument.as_array().unwrap().contains(value),
        "const" => argument == value,
        "minLength" => length.is_none_or(|l| l >= argument.as_u64().unwrap()),
        "maxLength" => length.is_none_or(|l| l <= argument.as_u64().unwrap()),
        "minimum" => value
            .as_f64()
            .is_none_or(|n| n >= argument.as_f64().unwrap()),
        "pattern" => text.is_none_or(|t| matches(argument.as_str().unwrap(), t)),
        "format" => {
            assert_eq!(argument, "date");
            let form = format_description!("[year]-[month]-[day]");
            text.is_none_or(|t| Date::parse(t, form).is_ok())
        }
        "required" => value.as_object().is_none_or(|object| {
            let codes = argument.as_array().unwrap();
            codes
                .iter()
                .all(|code| object.contains_key(code.as_str().unwrap()))
        }),
        "properties" => {
            for (code, value) in value.as_object().into_iter().flatten() {
                if let Some(schema) = argument.get(code) {
                    validate(schema, value, &format!("{at}/{code}"), found);
                }
            }
            true
        }
        "additionalProperties" => {
            assert_eq!(argument, &Value::Bool(false));
            let known = schema["properties"].as_object().unwrap();
            value
                .as_object()
                .is_none_or(|o| o.keys().all(|k| known.contains_key(k)))
        }
        "allOf" => {
            for schema in argument.as_array().unwrap() {
                validate(schema, value, at, found);
            }
            true
        }
        "if" => {
            if schema_faults(argument, value).is_empty() {
                validate(&schema["then"], value, at, found);
            }
            true
        }
        "then" => schema.contains_key("if"),
        "title" | "description" | "$schema" | "$id" | "$comment" => true,
        annotation if annotation.starts_with("x-") => true,
        unknown => panic!("{at}: keyword {unknown}"),
    }
}

/// Expressions are compiled once a thread: there are few of them, and thousands of records.
fn matches(pattern: &str, text: &str) -> bool {
    thread_local! {
        static COMPILED: RefCell<HashMap<String, Regex>> = RefCell::default();
    }
    COMPILED.with_borrow_mut(|compiled| {
        let known = compiled.entry(pattern.to_owned());
        known
            .or_insert_with(|| Regex::new(pattern).unwrap())
            .is_match(text)
    })
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "object" => value.is_object(),
        unknown => panic!("type {unknown}"),
    }
}
