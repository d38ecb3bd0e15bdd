//! `cargo xtask bench hostile`: what hostile requests cost those who do nothing wrong. Good callers make single calls
//! alone and alongside hostile requests, in turns, so that a noisy machine is as noisy for both. Called by `bench`.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use platform::target::Service;
use proto::credit::ingest::v1::SubmitRecordRequest;
use serde::Serialize;
use testkit::records::Generator;
use tokio::task::JoinSet;

use crate::{
    books::{Auditor, ReceiptBook},
    cluster::Cluster,
    day::{Day, submission_of_record},
    hostile::{HostileClient, HostileReport},
};

/// Good calls in flight.
const GOOD_IN_FLIGHT: usize = 8;
/// Hostile requests in flight.
const HOSTILE_IN_FLIGHT: u64 = 8;
/// Calls of one turn.
const CALLS: usize = 1_000;
/// Turns of each kind.
const TURNS: usize = 3;
/// What is allowed.
const MAX_SLOWDOWN: f64 = 2.0;

/// What was measured; the last line of the benchmark.
#[derive(Debug, Serialize)]
pub struct HostileFigures {
    name: &'static str,
    /// Good calls in a second, alone and alongside hostile requests.
    alone_per_s: f64,
    contended_per_s: f64,
    /// Alone by alongside: how much slower good callers are. At most 2.
    ratio: f64,
    alone_p50_ms: f64,
    contended_p50_ms: f64,
    alone_p99_ms: f64,
    contended_p99_ms: f64,
    /// Hostile requests while good callers were measured.
    hostile_per_s: f64,
    hostile_requests: u64,
    by_answer: BTreeMap<String, u64>,
}

impl HostileFigures {
    /// Fails when good callers are slowed by more than is allowed.
    pub fn check(&self) -> Result<()> {
        ensure!(
            self.ratio <= MAX_SLOWDOWN,
            "good callers are slowed by a factor of {:.2}, over {MAX_SLOWDOWN}",
            self.ratio
        );
        Ok(())
    }
}

/// Latencies of some calls, and how long all of them took.
#[derive(Debug, Default)]
struct CallLatencies {
    latencies: Vec<Duration>,
    seconds: f64,
}

impl CallLatencies {
    fn extend(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.seconds += other.seconds;
    }

    fn per_s(&self) -> f64 {
        self.latencies.len() as f64 / self.seconds
    }

    fn percentile_ms(&mut self, percent: usize) -> f64 {
        self.latencies.sort();
        let at = self.latencies.len() * percent / 100;
        let found = self.latencies.get(at);
        found.copied().unwrap_or_default().as_secs_f64() * 1000.0
    }
}

/// Starts a platform and measures.
pub async fn run(program: PathBuf, seed: u64) -> Result<HostileFigures> {
    let cluster = super::start_as_deployed(program, &Service::PLATFORM).await?;
    let day = Day::new(seed, 1);
    day.register_providers(&cluster).await?;
    measure(&cluster, &day.generator, seed).await
}

/// Measures on a running platform that knows the generator's providers, and checks in the end that nothing was lost.
async fn measure(cluster: &Cluster, generator: &Generator, seed: u64) -> Result<HostileFigures> {
    let (enemy, mut book) = HostileClient::prepare(cluster, generator.clone(), seed).await?;
    let mut next = 0;
    // Connections, statements and caches are warm for both.
    book.extend(measure_calls(cluster, generator, &mut next).await?.1);
    let (mut alone, mut contended) = (CallLatencies::default(), CallLatencies::default());
    let mut verdicts = HostileReport::default();
    let numbers = Arc::new(AtomicU64::new(0));
    for _ in 0..TURNS {
        let (measured, given) = measure_calls(cluster, generator, &mut next).await?;
        alone.extend(measured);
        book.extend(given);
        let attack = RunningAttack::start(&enemy, &numbers);
        let (measured, given) = measure_calls(cluster, generator, &mut next).await?;
        verdicts.extend(attack.end().await?);
        contended.extend(measured);
        book.extend(given);
        eprintln!(
            "alone {:.0}/s, contended {:.0}/s",
            alone.per_s(),
            contended.per_s()
        );
    }
    let hostile_requests = verdicts.requests();
    book.extend(verdicts.book);
    Auditor::new(cluster)?.check_settled(cluster, &book).await?;
    Ok(HostileFigures {
        name: "hostile",
        ratio: alone.per_s() / contended.per_s(),
        alone_per_s: alone.per_s(),
        contended_per_s: contended.per_s(),
        alone_p50_ms: alone.percentile_ms(50),
        contended_p50_ms: contended.percentile_ms(50),
        alone_p99_ms: alone.percentile_ms(99),
        contended_p99_ms: contended.percentile_ms(99),
        hostile_per_s: hostile_requests as f64 / contended.seconds,
        hostile_requests,
        by_answer: verdicts.by_answer,
    })
}

/// Tasks that send hostile requests until stopped.
struct RunningAttack {
    callers: JoinSet<Result<HostileReport>>,
    stop: Arc<AtomicBool>,
}

impl RunningAttack {
    fn start(enemy: &HostileClient, numbers: &Arc<AtomicU64>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for _ in 0..HOSTILE_IN_FLIGHT {
            let (enemy, stop, numbers) = (enemy.clone(), stop.clone(), numbers.clone());
            callers.spawn(async move {
                let until_stopped = std::iter::from_fn(|| {
                    let goes_on = !stop.load(Ordering::Relaxed);
                    goes_on.then(|| numbers.fetch_add(1, Ordering::Relaxed))
                });
                enemy.send_requests(until_stopped).await
            });
        }
        Self { callers, stop }
    }

    async fn end(mut self) -> Result<HostileReport> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = HostileReport::default();
        while let Some(done) = self.callers.join_next().await {
            all.extend(done??);
        }
        Ok(all)
    }
}

/// One turn of single calls.
async fn measure_calls(
    cluster: &Cluster,
    generator: &Generator,
    next: &mut u64,
) -> Result<(CallLatencies, ReceiptBook)> {
    let clients = cluster.clients()?;
    let mut of_provider = BTreeMap::new();
    for provider in generator.providers() {
        of_provider.insert(provider.code.clone(), clients.ingest(&provider.code)?);
    }
    // Made before the clock runs.
    let mut shares: Vec<Vec<_>> = vec![Vec::new(); GOOD_IN_FLIGHT];
    for number in 0..CALLS {
        let record = generator.record(*next);
        *next += 1;
        shares[number % GOOD_IN_FLIGHT]
            .push((record.provider_code.clone(), submission_of_record(&record)));
    }
    let since = Instant::now();
    let mut callers = JoinSet::new();
    for share in shares {
        let mut of_provider = of_provider.clone();
        callers.spawn(async move {
            let (mut latencies, mut book) = (Vec::new(), ReceiptBook::default());
            for (provider, submission) in share {
                let client = of_provider
                    .get_mut(&provider)
                    .context("a provider of the generator")?;
                let request = SubmitRecordRequest {
                    submission: Some(submission.clone()),
                };
                let started = Instant::now();
                let answer = client.submit_record(request).await?.into_inner();
                latencies.push(started.elapsed());
                book.insert(&provider, &submission, answer.receipt.context("a receipt")?)?;
            }
            anyhow::Ok((latencies, book))
        });
    }
    let (mut measured, mut book) = (CallLatencies::default(), ReceiptBook::default());
    while let Some(done) = callers.join_next().await {
        let (latencies, given) = done??;
        measured.latencies.extend(latencies);
        book.extend(given);
    }
    measured.seconds = since.elapsed().as_secs_f64();
    Ok((measured, book))
}
