//! Servers that one test has for itself, to be killed, wiped and started again. Called by fault tests.
//!
//! The servers of `local-servers` block; here their operations are async, and take `&self` so that a test can go on
//! with its clients meanwhile.

use crate::servers::server_binaries;
use anyhow::{Context, Result, anyhow};
use local_servers::{Nats, NatsOptions, Postgres, PostgresOptions};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// A PostgreSQL of one test. Stopped, and its data deleted, when dropped.
#[derive(Debug)]
pub struct PrivatePostgres {
    url: String,
    folder: PathBuf,
    server: Arc<Mutex<Postgres>>,
}

/// A NATS with JetStream of one test. Stopped, and its streams deleted, when dropped.
#[derive(Debug)]
pub struct PrivateNats {
    url: String,
    monitor_url: String,
    folder: PathBuf,
    server: Arc<Mutex<Nats>>,
}

/// Starts a PostgreSQL that does not wait for the disk: it survives `kill -9` all the same.
pub async fn private_postgres() -> Result<PrivatePostgres> {
    private_postgres_with(PostgresOptions {
        durable: false,
        ..PostgresOptions::default()
    })
    .await
}

/// Starts a PostgreSQL with these options.
pub async fn private_postgres_with(options: PostgresOptions) -> Result<PrivatePostgres> {
    let binaries = server_binaries().await?;
    let server = run_blocking(move || Postgres::temporary(&binaries, options)).await?;
    Ok(PrivatePostgres {
        url: server.url("postgres"),
        folder: server.folder().to_owned(),
        server: Arc::new(Mutex::new(server)),
    })
}

/// Starts a NATS that writes each message to the disk before it acknowledges, as in production.
pub async fn private_nats() -> Result<PrivateNats> {
    private_nats_with(NatsOptions::default()).await
}

/// Starts a NATS with these options.
pub async fn private_nats_with(options: NatsOptions) -> Result<PrivateNats> {
    let binaries = server_binaries().await?;
    let server = run_blocking(move || Nats::temporary(&binaries, options)).await?;
    Ok(PrivateNats {
        url: server.url(),
        monitor_url: server.monitor_url(),
        folder: server.folder().to_owned(),
        server: Arc::new(Mutex::new(server)),
    })
}

impl PrivatePostgres {
    /// The superuser's address of the database `postgres`; fit for [`crate::TestDb::on_server`].
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The folder of all its files.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Kills the server with all sessions; they are gone when this returns.
    pub async fn kill9(&self) -> Result<()> {
        with_server(&self.server, Postgres::kill9).await
    }

    /// Stops the server in order.
    pub async fn stop(&self) -> Result<()> {
        with_server(&self.server, Postgres::stop).await
    }

    /// Starts the server (again), on the same port, with the same data.
    pub async fn restart(&self) -> Result<()> {
        with_server(&self.server, Postgres::restart).await
    }
}

impl PrivateNats {
    /// The address with user and password.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of the monitor (`/varz`, `/jsz`, `/healthz`).
    pub fn monitor_url(&self) -> &str {
        &self.monitor_url
    }

    /// The folder of all its files.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// Kills the server.
    pub async fn kill9(&self) -> Result<()> {
        with_server(&self.server, Nats::kill9).await
    }

    /// Stops the server in order.
    pub async fn stop(&self) -> Result<()> {
        with_server(&self.server, Nats::stop).await
    }

    /// Kills the server and deletes JetStream's files; [`PrivateNats::restart`] then starts it empty.
    pub async fn wipe_files(&self) -> Result<()> {
        with_server(&self.server, Nats::wipe_files).await
    }

    /// Starts the server (again), on the same port, with the same streams.
    pub async fn restart(&self) -> Result<()> {
        with_server(&self.server, Nats::restart).await
    }
}

async fn with_server<S: Send + 'static>(
    server: &Arc<Mutex<S>>,
    act: fn(&mut S) -> Result<()>,
) -> Result<()> {
    let server = Arc::clone(server);
    run_blocking(move || {
        let mut server = server
            .lock()
            .map_err(|_| anyhow!("an earlier operation on this server has panicked"))?;
        act(&mut server)
    })
    .await
}

async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .context("operating a server")?
}
