//! The consumer: takes messages in batches, gives a handler the events its inbox does not know,
//! in one transaction, and acknowledges after the commit. What the handler calls poison is
//! parked; what the database will not take is found by halving; what may pass later is tried
//! again for as long as it takes. The lane always goes on.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use async_nats::jetstream::{AckKind, Message, consumer::PullConsumer, stream::Stream};
use futures::{FutureExt, StreamExt, future::BoxFuture, future::join_all};
use prost::Message as _;
use proto::credit::bus::v1::{Envelope, EventBatch};
use service_kit::{
    ServiceContext,
    db::{self, Conn, Pool},
    grpc::from_timestamp,
    readiness::Lane,
};
use uuid::Uuid;

use crate::{
    Bus, Delivery, FaultPoint, Poison, Relay, Subscription, dead_letters, failure::BatchFailure,
    lag, metrics::BusMetrics,
};

/// Timeout of one fetch; after it, dead letters and the shutdown are checked again.
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
/// Timeout between two messages of the server's answer. The client itself waits
/// for ever when the connection breaks after the request was sent.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval at which the consumer's lag is read.
const LAG_INTERVAL: Duration = Duration::from_secs(2);
/// Linger: the pause after a batch that was less than half full, so that the next one is fuller. A batch is a
/// transaction and a flush of the disk whatever its size; an event that comes alone does not wait.
const LINGER: Duration = Duration::from_millis(30);
/// Messages taken at once; each may hold many events.
const MESSAGES_AT_ONCE: usize = 64;

/// What a service does with events. Batch in, batch out: set-based SQL only, never a commit, and
/// guarded by revision, because events come again and out of order.
pub trait BatchHandler: Send + Sync + 'static {
    /// Handles events that this consumer has not handled before, in the given transaction.
    /// Returns those that can never be handled; they are parked and the rest is kept.
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>>;
}

/// Why a whole batch could not be handled.
#[derive(Debug, thiserror::Error)]
pub enum HandlerError {
    /// The database failed: transient failures are tried again, others isolate the bad event.
    #[error("database")]
    Database(#[from] db::Error),
    /// Something is not there yet; the same batch is tried again later.
    #[error("not yet: {0}")]
    Transient(String),
}

struct ConsumerWorker {
    bus: Bus,
    subscription: Subscription,
    pool: Pool,
    handler: Arc<dyn BatchHandler>,
    relay: Option<Relay>,
    context: ServiceContext,
    lane: Lane,
    metrics: BusMetrics,
}

/// A message with its decoded events.
struct DecodedMessage {
    message: Message,
    events: Vec<Delivery>,
}

pub(crate) fn spawn_consumer(
    bus: &Bus,
    subscription: &Subscription,
    pool: &Pool,
    handler: Arc<dyn BatchHandler>,
    relay: Option<Relay>,
    context: &ServiceContext,
) {
    let lane = context.readiness.lane(
        format!("consumer {}", subscription.consumer),
        bus.lane_limit(),
    );
    let worker = ConsumerWorker {
        bus: bus.clone(),
        subscription: *subscription,
        pool: pool.clone(),
        handler,
        relay,
        context: context.clone(),
        lane,
        metrics: bus.metrics.clone(),
    };
    context
        .shutdown
        .spawn_essential(format!("consumer {}", subscription.consumer), async move {
            worker.run().await;
            Ok::<_, std::convert::Infallible>(())
        });
}

impl ConsumerWorker {
    async fn run(&self) {
        let mut pause = Duration::from_millis(50);
        while !self.context.shutdown.is_requested() {
            match self.attach_and_work().await {
                Ok(()) => pause = Duration::from_millis(50),
                Err(why) => {
                    self.lane.report_failure(why.clone());
                    let consumer = self.subscription.consumer;
                    tracing::warn!(consumer, error = %why, "consumer paused");
                    if self.context.shutdown.sleep(pause).await {
                        return;
                    }
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }

    /// Looks the consumer up afresh and works until something fails: a handle from before a
    /// reconnect may be dead without saying so.
    async fn attach_and_work(&self) -> Result<(), String> {
        let name = self.bus.stream_name(self.subscription.from);
        let stream = self
            .bus
            .jetstream
            .get_stream(&name)
            .await
            .map_err(|error| format!("stream {name}: {error}; see `credit streams rebuild`"))?;
        let consumer: PullConsumer = stream
            .get_consumer(self.subscription.consumer)
            .await
            .map_err(|error| format!("consumer missing on {name}: {error}"))?;
        tokio::select! {
            outcome = self.work(&consumer) => outcome,
            why = self.watch_lag(&stream, &consumer) => Err(why),
        }
    }

    async fn watch_lag(&self, stream: &Stream, consumer: &PullConsumer) -> String {
        loop {
            if let Err(why) = lag::report_lag(stream, consumer, &self.lane, &self.context).await {
                // The worker notices by itself when the server is away; only a consumer that is
                // deleted must be looked up again.
                if why.contains("not found") {
                    return why;
                }
                self.lane.report_failure(why);
            }
            if self.context.shutdown.sleep(LAG_INTERVAL).await {
                // The worker finishes the messages in flight; this future is dropped with it.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn work(&self, consumer: &PullConsumer) -> Result<(), String> {
        while !self.context.shutdown.is_requested() {
            self.retry_dead_letters().await;
            let messages = self.fetch_messages(consumer).await?;
            if messages.is_empty() {
                continue;
            }
            let mut chunk: Vec<DecodedMessage> = Vec::new();
            let (mut events, mut all) = (0, 0);
            for message in messages {
                let taken = self.decode(message);
                if events > 0 && events + taken.events.len() > self.subscription.max_batch {
                    self.process_chunk(std::mem::take(&mut chunk)).await?;
                    events = 0;
                }
                events += taken.events.len();
                all += taken.events.len();
                chunk.push(taken);
            }
            self.process_chunk(chunk).await?;
            if all > 1 && all < self.subscription.max_batch / 2 {
                self.context.shutdown.sleep(LINGER).await;
            }
        }
        Ok(())
    }

    /// Takes what is there; waits for a first message when nothing is.
    async fn fetch_messages(&self, consumer: &PullConsumer) -> Result<Vec<Message>, String> {
        let at_once = collect_messages(
            consumer
                .fetch()
                .max_messages(MESSAGES_AT_ONCE)
                .messages()
                .await
                .map_err(|error| error.to_string())?,
        )
        .await?;
        if !at_once.is_empty() {
            return Ok(at_once);
        }
        let waiting = async {
            let batch = consumer
                .batch()
                .max_messages(1)
                .expires(FETCH_TIMEOUT)
                .messages()
                .await
                .map_err(|error| error.to_string())?;
            collect_messages(batch).await
        };
        tokio::select! {
            messages = waiting => messages,
            () = self.context.shutdown.wait_requested() => Ok(Vec::new()),
        }
    }

    fn decode(&self, message: Message) -> DecodedMessage {
        let events = EventBatch::decode(message.payload.clone())
            .ok()
            .and_then(|batch| batch.events.into_iter().map(decode_delivery).collect())
            .unwrap_or_else(|| {
                // Not one of ours, or damaged in transit: keep the bytes as a dead letter.
                tracing::error!(subject = %message.subject, "message is no event batch");
                vec![Delivery {
                    event_id: Uuid::new_v5(&Uuid::NAMESPACE_OID, &message.payload),
                    event_type: UNDECODABLE.to_owned(),
                    occurred_at: self.context.clock.now(),
                    traceparent: String::new(),
                    payload: message.payload.clone(),
                }]
            });
        DecodedMessage { message, events }
    }

    /// Processes a chunk of messages until each event is handled or parked, then acknowledges them.
    async fn process_chunk(&self, chunk: Vec<DecodedMessage>) -> Result<(), String> {
        let mut known = HashSet::new();
        let events: Vec<Delivery> = chunk
            .iter()
            .flat_map(|taken| &taken.events)
            .filter(|event| known.insert(event.event_id))
            .cloned()
            .collect();
        let mut pause = Duration::from_millis(20);
        // Halves that are still to be handled; the whole batch at first.
        let mut todo = vec![events.as_slice()];
        while let Some(batch) = todo.pop() {
            match self.handle_in_transaction(batch).await {
                Ok(()) => pause = Duration::from_millis(20),
                Err(BatchFailure::Retry(why)) => {
                    let consumer = self.subscription.consumer;
                    tracing::warn!(consumer, events = batch.len(), error = %why, "batch is tried again");
                    if self.context.shutdown.sleep(pause).await {
                        // Unacknowledged messages come again after the restart.
                        return Ok(());
                    }
                    pause = (pause * 2).min(Duration::from_secs(2));
                    for taken in &chunk {
                        // A lost progress note only means a redelivery, which the inbox knows.
                        let _ = taken.message.ack_with(AckKind::Progress).await;
                    }
                    todo.push(batch);
                }
                Err(BatchFailure::Poison(why)) if batch.len() == 1 => {
                    self.park_one(&batch[0], &why).await?
                }
                Err(BatchFailure::Poison(_)) => {
                    let (left, right) = batch.split_at(batch.len() / 2);
                    todo.push(right);
                    todo.push(left);
                }
            }
        }
        self.bus.hit_fault_point(FaultPoint::HandledCommitted);
        self.metrics
            .count_handled(self.subscription.consumer, events.len());
        let acknowledged = join_all(chunk.iter().map(|taken| taken.message.ack())).await;
        match acknowledged.into_iter().find_map(Result::err) {
            // They come again and the inbox knows them.
            Some(error) => Err(format!("acknowledging: {error}")),
            None => Ok(()),
        }
    }

    /// One transaction: inbox, handler, dead letters.
    async fn handle_in_transaction(&self, batch: &[Delivery]) -> Result<(), BatchFailure> {
        let mut tx = self
            .pool
            .begin()
            .await
            .map_err(BatchFailure::from_database)?;
        let fresh = match self.insert_inbox(&mut tx, batch).await {
            Ok(()) => Cow::Borrowed(batch),
            Err(error) if is_duplicate(&error) => {
                // Some came before: they are picked out, which costs twice as much.
                tx.rollback().await.map_err(BatchFailure::from_database)?;
                tx = self
                    .pool
                    .begin()
                    .await
                    .map_err(BatchFailure::from_database)?;
                Cow::Owned(
                    self.insert_unseen(&mut tx, batch)
                        .await
                        .map_err(BatchFailure::from_database)?,
                )
            }
            Err(error) => return Err(BatchFailure::from_database(error)),
        };
        if !fresh.is_empty() {
            let poison = self.call_handler(&mut tx, &fresh).await?;
            self.park(&mut tx, &fresh, &poison)
                .await
                .map_err(BatchFailure::from_database)?;
        }
        self.bus.hit_fault_point(FaultPoint::Handled);
        tx.commit().await.map_err(BatchFailure::from_database)?;
        if let Some(relay) = &self.relay {
            relay.wake();
        }
        Ok(())
    }

    async fn call_handler(
        &self,
        conn: &mut Conn,
        batch: &[Delivery],
    ) -> Result<Vec<Poison>, BatchFailure> {
        let (known, strangers): (Vec<_>, Vec<_>) = batch.iter().cloned().partition(|event| {
            self.subscription
                .events
                .contains(&event.event_type.as_str())
        });
        let mut poison: Vec<Poison> = strangers
            .iter()
            .map(|event| match event.event_type.as_str() {
                UNDECODABLE => event.declare_poison("message is no event batch"),
                _ => event.declare_poison("event type is not subscribed"),
            })
            .collect();
        if known.is_empty() {
            return Ok(poison);
        }
        // A handler that panics on one event must not take the lane down.
        let outcome = AssertUnwindSafe(self.handler.handle(conn, &known))
            .catch_unwind()
            .await;
        match outcome {
            Ok(Ok(found)) => poison.extend(found),
            Ok(Err(HandlerError::Transient(why))) => return Err(BatchFailure::Retry(why)),
            Ok(Err(HandlerError::Database(error))) => {
                return Err(BatchFailure::from_database(error));
            }
            Err(_) => return Err(BatchFailure::Poison("handler panicked".to_owned())),
        }
        Ok(poison)
    }

    /// Inserts a batch into the inbox; fails with a unique violation when any event is there already, which is rare.
    async fn insert_inbox(&self, conn: &mut Conn, batch: &[Delivery]) -> Result<(), db::Error> {
        sqlx::query(
            "insert into inbox (consumer, event_id, handled_at)
             select $1, id, $3 from unnest($2::uuid[]) id order by id",
        )
        .bind(self.subscription.consumer)
        .bind(batch.iter().map(|event| event.event_id).collect::<Vec<_>>())
        .bind(self.context.clock.now())
        .execute(conn)
        .await?;
        Ok(())
    }

    /// Remembers the batch in the inbox; the events it did not know.
    async fn insert_unseen(
        &self,
        conn: &mut Conn,
        batch: &[Delivery],
    ) -> Result<Vec<Delivery>, db::Error> {
        let ids: Vec<Uuid> = batch.iter().map(|event| event.event_id).collect();
        let fresh: Vec<Uuid> = sqlx::query_scalar(
            "insert into inbox (consumer, event_id, handled_at)
             select $1, id, $3 from unnest($2::uuid[]) id order by id
             on conflict do nothing returning event_id",
        )
        .bind(self.subscription.consumer)
        .bind(ids)
        .bind(self.context.clock.now())
        .fetch_all(conn)
        .await?;
        let fresh: HashSet<Uuid> = fresh.into_iter().collect();
        let unseen = batch.iter().filter(|event| fresh.contains(&event.event_id));
        Ok(unseen.cloned().collect())
    }

    async fn park(
        &self,
        conn: &mut Conn,
        batch: &[Delivery],
        poison: &[Poison],
    ) -> Result<(), db::Error> {
        let by_id: HashMap<Uuid, &Delivery> =
            batch.iter().map(|event| (event.event_id, event)).collect();
        let letters: Vec<_> = poison
            .iter()
            .filter_map(|p| Some((*by_id.get(&p.event_id)?, p.reason.as_str())))
            .collect();
        let (consumer, now) = (self.subscription.consumer, self.context.clock.now());
        for (event, reason) in &letters {
            tracing::error!(consumer, event = %event.event_id, reason, "event parked");
        }
        self.metrics.count_parked(consumer, letters.len());
        dead_letters::park_letters(conn, consumer, &letters, now).await
    }

    /// Parks the one event that the halving found.
    async fn park_one(&self, event: &Delivery, why: &str) -> Result<(), String> {
        let parked = async {
            let mut tx = self.pool.begin().await?;
            let fresh = self
                .insert_unseen(&mut tx, std::slice::from_ref(event))
                .await?;
            let poison = [event.declare_poison(why)];
            self.park(&mut tx, &fresh, &poison).await?;
            tx.commit().await
        };
        parked.await.map_err(|error| error.to_string())
    }

    /// Retries the letters for which a retry was requested, each in its own transaction.
    async fn retry_dead_letters(&self) {
        let mut last = 0;
        loop {
            match self.retry_next(last).await {
                Ok(Some(id)) => last = id,
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(consumer = self.subscription.consumer, %error, "dead letters cannot be retried now");
                    return;
                }
            }
        }
    }

    /// Tries the first letter after `last`; its number, `None` when there is no more.
    async fn retry_next(&self, last: i64) -> Result<Option<i64>, db::Error> {
        let mut tx = self.pool.begin().await?;
        let found = dead_letters::next_retry(&mut tx, self.subscription.consumer, last).await?;
        let Some((id, delivery)) = found else {
            return Ok(None);
        };
        let failure = match self
            .call_handler(&mut tx, std::slice::from_ref(&delivery))
            .await
        {
            Ok(poison) => poison.into_iter().next(),
            // It stays to be retried; the others need not wait for it.
            Err(BatchFailure::Retry(_)) => return Ok(Some(id)),
            Err(BatchFailure::Poison(why)) => {
                // The transaction may be broken: write the outcome in a fresh one.
                tx.rollback().await?;
                tx = self.pool.begin().await?;
                Some(delivery.declare_poison(why))
            }
        };
        dead_letters::finish_retry(&mut tx, id, failure.as_ref(), self.context.clock.now()).await?;
        tx.commit().await?;
        if let Some(relay) = &self.relay {
            relay.wake();
        }
        Ok(Some(id))
    }
}

/// Event type of dead letters that hold a whole message.
const UNDECODABLE: &str = "undecodable";

fn is_duplicate(error: &db::Error) -> bool {
    let database = error.as_database_error();
    database.is_some_and(|error| error.is_unique_violation())
}

/// `None` when it could not even be parked as an event: PostgreSQL takes no NUL in text and no
/// moment before its calendar.
fn decode_delivery(envelope: Envelope) -> Option<Delivery> {
    if envelope.event_type.contains('\0') || envelope.traceparent.contains('\0') {
        return None;
    }
    let occurred_at = from_timestamp(envelope.occurred_at.as_ref())?;
    Some(Delivery {
        event_id: Uuid::from_slice(&envelope.event_id).ok()?,
        occurred_at: (occurred_at.year() > 0).then_some(occurred_at)?,
        event_type: envelope.event_type,
        traceparent: envelope.traceparent,
        payload: envelope.payload,
    })
}

async fn collect_messages(
    mut batch: async_nats::jetstream::consumer::pull::Batch,
) -> Result<Vec<Message>, String> {
    let mut messages = Vec::new();
    loop {
        let why = match tokio::time::timeout(RESPONSE_TIMEOUT, batch.next()).await {
            Ok(Some(Ok(message))) => {
                messages.push(message);
                continue;
            }
            Ok(None) => return Ok(messages),
            Ok(Some(Err(error))) => error.to_string(),
            Err(_) => "the server does not answer".to_owned(),
        };
        // Messages received so far are processed; the error will show at the next request.
        return if messages.is_empty() {
            Err(why)
        } else {
            Ok(messages)
        };
    }
}
