//! Unit and property tests of the rules, by article.

mod drafts;
mod duties;
mod rights;
mod versions;

use service_kit::reason::Reason;
use time::Date;

use super::{CatalogRuleViolation, given_day};

/// A day of a test.
fn day(text: &str) -> Date {
    given_day(text, "test").unwrap().unwrap()
}

/// Field and rule of a violation; panics when its message or reason is empty.
fn violated_rule(broken: &CatalogRuleViolation) -> (&str, &str) {
    assert!(!broken.message.is_empty(), "{broken:?}");
    (broken.field.as_ref(), broken.rule)
}

#[test]
fn a_day_is_a_real_one_in_one_form() {
    assert_eq!(given_day("", "x"), Ok(None));
    assert_eq!(super::format_day(day("2026-02-28")), "2026-02-28");
    for bad in [
        "2026-02-29",
        "2026-2-8",
        "20260228",
        " 2026-02-28",
        "2026-02-28 ",
        "x",
        "+2026-02-28",
    ] {
        let broken = given_day(bad, "x").unwrap_err();
        assert_eq!(
            (broken.reason, violated_rule(&broken).0),
            (Reason::DateInvalid, "x"),
            "{bad}"
        );
    }
}
