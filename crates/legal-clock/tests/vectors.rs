//! Table tests of the legal arithmetic, each naming its article. The tables were computed with two
//! independent public holiday packages, not with this crate.

use legal_clock::{
    BasisKind, Calendar, Deadline, LegalDuty, LegalRuleSet, civil, end_of_day, is_within_term,
    last_disclosed_day, shanghai_date, start_of_day,
};
use time::macros::{date, datetime};
use time::{Date, Duration};

fn calendar() -> Calendar {
    Calendar::builtin().expect("the data that ships is sound")
}

fn firm(due_on: Date) -> Deadline {
    Deadline {
        due_on,
        provisional: false,
    }
}

/// R-18 (+3), R-19 (+7), R-6 (+15): start, transfer due, answer due, catalogue due.
const STARTS: [[Date; 4]; 13] = [
    [
        date!(2025 - 09 - 26),
        date!(2025 - 09 - 30),
        date!(2025 - 10 - 13),
        date!(2025 - 10 - 23),
    ],
    [
        date!(2025 - 09 - 30),
        date!(2025 - 10 - 11),
        date!(2025 - 10 - 16),
        date!(2025 - 10 - 28),
    ],
    [
        date!(2025 - 12 - 31),
        date!(2026 - 01 - 06),
        date!(2026 - 01 - 12),
        date!(2026 - 01 - 22),
    ],
    [
        date!(2026 - 02 - 12),
        date!(2026 - 02 - 24),
        date!(2026 - 02 - 28),
        date!(2026 - 03 - 11),
    ],
    [
        date!(2026 - 02 - 13),
        date!(2026 - 02 - 25),
        date!(2026 - 03 - 02),
        date!(2026 - 03 - 12),
    ],
    [
        date!(2026 - 02 - 14),
        date!(2026 - 02 - 26),
        date!(2026 - 03 - 03),
        date!(2026 - 03 - 13),
    ],
    [
        date!(2026 - 04 - 30),
        date!(2026 - 05 - 08),
        date!(2026 - 05 - 13),
        date!(2026 - 05 - 25),
    ],
    [
        date!(2026 - 09 - 18),
        date!(2026 - 09 - 22),
        date!(2026 - 09 - 29),
        date!(2026 - 10 - 15),
    ],
    [
        date!(2026 - 09 - 24),
        date!(2026 - 09 - 30),
        date!(2026 - 10 - 12),
        date!(2026 - 10 - 22),
    ],
    [
        date!(2026 - 09 - 30),
        date!(2026 - 10 - 10),
        date!(2026 - 10 - 15),
        date!(2026 - 10 - 27),
    ],
    [
        date!(2024 - 02 - 07),
        date!(2024 - 02 - 18),
        date!(2024 - 02 - 22),
        date!(2024 - 03 - 05),
    ],
    [
        date!(2020 - 01 - 22),
        date!(2020 - 02 - 04),
        date!(2020 - 02 - 10),
        date!(2020 - 02 - 20),
    ],
    [
        date!(2017 - 06 - 20),
        date!(2017 - 06 - 23),
        date!(2017 - 06 - 29),
        date!(2017 - 07 - 11),
    ],
];

#[test]
fn r6_r18_r19_working_days_after_a_start() {
    let (calendar, rules) = (calendar(), LegalRuleSet::changsha_2017());
    for [start, transfer, answer, catalogue] in STARTS {
        for (duty, due_on) in [
            (LegalDuty::Transfer, transfer),
            (LegalDuty::Answer, answer),
            (LegalDuty::Catalogue, catalogue),
        ] {
            assert_eq!(
                rules.duty_deadline(&calendar, duty, start),
                Some(firm(due_on)),
                "{duty:?} from {start}"
            );
        }
    }
}

#[test]
fn r6_a_deadline_that_needs_2027_is_provisional() {
    let calendar = calendar();
    let start = date!(2026 - 12 - 21);
    assert_eq!(calendar.deadline(start, 3), firm(date!(2026 - 12 - 24)));
    assert_eq!(calendar.deadline(start, 7), firm(date!(2026 - 12 - 30)));
    assert!(calendar.deadline(start, 15).provisional);
    // The last working day of 2026 is firm, the next one is not.
    assert_eq!(calendar.deadline(start, 8), firm(date!(2026 - 12 - 31)));
    assert!(calendar.deadline(start, 9).provisional);
    // A year before the data is as open as one after it.
    assert!(calendar.deadline(date!(2013 - 12 - 02), 1).provisional);
}

#[test]
fn r6_catalogue_update_after_its_trigger() {
    let (calendar, rules) = (calendar(), LegalRuleSet::changsha_2017());
    for (trigger, due_on) in [
        (date!(2026 - 01 - 30), date!(2026 - 02 - 27)),
        (date!(2026 - 06 - 01), date!(2026 - 06 - 23)),
    ] {
        assert_eq!(
            rules.duty_deadline(&calendar, LegalDuty::Catalogue, trigger),
            Some(firm(due_on))
        );
    }
}

#[test]
fn r18_r19_objection_with_the_transfer_on_its_last_day() {
    let (calendar, rules) = (calendar(), LegalRuleSet::changsha_2017());
    for (filed, transfer, answer) in [
        (
            date!(2026 - 02 - 13),
            date!(2026 - 02 - 25),
            date!(2026 - 03 - 05),
        ),
        (
            date!(2026 - 04 - 29),
            date!(2026 - 05 - 07),
            date!(2026 - 05 - 15),
        ),
        (
            date!(2026 - 09 - 28),
            date!(2026 - 10 - 08),
            date!(2026 - 10 - 16),
        ),
    ] {
        assert_eq!(
            rules.duty_deadline(&calendar, LegalDuty::Transfer, filed),
            Some(firm(transfer))
        );
        assert_eq!(
            rules.duty_deadline(&calendar, LegalDuty::Answer, transfer),
            Some(firm(answer))
        );
    }
}

#[test]
fn r16_last_disclosed_day_and_archive_day() {
    let years = LegalRuleSet::changsha_2017().adverse_years;
    for (effective, last, archived) in [
        (
            date!(2023 - 06 - 30),
            date!(2026 - 06 - 30),
            date!(2026 - 07 - 01),
        ),
        (
            date!(2024 - 02 - 29),
            date!(2027 - 02 - 28),
            date!(2027 - 03 - 01),
        ),
        (
            date!(2023 - 12 - 31),
            date!(2026 - 12 - 31),
            date!(2027 - 01 - 01),
        ),
    ] {
        assert_eq!(last_disclosed_day(effective, years), last);
        assert!(is_within_term(effective, years, last));
        assert!(!is_within_term(effective, years, archived));
    }
}

#[test]
fn r16_the_archive_begins_at_midnight_in_changsha() {
    let effective = date!(2023 - 06 - 30);
    // 15:59 UTC is still 30 June in Changsha, one minute later it is July.
    let before = datetime!(2026-06-30 15:59:59.999999 UTC);
    let after = datetime!(2026-06-30 16:00 UTC);
    assert!(is_within_term(effective, 3, shanghai_date(before)));
    assert!(!is_within_term(effective, 3, shanghai_date(after)));
}

#[test]
fn r25_nothing_is_due_before_the_regulation_is_in_force() {
    let (calendar, rules) = (calendar(), LegalRuleSet::changsha_2017());
    for duty in LegalDuty::ALL {
        assert_eq!(
            rules.duty_deadline(&calendar, duty, date!(2017 - 06 - 19)),
            None
        );
        let due = rules.duty_deadline(&calendar, duty, date!(2017 - 06 - 20));
        assert!(due.is_some_and(|deadline| deadline.due_on > rules.in_force_from));
    }
    let ended = LegalRuleSet {
        in_force_to: Some(date!(2026 - 01 - 31)),
        ..rules
    };
    assert!(ended.governs(date!(2026 - 01 - 31)));
    assert!(!ended.governs(date!(2026 - 02 - 01)));
}

#[test]
fn r2_every_number_cites_its_basis() {
    let rules = LegalRuleSet::changsha_2017();
    assert_eq!(rules.id, "CS-2017-26");
    for (duty, days, article, kind) in [
        (LegalDuty::Transfer, 3, "R-18", BasisKind::Statute),
        (LegalDuty::Answer, 7, "R-19", BasisKind::Statute),
        (LegalDuty::Catalogue, 15, "R-6", BasisKind::Statute),
        (LegalDuty::Rereport, 5, "R-13", BasisKind::Policy),
    ] {
        assert_eq!(rules.working_days(duty), days);
        assert_eq!(rules.basis(duty).article, article);
        assert_eq!(rules.basis(duty).kind, kind);
    }
    assert_eq!(
        (rules.adverse_years, rules.adverse_basis.article),
        (3, "R-16")
    );
}

#[test]
fn working_days_per_year_agree_with_published_counts() {
    let calendar = calendar();
    for (year, days) in [
        (2017, 249),
        (2018, 250),
        (2019, 250),
        (2020, 249),
        (2021, 250),
        (2022, 249),
        (2023, 249),
        (2024, 251),
        (2025, 248),
        (2026, 248),
    ] {
        let from = Date::from_ordinal_date(year - 1, 365).expect("a day");
        let from = if from.next_day().is_some_and(|next| next.year() == year) {
            from
        } else {
            from.next_day().expect("a day")
        };
        let to = Date::from_calendar_date(year, time::Month::December, 31).expect("a day");
        assert_eq!(
            calendar.working_days_between(from, to),
            (days, false),
            "{year}"
        );
    }
    assert_eq!(
        calendar.final_years().collect::<Vec<_>>(),
        (2014..=2026).collect::<Vec<_>>()
    );
}

#[test]
fn the_days_of_2026() {
    let calendar = calendar();
    for worked in [
        date!(2026 - 01 - 04),
        date!(2026 - 02 - 14),
        date!(2026 - 02 - 28),
        date!(2026 - 05 - 09),
        date!(2026 - 09 - 20),
        date!(2026 - 10 - 10),
    ] {
        assert!(calendar.is_working_day(worked).is_working, "{worked}");
    }
    for off in [
        date!(2026 - 01 - 01),
        date!(2026 - 01 - 02),
        date!(2026 - 02 - 16),
        date!(2026 - 02 - 20),
        date!(2026 - 02 - 23),
        date!(2026 - 04 - 06),
        date!(2026 - 05 - 01),
        date!(2026 - 05 - 04),
        date!(2026 - 05 - 05),
        date!(2026 - 06 - 19),
        date!(2026 - 09 - 25),
        date!(2026 - 10 - 07),
    ] {
        assert!(!calendar.is_working_day(off).is_working, "{off}");
    }
    // Off by the ordinary rule, and worked by it, without any entry.
    assert!(!calendar.is_working_day(date!(2026 - 03 - 07)).is_working);
    assert!(calendar.is_working_day(date!(2026 - 03 - 09)).is_working);
    // New Year 2027 is never presented as a firm working day.
    assert!(calendar.is_working_day(date!(2027 - 01 - 01)).provisional);
}

#[test]
fn a_deadline_ends_with_its_day_in_changsha() {
    let deadline = firm(date!(2026 - 02 - 25));
    assert_eq!(deadline.due_at(), datetime!(2026-02-25 23:59:59.999999 +8));
    assert!(!deadline.is_past(deadline.due_at()));
    assert!(!deadline.is_past(datetime!(2026-02-25 15:59:59 UTC)));
    assert!(deadline.is_past(datetime!(2026-02-25 16:00 UTC)));
}

#[test]
fn the_civil_day_is_that_of_utc_plus_eight() {
    assert_eq!(
        shanghai_date(datetime!(2026-01-31 16:00 UTC)),
        date!(2026 - 02 - 01)
    );
    assert_eq!(
        shanghai_date(datetime!(2026-02-01 07:59:59 +16)),
        date!(2026 - 01 - 31)
    );
    let day = date!(2026 - 02 - 28);
    assert_eq!(start_of_day(day), datetime!(2026-02-27 16:00 UTC));
    assert_eq!(start_of_day(day).offset(), civil::SHANGHAI);
    assert_eq!(
        end_of_day(day) + Duration::MICROSECOND,
        start_of_day(date!(2026 - 03 - 01))
    );
    // The ends of the calendar do not panic.
    let first = start_of_day(Date::MIN);
    let last = end_of_day(Date::MAX);
    assert_eq!(
        (shanghai_date(first), shanghai_date(last)),
        (Date::MIN, Date::MAX)
    );
}
