//! One function per use case, given a connection: load, decide, store, append. Called by
//! `handlers`, `jobs` and `grpc`; never commits.

use std::collections::{HashMap, HashSet};

use event_bus::NewEvent;
use prost::Message as _;
use proto::credit::{
    common::v1::Operation as WireOperation, province::v1::UpstreamRecord,
    provincialsync::events::v1::VersionAcknowledged, validation::events::v1::NormalisedRecord,
};
use service_kit::{
    db::{Conn, Error, Pool},
    grpc::timestamp,
};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::Keyring;

use crate::{
    domain::{self, Answer, Command, Event, Operation, Push, RetryPolicy},
    error::ServiceError,
    store::{self, Claimed, NewPush, Settled},
};

/// Remembers versions to be pushed.
pub async fn record(conn: &mut Conn, new: &[NewPush], now: OffsetDateTime) -> Result<(), Error> {
    if !new.is_empty() {
        store::insert(conn, new, now).await?;
    }
    Ok(())
}

/// The record as the upstream takes it. Opened only for the call: nothing of it is kept.
///
/// # Errors
/// The answer to settle the attempt with: content that this installation's keys do not open is
/// tried again, since the keys may come; content that is no record is refused.
pub fn upstream_record(
    keyring: &Keyring,
    version: &NewPush,
    traceparent: String,
) -> Result<UpstreamRecord, Answer> {
    let plain = keyring
        .open(version.record_id.as_bytes(), &version.sealed)
        .map_err(|error| Answer::Unanswered(format!("sealed content does not open: {error}")))?;
    let (values, reason) = match version.operation {
        Operation::Upsert => {
            let record = NormalisedRecord::decode(plain.as_slice())
                .map_err(|_| Answer::Refused("sealed_record is no normalised record".to_owned()))?;
            (record.values, String::new())
        }
        Operation::Revoke | Operation::Withdraw => {
            let reason = String::from_utf8(plain)
                .map_err(|_| Answer::Refused("sealed_reason is no UTF-8".to_owned()))?;
            (HashMap::new(), reason)
        }
    };
    Ok(UpstreamRecord {
        idempotency_key: version.record_id.to_string(),
        provider_code: version.provider_code.clone(),
        item_code: version.item_code.clone(),
        item_version: version.item_version.unsigned_abs(),
        revision: version.revision.unsigned_abs(),
        values,
        traceparent,
        operation: wire(version.operation).into(),
        reason,
        record_key: hex::encode(&version.key_digest),
    })
}

fn wire(operation: Operation) -> WireOperation {
    match operation {
        Operation::Upsert => WireOperation::Upsert,
        Operation::Revoke => WireOperation::Revoke,
        Operation::Withdraw => WireOperation::Withdraw,
    }
}

/// One attempt that has ended.
#[derive(Debug)]
pub struct Attempt {
    /// What was claimed.
    pub claimed: Claimed,
    /// What became of it.
    pub answer: Answer,
    /// Trace context of the attempt, empty when not sampled.
    pub traceparent: String,
}

/// How the attempts of a batch are settled.
#[derive(Debug, Clone, Copy)]
pub struct Settling<'a> {
    /// Seals the upstream's words.
    pub keyring: &'a Keyring,
    /// Pauses between attempts.
    pub retry: &'a RetryPolicy,
    /// When the answers were there.
    pub now: OffsetDateTime,
    /// The upstream answers again after it had failed: what waits is due now.
    pub recovered: bool,
}

/// Stores the answers of a batch in one statement and announces the acknowledgements; how many
/// there were.
pub async fn settle(
    conn: &mut Conn,
    attempts: Vec<Attempt>,
    settling: Settling<'_>,
) -> Result<usize, Error> {
    let mut settled = Vec::with_capacity(attempts.len());
    let mut events = Vec::new();
    // One seed for the batch: what failed together is retried together, in full batches.
    let seed = attempts
        .first()
        .map_or(0, |a| a.claimed.version.record_id.as_u64_pair().1);
    for attempt in attempts {
        let record_id = attempt.claimed.version.record_id;
        let command = Command::Settle(attempt.answer);
        let before = &attempt.claimed.push;
        match domain::apply(before, command, settling.now, settling.retry, seed) {
            Ok((push, event)) => {
                if let Some(Event::Acknowledged(acknowledgement)) = event {
                    let told = VersionAcknowledged {
                        record_id: record_id.as_bytes().to_vec().into(),
                        acknowledgement: acknowledgement.number,
                        acknowledged_at: Some(timestamp(acknowledgement.at)),
                    };
                    let event = NewEvent::new(&told, settling.now, &attempt.traceparent);
                    events.push((record_id, event));
                }
                settled.push(Settled {
                    record_id,
                    sealed_last_error: sealed(settling.keyring, record_id, &push),
                    push,
                });
            }
            Err(broken) => tracing::error!(record = %record_id, error = %broken, "answer ignored"),
        }
    }
    let changed: HashSet<Uuid> = store::settle(conn, &settled).await?.into_iter().collect();
    let events: Vec<NewEvent> = events
        .into_iter()
        .filter(|(record_id, _)| changed.contains(record_id))
        .map(|(_, event)| event)
        .collect();
    event_bus::append(conn, &events).await?;
    if settling.recovered {
        store::release_waiting(conn, settling.now).await?;
    }
    Ok(events.len())
}

/// The upstream's words, bounded and sealed like the record that they may quote.
fn sealed(keyring: &Keyring, record_id: Uuid, push: &Push) -> Option<Vec<u8>> {
    const LONGEST: usize = 500;
    let words: String = push.last_error.as_ref()?.chars().take(LONGEST).collect();
    Some(keyring.seal(record_id.as_bytes(), words.as_bytes()))
}

/// How one version stands, with the last error in clear.
pub async fn standing(
    pool: &Pool,
    keyring: &Keyring,
    record_id: Uuid,
) -> Result<Push, ServiceError> {
    let found = store::get(pool, record_id)
        .await
        .map_err(ServiceError::database("读取上报情况"))?
        .ok_or(ServiceError::PushUnknown)?;
    let mut push = found.push;
    if let Some(sealed) = found.sealed_last_error {
        let words = keyring
            .open(record_id.as_bytes(), &sealed)
            .map_err(ServiceError::Sealed)?;
        push.last_error = Some(String::from_utf8_lossy(&words).into_owned());
    }
    Ok(push)
}
