//! The chain of an objection by article: tables of days, and properties of the state machine.

use legal_clock::{Calendar, LegalDuty, LegalRuleSet};
use proptest::prelude::*;
use time::{
    Date, Duration, Time, UtcOffset,
    macros::{date, datetime, offset, time},
};

use super::*;

const PROVIDER: &str = "11430100006123458R";

fn law() -> Law {
    Law {
        calendar: Calendar::builtin().unwrap(),
        rules: LegalRuleSet::changsha_2017(),
    }
}

fn changsha(day: Date, at: Time) -> OffsetDateTime {
    OffsetDateTime::new_in_offset(day, at, offset!(+8)).to_offset(UtcOffset::UTC)
}

fn provider() -> ObjectionActor {
    provider_of(PROVIDER)
}

fn provider_of(code: &str) -> ObjectionActor {
    ObjectionActor::Provider(Some(code.parse().unwrap()))
}

fn file_command() -> ObjectionCommand {
    ObjectionCommand::File {
        provider: PROVIDER.parse().unwrap(),
    }
}

fn kept() -> ObjectionCommand {
    ObjectionCommand::Answer(ProviderAnswer {
        decision: ProviderDecision::Keep,
        sha256: [1; 32],
    })
}

fn filed(now: OffsetDateTime) -> Objection {
    apply_command(
        None,
        &ObjectionActor::Applicant,
        file_command(),
        now,
        &law(),
    )
    .unwrap()
    .0
}

fn step(
    before: &Objection,
    actor: &ObjectionActor,
    command: ObjectionCommand,
    now: OffsetDateTime,
) -> Objection {
    apply_command(Some(before), actor, command, now, &law())
        .unwrap()
        .0
}

#[test]
fn r18_r19_the_chain_with_the_transfer_on_its_last_day() {
    // filed, transfer due, answer due
    let table = [
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
    ];
    let law = law();
    for (filed_on, transfer_due, answer_due) in table {
        let now = changsha(filed_on, time!(09:30));
        let objection = filed(now);
        let found = clocks_at(&objection, now, &law).unwrap();
        assert_eq!(found.transfer.deadline.due_on, transfer_due);
        assert_eq!(
            found.answer.deadline.due_on, answer_due,
            "before the transfer"
        );
        assert!(found.answer.expected && !found.transfer.expected);
        assert_eq!(
            (found.transfer.article, found.answer.article),
            ("R-18", "R-19")
        );

        let last_moment = changsha(transfer_due, time!(23:59:59));
        let open = clocks_at(&objection, last_moment, &law).unwrap();
        assert!(!open.transfer.overdue, "the day counts to its end");
        let transferred = step(
            &objection,
            &ObjectionActor::CreditOffice,
            ObjectionCommand::Transfer,
            last_moment,
        );
        let found = clocks_at(&transferred, last_moment, &law).unwrap();
        assert_eq!(
            found.answer.deadline.due_on, answer_due,
            "after the transfer"
        );
        assert!(!found.answer.expected && !found.transfer.overdue);

        let in_time = changsha(answer_due, time!(23:59:59));
        let answered = step(&transferred, &provider(), kept(), in_time);
        let late = in_time + Duration::seconds(1);
        let found = clocks_at(&answered, late + Duration::days(90), &law).unwrap();
        assert!(!found.answer.overdue, "answered in time stays in time");
        assert!(clocks_at(&transferred, late, &law).unwrap().answer.overdue);
        let answered = step(&transferred, &provider(), kept(), late);
        assert!(clocks_at(&answered, late, &law).unwrap().answer.overdue);
    }
}

#[test]
fn r18_r19_every_start_of_the_table_of_working_days() {
    // start, +3, +7; each is tried as the day of filing and as the day of transfer.
    let table = [
        (
            date!(2025 - 09 - 26),
            date!(2025 - 09 - 30),
            date!(2025 - 10 - 13),
        ),
        (
            date!(2025 - 09 - 30),
            date!(2025 - 10 - 11),
            date!(2025 - 10 - 16),
        ),
        (
            date!(2025 - 12 - 31),
            date!(2026 - 01 - 06),
            date!(2026 - 01 - 12),
        ),
        (
            date!(2026 - 02 - 12),
            date!(2026 - 02 - 24),
            date!(2026 - 02 - 28),
        ),
        (
            date!(2026 - 02 - 13),
            date!(2026 - 02 - 25),
            date!(2026 - 03 - 02),
        ),
        (
            date!(2026 - 02 - 14),
            date!(2026 - 02 - 26),
            date!(2026 - 03 - 03),
        ),
        (
            date!(2026 - 04 - 30),
            date!(2026 - 05 - 08),
            date!(2026 - 05 - 13),
        ),
        (
            date!(2026 - 09 - 18),
            date!(2026 - 09 - 22),
            date!(2026 - 09 - 29),
        ),
        (
            date!(2026 - 09 - 24),
            date!(2026 - 09 - 30),
            date!(2026 - 10 - 12),
        ),
        (
            date!(2026 - 09 - 30),
            date!(2026 - 10 - 10),
            date!(2026 - 10 - 15),
        ),
        (
            date!(2024 - 02 - 07),
            date!(2024 - 02 - 18),
            date!(2024 - 02 - 22),
        ),
        (
            date!(2020 - 01 - 22),
            date!(2020 - 02 - 04),
            date!(2020 - 02 - 10),
        ),
        (
            date!(2017 - 06 - 20),
            date!(2017 - 06 - 23),
            date!(2017 - 06 - 29),
        ),
        (
            date!(2026 - 12 - 21),
            date!(2026 - 12 - 24),
            date!(2026 - 12 - 30),
        ),
    ];
    let law = law();
    for (start, plus_3, plus_7) in table {
        let now = changsha(start, time!(16:00));
        let objection = filed(now);
        let found = clocks_at(&objection, now, &law).unwrap();
        assert_eq!(found.transfer.deadline.due_on, plus_3, "filed {start}");
        let transferred = step(
            &objection,
            &ObjectionActor::CreditOffice,
            ObjectionCommand::Transfer,
            now,
        );
        let found = clocks_at(&transferred, now, &law).unwrap();
        assert_eq!(found.answer.deadline.due_on, plus_7, "transferred {start}");
        assert!(!found.answer.deadline.provisional);
    }
}

#[test]
fn past_the_calendar_the_days_are_provisional() {
    let law = law();
    let now = changsha(date!(2026 - 12 - 24), time!(10:00));
    let objection = filed(now);
    let found = clocks_at(&objection, now, &law).unwrap();
    assert!(!found.transfer.deadline.provisional, "within 2026");
    assert!(found.answer.deadline.provisional, "needs 2027");
    let later = filed(changsha(date!(2026 - 12 - 30), time!(10:00)));
    let found = clocks_at(&later, later.filed_at, &law).unwrap();
    assert!(found.transfer.deadline.provisional && found.answer.deadline.provisional);
}

#[test]
fn d4_the_day_of_filing_is_the_day_in_changsha() {
    // 2026-03-31 16:30 UTC is 1 April in Changsha.
    let objection = filed(datetime!(2026-03-31 16:30 UTC));
    let found = clocks_at(&objection, objection.filed_at, &law()).unwrap();
    assert_eq!(found.transfer.deadline.due_on, date!(2026 - 04 - 07));
}

#[test]
fn r25_nothing_is_filed_before_the_regulation() {
    let command = file_command();
    let day_before = changsha(date!(2017 - 06 - 19), time!(23:59:59));
    let first_day = day_before + Duration::seconds(1);
    let file = |now| {
        apply_command(
            None,
            &ObjectionActor::Applicant,
            command.clone(),
            now,
            &law(),
        )
    };
    assert_eq!(file(day_before), Err(ObjectionRuleViolation::NotInForce));
    assert!(file(first_day).is_ok());
}

#[test]
fn each_step_belongs_to_one_actor_and_to_one_state() {
    let now = changsha(date!(2026 - 11 - 20), time!(10:00));
    let law = law();
    let other = provider_of("12430100444900018L");
    let file = file_command();
    let at_filed = filed(now);
    let at_transferred = step(
        &at_filed,
        &ObjectionActor::CreditOffice,
        ObjectionCommand::Transfer,
        now,
    );
    let at_answered = step(&at_transferred, &provider(), kept(), now);
    let corrected = ObjectionCommand::Answer(ProviderAnswer {
        decision: ProviderDecision::Correct,
        sha256: [1; 32],
    });
    let reworded = ObjectionCommand::Answer(ProviderAnswer {
        decision: ProviderDecision::Keep,
        sha256: [2; 32],
    });
    use ObjectionActor::{Applicant, CreditOffice};
    use ObjectionRuleViolation::*;
    let table = [
        (None, CreditOffice, file.clone(), NotTheSubject),
        (None, CreditOffice, ObjectionCommand::Transfer, Beginning),
        (None, provider(), kept(), Beginning),
        (Some(&at_filed), Applicant, file, Beginning),
        (
            Some(&at_filed),
            Applicant,
            ObjectionCommand::Transfer,
            NotTheOffice,
        ),
        (
            Some(&at_filed),
            provider(),
            ObjectionCommand::Transfer,
            NotTheOffice,
        ),
        (Some(&at_filed), provider(), kept(), NotTransferred),
        (Some(&at_filed), other.clone(), kept(), NotTheProvider),
        (Some(&at_transferred), other.clone(), kept(), NotTheProvider),
        (
            Some(&at_transferred),
            ObjectionActor::Provider(None),
            kept(),
            NotTheProvider,
        ),
        (Some(&at_transferred), CreditOffice, kept(), NotTheProvider),
        (Some(&at_transferred), Applicant, kept(), NotTheProvider),
        (Some(&at_answered), provider(), corrected, AlreadyAnswered),
        (Some(&at_answered), provider(), reworded, AlreadyAnswered),
        (Some(&at_answered), other, kept(), NotTheProvider),
    ];
    for (before, actor, command, rule) in table {
        let outcome = apply_command(before, &actor, command.clone(), now, &law);
        assert_eq!(outcome, Err(rule), "{before:?} {actor:?} {command:?}");
    }
}

#[test]
fn repeats_change_nothing_and_announce_nothing() {
    let now = changsha(date!(2026 - 11 - 20), time!(10:00));
    let later = now + Duration::days(400);
    let transferred = step(
        &filed(now),
        &ObjectionActor::CreditOffice,
        ObjectionCommand::Transfer,
        now,
    );
    let answered = step(&transferred, &provider(), kept(), now);
    for (state, actor, command) in [
        (
            &transferred,
            ObjectionActor::CreditOffice,
            ObjectionCommand::Transfer,
        ),
        (
            &answered,
            ObjectionActor::CreditOffice,
            ObjectionCommand::Transfer,
        ),
        (&answered, provider(), kept()),
    ] {
        let (after, events) = apply_command(Some(state), &actor, command, later, &law()).unwrap();
        assert_eq!((&after, events), (state, Vec::new()));
    }
}

fn actor() -> impl Strategy<Value = ObjectionActor> {
    prop_oneof![
        Just(ObjectionActor::Applicant),
        Just(ObjectionActor::CreditOffice),
        Just(provider()),
        Just(provider_of("12430100444900018L")),
    ]
}

fn command() -> impl Strategy<Value = ObjectionCommand> {
    let decision = prop_oneof![
        Just(ProviderDecision::Keep),
        Just(ProviderDecision::Correct)
    ];
    prop_oneof![
        Just(file_command()),
        Just(ObjectionCommand::Transfer),
        (decision, 0_u8..3).prop_map(|(decision, text)| ObjectionCommand::Answer(ProviderAnswer {
            decision,
            sha256: [text; 32],
        })),
    ]
}

proptest! {
    #[test]
    fn no_sequence_of_commands_leads_to_a_state_without_owner_and_clock(
        steps in prop::collection::vec((actor(), command(), -3_i64..30), 0..30),
        start in 0_i64..3_400,
    ) {
        let law = law();
        let mut now = changsha(date!(2017 - 06 - 20), time!(12:00)) + Duration::days(start);
        let mut state: Option<Objection> = None;
        let mut announced = 0;
        for (actor, command, days) in steps {
            now += Duration::days(days);
            let before = state.clone();
            match apply_command(before.as_ref(), &actor, command, now, &law) {
                Ok((after, events)) => {
                    for ObjectionEvent::Changed { revision, state, pending, .. } in &events {
                        announced += 1;
                        prop_assert_eq!(*revision, announced);
                        prop_assert_eq!(*state, after.state());
                        prop_assert_eq!(*pending, after.is_pending());
                    }
                    if events.is_empty() {
                        prop_assert_eq!(Some(&after), before.as_ref());
                    }
                    state = Some(after);
                }
                Err(_) => prop_assert_eq!(&state, &before),
            }
            let Some(objection) = &state else { continue };
            prop_assert_eq!(objection.revision, announced);
            // Every state has clocks, and a running one exactly when somebody has to act.
            let found = clocks_at(objection, now, &law);
            prop_assert!(found.is_some());
            let found = found.unwrap();
            match objection.owner() {
                Some(ObjectionOwner::CreditOffice) => prop_assert!(found.answer.expected),
                Some(ObjectionOwner::Provider) => prop_assert!(!found.answer.expected),
                None => prop_assert!(objection.answered_at().is_some()),
            }
            // The moments of one objection never decrease.
            let moments = [Some(objection.filed_at), objection.transferred_at(), objection.answered_at()];
            prop_assert!(moments.iter().flatten().is_sorted());
        }
    }

    #[test]
    fn time_alone_changes_no_state_and_only_adds_to_what_is_overdue(
        filed_after in 0_i64..3_400,
        transferred_after in prop::option::of(0_i64..40),
        wait in 0_i64..200,
        more in 0_i64..200,
    ) {
        let law = law();
        let start = changsha(date!(2017 - 06 - 20), time!(12:00)) + Duration::days(filed_after);
        let mut objection = filed(start);
        if let Some(days) = transferred_after {
            let at = start + Duration::days(days);
            objection = step(&objection, &ObjectionActor::CreditOffice, ObjectionCommand::Transfer, at);
        }
        let seen = objection.clone();
        let sooner = clocks_at(&objection, start + Duration::days(wait), &law).unwrap();
        let later = clocks_at(&objection, start + Duration::days(wait + more), &law).unwrap();
        prop_assert_eq!(&seen, &objection);
        prop_assert_eq!(sooner.transfer.deadline, later.transfer.deadline);
        prop_assert_eq!(sooner.answer.deadline, later.answer.deadline);
        prop_assert!(later.transfer.overdue || !sooner.transfer.overdue);
        prop_assert!(later.answer.overdue || !sooner.answer.overdue);
        prop_assert!(sooner.answer.deadline.due_on > sooner.transfer.deadline.due_on
            || !sooner.answer.expected);
    }

    #[test]
    fn the_bound_for_lists_says_what_the_clock_says(
        day in 0_i64..3_400,
        around in -40_i64..40,
    ) {
        let law = law();
        let now = changsha(date!(2017 - 08 - 20), time!(12:00)) + Duration::days(day);
        for duty in [LegalDuty::Transfer, LegalDuty::Answer] {
            let bound = latest_overdue_event(&law, duty, now);
            let event = shanghai_date(now) + Duration::days(around);
            let overdue = law.calendar
                .deadline(event, law.rules.working_days(duty))
                .is_past(now);
            prop_assert_eq!(event <= bound, overdue, "{:?} {} {}", duty, event, bound);
        }
    }
}
