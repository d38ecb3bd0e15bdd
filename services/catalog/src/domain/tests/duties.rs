//! R-6, D-17, R-25: the clock of 15 working days.

use legal_clock::{Calendar, Deadline, Law, LegalRuleSet};
use service_kit::reason::Reason;

use super::{super::duty::*, day, violated_rule};
use crate::domain::CatalogRuleViolation;

fn law() -> Law {
    Law {
        calendar: Calendar::builtin().unwrap(),
        rules: LegalRuleSet::changsha_2017(),
    }
}

fn trigger(
    promulgated: &str,
    effective: Option<(&str, &str)>,
) -> Result<Trigger, CatalogRuleViolation> {
    Trigger::new(
        Some(TriggerKind::LawAmended),
        "中华人民共和国某法",
        "主席令第七十号",
        day(promulgated),
        effective.map(|(on, _)| day(on)),
        effective.map_or("", |(_, reason)| reason),
        day("2026-11-23"),
    )
}

#[test]
fn r6_a_duty_is_due_15_working_days_after_its_trigger() {
    // (trigger, due, provisional)
    let table = [
        // Over the spring festival with two working Saturdays, and over the dragon boat festival.
        ("2026-01-30", Some(("2026-02-27", false))),
        ("2026-06-01", Some(("2026-06-23", false))),
        ("2025-12-31", Some(("2026-01-22", false))),
        // nothing is due before the regulation came into force.
        ("2017-06-20", Some(("2017-07-11", false))),
        ("2017-06-19", None),
    ];
    for (on, due) in table {
        let said = renewal_deadline(&law(), &trigger(on, None).unwrap());
        let said = said.map(|deadline| (deadline.due_on, deadline.provisional));
        assert_eq!(said, due.map(|(due, firm)| (day(due), firm)), "{on}");
    }
}

#[test]
fn d17_the_clock_starts_from_the_promulgation_unless_the_office_sets_the_day_of_effect() {
    let plain = trigger("2026-01-30", None).unwrap();
    assert_eq!(plain.starts_on(), day("2026-01-30"));
    let later = trigger("2026-01-30", Some(("2026-06-01", "过渡期较长"))).unwrap();
    assert_eq!(later.starts_on(), day("2026-06-01"));
    assert_eq!(
        renewal_deadline(&law(), &later).unwrap().due_on,
        day("2026-06-23")
    );
    // Into a year without a published calendar: said to be provisional.
    let far = trigger("2026-01-30", Some(("2026-12-21", "过渡期较长"))).unwrap();
    assert!(renewal_deadline(&law(), &far).unwrap().provisional);
    // Promulgated before the regulation, in effect after it: due.
    let old = trigger("2017-01-01", Some(("2017-07-01", "过渡期较长"))).unwrap();
    assert!(renewal_deadline(&law(), &old).is_some());
}

#[test]
fn r6_a_trigger_names_what_happened_by_which_document_and_when() {
    let made = |kind, title, number, promulgated: &str, effective: Option<&str>, reason| {
        let (promulgated, effective) = (day(promulgated), effective.map(day));
        Trigger::new(
            kind,
            title,
            number,
            promulgated,
            effective,
            reason,
            day("2026-11-23"),
        )
    };
    let kind = Some(TriggerKind::FunctionsChanged);
    let on = "2026-11-23";
    assert!(made(kind, "三定规定", "长办发1号", on, None, "").is_ok());
    let table = [
        (made(None, "a", "b", on, None, ""), "kind"),
        (made(kind, "", "b", on, None, ""), "document_title"),
        (made(kind, "a", " ", on, None, ""), "document_number"),
        (
            made(kind, "a", "b", "2026-11-24", None, ""),
            "promulgated_on",
        ),
        (made(kind, "a", "b", on, None, "因"), "effective_on"),
        (
            made(kind, "a", "b", on, Some("2026-11-22"), "因"),
            "effective_on",
        ),
        (
            made(kind, "a", "b", on, Some("2027-01-01"), ""),
            "effective_reason",
        ),
    ];
    for (said, field) in table {
        assert_eq!(violated_rule(&said.unwrap_err()).0, field);
    }
}

#[test]
fn r6_overdue_begins_with_the_day_after_the_due_day() {
    let due = day("2026-02-27");
    assert!(!is_overdue(RenewalDutyState::Open, due, None, due));
    assert!(is_overdue(
        RenewalDutyState::Open,
        due,
        None,
        day("2026-02-28")
    ));
    assert!(!is_overdue(
        RenewalDutyState::Closed,
        due,
        Some(due),
        day("2026-12-01")
    ));
    assert!(is_overdue(
        RenewalDutyState::Closed,
        due,
        Some(day("2026-02-28")),
        day("2026-12-01")
    ));
    assert!(!is_overdue(
        RenewalDutyState::Dismissed,
        due,
        Some(day("2026-12-01")),
        day("2026-12-01")
    ));
}

#[test]
fn r6_only_what_is_published_from_the_trigger_on_answers_it() {
    let versions = [
        (1, day("2026-01-05")),
        (2, day("2026-01-30")),
        (3, day("2026-02-10")),
    ];
    // The version that stood before the day: a later one is the answer.
    assert_eq!(base_version(&versions, day("2026-01-30")), 1);
    assert_eq!(base_version(&versions, day("2026-01-31")), 2);
    assert_eq!(base_version(&versions, day("2026-03-01")), 3);
    // The item came into the platform after the trigger: its versions are older law, none is an answer.
    assert_eq!(base_version(&versions, day("2026-01-05")), 3);
    assert_eq!(base_version(&versions, day("2025-01-01")), 3);
    assert_eq!(base_version(&[], day("2026-01-30")), 0);
}

#[test]
fn r6_an_open_duty_is_dismissed_with_a_reason() {
    assert_eq!(
        check_dismissal(RenewalDutyState::Open, "不涉及本目录项").unwrap(),
        "不涉及本目录项"
    );
    let broken = check_dismissal(RenewalDutyState::Open, "").unwrap_err();
    assert_eq!(
        (broken.reason, violated_rule(&broken).0),
        (Reason::ReasonInvalid, "reason")
    );
    for state in [RenewalDutyState::Closed, RenewalDutyState::Dismissed] {
        let broken = check_dismissal(state, "x").unwrap_err();
        assert_eq!(
            (broken.reason, violated_rule(&broken).0),
            (Reason::DutyStateUnsuitable, "duty_id")
        );
    }
}

#[test]
fn a_final_due_day_gives_way_to_a_final_one_only() {
    let on = |text: &str, provisional| Deadline {
        due_on: day(text),
        provisional,
    };
    for (old, new, expected) in [
        (on("2027-01-12", true), on("2027-01-13", false), true),
        (on("2027-01-12", true), on("2027-01-12", false), true),
        (on("2027-01-12", true), on("2027-01-13", true), true),
        (on("2027-01-13", false), on("2027-01-14", false), true),
        (on("2027-01-13", false), on("2027-01-12", true), false),
        (on("2027-01-13", false), on("2027-01-13", true), false),
        (on("2027-01-13", false), on("2027-01-13", false), false),
    ] {
        assert_eq!(replaces_deadline(old, new), expected, "{old:?} {new:?}");
    }
}
