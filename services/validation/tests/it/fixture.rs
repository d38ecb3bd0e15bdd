//! The fixture: a running validation with stand-ins for ingest and catalog. Called by all tests of this binary.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use credit_record::{ItemVersion, standard_items};
use event_bus::{Delivery, NewEvent, StreamSpec};
use legal_clock::Calendar;
use prost::{Message, Name};
use proto::credit::{
    catalog::events::v1::{ItemVersionPublished, ProviderRegistered},
    common::v1::{Operation, RecordVersion},
    ingest::events::v1::RecordSubmitted,
    validation::v1::{
        FeedbackCase, GetStatisticsRequest, GetStatisticsResponse, GetVerdictRequest,
        GetVerdictResponse, ListFeedbackRequest, VerdictOutcome,
        validation_service_client::ValidationServiceClient,
    },
};
use record_ref::{ItemCode, KeyDigest, ProviderCode, RecordAddress, VersionId};
use serde_json::{Map, Value, json};
use service_kit::{
    config::Overlay,
    db::{Pool, connect_lazy},
    grpc::{AuthorisedChannel, to_timestamp},
    identity::Role,
};
use testkit::{eventually, service::ServiceAddress, test_bed::TestBed};
use tonic::Status;
use uuid::Uuid;
use validation::{
    Config,
    app::{FeedNotifier, ItemCache, RecordValidator},
    domain::CasePolicy,
    handlers::SubmissionHandler,
    jobs::ReminderJob,
};

/// The provider of most records here: a market regulation bureau.
pub const PROVIDER: &str = "11430100006123458R";
/// Another provider.
pub const OTHER: &str = "12430100444900018L";
/// The credit office.
pub const OFFICE: &str = "11430000006122439E";
/// The timeout of every wait of a test.
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

pub type ValidationTestClient = ValidationServiceClient<AuthorisedChannel>;

/// A running service with its test bed and pool.
pub struct ValidationFixture {
    pub bed: TestBed,
    /// The service's own role.
    pub pool: Pool,
    url: String,
}

impl ValidationFixture {
    /// Starts validation that knows nothing of the catalogue yet.
    pub async fn start_without_catalogue() -> Result<Self> {
        let upstream = |service| StreamSpec {
            service,
            max_bytes: 16 * 1024 * 1024,
        };
        let own = validation::STREAM.context("validation emits")?;
        let bed = TestBed::start(
            validation::SCHEMA,
            validation::migrations(),
            &[upstream("ingest"), upstream("catalog"), own],
            validation::SUBSCRIPTIONS,
        )
        .await?;
        let ServiceAddress { listener, url } = bed.service_address().await?;
        let config = Config {
            database_url: bed.database_secret(),
            ..Config::load(&Overlay::default())?
        };
        let pool = connect_lazy(&bed.database_url, validation::SCHEMA, 4)?;
        validation::start(config, listener, bed.bus.clone(), bed.context.clone()).await?;
        Ok(Self { bed, pool, url })
    }

    /// Starts validation that knows the two standard items and two providers.
    pub async fn start() -> Result<Self> {
        let fixture = Self::start_without_catalogue().await?;
        fixture.announce_catalogue().await?;
        fixture.bed.wait_until_settled().await?;
        Ok(fixture)
    }

    /// Announces what catalog announces once it runs.
    pub async fn announce_catalogue(&self) -> Result<()> {
        let items = standard_items()?;
        let mut events = Vec::new();
        for item in &items {
            events.push(self.event(&published(item)?));
        }
        events.push(self.event(&registered(PROVIDER, 1, "长沙市市场监督管理局")));
        events.push(self.event(&registered(OTHER, 1, "长沙市公共资源交易中心")));
        self.bed.publish(&events).await
    }

    /// An event that happens now.
    pub fn event<M: Message + Name>(&self, message: &M) -> NewEvent {
        NewEvent::new(message, self.bed.context.clock.now(), "")
    }

    /// The event of a submitted version.
    pub fn submitted(&self, record: &SampleSubmission) -> RecordSubmitted {
        let (id, keyring) = (record.id(), &self.bed.context.keyring);
        RecordSubmitted {
            version: Some(RecordVersion {
                record_id: id.to_wire(),
                record_address: record.address().to_wire(),
                provider_code: record.provider.to_owned(),
                item_code: record.item.to_owned(),
                item_version: record.version,
                key_digest: self.key_digest(record).to_wire(),
                revision: record.revision,
            }),
            ledger_number: record.ledger_number,
            received_at: Some(to_timestamp(self.bed.context.clock.now())),
            content_type: record.content_type.into(),
            operation: record.operation.into(),
            sealed_content: keyring.seal(id.as_bytes(), &record.content).into(),
            sealed_record_key: keyring.seal(id.as_bytes(), record.key.as_bytes()).into(),
        }
    }

    /// The key of a record as ingest knows it.
    pub fn key_digest(&self, record: &SampleSubmission) -> KeyDigest {
        let provider: ProviderCode = record.provider.parse().expect("a code");
        let item: ItemCode = record.item.parse().expect("a code");
        let keyring = &self.bed.context.keyring;
        vault::keyed_hash::hash_record_key(keyring, &provider, &item, &record.key)
    }

    /// Publishes versions in one message and waits until they are handled.
    pub async fn submit(&self, records: &[&SampleSubmission]) -> Result<()> {
        let events: Vec<_> = records
            .iter()
            .map(|r| self.event(&self.submitted(r)))
            .collect();
        self.bed.publish(&events).await?;
        self.bed.wait_until_settled().await
    }

    /// A handler next to the running consumer, to run transactions by hand.
    pub fn handler(&self) -> Result<SubmissionHandler> {
        let context = &self.bed.context;
        let lane = context.readiness.lane("by hand", Duration::MAX);
        let items = ItemCache::new(time::Duration::minutes(10), lane);
        let validator = RecordValidator::new(context.keyring.clone(), case_policy()?, items);
        Ok(SubmissionHandler::new(
            Arc::new(validator),
            context.clock.clone(),
            context.telemetry.clone(),
        ))
    }

    /// A reminder job next to the running one, to run by hand.
    pub fn reminder_job(&self) -> Result<ReminderJob> {
        let context = &self.bed.context;
        let relay = self.bed.bus.start_relay("validation", &self.pool, context);
        let (policy, feed) = (Arc::new(case_policy()?), FeedNotifier::default());
        Ok(ReminderJob::new(
            self.pool.clone(),
            policy,
            feed,
            relay,
            context,
        ))
    }

    /// Versions as the consumer hands them to a handler.
    pub fn deliveries(&self, records: &[&SampleSubmission]) -> Vec<Delivery> {
        records
            .iter()
            .map(|record| Delivery {
                event_id: Uuid::new_v4(),
                event_type: RecordSubmitted::full_name(),
                occurred_at: self.bed.context.clock.now(),
                traceparent: String::new(),
                payload: self.submitted(record).encode_to_vec().into(),
            })
            .collect()
    }

    /// A client that calls as an organisation with a role.
    pub fn client(&self, organisation: &str, role: Role) -> Result<ValidationTestClient> {
        let channel = self.bed.call_as(&self.url, organisation, role)?;
        Ok(ValidationServiceClient::new(channel))
    }

    /// The first provider's client.
    pub fn provider(&self) -> Result<ValidationTestClient> {
        self.client(PROVIDER, Role::Provider)
    }

    /// The credit office's client.
    pub fn office(&self) -> Result<ValidationTestClient> {
        self.client(OFFICE, Role::CreditOffice)
    }

    /// The first provider's feedback, up to 1000 cases.
    pub async fn feedback(&self, open_only: bool) -> Result<Vec<FeedbackCase>> {
        let request = ListFeedbackRequest {
            open_only,
            page_size: 1000,
            ..Default::default()
        };
        Ok(self
            .provider()?
            .list_feedback(request)
            .await?
            .into_inner()
            .cases)
    }

    /// The verdict as the credit office sees it.
    pub async fn verdict(&self, record: &SampleSubmission) -> Result<GetVerdictResponse, Status> {
        let request = GetVerdictRequest {
            record_id: record.id().to_string(),
        };
        let mut office = self
            .office()
            .map_err(|error| Status::internal(error.to_string()))?;
        Ok(office.get_verdict(request).await?.into_inner())
    }

    /// Outcome and codes of the findings of a version.
    pub async fn outcome_and_codes(
        &self,
        record: &SampleSubmission,
    ) -> Result<(VerdictOutcome, Vec<String>)> {
        let verdict = self.verdict(record).await?;
        let codes = verdict.findings.iter().map(|finding| finding.code.clone());
        // Most records here are old.
        let codes = codes.filter(|code| code != "LATE_REPORT").collect();
        Ok((verdict.outcome(), codes))
    }

    pub async fn statistics(&self) -> Result<GetStatisticsResponse> {
        Ok(self
            .office()?
            .get_statistics(GetStatisticsRequest {})
            .await?
            .into_inner())
    }

    /// Waits until this many events are parked; their reasons.
    pub async fn parked(&self, count: usize) -> Result<Vec<String>> {
        let pool = self.bed.schema_pool().await?;
        eventually("events are parked", WAIT_TIMEOUT, async || {
            let parked = event_bus::dead_letters::list_letters(&pool).await;
            let parked = parked.map_err(|error| error.to_string())?;
            let reasons: Vec<String> = parked.into_iter().map(|letter| letter.reason).collect();
            if reasons.len() == count {
                Ok(reasons)
            } else {
                Err(format!("{reasons:?}"))
            }
        })
        .await
    }

    /// Asks the consumer to try what it has parked again; how many.
    pub async fn retry_parked(&self, consumer: &str) -> Result<u64> {
        let pool = self.bed.schema_pool().await?;
        let letters = event_bus::dead_letters::list_letters(&pool).await?;
        let of_consumer = letters.iter().filter(|letter| letter.consumer == consumer);
        let ids: Vec<i64> = of_consumer.map(|letter| letter.id).collect();
        Ok(event_bus::dead_letters::retry_letters(&pool, &ids).await?)
    }

    /// Discards the parked events, so that [`ValidationFixture::finish`] finds none.
    pub async fn drop_parked(&self) -> Result<u64> {
        let pool = self.bed.schema_pool().await?;
        Ok(event_bus::dead_letters::drop_letters(&pool, &[]).await?)
    }

    pub async fn finish(self) -> Result<()> {
        self.pool.close().await;
        self.bed.finish().await
    }
}

/// A version as its provider sends it.
#[derive(Clone)]
pub struct SampleSubmission {
    pub provider: &'static str,
    pub item: &'static str,
    pub version: u32,
    pub key: String,
    pub revision: u64,
    pub ledger_number: u64,
    pub content: Vec<u8>,
    pub content_type: &'static str,
    pub operation: Operation,
}

impl SampleSubmission {
    /// The penalty against an organisation with some fields changed, first revision.
    pub fn penalty(key: &str, ledger_number: u64, changes: Value) -> Self {
        Self::from_template("xzcf", key, ledger_number, penalty(), changes)
    }

    /// The licence of a natural person with some fields changed, first revision.
    pub fn licence(key: &str, ledger_number: u64, changes: Value) -> Self {
        Self::from_template("xzxk", key, ledger_number, person_licence(), changes)
    }

    /// A penalty in the template of 2015, first revision.
    pub fn penalty_of_2015(key: &str, ledger_number: u64, changes: Value) -> Self {
        Self {
            version: 1,
            ..Self::from_template("xzcf", key, ledger_number, old_penalty(), changes)
        }
    }

    fn from_template(
        item: &'static str,
        key: &str,
        ledger_number: u64,
        mut content: Map<String, Value>,
        changes: Value,
    ) -> Self {
        // Every key is about a decision of its own.
        let number = if item == "xzcf" { "CF_WSH" } else { "XK_WSH" };
        if key != "K-1"
            && let Some(text) = content.get(number).and_then(Value::as_str)
        {
            let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, key.as_bytes()).as_u128();
            let own = format!("〕{}号", digest % 1_000_000_000);
            let text = text.split('〕').next().unwrap_or_default().to_owned() + &own;
            content.insert(number.to_owned(), text.into());
        }
        content.extend(object(changes));
        Self {
            provider: PROVIDER,
            item,
            // In force: the 2018 edition, for penalties with the kinds since 2021.
            version: if item == "xzcf" { 3 } else { 2 },
            key: key.to_owned(),
            revision: 1,
            ledger_number,
            content: Value::Object(content).to_string().into_bytes(),
            content_type: "application/json",
            operation: Operation::Upsert,
        }
    }

    /// The registration of the shop that most records here are about, with some fields changed, first revision.
    pub fn registration(key: &str, ledger_number: u64, changes: Value) -> Self {
        let mut content = registration();
        content.extend(object(changes));
        Self {
            version: 1,
            content: Value::Object(content).to_string().into_bytes(),
            ..Self::from_template("djzc", key, ledger_number, Map::new(), json!({}))
        }
    }

    /// The end of this record, as its next revision.
    pub fn ended(&self, operation: Operation, ledger_number: u64, reason: &str) -> Self {
        Self {
            revision: self.revision + 1,
            ledger_number,
            content: reason.as_bytes().to_vec(),
            content_type: "text/plain",
            operation,
            ..self.clone()
        }
    }

    /// The same from another provider.
    pub fn reported_by(mut self, provider: &'static str) -> Self {
        let text = String::from_utf8(self.content).expect("JSON");
        self.content = text.replace(self.provider, provider).into_bytes();
        self.provider = provider;
        self
    }

    pub fn revision(mut self, revision: u64) -> Self {
        self.revision = revision;
        self
    }

    /// One id for each version, as ingest gives it.
    pub fn id(&self) -> VersionId {
        self.id_of(self.revision)
    }

    /// One address for all versions, as ingest gives it.
    pub fn address(&self) -> RecordAddress {
        RecordAddress::of_first_version(self.id_of(1))
    }

    fn id_of(&self, revision: u64) -> VersionId {
        let name = format!("{}/{}/{}/{revision}", self.provider, self.item, self.key);
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes());
        id.try_into().expect("not nil")
    }
}

/// What makes the penalty faulty: the credit code's check character is wrong.
pub fn wrong_credit_code() -> Value {
    json!({ "CF_XDR_SHXYM": "91430102MA4PX7RC65" })
}

pub fn published(item: &ItemVersion) -> Result<ItemVersionPublished> {
    Ok(ItemVersionPublished {
        code: item.code.clone(),
        version: item.version,
        name: item.name.clone(),
        definition_json: item.to_json()?,
        ..Default::default()
    })
}

pub fn registered(code: &str, revision: u64, name: &str) -> ProviderRegistered {
    ProviderRegistered {
        code: code.to_owned(),
        name: name.to_owned(),
        level: "city".into(),
        district_code: String::new(),
        enabled: true,
        revision,
        ..Default::default()
    }
}

/// The days of the running service.
fn case_policy() -> Result<CasePolicy> {
    Ok(Config::load(&Overlay::default())?.case_policy(Calendar::builtin()?))
}

fn registration() -> Map<String, Value> {
    object(json!({
        "DJ_XDR_MC": "湖南客偲家装饰工程有限公司",
        "DJ_XDR_LB": "法人及非法人组织",
        "DJ_XDR_SHXYM": "91430102MA4PX7RC64",
        "DJ_FRDB": "陈志远",
        "DJ_LX": "有限责任公司",
        "DJ_CLRQ": "2018-05-02",
        "DJ_JYFW": "建筑装饰工程设计、施工",
        "DJ_ZS": "长沙市芙蓉区五一大道1号",
        "DJ_ZT": "存续",
        "DJ_HZRQ": "2026-11-10",
        "DJ_DJJG": "长沙市市场监督管理局",
        "DJ_DJJGDM": PROVIDER,
        "DJ_LYDW": "长沙市市场监督管理局",
        "DJ_LYDWDM": PROVIDER,
    }))
}

fn penalty() -> Map<String, Value> {
    object(json!({
        "CF_XDR_MC": "湖南客偲家装饰工程有限公司",
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": "91430102MA4PX7RC64",
        "CF_FRDB": "陈志远",
        "CF_WSH": "长市监罚决〔2026〕123号",
        "CF_WFXW": "发布虚假广告",
        "CF_SY": "当事人在其网站发布虚假广告。",
        "CF_YJ": "《中华人民共和国广告法》第五十五条",
        "CF_CFLB": "罚款",
        "CF_NR": "罚款2000元。",
        "CF_NR_FK": "0.2",
        "CF_JDRQ": "2026-06-10",
        "CF_YXQ": "2027-06-10",
        "CF_CFJG": "长沙市市场监督管理局",
        "CF_CFJGDM": PROVIDER,
        "CF_SJLY": "长沙市市场监督管理局",
        "CF_SJLYDM": PROVIDER,
    }))
}

fn old_penalty() -> Map<String, Value> {
    object(json!({
        "CF_WSH": "（长）工商罚〔2016〕12号",
        "CF_CFMC": "虚假广告案",
        "CF_CFLB1": "罚款",
        "CF_SY": "当事人发布虚假广告。",
        "CF_YJ": "《中华人民共和国广告法》第五十五条",
        "CF_XDR_MC": "湖南客偲家装饰工程有限公司",
        "CF_XDR_SHXYM": "91430102MA4PX7RC64",
        "CF_FR": "陈志远",
        "CF_JG": "罚款2000元。",
        "CF_JDRQ": "2016-06-10",
        "CF_XZJG": "长沙市工商行政管理局",
        "CF_ZT": "0",
    }))
}

fn person_licence() -> Map<String, Value> {
    object(json!({
        "XK_XDR_MC": PERSON_NAME,
        "XK_XDR_LB": "自然人",
        "XK_XDR_ZJLX": "身份证",
        "XK_XDR_ZJHM": PERSON_NUMBER,
        "XK_XKWS": "道路运输从业资格准予许可决定书",
        "XK_WSH": "长交运许〔2026〕45号",
        "XK_XKLB": "认可",
        "XK_XKZS": "道路运输从业人员从业资格证",
        "XK_XKBH": "430100202600045",
        "XK_NR": "经营性道路旅客运输驾驶员",
        "XK_JDRQ": "2026-05-06",
        "XK_YXQZ": "2026-05-06",
        "XK_YXQZI": "2032-05-05",
        "XK_XKJG": "长沙市交通运输局",
        "XK_XKJGDM": PROVIDER,
        "XK_ZT": "1",
        "XK_LYDW": "长沙市交通运输局",
        "XK_LYDWDM": PROVIDER,
    }))
}

/// A fictional person.
pub const PERSON_NAME: &str = "刘芳华";
/// Her number, with a right check character.
pub const PERSON_NUMBER: &str = "430102199003071242";

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
