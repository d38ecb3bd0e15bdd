//! The verdicts that records would get now, without a trace: the same steps as `judge` up to where something is
//! written. Called by `grpc`.

use std::sync::Arc;

use bytes::Bytes;
use credit_record::ContentForm;
use event_bus::HandlerError;
use legal_clock::shanghai_date;
use proto::credit::{
    common::v1::RecordVersion,
    validation::v1::{DryRunRecord, DryRunVerdict, VerdictOutcome},
};
use service_kit::db::Conn;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    cross::{self, Ruled},
    desk::{Desk, Items},
    judge::off_the_workers,
};
use crate::{
    domain::{
        Examined, Operation, Submission,
        decision::{change_message, finding_message, is_error},
        examine::{Content, Means, examine_content},
    },
    error::ValidationError,
    store::{reads, reference},
};

/// Most records of one request.
pub const MOST: usize = 200;
/// Domain of the keyed hash of a record key, as ingest computes it.
const RECORD_KEY: &str = "record-key";
/// Above every revision that a key will ever have, so that each record stands beside its newest version.
const NEXT: u64 = i64::MAX as u64 - MOST as u64;

/// What each record would be told, in order.
///
/// # Errors
/// [`ValidationError`] for a request that cannot be tried, and the database's.
pub async fn dry_run(
    conn: &mut Conn,
    desk: &Arc<Desk>,
    provider_code: &str,
    records: Vec<DryRunRecord>,
    now: OffsetDateTime,
) -> Result<Vec<DryRunVerdict>, ValidationError> {
    if records.is_empty() || records.len() > MOST {
        return Err(ValidationError::DryRunSize(MOST));
    }
    // No item is called so, and the database takes no such text.
    let unnameable = records
        .iter()
        .position(|record| record.item_code.contains('\0'));
    if let Some(index) = unnameable {
        return Err(ValidationError::DryRunItem(index));
    }
    reads::only_read(conn).await.map_err(failed)?;
    let submissions = submissions(conn, desk, provider_code, records, now).await?;
    let wanted: Vec<_> = submissions.iter().map(|(one, _)| one.item()).collect();
    let items = desk.usable(conn, &wanted).await.map_err(not_now)?;
    if let Some(index) = wanted.iter().position(|key| !items.contains_key(key)) {
        return Err(ValidationError::DryRunItem(index));
    }
    let items = Arc::new(items);
    let examined = examine_all(desk.clone(), items.clone(), submissions).await?;
    let (mut standing, _) = cross::load(conn, &items, &examined, false)
        .await
        .map_err(failed)?;
    let ruled = cross::rule(&mut standing, &items, examined);
    Ok(ruled.into_iter().map(verdict).collect())
}

/// The records as if ingest had taken them in, each beside its content.
async fn submissions(
    conn: &mut Conn,
    desk: &Desk,
    provider_code: &str,
    records: Vec<DryRunRecord>,
    now: OffsetDateTime,
) -> Result<Vec<(Submission, Bytes)>, ValidationError> {
    let unnamed = records.iter().filter(|record| record.item_version == 0);
    let codes: Vec<&str> = unnamed.map(|record| record.item_code.as_str()).collect();
    let in_force = reference::in_force(conn, &codes, shanghai_date(now))
        .await
        .map_err(failed)?;
    let mut submissions = Vec::with_capacity(records.len());
    for (index, record) in records.into_iter().enumerate() {
        if ContentForm::of(&record.content_type).is_none() {
            return Err(ValidationError::DryRunContentType(index));
        }
        let item_version = match record.item_version {
            0 => *in_force
                .get(&record.item_code)
                .ok_or(ValidationError::DryRunItem(index))?,
            version => version,
        };
        let record_id = Uuid::now_v7();
        // Without a key of its own a record is nobody's next version.
        let key = match record.record_key.as_str() {
            "" => record_id.to_string(),
            key => key.to_owned(),
        };
        let digest = desk.keyring.blind(
            RECORD_KEY,
            &format!("{provider_code}/{}/{key}", record.item_code),
        );
        let submission = Submission {
            record_id,
            version: RecordVersion {
                record_id: Bytes::copy_from_slice(record_id.as_bytes()),
                provider_code: provider_code.to_owned(),
                item_code: record.item_code,
                item_version,
                key_digest: Bytes::copy_from_slice(&digest),
                revision: NEXT + index as u64,
            },
            ledger_number: 0,
            received_at: now,
            operation: Operation::Upsert,
            content_type: record.content_type,
            sealed_content: Bytes::new(),
            sealed_record_key: Bytes::new(),
        };
        submissions.push((submission, record.content));
    }
    Ok(submissions)
}

async fn examine_all(
    desk: Arc<Desk>,
    items: Arc<Items>,
    submissions: Vec<(Submission, Bytes)>,
) -> Result<Vec<Examined>, ValidationError> {
    let examined = off_the_workers(move || {
        let means = Means {
            keyring: &desk.keyring,
            working_days: &desk.working_days,
            attestations: &[],
        };
        let examine = |(submission, content): (Submission, Bytes)| {
            let item = items.get(&submission.item())?;
            Some(examine_content(means, &item.compiled, submission, &content))
        };
        submissions.into_iter().filter_map(examine).collect()
    });
    examined.await.map_err(not_now)
}

fn verdict((examined, mut findings): Ruled) -> DryRunVerdict {
    let mut changes = Vec::new();
    match examined.content {
        Content::Record(record, _) => {
            findings.extend(record.warnings.iter().cloned());
            if !findings.iter().any(is_error) {
                changes = record.changes.iter().map(change_message).collect();
            }
        }
        Content::Faulty(own) => findings.extend(own),
        Content::End(own) => findings.extend(own),
    }
    findings.sort_by_key(|finding| finding.severity);
    let outcome = if findings.iter().any(is_error) {
        VerdictOutcome::Returned
    } else {
        VerdictOutcome::Accepted
    };
    DryRunVerdict {
        outcome: outcome.into(),
        findings: findings.iter().map(finding_message).collect(),
        changes,
    }
}

fn failed(source: service_kit::db::Error) -> ValidationError {
    ValidationError::Database {
        doing: "试校验",
        source,
    }
}

fn not_now(error: HandlerError) -> ValidationError {
    match error {
        HandlerError::Database(source) => failed(source),
        HandlerError::Transient(_) => ValidationError::Overtaken,
    }
}
