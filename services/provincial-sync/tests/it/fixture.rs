//! The service running on a test bed, and versions to push.

use std::{collections::HashMap, time::Duration};

use event_bus::{NewEvent, StreamSpec};
use prost::Message as _;
use proto::credit::{
    common::v1::{Operation, RecordVersion, SubjectKind},
    provincialsync::{
        events::v1::VersionAcknowledged,
        v1::{
            GetPushRequest, GetPushResponse, GetStatisticsRequest, GetStatisticsResponse,
            provincial_sync_service_client::ProvincialSyncServiceClient,
        },
    },
    validation::events::v1::{NormalisedRecord, RecordAccepted, RecordRevoked},
};
use provincial_sync::{Config, SCHEMA, STREAM, SUBSCRIPTIONS};
use record_ref::{RecordAddress, VersionId};
use service_kit::{
    ServiceContext,
    config::{Overlay, Secret},
    grpc::{AuthorisedChannel, to_timestamp},
    identity::Role,
};
use testkit::{eventually, service::ServiceAddress, test_bed::TestBed};
use tonic::Code;
use uuid::Uuid;

use crate::fake_upstream::FakeUpstream;

pub const PROVIDER: &str = "11430100006123458R";
pub const OFFICE: &str = "1143000000612221XY";
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);
pub const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

pub type ProvincialSyncClient = ProvincialSyncServiceClient<AuthorisedChannel>;

/// A test bed, the fake upstream and the configuration that connects them.
pub struct ProvincialSyncFixture {
    pub bed: TestBed,
    pub upstream: FakeUpstream,
    pub config: Config,
}

impl ProvincialSyncFixture {
    pub async fn new() -> Self {
        let streams = [
            StreamSpec {
                service: "validation",
                max_bytes: 64 * 1024 * 1024,
            },
            STREAM.unwrap(),
        ];
        let migrations = provincial_sync::migrations();
        let bed = TestBed::start(SCHEMA, migrations, &streams, SUBSCRIPTIONS)
            .await
            .unwrap();
        let upstream = FakeUpstream::start().await;
        let mut config = Config::load(&Overlay::default()).unwrap();
        config.database_url = bed.database_secret();
        config.upstream_url = upstream.url.clone();
        config.upstream_token = Secret::Plain("provincial-token".to_owned());
        config.poll_interval_ms = 20;
        Self {
            bed,
            upstream,
            config,
        }
    }

    /// Starts the service with the bed's context.
    pub async fn start(&self) -> ProvincialSyncClient {
        self.start_with(self.bed.context.clone()).await
    }

    pub async fn start_with(&self, context: ServiceContext) -> ProvincialSyncClient {
        let ServiceAddress { listener, url } = self.bed.service_address().await.unwrap();
        let bus = self.bed.bus.clone();
        provincial_sync::start(self.config.clone(), listener, bus, context)
            .await
            .unwrap();
        self.client(&url, Role::Operator)
    }

    pub fn client(&self, url: &str, role: Role) -> ProvincialSyncClient {
        ProvincialSyncServiceClient::new(self.bed.call_as(url, OFFICE, role).unwrap())
    }

    /// A version as validation announces it, always of one record; the version's id follows from the number.
    pub fn version(&self, number: u128, revision: u64) -> RecordAccepted {
        let record_id = Uuid::from_u128(number);
        let record = NormalisedRecord {
            values: HashMap::from([
                ("XK_WSH".to_owned(), format!("长市监许〔2026〕{number}号")),
                ("XK_XDR_MC".to_owned(), "长沙市岳麓区星城餐饮店".to_owned()),
            ]),
            ..NormalisedRecord::default()
        };
        let context = &self.bed.context;
        let sealed = context
            .keyring
            .seal(record_id.as_bytes(), &record.encode_to_vec());
        RecordAccepted {
            version: Some(RecordVersion {
                record_id: record_id.as_bytes().to_vec().into(),
                record_address: address().to_wire(),
                provider_code: PROVIDER.to_owned(),
                item_code: "xzxk".to_owned(),
                item_version: 1,
                key_digest: vec![7; 32].into(),
                revision,
            }),
            received_at: Some(to_timestamp(context.clock.now())),
            subject_kind: SubjectKind::Organisation.into(),
            sealed_record: sealed.into(),
            ..RecordAccepted::default()
        }
    }

    /// A revocation or withdrawal as validation announces it, of the same record as every [`Self::version`].
    pub fn revocation(
        &self,
        number: u128,
        revision: u64,
        operation: Operation,
        reason: &str,
    ) -> RecordRevoked {
        let context = &self.bed.context;
        let record_id = Uuid::from_u128(number);
        let sealed = context
            .keyring
            .seal(record_id.as_bytes(), reason.as_bytes());
        RecordRevoked {
            version: self.version(number, revision).version,
            received_at: Some(to_timestamp(context.clock.now())),
            operation: operation.into(),
            sealed_reason: sealed.into(),
        }
    }

    pub fn event<M: prost::Message + prost::Name>(&self, fact: &M) -> NewEvent {
        NewEvent::new(fact, self.bed.context.clock.now(), "")
    }

    /// Announces `count` versions, ids from 1.
    pub async fn announce_versions(&self, count: u128) {
        let events: Vec<_> = (1..=count)
            .map(|number| self.event(&self.version(number, 1)))
            .collect();
        self.bed.publish(&events).await.unwrap();
    }

    /// Advances the clock unless a batch is in flight: its lease ends by that clock, however little time has really
    /// passed, and the batch would go out twice.
    pub async fn advance_when_idle(&self, by: time::Duration) {
        let leased: bool =
            sqlx::query_scalar("select exists (select from provincial_sync.push where leased)")
                .fetch_one(&self.bed.owner_pool)
                .await
                .unwrap();
        if !leased {
            self.bed.clock.advance(by);
        }
    }

    /// Waits until nothing is in flight or due, so that nothing happens before the clock is advanced or something is
    /// announced.
    pub async fn wait_until_idle(&self) {
        eventually("nothing in hand", WAIT_TIMEOUT, async || {
            let busy: i64 = sqlx::query_scalar(
                "select count(*) from provincial_sync.push
                 where leased or (state = 'due' and next_attempt_at <= $1)",
            )
            .bind(self.bed.context.clock.now())
            .fetch_one(&self.bed.owner_pool)
            .await
            .unwrap();
            let found = (busy, self.upstream.observe(|seen| seen.in_flight));
            (found == (0, 0)).then_some(()).ok_or(found)
        })
        .await
        .unwrap();
    }

    /// Advances the clock by a second a poll until so many are acknowledged.
    pub async fn wait_for_acknowledged(&self, client: &ProvincialSyncClient, count: u64) {
        eventually("acknowledgements", WAIT_TIMEOUT, async || {
            self.advance_when_idle(time::Duration::seconds(1)).await;
            let found = get_statistics(client).await;
            if found.acknowledged == count && found.due == 0 {
                Ok(())
            } else {
                Err(found)
            }
        })
        .await
        .unwrap();
    }

    pub async fn assert_announced_nothing(&self) {
        let announced: Vec<VersionAcknowledged> = self.bed.emitted_events().await.unwrap();
        assert!(announced.is_empty(), "{announced:?}");
    }

    /// Every acknowledgement was announced once, with the upstream's number and the record's address.
    pub async fn assert_announced_once(&self, count: usize) {
        let announced: Vec<VersionAcknowledged> = self.bed.emitted_events().await.unwrap();
        let mut numbers = HashMap::new();
        for event in &announced {
            let key = Uuid::from_slice(&event.record_id).unwrap().to_string();
            assert_eq!(
                event.acknowledgement,
                crate::fake_upstream::acknowledgement_number(&key)
            );
            assert_eq!(event.record_address, address().to_wire());
            assert!(numbers.insert(key, ()).is_none(), "announced twice");
        }
        assert_eq!(numbers.len(), count);
        assert_eq!(self.upstream.stored(), count);
        assert_eq!(self.upstream.observe(|seen| seen.conflicting), 0);
    }
}

/// The address of the record that [`ProvincialSyncFixture::version`] gives versions of.
pub fn address() -> RecordAddress {
    RecordAddress::of_first_version(VersionId::try_from(Uuid::from_u128(10)).unwrap())
}

pub async fn get_statistics(client: &ProvincialSyncClient) -> GetStatisticsResponse {
    let answer = client.clone().get_statistics(GetStatisticsRequest {}).await;
    answer.unwrap().into_inner()
}

/// The push of a version; all empty while the service does not know it yet.
pub async fn get_push(client: &ProvincialSyncClient, number: u128) -> GetPushResponse {
    let record_id = Uuid::from_u128(number).to_string();
    match client.clone().get_push(GetPushRequest { record_id }).await {
        Ok(found) => found.into_inner(),
        Err(status) if status.code() == Code::NotFound => GetPushResponse::default(),
        Err(status) => panic!("GetPush: {status}"),
    }
}
