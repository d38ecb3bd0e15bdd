//! Takes records in. A receipt means that the original bytes, the
//! idempotency key, the provider's ledger number and the event are committed in one transaction.
//! The platform binary and the tests call [`start`].
//!
//! From the top: [`grpc`] decodes and answers, one file a kind of RPC; [`intake`] checks the form of
//! a submission and seals it, [`writer`] groups submissions of many callers, [`app`] stores a group
//! in one transaction with what [`domain`] decides, [`store`] holds the SQL, [`handlers`] follows the
//! catalogue, [`replay`] tries definitions out over what is stored.

pub mod app;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod handlers;
pub mod intake;
pub mod replay;
pub mod store;
pub mod writer;

use std::sync::Arc;

use event_bus::{Bus, StreamSpec, Subscription};
use proto::credit::ingest::v1::ingest_service_server::IngestServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    db,
};
use tokio::net::TcpListener;
use tonic::service::Routes;

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

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error("ingest: configuration")]
    Config(#[from] ConfigError),
    /// The database URL is not one.
    #[error("ingest: database_url")]
    Database(#[from] db::Error),
    /// The calendar that ships with the program is broken.
    #[error("ingest: the built-in working-day calendar cannot be read")]
    Calendar(#[from] legal_clock::CalendarError),
}

/// Starts the service: relay, catalogue consumer, writers, gRPC. Returns at once; everything runs
/// until the context's shutdown.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    let url = config.database_url.reveal()?;
    let pool = db::connect_lazy(&url, SCHEMA, config.max_connections)?;
    let relay = bus.start_relay(SERVICE, &pool, &context);
    for subscription in SUBSCRIPTIONS {
        let handler = Arc::new(handlers::CatalogueHandler);
        bus.start_consumer(subscription, &pool, handler, None, &context);
    }
    let writers = writer::Writers::start(&config, &pool, &bus, &relay, &context);
    let replays = replay::Replays::new(pool.clone(), context.clone(), config.replays_at_once)?;
    let commits = grpc::Commits { bus, relay };
    let service = grpc::IngestApi::new(&config, pool, writers, replays, commits, context.clone());
    let server = IngestServiceServer::new(service)
        .max_decoding_message_size(service_kit::grpc::MAX_MESSAGE_BYTES);
    let serving = context.clone();
    service_kit::grpc::spawn_server(&context, "ingest grpc", async move {
        service_kit::grpc::serve(listener, Routes::new(server), &serving).await
    });
    Ok(())
}
