//! The floor of a benchmark: plain PostgreSQL on the same server in the same run, with the same bytes, in batches of 500,
//! one transaction a batch, four connections. What a platform adds to that is what it costs.
//!
//! - [`measure_four_tables`]: what a plain program would write of a submission, so that tables that we save do not lower the floor
//! - [`measure_one_by_one`]: the same, one record a transaction over 64 connections
//! - [`measure_batched`]: our own rows copied into our own tables again, indexes and constraints included: what only a
//!   change of the tables can save

use std::time::Instant;

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolCopyExt};
use time::OffsetDateTime;
use tokio_stream::StreamExt;
use uuid::Uuid;

use crate::cluster::Cluster;

/// Records of a batch.
const BATCH: i64 = 500;
/// Connections side by side.
const CONNECTIONS: usize = 4;

/// A table that every record passes.
#[derive(Clone, Copy, Debug)]
pub struct FloorTable {
    /// Schema of the service.
    pub schema: &'static str,
    /// Name.
    pub name: &'static str,
}

impl FloorTable {
    fn source(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    fn copy(&self) -> String {
        format!("floor.{}_{}", self.schema, self.name)
    }
}

/// The tables from the submission to what is queryable.
pub const PIPELINE: &[FloorTable] = &[
    table("ingest", "original"),
    table("ingest", "outbox"),
    table("validation", "inbox"),
    table("validation", "verdict"),
    table("validation", "outbox"),
    table("disclosure", "inbox"),
    table("disclosure", "record_head"),
    table("disclosure", "organisation_version"),
    table("disclosure", "person_version"),
];

const fn table(schema: &'static str, name: &'static str) -> FloorTable {
    FloorTable { schema, name }
}

/// One transaction's worth of one table, in PostgreSQL's binary copy format.
type CopyChunk = (String, Vec<u8>);

/// Writes the rows that the platform has just written again into empty copies of its tables;
/// records a second for `records` records.
pub async fn measure_batched(
    cluster: &Cluster,
    tables: &[FloorTable],
    records: u64,
) -> Result<f64> {
    let pool = cluster.owner_pool("public")?;
    fresh_schema(&pool).await?;
    let batches = usize::try_from(records.div_ceil(BATCH as u64))?;
    let mut transactions: Vec<Vec<CopyChunk>> = vec![Vec::new(); batches];
    for table in tables {
        let (source, copy) = (table.source(), table.copy());
        execute(
            &pool,
            format!("create table {copy} (like {source} including all)"),
        )
        .await?;
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(format!("select count(*) from {source}")))
            .fetch_one(&pool)
            .await?;
        // The same share of each table in each transaction.
        let share = (rows as usize).div_ceil(batches).max(1);
        for (number, transaction) in transactions.iter_mut().enumerate() {
            let select = format!(
                "copy (select * from {source} order by ctid offset {} limit {share}) to stdout (format binary)",
                number * share
            );
            let mut out = pool.copy_out_raw(&select).await?;
            let mut bytes = Vec::new();
            while let Some(part) = out.next().await {
                bytes.extend_from_slice(&part?);
            }
            transaction.push((format!("copy {copy} from stdin (format binary)"), bytes));
        }
    }
    pool.close().await;
    let url = cluster.owner_url();
    let since = Instant::now();
    let mut writers = tokio::task::JoinSet::new();
    let mut shares: Vec<Vec<Vec<CopyChunk>>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
    for (number, transaction) in transactions.into_iter().enumerate() {
        shares[number % CONNECTIONS].push(transaction);
    }
    for share in shares {
        let pool = service_kit::db::connect_lazy(url, "floor", 1)?;
        writers.spawn(async move {
            for transaction in share {
                let mut tx = pool.begin().await?;
                for (statement, bytes) in transaction {
                    let mut copy = tx.copy_in_raw(&statement).await?;
                    copy.send(bytes).await?;
                    copy.finish().await?;
                }
                tx.commit().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    Ok(records as f64 / since.elapsed().as_secs_f64())
}

/// The four tables of the plain program of [`measure_four_tables`] and [`measure_one_by_one`]: each original with its
/// receipt, the caller's id for ever, the head of each key, and the event. What it lacks is the work: nothing is looked
/// up, decided, sealed or published.
const FOUR_TABLES: &str = "
    create table floor.original (
        record_id uuid primary key, provider_code text not null, item_code text not null, item_version int not null,
        key_digest bytea not null, revision bigint not null, ledger_number bigint not null, content_type text not null,
        content_sha256 bytea not null, content bytea not null, labels bytea not null, received_at timestamptz not null,
        unique (provider_code, ledger_number), unique (provider_code, item_code, key_digest, revision));
    create table floor.submission (
        provider_code text not null, submission_digest bytea not null, request_digest bytea not null,
        record_id uuid not null, primary key (provider_code, submission_digest));
    create table floor.record_head (
        provider_code text not null, item_code text not null, key_digest bytea not null, revision bigint not null,
        record_id uuid not null, primary key (provider_code, item_code, key_digest));
    create table floor.outbox (
        seq bigint generated always as identity primary key, event_id uuid not null, event_type text not null,
        occurred_at timestamptz not null, payload bytea not null)";

/// A batch of statements' arguments: the same rows for all four tables.
const INSERTS: [&str; 4] = [
    "insert into floor.original select * from unnest($1::uuid[], $2::text[], $3::text[], $4::int[], $5::bytea[],
         $6::bigint[], $7::bigint[], $8::text[], $9::bytea[], $10::bytea[], $11::bytea[], $12::timestamptz[])",
    "insert into floor.submission select * from unnest($1::text[], $2::bytea[], $3::bytea[], $4::uuid[])",
    "insert into floor.record_head
         select * from unnest($1::text[], $2::text[], $3::bytea[], $4::bigint[], $5::uuid[])",
    "insert into floor.outbox (event_id, event_type, occurred_at, payload)
         select * from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::bytea[])",
];

/// What a record takes into the four tables.
#[derive(Clone, Debug, sqlx::FromRow)]
struct FloorRow {
    record_id: Uuid,
    provider_code: String,
    item_code: String,
    item_version: i32,
    key_digest: Vec<u8>,
    revision: i64,
    ledger_number: i64,
    content_type: String,
    content_sha256: Vec<u8>,
    sealed_content: Vec<u8>,
    sealed_labels: Vec<u8>,
    received_at: OffsetDateTime,
    submission_digest: Vec<u8>,
    request_digest: Vec<u8>,
    event_id: Uuid,
    event_type: String,
    payload: Vec<u8>,
}

impl FloorRow {
    /// Records that the platform has taken, after the first `skipped`, in the order in which it took them.
    async fn load_stored(cluster: &Cluster, skipped: usize, records: usize) -> Result<Vec<Self>> {
        let pool = cluster.owner_pool("ingest")?;
        // Both tables are written in one order.
        let rows = sqlx::query_as(
            "select * from
                 (select o.*, row_number() over (order by o.ctid) as nth from original o) o
             join (select e.event_id, e.event_type, e.payload, row_number() over (order by xid, seq) as nth
                   from outbox e where e.event_type like '%RecordSubmitted') e using (nth)
             where submission_digest is not null order by nth offset $1 limit $2",
        )
        .bind(i64::try_from(skipped)?)
        .bind(i64::try_from(records)?)
        .fetch_all(&pool)
        .await?;
        pool.close().await;
        Ok(rows)
    }
}

async fn insert(tx: &mut sqlx::PgConnection, rows: &[FloorRow]) -> Result<()> {
    fn column<'a, T>(rows: &'a [FloorRow], get: impl Fn(&'a FloorRow) -> T) -> Vec<T> {
        rows.iter().map(get).collect()
    }
    let [originals, submissions, heads, events] = INSERTS;
    sqlx::query(originals)
        .bind(column(rows, |r| r.record_id))
        .bind(column(rows, |r| &r.provider_code))
        .bind(column(rows, |r| &r.item_code))
        .bind(column(rows, |r| r.item_version))
        .bind(column(rows, |r| &r.key_digest))
        .bind(column(rows, |r| r.revision))
        .bind(column(rows, |r| r.ledger_number))
        .bind(column(rows, |r| &r.content_type))
        .bind(column(rows, |r| &r.content_sha256))
        .bind(column(rows, |r| &r.sealed_content))
        .bind(column(rows, |r| &r.sealed_labels))
        .bind(column(rows, |r| r.received_at))
        .execute(&mut *tx)
        .await?;
    sqlx::query(submissions)
        .bind(column(rows, |r| &r.provider_code))
        .bind(column(rows, |r| &r.submission_digest))
        .bind(column(rows, |r| &r.request_digest))
        .bind(column(rows, |r| r.record_id))
        .execute(&mut *tx)
        .await?;
    sqlx::query(heads)
        .bind(column(rows, |r| &r.provider_code))
        .bind(column(rows, |r| &r.item_code))
        .bind(column(rows, |r| &r.key_digest))
        .bind(column(rows, |r| r.revision))
        .bind(column(rows, |r| r.record_id))
        .execute(&mut *tx)
        .await?;
    sqlx::query(events)
        .bind(column(rows, |r| r.event_id))
        .bind(column(rows, |r| &r.event_type))
        .bind(column(rows, |r| r.received_at))
        .bind(column(rows, |r| &r.payload))
        .execute(tx)
        .await?;
    Ok(())
}

/// The floor of ingest: the bytes of records that the platform has taken, again, into four plain tables, by
/// `unnest`; records a second.
pub async fn measure_four_tables(cluster: &Cluster, skipped: usize, records: usize) -> Result<f64> {
    let rows = FloorRow::load_stored(cluster, skipped, records).await?;
    write(cluster, rows, BATCH as usize, CONNECTIONS).await
}

/// The same, one record a transaction, over 64 connections, with as many of the records.
pub async fn measure_one_by_one(cluster: &Cluster, skipped: usize, records: usize) -> Result<f64> {
    let rows = FloorRow::load_stored(cluster, skipped, records).await?;
    write(cluster, rows, 1, 64).await
}

async fn write(
    cluster: &Cluster,
    rows: Vec<FloorRow>,
    batch: usize,
    connections: usize,
) -> Result<f64> {
    let pool = cluster.owner_pool("public")?;
    fresh_schema(&pool).await?;
    for statement in FOUR_TABLES.split(';') {
        execute(&pool, statement.to_owned()).await?;
    }
    pool.close().await;
    let records = rows.len();
    let mut shares: Vec<Vec<Vec<FloorRow>>> = vec![Vec::new(); connections];
    for (number, batch) in rows.chunks(batch).enumerate() {
        shares[number % connections].push(batch.to_vec());
    }
    drop(rows);
    let mut writers = tokio::task::JoinSet::new();
    let mut pools = Vec::new();
    for _ in 0..connections {
        let pool = service_kit::db::connect_lazy(cluster.owner_url(), "floor", 1)?;
        // Connected before the clock runs.
        pool.acquire().await?;
        pools.push(pool);
    }
    let since = Instant::now();
    for (share, pool) in shares.into_iter().zip(pools) {
        writers.spawn(async move {
            for rows in share {
                let mut tx = pool.begin().await?;
                insert(&mut tx, &rows).await?;
                tx.commit().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = writers.join_next().await {
        done??;
    }
    Ok(records as f64 / since.elapsed().as_secs_f64())
}

async fn fresh_schema(pool: &PgPool) -> Result<()> {
    execute(pool, "drop schema if exists floor cascade".to_owned()).await?;
    execute(pool, "create schema floor".to_owned()).await
}

async fn execute(pool: &PgPool, statement: String) -> Result<()> {
    sqlx::query(AssertSqlSafe(statement.clone()))
        .execute(pool)
        .await
        .with_context(|| statement)?;
    Ok(())
}
