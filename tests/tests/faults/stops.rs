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
    let mut fixture = FaultFixture::start(LoadPace::default()).await?;
    for victim in FaultTarget::ALL {
        suspend_and_resume(&mut fixture, victim)
            .await
            .with_context(|| format!("{victim:?}"))?;
    }
    fixture.finish().await?;
    Ok(())
}

async fn suspend_and_resume(fixture: &mut FaultFixture, victim: FaultTarget) -> Result<()> {
    fixture.load.wait_for_receipts(100).await?;
    fixture.suspend(victim)?;
    tokio::time::sleep(STOPPED).await;
    fixture.resume(victim)?;
    fixture.load.wait_for_receipts(100).await?;
    fixture.check_books().await
}
