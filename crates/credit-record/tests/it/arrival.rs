//! What follows from the day of receipt: reported late, ended before it came. Both are reported, neither
//! is refused.

use std::sync::Arc;

use credit_record::{
    CheckContext, Finding, FindingCode, NoCalendar, Severity, Verdict, WorkingDays, check_record,
    standard_items,
};
use serde_json::{Map, Value, json};
use time::{Date, Duration};

use crate::support::*;

/// Saturdays and Sundays are no working days.
struct ArrivalWeekdays;

impl ArrivalWeekdays {
    fn counts(day: Date) -> bool {
        day.weekday().number_days_from_monday() < 5
    }
}

impl WorkingDays for ArrivalWeekdays {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
        let mut days = std::iter::successors(day.next_day(), |d| d.next_day());
        days.by_ref()
            .filter(|d| Self::counts(*d))
            .nth(n as usize - 1)
    }

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        let days = std::iter::successors(from.next_day(), |d| d.next_day());
        let counted = days.take_while(|d| *d <= to).filter(|d| Self::counts(*d));
        u32::try_from(counted.count()).ok()
    }
}

fn received(record: &Map<String, Value>, on: Date, calendar: Arc<dyn WorkingDays>) -> Verdict {
    let ctx = CheckContext {
        received_on: on,
        provider_code: PROVIDER,
        working_days: &calendar,
        attestations: &[],
    };
    check_record(
        compiled("xzcf", None),
        &serde_json::to_vec(record).unwrap(),
        &ctx,
    )
}

/// Decided on 2026-06-10, a Wednesday.
fn accepted_warnings(record: &Map<String, Value>, on: Date) -> Vec<Finding> {
    accepted(received(record, on, Arc::new(NoCalendar)))
        .warnings
        .clone()
}

#[test]
fn r11_the_seventh_working_day_is_in_time_and_the_eighth_is_counted_late() {
    let on = |day_of_june: u8| {
        let verdict = received(
            &penalty(),
            day(2026, 6, day_of_june),
            Arc::new(ArrivalWeekdays),
        );
        let record = accepted(verdict);
        let found = record.warnings.iter();
        found.map(|w| (w.code, w.severity)).collect::<Vec<_>>()
    };
    assert_eq!(on(10), [], "the day of the decision");
    assert_eq!(on(19), [], "Friday, the seventh");
    assert_eq!(on(21), [], "a Sunday adds no working day");
    assert_eq!(on(22), [(FindingCode::LateReport, Severity::Warning)]);
    // Every item of today has the rule, as a warning; that registration has 20 days is its regulation's.
    for item in standard_items().unwrap() {
        if item.edition == "2015" {
            continue;
        }
        let rule = item
            .rules
            .iter()
            .find(|r| r.code == FindingCode::LateReport);
        let rule = rule.unwrap_or_else(|| panic!("{} has none", item.code));
        assert_eq!(rule.severity, Severity::Warning);
    }
}

#[test]
fn r16_three_years_after_its_effect_a_record_has_expired_on_arrival() {
    let record = penalty_with(json!({"CF_GSJZQ": null}));
    assert_eq!(
        accepted_warnings(&record, day(2029, 6, 10)),
        [],
        "the last day counts"
    );
    let findings = accepted_warnings(&record, day(2029, 6, 11));
    let [found] = &findings[..] else {
        panic!("{findings:#?}")
    };
    assert_eq!(found.code, FindingCode::ExpiredOnArrival);
    assert_eq!(found.field.as_deref(), Some("CF_JDRQ"));
    let expected =
        "按字段“处罚决定日期”，自该日起3年的披露期限在接收日前已届满；记录予以接收并归档，不再披露";
    assert_eq!(found.message, expected);

    // A leap day's third year ends on 28 February.
    let mut leap = record;
    leap.insert("CF_JDRQ".into(), json!("2024-02-29"));
    assert_eq!(accepted_warnings(&leap, day(2027, 2, 28)), []);
    assert_eq!(accepted_warnings(&leap, day(2027, 3, 1)).len(), 1);
}

#[test]
fn d9_an_earlier_end_of_publicity_that_the_provider_asked_for_counts() {
    let record = penalty_with(json!({"CF_GSJZQ": "2027-06-10"}));
    assert_eq!(accepted_warnings(&record, day(2027, 6, 10)), []);
    let findings = accepted_warnings(&record, day(2027, 6, 11));
    assert_eq!(findings[0].code, FindingCode::ExpiredOnArrival);
    assert_eq!(findings[0].field.as_deref(), Some("CF_GSJZQ"));
    // A publicity that ends before it began is a mistake of its own.
    let wrong = penalty_with(json!({"CF_GSJZQ": "2026-06-01"}));
    let verdict = received(&wrong, today(), Arc::new(NoCalendar));
    let codes: Vec<_> = returned(verdict).iter().map(|f| f.code).collect();
    assert_eq!(codes, [FindingCode::DateOrder]);
}

#[test]
fn r16_the_warning_is_told_with_errors_and_never_of_items_without_a_term() {
    let wrong = penalty_with(json!({"CF_GSJZQ": null, "CF_XDR_SHXYM": "91430102MA4PX7RC65"}));
    let verdict = received(&wrong, day(2030, 1, 1), Arc::new(NoCalendar));
    let codes: Vec<_> = returned(verdict).iter().map(|f| f.code).collect();
    assert_eq!(
        codes,
        [FindingCode::UsccCheck, FindingCode::ExpiredOnArrival]
    );
    // A licence is disclosed as long as it is in force; what has ended has the finding EXPIRY_PASSED.
    let old = licence_with(json!({"XK_JDRQ": "2001-05-06", "XK_YXQZ": "2001-05-06"}));
    assert!(warnings(run("xzxk", &old)).is_empty());
    let record = penalty_with(json!({"CF_GSJZQ": null}));
    let long_after = day(2026, 6, 10) + Duration::days(40_000);
    assert_eq!(accepted_warnings(&record, long_after).len(), 1);
}
