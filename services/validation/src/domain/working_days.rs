//! The calendar of working days as rules of items count by it. Called by `app::Desk`, which gives it to every
//! check.

use credit_record::WorkingDays;
use legal_clock::{Calendar, WorkingDayTable};
use time::Date;

/// Working days of the years with final data. Of other years nothing is said: a finding must not rest on a
/// guess that a notice may still turn.
#[derive(Debug, Clone)]
pub struct FirmDays(WorkingDayTable);

impl FirmDays {
    /// Adds up a calendar.
    pub fn of(calendar: &Calendar) -> Self {
        Self(WorkingDayTable::of(calendar))
    }
}

impl WorkingDays for FirmDays {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
        self.0.after(day, n)
    }

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        self.0.between(from, to)
    }
}
