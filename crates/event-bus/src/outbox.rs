//! The outbox: the only way to emit. [`append_events`] is called by use cases and handlers inside their
//! transaction; the rest is the relay's view of the table.

use service_kit::db::{Conn, CopyIn, Error, Pool};
use sqlx::Row;
use time::OffsetDateTime;

use crate::NewEvent;

/// Appends events to the outbox of the connection's schema, in the caller's transaction, with one
/// statement for all of them.
pub async fn append_events(conn: &mut Conn, events: &[NewEvent]) -> Result<(), Error> {
    if events.is_empty() {
        return Ok(());
    }
    let mut rows = CopyIn::new(
        "copy outbox (event_id, event_type, occurred_at, traceparent, payload) from stdin (format binary)",
        5,
    );
    for event in events {
        rows.row()
            .put(event.event_id)
            .put(event.event_type.as_str())
            .put(event.occurred_at)
            .put(event.traceparent.as_str())
            .put(event.payload.as_slice());
    }
    rows.send(conn).await?;
    Ok(())
}

/// One row as the relay publishes it.
#[derive(Clone, Debug)]
pub(crate) struct OutboxRow {
    pub xid: String,
    pub seq: i64,
    pub event: NewEvent,
}

/// The relay's cursor: the last row that was published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelayCursor {
    pub xid: String,
    pub seq: i64,
    pub generation: i64,
}

/// Reads the cursor.
pub(crate) async fn load_cursor(conn: &mut Conn) -> Result<RelayCursor, Error> {
    let row = sqlx::query("select xid::text, seq, generation from relay_cursor")
        .fetch_one(conn)
        .await?;
    Ok(RelayCursor {
        xid: row.try_get(0)?,
        seq: row.try_get(1)?,
        generation: row.try_get(2)?,
    })
}

/// Rows after the cursor whose transactions can no longer be overtaken: a transaction that
/// started earlier and commits later would be skipped for ever by a cursor that passed it, so the
/// read stops below the oldest transaction still running.
pub(crate) async fn rows_after(
    conn: &mut Conn,
    cursor: &RelayCursor,
    max_rows: i64,
    max_bytes: i64,
) -> Result<Vec<OutboxRow>, Error> {
    // The sum is taken over the rows before, so one large row is still read, alone.
    let rows = sqlx::query(
        "select xid::text, seq, event_id, event_type, occurred_at, traceparent, payload
         from (select *, sum(octet_length(payload)) over (order by xid, seq
                             rows between unbounded preceding and 1 preceding) as bytes_before
               from outbox
               where (xid, seq) > ($1::text::xid8, $2)
                 and xid < pg_snapshot_xmin(pg_current_snapshot())
               order by xid, seq
               limit $3) next
         where coalesce(bytes_before, 0) < $4
         order by next.xid, next.seq",
    )
    .bind(&cursor.xid)
    .bind(cursor.seq)
    .bind(max_rows)
    .bind(max_bytes)
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

/// When the oldest row after the cursor happened, hidden rows included: a transaction that is left
/// open blocks everything after it, and that must be seen.
pub(crate) async fn oldest_after(
    conn: &mut Conn,
    cursor: &RelayCursor,
) -> Result<Option<OffsetDateTime>, Error> {
    sqlx::query_scalar(
        "select occurred_at from outbox where (xid, seq) > ($1::text::xid8, $2)
         order by xid, seq limit 1",
    )
    .bind(&cursor.xid)
    .bind(cursor.seq)
    .fetch_optional(conn)
    .await
}

/// Whether outbox or cursor know transactions that this server has not run yet: the schema was
/// restored from a dump into another cluster, whose transactions count from the beginning.
/// Its new rows would sort before the cursor and never be published; see [`rebase_outbox`].
pub(crate) async fn is_from_another_cluster(conn: &mut Conn) -> Result<bool, Error> {
    sqlx::query_scalar(
        "select greatest(c.xid, (select o.xid from outbox o order by xid desc, seq desc limit 1))
                >= pg_snapshot_xmax(pg_current_snapshot())
         from relay_cursor c",
    )
    .fetch_one(conn)
    .await
}

/// Rewinds an outbox, and fits it to this cluster when it was restored into it. Which rows the new
/// cluster has added cannot be distinguished from old ones, so everything is published again; inboxes know
/// what they have handled. The order of moved rows becomes that of `seq`. Needs the schema's
/// owner, because the service cannot change its outbox. Relays may run meanwhile: the generation
/// keeps them from moving the cursor that they read before. `credit streams rebuild` calls it.
pub async fn rebase_outbox(owner: &Pool) -> Result<(), Error> {
    let mut tx = owner.begin().await?;
    // 3 is the first transaction of every cluster, so no running one is older.
    sqlx::query("update outbox set xid = '3' where xid >= pg_snapshot_xmin(pg_current_snapshot())")
        .execute(&mut *tx)
        .await?;
    sqlx::query("update relay_cursor set xid = '0', seq = 0, generation = generation + 1")
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Moves the cursor from `from` to a row, unless it was rewound meanwhile.
pub(crate) async fn advance_cursor(
    conn: &mut Conn,
    from: &RelayCursor,
    to: &OutboxRow,
) -> Result<bool, Error> {
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
/// know by their inboxes what they have handled. For the service's own role; see [`rebase_outbox`].
pub async fn rewind_outbox(pool: &Pool) -> Result<(), Error> {
    sqlx::query("update relay_cursor set xid = '0', seq = 0, generation = generation + 1")
        .execute(pool)
        .await?;
    Ok(())
}

/// How many rows the relay has not published yet. Tests and the demo wait for 0.
pub async fn count_unpublished(pool: &Pool) -> Result<i64, Error> {
    sqlx::query_scalar(
        "select count(*) from outbox o, relay_cursor c where (o.xid, o.seq) > (c.xid, c.seq)",
    )
    .fetch_one(pool)
    .await
}
