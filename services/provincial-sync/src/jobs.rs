//! The sender: claims due rows by lease, pushes them, settles them. No input but the table, safe
//! to run in several copies, notified by the handler and run by a timer. Started by `start`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use event_bus::Relay;
use service_kit::{
    ServiceContext,
    db::{Error, Pool},
    error::error_chain,
    readiness::Lane,
};
use time::OffsetDateTime;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use crate::{
    Config, app,
    domain::{OpenedVersion, PushOutcome, PushRetryPolicy},
    store::{self, ClaimedPush},
    upstream::{PushBatchOutcome, Upstream},
};

/// Polls in quick succession after a notification: 5, 10, 20 … 320 ms. The handler notifies before its
/// transaction is committed, because only the bus commits it.
const QUICK_POLLS: u32 = 7;
/// Linger after a batch that was not half full: a claim, a call and a settlement cost the same for one
/// record as for a batch, and the province counts in days.
const LINGER: Duration = Duration::from_millis(100);
/// Grace period of a call in flight once a stop is requested. What is cut off is pushed again
/// under the same key, so nothing is lost but time.
const GRACE_PERIOD: Duration = Duration::from_secs(3);

struct PushSender {
    pool: Pool,
    upstream: Upstream,
    relay: Relay,
    wake: Arc<Notify>,
    context: ServiceContext,
    lane: Lane,
    slots: Arc<Semaphore>,
    /// The last call failed, or none was made yet: the next answer makes all waiting rows due.
    failing: AtomicBool,
    batch_size: i64,
    lease: Duration,
    poll: Duration,
    retry: PushRetryPolicy,
}

/// Starts the sender and the report of its lane.
pub fn start(
    config: &Config,
    pool: Pool,
    upstream: Upstream,
    relay: Relay,
    wake: Arc<Notify>,
    context: &ServiceContext,
) {
    let limit = Duration::from_secs(config.lane_limit_seconds);
    let sender = Arc::new(PushSender {
        pool,
        upstream,
        relay,
        wake,
        context: context.clone(),
        lane: context.readiness.lane("provincial push", limit),
        slots: Arc::new(Semaphore::new(config.batches_in_flight as usize)),
        failing: AtomicBool::new(true),
        batch_size: i64::from(config.batch_size),
        lease: Duration::from_millis(config.lease_ms),
        poll: Duration::from_millis(config.poll_interval_ms),
        retry: config.retry_policy(),
    });
    let reporting = sender.clone();
    context
        .shutdown
        .spawn_essential("provincial push lane", async move {
            reporting.report_lane().await;
            Ok::<_, std::convert::Infallible>(())
        });
    context
        .shutdown
        .spawn_essential("provincial push", async move {
            sender.run().await;
            Ok::<_, std::convert::Infallible>(())
        });
}

impl PushSender {
    async fn report_lane(&self) {
        loop {
            match store::load_queue_times(&self.pool).await {
                Ok((_, oldest)) => {
                    let age = oldest.map(|since| self.context.clock.now() - since);
                    self.lane
                        .report_age(age.map(|age| age.try_into().unwrap_or_default()));
                }
                Err(error) => self
                    .lane
                    .report_failure(format!("database: {}", error_chain(&error))),
            }
            if self.context.shutdown.sleep(self.poll).await {
                return;
            }
        }
    }

    async fn run(self: &Arc<Self>) {
        let shutdown = self.context.shutdown.clone();
        let mut polls_left = 0;
        while !shutdown.is_requested() {
            let slot = tokio::select! {
                slot = self.slots.clone().acquire_owned() => slot,
                () = shutdown.wait_requested() => return,
            };
            // Nobody closes the semaphore.
            let Ok(slot) = slot else { return };
            match self.claim().await {
                Ok(batch) if !batch.is_empty() => {
                    let few = (batch.len() as i64) < self.batch_size / 2;
                    self.spawn_batch(batch, slot);
                    if few {
                        shutdown.sleep(LINGER).await;
                    }
                }
                Ok(_) => {
                    drop(slot);
                    polls_left = self.wait_for_work(polls_left).await;
                }
                Err(error) => {
                    drop(slot);
                    tracing::warn!(error = %error_chain(&error), "due records cannot be claimed");
                    shutdown.sleep(self.poll).await;
                }
            }
        }
    }

    async fn claim(&self) -> Result<Vec<ClaimedPush>, Error> {
        let now = self.context.clock.now();
        store::claim_due(&self.pool, now, now + self.lease, self.batch_size).await
    }

    fn spawn_batch(self: &Arc<Self>, batch: Vec<ClaimedPush>, slot: OwnedSemaphorePermit) {
        let sender = self.clone();
        self.context.shutdown.spawn(async move {
            sender.push_and_settle(batch).await;
            drop(slot);
        });
    }

    /// Waits for a notification or for the time of the next row; returns how many quick polls are left.
    async fn wait_for_work(&self, polls_left: u32) -> u32 {
        let pause = match polls_left {
            0 => self.until_next().await,
            left => Duration::from_millis(5 << (QUICK_POLLS - left)).min(self.poll),
        };
        tokio::select! {
            () = self.wake.notified() => QUICK_POLLS,
            _ = self.context.shutdown.sleep(pause) => polls_left.saturating_sub(1),
        }
    }

    async fn until_next(&self) -> Duration {
        match store::load_queue_times(&self.pool).await {
            Ok((Some(next), _)) => {
                let wait = next - self.context.clock.now();
                // Never a tight loop, even when the queue's head is being claimed elsewhere.
                wait.try_into()
                    .unwrap_or(Duration::ZERO)
                    .clamp(Duration::from_millis(1), self.poll)
            }
            _ => self.poll,
        }
    }

    async fn push_and_settle(&self, batch: Vec<ClaimedPush>) {
        let telemetry = &self.context.telemetry;
        let spans: Vec<_> = batch
            .iter()
            .map(|c| telemetry.record_span("provincial.push", &c.request.traceparent))
            .collect();
        let trace = |n: usize| {
            let span = spans.get(n).and_then(Option::as_ref);
            span.map(|span| span.traceparent()).unwrap_or_default()
        };
        let mut versions = Vec::with_capacity(batch.len());
        let mut ready = PushBatchOutcome::default();
        for (n, claimed) in batch.iter().enumerate() {
            let version_id = claimed.request.version.id;
            match app::open_version(&self.context.keyring, &claimed.request, trace(n)) {
                Ok(version) => versions.push(version),
                Err(answer) => {
                    tracing::error!(record = %version_id, "record cannot be pushed");
                    ready.by_key.insert(version_id.to_string(), answer);
                }
            }
        }
        let mut answers = self.push_versions(versions).await;
        answers.by_key.extend(ready.by_key);
        let attempts = batch
            .into_iter()
            .enumerate()
            .map(|(n, claimed)| app::PushAttempt {
                outcome: answers
                    .by_key
                    .remove(&claimed.request.version.id.to_string())
                    .unwrap_or_else(|| PushOutcome::Unanswered("no answer".to_owned())),
                traceparent: trace(n),
                claimed,
            })
            .collect();
        let recovered = if answers.failed {
            self.failing.store(true, Ordering::Relaxed);
            false
        } else {
            answers.answered && self.failing.swap(false, Ordering::Relaxed)
        };
        if let Err(error) = self.settle(attempts, recovered).await {
            // The lease ends by itself, and the same keys get the same acknowledgements.
            tracing::warn!(error = %error_chain(&error), "answers of a batch could not be stored");
            self.failing.fetch_or(recovered, Ordering::Relaxed);
        }
    }

    async fn push_versions(&self, versions: Vec<OpenedVersion>) -> PushBatchOutcome {
        if versions.is_empty() {
            return PushBatchOutcome::default();
        }
        let cut_off = async {
            self.context.shutdown.wait_requested().await;
            tokio::time::sleep(GRACE_PERIOD).await;
        };
        tokio::select! {
            answers = self.upstream.push_versions(versions) => answers,
            () = cut_off => PushBatchOutcome { failed: true, ..PushBatchOutcome::default() },
        }
    }

    async fn settle(&self, attempts: Vec<app::PushAttempt>, recovered: bool) -> Result<(), Error> {
        let now: OffsetDateTime = self.context.clock.now();
        let mut tx = self.pool.begin().await?;
        let settling = app::SettleContext {
            keyring: &self.context.keyring,
            retry: &self.retry,
            now,
            recovered,
        };
        let acknowledged = app::settle_attempts(&mut tx, attempts, settling).await?;
        tx.commit().await?;
        if acknowledged > 0 {
            self.relay.wake();
        }
        if recovered {
            self.wake.notify_one();
        }
        Ok(())
    }
}
