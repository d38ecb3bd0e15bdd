//! The civil day of Changsha. Called wherever an instant (UTC in tables and on the bus) meets a
//! legal day: filing days, due days, the end of a disclosure term.

use time::format_description::BorrowedFormatItem;
use time::macros::{format_description, offset, time};
use time::{Date, OffsetDateTime, Time, UtcOffset};

/// Asia/Shanghai, the one legal time of the country. The zone has had no summer time since 1991,
/// and nothing is due before 2017, so the fixed offset is exact for every use here.
pub const SHANGHAI: UtcOffset = offset!(+8);

/// The last instant of a day that PostgreSQL (microseconds) can store without rounding it up into
/// the next day.
const LAST_MICROSECOND: Time = time!(23:59:59.999999);

/// A civil day as requests, events and definitions write it.
const DAY_FORMAT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// A civil day written `YYYY-MM-DD` and in no other way, year 1 to 9999: what tables and messages hold.
pub fn parse_day(text: &str) -> Option<Date> {
    Date::parse(text, DAY_FORMAT)
        .ok()
        .filter(|day| day.year() >= 1 && format_day(*day) == text)
}

/// `YYYY-MM-DD`.
pub fn format_day(day: Date) -> String {
    let (year, month, day) = day.to_calendar_date();
    format!("{year:04}-{:02}-{day:02}", u8::from(month))
}

/// The civil day in Changsha at this instant, whatever offset the instant is written in.
pub fn shanghai_date(instant: OffsetDateTime) -> Date {
    // Only instants within hours of the calendar's own ends (years -9999 and 9999) have no such
    // day; they keep the day they are written in.
    instant
        .checked_to_offset(SHANGHAI)
        .map_or_else(|| instant.date(), OffsetDateTime::date)
}

/// The first instant of a civil day: 00:00 at UTC+8.
pub fn start_of_day(day: Date) -> OffsetDateTime {
    OffsetDateTime::new_in_offset(day, Time::MIDNIGHT, SHANGHAI)
}

/// The last instant of a civil day, 24:00 in the words of the law: 23:59:59.999999 at UTC+8.
/// It is still that day, so it can be shown and stored as a due time without naming the next day;
/// what happens after it is late.
pub fn end_of_day(day: Date) -> OffsetDateTime {
    OffsetDateTime::new_in_offset(day, LAST_MICROSECOND, SHANGHAI)
}
