//! NATS fails, loses its disk or is full; PostgreSQL restarts: nothing is lost or double.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use event_bus::outbox;
use testkit::{
    TestResult, TestServers, eventually, private_nats, private_postgres, proxy::TcpProxy,
    test_bed::TestBedPlan,
};
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::Field,
    span::{Attributes, Id, Record},
};

use crate::fixture::{
    BusFixture, LANE, SERVICE, WAIT_TIMEOUT, numbered_codes, provision_eventually, test_event_named,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_with_nats_away_appending_goes_on_and_everything_arrives_later() -> TestResult {
    let nats = private_nats().await?;
    let fixture = BusFixture::start_on(nats.url()).await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("before", 50)).await?;
    fixture
        .wait_for_effects(&numbered_codes("before", 50))
        .await?;
    fixture.bed.wait_until_settled().await?;

    nats.kill9().await?;
    fixture.emit_codes(&numbered_codes("during", 50)).await?;
    fixture.bed.clock.advance(time::Duration::seconds(90));
    process
        .wait_for_complaint(&["outbox catalog", "90 s old"])
        .await?;
    process
        .wait_for_complaint(&["consumer test-effects"])
        .await?;
    assert_eq!(outbox::count_unpublished(&fixture.pool).await?, 50);

    nats.restart().await?;
    fixture.bed.rebuild_lost_streams().await?;
    let all = [numbered_codes("before", 50), numbered_codes("during", 50)].concat();
    fixture.wait_for_effects(&all).await?;
    process.wait_until_ready().await?;
    fixture.finish(process).await?;
    Ok(())
}

/// A server that restarts while batches are in flight must not leave a lane waiting for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_nats_under_load_leave_no_lane_behind() -> TestResult {
    let nats = private_nats().await?;
    let fixture = BusFixture::start_on(nats.url()).await?;
    let process = fixture.running().await?;
    let (mut sent, mut lost) = (Vec::new(), 0);
    for round in 0..6 {
        for part in 0..5 {
            let some = numbered_codes(&format!("r{round}-{part}-"), 40);
            fixture.emit_codes(&some).await?;
            sent.extend(some);
        }
        if round % 2 == 1 {
            nats.kill9().await?;
            nats.restart().await?;
            lost += usize::from(fixture.bed.rebuild_lost_streams().await?);
        }
    }
    println!("streams that did not come back: {lost}");
    fixture.wait_for_effects(&sent).await?;
    fixture.finish(process).await?;
    Ok(())
}

/// A tracing subscriber that collects the warnings of this process.
#[derive(Clone, Default)]
struct WarningCollector(Arc<Mutex<Vec<String>>>);

impl Subscriber for WarningCollector {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && *metadata.level() <= Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut line = String::new();
        event.record(&mut |field: &Field, value: &dyn Debug| {
            line.push_str(&format!("{field}={value:?} "));
        });
        self.0.lock().unwrap().push(line);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The line falls silent and then breaks: a request is never answered. The consumer must not
/// wait for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_whose_request_is_lost_asks_again() -> TestResult {
    let shared = testkit::test_servers()?;
    let (line, nats_url) = TcpProxy::in_front_of(&shared.nats_url).await?;
    let fixture = BusFixture::start_on(&nats_url).await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("before", 20)).await?;
    fixture
        .wait_for_effects(&numbered_codes("before", 20))
        .await?;
    // All is acknowledged: from here on the consumer only fetches.
    fixture.bed.wait_until_settled().await?;
    process.wait_until_ready().await?;
    let complaints = WarningCollector::default();
    tracing::subscriber::set_global_default(complaints.clone())?;
    line.stall_traffic();
    // The lane reports this only until its next try, so its reports are kept: a late poll cannot miss one.
    eventually("the consumer gives up waiting", WAIT_TIMEOUT, async || {
        let said = complaints.0.lock().unwrap().clone();
        let found = said
            .iter()
            .any(|line| line.contains(LANE) && line.contains("does not answer"));
        found.then_some(()).ok_or(said)
    })
    .await?;
    process
        .wait_for_complaint(&["consumer test-effects"])
        .await?;
    line.cut_connections().await;
    line.restore_traffic();
    fixture.emit_codes(&numbered_codes("after", 20)).await?;
    fixture
        .wait_for_effects(&[numbered_codes("before", 20), numbered_codes("after", 20)].concat())
        .await?;
    process.wait_until_ready().await?;
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_whose_files_are_gone_are_rebuilt_from_the_outbox() -> TestResult {
    let nats = private_nats().await?;
    let fixture = BusFixture::start_on(nats.url()).await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("handled", 300)).await?;
    fixture
        .wait_for_effects(&numbered_codes("handled", 300))
        .await?;
    fixture.bed.wait_until_settled().await?;
    process.stop().await?;

    // Published and not handled when the disk is lost: only the outbox still has them.
    let process = fixture.process().await?;
    fixture.start_relay(&process);
    fixture.emit_codes(&numbered_codes("lost", 300)).await?;
    eventually("all is published", WAIT_TIMEOUT, async || {
        let left = outbox::count_unpublished(&fixture.pool).await;
        left.is_ok_and(|left| left == 0)
    })
    .await?;
    assert!(fixture.messages().await? > 0);
    process.stop().await?;
    nats.wipe_files().await?;
    nats.restart().await?;

    // A running service reports what is missing, and does not make a stream by itself.
    let missing = crate::fixture::bus_with(&fixture, |_| ()).await?;
    let name = missing.stream_name(SERVICE);
    eventually("the stream is lost", WAIT_TIMEOUT, async || {
        match fixture.bed.jetstream().get_stream(&name).await {
            Ok(_) => Err("it is there".to_owned()),
            Err(error) if error.to_string().contains("not found") => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    })
    .await?;
    let created = provision_eventually(&missing).await?;
    // Nothing when the answer to the try that made it was lost.
    assert!(created.iter().all(|one| *one == name), "{created:?}");
    outbox::rewind_outbox(&fixture.pool).await?;
    let process = fixture.running().await?;
    let all = [numbered_codes("handled", 300), numbered_codes("lost", 300)].concat();
    fixture.wait_for_effects(&all).await?;
    process.wait_until_ready().await?;
    fixture.finish(process).await?;
    Ok(())
}

/// The same while the service runs: its lanes complain by name, and recover by themselves once
/// the operator has rebuilt the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_service_recovers_when_its_stream_is_rebuilt() -> TestResult {
    let nats = private_nats().await?;
    let fixture = BusFixture::start_on(nats.url()).await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("before", 20)).await?;
    fixture
        .wait_for_effects(&numbered_codes("before", 20))
        .await?;
    fixture.bed.wait_until_settled().await?;
    nats.wipe_files().await?;
    nats.restart().await?;
    fixture.emit_codes(&numbered_codes("after", 20)).await?;
    process
        .wait_for_complaint(&["consumer test-effects", "credit streams rebuild"])
        .await?;
    assert_eq!(outbox::count_unpublished(&fixture.pool).await?, 20);

    let operator = crate::fixture::bus_with(&fixture, |_| ()).await?;
    provision_eventually(&operator).await?;
    outbox::rewind_outbox(&fixture.pool).await?;
    let all = [numbered_codes("before", 20), numbered_codes("after", 20)].concat();
    fixture.wait_for_effects(&all).await?;
    process.wait_until_ready().await?;
    fixture.finish(process).await?;
    Ok(())
}

/// A full stream is back-pressure: the outbox waits, its lane reports it, and nothing is dropped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_stream_makes_the_outbox_wait() -> TestResult {
    let limit = 4 * 1024 * 1024;
    let fixture =
        BusFixture::start_with(|plan: &mut TestBedPlan<'_>| plan.max_stream_bytes = limit).await?;
    let name = "满".repeat(250_000);
    let events: Vec<_> = numbered_codes("big", 14)
        .iter()
        .map(|code| test_event_named(code, &name))
        .collect();
    fixture.emit(&events).await?;
    let process = fixture.process().await?;
    let relay = fixture.start_relay(&process);
    eventually("the stream is full", WAIT_TIMEOUT, async || {
        fixture.messages().await.is_ok_and(|messages| messages >= 4)
    })
    .await?;
    fixture.bed.clock.advance(time::Duration::seconds(90));
    process
        .wait_for_complaint(&["outbox catalog", "90 s old"])
        .await?;
    assert_eq!(outbox::count_unpublished(&fixture.pool).await?, 14);

    fixture.start_consumer(&process, Some(relay));
    fixture.wait_for_effects(&numbered_codes("big", 14)).await?;
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restarts_of_postgresql_lose_and_double_nothing() -> TestResult {
    let postgres = private_postgres().await?;
    let servers = TestServers {
        database_url: postgres.url().to_owned(),
        ..testkit::test_servers()?
    };
    let fixture = BusFixture::start_with(|plan| plan.servers = servers).await?;
    let process = fixture.running().await?;
    let mut sent = Vec::new();
    for round in 0..4 {
        let some = numbered_codes(&format!("r{round}-"), 200);
        fixture.emit_codes(&some).await?;
        sent.extend(some);
        if round % 2 == 0 {
            postgres.kill9().await?;
        } else {
            postgres.stop().await?;
        }
        postgres.restart().await?;
    }
    fixture.wait_for_effects(&sent).await?;
    process.wait_until_ready().await?;
    fixture.finish(process).await?;
    Ok(())
}
