//! A single original, and the log of who read one. The log comes first: `grpc` calls [`log_read`], which has committed
//! when it returns, and only then [`read`].

use service_kit::db::{Error, Pool};
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{digest, stored, stored_columns};
use crate::domain::{RecordKey, Stored};

/// A line of the log.
#[derive(Debug)]
pub struct Access<'a> {
    /// Names it; also the context under which account and reason are sealed.
    pub access_id: Uuid,
    /// When.
    pub accessed_at: OffsetDateTime,
    /// Credit code of the reader's organisation.
    pub organisation: &'a str,
    /// As what: the word of `domain::reading::Reader`.
    pub reader: &'static str,
    /// Account of the reader, sealed.
    pub sealed_account: Vec<u8>,
    /// Why, sealed.
    pub sealed_reason: Vec<u8>,
    /// The version that is asked for.
    pub record_id: Uuid,
}

/// An original as it lies in the table.
#[derive(Debug)]
pub struct Original {
    /// Whose record it is a version of.
    pub key: RecordKey,
    /// What is known of the version.
    pub stored: Stored,
    /// `intake::Labels`, sealed under the record id.
    pub sealed_labels: Vec<u8>,
    /// The bytes as received, sealed under the record id.
    pub sealed_content: Vec<u8>,
}

/// Writes who reads what and why; committed when it returns.
pub async fn log_read(pool: &Pool, access: &Access<'_>) -> Result<(), Error> {
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
    .bind(access.record_id)
    .execute(pool)
    .await?;
    Ok(())
}

/// The original of a version; with `own`, only if it is that provider's.
pub async fn read(
    pool: &Pool,
    record_id: Uuid,
    own: Option<&str>,
) -> Result<Option<Original>, Error> {
    let row = sqlx::query(concat!(
        "select o.provider_code, o.item_code, o.key_digest, o.sealed_labels, o.sealed_content, ",
        stored_columns!(),
        " from original o
          where o.record_id = $1 and ($2::text is null or o.provider_code = $2)"
    ))
    .bind(record_id)
    .bind(own)
    .fetch_optional(pool)
    .await?;
    row.map(|row| {
        Ok(Original {
            key: RecordKey {
                provider_code: row.try_get(0)?,
                item_code: row.try_get(1)?,
                key_digest: digest(&row, 2)?,
            },
            sealed_labels: row.try_get(3)?,
            sealed_content: row.try_get(4)?,
            stored: stored(&row, 5)?,
        })
    })
    .transpose()
}
