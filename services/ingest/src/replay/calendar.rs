//! The published calendar of working days as rules of items count by it. Called by `replay`, which gives it
//! to both definitions, so that a difference comes from the rules alone.

use credit_record::WorkingDays;
use legal_clock::Calendar;
use time::Date;

/// Working days of years with final data; of other years nothing is said, as in validation.
#[derive(Debug)]
pub(super) struct PublishedDays {
    calendar: Calendar,
    first_year: i32,
}

impl PublishedDays {
    pub(super) fn new(calendar: Calendar) -> Self {
        let first_year = calendar.final_years().next().unwrap_or(i32::MAX);
        Self {
            calendar,
            first_year,
        }
    }
}

impl WorkingDays for PublishedDays {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
        let deadline = self.calendar.deadline(day, n);
        (!deadline.provisional).then_some(deadline.due_on)
    }

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        if to <= from {
            return Some(0);
        }
        // Decades before the data need not be walked through.
        if from.year() < self.first_year - 1 {
            return None;
        }
        let (count, provisional) = self.calendar.working_days_between(from, to);
        (!provisional).then_some(count)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn d15_working_days_are_those_of_published_years_only() {
        let days = PublishedDays::new(Calendar::builtin().unwrap());
        // 2026-02-14 is worked, 15 to 23 February are the holiday.
        let (before, after) = (date!(2026 - 02 - 13), date!(2026 - 02 - 24));
        assert_eq!(days.between(before, after), Some(2));
        assert_eq!(days.between(after, before), Some(0));
        assert_eq!(days.after(before, 2), Some(after));
        assert_eq!(
            days.between(date!(2013 - 12 - 31), date!(2014 - 01 - 02)),
            Some(1)
        );
        assert_eq!(
            days.between(date!(2013 - 12 - 30), date!(2014 - 01 - 02)),
            None
        );
        assert_eq!(days.between(date!(1990 - 01 - 01), after), None);
        assert_eq!(days.between(before, date!(2027 - 01 - 04)), None);
        assert_eq!(days.after(date!(2026 - 12 - 31), 1), None);
    }
}
