//! One function per use case, named as its RPC where it has one. Each is given a connection inside the caller's
//! transaction and never commits. Called by `handlers`, `grpc` and `jobs`.
//!
//! - [`mod@judge`]: a batch of submissions gets its verdicts, cases and events; `comparison`: the comparison with all
//!   other records;
//! - [`items`]: the cache of compiled items that records are judged by;
//! - `events`: what is announced of all that;
//! - [`cases`]: opens, closes and reminds feedback cases, also by the passing of time;
//! - [`mod@confirm`]: an attester answers for a record; [`mod@dry_run`]: verdicts of which nothing is stored;
//! - [`watch`]: changes of cases after a cursor;
//! - [`catalogue`]: stores what catalog announced;
//! - [`feedback`]: what providers and officers ask.

pub mod cases;
pub mod catalogue;
mod comparison;
pub mod confirm;
pub mod dry_run;
mod events;
pub mod feedback;
pub mod items;
pub mod judge;
pub mod watch;

use std::sync::Arc;

use credit_record::WorkingDays;
use event_bus::HandlerError;
use legal_clock::WorkingDayTable;
use service_kit::blocking::Stopping;
use vault::Keyring;

use crate::domain::CasePolicy;

pub use items::ItemCache;
pub use judge::{PendingSubmission, judge_submissions};
pub use watch::FeedNotifier;

/// The resources of judging, for batches, confirmations and dry runs alike.
pub struct RecordValidator {
    /// Keys.
    pub keyring: Keyring,
    /// The calendar as rules of items count by it.
    pub working_days: Arc<dyn WorkingDays>,
    /// When cases are due.
    pub case_policy: Arc<CasePolicy>,
    /// The cache of compiled items.
    pub items: Arc<ItemCache>,
    /// Notifies the watchers of feedback.
    pub feed: FeedNotifier,
}

impl std::fmt::Debug for RecordValidator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecordValidator").finish_non_exhaustive()
    }
}

impl RecordValidator {
    /// Rules count working days by the calendar of `case_policy`.
    pub fn new(keyring: Keyring, case_policy: CasePolicy, items: ItemCache) -> Self {
        Self {
            keyring,
            working_days: Arc::new(WorkingDayTable::from_calendar(&case_policy.law.calendar)),
            case_policy: Arc::new(case_policy),
            items: Arc::new(items),
            feed: FeedNotifier::default(),
        }
    }
}

/// A consumer tries its batch again in the next process.
pub(crate) fn stopping_error(stopping: Stopping) -> HandlerError {
    HandlerError::Transient(stopping.to_string())
}
