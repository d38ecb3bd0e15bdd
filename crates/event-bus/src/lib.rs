//! The bus discipline. A service emits by [`append_events`] in its business transaction and by nothing
//! else; its relay publishes the outbox to JetStream; consumers take batches, record what they
//! have handled in their inbox, and park what they cannot handle. Everything on JetStream
//! can be rebuilt from the outboxes. Services call this crate; only it names the NATS client.
//!
//! - [`outbox`]: [`append_events`], and the queries of the relay
//! - [`relay`]: publishes, one leader a schema
//! - [`consumer`]: batches from a stream into a handler's transaction
//! - [`dead_letters`]: list, retry, drop
//! - [`topology`]: streams and consumers, created and then compared
//! - [`faults`]: fault injection: named points at which tests simulate a crash

pub mod consumer;
pub mod dead_letters;
mod failure;
pub mod faults;
mod lag;
mod metrics;
pub mod outbox;
pub mod relay;
pub mod topology;

use std::{sync::Arc, time::Duration};

use async_nats::jetstream;
use bytes::Bytes;
use prost::{Message, Name};
use proto::credit::bus::v1::Envelope;
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext, config::ConfigError, config::Secret, db::Pool, telemetry::Telemetry,
};
use time::OffsetDateTime;
use tokio::sync::watch;
use uuid::Uuid;

pub use consumer::{BatchHandler, HandlerError};
pub use faults::{FaultInjection, FaultPoint};
pub use outbox::append_events;
pub use relay::Relay;
pub use topology::{ProvisionError, StreamSpec, Subscription, Topology};

/// The migrations of the bus's tables; run in each service's schema before the service's own.
pub fn migrations() -> sqlx::migrate::Migrator {
    sqlx::migrate!("./migrations")
}

/// Where the bus is.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct BusConfig {
    /// `nats://user:password@host:port`, several separated by commas for a cluster.
    pub url: Secret,
    /// First word of all subjects and stream names; two platforms can share a server.
    pub namespace: String,
    /// Replaces every stream's own size limit when not 0, bytes.
    pub max_stream_bytes: i64,
    /// Copies of each stream in a cluster: 1 or 3.
    pub replicas: usize,
    /// A lane whose oldest unfinished item is older is not ready, seconds.
    pub lane_limit_seconds: u64,
    /// After how long a message that was not acknowledged is delivered again, seconds: the pause
    /// after a crash of a consumer. Longer than the longest batch takes.
    pub ack_wait_seconds: u64,
}

/// Why the bus cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The URL's secret cannot be read.
    #[error("bus.url cannot be read")]
    Config(#[source] ConfigError),
    /// The URL is not one.
    #[error("bus.url is not a list of nats:// addresses")]
    Url(#[source] std::io::Error),
    /// The client cannot be set up.
    #[error("NATS client cannot be set up")]
    Connect(#[source] async_nats::ConnectError),
}

/// A connection to the bus. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bus {
    jetstream: jetstream::Context,
    config: Arc<BusConfig>,
    faults: FaultInjection,
    metrics: metrics::BusMetrics,
    /// Whether all streams and consumers are known to exist; relays wait for it.
    provisioned: Arc<watch::Sender<bool>>,
}

impl Bus {
    /// Connects in the background: a service starts and accepts while NATS is away.
    pub async fn connect(
        config: BusConfig,
        faults: FaultInjection,
        telemetry: &Telemetry,
    ) -> Result<Self, BusError> {
        let url = config.url.reveal().map_err(BusError::Config)?;
        let servers: Vec<async_nats::ServerAddr> = url
            .split(',')
            .map(|server| server.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(BusError::Url)?;
        // The client does not take user and password from the URL by itself.
        let options = match servers.first().and_then(|s| s.username().zip(s.password())) {
            Some((user, password)) => async_nats::ConnectOptions::with_user_and_password(
                user.to_owned(),
                password.to_owned(),
            ),
            None => async_nats::ConnectOptions::new(),
        };
        let client = options
            .retry_on_initial_connect()
            .max_reconnects(None)
            // Short: the outbox waits anyway, and a restarted server should see its clients at once.
            .reconnect_delay_callback(|attempt| {
                Duration::from_millis(50 * 2u64.pow(attempt.min(5) as u32))
            })
            .request_timeout(Some(Duration::from_secs(5)))
            .ping_interval(Duration::from_secs(10))
            .event_callback(|event| async move {
                tracing::info!(%event, "bus connection");
            })
            .connect(servers)
            .await
            .map_err(BusError::Connect)?;
        let mut jetstream = jetstream::new(client);
        jetstream.set_timeout(Duration::from_secs(5));
        Ok(Self {
            jetstream,
            config: Arc::new(config),
            faults,
            metrics: metrics::BusMetrics::register(telemetry),
            provisioned: Arc::new(watch::Sender::new(false)),
        })
    }

    /// Starts the relay of a service's outbox as an essential task.
    pub fn start_relay(
        &self,
        service: &'static str,
        pool: &Pool,
        context: &ServiceContext,
    ) -> Relay {
        relay::spawn_relay(self, service, pool, context)
    }

    /// Starts a consumer as an essential task. `relay` is woken after each commit, because
    /// handlers usually emit.
    pub fn start_consumer(
        &self,
        subscription: &Subscription,
        pool: &Pool,
        handler: Arc<dyn BatchHandler>,
        relay: Option<Relay>,
        context: &ServiceContext,
    ) {
        consumer::spawn_consumer(self, subscription, pool, handler, relay, context);
    }

    /// Creates the streams and consumers of a topology where missing, and compares those that
    /// exist. Only the platform binary calls it, because it knows all consumers: with interest
    /// retention a stream must not take events before every consumer of theirs exists. Relays of
    /// this bus publish nothing before this has succeeded once.
    ///
    /// A consumer that differs only by wanting more event types than before is updated in place; any
    /// other difference is an error and nothing is touched.
    ///
    /// Returns the names of streams that were created now, or have a consumer that was created or
    /// updated: on a platform that has run before, earlier events are missing for it, and
    /// `credit streams rebuild` brings them.
    pub async fn provision(&self, topology: &Topology) -> Result<Vec<String>, ProvisionError> {
        let created = topology::provision_topology(self, topology).await?;
        self.provisioned.send_replace(true);
        Ok(created)
    }

    pub(crate) fn is_provisioned(&self) -> bool {
        *self.provisioned.borrow()
    }

    /// Completes when [`Bus::provision`] has succeeded.
    pub(crate) async fn until_provisioned(&self) {
        // The sender lives in this bus, so waiting cannot fail.
        let _ = self.provisioned.subscribe().wait_for(|done| *done).await;
    }

    /// Tells a test that a named point is reached.
    pub fn hit_fault_point(&self, point: FaultPoint) {
        self.faults.hit_fault_point(point);
    }

    /// Name of the stream of a producing service.
    pub fn stream_name(&self, service: &str) -> String {
        format!("{}-{service}", self.config.namespace)
    }

    /// Subject of an event type, given its full protobuf name.
    pub fn subject(&self, event_type: &str) -> String {
        format!("{}.{event_type}", self.config.namespace)
    }

    pub(crate) fn lane_limit(&self) -> Duration {
        Duration::from_secs(self.config.lane_limit_seconds)
    }
}

/// An event about to be emitted.
#[derive(Clone, Debug)]
pub struct NewEvent {
    pub(crate) event_id: Uuid,
    pub(crate) event_type: String,
    pub(crate) occurred_at: OffsetDateTime,
    pub(crate) traceparent: String,
    pub(crate) payload: Vec<u8>,
}

impl NewEvent {
    /// An event of message type `M`. `traceparent` is the record's trace context, empty when the
    /// record is not followed.
    pub fn new<M: Message + Name>(
        message: &M,
        occurred_at: OffsetDateTime,
        traceparent: &str,
    ) -> Self {
        Self {
            event_id: Uuid::now_v7(),
            event_type: M::full_name(),
            occurred_at,
            traceparent: traceparent.to_owned(),
            payload: message.encode_to_vec(),
        }
    }

    /// The event as it travels on the bus.
    pub fn to_envelope(&self) -> Envelope {
        Envelope {
            event_id: Bytes::copy_from_slice(self.event_id.as_bytes()),
            event_type: self.event_type.clone(),
            occurred_at: Some(service_kit::grpc::to_timestamp(self.occurred_at)),
            traceparent: self.traceparent.clone(),
            payload: Bytes::copy_from_slice(&self.payload),
        }
    }

    /// Full protobuf name of the message.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The id that every consumer's inbox will know it by.
    pub fn event_id(&self) -> Uuid {
        self.event_id
    }
}

/// An event as a handler gets it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The inbox key.
    pub event_id: Uuid,
    /// Full protobuf name of the payload.
    pub event_type: String,
    /// When it happened, by the producer's clock.
    pub occurred_at: OffsetDateTime,
    /// W3C trace context, empty when not sampled.
    pub traceparent: String,
    /// The encoded message.
    pub payload: Bytes,
}

impl Delivery {
    /// Whether it carries an `M`.
    pub fn carries<M: Name>(&self) -> bool {
        self.event_type == M::full_name()
    }

    /// The message; poison when it does not decode.
    pub fn decode<M: Message + Name + Default>(&self) -> Result<M, Poison> {
        if !self.carries::<M>() {
            return Err(self.declare_poison(format!(
                "expected {}, is {}",
                M::full_name(),
                self.event_type
            )));
        }
        M::decode(self.payload.clone())
            .map_err(|error| self.declare_poison(format!("does not decode: {error}")))
    }

    /// Declares it poison. The reason is kept in clear: no personal data.
    pub fn declare_poison(&self, reason: impl Into<String>) -> Poison {
        Poison {
            event_id: self.event_id,
            reason: reason.into(),
        }
    }
}

/// The events of one type in a batch, each decoded and read by `read`, which describes in plain text, without
/// personal data, why one can never be handled. Those are added to `poison`; the rest comes out in order.
/// Events of other types are left for the next call.
pub fn decode_all<M, T, E>(
    batch: &[Delivery],
    poison: &mut Vec<Poison>,
    read: impl Fn(M, &Delivery) -> Result<T, E>,
) -> Vec<T>
where
    M: Message + Name + Default,
    E: std::fmt::Display,
{
    let mut taken = Vec::new();
    for delivery in batch.iter().filter(|delivery| delivery.carries::<M>()) {
        let outcome = delivery.decode().and_then(|message| {
            read(message, delivery).map_err(|why| delivery.declare_poison(why.to_string()))
        });
        match outcome {
            Ok(fact) => taken.push(fact),
            Err(bad) => poison.push(bad),
        }
    }
    taken
}

/// An event that can never be handled as it is; it goes to the dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Which.
    pub event_id: Uuid,
    /// Why, without personal data.
    pub reason: String,
}
