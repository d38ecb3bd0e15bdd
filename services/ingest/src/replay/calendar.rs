//! The published calendar of working days as rules of items count by it. Called by `replay`, which gives it
//! to both definitions, so that a difference comes from the rules alone.

use credit_record::WorkingDays;
use legal_clock::{Calendar, WorkingDayTable};
use time::Date;

/// Working days of years with final data; of other years nothing is said, as in validation.
#[derive(Debug)]
pub(super) struct PublishedDays(WorkingDayTable);

impl PublishedDays {
    pub(super) fn new(calendar: &Calendar) -> Self {
        Self(WorkingDayTable::of(calendar))
    }
}

impl WorkingDays for PublishedDays {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
        self.0.after(day, n)
    }

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        self.0.between(from, to)
    }
}
