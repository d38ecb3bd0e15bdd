//! Which streams and consumers exist. Services declare their part; the platform puts the parts
//! together and provisions: creates what is missing, then compares what is there, because the
//! server's "get or create" keeps an old configuration without an error. The one difference that is
//! put right is a consumer that wants more event types than before: a release may add one.

use std::time::Duration;

use async_nats::jetstream::{
    consumer::{self, AckPolicy, DeliverPolicy},
    context::{ConsumerInfoErrorKind, GetStreamErrorKind},
    stream::{self, DiscardPolicy, RetentionPolicy, StorageType},
};

use crate::Bus;

/// The stream of a service that emits.
#[derive(Clone, Copy, Debug)]
pub struct StreamSpec {
    /// The producing service, for instance `ingest`.
    pub service: &'static str,
    /// Size at which the stream refuses more and the outbox waits, bytes.
    pub max_bytes: i64,
}

/// What a service consumes from one producer.
#[derive(Clone, Copy, Debug)]
pub struct Subscription {
    /// Durable name, for instance `validation-records`.
    pub consumer: &'static str,
    /// The producing service.
    pub from: &'static str,
    /// Full protobuf names of the event types.
    pub events: &'static [&'static str],
    /// Events handed to the handler at once, at most.
    pub max_batch: usize,
}

/// All streams and subscriptions of a platform.
#[derive(Clone, Debug, Default)]
pub struct Topology {
    streams: Vec<StreamSpec>,
    subscriptions: Vec<Subscription>,
}

/// Why provisioning failed.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// The server did not answer or refused.
    #[error("JetStream: {what} {name}: {detail}")]
    Server {
        /// What was being done.
        what: &'static str,
        /// Stream or consumer.
        name: String,
        /// The server's error message.
        detail: String,
    },
    /// It exists with another configuration; the operator decides, nothing is overwritten.
    #[error("JetStream: {name} exists with {field} = {have}, wanted {want}")]
    Differs {
        /// Stream or consumer.
        name: String,
        /// Configuration field.
        field: &'static str,
        /// As it is.
        have: String,
        /// As it should be.
        want: String,
    },
    /// A subscription names a producer without a stream.
    #[error("consumer {consumer} subscribes to {from}, which has no stream")]
    NoStream {
        /// The durable name.
        consumer: &'static str,
        /// The producer.
        from: &'static str,
    },
}

impl Topology {
    /// Puts the parts of several services together.
    pub fn new(streams: &[StreamSpec], subscriptions: &[Subscription]) -> Self {
        Self {
            streams: streams.to_vec(),
            subscriptions: subscriptions.to_vec(),
        }
    }

    /// Adds one service's part.
    pub fn add(&mut self, stream: Option<StreamSpec>, subscriptions: &[Subscription]) {
        self.streams.extend(stream);
        self.subscriptions.extend_from_slice(subscriptions);
    }

    /// Every subscription has its stream.
    pub fn check(&self) -> Result<(), ProvisionError> {
        for subscription in &self.subscriptions {
            if !self.streams.iter().any(|s| s.service == subscription.from) {
                return Err(ProvisionError::NoStream {
                    consumer: subscription.consumer,
                    from: subscription.from,
                });
            }
        }
        Ok(())
    }
}

pub(crate) async fn provision_topology(
    bus: &Bus,
    topology: &Topology,
) -> Result<Vec<String>, ProvisionError> {
    topology.check()?;
    let mut created = Vec::new();
    for spec in &topology.streams {
        let wanted = stream_config(bus, spec);
        // A consumer must exist before its stream can take events, or interest retention drops
        // them; so a stream that is created now gets its consumers before anything else happens,
        // and relays retry until the stream is there.
        let (stream, mut is_new) = create_or_get(bus, &wanted).await?;
        let have = &stream.cached_info().config;
        let name = &wanted.name;
        ensure_equal(name, "subjects", &have.subjects, &wanted.subjects)?;
        ensure_equal(name, "retention", &have.retention, &wanted.retention)?;
        ensure_equal(name, "storage", &have.storage, &wanted.storage)?;
        ensure_equal(name, "discard", &have.discard, &wanted.discard)?;
        ensure_equal(name, "max_bytes", &have.max_bytes, &wanted.max_bytes)?;
        // Each of these would make the server drop events that a consumer still waits for.
        ensure_equal(name, "max_age", &have.max_age, &wanted.max_age)?;
        ensure_equal(
            name,
            "max_messages",
            &have.max_messages,
            &unlimited(wanted.max_messages),
        )?;
        ensure_equal(
            name,
            "max_messages_per_subject",
            &have.max_messages_per_subject,
            &unlimited(wanted.max_messages_per_subject),
        )?;
        ensure_equal(
            name,
            "num_replicas",
            &have.num_replicas,
            &wanted.num_replicas,
        )?;
        for subscription in topology
            .subscriptions
            .iter()
            .filter(|s| s.from == spec.service)
        {
            is_new |= provision_consumer(bus, &stream, subscription).await?;
        }
        if is_new {
            created.push(wanted.name.clone());
        }
    }
    Ok(created)
}

/// The stream, and whether it was created now.
async fn create_or_get(
    bus: &Bus,
    wanted: &stream::Config,
) -> Result<(stream::Stream, bool), ProvisionError> {
    let failed = |what, detail: String| ProvisionError::Server {
        what,
        name: wanted.name.clone(),
        detail,
    };
    match bus.jetstream.get_stream(&wanted.name).await {
        Ok(stream) => return Ok((stream, false)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(answer)
                if answer.error_code() == async_nats::jetstream::ErrorCode::STREAM_NOT_FOUND => {}
            _ => return Err(failed("looking up stream", error.to_string())),
        },
    }
    match bus.jetstream.create_stream(wanted.clone()).await {
        Ok(stream) => Ok((stream, true)),
        // Another process of the platform may have been faster.
        Err(error) => bus
            .jetstream
            .get_stream(&wanted.name)
            .await
            .map(|stream| (stream, false))
            .map_err(|_| failed("creating stream", error.to_string())),
    }
}

/// Whether the consumer was created now, or wants more event types than it did: either way earlier events
/// are missing for it.
async fn provision_consumer(
    bus: &Bus,
    stream: &stream::Stream,
    subscription: &Subscription,
) -> Result<bool, ProvisionError> {
    let wanted = consumer_config(bus, subscription);
    let failed = |what, detail: String| ProvisionError::Server {
        what,
        name: subscription.consumer.to_owned(),
        detail,
    };
    let is_new = stream
        .consumer_info(subscription.consumer)
        .await
        .is_err_and(|error| error.kind() == ConsumerInfoErrorKind::NotFound);
    // Strict creation fails when it exists with another configuration and succeeds when equal.
    let created = stream.create_consumer_strict(wanted.clone()).await;
    let info = match created {
        Ok(consumer) => consumer.cached_info().clone(),
        Err(error) => stream
            .consumer_info(subscription.consumer)
            .await
            .map_err(|_| failed("creating consumer", error.to_string()))?,
    };
    let have = &info.config;
    let name = subscription.consumer;
    let grown = has_grown(&filters(have), &wanted.filter_subjects);
    if !grown {
        ensure_equal(
            name,
            "filter_subjects",
            &filters(have),
            &wanted.filter_subjects,
        )?;
    }
    ensure_equal(
        name,
        "deliver_policy",
        &have.deliver_policy,
        &wanted.deliver_policy,
    )?;
    ensure_equal(name, "ack_policy", &have.ack_policy, &wanted.ack_policy)?;
    ensure_equal(name, "ack_wait", &have.ack_wait, &wanted.ack_wait)?;
    ensure_equal(name, "max_deliver", &have.max_deliver, &wanted.max_deliver)?;
    ensure_equal(
        name,
        "max_ack_pending",
        &have.max_ack_pending,
        &wanted.max_ack_pending,
    )?;
    if grown {
        // What was delivered and what waits stays: only the list of subjects changes.
        stream
            .update_consumer(wanted.clone())
            .await
            .map_err(|error| failed("updating consumer", error.to_string()))?;
        tracing::info!(
            consumer = name,
            before = ?filters(have),
            now = ?wanted.filter_subjects,
            "consumer wants more event types from now on"
        );
    }
    Ok(is_new || grown)
}

/// Whether everything of `have` is wanted still, and something more.
fn has_grown(have: &[String], want: &[String]) -> bool {
    // A consumer without a filter gets everything already.
    !have.is_empty() && want.len() > have.len() && have.iter().all(|subject| want.contains(subject))
}

/// The server writes "no limit" as -1.
fn unlimited(limit: i64) -> i64 {
    if limit == 0 { -1 } else { limit }
}

/// The server folds a single filter into `filter_subject`.
fn filters(config: &consumer::Config) -> Vec<String> {
    if config.filter_subject.is_empty() {
        config.filter_subjects.clone()
    } else {
        vec![config.filter_subject.clone()]
    }
}

fn ensure_equal<T: PartialEq + std::fmt::Debug>(
    name: &str,
    field: &'static str,
    have: &T,
    want: &T,
) -> Result<(), ProvisionError> {
    if have == want {
        return Ok(());
    }
    Err(ProvisionError::Differs {
        name: name.to_owned(),
        field,
        have: format!("{have:?}"),
        want: format!("{want:?}"),
    })
}

fn stream_config(bus: &Bus, spec: &StreamSpec) -> stream::Config {
    let max_bytes = match bus.config.max_stream_bytes {
        0 => spec.max_bytes,
        limit => limit,
    };
    stream::Config {
        name: bus.stream_name(spec.service),
        subjects: vec![bus.subject(&format!(
            "credit.{}.events.>",
            spec.service.replace('-', "")
        ))],
        // A message stays until every consumer has acknowledged it: the size limit then is
        // back-pressure on the outbox, never a loss.
        retention: RetentionPolicy::Interest,
        discard: DiscardPolicy::New,
        storage: StorageType::File,
        max_bytes,
        duplicate_window: Duration::from_secs(120),
        num_replicas: bus.config.replicas,
        ..stream::Config::default()
    }
}

pub(crate) fn consumer_config(bus: &Bus, subscription: &Subscription) -> consumer::pull::Config {
    consumer::pull::Config {
        durable_name: Some(subscription.consumer.to_owned()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from_secs(bus.config.ack_wait_seconds),
        // Never: a server that gives up does so silently. Poison is parked by the consumer.
        max_deliver: -1,
        max_ack_pending: 1_000,
        filter_subjects: subscription
            .events
            .iter()
            .map(|event| bus.subject(event))
            .collect(),
        ..consumer::pull::Config::default()
    }
}
