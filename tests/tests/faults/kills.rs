//! `kill -9` at random moments under load, round after round on one platform.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use journeys::load::LoadPace;
use rand::{Rng, seq::SliceRandom};
use testkit::{TestResult, choose_extent, eventually, print_figures};

use crate::support::{FaultFixture, FaultTarget};

const WAIT_TIMEOUT: Duration = Duration::from_secs(90);

/// Victims come round-robin, each four in an order of chance; how many receipts pass before the kill is
/// chance too, so it falls into any stage of any batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_rounds_of_kill_9_under_load_lose_nothing_and_double_nothing() -> TestResult {
    let rounds = choose_extent(12, 50);
    let mut fixture = FaultFixture::start(LoadPace::default()).await?;
    let mut order = FaultTarget::ALL;
    for round in 0..rounds {
        if round % order.len() == 0 {
            order.shuffle(&mut fixture.rng);
        }
        let victim = order[round % order.len()];
        kill_and_restart(&mut fixture, victim)
            .await
            .with_context(|| format!("round {round}: {victim:?}"))?;
    }
    let settled = fixture.finish().await?;
    print_figures(&format!("{rounds} kills, {settled:?}"));
    Ok(())
}

async fn kill_and_restart(fixture: &mut FaultFixture, victim: FaultTarget) -> Result<()> {
    let passes = fixture.rng.random_range(1..150);
    fixture.load.wait_for_receipts(passes).await?;
    fixture.kill(victim)?;
    // Sometimes what is left goes on alone for a while.
    if matches!(victim, FaultTarget::Nats | FaultTarget::Validation)
        && fixture.rng.random_ratio(1, 2)
    {
        let passes = fixture.rng.random_range(1..100);
        fixture.load.wait_for_receipts(passes).await?;
    }
    let before = match victim {
        FaultTarget::Postgres => None,
        _ => Some(fixture.count_verdicts().await?),
    };
    fixture.restart(victim)?;
    fixture.load.wait_for_receipts(20).await?;
    if let Some(before) = before {
        eventually("verdicts go on", WAIT_TIMEOUT, async || {
            let now = fixture.count_verdicts().await?;
            ensure!(now > before, "{now} verdicts");
            anyhow::Ok(())
        })
        .await?;
    }
    fixture.check_books().await
}
