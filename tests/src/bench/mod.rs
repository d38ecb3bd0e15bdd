//! What the platform makes of this machine: the benchmarks behind `cargo xtask bench`, load generator included, each
//! compared with a floor measured in the same run, because machines are noisy. Called by the program `bench`.
//!
//! - [`ingest`]: receipts, streamed and one by one
//! - [`pipeline`]: from the receipt to what is queryable in disclosure, at a steady rate and as fast as it goes
//! - [`stored`]: what a record costs once millions are stored
//! - [`reload`]: full reloads, of new and of unchanged records
//! - [`hostile`]: good callers alone and alongside hostile ones
//! - [`floor`]: plain PostgreSQL with the same rows
//! - [`usage`]: processor time of each party

pub mod floor;
pub mod hostile;
pub mod ingest;
pub mod pipeline;
pub mod reload;
pub mod stored;
pub mod usage;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use local_servers::{Binaries, LockedFolder, Nats, NatsOptions, Postgres, PostgresOptions};
use platform::target::Service;
use serde::Serialize;
use testkit::eventually;

use crate::cluster::{Cluster, ClusterOptions, ClusterServers};

/// How long what was reported may take to be judged.
const JUDGED_TIMEOUT: Duration = Duration::from_secs(240);

/// What every benchmark prints, and some figures of its own.
#[derive(Debug, Serialize)]
pub struct BenchFigures {
    /// Which benchmark.
    pub name: &'static str,
    /// Records that the main figure was measured with.
    pub records: u64,
    /// The main figure, records a second.
    pub ours_per_s: f64,
    /// The floor in the same run, records a second.
    pub floor_per_s: f64,
    /// Ours by the floor.
    pub ratio: f64,
    /// The 99th percentile that the benchmark is about, milliseconds.
    pub p99_ms: f64,
    /// What else it measured.
    #[serde(flatten)]
    pub more: BTreeMap<String, f64>,
}

impl BenchFigures {
    /// Adds a figure.
    pub fn add(&mut self, name: impl Into<String>, value: f64) {
        self.more.insert(name.into(), value);
    }
}

/// Services of a platform as it is deployed, a process a service, on servers that wait for the disk. Those that are not
/// named can be started later: what is for them waits on the bus.
pub async fn start_as_deployed(program: PathBuf, services: &[Service]) -> Result<Cluster> {
    let place = LockedFolder::temporary()?;
    let binaries = Binaries::locate(&testkit::workspace_root())?;
    let options = PostgresOptions {
        settings: deployed_settings()?,
        ..PostgresOptions::default()
    };
    let postgres = Postgres::start(&binaries, &place.path().join("postgres"), options)?;
    let nats = Nats::start(
        &binaries,
        &place.path().join("nats"),
        NatsOptions::default(),
    )?;
    let servers = ClusterServers::from_started(postgres, nats);
    let options = ClusterOptions {
        log: "warn".to_owned(),
        ..ClusterOptions::new(program)
    };
    let mut cluster = Cluster::start_on_servers(servers, place, options).await?;
    cluster.stop_platform().await?;
    cluster.start_service_processes(services).await?;
    Ok(cluster)
}

/// The settings of memory and the log in `deploy/postgres/postgresql.conf`: operators have no other server.
fn deployed_settings() -> Result<Vec<(String, String)>> {
    const OF_THE_PLACE: [&str; 4] = ["listen_", "password_", "log", "max_connections"];
    let file = testkit::workspace_root().join("deploy/postgres/postgresql.conf");
    let text = std::fs::read_to_string(&file)?;
    let lines = text.lines().filter_map(|line| line.split('#').next());
    let settings = lines.filter_map(|line| line.split_once('='));
    let settings = settings.map(|(name, value)| {
        let value = value.trim().trim_matches('\'');
        (name.trim().to_owned(), value.to_owned())
    });
    Ok(settings
        .filter(|(name, _)| OF_THE_PLACE.iter().all(|other| !name.starts_with(other)))
        .collect())
}

/// The services of the platform that are not among these.
pub fn remaining_services(services: &[Service]) -> Vec<Service> {
    let all = Service::PLATFORM.into_iter();
    all.filter(|service| !services.contains(service)).collect()
}

/// Receipts given = originals = events = verdicts, once everything has settled.
pub async fn check_balance(cluster: &Cluster) -> Result<()> {
    let pool = cluster.owner_pool("public")?;
    eventually("the books balance", JUDGED_TIMEOUT, async || {
        let counts: (i64, i64, i64, i64, i64) = sqlx::query_as(
            "select (select coalesce(sum(last_number), 0)::int8 from ingest.provider_ledger),
                    (select count(*) from ingest.original),
                    (select count(*) from ingest.outbox
                     where event_type = 'credit.ingest.events.v1.RecordSubmitted'),
                    (select count(*) from validation.verdict),
                    (select count(submission_digest) from ingest.original)",
        )
        .fetch_one(&pool)
        .await?;
        let (ledgers, originals, events, verdicts, receipted) = counts;
        ensure!(
            [originals, events, verdicts, receipted]
                .iter()
                .all(|count| *count == ledgers),
            "ledger numbers {ledgers}, originals {originals}, events {events}, \
             verdicts {verdicts}, versions with a receipt {receipted}"
        );
        Ok(())
    })
    .await?;
    pool.close().await;
    Ok(())
}

/// The most that each service ever kept resident, MiB, and the highest of them.
pub fn peak_memory(cluster: &Cluster) -> Result<BTreeMap<String, f64>> {
    let services = crate::memory::service_memory(cluster)?;
    let mut figures: BTreeMap<String, f64> = services
        .iter()
        .map(|(service, resident)| {
            let name = format!("peak_rss_mib_{}", service.name());
            (name, resident.peak_mib.round())
        })
        .collect();
    let highest = figures.values().copied().fold(0.0, f64::max);
    figures.insert("peak_rss_mib".to_owned(), highest);
    Ok(figures)
}
