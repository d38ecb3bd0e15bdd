//! The SQL of ingest. `app` writes through `batch`, `grpc` reads through `reads`, `handlers`
//! keeps the registry, `replay` reads originals again, `nil` keeps nil reports, `originals` reads a single
//! original and logs it first, `reload` keeps full reloads and their lines.

mod batch;
pub mod nil;
pub mod originals;
mod reads;
mod registry;
pub mod reload;
mod replay;

pub use batch::{insert_originals, insert_submissions, load_batch, lock_ledgers};
pub use reads::{
    LedgerRow, ProviderTotal, Scope, current, ledger_after, ledger_last, receipt, receipt_of_line,
    scope, totals,
};
pub use registry::{
    ItemRow, ProviderRow, RetirementRow, add_items, items, keep_retirements, registrations,
    upsert_providers,
};

pub use replay::{
    Access, Original, PageSize, PageStart, definitions, log_access, originals_page, provider_exists,
};

use service_kit::db::Error;
use sqlx::{Row, postgres::PgRow};

use crate::domain::{Content, Digest, Operation, Stored};

/// The migrations of the schema.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Columns of a stored version in the order in which [`stored`] reads them.
macro_rules! stored_columns {
    () => {
        "o.record_id, o.ledger_number, o.revision, o.received_at, o.content_sha256, \
         o.content_type, o.item_version, o.operation"
    };
}
pub(crate) use stored_columns;

/// Reads a stored version from a row, its columns starting at `at`.
fn stored(row: &PgRow, at: usize) -> Result<Stored, Error> {
    Ok(Stored {
        record_id: row.try_get(at)?,
        ledger_number: unsigned(row, at + 1)?,
        revision: unsigned(row, at + 2)?,
        received_at: row.try_get(at + 3)?,
        content: Content {
            sha256: digest(row, at + 4)?,
            content_type: row.try_get(at + 5)?,
            item_version: row.try_get::<i32, _>(at + 6)? as u32,
            operation: operation(row, at + 7)?,
        },
    })
}

/// Numbers that the schema keeps positive.
fn unsigned(row: &PgRow, at: usize) -> Result<u64, Error> {
    row.try_get::<i64, _>(at).map(|number| number as u64)
}

fn operation(row: &PgRow, at: usize) -> Result<Operation, Error> {
    let code: i16 = row.try_get(at)?;
    Operation::of_code(code).ok_or_else(|| Error::ColumnDecode {
        index: at.to_string(),
        source: format!("{code} is no operation").into(),
    })
}

fn digest(row: &PgRow, at: usize) -> Result<Digest, Error> {
    let bytes: &[u8] = row.try_get(at)?;
    bytes.try_into().map_err(|_| Error::ColumnDecode {
        index: at.to_string(),
        source: "a digest is 32 bytes".into(),
    })
}
