//! What the fault journeys share: a platform in separate processes, its load, its auditor, and the faults.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use journeys::{
    books::{AuditTotals, Auditor},
    cluster::{Cluster, ClusterOptions, ClusterServers},
    day::Day,
    load::{Load, LoadPace},
    memory,
};
use local_servers::{Binaries, LockedFolder, send_signal};
use platform::target::Service;
use rand::{SeedableRng, rngs::StdRng};
use testkit::test_seed;

/// The seed when the environment names none.
const DEFAULT_SEED: u64 = 20_261_129;

/// The services from submission to disclosure; those downstream cannot affect the result.
pub const SERVICES: [Service; 4] = [
    Service::Catalog,
    Service::Ingest,
    Service::Validation,
    Service::Disclosure,
];

/// Memory that each service stays under (issue 4), MiB.
const MAX_RESIDENT_MIB: f64 = 200.0;

/// Processes that a fault can hit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultTarget {
    Ingest,
    Validation,
    Nats,
    Postgres,
}

impl FaultTarget {
    pub const ALL: [Self; 4] = [Self::Ingest, Self::Validation, Self::Nats, Self::Postgres];
}

/// A platform under load.
pub struct FaultFixture {
    pub cluster: Cluster,
    pub load: Load,
    pub auditor: Auditor,
    pub rng: StdRng,
    since: Instant,
}

/// The seed of this run, and chance from it.
pub fn seeded_random() -> Result<(u64, StdRng)> {
    let seed = test_seed(DEFAULT_SEED)?;
    Ok((seed, StdRng::seed_from_u64(seed)))
}

/// Options of a platform whose servers do not wait for the disk: no fault here takes the kernel's memory away.
pub fn journey_options() -> ClusterOptions {
    ClusterOptions {
        durable: false,
        ..ClusterOptions::new(env!("CARGO_BIN_EXE_credit-journey"))
    }
}

/// Private servers in a folder of their own.
pub fn start_servers() -> Result<(ClusterServers, LockedFolder)> {
    let place = LockedFolder::temporary()?;
    let binaries = Binaries::locate(&testkit::workspace_root())?;
    let servers = ClusterServers::start_private(&binaries, place.path(), false)?;
    Ok((servers, place))
}

impl FaultFixture {
    /// A platform with private servers, its providers registered, and the load on it begun.
    pub async fn start(pace: LoadPace) -> Result<Self> {
        let (servers, place) = start_servers()?;
        let (seed, rng) = seeded_random()?;
        let cluster = Cluster::start_services(servers, place, journey_options(), &SERVICES).await?;
        Self::under_load(cluster, seed, rng, pace).await
    }

    /// Registers the providers on a running platform and begins the load.
    pub async fn under_load(
        cluster: Cluster,
        seed: u64,
        rng: StdRng,
        pace: LoadPace,
    ) -> Result<Self> {
        Day::new(seed, 0).register_providers(&cluster).await?;
        Self::begin_load(cluster, seed, rng, pace).await
    }

    /// Begins the load on a running platform that knows the providers.
    pub async fn begin_load(
        cluster: Cluster,
        seed: u64,
        rng: StdRng,
        pace: LoadPace,
    ) -> Result<Self> {
        let load = Load::start(&cluster, Day::new(seed, 0).generator, pace)?;
        let auditor = Auditor::new(&cluster)?;
        let mut fixture = Self {
            cluster,
            load,
            auditor,
            rng,
            since: Instant::now(),
        };
        fixture.load.wait_for_receipts(50).await?;
        Ok(fixture)
    }

    /// What must hold at every moment holds now, with the load going on.
    pub async fn check_books(&mut self) -> Result<()> {
        let book = self.load.book();
        self.auditor.check_while_running(&book).await
    }

    /// Waits for so many more receipts, and starts PostgreSQL again whenever it has fallen meanwhile, as what keeps it
    /// up (Compose, systemd) would; how often that was.
    ///
    /// Whether it lives is polled until the receipts have come: a server that panics for want of space
    /// recovers by itself, or fails in that a while after its panic and only then ends.
    pub async fn wait_for_receipts_restarting_postgres(&mut self, receipts: u64) -> Result<u32> {
        let Self { cluster, load, .. } = self;
        let postgres = cluster.servers.postgres.as_mut();
        let postgres = postgres.context("private PostgreSQL")?;
        let mut looks = tokio::time::interval(Duration::from_millis(100));
        let mut starts = 0;
        let more = load.wait_for_receipts(receipts);
        tokio::pin!(more);
        loop {
            tokio::select! {
                came = &mut more => return came.map(|()| starts),
                _ = looks.tick() => {
                    if !postgres.is_running()? {
                        run_blocking(|| postgres.restart())?;
                        starts += 1;
                    }
                }
            }
        }
    }

    /// Ends the load, waits until everything is through, and checks all of it, and the memory of the services.
    pub async fn finish(mut self) -> Result<AuditTotals> {
        self.load.check_callers().await?;
        let book = self.load.finish().await?;
        let settled = self.auditor.check_settled(&self.cluster, &book).await?;
        check_memory(&self.cluster)?;
        println!(
            "lasted {:.0} s with the checks",
            self.since.elapsed().as_secs_f64()
        );
        Ok(settled)
    }

    /// `kill -9` of a victim; a server with its whole process tree at once.
    pub fn kill(&mut self, victim: FaultTarget) -> Result<()> {
        match victim {
            FaultTarget::Ingest => self.cluster.kill_service(Service::Ingest),
            FaultTarget::Validation => self.cluster.kill_service(Service::Validation),
            FaultTarget::Nats => run_blocking(|| self.nats()?.kill9()),
            FaultTarget::Postgres => run_blocking(|| self.postgres()?.kill9()),
        }
    }

    /// Starts a killed victim again.
    pub fn restart(&mut self, victim: FaultTarget) -> Result<()> {
        match victim {
            FaultTarget::Ingest => self.cluster.restart_service(Service::Ingest),
            FaultTarget::Validation => self.cluster.restart_service(Service::Validation),
            FaultTarget::Nats => run_blocking(|| self.cluster.restart_killed_nats().map(drop)),
            FaultTarget::Postgres => run_blocking(|| self.postgres()?.restart()),
        }
    }

    /// Suspends all processes of a victim (SIGSTOP), as a frozen container is.
    pub fn suspend(&mut self, victim: FaultTarget) -> Result<()> {
        match victim {
            FaultTarget::Postgres => {
                let process = self.postgres()?.process().context("PostgreSQL runs")?;
                process.suspend_tree().map(drop)
            }
            one => send_signal(self.pid(one)?, "STOP"),
        }
    }

    /// Lets a frozen victim go on.
    pub fn resume(&mut self, victim: FaultTarget) -> Result<()> {
        match victim {
            FaultTarget::Postgres => {
                let process = self.postgres()?.process().context("PostgreSQL runs")?;
                process.resume_tree()
            }
            one => send_signal(self.pid(one)?, "CONT"),
        }
    }

    fn pid(&mut self, victim: FaultTarget) -> Result<u32> {
        match victim {
            FaultTarget::Ingest => self.cluster.service_pid(Service::Ingest),
            FaultTarget::Validation => self.cluster.service_pid(Service::Validation),
            FaultTarget::Nats => self.nats()?.pid().context("NATS runs"),
            FaultTarget::Postgres => self.postgres()?.pid().context("PostgreSQL runs"),
        }
    }

    /// The private NATS.
    pub fn nats(&mut self) -> Result<&mut local_servers::Nats> {
        self.cluster.servers.nats.as_mut().context("private NATS")
    }

    /// The private PostgreSQL.
    pub fn postgres(&mut self) -> Result<&mut local_servers::Postgres> {
        let postgres = self.cluster.servers.postgres.as_mut();
        postgres.context("private PostgreSQL")
    }

    /// Verdicts so far.
    pub async fn count_verdicts(&self) -> Result<i64> {
        let pool = self.cluster.owner_pool("validation")?;
        let count = sqlx::query_scalar("select count(*) from verdict")
            .fetch_one(&pool)
            .await?;
        pool.close().await;
        Ok(count)
    }
}

/// Every service stayed under the 200 MiB that it is allowed, since it was started last.
pub fn check_memory(cluster: &Cluster) -> Result<()> {
    let services = memory::service_memory(cluster)?;
    println!("memory: {}", memory::describe_memory(&services));
    for (service, resident) in services {
        ensure!(
            resident.peak_mib < MAX_RESIDENT_MIB,
            "{}: {resident}, over {MAX_RESIDENT_MIB} MiB",
            service.name()
        );
    }
    Ok(())
}

/// Runs something that blocks while the load goes on.
pub fn run_blocking<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    tokio::task::block_in_place(work)
}
