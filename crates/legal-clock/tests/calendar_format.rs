//! What the calendar format refuses, and that each refusal names its path.

use legal_clock::{Calendar, CalendarError};
use std::error::Error;
use time::macros::date;

fn document(years: &str) -> String {
    format!(
        r#"{{"format":"cn-workcal/1","tz":"Asia/Shanghai","weekend":["Sat","Sun"],"years":[{years}]}}"#
    )
}

fn year(off: &str, work: &str) -> String {
    document(&format!(
        r#"{{"year":2026,"status":"final","off_weekdays":[{off}],"work_weekends":[{work}]}}"#
    ))
}

fn refusal(text: &str) -> CalendarError {
    Calendar::from_json(text).expect_err("must be refused")
}

#[test]
fn refusals_name_the_place_and_the_rule() {
    let day = r#""2026-01-01""#;
    for (text, message) in [
        (
            year(r#""2026-01-01","2025-01-02""#, ""),
            "years[0].off_weekdays[1]: 2025-01-02 is not in 2026",
        ),
        (
            year(r#""2026-01-03""#, ""),
            "years[0].off_weekdays[0]: 2026-01-03 is a weekend day, off_weekdays takes Monday to Friday only",
        ),
        (
            year(day, r#""2026-01-05""#),
            "years[0].work_weekends[0]: 2026-01-05 is a weekday, work_weekends takes Saturday and Sunday only",
        ),
        (
            year(r#""2026-01-01","2026-01-01""#, ""),
            "years[0].off_weekdays[1]: 2026-01-01 is given twice",
        ),
        (
            year(day, r#""2026-01-04","2026-01-04""#),
            "years[0].work_weekends[1]: 2026-01-04 is given twice",
        ),
        (
            year(r#""2026-02-30""#, ""),
            "years[0].off_weekdays[0]: \"2026-02-30\" is not a date YYYY-MM-DD",
        ),
        (
            year("", ""),
            "years[0]: year 2026 is final but has no weekday off",
        ),
        (
            document(
                r#"{"year":2027,"status":"provisional","off_weekdays":[],"work_weekends":[]},
                   {"year":2027,"status":"provisional","off_weekdays":[],"work_weekends":[]}"#,
            ),
            "years[1]: year 2027 is given twice",
        ),
        (
            year(day, "").replace("workcal/1", "workcal/2"),
            "format is \"cn-workcal/2\", must be \"cn-workcal/1\"",
        ),
        (
            year(day, "").replace("Shanghai", "Tokyo"),
            "tz is \"Asia/Tokyo\", must be \"Asia/Shanghai\"",
        ),
        (
            year(day, "").replace(r#""Sat","Sun""#, r#""Fri","Sat""#),
            "weekend is \"Fri,Sat\", must be \"Sat,Sun\"",
        ),
    ] {
        assert_eq!(refusal(&text).to_string(), message);
    }
}

#[test]
fn shape_errors_keep_their_cause() {
    for text in [
        "",
        "[]",
        &year(r#""2026-01-01""#, "").replace("off_weekdays", "off_weekday"),
        &year(r#""2026-01-01""#, "").replace("final", "probably"),
        &year(r#""2026-01-01""#, "").replace(r#""year""#, r#""remark":"x","year""#),
    ] {
        let error = refusal(text);
        assert!(matches!(error, CalendarError::Shape(_)), "{text}");
        assert!(error.source().is_some());
    }
}

#[test]
fn a_provisional_year_uses_what_is_known_and_says_so() {
    let calendar = Calendar::from_json(&document(
        r#"{"year":2027,"status":"provisional","notice":"","published":"2026-11","revision":1,
            "off_weekdays":["2027-01-01"],"work_weekends":[]}"#,
    ))
    .expect("sound");
    let new_year = calendar.is_working_day(date!(2027 - 01 - 01));
    assert!(!new_year.is_working && new_year.provisional);
    let monday = calendar.is_working_day(date!(2027 - 01 - 04));
    assert!(monday.is_working && monday.provisional);
    assert_eq!(calendar.final_years().count(), 0);
}
