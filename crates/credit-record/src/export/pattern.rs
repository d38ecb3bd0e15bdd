//! Regular expressions (ECMA-262 with the `u` flag, as JSON Schema requires) for values of fields. Called by
//! [`super::json_schema`].

use crate::item::{CodeList, Field, FieldKind, ValueFormat};

/// A value of one's own in an open list: not blank behind the hyphen, and no separator in it.
const OTHER: &str = r"其他-[^;]*[^;\s][^;]*";

/// The values of a code list that no enumeration can express: open lists, lists of several values.
pub(super) fn of_list(list: &CodeList) -> String {
    let mut one: Vec<String> = list.values.iter().map(|value| quote(value)).collect();
    if list.open {
        one.push(OTHER.to_owned());
    }
    let one = one.join("|");
    if list.several {
        format!("^(?:{one})(?:;(?:{one}))*$")
    } else {
        format!("^(?:{one})$")
    }
}

/// A list of values of which one begins with one of these words.
pub(super) fn including_pattern(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quote(word)).collect();
    format!("(?:^|;)(?:{})", words.join("|"))
}

/// Form of the canonical value, without check digits, which no expression can compute.
pub(super) fn of_format(field: &Field) -> Option<String> {
    match (field.kind, field.format) {
        (FieldKind::Date, _) => Some(r"^\d{4}-\d{2}-\d{2}$".to_owned()),
        (FieldKind::Decimal, _) => Some(match field.decimals {
            Some(0) => r"^\d+$".to_owned(),
            Some(places) => format!(r"^\d+(?:\.\d{{1,{places}}})?$"),
            None => r"^\d+(?:\.\d+)?$".to_owned(),
        }),
        (_, ValueFormat::CreditCode) => Some("^[0-9A-HJ-NPQRTUWXY]{18}$".to_owned()),
        (_, ValueFormat::OrganisationCode) => Some("^[0-9A-Z]{8}[0-9X]$".to_owned()),
        _ => None,
    }
}

/// Citizen numbers: 18 characters, or the 15 digits of the first generation.
pub(super) const CITIZEN: &str = r"^(?:\d{17}[\dX]|\d{15})$";

/// The text as an expression that matches it and nothing else. Only signs that may be escaped under the
/// `u` flag are.
fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for sign in text.chars() {
        if "^$\\.*+?()[]{}|/".contains(sign) {
            quoted.push('\\');
        }
        quoted.push(sign);
    }
    quoted
}
