//! The catalog is away: from a cold start of the others, and under load. What it has announced is kept where it is
//! needed, so nobody waits for it.

use std::time::Duration;

use anyhow::{Result, ensure};
use journeys::{cluster::Cluster, day::Day, load::LoadPace};
use platform::target::Service;
use testkit::{TestResult, eventually};

use crate::support::{FaultFixture, SERVICES, chance, options, servers};

const PATIENCE: Duration = Duration::from_secs(90);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_the_catalog_away_records_are_taken_and_judged_after_a_cold_start_and_under_load()
-> TestResult {
    let (seed, rng) = chance()?;
    let (servers, place) = servers()?;
    let mut cluster = Cluster::start_services(servers, place, options(), &SERVICES).await?;
    // The providers report nothing yet: the catalogue's facts are all that there is.
    Day::new(seed, 0).register(&cluster).await?;
    let known = cluster.owner_pool("validation")?;
    eventually("validation knows the catalogue", PATIENCE, async || {
        let items: i64 = sqlx::query_scalar("select count(*) from item_version")
            .fetch_one(&known)
            .await?;
        ensure!(items > 0, "{items} items");
        anyhow::Ok(())
    })
    .await?;
    known.close().await;
    cluster.stop_apart().await?;
    let without: Vec<Service> = SERVICES
        .into_iter()
        .filter(|service| *service != Service::Catalog)
        .collect();
    cluster.start_apart(&without).await?;

    let mut bench = FaultFixture::begin_load(cluster, seed, rng, LoadPace::default()).await?;
    verdicts_go_on(&mut bench).await?;
    bench.check().await?;
    // It comes, and goes in the middle of the load.
    bench.cluster.launch_apart(Service::Catalog, &[])?;
    bench.cluster.apart_ready().await?;
    bench.load.more(100).await?;
    bench.cluster.kill_apart(Service::Catalog)?;
    verdicts_go_on(&mut bench).await?;
    bench.check().await?;
    bench.cluster.restart_apart(Service::Catalog)?;
    bench.end().await?;
    Ok(())
}

async fn verdicts_go_on(bench: &mut FaultFixture) -> Result<()> {
    let before = bench.verdicts().await?;
    bench.load.more(200).await?;
    eventually("verdicts go on", PATIENCE, async || {
        let now = bench.verdicts().await?;
        ensure!(now >= before + 200, "{now} verdicts, {before} before");
        anyhow::Ok(())
    })
    .await
}
