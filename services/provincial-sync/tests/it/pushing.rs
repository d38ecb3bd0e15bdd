//! The way of a version to the province, everything in order.

use proto::credit::provincialsync::v1::PushState;
use service_kit::telemetry::{Telemetry, TelemetryConfig};
use testkit::eventually;
use uuid::Uuid;

use crate::{
    fake_upstream::{FakeBehaviour, acknowledgement_number},
    fixture::{ProvincialSyncFixture, TRACE, WAIT_TIMEOUT, get_push, get_statistics},
};

#[tokio::test]
async fn r10_every_stored_version_reaches_the_province_in_batches() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    fixture.announce_versions(450).await;
    fixture.wait_for_acknowledged(&client, 450).await;
    fixture.assert_announced_once(450).await;
    let found = get_push(&client, 17).await;
    assert_eq!(found.state(), PushState::Acknowledged);
    assert_eq!(
        found.acknowledgement,
        acknowledgement_number(&Uuid::from_u128(17).to_string())
    );
    assert!(found.acknowledged_at.is_some() && found.last_error.is_empty());
    fixture.upstream.observe(|seen| {
        assert!(seen.largest_batch <= 200 && seen.repeated == 0);
        assert!(seen.calls < 100, "{} calls for 450 records", seen.calls);
        assert_eq!(seen.tokens.len(), 1);
        assert!(seen.tokens.contains("Bearer provincial-token"));
        let record = &seen.stored[&Uuid::from_u128(17).to_string()];
        assert_eq!(record.values["XK_WSH"], "长市监许〔2026〕17号");
        assert_eq!((record.item_version, record.revision), (1, 1));
    });
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn versions_out_of_order_and_repeated_are_pushed_once_each() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    // One key: its versions 3, 1, 2; version 1 again as the same event, version 2 as another.
    let versions: Vec<_> = [(30, 3), (10, 1), (20, 2)]
        .map(|(id, revision)| fixture.version(id, revision))
        .into();
    let mut events: Vec<_> = versions.iter().map(|v| fixture.event(v)).collect();
    events.push(events[1].clone());
    events.push(fixture.event(&versions[2]));
    fixture.bed.publish(&events).await.unwrap();
    fixture.wait_for_acknowledged(&client, 3).await;
    fixture.bed.publish(&events[..2]).await.unwrap();
    fixture
        .bed
        .publish(&[fixture.event(&versions[0])])
        .await
        .unwrap();
    fixture.bed.wait_until_settled().await.unwrap();
    assert_eq!(get_statistics(&client).await.acknowledged, 3);
    fixture.assert_announced_once(3).await;
    assert_eq!(fixture.upstream.observe(|seen| seen.repeated), 0);
    let revision = |id| {
        fixture
            .upstream
            .observe(|seen| seen.stored[&Uuid::from_u128(id).to_string()].revision)
    };
    assert_eq!([revision(10), revision(20), revision(30)], [1, 2, 3]);
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn a_slow_province_gets_several_batches_at_once_and_no_transaction_waits_for_it() {
    let mut fixture = ProvincialSyncFixture::new().await;
    fixture.config.batch_size = 10;
    fixture.config.batches_in_flight = 3;
    // The test lets the calls go, no deadline.
    fixture.config.push_deadline_ms = 3_600_000;
    fixture.config.lease_ms = 7_200_000;
    fixture.upstream.set_behaviour(FakeBehaviour {
        hold_before_storing: true,
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    fixture.announce_versions(100).await;
    eventually("three calls at once", WAIT_TIMEOUT, async || {
        fixture.upstream.observe(|seen| seen.in_flight) == 3
    })
    .await
    .unwrap();
    fixture.bed.wait_until_settled().await.unwrap();
    eventually("no open transaction", WAIT_TIMEOUT, async || {
        let open: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_activity
             where datname = current_database() and application_name = $1
               and state like 'idle in transaction%'",
        )
        .bind(provincial_sync::SCHEMA)
        .fetch_one(&fixture.bed.owner_pool)
        .await
        .unwrap();
        open == 0
    })
    .await
    .unwrap();
    assert_eq!(fixture.upstream.stored(), 0);
    fixture.upstream.set_behaviour(FakeBehaviour::default());
    fixture.wait_for_acknowledged(&client, 100).await;
    fixture.assert_announced_once(100).await;
    assert_eq!(fixture.upstream.observe(|seen| seen.max_in_flight), 3);
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn the_trace_of_a_sampled_record_goes_on_to_the_province_and_to_the_event() {
    let fixture = ProvincialSyncFixture::new().await;
    let mut context = fixture.bed.context.clone();
    context.telemetry = Telemetry::start(
        &TelemetryConfig {
            // Nobody listens there: only the contexts count here.
            otlp_endpoint: "http://127.0.0.1:9".to_owned(),
            sample_ratio: 0.0,
        },
        "test",
    )
    .unwrap();
    let client = fixture.start_with(context).await;
    let now = service_kit::clock::Clock::now(&fixture.bed.clock);
    let sampled = event_bus::NewEvent::new(&fixture.version(1, 1), now, TRACE);
    let events = [sampled, fixture.event(&fixture.version(2, 1))];
    fixture.bed.publish(&events).await.unwrap();
    fixture.wait_for_acknowledged(&client, 2).await;
    let traces = fixture.upstream.observe(|seen| {
        [1, 2].map(|id| {
            seen.stored[&Uuid::from_u128(id).to_string()]
                .traceparent
                .clone()
        })
    });
    assert_eq!(traces[0][..36], TRACE[..36], "same trace, another span");
    assert_ne!(traces[0], TRACE);
    assert_eq!(traces[1], "");
    let pool = fixture.bed.schema_pool().await.unwrap();
    let emitted: Vec<String> = sqlx::query_scalar("select traceparent from outbox order by 1")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(emitted, ["", traces[0].as_str()]);
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}
