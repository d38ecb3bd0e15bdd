//! SQL of catalog, nothing else. Called by `app`; all functions work within the caller's
//! transaction, none commits.

pub mod drafts;
pub mod duties;
pub mod items;
pub mod lists;
pub mod providers;

use credit_record::item::ItemOwner;
use record_ref::{ItemCode, ItemRef};
use service_kit::db::{Conn, Error};

/// The migrations of the schema, run by its owner.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Takes an advisory lock for each name (`item xzxk`, `providers`) until the end of the transaction, so
/// that two of them never decide on the same state. Readers do not wait. The locks are taken in the order
/// of the names, so that there is no deadlock.
pub async fn acquire_advisory_locks(conn: &mut Conn, things: &[String]) -> Result<(), Error> {
    sqlx::query(
        "SELECT pg_advisory_xact_lock(hashtextextended('catalog ' || thing, 0)) \
         FROM (SELECT thing FROM unnest($1::text[]) AS thing ORDER BY thing) AS ordered",
    )
    .bind(things)
    .execute(conn)
    .await?;
    Ok(())
}

/// An owner out of its three columns.
fn decode_owner(catalogue: &str, organ: String, district: String) -> Result<ItemOwner, Error> {
    match catalogue {
        "city" => Ok(ItemOwner::City),
        "department" => Ok(ItemOwner::Department { organ }),
        "district" => Ok(ItemOwner::District { district, organ }),
        other => Err(unknown_value("catalogue", other)),
    }
}

/// A version of an item out of its columns.
fn decode_item(code: String, version: i64) -> Result<ItemRef, Error> {
    // What does not fit becomes a number that is refused.
    let version = u32::try_from(version).unwrap_or(0);
    ItemRef::new(decode_item_code(code)?, version)
        .map_err(|malformed| Error::Decode(Box::new(malformed)))
}

/// A code out of its column.
fn decode_item_code(code: String) -> Result<ItemCode, Error> {
    code.try_into()
        .map_err(|malformed| Error::Decode(Box::new(malformed)))
}

fn unknown_value(column: &str, value: &str) -> Error {
    Error::Decode(format!("{column} {value} is not known to this release").into())
}
