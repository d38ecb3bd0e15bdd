//! The catalogues of the city, its departments and its districts, the clock of their renewal, and the
//! registry of providers, as a library. The binary `credit` and the tests call [`start`];
//! other services learn of items and providers by the events of this service and never ask it while they
//! work.
//!
//! - [`domain`]: which version may follow which, who may do what, when a duty is due. Pure
//! - [`app`]: one function per use case, given a transaction
//! - [`jobs`]: publishes the data files, and does what is due by the passing of time
//! - `grpc`: `credit.catalog.v1.CatalogService`
//! - [`store`]: SQL and nothing else
//! - [`template`]: an item as an Excel template
//! - [`error`]: what can go wrong, and the refusal for each

pub mod app;
pub mod domain;
pub mod error;
mod grpc;
pub mod jobs;
pub mod store;
pub mod template;

use std::sync::Arc;

use event_bus::{Bus, StreamSpec, Subscription};
use legal_clock::LegalRuleSet;
use proto::credit::catalog::v1::catalog_service_server::CatalogServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    grpc::MAX_MESSAGE_BYTES,
    start::{database_pool, spawn_grpc_server, working_day_calendar},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

use legal_clock::Law;

pub use service_kit::start::StartError;
pub use store::migrations;

/// Name of the service.
pub const SERVICE: &str = "catalog";

/// Schema of its tables and name of its login role.
pub const SCHEMA: &str = "catalog";

/// The stream that it fills: a few events a week, most a definition of some 20 KiB, none above 1 MiB or so.
pub const STREAM: Option<StreamSpec> = Some(StreamSpec {
    service: SERVICE,
    max_bytes: 64 * 1024 * 1024,
});

/// It consumes no events.
pub const SUBSCRIPTIONS: &[Subscription] = &[];

/// Settings; `config.default.toml` says what each means.
#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the gRPC endpoint.
    pub listen: String,
    /// Database of the service's own role.
    pub database_url: Secret,
    /// Connections to PostgreSQL.
    pub max_connections: u32,
    /// Working-day calendar; empty for the one that ships with the program.
    pub calendar_file: String,
    /// Folder with further data files; empty: none.
    pub items_dir: String,
    /// Seconds between two reconciliations.
    pub reconcile_seconds: u64,
}

impl Config {
    /// The defaults with the operator's overlay.
    ///
    /// # Errors
    /// A key is missing, unknown or of a wrong type.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load(SERVICE, include_str!("../config.default.toml"))
    }
}

/// Starts relay, reconciler and gRPC server as tasks of `context.shutdown` and returns at once.
///
/// # Errors
/// [`StartError`]; a database that is away is none, the service waits for it.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    let law = Arc::new(Law {
        calendar: working_day_calendar(&config.calendar_file)?,
        rules: LegalRuleSet::changsha_2017(),
    });
    let pool = database_pool(&config.database_url, SCHEMA, config.max_connections)?;
    let relay = bus.start_relay(SERVICE, &pool, &context);
    jobs::start(&config, &pool, &relay, &law, &context);
    let service = grpc::CatalogApi::new(pool, relay, law, &context);
    let server = CatalogServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES);
    spawn_grpc_server("catalog grpc", listener, Routes::new(server), &context);
    Ok(())
}
