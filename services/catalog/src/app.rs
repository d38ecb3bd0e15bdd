//! The use cases of catalog: load, decide, store, append to the outbox. Each is given a transaction
//! and never commits it, so whatever it does becomes visible at once or not at all. Called by `grpc`
//! and `jobs`.
//!
//! - [`items`]: versions and their publication, retirement, exports
//! - [`drafts`]: the way of a draft through the review
//! - [`duties`]: triggers, duties and their clock
//! - [`exports`]: an item as a file
//! - [`lists`]: code lists
//! - [`providers`]: the registry

pub mod drafts;
pub mod duties;
pub mod exports;
pub mod items;
pub mod lists;
pub mod providers;

use event_bus::NewEvent;
use legal_clock::shanghai_date;
use service_kit::db::Conn;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::{MAX_DEFINITION_BYTES, RuleBroken},
    error::CatalogError,
};

/// Most entries of one page.
pub const LARGEST_PAGE: u32 = 200;

/// Entries of a page when none are asked for.
pub const PAGE: u32 = 50;

/// Who does something, when, and in which trace.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// `<credit code>/<account>` of the officer, or `data-file`.
    pub by: &'a str,
    /// The moment.
    pub at: OffsetDateTime,
    /// W3C trace context, empty when the call is not sampled.
    pub traceparent: &'a str,
}

impl Act<'_> {
    /// The civil day in Changsha.
    pub fn today(&self) -> Date {
        shanghai_date(self.at)
    }

    fn event<M: prost::Message + prost::Name>(&self, message: &M) -> NewEvent {
        NewEvent::new(message, self.at, self.traceparent)
    }
}

/// Whether a use case changed anything, so that the relay has work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// False when everything was so already; then no event was appended.
    pub changed: bool,
}

impl<T> Done<T> {
    fn changed(value: T) -> Self {
        Self {
            value,
            changed: true,
        }
    }

    fn unchanged(value: T) -> Self {
        Self {
            value,
            changed: false,
        }
    }
}

/// An id as events carry it, 16 bytes.
fn bytes_of(id: Uuid) -> prost::bytes::Bytes {
    prost::bytes::Bytes::copy_from_slice(id.as_bytes())
}

/// Part of a list: how many entries, after which one.
#[derive(Debug, Clone, Copy)]
pub struct Page {
    size: u32,
    after: Option<(OffsetDateTime, Uuid)>,
}

impl Page {
    /// Reads `page_size` and `page_token` of a request. The token stands for moment and id of the last entry.
    ///
    /// # Errors
    /// The size is over 200, or the token is none of ours.
    pub fn read(size: u32, token: &str) -> Result<Self, RuleBroken> {
        if size > LARGEST_PAGE {
            return Err(RuleBroken::invalid(
                "PAGE_SIZE_INVALID",
                "page_size",
                "a page has at most 200 entries",
                "每页最多200条",
            ));
        }
        let read = || {
            let (micros, id) = token.split_once('-')?;
            let micros: i128 = i64::from_str_radix(micros, 16).ok()?.into();
            let at = OffsetDateTime::from_unix_timestamp_nanos(micros * 1_000).ok()?;
            Some((at, Uuid::try_parse(id).ok()?))
        };
        let after = match token {
            "" => None,
            _ => Some(read().ok_or_else(|| {
                RuleBroken::invalid(
                    "PAGE_TOKEN_INVALID",
                    "page_token",
                    "the next_page_token of the page before",
                    "翻页标识无效，请从第一页重新开始",
                )
            })?),
        };
        Ok(Self {
            size: if size == 0 { PAGE } else { size },
            after,
        })
    }

    /// One more than shown tells whether there is a next page.
    fn limit(self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts what was read to the page, and the token of the next one; empty at the end.
    fn cut<T>(
        self,
        mut found: Vec<T>,
        key: impl Fn(&T) -> (OffsetDateTime, Uuid),
    ) -> (Vec<T>, String) {
        let more = found.len() > self.size as usize;
        found.truncate(self.size as usize);
        let token = match found.last().map(key) {
            Some((at, id)) if more => {
                let micros = at.unix_timestamp_nanos() / 1_000;
                format!("{micros:x}-{}", id.simple())
            }
            _ => String::new(),
        };
        (found, token)
    }
}

/// Appends what is to be announced, in the order of the list.
async fn announce(
    conn: &mut Conn,
    events: &[NewEvent],
    doing: &'static str,
) -> Result<(), CatalogError> {
    if events.is_empty() {
        return Ok(());
    }
    event_bus::append(conn, events)
        .await
        .map_err(CatalogError::database(doing))
}

/// Does work for a processor beside the tasks that serve calls.
///
/// # Errors
/// The work ended by a panic, or the process ends.
pub(crate) async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CatalogError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(CatalogError::Ended)
}

fn limit_size(definition: &str) -> Result<(), CatalogError> {
    if definition.len() > MAX_DEFINITION_BYTES {
        return Err(CatalogError::DefinitionSize {
            bytes: definition.len(),
            max: MAX_DEFINITION_BYTES,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_page_token_stands_for_the_last_entry_and_nothing_else_is_one() {
        let entries: Vec<_> = (0..4)
            .map(|i| {
                let at = datetime!(2026-11-23 08:00:00.000001 UTC) + time::Duration::seconds(i);
                (at, Uuid::from_u128(i.unsigned_abs().into()))
            })
            .collect();
        let page = Page::read(3, "").unwrap();
        assert_eq!((page.limit(), page.after), (4, None));
        let (shown, token) = page.cut(entries.clone(), |entry| *entry);
        assert_eq!(shown, entries[..3]);
        let next = Page::read(0, &token).unwrap();
        assert_eq!((next.size, next.after), (PAGE, Some(entries[2])));
        let (shown, token) = next.cut(entries[3..].to_vec(), |entry| *entry);
        assert_eq!((shown.len(), token.as_str()), (1, ""));
        for bad in [
            "x",
            "12",
            "-",
            "zz-00000000000000000000000000000000",
            "12-34",
        ] {
            assert_eq!(Page::read(0, bad).unwrap_err().field, "page_token", "{bad}");
        }
        assert_eq!(Page::read(201, "").unwrap_err().field, "page_size");
    }
}
