//! The calendar of working days as rules of items count by it. Called by `app::judge`, which gives it to every
//! check.
//!
//! Rules ask for each record how many working days lie between the fact and its receipt, and a first delivery
//! of old records asks over years. So the calendar is added up once; an answer is two look-ups.

use credit_record::WorkingDays;
use legal_clock::Calendar;
use time::{Date, Month};

/// Working days of the years with final data. Of other years nothing is said: a finding must not rest on a
/// guess that a notice may still turn.
#[derive(Debug, Clone)]
pub struct FirmDays {
    /// The day before the first of the table, as a Julian day.
    origin: i32,
    /// Per day since the origin: working days so far, the day itself included.
    working: Vec<u32>,
    /// Per day since the origin: days without final data so far.
    unsure: Vec<u32>,
}

impl FirmDays {
    /// Adds up a calendar from its first final year to its last.
    pub fn of(calendar: &Calendar) -> Self {
        let first = calendar.final_years().next();
        let first = first.and_then(|year| Date::from_calendar_date(year, Month::January, 1).ok());
        let last = calendar.final_years().last();
        let last = last.and_then(|year| Date::from_calendar_date(year, Month::December, 31).ok());
        let mut days = Self {
            origin: first.map_or(0, |day| day.to_julian_day() - 1),
            working: vec![0],
            unsure: vec![0],
        };
        let (mut day, mut working, mut unsure) = (first, 0, 0);
        while let Some(today) = day.filter(|day| Some(*day) <= last) {
            let is = calendar.is_working_day(today);
            working += u32::from(is.yes);
            unsure += u32::from(is.provisional);
            days.working.push(working);
            days.unsure.push(unsure);
            day = today.next_day();
        }
        days
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

impl WorkingDays for FirmDays {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
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

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        if to <= from {
            return Some(0);
        }
        let (from, to) = (self.position(from)?, self.position(to)?);
        self.is_firm(from, to)
            .then(|| self.working[to] - self.working[from])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::date};

    use super::*;

    #[test]
    fn d15_working_days_are_counted_over_the_spring_festival_of_2026_and_never_guessed() {
        let days = FirmDays::of(&Calendar::builtin().unwrap());
        // 2026-02-14 is worked, 15 to 23 February are the holiday.
        assert_eq!(
            days.after(date!(2026 - 02 - 13), 1),
            Some(date!(2026 - 02 - 14))
        );
        assert_eq!(
            days.after(date!(2026 - 02 - 14), 1),
            Some(date!(2026 - 02 - 24))
        );
        assert_eq!(
            days.between(date!(2026 - 02 - 13), date!(2026 - 02 - 24)),
            Some(2)
        );
        assert_eq!(
            days.between(date!(2026 - 02 - 24), date!(2026 - 02 - 13)),
            Some(0)
        );
        // No notice of 2027 yet; none of before 2014 in the data.
        assert_eq!(days.after(date!(2026 - 12 - 31), 1), None);
        assert_eq!(
            days.between(date!(2026 - 12 - 30), date!(2027 - 01 - 04)),
            None
        );
        assert_eq!(
            days.between(date!(2013 - 06 - 03), date!(2026 - 01 - 05)),
            None
        );
        assert_eq!(days.after(date!(2013 - 06 - 03), 5), None);
    }

    proptest! {
        #[test]
        fn the_table_says_what_the_calendar_says(start in -400_i64..5200, length in -5_i64..1500, n in 0_u32..400) {
            let calendar = Calendar::builtin().unwrap();
            let days = FirmDays::of(&calendar);
            let from = date!(2014 - 01 - 01) + Duration::days(start);
            let to = from + Duration::days(length);
            let (count, provisional) = calendar.working_days_between(from, to);
            prop_assert_eq!(days.between(from, to), (!provisional).then_some(count));
            let deadline = calendar.deadline(from, n);
            prop_assert_eq!(days.after(from, n), (!deadline.provisional).then_some(deadline.due_on));
        }
    }
}
