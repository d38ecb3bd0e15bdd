//! Dead letters: events that could not be handled. `credit dead-letters list|retry|drop` calls
//! this; consumers park here and pick up what is to be retried.

use service_kit::db::{Conn, Error, Pool};
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Delivery, Poison};

/// One parked event, without its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// Number in this schema.
    pub id: i64,
    /// The consumer that could not deal with it.
    pub consumer: String,
    /// The event.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// Why it was parked last.
    pub reason: String,
    /// How often it was tried.
    pub attempts: i32,
    /// `parked`, `retry`, `resolved` or `dropped`.
    pub state: String,
    /// When it was parked last.
    pub parked_at: OffsetDateTime,
}

/// Unresolved dead letters (`parked` or `retry`), oldest first.
pub async fn list_letters(pool: &Pool) -> Result<Vec<DeadLetter>, Error> {
    let rows = sqlx::query(
        "select id, consumer, event_id, event_type, reason, attempts, state, parked_at
         from dead_letter where state in ('parked', 'retry') order by id",
    )
    .fetch_all(pool)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(DeadLetter {
                id: row.try_get(0)?,
                consumer: row.try_get(1)?,
                event_id: row.try_get(2)?,
                event_type: row.try_get(3)?,
                reason: row.try_get(4)?,
                attempts: row.try_get(5)?,
                state: row.try_get(6)?,
                parked_at: row.try_get(7)?,
            })
        })
        .collect()
}

/// Asks the consumer to try parked letters again; all of them when `ids` is empty. How many.
pub async fn retry_letters(pool: &Pool, ids: &[i64]) -> Result<u64, Error> {
    set_state(pool, ids, "retry").await
}

/// Gives parked letters up; the rows stay as evidence. All of them when `ids` is empty. How many.
pub async fn drop_letters(pool: &Pool, ids: &[i64]) -> Result<u64, Error> {
    set_state(pool, ids, "dropped").await
}

async fn set_state(pool: &Pool, ids: &[i64], state: &str) -> Result<u64, Error> {
    let done = sqlx::query(
        "update dead_letter set state = $2
         where state in ('parked', 'retry') and (cardinality($1::bigint[]) = 0 or id = any($1))",
    )
    .bind(ids)
    .bind(state)
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Parks events in the consumer's transaction, one statement for all.
pub(crate) async fn park_letters(
    conn: &mut Conn,
    consumer: &str,
    letters: &[(&Delivery, &str)],
    now: OffsetDateTime,
) -> Result<(), Error> {
    if letters.is_empty() {
        return Ok(());
    }
    let column =
        |get: fn(&Delivery) -> &str| -> Vec<&str> { letters.iter().map(|(d, _)| get(d)).collect() };
    sqlx::query(
        "insert into dead_letter
             (consumer, event_id, event_type, occurred_at, traceparent, payload, reason, parked_at)
         select $1, t.*, $8 from unnest(
             $2::uuid[], $3::text[], $4::timestamptz[], $5::text[], $6::bytea[], $7::text[]) t
         on conflict (consumer, event_id) do update
             set reason = excluded.reason, parked_at = excluded.parked_at, state = 'parked',
                 attempts = dead_letter.attempts + 1",
    )
    .bind(consumer)
    .bind(letters.iter().map(|(d, _)| d.event_id).collect::<Vec<_>>())
    .bind(column(|d| &d.event_type))
    .bind(
        letters
            .iter()
            .map(|(d, _)| d.occurred_at)
            .collect::<Vec<_>>(),
    )
    .bind(column(|d| &d.traceparent))
    .bind(
        letters
            .iter()
            .map(|(d, _)| d.payload.as_ref())
            .collect::<Vec<_>>(),
    )
    .bind(
        letters
            .iter()
            .map(|(_, reason)| storable(reason))
            .collect::<Vec<_>>(),
    )
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}

/// The first letter after `last` to try again, locked for this transaction.
pub(crate) async fn next_retry(
    conn: &mut Conn,
    consumer: &str,
    last: i64,
) -> Result<Option<(i64, Delivery)>, Error> {
    let row = sqlx::query(
        "select id, event_id, event_type, occurred_at, traceparent, payload from dead_letter
         where consumer = $1 and state = 'retry' and id > $2
         order by id limit 1 for update skip locked",
    )
    .bind(consumer)
    .bind(last)
    .fetch_optional(conn)
    .await?;
    row.map(|row: PgRow| {
        let payload: Vec<u8> = row.try_get(5)?;
        let delivery = Delivery {
            event_id: row.try_get(1)?,
            event_type: row.try_get(2)?,
            occurred_at: row.try_get(3)?,
            traceparent: row.try_get(4)?,
            payload: payload.into(),
        };
        Ok((row.try_get(0)?, delivery))
    })
    .transpose()
}

/// PostgreSQL takes no NUL in text; a reason that quotes one must not stop the lane.
fn storable(reason: &str) -> String {
    reason.replace('\0', "\u{fffd}")
}

/// Writes the outcome of a retry.
pub(crate) async fn finish_retry(
    conn: &mut Conn,
    id: i64,
    failure: Option<&Poison>,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query(
        "update dead_letter set
             state = case when $2::text is null then 'resolved' else 'parked' end,
             reason = coalesce($2, reason), attempts = attempts + 1, parked_at = $3
         where id = $1",
    )
    .bind(id)
    .bind(failure.map(|poison| storable(&poison.reason)))
    .bind(now)
    .execute(conn)
    .await?;
    Ok(())
}
