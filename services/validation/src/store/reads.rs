//! The queries of the RPCs and the counting job. Called by `app` and `jobs`.

use std::collections::BTreeMap;

use record_ref::{LedgerNumber, ProviderCode, RecordVersion, VersionId};
use service_kit::{
    db::{Conn, Error, Pool, checked_column},
    page::Page,
};
use sqlx::{Row, postgres::PgRow};
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{
    cases::{CaseTransition, ClosedAs},
    column, version,
};
use crate::domain::page::CasePosition;

/// A feedback case with what is sealed about it.
#[derive(Debug, Clone)]
pub struct CaseRow {
    /// Id of the case.
    pub case_id: Uuid,
    /// The returned version.
    pub version: RecordVersion,
    /// Number in the provider's ledger.
    pub ledger_number: LedgerNumber,
    /// The provider's key of the record, sealed under the version's id.
    pub sealed_record_key: Vec<u8>,
    /// When it was opened.
    pub opened_at: OffsetDateTime,
    /// By when the provider reports again, if that is due at all.
    pub due_on: Option<Date>,
    /// The calendar of that day's year is not published.
    pub due_provisional: bool,
    /// When it was closed, and how; none while it is open.
    pub closed: Option<(OffsetDateTime, ClosedAs)>,
    /// Whether the version is accepted and only contradicted.
    pub contradicted: bool,
    /// How often the provider was reminded.
    pub reminders: i32,
    /// The findings, sealed under the version's id.
    pub sealed_findings: Option<Vec<u8>>,
}

/// A verdict with what is sealed about it.
#[derive(Debug, Clone)]
pub struct VerdictRow {
    /// The judged version.
    pub version: RecordVersion,
    /// Whether it passed.
    pub accepted: bool,
    /// When it was judged.
    pub decided_at: OffsetDateTime,
    /// The findings, sealed under the version's id.
    pub sealed_findings: Option<Vec<u8>>,
    /// The applied normalisations, sealed under the version's id.
    pub sealed_changes: Option<Vec<u8>>,
}

/// Counts over all providers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VerdictStatistics {
    /// Versions accepted.
    pub accepted: u64,
    /// Versions returned.
    pub returned: u64,
    /// Accepted versions that end their record.
    pub revocations: u64,
    /// Returned versions that an attester answered for.
    pub confirmed: u64,
    /// Returned versions that carry the code as an error.
    pub returned_by_code: BTreeMap<String, u64>,
}

/// A change of a case, and its position in the feed.
#[derive(Debug, Clone)]
pub struct FeedRow {
    /// The case as it is now.
    pub case: CaseRow,
    /// What happened.
    pub change: CaseTransition,
    /// When.
    pub changed_at: OffsetDateTime,
    /// Its position.
    pub position: FeedPosition,
}

/// A position in the feed of a provider: transactions in their order, then changes in theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FeedPosition {
    /// The transaction.
    pub xid: u64,
    /// The change within it.
    pub seq: i64,
}

/// The columns of a case that are shown, with its verdict as `v`.
macro_rules! case_columns {
    () => {
        "c.case_id, c.record_id, c.record_address, c.provider_code, c.item_code, c.item_version,
         c.key_digest, c.revision, c.ledger_number, c.sealed_record_key, c.opened_at, c.due_on,
         c.due_provisional, c.closed_at, c.closed_as, c.kind = 'contradicted' AS contradicted,
         (c.reminded_at IS NOT NULL)::int + (c.urged_at IS NOT NULL)::int AS reminders,
         coalesce(c.sealed_findings, v.sealed_findings) AS sealed_findings"
    };
}

macro_rules! page_statement {
    ($more:literal) => {
        concat!(
            "SELECT ",
            case_columns!(),
            " FROM feedback_case AS c JOIN verdict AS v USING (record_id)
             WHERE c.provider_code = $1 AND (c.opened_at, c.ledger_number) < ($2, $3) ",
            $more,
            " ORDER BY c.opened_at DESC, c.ledger_number DESC LIMIT $4"
        )
    };
}

/// One page of a provider's cases, newest first, and one more where another page follows.
pub async fn list_cases(
    conn: &mut Conn,
    provider: ProviderCode,
    open_only: bool,
    page: &Page<CasePosition>,
) -> Result<Vec<CaseRow>, Error> {
    let statement = if open_only {
        page_statement!("AND c.closed_at IS NULL")
    } else {
        page_statement!("")
    };
    let rows = sqlx::query(statement)
        .bind(provider.as_str())
        .bind(page.after.opened_at)
        .bind(page.after.ledger_number)
        .bind(page.limit())
        .fetch_all(conn)
        .await?;
    rows.iter().map(case_row).collect()
}

/// One case.
pub async fn find_case(conn: &mut Conn, case_id: Uuid) -> Result<Option<CaseRow>, Error> {
    let row = sqlx::query(concat!(
        "SELECT ",
        case_columns!(),
        " FROM feedback_case AS c JOIN verdict AS v USING (record_id) WHERE c.case_id = $1"
    ))
    .bind(case_id)
    .fetch_optional(conn)
    .await?;
    row.as_ref().map(case_row).transpose()
}

/// Changes of a provider's cases after `position` whose transactions can no longer be overtaken: one that started
/// earlier and commits later would be skipped for ever by a cursor that passed it.
pub async fn changes_after(
    conn: &mut Conn,
    provider: ProviderCode,
    position: FeedPosition,
    limit: i64,
) -> Result<Vec<FeedRow>, Error> {
    let rows = sqlx::query(concat!(
        "SELECT f.xid::text AS xid, f.seq, f.change, f.changed_at, ",
        case_columns!(),
        " FROM (SELECT * FROM feedback_feed
                WHERE provider_code = $1 AND (xid, seq) > ($2::text::xid8, $3)
                  AND xid < pg_snapshot_xmin(pg_current_snapshot())
                ORDER BY xid, seq LIMIT $4) AS f
          JOIN feedback_case AS c USING (case_id) JOIN verdict AS v USING (record_id)
          ORDER BY f.xid, f.seq"
    ))
    .bind(provider.as_str())
    .bind(position.xid.to_string())
    .bind(position.seq)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let xid: &str = column(row, "xid")?;
            Ok(FeedRow {
                case: case_row(row)?,
                change: CaseTransition::from_feed(column(row, "change")?),
                changed_at: column(row, "changed_at")?,
                position: FeedPosition {
                    // The text of an xid8 is a number.
                    xid: xid.parse().unwrap_or(u64::MAX),
                    seq: column(row, "seq")?,
                },
            })
        })
        .collect()
}

/// Makes the transaction read-only, on one snapshot.
pub async fn set_read_only(conn: &mut Conn) -> Result<(), Error> {
    sqlx::query("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        .execute(conn)
        .await?;
    Ok(())
}

/// How many cases a provider has, all or the open ones.
pub async fn count_cases(
    conn: &mut Conn,
    provider: ProviderCode,
    open_only: bool,
) -> Result<u64, Error> {
    let statement = if open_only {
        "SELECT count(*) FROM feedback_case WHERE provider_code = $1 AND closed_at IS NULL"
    } else {
        "SELECT count(*) FROM feedback_case WHERE provider_code = $1"
    };
    let count: i64 = sqlx::query_scalar(statement)
        .bind(provider.as_str())
        .fetch_one(conn)
        .await?;
    Ok(count.unsigned_abs())
}

/// The verdict of one version.
pub async fn find_verdict(conn: &mut Conn, id: VersionId) -> Result<Option<VerdictRow>, Error> {
    let row = sqlx::query(
        "SELECT record_id, record_address, provider_code, item_code, item_version, key_digest, revision,
                decided_at, outcome = 'accepted' AS accepted, sealed_findings, sealed_changes
         FROM verdict WHERE record_id = $1",
    )
    .bind(id.as_uuid())
    .fetch_optional(conn)
    .await?;
    row.as_ref()
        .map(|row| {
            Ok(VerdictRow {
                version: version(row)?,
                accepted: column(row, "accepted")?,
                decided_at: column(row, "decided_at")?,
                sealed_findings: column(row, "sealed_findings")?,
                sealed_changes: column(row, "sealed_changes")?,
            })
        })
        .transpose()
}

/// All counts from one snapshot, so that they agree with one another.
pub async fn load_statistics(conn: &mut Conn) -> Result<VerdictStatistics, Error> {
    let rows = sqlx::query(
        "SELECT outcome, NULL::text AS code, count(*) AS versions FROM verdict GROUP BY outcome
         UNION ALL
         SELECT outcome, code, count(*) FROM verdict, unnest(error_codes) AS code
         WHERE outcome = 'returned' GROUP BY outcome, code
         UNION ALL
         SELECT 'ended', NULL, count(*) FROM verdict WHERE operation <> 'upsert'
         UNION ALL
         SELECT 'confirmed', NULL, count(*) FROM confirmation WHERE accepts",
    )
    .fetch_all(conn)
    .await?;
    let mut statistics = VerdictStatistics::default();
    for row in &rows {
        let versions = column::<i64>(row, "versions")?.unsigned_abs();
        match column::<Option<String>>(row, "code")? {
            Some(code) => {
                statistics.returned_by_code.insert(code, versions);
            }
            None => match column::<&str>(row, "outcome")? {
                "accepted" => statistics.accepted = versions,
                "ended" => statistics.revocations = versions,
                "confirmed" => statistics.confirmed = versions,
                _ => statistics.returned = versions,
            },
        }
    }
    Ok(statistics)
}

/// Open cases, and those of them whose due day lies before `today`.
pub async fn count_open_and_overdue(pool: &Pool, today: Date) -> Result<(i64, i64), Error> {
    let row = sqlx::query(
        "SELECT count(*) AS open, count(*) FILTER (WHERE due_on < $1) AS overdue
         FROM feedback_case WHERE closed_at IS NULL",
    )
    .bind(today)
    .fetch_one(pool)
    .await?;
    Ok((row.try_get("open")?, row.try_get("overdue")?))
}

fn case_row(row: &PgRow) -> Result<CaseRow, Error> {
    Ok(CaseRow {
        case_id: column(row, "case_id")?,
        version: version(row)?,
        ledger_number: checked_column::<i64, _>(row, "ledger_number")?,
        sealed_record_key: column(row, "sealed_record_key")?,
        opened_at: column(row, "opened_at")?,
        due_on: column(row, "due_on")?,
        due_provisional: column(row, "due_provisional")?,
        closed: column::<Option<OffsetDateTime>>(row, "closed_at")?
            .map(|at| Ok::<_, Error>((at, ClosedAs::from_column(column(row, "closed_as")?))))
            .transpose()?,
        contradicted: column(row, "contradicted")?,
        reminders: column(row, "reminders")?,
        sealed_findings: column(row, "sealed_findings")?,
    })
}
