//! The injected clock. Services take their time from here, tests turn it.

use std::fmt::Debug;
use time::OffsetDateTime;

/// Where all time comes from.
pub trait Clock: Send + Sync + Debug {
    /// The present moment, UTC, in whole microseconds: what PostgreSQL keeps, so that an answer is the same on the day
    /// it is given and later.
    fn now(&self) -> OffsetDateTime;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        let now = OffsetDateTime::now_utc();
        // Never fails: fewer nanoseconds than there were.
        now.replace_nanosecond(now.nanosecond() / 1000 * 1000)
            .unwrap_or(now)
    }
}
