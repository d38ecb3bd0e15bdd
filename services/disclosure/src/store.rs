//! The SQL of disclosure, and the only place that names sqlx. Called by `app` and `handlers` with a connection that
//! is in a transaction of theirs.
//!
//! - [`versions`]: the write path of records, six statements a batch whatever its size
//! - [`catalogue`]: item versions and providers
//! - [`marks`]: objection marks
//! - [`revocations`]: versions that end their record, and the notices of them
//! - [`public`]: what the role `disclosure_public` reads
//! - [`own`]: a subject's own records, and the read log
//! - [`statistics`]: counts over all versions

pub mod catalogue;
pub mod marks;
pub mod own;
pub mod public;
pub mod revocations;
pub mod statistics;
pub mod versions;

use record_ref::{ItemRef, Malformed};
use service_kit::db::{Error, Pool, Tx};
use sqlx::FromRow;

/// The migrations of the schema `disclosure`. They grant to the roles `disclosure` and `disclosure_public`, which
/// must exist.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Begins a transaction that reads one state of the database: a total and its page agree.
pub async fn begin_read(pool: &Pool) -> Result<Tx, Error> {
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await
}

/// The same, but it may write the read log.
pub async fn begin_logged_read(pool: &Pool) -> Result<Tx, Error> {
    pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await
}

/// An item version as tables have it.
#[derive(FromRow)]
struct ItemColumns {
    item_code: String,
    item_version: i32,
}

impl TryFrom<ItemColumns> for ItemRef {
    type Error = Malformed;

    fn try_from(columns: ItemColumns) -> Result<Self, Malformed> {
        Self::from_columns(columns.item_code, columns.item_version)
    }
}

/// Item versions as the parallel columns of an `unnest`.
fn item_columns<'a>(items: impl IntoIterator<Item = &'a ItemRef>) -> (Vec<&'a str>, Vec<i32>) {
    let columns = |item: &'a ItemRef| (item.code.as_str(), item.version_column());
    items.into_iter().map(columns).unzip()
}

/// Binds the first six parameters of a statement that joins bounds: the columns of the bounds, and today.
macro_rules! bind_bounds {
    ($query:expr, $bounds:expr) => {{
        let (item_codes, item_versions) = crate::store::item_columns(&$bounds.items);
        $query
            .bind(item_codes)
            .bind(item_versions)
            .bind(&$bounds.kinds)
            .bind(&$bounds.earliest)
            .bind(&$bounds.latest)
            .bind($bounds.today)
    }};
}
pub(crate) use bind_bounds;

/// The provider's own deadline of `v` has not passed (D-9). $6 is the day of the bounds.
macro_rules! not_past_deadline {
    () => {
        "(v.publicity_until IS NULL OR v.publicity_until >= $6)"
    };
}
pub(crate) use not_past_deadline;
