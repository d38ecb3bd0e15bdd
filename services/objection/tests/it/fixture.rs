//! The service running on a test bed, the parties of an objection, and what they send.

use std::time::Duration;

use event_bus::{NewEvent, StreamSpec};
use objection::{Config, SCHEMA, STREAM, SUBSCRIPTIONS};
use proto::credit::{
    catalog::events::v1::ProviderRegistered,
    objection::{
        events::v1::ObjectionChanged,
        v1::{
            AnswerDecision, AnswerObjectionRequest, Evidence, FileObjectionRequest,
            GetObjectionRequest, ListObjectionsRequest, ListObjectionsResponse, Objection,
            TransferObjectionRequest, objection_service_client::ObjectionServiceClient,
        },
    },
};
use service_kit::{
    clock::Clock as _,
    config::Overlay,
    grpc::{AuthorisedChannel, MAX_MESSAGE_BYTES},
    identity::Role,
};
use sqlx::PgPool;
use testkit::{eventually, service::ServiceAddress, test_bed::TestBed};
use time::OffsetDateTime;
use tonic::Status;
use uuid::Uuid;

pub const PROVIDER: &str = "11430100006123458R";
pub const OTHER_PROVIDER: &str = "12430100444900018L";
pub const OFFICE: &str = "1143000000612221XY";
pub const COMPANY: &str = "914301007700936299";
pub const CITIZEN: &str = "430102199003071234";
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

pub type ObjectionClient = ObjectionServiceClient<AuthorisedChannel>;

/// A running service with two registered providers.
pub struct ObjectionFixture {
    pub bed: TestBed,
    pub pool: PgPool,
    url: String,
}

impl ObjectionFixture {
    /// Starts the service with the test clock at this moment.
    pub async fn start_at(now: OffsetDateTime) -> Self {
        let streams = [
            StreamSpec {
                service: "catalog",
                max_bytes: 64 * 1024 * 1024,
            },
            STREAM.unwrap(),
        ];
        let migrations = objection::migrations();
        let bed = TestBed::start(SCHEMA, migrations, &streams, SUBSCRIPTIONS)
            .await
            .unwrap();
        bed.clock.set(now);
        let mut config = Config::load(&Overlay::default()).unwrap();
        config.database_url = bed.database_secret();
        let ServiceAddress { listener, url } = bed.service_address().await.unwrap();
        let (bus, context) = (bed.bus.clone(), bed.context.clone());
        objection::start(config, listener, bus, context)
            .await
            .unwrap();
        let pool = bed.schema_pool().await.unwrap();
        let fixture = Self { bed, pool, url };
        fixture
            .register(&[(PROVIDER, 1, true), (OTHER_PROVIDER, 1, true)])
            .await;
        fixture
    }

    /// Announces providers as catalog does and waits until the service knows them.
    pub async fn register(&self, providers: &[(&str, u64, bool)]) {
        let now = self.bed.clock.now();
        let events: Vec<NewEvent> = providers
            .iter()
            .map(|(code, revision, enabled)| {
                let registered = ProviderRegistered {
                    code: (*code).to_owned(),
                    name: format!("单位 {code} 第{revision}版"),
                    level: "city".to_owned(),
                    district_code: "430100".to_owned(),
                    enabled: *enabled,
                    revision: *revision,
                    ..ProviderRegistered::default()
                };
                NewEvent::new(&registered, now, "")
            })
            .collect();
        self.bed.publish(&events).await.unwrap();
        let codes: Vec<&str> = providers.iter().map(|p| p.0).collect();
        eventually("registered providers", WAIT_TIMEOUT, async || {
            let known: i64 = sqlx::query_scalar(
                "select count(distinct code) from provider where code = any($1)",
            )
            .bind(&codes)
            .fetch_one(&self.pool)
            .await
            .unwrap();
            known > 0
        })
        .await
        .unwrap();
        self.bed.wait_until_settled().await.unwrap();
    }

    pub fn client_of(&self, organisation: &str, role: Role) -> ObjectionClient {
        client(self.bed.call_as(&self.url, organisation, role).unwrap())
    }

    pub fn company(&self) -> ObjectionClient {
        self.client_of(COMPANY, Role::Subject)
    }

    pub fn citizen(&self, number: &str) -> ObjectionClient {
        client(self.bed.call_as_person(&self.url, number).unwrap())
    }

    pub fn office(&self) -> ObjectionClient {
        self.client_of(OFFICE, Role::CreditOffice)
    }

    pub fn provider(&self) -> ObjectionClient {
        self.client_of(PROVIDER, Role::Provider)
    }

    /// The changes that were announced: state, pending, revision.
    pub async fn announced_changes(&self) -> Vec<(String, bool, u64)> {
        let changes: Vec<ObjectionChanged> = self.bed.emitted_events().await.unwrap();
        changes
            .into_iter()
            .map(|change| (change.state, change.pending, change.revision))
            .collect()
    }

    pub async fn finish(self) {
        self.pool.close().await;
        self.bed.finish().await.unwrap();
    }
}

fn client(channel: AuthorisedChannel) -> ObjectionClient {
    ObjectionServiceClient::new(channel).max_encoding_message_size(MAX_MESSAGE_BYTES)
}

/// A complete application.
pub fn sample_application(request_id: &str) -> FileObjectionRequest {
    FileObjectionRequest {
        request_id: request_id.to_owned(),
        record_id: Uuid::from_u128(7).to_string(),
        provider_code: PROVIDER.to_owned(),
        statement: format!("本人（{CITIZEN}）已缴清罚款，处罚决定已被撤销。"),
        evidence: vec![
            Evidence {
                file_name: "撤销决定书.pdf".to_owned(),
                media_type: "application/pdf".to_owned(),
                content: b"%PDF-1.7 \x00\xff bytes as they are".to_vec().into(),
            },
            Evidence {
                file_name: format!("{CITIZEN}.jpg"),
                media_type: "image/jpeg".to_owned(),
                content: vec![0xff; 1024 * 1024].into(),
            },
        ],
    }
}

pub async fn file_objection(
    client: &ObjectionClient,
    request: FileObjectionRequest,
) -> Result<Objection, Status> {
    let answer = client.clone().file_objection(request).await?;
    Ok(answer.into_inner().objection.unwrap())
}

pub async fn transfer_objection(
    client: &ObjectionClient,
    objection_id: &str,
) -> Result<Objection, Status> {
    let objection_id = objection_id.to_owned();
    let request = TransferObjectionRequest { objection_id };
    let answer = client.clone().transfer_objection(request).await?;
    Ok(answer.into_inner().objection.unwrap())
}

pub async fn answer_objection(
    client: &ObjectionClient,
    objection_id: &str,
    decision: AnswerDecision,
    text: &str,
) -> Result<Objection, Status> {
    let request = AnswerObjectionRequest {
        objection_id: objection_id.to_owned(),
        decision: decision.into(),
        answer: text.to_owned(),
    };
    let answer = client.clone().answer_objection(request).await?;
    Ok(answer.into_inner().objection.unwrap())
}

pub async fn get_objection(
    client: &ObjectionClient,
    objection_id: &str,
) -> Result<Objection, Status> {
    let objection_id = objection_id.to_owned();
    let request = GetObjectionRequest { objection_id };
    let answer = client.clone().get_objection(request).await?;
    Ok(answer.into_inner().objection.unwrap())
}

pub async fn list_objections(
    client: &ObjectionClient,
    overdue_only: bool,
    page_size: u32,
    page_token: &str,
) -> Result<ListObjectionsResponse, Status> {
    let request = ListObjectionsRequest {
        overdue_only,
        page_size,
        page_token: page_token.to_owned(),
    };
    Ok(client.clone().list_objections(request).await?.into_inner())
}

/// The ids of a first page.
pub async fn list_ids(client: &ObjectionClient, overdue_only: bool) -> Vec<String> {
    let listed = list_objections(client, overdue_only, 50, "").await.unwrap();
    listed
        .objections
        .into_iter()
        .map(|o| o.objection_id)
        .collect()
}

/// Transfer and answer due days of a view.
pub fn due_days(objection: &Objection) -> (&str, &str) {
    let transfer = objection.transfer_due.as_ref().unwrap();
    let answer = objection.answer_due.as_ref().unwrap();
    assert_eq!(
        (transfer.article.as_str(), answer.article.as_str()),
        ("R-18", "R-19")
    );
    (&transfer.due_on, &answer.due_on)
}

/// Whether the clocks are overdue: transfer, answer.
pub fn overdue_clocks(objection: &Objection) -> (bool, bool) {
    let due = |due: &Option<proto::credit::objection::v1::DueDate>| due.as_ref().unwrap().overdue;
    (due(&objection.transfer_due), due(&objection.answer_due))
}
