//! Sort keys of the lists, as the kit's pages carry them in tokens. Called by `grpc` (reading requests), `app` (making
//! the next token) and `store` (rows after a key).

use legal_clock::{format_day, parse_day};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use service_kit::page::{PageKey, PageSizes};
use time::Date;
use uuid::Uuid;

use super::visibility::{FIRST_DAY, LAST_DAY};

/// How many rows every list of disclosure gives at once.
pub const PAGE_SIZES: PageSizes = PageSizes {
    default: 20,
    most: 100,
};

/// Sort key of lists of records: newest decision first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordPosition {
    /// Day of the decision, descending.
    #[serde(serialize_with = "write_day", deserialize_with = "read_day")]
    pub decision_date: Date,
    /// Id of the version, descending; the largest UUID, which no version has, before all rows.
    pub version_id: Uuid,
}

impl PageKey for RecordPosition {
    fn start() -> Self {
        Self {
            decision_date: LAST_DAY,
            version_id: Uuid::max(),
        }
    }
}

/// Sort key of search results: the shortest name first, since it is nearest to what was typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamePosition {
    /// Characters of the shortest name that matches, ascending.
    pub length: i32,
    /// Credit code, ascending.
    pub credit_code: String,
}

impl PageKey for NamePosition {
    fn start() -> Self {
        Self {
            length: 0,
            credit_code: String::new(),
        }
    }
}

fn write_day<S: Serializer>(day: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_day(*day))
}

/// A day that a table can hold: a token may be anything.
fn read_day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Date, D::Error> {
    parse_day(&String::deserialize(deserializer)?)
        .filter(|day| (FIRST_DAY..=LAST_DAY).contains(day))
        .ok_or_else(|| D::Error::custom("a date YYYY-MM-DD"))
}

#[cfg(test)]
mod tests {
    use service_kit::{page::Page, reason::Reason};
    use time::macros::date;

    use super::*;

    #[test]
    fn the_token_of_a_full_page_leads_behind_its_last_row() {
        let keys: Vec<RecordPosition> = (0..3)
            .map(|n| RecordPosition {
                decision_date: date!(2025 - 01 - 02),
                version_id: Uuid::from_u128(n),
            })
            .collect();
        let read = |token: &str| Page::<RecordPosition>::from_request(PAGE_SIZES, 2, token);
        let page = read("").unwrap();
        assert!(page.is_first());
        assert_eq!((page.limit(), page.after), (3, RecordPosition::start()));
        let mut rows = keys.clone();
        let token = page.truncate_rows(&mut rows, |row| *row);
        assert_eq!(rows, keys[..2]);
        assert_eq!(read(&token).unwrap().after, keys[1]);
        assert_eq!(page.truncate_rows(&mut rows, |row| *row), "");

        let name = NamePosition {
            length: 4,
            credit_code: "12430100444900018L".to_owned(),
        };
        let page = Page::<NamePosition>::from_request(PAGE_SIZES, 1, "").unwrap();
        let token = page.truncate_rows(&mut vec![name.clone(), name.clone()], NamePosition::clone);
        let next = Page::<NamePosition>::from_request(PAGE_SIZES, 1, &token).unwrap();
        assert_eq!(next.after, name);
        let foreign = read(&token).unwrap_err();
        assert_eq!(foreign.reason, Reason::PageTokenInvalid);
    }

    #[test]
    fn a_page_has_20_rows_unless_asked_for_and_100_at_most() {
        let read = |size| Page::<RecordPosition>::from_request(PAGE_SIZES, size, "");
        assert_eq!(read(0).unwrap().size, 20);
        assert_eq!(read(100).unwrap().size, 100);
        let refused = read(101).unwrap_err();
        assert_eq!(refused.reason, Reason::PageSizeInvalid);
        assert!(refused.message.contains("100"), "{}", refused.message);
    }

    #[test]
    fn a_token_holds_no_day_that_a_table_could_not() {
        for text in ["-9999-01-01", "10000-01-01", "2025-02-30", "x"] {
            let key = format!(
                r#"{{"decision_date":"{text}","version_id":"{}"}}"#,
                Uuid::nil()
            );
            let read: Result<RecordPosition, _> = serde_json::from_str(&key);
            assert!(read.is_err(), "{text}");
        }
    }
}
