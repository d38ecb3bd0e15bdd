//! The database as services see it: aliases, so that only `store` modules name sqlx itself, and
//! the one way to open a pool. [`CopyIn`] adds many rows at a time.

mod copy;
mod nodelay;

pub use copy::{CopyIn, CopyRow};

use std::time::Duration;

use sqlx::{
    ColumnIndex, Decode, Postgres, Row, Type,
    postgres::{PgConnectOptions, PgPoolOptions, PgRow},
};

/// A pool of connections of one role to one schema.
pub type Pool = sqlx::PgPool;
/// One connection; what use cases and event handlers are given. They never commit.
pub type Conn = sqlx::PgConnection;
/// A transaction; whoever begins it commits it.
pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;
/// An error of the database.
pub type Error = sqlx::Error;

/// A column of type `C` as the value that it stands for, checked as it is made.
///
/// # Errors
/// The row has no such column of that type, or what it holds breaks the value's rule: this service did not write it.
pub fn checked_column<'r, C, T>(
    row: &'r PgRow,
    column: impl ColumnIndex<PgRow> + std::fmt::Display + Copy,
) -> Result<T, Error>
where
    C: Decode<'r, Postgres> + Type<Postgres>,
    T: TryFrom<C, Error: std::error::Error + Send + Sync + 'static>,
{
    T::try_from(row.try_get(column)?).map_err(|error| Error::ColumnDecode {
        index: column.to_string(),
        source: error.into(),
    })
}

/// Opens a pool without connecting yet, so that a service starts while its database restarts.
///
/// `url` is `postgres://role:password@host:port/database`; `schema` becomes the search path.
pub fn connect_lazy(url: &str, schema: &str, max_connections: u32) -> Result<Pool, Error> {
    let options: PgConnectOptions = url.parse()?;
    let port = options.get_port();
    let options = options
        .application_name(schema)
        .options([("search_path", schema)]);
    Ok(PgPoolOptions::new()
        .max_connections(max_connections)
        // Long enough to sit out a restart of the server, short enough that a caller gets an answer.
        .acquire_timeout(Duration::from_secs(10))
        .after_connect(move |_connection, _| {
            Box::pin(async move {
                nodelay::disable_nagle(port);
                Ok(())
            })
        })
        .connect_lazy_with(options))
}

/// Whether the error is one of the server or the connection, so that the same work
/// may succeed later unchanged. Everything else is the statement's or the data's fault.
pub fn is_transient(error: &Error) -> bool {
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => true,
        Error::Database(db) => db.code().is_some_and(|code| {
            // 08 connection, 40 rollback (deadlock, serialisation), 53 resources (disk full,
            // too many connections), 55 lock not available, 57 operator intervention, 58 system.
            ["08", "40", "53", "55", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}

/// Whether a statement was given a text that PostgreSQL cannot hold: one with NUL (SQLSTATE 22021).
pub fn is_invalid_text(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code == "22021")
}
