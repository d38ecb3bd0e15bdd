//! The statements around one batch: one round trip each, however many records.

use std::collections::{BTreeSet, HashMap};

use record_ref::{LedgerNumber, ProviderCode};
use service_kit::db::{Conn, CopyIn, Error, checked_column};
use sqlx::Row;
use uuid::Uuid;

use super::{
    digest, last_column, last_number,
    registry::{load_items, read_registration},
    reload, stored, stored_columns,
};
use crate::domain::{
    EarlierSubmission, IngestBatchState, ReportingRegistration, SealedSubmission, StoredVersion,
};

type Ledgers = HashMap<ProviderCode, Option<LedgerNumber>>;

/// Loads what the submissions are decided on. Locks the ledger of each provider until the end of
/// the transaction, in one order, so that batches of one provider follow one another.
pub async fn load_batch(
    conn: &mut Conn,
    submissions: &[SealedSubmission],
) -> Result<IngestBatchState, Error> {
    let providers: BTreeSet<&str> = submissions
        .iter()
        .map(|s| s.key.provider.as_str())
        .collect();
    let providers: Vec<&str> = providers.into_iter().collect();
    let (providers, ledgers) = lock_providers(conn, &providers).await?;
    let mut batch = IngestBatchState {
        providers,
        last_ledger_numbers: ledgers,
        ..IngestBatchState::default()
    };
    let codes: BTreeSet<&str> = submissions.iter().map(|s| s.key.item.as_str()).collect();
    let codes: Vec<&str> = codes.into_iter().collect();
    batch.items = load_items(conn, Some(&codes)).await?;
    load_earlier_and_current(conn, submissions, &mut batch).await?;
    reload::load_reload_state(conn, submissions, &mut batch).await?;
    Ok(batch)
}

/// Registrations and last ledger numbers of providers, the ledgers locked until the end of the transaction. A provider
/// has a ledger since its registration.
async fn lock_providers(
    conn: &mut Conn,
    codes: &[&str],
) -> Result<(HashMap<ProviderCode, ReportingRegistration>, Ledgers), Error> {
    let rows = sqlx::query(
        "select l.provider_code, l.last_number, p.enabled, p.valid_from, p.valid_until
         from provider_ledger l join provider p on p.code = l.provider_code
         where l.provider_code = any($1) order by l.provider_code for update of l",
    )
    .bind(codes)
    .fetch_all(conn)
    .await?;
    let mut registrations = HashMap::new();
    let mut ledgers = HashMap::new();
    for row in &rows {
        let provider = checked_column::<&str, _>(row, 0)?;
        ledgers.insert(provider, last_number(row, 1)?);
        registrations.insert(provider, read_registration(row, 2)?);
    }
    Ok((registrations, ledgers))
}

/// Locks the ledger of a provider until the end of the transaction.
pub async fn lock_ledger(conn: &mut Conn, provider: &ProviderCode) -> Result<(), Error> {
    sqlx::query("select from provider_ledger where provider_code = $1 for update")
        .bind(provider.as_str())
        .execute(conn)
        .await?;
    Ok(())
}

/// Earlier submissions under the same ids and current versions of the same keys, in one round trip. Each look-up is
/// lateral with a limit, so that it goes by its index whatever the planner knows of tables that grow.
async fn load_earlier_and_current(
    conn: &mut Conn,
    submissions: &[SealedSubmission],
    batch: &mut IngestBatchState,
) -> Result<(), Error> {
    let rows = sqlx::query(concat!(
        "select a.nth, s.request_digest, s.unchanged, ",
        stored_columns!(),
        " from unnest($1::bytea[]) with ordinality as a (submission_digest, nth)
          cross join lateral (
              select v.request_digest, false as unchanged, v.record_id from original v
              where v.submission_digest = a.submission_digest
              union all
              select s.request_digest, s.unchanged, s.record_id from submission s
              where s.submission_digest = a.submission_digest
              limit 1) s
          left join lateral (select * from original v where v.record_id = s.record_id limit 1) o on true
          union all
          select a.nth, null, null, ",
        stored_columns!(),
        " from unnest($2::bytea[]) with ordinality as a (key_digest, nth)
          cross join lateral (
              select * from original v where v.key_digest = a.key_digest
              order by v.revision desc limit 1) o"
    ))
    .bind(digests(submissions, |s| &s.submission_digest))
    .bind(digests(submissions, |s| s.key.digest.as_bytes()))
    .fetch_all(conn)
    .await?;
    for row in &rows {
        let nth = row.try_get::<i64, _>(0)? as usize;
        let Some(submission) = submissions.get(nth - 1) else {
            continue;
        };
        let key = &submission.key;
        let Some(unchanged) = row.try_get(2)? else {
            batch.current_versions.insert(key.clone(), stored(row, 3)?);
            continue;
        };
        let earlier = EarlierSubmission {
            request_digest: digest(row, 1)?,
            unchanged,
            // Without an original it is the id of a nil report.
            stored: match row.try_get::<Option<Uuid>, _>(3)? {
                Some(_) => Some(stored(row, 3)?),
                None => None,
            },
        };
        let id = (key.provider, submission.submission_digest);
        batch.earlier_submissions.insert(id, earlier);
    }
    Ok(())
}

fn digests<'a>(
    rows: &'a [SealedSubmission],
    get: impl Fn(&'a SealedSubmission) -> &'a [u8; 32],
) -> Vec<&'a [u8]> {
    rows.iter().map(|row| get(row).as_slice()).collect()
}

/// Appends the originals of new versions and moves the ledgers on.
pub async fn insert_originals(
    conn: &mut Conn,
    fresh: &[(&SealedSubmission, &StoredVersion)],
    ledgers: &Ledgers,
) -> Result<(), Error> {
    if fresh.is_empty() {
        return Ok(());
    }
    let mut rows = CopyIn::new(
        "copy original
             (record_id, record_address, provider_code, item_code, item_version, key_digest, revision, ledger_number,
              content_type, content_sha256, sealed_content, sealed_labels, received_at, operation, submission_digest,
              request_digest)
         from stdin (format binary)",
        16,
    );
    for (incoming, stored) in fresh {
        let version = &stored.version;
        rows.row()
            .put(version.id.as_uuid())
            .put(version.address.as_uuid())
            .put(version.provider.as_str())
            .put(version.item.code.as_str())
            .put(version.item.version_column())
            .put(version.key_digest.as_bytes().as_slice())
            .put(version.revision.as_i64())
            .put(stored.ledger_number.as_i64())
            .put(stored.content.content_type.as_str())
            .put(stored.content.sha256.as_slice())
            .put(incoming.sealed_content.as_slice())
            .put(incoming.sealed_labels.as_slice())
            .put(stored.received_at)
            .put(stored.content.operation.number())
            .put(incoming.submission_digest.as_slice())
            .put(incoming.request_digest.as_slice());
    }
    rows.send(conn).await?;
    let (providers, numbers): (Vec<&str>, Vec<i64>) = ledgers
        .iter()
        .map(|(provider, last)| (provider.as_str(), last_column(*last)))
        .unzip();
    sqlx::query(
        "update provider_ledger l set last_number = new.last_number
         from unnest($1::text[], $2::bigint[]) as new (provider_code, last_number)
         where l.provider_code = new.provider_code and l.last_number <> new.last_number",
    )
    .bind(providers)
    .bind(numbers)
    .execute(conn)
    .await?;
    Ok(())
}

/// Remembers the submission ids of unchanged ones; a new version holds its own.
pub async fn insert_submissions(
    conn: &mut Conn,
    unchanged: &[(&SealedSubmission, &StoredVersion)],
) -> Result<(), Error> {
    if unchanged.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into submission
             (provider_code, submission_digest, request_digest, record_id, unchanged)
         select u.*, true from unnest($1::text[], $2::bytea[], $3::bytea[], $4::uuid[]) as u",
    )
    .bind(column(unchanged, |i, _| i.key.provider.as_str()))
    .bind(column(unchanged, |i, _| i.submission_digest.as_slice()))
    .bind(column(unchanged, |i, _| i.request_digest.as_slice()))
    .bind(column(unchanged, |_, stored| stored.version.id.as_uuid()))
    .execute(conn)
    .await?;
    Ok(())
}

fn column<'a, T>(
    rows: &'a [(&'a SealedSubmission, &'a StoredVersion)],
    get: impl Fn(&'a SealedSubmission, &'a StoredVersion) -> T,
) -> Vec<T> {
    rows.iter()
        .map(|(incoming, stored)| get(incoming, stored))
        .collect()
}
