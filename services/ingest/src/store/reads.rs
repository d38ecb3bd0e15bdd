//! What the read RPCs ask for.

use std::collections::HashMap;

use service_kit::db::{Error, Pool};
use sqlx::Row;
use uuid::Uuid;

use super::{
    registry::{items, registration},
    stored, stored_columns, unsigned,
};
use crate::domain::{Digest, Item, Registration, Stored};

/// A version in a provider's ledger with its sealed labels.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// The version.
    pub stored: Stored,
    /// `intake::Labels`, sealed under the record id.
    pub sealed_labels: Vec<u8>,
}

/// What decides what a provider may report.
#[derive(Clone, Debug)]
pub struct Scope {
    /// Chinese name of the provider.
    pub name: String,
    /// Its registration.
    pub registration: Registration,
    /// All items by code.
    pub items: HashMap<String, Item>,
}

/// Accepted versions of one provider.
#[derive(Clone, Debug)]
pub struct ProviderTotal {
    /// Credit code.
    pub provider_code: String,
    /// Versions accepted for processing: the last ledger number, because ledgers have no gaps.
    pub accepted: u64,
}

/// What a submission was answered with, and whether as unchanged.
pub async fn receipt(
    pool: &Pool,
    submission_digest: &Digest,
) -> Result<Option<(Stored, bool)>, Error> {
    let row = sqlx::query(concat!(
        "select false, ",
        stored_columns!(),
        " from original o where o.submission_digest = $1
          union all
          select s.unchanged, ",
        stored_columns!(),
        " from submission s join original o using (record_id) where s.submission_digest = $1"
    ))
    .bind(submission_digest.as_slice())
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok((stored(&row, 1)?, row.try_get(0)?)))
        .transpose()
}

/// The same for a record of a reload: of one that was unchanged nothing but its line is kept.
pub async fn receipt_of_line(
    pool: &Pool,
    reload_no: i64,
    key_digest: &Digest,
) -> Result<Option<(Stored, bool)>, Error> {
    let row = sqlx::query(concat!(
        "select l.unchanged, ",
        stored_columns!(),
        " from reload_line l join original o using (record_id)
          where l.reload_no = $1 and l.key_digest = $2"
    ))
    .bind(reload_no)
    .bind(key_digest.as_slice())
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok((stored(&row, 1)?, row.try_get(0)?)))
        .transpose()
}

/// The current version of the record of which this is a version.
pub async fn current(pool: &Pool, record_id: Uuid) -> Result<Stored, Error> {
    let row = sqlx::query(concat!(
        "select ",
        stored_columns!(),
        " from original asked join original o using (key_digest)
          where asked.record_id = $1 order by o.revision desc limit 1"
    ))
    .bind(record_id)
    .fetch_one(pool)
    .await?;
    stored(&row, 0)
}

/// Versions of a provider with ledger numbers above `after`, ascending.
pub async fn ledger_after(
    pool: &Pool,
    provider_code: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<LedgerRow>, Error> {
    let rows = sqlx::query(concat!(
        "select o.sealed_labels, ",
        stored_columns!(),
        " from original o where o.provider_code = $1 and o.ledger_number > $2
          order by o.ledger_number limit $3"
    ))
    .bind(provider_code)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(LedgerRow {
                sealed_labels: row.try_get(0)?,
                stored: stored(row, 1)?,
            })
        })
        .collect()
}

/// The last number of a provider's ledger; 0 before its first record.
pub async fn ledger_last<'c>(
    conn: impl sqlx::PgExecutor<'c>,
    provider_code: &str,
) -> Result<u64, Error> {
    let last: Option<i64> =
        sqlx::query_scalar("select last_number from provider_ledger where provider_code = $1")
            .bind(provider_code)
            .fetch_optional(conn)
            .await?;
    Ok(last.unwrap_or_default() as u64)
}

/// Registration of a provider and all items; `None` for a stranger.
pub async fn scope(pool: &Pool, provider_code: &str) -> Result<Option<Scope>, Error> {
    let mut conn = pool.acquire().await?;
    let provider =
        sqlx::query("select name, enabled, valid_from, valid_until from provider where code = $1")
            .bind(provider_code)
            .fetch_optional(&mut *conn)
            .await?;
    let Some(provider) = provider else {
        return Ok(None);
    };
    Ok(Some(Scope {
        name: provider.try_get(0)?,
        registration: registration(&provider, 1)?,
        items: items(&mut conn, None).await?,
    }))
}

/// Accepted versions by provider.
pub async fn totals(pool: &Pool) -> Result<Vec<ProviderTotal>, Error> {
    let rows = sqlx::query(
        "select provider_code, last_number from provider_ledger order by provider_code",
    )
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ProviderTotal {
                provider_code: row.try_get(0)?,
                accepted: unsigned(row, 1)?,
            })
        })
        .collect()
}
