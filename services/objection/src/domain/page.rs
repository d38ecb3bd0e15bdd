//! Sort key of the list of objections, as the kit's pages carry it in tokens. Called by `grpc`
//! (reading requests), `app` (making the next token) and `store` (rows behind a key).

use serde::{Deserialize, Serialize};
use service_kit::page::{PageKey, PageSizes, microseconds};
use time::OffsetDateTime;
use uuid::Uuid;

/// How many objections the list gives at once: fifty of the longest fit into the 4 MiB that gRPC
/// clients take unasked.
pub const PAGE_SIZES: PageSizes = PageSizes {
    default: 20,
    most: 50,
};

/// Key of the list: oldest filing first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectionPosition {
    /// When it was filed, ascending; microseconds since 1970 in the token.
    #[serde(with = "microseconds")]
    pub filed_at: OffsetDateTime,
    /// Its id, ascending.
    pub objection_id: Uuid,
}

impl PageKey for ObjectionPosition {
    fn start() -> Self {
        Self {
            filed_at: OffsetDateTime::UNIX_EPOCH,
            objection_id: Uuid::nil(),
        }
    }
}

#[cfg(test)]
mod tests {
    use service_kit::{page::Page, reason::Reason};
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_token_of_a_full_page_leads_behind_its_last_row() {
        let position = ObjectionPosition {
            filed_at: datetime!(2026-11-20 02:00:00.123456 UTC),
            objection_id: Uuid::from_u128(7),
        };
        let page = Page::<ObjectionPosition>::from_request(PAGE_SIZES, 1, "").unwrap();
        assert_eq!(page.after, ObjectionPosition::start());
        let token = page.truncate_rows(&mut vec![position, position], |row| *row);
        let next = Page::<ObjectionPosition>::from_request(PAGE_SIZES, 1, &token).unwrap();
        assert_eq!(next.after, position);
    }

    #[test]
    fn a_page_has_20_rows_unless_asked_for_and_50_at_most() {
        let read = |size| Page::<ObjectionPosition>::from_request(PAGE_SIZES, size, "");
        assert_eq!(read(0).unwrap().size, 20);
        assert_eq!(read(50).unwrap().size, 50);
        let refused = read(51).unwrap_err();
        assert_eq!(refused.reason, Reason::PageSizeInvalid);
        assert!(refused.message.contains("50"), "{}", refused.message);
    }

    #[test]
    fn a_token_holds_no_moment_that_a_table_could_not() {
        for micros in [-1, i64::MIN, i64::MAX] {
            let id = Uuid::nil();
            let key = format!(r#"{{"filed_at":{micros},"objection_id":"{id}"}}"#);
            let read: Result<ObjectionPosition, _> = serde_json::from_str(&key);
            assert!(read.is_err(), "{micros}");
        }
    }
}
