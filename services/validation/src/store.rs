//! SQL of the service, and nothing but SQL. Called by `app` and `jobs`. Whatever carries records takes
//! whole batches as arrays: the number of statements never depends on the number of records.
//!
//! - here: verdicts and feedback cases as a batch writes them;
//! - [`reads`]: what the RPCs and the counting job ask;
//! - [`mod@reference`]: the catalogue's facts.

pub mod reads;
pub mod reference;

use std::collections::HashSet;

use legal_clock::Deadline;
use service_kit::db::{Conn, Error};
use sqlx::Row;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use crate::domain::{Decision, FeedbackCase, Submission};

/// The migrations of the service's own tables, run by the owner after those of the bus.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Numbers of submissions were checked to fit; the bound keeps a wrong one visible instead of negative.
fn bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn integer(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// The columns that name versions, as arrays.
#[derive(Default)]
struct Versions<'a> {
    records: Vec<Uuid>,
    providers: Vec<&'a str>,
    items: Vec<&'a str>,
    item_versions: Vec<i32>,
    digests: Vec<&'a [u8]>,
    revisions: Vec<i64>,
    ledger_numbers: Vec<i64>,
}

impl<'a> Versions<'a> {
    fn of(submissions: impl Iterator<Item = &'a Submission>) -> Self {
        let mut all = Self::default();
        for submission in submissions {
            let version = &submission.version;
            all.records.push(submission.record_id);
            all.providers.push(&version.provider_code);
            all.items.push(&version.item_code);
            all.item_versions.push(integer(version.item_version));
            all.digests.push(&version.key_digest);
            all.revisions.push(bigint(version.revision));
            all.ledger_numbers.push(bigint(submission.ledger_number));
        }
        all
    }
}

/// Writes the verdicts that are not there yet; the record ids of those.
///
/// Sorted by id, so that two transactions with the same repeated versions wait for each other in one
/// order and never in a circle.
pub async fn insert_verdicts(
    conn: &mut Conn,
    decisions: &[Decision],
    now: OffsetDateTime,
) -> Result<HashSet<Uuid>, Error> {
    let all = Versions::of(decisions.iter().map(|decision| &decision.submission));
    let received: Vec<OffsetDateTime> = decisions
        .iter()
        .map(|decision| decision.submission.received_at)
        .collect();
    let outcomes: Vec<&str> = decisions.iter().map(outcome).collect();
    // Arrays of arrays would have to be rectangular; codes hold no comma.
    let errors: Vec<String> = decisions.iter().map(|d| d.error_codes.join(",")).collect();
    let warnings: Vec<String> = decisions
        .iter()
        .map(|d| d.warning_codes.join(","))
        .collect();
    let findings: Vec<Option<&[u8]>> = decisions
        .iter()
        .map(|d| d.sealed_findings.as_deref())
        .collect();
    let changes: Vec<Option<&[u8]>> = decisions
        .iter()
        .map(|d| d.sealed_changes.as_deref())
        .collect();
    let rule_sets: Vec<&str> = decisions.iter().map(|d| &*d.rule_set).collect();
    let fresh: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO verdict (record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, received_at, decided_at, outcome, error_codes, warning_codes,
                sealed_findings, sealed_changes, rule_set)
         SELECT record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, received_at, $9, outcome, string_to_array(errors, ','),
                string_to_array(warnings, ','), findings, changes, rule_set
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bytea[], $6::bigint[],
                $7::bigint[], $8::timestamptz[], $10::text[], $11::text[], $12::text[], $13::bytea[],
                $14::bytea[], $15::text[])
              AS v (record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, received_at, outcome, errors, warnings, findings, changes, rule_set)
         ORDER BY record_id
         ON CONFLICT (record_id) DO NOTHING
         RETURNING record_id",
    )
    .bind(all.records)
    .bind(all.providers)
    .bind(all.items)
    .bind(all.item_versions)
    .bind(all.digests)
    .bind(all.revisions)
    .bind(all.ledger_numbers)
    .bind(received)
    .bind(now)
    .bind(outcomes)
    .bind(errors)
    .bind(warnings)
    .bind(findings)
    .bind(changes)
    .bind(rule_sets)
    .fetch_all(conn)
    .await?;
    Ok(fresh.into_iter().collect())
}

fn outcome(decision: &Decision) -> &'static str {
    if decision.is_accepted() {
        "accepted"
    } else {
        "returned"
    }
}

/// Opens the cases of returned versions.
pub async fn insert_cases(
    conn: &mut Conn,
    cases: &[(&Submission, FeedbackCase)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    let all = Versions::of(cases.iter().map(|(submission, _)| *submission));
    let ids: Vec<Uuid> = cases.iter().map(|(_, case)| case.case_id).collect();
    let keys: Vec<&[u8]> = cases
        .iter()
        .map(|(submission, _)| &submission.sealed_record_key[..])
        .collect();
    let due: Vec<Option<Date>> = cases
        .iter()
        .map(|(_, case)| case.due.map(|due| due.due_on))
        .collect();
    let provisional: Vec<bool> = cases
        .iter()
        .map(|(_, case)| case.due.is_some_and(is_provisional))
        .collect();
    sqlx::query(
        "INSERT INTO feedback_case (record_id, provider_code, item_code, item_version, key_digest,
                revision, ledger_number, opened_at, case_id, sealed_record_key, due_on, due_provisional)
         SELECT record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, $8, case_id, sealed_record_key, due_on, due_provisional
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bytea[], $6::bigint[],
                $7::bigint[], $9::uuid[], $10::bytea[], $11::date[], $12::bool[])
              AS c (record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, case_id, sealed_record_key, due_on, due_provisional)",
    )
    .bind(all.records)
    .bind(all.providers)
    .bind(all.items)
    .bind(all.item_versions)
    .bind(all.digests)
    .bind(all.revisions)
    .bind(all.ledger_numbers)
    .bind(now)
    .bind(ids)
    .bind(keys)
    .bind(due)
    .bind(provisional)
    .execute(conn)
    .await?;
    Ok(())
}

fn is_provisional(due: Deadline) -> bool {
    due.provisional
}

/// Notes the newest accepted revision of each key of `decisions`, and holds the keys' rows until the
/// transaction ends: another batch with a version of one of these keys waits, then sees what was done
/// here. Keys are taken in one order, so nobody waits in a circle.
pub async fn hold_keys(conn: &mut Conn, decisions: &[&Decision]) -> Result<(), Error> {
    let all = Versions::of(decisions.iter().map(|decision| &decision.submission));
    let accepted: Vec<bool> = decisions.iter().map(|d| d.is_accepted()).collect();
    sqlx::query(
        "INSERT INTO rereport_head AS head
                (provider_code, item_code, key_digest, accepted_revision, accepted_record)
         SELECT provider_code, item_code, key_digest,
                coalesce(max(revision) FILTER (WHERE accepted), 0),
                (array_agg(record_id ORDER BY revision DESC) FILTER (WHERE accepted))[1]
         FROM unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::bigint[], $6::bool[])
              AS v (record_id, provider_code, item_code, key_digest, revision, accepted)
         GROUP BY provider_code, item_code, key_digest
         ORDER BY provider_code, item_code, key_digest
         ON CONFLICT (provider_code, item_code, key_digest) DO UPDATE SET
                accepted_record = CASE
                    WHEN excluded.accepted_revision > head.accepted_revision
                    THEN excluded.accepted_record ELSE head.accepted_record END,
                accepted_revision = greatest(head.accepted_revision, excluded.accepted_revision)",
    )
    .bind(all.records)
    .bind(all.providers)
    .bind(all.items)
    .bind(all.digests)
    .bind(all.revisions)
    .bind(accepted)
    .execute(conn)
    .await?;
    Ok(())
}

/// Closes the open cases of these keys that a newer accepted revision has answered, whichever came
/// first. Must run after [`hold_keys`]. Gives how many were closed.
pub async fn close_answered(
    conn: &mut Conn,
    decisions: &[&Decision],
    now: OffsetDateTime,
) -> Result<u64, Error> {
    let all = Versions::of(decisions.iter().map(|decision| &decision.submission));
    let done = sqlx::query(
        "UPDATE feedback_case AS c SET closed_at = $4, closed_by = head.accepted_record
         FROM (SELECT DISTINCT * FROM unnest($1::text[], $2::text[], $3::bytea[])
                   AS k (provider_code, item_code, key_digest)) AS k
         JOIN rereport_head AS head USING (provider_code, item_code, key_digest)
         WHERE c.provider_code = k.provider_code AND c.item_code = k.item_code
           AND c.key_digest = k.key_digest AND c.revision < head.accepted_revision
           AND c.closed_at IS NULL",
    )
    .bind(all.providers)
    .bind(all.items)
    .bind(all.digests)
    .bind(now)
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Reads a column by name. A missing column is a mistake of the statement beside it.
fn column<'r, T>(row: &'r sqlx::postgres::PgRow, name: &str) -> Result<T, Error>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    row.try_get(name)
}
