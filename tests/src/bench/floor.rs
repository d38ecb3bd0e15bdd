//! The floor of a benchmark: plain PostgreSQL on the same server in the same run, with the same
//! rows into the same tables (indexes and constraints included), in batches of 500, one
//! transaction a batch, four connections. What a platform adds to that is what it costs.

use std::time::Instant;

use anyhow::{Context, Result};
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolCopyExt};
use tokio_stream::StreamExt;

use crate::cluster::Cluster;

/// Records of a batch.
const BATCH: i64 = 500;
/// Connections side by side.
const CONNECTIONS: usize = 4;

/// The tables that records pass on their way, with the order in which rows were written.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Schema of the service.
    pub schema: &'static str,
    /// Name.
    pub name: &'static str,
}

impl Table {
    fn source(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    fn copy(&self) -> String {
        format!("floor.{}_{}", self.schema, self.name)
    }
}

/// The tables of an accepted submission.
pub const INGEST: &[Table] = &[
    table("ingest", "original"),
    table("ingest", "submission"),
    table("ingest", "record_head"),
    table("ingest", "outbox"),
];

/// The tables from the submission to what is queryable.
pub const PIPELINE: &[Table] = &[
    table("ingest", "original"),
    table("ingest", "submission"),
    table("ingest", "record_head"),
    table("ingest", "outbox"),
    table("validation", "inbox"),
    table("validation", "verdict"),
    table("validation", "outbox"),
    table("disclosure", "inbox"),
    table("disclosure", "record_head"),
    table("disclosure", "organisation_version"),
    table("disclosure", "person_version"),
    table("disclosure", "outbox"),
];

const fn table(schema: &'static str, name: &'static str) -> Table {
    Table { schema, name }
}

/// One transaction's worth of one table, in PostgreSQL's binary copy format.
type Chunk = (String, Vec<u8>);

/// Writes the rows that the platform has just written once more into empty copies of its tables;
/// records a second for `records` records.
pub async fn batched(cluster: &Cluster, tables: &[Table], records: u64) -> Result<f64> {
    let pool = cluster.owner_pool("public")?;
    fresh_schema(&pool).await?;
    let batches = usize::try_from(records.div_ceil(BATCH as u64))?;
    let mut transactions: Vec<Vec<Chunk>> = vec![Vec::new(); batches];
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
    let mut shares: Vec<Vec<Vec<Chunk>>> = (0..CONNECTIONS).map(|_| Vec::new()).collect();
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

/// Writes rows of the platform's tables once more, one record a transaction, over 64 connections; records a second. The
/// rows do not even travel: the server takes them from the tables that it has.
pub async fn one_by_one(cluster: &Cluster, tables: &[Table], records: usize) -> Result<f64> {
    const CALLERS: usize = 64;
    let pool = cluster.owner_pool("public")?;
    fresh_schema(&pool).await?;
    let mut places: Vec<Vec<String>> = Vec::new();
    for table in tables {
        let (source, copy) = (table.source(), table.copy());
        execute(
            &pool,
            format!("create table {copy} (like {source} including all)"),
        )
        .await?;
        let select = format!("select ctid::text from {source} order by ctid limit {records}");
        places.push(
            sqlx::query_scalar(AssertSqlSafe(select))
                .fetch_all(&pool)
                .await?,
        );
    }
    let records = places.iter().map(Vec::len).min().unwrap_or_default();
    pool.close().await;
    let since = Instant::now();
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let own: Vec<Vec<String>> = (caller..records)
            .step_by(CALLERS)
            .map(|n| places.iter().map(|table| table[n].clone()).collect())
            .collect();
        let inserts: Vec<String> = tables
            .iter()
            .map(|table| {
                format!(
                    "insert into {} overriding system value select * from {} where ctid = $1::text::tid",
                    table.copy(),
                    table.source()
                )
            })
            .collect();
        let pool = service_kit::db::connect_lazy(cluster.owner_url(), "floor", 1)?;
        callers.spawn(async move {
            for record in own {
                let mut tx = pool.begin().await?;
                for (insert, place) in inserts.iter().zip(record) {
                    sqlx::query(AssertSqlSafe(insert.clone()))
                        .bind(place)
                        .execute(&mut *tx)
                        .await?;
                }
                tx.commit().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = callers.join_next().await {
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
