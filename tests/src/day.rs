//! A realistic day: providers are registered, report their records over gRPC, everything settles,
//! and the books balance. The demo shows it, the journeys break things in the middle of it.

use crate::clients::IngestClient;
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use proto::credit::{
    catalog::v1::{Provider, ProviderLevel, RegisterProviderRequest},
    disclosure::v1::ListPublicRecordsRequest,
    ingest::v1::{
        GetReportingScopeRequest, Receipt, ReportableItem, StreamRecordsRequest, Submission,
        stream_records_response::Answer,
    },
};
use serde::Serialize;
use service_kit::clock::{Clock, SystemClock};
use testkit::{
    eventually,
    records::{FictionalLevel, GeneratedRecord, Generator},
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};

use crate::cluster::Cluster;

/// How long a day may take to settle after the last receipt, or after a repair.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(240);

/// The records of one day and whom they come from.
#[derive(Debug)]
pub struct Day {
    /// Makes the records.
    pub generator: Generator,
    /// All records, in the order of the generator.
    pub records: Vec<GeneratedRecord>,
}

/// Submissions with a receipt so far; read by a progress line or a fault.
pub type ReceiptCounter = Arc<AtomicU64>;

impl Day {
    /// The day of a seed, today in Changsha.
    pub fn new(seed: u64, records: usize) -> Self {
        Self::from_range(Self::generator_today(seed), 0, records)
    }

    /// The records of a seed as they are today in Changsha.
    pub fn generator_today(seed: u64) -> Generator {
        Generator::new(seed, legal_clock::civil::shanghai_date(SystemClock.now()))
    }

    /// The `count` records of a generator from number `first` on.
    pub fn from_range(generator: Generator, first: u64, count: usize) -> Self {
        let numbers = first..first + count as u64;
        let records = numbers.map(|number| generator.record(number)).collect();
        Self { generator, records }
    }

    /// Registers the providers and waits until ingest knows them and the standard items in force.
    pub async fn register_providers(&self, cluster: &Cluster) -> Result<()> {
        // The versions of an item come oldest first, so the last one stays.
        let items = credit_record::standard_items()?.into_iter();
        let in_force: BTreeMap<String, u32> = items.map(|item| (item.code, item.version)).collect();
        let clients = cluster.clients()?;
        let mut catalog = clients.catalog()?;
        for provider in self.generator.providers() {
            let level = match provider.level {
                FictionalLevel::City => ProviderLevel::City,
                FictionalLevel::District => ProviderLevel::District,
            };
            let provider = Provider {
                code: provider.code.clone(),
                name: provider.name.clone(),
                level: level.into(),
                district_code: provider.district.clone().unwrap_or_default(),
                enabled: true,
                ..Provider::default()
            };
            let request = RegisterProviderRequest {
                provider: Some(provider),
            };
            catalog.register_provider(request).await?;
        }
        for provider in self.generator.providers() {
            let mut ingest = clients.ingest(&provider.code)?;
            let known = eventually("ingest knows the catalogue", SETTLE_TIMEOUT, async || {
                let scope = ingest
                    .get_reporting_scope(GetReportingScopeRequest {})
                    .await?
                    .into_inner();
                let knows = |(code, version): (&String, &u32)| {
                    let fits = |item: &ReportableItem| {
                        item.item_code == *code && item.item_version == *version
                    };
                    scope.items.iter().any(fits)
                };
                ensure!(in_force.iter().all(knows), "{:?}", scope.items);
                Ok(())
            });
            known.await?;
        }
        Ok(())
    }

    /// Every provider streams its records. A broken stream is opened again with the same
    /// submission ids for what has no receipt yet, as a department's client does.
    pub async fn report_records(
        &self,
        cluster: &Cluster,
        progress: &ReceiptCounter,
    ) -> Result<HashMap<String, Receipt>> {
        let mut of_provider: BTreeMap<&str, Vec<&GeneratedRecord>> = BTreeMap::new();
        for record in &self.records {
            of_provider
                .entry(&record.provider_code)
                .or_default()
                .push(record);
        }
        let clients = cluster.clients()?;
        let mut streams = tokio::task::JoinSet::new();
        for (provider, records) in of_provider {
            let client = clients.ingest(provider)?;
            let submissions: Vec<Submission> =
                records.into_iter().map(submission_of_record).collect();
            let progress = progress.clone();
            streams
                .spawn(async move { stream_until_receipts(client, submissions, &progress).await });
        }
        let mut receipts = HashMap::new();
        while let Some(done) = streams.join_next().await {
            receipts.extend(done??);
        }
        Ok(receipts)
    }

    /// Waits until every record has its verdict, every accepted one is stored, and every stored
    /// one is acknowledged by the province; then the balance.
    pub async fn wait_until_settled(&self, cluster: &Cluster, since: Instant) -> Result<Balance> {
        let expected = self.expected_balance();
        eventually("the day is settled", SETTLE_TIMEOUT, async || {
            let balance = self.balance(cluster, since).await?;
            let settled = balance.accepted + balance.returned == expected.submitted
                && balance.stored == balance.accepted
                && balance.province_acknowledged == balance.stored;
            if settled {
                return Ok(balance);
            }
            // Progress without the elapsed time, so that `eventually` notices when nothing moves any more.
            let timeless = Balance {
                seconds: 0.0,
                records_per_second: 0.0,
                ..balance
            };
            bail!("{}", serde_json::to_string(&timeless)?)
        })
        .await
    }

    /// What the generator knows must come out.
    pub fn expected_balance(&self) -> ExpectedBalance {
        let mut expected = ExpectedBalance {
            submitted: self.records.len() as u64,
            ..ExpectedBalance::default()
        };
        for record in &self.records {
            match record.planted {
                Some(code) => {
                    let count = expected.planted_by_code.entry(code.as_str().to_owned());
                    *count.or_default() += 1;
                }
                None if record.expected_public => expected.public += 1,
                None => expected.query_only += 1,
            }
        }
        expected
    }

    /// The books as the services give them now, over their own interfaces.
    pub async fn balance(&self, cluster: &Cluster, since: Instant) -> Result<Balance> {
        use proto::credit::{
            disclosure::v1 as disclosure, ingest::v1 as ingest, province::v1 as province,
            provincialsync::v1 as sync, validation::v1 as validation,
        };
        let clients = cluster.clients()?;
        let taken = clients
            .ingest_operator()?
            .get_statistics(ingest::GetStatisticsRequest {})
            .await?
            .into_inner();
        let verdicts = clients
            .validation()?
            .get_statistics(validation::GetStatisticsRequest {})
            .await?
            .into_inner();
        let stored = clients
            .disclosure()?
            .get_statistics(disclosure::GetStatisticsRequest {})
            .await?
            .into_inner();
        let pushed = clients
            .sync()?
            .get_statistics(sync::GetStatisticsRequest {})
            .await?
            .into_inner();
        let province = clients
            .simulator()?
            .get_state(province::GetStateRequest {})
            .await?
            .into_inner();
        // The public's own view, over the interface of the public site.
        let mut listed = 0;
        let items: BTreeSet<&str> = self.records.iter().map(|r| r.item_code.as_str()).collect();
        for item_code in items {
            let request = ListPublicRecordsRequest {
                item_code: item_code.to_owned(),
                page_size: 1,
                ..ListPublicRecordsRequest::default()
            };
            let list = clients.public()?.list_public_records(request).await?;
            listed += list.into_inner().total;
        }
        let expected = self.expected_balance();
        let mut balance = Balance {
            submitted: taken.accepted_for_processing,
            accepted: verdicts.accepted,
            returned: verdicts.returned,
            returned_by_code: verdicts.returned_by_code.into_iter().collect(),
            planted_by_code: expected.planted_by_code.clone(),
            stored: stored.stored_versions,
            disclosed_public: stored.disclosed_public,
            listed_public: listed,
            query_only: stored.query_only,
            archived: stored.archived,
            province_acknowledged: pushed.acknowledged,
            province_stored: province.stored,
            province_repeated: province.repeated,
            province_conflicting: province.conflicting,
            seconds: since.elapsed().as_secs_f64(),
            records_per_second: 0.0,
            balanced: false,
            unbalanced: Vec::new(),
        };
        balance.records_per_second = balance.submitted as f64 / balance.seconds;
        balance.unbalanced = balance.broken_equations(&expected);
        balance.balanced = balance.unbalanced.is_empty();
        Ok(balance)
    }
}

/// The generator's side of the books.
#[derive(Clone, Debug, Default)]
pub struct ExpectedBalance {
    /// All records.
    pub submitted: u64,
    /// Planted errors by finding code.
    pub planted_by_code: BTreeMap<String, u64>,
    /// Good records of organisations and individual businesses.
    pub public: u64,
    /// Good records of natural persons.
    pub query_only: u64,
}

/// The platform's side of the books; the demo's last line is this as one JSON object.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    /// Versions with a receipt, as ingest counts them.
    pub submitted: u64,
    /// Verdicts "accepted".
    pub accepted: u64,
    /// Verdicts "returned".
    pub returned: u64,
    /// Returned versions by finding code.
    pub returned_by_code: BTreeMap<String, u64>,
    /// Errors that the generator planted, by finding code.
    pub planted_by_code: BTreeMap<String, u64>,
    /// Versions in disclosure.
    pub stored: u64,
    /// Of these, disclosed to the public.
    pub disclosed_public: u64,
    /// What the public's lists hold.
    pub listed_public: u64,
    /// Of the stored, by query only (natural persons).
    pub query_only: u64,
    /// Of the stored, past their term.
    pub archived: u64,
    /// Versions with the province's acknowledgement.
    pub province_acknowledged: u64,
    /// What the province holds.
    pub province_stored: u64,
    /// Pushes that the province had already: repetitions after crashes, harmless.
    pub province_repeated: u64,
    /// Pushes under a known key with other content: must be 0.
    pub province_conflicting: u64,
    /// From the first submission until all is settled.
    pub seconds: f64,
    /// Submitted by seconds.
    pub records_per_second: f64,
    /// Whether all equations hold.
    pub balanced: bool,
    /// The equations that do not hold.
    pub unbalanced: Vec<String>,
}

impl Balance {
    /// The equations of the day that do not hold.
    fn broken_equations(&self, expected: &ExpectedBalance) -> Vec<String> {
        let mut faults = Vec::new();
        let mut equal = |what: &str, left: u64, right: u64| {
            if left != right {
                faults.push(format!("{what}: {left} != {right}"));
            }
        };
        equal("submitted = sent", self.submitted, expected.submitted);
        equal(
            "submitted = accepted + returned",
            self.submitted,
            self.accepted + self.returned,
        );
        equal("accepted = stored", self.accepted, self.stored);
        equal(
            "stored = disclosed publicly + query-only",
            self.stored,
            self.disclosed_public + self.query_only,
        );
        equal(
            "disclosed publicly = expected",
            self.disclosed_public,
            expected.public,
        );
        equal(
            "disclosed publicly = listed",
            self.disclosed_public,
            self.listed_public,
        );
        equal(
            "query-only = expected",
            self.query_only,
            expected.query_only,
        );
        equal(
            "stored = acknowledged by the province",
            self.stored,
            self.province_acknowledged,
        );
        equal(
            "acknowledged = held by the province",
            self.province_acknowledged,
            self.province_stored,
        );
        equal("conflicting pushes = 0", self.province_conflicting, 0);
        if self.returned_by_code != self.planted_by_code {
            faults.push(format!(
                "returned by code = planted: {:?} != {:?}",
                self.returned_by_code, self.planted_by_code
            ));
        }
        faults
    }

    /// Fails with the equations that do not hold.
    pub fn check(&self) -> Result<()> {
        if self.balanced {
            return Ok(());
        }
        bail!("the books do not balance: {}", self.unbalanced.join("; "))
    }
}

/// A record as a department's client submits it.
pub fn submission_of_record(record: &GeneratedRecord) -> Submission {
    Submission {
        submission_id: record.submission_id.clone(),
        item_code: record.item_code.clone(),
        item_version: record.item_version,
        record_key: record.record_key.clone(),
        content_type: "application/json".to_owned(),
        content: record.content.clone().into(),
        ..Submission::default()
    }
}

/// Streams until every submission has its receipt.
pub async fn stream_until_receipts(
    mut client: IngestClient,
    submissions: Vec<Submission>,
    progress: &ReceiptCounter,
) -> Result<HashMap<String, Receipt>> {
    let mut receipts: HashMap<String, Receipt> = HashMap::new();
    let end = Instant::now() + SETTLE_TIMEOUT;
    while receipts.len() < submissions.len() {
        let left: Vec<Submission> = submissions
            .iter()
            .filter(|s| !receipts.contains_key(&s.submission_id))
            .cloned()
            .collect();
        if let Err(error) = stream_once(&mut client, left, &mut receipts, progress).await {
            // A broken connection or a service that is down: the same ids again, a little later.
            if Instant::now() > end {
                return Err(error.context("the stream never came through"));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    Ok(receipts)
}

async fn stream_once(
    client: &mut IngestClient,
    submissions: Vec<Submission>,
    receipts: &mut HashMap<String, Receipt>,
    progress: &ReceiptCounter,
) -> Result<()> {
    let (sender, requests) = tokio::sync::mpsc::channel(256);
    let feeding = tokio::spawn(async move {
        for submission in submissions {
            let request = StreamRecordsRequest {
                submission: Some(submission),
                ..StreamRecordsRequest::default()
            };
            if sender.send(request).await.is_err() {
                return;
            }
        }
    });
    let mut answers = client
        .stream_records(ReceiverStream::new(requests))
        .await?
        .into_inner();
    while let Some(answer) = answers.next().await {
        match answer?.answer.context("an answer has a content")? {
            Answer::Receipt(receipt) => {
                progress.fetch_add(1, Ordering::Relaxed);
                receipts.insert(receipt.submission_id.clone(), receipt);
            }
            Answer::Refusal(refusal) => {
                let transient = i32::from(tonic::Code::Unavailable);
                ensure!(refusal.status_code == transient, "refused: {refusal:?}");
                bail!("not committed: {}", refusal.reason);
            }
            Answer::Resumed(resumed) => bail!("nothing was resumed: {resumed:?}"),
        }
    }
    feeding.await?;
    Ok(())
}
