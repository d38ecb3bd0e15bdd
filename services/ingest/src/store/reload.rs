//! Full reloads: the reload itself, one narrow line for each record that it named, and the records that it did not
//! name. Called by `app`, `batch` and `crate::reload`.

use record_ref::{ItemCode, ItemRef, KeyDigest, LedgerNumber, ProviderCode};
use service_kit::db::{Conn, Error, Pool, checked_column};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{digest, last_column, last_number, stored, stored_columns, unsigned};
use crate::domain::{
    Digest, IngestBatchState, ReloadLine, SealedSubmission, StoredVersion, VersionContent,
    reload::{Reload, ReloadOutcome},
};

const RELOAD: &str = "reload_no, item_code, item_version, ended_at is not null, declared, up_to,
     unchanged, accepted, refused, missing";

fn reload(row: &PgRow) -> Result<Reload, Error> {
    let ended: bool = row.try_get(3)?;
    let end = if ended {
        Some(ReloadOutcome {
            declared: unsigned(row, 4)?,
            last_ledger_number: last_number(row, 5)?,
            unchanged: unsigned(row, 6)?,
            accepted: unsigned(row, 7)?,
            refused: unsigned(row, 8)?,
            missing: row.try_get::<Option<i64>, _>(9)?.map(|n| n as u64),
        })
    } else {
        None
    };
    Ok(Reload {
        number: row.try_get(0)?,
        item: checked_column::<&str, _>(row, 1)?,
        item_version: row.try_get::<i32, _>(2)? as u32,
        end,
    })
}

/// The provider's reload of this id.
pub async fn find_reload<'c>(
    conn: impl sqlx::PgExecutor<'c>,
    provider: &ProviderCode,
    reload_digest: &Digest,
) -> Result<Option<Reload>, Error> {
    let statement =
        format!("select {RELOAD} from reload where provider_code = $1 and reload_digest = $2");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(provider.as_str())
        .bind(reload_digest.as_slice())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(reload).transpose()
}

/// Stores the beginning of a reload, unless another stream was faster.
pub async fn insert_reload(
    conn: &mut Conn,
    provider: &ProviderCode,
    reload_digest: &Digest,
    item: &ItemCode,
    item_version: u32,
    begun_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "insert into reload (provider_code, reload_digest, item_code, item_version, begun_at)
         values ($1, $2, $3, $4, $5) on conflict do nothing",
    )
    .bind(provider.as_str())
    .bind(reload_digest.as_slice())
    .bind(item.as_str())
    .bind(item_version as i32)
    .bind(begun_at)
    .execute(conn)
    .await?;
    Ok(())
}

/// The reload, locked until the end of the transaction: one batch of its records after the other, and its end
/// after all of them.
pub async fn lock_reload(conn: &mut Conn, reload_no: i64) -> Result<Reload, Error> {
    let statement = format!("select {RELOAD} from reload where reload_no = $1 for no key update");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(reload_no)
        .fetch_one(conn)
        .await?;
    reload(&row)
}

/// Loads the state of the reloads of a batch; nothing for a batch without any. Locks the reloads that records of the
/// batch belong to, after the ledgers.
pub async fn load_reload_state(
    conn: &mut Conn,
    submissions: &[SealedSubmission],
    batch: &mut IngestBatchState,
) -> Result<(), Error> {
    let of_reloads = submissions.iter().filter_map(|s| {
        s.reload_number
            .map(|reload_no| (reload_no, s.key.digest.as_ref()))
    });
    let (numbers, keys): (Vec<i64>, Vec<&[u8]>) = of_reloads.unzip();
    if !numbers.is_empty() {
        let open = sqlx::query_scalar::<_, i64>(
            "select reload_no from reload where reload_no = any($1) and ended_at is null
             order by reload_no for no key update",
        )
        .bind(&numbers)
        .fetch_all(&mut *conn)
        .await?;
        batch.open_reloads.extend(open);
        let rows = sqlx::query(concat!(
            "select l.reload_no, l.key_digest, l.unchanged, ",
            stored_columns!(),
            " from unnest($1::bigint[], $2::bytea[]) as asked (reload_no, key_digest)
              join reload_line l using (reload_no, key_digest)
              join original o using (record_id)"
        ))
        .bind(&numbers)
        .bind(keys)
        .fetch_all(&mut *conn)
        .await?;
        for row in &rows {
            let line = ReloadLine {
                unchanged: row.try_get(2)?,
                stored: stored(row, 3)?,
            };
            let key = (row.try_get(0)?, checked_column::<&[u8], _>(row, 1)?);
            batch.reload_lines.insert(key, line);
        }
    }
    let prefixes = submissions.iter().filter_map(|s| {
        let prefix = s.reload_prefix.as_ref()?;
        Some((s.key.provider.as_str(), prefix.as_slice()))
    });
    let (providers, prefixes): (Vec<&str>, Vec<&[u8]>) = prefixes.unzip();
    if !prefixes.is_empty() {
        let rows = sqlx::query(
            "select provider_code, reload_digest from reload
             where (provider_code, reload_digest) in (select * from unnest($1::text[], $2::bytea[]))",
        )
        .bind(providers)
        .bind(prefixes)
        .fetch_all(conn)
        .await?;
        for row in &rows {
            let provider = checked_column::<&str, _>(row, 0)?;
            batch.reload_ids.insert((provider, digest(row, 1)?));
        }
    }
    Ok(())
}

/// Stores the lines of a batch; those of records that were named before are there already.
pub async fn insert_lines(
    conn: &mut Conn,
    lines: &[(&SealedSubmission, &StoredVersion, bool)],
) -> Result<(), Error> {
    if lines.is_empty() {
        return Ok(());
    }
    let numbers: Vec<Option<i64>> = lines.iter().map(|(line, ..)| line.reload_number).collect();
    let keys: Vec<&[u8]> = lines.iter().map(|(l, ..)| l.key.digest.as_ref()).collect();
    let versions = lines.iter().map(|(_, s, _)| s.version.id.as_uuid());
    let unchanged: Vec<bool> = lines.iter().map(|(.., unchanged)| *unchanged).collect();
    sqlx::query(
        "insert into reload_line (reload_no, key_digest, record_id, unchanged)
         select * from unnest($1::bigint[], $2::bytea[], $3::uuid[], $4::bool[])
         on conflict do nothing",
    )
    .bind(numbers)
    .bind(keys)
    .bind(versions.collect::<Vec<Uuid>>())
    .bind(unchanged)
    .execute(conn)
    .await?;
    Ok(())
}

/// The digests by which a record of a reload is looked up.
#[derive(Clone, Copy, Debug)]
pub struct ReloadLookup<'a> {
    /// Keyed hash of the record key.
    pub key_digest: &'a KeyDigest,
    /// What it says.
    pub content: &'a VersionContent,
    /// Keyed hash of the submission id that it has in the reload.
    pub submission_digest: &'a Digest,
}

/// A record that is known.
#[derive(Clone, Debug)]
pub struct ReloadMatch {
    /// The version that it is answered with.
    pub line: ReloadLine,
    /// Whether the reload had named it before, maybe with other content.
    pub named_before: bool,
}

/// Finds which records the reload has named before, and which are equal to the current version of their key; it stores
/// the lines of the latter. One statement for all; the records that it does not return have to go through the ledger.
///
/// Each record is looked up by `lateral … limit 1`: written as a join, the statement is planned as a pass over all
/// records of the provider as long as the statistics of the tables are old.
/// `pinned` is the version of the item that they are pinned to; with `None` only what was named before is found.
pub async fn match_known_records(
    conn: &mut Conn,
    reload: &Reload,
    pinned: Option<&ItemRef>,
    named: &[ReloadLookup<'_>],
) -> Result<Vec<Option<ReloadMatch>>, Error> {
    let rows = sqlx::query(concat!(
        "with found as materialized (
             select a.nth, l.record_id is not null as named_before, coalesce(l.unchanged, true) as unchanged, ",
        stored_columns!(),
        "    from unnest($2::bytea[], $3::bytea[], $4::text[], $5::bytea[])
                  with ordinality as a (key_digest, sha256, content_type, submission_digest, nth)
             left join lateral (
                 select l.record_id, l.unchanged from reload_line l
                 where l.reload_no = $1 and l.key_digest = a.key_digest limit 1) l on true
             left join lateral (
                 select v.record_id from original v
                 where l.record_id is null and v.key_digest = a.key_digest
                 order by v.revision desc limit 1) h on true
             cross join lateral (
                 select * from original v
                 where v.record_id = coalesce(l.record_id, h.record_id) limit 1) o
             -- An id that a submission had before is answered as that one was.
             left join lateral (
                 select v.record_id from original v
                 where l.record_id is null and v.submission_digest = a.submission_digest
                 union all
                 select s.record_id from submission s
                 where l.record_id is null and s.submission_digest = a.submission_digest
                 limit 1) s on true
             where l.record_id is not null
                 or s.record_id is null and o.operation = 1 and o.item_version = $6
                     and o.content_sha256 = a.sha256 and o.content_type = a.content_type),
         kept as (
             insert into reload_line (reload_no, key_digest, record_id, unchanged)
             select $1, key_digest, record_id, true from found where not named_before
             on conflict do nothing)
         select nth, named_before, unchanged, ",
        stored_columns!(),
        " from found o"
    ))
    .bind(reload.number)
    .bind(column(named, |n| n.key_digest.as_ref()))
    .bind(column(named, |n| n.content.sha256.as_slice()))
    .bind(column(named, |n| n.content.content_type.as_str()))
    .bind(column(named, |n| n.submission_digest.as_slice()))
    .bind(pinned.map(ItemRef::version_column))
    .fetch_all(conn)
    .await?;
    let mut known = vec![None; named.len()];
    for row in &rows {
        let nth = row.try_get::<i64, _>(0)? as usize;
        if let Some(slot) = known.get_mut(nth - 1) {
            *slot = Some(ReloadMatch {
                named_before: row.try_get(1)?,
                line: ReloadLine {
                    unchanged: row.try_get(2)?,
                    stored: stored(row, 3)?,
                },
            });
        }
    }
    Ok(known)
}

fn column<'a, T>(named: &[ReloadLookup<'a>], get: impl Fn(&ReloadLookup<'a>) -> T) -> Vec<T> {
    named.iter().map(get).collect()
}

/// How many lines a reload has: unchanged ones and new versions.
pub async fn count_lines(conn: &mut Conn, reload_no: i64) -> Result<(u64, u64), Error> {
    let row = sqlx::query(
        "select count(*) filter (where unchanged), count(*) filter (where not unchanged)
         from reload_line where reload_no = $1",
    )
    .bind(reload_no)
    .fetch_one(conn)
    .await?;
    Ok((unsigned(&row, 0)?, unsigned(&row, 1)?))
}

/// Stores the end of a reload.
pub async fn update_reload_end(
    conn: &mut Conn,
    reload_no: i64,
    end: &ReloadOutcome,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "update reload set ended_at = $2, declared = $3, up_to = $4, unchanged = $5,
                accepted = $6, refused = $7
         where reload_no = $1",
    )
    .bind(reload_no)
    .bind(now)
    .bind(end.declared as i64)
    .bind(last_column(end.last_ledger_number))
    .bind(end.unchanged as i64)
    .bind(end.accepted as i64)
    .bind(end.refused as i64)
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores how many records were missing; the number is the same at every count.
pub async fn update_missing_count(pool: &Pool, reload_no: i64, missing: u64) -> Result<(), Error> {
    sqlx::query("update reload set missing = $2 where reload_no = $1 and missing is null")
        .bind(reload_no)
        .bind(missing as i64)
        .execute(pool)
        .await?;
    Ok(())
}

/// A record that a reload did not name.
#[derive(Clone, Debug)]
pub struct MissingVersion {
    /// The version that was current at the end of the reload.
    pub stored: StoredVersion,
    /// `intake::SubmissionLabels`, sealed under the version's id.
    pub sealed_labels: Vec<u8>,
}

/// One page of the records that a reload did not name.
#[derive(Clone, Debug)]
pub struct MissingPage {
    /// In the order of the ledger.
    pub missing: Vec<MissingVersion>,
    /// The ledger number after which the next page begins; `None` after the last.
    pub next: Option<LedgerNumber>,
}

/// Records of the reload's item and provider that were current at its end, neither revoked nor withdrawn, and were not
/// named: among the next `limit` versions of the provider's ledger after the number `after`. Later versions change
/// nothing, so the list is the same whenever it is asked for. The number of versions that are scanned bounds the time,
/// however few are missing.
pub async fn load_missing_page(
    pool: &Pool,
    provider: &ProviderCode,
    reload: &Reload,
    up_to: Option<LedgerNumber>,
    after: Option<LedgerNumber>,
    limit: i64,
) -> Result<MissingPage, Error> {
    // The last version that was scanned comes too, missing or not: the next page starts after it.
    let rows = sqlx::query(concat!(
        "with scanned as materialized (
             select v.*, row_number() over (order by v.ledger_number) as nth
             from original v
             where v.provider_code = $1 and v.ledger_number > $5 and v.ledger_number <= $4
             order by v.ledger_number limit $6),
         judged as (
             select o.*, o.item_code = $2 and o.operation = 1 and l.named is null and n.newer is null as missing
             from scanned o
             left join lateral (
                 select true as named from reload_line l
                 where l.reload_no = $3 and l.key_digest = o.key_digest limit 1) l on true
             -- Of several versions of a record the newest one at the end of the reload stands.
             left join lateral (
                 select true as newer from original v
                 where v.key_digest = o.key_digest and v.revision > o.revision and v.ledger_number <= $4
                 limit 1) n on true)
         select o.nth, o.missing, o.sealed_labels, ",
        stored_columns!(),
        " from judged o where o.missing or o.nth = $6 order by o.nth"
    ))
    .bind(provider.as_str())
    .bind(reload.item.as_str())
    .bind(reload.number)
    .bind(last_column(up_to))
    .bind(last_column(after))
    .bind(limit)
    .fetch_all(pool)
    .await?;
    let mut page = MissingPage {
        missing: Vec::new(),
        next: None,
    };
    for row in &rows {
        let version = MissingVersion {
            sealed_labels: row.try_get(2)?,
            stored: stored(row, 3)?,
        };
        if row.try_get::<i64, _>(0)? == limit {
            page.next = Some(version.stored.ledger_number);
        }
        if row.try_get(1)? {
            page.missing.push(version);
        }
    }
    Ok(page)
}
