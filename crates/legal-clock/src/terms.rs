//! Terms in calendar years (R-16, decision D-7; 民法典 arts 201 and 202). Called at read time by
//! whoever discloses a record; no job decides whether a term has ended.
//!
//! The effective day itself is not counted, so a term of n years ends with the same calendar day
//! n years later, or with the last day of that month where the day does not exist. Rest days do
//! not prolong it: 民法典 art 203 is about acts that must be done, and nobody acts here. From
//! 00:00 (UTC+8) of the next day the record is archive.

use time::{Date, Month};

/// The last day on which a record is disclosed: `years` calendar years after `effective`, the end
/// of the month where that day is missing (29 February). Ends of terms beyond the calendar
/// (year 9999) saturate at [`Date::MAX`].
pub fn last_disclosed_day(effective: Date, years: u32) -> Date {
    let Some(year) = i32::try_from(years)
        .ok()
        .and_then(|years| effective.year().checked_add(years))
    else {
        return Date::MAX;
    };
    if year > Date::MAX.year() {
        return Date::MAX;
    }
    effective
        .replace_year(year)
        // The only day that other years lack is 29 February.
        .or_else(|_| Date::from_calendar_date(year, Month::February, 28))
        .unwrap_or(Date::MAX)
}

/// Whether the term has not ended yet: `today <= last_disclosed_day(effective, years)`.
///
/// It asks about the end only, so that it agrees with the SQL bound of
/// [`earliest_effective_in_term`]; whether a record with a later effective day (D-8) may be
/// shown already is answered by [`has_taken_effect`].
pub fn is_within_term(effective: Date, years: u32, today: Date) -> bool {
    today <= last_disclosed_day(effective, years)
}

/// Whether the record has taken effect by `today` (D-8: a provider may name a later statutory day).
pub fn has_taken_effect(effective: Date, today: Date) -> bool {
    effective <= today
}

/// The smallest effective day whose last disclosed day is `today` or later: for every effective
/// day, `effective >= earliest_effective_in_term(today, years)` is the same as
/// [`is_within_term`]. Use it as a bound in SQL, so that an index on the effective day serves:
/// `where effective_on >= $1`.
pub fn earliest_effective_in_term(today: Date, years: u32) -> Date {
    let Some(year) = i32::try_from(years)
        .ok()
        .and_then(|years| today.year().checked_sub(years))
    else {
        return Date::MIN;
    };
    if year < Date::MIN.year() {
        return Date::MIN;
    }
    today
        .replace_year(year)
        // Today is 29 February and that year has none: a term from its 28th ended yesterday, so
        // the first one still running began on 1 March.
        .or_else(|_| Date::from_calendar_date(year, Month::March, 1))
        .unwrap_or(Date::MIN)
}
