//! Nil reports: written once, listed newest first.

use service_kit::db::{Conn, Error, Pool};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use super::digest;
use crate::domain::{Digest, nil::Period};

/// A nil report as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NilRow {
    /// Names it.
    pub report_id: Uuid,
    /// Who had nothing to report.
    pub provider_code: String,
    /// Of which item.
    pub item_code: String,
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
        provider_code: row.try_get(1)?,
        item_code: row.try_get(2)?,
        period: Period {
            from: row.try_get(3)?,
            to: row.try_get(4)?,
        },
        received_at: row.try_get(5)?,
        sealed_submission_id: row.try_get(6)?,
    })
}

/// The request that used a submission id before, and what it is the id of: a record or a nil report.
pub async fn earlier(
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
pub async fn received_between(
    conn: &mut Conn,
    provider_code: &str,
    item_code: &str,
    from: OffsetDateTime,
    to: OffsetDateTime,
) -> Result<bool, Error> {
    sqlx::query_scalar(
        "select exists (select from original where provider_code = $1 and item_code = $2
                        and received_at between $3 and $4)",
    )
    .bind(provider_code)
    .bind(item_code)
    .bind(from)
    .bind(to)
    .fetch_one(conn)
    .await
}

/// Keeps a nil report and its submission id.
pub async fn insert(
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
    .bind(&row.provider_code)
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
    .bind(&row.provider_code)
    .bind(&row.item_code)
    .bind(row.period.from)
    .bind(row.period.to)
    .bind(row.received_at)
    .bind(&row.sealed_submission_id)
    .execute(conn)
    .await?;
    Ok(())
}

/// The nil report of an id.
pub async fn one(conn: &mut Conn, report_id: Uuid) -> Result<NilRow, Error> {
    let statement = format!("select {COLUMNS} from nil_report where report_id = $1");
    let row = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(report_id)
        .fetch_one(conn)
        .await?;
    nil_row(&row)
}

/// Nil reports of a provider, of one item or, with an empty code, of all; newest first, from behind `after` on.
pub async fn page(
    pool: &Pool,
    provider_code: &str,
    item_code: &str,
    after: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<NilRow>, Error> {
    let of_item = if item_code.is_empty() {
        "$2 = ''"
    } else {
        "item_code = $2"
    };
    let statement = format!(
        "select {COLUMNS} from nil_report
         where provider_code = $1 and {of_item}
             and ($3::timestamptz is null or (received_at, report_id) < ($3, $4))
         order by received_at desc, report_id desc limit $5"
    );
    let (at, id) = after.unzip();
    let rows = sqlx::query(sqlx::AssertSqlSafe(statement))
        .bind(provider_code)
        .bind(item_code)
        .bind(at)
        .bind(id)
        .bind(limit)
        .fetch_all(pool)
        .await?;
    rows.iter().map(nil_row).collect()
}
