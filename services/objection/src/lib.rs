//! Objections of subjects to records about them with the legal clocks of each step.
//! Started by the `credit` binary and by journeys through [`start`].
//!
//! Way of an objection: `grpc` (decode: who calls, is it complete) -> `app` (load, decide by `domain`,
//! store, append the event, open for the answer) -> `store`; `grpc` encodes. `handlers` keeps the
//! registry of providers.

pub mod app;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod handlers;
pub mod store;

use std::sync::Arc;

use event_bus::{Bus, StreamSpec, Subscription};
use legal_clock::{Law, LegalRuleSet};
use proto::credit::objection::v1::objection_service_server::ObjectionServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    grpc::MAX_MESSAGE_BYTES,
    start::{database_pool, spawn_grpc_server, working_day_calendar},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use service_kit::start::StartError;
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

    fn law(&self) -> Result<Law, StartError> {
        Ok(Law {
            calendar: working_day_calendar(&self.calendar_file)?,
            rules: LegalRuleSet::changsha_2017(),
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
    let pool = database_pool(&config.database_url, SCHEMA, config.max_connections)?;
    let relay = bus.start_relay(SERVICE, &pool, &context);
    for subscription in SUBSCRIPTIONS {
        let handler = Arc::new(handlers::ProviderHandler);
        bus.start_consumer(subscription, &pool, handler, None, &context);
    }
    let service = grpc::ObjectionApi::new(pool, relay, law, context.clone());
    let routes = Routes::new(
        ObjectionServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES),
    );
    spawn_grpc_server("objection grpc", listener, routes, &context);
    Ok(())
}
