//! Full disks, real ones: PostgreSQL's data, PostgreSQL's log (WAL), JetStream's store. Nothing is acknowledged that is
//! not kept; callers get a refusal that permits a retry, with its reason; with space made, everything goes on.

use std::{os::unix::fs::symlink, path::Path, time::Duration};

use anyhow::{Context, Result, ensure};
use journeys::{
    cluster::{Cluster, ClusterOptions, ClusterServers, http_get},
    load::LoadPace,
};
use local_servers::{Binaries, LockedFolder, Nats, NatsOptions, Postgres, PostgresOptions};
use testkit::{TestResult, eventually};

use crate::{
    support::{FaultFixture, SERVICES, journey_options, run_blocking, seeded_random},
    tmpfs::SmallDisk,
};

const WAIT_TIMEOUT: Duration = Duration::from_secs(90);
/// JetStream reserves the size of each of its streams when they are created.
const STREAM_BYTES: u64 = 24 * 1024 * 1024;

/// A platform whose servers have been put where the journey wants them.
async fn start_fixture(
    postgres: Postgres,
    nats: Nats,
    place: LockedFolder,
) -> Result<FaultFixture> {
    let (seed, rng) = seeded_random()?;
    let options = ClusterOptions {
        max_stream_bytes: STREAM_BYTES,
        ..journey_options()
    };
    let servers = ClusterServers::from_started(postgres, nats);
    let cluster = Cluster::start_services(servers, place, options, &SERVICES).await?;
    FaultFixture::under_load(cluster, seed, rng, LoadPace::default()).await
}

fn postgres_options() -> PostgresOptions {
    PostgresOptions {
        durable: false,
        ..PostgresOptions::default()
    }
}

fn nats_on(binaries: &Binaries, folder: &Path) -> Result<Nats> {
    let options = NatsOptions {
        durable: false,
        ..NatsOptions::default()
    };
    Nats::start(binaries, folder, options)
}

/// Waits until callers have been refused because of the disk, or have lost their connections to a server that fell.
async fn wait_for_refusals(fixture: &mut FaultFixture) -> Result<()> {
    let before: u64 = fixture.load.refusals().values().sum();
    eventually(
        "callers are refused with a reason",
        WAIT_TIMEOUT,
        async || {
            let refusals = fixture.load.refusals();
            // Any refusal but "try again" has ended the load with an error.
            ensure!(refusals.values().sum::<u64>() > before, "{refusals:?}");
            anyhow::Ok(())
        },
    )
    .await?;
    fixture.load.check_callers().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_postgresqls_disk_full_nothing_is_acknowledged_that_is_not_kept() -> TestResult {
    let disk = SmallDisk::mount(384)?;
    let place = LockedFolder::temporary()?;
    let binaries = Binaries::locate(&testkit::workspace_root())?;
    let mut settings = postgres_options();
    // The log reuses its files, so that the tables are what runs out of space.
    settings.settings = vec![("max_wal_size".to_owned(), "64MB".to_owned())];
    let postgres = Postgres::start(&binaries, disk.folder(), settings)?;
    let nats = nats_on(&binaries, &place.path().join("nats"))?;
    let mut fixture = start_fixture(postgres, nats, place).await?;
    fixture.load.wait_for_receipts(300).await?;
    println!("ballast: {} bytes", disk.fill()?);
    wait_for_refusals(&mut fixture).await?;
    disk.make_space()?;
    let starts = fixture.wait_for_receipts_restarting_postgres(300).await?;
    println!("PostgreSQL fell and was started again: {starts} times");
    fixture.check_books().await?;
    fixture.finish().await?;
    Ok(())
}

/// When space is made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SpaceFreed {
    /// While PostgreSQL recovers from its panic.
    DuringRecovery,
    /// Once its recovery, too, has found no space and it has ended.
    AfterExit,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_the_disk_of_postgresqls_log_full_nothing_is_acknowledged_that_is_not_kept()
-> TestResult {
    log_disk_full(SpaceFreed::DuringRecovery).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_postgresql_that_fell_over_its_full_log_is_started_again_with_all_it_acknowledged()
-> TestResult {
    log_disk_full(SpaceFreed::AfterExit).await?;
    Ok(())
}

async fn log_disk_full(space: SpaceFreed) -> Result<()> {
    let disk = SmallDisk::mount(160)?;
    let place = LockedFolder::temporary()?;
    let binaries = Binaries::locate(&testkit::workspace_root())?;
    let folder = place.path().join("postgres");
    let mut postgres = Postgres::start(&binaries, &folder, postgres_options())?;
    postgres.stop()?;
    // As an operator lays the log on a disk of its own.
    let log = postgres.folder().join("data/pg_wal");
    let there = disk.folder().join("pg_wal");
    let moved = std::process::Command::new("cp")
        .arg("-a")
        .args([&log, &there])
        .status()?;
    assert!(moved.success(), "copying pg_wal: {moved}");
    std::fs::remove_dir_all(&log)?;
    symlink(&there, &log)?;
    postgres.restart()?;
    let nats = nats_on(&binaries, &place.path().join("nats"))?;
    let mut fixture = start_fixture(postgres, nats, place).await?;
    fixture.load.wait_for_receipts(300).await?;
    println!("ballast: {} bytes", disk.fill()?);
    wait_for_refusals(&mut fixture).await?;
    // Callers may have been refused for another reason first, such as a slow machine.
    let said = eventually("PostgreSQL finds its disk full", WAIT_TIMEOUT, async || {
        let said = std::fs::read_to_string(folder.join("postgres.log"))?;
        ensure!(said.contains("No space left on device"), "it has not");
        anyhow::Ok(said)
    })
    .await?;
    let lines = |word: &str| said.lines().filter(|line| line.contains(word)).count();
    println!(
        "PostgreSQL's log: {} lines of no space, {} of panic",
        lines("No space left on device"),
        lines("PANIC")
    );
    if space == SpaceFreed::AfterExit {
        eventually("PostgreSQL ends", WAIT_TIMEOUT, async || {
            ensure!(!fixture.postgres()?.is_running()?, "it runs");
            anyhow::Ok(())
        })
        .await?;
    }
    disk.make_space()?;
    let starts = fixture.wait_for_receipts_restarting_postgres(300).await?;
    println!("PostgreSQL fell and was started again: {starts} times");
    ensure!(starts > 0 || space == SpaceFreed::DuringRecovery, "it fell");
    fixture.check_books().await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_jetstreams_disk_full_receipts_go_on_and_everything_arrives_later() -> TestResult {
    let disk = SmallDisk::mount(256)?;
    let place = LockedFolder::temporary()?;
    let binaries = Binaries::locate(&testkit::workspace_root())?;
    let postgres = Postgres::start(
        &binaries,
        &place.path().join("postgres"),
        postgres_options(),
    )?;
    let nats = nats_on(&binaries, disk.folder())?;
    let mut fixture = start_fixture(postgres, nats, place).await?;
    fixture.load.wait_for_receipts(300).await?;
    println!("ballast: {} bytes", disk.fill()?);
    let ingest = fixture.cluster.owner_pool("ingest")?;
    let waiting = async |least: i64| {
        eventually("events wait in the outbox", WAIT_TIMEOUT, async || {
            let rows = event_bus::outbox::count_unpublished(&ingest).await?;
            ensure!(rows >= least, "{rows} rows");
            anyhow::Ok(rows)
        })
        .await
    };
    println!("unpublished: {}", waiting(500).await?);
    // Receipts do not need the bus.
    fixture.load.wait_for_receipts(300).await?;
    fixture.check_books().await?;
    let monitor = fixture.nats()?.monitor_url();
    let monitor = monitor.strip_prefix("http://").context("a monitor")?;
    let health = eventually("NATS finds its disk full", WAIT_TIMEOUT, async || {
        let health = http_get(monitor, "/healthz").await?;
        ensure!(health.0 != 200, "{health:?}");
        anyhow::Ok(health)
    })
    .await?;
    println!("NATS says: {health:?}");
    disk.make_space()?;
    // A stream whose write failed stays closed until NATS is started again, and its health check reports it. The files
    // of a stream can be spoiled (nats-server 2.15.1: "corrupt state file"); then the stream is gone, and made again
    // from the outbox, which has everything.
    run_blocking(|| fixture.nats()?.restart())?;
    println!(
        "{}",
        fixture
            .cluster
            .run_credit(&["streams", "rebuild"])?
            .trim_end()
    );
    fixture.load.wait_for_receipts(300).await?;
    fixture.finish().await?;
    ingest.close().await;
    Ok(())
}
