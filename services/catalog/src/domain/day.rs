//! Civil days as requests and events write them: `YYYY-MM-DD`. Called by the rules that take one and by
//! `grpc`.

use service_kit::reason::Reason;
use time::{Date, format_description::BorrowedFormatItem, macros::format_description};

use super::CatalogRuleViolation;

const DAY_FORMAT: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// `YYYY-MM-DD`.
pub fn format_day(day: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        day.year(),
        u8::from(day.month()),
        day.day()
    )
}

/// The day that a request names; none when it is left out.
///
/// # Errors
/// It is not written `YYYY-MM-DD` or not a day of the calendar.
pub fn given_day(text: &str, field: &'static str) -> Result<Option<Date>, CatalogRuleViolation> {
    if text.is_empty() {
        return Ok(None);
    }
    Date::parse(text, DAY_FORMAT)
        .ok()
        .filter(|day| format_day(*day) == text)
        .map(Some)
        .ok_or_else(|| {
            CatalogRuleViolation::new(
                Reason::DateInvalid,
                field,
                "a day is written YYYY-MM-DD",
                "日期应写作YYYY-MM-DD，且为真实日期",
            )
        })
}
