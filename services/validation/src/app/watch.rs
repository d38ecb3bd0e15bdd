//! Changes of a provider's cases after a cursor. Called by `grpc`, repeatedly for each watcher.

use record_ref::ProviderCode;
use service_kit::db::Conn;
use time::{Date, OffsetDateTime};
use tokio::sync::watch;
use vault::{Keyring, keyed_hash::sign_feedback_cursor};

use super::feedback::{FeedbackScope, OpenedCase};
use crate::{
    error::ValidationError,
    store::{
        cases::CaseTransition,
        catalogue,
        reads::{self, FeedPosition},
    },
};

/// Changes that are read at once, and so the memory that one watcher costs.
const CHANGES_PER_READ: i64 = 100;
/// Bytes of the tag that binds a cursor to its feed.
const TAG_BYTES: usize = 16;
/// What is being done when the database fails.
const DOING: &str = "查看反馈变化";

/// Notifies the watchers of feeds in this process that cases may have changed.
#[derive(Debug, Clone, Default)]
pub struct FeedNotifier(watch::Sender<()>);

impl FeedNotifier {
    /// Notifies all watchers: cases may have changed.
    pub fn notify_feed(&self) {
        self.0.send_replace(());
    }

    /// Subscribes to that notification.
    pub fn subscribe_feed(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}

/// A feed with the position up to which a client has received it.
#[derive(Debug, Clone)]
pub struct FeedReader {
    /// `None` for an organisation that is no provider's: nothing happens there.
    provider: Option<ProviderCode>,
    position: FeedPosition,
}

/// A change of a case, as the feed carries it.
#[derive(Debug, Clone)]
pub struct FeedChange {
    /// The case as it is now.
    pub case: OpenedCase,
    /// What happened.
    pub change: CaseTransition,
    /// When.
    pub changed_at: OffsetDateTime,
    /// Cursor to continue after this change.
    pub cursor: String,
}

/// The feed that the caller asks for, after the cursor.
///
/// # Errors
/// [`ValidationError`] for a feed that is not the caller's, and for a cursor that this feed did not give.
pub async fn watch_feedback(
    conn: &mut Conn,
    keyring: &Keyring,
    scope: &FeedbackScope,
    asked: Option<ProviderCode>,
    cursor: &str,
) -> Result<FeedReader, ValidationError> {
    let provider = scope.resolve_provider(asked)?;
    let position = position_of(keyring, provider, cursor)?;
    let known = match provider {
        Some(provider) => catalogue::provider_exists(conn, provider)
            .await
            .map_err(ValidationError::database(DOING))?,
        None => false,
    };
    if scope.all_providers && !known {
        return Err(FeedbackScope::unregistered_error(asked));
    }
    Ok(FeedReader { provider, position })
}

impl FeedReader {
    /// The next changes, oldest first; none when nothing happened since.
    ///
    /// # Errors
    /// The database's, or that something sealed does not open.
    pub async fn next_changes(
        &mut self,
        conn: &mut Conn,
        keyring: &Keyring,
        today: Date,
    ) -> Result<Vec<FeedChange>, ValidationError> {
        let Some(provider) = self.provider else {
            return Ok(Vec::new());
        };
        let rows = reads::changes_after(conn, provider, self.position, CHANGES_PER_READ)
            .await
            .map_err(ValidationError::database(DOING))?;
        let mut changes = Vec::with_capacity(rows.len());
        for row in rows {
            changes.push(FeedChange {
                case: OpenedCase::open_sealed(keyring, row.case, today)?,
                change: row.change,
                changed_at: row.changed_at,
                cursor: cursor_of(keyring, provider, row.position),
            });
            self.position = row.position;
        }
        Ok(changes)
    }
}

/// Transaction and change, hexadecimal, and a tag that no other feed gives.
fn cursor_of(keyring: &Keyring, provider: ProviderCode, position: FeedPosition) -> String {
    let FeedPosition { xid, seq } = position;
    let tag = sign_feedback_cursor(keyring, &provider, xid, seq);
    format!("{xid:016x}{seq:016x}{}", hex::encode(&tag[..TAG_BYTES]))
}

fn position_of(
    keyring: &Keyring,
    provider: Option<ProviderCode>,
    cursor: &str,
) -> Result<FeedPosition, ValidationError> {
    if cursor.is_empty() {
        return Ok(FeedPosition { xid: 0, seq: 0 });
    }
    // No cursor was ever given for a feed in which nothing happens.
    let provider = provider.ok_or(ValidationError::Cursor)?;
    let number = |text: Option<&str>| text.and_then(|text| u64::from_str_radix(text, 16).ok());
    let xid = number(cursor.get(..16)).ok_or(ValidationError::Cursor)?;
    let seq = number(cursor.get(16..32))
        .and_then(|seq| i64::try_from(seq).ok())
        .ok_or(ValidationError::Cursor)?;
    let position = FeedPosition { xid, seq };
    // A position has one cursor, so the whole text is compared.
    if cursor_of(keyring, provider, position) == cursor {
        Ok(position)
    } else {
        Err(ValidationError::Cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn provider(name: &str) -> ProviderCode {
        format!("{name:0>18}").parse().unwrap()
    }

    fn keyring() -> Keyring {
        Keyring::parse(&Keyring::generate()).unwrap()
    }

    proptest! {
        #[test]
        fn a_cursor_leads_back_to_its_position_in_its_own_feed(xid: u64, seq in 0_i64..) {
            let keyring = keyring();
            let position = FeedPosition { xid, seq };
            let (own, other) = (provider("A"), provider("B"));
            let cursor = cursor_of(&keyring, own, position);
            prop_assert_eq!(position_of(&keyring, Some(own), &cursor).unwrap(), position);
            prop_assert!(position_of(&keyring, Some(other), &cursor).is_err());
            prop_assert!(position_of(&keyring, None, &cursor).is_err());
        }

        #[test]
        fn a_foreign_cursor_is_refused(cursor in "[0-9a-f]{1,70}|.{1,70}") {
            prop_assert!(position_of(&keyring(), Some(provider("A")), &cursor).is_err());
        }
    }
}
