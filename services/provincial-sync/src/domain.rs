//! The push of one record version to the province; pure. `app` loads a [`Push`], asks [`apply_command`]
//! and stores the outcome. The pauses between attempts are in [`retry_delay`].

use std::{collections::HashMap, time::Duration};

use record_ref::{Operation, RecordVersion};
use time::OffsetDateTime;

/// State of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushState {
    /// Owner: the sender. It is pushed from `next_attempt_at` on, for as long as it takes.
    Due,
    /// The province has it. Final.
    Acknowledged,
    /// The province refused the content. Owner: a person at the credit office. Final for the sender.
    Refused,
}

/// The province's receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The province's own number of the record.
    pub number: String,
    /// When its answer arrived.
    pub at: OffsetDateTime,
}

/// How far one record version has been pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// Its state.
    pub state: PushState,
    /// Claims so far, also those whose process died.
    pub attempts: u32,
    /// When it may be claimed (again).
    pub next_attempt_at: OffsetDateTime,
    /// Whether a sender has leased it until `next_attempt_at`.
    pub leased: bool,
    /// Why the last attempt did not end in an acknowledgement. May quote the record: sealed at rest.
    pub last_error: Option<String>,
    /// Present exactly in [`PushState::Acknowledged`].
    pub acknowledgement: Option<Acknowledgement>,
}

/// What is pushed of one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedVersion {
    /// Which; its id is the idempotency key.
    pub version: RecordVersion,
    /// What it does to its record.
    pub operation: Operation,
    /// Values by field; none of what ends a record.
    pub values: HashMap<String, String>,
    /// Why the record ends; empty of a report.
    pub reason: String,
    /// Trace context of the attempt, empty when not sampled.
    pub traceparent: String,
}

/// The upstream's outcome for one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// Stored under this number.
    Acknowledged(String),
    /// The content is refused for good.
    Refused(String),
    /// Nothing that settles it: no answer, a failed call, an answer without an outcome.
    Unanswered(String),
}

/// What may happen to a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushCommand {
    /// A sender leases it.
    Claim {
        /// End of the lease.
        until: OffsetDateTime,
    },
    /// An attempt has ended.
    Settle(PushOutcome),
}

/// What is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushEvent {
    /// The province has the version.
    Acknowledged(Acknowledgement),
}

/// A command that the present state does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushRuleViolation {
    /// Only due pushes whose time has come are claimed.
    #[error("push is claimed in state {state:?}, the rule is: due, and not before its time")]
    NotClaimable {
        /// The present state.
        state: PushState,
    },
    /// One idempotency key has one acknowledgement.
    #[error("acknowledgement changed from {before} to {after}, the rule is: same key, same number")]
    AcknowledgementChanged {
        /// The stored number.
        before: String,
        /// The new one.
        after: String,
    },
    /// What is settled one way is not settled another way.
    #[error("push is {state:?} and the upstream now says otherwise")]
    SettledOtherwise {
        /// The present state.
        state: PushState,
    },
}

/// The pauses between attempts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushRetryPolicy {
    /// Before the first retry.
    pub first: Duration,
    /// Before the second; doubles from there.
    pub second: Duration,
    /// No pause is longer.
    pub cap: Duration,
}

/// The pause after the `attempts`-th attempt: short at first, then doubling up to the cap. `seed`
/// (any number that differs between batches) shortens it by up to a half, so that what failed
/// together is not retried together; equal arguments give equal pauses.
pub fn retry_delay(policy: &PushRetryPolicy, attempts: u32, seed: u64) -> Duration {
    let full = match attempts {
        0 | 1 => policy.first,
        n => policy
            .second
            .saturating_mul(1_u32.checked_shl(n - 2).unwrap_or(u32::MAX)),
    };
    let full = full.min(policy.cap);
    // 0 to 65535 out of 65536 parts of the second half.
    let part = (mix_seed(seed ^ u64::from(attempts)) >> 48) as u32;
    full / 2 + (full / 2).mul_f64(f64::from(part) / 65_536.0)
}

/// SplitMix64's finaliser: neighbouring seeds give unrelated numbers.
fn mix_seed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Push {
    /// A version that was just stored: due at once.
    pub fn new_due(now: OffsetDateTime) -> Self {
        Self {
            state: PushState::Due,
            attempts: 0,
            next_attempt_at: now,
            leased: false,
            last_error: None,
            acknowledgement: None,
        }
    }
}

/// Applies a command to a push. Repeats and late failures change nothing; `seed` spreads the retries.
pub fn apply_command(
    push: &Push,
    command: PushCommand,
    now: OffsetDateTime,
    policy: &PushRetryPolicy,
    seed: u64,
) -> Result<(Push, Option<PushEvent>), PushRuleViolation> {
    match command {
        PushCommand::Claim { until } => apply_claim(push, now, until).map(|push| (push, None)),
        PushCommand::Settle(answer) => apply_settlement(push, answer, now, policy, seed),
    }
}

fn apply_claim(
    push: &Push,
    now: OffsetDateTime,
    until: OffsetDateTime,
) -> Result<Push, PushRuleViolation> {
    let state = push.state;
    if state != PushState::Due || push.next_attempt_at > now {
        return Err(PushRuleViolation::NotClaimable { state });
    }
    let mut claimed = push.clone();
    claimed.attempts = push.attempts.saturating_add(1);
    claimed.next_attempt_at = until;
    claimed.leased = true;
    Ok(claimed)
}

fn apply_settlement(
    push: &Push,
    answer: PushOutcome,
    now: OffsetDateTime,
    policy: &PushRetryPolicy,
    seed: u64,
) -> Result<(Push, Option<PushEvent>), PushRuleViolation> {
    match (push.state, answer) {
        (PushState::Due, PushOutcome::Acknowledged(number)) => {
            let acknowledgement = Acknowledgement { number, at: now };
            let settled = Push {
                state: PushState::Acknowledged,
                leased: false,
                last_error: None,
                acknowledgement: Some(acknowledgement.clone()),
                ..push.clone()
            };
            Ok((settled, Some(PushEvent::Acknowledged(acknowledgement))))
        }
        (PushState::Due, PushOutcome::Refused(why)) => {
            let parked = Push {
                state: PushState::Refused,
                leased: false,
                last_error: Some(why),
                ..push.clone()
            };
            Ok((parked, None))
        }
        (PushState::Due, PushOutcome::Unanswered(why)) => {
            let again = Push {
                leased: false,
                next_attempt_at: now + retry_delay(policy, push.attempts, seed),
                last_error: Some(why),
                ..push.clone()
            };
            Ok((again, None))
        }
        // A failure that arrives after the settlement says nothing about it.
        (PushState::Acknowledged | PushState::Refused, PushOutcome::Unanswered(_))
        | (PushState::Refused, PushOutcome::Refused(_)) => Ok((push.clone(), None)),
        (PushState::Acknowledged, PushOutcome::Acknowledged(after)) => {
            let before = push.acknowledgement.as_ref().map(|known| &known.number);
            match before {
                Some(before) if *before != after => {
                    Err(PushRuleViolation::AcknowledgementChanged {
                        before: before.clone(),
                        after,
                    })
                }
                _ => Ok((push.clone(), None)),
            }
        }
        (state @ PushState::Acknowledged, PushOutcome::Refused(_))
        | (state @ PushState::Refused, PushOutcome::Acknowledged(_)) => {
            Err(PushRuleViolation::SettledOtherwise { state })
        }
    }
}

#[cfg(test)]
mod tests;
