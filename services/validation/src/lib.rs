//! validation: decodes, normalises and checks each record version that ingest accepted for processing; accepts it with
//! an explanation of every change, or returns it to its provider with findings and a feedback case. Called
//! by `platform` (runs it) and over gRPC by providers, the credit office and auditors.
//!
//! Map, in the order in which a record passes through:
//!
//! - [`handlers`]: events of ingest and catalog, batch in, batch out;
//! - [`domain`]: what a submission is and what is decided about it, pure;
//! - [`app`]: one function per use case, inside a transaction that its caller commits;
//! - [`store`]: SQL, and nothing but SQL;
//! - [`grpc`]: feedback to read and to watch, verdicts, confirmations, dry runs and counts for those who may;
//! - [`jobs`]: reminds of cases, counts open and overdue ones for `/metrics`, checks definitions at the start;
//! - [`error`]: the errors, and the gRPC status of each.

pub mod app;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod handlers;
pub mod jobs;
pub mod store;

use std::{sync::Arc, time::Duration};

use event_bus::{Bus, StreamSpec, Subscription};
use legal_clock::{Calendar, Law, LegalRuleSet};
use proto::credit::validation::v1::validation_service_server::ValidationServiceServer;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay, Secret},
    grpc::MAX_MESSAGE_BYTES,
    start::{database_pool, spawn_grpc_server, working_day_calendar},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::{
    app::{ItemCache, RecordValidator},
    domain::CasePolicy,
};

pub use service_kit::start::StartError;
pub use store::migrations;

/// Name of the service, also of its configuration table.
pub const SERVICE: &str = "validation";
/// Schema and login role.
pub const SCHEMA: &str = "validation";

/// Verdicts are published here.
pub const STREAM: Option<StreamSpec> = Some(StreamSpec {
    service: SERVICE,
    // A sealed record is 2 to 4 kB: room for half a million verdicts that wait for disclosure.
    max_bytes: 2 * 1024 * 1024 * 1024,
});

const FROM_INGEST: Subscription = Subscription {
    consumer: "validation-records",
    from: "ingest",
    events: &["credit.ingest.events.v1.RecordSubmitted"],
    max_batch: 500,
};

const FROM_CATALOG: Subscription = Subscription {
    consumer: "validation-catalogue",
    from: "catalog",
    events: &[
        "credit.catalog.events.v1.ItemVersionPublished",
        "credit.catalog.events.v1.ProviderRegistered",
    ],
    max_batch: 100,
};

/// What it consumes. Two lanes: a record that waits for its item never delays the catalogue.
pub const SUBSCRIPTIONS: &[Subscription] = &[FROM_INGEST, FROM_CATALOG];

/// The configuration; `config.default.toml` explains each key.
#[derive(Deserialize, Serialize, Debug, Clone)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the gRPC server.
    pub listen: String,
    /// Address of the database for the service's own role.
    pub database_url: Secret,
    /// Connections to PostgreSQL.
    pub max_connections: u32,
    /// Seconds for which records wait for the event of their item.
    pub definition_wait_seconds: u32,
    /// Seconds between two counts of feedback cases.
    pub case_watch_seconds: u64,
    /// Working days in which a provider answers a feedback case.
    pub case_due_working_days: u32,
    /// Working days before the due day on which it is reminded.
    pub remind_before_working_days: u32,
    /// Working days after the due day on which it is urged.
    pub urge_after_working_days: u32,
    /// Seconds between two runs of the reminder job.
    pub remind_seconds: u64,
}

impl Config {
    /// The defaults with what overlays them.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load(SERVICE, include_str!("../config.default.toml"))
    }

    /// When cases are due and reminded of, in working days of `calendar`.
    pub fn case_policy(&self, calendar: Calendar) -> CasePolicy {
        let rules = LegalRuleSet {
            // The article sets no number, the office does (R-13, D-15).
            rereport_days: self.case_due_working_days,
            ..LegalRuleSet::changsha_2017()
        };
        CasePolicy {
            law: Law { calendar, rules },
            remind_before: self.remind_before_working_days,
            urge_after: self.urge_after_working_days,
        }
    }
}

/// Starts the relay, both consumers, the counting job and the gRPC server as tasks of the process and
/// returns at once; they end when the context's shutdown is requested.
///
/// # Errors
/// [`StartError`] when the configuration or the built-in calendar cannot be used.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    let pool = database_pool(&config.database_url, SCHEMA, config.max_connections)?;
    // Work in this lane has no age: it fails or it does not.
    let definitions = context
        .readiness
        .lane("validation definitions", Duration::MAX);
    let definition_timeout = time::Duration::seconds(config.definition_wait_seconds.into());
    let validator = Arc::new(RecordValidator::new(
        context.keyring.clone(),
        config.case_policy(working_day_calendar("")?),
        ItemCache::new(definition_timeout, definitions),
    ));
    jobs::check_definitions(pool.clone(), validator.items.clone(), &context);

    let relay = bus.start_relay(SERVICE, &pool, &context);
    let catalogue = handlers::ValidationCatalogueHandler::new(validator.items.clone());
    bus.start_consumer(&FROM_CATALOG, &pool, Arc::new(catalogue), None, &context);
    let submissions = Arc::new(handlers::SubmissionHandler::new(
        validator.clone(),
        context.clock.clone(),
        context.telemetry.clone(),
    ));
    bus.start_consumer(
        &FROM_INGEST,
        &pool,
        submissions,
        Some(relay.clone()),
        &context,
    );

    let pause = Duration::from_secs(config.case_watch_seconds.max(1));
    jobs::count_cases_periodically(pool.clone(), &context, pause);

    let pause = Duration::from_secs(config.remind_seconds.max(1));
    let reminders = jobs::ReminderJob::new(
        pool.clone(),
        validator.case_policy.clone(),
        validator.feed.clone(),
        relay.clone(),
        &context,
    );
    reminders.start(&context, pause);

    let api = grpc::ValidationApi::new(pool, validator, relay, &context);
    let server = ValidationServiceServer::new(api)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    spawn_grpc_server("validation grpc", listener, Routes::new(server), &context);
    Ok(())
}
