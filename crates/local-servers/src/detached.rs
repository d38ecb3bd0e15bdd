//! Servers that outlive the command that starts them: one PostgreSQL and one NATS of a checkout, for development.
//! Called by `cargo xtask servers`; their addresses are read by `testkit`.

use crate::child::is_server;
use crate::credentials::write_private;
use crate::locked_folder::reachable_folder;
use crate::{Binaries, Nats, NatsOptions, Postgres, PostgresOptions, nats, postgres};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Running development servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevServers {
    /// Superuser's address of the database `postgres`.
    pub database_url: String,
    /// Address with user and password.
    pub nats_url: String,
    pids: [u32; 2],
}

impl DevServers {
    /// The servers of this checkout, when both run.
    pub fn running(root: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(state_file(root)).ok()?;
        let servers: Self = serde_json::from_str(&text).ok()?;
        let (postgres_folder, nats_folder) = server_folders(root);
        let marks = [
            postgres::data_path(&reachable_folder(&postgres_folder).ok()?),
            nats::configuration_path(&nats_folder),
        ];
        let mut both = servers.pids.into_iter().zip(&marks);
        // What was written before the machine was started anew names numbers that others have now.
        both.all(|(pid, mark)| is_server(pid, mark))
            .then_some(servers)
    }

    /// Gives the running servers, or starts them; their data are kept in `<root>/.servers/run`.
    pub fn start(root: &Path, binaries: &Binaries) -> Result<Self> {
        if let Some(running) = Self::running(root) {
            return Ok(running);
        }
        // One of the two may have been left alone.
        Self::stop(root)?;
        let (postgres_folder, nats_folder) = server_folders(root);
        let options = PostgresOptions {
            detached: true,
            ..PostgresOptions::default()
        };
        let postgres = Postgres::start(binaries, &postgres_folder, options)?;
        let nats = Nats::start(
            binaries,
            &nats_folder,
            NatsOptions {
                detached: true,
                ..NatsOptions::default()
            },
        )?;
        let servers = Self {
            database_url: postgres.url("postgres"),
            nats_url: nats.url(),
            pids: [
                postgres.pid().context("PostgreSQL ended at once")?,
                nats.pid().context("NATS ended at once")?,
            ],
        };
        write_private(
            &state_file(root),
            &serde_json::to_string_pretty(&servers).context("writing the state")?,
        )?;
        Ok(servers)
    }

    /// Stops the servers of this checkout; true when one ran.
    pub fn stop(root: &Path) -> Result<bool> {
        let (postgres_folder, nats_folder) = server_folders(root);
        let database = postgres::stop_by_folder(&reachable_folder(&postgres_folder)?)?;
        let bus = nats::stop_by_folder(&nats_folder)?;
        let _ = std::fs::remove_file(state_file(root));
        Ok(database || bus)
    }

    /// The lines that set the addresses in a shell.
    pub fn exports(&self) -> String {
        format!(
            "export DATABASE_URL='{}'\nexport NATS_URL='{}'",
            self.database_url, self.nats_url
        )
    }
}

fn server_folders(root: &Path) -> (PathBuf, PathBuf) {
    let run = root.join(".servers/run");
    (run.join("postgres"), run.join("nats"))
}

fn state_file(root: &Path) -> PathBuf {
    root.join(".servers/run/servers.json")
}
