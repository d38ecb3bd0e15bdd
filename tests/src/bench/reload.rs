//! `bench reload`: full reloads (全量) of everything that the providers have: the first, in which every record is new, and
//! a second, in which none is. Called by the program `bench`.

use crate::clients::IngestClient;
use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use anyhow::{Context, Result, bail, ensure};
use platform::target::Service;
use proto::credit::ingest::v1::{
    ReloadBegin, ReloadEnd, ReloadItemRequest, ReloadRecord, ReloadSummary,
    reload_item_request::Step, reload_item_response::Answer,
};
use testkit::records::GeneratedRecord;
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use super::{BenchFigures, check_balance, floor, peak_memory, start_as_deployed, usage::Usage};
use crate::{cluster::Cluster, day::Day};

/// Requests of one reload that wait for the connection.
const WINDOW: usize = 1024;

/// Runs it with `records` of a seed.
pub async fn run(program: PathBuf, records: usize, seed: u64) -> Result<BenchFigures> {
    let cluster = start_as_deployed(program, &Service::PLATFORM).await?;
    let day = Day::new(seed, records);
    day.register_providers(&cluster).await?;
    let count = day.records.len() as u64;
    let since = Instant::now();
    let first = reload_all(&cluster, &day, "first").await?;
    let first_s = since.elapsed().as_secs_f64();
    ensure!(first.accepted == count, "{first:?} of {count}");
    // The downstream pipeline must not run during the next measurements.
    day.wait_until_settled(&cluster, since).await?.check()?;
    let before = Usage::now(&cluster)?;
    let since = Instant::now();
    let second = reload_all(&cluster, &day, "second").await?;
    let second_s = since.elapsed().as_secs_f64();
    let after = Usage::now(&cluster)?;
    ensure!(
        second.unchanged == count && second.accepted == 0 && second.missing == 0,
        "{second:?} of {count}"
    );
    cluster.wait_until_drained().await?;
    check_balance(&cluster).await?;
    let floor_per_s = floor::measure_four_tables(&cluster, 0, day.records.len()).await?;
    let ours_per_s = count as f64 / second_s;
    let mut figures = BenchFigures {
        name: "reload",
        records: count,
        ours_per_s,
        floor_per_s,
        ratio: ours_per_s / floor_per_s,
        p99_ms: 0.0,
        more: after.per_record(&before, count),
    };
    let first_per_s = count as f64 / first_s;
    figures.add("first_load_per_s", first_per_s);
    figures.add("unchanged_by_first", ours_per_s / first_per_s);
    figures.more.extend(peak_memory(&cluster)?);
    Ok(figures)
}

/// Every provider reloads each of its items; the sums of all.
async fn reload_all(cluster: &Cluster, day: &Day, name: &str) -> Result<ReloadSummary> {
    let mut shares: BTreeMap<(&str, &str), Vec<&GeneratedRecord>> = BTreeMap::new();
    for record in &day.records {
        let share = (record.provider_code.as_str(), record.item_code.as_str());
        shares.entry(share).or_default().push(record);
    }
    let clients = cluster.clients()?;
    let mut reloads = tokio::task::JoinSet::new();
    for ((provider, item), records) in shares {
        let requests = reload_requests(name, item, &records);
        reloads.spawn(reload_item(clients.ingest(provider)?, requests));
    }
    let mut all = ReloadSummary::default();
    while let Some(done) = reloads.join_next().await {
        let summary = done??;
        all.records += summary.records;
        all.accepted += summary.accepted;
        all.unchanged += summary.unchanged;
        all.refused += summary.refused;
        all.missing += summary.missing;
    }
    Ok(all)
}

/// One reload from its begin to its end.
fn reload_requests(name: &str, item: &str, records: &[&GeneratedRecord]) -> Vec<ReloadItemRequest> {
    let step = |step| ReloadItemRequest { step: Some(step) };
    let begin = ReloadBegin {
        reload_id: format!("{name}-{item}"),
        item_code: item.to_owned(),
        item_version: 0,
    };
    let mut requests = vec![step(Step::Begin(begin))];
    requests.extend(records.iter().map(|record| {
        step(Step::Record(ReloadRecord {
            record_key: record.record_key.clone(),
            content_type: "application/json".to_owned(),
            content: record.content.clone().into(),
            ..ReloadRecord::default()
        }))
    }));
    requests.push(step(Step::End(ReloadEnd {
        records: records.len() as u64,
    })));
    requests
}

async fn reload_item(
    mut client: IngestClient,
    requests: Vec<ReloadItemRequest>,
) -> Result<ReloadSummary> {
    let (sender, stream) = tokio::sync::mpsc::channel(WINDOW);
    let feeding = tokio::spawn(async move {
        for request in requests {
            if sender.send(request).await.is_err() {
                return;
            }
        }
    });
    let mut answers = client
        .reload_item(ReceiverStream::new(stream))
        .await?
        .into_inner();
    while let Some(answer) = answers.next().await {
        match answer?.answer.context("an answer has a content")? {
            Answer::Receipt(_) | Answer::Missing(_) => {}
            Answer::Refusal(refusal) => bail!("refused: {refusal:?}"),
            Answer::Summary(summary) => {
                feeding.await?;
                return Ok(summary);
            }
        }
    }
    bail!("the reload ended without a summary")
}
