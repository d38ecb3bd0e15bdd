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
        suspend_and_resume(&mut bench, victim)
            .await
            .with_context(|| format!("{victim:?}"))?;
    }
    bench.finish().await?;
    Ok(())
}

async fn suspend_and_resume(bench: &mut FaultFixture, victim: FaultTarget) -> Result<()> {
    bench.load.wait_for_receipts(100).await?;
    bench.suspend(victim)?;
    tokio::time::sleep(STOPPED).await;
    bench.resume(victim)?;
    bench.load.wait_for_receipts(100).await?;
    bench.check_books().await
}
