//! `bench ingest`: streamed submissions until their receipts, then single calls with 64 in flight. Ingest runs alone, as
//! the floor does; what it has announced waits on the bus until the other services are started, which then must have
//! judged all of it. Called by the program `bench`.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use proto::credit::ingest::v1::{Submission, SubmitRecordRequest};

use platform::target::Service;
use testkit::eventually;

use super::{
    BenchFigures, JUDGED_TIMEOUT, check_balance, floor, peak_memory, remaining_services,
    start_as_deployed, usage::Usage,
};
use crate::{
    cluster::Cluster,
    day::{Day, ReceiptCounter, submission_of_record},
};

/// What runs while it is measured; the catalogue decides what may be reported.
const MEASURED: [Service; 2] = [Service::Catalog, Service::Ingest];
/// Calls that wait for their answers at the same time.
const IN_FLIGHT: usize = 64;
/// Single calls of one turn.
const CALLS: usize = 10_000;
/// Turns of ours and of the floor, so that a noisy machine is as noisy for both.
const TURNS: usize = 3;

/// Runs it with `records` of a seed a turn.
pub async fn run(program: PathBuf, records: usize, seed: u64) -> Result<BenchFigures> {
    let mut cluster = start_as_deployed(program, &MEASURED).await?;
    let mut figures = BenchFigures {
        name: "ingest",
        records: 0,
        ours_per_s: 0.0,
        floor_per_s: 0.0,
        ratio: 0.0,
        p99_ms: 0.0,
        more: BTreeMap::new(),
    };
    let (mut streamed, mut plain) = (TurnTotals::default(), TurnTotals::default());
    let (mut single, mut plain_single) = (TurnTotals::default(), TurnTotals::default());
    let mut latencies = Vec::new();
    let mut taken = 0;
    for turn in 0..TURNS {
        let day = Day::from_range(Day::generator_today(seed), (turn * records) as u64, records);
        if turn == 0 {
            day.register_providers(&cluster).await?;
        }
        let count = day.records.len();
        let before = Usage::now(&cluster)?;
        let since = Instant::now();
        let receipts = day
            .report_records(&cluster, &ReceiptCounter::default())
            .await?;
        streamed.add(count, since.elapsed());
        ensure!(receipts.len() == count, "a record has no receipt");
        wait_until_published(&cluster).await?;
        let after = Usage::now(&cluster)?;
        figures.more.extend(after.per_record(&before, count as u64));
        let floor = floor::measure_four_tables(&cluster, taken, count).await?;
        plain.add(count, Duration::from_secs_f64(count as f64 / floor));

        let before = Usage::now(&cluster)?;
        let calls = measure_unary(&cluster, &day, turn * CALLS).await?;
        single.add(CALLS, calls.took);
        latencies.extend(calls.latencies);
        wait_until_published(&cluster).await?;
        let used = Usage::now(&cluster)?.per_record(&before, CALLS as u64);
        figures.more.extend(
            used.into_iter()
                .map(|(party, micros)| (format!("unary_{party}"), micros)),
        );
        let floor = floor::measure_one_by_one(&cluster, taken + count, CALLS).await?;
        plain_single.add(CALLS, Duration::from_secs_f64(CALLS as f64 / floor));
        taken += count + CALLS;
        eprintln!(
            "streamed {:.0}/s (floor {:.0}), single {:.0}/s (floor {:.0})",
            streamed.per_s(),
            plain.per_s(),
            single.per_s(),
            plain_single.per_s()
        );
    }
    cluster
        .start_service_processes(&remaining_services(&MEASURED))
        .await?;
    check_balance(&cluster).await?;
    cluster.wait_until_drained().await?;
    latencies.sort_unstable();
    let p99 = latencies.get(latencies.len() * 99 / 100).copied();
    figures.records = streamed.records as u64;
    figures.ours_per_s = streamed.per_s();
    figures.floor_per_s = plain.per_s();
    figures.ratio = figures.ours_per_s / figures.floor_per_s;
    figures.p99_ms = p99.unwrap_or_default().as_secs_f64() * 1000.0;
    figures.add("unary_64_in_flight_per_s", single.per_s());
    figures.add("unary_floor_per_s", plain_single.per_s());
    figures.add("unary_ratio", single.per_s() / plain_single.per_s());
    figures.more.extend(peak_memory(&cluster)?);
    Ok(figures)
}

/// Waits until the relay has handed everything to the bus: that belongs to the price of a receipt.
async fn wait_until_published(cluster: &Cluster) -> Result<()> {
    let pool = cluster.owner_pool("ingest")?;
    eventually("everything is on the bus", JUDGED_TIMEOUT, async || {
        let left = event_bus::outbox::count_unpublished(&pool).await?;
        ensure!(left == 0, "{left} events");
        anyhow::Ok(())
    })
    .await?;
    pool.close().await;
    Ok(())
}

/// What was done in turns.
#[derive(Clone, Copy, Debug, Default)]
struct TurnTotals {
    records: usize,
    took: Duration,
}

impl TurnTotals {
    fn add(&mut self, records: usize, took: Duration) {
        self.records += records;
        self.took += took;
    }

    fn per_s(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64()
    }
}

struct UnaryLatencies {
    latencies: Vec<Duration>,
    took: Duration,
}

/// Single calls, each by the provider whose record it is.
async fn measure_unary(cluster: &Cluster, day: &Day, first: usize) -> Result<UnaryLatencies> {
    let mut shares: Vec<Vec<(String, Submission)>> = vec![Vec::new(); IN_FLIGHT];
    for (number, record) in day.records.iter().cycle().take(CALLS).enumerate() {
        let mut submission = submission_of_record(record);
        // Other records than the streamed ones.
        submission.submission_id = format!("unary-{}", first + number);
        submission.record_key = format!("unary-{}", first + number);
        shares[number % IN_FLIGHT].push((record.provider_code.clone(), submission));
    }
    let clients = cluster.clients()?;
    let mut of_provider = BTreeMap::new();
    for provider in day.generator.providers() {
        of_provider.insert(provider.code.clone(), clients.ingest(&provider.code)?);
    }
    let since = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for share in shares {
        let of_provider = of_provider.clone();
        callers.spawn(async move {
            let mut latencies = Vec::with_capacity(share.len());
            for (provider, submission) in share {
                let mut client = of_provider[&provider].clone();
                let started = Instant::now();
                let request = SubmitRecordRequest {
                    submission: Some(submission),
                };
                client.submit_record(request).await?;
                latencies.push(started.elapsed());
            }
            anyhow::Ok(latencies)
        });
    }
    let mut latencies = Vec::new();
    while let Some(done) = callers.join_next().await {
        latencies.extend(done??);
    }
    let took = since.elapsed();
    Ok(UnaryLatencies { latencies, took })
}
