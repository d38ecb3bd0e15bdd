//! A slow consumer: validation gets its database through a thin line. Receipts go on at their pace, what validation does
//! not take waits in the stream and, since that is small, in ingest's outbox; no process grows with it.

use std::time::Duration;

use anyhow::{Context, ensure};
use journeys::{
    cluster::{Cluster, ClusterOptions},
    load::LoadPace,
    memory,
};
use platform::target::Service;
use testkit::{TestResult, eventually, proxy::TcpProxy};

use crate::support::{
    FaultFixture, SERVICES, check_memory, journey_options, seeded_random, start_servers,
};

const WAIT_TIMEOUT: Duration = Duration::from_secs(120);
/// Room for some hundred records, so that the outbox must wait soon. More than one message with its largest batch.
const STREAM_BYTES: u64 = 2 * 1024 * 1024;
/// What the thin line carries in a second, in each direction.
const BYTES_PER_SECOND: u32 = 64 * 1024;
/// Events that wait in the outbox before the network is restored.
const MIN_UNPUBLISHED: i64 = 4_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_behind_a_slow_validation_the_outbox_grows_and_drains_and_no_process_does() -> TestResult
{
    let (seed, rng) = seeded_random()?;
    let (servers, place) = start_servers()?;
    let options = ClusterOptions {
        max_stream_bytes: STREAM_BYTES,
        ..journey_options()
    };
    // A stream keeps what a consumer has not had: with one this small, all who consume must be there.
    let others: Vec<Service> = SERVICES
        .into_iter()
        .chain([Service::ProvincialSync])
        .filter(|service| *service != Service::Validation)
        .collect();
    let mut cluster = Cluster::start_services(servers, place, options, &others).await?;
    let url = std::fs::read_to_string(cluster.folder().join("secrets/validation_database_url"))?;
    let (line, thin) = TcpProxy::in_front_of(url.trim_end()).await?;
    let setting = format!("CREDIT_VALIDATION__DATABASE_URL={thin}");
    cluster.launch_service(Service::Validation, &[setting])?;
    cluster.wait_until_services_ready().await?;
    let pace = LoadPace {
        streams: 8,
        per_second: 500,
    };
    let mut fixture = FaultFixture::under_load(cluster, seed, rng, pace).await?;

    line.slow_down(BYTES_PER_SECOND);
    let ingest = fixture.cluster.owner_pool("ingest")?;
    let most = eventually("events wait in the outbox", WAIT_TIMEOUT, async || {
        let rows = event_bus::outbox::count_unpublished(&ingest).await?;
        ensure!(rows >= MIN_UNPUBLISHED, "{rows} rows");
        anyhow::Ok(rows)
    })
    .await?;
    println!(
        "{most} events wait in the outbox; {}",
        memory::describe_memory(&memory::service_memory(&fixture.cluster)?)
    );
    // Slow is not stopped: validation goes on, and so does the taking in of records.
    let before = fixture.count_verdicts().await?;
    eventually("verdicts go on", WAIT_TIMEOUT, async || {
        let now = fixture.count_verdicts().await?;
        ensure!(now > before, "{now} verdicts");
        anyhow::Ok(())
    })
    .await?;
    fixture.load.wait_for_receipts(200).await?;
    check_memory(&fixture.cluster)?;
    let nats = fixture.nats()?.pid().context("NATS runs")?;
    println!("memory: nats {}", memory::resident_memory(nats)?);
    fixture.check_books().await?;

    line.restore_traffic();
    fixture.finish().await?;
    ingest.close().await;
    Ok(())
}
