//! SQL only: the table `push`. Called by `app` and `jobs`. Every statement that carries
//! records carries a batch of them.

use record_ref::{ItemRef, Operation, RecordAddress, RecordVersion, VersionId};
use service_kit::db::{Conn, Error, Pool, checked_column};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{Acknowledgement, Push, PushState};

/// The migrations of this service's schema.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// A version as validation announced it.
#[derive(Debug, Clone)]
pub struct PushRequest {
    /// Its id is the idempotency key towards the province.
    pub version: RecordVersion,
    /// What it does to its record.
    pub operation: Operation,
    /// Sealed normalised record, or the sealed reason of a revocation or withdrawal.
    pub sealed_content: Vec<u8>,
    /// W3C trace context, empty when not sampled.
    pub traceparent: String,
}

/// A due version that this process holds until its lease ends.
#[derive(Debug, Clone)]
pub struct ClaimedPush {
    /// What is to be pushed.
    pub request: PushRequest,
    /// Its push after the claim.
    pub push: Push,
}

/// The push of one version after an attempt, to be stored.
#[derive(Debug, Clone)]
pub struct SettledPush {
    /// The version.
    pub version_id: VersionId,
    /// The new state of the push.
    pub push: Push,
    /// `push.last_error`, sealed.
    pub sealed_last_error: Option<Vec<u8>>,
}

/// One row as `GetPush` shows it.
#[derive(Debug, Clone)]
pub struct PushRow {
    /// The record that the version belongs to.
    pub address: RecordAddress,
    /// All but the last error.
    pub push: Push,
    /// The last error, sealed.
    pub sealed_last_error: Option<Vec<u8>>,
}

/// Counts for `GetStatistics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushStatistics {
    /// Waiting for the province.
    pub due: i64,
    /// Acknowledged.
    pub acknowledged: i64,
    /// Refused.
    pub refused: i64,
    /// When the oldest due row was written.
    pub oldest_due: Option<OffsetDateTime>,
    /// Of all rows, revocations and withdrawals.
    pub revocations: i64,
    /// Of the acknowledged ones.
    pub revocations_acknowledged: i64,
}

/// Writes due rows; versions that are known already stay as they are.
pub async fn insert_pushes(
    conn: &mut Conn,
    requests: &[PushRequest],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    fn column<'a, T>(requests: &'a [PushRequest], of: impl Fn(&'a PushRequest) -> T) -> Vec<T> {
        requests.iter().map(of).collect()
    }
    let written = sqlx::query(
        "with kept as (
             insert into push (record_id, provider_code, item_code, item_version, key_digest,
                               revision, traceparent, operation, record_address, next_attempt_at,
                               created_at)
             select u.*, $11, $11
             from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bytea[], $6::bigint[],
                         $8::text[], $9::smallint[], $10::uuid[]) as u
             order by 1
             on conflict (record_id) do nothing
             returning record_id)
         insert into push_content (record_id, sealed_record)
         select record_id, sealed
         from unnest($1::uuid[], $7::bytea[]) as u (record_id, sealed) join kept using (record_id)",
    )
    .bind(column(requests, |n| n.version.id.as_uuid()))
    .bind(column(requests, |n| n.version.provider.as_str()))
    .bind(column(requests, |n| n.version.item.code.as_str()))
    .bind(column(requests, |n| n.version.item.version_column()))
    .bind(column(requests, |n| n.version.key_digest.as_ref()))
    .bind(column(requests, |n| n.version.revision.as_i64()))
    .bind(column(requests, |n| n.sealed_content.as_slice()))
    .bind(column(requests, |n| n.traceparent.as_str()))
    .bind(column(requests, |n| n.operation.number()))
    .bind(column(requests, |n| n.version.address.as_uuid()))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(written.rows_affected())
}

/// Leases up to `limit` due rows, oldest time first, until `until`. Commits by itself: the lease,
/// not a lock, keeps other senders away during the call.
pub async fn claim_due(
    pool: &Pool,
    now: OffsetDateTime,
    until: OffsetDateTime,
    limit: i64,
) -> Result<Vec<ClaimedPush>, Error> {
    let rows = sqlx::query(
        "with taken as materialized (
             select record_id from push
             where state = 'due' and next_attempt_at <= $1
             order by next_attempt_at limit $3
             for update skip locked)
         update push p set attempts = p.attempts + 1, next_attempt_at = $2, leased = true
         from taken left join push_content c using (record_id)
         where p.record_id = taken.record_id
         returning p.*, coalesce(c.sealed_record, p.sealed_record) as sealed",
    )
    .bind(now)
    .bind(until)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter().map(decode_claimed).collect()
}

fn decode_claimed(row: &PgRow) -> Result<ClaimedPush, Error> {
    let item = ItemRef::from_columns(row.try_get("item_code")?, row.try_get("item_version")?);
    let version = RecordVersion {
        id: checked_column::<Uuid, _>(row, "record_id")?,
        address: checked_column::<Uuid, _>(row, "record_address")?,
        provider: checked_column::<&str, _>(row, "provider_code")?,
        item: item.map_err(|malformed| Error::Decode(malformed.into()))?,
        key_digest: checked_column::<&[u8], _>(row, "key_digest")?,
        revision: checked_column::<i64, _>(row, "revision")?,
    };
    let request = PushRequest {
        version,
        operation: checked_column::<i16, _>(row, "operation")?,
        sealed_content: row.try_get("sealed")?,
        traceparent: row.try_get("traceparent")?,
    };
    let push = decode_push(row)?;
    Ok(ClaimedPush { request, push })
}

fn decode_push(row: &PgRow) -> Result<Push, Error> {
    let state: &str = row.try_get("state")?;
    let attempts: i32 = row.try_get("attempts")?;
    let number: Option<String> = row.try_get("acknowledgement")?;
    let at: Option<OffsetDateTime> = row.try_get("acknowledged_at")?;
    Ok(Push {
        state: decode_state(state)?,
        attempts: attempts.unsigned_abs(),
        next_attempt_at: row.try_get("next_attempt_at")?,
        leased: row.try_get("leased")?,
        last_error: None,
        acknowledgement: number
            .zip(at)
            .map(|(number, at)| Acknowledgement { number, at }),
    })
}

fn decode_state(text: &str) -> Result<PushState, Error> {
    match text {
        "due" => Ok(PushState::Due),
        "acknowledged" => Ok(PushState::Acknowledged),
        "refused" => Ok(PushState::Refused),
        other => Err(Error::Decode(format!("unknown push state {other}").into())),
    }
}

fn encode_state(state: PushState) -> &'static str {
    match state {
        PushState::Due => "due",
        PushState::Acknowledged => "acknowledged",
        PushState::Refused => "refused",
    }
}

/// Stores what a batch of attempts ended with, in one statement; the ids of the rows that changed.
/// Settled rows never change, and a failure counts only for the lease that it belongs to.
pub async fn update_settled(
    conn: &mut Conn,
    batch: &[SettledPush],
) -> Result<Vec<VersionId>, Error> {
    let acknowledgement = |s: &SettledPush| s.push.acknowledgement.clone();
    let changed: Vec<Uuid> = sqlx::query_scalar(
        "update push p
         set state = s.state, next_attempt_at = s.next_attempt_at, leased = false,
             sealed_last_error = s.sealed_last_error, acknowledgement = s.acknowledgement,
             acknowledged_at = s.acknowledged_at
         from unnest($1::uuid[], $2::int[], $3::text[], $4::timestamptz[], $5::bytea[], $6::text[],
                     $7::timestamptz[])
              as s(record_id, attempts, state, next_attempt_at, sealed_last_error, acknowledgement,
                   acknowledged_at)
         where p.record_id = s.record_id and p.state = 'due'
           and (s.state <> 'due' or p.attempts = s.attempts)
         returning p.record_id",
    )
    .bind(
        batch
            .iter()
            .map(|s| s.version_id.as_uuid())
            .collect::<Vec<_>>(),
    )
    .bind(batch.iter().map(|s| attempts(&s.push)).collect::<Vec<_>>())
    .bind(
        batch
            .iter()
            .map(|s| encode_state(s.push.state))
            .collect::<Vec<_>>(),
    )
    .bind(
        batch
            .iter()
            .map(|s| s.push.next_attempt_at)
            .collect::<Vec<_>>(),
    )
    .bind(
        batch
            .iter()
            .map(|s| s.sealed_last_error.as_deref())
            .collect::<Vec<_>>(),
    )
    .bind(
        batch
            .iter()
            .map(|s| acknowledgement(s).map(|a| a.number))
            .collect::<Vec<_>>(),
    )
    .bind(
        batch
            .iter()
            .map(|s| acknowledgement(s).map(|a| a.at))
            .collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .await?;
    let changed = changed.into_iter().map(VersionId::try_from);
    changed
        .collect::<Result<_, _>>()
        .map_err(|malformed| Error::Decode(malformed.into()))
}

fn attempts(push: &Push) -> i32 {
    i32::try_from(push.attempts).unwrap_or(i32::MAX)
}

/// Makes every waiting row that is not leased due now: the upstream is back.
pub async fn release_waiting(conn: &mut Conn, now: OffsetDateTime) -> Result<u64, Error> {
    let released = sqlx::query(
        "update push set next_attempt_at = $1
         where state = 'due' and next_attempt_at > $1 and not leased",
    )
    .bind(now)
    .execute(conn)
    .await?;
    Ok(released.rows_affected())
}

/// When the next row may be claimed, and when the oldest due row was written.
pub async fn load_queue_times(
    pool: &Pool,
) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>), Error> {
    let row = sqlx::query(
        "select (select min(next_attempt_at) from push where state = 'due'),
                (select min(created_at) from push where state = 'due')",
    )
    .fetch_one(pool)
    .await?;
    Ok((row.try_get(0)?, row.try_get(1)?))
}

/// One row.
pub async fn load_push(conn: &mut Conn, version_id: VersionId) -> Result<Option<PushRow>, Error> {
    let row = sqlx::query(
        "select record_address, state, attempts, next_attempt_at, leased, sealed_last_error,
                acknowledgement, acknowledged_at
         from push where record_id = $1",
    )
    .bind(version_id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(decode_push_row).transpose()
}

fn decode_push_row(row: &PgRow) -> Result<PushRow, Error> {
    Ok(PushRow {
        address: checked_column::<Uuid, _>(row, "record_address")?,
        push: decode_push(row)?,
        sealed_last_error: row.try_get("sealed_last_error")?,
    })
}

/// Counts of all rows.
pub async fn get_statistics(conn: &mut Conn) -> Result<PushStatistics, Error> {
    let row = sqlx::query(
        "select count(*) filter (where state = 'due'),
                count(*) filter (where state = 'acknowledged'),
                count(*) filter (where state = 'refused'),
                min(created_at) filter (where state = 'due'),
                count(*) filter (where operation <> 1),
                count(*) filter (where operation <> 1 and state = 'acknowledged')
         from push",
    )
    .fetch_one(conn)
    .await?;
    Ok(PushStatistics {
        due: row.try_get(0)?,
        acknowledged: row.try_get(1)?,
        refused: row.try_get(2)?,
        oldest_due: row.try_get(3)?,
        revocations: row.try_get(4)?,
        revocations_acknowledged: row.try_get(5)?,
    })
}
