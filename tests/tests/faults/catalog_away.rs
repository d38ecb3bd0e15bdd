//! The catalog is down: from a cold start of the others, and under load. What it has announced is kept where it is
//! needed, so no other service waits for it.

use std::time::Duration;

use anyhow::{Result, ensure};
use journeys::{cluster::Cluster, day::Day, load::LoadPace};
use platform::target::Service;
use testkit::{TestResult, eventually};

use crate::support::{FaultFixture, SERVICES, journey_options, seeded_random, start_servers};

const WAIT_TIMEOUT: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_the_catalog_away_records_are_taken_and_judged_after_a_cold_start_and_under_load()
-> TestResult {
    let (seed, rng) = seeded_random()?;
    let (servers, place) = start_servers()?;
    let mut cluster = Cluster::start_services(servers, place, journey_options(), &SERVICES).await?;
    // The providers report nothing yet: the catalogue's facts are all that there is.
    Day::new(seed, 0).register_providers(&cluster).await?;
    let known = cluster.owner_pool("validation")?;
    eventually("validation knows the catalogue", WAIT_TIMEOUT, async || {
        let items: i64 = sqlx::query_scalar("select count(*) from item_version")
            .fetch_one(&known)
            .await?;
        ensure!(items > 0, "{items} items");
        anyhow::Ok(())
    })
    .await?;
    known.close().await;
    cluster.stop_service_processes().await?;
    let without: Vec<Service> = SERVICES
        .into_iter()
        .filter(|service| *service != Service::Catalog)
        .collect();
    cluster.start_service_processes(&without).await?;

    let mut fixture = FaultFixture::begin_load(cluster, seed, rng, LoadPace::default()).await?;
    wait_for_verdicts(&mut fixture).await?;
    fixture.check_books().await?;
    // It comes, and goes in the middle of the load.
    fixture.cluster.launch_service(Service::Catalog, &[])?;
    fixture.cluster.wait_until_services_ready().await?;
    fixture.load.wait_for_receipts(100).await?;
    fixture.cluster.kill_service(Service::Catalog)?;
    wait_for_verdicts(&mut fixture).await?;
    fixture.check_books().await?;
    fixture.cluster.restart_service(Service::Catalog)?;
    fixture.finish().await?;
    Ok(())
}

async fn wait_for_verdicts(fixture: &mut FaultFixture) -> Result<()> {
    let before = fixture.count_verdicts().await?;
    fixture.load.wait_for_receipts(200).await?;
    eventually("verdicts go on", WAIT_TIMEOUT, async || {
        let now = fixture.count_verdicts().await?;
        ensure!(now >= before + 200, "{now} verdicts, {before} before");
        anyhow::Ok(())
    })
    .await
}
