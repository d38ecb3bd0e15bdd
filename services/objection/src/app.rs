//! One function per use case, given a connection: load, decide, store, append. Called by `grpc`;
//! never commits.

pub mod view;

use event_bus::NewEvent;
use legal_clock::shanghai_date;
use prost::Message as _;
use proto::credit::objection::{events::v1::ObjectionChanged, v1::EvidenceInfo};
use service_kit::{
    db::Conn,
    grpc::timestamp,
    identity::{Principal, Role},
};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::Keyring;

use crate::{
    domain::{self, Actor, Answer, Command, Decision, Event, Law, application::Application},
    error::ServiceError,
    store::{self, Dossier, EvidenceRow, Filter, Step, Stored},
};

/// What use cases need beside the connection.
#[derive(Debug, Clone, Copy)]
pub struct Desk<'a> {
    /// Seals and opens.
    pub keyring: &'a Keyring,
    /// Days and numbers.
    pub law: &'a Law,
    /// The moment of the call.
    pub now: OffsetDateTime,
    /// Trace context of the call, empty when not sampled.
    pub traceparent: &'a str,
}

/// Who applies, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// `organisation` or `person`.
    pub kind: &'static str,
    /// Keyed hash, equal for equal applicants.
    pub blind: [u8; 32],
    /// Who it is, in clear: sealed before it is stored.
    clear: String,
}

impl Applicant {
    /// The subject behind a principal; none when its token names nobody.
    pub fn of(principal: &Principal, keyring: &Keyring) -> Option<Self> {
        if let Some(person) = &principal.person {
            // The same index as that of the person's records.
            let clear = format!("{}:{}", person.kind, person.number);
            return Some(Self {
                kind: "person",
                blind: keyring.blind("person-document", &clear),
                clear,
            });
        }
        let code = &principal.organisation;
        (!code.is_empty()).then(|| Self {
            kind: "organisation",
            blind: keyring.blind("objection-organisation", code),
            clear: code.clone(),
        })
    }
}

/// What a caller may see: a subject its own, a provider those transferred to it, the credit office
/// and auditors all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    all: bool,
    provider_code: Option<String>,
    applicant_blind: Option<[u8; 32]>,
}

impl Scope {
    /// The view of a principal.
    pub fn of(principal: &Principal, keyring: &Keyring) -> Result<Self, ServiceError> {
        let applicant = principal
            .is(Role::Subject)
            .then(|| Applicant::of(principal, keyring))
            .flatten();
        let is_provider = principal.is(Role::Provider) && !principal.organisation.is_empty();
        let scope = Self {
            all: principal.is(Role::CreditOffice) || principal.is(Role::Auditor),
            provider_code: is_provider.then(|| principal.organisation.clone()),
            applicant_blind: applicant.map(|applicant| applicant.blind),
        };
        if scope.all || scope.provider_code.is_some() || scope.applicant_blind.is_some() {
            Ok(scope)
        } else {
            Err(ServiceError::NoView)
        }
    }

    fn sees(&self, stored: &Stored) -> bool {
        let provider = self.provider_code.as_ref() == Some(&stored.objection.provider_code);
        let applicant = self.applicant_blind.as_ref();
        self.all
            || (provider && stored.objection.transferred_at().is_some())
            || applicant.is_some_and(|blind| stored.applicant_blind == blind)
    }
}

/// The places of sealed content: part of its context, so that none can stand for another.
#[derive(Debug, Clone, Copy)]
enum Place {
    Applicant,
    Statement,
    Answer,
    EvidenceInfo,
    EvidenceContent,
}

impl Place {
    fn name(self) -> &'static str {
        match self {
            Self::Applicant => "applicant",
            Self::Statement => "statement",
            Self::Answer => "answer",
            Self::EvidenceInfo => "evidence info",
            Self::EvidenceContent => "evidence content",
        }
    }

    fn context(self, objection_id: Uuid) -> Vec<u8> {
        [objection_id.as_bytes(), self.name().as_bytes()].concat()
    }

    fn seal(self, keyring: &Keyring, objection_id: Uuid, plain: &[u8]) -> Vec<u8> {
        keyring.seal(&self.context(objection_id), plain)
    }

    fn open(
        self,
        keyring: &Keyring,
        objection_id: Uuid,
        sealed: &[u8],
    ) -> Result<Vec<u8>, ServiceError> {
        keyring
            .open(&self.context(objection_id), sealed)
            .map_err(|_| ServiceError::Damaged { place: self.name() })
    }
}

/// Files a complete application. The same request again gives the same objection.
pub async fn file(
    conn: &mut Conn,
    desk: Desk<'_>,
    applicant: &Applicant,
    application: Application,
) -> Result<Stored, ServiceError> {
    let failed = |doing| ServiceError::database(doing);
    let dossier = dossier(desk, applicant, &application);
    let request = (&dossier.applicant_blind, &dossier.request_digest);
    let known = store::get_by_request(conn, request.0, request.1)
        .await
        .map_err(failed("查询异议申请"))?;
    if let Some(known) = known {
        return same(known, &dossier);
    }
    let registered = store::provider_exists(conn, &application.provider_code)
        .await
        .map_err(failed("查询信用信息提供主体"))?;
    if !registered {
        return Err(ServiceError::ProviderUnknown);
    }
    let command = Command::File {
        provider_code: application.provider_code,
    };
    let (objection, events) = domain::apply(None, &Actor::Applicant, command, desk.now, desk.law)?;
    let written = store::insert(conn, &dossier, &objection)
        .await
        .map_err(failed("登记异议申请"))?;
    if written {
        announce(
            conn,
            desk,
            dossier.objection_id,
            dossier.record_id,
            &objection.provider_code,
            &events,
        )
        .await?;
    }
    // Also when the same request came in twice at once: the first one stands.
    let stored = store::get_by_request(conn, request.0, request.1)
        .await
        .map_err(failed("查询异议申请"))?
        .ok_or(ServiceError::Contended)?;
    same(stored, &dossier)
}

fn same(known: Stored, dossier: &Dossier) -> Result<Stored, ServiceError> {
    if known.content_digest == dossier.content_digest {
        Ok(known)
    } else {
        Err(ServiceError::RequestReused)
    }
}

fn dossier(desk: Desk<'_>, applicant: &Applicant, application: &Application) -> Dossier {
    let (keyring, objection_id) = (desk.keyring, Uuid::new_v4());
    let seal = |place: Place, plain: &[u8]| place.seal(keyring, objection_id, plain);
    let evidence = application.evidence.iter().map(|piece| {
        let sha256 = vault::sha256(&piece.content);
        let info = EvidenceInfo {
            file_name: piece.file_name.clone(),
            media_type: piece.media_type.clone(),
            size_bytes: piece.content.len() as u64,
            sha256: sha256.to_vec().into(),
        };
        EvidenceRow {
            sealed_info: seal(Place::EvidenceInfo, &info.encode_to_vec()),
            sealed_content: seal(Place::EvidenceContent, &piece.content),
            sha256,
        }
    });
    Dossier {
        objection_id,
        record_id: application.record_id,
        applicant_kind: applicant.kind,
        applicant_blind: applicant.blind,
        sealed_applicant: seal(Place::Applicant, applicant.clear.as_bytes()),
        request_digest: keyring.blind("objection-request", &application.request_id),
        content_digest: content_digest(keyring, application),
        sealed_statement: seal(Place::Statement, application.statement.as_bytes()),
        statement_sha256: vault::sha256(application.statement.as_bytes()),
        rule_set: desk.law.rules.id,
        filed_on: shanghai_date(desk.now),
        evidence: evidence.collect(),
    }
}

/// Keyed hash over all that makes an application, with lengths in front of its parts.
fn content_digest(keyring: &Keyring, application: &Application) -> [u8; 32] {
    let mut bytes = application.record_id.as_bytes().to_vec();
    let mut part = |value: &[u8]| {
        bytes.extend_from_slice(&(value.len() as u64).to_be_bytes());
        bytes.extend_from_slice(value);
    };
    part(application.provider_code.as_bytes());
    part(application.statement.as_bytes());
    for piece in &application.evidence {
        part(piece.file_name.as_bytes());
        part(piece.media_type.as_bytes());
        part(&vault::sha256(&piece.content));
    }
    keyring.blind("objection-content", &hex::encode(vault::sha256(&bytes)))
}

/// A step after the filing.
#[derive(Debug, Clone)]
pub enum Next {
    /// To the provider.
    Transfer,
    /// The provider's answer.
    Answer {
        /// Keep or correct.
        decision: Decision,
        /// In writing.
        text: String,
    },
}

/// Takes a step. A repeat changes nothing and announces nothing. `None`: somebody else changed the
/// objection meanwhile; load and decide again.
pub async fn advance(
    conn: &mut Conn,
    desk: Desk<'_>,
    actor: &Actor,
    objection_id: Uuid,
    next: &Next,
) -> Result<Option<Stored>, ServiceError> {
    let mut stored = store::get(conn, objection_id)
        .await
        .map_err(ServiceError::database("查询异议"))?
        .ok_or(ServiceError::Unknown)?;
    let (command, text) = match next {
        Next::Transfer => (Command::Transfer, None),
        Next::Answer { decision, text } => {
            let answer = Answer {
                decision: *decision,
                sha256: vault::sha256(text.as_bytes()),
            };
            (Command::Answer(answer), Some(text))
        }
    };
    let before = &stored.objection;
    let (after, events) = domain::apply(Some(before), actor, command, desk.now, desk.law)?;
    if events.is_empty() {
        return Ok(Some(stored));
    }
    let sealed_answer =
        text.map(|text| Place::Answer.seal(desk.keyring, objection_id, text.as_bytes()));
    let step = Step {
        objection_id,
        loaded_revision: before.revision,
        objection: &after,
        transferred_on: after.transferred_at().map(shanghai_date),
        sealed_answer: sealed_answer.as_deref(),
    };
    let written = store::advance(conn, &step)
        .await
        .map_err(ServiceError::database("登记异议办理"))?;
    if !written {
        return Ok(None);
    }
    announce(
        conn,
        desk,
        objection_id,
        stored.record_id,
        &after.provider_code,
        &events,
    )
    .await?;
    stored.objection = after;
    stored.sealed_answer = sealed_answer;
    Ok(Some(stored))
}

async fn announce(
    conn: &mut Conn,
    desk: Desk<'_>,
    objection_id: Uuid,
    record_id: Uuid,
    provider_code: &str,
    events: &[Event],
) -> Result<(), ServiceError> {
    let told = |event: &Event| {
        let Event::Changed {
            state,
            pending,
            revision,
            at,
        } = *event;
        let changed = ObjectionChanged {
            objection_id: objection_id.as_bytes().to_vec().into(),
            record_id: record_id.as_bytes().to_vec().into(),
            provider_code: provider_code.to_owned(),
            state: state.to_owned(),
            pending,
            revision,
            changed_at: Some(timestamp(at)),
        };
        NewEvent::new(&changed, at, desk.traceparent)
    };
    let events: Vec<NewEvent> = events.iter().map(told).collect();
    event_bus::append(conn, &events)
        .await
        .map_err(ServiceError::database("登记异议事件"))
}

/// One objection that the caller may see.
pub async fn get(
    conn: &mut Conn,
    scope: &Scope,
    objection_id: Uuid,
) -> Result<Stored, ServiceError> {
    store::get(conn, objection_id)
        .await
        .map_err(ServiceError::database("查询异议"))?
        .filter(|stored| scope.sees(stored))
        .ok_or(ServiceError::Unknown)
}

/// A page of the objections that the caller may see, oldest filing first.
pub async fn list(
    conn: &mut Conn,
    desk: Desk<'_>,
    scope: Scope,
    overdue_only: bool,
    after: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<Stored>, ServiceError> {
    use legal_clock::Duty::{Answer, Transfer};
    let bound = |duty| domain::latest_overdue_event(desk.law, duty, desk.now);
    let filter = Filter {
        all: scope.all,
        provider_code: scope.provider_code,
        applicant_blind: scope.applicant_blind,
        overdue: overdue_only.then(|| (bound(Transfer), bound(Answer))),
        after,
        limit,
    };
    store::list(conn, &filter)
        .await
        .map_err(ServiceError::database("查询异议列表"))
}
