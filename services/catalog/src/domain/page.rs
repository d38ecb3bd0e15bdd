//! The lists that come in pages: how many entries a page has, and by what it is continued. Called by `grpc`, `app` and
//! `store`.

use serde::{Deserialize, Serialize};
use service_kit::page::{PageKey, PageSizes, microseconds};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

/// Entries of a page of drafts or duties.
pub const PAGE_SIZES: PageSizes = PageSizes {
    default: 50,
    most: 200,
};

/// Later than any entry.
const LATEST: OffsetDateTime = datetime!(9999-12-31 23:59:59 UTC);

/// Key of the list of drafts: latest change first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftKey {
    /// When the draft was changed last, descending.
    #[serde(with = "microseconds")]
    pub changed_at: OffsetDateTime,
    /// Its id, descending.
    pub draft_id: Uuid,
}

impl PageKey for DraftKey {
    fn start() -> Self {
        Self {
            changed_at: LATEST,
            draft_id: Uuid::max(),
        }
    }
}

/// Key of the list of duties: latest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DutyKey {
    /// When the duty was opened, descending.
    #[serde(with = "microseconds")]
    pub opened_at: OffsetDateTime,
    /// Its id, descending.
    pub duty_id: Uuid,
}

impl PageKey for DutyKey {
    fn start() -> Self {
        Self {
            opened_at: LATEST,
            duty_id: Uuid::max(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_microseconds_and_no_moment_that_the_database_could_not_hold() {
        let key = DraftKey {
            changed_at: datetime!(2026-11-23 08:00:00.000001 UTC),
            draft_id: Uuid::from_u128(7),
        };
        let text = serde_json::to_string(&key).unwrap();
        assert!(text.contains(":1795420800000001,"), "{text}");
        assert_eq!(serde_json::from_str::<DraftKey>(&text).unwrap(), key);
        for bad in ["-1", "253402300800000000", "18446744073709551615", "1.5"] {
            let text = text.replace("1795420800000001", bad);
            assert!(serde_json::from_str::<DraftKey>(&text).is_err(), "{bad}");
        }
        let start = serde_json::to_string(&DutyKey::start()).unwrap();
        assert_eq!(
            serde_json::from_str::<DutyKey>(&start).unwrap(),
            DutyKey::start()
        );
        assert!(serde_json::from_str::<DutyKey>(&text).is_err());
    }
}
