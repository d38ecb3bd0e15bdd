//! The calendar as the rules of records need it. Called by `credit-record`, which takes any implementation;
//! services give it a [`WorkingDayTable`].

use time::Date;

use super::WorkingDayTable;

/// Counts working days, so that rules can use the calendar without knowing where it comes from.
pub trait WorkingDays: Send + Sync {
    /// The `n`-th working day after a day, which itself is not counted. `None`: no calendar is published yet.
    fn after(&self, day: Date, n: u32) -> Option<Date>;
    /// Working days after `from` up to and including `to`; 0 when `to` is not later. `None` as above.
    fn between(&self, from: Date, to: Date) -> Option<u32>;
}

impl WorkingDays for WorkingDayTable {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
        Self::working_day_after(self, day, n)
    }

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        Self::working_days_between(self, from, to)
    }
}

/// A calendar that knows no year: for those who have none. Rules that need working days find them unknown.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCalendar;

impl WorkingDays for NoCalendar {
    fn after(&self, _: Date, _: u32) -> Option<Date> {
        None
    }

    fn between(&self, _: Date, _: Date) -> Option<u32> {
        None
    }
}
