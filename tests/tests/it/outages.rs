//! Neighbours fail: NATS, PostgreSQL, the province. Receipts go on where they can, nothing is
//! lost or doubled, and everything arrives once the neighbour is back.

use std::{sync::atomic::Ordering, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use journeys::{cluster::http_get, day::ReceiptCounter};
use proto::credit::province::v1::{Behaviour, GetStateRequest, SetBehaviourRequest};
use testkit::{TestResult, eventually};

use crate::support::{report_all, settle_and_check, start_platform};

const WAIT_TIMEOUT: Duration = Duration::from_secs(120);

#[tokio::test]
async fn with_nats_away_ingest_goes_on_accepting_and_everything_arrives_later() -> TestResult {
    let (mut cluster, day) = start_platform(21, 500).await?;
    let since = Instant::now();
    cluster
        .servers
        .nats
        .as_mut()
        .context("private NATS")?
        .kill9()?;
    report_all(&cluster, &day).await?;
    let balance = day.balance(&cluster, since).await?;
    assert!(
        balance.submitted == 500 && balance.accepted == 0,
        "{balance:?}"
    );
    cluster.restart_killed_nats()?;
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}

#[tokio::test]
async fn readiness_names_the_lane_that_is_stuck() -> TestResult {
    let (mut cluster, day) = start_platform(22, 20).await?;
    let since = Instant::now();
    let admin = cluster.ports.admin();
    assert!(http_get(&admin, "/livez").await?.0 == 200);
    cluster
        .servers
        .nats
        .as_mut()
        .context("private NATS")?
        .kill9()?;
    report_all(&cluster, &day).await?;
    eventually("the process is not ready", WAIT_TIMEOUT, async || {
        let (status, body) = http_get(&admin, "/readyz").await?;
        ensure!(
            status == 503 && body.contains("validation-records"),
            "{status} {body}"
        );
        anyhow::Ok(())
    })
    .await?;
    // Alive all the same: a restart would not help.
    assert!(http_get(&admin, "/livez").await?.0 == 200);
    cluster.restart_killed_nats()?;
    settle_and_check(&cluster, &day, since).await?;
    // The relay reports an empty outbox at its next poll; a message may have come twice, which changes nothing.
    eventually("the metrics tell it", WAIT_TIMEOUT, async || {
        let (_, metrics) = http_get(&admin, "/metrics").await?;
        let value = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|value| value.trim().parse::<f64>().ok())
        };
        let age = value("credit_lane_age_seconds{lane=\"outbox ingest\"}");
        let handled = value("credit_bus_handled_events_total{lane=\"validation-records\"}");
        ensure!(
            age == Some(0.0) && handled >= Some(20.0),
            "{age:?} {handled:?}"
        );
        anyhow::Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn with_jetstreams_files_deleted_streams_are_rebuilt_from_the_outboxes() -> TestResult {
    let (mut cluster, day) = start_platform(23, 600).await?;
    let since = Instant::now();
    let progress = ReceiptCounter::default();
    {
        // Part of the load: events are in every stage when the files go.
        let some = eventually("receipts come", WAIT_TIMEOUT, async || {
            progress.load(Ordering::Relaxed) >= 300
        });
        tokio::select! {
            receipts = day.report_records(&cluster, &progress) => { receipts?; }
            some = some => some?,
        }
    }
    let nats = cluster.servers.nats.as_mut().context("private NATS")?;
    nats.kill9()?;
    nats.wipe_files()?;
    nats.restart()?;
    let said = cluster.run_credit(&["streams", "rebuild"])?;
    assert!(said.contains("streams created: 5"), "{said}");
    report_all(&cluster, &day).await?;
    settle_and_check(&cluster, &day, since).await?;
    // Again, with nothing lost: everything comes twice and changes nothing.
    cluster.run_credit(&["streams", "rebuild"])?;
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}

#[tokio::test]
async fn with_postgresql_restarted_in_mid_stream_no_receipt_is_missing_or_double() -> TestResult {
    let (mut cluster, day) = start_platform(24, 1_500).await?;
    let since = Instant::now();
    let progress = ReceiptCounter::default();
    let mut postgres = cluster
        .servers
        .postgres
        .take()
        .context("private PostgreSQL")?;
    let reported = {
        let progress_seen = progress.clone();
        let restart = async {
            for limit in [300, 900] {
                eventually("receipts come", WAIT_TIMEOUT, async || {
                    progress_seen.load(Ordering::Relaxed) >= limit
                })
                .await?;
                postgres = tokio::task::spawn_blocking(move || {
                    postgres.kill9()?;
                    postgres.restart()?;
                    anyhow::Ok(postgres)
                })
                .await??;
            }
            anyhow::Ok(postgres)
        };
        let (receipts, restarted) = tokio::join!(day.report_records(&cluster, &progress), restart);
        postgres = restarted?;
        receipts?
    };
    cluster.servers.postgres = Some(postgres);
    assert_eq!(reported.len(), day.records.len());
    settle_and_check(&cluster, &day, since).await?;
    // Every receipt is still what it was.
    report_same_receipts(&cluster, &day, &reported).await?;
    Ok(())
}

async fn report_same_receipts(
    cluster: &journeys::cluster::Cluster,
    day: &journeys::day::Day,
    first: &std::collections::HashMap<String, proto::credit::ingest::v1::Receipt>,
) -> Result<()> {
    let again = day
        .report_records(cluster, &ReceiptCounter::default())
        .await?;
    for (id, receipt) in first {
        ensure!(again.get(id) == Some(receipt), "another receipt for {id}");
    }
    Ok(())
}

#[tokio::test]
async fn r10_a_province_that_is_away_slow_late_and_failing_gets_everything_once() -> TestResult {
    let (cluster, day) = start_platform(25, 400).await?;
    let since = Instant::now();
    let behave = async |behaviour: Behaviour| -> Result<()> {
        let request = SetBehaviourRequest {
            behaviour: Some(behaviour),
        };
        cluster
            .clients()?
            .simulator()?
            .set_behaviour(request)
            .await?;
        Ok(())
    };
    behave(Behaviour {
        away: true,
        ..Behaviour::default()
    })
    .await?;
    report_all(&cluster, &day).await?;
    eventually("everything is stored and due", WAIT_TIMEOUT, async || {
        let balance = day.balance(&cluster, since).await?;
        let good = day.records.iter().filter(|r| r.planted.is_none()).count() as u64;
        ensure!(
            balance.stored == good && balance.province_acknowledged == 0,
            "{balance:?}"
        );
        anyhow::Ok(())
    })
    .await?;
    // Stores, then answers after the caller has given up: the classic way to double.
    behave(Behaviour {
        answer_late_ms: 60_000,
        ..Behaviour::default()
    })
    .await?;
    eventually(
        "the province stored without being heard",
        WAIT_TIMEOUT,
        async || {
            let mut simulator = cluster.clients()?.simulator()?;
            let state = simulator.get_state(GetStateRequest {}).await?.into_inner();
            ensure!(state.repeated > 0, "{state:?}");
            anyhow::Ok(())
        },
    )
    .await?;
    behave(Behaviour {
        delay_ms: 20,
        fail_percent: 50,
        ..Behaviour::default()
    })
    .await?;
    let balance = settle_and_check(&cluster, &day, since).await?;
    assert!(balance.province_repeated > 0 && balance.province_conflicting == 0);
    Ok(())
}

#[tokio::test]
async fn a_poison_event_is_parked_and_the_lane_goes_on() -> TestResult {
    let (cluster, day) = start_platform(26, 100).await?;
    let since = Instant::now();
    // A row that ingest would never write: the event cannot be decoded.
    let pool = cluster.owner_pool("ingest")?;
    sqlx::query(
        "insert into outbox (event_id, event_type, occurred_at, traceparent, payload)
         values (gen_random_uuid(), 'credit.ingest.events.v1.RecordSubmitted', now(), '', '\\xff')",
    )
    .execute(&pool)
    .await?;
    report_all(&cluster, &day).await?;
    day.wait_until_settled(&cluster, since).await?.check()?;
    let parked = eventually("the poison is parked", WAIT_TIMEOUT, async || {
        let listed = cluster.run_credit(&["dead-letters", "list", "--service=validation"])?;
        ensure!(listed.lines().count() == 1, "{listed}");
        let letter: serde_json::Value = serde_json::from_str(&listed)?;
        anyhow::Ok(letter)
    })
    .await?;
    assert!(parked["consumer"] == "validation-records", "{parked}");
    assert!(parked["state"] == "parked", "{parked}");
    let id = parked["id"].to_string();
    // A retry cannot help; the consumer parks it again.
    cluster.run_credit(&["dead-letters", "retry", "--service=validation", &id])?;
    eventually("it was tried again", WAIT_TIMEOUT, async || {
        let listed = cluster.run_credit(&["dead-letters", "list", "--service=validation"])?;
        let letter: serde_json::Value = serde_json::from_str(&listed)?;
        ensure!(
            letter["attempts"] == 2 && letter["state"] == "parked",
            "{letter}"
        );
        anyhow::Ok(())
    })
    .await?;
    cluster.run_credit(&["dead-letters", "drop", "--service=validation", &id])?;
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}

#[tokio::test]
async fn a_stop_finishes_what_is_in_hand_and_exits_well() -> TestResult {
    let (mut cluster, day) = start_platform(27, 800).await?;
    let since = Instant::now();
    let progress = ReceiptCounter::default();
    {
        let some = eventually("receipts come", WAIT_TIMEOUT, async || {
            progress.load(Ordering::Relaxed) >= 200
        });
        tokio::select! {
            receipts = day.report_records(&cluster, &progress) => { receipts?; }
            some = some => some?,
        }
    }
    cluster.stop_platform().await?;
    cluster.start_platform(None)?;
    cluster.wait_until_ready().await?;
    report_all(&cluster, &day).await?;
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}
