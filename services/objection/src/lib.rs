//! Objections of subjects to records about them with the legal clocks of each step.
//! Started by the `credit` binary and by journeys through [`start`].
//!
//! Way of an objection: `grpc` (who calls, is it complete) -> `app` (load, decide by `domain`,
//! store, append the event) -> `store`. `handlers` keeps the registry of providers.

pub mod app;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod handlers;
pub mod store;

use std::sync::Arc;

use event_bus::{Bus, StreamSpec, Subscription};
use legal_clock::{Calendar, RuleSet};
use proto::credit::objection::v1::objection_service_server::ObjectionServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    db, grpc as kit,
};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use error::StartError;
pub use store::migrations;

/// Name of the service and of its configuration table.
pub const SERVICE: &str = "objection";
/// Its schema, and the name of its login role.
pub const SCHEMA: &str = "objection";
/// Its stream: a few thousand changes a year.
pub const STREAM: Option<StreamSpec> = Some(StreamSpec {
    service: SERVICE,
    max_bytes: 256 * 1024 * 1024,
});
/// What it consumes.
pub const SUBSCRIPTIONS: &[Subscription] = &[Subscription {
    consumer: "objection-providers",
    from: "catalog",
    events: &["credit.catalog.events.v1.ProviderRegistered"],
    max_batch: 500,
}];

/// The keys of `config.default.toml`, which says what each is for.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the gRPC server.
    pub listen: String,
    /// The service's own role on its own schema.
    pub database_url: Secret,
    /// Connections to the database.
    pub max_connections: u32,
    /// Working-day calendar; empty for the one that ships with the program.
    pub calendar_file: String,
}

impl Config {
    /// The defaults under the operator's overlay.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load(SERVICE, include_str!("../config.default.toml"))
    }

    fn law(&self) -> Result<domain::Law, StartError> {
        let calendar = if self.calendar_file.is_empty() {
            Calendar::builtin()?
        } else {
            let path = &self.calendar_file;
            let text = std::fs::read_to_string(path).map_err(|source| {
                let path = path.clone();
                StartError::CalendarFile { path, source }
            })?;
            Calendar::from_json(&text)?
        };
        Ok(domain::Law {
            calendar,
            rules: RuleSet::changsha_2017(),
        })
    }
}

/// Starts relay, consumer and gRPC server as tasks of the process and returns at once.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    let law = Arc::new(config.law()?);
    let url = config.database_url.reveal()?;
    let pool = db::connect_lazy(&url, SCHEMA, config.max_connections)?;
    let relay = bus.start_relay(SERVICE, &pool, &context);
    for subscription in SUBSCRIPTIONS {
        let handler = Arc::new(handlers::ProviderHandler);
        bus.start_consumer(subscription, &pool, handler, None, &context);
    }
    let service = grpc::Objections::new(pool, relay, law, context.clone());
    let routes = Routes::new(
        ObjectionServiceServer::new(service).max_decoding_message_size(kit::MAX_MESSAGE_BYTES),
    );
    let served = context.clone();
    kit::spawn_server(&context, "objection grpc", async move {
        kit::serve(listener, routes, &served).await
    });
    Ok(())
}
