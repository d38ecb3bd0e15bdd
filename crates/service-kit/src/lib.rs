//! One way to be a service. Every service of the platform is a library function of
//! (config, listener, [`ServiceContext`]); this crate holds what those functions share:
//!
//! - [`clock`]: all time comes from an injected [`clock::Clock`]
//! - [`config`]: a default file that is the manual, overlaid by the operator's file and environment
//! - [`db`]: the pool and the only names of sqlx types outside `store` modules
//! - [`error`]: gRPC statuses that name the field and the rule; [`reason`]: the table of all reasons
//! - [`identity`]: principals, tokens, and who may call which RPC
//! - [`grpc`]: serving gRPC with identity, tracing, health and reflection
//! - [`request`]: days and ids that requests write; [`page`]: pages of lists; [`blocking`]: work for a processor; [`start`]: what every service does to start
//! - [`migrate`]: roles, rights and migrations of a schema
//! - [`readiness`] and [`admin`]: lanes with ages, `/livez`, `/readyz`, `/metrics`
//! - [`shutdown`]: stop being ready, finish the work in flight, flush, exit
//! - [`telemetry`]: logs, traces that follow one record, metrics
//!
//! Nothing here is process-global: two platforms run in one process when a test wants.

pub mod admin;
pub mod blocking;
pub mod clock;
pub mod config;
pub mod db;
pub mod error;
pub mod grpc;
pub mod identity;
pub mod migrate;
pub mod page;
pub mod readiness;
pub mod reason;
pub mod request;
pub mod shutdown;
pub mod start;
pub mod telemetry;

use std::sync::Arc;

/// What a service is given by the process that runs it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ServiceContext {
    /// The only source of time.
    pub clock: Arc<dyn clock::Clock>,
    /// Tracer and metric registry.
    pub telemetry: telemetry::Telemetry,
    /// Lanes whose age decides whether the process is ready.
    pub readiness: readiness::Readiness,
    /// Keys that seal personal data.
    pub keyring: vault::Keyring,
    /// Checks the tokens of callers.
    pub verifier: Arc<identity::TokenVerifier>,
    /// Signals the stop and waits for the tasks in flight.
    pub shutdown: shutdown::Shutdown,
}
