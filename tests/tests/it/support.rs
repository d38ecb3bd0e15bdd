//! What the journeys share.

use std::time::Instant;

use anyhow::{Result, ensure};
use journeys::{
    cluster::{Cluster, ClusterOptions},
    day::{Balance, Day, ReceiptCounter},
};

/// Options for the program of this package, which has fault points. The servers do not wait for
/// the disk: a killed process loses nothing that the kernel has.
pub fn journey_options() -> ClusterOptions {
    ClusterOptions {
        durable: false,
        ..ClusterOptions::new(env!("CARGO_BIN_EXE_credit-journey"))
    }
}

/// A platform with the providers of the day registered.
pub async fn start_platform(seed: u64, records: usize) -> Result<(Cluster, Day)> {
    let cluster = Cluster::start(journey_options()).await?;
    let day = Day::new(seed, records);
    day.register_providers(&cluster).await?;
    Ok((cluster, day))
}

/// Reports the whole day, every record with a receipt.
pub async fn report_all(cluster: &Cluster, day: &Day) -> Result<()> {
    let receipts = day
        .report_records(cluster, &ReceiptCounter::default())
        .await?;
    ensure!(
        receipts.len() == day.records.len(),
        "a record has no receipt"
    );
    Ok(())
}

/// Waits until all is settled and checks the books, the ledgers and the lanes.
pub async fn settle_and_check(cluster: &Cluster, day: &Day, since: Instant) -> Result<Balance> {
    let balance = day.wait_until_settled(cluster, since).await?;
    balance.check()?;
    ledgers_without_gaps(cluster).await?;
    cluster.wait_until_drained().await?;
    Ok(balance)
}

/// every ledger counts from 1 without gaps, and has one original a number.
async fn ledgers_without_gaps(cluster: &Cluster) -> Result<()> {
    let pool = cluster.owner_pool("ingest")?;
    let bad: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "select l.provider_code, l.last_number, count(o.*), coalesce(max(o.ledger_number), 0)
         from provider_ledger l left join original o using (provider_code)
         group by 1, 2
         having count(o.*) <> l.last_number or coalesce(max(o.ledger_number), 0) <> l.last_number",
    )
    .fetch_all(&pool)
    .await?;
    ensure!(bad.is_empty(), "ledgers with gaps: {bad:?}");
    Ok(())
}
