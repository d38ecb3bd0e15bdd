//! `bench stored`: what a record costs once millions are stored, compared with what it costs with a hundred thousand.
//! The hundred thousand come through the platform; the millions are copies of their rows under other ids and keys,
//! written by the database itself while the services are stopped. Called by the program `bench`.

use std::{collections::BTreeMap, path::PathBuf, time::Instant};

use anyhow::{Result, ensure};
use futures::future::try_join_all;
use sqlx::{AssertSqlSafe, PgPool};

use super::{
    BenchFigures, check_balance, peak_memory, pipeline, remaining_services, start_as_deployed,
    usage::Usage,
};
use crate::{
    cluster::Cluster,
    day::{Day, ReceiptCounter},
};

/// Records that come through the platform before the first measurement.
const BASE_RECORDS: usize = 100_000;
/// Records that warm up before the first measurement: connections, statements, caches.
const WARM_UP_RECORDS: usize = 5_000;
/// Records that warm up among many. After a checkpoint the first write to a page puts the whole page into the log; among
/// millions a record writes to half a dozen pages that lie anywhere, and there are some hundred thousand of them, so it takes
/// so many records until a first write is the exception, as it is between the checkpoints of a platform under load.
const WARM_UP_AMONG_MANY: usize = 150_000;
/// How much more a record may cost.
const MAX_COST_RATIO: f64 = 1.3;
/// How much a service may keep resident, MiB.
const MAX_RESIDENT_MIB: f64 = 200.0;

/// Runs it: measures with `records` of a seed on `stored` others.
pub async fn run(
    program: PathBuf,
    records: usize,
    stored: usize,
    seed: u64,
) -> Result<BenchFigures> {
    let way = &pipeline::PIPELINE_SERVICES;
    let mut cluster = start_as_deployed(program, way).await?;
    let mut next = 0;
    let day = next_records(seed, &mut next, BASE_RECORDS);
    day.register_providers(&cluster).await?;
    report_and_wait(&cluster, &day).await?;
    let few = measure(&cluster, seed, &mut next, records).await?;
    eprintln!("with {BASE_RECORDS} stored: {few:?}");

    // Events for the services that do not run would fill the stream, and publishing would stop for all.
    cluster
        .start_service_processes(&remaining_services(way))
        .await?;
    check_balance(&cluster).await?;
    cluster.stop_service_processes().await?;
    let pool = service_kit::db::connect_lazy(cluster.owner_url(), "public", 3)?;
    let since = Instant::now();
    let total = multiply_stored(&pool, stored).await?;
    vacuum_and_checkpoint(&pool).await?;
    eprintln!(
        "{total} stored after {:.0} s",
        since.elapsed().as_secs_f64()
    );
    pool.close().await;
    cluster.start_service_processes(way).await?;
    cluster
        .start_service_processes(&remaining_services(way))
        .await?;
    report_and_wait(&cluster, &next_records(seed, &mut next, WARM_UP_AMONG_MANY)).await?;
    check_balance(&cluster).await?;
    cluster.stop_service_processes().await?;
    cluster.start_service_processes(way).await?;
    let many = measure(&cluster, seed, &mut next, records).await?;
    eprintln!("with {total} stored: {many:?}");
    let pool = cluster.owner_pool("public")?;
    sqlx::query("checkpoint").execute(&pool).await?;
    pool.close().await;
    let worst = measure(&cluster, seed, &mut next, records).await?;
    eprintln!("with {total} stored, after a checkpoint: {worst:?}");

    cluster
        .start_service_processes(&remaining_services(way))
        .await?;
    check_balance(&cluster).await?;
    cluster.wait_until_drained().await?;
    let mut figures = BenchFigures {
        name: "stored",
        records: records as u64,
        ours_per_s: many.per_s,
        floor_per_s: few.per_s,
        ratio: many.cpu_us() / few.cpu_us(),
        p99_ms: 0.0,
        more: peak_memory(&cluster)?,
    };
    figures.add("stored", total as f64);
    figures.add("few_by_many_per_s", few.per_s / many.per_s);
    for (when, cost) in [("few", &few), ("many", &many), ("after_checkpoint", &worst)] {
        for (party, micros) in &cost.parties {
            figures.add(format!("{when}_{party}"), *micros);
        }
    }
    Ok(figures)
}

/// Fails when a record costs more among many than is allowed, or a service keeps too much.
pub fn check_figures(figures: &BenchFigures) -> Result<()> {
    let resident = figures.more.get("peak_rss_mib").copied();
    let resident = resident.unwrap_or(f64::INFINITY);
    ensure!(resident < MAX_RESIDENT_MIB, "a service kept {resident} MiB");
    ensure!(
        figures.ratio <= MAX_COST_RATIO,
        "a record costs {:.2} times as much among many",
        figures.ratio
    );
    Ok(())
}

/// What a record cost.
#[derive(Clone, Debug)]
struct RecordCost {
    /// From the first submission until all were queryable.
    per_s: f64,
    /// Processor time, as [`Usage::per_record`] names it.
    parties: BTreeMap<String, f64>,
}

impl RecordCost {
    /// Processor time of all parties, µs.
    fn cpu_us(&self) -> f64 {
        let all = self.parties.get("cpu_us_per_record");
        all.copied().unwrap_or(f64::INFINITY)
    }
}

async fn measure(
    cluster: &Cluster,
    seed: u64,
    next: &mut usize,
    records: usize,
) -> Result<RecordCost> {
    report_and_wait(cluster, &next_records(seed, next, WARM_UP_RECORDS)).await?;
    let day = next_records(seed, next, records);
    let before = Usage::now(cluster)?;
    let since = Instant::now();
    report_and_wait(cluster, &day).await?;
    let seconds = since.elapsed().as_secs_f64();
    Ok(RecordCost {
        per_s: records as f64 / seconds,
        parties: Usage::now(cluster)?.per_record(&before, records as u64),
    })
}

/// The next records of the seed.
fn next_records(seed: u64, next: &mut usize, count: usize) -> Day {
    let first = *next;
    *next += count;
    Day::from_range(Day::generator_today(seed), first as u64, count)
}

/// Sends records and waits until all are queryable or have gone back.
async fn report_and_wait(cluster: &Cluster, day: &Day) -> Result<()> {
    let pool = cluster.owner_pool("public")?;
    let receipts = day
        .report_records(cluster, &ReceiptCounter::default())
        .await?;
    ensure!(
        receipts.len() == day.records.len(),
        "a record has no receipt"
    );
    pipeline::wait_until_judged(&pool, &receipts).await?;
    pool.close().await;
    Ok(())
}

/// Copies what is stored until there is so much; how much there is. A copy has the parts of its ids and keys that decide
/// where indexes put it from a hash, so that it lies anywhere, as the keys of other records do.
async fn multiply_stored(pool: &PgPool, stored: usize) -> Result<i64> {
    let count = "select count(*) from ingest.original";
    let original: i64 = sqlx::query_scalar(count).fetch_one(pool).await?;
    let mut tx = pool.begin().await?;
    for statement in [
        // What is copied each time, and how far the numbers of each ledger go.
        "create schema stored",
        "create table stored.ledger as select * from ingest.provider_ledger",
        "create function stored.id(id uuid, copy bigint) returns uuid immutable language sql
             return (substr(id::text, 1, 19) || substr(md5(id::text || copy), 1, 4) || '-'
                 || substr(md5(id::text || copy), 5, 12))::uuid",
        "create function stored.hash(digest bytea, copy bigint) returns bytea immutable language sql
             return sha256(digest || int8send(copy))",
    ] {
        sqlx::query(statement).execute(&mut *tx).await?;
    }
    for table in COPIED {
        let (schema, name, _) = table;
        let keep = format!("create table stored.{schema}_{name} as table {schema}.{name}");
        sqlx::query(AssertSqlSafe(keep)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    disable_indexes(pool).await?;
    let copies = (stored as i64 - 1).max(0) / original;
    for copy in 1..=copies {
        // Schema by schema, side by side.
        let each = COPIED.chunk_by(|one, next| one.0 == next.0);
        try_join_all(each.map(|tables| copy_tables(pool, tables, copy))).await?;
        eprintln!("{} stored", original * (copy + 1));
    }
    rebuild_indexes(pool).await?;
    let mut tx = pool.begin().await?;
    sqlx::query(
        "update ingest.provider_ledger l set last_number = l.last_number + $1 * s.last_number
         from stored.ledger s where s.provider_code = l.provider_code",
    )
    .bind(copies)
    .execute(&mut *tx)
    .await?;
    for statement in [
        // Published long ago.
        "update ingest.relay_cursor c set xid = o.xid, seq = o.seq
         from (select xid, seq from ingest.outbox order by xid desc, seq desc limit 1) o",
        "update validation.relay_cursor c set xid = o.xid, seq = o.seq
         from (select xid, seq from validation.outbox order by xid desc, seq desc limit 1) o",
    ] {
        sqlx::query(statement).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    sqlx::query("drop schema stored cascade")
        .execute(pool)
        .await?;
    Ok(original * (copies + 1))
}

async fn copy_tables(pool: &PgPool, tables: &[CopiedTable], copy: i64) -> Result<()> {
    let mut tx = pool.begin().await?;
    for (schema, name, columns) in tables {
        let statement = copy_statement(&mut tx, schema, name, columns).await?;
        sqlx::query(AssertSqlSafe(statement))
            .bind(copy)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Names of the copied tables, for a statement.
fn copied_tables() -> String {
    let tables = COPIED.map(|(schema, name, _)| format!("'{schema}.{name}'::regclass"));
    tables.join(", ")
}

/// Lets the copied tables grow without their indexes: row by row in random order they would take half an hour.
async fn disable_indexes(pool: &PgPool) -> Result<()> {
    let statement = format!(
        "update pg_index set indisready = false, indisvalid = false where indrelid in ({})",
        copied_tables()
    );
    sqlx::query(AssertSqlSafe(statement)).execute(pool).await?;
    Ok(())
}

/// Makes the indexes, which also proves that no key is there twice. Their pages are as full as those of an index that
/// has grown row by row.
async fn rebuild_indexes(pool: &PgPool) -> Result<()> {
    let indexes: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!(
        "select i.indexrelid::regclass::text from pg_index i join pg_class c on c.oid = i.indexrelid
         join pg_am a on a.oid = c.relam where a.amname = 'btree' and i.indrelid in ({})",
        copied_tables()
    )))
    .fetch_all(pool)
    .await?;
    let mut conn = pool.acquire().await?;
    sqlx::query("set maintenance_work_mem = '512MB'")
        .execute(&mut *conn)
        .await?;
    for index in indexes {
        let statement = format!("alter index {index} set (fillfactor = 70)");
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    for (schema, name, _) in COPIED {
        let statement = format!("reindex table {schema}.{name}");
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Leaves the tables as autovacuum and a checkpoint would in time, so that the fill is not paid for by what follows.
async fn vacuum_and_checkpoint(pool: &PgPool) -> Result<()> {
    let tables = COPIED.map(|(schema, name, _)| format!("{schema}.{name}"));
    let vacuum = format!("vacuum (analyze) {}", tables.join(", "));
    sqlx::query(AssertSqlSafe(vacuum)).execute(pool).await?;
    sqlx::query("checkpoint").execute(pool).await?;
    Ok(())
}

/// A table with the columns that a copy has anew, and how: `t` is the copied row, `$1` the number of the copy.
type CopiedTable = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

const RECORD: (&str, &str) = ("record_id", "stored.id(t.record_id, $1)");
const KEY: (&str, &str) = ("key_digest", "stored.hash(t.key_digest, $1)");
const LEDGER: (&str, &str) = (
    "ledger_number",
    "t.ledger_number + $1 * (select last_number from stored.ledger l where l.provider_code = t.provider_code)",
);
const EVENT: (&str, &str) = ("event_id", "stored.id(t.event_id, $1)");
/// Given by the table itself.
const GIVEN_BY_TABLE: &str = "";

const COPIED: [CopiedTable; 9] = [
    (
        "ingest",
        "original",
        &[
            RECORD,
            KEY,
            LEDGER,
            ("submission_digest", "stored.hash(t.submission_digest, $1)"),
        ],
    ),
    (
        "ingest",
        "outbox",
        &[("xid", GIVEN_BY_TABLE), ("seq", GIVEN_BY_TABLE), EVENT],
    ),
    ("validation", "inbox", &[EVENT]),
    ("validation", "verdict", &[RECORD, KEY, LEDGER]),
    (
        "validation",
        "natural_claim",
        &[("digest", "stored.hash(t.digest, $1)"), KEY],
    ),
    (
        "validation",
        "outbox",
        &[("xid", GIVEN_BY_TABLE), ("seq", GIVEN_BY_TABLE), EVENT],
    ),
    ("disclosure", "inbox", &[EVENT]),
    ("disclosure", "record_head", &[RECORD, KEY]),
    ("disclosure", "organisation_version", &[RECORD, KEY]),
];

async fn copy_statement(
    conn: &mut sqlx::PgConnection,
    schema: &str,
    name: &str,
    anew: &[(&str, &str)],
) -> Result<String> {
    let columns: Vec<String> = sqlx::query_scalar(
        "select column_name::text from information_schema.columns
         where table_schema = $1 and table_name = $2 order by ordinal_position",
    )
    .bind(schema)
    .bind(name)
    .fetch_all(conn)
    .await?;
    let value = |column: &String| {
        let found = anew.iter().find(|(name, _)| name == column);
        found.map_or(format!("t.{column}"), |(_, how)| (*how).to_owned())
    };
    let kept: Vec<&String> = columns
        .iter()
        .filter(|c| value(c) != GIVEN_BY_TABLE)
        .collect();
    let names: Vec<&str> = kept.iter().map(|c| c.as_str()).collect();
    let values: Vec<String> = kept.iter().map(|c| value(c)).collect();
    // Every copy takes the number, used or not, so that all statements take the same.
    Ok(format!(
        "insert into {schema}.{name} ({}) select {} from stored.{schema}_{name} t where $1::bigint > 0",
        names.join(", "),
        values.join(", ")
    ))
}
