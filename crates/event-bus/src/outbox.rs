//! The outbox: the only way to emit. `append` is called by use cases and handlers inside their
//! transaction; the rest is the relay's view of the table.

use service_kit::db::{Conn, Error, Pool};
use sqlx::Row;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::NewEvent;

/// Appends events to the outbox of the connection's schema, in the caller's transaction, with one
/// statement for all of them.
pub async fn append(conn: &mut Conn, events: &[NewEvent]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = events.iter().map(|e| e.event_id).collect();
    let types: Vec<&str> = events.iter().map(|e| e.event_type.as_str()).collect();
    let times: Vec<OffsetDateTime> = events.iter().map(|e| e.occurred_at).collect();
    let traces: Vec<&str> = events.iter().map(|e| e.traceparent.as_str()).collect();
    let payloads: Vec<&[u8]> = events.iter().map(|e| e.payload.as_slice()).collect();
    sqlx::query(
        "insert into outbox (event_id, event_type, occurred_at, traceparent, payload)
         select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::bytea[])",
    )
    .bind(ids)
    .bind(types)
    .bind(times)
    .bind(traces)
    .bind(payloads)
    .execute(conn)
    .await?;
    Ok(())
}

/// One row as the relay publishes it.
#[derive(Clone, Debug)]
pub(crate) struct OutboxRow {
    pub xid: String,
    pub seq: i64,
    pub event: NewEvent,
}

/// Where the relay stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    pub xid: String,
    pub seq: i64,
    pub generation: i64,
}

/// Reads the cursor.
pub(crate) async fn cursor(conn: &mut Conn) -> Result<Cursor, Error> {
    let row = sqlx::query("select xid::text, seq, generation from relay_cursor")
        .fetch_one(conn)
        .await?;
    Ok(Cursor {
        xid: row.try_get(0)?,
        seq: row.try_get(1)?,
        generation: row.try_get(2)?,
    })
}

/// Rows after the cursor whose transactions can no longer be overtaken: a transaction that
/// started earlier and commits later would be skipped for ever by a cursor that passed it, so the
/// read stops below the oldest transaction still running.
pub(crate) async fn after(
    conn: &mut Conn,
    cursor: &Cursor,
    limit: i64,
) -> Result<Vec<OutboxRow>, Error> {
    let rows = sqlx::query(
        "select xid::text, seq, event_id, event_type, occurred_at, traceparent, payload
         from outbox
         where (xid, seq) > ($1::text::xid8, $2)
           and xid < pg_snapshot_xmin(pg_current_snapshot())
         order by xid, seq
         limit $3",
    )
    .bind(&cursor.xid)
    .bind(cursor.seq)
    .bind(limit)
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(OutboxRow {
                xid: row.try_get(0)?,
                seq: row.try_get(1)?,
                event: NewEvent {
                    event_id: row.try_get(2)?,
                    event_type: row.try_get(3)?,
                    occurred_at: row.try_get(4)?,
                    traceparent: row.try_get(5)?,
                    payload: row.try_get(6)?,
                },
            })
        })
        .collect()
}

/// Moves the cursor from `from` to a row, unless somebody rewound it meanwhile.
pub(crate) async fn advance(conn: &mut Conn, from: &Cursor, to: &OutboxRow) -> Result<bool, Error> {
    let done = sqlx::query(
        "update relay_cursor set xid = $1::text::xid8, seq = $2
         where xid = $3::text::xid8 and seq = $4 and generation = $5",
    )
    .bind(&to.xid)
    .bind(to.seq)
    .bind(&from.xid)
    .bind(from.seq)
    .bind(from.generation)
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Puts the cursor back to the beginning: the relay publishes everything again, and consumers
/// know by their inboxes what they have dealt with. `credit streams rebuild` calls it.
pub async fn rewind(pool: &Pool) -> Result<(), Error> {
    sqlx::query("update relay_cursor set xid = '0', seq = 0, generation = generation + 1")
        .execute(pool)
        .await?;
    Ok(())
}

/// How many rows the relay has not published yet. Tests and the demo wait for 0.
pub async fn unpublished(pool: &Pool) -> Result<i64, Error> {
    sqlx::query_scalar(
        "select count(*) from outbox o, relay_cursor c where (o.xid, o.seq) > (c.xid, c.seq)",
    )
    .fetch_one(pool)
    .await
}
