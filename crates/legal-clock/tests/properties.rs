//! Properties of the legal arithmetic over generated days.

use legal_clock::{
    Calendar, WorkingDayTable, earliest_effective_in_term, end_of_day, has_taken_effect,
    is_within_term, last_disclosed_day, shanghai_date, start_of_day,
};
use proptest::prelude::*;
use time::macros::date;
use time::{Date, Duration, OffsetDateTime};

fn day() -> impl Strategy<Value = Date> {
    (date!(2012 - 01 - 01).to_julian_day()..=date!(2032 - 12 - 31).to_julian_day())
        .prop_map(|julian| Date::from_julian_day(julian).expect("in range"))
}

/// Every day from 25 February to 5 March of the years around three leap days, one of which
/// (2100) is none.
fn around_leap_days() -> Vec<Date> {
    [
        2020, 2021, 2022, 2023, 2024, 2025, 2026, 2027, 2028, 2099, 2100, 2101, 2103, 2104,
    ]
    .into_iter()
    .flat_map(|year| {
        let first = Date::from_calendar_date(year, time::Month::February, 25).expect("a day");
        (0..10).map(move |n| first + Duration::days(n))
    })
    .collect()
}

#[test]
fn r16_the_sql_bound_agrees_with_the_term_around_all_leap_days() {
    let days = around_leap_days();
    for years in 0..=5 {
        for &today in &days {
            let bound = earliest_effective_in_term(today, years);
            assert!(last_disclosed_day(bound, years) >= today);
            let before = bound.previous_day().expect("a day");
            assert!(last_disclosed_day(before, years) < today, "{today} {years}");
            for &effective in &days {
                assert_eq!(
                    effective >= bound,
                    is_within_term(effective, years, today),
                    "effective {effective}, {years} years, today {today}"
                );
            }
        }
    }
}

#[test]
fn terms_saturate_at_the_ends_of_the_calendar() {
    for years in [8_000, 20_000, u32::MAX] {
        assert_eq!(last_disclosed_day(date!(2026 - 01 - 01), years), Date::MAX);
    }
    for years in [20_000, u32::MAX] {
        assert_eq!(
            earliest_effective_in_term(date!(2026 - 01 - 01), years),
            Date::MIN
        );
    }
    let calendar = Calendar::builtin().expect("sound");
    let end = calendar.deadline(Date::MAX, 3);
    assert!(end.provisional && end.due_on == Date::MAX);
}

#[test]
fn d15_the_table_counts_over_the_spring_festival_of_2026_and_never_guesses() {
    let table = WorkingDayTable::from_calendar(&Calendar::builtin().expect("sound"));
    // 2026-02-14 is worked, 15 to 23 February are the holiday.
    let (friday, saturday) = (date!(2026 - 02 - 13), date!(2026 - 02 - 14));
    let back = date!(2026 - 02 - 24);
    assert_eq!(table.working_day_after(friday, 1), Some(saturday));
    assert_eq!(table.working_day_after(saturday, 1), Some(back));
    assert_eq!(table.working_days_between(friday, back), Some(2));
    assert_eq!(table.working_days_between(back, friday), Some(0));
    // No notice of 2027 yet; none of before 2014 in the data. The eve of the data starts a span.
    assert_eq!(table.working_day_after(date!(2026 - 12 - 31), 1), None);
    assert_eq!(
        table.working_days_between(friday, date!(2999 - 12 - 31)),
        None
    );
    let new_year = date!(2014 - 01 - 02);
    assert_eq!(
        table.working_days_between(date!(2013 - 12 - 31), new_year),
        Some(1)
    );
    assert_eq!(
        table.working_days_between(date!(2013 - 12 - 30), new_year),
        None
    );
    assert_eq!(table.working_day_after(date!(2013 - 06 - 03), 5), None);
}

#[test]
fn a_table_says_nothing_of_years_whose_notice_is_to_come_and_of_an_empty_calendar() {
    let text = r#"{"format":"cn-workcal/1","tz":"Asia/Shanghai","weekend":["Sat","Sun"],"years":[
        {"year":2025,"status":"final","off_weekdays":["2025-01-01"],"work_weekends":[]},
        {"year":2026,"status":"provisional","off_weekdays":["2026-01-01"],"work_weekends":[]},
        {"year":2027,"status":"final","off_weekdays":["2027-01-01"],"work_weekends":[]}]}"#;
    let table = WorkingDayTable::from_calendar(&Calendar::from_json(text).expect("sound"));
    let (in_2025, in_2027) = (date!(2025 - 12 - 26), date!(2027 - 01 - 04));
    assert_eq!(
        table.working_days_between(in_2025, date!(2025 - 12 - 31)),
        Some(3)
    );
    assert_eq!(table.working_days_between(in_2025, in_2027), None);
    assert_eq!(table.working_day_after(in_2025, 4), None);
    assert_eq!(
        table.working_day_after(in_2027, 1),
        Some(date!(2027 - 01 - 05))
    );

    let nothing =
        r#"{"format":"cn-workcal/1","tz":"Asia/Shanghai","weekend":["Sat","Sun"],"years":[]}"#;
    let empty = WorkingDayTable::from_calendar(&Calendar::from_json(nothing).expect("sound"));
    assert_eq!(empty.working_day_after(in_2027, 1), None);
    assert_eq!(empty.working_days_between(in_2025, in_2027), None);
}

proptest! {
    #[test]
    fn the_table_says_what_the_calendar_says(
        start in -400_i64..5200, length in -5_i64..1500, n in 0_u32..400,
    ) {
        let calendar = Calendar::builtin().expect("sound");
        let table = WorkingDayTable::from_calendar(&calendar);
        let from = date!(2014 - 01 - 01) + Duration::days(start);
        let to = from + Duration::days(length);
        let (count, provisional) = calendar.working_days_between(from, to);
        prop_assert_eq!(table.working_days_between(from, to), (!provisional).then_some(count));
        let deadline = calendar.deadline(from, n);
        prop_assert_eq!(table.working_day_after(from, n), (!deadline.provisional).then_some(deadline.due_on));
    }

    #[test]
    fn r16_the_sql_bound_agrees_with_the_term(effective in day(), today in day(), years in 0u32..12) {
        prop_assert_eq!(
            effective >= earliest_effective_in_term(today, years),
            is_within_term(effective, years, today)
        );
    }

    #[test]
    fn r16_a_later_record_never_leaves_earlier(a in day(), b in day(), years in 0u32..12) {
        let (a, b) = (a.min(b), a.max(b));
        prop_assert!(last_disclosed_day(a, years) <= last_disclosed_day(b, years));
        prop_assert!(is_within_term(b, years, b) && has_taken_effect(b, b));
        prop_assert_eq!(has_taken_effect(b, a), a == b);
    }

    #[test]
    fn a_deadline_is_the_first_day_with_that_many_working_days(event in day(), n in 1u32..40) {
        let calendar = Calendar::builtin().expect("sound");
        let deadline = calendar.deadline(event, n);
        prop_assert!(calendar.is_working_day(deadline.due_on).is_working);
        prop_assert_eq!(
            calendar.working_days_between(event, deadline.due_on),
            (n, deadline.provisional)
        );
        let eve = deadline.due_on.previous_day().expect("a day");
        prop_assert_eq!(calendar.working_days_between(event, eve).0, n - 1);
    }

    #[test]
    fn deadlines_grow_with_event_and_length(a in day(), b in day(), n in 0u32..30) {
        let calendar = Calendar::builtin().expect("sound");
        let (a, b) = (a.min(b), a.max(b));
        prop_assert!(calendar.deadline(a, n).due_on <= calendar.deadline(b, n).due_on);
        prop_assert!(calendar.deadline(a, n).due_on < calendar.deadline(a, n + 1).due_on);
        prop_assert_eq!(calendar.deadline(a, 0).due_on, a);
        prop_assert_eq!(calendar.working_days_between(b, a), (0, false));
    }

    #[test]
    fn a_deadline_is_firm_only_inside_the_final_years(event in day(), n in 1u32..40) {
        let calendar = Calendar::builtin().expect("sound");
        let deadline = calendar.deadline(event, n);
        let first_counted = event.next_day().expect("a day");
        let inside = (2014..=2026).contains(&first_counted.year())
            && (2014..=2026).contains(&deadline.due_on.year());
        prop_assert_eq!(deadline.provisional, !inside);
    }

    #[test]
    fn every_instant_lies_in_its_civil_day(seconds in 1_400_000_000i64..2_000_000_000) {
        let instant = OffsetDateTime::from_unix_timestamp(seconds).expect("in range");
        let day = shanghai_date(instant);
        prop_assert!(start_of_day(day) <= instant && instant <= end_of_day(day));
        prop_assert_eq!(shanghai_date(start_of_day(day)), day);
        prop_assert_eq!(shanghai_date(end_of_day(day)), day);
    }
}
