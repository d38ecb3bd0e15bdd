//! What PublicService reads, always through the role `disclosure_public`: it has no grant on tables about persons.
//! Called by `app::public` with the bounds of today, so that every statement here shows only current versions of
//! published items within their terms and their providers' deadlines (D-9), about subjects with a
//! credit code (D-12).

use record_ref::{ItemRef, RecordAddress, VersionId};
use service_kit::{
    db::{Conn, Error},
    page::Page,
};
use sqlx::FromRow;
use time::Date;
use uuid::Uuid;

use super::{
    ItemColumns, bind_bounds, marks::pending_sql, not_past_deadline, revocations::NoticeRow,
};
use crate::domain::{
    page::{NamePosition, RecordPosition},
    query::{NamePart, PublicListFilter, SubjectQuery},
    visibility::DisclosureBounds,
};

/// A disclosed version without its fields.
#[derive(Clone, Debug, FromRow)]
pub struct PublicRow {
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
    /// Credit code.
    pub organisation_code: String,
    /// Name.
    pub organisation_name: String,
    /// Number of the decision document.
    pub document_number: String,
    /// Day of the decision.
    pub decision_date: Date,
    /// First day of effect.
    pub effective_date: Date,
    /// Last day of effect.
    pub expiry_date: Option<Date>,
    /// Last day on which the provider wants it disclosed.
    pub publicity_until: Option<Date>,
    /// Organ that decided.
    pub authority: String,
    /// 异议处理中.
    pub objection_pending: bool,
}

impl PublicRow {
    /// Its position in a list.
    pub fn position(&self) -> RecordPosition {
        RecordPosition {
            decision_date: self.decision_date,
            version_id: self.version_id.as_uuid(),
        }
    }
}

/// An organisation with the counts of its disclosed records.
#[derive(Clone, Debug, FromRow)]
pub struct OrganisationCounts {
    /// Credit code.
    pub credit_code: String,
    /// Name in its newest disclosed decision.
    pub name: String,
    /// Records of licence items.
    pub licences: i64,
    /// Records of penalty items.
    pub penalties: i64,
    /// All records.
    pub records: i64,
}

impl OrganisationCounts {
    /// Of an organisation that has notices of revocations and nothing else.
    pub fn without_records(notice: &NoticeRow) -> Self {
        Self {
            credit_code: notice.organisation_code.clone(),
            name: notice.organisation_name.clone(),
            licences: 0,
            penalties: 0,
            records: 0,
        }
    }
}

/// What is disclosed: parameters $1 to $6 are the bounds.
macro_rules! disclosed {
    () => {
        concat!(
            "FROM organisation_version v \
             JOIN unnest($1::text[], $2::int4[], $3::int2[], $4::date[], $5::date[]) \
             AS rule (item_code, item_version, subject_kind, earliest, latest) \
             ON v.item_code = rule.item_code AND v.item_version = rule.item_version \
             AND v.subject_kind = rule.subject_kind \
             AND v.effective_date >= rule.earliest AND v.effective_date <= rule.latest \
             WHERE v.current AND v.organisation_code <> '' AND ",
            not_past_deadline!(),
            " "
        )
    };
}

macro_rules! row_columns {
    () => {
        concat!(
            "v.record_id, v.record_address, v.item_code, v.item_version, v.subject_kind, v.organisation_code, \
             v.organisation_name, v.document_number, v.decision_date, v.effective_date, v.expiry_date, v.publicity_until, \
             v.authority, ",
            pending_sql!("organisation_version"),
            " "
        )
    };
}

/// Filters of a list: $7 item, $8 and $9 days, $10 document, $11 code, $12 and $13 part of the name.
macro_rules! list_filter {
    () => {
        "AND v.item_code = $7 AND v.decision_date >= $8 AND v.decision_date <= $9 \
         AND ($10::text IS NULL OR v.document_key = $10) \
         AND ($11::text IS NULL OR v.organisation_code = $11) \
         AND ($12::text IS NULL OR (strpos(v.name_key, $12) > 0 AND v.organisation_code IN \
         (SELECT n.credit_code FROM organisation_name n \
         WHERE n.bigrams @> $13::text[] AND strpos(n.name_key, $12) > 0))) "
    };
}

macro_rules! bind_filter {
    ($query:expr, $filter:expr) => {{
        let (code, part) = match &$filter.subject {
            None => (None, None),
            Some(SubjectQuery::Code(code)) => (Some(code), None),
            Some(SubjectQuery::Name(part)) => (None, Some(part)),
        };
        $query
            .bind($filter.item.as_str())
            .bind($filter.decided_from)
            .bind($filter.decided_to)
            .bind(&$filter.document_key)
            .bind(code)
            .bind(part.map(|part| &part.key))
            .bind(part.map(|part| &part.bigrams))
            // Planned anew for its filters: a plan for all cases could not use the index of any.
            .persistent(false)
    }};
}

/// Organisations with a disclosed record that bears a name with this part: how many, and one page of them.
pub async fn search_names(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    part: &NamePart,
    page: &Page<NamePosition>,
) -> Result<(i64, Vec<NamePosition>), Error> {
    let query = sqlx::query_as(concat!(
        "WITH hit AS MATERIALIZED (SELECT n.credit_code, min(char_length(n.name_key)) AS length \
         FROM organisation_name n WHERE n.bigrams @> $7::text[] AND strpos(n.name_key, $8) > 0 \
         AND EXISTS (SELECT ",
        disclosed!(),
        "AND v.organisation_code = n.credit_code AND v.name_key = n.name_key) GROUP BY n.credit_code) \
         SELECT t.total, p.length, p.credit_code FROM (SELECT count(*) AS total FROM hit) t \
         LEFT JOIN (SELECT length, credit_code FROM hit WHERE (length, credit_code) > ($9, $10) \
         ORDER BY length, credit_code LIMIT $11) p ON true ORDER BY p.length, p.credit_code",
    ));
    let rows: Vec<(i64, Option<i32>, Option<String>)> = bind_bounds!(query, bounds)
        .bind(&part.bigrams)
        .bind(&part.key)
        .bind(page.after.length)
        .bind(&page.after.credit_code)
        .bind(page.limit())
        .persistent(false)
        .fetch_all(conn)
        .await?;
    let total = rows.first().map_or(0, |(total, ..)| *total);
    let hits = rows.into_iter().filter_map(|(_, length, credit_code)| {
        Some(NamePosition {
            length: length?,
            credit_code: credit_code?,
        })
    });
    Ok((total, hits.collect()))
}

/// Summaries of those of the organisations that have a disclosed record.
pub async fn count_by_organisation(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    credit_codes: &[&str],
    licence_items: &[String],
    penalty_items: &[String],
) -> Result<Vec<OrganisationCounts>, Error> {
    let query = sqlx::query_as(concat!(
        "SELECT v.organisation_code AS credit_code, \
         (array_agg(v.organisation_name ORDER BY v.decision_date DESC, v.record_id DESC))[1] AS name, \
         count(*) FILTER (WHERE v.item_code = ANY ($8)) AS licences, \
         count(*) FILTER (WHERE v.item_code = ANY ($9)) AS penalties, count(*) AS records ",
        disclosed!(),
        "AND v.organisation_code = ANY ($7) GROUP BY v.organisation_code",
    ));
    bind_bounds!(query, bounds)
        .bind(credit_codes)
        .bind(licence_items)
        .bind(penalty_items)
        .fetch_all(conn)
        .await
}

/// One page of an organisation's disclosed records, newest decision first.
pub async fn list_records_of(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    credit_code: &str,
    page: &Page<RecordPosition>,
) -> Result<Vec<PublicRow>, Error> {
    let query = sqlx::query_as(concat!(
        "SELECT ",
        row_columns!(),
        disclosed!(),
        "AND v.organisation_code = $7 AND (v.decision_date, v.record_id) < ($8, $9) \
         ORDER BY v.decision_date DESC, v.record_id DESC LIMIT $10",
    ));
    bind_bounds!(query, bounds)
        .bind(credit_code)
        .bind(page.after.decision_date)
        .bind(page.after.version_id)
        .bind(page.limit())
        .fetch_all(conn)
        .await
}

/// How many disclosed records fit the filter.
pub async fn count_records(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    filter: &PublicListFilter,
) -> Result<i64, Error> {
    let query = sqlx::query_scalar(concat!("SELECT count(*) ", disclosed!(), list_filter!()));
    bind_filter!(bind_bounds!(query, bounds), filter)
        .fetch_one(conn)
        .await
}

/// One page of the disclosed records that fit the filter, newest decision first.
pub async fn list_records(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    filter: &PublicListFilter,
    page: &Page<RecordPosition>,
) -> Result<Vec<PublicRow>, Error> {
    let query = sqlx::query_as(concat!(
        "SELECT ",
        row_columns!(),
        disclosed!(),
        list_filter!(),
        "AND (v.decision_date, v.record_id) < ($14, $15) \
         ORDER BY v.decision_date DESC, v.record_id DESC LIMIT $16",
    ));
    bind_filter!(bind_bounds!(query, bounds), filter)
        .bind(page.after.decision_date)
        .bind(page.after.version_id)
        .bind(page.limit())
        .fetch_all(conn)
        .await
}

/// One disclosed record with its sealed content.
pub async fn load_record(
    conn: &mut Conn,
    bounds: &DisclosureBounds,
    version_id: VersionId,
) -> Result<Option<(PublicRow, Vec<u8>)>, Error> {
    #[derive(FromRow)]
    struct FullPublicRow {
        #[sqlx(flatten)]
        row: PublicRow,
        sealed_record: Vec<u8>,
    }
    let query = sqlx::query_as::<_, FullPublicRow>(concat!(
        "SELECT v.sealed_record, ",
        row_columns!(),
        disclosed!(),
        "AND v.record_id = $7"
    ));
    let found = bind_bounds!(query, bounds)
        .bind(version_id.as_uuid())
        .fetch_optional(conn)
        .await?;
    Ok(found.map(|full| (full.row, full.sealed_record)))
}
