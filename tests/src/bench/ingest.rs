//! `bench ingest`: streamed submissions until their receipts, then single calls with 64 in flight. Called by the
//! program `bench`.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use proto::credit::ingest::v1::{Submission, SubmitRecordRequest};

use super::{Figures, books, deployed, floor, memory, usage::Usage};
use crate::{
    cluster::Cluster,
    day::{Day, Progress, submission},
};

/// Calls that wait for their answers at the same time.
const IN_FLIGHT: usize = 64;
/// Single calls measured.
const CALLS: usize = 20_000;

/// Runs it with `records` of a seed.
pub async fn run(program: PathBuf, records: usize, seed: u64) -> Result<Figures> {
    let cluster = deployed(program).await?;
    let day = Day::new(seed, records);
    day.register(&cluster).await?;
    let count = day.records.len() as u64;
    let before = Usage::now(&cluster)?;
    let since = Instant::now();
    let receipts = day.report(&cluster, &Progress::default()).await?;
    let seconds = since.elapsed().as_secs_f64();
    ensure!(receipts.len() as u64 == count, "a record has no receipt");
    // The pipeline behind must not run beside the next measurements.
    day.settle(&cluster, since).await?.check()?;
    let after = Usage::now(&cluster)?;
    let floor_per_s = floor::batched(&cluster, floor::INGEST, count).await?;
    let calls = unary(&cluster, &day).await?;
    cluster.nothing_left().await?;
    let unary_floor = floor::one_by_one(&cluster, floor::INGEST, calls.latencies.len()).await?;
    books(&cluster).await?;
    let mut figures = Figures {
        name: "ingest",
        records: count,
        ours_per_s: count as f64 / seconds,
        floor_per_s,
        ratio: count as f64 / seconds / floor_per_s,
        p99_ms: calls.percentile(99).as_secs_f64() * 1000.0,
        more: after.per_record(&before, count),
    };
    let per_s = calls.latencies.len() as f64 / calls.took.as_secs_f64();
    figures.add("unary_64_in_flight_per_s", per_s);
    figures.add("unary_floor_per_s", unary_floor);
    figures.add("unary_ratio", per_s / unary_floor);
    figures.more.extend(memory(&cluster)?);
    Ok(figures)
}

struct Calls {
    /// Sorted.
    latencies: Vec<Duration>,
    took: Duration,
}

impl Calls {
    fn percentile(&self, percent: usize) -> Duration {
        self.latencies[(self.latencies.len() * percent / 100).min(self.latencies.len() - 1)]
    }
}

/// Single calls, each by the provider whose record it is.
async fn unary(cluster: &Cluster, day: &Day) -> Result<Calls> {
    let mut shares: Vec<Vec<(String, Submission)>> = vec![Vec::new(); IN_FLIGHT];
    for (number, record) in day.records.iter().cycle().take(CALLS).enumerate() {
        let mut submission = submission(record);
        // Other records than the streamed ones.
        submission.submission_id = format!("unary-{number}");
        submission.record_key = format!("unary-{number}");
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
    latencies.sort_unstable();
    ensure!(!latencies.is_empty(), "no call was made");
    Ok(Calls { latencies, took })
}
