//! R-11: servers stop and start again; a receipt is kept, once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use futures::future::try_join_all;
use testkit::{TestResult, TestServers, eventually, private_nats, private_postgres};
use tokio::sync::watch;
use tonic::Code;

use crate::fixture::{
    IngestFixture, PROVIDER, PROVIDERS, WAIT_TIMEOUT, receipt_of, submission, submit,
};
use crate::reload::ReloadSteps;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_nats_away_ingest_goes_on_accepting() -> TestResult {
    let nats = private_nats().await?;
    let servers = TestServers {
        nats_url: nats.url().to_owned(),
        ..testkit::test_servers()?
    };
    let fixture = IngestFixture::start_with_plan(|plan| plan.servers = servers).await?;
    let mut client = fixture.client(PROVIDER)?;
    submit(&mut client, submission("before", "before", b"{}")).await?;
    assert_eq!(fixture.received_events().await?.len(), 1);

    nats.kill9().await?;
    for n in 0..40 {
        let id = format!("during {n}");
        submit(&mut client, submission(&id, &id, b"{}")).await?;
    }
    // Readiness names the lane that waits.
    fixture.bed.clock.advance(time::Duration::seconds(90));
    eventually("the outbox complains", WAIT_TIMEOUT, async || {
        let complaints = fixture.process.context.readiness.unready_reasons();
        let found = complaints
            .iter()
            .any(|line| line.starts_with("outbox ingest: oldest"));
        found.then_some(()).ok_or(complaints)
    })
    .await?;
    nats.restart().await?;
    fixture.bed.rebuild_lost_streams().await?;
    assert_eq!(
        fixture.received_events().await?.len(),
        41,
        "everything arrives"
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_postgresql_restarted_under_load_no_receipt_is_missing_or_double() -> TestResult {
    const CALLERS: usize = 8;
    /// What each caller submits at least; it goes on until the restarts are over.
    const EACH: usize = 100;
    let postgres = private_postgres().await?;
    let servers = TestServers {
        database_url: postgres.url().to_owned(),
        ..testkit::test_servers()?
    };
    let fixture = IngestFixture::start_with_plan(|plan| plan.servers = servers).await?;
    let given = Arc::new(AtomicUsize::new(0));
    let tried_again = Arc::new(AtomicUsize::new(0));
    let enough = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let mut client = fixture.client(PROVIDERS[caller % 3])?;
        let (given, tried_again) = (given.clone(), tried_again.clone());
        let enough = enough.clone();
        callers.push(async move {
            let mut receipts = Vec::new();
            for n in 0.. {
                if n >= EACH && enough.load(Ordering::SeqCst) {
                    break;
                }
                let id = format!("{caller}-{n}");
                let receipt = eventually("a receipt", WAIT_TIMEOUT, async || {
                    let outcome = submit(&mut client, submission(&id, &id, id.as_bytes())).await;
                    if let Err(status) = &outcome {
                        // The only refusal is the advice to come again.
                        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
                        tried_again.fetch_add(1, Ordering::SeqCst);
                    }
                    outcome
                })
                .await?;
                given.fetch_add(1, Ordering::SeqCst);
                receipts.push(receipt);
            }
            anyhow::Ok(receipts)
        });
    }
    let restarts = async {
        // All of the first three may fall between two transactions: then more follow until one is felt.
        for round in 0.. {
            let mark = match round {
                0 => 120,
                1 => 350,
                2 => 550,
                _ => given.load(Ordering::SeqCst) + 200,
            };
            eventually("some receipts", WAIT_TIMEOUT, async || {
                given.load(Ordering::SeqCst) >= mark
            })
            .await?;
            if round > 2 && tried_again.load(Ordering::SeqCst) > 0 {
                break;
            }
            if round % 2 == 0 {
                postgres.kill9().await?;
            } else {
                postgres.stop().await?;
            }
            postgres.restart().await?;
        }
        enough.store(true, Ordering::SeqCst);
        anyhow::Ok(())
    };
    let (receipts, ()) = tokio::try_join!(try_join_all(callers), restarts)?;
    let receipts: Vec<_> = receipts.into_iter().flatten().collect();
    assert_eq!(receipts.len(), given.load(Ordering::SeqCst));
    let ids: BTreeSet<&str> = receipts.iter().map(|r| r.submission_id.as_str()).collect();
    assert_eq!(ids.len(), receipts.len(), "a receipt for each submission");
    for provider in &PROVIDERS[..3] {
        let numbers: BTreeSet<u64> = receipts
            .iter()
            .filter(|receipt| receipt.provider_code == *provider)
            .map(|receipt| receipt.ledger_number)
            .collect();
        let all: BTreeSet<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, all, "ledger of {provider}");
        let mut client = fixture.client(provider)?;
        for receipt in receipts.iter().filter(|r| r.provider_code == *provider) {
            assert_eq!(
                &receipt_of(&mut client, &receipt.submission_id).await?,
                receipt
            );
        }
    }
    assert_eq!(fixture.count("original").await?, receipts.len() as i64);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_postgresql_killed_within_a_reload_each_record_is_taken_once() -> TestResult {
    const ALL: usize = 16_000;
    const KNOWN: usize = 1000;
    // The last steps wait until the kills are over, so that the reload surely still runs when they come.
    const HELD: usize = 1000;
    let postgres = private_postgres().await?;
    let servers = TestServers {
        database_url: postgres.url().to_owned(),
        ..testkit::test_servers()?
    };
    let fixture = IngestFixture::start_with_plan(|plan| plan.servers = servers).await?;
    let mut client = fixture.client(PROVIDER)?;
    let keys: Vec<String> = (0..ALL).map(|n| format!("k{n}")).collect();
    let lines: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "{}")).collect();
    let known = ReloadSteps::new("known", &lines[..KNOWN]).end(KNOWN as u64);
    known.run(&mut client).await?;
    let (within, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
    // Known and new records alternate, so that every kill hits both ways.
    let mixed: Vec<(&str, &str)> = (0..ALL).map(|n| lines[n * 3 % ALL]).collect();
    let killed = watch::Sender::new(false);
    let reload = async {
        loop {
            let all = ReloadSteps::new("r", &mixed).end(ALL as u64);
            let outcome = all.run_held(&mut client, HELD, killed.subscribe()).await;
            let outcome = outcome.and_then(|answered| match answered.summary {
                Some(summary) if summary.refused == 0 => Ok(summary),
                _ => Err(tonic::Status::unavailable("some were not committed")),
            });
            match outcome {
                Ok(summary) => {
                    ended.store(true, Ordering::SeqCst);
                    return anyhow::Ok(summary);
                }
                // A broken connection, or records that were not committed and are missing at the end.
                Err(status) => {
                    let codes = [Code::Unavailable, Code::FailedPrecondition];
                    assert!(codes.contains(&status.code()), "{status:?}");
                }
            }
        }
    };
    let kills = async {
        for mark in [KNOWN as i64 + 300, KNOWN as i64 + 1500] {
            // Polls without a pause: `eventually` waits longer and longer, and the reload might be past it.
            while !fixture.count("reload_line").await.is_ok_and(|n| n >= mark) {}
            postgres.kill9().await?;
            // A kill between two transactions breaks nothing: the next one waits for the restart.
            within.fetch_add(usize::from(!ended.load(Ordering::SeqCst)), Ordering::SeqCst);
            postgres.restart().await?;
        }
        killed.send_replace(true);
        anyhow::Ok(())
    };
    // However long it takes on a busy machine: it hangs only when no line is added any more.
    let hangs = async {
        let mut lines = 0;
        loop {
            let more = eventually("another line of the reload", WAIT_TIMEOUT, async || {
                let now = fixture.count("reload_line").await;
                let now = now.map_err(|error| error.to_string())?;
                let more = (now > lines).then_some(now);
                more.ok_or(format!("{now} lines"))
            });
            match more.await {
                Ok(now) => lines = now,
                Err(error) => return error,
            }
        }
    };
    let (summary, ()) = tokio::select! {
        ended = async { tokio::try_join!(reload, kills) } => ended?,
        error = hangs => return Err(error.into()),
    };
    assert_eq!(within.load(Ordering::SeqCst), 2, "kills within the reload");
    assert_eq!(
        (summary.unchanged, summary.accepted),
        (KNOWN as u64, (ALL - KNOWN) as u64)
    );
    assert_eq!(fixture.count("original").await?, ALL as i64);
    assert_eq!(fixture.count("reload_line").await?, (ALL + KNOWN) as i64);
    let ledger: i64 = sqlx::query_scalar("select max(ledger_number) from original")
        .fetch_one(&fixture.owner)
        .await?;
    assert_eq!(ledger, ALL as i64, "without gaps");
    fixture.finish().await?;
    Ok(())
}
