//! One function per use case, given a connection: load, decide, store, append, and open what is answered
//! ([`view`]). Called by `grpc`; never commits.

pub mod view;

use event_bus::NewEvent;
use legal_clock::{Law, shanghai_date};
use prost::Message as _;
use proto::credit::objection::events::v1::ObjectionChanged;
use record_ref::{ProviderCode, VersionId};
use service_kit::{
    db::Conn,
    grpc::to_timestamp,
    identity::{Principal, Role},
    page::Page,
};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::{
    Keyring,
    keyed_hash::{self, EvidenceContent, KeyedHash},
};

use crate::{
    domain::{
        self, ObjectionActor, ObjectionCommand, ObjectionEvent, ProviderAnswer, ProviderDecision,
        application::Application, page::ObjectionPosition,
    },
    error::ObjectionError,
    store::{
        self, EvidenceRow, ObjectionListFilter, ObjectionUpdate, SealedApplication, StoredEvidence,
        StoredObjection,
    },
};
use view::{ObjectionView, view_objection, view_objections};

/// What every use case needs besides the connection.
#[derive(Debug, Clone, Copy)]
pub struct ObjectionCallContext<'a> {
    /// Seals and opens.
    pub keyring: &'a Keyring,
    /// Days and numbers.
    pub law: &'a Law,
    /// The moment of the call.
    pub now: OffsetDateTime,
    /// Trace context of the call, empty when not sampled.
    pub traceparent: &'a str,
}

/// The applicant as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applicant {
    /// `organisation` or `person`.
    pub kind: &'static str,
    /// Keyed hash, equal for equal applicants.
    pub hash: KeyedHash,
    /// Who it is, in clear: sealed before it is stored.
    identity: String,
}

impl Applicant {
    /// The subject behind a principal; none when its token names nobody.
    pub fn from_principal(principal: &Principal, keyring: &Keyring) -> Option<Self> {
        if let Some(person) = &principal.person {
            // The same hash as that of the person's records.
            return Some(Self {
                kind: "person",
                hash: keyed_hash::hash_person_document(keyring, person),
                identity: format!("{}:{}", person.kind(), person.number()),
            });
        }
        let code = &principal.organisation;
        (!code.is_empty()).then(|| Self {
            kind: "organisation",
            hash: keyed_hash::hash_applicant_organisation(keyring, code),
            identity: code.clone(),
        })
    }
}

/// What a caller may see: a subject its own, a provider those transferred to it, the credit office
/// and auditors all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectionScope {
    all: bool,
    provider: Option<ProviderCode>,
    applicant_hash: Option<KeyedHash>,
}

impl ObjectionScope {
    /// The scope of a principal.
    pub fn for_principal(principal: &Principal, keyring: &Keyring) -> Result<Self, ObjectionError> {
        let applicant = principal
            .has_role(Role::Subject)
            .then(|| Applicant::from_principal(principal, keyring))
            .flatten();
        let is_provider = principal.has_role(Role::Provider) && !principal.organisation.is_empty();
        let scope = Self {
            all: principal.has_role(Role::CreditOffice) || principal.has_role(Role::Auditor),
            // Nothing was transferred to an organisation whose name in the token is no provider's code.
            provider: (principal.organisation.parse().ok()).filter(|_| is_provider),
            applicant_hash: applicant.map(|applicant| applicant.hash),
        };
        if scope.all || is_provider || scope.applicant_hash.is_some() {
            Ok(scope)
        } else if principal.has_role(Role::Provider) {
            Err(ObjectionError::NotRegistered)
        } else if principal.has_role(Role::Subject) {
            Err(ObjectionError::NoSubject)
        } else {
            Err(ObjectionError::NoView)
        }
    }

    fn includes(&self, stored: &StoredObjection) -> bool {
        let provider = self.provider == Some(stored.objection.provider);
        let applicant = self.applicant_hash.as_ref();
        self.all
            || (provider && stored.objection.transferred_at().is_some())
            || applicant.is_some_and(|hash| stored.applicant_hash == hash)
    }
}

/// The sealed columns. The name is part of the sealing context, so that content of one column does not open in another.
#[derive(Debug, Clone, Copy)]
enum SealedColumn {
    Applicant,
    Statement,
    Answer,
    EvidenceInfo,
    EvidenceContent,
}

impl SealedColumn {
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
    ) -> Result<Vec<u8>, ObjectionError> {
        keyring
            .open(&self.context(objection_id), sealed)
            .map_err(|_| ObjectionError::Damaged {
                column: self.name(),
            })
    }
}

/// Files a complete application. The same request again gives the same objection.
pub async fn file_objection(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    applicant: &Applicant,
    application: Application,
) -> Result<ObjectionView, ObjectionError> {
    let stored = file_once(conn, call, applicant, application).await?;
    view_objection(conn, call, stored).await
}

async fn file_once(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    applicant: &Applicant,
    application: Application,
) -> Result<StoredObjection, ObjectionError> {
    let failed = |doing| ObjectionError::database(doing);
    let sealed = seal_application(call, applicant, &application);
    let request = (&sealed.applicant_hash, &sealed.request_digest);
    let known = store::load_by_request(conn, request.0, request.1)
        .await
        .map_err(failed("查询异议申请"))?;
    if let Some(known) = known {
        return check_same_content(known, &sealed);
    }
    let provider = application.provider;
    let registered = store::provider_exists(conn, provider)
        .await
        .map_err(failed("查询信用信息提供主体"))?;
    if !registered {
        return Err(ObjectionError::ProviderUnknown);
    }
    let command = ObjectionCommand::File { provider };
    let (objection, events) = domain::apply_command(
        None,
        &ObjectionActor::Applicant,
        command,
        call.now,
        call.law,
    )?;
    let written = store::insert_objection(conn, &sealed, &objection)
        .await
        .map_err(failed("登记异议申请"))?;
    if written {
        append_events(
            conn,
            call,
            sealed.objection_id,
            sealed.version_id,
            provider,
            &events,
        )
        .await?;
    }
    // Also when the same request came in twice at once: the one that was inserted first is answered.
    let stored = store::load_by_request(conn, request.0, request.1)
        .await
        .map_err(failed("查询异议申请"))?
        .ok_or(ObjectionError::Overtaken)?;
    check_same_content(stored, &sealed)
}

fn check_same_content(
    known: StoredObjection,
    sealed: &SealedApplication,
) -> Result<StoredObjection, ObjectionError> {
    if known.content_digest == sealed.content_digest {
        Ok(known)
    } else {
        Err(ObjectionError::RequestReused)
    }
}

fn seal_application(
    call: ObjectionCallContext<'_>,
    applicant: &Applicant,
    application: &Application,
) -> SealedApplication {
    let (keyring, objection_id) = (call.keyring, Uuid::new_v4());
    let (version, provider) = (application.version_id, &application.provider);
    let seal = |column: SealedColumn, plain: &[u8]| column.seal(keyring, objection_id, plain);
    let evidence = application.evidence.iter().map(|piece| {
        let sha256 = vault::sha256(&piece.content);
        let description = StoredEvidence {
            file_name: piece.file_name.clone(),
            media_type: piece.media_type.clone(),
            size_bytes: piece.content.len() as u64,
            sha256: sha256.to_vec(),
        };
        EvidenceRow {
            sealed_info: seal(SealedColumn::EvidenceInfo, &description.encode_to_vec()),
            sealed_content: seal(SealedColumn::EvidenceContent, &piece.content),
            sha256,
        }
    });
    let evidence: Vec<EvidenceRow> = evidence.collect();
    let pieces = application.evidence.iter().zip(&evidence);
    let pieces = pieces.map(|(piece, row)| EvidenceContent {
        file_name: &piece.file_name,
        media_type: &piece.media_type,
        sha256: row.sha256,
    });
    SealedApplication {
        objection_id,
        version_id: version,
        applicant_kind: applicant.kind,
        applicant_hash: applicant.hash,
        sealed_applicant: seal(SealedColumn::Applicant, applicant.identity.as_bytes()),
        request_digest: keyed_hash::hash_objection_request(keyring, &application.request_id),
        content_digest: keyed_hash::hash_application_content(
            keyring,
            version,
            provider,
            &application.statement,
            pieces,
        ),
        sealed_statement: seal(SealedColumn::Statement, application.statement.as_bytes()),
        statement_sha256: vault::sha256(application.statement.as_bytes()),
        rule_set: call.law.rules.id,
        filed_on: shanghai_date(call.now),
        evidence,
    }
}

/// A step after the filing.
#[derive(Debug, Clone)]
pub enum HandlingStep {
    /// To the provider.
    Transfer,
    /// The provider's answer.
    Answer {
        /// Who answers; none where the token names no code of a provider.
        provider: Option<ProviderCode>,
        /// What it says.
        answer: WrittenAnswer,
    },
}

/// A provider's answer in writing.
#[derive(Debug, Clone)]
pub struct WrittenAnswer {
    /// Keep or correct.
    pub decision: ProviderDecision,
    /// Why.
    pub text: String,
}

/// Transfers an objection to its provider. `None`: somebody else changed it meanwhile; call again.
pub async fn transfer_objection(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    objection_id: Uuid,
) -> Result<Option<ObjectionView>, ObjectionError> {
    let (actor, command) = (ObjectionActor::CreditOffice, ObjectionCommand::Transfer);
    advance_objection(conn, call, &actor, objection_id, command, None).await
}

/// Takes the provider's answer. `None`: somebody else changed it meanwhile; call again.
pub async fn answer_objection(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    provider: Option<ProviderCode>,
    objection_id: Uuid,
    answer: &WrittenAnswer,
) -> Result<Option<ObjectionView>, ObjectionError> {
    let actor = ObjectionActor::Provider(provider);
    let command = ObjectionCommand::Answer(ProviderAnswer {
        decision: answer.decision,
        sha256: vault::sha256(answer.text.as_bytes()),
    });
    advance_objection(
        conn,
        call,
        &actor,
        objection_id,
        command,
        Some(&answer.text),
    )
    .await
}

/// Applies a step. A repeat changes nothing and announces nothing. `None`: somebody else changed the
/// objection meanwhile; load and decide again.
async fn advance_objection(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    actor: &ObjectionActor,
    objection_id: Uuid,
    command: ObjectionCommand,
    text: Option<&str>,
) -> Result<Option<ObjectionView>, ObjectionError> {
    let mut stored = store::load_objection(conn, objection_id)
        .await
        .map_err(ObjectionError::database("查询异议"))?
        .ok_or(ObjectionError::Unknown)?;
    let before = &stored.objection;
    let (after, events) = domain::apply_command(Some(before), actor, command, call.now, call.law)?;
    if events.is_empty() {
        return view_objection(conn, call, stored).await.map(Some);
    }
    let sealed_answer =
        text.map(|text| SealedColumn::Answer.seal(call.keyring, objection_id, text.as_bytes()));
    let update = ObjectionUpdate {
        objection_id,
        loaded_revision: before.revision,
        objection: &after,
        transferred_on: after.transferred_at().map(shanghai_date),
        sealed_answer: sealed_answer.as_deref(),
    };
    let written = store::update_objection(conn, &update)
        .await
        .map_err(ObjectionError::database("登记异议办理"))?;
    if !written {
        return Ok(None);
    }
    append_events(
        conn,
        call,
        objection_id,
        stored.version_id,
        after.provider,
        &events,
    )
    .await?;
    stored.objection = after;
    stored.sealed_answer = sealed_answer;
    view_objection(conn, call, stored).await.map(Some)
}

async fn append_events(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    objection_id: Uuid,
    version_id: VersionId,
    provider: ProviderCode,
    events: &[ObjectionEvent],
) -> Result<(), ObjectionError> {
    let to_event = |event: &ObjectionEvent| {
        let ObjectionEvent::Changed {
            state,
            pending,
            revision,
            at,
        } = *event;
        let changed = ObjectionChanged {
            objection_id: objection_id.as_bytes().to_vec().into(),
            record_id: version_id.to_wire(),
            provider_code: provider.into(),
            state: state.to_owned(),
            pending,
            revision,
            changed_at: Some(to_timestamp(at)),
        };
        NewEvent::new(&changed, at, call.traceparent)
    };
    let events: Vec<NewEvent> = events.iter().map(to_event).collect();
    event_bus::append_events(conn, &events)
        .await
        .map_err(ObjectionError::database("登记异议事件"))
}

/// One objection that the caller may see.
pub async fn get_objection(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    scope: &ObjectionScope,
    objection_id: Uuid,
) -> Result<ObjectionView, ObjectionError> {
    let stored = store::load_objection(conn, objection_id)
        .await
        .map_err(ObjectionError::database("查询异议"))?
        .filter(|stored| scope.includes(stored))
        .ok_or(ObjectionError::Unknown)?;
    view_objection(conn, call, stored).await
}

/// A page of objections.
#[derive(Debug, Clone)]
pub struct FoundObjections {
    /// Oldest filing first.
    pub objections: Vec<ObjectionView>,
    /// Token of the next page; empty at the end.
    pub next: String,
}

/// A page of the objections that the caller may see.
pub async fn list_objections(
    conn: &mut Conn,
    call: ObjectionCallContext<'_>,
    scope: &ObjectionScope,
    overdue_only: bool,
    page: &Page<ObjectionPosition>,
) -> Result<FoundObjections, ObjectionError> {
    use legal_clock::LegalDuty::{Answer, Transfer};
    let bound = |duty| domain::latest_overdue_event(call.law, duty, call.now);
    let filter = ObjectionListFilter {
        all: scope.all,
        provider: scope.provider,
        applicant_hash: scope.applicant_hash,
        overdue: overdue_only.then(|| (bound(Transfer), bound(Answer))),
        after: page.after,
        limit: page.limit(),
    };
    let mut found = store::list_objections(conn, &filter)
        .await
        .map_err(ObjectionError::database("查询异议列表"))?;
    let next = page.truncate_rows(&mut found, StoredObjection::position);
    let objections = view_objections(conn, call, found).await?;
    Ok(FoundObjections { objections, next })
}
