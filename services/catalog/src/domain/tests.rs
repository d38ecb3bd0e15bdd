//! Unit and property tests of the rules, by article.

mod drafts;
mod duties;
mod rights;
mod versions;

use legal_clock::parse_day;
use time::Date;

use super::CatalogRuleViolation;

/// A day of a test.
fn day(text: &str) -> Date {
    parse_day(text).unwrap()
}

/// Field and rule of a violation; panics when its message or reason is empty.
fn violated_rule(broken: &CatalogRuleViolation) -> (&str, &str) {
    assert!(!broken.message.is_empty(), "{broken:?}");
    (broken.field.as_ref(), broken.rule)
}
