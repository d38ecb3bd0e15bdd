//! The SQL of ingest. `app` writes through `batch` and reads through `reads`, `handlers` writes `registry`, `replay`
//! reads originals again, `nil_report` stores nil reports, `reload` stores full reloads and their lines.

mod batch;
pub mod nil_report;
pub mod reads;
mod registry;
pub mod reload;
mod replay;

pub use batch::{insert_originals, insert_submissions, load_batch, lock_ledger};
pub use registry::{
    IngestItemRow, IngestProviderRow, RetirementRow, find_item, find_registration, load_items,
    upsert_item_versions, upsert_providers, upsert_retirements,
};
pub use replay::{
    ReplayAccessEntry, ReplayOriginal, ReplayPageSize, ReplayPageStart, load_definitions,
    load_originals_page, log_replay_access, provider_exists,
};

use record_ref::{ItemRef, LedgerNumber, RecordVersion};
use service_kit::db::{Error, checked_column};
use sqlx::{Row, postgres::PgRow};
use uuid::Uuid;

use crate::domain::{Digest, StoredVersion, VersionContent};

/// The migrations of the schema.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Columns of a stored version in the order in which [`stored`] reads them.
macro_rules! stored_columns {
    () => {
        "o.record_id, o.record_address, o.provider_code, o.item_code, o.item_version, o.key_digest, \
         o.revision, o.ledger_number, o.received_at, o.operation, o.content_sha256, o.content_type"
    };
}
pub(crate) use stored_columns;

/// Reads a stored version from a row, its columns starting at `at`.
fn stored(row: &PgRow, at: usize) -> Result<StoredVersion, Error> {
    Ok(StoredVersion {
        version: RecordVersion {
            id: checked_column::<Uuid, _>(row, at)?,
            address: checked_column::<Uuid, _>(row, at + 1)?,
            provider: checked_column::<&str, _>(row, at + 2)?,
            item: item_ref(row, at + 3)?,
            key_digest: checked_column::<&[u8], _>(row, at + 5)?,
            revision: checked_column::<i64, _>(row, at + 6)?,
        },
        ledger_number: checked_column::<i64, _>(row, at + 7)?,
        received_at: row.try_get(at + 8)?,
        content: VersionContent {
            operation: checked_column::<i16, _>(row, at + 9)?,
            sha256: checked_column::<&[u8], _>(row, at + 10)?,
            content_type: row.try_get(at + 11)?,
        },
    })
}

/// Code and version of an item, from the column `at` and the one after it.
fn item_ref(row: &PgRow, at: usize) -> Result<ItemRef, Error> {
    let (code, version) = (row.try_get(at)?, row.try_get(at + 1)?);
    ItemRef::from_columns(code, version).map_err(|malformed| Error::ColumnDecode {
        index: at.to_string(),
        source: malformed.into(),
    })
}

/// Numbers that the schema keeps positive.
fn unsigned(row: &PgRow, at: usize) -> Result<u64, Error> {
    row.try_get::<i64, _>(at).map(|number| number as u64)
}

/// The last number of a ledger; none is stored as 0.
fn last_number(row: &PgRow, at: usize) -> Result<Option<LedgerNumber>, Error> {
    match row.try_get(at)? {
        0_i64 => Ok(None),
        _ => checked_column::<i64, _>(row, at).map(Some),
    }
}

/// The last number of a ledger as tables store it.
fn last_column(last: Option<LedgerNumber>) -> i64 {
    last.map_or(0, LedgerNumber::as_i64)
}

fn digest(row: &PgRow, at: usize) -> Result<Digest, Error> {
    checked_column::<&[u8], _>(row, at)
}
