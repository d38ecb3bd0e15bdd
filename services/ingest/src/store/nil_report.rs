//! Nil reports: written once, listed newest first. Called by `app::nil_report`.

use record_ref::{ItemCode, ProviderCode};
use service_kit::{
    db::{Conn, Error, checked_column},
    page::Page,
};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::digest;
use crate::domain::{
    Digest,
    nil_report::{NilReportPosition, Period},
};

/// A nil report as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NilRow {
    /// Its id.
    pub report_id: Uuid,
    /// Who had nothing to report.
    pub provider: ProviderCode,
    /// Of which item.
    pub item: ItemCode,
    /// In which days.
    pub period: Period,
    /// When it was committed.
    pub received_at: OffsetDateTime,
    /// The provider's own submission id, sealed under `report_id`.
    pub sealed_submission_id: Vec<u8>,
}

const COLUMNS: &str = "report_id, provider_code, item_code, period_from, period_to, received_at, \
                       sealed_submission_id";

fn nil_row(row: &PgRow) -> Result<NilRow, Error> {
    Ok(NilRow {
        report_id: row.try_get(0)?,
        provider: checked_column::<&str, _>(row, 1)?,
        item: checked_column::<&str, _>(row, 2)?,
        period: Period {
            from: row.try_get(3)?,
            to: row.try_get(4)?,
        },
        received_at: row.try_get(5)?,
        sealed_submission_id: row.try_get(6)?,
    })
}

/// The request that used a submission id before, and what it is the id of: a record or a nil report.
pub async fn find_earlier_request(
    conn: &mut Conn,
    submission_digest: &Digest,
) -> Result<Option<(Digest, Uuid)>, Error> {
    let row = sqlx::query(
        "select request_digest, record_id from submission where submission_digest = $1
         union all
         select request_digest, record_id from original where submission_digest = $1",
    )
    .bind(submission_digest.as_slice())
    .fetch_optional(conn)
    .await?;
    row.map(|row| Ok((digest(&row, 0)?, row.try_get(1)?)))
        .transpose()
}

/// Whether a version of the item was received from the provider between two instants, both included.
pub async fn any_received_between(
    conn: &mut Conn,
    provider: &ProviderCode,
    item: &ItemCode,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<bool, Error> {
    sqlx::query_scalar(
        "select exists (select from original where provider_code = $1 and item_code = $2
                        and received_at between $3 and $4)",
    )
    .bind(provider.as_str())
    .bind(item.as_str())
    .bind(from)
    .bind(to)
    .fetch_one(conn)
    .await
}

/// Stores a nil report and its submission id.
pub async fn insert_nil_report(
    conn: &mut Conn,
    row: &NilRow,
    submission_digest: &Digest,
    request_digest: &Digest,
) -> Result<(), Error> {
    sqlx::query(
        "insert into submission
             (provider_code, submission_digest, request_digest, record_id, unchanged)
         values ($1, $2, $3, $4, false)",
    )
    .bind(row.provider.as_str())
    .bind(submission_digest.as_slice())
    .bind(request_digest.as_slice())
    .bind(row.report_id)
    .execute(&mut *conn)
    .await?;
    sqlx::query(
        "insert into nil_report (report_id, provider_code, item_code, period_from, period_to,
                                 received_at, sealed_submission_id)
         values ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(row.report_id)
    .bind(row.provider.as_str())
    .bind(row.item.as_str())
    .bind(row.period.from)
    .bind(row.period.to)
    .bind(row.received_at)
    .bind(&row.sealed_submission_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// The nil report of an id.
pub async fn load_nil_report(conn: &mut Conn, report_id: Uuid) -> Result<NilRow, Error> {
    let statement = format!("select {COLUMNS} from nil_report where report_id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(report_id)
        .fetch_one(conn)
        .await?;
    nil_row(&row)
}

/// Nil reports of a provider, of one item or of all; newest first.
pub async fn list_nil_reports(
    conn: &mut Conn,
    provider: &ProviderCode,
    item: Option<&ItemCode>,
    page: &Page<NilReportPosition>,
) -> Result<Vec<NilRow>, Error> {
    let of_item = match item {
        None => "$2::text is null",
        Some(_) => "item_code = $2",
    };
    let statement = format!(
        "select {COLUMNS} from nil_report
         where provider_code = $1 and {of_item} and (received_at, report_id) < ($3, $4)
         order by received_at desc, report_id desc limit $5"
    );
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(provider.as_str())
        .bind(item.map(ItemCode::as_str))
        .bind(page.after.received_at)
        .bind(page.after.report_id)
        .bind(page.limit())
        .fetch_all(conn)
        .await?;
    rows.iter().map(nil_row).collect()
}
