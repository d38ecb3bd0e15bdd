//! The relay: publishes an outbox to JetStream in order of its transactions, packed in batches.
//! One leader a schema by advisory lock, so several copies of a service may run. It never creates
//! a stream; a missing one is reported and waited for.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use futures::future::try_join_all;
use prost::Message as _;
use proto::credit::bus::v1::EventBatch;
use service_kit::{
    ServiceContext,
    db::{Conn, Pool},
    readiness::Lane,
};
use time::OffsetDateTime;
use tokio::sync::Notify;

use crate::{
    Bus, FaultPoint,
    metrics::BusMetrics,
    outbox::{self, OutboxRow, RelayCursor},
};

/// Rows read at a time.
const READ_ROWS: i64 = 2_000;
/// Payload bytes read at a time, and one row more: what a relay holds in memory.
const READ_BYTES: i64 = 16 * 1024 * 1024;
/// Events in one message: enough to share a disk flush, few enough for a handler's batch.
const EVENTS_PER_MESSAGE: usize = 250;
/// Payload bytes in one message, below the server's limit of 8 MiB even with one large event on top.
const BYTES_PER_MESSAGE: usize = 1024 * 1024;
/// Linger: the pause after a publication of few rows, so that the next message is fuller. A message costs the broker a
/// flush and each consumer a transaction, so under load fewer and fuller ones carry more; a row that comes alone does
/// not wait.
const LINGER: Duration = Duration::from_millis(30);
/// Longest pause between polls of an idle outbox; a commit in another process does not wake the relay.
const IDLE_PAUSE: Duration = Duration::from_millis(250);

/// The handle of a running relay. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Relay(Arc<Notify>);

impl Relay {
    /// Tells the relay that a transaction with events was committed. Polling guarantees that
    /// events go out anyway; this makes it fast.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("outbox cannot be read or its cursor moved")]
    Database(#[from] service_kit::db::Error),
    #[error("JetStream did not take the events: {0}")]
    Publish(String),
    #[error("the outbox was restored from another database cluster; run `credit streams rebuild`")]
    Restored,
}

struct RelayWorker {
    bus: Bus,
    service: &'static str,
    pool: Pool,
    context: ServiceContext,
    lane: Lane,
    wake: Arc<Notify>,
    metrics: BusMetrics,
}

impl fmt::Debug for RelayWorker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "relay of {}", self.service)
    }
}

pub(crate) fn spawn_relay(
    bus: &Bus,
    service: &'static str,
    pool: &Pool,
    context: &ServiceContext,
) -> Relay {
    let wake = Arc::new(Notify::new());
    let worker = RelayWorker {
        bus: bus.clone(),
        service,
        pool: pool.clone(),
        context: context.clone(),
        lane: context
            .readiness
            .lane(format!("outbox {service}"), bus.lane_limit()),
        wake: wake.clone(),
        metrics: bus.metrics.clone(),
    };
    context
        .shutdown
        .spawn_essential(format!("relay {service}"), async move {
            worker.run().await;
            Ok::<_, std::convert::Infallible>(())
        });
    Relay(wake)
}

impl RelayWorker {
    async fn run(&self) {
        // Before every consumer exists, interest retention would drop what is published.
        while !self.bus.is_provisioned() {
            self.report_age().await;
            tokio::select! {
                () = self.bus.until_provisioned() => {}
                stop = self.context.shutdown.sleep(Duration::from_secs(2)) => if stop { return },
            }
        }
        let mut pause = Duration::from_millis(100);
        while !self.context.shutdown.is_requested() {
            match self.publish_as_leader().await {
                Ok(()) => pause = Duration::from_millis(100),
                Err(error) => {
                    let cause = service_kit::error::error_chain(&error);
                    tracing::warn!(service = self.service, error = %cause, "relay paused");
                    match error {
                        // The lag does not show this: new rows sort before the cursor and count as published.
                        RelayError::Restored => self.lane.report_failure(cause),
                        _ => self.report_age().await,
                    }
                    if self.context.shutdown.sleep(pause).await {
                        return;
                    }
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }

    /// Holds the lock of this schema and publishes until something fails or shutdown.
    async fn publish_as_leader(&self) -> Result<(), RelayError> {
        // The lock lives as long as the connection: a crash gives it free at once.
        let mut conn = self.pool.acquire().await?.detach();
        let leader: bool = sqlx::query_scalar(
            "select pg_try_advisory_lock(hashtextextended('relay ' || current_schema(), 0))",
        )
        .fetch_one(&mut conn)
        .await?;
        if !leader {
            // Another copy publishes; it reports the lane's age, this one has nothing unfinished.
            self.lane.report_age(None);
            self.context.shutdown.sleep(Duration::from_secs(1)).await;
            return Ok(());
        }
        if outbox::is_from_another_cluster(&mut conn).await? {
            return Err(RelayError::Restored);
        }
        let mut pause = Duration::from_millis(2);
        while !self.context.shutdown.is_requested() {
            let published = self.publish_next_rows(&mut conn).await?;
            if published > 0 {
                pause = Duration::from_millis(2);
                if published < EVENTS_PER_MESSAGE {
                    self.context.shutdown.sleep(LINGER).await;
                }
                continue;
            }
            // Right after a wake-up the rows may still hide behind an older running
            // transaction: look again soon, then less and less often.
            tokio::select! {
                () = self.wake.notified() => pause = Duration::from_millis(2),
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(IDLE_PAUSE),
                () = self.context.shutdown.wait_requested() => {}
            }
        }
        // What is committed goes out before the process ends, while the bus takes it.
        while self.publish_next_rows(&mut conn).await? > 0 {}
        Ok(())
    }

    /// Publishes the next rows; how many there were.
    async fn publish_next_rows(&self, conn: &mut Conn) -> Result<usize, RelayError> {
        let cursor = outbox::load_cursor(conn).await?;
        let rows = outbox::rows_after(conn, &cursor, READ_ROWS, READ_BYTES).await?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            self.report(outbox::oldest_after(conn, &cursor).await?);
            return Ok(0);
        };
        self.report(Some(first.event.occurred_at));
        self.publish(&cursor, &rows).await?;
        self.bus.hit_fault_point(FaultPoint::Published);
        outbox::advance_cursor(conn, &cursor, last).await?;
        self.metrics.count_published(self.service, rows.len());
        Ok(rows.len())
    }

    async fn publish(&self, cursor: &RelayCursor, rows: &[OutboxRow]) -> Result<(), RelayError> {
        let mut acknowledgements = Vec::new();
        for (event_type, batch) in pack(rows) {
            let message = PublishMessage::build()
                .message_id(message_id(self.service, cursor, &batch))
                .payload(encode(&batch));
            let acknowledgement = self
                .bus
                .jetstream
                .send_publish(self.bus.subject(event_type), message)
                .await
                .map_err(|error| RelayError::Publish(error.to_string()))?;
            acknowledgements.push(acknowledgement.into_future());
        }
        try_join_all(acknowledgements)
            .await
            .map_err(|error| RelayError::Publish(error.to_string()))?;
        Ok(())
    }

    /// While publishing fails the lane's age grows with the oldest row.
    async fn report_age(&self) {
        let oldest = async {
            let mut conn = self.pool.acquire().await?;
            let cursor = outbox::load_cursor(&mut conn).await?;
            outbox::oldest_after(&mut conn, &cursor).await
        };
        match oldest.await {
            Ok(oldest) => self.report(oldest),
            Err(_) => self.lane.report_failure("database unreachable"),
        }
    }

    fn report(&self, oldest: Option<OffsetDateTime>) {
        let age = oldest.map(|at| self.context.clock.now() - at);
        self.lane
            .report_age(age.and_then(|age| age.try_into().ok()));
    }
}

/// Packs rows by event type, in order, into messages of bounded size.
fn pack(rows: &[OutboxRow]) -> Vec<(&str, Vec<&OutboxRow>)> {
    let mut open: BTreeMap<&str, (usize, Vec<&OutboxRow>)> = BTreeMap::new();
    let mut messages = Vec::new();
    for row in rows {
        let (bytes, batch) = open.entry(&row.event.event_type).or_default();
        let full = batch.len() >= EVENTS_PER_MESSAGE
            || *bytes + row.event.payload.len() > BYTES_PER_MESSAGE;
        if full && !batch.is_empty() {
            messages.push((row.event.event_type.as_str(), std::mem::take(batch)));
            *bytes = 0;
        }
        *bytes += row.event.payload.len();
        batch.push(row);
    }
    let rest = open.into_iter().map(|(name, (_, batch))| (name, batch));
    messages.extend(rest);
    messages
}

/// The broker's duplicate window is only an optimisation; the id names the rows and the rewind.
fn message_id(service: &str, cursor: &RelayCursor, batch: &[&OutboxRow]) -> String {
    let (first, last) = (batch[0], batch[batch.len() - 1]);
    format!(
        "{service}/{}/{}.{}-{}.{}",
        cursor.generation, first.xid, first.seq, last.xid, last.seq
    )
}

fn encode(batch: &[&OutboxRow]) -> Bytes {
    let events = batch.iter().map(|row| row.event.to_envelope()).collect();
    EventBatch { events }.encode_to_vec().into()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::NewEvent;

    fn row(seq: i64, event_type: &str, bytes: usize) -> OutboxRow {
        OutboxRow {
            xid: "7".to_owned(),
            seq,
            event: NewEvent {
                event_id: Uuid::from_u128(seq as u128),
                event_type: event_type.to_owned(),
                occurred_at: OffsetDateTime::UNIX_EPOCH,
                traceparent: String::new(),
                payload: vec![0; bytes],
            },
        }
    }

    #[test]
    fn packing_loses_nothing_and_keeps_the_order_of_each_type() {
        let rows: Vec<_> = (0..1_000)
            .map(|n| row(n, if n % 3 == 0 { "a" } else { "b" }, 5_000))
            .collect();
        let messages = pack(&rows);
        for name in ["a", "b"] {
            let seqs: Vec<i64> = messages
                .iter()
                .filter(|(event_type, _)| *event_type == name)
                .flat_map(|(_, batch)| batch.iter().map(|r| r.seq))
                .collect();
            let expected: Vec<i64> = rows
                .iter()
                .filter(|r| r.event.event_type == name)
                .map(|r| r.seq)
                .collect();
            assert_eq!(seqs, expected);
        }
        for (_, batch) in &messages {
            let bytes: usize = batch.iter().map(|r| r.event.payload.len()).sum();
            assert!(batch.len() <= EVENTS_PER_MESSAGE && bytes <= BYTES_PER_MESSAGE);
        }
    }

    #[test]
    fn one_event_larger_than_a_message_travels_alone() {
        let rows = [
            row(1, "a", 10),
            row(2, "a", BYTES_PER_MESSAGE + 1),
            row(3, "a", 10),
        ];
        let sizes: Vec<usize> = pack(&rows).iter().map(|(_, batch)| batch.len()).collect();
        assert_eq!(sizes, [1, 1, 1]);
    }
}
