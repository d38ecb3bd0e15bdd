//! Tables and properties of the state machine and of the pauses.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-20 02:00 UTC);

const POLICY: PushRetryPolicy = PushRetryPolicy {
    first: Duration::from_millis(200),
    second: Duration::from_secs(1),
    cap: Duration::from_secs(300),
};

fn claimed(now: OffsetDateTime) -> Push {
    let until = now + Duration::from_secs(30);
    let stored = Push::new_due(now);
    apply_command(&stored, PushCommand::Claim { until }, now, &POLICY, 0)
        .unwrap()
        .0
}

fn settled(push: &Push, answer: PushOutcome) -> (Push, Option<PushEvent>) {
    apply_command(push, PushCommand::Settle(answer), NOW, &POLICY, 7).unwrap()
}

#[test]
fn an_acknowledgement_is_final_and_announced_once() {
    let (push, event) = settled(&claimed(NOW), PushOutcome::Acknowledged("HN-1".to_owned()));
    assert_eq!(push.state, PushState::Acknowledged);
    let Some(PushEvent::Acknowledged(acknowledgement)) = event else {
        panic!("the first acknowledgement is announced")
    };
    assert_eq!(
        (acknowledgement.number.as_str(), acknowledgement.at),
        ("HN-1", NOW)
    );
    for repeat in [
        PushOutcome::Acknowledged("HN-1".to_owned()),
        PushOutcome::Unanswered("deadline".to_owned()),
    ] {
        assert_eq!(settled(&push, repeat), (push.clone(), None));
    }
    let changed = PushCommand::Settle(PushOutcome::Acknowledged("HN-2".to_owned()));
    assert!(matches!(
        apply_command(&push, changed, NOW, &POLICY, 7),
        Err(PushRuleViolation::AcknowledgementChanged { .. })
    ));
}

#[test]
fn a_refusal_parks_and_is_never_claimed_again() {
    let (push, event) = settled(&claimed(NOW), PushOutcome::Refused("values".to_owned()));
    assert_eq!((push.state, event), (PushState::Refused, None));
    assert_eq!(push.last_error.as_deref(), Some("values"));
    let until = NOW + Duration::from_secs(600);
    let later = NOW + Duration::from_secs(599);
    assert_eq!(
        apply_command(&push, PushCommand::Claim { until }, later, &POLICY, 0),
        Err(PushRuleViolation::NotClaimable {
            state: PushState::Refused
        })
    );
    let late = PushCommand::Settle(PushOutcome::Acknowledged("HN-1".to_owned()));
    assert!(apply_command(&push, late, NOW, &POLICY, 0).is_err());
}

#[test]
fn a_lease_keeps_others_away_until_it_ends() {
    let push = claimed(NOW);
    let until = NOW + Duration::from_secs(60);
    let claim = PushCommand::Claim { until };
    let early = NOW + Duration::from_secs(29);
    assert!(apply_command(&push, claim.clone(), early, &POLICY, 0).is_err());
    let free = NOW + Duration::from_secs(30);
    let (again, _) = apply_command(&push, claim, free, &POLICY, 0).unwrap();
    assert_eq!(again.attempts, 2);
}

#[test]
fn the_first_retry_is_fast_and_the_pauses_double_up_to_five_minutes() {
    // (attempts, longest pause in milliseconds)
    let table = [
        (1, 200),
        (2, 1_000),
        (3, 2_000),
        (4, 4_000),
        (10, 256_000),
        (11, 300_000),
        (40, 300_000),
        (u32::MAX, 300_000),
    ];
    for (attempts, longest) in table {
        let longest = Duration::from_millis(longest);
        for seed in 0..200 {
            let pause = retry_delay(&POLICY, attempts, seed);
            assert!(
                pause <= longest && pause >= longest / 2,
                "{attempts}: {pause:?}"
            );
        }
    }
}

#[test]
fn different_batches_come_back_at_different_times() {
    let pauses: std::collections::BTreeSet<Duration> = (0..100)
        .map(|seed| retry_delay(&POLICY, 12, seed))
        .collect();
    assert!(pauses.len() > 95, "{} different pauses", pauses.len());
    assert_eq!(retry_delay(&POLICY, 12, 3), retry_delay(&POLICY, 12, 3));
}

fn command() -> impl Strategy<Value = PushCommand> {
    let answers = prop_oneof![
        Just(PushOutcome::Acknowledged("HN-1".to_owned())),
        Just(PushOutcome::Refused("values".to_owned())),
        Just(PushOutcome::Unanswered("away".to_owned())),
    ];
    prop_oneof![
        (1_u64..600).prop_map(|seconds| PushCommand::Claim {
            until: NOW + Duration::from_secs(seconds)
        }),
        answers.prop_map(PushCommand::Settle),
    ]
}

proptest! {
    #[test]
    fn every_state_has_an_owner_or_is_final(
        commands in prop::collection::vec((command(), 0_u64..400), 0..40),
        seed: u64,
    ) {
        let mut push = Push::new_due(NOW);
        let mut announced = 0;
        let mut now = NOW;
        for (command, seconds) in commands {
            now += Duration::from_secs(seconds);
            let before = push.clone();
            match apply_command(&push, command, now, &POLICY, seed) {
                Ok((after, event)) => {
                    push = after;
                    announced += usize::from(event.is_some());
                }
                Err(_) => prop_assert_eq!(&push, &before),
            }
            if before.state != PushState::Due {
                prop_assert_eq!(&push, &before, "settled is final");
            }
            // Due has a time at which the sender goes on; the others have what they ended with.
            match push.state {
                PushState::Due => {
                    let end = now.max(NOW + Duration::from_secs(600)) + POLICY.cap;
                    prop_assert!(push.next_attempt_at <= end);
                    prop_assert!(push.acknowledgement.is_none());
                }
                PushState::Acknowledged => prop_assert!(push.acknowledgement.is_some()),
                PushState::Refused => prop_assert!(push.last_error.is_some()),
            }
            let done = push.state == PushState::Acknowledged;
            prop_assert_eq!(announced, usize::from(done));
        }
    }
}
