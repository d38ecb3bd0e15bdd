//! Group commit: while one batch commits, the next one is collected. Single calls share one writer: shared among
//! several, their batches would be a fraction as large and each record would cost half as much again. A lone caller
//! does not linger and pays one commit. Records of streams go to the writer of their provider: in the order of the
//! stream, and without waiting for each other's ledger rows. A provider that calls and streams at the same time has
//! both: then the lock on its ledger row puts them in order. `app::submit_record` queues, [`BatchWriters::start`] is
//! called by `lib.rs`.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::Duration,
};

use event_bus::{Bus, FaultPoint, Relay};
use service_kit::{ServiceContext, blocking::Stopping, db, db::Pool, error::Refusal};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::{
    Config, app,
    domain::{SealedSubmission, SubmissionDecision},
    error::not_committed,
};

/// The largest sealed record, KiB; so much must always fit into the queue's memory.
const LARGEST_KIB: u32 = 2 * 1024;
/// Linger time of the writer of single calls: it waits for the callers that it has just answered to call again. It ends
/// as soon as the batch is nearly as large as the one before, or when nothing arrives for this long. A batch costs
/// eight statements and a flush of the disk whatever its size.
const CALL_LINGER: Duration = Duration::from_millis(1);
/// Linger time of the stream writers: pause before the queue is checked again.
const STREAM_LINGER: Duration = Duration::from_millis(4);
/// Upper limit of lingering: a stream that never pauses would fill the batch for ever.
const STREAM_LINGER_LIMIT: Duration = Duration::from_millis(40);

/// Whether a submission came by a single call or in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionMode {
    /// A single call: the caller sends nothing more before it has its answer.
    Single,
    /// A record of a stream: the caller sends its next one without waiting.
    Streamed,
}

/// The answer to a submission.
pub type SubmissionAnswer = Result<SubmissionDecision, Refusal>;

/// A submission and the channel of its answer.
#[derive(Debug)]
struct QueuedSubmission {
    incoming: SealedSubmission,
    answer: oneshot::Sender<SubmissionAnswer>,
    /// Permit for its part of the queue's memory, released with the answer.
    memory_permit: OwnedSemaphorePermit,
}

/// The writers of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BatchWriters {
    /// Queue of the writer for single calls.
    single_queue: mpsc::Sender<QueuedSubmission>,
    /// Queues of the writers of streams.
    stream_queues: Arc<[mpsc::Sender<QueuedSubmission>]>,
    /// KiB of content that may be queued over all queues: records are bounded by number and by size.
    queue_memory: Arc<Semaphore>,
}

struct BatchWriter {
    mode: SubmissionMode,
    queue: mpsc::Receiver<QueuedSubmission>,
    pool: Pool,
    bus: Bus,
    relay: Relay,
    context: ServiceContext,
    max_records: usize,
    max_bytes: usize,
}

impl BatchWriters {
    /// Starts the writers as essential tasks.
    pub fn start(
        config: &Config,
        pool: &Pool,
        bus: &Bus,
        relay: &Relay,
        context: &ServiceContext,
    ) -> Self {
        let start = |name: String, mode| {
            let (sender, queue) = mpsc::channel(config.queue_records.max(1));
            let writer = BatchWriter {
                mode,
                queue,
                pool: pool.clone(),
                bus: bus.clone(),
                relay: relay.clone(),
                context: context.clone(),
                max_records: config.max_batch_records.max(1),
                max_bytes: config.max_batch_bytes,
            };
            context.shutdown.spawn_essential(name, async move {
                writer.run().await;
                Ok::<_, std::convert::Infallible>(())
            });
            sender
        };
        let streams = 0..config.writers.max(1);
        Self {
            single_queue: start("ingest writer of calls".to_owned(), SubmissionMode::Single),
            stream_queues: streams
                .map(|number| start(format!("ingest writer {number}"), SubmissionMode::Streamed))
                .collect(),
            queue_memory: Arc::new(Semaphore::new(config.queue_kib.max(LARGEST_KIB) as usize)),
        }
    }

    /// Queues a submission; the receiver gets the decision after its commit. Waits while the
    /// queue is full, which is what holds callers back.
    ///
    /// # Errors
    /// [`Stopping`]: nothing was stored.
    pub async fn queue_submission(
        &self,
        incoming: SealedSubmission,
        mode: SubmissionMode,
    ) -> Result<oneshot::Receiver<SubmissionAnswer>, Stopping> {
        let (answer, receiver) = oneshot::channel();
        let queue = match mode {
            SubmissionMode::Single => &self.single_queue,
            SubmissionMode::Streamed => {
                let mut hasher = DefaultHasher::new();
                incoming.key.provider.hash(&mut hasher);
                &self.stream_queues[hasher.finish() as usize % self.stream_queues.len()]
            }
        };
        let kib = u32::try_from(incoming.sealed_content.len() / 1024 + 1).unwrap_or(LARGEST_KIB);
        let share = self.queue_memory.clone().acquire_many_owned(kib);
        let waiting = QueuedSubmission {
            incoming,
            answer,
            memory_permit: share.await.map_err(|_| Stopping)?,
        };
        queue.send(waiting).await.map_err(|_| Stopping)?;
        Ok(receiver)
    }
}

impl BatchWriter {
    async fn run(mut self) {
        let mut waiting = Vec::new();
        let mut before = 0;
        loop {
            // The stop comes first: under load the queue is never empty.
            let first = tokio::select! {
                biased;
                () = self.context.shutdown.wait_requested() => {
                    // Nothing new is queued; what was queued is still committed and answered.
                    self.queue.close();
                    self.queue.recv().await
                }
                first = self.queue.recv() => first,
            };
            let Some(first) = first else { return };
            waiting.push(first);
            self.drain_queue(&mut waiting);
            // Where several callers come at once, to linger makes one commit of many; a lone caller never lingers.
            if before > 1 {
                self.linger(&mut waiting, before).await;
            }
            before = waiting.len();
            self.commit_batch(&mut waiting).await;
        }
    }

    /// Drains the queue, as far as there is room in the batch; whether there is room left.
    fn drain_queue(&mut self, waiting: &mut Vec<QueuedSubmission>) -> bool {
        let sizes = waiting.iter().map(|one| one.incoming.sealed_content.len());
        let mut bytes: usize = sizes.sum();
        while waiting.len() < self.max_records && bytes < self.max_bytes {
            let Ok(next) = self.queue.try_recv() else {
                return true;
            };
            bytes += next.incoming.sealed_content.len();
            waiting.push(next);
        }
        false
    }

    /// Lingers for more submissions, after a batch of `before`.
    async fn linger(&mut self, waiting: &mut Vec<QueuedSubmission>, before: usize) {
        let mut waited = Duration::ZERO;
        while self.drain_queue(waiting) {
            match self.mode {
                SubmissionMode::Streamed => {
                    if waited >= STREAM_LINGER_LIMIT
                        || self.context.shutdown.sleep(STREAM_LINGER).await
                    {
                        return;
                    }
                    waited += STREAM_LINGER;
                    if self.queue.is_empty() {
                        return;
                    }
                }
                SubmissionMode::Single => {
                    // Not all: a caller that has all its answers does not call again.
                    if waiting.len() >= before - before / 8 {
                        return;
                    }
                    tokio::select! {
                        next = tokio::time::timeout(CALL_LINGER, self.queue.recv()) => match next {
                            Ok(Some(next)) => waiting.push(next),
                            _ => return,
                        },
                        () = self.context.shutdown.wait_requested() => return,
                    }
                }
            }
        }
    }

    async fn commit_batch(&self, waiting: &mut Vec<QueuedSubmission>) {
        // The permits are released when the batch is answered.
        let (mut submissions, mut answers, mut permits) = (Vec::new(), Vec::new(), Vec::new());
        for one in waiting.drain(..) {
            submissions.push(one.incoming);
            answers.push(one.answer);
            permits.push(one.memory_permit);
        }
        match self.commit_with_retries(&submissions).await {
            Ok(decisions) => {
                for (answer, decision) in answers.into_iter().zip(decisions) {
                    // The receiver may be gone: the caller disconnected, and repeats the request under the same id.
                    let _ = answer.send(Ok(decision));
                }
            }
            Err(error) => {
                let refusal = not_committed(&error);
                tracing::warn!(records = submissions.len(), error = %error, "batch not committed");
                for answer in answers {
                    let _ = answer.send(Err(refusal.clone()));
                }
            }
        }
        drop(permits);
    }

    async fn commit_with_retries(
        &self,
        submissions: &[SealedSubmission],
    ) -> Result<Vec<SubmissionDecision>, db::Error> {
        let mut retries = 0;
        loop {
            let outcome = self.commit_once(submissions).await;
            match outcome {
                // A deadlock or serialization failure is transient; the transaction was rolled back as a whole, so it
                // can be retried.
                Err(error) if is_rolled_back(&error) && retries < 3 => {
                    retries += 1;
                    tokio::time::sleep(Duration::from_millis(5 * retries)).await;
                }
                other => return other,
            }
        }
    }

    async fn commit_once(
        &self,
        submissions: &[SealedSubmission],
    ) -> Result<Vec<SubmissionDecision>, db::Error> {
        let mut tx = self.pool.begin().await?;
        let now = self.context.clock.now();
        let decisions = app::accept_submissions(&mut tx, submissions, now).await?;
        self.bus.hit_fault_point(FaultPoint::Appended);
        tx.commit().await?;
        self.bus.hit_fault_point(FaultPoint::Committed);
        self.relay.wake();
        Ok(decisions)
    }
}

fn is_rolled_back(error: &db::Error) -> bool {
    error
        .as_database_error()
        .and_then(|e| e.code())
        .is_some_and(|code| code.starts_with("40"))
}
