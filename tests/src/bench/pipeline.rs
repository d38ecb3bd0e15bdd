//! `bench pipeline`: from the receipt to what is queryable in disclosure: first as fast as it goes, then at a steady
//! rate for some time. The services on that way run; with `--all` also those behind it, which report to the province,
//! handle objections and show pages. Without it they are started in the end, and must then catch up. Called by the
//! program `bench`.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use platform::target::Service;
use proto::credit::ingest::v1::{
    Receipt, StreamRecordsRequest, Submission, stream_records_response::Answer,
};
use sqlx::PgPool;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use uuid::Uuid;

use super::{
    BenchFigures, check_balance, floor, peak_memory, remaining_services, start_as_deployed,
    usage::Usage,
};
use crate::{
    cluster::Cluster,
    day::{Day, ReceiptCounter, submission_of_record},
};

/// The services from the receipt to what is queryable, and the catalogue, which decides what may be reported.
pub const PIPELINE_SERVICES: [Service; 4] = [
    Service::Catalog,
    Service::Ingest,
    Service::Validation,
    Service::Disclosure,
];
/// How often the load generator hands out what is due by now.
const TICK: Duration = Duration::from_millis(10);
/// One receipt in so many is followed until it is queryable.
const FOLLOW_ONE_IN: usize = 50;
/// So many are sampled while records are in flight.
const PROBE_SIZE: usize = 100;
/// How often they and the followed ones are looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);
/// After this the pipeline has failed.
const PIPELINE_TIMEOUT: Duration = Duration::from_secs(300);

/// What to measure.
#[derive(Clone, Copy, Debug)]
pub struct PipelineOptions {
    /// Records thrown in at once.
    pub records: usize,
    /// Records a second of the steady run.
    pub rate: usize,
    /// Seconds of the steady run; 0 leaves it out.
    pub seconds: usize,
    /// Seed of the generator.
    pub seed: u64,
    /// Records with a planted error, per cent.
    pub bad_percent: u32,
    /// Whether the services behind disclosure run, too.
    pub all: bool,
}

impl PipelineOptions {
    fn records(&self, first: usize, count: usize) -> Day {
        let generator = Day::generator_today(self.seed).with_planted_percent(self.bad_percent);
        Day::from_range(generator, first as u64, count)
    }
}

/// Runs it.
pub async fn run(program: PathBuf, load: PipelineOptions) -> Result<BenchFigures> {
    let measured: &[Service] = if load.all {
        &Service::PLATFORM
    } else {
        &PIPELINE_SERVICES
    };
    let mut cluster = start_as_deployed(program, measured).await?;
    let day = load.records(0, load.records);
    day.register_providers(&cluster).await?;
    let records = day.records.len() as u64;
    let pool = cluster.owner_pool("public")?;
    let before = Usage::now(&cluster)?;
    let since = Instant::now();
    let receipts = day
        .report_records(&cluster, &ReceiptCounter::default())
        .await?;
    ensure!(receipts.len() as u64 == records, "a record has no receipt");
    let receipted = since.elapsed();
    wait_until_judged(&pool, &receipts).await?;
    let seconds = since.elapsed().as_secs_f64();
    let after = Usage::now(&cluster)?;
    let mut figures = BenchFigures {
        name: "pipeline",
        records,
        ours_per_s: records as f64 / seconds,
        floor_per_s: 0.0,
        ratio: 0.0,
        p99_ms: 0.0,
        more: after.per_record(&before, records),
    };
    figures.add("receipts_per_s", records as f64 / receipted.as_secs_f64());
    figures.add("bad_percent", f64::from(load.bad_percent));
    if load.seconds > 0 && load.bad_percent < 100 {
        measure_steady_rate(&cluster, load, &mut figures).await?;
    }
    if !load.all {
        cluster
            .start_service_processes(&remaining_services(&PIPELINE_SERVICES))
            .await?;
    }
    check_balance(&cluster).await?;
    cluster.wait_until_drained().await?;
    figures.floor_per_s = floor::measure_batched(&cluster, floor::PIPELINE, records).await?;
    figures.ratio = figures.ours_per_s / figures.floor_per_s;
    figures.more.extend(peak_memory(&cluster)?);
    Ok(figures)
}

/// Waits until every record with a receipt is queryable or has gone back.
pub async fn wait_until_judged(pool: &PgPool, receipts: &HashMap<String, Receipt>) -> Result<()> {
    let ids = receipts.values().map(|r| Ok(r.record_id.parse()?));
    let mut left: Vec<Uuid> = ids.collect::<Result<_>>()?;
    // Ids are in the order of time, and the last ones come last: looking at a few takes little time from what is
    // measured.
    left.sort_unstable();
    let since = Instant::now();
    while !left.is_empty() {
        let few = &left[left.len().saturating_sub(PROBE_SIZE)..];
        if unjudged_ids(pool, few).await?.is_empty() {
            left = unjudged_ids(pool, &left).await?;
            left.sort_unstable();
        }
        ensure!(since.elapsed() < PIPELINE_TIMEOUT, "{} left", left.len());
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// Those that are neither queryable nor have gone back.
async fn unjudged_ids(pool: &PgPool, ids: &[Uuid]) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar(
        "select id from unnest($1::uuid[]) id
         left join lateral (
             select true as done from disclosure.organisation_version where record_id = id
             union all select true from disclosure.person_version where record_id = id
             union all select true from validation.feedback_case where record_id = id
             limit 1) found on true
         where found.done is null",
    )
    .bind(ids)
    .fetch_all(pool)
    .await?;
    Ok(ids)
}

/// Followed records: when their receipts were there, and how long they then took.
#[derive(Debug, Default)]
struct FollowedRecords {
    waiting: HashMap<Uuid, Instant>,
    took: Vec<Duration>,
    /// No more will come.
    all_sent: bool,
}

/// A steady load: every provider streams its share at its rate, whatever the answers do.
async fn measure_steady_rate(
    cluster: &Cluster,
    load: PipelineOptions,
    figures: &mut BenchFigures,
) -> Result<()> {
    // Other records than before: the next ones of the seed.
    let count = load.rate * load.seconds;
    let day = load.records(load.records, count);
    let mut shares: HashMap<&str, Vec<(Submission, bool)>> = HashMap::new();
    for (number, record) in day.records.iter().enumerate() {
        let follow = number % FOLLOW_ONE_IN == 0 && record.planted.is_none();
        let share = shares.entry(&record.provider_code).or_default();
        share.push((submission_of_record(record), follow));
    }
    let followed: Arc<Mutex<FollowedRecords>> = Arc::default();
    let watching = tokio::spawn(watch_followed(
        cluster.owner_pool("disclosure")?,
        followed.clone(),
    ));
    let clients = cluster.clients()?;
    let before = Usage::now(cluster)?;
    let since = Instant::now();
    let mut streams = tokio::task::JoinSet::new();
    for (provider, share) in shares {
        let mut client = clients.ingest(provider)?;
        let follow: Vec<bool> = share.iter().map(|(_, follow)| *follow).collect();
        let requests = paced_requests(share, load.seconds);
        let followed = followed.clone();
        streams.spawn(async move {
            let mut answers = client.stream_records(requests).await?.into_inner();
            for follow in follow {
                let answer = answers.next().await.context("an answer each")??;
                let Some(Answer::Receipt(receipt)) = answer.answer else {
                    anyhow::bail!("refused: {answer:?}");
                };
                if follow {
                    let id = receipt.record_id.parse()?;
                    let mut followed = followed
                        .lock()
                        .map_err(|_| anyhow::anyhow!("watching failed"))?;
                    followed.waiting.insert(id, Instant::now());
                }
            }
            Ok(())
        });
    }
    while let Some(done) = streams.join_next().await {
        done??;
    }
    let receipted = since.elapsed();
    followed
        .lock()
        .map_err(|_| anyhow::anyhow!("a stream failed"))?
        .all_sent = true;
    let took = watching.await??;
    let all = since.elapsed();
    let after = Usage::now(cluster)?;
    figures.p99_ms = took[took.len() * 99 / 100].as_secs_f64() * 1000.0;
    figures.add("steady_asked_per_s", load.rate as f64);
    figures.add(
        "steady_receipts_per_s",
        count as f64 / receipted.as_secs_f64(),
    );
    figures.add("steady_queryable_per_s", count as f64 / all.as_secs_f64());
    figures.add("steady_p50_ms", took[took.len() / 2].as_secs_f64() * 1000.0);
    for (name, value) in after.per_record(&before, count as u64) {
        figures.add(format!("steady_{name}"), value);
    }
    Ok(())
}

/// A share as a stream of requests, spread evenly over the seconds.
fn paced_requests(
    share: Vec<(Submission, bool)>,
    seconds: usize,
) -> ReceiverStream<StreamRecordsRequest> {
    let (sender, requests) = tokio::sync::mpsc::channel(4096);
    tokio::spawn(async move {
        let (count, since) = (share.len() as f64, Instant::now());
        let mut ticks = tokio::time::interval(TICK);
        let mut sent = 0_usize;
        let mut share = share.into_iter();
        while sent < count as usize {
            ticks.tick().await;
            let due = (since.elapsed().as_secs_f64() / seconds as f64 * count).ceil() as usize;
            while sent < due.min(count as usize) {
                let Some((submission, _)) = share.next() else {
                    return;
                };
                let request = StreamRecordsRequest {
                    submission: Some(submission),
                    ..StreamRecordsRequest::default()
                };
                if sender.send(request).await.is_err() {
                    return;
                }
                sent += 1;
            }
        }
    });
    ReceiverStream::new(requests)
}

/// Looks for the followed records until the load has ended and all are queryable; how long each took, sorted.
async fn watch_followed(
    pool: PgPool,
    followed: Arc<Mutex<FollowedRecords>>,
) -> Result<Vec<Duration>> {
    let lock = || {
        followed
            .lock()
            .map_err(|_| anyhow::anyhow!("a stream failed"))
    };
    let mut progress = Instant::now();
    loop {
        let waiting: Vec<Uuid> = lock()?.waiting.keys().copied().collect();
        if !waiting.is_empty() {
            let found: Vec<Uuid> = sqlx::query_scalar(
                "select record_id from organisation_version where record_id = any($1)
                 union all select record_id from person_version where record_id = any($1)",
            )
            .bind(&waiting)
            .fetch_all(&pool)
            .await?;
            let mut followed = lock()?;
            for id in found {
                if let Some(since) = followed.waiting.remove(&id) {
                    followed.took.push(since.elapsed());
                    progress = Instant::now();
                }
            }
        }
        {
            let mut followed = lock()?;
            if followed.all_sent && followed.waiting.is_empty() {
                ensure!(!followed.took.is_empty(), "nothing was followed");
                followed.took.sort_unstable();
                return Ok(std::mem::take(&mut followed.took));
            }
        }
        ensure!(
            progress.elapsed() < PIPELINE_TIMEOUT,
            "records never became queryable"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}
