//! SQL of the service, and nothing but SQL. Called by `app` and `jobs`. Whatever carries records takes
//! whole batches, as arrays or by COPY: the number of statements never depends on the number of records.
//!
//! - here: verdicts as a batch writes them, and the heads of keys;
//! - [`cases`]: feedback cases and the feed of their changes;
//! - [`confirmations`]: attestations, sealed;
//! - [`comparison`]: the state that records are compared with, and what a batch adds to it;
//! - [`reads`]: the queries of the RPCs and the counting job;
//! - [`catalogue`]: the catalogue's facts.

pub mod cases;
pub mod catalogue;
pub mod comparison;
pub mod confirmations;
pub mod reads;

use record_ref::{ItemRef, LedgerNumber, Malformed, Operation, RecordKey, RecordVersion, Revision};
use service_kit::db::{Conn, CopyIn, Error, checked_column};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::domain::SealedVerdict;

/// The migrations of the service's own tables, run by the owner after those of the bus.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Adds verdicts. False when one of the versions has one already: another transaction was faster, and this one can only
/// be begun anew.
///
/// Sorted by id, so that two transactions with the same repeated versions cannot deadlock.
pub async fn insert_verdicts(
    conn: &mut Conn,
    decisions: &[SealedVerdict],
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let mut sorted: Vec<&SealedVerdict> = decisions.iter().collect();
    sorted.sort_unstable_by_key(|decision| decision.submission.version.id);
    let mut rows = CopyIn::new(
        "COPY verdict (record_id, record_address, provider_code, item_code, item_version, key_digest,
                revision, ledger_number, received_at, decided_at, outcome, error_codes, warning_codes,
                sealed_findings, sealed_changes, rule_set, operation, identity)
         FROM STDIN (FORMAT binary)",
        18,
    );
    for decision in sorted {
        let submission = &decision.submission;
        let version = &submission.version;
        rows.row()
            .put(version.id.as_uuid())
            .put(version.address.as_uuid())
            .put(version.provider.as_str())
            .put(version.item.code.as_str())
            .put(version.item.version_column())
            .put(&version.key_digest.as_bytes()[..])
            .put(version.revision.as_i64())
            .put(submission.ledger_number.map(LedgerNumber::as_i64))
            .put(submission.received_at)
            .put(now)
            .put(outcome_text(decision))
            .put(&decision.error_codes[..])
            .put(&decision.warning_codes[..])
            .put(decision.sealed_findings.as_deref())
            .put(decision.sealed_changes.as_deref())
            .put(decision.rule_set.as_str())
            .put(operation(submission.operation))
            .put(decision.identity.as_ref().map(|digest| &digest[..]));
    }
    match rows.send(conn).await {
        Ok(_) => Ok(true),
        Err(Error::Database(error)) if error.constraint() == Some("verdict_pkey") => Ok(false),
        Err(error) => Err(error),
    }
}

fn outcome_text(decision: &SealedVerdict) -> &'static str {
    if decision.is_accepted() {
        "accepted"
    } else {
        "returned"
    }
}

/// The table of verdicts has operations as text.
fn operation(operation: Operation) -> &'static str {
    match operation {
        Operation::Upsert => "upsert",
        Operation::Revoke => "revoke",
        Operation::Withdraw => "withdraw",
    }
}

/// A version whose key is to be locked.
#[derive(Debug, Clone, Copy)]
pub struct KeyLock<'a> {
    /// Which one.
    pub version: &'a RecordVersion,
    /// Whether the version is accepted or confirmed.
    pub accepted: bool,
    /// Whether it ends its record.
    pub ends: bool,
}

/// Columns of keys, as arrays.
#[derive(Default)]
struct KeyColumns<'a> {
    providers: Vec<&'a str>,
    items: Vec<&'a str>,
    digests: Vec<&'a [u8]>,
}

impl<'a> KeyColumns<'a> {
    fn from_keys(keys: impl Iterator<Item = &'a RecordKey>) -> Self {
        let mut all = Self::default();
        for key in keys {
            all.providers.push(key.provider.as_str());
            all.items.push(key.item.as_str());
            all.digests.push(key.digest.as_bytes());
        }
        all
    }

    fn of_versions(versions: impl Iterator<Item = &'a RecordVersion>) -> Self {
        let mut all = Self::default();
        for version in versions {
            all.providers.push(version.provider.as_str());
            all.items.push(version.item.code.as_str());
            all.digests.push(version.key_digest.as_bytes());
        }
        all
    }
}

/// Columns of versions besides those of their keys, as arrays.
struct Versions<'a> {
    ids: Vec<Uuid>,
    addresses: Vec<Uuid>,
    item_versions: Vec<i32>,
    revisions: Vec<i64>,
    keys: KeyColumns<'a>,
}

impl<'a> Versions<'a> {
    fn from_versions(versions: impl Iterator<Item = &'a RecordVersion> + Clone) -> Self {
        let all = || versions.clone();
        Self {
            ids: all().map(|version| version.id.as_uuid()).collect(),
            addresses: all().map(|version| version.address.as_uuid()).collect(),
            item_versions: all().map(|version| version.item.version_column()).collect(),
            revisions: all().map(|version| version.revision.as_i64()).collect(),
            keys: KeyColumns::of_versions(versions),
        }
    }
}

/// Notes the newest accepted revision of each key of `versions`, and locks the keys' rows until the transaction ends:
/// another batch with a version of one of these keys waits, then sees what was done here. Keys are locked in one order,
/// so there is no deadlock.
pub async fn lock_keys(conn: &mut Conn, versions: &[KeyLock<'_>]) -> Result<(), Error> {
    let keys = KeyColumns::of_versions(versions.iter().map(|lock| lock.version));
    let ids = versions.iter().map(|lock| lock.version.id.as_uuid());
    let ids: Vec<Uuid> = ids.collect();
    let revisions = versions.iter().map(|lock| lock.version.revision.as_i64());
    let revisions: Vec<i64> = revisions.collect();
    let accepted: Vec<bool> = versions.iter().map(|lock| lock.accepted).collect();
    let ends: Vec<bool> = versions.iter().map(|lock| lock.ends).collect();
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
    .bind(ids)
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

/// The newest accepted revision of the key of this version, whose row is locked.
pub async fn newest_accepted_revision(
    conn: &mut Conn,
    version: &RecordVersion,
) -> Result<Option<Revision>, Error> {
    let revision: Option<i64> = sqlx::query_scalar(
        "SELECT accepted_revision FROM rereport_head
         WHERE provider_code = $1 AND item_code = $2 AND key_digest = $3",
    )
    .bind(version.provider.as_str())
    .bind(version.item.code.as_str())
    .bind(&version.key_digest.as_bytes()[..])
    .fetch_optional(conn)
    .await?;
    // 0 while none was accepted.
    Ok(revision.and_then(|revision| revision.try_into().ok()))
}

/// Reads a column by name. A missing column is a mistake of the statement above it.
fn column<'r, T>(row: &'r PgRow, name: &str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name)
}

/// A row that breaks the rule of a type was not written by this service.
fn malformed(malformed: Malformed) -> Error {
    Error::Decode(Box::new(malformed))
}

/// The columns that name a version.
fn version(row: &PgRow) -> Result<RecordVersion, Error> {
    Ok(RecordVersion {
        id: checked_column::<Uuid, _>(row, "record_id")?,
        address: checked_column::<Uuid, _>(row, "record_address")?,
        provider: checked_column::<&str, _>(row, "provider_code")?,
        item: item(row, "item_code", "item_version")?,
        key_digest: checked_column::<&[u8], _>(row, "key_digest")?,
        revision: checked_column::<i64, _>(row, "revision")?,
    })
}

/// The columns that name a version of an item.
fn item(row: &PgRow, code: &str, version: &str) -> Result<ItemRef, Error> {
    ItemRef::from_columns(column(row, code)?, column(row, version)?).map_err(malformed)
}

/// The columns that name a record as its provider knows it.
fn key(row: &PgRow) -> Result<RecordKey, Error> {
    Ok(RecordKey {
        provider: checked_column::<&str, _>(row, "provider_code")?,
        item: checked_column::<&str, _>(row, "item_code")?,
        digest: checked_column::<&[u8], _>(row, "key_digest")?,
    })
}
