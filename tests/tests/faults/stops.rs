//! SIGSTOP: a process that neither answers nor ends, for ten seconds, as a machine that swaps or a frozen container.

use std::time::Duration;

use anyhow::{Context, Result};
use journeys::load::LoadPace;
use testkit::TestResult;

use crate::support::{FaultFixture, FaultTarget};

/// How long the fault lasts.
const STOPPED: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_ten_seconds_of_sigstop_each_lose_nothing_and_double_nothing() -> TestResult {
    let mut bench = FaultFixture::start(LoadPace::default()).await?;
    for victim in FaultTarget::ALL {
        stop_once(&mut bench, victim)
            .await
            .with_context(|| format!("{victim:?}"))?;
    }
    bench.end().await?;
    Ok(())
}

async fn stop_once(bench: &mut FaultFixture, victim: FaultTarget) -> Result<()> {
    bench.load.more(100).await?;
    bench.freeze(victim)?;
    tokio::time::sleep(STOPPED).await;
    bench.thaw(victim)?;
    bench.load.more(100).await?;
    bench.check().await
}
