//! Thousands of hostile requests, from a seed: `CREDIT_TEST_SEED` chooses it. Run by `cargo xtask test` and `soak`.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use anyhow::{Result, ensure};
use journeys::{
    books::{AuditTotals, Auditor},
    cluster::{Cluster, ClusterOptions, ClusterServers},
    day::Day,
    hostile::{HostileClient, HostileReport},
    load::{Load, LoadPace},
    memory,
};
use local_servers::{Binaries, LockedFolder};
use platform::target::Service;
use testkit::{TestResult, choose_extent, print_figures, test_seed};
use uuid::Uuid;

/// Callers at the same time.
const HOSTILE_CALLERS: u64 = 16;
/// What no service may ever keep, MiB; far above what they do keep, which is printed.
const MAX_RESIDENT_MIB: f64 = 400.0;
/// The seed when the environment names none.
const SEED: u64 = 20_261_129;

const SERVICES: [Service; 4] = [
    Service::Catalog,
    Service::Ingest,
    Service::Validation,
    Service::Disclosure,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_hostile_requests_are_refused_and_leave_nothing_behind() -> TestResult {
    let requests = choose_extent(3_000, 10_000);
    let seed = test_seed(SEED)?;
    let cluster = start_platform().await?;
    let day = Day::new(seed, 0);
    day.register_providers(&cluster).await?;
    let (enemy, mut book) = HostileClient::prepare(&cluster, day.generator.clone(), seed).await?;
    let mut auditor = Auditor::new(&cluster)?;
    auditor.check_settled(&cluster, &book).await?;
    let before = count_rows(&cluster).await?;
    let registered = memory::service_memory(&cluster)?;
    println!("memory before: {}", memory::describe_memory(&registered));
    for (_, pid) in cluster.service_pids() {
        memory::reset_peak(pid)?;
    }

    // Good callers go on all the while.
    let pace = LoadPace {
        streams: 4,
        per_second: 40,
    };
    let mut load = Load::start(&cluster, day.generator.clone(), pace)?;
    load.wait_for_receipts(20).await?;
    let since = Instant::now();
    let good_before = load.receipt_count();
    let verdicts = send_hostile_requests(&enemy, requests).await?;
    let good = load.receipt_count() - good_before;
    println!(
        "{} hostile requests in {:.1} s, {good} good ones beside them; by answer: {:#?}; by kind: {:#?}",
        verdicts.requests(),
        since.elapsed().as_secs_f64(),
        verdicts.by_answer,
        verdicts.by_kind,
    );
    assert_eq!(verdicts.requests(), requests);
    assert!(good > 0, "no good caller got a receipt meanwhile");
    load.wait_for_receipts(20).await?;
    book.extend(load.finish().await?);
    book.extend(verdicts.book);

    let settled = auditor.check_settled(&cluster, &book).await?;
    let after = memory::service_memory(&cluster)?;
    println!("memory after: {}", memory::describe_memory(&after));
    for (service, resident) in after {
        assert!(
            resident.peak_mib < MAX_RESIDENT_MIB,
            "{}: {resident}",
            service.name()
        );
    }
    check_all_returned(&cluster, &verdicts.to_be_returned).await?;
    check_nothing_kept(&cluster, &before, &settled, &verdicts.expected_rows).await?;
    print_figures(&format!(
        "{requests} hostile requests, {good} good ones beside them, {settled:?}, memory {}",
        memory::describe_memory(&memory::service_memory(&cluster)?)
    ));
    Ok(())
}

async fn start_platform() -> Result<Cluster> {
    let place = LockedFolder::temporary()?;
    let binaries = Binaries::locate(&testkit::workspace_root())?;
    let servers = ClusterServers::start_private(&binaries, place.path(), false)?;
    let options = ClusterOptions {
        durable: false,
        log: "warn".to_owned(),
        ..ClusterOptions::new(env!("CARGO_BIN_EXE_credit-journey"))
    };
    Cluster::start_services(servers, place, options, &SERVICES).await
}

async fn send_hostile_requests(enemy: &HostileClient, requests: u64) -> Result<HostileReport> {
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..HOSTILE_CALLERS {
        let enemy = enemy.clone();
        let numbers = (0..requests).filter(move |number| number % HOSTILE_CALLERS == caller);
        callers.spawn(async move { enemy.send_requests(numbers).await });
    }
    let mut all = HostileReport::default();
    while let Some(done) = callers.join_next().await {
        all.extend(done??);
    }
    Ok(all)
}

/// Each content that is no record was returned with a finding that is an error.
async fn check_all_returned(cluster: &Cluster, wanted: &[(String, &'static str)]) -> Result<()> {
    let pool = cluster.owner_pool("validation")?;
    let mut kinds: BTreeMap<Uuid, &str> = BTreeMap::new();
    for (id, kind) in wanted {
        kinds.insert(Uuid::parse_str(id)?, kind);
    }
    let found: Vec<(Uuid, String, Vec<String>)> = sqlx::query_as(
        "select record_id, outcome, error_codes from verdict where record_id = any($1)",
    )
    .bind(kinds.keys().copied().collect::<Vec<_>>())
    .fetch_all(&pool)
    .await?;
    ensure!(found.len() == kinds.len());
    let mut codes: BTreeMap<(&str, String), u32> = BTreeMap::new();
    for (id, outcome, errors) in found {
        let kind = kinds.get(&id).copied().unwrap_or_default();
        ensure!(
            outcome == "returned" && !errors.is_empty(),
            "{kind}: {outcome} with {errors:?}"
        );
        *codes.entry((kind, errors.join(","))).or_default() += 1;
    }
    println!("returned, by kind and codes: {codes:#?}");
    pool.close().await;
    Ok(())
}

/// Rows by table of the schemas that are spoken to.
async fn count_rows(cluster: &Cluster) -> Result<BTreeMap<String, i64>> {
    let mut all = BTreeMap::new();
    for schema in ["ingest", "validation"] {
        let pool = cluster.owner_pool(schema)?;
        let tables: Vec<String> =
            sqlx::query_scalar("select tablename::text from pg_tables where schemaname = $1")
                .bind(schema)
                .fetch_all(&pool)
                .await?;
        for table in tables {
            let count = format!("select count(*) from {schema}.\"{table}\"");
            let rows = sqlx::query_scalar(sqlx::AssertSqlSafe(count))
                .fetch_one(&pool)
                .await?;
            all.insert(format!("{schema}.{table}"), rows);
        }
        pool.close().await;
    }
    Ok(all)
}

/// What was accepted for processing has its rows, and nothing else has any but the access log of originals
/// and who began a reload.
async fn check_nothing_kept(
    cluster: &Cluster,
    before: &BTreeMap<String, i64>,
    settled: &AuditTotals,
    left: &BTreeSet<(&'static str, String)>,
) -> Result<()> {
    let after = count_rows(cluster).await?;
    let taken = settled.receipts as i64 - before["ingest.original"];
    for (table, rows) in &after {
        let more = rows - before.get(table).copied().unwrap_or_default();
        println!("{table}: {more} more rows");
        let wanted = match table.as_str() {
            "ingest.original" | "ingest.outbox" => taken,
            "validation.verdict" => taken,
            "validation.confirmation" | "validation.dead_letter" => 0,
            // What validation makes of the taken ones; the books have counted it.
            table if table.starts_with("validation.") => continue,
            table => left.iter().filter(|(named, _)| *named == table).count() as i64,
        };
        ensure!(
            more == wanted,
            "{table}: {more} more rows, {wanted} records were taken"
        );
    }
    Ok(())
}
