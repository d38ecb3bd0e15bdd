//! `cargo xtask bench ingest|pipeline|hostile|rules`: what the platform makes of this machine, beside a floor
//! measured in the same run, because machines are noisy. The last line is one JSON object.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use clap::{Parser, ValueEnum};
use journeys::{
    bench_hostile,
    cluster::{Cluster, ClusterOptions, Servers},
    day::{Day, Progress, submission},
    floor, rules,
};
use local_servers::{Binaries, PROGRAM, Place};
use proto::credit::ingest::v1::{Submission, SubmitRecordRequest};
use serde::Serialize;

/// Benchmarks of the platform, load generator included.
#[derive(Debug, Parser)]
struct Bench {
    /// Which one.
    #[arg(value_enum)]
    name: Name,
    /// Records streamed.
    #[arg(long, default_value_t = 40_000)]
    records: usize,
    /// Only the JSON line on standard output.
    #[arg(long)]
    json: bool,
    /// Seed of the generator.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// Streamed submissions until their receipts, then single calls with 64 in flight.
    Ingest,
    /// Streamed submissions until they are queryable in disclosure.
    Pipeline,
    /// Single calls of good callers, alone and beside hostile ones.
    Hostile,
    /// Normalisation and all rules of the penalty item on one core, without any server.
    Rules,
}

/// Keys that every benchmark prints, and some of its own.
#[derive(Debug, Serialize)]
struct Figures {
    name: &'static str,
    records: u64,
    ours_per_s: f64,
    floor_per_s: f64,
    ratio: f64,
    p99_ms: f64,
    #[serde(flatten)]
    more: BTreeMap<&'static str, f64>,
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    match Bench::parse().run().await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            std::process::ExitCode::FAILURE
        }
    }
}

impl Bench {
    async fn run(self) -> Result<()> {
        if self.name == Name::Rules {
            return self.rules();
        }
        let program = std::env::var_os(PROGRAM)
            .with_context(|| format!("{PROGRAM} is not set: run `cargo xtask bench`"))?;
        let place = Place::temporary()?;
        let binaries = Binaries::locate(&testkit::workspace_root())?;
        let servers = Servers::private(&binaries, place.path(), true)?;
        let options = ClusterOptions {
            log: "warn".to_owned(),
            ..ClusterOptions::new(program)
        };
        let cluster = Cluster::start_on(servers, place, options).await?;
        let idle = resident_mib(&cluster)?;
        let day = Day::new(self.seed, self.records);
        day.register(&cluster).await?;
        if self.name == Name::Hostile {
            let figures = bench_hostile::measure(&cluster, &day.generator, self.seed).await?;
            if !self.json {
                println!("{figures:#?}");
            }
            println!("{}", serde_json::to_string(&figures)?);
            return figures.check();
        }
        let mut figures = match self.name {
            Name::Ingest => ingest(&cluster, &day).await?,
            _ => pipeline(&cluster, &day).await?,
        };
        figures.more.insert("idle_rss_mib", idle);
        figures
            .more
            .insert("loaded_rss_mib", resident_mib(&cluster)?);
        figures.ratio = figures.ours_per_s / figures.floor_per_s;
        if !self.json {
            println!("{figures:#?}");
        }
        println!("{}", serde_json::to_string(&figures)?);
        Ok(())
    }

    fn rules(&self) -> Result<()> {
        let today = legal_clock::shanghai_date(time::OffsetDateTime::now_utc());
        let figures = rules::measure(self.seed, self.records, today)?;
        if !self.json {
            println!("{figures:#?}");
        }
        println!("{}", serde_json::to_string(&figures)?);
        figures.check()
    }
}

async fn ingest(cluster: &Cluster, day: &Day) -> Result<Figures> {
    let records = day.records.len() as u64;
    let since = Instant::now();
    let receipts = day.report(cluster, &Progress::default()).await?;
    let seconds = since.elapsed().as_secs_f64();
    ensure!(receipts.len() as u64 == records, "a record has no receipt");
    // The pipeline behind must not run beside the next measurements.
    day.settle(cluster, since).await?.check()?;
    let floor_per_s = floor::measure(cluster, floor::INGEST, records).await?;
    let (unary_per_s, p99_ms) = unary(cluster, day).await?;
    settled_again(cluster).await?;
    Ok(Figures {
        name: "ingest",
        records,
        ours_per_s: records as f64 / seconds,
        floor_per_s,
        ratio: 0.0,
        p99_ms,
        more: BTreeMap::from([("unary_64_in_flight_per_s", unary_per_s)]),
    })
}

/// Single calls with 64 in flight; rate, and the 99th percentile of a call in milliseconds.
async fn unary(cluster: &Cluster, day: &Day) -> Result<(f64, f64)> {
    const IN_FLIGHT: usize = 64;
    let mut shares: Vec<Vec<(String, Submission)>> = vec![Vec::new(); IN_FLIGHT];
    for (number, record) in day.records.iter().take(8_000).enumerate() {
        let mut submission = submission(record);
        // Other records than the streamed ones.
        submission.submission_id.push_str("-unary");
        submission.record_key.push_str("-unary");
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
            let mut latencies = Vec::new();
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
    let per_s = latencies.len() as f64 / since.elapsed().as_secs_f64();
    latencies.sort();
    let p99 = latencies[latencies.len() * 99 / 100];
    Ok((per_s, p99.as_secs_f64() * 1000.0))
}

async fn pipeline(cluster: &Cluster, day: &Day) -> Result<Figures> {
    let records = day.records.len() as u64;
    let since = Instant::now();
    let receipts = day.report(cluster, &Progress::default()).await?;
    ensure!(receipts.len() as u64 == records, "a record has no receipt");
    let good = day.records.iter().filter(|r| r.planted.is_none()).count() as u64;
    let pool = cluster.owner_pool("disclosure")?;
    let seconds = loop {
        let stored: i64 = sqlx::query_scalar(
            "select (select count(*) from organisation_version) + (select count(*) from person_version)",
        )
        .fetch_one(&pool)
        .await?;
        if stored as u64 == good {
            break since.elapsed().as_secs_f64();
        }
        ensure!(
            since.elapsed() < Duration::from_secs(600),
            "{stored} of {good} stored"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    // Receipt to queryable, as the two services' own clocks wrote it down.
    let p99_s: f64 = sqlx::query_scalar(
        "select percentile_cont(0.99) within group
             (order by extract(epoch from v.stored_at - o.received_at)::float8)
         from (select record_id, stored_at from organisation_version
               union all select record_id, stored_at from person_version) v
         join ingest.original o using (record_id)",
    )
    .fetch_one(&pool)
    .await?;
    let settled = day.settle(cluster, since).await?;
    settled.check()?;
    let floor_per_s = floor::measure(cluster, floor::PIPELINE, records).await?;
    Ok(Figures {
        name: "pipeline",
        records,
        ours_per_s: records as f64 / seconds,
        floor_per_s,
        ratio: 0.0,
        p99_ms: p99_s * 1000.0,
        more: BTreeMap::from([("settled_with_province_s", settled.seconds)]),
    })
}

/// Everything submitted has its verdict and nothing waits.
async fn settled_again(cluster: &Cluster) -> Result<()> {
    cluster.nothing_left().await
}

/// Resident memory of the all-in-one process, MiB.
fn resident_mib(cluster: &Cluster) -> Result<f64> {
    let pid = cluster.platform_pid().context("the platform runs")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib: f64 = line
        .and_then(|line| line.split_whitespace().nth(1))
        .context("VmRSS")?
        .parse()?;
    Ok(kib / 1024.0)
}
