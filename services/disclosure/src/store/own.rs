//! A subject's own records, and the read log. Called by `app::own` with the role `disclosure`; the bounds
//! leave out what is archive (R-16, D-9).

use record_ref::{ItemRef, ProviderCode, RecordAddress, VersionId};
use service_kit::{
    db::{Conn, Error},
    page::Page,
};
use sqlx::FromRow;
use time::{Date, OffsetDateTime};
use uuid::Uuid;
use vault::keyed_hash::KeyedHash;

use super::{ItemColumns, bind_bounds, marks::pending_sql, not_past_deadline};
use crate::domain::{page::RecordPosition, visibility::DisclosureBounds};

/// A version that a subject may see of itself.
#[derive(Clone, Debug, FromRow)]
pub struct OwnRow {
    /// Id of the version.
    #[sqlx(rename = "record_id", try_from = "Uuid")]
    pub version_id: VersionId,
    /// Address of the record.
    #[sqlx(rename = "record_address", try_from = "Uuid")]
    pub address: RecordAddress,
    /// The item version.
    #[sqlx(flatten, try_from = "ItemColumns")]
    pub item: ItemRef,
    /// Number of the kind of subject.
    pub subject_kind: i16,
    /// Who reported it.
    #[sqlx(rename = "provider_code", try_from = "String")]
    pub provider: ProviderCode,
    /// Day of the decision.
    pub decision_date: Date,
    /// First day of effect.
    pub effective_date: Date,
    /// Last day on which the provider wants it disclosed.
    pub publicity_until: Option<Date>,
    /// 异议处理中.
    pub objection_pending: bool,
    /// Content, sealed with the version's id as context.
    pub sealed_record: Vec<u8>,
}

impl OwnRow {
    /// Its position in the list.
    pub fn position(&self) -> RecordPosition {
        RecordPosition {
            decision_date: self.decision_date,
            version_id: self.version_id.as_uuid(),
        }
    }
}

/// The subject whose records are read, who is also the reader.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectIdentity {
    /// A natural person, by the keyed hash of its document.
    Person {
        /// See `vault::keyed_hash::hash_person_document`.
        blind_index: KeyedHash,
    },
    /// An organisation, by its credit code.
    Organisation {
        /// Not empty.
        code: String,
    },
}

macro_rules! own {
    ($table:literal, $kind:literal, $subject:literal) => {
        concat!(
            "FROM ",
            $table,
            " v JOIN unnest($1::text[], $2::int4[], $3::int2[], $4::date[], $5::date[]) \
             AS rule (item_code, item_version, subject_kind, earliest, latest) \
             ON v.item_code = rule.item_code AND v.item_version = rule.item_version AND rule.subject_kind = ",
            $kind,
            " AND v.effective_date >= rule.earliest WHERE v.current AND ",
            not_past_deadline!(),
            " AND ",
            $subject,
            " "
        )
    };
}
macro_rules! own_organisation {
    () => {
        own!(
            "organisation_version",
            "v.subject_kind",
            "v.organisation_code <> '' AND v.organisation_code = $7"
        )
    };
}
macro_rules! own_person {
    () => {
        own!("person_version", "3::int2", "v.blind_index = $7")
    };
}
macro_rules! own_page {
    ($kind:literal, $pending:expr, $from:expr) => {
        concat!(
            "SELECT v.record_id, v.record_address, v.item_code, v.item_version, ",
            $kind,
            " AS subject_kind, v.provider_code, v.decision_date, v.effective_date, v.publicity_until, \
             v.sealed_record, ",
            $pending,
            " ",
            $from,
            "AND (v.decision_date, v.record_id) < ($8, $9) \
             ORDER BY v.decision_date DESC, v.record_id DESC LIMIT $10"
        )
    };
}

/// How many records within their terms the reader has, and one page of them, newest decision first.
pub async fn list_own_rows(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    reader: &SubjectIdentity,
    page: &Page<RecordPosition>,
) -> Result<(i64, Vec<OwnRow>), Error> {
    let (count, rows) = match reader {
        SubjectIdentity::Person { .. } => (
            concat!("SELECT count(*) ", own_person!()),
            own_page!("3::int2", pending_sql!("person_version"), own_person!()),
        ),
        SubjectIdentity::Organisation { .. } => (
            concat!("SELECT count(*) ", own_organisation!()),
            own_page!(
                "v.subject_kind",
                pending_sql!("organisation_version"),
                own_organisation!()
            ),
        ),
    };
    let count = bind_bounds!(sqlx::query_scalar(count), bounds);
    let rows = bind_bounds!(sqlx::query_as(rows), bounds);
    let (count, rows) = match reader {
        SubjectIdentity::Person { blind_index } => (
            count.bind(blind_index.as_slice()),
            rows.bind(blind_index.as_slice()),
        ),
        SubjectIdentity::Organisation { code } => (count.bind(code), rows.bind(code)),
    };
    let total = count.fetch_one(&mut *conn).await?;
    let rows = rows
        .bind(page.after.decision_date)
        .bind(page.after.version_id)
        .bind(page.limit())
        .fetch_all(conn)
        .await?;
    Ok((total, rows))
}

/// One line of the read log.
#[derive(Clone, Debug)]
pub struct ReadLogEntry<'a> {
    /// Id of the line; the account is sealed with it.
    pub read_id: Uuid,
    /// When.
    pub read_at: OffsetDateTime,
    /// By which call.
    pub rpc: &'static str,
    /// Whose records, which is who read them.
    pub reader: &'a SubjectIdentity,
    /// Account of the token, sealed.
    pub sealed_account: Vec<u8>,
    /// Versions shown.
    pub version_ids: Vec<VersionId>,
}

/// Adds a line to the read log.
pub async fn insert_read_log(conn: &mut Conn, line: &ReadLogEntry<'_>) -> Result<(), Error> {
    let (kind, code, blind_index) = match line.reader {
        SubjectIdentity::Person { blind_index } => (3_i16, "", Some(blind_index.as_slice())),
        SubjectIdentity::Organisation { code } => (1, code.as_str(), None),
    };
    let record_ids: Vec<Uuid> = line.version_ids.iter().map(|id| id.as_uuid()).collect();
    sqlx::query(
        "INSERT INTO read_log \
         (read_id, read_at, rpc, reader_kind, reader_code, reader_blind_index, sealed_account, record_ids) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(line.read_id)
    .bind(line.read_at)
    .bind(line.rpc)
    .bind(kind)
    .bind(code)
    .bind(blind_index)
    .bind(&line.sealed_account)
    .bind(record_ids)
    .execute(conn)
    .await?;
    Ok(())
}
