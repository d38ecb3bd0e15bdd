//! Reports every stored version, revocations and withdrawals among them (D-24), on to the province and
//! keeps its acknowledgement. Started by the `credit` binary and by journeys through [`start`].
//!
//! Way of a version: `handlers` (validation's event becomes a due row) -> `jobs` (the sender claims
//! batches by lease, no transaction stays open) -> `upstream` (the call) -> `app` (decides by
//! `domain`, stores all answers of a batch at once, appends the events) -> `grpc` (state and counts).

pub mod app;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod handlers;
pub mod jobs;
pub mod store;
pub mod upstream;

use std::{sync::Arc, time::Duration};

use event_bus::{Bus, StreamSpec, Subscription};
use proto::credit::provincialsync::v1::provincial_sync_service_server::ProvincialSyncServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    grpc::{BearerToken, MAX_MESSAGE_BYTES},
    start::{database_pool, spawn_grpc_server},
};
use tokio::{net::TcpListener, sync::Notify};
use tonic::service::Routes;

pub use service_kit::start::StartError;
pub use store::migrations;

/// Name of the service and of its configuration table.
pub const SERVICE: &str = "provincial-sync";
/// Its schema, and the name of its login role.
pub const SCHEMA: &str = "provincial_sync";
/// Its stream: acknowledgements are small, a day of a city is a few MiB.
pub const STREAM: Option<StreamSpec> = Some(StreamSpec {
    service: SERVICE,
    max_bytes: 256 * 1024 * 1024,
});
/// What it consumes.
pub const SUBSCRIPTIONS: &[Subscription] = &[Subscription {
    consumer: "provincial-sync-versions",
    from: "validation",
    events: &[
        "credit.validation.events.v1.RecordAccepted",
        "credit.validation.events.v1.RecordRevoked",
    ],
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
    /// gRPC address of the provincial exchange.
    pub upstream_url: String,
    /// Token for the provincial exchange.
    pub upstream_token: Secret,
    /// Records in one batch, 1 to 200.
    pub batch_size: u32,
    /// Batches in flight at once.
    pub batches_in_flight: u32,
    /// Timeout of one call, milliseconds.
    pub push_deadline_ms: u64,
    /// Lease of a claimed batch, milliseconds.
    pub lease_ms: u64,
    /// Longest pause between polls for due records, milliseconds.
    pub poll_interval_ms: u64,
    /// Pause before the first retry, milliseconds.
    pub first_retry_ms: u64,
    /// Pause before the second retry, milliseconds; doubles from there.
    pub second_retry_ms: u64,
    /// No pause is longer, milliseconds.
    pub retry_cap_ms: u64,
    /// Age of the oldest due record from which the process is not ready, seconds.
    pub lane_limit_seconds: u64,
}

impl Config {
    /// The defaults under the operator's overlay.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load(SERVICE, include_str!("../config.default.toml"))
    }

    fn check_values(&self) -> Result<(), StartError> {
        let rules = [
            (
                "batch_size",
                "1 to 200",
                (1..=200).contains(&self.batch_size),
            ),
            (
                "batches_in_flight",
                "at least 1",
                self.batches_in_flight >= 1,
            ),
            (
                "lease_ms",
                "longer than push_deadline_ms",
                self.lease_ms > self.push_deadline_ms,
            ),
            ("poll_interval_ms", "at least 1", self.poll_interval_ms >= 1),
        ];
        match rules.into_iter().find(|(_, _, holds)| !holds) {
            Some((key, rule, _)) => Err(StartError::Rule { key, rule }),
            None => Ok(()),
        }
    }

    /// Refuses a token that no header can carry, which no retry would mend. A file that cannot be read may still come,
    /// and is looked for at each call.
    fn check_token(&self) -> Result<(), StartError> {
        let key = "upstream_token";
        match self.upstream_token.reveal() {
            Ok(token) => match BearerToken::new(&token) {
                Ok(_) => Ok(()),
                Err(_) => Err(StartError::Token { key }),
            },
            Err(_) => Ok(()),
        }
    }

    fn retry_policy(&self) -> domain::PushRetryPolicy {
        domain::PushRetryPolicy {
            first: Duration::from_millis(self.first_retry_ms),
            second: Duration::from_millis(self.second_retry_ms),
            cap: Duration::from_millis(self.retry_cap_ms),
        }
    }
}

/// Starts relay, consumer, sender and gRPC server as tasks of the process and returns at once.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    config.check_values()?;
    config.check_token()?;
    let pool = database_pool(&config.database_url, SCHEMA, config.max_connections)?;
    let upstream = upstream::Upstream::new(
        &config.upstream_url,
        config.upstream_token.clone(),
        Duration::from_millis(config.push_deadline_ms),
    )
    .map_err(|source| StartError::Address {
        key: "upstream_url",
        source,
    })?;
    let relay = bus.start_relay(SERVICE, &pool, &context);
    let wake = Arc::new(Notify::new());
    for subscription in SUBSCRIPTIONS {
        let handler = handlers::VersionHandler::new(context.clone(), wake.clone());
        bus.start_consumer(subscription, &pool, Arc::new(handler), None, &context);
    }
    jobs::start(&config, pool.clone(), upstream, relay, wake, &context);
    let service = grpc::ProvincialSyncApi::new(pool, context.clone());
    let routes = Routes::new(
        ProvincialSyncServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES),
    );
    spawn_grpc_server("provincial-sync grpc", listener, routes, &context);
    Ok(())
}
