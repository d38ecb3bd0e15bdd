//! SQL of the service, and nothing but SQL. Called by `app` and `jobs`. Whatever carries records takes
//! whole batches, as arrays or by COPY: the number of statements never depends on the number of records.
//!
//! - here: verdicts as a batch writes them, and the heads of keys;
//! - [`cases`]: feedback cases and the feed of their changes;
//! - [`confirmations`]: the words of attesters;
//! - [`cross`]: what others said, and what is added to it;
//! - [`reads`]: what the RPCs and the counting job ask;
//! - [`mod@reference`]: the catalogue's facts.

pub mod cases;
pub mod confirmations;
pub mod cross;
pub mod reads;
pub mod reference;

use service_kit::db::{Conn, CopyIn, Error};
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::{Decision, cross::RecordKey};

/// The migrations of the service's own tables, run by the owner after those of the bus.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Numbers of submissions were checked to fit; the bound keeps a wrong one visible instead of negative.
fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn integer(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Adds verdicts. False when one of the versions has one already: another transaction was faster, and this one can only
/// be begun anew.
///
/// Sorted by id, so that two transactions with the same repeated versions wait for each other in one
/// order and never in a circle.
pub async fn insert_verdicts(
    conn: &mut Conn,
    decisions: &[Decision],
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let mut sorted: Vec<&Decision> = decisions.iter().collect();
    sorted.sort_unstable_by_key(|decision| decision.submission.record_id);
    let mut rows = CopyIn::new(
        "COPY verdict (record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, received_at, decided_at, outcome, error_codes, warning_codes,
                sealed_findings, sealed_changes, rule_set, operation, identity)
         FROM STDIN (FORMAT binary)",
        17,
    );
    for decision in sorted {
        let submission = &decision.submission;
        let version = &submission.version;
        rows.row()
            .put(submission.record_id)
            .put(version.provider_code.as_str())
            .put(version.item_code.as_str())
            .put(integer(version.item_version))
            .put(&version.key_digest[..])
            .put(bigint(version.revision))
            .put(bigint(submission.ledger_number))
            .put(submission.received_at)
            .put(now)
            .put(outcome(decision))
            .put(&decision.error_codes[..])
            .put(&decision.warning_codes[..])
            .put(decision.sealed_findings.as_deref())
            .put(decision.sealed_changes.as_deref())
            .put(decision.rule_set.as_str())
            .put(submission.operation.as_str())
            .put(decision.identity.as_ref().map(|digest| &digest[..]));
    }
    match rows.send(conn).await {
        Ok(_) => Ok(true),
        Err(Error::Database(error)) if error.constraint() == Some("verdict_pkey") => Ok(false),
        Err(error) => Err(error),
    }
}

fn outcome(decision: &Decision) -> &'static str {
    if decision.is_accepted() {
        "accepted"
    } else {
        "returned"
    }
}

/// A version whose key is to be held.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    /// Its key.
    pub key: &'a RecordKey,
    /// Its revision.
    pub revision: u64,
    /// Its id.
    pub record_id: Uuid,
    /// Whether it stands: accepted or confirmed.
    pub accepted: bool,
    /// Whether it ends its record.
    pub ends: bool,
}

/// Columns of keys, as arrays.
#[derive(Default)]
struct Keys<'a> {
    providers: Vec<&'a str>,
    items: Vec<&'a str>,
    digests: Vec<&'a [u8]>,
}

impl<'a> Keys<'a> {
    fn of(keys: impl Iterator<Item = &'a RecordKey>) -> Self {
        let mut all = Self::default();
        for key in keys {
            all.providers.push(&key.provider_code);
            all.items.push(&key.item_code);
            all.digests.push(&key.key_digest);
        }
        all
    }
}

/// Notes the newest accepted revision of each key of `versions`, and holds the keys' rows until the
/// transaction ends: another batch with a version of one of these keys waits, then sees what was done
/// here. Keys are taken in one order, so nobody waits in a circle.
pub async fn hold_keys(conn: &mut Conn, versions: &[Held<'_>]) -> Result<(), Error> {
    let keys = Keys::of(versions.iter().map(|held| held.key));
    let records: Vec<Uuid> = versions.iter().map(|held| held.record_id).collect();
    let revisions: Vec<i64> = versions.iter().map(|held| bigint(held.revision)).collect();
    let accepted: Vec<bool> = versions.iter().map(|held| held.accepted).collect();
    let ends: Vec<bool> = versions.iter().map(|held| held.ends).collect();
    sqlx::query(
        "INSERT INTO rereport_head AS head
                (provider_code, item_code, key_digest, accepted_revision, accepted_record, ended)
         SELECT provider_code, item_code, key_digest,
                coalesce(max(revision) FILTER (WHERE accepted), 0),
                (array_agg(record_id ORDER BY revision DESC) FILTER (WHERE accepted))[1],
                coalesce((array_agg(ends ORDER BY revision DESC) FILTER (WHERE accepted))[1], false)
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bool[], $7::bool[])
              AS v (record_id, provider_code, item_code, key_digest, revision, accepted, ends)
         GROUP BY provider_code, item_code, key_digest
         ORDER BY provider_code, item_code, key_digest
         ON CONFLICT (provider_code, item_code, key_digest) DO UPDATE SET
                accepted_record = CASE
                    WHEN excluded.accepted_revision > head.accepted_revision
                    THEN excluded.accepted_record ELSE head.accepted_record END,
                ended = CASE
                    WHEN excluded.accepted_revision > head.accepted_revision
                    THEN excluded.ended ELSE head.ended END,
                accepted_revision = greatest(head.accepted_revision, excluded.accepted_revision)",
    )
    .bind(records)
    .bind(keys.providers)
    .bind(keys.items)
    .bind(keys.digests)
    .bind(revisions)
    .bind(accepted)
    .bind(ends)
    .execute(conn)
    .await?;
    Ok(())
}

/// The newest accepted revision of a key whose row is held; 0 while none was accepted.
pub async fn newest_accepted(conn: &mut Conn, key: &RecordKey) -> Result<i64, Error> {
    let revision: Option<i64> = sqlx::query_scalar(
        "SELECT accepted_revision FROM rereport_head
         WHERE provider_code = $1 AND item_code = $2 AND key_digest = $3",
    )
    .bind(&key.provider_code)
    .bind(&key.item_code)
    .bind(&key.key_digest[..])
    .fetch_optional(conn)
    .await?;
    Ok(revision.unwrap_or(0))
}

/// Reads a column by name. A missing column is a mistake of the statement beside it.
fn column<'r, T>(row: &'r sqlx::postgres::PgRow, name: &str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name)
}
