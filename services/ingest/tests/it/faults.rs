//! servers go away and come back; a receipt is kept, once.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Result;
use futures::future::try_join_all;
use testkit::{Servers, eventually, private_nats, private_postgres};
use tonic::Code;

use crate::world::{PATIENCE, PROVIDER, PROVIDERS, World, receipt_of, submission, submit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_nats_away_ingest_goes_on_accepting() -> Result<()> {
    let nats = private_nats().await?;
    let servers = Servers {
        nats_url: nats.url().to_owned(),
        ..testkit::servers()?
    };
    let world = World::start_by(|plan| plan.servers = servers).await?;
    let mut client = world.client(PROVIDER)?;
    submit(&mut client, submission("before", "before", b"{}")).await?;
    assert_eq!(world.heard().await?.len(), 1);

    nats.kill9().await?;
    for n in 0..40 {
        let id = format!("during {n}");
        submit(&mut client, submission(&id, &id, b"{}")).await?;
    }
    // Readiness tells which lane waits.
    world.bed.clock.advance(time::Duration::seconds(90));
    eventually("the outbox complains", PATIENCE, async || {
        let complaints = world.process.context.readiness.complaints();
        let found = complaints
            .iter()
            .any(|line| line.starts_with("outbox ingest: oldest"));
        found.then_some(()).ok_or(complaints)
    })
    .await?;
    nats.restart().await?;
    eventually("everything arrives", PATIENCE, async || {
        world.heard().await.is_ok_and(|heard| heard.len() == 41)
    })
    .await?;
    world.finish().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_postgresql_restarted_under_load_no_receipt_is_missing_or_double() -> Result<()> {
    const CALLERS: usize = 8;
    const EACH: usize = 100;
    let postgres = private_postgres().await?;
    let servers = Servers {
        database_url: postgres.url().to_owned(),
        ..testkit::servers()?
    };
    let world = World::start_by(|plan| plan.servers = servers).await?;
    let given = Arc::new(AtomicUsize::new(0));
    let tried_again = Arc::new(AtomicUsize::new(0));
    let mut callers = Vec::new();
    for caller in 0..CALLERS {
        let mut client = world.client(PROVIDERS[caller % 3])?;
        let (given, tried_again) = (given.clone(), tried_again.clone());
        callers.push(async move {
            let mut receipts = Vec::new();
            for n in 0..EACH {
                let id = format!("{caller}-{n}");
                let receipt = eventually("a receipt", PATIENCE, async || {
                    let outcome = submit(&mut client, submission(&id, &id, id.as_bytes())).await;
                    if let Err(status) = &outcome {
                        // The caller is told to come again, and nothing else.
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
        for (mark, kill) in [(120, true), (350, false), (550, true)] {
            eventually("some receipts", PATIENCE, async || {
                given.load(Ordering::SeqCst) >= mark
            })
            .await?;
            if kill {
                postgres.kill9().await?;
            } else {
                postgres.stop().await?;
            }
            postgres.restart().await?;
        }
        anyhow::Ok(())
    };
    let (receipts, ()) = tokio::try_join!(try_join_all(callers), restarts)?;
    let receipts: Vec<_> = receipts.into_iter().flatten().collect();
    assert!(
        tried_again.load(Ordering::SeqCst) > 0,
        "the restarts were felt"
    );
    assert_eq!(receipts.len(), CALLERS * EACH);
    for provider in &PROVIDERS[..3] {
        let numbers: BTreeSet<u64> = receipts
            .iter()
            .filter(|receipt| receipt.provider_code == *provider)
            .map(|receipt| receipt.ledger_number)
            .collect();
        let all: BTreeSet<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, all, "ledger of {provider}");
        let mut client = world.client(provider)?;
        for receipt in receipts.iter().filter(|r| r.provider_code == *provider) {
            assert_eq!(
                &receipt_of(&mut client, &receipt.submission_id).await?,
                receipt
            );
        }
    }
    assert_eq!(world.count("original").await?, (CALLERS * EACH) as i64);
    world.finish().await
}
