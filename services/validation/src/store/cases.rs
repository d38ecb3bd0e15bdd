//! Feedback cases: opening, closing, reminding, and the feed of their changes. Called by `app`.

use record_ref::{LedgerNumber, RecordVersion};
use service_kit::db::{Conn, Error};
use sqlx::postgres::PgRow;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{KeyColumns, Versions, column, version};
use crate::domain::{FeedbackCase, feedback::ReminderDays};

/// A case to be opened.
#[derive(Debug, Clone)]
pub struct NewCase<'a> {
    /// Id, kind and due day.
    pub case: FeedbackCase,
    /// The version it is about.
    pub version: &'a RecordVersion,
    /// Number in the provider's ledger.
    pub ledger_number: Option<LedgerNumber>,
    /// The provider's own key, sealed under the version's id.
    pub sealed_record_key: &'a [u8],
    /// What only this case says, sealed under the version's id.
    pub sealed_findings: Option<Vec<u8>>,
    /// The original of a returned version with its type.
    pub sealed_content: Option<(&'a [u8], &'a str)>,
}

/// A changed case, as the feed and the event carry it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedCase {
    /// Which case.
    pub case_id: Uuid,
    /// The version it is about.
    pub version: RecordVersion,
    /// By when the provider answers.
    pub due_on: Option<Date>,
    /// The calendar of that day's year is not published.
    pub due_provisional: bool,
    /// How often the provider was reminded.
    pub reminders: i32,
    /// What happened.
    pub change: CaseTransition,
}

/// What happened to a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseTransition {
    /// It was opened.
    Opened,
    /// Its provider was reminded, before the due day or after it.
    Reminded,
    /// The due day is over.
    Overdue,
    /// It was closed so.
    Closed(ClosedAs),
}

/// How a case was closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClosedAs {
    /// A later revision was accepted.
    Rereport,
    /// A named attester answered for the version.
    Confirmation,
    /// The record was revoked or withdrawn.
    Withdrawal,
}

impl ClosedAs {
    /// As the table has it; null in rows from before there were other ways than re-reports.
    pub(super) fn from_column(text: Option<&str>) -> Self {
        match text {
            Some("confirmation") => Self::Confirmation,
            Some("withdrawal") => Self::Withdrawal,
            _ => Self::Rereport,
        }
    }
}

impl CaseTransition {
    fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Reminded => "reminded",
            Self::Overdue => "overdue",
            Self::Closed(_) => "closed",
        }
    }

    /// As the feed has it. How a case was closed is in the case.
    pub(super) fn from_feed(text: &str) -> Self {
        match text {
            "opened" => Self::Opened,
            "reminded" => Self::Reminded,
            "overdue" => Self::Overdue,
            _ => Self::Closed(ClosedAs::Rereport),
        }
    }
}

/// The columns that every statement that changes cases returns.
macro_rules! changed_columns {
    () => {
        "c.case_id, c.record_id, c.record_address, c.provider_code, c.item_code, c.item_version,
         c.key_digest, c.revision, c.due_on, c.due_provisional, c.closed_as,
         (c.reminded_at IS NOT NULL)::int + (c.urged_at IS NOT NULL)::int AS reminders"
    };
}

/// Opens cases; one that was opened before stays as it is. Returns those that are new.
pub async fn open_cases(
    conn: &mut Conn,
    cases: &[NewCase<'_>],
    now: OffsetDateTime,
) -> Result<Vec<ChangedCase>, Error> {
    let versions = Versions::from_versions(cases.iter().map(|new| new.version));
    let ledger: Vec<Option<i64>> = cases
        .iter()
        .map(|new| new.ledger_number.map(LedgerNumber::as_i64))
        .collect();
    let ids: Vec<Uuid> = cases.iter().map(|new| new.case.case_id).collect();
    let kinds: Vec<&str> = cases.iter().map(|new| new.case.kind.as_str()).collect();
    let sealed_keys: Vec<&[u8]> = cases.iter().map(|new| new.sealed_record_key).collect();
    let due: Vec<Option<Date>> = cases
        .iter()
        .map(|new| new.case.due.map(|due| due.due_on))
        .collect();
    let provisional: Vec<bool> = cases
        .iter()
        .map(|new| new.case.due.is_some_and(|due| due.provisional))
        .collect();
    let findings: Vec<Option<&[u8]>> = cases
        .iter()
        .map(|new| new.sealed_findings.as_deref())
        .collect();
    let contents: Vec<Option<&[u8]>> = cases
        .iter()
        .map(|new| new.sealed_content.map(|(bytes, _)| bytes))
        .collect();
    let types: Vec<Option<&str>> = cases
        .iter()
        .map(|new| new.sealed_content.map(|(_, name)| name))
        .collect();
    let rows = sqlx::query(concat!(
        "INSERT INTO feedback_case AS c (record_id, provider_code, item_code, item_version, key_digest,
                revision, ledger_number, opened_at, case_id, sealed_record_key, due_on, due_provisional,
                kind, sealed_findings, sealed_content, content_type, record_address)
         SELECT record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, $8, case_id, sealed_record_key, due_on, due_provisional,
                kind, findings, content, content_type, record_address
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bytea[], $6::bigint[],
                $7::bigint[], $9::uuid[], $10::bytea[], $11::date[], $12::bool[], $13::text[],
                $14::bytea[], $15::bytea[], $16::text[], $17::uuid[])
              AS n (record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, case_id, sealed_record_key, due_on, due_provisional, kind, findings,
                content, content_type, record_address)
         ORDER BY case_id
         ON CONFLICT (record_id, kind) DO NOTHING
         RETURNING ",
        changed_columns!()
    ))
    .bind(versions.ids)
    .bind(versions.keys.providers)
    .bind(versions.keys.items)
    .bind(versions.item_versions)
    .bind(versions.keys.digests)
    .bind(versions.revisions)
    .bind(ledger)
    .bind(now)
    .bind(ids)
    .bind(sealed_keys)
    .bind(due)
    .bind(provisional)
    .bind(kinds)
    .bind(findings)
    .bind(contents)
    .bind(types)
    .bind(versions.addresses)
    .fetch_all(conn)
    .await?;
    changed_rows(&rows, CaseTransition::Opened)
}

/// Closes the open cases of the keys of these versions that a newer accepted revision has answered, whichever
/// came first. Must run after [`super::lock_keys`].
pub async fn close_answered(
    conn: &mut Conn,
    versions: impl Iterator<Item = &RecordVersion>,
    now: OffsetDateTime,
) -> Result<Vec<ChangedCase>, Error> {
    let keys = KeyColumns::of_versions(versions);
    let rows = sqlx::query(concat!(
        "UPDATE feedback_case AS c SET closed_at = $4, closed_by = head.accepted_record,
                closed_as = CASE WHEN head.ended THEN 'withdrawal' ELSE 'rereport' END
         FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::bytea[])
                   AS k (provider_code, item_code, key_digest)) AS k
         JOIN rereport_head AS head USING (provider_code, item_code, key_digest)
         WHERE c.provider_code = k.provider_code AND c.item_code = k.item_code
           AND c.key_digest = k.key_digest AND c.revision < head.accepted_revision
           AND c.closed_at IS NULL
         RETURNING ",
        changed_columns!()
    ))
    .bind(keys.providers)
    .bind(keys.items)
    .bind(keys.digests)
    .bind(now)
    // Planned each time, for tables as large as they are now: a plan that is kept from when hardly any case was open
    // passes over all cases for each key, until statistics are made anew.
    .persistent(false)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let closed = ClosedAs::from_column(column::<Option<&str>>(row, "closed_as")?);
            changed_row(row, CaseTransition::Closed(closed))
        })
        .collect()
}

/// Closes the cases of a version that an attester answered for. Must run after [`super::lock_keys`].
pub async fn close_confirmed(
    conn: &mut Conn,
    case_id: Uuid,
    now: OffsetDateTime,
) -> Result<Vec<ChangedCase>, Error> {
    let rows = sqlx::query(concat!(
        "UPDATE feedback_case AS c SET closed_at = $2, closed_by = c.record_id, closed_as = 'confirmation'
         WHERE c.case_id = $1 AND c.closed_at IS NULL
         RETURNING ",
        changed_columns!()
    ))
    .bind(case_id)
    .bind(now)
    .fetch_all(conn)
    .await?;
    changed_rows(&rows, CaseTransition::Closed(ClosedAs::Confirmation))
}

/// Marks up to `limit` open cases that are due up to the days as reminded of, each once.
pub async fn mark_reminded(
    conn: &mut Conn,
    days: &ReminderDays,
    limit: i64,
    now: OffsetDateTime,
) -> Result<Vec<ChangedCase>, Error> {
    let rows = sqlx::query(concat!(
        "UPDATE feedback_case AS c SET reminded_at = $1
         WHERE c.reminded_at IS NULL AND c.closed_at IS NULL AND c.case_id IN (
             SELECT case_id FROM feedback_case
             WHERE closed_at IS NULL AND reminded_at IS NULL AND due_on BETWEEN $2 AND $3
             ORDER BY case_id LIMIT $4 FOR UPDATE SKIP LOCKED)
         RETURNING ",
        changed_columns!()
    ))
    .bind(now)
    .bind(days.today)
    .bind(days.remind_up_to)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    changed_rows(&rows, CaseTransition::Reminded)
}

/// Marks up to `limit` open cases whose due day is over, each once.
pub async fn mark_overdue(
    conn: &mut Conn,
    days: &ReminderDays,
    limit: i64,
    now: OffsetDateTime,
) -> Result<Vec<ChangedCase>, Error> {
    let rows = sqlx::query(concat!(
        "UPDATE feedback_case AS c SET overdue_at = $1
         WHERE c.overdue_at IS NULL AND c.closed_at IS NULL AND c.case_id IN (
             SELECT case_id FROM feedback_case
             WHERE closed_at IS NULL AND overdue_at IS NULL AND due_on < $2
             ORDER BY case_id LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING ",
        changed_columns!()
    ))
    .bind(now)
    .bind(days.today)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    changed_rows(&rows, CaseTransition::Overdue)
}

/// Marks up to `limit` open cases that are overdue for long as urged, each once.
pub async fn mark_urged(
    conn: &mut Conn,
    days: &ReminderDays,
    limit: i64,
    now: OffsetDateTime,
) -> Result<Vec<ChangedCase>, Error> {
    let rows = sqlx::query(concat!(
        "UPDATE feedback_case AS c SET urged_at = $1
         WHERE c.urged_at IS NULL AND c.closed_at IS NULL AND c.case_id IN (
             SELECT case_id FROM feedback_case
             WHERE closed_at IS NULL AND urged_at IS NULL AND overdue_at IS NOT NULL AND due_on <= $2
             ORDER BY case_id LIMIT $3 FOR UPDATE SKIP LOCKED)
         RETURNING ",
        changed_columns!()
    ))
    .bind(now)
    .bind(days.urge_up_to)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    changed_rows(&rows, CaseTransition::Reminded)
}

/// Appends changes to the feed.
pub async fn append_feed(
    conn: &mut Conn,
    changes: &[ChangedCase],
    now: OffsetDateTime,
) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let providers: Vec<&str> = changes
        .iter()
        .map(|one| one.version.provider.as_str())
        .collect();
    let ids: Vec<Uuid> = changes.iter().map(|one| one.case_id).collect();
    let kinds: Vec<&str> = changes.iter().map(|one| one.change.as_str()).collect();
    sqlx::query(
        "INSERT INTO feedback_feed (provider_code, case_id, change, changed_at)
         SELECT provider_code, case_id, change, $4
         FROM unnest($1::text[], $2::uuid[], $3::text[]) AS f (provider_code, case_id, change)",
    )
    .bind(providers)
    .bind(ids)
    .bind(kinds)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

fn changed_rows(rows: &[PgRow], change: CaseTransition) -> Result<Vec<ChangedCase>, Error> {
    rows.iter().map(|row| changed_row(row, change)).collect()
}

fn changed_row(row: &PgRow, change: CaseTransition) -> Result<ChangedCase, Error> {
    Ok(ChangedCase {
        case_id: column(row, "case_id")?,
        version: version(row)?,
        due_on: column(row, "due_on")?,
        due_provisional: column(row, "due_provisional")?,
        reminders: column(row, "reminders")?,
        change,
    })
}
