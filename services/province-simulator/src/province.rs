//! What the province stores and how it answers; pure. Called by `grpc` under a lock.

use std::collections::HashMap;

use proto::credit::province::v1::{
    Behaviour, UpstreamAnswer, UpstreamRecord, upstream_answer::Outcome,
};
use uuid::Uuid;

/// A behaviour that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BehaviourError {
    /// A share above the whole.
    #[error("fail_percent is {0}, the rule is 0 to 100")]
    FailPercent(u32),
}

/// The province's memory: per idempotency key the digest of the content that came first.
#[derive(Debug)]
pub struct Province {
    behaviour: Behaviour,
    stored: HashMap<Uuid, [u8; 32]>,
    repeated: u64,
    conflicting: u64,
    calls: u64,
}

impl Province {
    /// An empty province that behaves so.
    pub fn new(behaviour: Behaviour) -> Result<Self, BehaviourError> {
        let mut province = Self {
            behaviour: Behaviour::default(),
            stored: HashMap::new(),
            repeated: 0,
            conflicting: 0,
            calls: 0,
        };
        province.behave(behaviour)?;
        Ok(province)
    }

    /// Changes the behaviour. The count of calls starts anew, so that a share of failures begins
    /// at the same place in every run.
    pub fn behave(&mut self, behaviour: Behaviour) -> Result<(), BehaviourError> {
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
    pub fn counts(&self) -> (u64, u64, u64) {
        // A map cannot hold more than 2^64 keys.
        (self.stored.len() as u64, self.repeated, self.conflicting)
    }

    /// Counts a call and says whether it is one of those that fail.
    pub fn call_fails(&mut self) -> bool {
        self.calls = self.calls.wrapping_add(1);
        fails(self.calls, self.behaviour.fail_percent)
    }

    /// Takes one record: the same key with the same content gives the same acknowledgement.
    pub fn take(&mut self, record: &UpstreamRecord) -> UpstreamAnswer {
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
        for (field, missing) in [
            ("provider_code", record.provider_code.is_empty()),
            ("item_code", record.item_code.is_empty()),
            ("item_version", record.item_version == 0),
            ("revision", record.revision == 0),
            ("values", record.values.is_empty()),
        ] {
            if missing {
                return Err(format!("{field}: must be given"));
            }
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
            }
        }
        Ok(acknowledgement(key))
    }
}

/// Whether the `call`-th call (from 1) fails when `percent` of 100 are to fail: spread evenly, and
/// the same in every run.
pub fn fails(call: u64, percent: u32) -> bool {
    let share = u128::from(percent.min(100));
    let failed_by = |calls: u64| u128::from(calls) * share / 100;
    failed_by(call) > failed_by(call.saturating_sub(1))
}

/// The province's number of a record, derived from its key, so that a restarted simulator
/// acknowledges with the same number.
pub fn acknowledgement(key: Uuid) -> String {
    let digest = vault::sha256(key.as_bytes());
    format!("HN-{}", hex::encode_upper(&digest[..10]))
}

/// SHA-256 over all that makes the content, in a fixed order with lengths in front of texts. The
/// trace context is none of it: a retry of a record has another span.
pub fn content_digest(record: &UpstreamRecord) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(1024);
    let mut text = |value: &str| {
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value.as_bytes());
    };
    text(&record.provider_code);
    text(&record.item_code);
    text(&record.item_version.to_string());
    text(&record.revision.to_string());
    let mut values: Vec<_> = record.values.iter().collect();
    values.sort();
    for (field, value) in values {
        text(field);
        text(value);
    }
    vault::sha256(&bytes)
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
        let first = acknowledged(province.take(&record(key, "1.0000")));
        let mut again = record(key, "1.0000");
        again.traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned();
        assert_eq!(acknowledged(province.take(&again)), first);
        assert_eq!(province.counts(), (1, 1, 0));
        let other = acknowledged(province.take(&record(Uuid::from_u128(8), "1.0000")));
        assert_ne!(other, first);
        assert_eq!(province.counts(), (2, 1, 0));
    }

    #[test]
    fn other_content_under_a_known_key_is_refused_and_counted() {
        let mut province = Province::new(Behaviour::default()).unwrap();
        let key = Uuid::from_u128(7);
        acknowledged(province.take(&record(key, "1.0000")));
        let answer = province.take(&record(key, "2.0000"));
        let Some(Outcome::Refusal(why)) = answer.outcome else {
            panic!("a conflict is refused")
        };
        assert!(why.starts_with("idempotency_key"), "{why}");
        assert_eq!(province.counts(), (1, 0, 1));
    }

    #[test]
    fn an_incomplete_record_is_refused_by_the_name_of_its_field() {
        let mut province = Province::new(Behaviour::default()).unwrap();
        let mut no_values = record(Uuid::from_u128(1), "1.0000");
        no_values.values.clear();
        let mut no_key = record(Uuid::from_u128(1), "1.0000");
        no_key.idempotency_key = "x".to_owned();
        for (bad, field) in [(no_values, "values"), (no_key, "idempotency_key")] {
            let Some(Outcome::Refusal(why)) = province.take(&bad).outcome else {
                panic!("{field} must be refused")
            };
            assert!(why.starts_with(field), "{why}");
        }
        assert_eq!(province.counts(), (0, 0, 0));
    }

    #[test]
    fn exactly_the_asked_share_of_calls_fails_and_always_the_same_ones() {
        for percent in [0, 1, 30, 50, 99, 100] {
            let failed = (1..=1000).filter(|call| fails(*call, percent)).count();
            assert_eq!(failed, percent as usize * 10, "{percent} %");
        }
        let at_half: Vec<bool> = (1..=4).map(|call| fails(call, 50)).collect();
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
            province.behave(impossible),
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
