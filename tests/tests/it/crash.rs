//! The platform crashes at each fault point, and in the middle of everything. Every journey ends
//! in the same state: every receipt's record once, every verdict once, the books balanced.

use std::{sync::atomic::Ordering, time::Duration, time::Instant};

use anyhow::Result;
use journeys::day::{Day, ReceiptCounter};
use testkit::{TestResult, choose_extent, eventually, print_figures, test_seed};

use crate::support::{report_all, settle_and_check, start_platform};

/// Restarts the platform with a fault, reports, waits for the crash, restarts it whole.
async fn crash_at(fault: &str) -> Result<()> {
    let (mut cluster, day) = start_platform(11, 600).await?;
    cluster.stop_platform().await?;
    cluster.start_platform(Some(fault))?;
    cluster.wait_until_ready().await?;
    let since = Instant::now();
    let progress = ReceiptCounter::default();
    // The crash comes while records come in, or while what came in is in flight.
    let reporting = {
        let pid = cluster.platform_pid();
        let report = day.report_records(&cluster, &progress);
        tokio::pin!(report);
        let crash = eventually(
            "the fault ends the process",
            Duration::from_secs(60),
            async || pid.is_none_or(|pid| !local_servers::is_running(pid)),
        );
        tokio::select! {
            receipts = &mut report => Some(receipts?),
            crashed = crash => { crashed?; None }
        }
    };
    cluster.wait_until_platform_ended().await?;
    cluster.start_platform(None)?;
    cluster.wait_until_ready().await?;
    if reporting.is_none() {
        // The same submission ids again: what was committed answers with its receipt.
        report_all(&cluster, &day).await?;
    }
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}

#[tokio::test]
async fn r11_a_crash_after_append_before_commit_loses_nothing() -> TestResult {
    crash_at("appended:3").await?;
    Ok(())
}

#[tokio::test]
async fn r11_a_crash_after_commit_before_publish_loses_nothing() -> TestResult {
    crash_at("committed:3").await?;
    Ok(())
}

#[tokio::test]
async fn r11_a_crash_after_publish_before_mark_doubles_nothing() -> TestResult {
    crash_at("published:3").await?;
    Ok(())
}

#[tokio::test]
async fn r11_a_crash_after_handler_before_commit_loses_nothing() -> TestResult {
    crash_at("handled:3").await?;
    Ok(())
}

#[tokio::test]
async fn r11_a_crash_after_commit_before_ack_doubles_nothing() -> TestResult {
    crash_at("handled-committed:3").await?;
    Ok(())
}

#[tokio::test]
async fn r11_kill_9_in_the_middle_of_thousands_of_records_and_the_books_balance() -> TestResult {
    let (mut cluster, day) = start_platform(test_seed(12)?, choose_extent(3_000, 10_000)).await?;
    let since = Instant::now();
    let progress = ReceiptCounter::default();
    let (third, two_thirds) = (
        day.records.len() as u64 / 3,
        day.records.len() as u64 * 2 / 3,
    );
    for limit in [third, two_thirds] {
        report_until(&cluster, &day, &progress, limit).await?;
        cluster.kill_platform()?;
        cluster.start_platform(None)?;
        cluster.wait_until_ready().await?;
    }
    report_all(&cluster, &day).await?;
    let balance = settle_and_check(&cluster, &day, since).await?;
    print_figures(&format!("{balance:?}"));
    Ok(())
}

/// Reports until so many receipts came, then drops the streams where they are.
async fn report_until(
    cluster: &journeys::cluster::Cluster,
    day: &Day,
    progress: &ReceiptCounter,
    limit: u64,
) -> Result<()> {
    let enough = eventually("receipts come", Duration::from_secs(120), async || {
        progress.load(Ordering::Relaxed) >= limit
    });
    tokio::select! {
        receipts = day.report_records(cluster, progress) => { receipts?; }
        enough = enough => enough?,
    }
    Ok(())
}
