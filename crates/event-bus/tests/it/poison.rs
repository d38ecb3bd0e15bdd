//! Events that cannot be handled are parked, alone, and the lane goes on.

use std::sync::{PoisonError, atomic::Ordering};

use anyhow::Result;
use event_bus::dead_letters;
use proto::credit::bus::v1::{Envelope, EventBatch};
use testkit::{TestResult, eventually};

use crate::fixture::{BusFixture, WAIT_TIMEOUT, numbered_codes, test_event};

/// One bad event in the middle of 300; how many batches it took to find it.
async fn assert_isolated(bad: &str, reason: &str) -> Result<()> {
    let fixture = BusFixture::start().await?;
    let process = fixture.process().await?;
    let relay = fixture.start_relay(&process);
    let mut all = numbered_codes("e", 300);
    all[137] = bad.to_owned();
    fixture.emit_codes(&all).await?;
    fixture.start_consumer(&process, Some(relay));
    let letters = fixture.wait_for_letters(1).await?;
    assert!(letters[0].reason.contains(reason), "{letters:?}");
    all.remove(137);
    fixture.wait_for_effects(&all).await?;
    // The lane goes on.
    fixture.emit_codes(&["next"]).await?;
    all.push("next".to_owned());
    fixture.wait_for_effects(&all).await?;

    let batches = fixture.handler.batches.lock();
    let batches = batches.unwrap_or_else(PoisonError::into_inner).clone();
    // 300 events halve nine times; two calls a halving, and the whole before.
    assert!(batches.len() <= 24, "halving, not one by one: {batches:?}");
    assert_eq!(dead_letters::drop_letters(&fixture.pool, &[]).await?, 1);
    fixture.finish(process).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_database_refuses_is_found_by_halving() -> TestResult {
    // The reason names the rule and not the data.
    assert_isolated(
        "refused-430102199003071234",
        "SQLSTATE 23514, constraint effect_takes",
    )
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_on_which_the_handler_panics_is_found_by_halving() -> TestResult {
    assert_isolated("panic", "handler panicked").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn poison_that_the_handler_names_is_parked_with_its_reason() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&["a", "poison", "b"]).await?;
    fixture.wait_for_effects(&["a", "b"]).await?;
    let letters = fixture.wait_for_letters(1).await?;
    let letter = &letters[0];
    // The handler's reason held a NUL, which PostgreSQL does not take.
    assert_eq!(letter.reason, "no provider is called so\u{fffd}");
    assert_eq!(
        (
            letter.consumer.as_str(),
            letter.attempts,
            letter.state.as_str()
        ),
        ("test-effects", 1, "parked")
    );
    // It comes again: the inbox knows it, one letter stays.
    event_bus::outbox::rewind_outbox(&fixture.pool).await?;
    fixture.bed.wait_until_settled().await?;
    assert_eq!(fixture.wait_for_letters(1).await?[0].attempts, 1);
    dead_letters::drop_letters(&fixture.pool, &[letter.id]).await?;
    fixture.wait_for_letters(0).await?;
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_parks_again_until_the_cause_is_mended() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    fixture
        .emit_codes(&["poison", "refused", "panic", "fine"])
        .await?;
    fixture.wait_for_effects(&["fine"]).await?;
    let ids: Vec<i64> = fixture
        .wait_for_letters(3)
        .await?
        .iter()
        .map(|letter| letter.id)
        .collect();

    assert_eq!(dead_letters::retry_letters(&fixture.pool, &[]).await?, 3);
    eventually("all were tried in vain", WAIT_TIMEOUT, async || {
        let letters = dead_letters::list_letters(&fixture.pool).await;
        letters.is_ok_and(|letters| {
            letters.len() == 3
                && letters
                    .iter()
                    .all(|letter| letter.attempts == 2 && letter.state == "parked")
        })
    })
    .await?;

    fixture.handler.mended.store(true, Ordering::SeqCst);
    let owner = fixture.bed.schema_pool().await?;
    sqlx::query("alter table effect drop constraint effect_takes")
        .execute(&owner)
        .await?;
    // Given up: it is never tried again, and stays as evidence.
    dead_letters::drop_letters(&fixture.pool, &ids[2..]).await?;
    assert_eq!(dead_letters::retry_letters(&fixture.pool, &[]).await?, 2);
    fixture.wait_for_letters(0).await?;
    let states: Vec<String> = sqlx::query_scalar("select state from dead_letter order by id")
        .fetch_all(&owner)
        .await?;
    assert_eq!(states, ["resolved", "resolved", "dropped"]);
    assert_eq!(fixture.effects().await?.len(), 3);
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_pass_is_tried_again_and_its_age_is_seen() -> TestResult {
    let fixture = BusFixture::start().await?;
    fixture.handler.not_yet.store(true, Ordering::SeqCst);
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("e", 10)).await?;
    eventually("several tries", WAIT_TIMEOUT, async || {
        let batches = fixture.handler.batches.lock();
        batches.unwrap_or_else(PoisonError::into_inner).len() >= 3
    })
    .await?;
    fixture.bed.clock.advance(time::Duration::seconds(90));
    process
        .wait_for_complaint(&["consumer test-effects", "90 s old"])
        .await?;
    assert!(fixture.effects().await?.is_empty());
    fixture.handler.not_yet.store(false, Ordering::SeqCst);
    fixture.wait_for_effects(&numbered_codes("e", 10)).await?;
    process.wait_until_ready().await?;
    assert!(fixture.wait_for_letters(0).await?.is_empty());
    fixture.finish(process).await?;
    Ok(())
}

/// A missing right or table is not the fault of an event: nothing is parked, everything arrives after the fix.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_of_the_schema_parks_nothing() -> TestResult {
    let fixture = BusFixture::start().await?;
    let owner = fixture.bed.schema_pool().await?;
    sqlx::query("revoke insert on effect from bus_test")
        .execute(&owner)
        .await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("e", 20)).await?;
    eventually("several tries", WAIT_TIMEOUT, async || {
        let batches = fixture.handler.batches.lock();
        batches.unwrap_or_else(PoisonError::into_inner).len() >= 3
    })
    .await?;
    fixture.wait_for_letters(0).await?;
    sqlx::query("grant insert on effect to bus_test")
        .execute(&owner)
        .await?;
    fixture.wait_for_effects(&numbered_codes("e", 20)).await?;
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_that_are_no_events_of_ours_are_parked_whole() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    let subject = fixture.bed.bus.subject(test_event("").event_type());
    let spoiled = |spoil: fn(&mut Envelope)| {
        let mut envelope = test_event("x").to_envelope();
        spoil(&mut envelope);
        prost::Message::encode_to_vec(&EventBatch {
            events: vec![envelope],
        })
    };
    let messages = [
        vec![0xff; 40],
        spoiled(|e| e.event_id = vec![1; 3].into()),
        spoiled(|e| e.occurred_at = None),
        spoiled(|e| e.event_type = "a\0b".to_owned()),
        spoiled(|e| e.traceparent = "\0".to_owned()),
        spoiled(|e| {
            e.occurred_at = Some(prost_types::Timestamp {
                seconds: -300_000_000_000,
                nanos: 0,
            });
        }),
        spoiled(|e| e.event_type = "credit.catalog.events.v1.Stranger".to_owned()),
        spoiled(|e| e.payload = vec![0xff; 9].into()),
    ];
    let count = messages.len();
    for message in messages {
        fixture.bed.publish_raw(&subject, message).await?;
    }
    // An empty batch is no event and no letter.
    fixture.bed.publish_raw(&subject, Vec::new()).await?;
    let letters = fixture.wait_for_letters(count).await?;
    let with = |reason: &str| letters.iter().filter(|l| l.reason.contains(reason)).count();
    assert_eq!(with("message is no event batch"), count - 2);
    assert_eq!(with("not subscribed"), 1);
    assert_eq!(with("does not decode"), 1);
    fixture.emit_codes(&["next"]).await?;
    fixture.wait_for_effects(&["next"]).await?;
    dead_letters::drop_letters(&fixture.pool, &[]).await?;
    fixture.finish(process).await?;
    Ok(())
}
