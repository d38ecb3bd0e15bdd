//! Everything comes again sometimes: the inbox makes it one effect.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Result;
use event_bus::{FaultInjection, FaultPoint, outbox};
use testkit::TestResult;

use crate::fixture::{BusFixture, numbered_codes, test_event};

/// Panics when `point` is reached for the `nth` time.
fn panic_at(point: FaultPoint, nth: usize) -> FaultInjection {
    let seen = Arc::new(AtomicUsize::new(0));
    FaultInjection::with_callback(move |reached| {
        if reached == point && seen.fetch_add(1, Ordering::SeqCst) + 1 == nth {
            panic!("power cut at {}", point.name());
        }
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_batch_twice_is_one_effect() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    let events: Vec<_> = numbered_codes("e", 50)
        .iter()
        .map(|code| test_event(code))
        .collect();
    fixture.bed.publish(&events).await?;
    fixture.wait_for_effects(&numbered_codes("e", 50)).await?;
    // Again as it was, and again in other company and order.
    fixture.bed.publish(&events).await?;
    let mut mixed: Vec<_> = events.iter().rev().cloned().collect();
    mixed.insert(25, test_event("new"));
    mixed.push(events[0].clone());
    fixture.bed.publish(&mixed).await?;
    fixture.bed.wait_until_settled().await?;
    fixture
        .wait_for_effects(&[numbered_codes("e", 50), vec!["new".to_owned()]].concat())
        .await?;
    fixture.finish(process).await?;
    Ok(())
}

/// the process dies at each fault point; the next one ends in the same state.
async fn survives_death_at(point: FaultPoint) -> Result<()> {
    let fixture = BusFixture::start().await?;
    let dying = fixture.process_with(panic_at(point, 2)).await?;
    fixture.start_all(&dying);
    let mut sent = Vec::new();
    for round in 0..3 {
        let some = numbered_codes(&format!("r{round}-"), 30);
        fixture.emit_codes(&some).await?;
        sent.extend(some);
        // Rounds must not travel in one message, so that the second reaches the point again.
        if round == 0 {
            fixture.wait_for_effects(&sent).await?;
        }
    }
    let why = dying.wait_for_crash().await?;
    assert!(why.contains("panicked"), "{why}");

    let process = fixture.running().await?;
    fixture.wait_for_effects(&sent).await?;
    fixture.finish(process).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_death_after_publishing_before_the_cursor_moved() -> TestResult {
    survives_death_at(FaultPoint::Published).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_death_after_handling_before_the_commit() -> TestResult {
    survives_death_at(FaultPoint::Handled).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_death_after_the_commit_before_the_acknowledgement() -> TestResult {
    survives_death_at(FaultPoint::HandledCommitted).await?;
    Ok(())
}

/// A rewind publishes everything again: those who know it stay as they are, those who lost their
/// state get everything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewind_fills_what_is_empty_and_doubles_nothing() -> TestResult {
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("e", 300)).await?;
    fixture.wait_for_effects(&numbered_codes("e", 300)).await?;
    fixture.bed.wait_until_settled().await?;

    outbox::rewind_outbox(&fixture.pool).await?;
    fixture.bed.wait_until_settled().await?;
    fixture.wait_for_effects(&numbered_codes("e", 300)).await?;

    let owner = fixture.bed.schema_pool().await?;
    sqlx::raw_sql(
        "truncate inbox; truncate effect; delete from outbox where event_type like '%ItemVersion%'",
    )
    .execute(&owner)
    .await?;
    outbox::rewind_outbox(&fixture.pool).await?;
    fixture.wait_for_effects(&numbered_codes("e", 300)).await?;
    fixture.finish(process).await?;
    Ok(())
}
