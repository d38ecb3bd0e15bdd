//! The calendar added up once, for callers that need it for every record: an answer is two look-ups, however far
//! apart the days are. Called by `validation` and `ingest`, which give it to the rules of items.

use time::{Date, Month};

use super::Calendar;

/// Working days of the years with final data. Of other years no answer is given: a finding must not rest on a
/// guess that a notice may still turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkingDayTable {
    /// The day before the first of the table, as a Julian day.
    origin: i32,
    /// Per day since the origin: working days so far, the day itself included.
    working: Vec<u32>,
    /// Per day since the origin: days without final data so far.
    unsure: Vec<u32>,
}

impl WorkingDayTable {
    /// Adds up a calendar from its first final year to its last. Empty for one without any.
    pub fn from_calendar(calendar: &Calendar) -> Self {
        let first = calendar.final_years().next();
        let first = first.and_then(|year| Date::from_calendar_date(year, Month::January, 1).ok());
        let last = calendar.final_years().last();
        let last = last.and_then(|year| Date::from_calendar_date(year, Month::December, 31).ok());
        let mut table = Self {
            origin: first.map_or(0, |day| day.to_julian_day() - 1),
            working: vec![0],
            unsure: vec![0],
        };
        let (mut day, mut working, mut unsure) = (first, 0, 0);
        while let Some(today) = day.filter(|day| Some(*day) <= last) {
            let is = calendar.is_working_day(today);
            working += u32::from(is.is_working);
            unsure += u32::from(is.provisional);
            table.working.push(working);
            table.unsure.push(unsure);
            day = today.next_day();
        }
        table
    }

    /// The `n`-th working day after a day, which itself is not counted; the day itself for 0. `None` where a
    /// day that is counted or skipped has no final data.
    pub fn working_day_after(&self, day: Date, n: u32) -> Option<Date> {
        if n == 0 {
            return Some(day);
        }
        let from = self.position(day)?;
        let wanted = self.working[from].checked_add(n)?;
        let to = from + self.working[from..].partition_point(|count| *count < wanted);
        if to == self.working.len() || !self.is_firm(from, to) {
            return None;
        }
        Date::from_julian_day(self.origin + i32::try_from(to).ok()?).ok()
    }

    /// How many working days lie after `from` up to and with `to`; 0 when `to` is not later. `None` where a day
    /// of that span has no final data.
    pub fn working_days_between(&self, from: Date, to: Date) -> Option<u32> {
        if to <= from {
            return Some(0);
        }
        let (from, to) = (self.position(from)?, self.position(to)?);
        self.is_firm(from, to)
            .then(|| self.working[to] - self.working[from])
    }

    /// Position of a day in the table. The day before the first has one too: a span may begin with it.
    fn position(&self, day: Date) -> Option<usize> {
        usize::try_from(day.to_julian_day() - self.origin)
            .ok()
            .filter(|position| *position < self.working.len())
    }

    /// Whether every day after `from` up to `to` has final data.
    fn is_firm(&self, from: usize, to: usize) -> bool {
        self.unsure[from] == self.unsure[to]
    }
}
