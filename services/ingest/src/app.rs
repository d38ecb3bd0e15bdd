//! The use cases of ingest, given a connection or a transaction; they never commit. Where a line of a log must be
//! committed before anything is read, the use case is given the pool and says so; what `submit_record` takes is committed
//! by the writer of its batch.

pub mod nil_report;
pub mod reads;
pub mod reload;
pub mod replay;
pub mod submit_record;

use event_bus::NewEvent;
use prost_types::Timestamp;
use proto::credit::ingest::events::v1::RecordSubmitted;
use service_kit::{
    db::{Conn, Error},
    grpc::to_timestamp,
};
use time::OffsetDateTime;

use crate::{
    domain::{SealedSubmission, StoredVersion, SubmissionDecision},
    store,
};

/// Accepts a batch for processing: decides each submission in order and stores originals,
/// submission ids and events with one statement each.
pub async fn accept_submissions(
    conn: &mut Conn,
    submissions: &[SealedSubmission],
    now: OffsetDateTime,
) -> Result<Vec<SubmissionDecision>, Error> {
    let mut batch = store::load_batch(conn, submissions).await?;
    let decisions: Vec<SubmissionDecision> = submissions
        .iter()
        .map(|submission| batch.decide_submission(submission, now))
        .collect();
    let mut fresh: Vec<(&SealedSubmission, &StoredVersion)> = Vec::new();
    let mut unchanged: Vec<(&SealedSubmission, &StoredVersion)> = Vec::new();
    let mut lines: Vec<(&SealedSubmission, &StoredVersion, bool)> = Vec::new();
    for (submission, decision) in submissions.iter().zip(&decisions) {
        if let (Some(_), Some((stored, unchanged))) =
            (submission.reload_number, decision.answered_version())
        {
            lines.push((submission, stored, unchanged));
        }
        match decision {
            SubmissionDecision::New(stored) => fresh.push((submission, stored)),
            // The line of a reload is all that is written of an unchanged record.
            SubmissionDecision::Unchanged(_) if submission.reload_number.is_some() => {}
            SubmissionDecision::Unchanged(stored) => unchanged.push((submission, stored)),
            SubmissionDecision::Repeated { .. } | SubmissionDecision::Refused(_) => {}
        }
    }
    store::insert_originals(conn, &fresh, &batch.last_ledger_numbers).await?;
    store::insert_submissions(conn, &unchanged).await?;
    store::reload::insert_lines(conn, &lines).await?;
    let events: Vec<NewEvent> = fresh
        .iter()
        .map(|(submission, stored)| submitted_event(submission, stored, to_timestamp(now)))
        .collect();
    event_bus::append_events(conn, &events).await?;
    Ok(decisions)
}

fn submitted_event(
    incoming: &SealedSubmission,
    stored: &StoredVersion,
    received_at: Timestamp,
) -> NewEvent {
    let event = RecordSubmitted {
        version: Some((&stored.version).into()),
        ledger_number: stored.ledger_number.get(),
        received_at: Some(received_at),
        content_type: stored.content.content_type.clone(),
        sealed_content: incoming.sealed_content.clone().into(),
        sealed_record_key: incoming.sealed_record_key.clone().into(),
        operation: stored.content.operation.into(),
    };
    NewEvent::new(&event, stored.received_at, &incoming.traceparent)
}
