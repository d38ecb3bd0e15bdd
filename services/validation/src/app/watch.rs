//! Changes of a provider's cases after a cursor. Called by `grpc`, again and again for each who watches.

use proto::credit::validation::v1::{CaseChange, WatchFeedbackResponse};
use service_kit::{db::Conn, grpc::timestamp};
use time::Date;
use vault::Keyring;

use super::feedback::{Reader, case_message};
use crate::{
    error::ValidationError,
    store::{
        cases::Change,
        reads::{self, FeedPosition},
        reference,
    },
};

/// Changes that are read at once, and so what one who watches costs in memory.
const AT_ONCE: i64 = 100;
/// Domain of the tag that binds a cursor to its feed.
const CURSOR: &str = "feedback-cursor";
/// Bytes of the tag.
const TAG: usize = 16;

/// A feed that somebody watches, and how far it was told.
#[derive(Debug, Clone)]
pub struct Feed {
    provider_code: String,
    position: FeedPosition,
}

impl Feed {
    /// The feed that is meant, behind the cursor.
    ///
    /// # Errors
    /// [`ValidationError`] for a feed that is not the caller's, and for a cursor that this feed did not give.
    pub async fn open(
        conn: &mut Conn,
        keyring: &Keyring,
        reader: &Reader,
        provider_code: &str,
        cursor: &str,
    ) -> Result<Self, ValidationError> {
        let provider_code = reader.list_of(provider_code)?;
        let position = position_of(keyring, &provider_code, cursor)?;
        let known = reference::provider_exists(conn, &provider_code)
            .await
            .map_err(failed)?;
        if reader.all && !known {
            return Err(ValidationError::ProviderUnknown);
        }
        Ok(Self {
            provider_code,
            position,
        })
    }

    /// The next changes, oldest first; none when nothing happened since.
    ///
    /// # Errors
    /// The database's, or that something sealed does not open.
    pub async fn next(
        &mut self,
        conn: &mut Conn,
        keyring: &Keyring,
        today: Date,
    ) -> Result<Vec<WatchFeedbackResponse>, ValidationError> {
        let rows = reads::changes_after(conn, &self.provider_code, self.position, AT_ONCE)
            .await
            .map_err(failed)?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            let change = match row.change {
                Change::Opened => CaseChange::Opened,
                Change::Reminded => CaseChange::Reminded,
                Change::Overdue => CaseChange::Overdue,
                Change::Closed(_) => CaseChange::Closed,
            };
            changes.push(WatchFeedbackResponse {
                case: Some(case_message(keyring, row.case, today)?),
                change: change.into(),
                changed_at: Some(timestamp(row.changed_at)),
                cursor: cursor_of(keyring, &self.provider_code, row.position),
            });
            self.position = row.position;
        }
        Ok(changes)
    }
}

fn failed(source: service_kit::db::Error) -> ValidationError {
    ValidationError::Database {
        doing: "查看反馈变化",
        source,
    }
}

fn tag(keyring: &Keyring, provider_code: &str, place: &str) -> String {
    let tag = keyring.blind(CURSOR, &format!("{provider_code}/{place}"));
    hex::encode(&tag[..TAG])
}

/// Transaction and number, hexadecimal, and a tag that no other feed gives.
fn cursor_of(keyring: &Keyring, provider_code: &str, position: FeedPosition) -> String {
    let place = format!("{:016x}{:016x}", position.xid, position.seq);
    let tag = tag(keyring, provider_code, &place);
    place + &tag
}

fn position_of(
    keyring: &Keyring,
    provider_code: &str,
    cursor: &str,
) -> Result<FeedPosition, ValidationError> {
    if cursor.is_empty() {
        return Ok(FeedPosition { xid: 0, seq: 0 });
    }
    let (place, found) = cursor.split_at_checked(32).ok_or(ValidationError::Cursor)?;
    if tag(keyring, provider_code, place) != found {
        return Err(ValidationError::Cursor);
    }
    let part = |text: Option<&str>| text.and_then(|text| u64::from_str_radix(text, 16).ok());
    let xid = part(place.get(..16)).ok_or(ValidationError::Cursor)?;
    let seq = part(place.get(16..))
        .and_then(|seq| i64::try_from(seq).ok())
        .ok_or(ValidationError::Cursor)?;
    Ok(FeedPosition { xid, seq })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn keyring() -> Keyring {
        Keyring::parse(&Keyring::generate()).unwrap()
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_place_in_its_own_feed(xid: u64, seq in 0_i64..) {
            let keyring = keyring();
            let position = FeedPosition { xid, seq };
            let cursor = cursor_of(&keyring, "A", position);
            prop_assert_eq!(position_of(&keyring, "A", &cursor).unwrap(), position);
            prop_assert!(position_of(&keyring, "B", &cursor).is_err());
        }

        #[test]
        fn a_foreign_cursor_is_refused(cursor in "[0-9a-f]{1,70}|.{1,70}") {
            prop_assert!(position_of(&keyring(), "A", &cursor).is_err());
        }
    }
}
