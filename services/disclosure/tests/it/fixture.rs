//! The fixture: a running service on a test bed, records as validation announces them, and clients of each kind of
//! caller. Used by all files of this test binary.

use anyhow::Result;
use bytes::Bytes;
use credit_record::{CreditCode, PersonDocument};
use disclosure::Config;
use event_bus::{NewEvent, StreamSpec};
use prost::Message;
use proto::credit::{
    catalog::events::v1::ItemVersionPublished,
    common::v1::{Operation, RecordVersion, SubjectKind},
    disclosure::v1::{
        GetOrganisationRequest, GetOrganisationResponse, GetPublicRecordRequest,
        GetPublicRecordResponse, GetStatisticsRequest, GetStatisticsResponse,
        ListOwnRecordsRequest, ListOwnRecordsResponse, ListPublicRecordsRequest,
        ListPublicRecordsResponse, PublicRecord, SearchOrganisationsRequest,
        SearchOrganisationsResponse, disclosure_service_client::DisclosureServiceClient,
        public_service_client::PublicServiceClient, subject_service_client::SubjectServiceClient,
    },
    objection::events::v1::ObjectionChanged,
    validation::events::v1::{NormalisedRecord, RecordAccepted, RecordRevoked},
};
use record_ref::{ItemRef, RecordAddress, VersionId};
use service_kit::{
    config::{Overlay, Secret},
    grpc::{AuthorisedChannel, to_timestamp},
    identity::Role,
};
use testkit::{service::ServiceAddress, test_bed::TestBed};
use time::macros::{date, datetime};
use tonic::Status;
use uuid::Uuid;
use vault::{Keyring, keyed_hash};

pub const PROVIDER: &str = "11430100006123458R";
pub const HOSPITAL: &str = "12430100444900018L";
pub const SOCIETY: &str = "51430100MJJ000012E";
pub const STALL: &str = "92430104MA4QQ0026Y";
/// The standard's own example of a citizen number.
pub const CITIZEN: &str = "11010519491231002X";
pub const CITIZEN_NAME: &str = "欧阳测试";

/// The fixture: a test bed with the service running on it.
pub struct DisclosureFixture {
    pub bed: TestBed,
    url: String,
    public: PublicServiceClient<AuthorisedChannel>,
}

/// Streams of the services that disclosure consumes, and its own.
fn streams() -> Vec<StreamSpec> {
    ["validation", "catalog", "objection"]
        .into_iter()
        .map(|service| StreamSpec {
            service,
            max_bytes: 16 << 20,
        })
        .chain(disclosure::STREAM)
        .collect()
}

/// A test bed without a running service.
pub async fn start_bed() -> Result<TestBed> {
    TestBed::start_with_roles(
        disclosure::SCHEMA,
        disclosure::migrations(),
        &streams(),
        disclosure::SUBSCRIPTIONS,
        &[disclosure::PUBLIC_ROLE],
    )
    .await
}

impl DisclosureFixture {
    /// A running service that knows the standard's items.
    pub async fn start() -> Result<Self> {
        let fixture = Self::start_without_catalogue().await?;
        fixture.publish_catalogue().await?;
        Ok(fixture)
    }

    /// A running service that knows no item yet.
    pub async fn start_without_catalogue() -> Result<Self> {
        let bed = start_bed().await?;
        let mut config = Config::load(&Overlay::default())?;
        config.database_url = bed.database_secret();
        config.public_database_url = Secret::Plain(bed.url_for(disclosure::PUBLIC_ROLE)?);
        let ServiceAddress { listener, url } = bed.service_address().await?;
        let public = PublicServiceClient::new(bed.call_as(&url, "", Role::Public)?);
        disclosure::start(config, listener, bed.bus.clone(), bed.context.clone()).await?;
        Ok(Self { bed, url, public })
    }

    /// Announces the standard's items and waits until they are known.
    pub async fn publish_catalogue(&self) -> Result<()> {
        self.publish(&catalogue_events()?).await
    }

    /// Announces records as validation does and waits until all work is done.
    pub async fn accept(&self, records: &[DisclosureTestRecord]) -> Result<()> {
        let keyring = &self.bed.context.keyring;
        let events: Vec<NewEvent> = records
            .iter()
            .map(|record| new_event(&record.accepted_event(keyring)))
            .collect();
        self.publish(&events).await
    }

    /// Announces that a record was revoked or withdrawn, and waits until all work is done.
    pub async fn end_record(
        &self,
        record: &DisclosureTestRecord,
        operation: Operation,
        reason: &str,
    ) -> Result<()> {
        let keyring = &self.bed.context.keyring;
        self.publish(&[new_event(&record.revoked_event(keyring, operation, reason))])
            .await
    }

    pub async fn publish(&self, events: &[NewEvent]) -> Result<()> {
        self.bed.publish(events).await?;
        self.bed.wait_until_settled().await
    }

    pub async fn search(&self, query: &str) -> Result<SearchOrganisationsResponse, Status> {
        self.search_page(query, 0, "").await
    }

    pub async fn search_page(
        &self,
        query: &str,
        page_size: u32,
        token: &str,
    ) -> Result<SearchOrganisationsResponse, Status> {
        let request = SearchOrganisationsRequest {
            query: query.to_owned(),
            page_size,
            page_token: token.to_owned(),
        };
        let mut client = self.public.clone();
        Ok(client.search_organisations(request).await?.into_inner())
    }

    pub async fn organisation(
        &self,
        credit_code: &str,
        page_size: u32,
        token: &str,
    ) -> Result<GetOrganisationResponse, Status> {
        let request = GetOrganisationRequest {
            credit_code: credit_code.to_owned(),
            page_size,
            page_token: token.to_owned(),
        };
        let mut client = self.public.clone();
        Ok(client.get_organisation(request).await?.into_inner())
    }

    pub async fn list(
        &self,
        request: ListPublicRecordsRequest,
    ) -> Result<ListPublicRecordsResponse, Status> {
        let mut client = self.public.clone();
        Ok(client.list_public_records(request).await?.into_inner())
    }

    pub async fn record(&self, record_id: Uuid) -> Result<PublicRecord, Status> {
        let response = self.record_or_notice(record_id).await?;
        response
            .record
            .ok_or_else(|| Status::data_loss("no record in the answer"))
    }

    pub async fn record_or_notice(
        &self,
        record_id: Uuid,
    ) -> Result<GetPublicRecordResponse, Status> {
        let request = GetPublicRecordRequest {
            record_id: record_id.to_string(),
        };
        let mut client = self.public.clone();
        Ok(client.get_public_record(request).await?.into_inner())
    }

    pub async fn own_of_person(&self, number: &str) -> Result<ListOwnRecordsResponse, Status> {
        own(self.bed.call_as_person(&self.url, number)).await
    }

    pub async fn own_of_organisation(&self, code: &str) -> Result<ListOwnRecordsResponse, Status> {
        own(self.bed.call_as(&self.url, code, Role::Subject)).await
    }

    async fn all_statistics(&self) -> Result<GetStatisticsResponse> {
        let channel = self.bed.call_as(&self.url, "", Role::CreditOffice)?;
        let mut client = DisclosureServiceClient::new(channel);
        let answer = client.get_statistics(GetStatisticsRequest {}).await?;
        Ok(answer.into_inner())
    }

    /// Revocations and withdrawals stored, and those in force.
    pub async fn revocations(&self) -> Result<[u64; 2]> {
        let counts = self.all_statistics().await?;
        Ok([counts.stored_revocations, counts.revocations_in_force])
    }

    /// Stored, public, query-only, archived, superseded; panics when they do not add up.
    pub async fn statistics(&self) -> Result<[u64; 5]> {
        let GetStatisticsResponse {
            stored_versions,
            disclosed_public,
            query_only,
            archived,
            superseded,
            ..
        } = self.all_statistics().await?;
        let current = disclosed_public + query_only + archived;
        assert_eq!(
            stored_versions,
            current + superseded,
            "every version is counted once"
        );
        Ok([
            stored_versions,
            disclosed_public,
            query_only,
            archived,
            superseded,
        ])
    }
}

async fn own(channel: Result<AuthorisedChannel>) -> Result<ListOwnRecordsResponse, Status> {
    let channel = channel.map_err(|error| Status::internal(error.to_string()))?;
    let request = ListOwnRecordsRequest::default();
    let mut client = SubjectServiceClient::new(channel);
    Ok(client.list_own_records(request).await?.into_inner())
}

/// The announcement of the standard's items.
pub fn catalogue_events() -> Result<Vec<NewEvent>> {
    credit_record::standard_items()?
        .iter()
        .map(|item| {
            Ok(new_event(&ItemVersionPublished {
                code: item.code.clone(),
                version: item.version,
                name: item.name.clone(),
                definition_json: item.to_json()?,
                ..ItemVersionPublished::default()
            }))
        })
        .collect()
}

pub fn new_event<M: Message + prost::Name>(message: &M) -> NewEvent {
    NewEvent::new(message, datetime!(2026-11-20 10:00 +8), "")
}

/// An objection's change.
pub fn objection_event(objection: u128, record: Uuid, revision: u64, pending: bool) -> NewEvent {
    new_event(&ObjectionChanged {
        objection_id: id_bytes(Uuid::from_u128(objection)),
        record_id: id_bytes(record),
        provider_code: PROVIDER.to_owned(),
        state: if pending { "filed" } else { "answered_kept" }.to_owned(),
        pending,
        revision,
        changed_at: Some(to_timestamp(datetime!(2026-11-20 10:00 +8))),
    })
}

pub fn id_bytes(id: Uuid) -> Bytes {
    Bytes::copy_from_slice(id.as_bytes())
}

/// Many different credit codes with right check characters.
pub fn credit_code(number: u32) -> String {
    CreditCode::with_checks(&format!("91430100MA4Q{number:04}"))
        .unwrap()
        .as_str()
        .to_owned()
}

/// Whom a test record is about.
#[derive(Clone, Debug, PartialEq)]
pub enum DisclosureTestSubject {
    Organisation(String, String),
    Individual(String, String),
    Person(String),
}

/// A record version of a test.
#[derive(Clone, Debug)]
pub struct DisclosureTestRecord {
    pub id: Uuid,
    pub item: &'static str,
    pub version: u32,
    pub key: u32,
    pub revision: u64,
    pub subject: DisclosureTestSubject,
    pub decided: String,
    pub document: String,
    /// The provider's own deadline (公示截止期); empty for none.
    pub publicity_until: &'static str,
}

/// A penalty of an organisation, first revision of key `key`, decided on the day given.
pub fn penalty_record(key: u32, code: &str, name: &str, decided: &str) -> DisclosureTestRecord {
    DisclosureTestRecord {
        id: Uuid::from_u128(u128::from(key) << 64 | 1),
        item: "xzcf",
        // The 2018 edition with the kinds since 2021.
        version: 3,
        key,
        revision: 1,
        subject: DisclosureTestSubject::Organisation(code.to_owned(), name.to_owned()),
        decided: decided.to_owned(),
        document: format!("长市监罚〔2026〕{key}号"),
        publicity_until: "",
    }
}

/// The same of a licence.
pub fn licence_record(key: u32, code: &str, name: &str, decided: &str) -> DisclosureTestRecord {
    DisclosureTestRecord {
        item: "xzxk",
        version: 2,
        ..penalty_record(key, code, name, decided)
    }
}

/// A penalty of the person [`CITIZEN`].
pub fn person_penalty(key: u32, decided: &str) -> DisclosureTestRecord {
    penalty_record(key, "", "", decided).about(DisclosureTestSubject::Person(CITIZEN.to_owned()))
}

impl DisclosureTestRecord {
    /// The next version of the same record.
    pub fn revision(mut self, revision: u64) -> Self {
        self.revision = revision;
        self.id = Uuid::from_u128(u128::from(self.key) << 64 | u128::from(revision));
        self
    }

    pub fn about(mut self, subject: DisclosureTestSubject) -> Self {
        self.subject = subject;
        self
    }

    /// The same, to be published until this day at most.
    pub fn until(mut self, day: &'static str) -> Self {
        self.publicity_until = day;
        self
    }

    /// The event of validation that this version ends its record instead of saying something of it.
    pub fn revoked_event(
        &self,
        keyring: &Keyring,
        operation: Operation,
        reason: &str,
    ) -> RecordRevoked {
        RecordRevoked {
            version: Some(self.identity(keyring)),
            received_at: Some(to_timestamp(datetime!(2026-11-20 09:30 +8))),
            operation: operation.into(),
            sealed_reason: keyring.seal(self.id.as_bytes(), reason.as_bytes()).into(),
        }
    }

    /// The address of the record: that of its first version, which may never have come.
    pub fn address(&self) -> RecordAddress {
        let first = Uuid::from_u128(u128::from(self.key) << 64 | 1);
        RecordAddress::of_first_version(first.try_into().unwrap())
    }

    fn identity(&self, keyring: &Keyring) -> RecordVersion {
        let provider = PROVIDER.parse().unwrap();
        let item = ItemRef::new(self.item.parse().unwrap(), self.version).unwrap();
        let key = self.key.to_string();
        RecordVersion::from(&record_ref::RecordVersion {
            id: VersionId::try_from(self.id).unwrap(),
            address: self.address(),
            key_digest: keyed_hash::hash_record_key(keyring, &provider, &item.code, &key),
            provider,
            item,
            revision: self.revision.try_into().unwrap(),
        })
    }

    /// The event of validation, sealed with the keyring.
    pub fn accepted_event(&self, keyring: &Keyring) -> RecordAccepted {
        let (kind, code, name) = match &self.subject {
            DisclosureTestSubject::Organisation(code, name) => {
                (SubjectKind::Organisation, code.as_str(), name.as_str())
            }
            DisclosureTestSubject::Individual(code, name) => (
                SubjectKind::IndividualBusiness,
                code.as_str(),
                name.as_str(),
            ),
            DisclosureTestSubject::Person(_) => (SubjectKind::NaturalPerson, "", CITIZEN_NAME),
        };
        let prefix = if self.item == "xzcf" { "CF" } else { "XK" };
        let mut values = std::collections::HashMap::from([
            (format!("{prefix}_XDR_MC"), name.to_owned()),
            (format!("{prefix}_XDR_SHXYM"), code.to_owned()),
            (format!("{prefix}_WSH"), self.document.clone()),
            (format!("{prefix}_JDRQ"), self.decided.clone()),
            ("BZ".to_owned(), "只供机关使用的备注".to_owned()),
        ]);
        let mut blind = Bytes::new();
        let person = matches!(self.subject, DisclosureTestSubject::Person(_));
        if let DisclosureTestSubject::Person(number) = &self.subject {
            blind = Bytes::copy_from_slice(&person_hash(keyring, number));
            values.insert(format!("{prefix}_XDR_ZJHM"), number.clone());
        } else if self.item == "xzcf" {
            values.insert("CF_FR_ZJHM".to_owned(), CITIZEN.to_owned());
            values.insert(
                "CF_SY".to_owned(),
                format!("负责人（身份证{CITIZEN}）无证经营"),
            );
        }
        let plain = NormalisedRecord {
            values,
            changes: Vec::new(),
            warning_codes: Vec::new(),
            rule_set: String::new(),
        };
        let clear = |text: &str| {
            if person {
                String::new()
            } else {
                text.to_owned()
            }
        };
        RecordAccepted {
            version: Some(self.identity(keyring)),
            received_at: Some(to_timestamp(datetime!(2026-11-20 09:00 +8))),
            subject_kind: kind.into(),
            subject_code: clear(code),
            subject_name: clear(name),
            subject_blind_index: blind,
            document_number: clear(&self.document),
            decision_date: self.decided.clone(),
            effective_date: self.decided.clone(),
            expiry_date: String::new(),
            authority: "长沙市市场监督管理局".to_owned(),
            sealed_record: keyring
                .seal(self.id.as_bytes(), &plain.encode_to_vec())
                .into(),
            publicity_until: self.publicity_until.to_owned(),
            ..RecordAccepted::default()
        }
    }
}

/// The keyed hash of a citizen's document.
pub fn person_hash(keyring: &Keyring, number: &str) -> [u8; 32] {
    let document = PersonDocument::new("身份证", number, date!(2026 - 11 - 20));
    keyed_hash::hash_person_document(keyring, &document)
}

/// The request for all records of an item.
pub fn list_request(item_code: &str) -> ListPublicRecordsRequest {
    ListPublicRecordsRequest {
        item_code: item_code.to_owned(),
        ..Default::default()
    }
}
