//! Outbox and relay: what is committed goes out, all of it, once, in the order of transactions.

use anyhow::Result;
use event_bus::{append_events, outbox};
use service_kit::db;
use testkit::{TestResult, eventually, proxy::TcpProxy};

use crate::fixture::{
    BusFixture, BusProcess, SCHEMA, SERVICE, WAIT_TIMEOUT, numbered_codes, test_event,
    test_event_named,
};

/// Processes that hold the relay's lock in this database.
async fn leaders(fixture: &BusFixture) -> Result<Vec<i32>> {
    Ok(sqlx::query_scalar(
        "select pid from pg_locks where locktype = 'advisory' and granted
         and database = (select oid from pg_database where datname = current_database())",
    )
    .fetch_all(&fixture.bed.owner_pool)
    .await?)
}

async fn one_leader(fixture: &BusFixture) -> Result<i32> {
    eventually("one leader", WAIT_TIMEOUT, async || {
        let leaders = leaders(fixture).await.map_err(|error| error.to_string())?;
        match leaders.as_slice() {
            [pid] => Ok(*pid),
            others => Err(format!("{others:?}")),
        }
    })
    .await
}

async fn outbox_rows(fixture: &BusFixture) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from outbox")
        .fetch_one(&fixture.pool)
        .await?)
}

fn outbox_age(process: &BusProcess) -> f64 {
    let ages = process.context.readiness.ages();
    let lane = format!("outbox {SERVICE}");
    ages.iter()
        .find(|(name, _)| *name == lane)
        .map_or(0.0, |(_, age)| *age)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_is_rolled_back_emits_nothing() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    let mut tx = fixture.pool.begin().await?;
    append_events(&mut tx, &[test_event("undone")]).await?;
    tx.rollback().await?;
    fixture.emit_codes(&["kept"]).await?;
    fixture.wait_for_effects(&["kept"]).await?;
    let rows: i64 = sqlx::query_scalar("select count(*) from outbox where payload like '%undone%'")
        .fetch_one(&fixture.pool)
        .await?;
    assert_eq!(rows, 0);
    fixture.finish(process).await?;
    Ok(())
}

/// The outbox's way into the database, by itself: what is put is what is there, a failure adds nothing, and the
/// connection goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_copied_in_are_the_rows_put_or_none() -> TestResult {
    const INTO: &str = "copy copied (number, text, bytes, codes) from stdin (format binary)";
    const TABLE: &str = "create temporary table copied
         (number bigint primary key, text text, bytes bytea, codes text[] not null default '{}')";
    let fixture = BusFixture::start().await?;
    let mut conn = fixture.bed.owner_pool.acquire().await?;
    sqlx::query(TABLE).execute(&mut *conn).await?;
    let large = vec![7_u8; 3 << 20];
    let rows = |numbers: &[i64]| {
        let mut rows = db::CopyIn::new(INTO, 4);
        for number in numbers {
            let text = (number % 2 == 0).then(|| format!("第{number}行"));
            let codes: &[&str] = if *number == 1 { &[] } else { &["a", "长沙"] };
            rows.row().put(*number).put(text).put(&large[..]).put(codes);
        }
        rows
    };
    assert_eq!(rows(&[]).send(&mut conn).await?, 0);
    assert_eq!(rows(&[1, 2]).send(&mut conn).await?, 2);
    let conflict = rows(&[3, 2]).send(&mut conn).await.unwrap_err();
    let conflict = conflict.as_database_error().and_then(|e| e.constraint());
    assert_eq!(conflict, Some("copied_pkey"));
    let mut short = db::CopyIn::new(INTO, 4);
    short.row().put(4_i64);
    assert!(short.send(&mut conn).await.is_err(), "a column is missing");
    let mut narrow = db::CopyIn::new(INTO, 4);
    narrow.row().put(4_i32).put("").put(&b""[..]).put(&[""][..]);
    assert!(narrow.send(&mut conn).await.is_err(), "not of the type");
    type CopiedRow = (i64, Option<String>, Vec<u8>, Vec<String>);
    let kept: Vec<CopiedRow> = sqlx::query_as("select * from copied order by number")
        .fetch_all(&mut *conn)
        .await?;
    let codes = vec!["a".to_owned(), "长沙".to_owned()];
    assert_eq!(
        kept,
        [
            (1, None, large.clone(), Vec::new()),
            (2, Some("第2行".to_owned()), large.clone(), codes)
        ]
    );
    drop(conn);
    fixture.bed.finish().await?;
    Ok(())
}

/// a cursor that passed a running transaction would lose its events for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_transaction_that_commits_late_is_not_skipped() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    process.wait_until_ready().await?;

    let mut late = fixture.pool.begin().await?;
    append_events(&mut late, &[test_event("late")]).await?;
    fixture.emit_codes(&["early"]).await?;
    // The relay has looked, has seen that a row waits, and has not published it.
    fixture.bed.clock.advance(time::Duration::seconds(45));
    eventually("the relay sees the hidden row", WAIT_TIMEOUT, async || {
        outbox_age(&process) >= 45.0
    })
    .await?;
    assert_eq!(process.published(), 0);
    assert!(fixture.effects().await?.is_empty());
    // A transaction that was left open is reported with the name of the lane.
    fixture.bed.clock.advance(time::Duration::seconds(60));
    process
        .wait_for_complaint(&["outbox catalog", "105 s old"])
        .await?;

    late.commit().await?;
    fixture.wait_for_effects(&["late", "early"]).await?;
    assert_eq!(
        fixture.effects().await?,
        ["late", "early"],
        "in the order of transactions"
    );
    process.wait_until_ready().await?;
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_two_relays_publishes_and_the_other_takes_over() -> TestResult {
    let fixture = BusFixture::start().await?;
    // The first relay reaches its database over a line that can be cut.
    let (line, url) = TcpProxy::in_front_of(&fixture.bed.database_url).await?;
    let far_pool = db::connect_lazy(&url, SCHEMA, 4)?;
    let first = fixture.process().await?;
    first.bus.start_relay(SERVICE, &far_pool, &first.context);
    one_leader(&fixture).await?;
    let second = fixture.running().await?;
    second.wait_until_ready().await?;

    fixture.emit_codes(&numbered_codes("a", 40)).await?;
    fixture.wait_for_effects(&numbered_codes("a", 40)).await?;
    // Each event and its follow-up by one of the two. Which one is not determined: a late answer of NATS makes the
    // leader give the lock back.
    eventually("each is published once", WAIT_TIMEOUT, async || {
        let both = (first.published(), second.published());
        (both.0 + both.1 == 40 + 40).then_some(()).ok_or(both)
    })
    .await?;
    let leader = one_leader(&fixture).await?;

    // Killing the session alone: another leader is elected, nothing is lost or double.
    sqlx::query("select pg_terminate_backend($1)")
        .bind(leader)
        .execute(&fixture.bed.owner_pool)
        .await?;
    fixture.emit_codes(&numbered_codes("b", 40)).await?;
    let both = [numbered_codes("a", 40), numbered_codes("b", 40)].concat();
    fixture.wait_for_effects(&both).await?;
    one_leader(&fixture).await?;

    // Cutting the first off: the second leads.
    line.cut_connections().await;
    let before = second.published();
    fixture.emit_codes(&numbered_codes("c", 40)).await?;
    fixture
        .wait_for_effects(&[both, numbered_codes("c", 40)].concat())
        .await?;
    eventually("the second publishes", WAIT_TIMEOUT, async || {
        second.published() >= before + 40
    })
    .await?;
    one_leader(&fixture).await?;
    line.restore_traffic();
    first.stop().await?;
    far_pool.close().await;
    fixture.finish(second).await?;
    Ok(())
}

/// large events travel whole, and a relay reads only so many bytes at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_events_of_the_largest_size_arrive_whole() -> TestResult {
    let fixture = BusFixture::start().await?;
    // More than the relay reads at once, each more than it packs into one message.
    let name = "长".repeat(400_000);
    let events: Vec<_> = numbered_codes("large", 30)
        .iter()
        .map(|code| test_event_named(code, &name))
        .collect();
    fixture.emit(&events).await?;
    let process = fixture.running().await?;
    fixture
        .wait_for_effects(&numbered_codes("large", 30))
        .await?;
    fixture.bed.wait_until_settled().await?;
    // The relay counts only after it has stored where it is.
    eventually("events and follow-ups", WAIT_TIMEOUT, async || {
        let published = process.published();
        (published == 30 + 30).then_some(()).ok_or(published)
    })
    .await?;
    fixture.finish(process).await?;
    Ok(())
}

/// A dump restored into a younger cluster: its transactions count from the beginning, so new rows
/// would sort before the cursor. The relay reports it, and `rebase_outbox` repairs it without a second effect.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_outbox_is_noticed_and_rebased() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("published", 20)).await?;
    fixture
        .wait_for_effects(&numbered_codes("published", 20))
        .await?;
    fixture.bed.wait_until_settled().await?;
    process.stop().await?;
    fixture.emit_codes(&numbered_codes("waiting", 20)).await?;

    // As `pg_restore` leaves it: the old cluster was 90 billion transactions further.
    let owner = fixture.bed.schema_pool().await?;
    let mut tx = owner.begin().await?;
    sqlx::query("update outbox set xid = (xid::text::bigint + 90000000000)::text::xid8")
        .execute(&mut *tx)
        .await?;
    sqlx::query("update relay_cursor set xid = (xid::text::bigint + 90000000000)::text::xid8")
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;

    let process = fixture.running().await?;
    process
        .wait_for_complaint(&["outbox catalog", "credit streams rebuild"])
        .await?;
    fixture.emit_codes(&["after"]).await?;
    assert_eq!(process.published(), 0);
    process.stop().await?;

    outbox::rebase_outbox(&owner).await?;
    let left = outbox::count_unpublished(&owner).await?;
    assert_eq!(left, outbox_rows(&fixture).await?, "all goes out again");
    let process = fixture.running().await?;
    let all = [
        numbered_codes("published", 20),
        numbered_codes("waiting", 20),
        vec!["after".to_owned()],
    ]
    .concat();
    fixture.wait_for_effects(&all).await?;
    process.wait_until_ready().await?;
    // From now on the order is that of this cluster.
    fixture.emit_codes(&["new"]).await?;
    fixture
        .wait_for_effects(&[all, vec!["new".to_owned()]].concat())
        .await?;
    fixture.finish(process).await?;
    Ok(())
}
