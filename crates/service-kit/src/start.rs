//! What every service does to start: open its database, read its calendar, serve its routes. Called by `start` of each
//! service, which fails with [`StartError`]; the process names the service.

use std::path::PathBuf;

use legal_clock::{Calendar, CalendarError};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::{
    ServiceContext,
    config::{ConfigError, Secret},
    db::{self, Pool},
    grpc,
};

/// Why a service cannot start. Texts name the key of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration cannot be used.
    #[error("the configuration cannot be used")]
    Config(#[from] ConfigError),
    /// A key breaks its rule.
    #[error("{key}: {rule}")]
    Rule {
        /// The key.
        key: &'static str,
        /// What must hold.
        rule: &'static str,
    },
    /// A login is no address of a database.
    #[error("{key} is not a postgres:// address")]
    DatabaseUrl {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: db::Error,
    },
    /// An address of another service is none.
    #[error("{key} is no address of a service")]
    Address {
        /// The key.
        key: &'static str,
        /// Why.
        #[source]
        source: tonic::transport::Error,
    },
    /// A token has characters that no header may have.
    #[error("{key} is no token")]
    Token {
        /// The key.
        key: &'static str,
    },
    /// The calendar file cannot be read.
    #[error("calendar_file {} cannot be read", path.display())]
    CalendarFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The calendar breaks its format.
    #[error("the calendar of working days cannot be used")]
    Calendar(#[from] CalendarError),
}

/// A pool for the login under `database_url`; connects when first used.
///
/// # Errors
/// A secret that cannot be read, a login that is no address.
pub fn database_pool(
    database_url: &Secret,
    schema: &str,
    max_connections: u32,
) -> Result<Pool, StartError> {
    let url = database_url.reveal()?;
    db::connect_lazy(&url, schema, max_connections).map_err(|source| StartError::DatabaseUrl {
        key: "database_url",
        source,
    })
}

/// The calendar in the file under `calendar_file`, or the one that ships with the program where that is empty.
///
/// # Errors
/// A file that cannot be read or breaks the format.
pub fn working_day_calendar(calendar_file: &str) -> Result<Calendar, StartError> {
    if calendar_file.is_empty() {
        return Ok(Calendar::builtin()?);
    }
    let path = PathBuf::from(calendar_file);
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Calendar::from_json(&text)?),
        Err(source) => Err(StartError::CalendarFile { path, source }),
    }
}

/// Serves `routes` until the process stops, as the essential task `name`.
pub fn spawn_grpc_server(
    name: &'static str,
    listener: TcpListener,
    routes: Routes,
    context: &ServiceContext,
) {
    let serving = context.clone();
    context.shutdown.spawn_essential(name, async move {
        grpc::serve_grpc(listener, routes, &serving).await
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_used_is_named_by_its_key() {
        let pool = database_pool(&Secret::Plain("no address".to_owned()), "ingest", 1);
        let named = pool.unwrap_err().to_string();
        assert_eq!(named, "database_url is not a postgres:// address");
        let missing = working_day_calendar("/nowhere/calendar.json").unwrap_err();
        let named = missing.to_string();
        assert_eq!(named, "calendar_file /nowhere/calendar.json cannot be read");
        assert!(working_day_calendar("").is_ok());
    }
}
