//! Groups the submissions of all callers into commits: while one batch commits, the next gathers. Callers that wait for
//! their answers share one writer: shared among several, their batches would be a fraction as large and each record
//! would cost half as much again. A lone caller waits for nobody and pays one commit. Records of streams go to the
//! writer of their provider: in the order of the stream, and without waiting for each other's ledger rows. A provider
//! that calls and streams at the same time has both: then the lock on its ledger row puts them in order.

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

/// The largest sealed record, KiB; so much must always fit into the memory for what waits.
const LARGEST_KIB: u32 = 2 * 1024;
/// How long a batch waits for callers to come back that wait for their answers: as soon as there are nearly as many as
/// in the batch before, or none for so long, it goes. A batch costs eight statements and a flush of the disk whatever
/// its size.
const CALL_LINGER: Duration = Duration::from_millis(1);
/// How long records of streams gather before the writer looks whether there are more.
const STREAM_LINGER: Duration = Duration::from_millis(4);
/// How long they gather at most: of a stream that goes on the next record always comes.
const STREAM_LINGER_LIMIT: Duration = Duration::from_millis(40);

/// What a caller does until it has its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubmissionMode {
    /// It waits: nothing more comes of it.
    Single,
    /// It sends its next record.
    Streamed,
}

/// What a caller waits for.
pub type SubmissionAnswer = Result<SubmissionDecision, Refusal>;

/// A submission and who waits for it.
#[derive(Debug)]
struct QueuedSubmission {
    incoming: SealedSubmission,
    answer: oneshot::Sender<SubmissionAnswer>,
    /// Its share of the memory for what waits; given back with the answer.
    memory_permit: OwnedSemaphorePermit,
}

/// The writers of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BatchWriters {
    /// To the writer of those that wait.
    single_queue: mpsc::Sender<QueuedSubmission>,
    /// To the writers of streams.
    stream_queues: Arc<[mpsc::Sender<QueuedSubmission>]>,
    /// KiB of content that may wait over all queues: records are bounded by number and by size.
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
        let start = |name: String, pace| {
            let (sender, queue) = mpsc::channel(config.queue_records.max(1));
            let writer = BatchWriter {
                mode: pace,
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
    pub async fn submit(
        &self,
        incoming: SealedSubmission,
        pace: SubmissionMode,
    ) -> Result<oneshot::Receiver<SubmissionAnswer>, Stopping> {
        let (answer, receiver) = oneshot::channel();
        let queue = match pace {
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
                    // Nothing new is taken; what was queued is still committed and answered.
                    self.queue.close();
                    self.queue.recv().await
                }
                first = self.queue.recv() => first,
            };
            let Some(first) = first else { return };
            waiting.push(first);
            self.drain_queue(&mut waiting);
            // Where several callers come at once a short pause makes one commit of many; a lone caller
            // never waits.
            if before > 1 {
                self.linger(&mut waiting, before).await;
            }
            before = waiting.len();
            self.commit_batch(&mut waiting).await;
        }
    }

    /// Takes what is in the queue, as far as there is room in the batch; whether there is room left.
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

    /// Waits for more, after a batch of `before`, while it may come.
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
                    // Not all: a caller that has all its answers does not come back.
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
        // Shares of the memory are given back when the batch is answered.
        let (mut submissions, mut answers, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for one in waiting.drain(..) {
            submissions.push(one.incoming);
            answers.push(one.answer);
            shares.push(one.memory_permit);
        }
        match self.commit_with_retries(&submissions).await {
            Ok(decisions) => {
                for (answer, decision) in answers.into_iter().zip(decisions) {
                    // A caller that has gone away asks again with the same id.
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
        drop(shares);
    }

    async fn commit_with_retries(
        &self,
        submissions: &[SealedSubmission],
    ) -> Result<Vec<SubmissionDecision>, db::Error> {
        let mut retries = 0;
        loop {
            let outcome = self.commit_once(submissions).await;
            match outcome {
                // A deadlock is nobody's fault; the whole transaction is rolled back, so doing it
                // again is safe.
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
        self.bus.reached(FaultPoint::Appended);
        tx.commit().await?;
        self.bus.reached(FaultPoint::Committed);
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
