//! What the province stores and how it answers; pure. Called by `grpc` under a lock.

use std::collections::HashMap;

use proto::credit::{
    common::v1::Operation,
    province::v1::{Behaviour, UpstreamAnswer, UpstreamRecord, upstream_answer::Outcome},
};
use uuid::Uuid;

/// A behaviour that is out of range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// A share above 100 percent.
    #[error("fail_percent is {0}, the rule is 0 to 100")]
    FailPercent(u32),
}

/// The highest revision of a record that was pushed, in whatever order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NewestRecordVersion {
    revision: u64,
    ends: bool,
}

/// The state of the province: per idempotency key the digest of the content that came first.
#[derive(Debug)]
pub struct Province {
    behaviour: Behaviour,
    stored: HashMap<Uuid, [u8; 32]>,
    /// By digest of the record's key. Only revisions from 2 on: the first version of a record ends nothing, and is
    /// newer than nothing.
    newest: HashMap<[u8; 32], NewestRecordVersion>,
    revocations: u64,
    repeated: u64,
    conflicting: u64,
    calls: u64,
}

impl Province {
    /// An empty province with this behaviour.
    pub fn new(behaviour: Behaviour) -> Result<Self, BehaviourError> {
        let mut province = Self {
            behaviour: Behaviour::default(),
            stored: HashMap::new(),
            newest: HashMap::new(),
            revocations: 0,
            repeated: 0,
            conflicting: 0,
            calls: 0,
        };
        province.set_behaviour(behaviour)?;
        Ok(province)
    }

    /// Changes the behaviour. The count of calls starts anew, so that a share of failures begins
    /// at the same place in every run.
    pub fn set_behaviour(&mut self, behaviour: Behaviour) -> Result<(), BehaviourError> {
        if behaviour.fail_percent > 100 {
            return Err(BehaviourError::FailPercent(behaviour.fail_percent));
        }
        self.behaviour = behaviour;
        self.calls = 0;
        Ok(())
    }

    /// The present behaviour.
    pub fn behaviour(&self) -> Behaviour {
        self.behaviour
    }

    /// Distinct keys stored, pushes of a stored key with the same content, with other content.
    pub fn record_counts(&self) -> (u64, u64, u64) {
        // A map cannot hold more than 2^64 keys.
        (self.stored.len() as u64, self.repeated, self.conflicting)
    }

    /// Distinct keys stored that revoke or withdraw, and records whose newest version is one of them.
    pub fn revocation_counts(&self) -> (u64, u64) {
        let ended = self.newest.values().filter(|newest| newest.ends).count();
        // A map cannot hold more than 2^64 records.
        (self.revocations, ended as u64)
    }

    /// Counts a call and says whether it is one of those that fail.
    pub fn call_fails(&mut self) -> bool {
        self.calls = self.calls.wrapping_add(1);
        is_failing_call(self.calls, self.behaviour.fail_percent)
    }

    /// Takes one record: the same key with the same content gives the same acknowledgement.
    pub fn answer_record(&mut self, record: &UpstreamRecord) -> UpstreamAnswer {
        let outcome = match self.store(record) {
            Ok(acknowledgement) => Outcome::Acknowledgement(acknowledgement),
            Err(refusal) => Outcome::Refusal(refusal),
        };
        UpstreamAnswer {
            idempotency_key: record.idempotency_key.clone(),
            outcome: Some(outcome),
        }
    }

    fn store(&mut self, record: &UpstreamRecord) -> Result<String, String> {
        let key = Uuid::parse_str(&record.idempotency_key)
            .map_err(|_| "idempotency_key: must be a UUID".to_owned())?;
        let ends = ends_its_record(record)?;
        for (field, missing) in [
            ("provider_code", record.provider_code.is_empty()),
            ("item_code", record.item_code.is_empty()),
            ("item_version", record.item_version == 0),
            ("revision", record.revision == 0),
            ("values", !ends && record.values.is_empty()),
            ("reason", ends && record.reason.is_empty()),
            ("record_key", ends && record.record_key.is_empty()),
        ] {
            if missing {
                return Err(format!("{field}: must be given"));
            }
        }
        if ends && !record.values.is_empty() {
            return Err("values: a revocation or withdrawal has none".to_owned());
        }
        let digest = content_digest(record);
        match self.stored.get(&key) {
            Some(known) if *known == digest => self.repeated += 1,
            Some(_) => {
                self.conflicting += 1;
                return Err("idempotency_key: is stored with other content".to_owned());
            }
            None => {
                self.stored.insert(key, digest);
                self.revocations += u64::from(ends);
                self.raise_newest(record, ends);
            }
        }
        Ok(acknowledgement_number(key))
    }

    /// Keeps the highest revision of a record: a version that comes late changes nothing.
    fn raise_newest(&mut self, record: &UpstreamRecord, ends: bool) {
        if record.revision < 2 || record.record_key.is_empty() {
            return;
        }
        let candidate = NewestRecordVersion {
            revision: record.revision,
            ends,
        };
        let known = self
            .newest
            .entry(record_digest(record))
            .or_insert(candidate);
        if known.revision < candidate.revision {
            *known = candidate;
        }
    }
}

/// Whether the version revokes or withdraws its record (D-24).
fn ends_its_record(record: &UpstreamRecord) -> Result<bool, String> {
    match Operation::try_from(record.operation) {
        Ok(Operation::Unspecified | Operation::Upsert) => Ok(false),
        Ok(Operation::Revoke | Operation::Withdraw) => Ok(true),
        Err(_) => Err("operation: is not known".to_owned()),
    }
}

/// Texts one after the other, each with its length in front of it.
fn length_prefixed<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    bytes
}

/// Identifies a record over all its versions.
fn record_digest(record: &UpstreamRecord) -> [u8; 32] {
    vault::sha256(&length_prefixed([
        record.provider_code.as_str(),
        &record.item_code,
        &record.record_key,
    ]))
}

/// Whether the `call`-th call (from 1) fails when `percent` of 100 are to fail: spread evenly, and
/// the same in every run.
pub fn is_failing_call(call: u64, percent: u32) -> bool {
    let share = u128::from(percent.min(100));
    let failed_by = |calls: u64| u128::from(calls) * share / 100;
    failed_by(call) > failed_by(call.saturating_sub(1))
}

/// The province's number of a record, derived from its key, so that a restarted simulator
/// acknowledges with the same number.
pub fn acknowledgement_number(key: Uuid) -> String {
    let digest = vault::sha256(key.as_bytes());
    format!("HN-{}", hex::encode_upper(&digest[..10]))
}

/// SHA-256 over all that makes the content, in a fixed order with lengths in front of texts. The
/// trace context is none of it: a retry of a record has another span. Neither are operation and key of
/// an upsert: earlier senders left both out.
pub fn content_digest(record: &UpstreamRecord) -> [u8; 32] {
    let (item_version, revision) = (record.item_version.to_string(), record.revision.to_string());
    let operation = record.operation.to_string();
    let mut values: Vec<_> = record.values.iter().collect();
    values.sort();
    let mut texts = vec![
        record.provider_code.as_str(),
        &record.item_code,
        &item_version,
        &revision,
    ];
    texts.extend(
        values
            .into_iter()
            .flat_map(|(field, value)| [field.as_str(), value]),
    );
    if ends_its_record(record) == Ok(true) {
        texts.extend([operation.as_str(), &record.reason, &record.record_key]);
    }
    vault::sha256(&length_prefixed(texts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(key: Uuid, amount: &str) -> UpstreamRecord {
        UpstreamRecord {
            idempotency_key: key.to_string(),
            provider_code: "11430100006123458R".to_owned(),
            item_code: "XZCF".to_owned(),
            item_version: 1,
            revision: 1,
            values: HashMap::from([
                ("CF_NR_FK".to_owned(), amount.to_owned()),
                ("CF_WSH".to_owned(), "长市监罚〔2026〕1号".to_owned()),
            ]),
            traceparent: String::new(),
            ..UpstreamRecord::default()
        }
    }

    fn ending(key: Uuid, operation: Operation, revision: u64) -> UpstreamRecord {
        UpstreamRecord {
            values: HashMap::new(),
            operation: operation.into(),
            reason: "原处罚决定经复议撤销".to_owned(),
            record_key: "ab".to_owned(),
            revision,
            ..record(key, "")
        }
    }

    fn acknowledged(answer: UpstreamAnswer) -> String {
        match answer.outcome {
            Some(Outcome::Acknowledgement(number)) => number,
            other => panic!("not acknowledged: {other:?}"),
        }
    }

    #[test]
    fn the_same_content_gets_the_same_number_and_is_stored_once() {
        let mut province = Province::new(Behaviour::default()).unwrap();
        let key = Uuid::from_u128(7);
        let first = acknowledged(province.answer_record(&record(key, "1.0000")));
        let mut again = record(key, "1.0000");
        again.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        assert_eq!(acknowledged(province.answer_record(&again)), first);
        assert_eq!(province.record_counts(), (1, 1, 0));
        let other = acknowledged(province.answer_record(&record(Uuid::from_u128(8), "1.0000")));
        assert_ne!(other, first);
        assert_eq!(province.record_counts(), (2, 1, 0));
    }

    #[test]
    fn d24_a_record_is_revoked_while_its_highest_revision_ends_it_whatever_came_first() {
        let upsert = |revision: u64| UpstreamRecord {
            record_key: "ab".to_owned(),
            revision,
            ..record(Uuid::from_u128(revision.into()), "1.0000")
        };
        let versions = [
            upsert(1),
            ending(Uuid::from_u128(2), Operation::Revoke, 2),
            upsert(3),
            ending(Uuid::from_u128(4), Operation::Withdraw, 4),
        ];
        // The first so many versions make so many revoked records.
        for (count, revoked) in [(1, 0), (2, 1), (3, 0), (4, 1)] {
            for backwards in [false, true] {
                let mut province = Province::new(Behaviour::default()).unwrap();
                let mut pushes: Vec<_> = versions[..count].iter().collect();
                if backwards {
                    pushes.reverse();
                }
                for version in pushes.iter().chain(&pushes) {
                    acknowledged(province.answer_record(version));
                }
                let revocations = count as u64 / 2;
                assert_eq!(
                    province.revocation_counts(),
                    (revocations, revoked),
                    "{count}"
                );
                assert_eq!(province.record_counts(), (count as u64, count as u64, 0));
            }
        }
    }

    #[test]
    fn d24_a_revocation_says_why_and_which_record_and_nothing_of_its_content() {
        let mut province = Province::new(Behaviour::default()).unwrap();
        let good = ending(Uuid::from_u128(1), Operation::Revoke, 2);
        let mut no_reason = good.clone();
        no_reason.reason.clear();
        let mut no_key = good.clone();
        no_key.record_key.clear();
        let mut with_values = good.clone();
        with_values.values = record(Uuid::from_u128(1), "1").values;
        let mut unknown = good.clone();
        unknown.operation = 9;
        for (bad, field) in [
            (no_reason, "reason"),
            (no_key, "record_key"),
            (with_values, "values"),
            (unknown, "operation"),
        ] {
            let Some(Outcome::Refusal(why)) = province.answer_record(&bad).outcome else {
                panic!("{field} must be refused")
            };
            assert!(why.starts_with(field), "{why}");
        }
        assert_eq!(province.revocation_counts(), (0, 0));
        acknowledged(province.answer_record(&good));
        let other_reason = UpstreamRecord {
            reason: "另有原因".to_owned(),
            ..good
        };
        assert!(matches!(
            province.answer_record(&other_reason).outcome,
            Some(Outcome::Refusal(_))
        ));
        assert_eq!(province.record_counts(), (1, 0, 1));
    }

    #[test]
    fn other_content_under_a_known_key_is_refused_and_counted() {
        let mut province = Province::new(Behaviour::default()).unwrap();
        let key = Uuid::from_u128(7);
        acknowledged(province.answer_record(&record(key, "1.0000")));
        let answer = province.answer_record(&record(key, "2.0000"));
        let Some(Outcome::Refusal(why)) = answer.outcome else {
            panic!("a conflict is refused")
        };
        assert!(why.starts_with("idempotency_key"), "{why}");
        assert_eq!(province.record_counts(), (1, 0, 1));
    }

    #[test]
    fn an_incomplete_record_is_refused_by_the_name_of_its_field() {
        let mut province = Province::new(Behaviour::default()).unwrap();
        let mut no_values = record(Uuid::from_u128(1), "1.0000");
        no_values.values.clear();
        let mut no_key = record(Uuid::from_u128(1), "1.0000");
        no_key.idempotency_key = "x".to_owned();
        for (bad, field) in [(no_values, "values"), (no_key, "idempotency_key")] {
            let Some(Outcome::Refusal(why)) = province.answer_record(&bad).outcome else {
                panic!("{field} must be refused")
            };
            assert!(why.starts_with(field), "{why}");
        }
        assert_eq!(province.record_counts(), (0, 0, 0));
    }

    #[test]
    fn exactly_the_asked_share_of_calls_fails_and_always_the_same_ones() {
        for percent in [0, 1, 30, 50, 99, 100] {
            let failed = (1..=1000)
                .filter(|call| is_failing_call(*call, percent))
                .count();
            assert_eq!(failed, percent as usize * 10, "{percent} %");
        }
        let at_half: Vec<bool> = (1..=4).map(|call| is_failing_call(call, 50)).collect();
        assert_eq!(at_half, [false, true, false, true]);
    }

    #[test]
    fn a_share_above_the_whole_is_refused_and_changes_nothing() {
        let mut province = Province::new(Behaviour::default()).unwrap();
        let impossible = Behaviour {
            fail_percent: 101,
            ..Behaviour::default()
        };
        assert_eq!(
            province.set_behaviour(impossible),
            Err(BehaviourError::FailPercent(101))
        );
        assert_eq!(province.behaviour(), Behaviour::default());
    }

    #[test]
    fn the_digest_tells_neighbouring_fields_apart() {
        let with = |pairs: [(&str, &str); 1]| {
            let mut record = record(Uuid::from_u128(1), "");
            record.values = pairs
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            content_digest(&record)
        };
        assert_ne!(with([("ab", "c")]), with([("a", "bc")]));
    }
}
