//! The list that comes in pages: how many cases a page has, and by what it is continued. Called by `grpc`, `app` and
//! `store`.

use serde::{Deserialize, Serialize};
use service_kit::page::{PageKey, PageSizes, microseconds};
use time::{OffsetDateTime, macros::datetime};

/// Cases of a page of feedback.
pub const PAGE_SIZES: PageSizes = PageSizes {
    default: 100,
    most: 1000,
};

/// Sort key of a provider's list of feedback: the latest case first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CasePosition {
    /// When the case was opened, descending.
    #[serde(with = "microseconds")]
    pub opened_at: OffsetDateTime,
    /// Number of its version in the provider's ledger, descending.
    pub ledger_number: i64,
}

impl PageKey for CasePosition {
    fn start() -> Self {
        Self {
            opened_at: datetime!(9999-12-31 23:59:59 UTC),
            ledger_number: i64::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use service_kit::{page::Page, reason::Reason};

    use super::*;

    fn read(size: u32, token: &str) -> Result<Page<CasePosition>, service_kit::error::Refusal> {
        Page::from_request(PAGE_SIZES, size, token)
    }

    proptest! {
        #[test]
        fn a_page_token_leads_back_to_its_row(micros in 0_i64..253_402_300_799_000_000, ledger in 1_i64..) {
            let opened_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let last = CasePosition { opened_at, ledger_number: ledger };
            let page = read(1, "").unwrap();
            let token = page.truncate_rows(&mut vec![last, last], |row| *row);
            prop_assert_eq!(read(1, &token).unwrap().after, last);
        }

        #[test]
        fn a_foreign_page_token_is_refused_or_harmless(token in "[0-9a-zA-Z_-]{0,60}") {
            match read(0, &token) {
                Ok(page) => prop_assert!(page.after.opened_at.year() >= 1970),
                Err(refused) => prop_assert_eq!(refused.reason, Reason::PageTokenInvalid),
            }
        }
    }

    #[test]
    fn a_page_has_100_cases_unless_asked_for_and_1000_at_most() {
        assert_eq!(read(0, "").unwrap().size, 100);
        assert_eq!(read(1000, "").unwrap().size, 1000);
        let refused = read(1001, "").unwrap_err();
        assert_eq!(refused.reason, Reason::PageSizeInvalid);
        assert!(refused.message.contains("1000"), "{}", refused.message);
    }

    #[test]
    fn a_token_says_no_moment_that_the_database_could_not_hold() {
        let text = r#"{"opened_at":1795420800000001,"ledger_number":7}"#;
        assert!(serde_json::from_str::<CasePosition>(text).is_ok());
        for bad in ["-1", "253402300800000000", "18446744073709551615", "1.5"] {
            let text = text.replace("1795420800000001", bad);
            assert!(
                serde_json::from_str::<CasePosition>(&text).is_err(),
                "{bad}"
            );
        }
    }
}
