//! What the fuzz targets share: the day, and what must hold of every refusal. Called by the targets.

use credit_record::id::{IdError, IdRule};
use time::Date;
use time::macros::date;

/// The day with which births are compared.
pub const TODAY: Date = date!(2026 - 11 - 23);

/// The position lies within the text, the message does not repeat the text, and a suggestion passes.
pub fn assert_refusal_holds(text: &str, error: &IdError, passes: impl Fn(&str) -> bool) {
    let count = text.chars().count();
    match (error.rule, error.position) {
        (IdRule::Dummy | IdRule::PersonalNumber, place) => assert_eq!(place, None),
        (IdRule::Length, place) => assert!(place.is_some_and(|at| at <= count)),
        (_, place) => assert!(place.is_some_and(|at| at < count), "{error:?}"),
    }
    if let Some(better) = error.suggestion {
        assert_ne!(better.as_str(), text);
        assert!(passes(better.as_str()));
    }
}
