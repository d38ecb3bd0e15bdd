//! The reads of a replay of rules, and the log of who ran it. Called by `app::replay`.

use std::collections::BTreeMap;

use record_ref::{ItemCode, ItemRef, ProviderCode, VersionId};
use service_kit::db::{Error, Pool, checked_column};
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::app::replay::ReplayScope;

/// A row of the log of replays.
#[derive(Debug)]
pub struct ReplayAccessEntry<'a> {
    /// Its id; also the context under which account, reason and definition are sealed.
    pub access_id: Uuid,
    /// When.
    pub accessed_at: OffsetDateTime,
    /// Credit code of the reader's organisation.
    pub organisation: &'a str,
    /// Account of the reader, sealed.
    pub sealed_account: Vec<u8>,
    /// Why, sealed.
    pub sealed_reason: Vec<u8>,
    /// Item and version of the definition that is tried out.
    pub item: &'a ItemRef,
    /// Its text, sealed.
    pub sealed_definition: Vec<u8>,
    /// SHA-256 of its text.
    pub definition_sha256: [u8; 32],
    /// Which originals.
    pub scope: &'a ReplayScope,
}

/// An original as it is judged again.
#[derive(Debug)]
pub struct ReplayOriginal {
    /// The version.
    pub version_id: VersionId,
    /// Version of the item that it is pinned to.
    pub item_version: u32,
    /// When it was accepted for processing.
    pub received_at: OffsetDateTime,
    /// MIME type of the bytes.
    pub content_type: String,
    /// The bytes, sealed under the version's id.
    pub sealed_content: Vec<u8>,
}

/// A page of originals.
#[derive(Debug)]
pub struct ReplayPage {
    /// Those that are asked for, in order.
    pub originals: Vec<ReplayOriginal>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<ReplayPageStart>,
}

/// How much a page holds at most.
#[derive(Clone, Copy, Debug)]
pub struct ReplayPageSize {
    /// Originals.
    pub records: i64,
    /// Bytes of sealed content, but one original at least.
    pub bytes: i64,
    /// Rows that are scanned, whether they are asked for or not: what bounds the time of a page.
    pub scanned: i64,
}

/// After which number of a provider's ledger a page starts; the default is before the first.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplayPageStart(i64);

/// Writes who reads what and why, committed when it returns.
pub async fn log_replay_access(pool: &Pool, access: &ReplayAccessEntry<'_>) -> Result<(), Error> {
    let scope = access.scope;
    sqlx::query(
        "insert into original_access
             (access_id, accessed_at, organisation, sealed_account, sealed_reason, item_code,
              item_version, definition_sha256, provider_code, received_from, received_to,
              pinned_versions, most_originals, sealed_definition)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(access.access_id)
    .bind(access.accessed_at)
    .bind(access.organisation)
    .bind(&access.sealed_account)
    .bind(&access.sealed_reason)
    .bind(access.item.code.as_str())
    .bind(access.item.version_column())
    .bind(access.definition_sha256.as_slice())
    .bind(scope.provider.as_ref().map_or("", ProviderCode::as_str))
    .bind(scope.received_from)
    .bind(scope.received_to)
    .bind(&scope.pinned_versions)
    .bind(
        scope
            .limit
            .map(|limit| i64::try_from(limit).unwrap_or(i64::MAX)),
    )
    .bind(&access.sealed_definition)
    .execute(pool)
    .await?;
    Ok(())
}

/// Every version of an item with its definition (JSON), as far as it is known.
pub async fn load_definitions(
    pool: &Pool,
    item: &ItemCode,
) -> Result<BTreeMap<u32, Option<String>>, Error> {
    let rows = sqlx::query("select version, definition from item_version where code = $1")
        .bind(item.as_str())
        .fetch_all(pool)
        .await?;
    rows.iter()
        .map(|row| Ok((row.try_get::<i32, _>(0)? as u32, row.try_get(1)?)))
        .collect()
}

/// Whether the registry has ever named this provider.
pub async fn provider_exists(pool: &Pool, provider: &ProviderCode) -> Result<bool, Error> {
    sqlx::query_scalar("select exists (select from provider where code = $1)")
        .bind(provider.as_str())
        .fetch_one(pool)
        .await
}

/// The next originals of a provider and item, in a transaction that can only read. In the order of the
/// ledger, so a page is one short range of its index.
pub async fn load_originals_page(
    pool: &Pool,
    provider: &ProviderCode,
    item: &ItemCode,
    scope: &ReplayScope,
    after: ReplayPageStart,
    size: ReplayPageSize,
) -> Result<ReplayPage, Error> {
    let mut tx = pool.begin_with("begin read only").await?;
    // The last row that was scanned comes too: the next page starts after it.
    let rows = sqlx::query(
        "with scanned as materialized (
             select record_id, item_version, received_at, content_type, ledger_number,
                    octet_length(sealed_content) as size,
                    item_code = $2 and ($4::timestamptz is null or received_at >= $4) and received_at <= $5
                    and (cardinality($6::int[]) = 0 or item_version = any($6))
                    -- what ends a record has a reason and no values to judge
                    and operation = 1 as wanted
             from original
             where provider_code = $1 and ledger_number > $3
             order by ledger_number limit $9),
         numbered as (
             select scanned.*, row_number() over page as nth, count(*) over () as rows,
                    count(*) filter (where wanted) over page as records,
                    sum(size) filter (where wanted) over page as bytes
             from scanned window page as (order by ledger_number))
         select record_id, item_version, received_at, ledger_number, wanted, rows, content_type,
                (select o.sealed_content from original o where o.record_id = numbered.record_id
                 and wanted and records <= $7 and bytes - size < $8)
         from numbered where wanted or nth = rows order by nth",
    )
    .bind(provider.as_str())
    .bind(item.as_str())
    .bind(after.0)
    .bind(scope.not_before)
    .bind(scope.not_after)
    .bind(&scope.pinned_versions)
    .bind(size.records)
    .bind(size.bytes)
    .bind(size.scanned)
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut page = ReplayPage {
        originals: Vec::new(),
        next: None,
    };
    for row in &rows {
        let content: Option<Vec<u8>> = row.try_get(7)?;
        if row.try_get(4)? {
            // The first that is asked for and has no room: the next page starts before it.
            let Some(sealed_content) = content else {
                return Ok(page);
            };
            page.originals.push(ReplayOriginal {
                version_id: checked_column::<Uuid, _>(row, 0)?,
                item_version: row.try_get::<i32, _>(1)? as u32,
                received_at: row.try_get(2)?,
                content_type: row.try_get(6)?,
                sealed_content,
            });
        }
        page.next = Some(ReplayPageStart(row.try_get(3)?));
    }
    // All scanned rows are done with; fewer rows than the limit were the last ones.
    let rows: i64 = rows.first().map_or(Ok(0), |row| row.try_get(5))?;
    if rows < size.scanned {
        page.next = None;
    }
    Ok(page)
}
