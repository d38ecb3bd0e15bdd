//! One function per use case, given a connection: load, decide, store, append. Called by
//! `handlers`, `jobs` and `grpc`; never commits.

use std::collections::{HashMap, HashSet};

use event_bus::NewEvent;
use prost::Message as _;
use proto::credit::{
    provincialsync::events::v1::VersionAcknowledged, validation::events::v1::NormalisedRecord,
};
use record_ref::{Operation, RecordAddress, VersionId};
use service_kit::{
    db::{Conn, Error},
    grpc::to_timestamp,
};
use time::OffsetDateTime;
use vault::Keyring;

use crate::{
    domain::{self, OpenedVersion, Push, PushCommand, PushEvent, PushOutcome, PushRetryPolicy},
    error::ProvincialSyncError,
    store::{self, ClaimedPush, PushRequest, PushStatistics, SettledPush},
};

/// Stores versions as due rows, to be pushed.
pub async fn enqueue_pushes(
    conn: &mut Conn,
    requests: &[PushRequest],
    now: OffsetDateTime,
) -> Result<(), Error> {
    if !requests.is_empty() {
        store::insert_pushes(conn, requests, now).await?;
    }
    Ok(())
}

/// What is pushed of a version, opened for the call only: nothing of it is kept.
///
/// # Errors
/// The answer to settle the attempt with: content that this installation's keys do not open is
/// tried again, since the keys may come; content that is no record is refused.
pub fn open_version(
    keyring: &Keyring,
    push: &PushRequest,
    traceparent: String,
) -> Result<OpenedVersion, PushOutcome> {
    let version = &push.version;
    let plain = keyring
        .open(version.id.as_bytes(), &push.sealed_content)
        .map_err(|error| {
            PushOutcome::Unanswered(format!("sealed content does not open: {error}"))
        })?;
    let (values, reason) = match push.operation {
        Operation::Upsert => {
            let record = NormalisedRecord::decode(plain.as_slice()).map_err(|_| {
                PushOutcome::Refused("sealed_record is no normalised record".to_owned())
            })?;
            (record.values, String::new())
        }
        Operation::Revoke | Operation::Withdraw => {
            let reason = String::from_utf8(plain)
                .map_err(|_| PushOutcome::Refused("sealed_reason is no UTF-8".to_owned()))?;
            (HashMap::new(), reason)
        }
    };
    Ok(OpenedVersion {
        version: version.clone(),
        operation: push.operation,
        values,
        reason,
        traceparent,
    })
}

/// One attempt that has ended.
#[derive(Debug)]
pub struct PushAttempt {
    /// What was claimed.
    pub claimed: ClaimedPush,
    /// The outcome.
    pub outcome: PushOutcome,
    /// Trace context of the attempt, empty when not sampled.
    pub traceparent: String,
}

/// How the attempts of a batch are settled.
#[derive(Debug, Clone, Copy)]
pub struct SettleContext<'a> {
    /// Seals the upstream's error texts.
    pub keyring: &'a Keyring,
    /// Pauses between attempts.
    pub retry: &'a PushRetryPolicy,
    /// When the answers arrived.
    pub now: OffsetDateTime,
    /// The upstream answers again after it had failed: what waits is due now.
    pub recovered: bool,
}

/// Stores the answers of a batch in one statement and announces the acknowledgements; how many
/// there were.
pub async fn settle_attempts(
    conn: &mut Conn,
    attempts: Vec<PushAttempt>,
    settling: SettleContext<'_>,
) -> Result<usize, Error> {
    let mut settled = Vec::with_capacity(attempts.len());
    let mut events = Vec::new();
    // One seed for the batch: what failed together is retried together, in full batches.
    let seed = attempts.first().map_or(0, |a| {
        a.claimed.request.version.id.as_uuid().as_u64_pair().1
    });
    for attempt in attempts {
        let version = &attempt.claimed.request.version;
        let (version_id, address) = (version.id, version.address);
        let command = PushCommand::Settle(attempt.outcome);
        let before = &attempt.claimed.push;
        match domain::apply_command(before, command, settling.now, settling.retry, seed) {
            Ok((push, event)) => {
                if let Some(PushEvent::Acknowledged(acknowledgement)) = event {
                    let message = VersionAcknowledged {
                        record_id: version_id.to_wire(),
                        record_address: address.to_wire(),
                        acknowledgement: acknowledgement.number,
                        acknowledged_at: Some(to_timestamp(acknowledgement.at)),
                    };
                    let event = NewEvent::new(&message, settling.now, &attempt.traceparent);
                    events.push((version_id, event));
                }
                settled.push(SettledPush {
                    version_id,
                    sealed_last_error: seal_last_error(settling.keyring, version_id, &push),
                    push,
                });
            }
            Err(broken) => tracing::error!(record = %version_id, error = %broken, "answer ignored"),
        }
    }
    let changed = store::update_settled(conn, &settled).await?;
    let changed: HashSet<VersionId> = changed.into_iter().collect();
    let events: Vec<NewEvent> = events
        .into_iter()
        .filter(|(version_id, _)| changed.contains(version_id))
        .map(|(_, event)| event)
        .collect();
    event_bus::append_events(conn, &events).await?;
    if settling.recovered {
        store::release_waiting(conn, settling.now).await?;
    }
    Ok(events.len())
}

/// The upstream's error text, truncated and sealed like the record, which it may quote.
fn seal_last_error(keyring: &Keyring, version_id: VersionId, push: &Push) -> Option<Vec<u8>> {
    const MAX_ERROR_CHARS: usize = 500;
    let text: String = push
        .last_error
        .as_ref()?
        .chars()
        .take(MAX_ERROR_CHARS)
        .collect();
    Some(keyring.seal(version_id.as_bytes(), text.as_bytes()))
}

/// The push of one version, for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPush {
    /// The version.
    pub version_id: VersionId,
    /// The record that it belongs to.
    pub address: RecordAddress,
    /// How far it has come, with the last error opened.
    pub push: Push,
}

/// The push of one version, with the last error opened.
pub async fn get_push(
    conn: &mut Conn,
    keyring: &Keyring,
    version_id: VersionId,
) -> Result<FoundPush, ProvincialSyncError> {
    let found = store::load_push(conn, version_id)
        .await
        .map_err(ProvincialSyncError::database("读取上报情况"))?
        .ok_or(ProvincialSyncError::PushUnknown)?;
    let mut push = found.push;
    if let Some(sealed) = found.sealed_last_error {
        let text = keyring
            .open(version_id.as_bytes(), &sealed)
            .map_err(ProvincialSyncError::Sealed)?;
        push.last_error = Some(String::from_utf8_lossy(&text).into_owned());
    }
    Ok(FoundPush {
        version_id,
        address: found.address,
        push,
    })
}

/// Counts of versions by state.
pub async fn get_statistics(conn: &mut Conn) -> Result<PushStatistics, ProvincialSyncError> {
    store::get_statistics(conn)
        .await
        .map_err(ProvincialSyncError::database("统计上报情况"))
}
