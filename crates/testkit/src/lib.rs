//! What tests of this workspace share. Only tests, the demo and the benchmarks call it.
//!
//! * [`test_servers`]: the PostgreSQL and NATS that `cargo xtask test` (or `cargo xtask servers`) has started.
//! * [`test_bed::TestBed`]: all that one service needs, for its integration tests.
//! * [`service`]: calls to a service under test, its refusals and its events.
//! * [`TestDb`]: an own database per test, made from a prepared template in milliseconds.
//! * [`private_postgres`], [`private_nats`]: own servers of one test, to kill and to start again.
//! * [`clock::ManualClock`]: time that is constant until the test sets it.
//! * [`records`]: realistic records from a seed, each knowing its verdict.
//! * [`proxy::TcpProxy`]: a network to cut, to stall and to slow down.
//! * [`TestResult`]: what a test returns, so that its own error is what is shown.
//! * [`choose_extent`], [`test_seed`]: how much a test does, in the suite and in `cargo xtask soak`.
//! * [`Port`]: a port that stays reserved while its server is down.
//! * [`eventually`]: waits for a condition instead of sleeping.
//! * `browser` (feature `browser`): a headless Chromium.

#[cfg(feature = "browser")]
pub mod browser;
pub mod clock;
mod database;
mod extent;
mod failure;
mod private;
pub mod proxy;
pub mod records;
mod servers;
pub mod service;
pub mod test_bed;
mod wait;

#[cfg(feature = "browser")]
pub use browser::start_browser;
pub use database::TestDb;
pub use extent::{choose_extent, print_figures, test_seed};
pub use failure::{TestFailure, TestResult};
pub use local_servers::Port;
pub use private::{
    PrivateNats, PrivatePostgres, private_nats, private_nats_with, private_postgres,
    private_postgres_with,
};
pub use servers::{TestServers, server_binaries, test_servers, workspace_root};
pub use service::{EventCollector, RefusalDetails, refusal_of};
pub use service_kit::reason::Reason;
pub use wait::{CheckOutcome, eventually};
