//! SQL only: providers, objections, evidence. Called by `app` and `handlers`.

use record_ref::{ProviderCode, VersionId};
use service_kit::db::{Conn, Error, checked_column};
use sqlx::{Row, postgres::PgRow};
use time::Date;
use uuid::Uuid;
use vault::keyed_hash::KeyedHash;

use crate::domain::{
    Objection, ObjectionPhase, ProviderAnswer, ProviderDecision, page::ObjectionPosition,
};

/// The migrations of this service's schema.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// What is kept of a piece of evidence besides its content, sealed into `sealed_info`: a form of its own, so that a
/// change of the protocol never changes what is stored.
#[derive(Clone, PartialEq, prost::Message)]
pub struct StoredEvidence {
    /// Name of the file.
    #[prost(string, tag = "1")]
    pub file_name: String,
    /// For instance `application/pdf`.
    #[prost(string, tag = "2")]
    pub media_type: String,
    /// Length of the file.
    #[prost(uint64, tag = "3")]
    pub size_bytes: u64,
    /// SHA-256 of the file.
    #[prost(bytes = "vec", tag = "4")]
    pub sha256: Vec<u8>,
}

/// A registered provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectionProviderRow {
    /// Credit code.
    pub code: ProviderCode,
    /// Name.
    pub name: String,
    /// Whether it may report now; objections to its records stay possible when it may not.
    pub enabled: bool,
    /// Newest wins.
    pub revision: i64,
}

/// An application as it is stored: sealed, with its digests.
#[derive(Debug, Clone)]
pub struct SealedApplication {
    /// The objection.
    pub objection_id: Uuid,
    /// The record version objected to.
    pub version_id: VersionId,
    /// `organisation` or `person`.
    pub applicant_kind: &'static str,
    /// Keyed hash of the applicant.
    pub applicant_hash: KeyedHash,
    /// The applicant, sealed.
    pub sealed_applicant: Vec<u8>,
    /// Keyed hash of the request id.
    pub request_digest: KeyedHash,
    /// Keyed hash of all that was handed in.
    pub content_digest: KeyedHash,
    /// The statement, sealed.
    pub sealed_statement: Vec<u8>,
    /// SHA-256 of the statement.
    pub statement_sha256: [u8; 32],
    /// Version of the regulation's numbers.
    pub rule_set: &'static str,
    /// The civil day of the filing in Changsha.
    pub filed_on: Date,
    /// The pieces of evidence in order.
    pub evidence: Vec<EvidenceRow>,
}

/// One piece of evidence as it is stored.
#[derive(Debug, Clone)]
pub struct EvidenceRow {
    /// `EvidenceInfo`, sealed.
    pub sealed_info: Vec<u8>,
    /// The bytes, sealed.
    pub sealed_content: Vec<u8>,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// An objection as it was loaded.
#[derive(Debug, Clone)]
pub struct StoredObjection {
    /// The objection.
    pub objection_id: Uuid,
    /// The record version objected to.
    pub version_id: VersionId,
    /// Keyed hash of the applicant.
    pub applicant_hash: Vec<u8>,
    /// Keyed hash of all that was handed in.
    pub content_digest: Vec<u8>,
    /// The statement, sealed.
    pub sealed_statement: Vec<u8>,
    /// SHA-256 of the statement.
    pub statement_sha256: Vec<u8>,
    /// The answer, sealed.
    pub sealed_answer: Option<Vec<u8>>,
    /// How far it has come.
    pub objection: Objection,
}

impl StoredObjection {
    /// Its sort key in the list.
    pub fn position(&self) -> ObjectionPosition {
        ObjectionPosition {
            filed_at: self.objection.filed_at,
            objection_id: self.objection_id,
        }
    }
}

/// A step to be stored.
#[derive(Debug, Clone)]
pub struct ObjectionUpdate<'a> {
    /// The objection.
    pub objection_id: Uuid,
    /// Its revision when it was loaded.
    pub loaded_revision: u64,
    /// What it becomes.
    pub objection: &'a Objection,
    /// The civil day of the transfer in Changsha.
    pub transferred_on: Option<Date>,
    /// The answer, sealed.
    pub sealed_answer: Option<&'a [u8]>,
}

/// Which objections a list shows.
#[derive(Debug, Clone)]
pub struct ObjectionListFilter {
    /// All of them.
    pub all: bool,
    /// Those transferred to this provider.
    pub provider: Option<ProviderCode>,
    /// Those of this applicant.
    pub applicant_hash: Option<KeyedHash>,
    /// Only those whose running clock began no later than these days: transfer, answer.
    pub overdue: Option<(Date, Date)>,
    /// Only those after this one in the order of the list.
    pub after: ObjectionPosition,
    /// At most so many.
    pub limit: i64,
}

/// Keeps the newest revision of each provider.
pub async fn upsert_providers(
    conn: &mut Conn,
    providers: &[ObjectionProviderRow],
) -> Result<(), Error> {
    if providers.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into provider (code, name, enabled, revision)
         select distinct on (code) code, name, enabled, revision
         from unnest($1::text[], $2::text[], $3::boolean[], $4::bigint[])
              as u(code, name, enabled, revision)
         order by code, revision desc
         on conflict (code) do update
         set name = excluded.name, enabled = excluded.enabled, revision = excluded.revision
         where provider.revision < excluded.revision",
    )
    .bind(
        providers
            .iter()
            .map(|p| p.code.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(
        providers
            .iter()
            .map(|p| p.name.as_str())
            .collect::<Vec<_>>(),
    )
    .bind(providers.iter().map(|p| p.enabled).collect::<Vec<_>>())
    .bind(providers.iter().map(|p| p.revision).collect::<Vec<_>>())
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether a provider is registered.
pub async fn provider_exists(conn: &mut Conn, code: ProviderCode) -> Result<bool, Error> {
    sqlx::query_scalar("select exists (select from provider where code = $1)")
        .bind(code.as_str())
        .fetch_one(conn)
        .await
}

/// Writes a new objection with its evidence; false when the applicant's request id is taken.
pub async fn insert_objection(
    conn: &mut Conn,
    application: &SealedApplication,
    objection: &Objection,
) -> Result<bool, Error> {
    let written = sqlx::query(
        "insert into objection (objection_id, record_id, provider_code, applicant_kind,
             applicant_blind, sealed_applicant, request_digest, content_digest, sealed_statement,
             statement_sha256, rule_set, state, filed_at, filed_on, revision)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         on conflict (applicant_blind, request_digest) do nothing",
    )
    .bind(application.objection_id)
    .bind(application.version_id.as_uuid())
    .bind(objection.provider.as_str())
    .bind(application.applicant_kind)
    .bind(application.applicant_hash.as_slice())
    .bind(&application.sealed_applicant)
    .bind(application.request_digest.as_slice())
    .bind(application.content_digest.as_slice())
    .bind(&application.sealed_statement)
    .bind(application.statement_sha256.as_slice())
    .bind(application.rule_set)
    .bind(objection.state())
    .bind(objection.filed_at)
    .bind(application.filed_on)
    .bind(signed(objection.revision))
    .execute(&mut *conn)
    .await?;
    if written.rows_affected() == 0 {
        return Ok(false);
    }
    let pieces = &application.evidence;
    sqlx::query(
        "insert into evidence (objection_id, ordinal, sealed_info, sealed_content, sha256)
         select $1, u.ordinal, u.info, u.content, u.sha256
         from unnest($2::bytea[], $3::bytea[], $4::bytea[])
              with ordinality as u(info, content, sha256, ordinal)",
    )
    .bind(application.objection_id)
    .bind(
        pieces
            .iter()
            .map(|e| e.sealed_info.as_slice())
            .collect::<Vec<_>>(),
    )
    .bind(
        pieces
            .iter()
            .map(|e| e.sealed_content.as_slice())
            .collect::<Vec<_>>(),
    )
    .bind(
        pieces
            .iter()
            .map(|e| e.sha256.as_slice())
            .collect::<Vec<_>>(),
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// Updates an objection if its revision is still the loaded one; false when it is not.
pub async fn update_objection(conn: &mut Conn, step: &ObjectionUpdate<'_>) -> Result<bool, Error> {
    let objection = step.objection;
    let answer = match objection.phase {
        ObjectionPhase::Answered { answer, .. } => Some(answer.sha256.to_vec()),
        ObjectionPhase::Filed | ObjectionPhase::Transferred { .. } => None,
    };
    let written = sqlx::query(
        "update objection
         set state = $3, transferred_at = $4, transferred_on = $5, answered_at = $6,
             sealed_answer = $7, answer_sha256 = $8, revision = $9
         where objection_id = $1 and revision = $2",
    )
    .bind(step.objection_id)
    .bind(signed(step.loaded_revision))
    .bind(objection.state())
    .bind(objection.transferred_at())
    .bind(step.transferred_on)
    .bind(objection.answered_at())
    .bind(step.sealed_answer)
    .bind(answer)
    .bind(signed(objection.revision))
    .execute(conn)
    .await?;
    Ok(written.rows_affected() == 1)
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select objection_id, record_id, provider_code, applicant_blind, content_digest,
                    sealed_statement, statement_sha256, state, filed_at, transferred_at,
                    answered_at, sealed_answer, answer_sha256, revision
             from objection ",
            $rest
        )
    };
}

/// One objection by its id.
pub async fn load_objection(
    conn: &mut Conn,
    objection_id: Uuid,
) -> Result<Option<StoredObjection>, Error> {
    let row = sqlx::query(select!("where objection_id = $1"))
        .bind(objection_id)
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(decode_objection).transpose()
}

/// One objection by its applicant and request.
pub async fn load_by_request(
    conn: &mut Conn,
    applicant_hash: &KeyedHash,
    request_digest: &KeyedHash,
) -> Result<Option<StoredObjection>, Error> {
    let row = sqlx::query(select!(
        "where applicant_blind = $1 and request_digest = $2"
    ))
    .bind(applicant_hash.as_slice())
    .bind(request_digest.as_slice())
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(decode_objection).transpose()
}

/// A page of objections, oldest filing first. A city has a few thousand a year, so one statement
/// serves all callers.
pub async fn list_objections(
    conn: &mut Conn,
    filter: &ObjectionListFilter,
) -> Result<Vec<StoredObjection>, Error> {
    let rows = sqlx::query(select!(
        "where ($1 or (provider_code = $2 and transferred_at is not null) or applicant_blind = $3)
           and (not $4 or (state = 'filed' and filed_on <= $5)
                       or (state = 'transferred' and transferred_on <= $6))
           and (filed_at, objection_id) > ($7, $8)
         order by filed_at, objection_id limit $9"
    ))
    .bind(filter.all)
    .bind(filter.provider.as_ref().map(ProviderCode::as_str))
    .bind(filter.applicant_hash.as_ref().map(|hash| hash.as_slice()))
    .bind(filter.overdue.is_some())
    .bind(filter.overdue.map(|(transfer, _)| transfer))
    .bind(filter.overdue.map(|(_, answer)| answer))
    .bind(filter.after.filed_at)
    .bind(filter.after.objection_id)
    .bind(filter.limit)
    .fetch_all(conn)
    .await?;
    rows.iter().map(decode_objection).collect()
}

/// The sealed infos of all evidence of some objections, in order.
pub async fn list_evidence(
    conn: &mut Conn,
    objection_ids: &[Uuid],
) -> Result<Vec<(Uuid, Vec<u8>)>, Error> {
    let rows = sqlx::query(
        "select objection_id, sealed_info from evidence
         where objection_id = any($1) order by objection_id, ordinal",
    )
    .bind(objection_ids)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .collect()
}

fn decode_objection(row: &PgRow) -> Result<StoredObjection, Error> {
    let revision: i64 = row.try_get("revision")?;
    Ok(StoredObjection {
        objection_id: row.try_get("objection_id")?,
        version_id: checked_column::<Uuid, _>(row, "record_id")?,
        applicant_hash: row.try_get("applicant_blind")?,
        content_digest: row.try_get("content_digest")?,
        sealed_statement: row.try_get("sealed_statement")?,
        statement_sha256: row.try_get("statement_sha256")?,
        sealed_answer: row.try_get("sealed_answer")?,
        objection: Objection {
            provider: checked_column::<&str, _>(row, "provider_code")?,
            filed_at: row.try_get("filed_at")?,
            phase: decode_phase(row)?,
            revision: revision.unsigned_abs(),
        },
    })
}

fn decode_phase(row: &PgRow) -> Result<ObjectionPhase, Error> {
    let state: &str = row.try_get("state")?;
    let decision = match state {
        "filed" => return Ok(ObjectionPhase::Filed),
        "transferred" => {
            let at = row.try_get("transferred_at")?;
            return Ok(ObjectionPhase::Transferred { at });
        }
        "answered_kept" => ProviderDecision::Keep,
        "answered_correct" => ProviderDecision::Correct,
        other => return Err(Error::Decode(format!("unknown state {other}").into())),
    };
    let digest: Vec<u8> = row.try_get("answer_sha256")?;
    let sha256 = digest
        .try_into()
        .map_err(|_| Error::Decode("answer_sha256 is not 32 bytes".into()))?;
    Ok(ObjectionPhase::Answered {
        transferred_at: row.try_get("transferred_at")?,
        at: row.try_get("answered_at")?,
        answer: ProviderAnswer { decision, sha256 },
    })
}

fn signed(revision: u64) -> i64 {
    i64::try_from(revision).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn what_is_stored_of_evidence_never_changes_its_form() {
        let stored = StoredEvidence {
            file_name: "a".to_owned(),
            media_type: "b/c".to_owned(),
            size_bytes: 1,
            sha256: vec![7],
        };
        let bytes = b"\x0a\x01a\x12\x03b/c\x18\x01\x22\x01\x07";
        assert_eq!(stored.encode_to_vec(), bytes);
    }
}
