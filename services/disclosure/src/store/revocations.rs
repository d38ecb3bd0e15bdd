//! Versions that end their records (D-24): storing them, and reading what a notice shows. Called by `app`.
//!
//! Whether a revocation is in force, and what it ended, is in no column: the views `organisation_revocation` and
//! `person_revocation` read it from the heads and the versions, so the order of arrival does not matter. A notice ends
//! with the term and the deadline (D-9) of the record that it is about, as the record would have.

use record_ref::{ItemRef, ProviderCode, RecordAddress, VersionId};
use service_kit::db::{Conn, Error};
use sqlx::FromRow;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    ItemColumns, bind_bounds, item_columns, marks::pending_sql, not_past_deadline,
    own::SubjectIdentity,
};
use crate::domain::{revocation::Revocation, visibility::DisclosureBounds};

/// Most notices in one answer.
pub const MAX_NOTICES: i64 = 100;

/// Adds revocations that are not there yet; returns how many those were.
pub async fn insert_revocations(
    conn: &mut Conn,
    revocations: &[Revocation],
    stored_at: OffsetDateTime,
) -> Result<usize, Error> {
    fn column<'a, T>(rows: &'a [Revocation], of: impl Fn(&'a Revocation) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let (item_codes, item_versions) = item_columns(revocations.iter().map(|r| &r.record.item));
    let done = sqlx::query(
        "INSERT INTO revocation (record_id, provider_code, item_code, item_version, key_digest, revision, operation, \
         received_at, sealed_reason, stored_at) \
         SELECT u.*, $10 FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int4[], $5::bytea[], $6::int8[], \
         $7::int2[], $8::timestamptz[], $9::bytea[]) AS u \
         ON CONFLICT (record_id) DO NOTHING",
    )
    .bind(column(revocations, |r| r.record.id.as_uuid()))
    .bind(column(revocations, |r| r.record.provider.as_str()))
    .bind(item_codes)
    .bind(item_versions)
    .bind(column(revocations, |r| r.record.key_digest.as_ref()))
    .bind(column(revocations, |r| r.record.revision.as_i64()))
    .bind(column(revocations, |r| r.operation.number()))
    .bind(column(revocations, |r| r.received_at))
    .bind(column(revocations, |r| &r.sealed_reason[..]))
    .bind(stored_at)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() as usize)
}

/// What the public notice of a revoked record of an organisation shows.
#[derive(Clone, Debug, FromRow)]
pub struct NoticeRow {
    /// Id of the revocation, the context of its reason's seal.
    #[sqlx(try_from = "Uuid")]
    pub revocation_id: VersionId,
    /// When it was received.
    pub revoked_at: OffsetDateTime,
    /// The reason, sealed.
    pub sealed_reason: Vec<u8>,
    /// Id of the version that it ended.
    #[sqlx(rename = "record_id", try_from = "Uuid")]
    pub version_id: VersionId,
    /// Address of the record.
    #[sqlx(rename = "record_address", try_from = "Uuid")]
    pub address: RecordAddress,
    /// Its item.
    #[sqlx(flatten, try_from = "ItemColumns")]
    pub item: ItemRef,
    /// Who reported and revoked it.
    #[sqlx(rename = "provider_code", try_from = "String")]
    pub provider: ProviderCode,
    /// The provider's name; empty while it is not known here.
    pub provider_name: String,
    /// Credit code of the subject.
    pub organisation_code: String,
    /// Name of the subject in the version that ended.
    pub organisation_name: String,
    /// Number of the decision document.
    pub document_number: String,
    /// First day of effect of the version that ended.
    pub effective_date: Date,
}

/// Notices that the public may read: $1 to $6 are the bounds, as for a record.
macro_rules! public_notices {
    () => {
        concat!(
            "SELECT v.revocation_id, v.revoked_at, v.sealed_reason, v.record_id, v.record_address, v.item_code, \
             v.item_version, v.provider_code, v.provider_name, v.organisation_code, v.organisation_name, v.document_number, \
             v.effective_date FROM organisation_revocation v \
             JOIN unnest($1::text[], $2::int4[], $3::int2[], $4::date[], $5::date[]) \
             AS rule (item_code, item_version, subject_kind, earliest, latest) \
             ON v.item_code = rule.item_code AND v.item_version = rule.item_version \
             AND v.subject_kind = rule.subject_kind \
             AND v.effective_date >= rule.earliest AND v.effective_date <= rule.latest \
             WHERE v.organisation_code <> '' AND ",
            not_past_deadline!(),
            " "
        )
    };
}

/// The notice of one record.
pub async fn public_notice(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    version_id: VersionId,
) -> Result<Option<NoticeRow>, Error> {
    let query = sqlx::query_as(concat!(public_notices!(), "AND v.record_id = $7"));
    bind_bounds!(query, bounds)
        .bind(version_id.as_uuid())
        .fetch_optional(conn)
        .await
}

/// Notices about an organisation from that moment on, newest first.
pub async fn public_notices_of(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    credit_code: &str,
    since: OffsetDateTime,
) -> Result<Vec<NoticeRow>, Error> {
    let query = sqlx::query_as(concat!(
        public_notices!(),
        "AND v.organisation_code = $7 AND v.revoked_at >= $8 \
         ORDER BY v.revoked_at DESC, v.revocation_id DESC LIMIT $9",
    ));
    bind_bounds!(query, bounds)
        .bind(credit_code)
        .bind(since)
        .bind(MAX_NOTICES)
        .fetch_all(conn)
        .await
}

/// What the notice of a revoked record shows to its subject.
#[derive(Clone, Debug, FromRow)]
pub struct OwnNoticeRow {
    /// Id of the revocation, the context of its reason's seal.
    #[sqlx(try_from = "Uuid")]
    pub revocation_id: VersionId,
    /// When it was received.
    pub revoked_at: OffsetDateTime,
    /// The reason, sealed.
    pub sealed_reason: Vec<u8>,
    /// Id of the version that it ended.
    #[sqlx(rename = "record_id", try_from = "Uuid")]
    pub version_id: VersionId,
    /// Address of the record.
    #[sqlx(rename = "record_address", try_from = "Uuid")]
    pub address: RecordAddress,
    /// Its item.
    #[sqlx(flatten, try_from = "ItemColumns")]
    pub item: ItemRef,
    /// Who reported and revoked it.
    #[sqlx(rename = "provider_code", try_from = "String")]
    pub provider: ProviderCode,
    /// Day of the decision.
    pub decision_date: Date,
    /// An objection against it is still being handled.
    pub objection_pending: bool,
}

/// $1 to $6 are the bounds, $7 the subject, $8 how many.
macro_rules! own_notices {
    ($view:literal, $kind:literal, $subject:literal, $pending:expr) => {
        concat!(
            "SELECT v.revocation_id, v.revoked_at, v.sealed_reason, v.record_id, v.record_address, v.item_code, \
             v.item_version, v.provider_code, v.decision_date, ",
            $pending,
            " FROM ",
            $view,
            " v JOIN unnest($1::text[], $2::int4[], $3::int2[], $4::date[], $5::date[]) \
             AS rule (item_code, item_version, subject_kind, earliest, latest) \
             ON v.item_code = rule.item_code AND v.item_version = rule.item_version AND rule.subject_kind = ",
            $kind,
            " AND v.effective_date >= rule.earliest WHERE ",
            not_past_deadline!(),
            " AND ",
            $subject,
            " ORDER BY v.revoked_at DESC, v.revocation_id DESC LIMIT $8"
        )
    };
}

/// Revoked records of the reader within their terms, newest revocation first.
pub async fn own_notices(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    reader: &SubjectIdentity,
) -> Result<Vec<OwnNoticeRow>, Error> {
    let query = match reader {
        SubjectIdentity::Person { .. } => own_notices!(
            "person_revocation",
            "3::int2",
            "v.blind_index = $7",
            pending_sql!("person_version")
        ),
        SubjectIdentity::Organisation { .. } => own_notices!(
            "organisation_revocation",
            "v.subject_kind",
            "v.organisation_code <> '' AND v.organisation_code = $7",
            pending_sql!("organisation_version")
        ),
    };
    let query = bind_bounds!(sqlx::query_as(query), bounds);
    match reader {
        SubjectIdentity::Person { blind_index } => query.bind(blind_index.as_slice()),
        SubjectIdentity::Organisation { code } => query.bind(code),
    }
    .bind(MAX_NOTICES)
    .fetch_all(conn)
    .await
}
