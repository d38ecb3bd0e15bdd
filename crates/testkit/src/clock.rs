//! A clock that a test turns. Called by tests that give a service its time.

use service_kit::clock::Clock;
use std::sync::{Arc, Mutex, PoisonError};
use time::{Duration, OffsetDateTime};

/// A clock that is constant until it is turned; clones are the same clock.
#[derive(Debug, Clone)]
pub struct ManualClock {
    now: Arc<Mutex<OffsetDateTime>>,
}

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: OffsetDateTime) -> Self {
        Self {
            now: Arc::new(Mutex::new(now)),
        }
    }

    /// Turns the clock to a moment, forth or back.
    pub fn set(&self, now: OffsetDateTime) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// Turns the clock on by a duration (back, when it is negative).
    pub fn advance(&self, by: Duration) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> OffsetDateTime {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn stands_still_and_is_turned_for_all_who_hold_it() {
        let clock = ManualClock::at(datetime!(2026-03-31 16:00 UTC));
        let held: Arc<dyn Clock> = Arc::new(clock.clone());
        assert_eq!(held.now(), datetime!(2026-03-31 16:00 UTC));
        clock.advance(Duration::days(1));
        assert_eq!(held.now(), datetime!(2026-04-01 16:00 UTC));
        clock.set(datetime!(2020-01-01 00:00 UTC));
        assert_eq!(held.now(), datetime!(2020-01-01 00:00 UTC));
    }
}
