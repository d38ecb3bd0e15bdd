//! Dates in the forms that providers send. Called by the `date-form` step and by `check`.

use time::{Date, Month};

/// Years that a date in a record may have; 2099-12-31 stands for "long-term".
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2999;

/// The canonical form of a date that can be read; an unreadable one stays as it is, for `check` to refuse.
pub(super) fn date_form(value: &str) -> Option<String> {
    parse_date(value).map(format_date)
}

/// `YYYY-MM-DD`.
pub fn format_date(date: Date) -> String {
    format!(
        "{:04}-{:02}-{:02}",
        date.year(),
        u8::from(date.month()),
        date.day()
    )
}

/// Reads `YYYY-MM-DD`, `YYYY/M/D`, `YYYY.MM.DD`, `YYYYMMDD` and `YYYY年M月D日`, with full-width digits and
/// spaces, and with a time of day behind it, which is dropped. `None` when it is no such date.
pub fn parse_date(text: &str) -> Option<Date> {
    let mut groups = [0u32; 3];
    let mut lengths = [0usize; 3];
    let mut group = 0;
    let mut separated = false;
    let mut rest = text.char_indices();
    for (at, c) in rest.by_ref() {
        match digit(c) {
            Some(value) => {
                if separated {
                    group += 1;
                    separated = false;
                }
                if group == 3 {
                    return None;
                }
                // Eight digits in one group are the compact form; more fit no form.
                if lengths[group] == 8 {
                    return None;
                }
                groups[group] = groups[group] * 10 + value;
                lengths[group] += 1;
            }
            None if is_date_separator(c) => {
                if separated || lengths[0] == 0 || group == 2 {
                    // The third group may end with 日 or 号 and nothing else.
                    if group == 2 && !separated && matches!(c, '日' | '号') {
                        if !time_of_day(&text[at + c.len_utf8()..]) {
                            return None;
                        }
                        break;
                    }
                    return None;
                }
                separated = true;
            }
            None if c.is_whitespace() || c == 'T' => {
                let complete = group == 2 && !separated || lengths[0] == 8;
                let follows = text[at..].trim_start();
                if complete && !follows.starts_with(['日', '号']) {
                    if !time_of_day(follows) {
                        return None;
                    }
                    break;
                }
                if c == 'T' {
                    return None;
                }
            }
            None => return None,
        }
    }
    let [year, month, day] = match (group, lengths) {
        (0, [8, 0, 0]) => [groups[0] / 10_000, groups[0] / 100 % 100, groups[0] % 100],
        (2, [4, 1..=2, 1..=2]) => groups,
        _ => return None,
    };
    let year = i32::try_from(year).ok().filter(|y| YEARS.contains(y))?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()
}

fn digit(c: char) -> Option<u32> {
    match c {
        '0'..='9' => Some(c as u32 - '0' as u32),
        '０'..='９' => Some(c as u32 - '０' as u32),
        _ => None,
    }
}

fn is_date_separator(c: char) -> bool {
    matches!(
        c,
        '-' | '/' | '.' | '年' | '月' | '日' | '号' | '－' | '／' | '．' | '–' | '—'
    )
}

/// True for nothing, or for a time of day such as ` 00:00:00` or `T08:30`. A zone is not accepted: it
/// could move the day.
fn time_of_day(text: &str) -> bool {
    let text = text.trim().trim_start_matches('T').trim();
    text.is_empty()
        || (text.contains(':')
            && text
                .chars()
                .all(|c| c.is_ascii_digit() || c == ':' || c == '.'))
}
