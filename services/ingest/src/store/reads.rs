//! What the read RPCs ask for.

use service_kit::db::{Error, Pool};
use sqlx::Row;

use super::{stored, stored_columns, unsigned};
use crate::domain::{Digest, Stored};

/// A version in a provider's ledger with its sealed labels.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// The version.
    pub stored: Stored,
    /// `intake::Labels`, sealed under the record id.
    pub sealed_labels: Vec<u8>,
}

/// An item version that may be reported.
#[derive(Clone, Debug)]
pub struct ScopeItem {
    /// Code of the item.
    pub code: String,
    /// The version in force.
    pub version: u32,
    /// Chinese name.
    pub name: String,
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
    provider_code: &str,
    submission_digest: &Digest,
) -> Result<Option<(Stored, bool)>, Error> {
    let row = sqlx::query(concat!(
        "select s.unchanged, ",
        stored_columns!(),
        " from submission s join original o using (record_id)
          where s.provider_code = $1 and s.submission_digest = $2"
    ))
    .bind(provider_code)
    .bind(submission_digest.as_slice())
    .fetch_optional(pool)
    .await?;
    row.map(|row| Ok((stored(&row, 1)?, row.try_get(0)?)))
        .transpose()
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
pub async fn ledger_last(pool: &Pool, provider_code: &str) -> Result<u64, Error> {
    let last: Option<i64> =
        sqlx::query_scalar("select last_number from provider_ledger where provider_code = $1")
            .bind(provider_code)
            .fetch_optional(pool)
            .await?;
    Ok(last.unwrap_or_default() as u64)
}

/// Name and standing of a provider with the item versions in force; `None` for a stranger.
pub async fn scope(
    pool: &Pool,
    provider_code: &str,
) -> Result<Option<(String, bool, Vec<ScopeItem>)>, Error> {
    let provider = sqlx::query("select name, enabled from provider where code = $1")
        .bind(provider_code)
        .fetch_optional(pool)
        .await?;
    let Some(provider) = provider else {
        return Ok(None);
    };
    let items = sqlx::query(
        "select distinct on (code) code, version, name from item_version
         order by code, version desc",
    )
    .fetch_all(pool)
    .await?;
    let items = items
        .iter()
        .map(|row| {
            Ok(ScopeItem {
                code: row.try_get(0)?,
                version: row.try_get::<i32, _>(1)? as u32,
                name: row.try_get(2)?,
            })
        })
        .collect::<Result<_, Error>>()?;
    Ok(Some((provider.try_get(0)?, provider.try_get(1)?, items)))
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
