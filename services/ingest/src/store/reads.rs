//! The queries of the read RPCs. For a single original the log comes first: [`log_original_read`] has committed when it
//! returns, and only then [`read_original`] is called. Called by `app::reads`.

use std::collections::HashMap;

use record_ref::{ItemCode, KeyDigest, LedgerNumber, ProviderCode, VersionId};
use service_kit::db::{Conn, Error, Pool, checked_column};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{
    last_number,
    registry::{load_items, read_registration},
    stored, stored_columns, unsigned,
};
use crate::domain::{AnsweredVersion, CatalogueItem, Digest, ReportingRegistration, StoredVersion};

/// A version in a provider's ledger with its sealed labels.
#[derive(Clone, Debug)]
pub struct LedgerRow {
    /// The version.
    pub stored: StoredVersion,
    /// `intake::SubmissionLabels`, sealed under the version's id.
    pub sealed_labels: Vec<u8>,
}

/// What a provider may report is decided on this.
#[derive(Clone, Debug)]
pub struct ReportingScopeRows {
    /// Chinese name of the provider.
    pub name: String,
    /// Its registration.
    pub registration: ReportingRegistration,
    /// All items by code.
    pub items: HashMap<ItemCode, CatalogueItem>,
}

/// Accepted versions of one provider.
#[derive(Clone, Debug)]
pub struct ProviderTotal {
    /// Which.
    pub provider: ProviderCode,
    /// Versions accepted for processing: the last ledger number, because ledgers have no gaps.
    pub accepted: u64,
}

/// A line of the log of reads of originals.
#[derive(Debug)]
pub struct OriginalReadEntry<'a> {
    /// Its id; also the context under which account and reason are sealed.
    pub access_id: Uuid,
    /// When.
    pub accessed_at: OffsetDateTime,
    /// Credit code of the reader's organisation.
    pub organisation: &'a str,
    /// In which capacity: `domain::original::OriginalReader::as_str`.
    pub reader: &'static str,
    /// Account of the reader, sealed.
    pub sealed_account: Vec<u8>,
    /// Why, sealed.
    pub sealed_reason: Vec<u8>,
    /// The version that is asked for.
    pub version_id: VersionId,
}

/// An original as it is stored.
#[derive(Debug)]
pub struct Original {
    /// What is known of the version.
    pub stored: StoredVersion,
    /// `intake::SubmissionLabels`, sealed under the version's id.
    pub sealed_labels: Vec<u8>,
    /// The bytes as received, sealed under the version's id.
    pub sealed_content: Vec<u8>,
}

/// The answer to a submission.
pub async fn find_receipt(
    conn: &mut Conn,
    submission_digest: &Digest,
) -> Result<Option<AnsweredVersion>, Error> {
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
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(answered).transpose()
}

/// The same for a record of a reload: of one that was unchanged only its line is stored.
pub async fn find_reload_receipt(
    conn: &mut Conn,
    reload_no: i64,
    key_digest: &KeyDigest,
) -> Result<Option<AnsweredVersion>, Error> {
    let row = sqlx::query(concat!(
        "select l.unchanged, ",
        stored_columns!(),
        " from reload_line l join original o using (record_id)
          where l.reload_no = $1 and l.key_digest = $2"
    ))
    .bind(reload_no)
    .bind(key_digest.as_bytes().as_slice())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(answered).transpose()
}

/// Whether it was answered as unchanged, and the version.
fn answered(row: &PgRow) -> Result<AnsweredVersion, Error> {
    Ok(AnsweredVersion {
        unchanged: row.try_get(0)?,
        stored: stored(row, 1)?,
    })
}

/// The current version of the record of which this is a version.
pub async fn load_current_version(
    conn: &mut Conn,
    version_id: VersionId,
) -> Result<StoredVersion, Error> {
    let row = sqlx::query(concat!(
        "select ",
        stored_columns!(),
        " from original asked join original o using (key_digest)
          where asked.record_id = $1 order by o.revision desc limit 1"
    ))
    .bind(version_id.as_uuid())
    .fetch_one(conn)
    .await?;
    stored(&row, 0)
}

/// Versions of a provider with ledger numbers above `after`, ascending.
pub async fn list_ledger(
    conn: &mut Conn,
    provider: &ProviderCode,
    after: i64,
    limit: u32,
) -> Result<Vec<LedgerRow>, Error> {
    let rows = sqlx::query(concat!(
        "select o.sealed_labels, ",
        stored_columns!(),
        " from original o where o.provider_code = $1 and o.ledger_number > $2
          order by o.ledger_number limit $3"
    ))
    .bind(provider.as_str())
    .bind(after)
    .bind(i64::from(limit))
    .fetch_all(conn)
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

/// The last number of a provider's ledger; none before its first record.
pub async fn last_ledger_number<'c>(
    conn: impl sqlx::PgExecutor<'c>,
    provider: &ProviderCode,
) -> Result<Option<LedgerNumber>, Error> {
    let row = sqlx::query("select last_number from provider_ledger where provider_code = $1")
        .bind(provider.as_str())
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(None), |row| last_number(&row, 0))
}

/// Registration of a provider and all items; `None` for one that is not registered.
pub async fn load_reporting_scope(
    conn: &mut Conn,
    provider: &ProviderCode,
) -> Result<Option<ReportingScopeRows>, Error> {
    let provider =
        sqlx::query("select name, enabled, valid_from, valid_until from provider where code = $1")
            .bind(provider.as_str())
            .fetch_optional(&mut *conn)
            .await?;
    let Some(provider) = provider else {
        return Ok(None);
    };
    Ok(Some(ReportingScopeRows {
        name: provider.try_get(0)?,
        registration: read_registration(&provider, 1)?,
        items: load_items(conn, None).await?,
    }))
}

/// Accepted versions by provider.
pub async fn load_provider_totals(conn: &mut Conn) -> Result<Vec<ProviderTotal>, Error> {
    let rows = sqlx::query(
        "select provider_code, last_number from provider_ledger order by provider_code",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(ProviderTotal {
                provider: checked_column::<&str, _>(row, 0)?,
                accepted: unsigned(row, 1)?,
            })
        })
        .collect()
}

/// Writes who reads what and why; committed when it returns.
pub async fn log_original_read(pool: &Pool, access: &OriginalReadEntry<'_>) -> Result<(), Error> {
    sqlx::query(
        "insert into original_read (access_id, accessed_at, organisation, reader, sealed_account,
                                    sealed_reason, record_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(access.access_id)
    .bind(access.accessed_at)
    .bind(access.organisation)
    .bind(access.reader)
    .bind(&access.sealed_account)
    .bind(&access.sealed_reason)
    .bind(access.version_id.as_uuid())
    .execute(pool)
    .await?;
    Ok(())
}

/// The original of a version; with `own`, only if it is that provider's.
pub async fn read_original(
    pool: &Pool,
    version_id: VersionId,
    own: Option<&ProviderCode>,
) -> Result<Option<Original>, Error> {
    let row = sqlx::query(concat!(
        "select o.sealed_labels, o.sealed_content, ",
        stored_columns!(),
        " from original o
          where o.record_id = $1 and ($2::text is null or o.provider_code = $2)"
    ))
    .bind(version_id.as_uuid())
    .bind(own.map(ProviderCode::as_str))
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Original {
            sealed_labels: row.try_get(0)?,
            sealed_content: row.try_get(1)?,
            stored: stored(&row, 2)?,
        })
    })
    .transpose()
}
