//! Reads the calendar format `cn-workcal/1` and refuses what is not sound. Called by
//! [`Calendar::from_json`] only.

use super::{Calendar, CalendarYear, is_weekend};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use time::Date;
use time::macros::format_description;

const FORMAT: &str = "cn-workcal/1";
const ZONE: &str = "Asia/Shanghai";

/// Why a calendar was refused. `path` is a path into the document, such as
/// `years[3].off_weekdays[2]`.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// The text is not JSON, or a field is missing, unknown or of another type.
    #[error("calendar does not have the shape of {FORMAT}")]
    Shape(#[source] serde_json::Error),
    /// A heading field has a value that this program does not know how to read.
    #[error("{field} is {found:?}, must be {wanted:?}")]
    Heading {
        /// Name of the field.
        field: &'static str,
        /// The value found.
        found: String,
        /// The value required.
        wanted: String,
    },
    /// A year appears twice.
    #[error("{path}: year {year} is given twice")]
    YearTwice {
        /// Path of the second one.
        path: String,
        /// The year.
        year: i32,
    },
    /// A year without a single weekday off cannot be final: every year has statutory holidays.
    #[error("{path}: year {year} is final but has no weekday off")]
    FinalWithoutHolidays {
        /// Path of the year.
        path: String,
        /// The year.
        year: i32,
    },
    /// Not a date of the form YYYY-MM-DD.
    #[error("{path}: {found:?} is not a date YYYY-MM-DD")]
    NotADate {
        /// Path of the date.
        path: String,
        /// What stands there.
        found: String,
        /// The parser's message.
        #[source]
        source: time::error::Parse,
    },
    /// A date that belongs to another year than the one it is listed under.
    #[error("{path}: {day} is not in {year}")]
    OtherYear {
        /// Path of the date.
        path: String,
        /// The date.
        day: Date,
        /// The year it is listed under.
        year: i32,
    },
    /// `off_weekdays` may only hold Mondays to Fridays.
    #[error("{path}: {day} is a weekend day, off_weekdays takes Monday to Friday only")]
    OffIsWeekend {
        /// Path of the date.
        path: String,
        /// The date.
        day: Date,
    },
    /// `work_weekends` may only hold Saturdays and Sundays.
    #[error("{path}: {day} is a weekday, work_weekends takes Saturday and Sunday only")]
    WorkIsWeekday {
        /// Path of the date.
        path: String,
        /// The date.
        day: Date,
    },
    /// A date is listed twice.
    #[error("{path}: {day} is given twice")]
    DayTwice {
        /// Path of the second one.
        path: String,
        /// The date.
        day: Date,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CalendarDocument {
    format: String,
    tz: String,
    weekend: Vec<String>,
    years: Vec<YearEntry>,
}

// `notice`, `published` and `revision` are for the reader of the file; the arithmetic has no use
// for them, but a misspelt name of another field must not pass as one of them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct YearEntry {
    year: i32,
    status: YearStatus,
    #[serde(default, rename = "notice")]
    _notice: Option<String>,
    #[serde(default, rename = "published")]
    _published: Option<String>,
    #[serde(default, rename = "revision")]
    _revision: Option<u32>,
    off_weekdays: Vec<String>,
    work_weekends: Vec<String>,
}

#[derive(Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum YearStatus {
    Final,
    Provisional,
}

pub(super) fn read_calendar(text: &str) -> Result<Calendar, CalendarError> {
    let document: CalendarDocument = serde_json::from_str(text).map_err(CalendarError::Shape)?;
    heading("format", document.format, FORMAT)?;
    heading("tz", document.tz, ZONE)?;
    heading("weekend", document.weekend.join(","), "Sat,Sun")?;

    let mut years = BTreeMap::new();
    for (index, entry) in document.years.iter().enumerate() {
        let path = format!("years[{index}]");
        match years.entry(entry.year) {
            Entry::Occupied(_) => {
                return Err(CalendarError::YearTwice {
                    path,
                    year: entry.year,
                });
            }
            Entry::Vacant(free) => free.insert(year(&path, entry)?),
        };
    }
    Ok(Calendar { years })
}

fn heading(field: &'static str, found: String, wanted: &str) -> Result<(), CalendarError> {
    if found == wanted {
        return Ok(());
    }
    Err(CalendarError::Heading {
        field,
        found,
        wanted: wanted.to_owned(),
    })
}

fn year(path: &str, entry: &YearEntry) -> Result<CalendarYear, CalendarError> {
    let mut year = CalendarYear {
        is_final: entry.status == YearStatus::Final,
        inverted: [0; 6],
    };
    if year.is_final && entry.off_weekdays.is_empty() {
        return Err(CalendarError::FinalWithoutHolidays {
            path: path.to_owned(),
            year: entry.year,
        });
    }
    for (index, text) in entry.off_weekdays.iter().enumerate() {
        let path = format!("{path}.off_weekdays[{index}]");
        let day = day(&path, text, entry.year)?;
        if is_weekend(day) {
            return Err(CalendarError::OffIsWeekend { path, day });
        }
        invert_once(&mut year, path, day)?;
    }
    for (index, text) in entry.work_weekends.iter().enumerate() {
        let path = format!("{path}.work_weekends[{index}]");
        let day = day(&path, text, entry.year)?;
        if !is_weekend(day) {
            return Err(CalendarError::WorkIsWeekday { path, day });
        }
        invert_once(&mut year, path, day)?;
    }
    Ok(year)
}

fn day(path: &str, text: &str, year: i32) -> Result<Date, CalendarError> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).map_err(|source| {
        CalendarError::NotADate {
            path: path.to_owned(),
            found: text.to_owned(),
            source,
        }
    })?;
    if day.year() != year {
        return Err(CalendarError::OtherYear {
            path: path.to_owned(),
            day,
            year,
        });
    }
    Ok(day)
}

fn invert_once(year: &mut CalendarYear, path: String, day: Date) -> Result<(), CalendarError> {
    if year.is_inverted(day) {
        return Err(CalendarError::DayTwice { path, day });
    }
    year.invert(day);
    Ok(())
}
