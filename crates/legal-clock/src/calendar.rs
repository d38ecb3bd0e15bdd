//! The working-day calendar and the arithmetic over it. Called through [`crate::rules`] or
//! directly by services that hold a day count of their own.
//!
//! The yearly notice of the State Council moves rest days, so the calendar is data (format
//! `cn-workcal/1`, read in `source`). A day of a year without final data follows the weekday
//! rule and everything that touches it is marked provisional: it is shown as such and computed
//! again once the notice is out, never presented as firm.

mod source;
mod table;
mod working_days;

pub use source::CalendarError;
pub use table::WorkingDayTable;
pub use working_days::{NoCalendar, WorkingDays};

use crate::civil;
use std::collections::BTreeMap;
use time::{Date, OffsetDateTime, Weekday};

/// The data that ships with this crate: 2014 to 2026.
const BUILTIN: &str = include_str!("../data/working-days.json");

/// Whether a day is a working day, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkingDay {
    /// It is a working day.
    pub is_working: bool,
    /// The day's year has no final data: a notice may still change the answer.
    pub provisional: bool,
}

/// The last day of a period in working days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Deadline {
    /// The n-th working day; the period ends at its 24:00 (UTC+8).
    pub due_on: Date,
    /// At least one day that was counted or skipped lies in a year without final data.
    pub provisional: bool,
}

impl Deadline {
    /// The last instant in time: the end of `due_on` in Changsha.
    pub fn due_at(&self) -> OffsetDateTime {
        civil::end_of_day(self.due_on)
    }

    /// Whether the period is over at `now`, an instant in any offset.
    pub fn is_past(&self, now: OffsetDateTime) -> bool {
        self.due_on < civil::shanghai_date(now)
    }
}

/// The exceptions of one year: a bit set of the ordinal days on which the weekday rule is inverted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct CalendarYear {
    is_final: bool,
    inverted: [u64; 6],
}

impl CalendarYear {
    fn invert(&mut self, day: Date) {
        let bit = usize::from(day.ordinal());
        self.inverted[bit / 64] |= 1 << (bit % 64);
    }

    fn is_inverted(&self, day: Date) -> bool {
        let bit = usize::from(day.ordinal());
        self.inverted[bit / 64] >> (bit % 64) & 1 == 1
    }
}

/// A working-day calendar: per year the weekdays off and the weekend days worked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i32, CalendarYear>,
}

impl Calendar {
    /// The calendar that ships with the program: 2014 to 2026, all final.
    ///
    /// # Errors
    /// None for the data that ships (a test reads it); the type is that of [`Calendar::from_json`].
    pub fn builtin() -> Result<Calendar, CalendarError> {
        Calendar::from_json(BUILTIN)
    }

    /// Reads a calendar in the format `cn-workcal/1` (described in the crate's README).
    ///
    /// # Errors
    /// The first rule broken, with its path, such as `years[3].off_weekdays[2]`.
    pub fn from_json(text: &str) -> Result<Calendar, CalendarError> {
        source::read_calendar(text)
    }

    /// The years with final data, ascending.
    pub fn final_years(&self) -> impl Iterator<Item = i32> + '_ {
        self.years
            .iter()
            .filter(|(_, year)| year.is_final)
            .map(|(number, _)| *number)
    }

    /// Whether a day is a working day. In a year without final data the weekday rule answers
    /// (with the exceptions known so far, where the data has the year as provisional), marked.
    pub fn is_working_day(&self, day: Date) -> WorkingDay {
        let weekday = !is_weekend(day);
        match self.years.get(&day.year()) {
            Some(year) => WorkingDay {
                is_working: weekday != year.is_inverted(day),
                provisional: !year.is_final,
            },
            None => WorkingDay {
                is_working: weekday,
                provisional: true,
            },
        }
    }

    /// The end of a period of `working_days` that an event starts: the day of the event is not
    /// counted (民法典 art 201), the period ends with the n-th working day after it. Zero days are
    /// due on the day of the event. Saturates, provisional, at the calendar's own end.
    pub fn deadline(&self, event: Date, working_days: u32) -> Deadline {
        let mut deadline = Deadline {
            due_on: event,
            provisional: false,
        };
        let mut left = working_days;
        while left > 0 {
            let Some(next) = deadline.due_on.next_day() else {
                deadline.provisional = true;
                break;
            };
            let working = self.is_working_day(next);
            deadline.due_on = next;
            deadline.provisional |= working.provisional;
            left -= u32::from(working.is_working);
        }
        deadline
    }

    /// How many working days lie after `from_exclusive` up to and with `to_inclusive`, and whether
    /// any day of that span is provisional. An empty or reversed span counts `(0, false)`.
    pub fn working_days_between(&self, from_exclusive: Date, to_inclusive: Date) -> (u32, bool) {
        let mut count = 0;
        let mut provisional = false;
        let mut day = from_exclusive;
        while day < to_inclusive {
            let Some(next) = day.next_day() else { break };
            let working = self.is_working_day(next);
            count += u32::from(working.is_working);
            provisional |= working.provisional;
            day = next;
        }
        (count, provisional)
    }
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}
