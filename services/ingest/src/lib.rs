//! Accepts records for processing. A receipt means that the original bytes, the idempotency
//! key, the provider's ledger number and the event are committed in one transaction. The platform binary and the tests
//! call [`start`].
//!
//! From the top: [`grpc`] decodes and encodes; [`app`] holds the use cases and [`domain`] their decisions; [`intake`]
//! checks the form of a submission and seals it, [`writer`] groups submissions of many callers into commits, [`reload`]
//! runs full reloads; [`store`] has the SQL, [`handlers`] follows the catalogue, [`error`] has the refusals that callers
//! get.

pub mod app;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod handlers;
pub mod intake;
pub mod reload;
pub mod store;
pub mod writer;

use std::sync::Arc;

use event_bus::{Bus, StreamSpec, Subscription};
use legal_clock::WorkingDayTable;
use proto::credit::ingest::v1::ingest_service_server::IngestServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    grpc::MAX_MESSAGE_BYTES,
    start::{database_pool, spawn_grpc_server, working_day_calendar},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

use app::{replay::Replays, submit_record::Submitter};
use grpc::{EventCommitter, IngestApi};
use writer::BatchWriters;

pub use service_kit::start::StartError;
pub use store::migrations;

/// Name of the service.
pub const SERVICE: &str = "ingest";
/// Its schema and login role.
pub const SCHEMA: &str = "ingest";
/// Events of ingest carry the sealed originals: room for some hundred thousand that wait. JetStream
/// reserves the size on the disk; a full stream only makes the outbox wait.
pub const STREAM: Option<StreamSpec> = Some(StreamSpec {
    service: SERVICE,
    max_bytes: 2 * 1024 * 1024 * 1024,
});
/// What it consumes.
pub const SUBSCRIPTIONS: &[Subscription] = &[Subscription {
    consumer: "ingest-catalogue",
    from: "catalog",
    events: &[
        "credit.catalog.events.v1.ItemVersionPublished",
        "credit.catalog.events.v1.ItemRetired",
        "credit.catalog.events.v1.ProviderRegistered",
    ],
    max_batch: 500,
}];

/// Keys of `config.default.toml`, where each is explained.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config.default.toml is the manual
pub struct Config {
    pub listen: String,
    pub database_url: Secret,
    pub max_connections: u32,
    pub writers: usize,
    pub max_batch_records: usize,
    pub max_batch_bytes: usize,
    pub queue_records: usize,
    pub queue_kib: u32,
    pub stream_window: usize,
    pub replays_at_once: usize,
}

impl Config {
    /// The defaults, overlaid.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load(SERVICE, include_str!("../config.default.toml"))
    }
}

/// Starts the service: relay, catalogue consumer, writers, gRPC. Returns at once; everything runs
/// until the context's shutdown.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    let calendar = working_day_calendar("")?;
    let pool = database_pool(&config.database_url, SCHEMA, config.max_connections)?;
    let relay = bus.start_relay(SERVICE, &pool, &context);
    for subscription in SUBSCRIPTIONS {
        let handler = Arc::new(handlers::IngestCatalogueHandler);
        bus.start_consumer(subscription, &pool, handler, None, &context);
    }
    let writers = BatchWriters::start(&config, &pool, &bus, &relay, &context);
    let submitter = Submitter::new(writers, context.clone());
    let days = Arc::new(WorkingDayTable::from_calendar(&calendar));
    let replays = Replays::new(pool.clone(), context.clone(), days, config.replays_at_once);
    let committer = EventCommitter { bus, relay };
    let service = IngestApi::new(
        &config,
        pool,
        submitter,
        replays,
        committer,
        context.clone(),
    );
    let server = IngestServiceServer::new(service).max_decoding_message_size(MAX_MESSAGE_BYTES);
    spawn_grpc_server("ingest grpc", listener, Routes::new(server), &context);
    Ok(())
}
