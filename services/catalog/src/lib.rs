//! The catalogue of the city and the registry of providers, as a library. The binary
//! `credit` and the tests call [`start`]; other services learn of items and providers by the two
//! events of this service and never ask it while they work.
//!
//! - [`domain`]: which version may follow which, what a registration must look like. Pure
//! - [`app`]: one function per use case, given a transaction
//! - [`jobs`]: publishes the standard items and the data files of `items_dir`
//! - `grpc`: `credit.catalog.v1.CatalogService`
//! - `store`: SQL
//! - [`error`]: what can go wrong and its gRPC code

pub mod app;
pub mod domain;
pub mod error;
mod grpc;
pub mod jobs;
mod store;

use event_bus::{Bus, StreamSpec, Subscription};
use proto::credit::catalog::v1::catalog_service_server::CatalogServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    db,
    grpc::{MAX_MESSAGE_BYTES, serve, spawn_server},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use store::migrations;

/// Name of the service.
pub const SERVICE: &str = "catalog";

/// Schema of its tables and name of its login role.
pub const SCHEMA: &str = "catalog";

/// The stream that it fills: a few events a year, each a definition of some 20 KiB at most.
pub const STREAM: Option<StreamSpec> = Some(StreamSpec {
    service: SERVICE,
    max_bytes: 64 * 1024 * 1024,
});

/// It listens to nobody.
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
    /// Folder with further item versions; empty: none.
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

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error("catalog cannot start: its configuration cannot be used")]
    Config(#[from] ConfigError),
    /// `database_url` is not an address.
    #[error("catalog cannot start: database_url is not a PostgreSQL address")]
    Database(#[from] db::Error),
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
    let url = config.database_url.reveal()?;
    let pool = db::connect_lazy(&url, SCHEMA, config.max_connections)?;
    let relay = bus.start_relay(SERVICE, &pool, &context);
    jobs::start(&config, &pool, &relay, &context);
    let service = grpc::Catalog::new(pool, relay, context.clock.clone());
    let server = CatalogServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES);
    let serving = context.clone();
    spawn_server(&context, "catalog grpc", async move {
        serve(listener, Routes::new(server), &serving).await
    });
    Ok(())
}
