//! Provisioning creates what is missing and compares what is there; it overwrites nothing, but a consumer may
//! come to want more event types.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use async_nats::jetstream::stream::{Config, RetentionPolicy};
use event_bus::{ProvisionError, StreamSpec, Subscription, Topology, outbox};
use testkit::TestResult;

use crate::fixture::{
    BusFixture, EffectHandler, STREAM, SUBSCRIPTION, bus_with, numbered_codes, test_topology,
};

fn differs(outcome: Result<Vec<String>, ProvisionError>) -> (String, &'static str) {
    match outcome {
        Err(ProvisionError::Differs { name, field, .. }) => (name, field),
        other => panic!("expected a difference, got {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_exists_with_other_settings_is_named_and_left_alone() -> TestResult {
    let fixture = BusFixture::start().await?;
    let name = fixture.bed.bus.stream_name(STREAM.service);
    assert!(
        fixture
            .bed
            .bus
            .provision(&test_topology())
            .await?
            .is_empty()
    );

    let smaller = bus_with(&fixture, |config| config.max_stream_bytes = 1 << 20).await?;
    assert_eq!(
        differs(smaller.provision(&test_topology()).await),
        (name.clone(), "max_bytes")
    );
    let hasty = bus_with(&fixture, |config| config.ack_wait_seconds = 1).await?;
    assert_eq!(
        differs(hasty.provision(&test_topology()).await),
        (SUBSCRIPTION.consumer.to_owned(), "ack_wait")
    );
    let other = Subscription {
        events: &["credit.catalog.events.v1.ItemVersionPublished"],
        ..SUBSCRIPTION
    };
    assert_eq!(
        differs(
            fixture
                .bed
                .bus
                .provision(&Topology::new(&[STREAM], &[other]))
                .await
        ),
        (SUBSCRIPTION.consumer.to_owned(), "filter_subjects")
    );
    // Nothing of it was taken over.
    assert!(
        fixture
            .bed
            .bus
            .provision(&test_topology())
            .await?
            .is_empty()
    );
    let process = fixture.process().await?;
    fixture.finish(process).await?;
    Ok(())
}

/// A release that wants one more event type starts on the streams of the release before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_wants_more_event_types_is_updated_and_reported() -> TestResult {
    const GROWN: Subscription = Subscription {
        events: &[
            "credit.catalog.events.v1.ItemRetired",
            "credit.catalog.events.v1.ProviderRegistered",
        ],
        ..SUBSCRIPTION
    };
    const REPLACED: Subscription = Subscription {
        events: &[
            "credit.catalog.events.v1.ItemRetired",
            "credit.catalog.events.v1.ItemVersionPublished",
        ],
        ..SUBSCRIPTION
    };
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    let name = fixture.bed.bus.stream_name(STREAM.service);
    let with = |subscription| Topology::new(&[STREAM], &[subscription]);
    let subjects = async || -> Result<Vec<String>> {
        let stream = fixture.bed.jetstream().get_stream(&name).await?;
        let config = stream.consumer_info(SUBSCRIPTION.consumer).await?.config;
        Ok(config.filter_subjects)
    };

    // More subjects do not excuse another difference, nor do others in place of the old ones.
    let hasty = bus_with(&fixture, |config| config.ack_wait_seconds = 1).await?;
    assert_eq!(
        differs(hasty.provision(&with(GROWN)).await),
        (SUBSCRIPTION.consumer.to_owned(), "ack_wait")
    );
    assert_eq!(
        differs(fixture.bed.bus.provision(&with(REPLACED)).await),
        (SUBSCRIPTION.consumer.to_owned(), "filter_subjects")
    );
    assert!(
        fixture
            .bed
            .bus
            .provision(&test_topology())
            .await?
            .is_empty()
    );

    let grown = fixture.bed.bus.provision(&with(GROWN)).await;
    assert!(
        matches!(&grown, Ok(names) if *names == [name.clone()]),
        "{grown:?}"
    );
    let wanted = GROWN
        .events
        .iter()
        .map(|event| fixture.bed.bus.subject(event));
    assert_eq!(subjects().await?, wanted.collect::<Vec<_>>());
    assert!(fixture.bed.bus.provision(&with(GROWN)).await?.is_empty());
    // The release before would miss events that are in flight: refused.
    assert_eq!(
        differs(fixture.bed.bus.provision(&test_topology()).await),
        (SUBSCRIPTION.consumer.to_owned(), "filter_subjects")
    );

    // The lane works on.
    fixture.emit_codes(&numbered_codes("e", 10)).await?;
    fixture.wait_for_effects(&numbered_codes("e", 10)).await?;
    fixture.finish(process).await?;
    Ok(())
}

/// A consumer that comes later has missed everything before; provisioning reports it, and a rewind
/// gives it all without a second effect for the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_comes_later_gets_everything_by_a_rewind() -> TestResult {
    const LATE: Subscription = Subscription {
        consumer: "test-late",
        ..SUBSCRIPTION
    };
    let fixture = BusFixture::start().await?;
    let process = fixture.running().await?;
    fixture.emit_codes(&numbered_codes("e", 100)).await?;
    fixture.wait_for_effects(&numbered_codes("e", 100)).await?;
    fixture.bed.wait_until_settled().await?;

    let more = Topology::new(&[STREAM], &[SUBSCRIPTION, LATE]);
    let name = fixture.bed.bus.stream_name(STREAM.service);
    assert_eq!(fixture.bed.bus.provision(&more).await?, [name]);
    assert!(fixture.bed.bus.provision(&more).await?.is_empty());
    let handler = Arc::new(EffectHandler::default());
    process
        .bus
        .start_consumer(&LATE, &fixture.pool, handler, None, &process.context);
    outbox::rewind_outbox(&fixture.pool).await?;
    // Both handlers write into one table: twice each, by two consumers.
    let twice = [numbered_codes("e", 100), numbered_codes("e", 100)].concat();
    fixture.wait_for_effects(&twice).await?;
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_would_drop_events_is_refused_by_field() -> TestResult {
    type StreamConfigEdit = fn(&mut Config);
    let fixture = BusFixture::start().await?;
    let table: &[(&'static str, StreamConfigEdit)] = &[
        ("retention", |c| c.retention = RetentionPolicy::Limits),
        ("max_age", |c| c.max_age = Duration::from_secs(3600)),
        ("max_messages", |c| c.max_messages = 1000),
        ("max_messages_per_subject", |c| {
            c.max_messages_per_subject = 1
        }),
        ("discard", |c| {
            c.discard = async_nats::jetstream::stream::DiscardPolicy::Old
        }),
        ("subjects", |c| c.subjects.push(format!("{}.more", c.name))),
    ];
    let good = fixture
        .bed
        .jetstream()
        .get_stream(fixture.bed.bus.stream_name(STREAM.service))
        .await?
        .cached_info()
        .config
        .clone();
    for (number, (field, spoil)) in table.iter().enumerate() {
        let namespace = format!("{}-{number}", fixture.bed.bus_config.namespace);
        let bus = bus_with(&fixture, |config| config.namespace = namespace.clone()).await?;
        let name = bus.stream_name(STREAM.service);
        let mut config = Config {
            name: name.clone(),
            subjects: vec![bus.subject("credit.catalog.events.>")],
            ..good.clone()
        };
        spoil(&mut config);
        fixture.bed.jetstream().create_stream(config).await?;
        assert_eq!(
            differs(bus.provision(&test_topology()).await),
            (name.clone(), *field)
        );
        fixture.bed.jetstream().delete_stream(&name).await?;
    }
    let process = fixture.process().await?;
    fixture.finish(process).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_without_a_stream_is_an_error_before_anything_is_made() -> TestResult {
    let fixture = BusFixture::start().await?;
    let stranger = Subscription {
        consumer: "stranger",
        from: "nobody",
        ..SUBSCRIPTION
    };
    let second = StreamSpec {
        service: "objection",
        ..STREAM
    };
    let outcome = fixture
        .bed
        .bus
        .provision(&Topology::new(&[second], &[stranger]))
        .await;
    assert!(
        matches!(
            &outcome,
            Err(ProvisionError::NoStream {
                consumer: "stranger",
                from: "nobody"
            })
        ),
        "{outcome:?}"
    );
    let made = fixture
        .bed
        .jetstream()
        .get_stream(fixture.bed.bus.stream_name("objection"));
    assert!(made.await.is_err());
    let process = fixture.process().await?;
    fixture.finish(process).await?;
    Ok(())
}
