//! The fixture: a running ingest with a catalogue to follow and a test consumer on its stream. Called by all tests of
//! this binary.

use std::time::Duration;

use anyhow::{Context, Result};
use event_bus::{Bus, FaultInjection, NewEvent, StreamSpec, Subscription, Topology};
use ingest::Config;
use proto::credit::{
    catalog::events::v1::{ItemVersionPublished, ProviderRegistered},
    common::v1::Operation,
    ingest::{
        events::v1::RecordSubmitted,
        v1::{
            GetReceiptRequest, GetReportingScopeRequest, Receipt, Submission, SubmitRecordRequest,
            ingest_service_client::IngestServiceClient,
        },
    },
};
use service_kit::{
    ServiceContext,
    config::Overlay,
    db::{Pool, connect_lazy},
    grpc::{AuthorisedChannel, BearerToken, open_channel},
    identity::Role,
    readiness::Readiness,
    shutdown::Shutdown,
};
use sqlx::AssertSqlSafe;
use testkit::{
    EventCollector, eventually,
    service::ServiceAddress,
    test_bed::{TestBed, TestBedPlan},
};
use time::OffsetDateTime;
use tonic::Status;
use vault::Keyring;

pub const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Providers of the registry: enabled ones first, the last is disabled.
pub const PROVIDERS: [&str; 6] = [
    "11430100006123458R",
    "11430100MB1A2B3C4X",
    "11430102006123001A",
    "11430103006123002B",
    "11430104006123003C",
    "11430105006123004D",
];
pub const PROVIDER: &str = PROVIDERS[0];
pub const DISABLED_PROVIDER: &str = PROVIDERS[5];
/// A well-formed code of no provider.
pub const UNREGISTERED_PROVIDER: &str = "11430111006123009K";

/// Subscription of the collector, in place of validation's.
const SUBMISSIONS: Subscription = Subscription {
    consumer: "test-records",
    from: ingest::SERVICE,
    events: &["credit.ingest.events.v1.RecordSubmitted"],
    max_batch: 500,
};

pub type IngestTestClient = IngestServiceClient<AuthorisedChannel>;

/// One run of the service.
pub struct IngestProcess {
    pub context: ServiceContext,
    pub url: String,
}

impl Drop for IngestProcess {
    fn drop(&mut self) {
        self.context.shutdown.request_stop();
    }
}

pub struct IngestFixture {
    pub bed: TestBed,
    /// The service's own role.
    pub pool: Pool,
    /// The schema's owner.
    pub owner: Pool,
    pub process: IngestProcess,
    submitted: EventCollector<RecordSubmitted>,
}

impl IngestFixture {
    /// On the shared servers, ready to accept records.
    pub async fn start() -> Result<Self> {
        Self::start_with_plan(|_| ()).await
    }

    /// With a changed plan.
    pub async fn start_with_plan(change: impl FnOnce(&mut TestBedPlan<'_>)) -> Result<Self> {
        Self::start_with(change, |_| ()).await
    }

    /// With a keyring of which the test knows the text.
    pub async fn start_with_keyring(text: &str) -> Result<Self> {
        let keyring = Keyring::parse(text)?;
        Self::start_with(|_| (), |context| context.keyring = keyring).await
    }

    /// With this grace period after a stop.
    pub async fn start_with_grace_period(grace_period: Duration) -> Result<Self> {
        let change = |context: &mut ServiceContext| {
            context.shutdown = Shutdown::new().with_grace_period(grace_period);
        };
        Self::start_with(|_| (), change).await
    }

    async fn start_with(
        change: impl FnOnce(&mut TestBedPlan<'_>),
        change_context: impl FnOnce(&mut ServiceContext),
    ) -> Result<Self> {
        let (streams, subscriptions) = topology_parts()?;
        let mut plan = TestBedPlan::new(
            ingest::SCHEMA,
            ingest::migrations(),
            &streams,
            &subscriptions,
        )?;
        change(&mut plan);
        let mut bed = TestBed::from_plan(plan).await?;
        change_context(&mut bed.context);
        let pool = connect_lazy(&bed.database_url, ingest::SCHEMA, 4)?;
        let owner = bed.schema_pool().await?;
        let submitted = bed.start_collector(&SUBMISSIONS, &pool);
        let process = start_process(&bed).await?;
        let fixture = Self {
            bed,
            pool,
            owner,
            process,
            submitted,
        };
        fixture.announce_catalogue().await?;
        Ok(fixture)
    }

    /// The catalogue's events: providers, and item xzcf in two versions, xzxk in one.
    async fn announce_catalogue(&self) -> Result<()> {
        let now = OffsetDateTime::now_utc();
        let mut events = Vec::new();
        for code in PROVIDERS {
            let message = ProviderRegistered {
                code: code.to_owned(),
                name: format!("单位{code}"),
                enabled: code != DISABLED_PROVIDER,
                revision: 1,
                ..ProviderRegistered::default()
            };
            events.push(NewEvent::new(&message, now, ""));
        }
        for (code, version) in [("xzcf", 1), ("xzcf", 2), ("xzxk", 1)] {
            let message = ItemVersionPublished {
                code: code.to_owned(),
                version,
                name: format!("事项{code}"),
                ..ItemVersionPublished::default()
            };
            events.push(NewEvent::new(&message, now, ""));
        }
        self.bed.publish(&events).await?;
        eventually("ingest knows the catalogue", WAIT_TIMEOUT, async || {
            let mut client = self
                .client(PROVIDER)
                .map_err(|error| Status::internal(error.to_string()))?;
            let scope = client.get_reporting_scope(GetReportingScopeRequest {});
            let items = scope.await?.into_inner().items.len();
            if items == 2 {
                Ok(())
            } else {
                Err(Status::unavailable(format!("{items} items")))
            }
        })
        .await
    }

    /// A provider's client.
    pub fn client(&self, provider: &str) -> Result<IngestTestClient> {
        self.client_as(provider, Role::Provider)
    }

    /// A client that calls as an organisation with a role.
    pub fn client_as(&self, organisation: &str, role: Role) -> Result<IngestTestClient> {
        self.client_of(&self.process, organisation, &[role])
    }

    /// A client of one of several copies of the service.
    pub fn client_of(
        &self,
        process: &IngestProcess,
        organisation: &str,
        roles: &[Role],
    ) -> Result<IngestTestClient> {
        let channel = self
            .bed
            .call_with(&process.url, organisation, roles, None)?;
        Ok(IngestServiceClient::new(channel))
    }

    /// Another copy of the service next to the first.
    pub async fn second_process(&self) -> Result<IngestProcess> {
        start_process(&self.bed).await
    }

    /// Stops the service in order and starts it again.
    pub async fn restart(&mut self) -> Result<()> {
        stop_process(&self.process).await?;
        self.process = start_process(&self.bed).await?;
        Ok(())
    }

    /// The same with another keyring, as after a rotation of keys.
    pub async fn restart_with_keyring(&mut self, text: &str) -> Result<()> {
        self.bed.context.keyring = Keyring::parse(text)?;
        self.restart().await
    }

    /// The submissions collected so far, once outbox and consumers are drained.
    pub async fn received_events(&self) -> Result<Vec<RecordSubmitted>> {
        self.bed.wait_until_settled().await?;
        Ok(self.submitted.events())
    }

    pub async fn count(&self, table: &'static str) -> Result<i64> {
        let statement = format!("select count(*) from {table}");
        Ok(sqlx::query_scalar(AssertSqlSafe(statement))
            .fetch_one(&self.owner)
            .await?)
    }

    /// Submission ids that are kept: of versions, of unchanged records, of nil reports.
    pub async fn submission_ids(&self) -> Result<i64> {
        Ok(sqlx::query_scalar(
            "select (select count(*) from submission) + (select count(submission_digest) from original)",
        )
        .fetch_one(&self.owner)
        .await?)
    }

    /// All tables of the schema.
    pub async fn tables(&self) -> Result<Vec<String>> {
        Ok(sqlx::query_scalar(
            "select table_name::text from information_schema.tables
             where table_schema = current_schema() order by 1",
        )
        .fetch_all(&self.owner)
        .await?)
    }

    /// Number of rows and a digest of all tables that submissions could touch.
    pub async fn snapshot(&self) -> Result<Vec<(String, i64, String)>> {
        let mut all = Vec::new();
        for table in self.tables().await? {
            if table == "relay_cursor" || table == "inbox" {
                continue; // these move by themselves
            }
            let statement = format!(
                "select count(*), coalesce(md5(string_agg(t::text, ',' order by t::text)), '')
                 from {table} t"
            );
            let (rows, digest) = sqlx::query_as(AssertSqlSafe(statement))
                .fetch_one(&self.owner)
                .await?;
            all.push((table, rows, digest));
        }
        Ok(all)
    }

    /// Ends the test: nothing is left over, and a receipt is an original is an event.
    pub async fn finish(self) -> Result<()> {
        let received = self.received_events().await?;
        stop_process(&self.process).await?;
        let originals = self.count("original").await?;
        let emitted = self.bed.emitted_events::<RecordSubmitted>().await?;
        assert_eq!(originals, emitted.len() as i64, "originals and events");
        let mut ids: Vec<_> = received.iter().map(id_of).collect();
        ids.sort();
        let mut sent: Vec<_> = emitted.iter().map(id_of).collect();
        sent.sort();
        assert!(
            ids == sent,
            "{} events emitted, {} heard",
            sent.len(),
            ids.len()
        );
        self.pool.close().await;
        self.owner.close().await;
        self.bed.finish().await
    }
}

fn id_of(event: &RecordSubmitted) -> Vec<u8> {
    let version = event.version.as_ref();
    version.map(|v| v.record_id.to_vec()).unwrap_or_default()
}

/// The streams and consumers of these tests.
fn topology_parts() -> Result<([StreamSpec; 2], Vec<Subscription>)> {
    let own = ingest::STREAM.context("ingest emits")?;
    let catalog = StreamSpec {
        service: "catalog",
        ..own
    };
    let subscriptions = [ingest::SUBSCRIPTIONS, &[SUBMISSIONS]].concat();
    Ok(([own, catalog], subscriptions))
}

/// A copy of the service with readiness, shutdown and bus of its own.
async fn start_process(bed: &TestBed) -> Result<IngestProcess> {
    let context = ServiceContext {
        readiness: Readiness::default(),
        shutdown: Shutdown::new().with_grace_period(bed.context.shutdown.grace_period()),
        ..bed.context.clone()
    };
    let faults = FaultInjection::none();
    let bus = Bus::connect(bed.bus_config.clone(), faults, &context.telemetry).await?;
    // Relays of a bus publish nothing before it has compared the streams.
    let (streams, subscriptions) = topology_parts()?;
    let topology = Topology::new(&streams, &subscriptions);
    eventually("the streams are there", WAIT_TIMEOUT, async || {
        bus.provision(&topology).await
    })
    .await?;
    let config = Config {
        database_url: bed.database_secret(),
        ..Config::load(&Overlay::default())?
    };
    let ServiceAddress { listener, url } = bed.service_address().await?;
    ingest::start(config, listener, bus, context.clone()).await?;
    Ok(IngestProcess { context, url })
}

pub async fn stop_process(process: &IngestProcess) -> Result<()> {
    process.context.shutdown.request_stop();
    let ended = process.context.shutdown.wait_finished(WAIT_TIMEOUT).await;
    ended.map_err(anyhow::Error::msg)
}

/// A client with a token as it stands.
pub fn client_with_token(url: &str, token: &str) -> Result<IngestTestClient> {
    let channel = AuthorisedChannel::new(open_channel(url)?, BearerToken::new(token)?);
    Ok(IngestServiceClient::new(channel))
}

/// A good submission of item xzcf in the version in force.
pub fn submission(id: &str, key: &str, content: &[u8]) -> Submission {
    Submission {
        submission_id: id.to_owned(),
        item_code: "xzcf".to_owned(),
        item_version: 0,
        record_key: key.to_owned(),
        content_type: "application/json".to_owned(),
        content: content.to_vec().into(),
        content_sha256: vault::sha256(content).to_vec().into(),
        traceparent: String::new(),
        ..Submission::default()
    }
}

/// A revocation or withdrawal of a record of item xzcf.
pub fn ending(id: &str, key: &str, operation: Operation, reason: &str) -> Submission {
    Submission {
        operation: operation.into(),
        content_type: "text/plain".to_owned(),
        ..submission(id, key, reason.as_bytes())
    }
}

/// Submits one record.
pub async fn submit(
    client: &mut IngestTestClient,
    submission: Submission,
) -> Result<Receipt, Status> {
    let request = SubmitRecordRequest {
        submission: Some(submission),
    };
    let answer = client.submit_record(request).await?.into_inner();
    answer
        .receipt
        .ok_or_else(|| Status::internal("an answer without a receipt"))
}

/// The receipt of an earlier submission.
pub async fn receipt_of(client: &mut IngestTestClient, id: &str) -> Result<Receipt, Status> {
    let request = GetReceiptRequest {
        submission_id: id.to_owned(),
    };
    let answer = client.get_receipt(request).await?.into_inner();
    answer
        .receipt
        .ok_or_else(|| Status::internal("an answer without a receipt"))
}
