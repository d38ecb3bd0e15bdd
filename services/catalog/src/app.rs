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
use service_kit::{db::Conn, reason::Reason};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::{
    domain::{CatalogRuleViolation, MAX_DEFINITION_BYTES},
    error::CatalogError,
};

/// Who acts, when, and in which trace.
#[derive(Debug, Clone, Copy)]
pub struct ActionContext<'a> {
    /// `<credit code>/<account>` of the officer, or `data-file`.
    pub by: &'a str,
    /// When.
    pub at: OffsetDateTime,
    /// W3C trace context, empty when the call is not sampled.
    pub traceparent: &'a str,
}

impl ActionContext<'_> {
    /// The civil day in Changsha.
    pub fn today(&self) -> Date {
        shanghai_date(self.at)
    }

    fn new_event<M: prost::Message + prost::Name>(&self, message: &M) -> NewEvent {
        NewEvent::new(message, self.at, self.traceparent)
    }
}

/// Whether a use case changed anything, so that the relay has work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogOutcome<T> {
    /// The result.
    pub value: T,
    /// False when everything was so already; then no event was appended.
    pub changed: bool,
}

impl<T> CatalogOutcome<T> {
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
fn id_bytes(id: Uuid) -> prost::bytes::Bytes {
    prost::bytes::Bytes::copy_from_slice(id.as_bytes())
}

/// Appends events to the outbox, in the order of the list.
async fn append_events(
    conn: &mut Conn,
    events: &[NewEvent],
    doing: &'static str,
) -> Result<(), CatalogError> {
    if events.is_empty() {
        return Ok(());
    }
    event_bus::append_events(conn, events)
        .await
        .map_err(CatalogError::database(doing))
}

fn check_definition_size(definition: &str) -> Result<(), CatalogError> {
    if definition.trim().is_empty() {
        return Err(CatalogRuleViolation::new(
            Reason::DefinitionMissing,
            "definition_toml",
            "a definition is given",
            "请提交定义文本",
        )
        .into());
    }
    if definition.len() > MAX_DEFINITION_BYTES {
        return Err(CatalogError::DefinitionSize {
            bytes: definition.len(),
            max: MAX_DEFINITION_BYTES,
        });
    }
    Ok(())
}
