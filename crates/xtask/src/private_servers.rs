//! The private servers of one run of tests, and the environment variables of the tests. Used by `test` and `soak`.

use crate::command::servers_are_set;
use crate::requirements::TestRequirements;
use anyhow::Result;
use local_servers::{Binaries, Nats, NatsOptions, Postgres, PostgresOptions};
use std::process::Command;
use std::thread;

/// Tests at once for each processor: they wait for half of their time.
const TESTS_A_PROCESSOR: usize = 3;

/// The servers of this run, or none where the environment names some.
pub(crate) struct PrivateServers(Option<(Postgres, Nats)>);

impl PrivateServers {
    pub(crate) fn start_unless_set(binaries: &Binaries) -> Result<Self> {
        if servers_are_set() {
            return Ok(Self(None));
        }
        // Each test has pools for a service, or two, and for itself.
        let connections = 300 + 100 * tests_at_once();
        // Nothing here must outlive a power failure, and thousands of small databases are made.
        let database = Postgres::temporary(
            binaries,
            PostgresOptions {
                durable: false,
                settings: vec![("max_connections".to_owned(), connections.to_string())],
                ..PostgresOptions::default()
            },
        )?;
        let bus = Nats::temporary(
            binaries,
            NatsOptions {
                durable: false,
                ..NatsOptions::default()
            },
        )?;
        Ok(Self(Some((database, bus))))
    }

    /// Sets the environment variables by which tests find servers and programs.
    pub(crate) fn set_environment(&self, command: &mut Command, fetched: &TestRequirements) {
        command
            .envs(fetched.binaries.to_env())
            .env("PYTHON", &fetched.python);
        if std::env::var_os("NEXTEST_TEST_THREADS").is_none() {
            command.env("NEXTEST_TEST_THREADS", tests_at_once().to_string());
        }
        if let Some((database, bus)) = &self.0 {
            command
                .env("DATABASE_URL", database.url("postgres"))
                .env("NATS_URL", bus.url());
        }
    }
}

fn tests_at_once() -> usize {
    TESTS_A_PROCESSOR * thread::available_parallelism().map_or(1, usize::from)
}
