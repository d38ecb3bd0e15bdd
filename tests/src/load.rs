//! Departments that go on reporting whatever breaks, and keep every receipt. Called by fault journeys, the hostile
//! suite and `bench hostile`.
//!
//! A few providers stream, the others make single calls. Of the records that have their receipt a share, which follows from
//! the seed, is revoked or withdrawn right after it (D-24). A submission whose answer is lost is sent again under the
//! same id until it has its receipt, and now and then an old one is sent again: its receipt must be the one of the
//! first time. What the platform may answer meanwhile is a refusal that permits a retry, or nothing; any other answer
//! ends the load with an error.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use proto::credit::{
    common::v1::Operation,
    ingest::v1::{
        Receipt, StreamRecordsRequest, Submission, SubmitRecordRequest,
        stream_records_response::Answer,
    },
};
use testkit::{
    eventually,
    records::{GeneratedRecord, Generator},
};
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::JoinSet,
};
use tokio_stream::{StreamExt, wrappers::ReceiverStream};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    books::ReceiptBook, clients::IngestClient, cluster::Cluster, day::submission_of_record,
};

/// How long a caller retries for one receipt before the load fails.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(120);
/// Pause before a caller retries.
const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Submissions in flight on one stream, at most.
const MAX_UNANSWERED: usize = 64;
/// One single call in so many is the repetition of an old one.
const REPEAT_EVERY: u64 = 8;

/// Of so many records one is revoked and one is withdrawn.
const ENDED_ONE_IN: u8 = 16;

/// How much load there is.
#[derive(Clone, Copy, Debug)]
pub struct LoadPace {
    /// Providers that stream; the others make single calls.
    pub streams: usize,
    /// Submissions that all callers together begin in a second, so that a journey of minutes has an end; the platform
    /// takes more.
    pub per_second: u32,
}

impl Default for LoadPace {
    fn default() -> Self {
        Self {
            streams: 4,
            per_second: 250,
        }
    }
}

/// A running load. [`Load::finish`] ends it and gives the book.
#[derive(Debug)]
pub struct Load {
    shared: Arc<LoadState>,
    callers: JoinSet<Result<()>>,
    stop: watch::Sender<bool>,
}

#[derive(Debug)]
struct LoadState {
    supply: Mutex<Supply>,
    book: Mutex<ReceiptBook>,
    /// Submissions that may begin now.
    permits: Semaphore,
    given: AtomicU64,
    /// Answers that were refusals with a reason, by code and reason.
    refused: Mutex<BTreeMap<String, u64>>,
    /// Calls and streams that broke without an answer.
    broken: AtomicU64,
    repeated: AtomicU64,
}

/// Records by provider, made on demand.
#[derive(Debug)]
struct Supply {
    generator: Generator,
    next: u64,
    waiting: HashMap<String, VecDeque<GeneratedRecord>>,
}

impl Supply {
    fn next_of(&mut self, provider: &str) -> GeneratedRecord {
        loop {
            let queue = self.waiting.get_mut(provider);
            if let Some(record) = queue.and_then(VecDeque::pop_front) {
                return record;
            }
            let record = self.generator.record(self.next);
            self.next += 1;
            let queue = self.waiting.entry(record.provider_code.clone());
            queue.or_default().push_back(record);
        }
    }
}

fn lock_anyway<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Starts callers for all providers of the generator, who must be registered.
    pub fn start(cluster: &Cluster, generator: Generator, pace: LoadPace) -> Result<Self> {
        let providers: Vec<String> = generator
            .providers()
            .iter()
            .map(|provider| provider.code.clone())
            .collect();
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(LoadState {
            supply: Mutex::new(Supply {
                generator,
                next: 0,
                waiting: HashMap::new(),
            }),
            book: Mutex::new(ReceiptBook::default()),
            permits: Semaphore::new(0),
            given: AtomicU64::new(0),
            refused: Mutex::new(BTreeMap::new()),
            broken: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
        });
        let mut callers = JoinSet::new();
        callers.spawn(refill_permits(
            shared.clone(),
            stopped.clone(),
            pace.per_second,
        ));
        let clients = cluster.clients()?;
        for (number, provider) in providers.into_iter().enumerate() {
            let caller = LoadCaller {
                client: clients.ingest(&provider)?,
                provider,
                shared: shared.clone(),
                stopped: stopped.clone(),
                ends: VecDeque::new(),
            };
            if number < pace.streams {
                callers.spawn(caller.stream_until_stopped());
            } else {
                callers.spawn(caller.call_until_stopped());
            }
        }
        Ok(Self {
            shared,
            callers,
            stop,
        })
    }

    /// Receipts so far.
    pub fn receipt_count(&self) -> u64 {
        self.shared.given.load(Ordering::Relaxed)
    }

    /// Refusals so far, by code and reason.
    pub fn refusals(&self) -> BTreeMap<String, u64> {
        lock_anyway(&self.shared.refused).clone()
    }

    /// Waits until so many more receipts have come. Fails when a caller has failed.
    pub async fn wait_for_receipts(&mut self, receipts: u64) -> Result<()> {
        let wanted = self.receipt_count() + receipts;
        let came = eventually(
            &format!("{receipts} more receipts"),
            RECEIPT_TIMEOUT,
            async || {
                ensure!(
                    self.receipt_count() >= wanted,
                    "{} of {wanted}; refused: {:?}; callers: {}",
                    self.receipt_count(),
                    self.refusals(),
                    self.callers.len(),
                );
                Ok(())
            },
        )
        .await;
        // A caller that has given up knows more.
        self.check_callers().await?;
        came.context("receipts stay away")
    }

    /// Fails with the error of a caller that has ended: no caller may end before `finish`.
    pub async fn check_callers(&mut self) -> Result<()> {
        if let Some(ended) = self.callers.try_join_next() {
            ended?.context("a caller of the load failed")?;
            bail!("a caller of the load ended early");
        }
        Ok(())
    }

    /// What was given so far.
    pub fn book(&self) -> ReceiptBook {
        lock_anyway(&self.shared.book).clone()
    }

    /// Lets every caller get the receipts that it waits for, and ends.
    pub async fn finish(mut self) -> Result<ReceiptBook> {
        self.stop.send_replace(true);
        while let Some(ended) = self.callers.join_next().await {
            ended?.context("a caller of the load failed")?;
        }
        println!(
            "load: {} receipts, {} asked for again, {} calls or streams broken, refused and asked again: {:?}",
            self.receipt_count(),
            self.shared.repeated.load(Ordering::Relaxed),
            self.shared.broken.load(Ordering::Relaxed),
            self.refusals(),
        );
        Ok(self.book())
    }
}

async fn refill_permits(
    shared: Arc<LoadState>,
    mut stopped: watch::Receiver<bool>,
    per_second: u32,
) -> Result<()> {
    let each = Duration::from_millis(20);
    let mut beat = tokio::time::interval(each);
    beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let share = (per_second * 20).div_ceil(1000) as usize;
    loop {
        tokio::select! {
            _ = beat.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
        }
        // Permits do not accumulate while the platform is unavailable: no burst afterwards.
        if shared.permits.available_permits() < 4 * share {
            shared.permits.add_permits(share);
        }
    }
}

struct LoadCaller {
    provider: String,
    client: IngestClient,
    shared: Arc<LoadState>,
    stopped: watch::Receiver<bool>,
    /// Revocations and withdrawals that come next.
    ends: VecDeque<Submission>,
}

/// The revocation or withdrawal that follows a record, if any. Derived from its submission id, so the same seed gives
/// the same.
fn ending_of(record: &Submission) -> Option<Submission> {
    let [chance, ..] = vault::sha256(record.submission_id.as_bytes());
    let (operation, reason) = match chance % ENDED_ONE_IN {
        _ if record.operation() != Operation::Unspecified => return None,
        0 => (Operation::Revoke, "法院判决撤销原决定"),
        1 => (Operation::Withdraw, "重复报送，撤回"),
        _ => return None,
    };
    Some(Submission {
        submission_id: format!("{}-end", record.submission_id),
        content_type: "text/plain".to_owned(),
        content: reason.into(),
        operation: operation.into(),
        ..record.clone()
    })
}

/// What a call that gave no receipt means for its caller.
enum LostAnswer {
    /// Ask again with the same id.
    AskAgain,
    /// The platform gave an answer that is wrong for a good submission.
    Wrong(String),
}

impl LoadCaller {
    /// The next submission to begin; `None` when the load is to end.
    async fn next(&mut self) -> Option<Submission> {
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|stop| *stop) => None,
            ticket = self.shared.permits.acquire() => {
                ticket.ok()?.forget();
                if let Some(end) = self.ends.pop_front() {
                    return Some(end);
                }
                Some(submission_of_record(&lock_anyway(&self.shared.supply).next_of(&self.provider)))
            }
        }
    }

    fn enter_receipt(&mut self, submission: &Submission, receipt: Receipt) -> Result<()> {
        let is_new = lock_anyway(&self.shared.book).insert(&self.provider, submission, receipt)?;
        // Not before its receipt: until then there may be nothing to end.
        self.ends.extend(ending_of(submission).filter(|_| is_new));
        let counter = if is_new {
            &self.shared.given
        } else {
            &self.shared.repeated
        };
        counter.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Single calls, one after the other.
    async fn call_until_stopped(mut self) -> Result<()> {
        let mut sent: Vec<Submission> = Vec::new();
        let mut count = 0;
        while let Some(submission) = self.next().await {
            self.call_until_answered(&submission).await?;
            sent.push(submission);
            count += 1;
            if count % REPEAT_EVERY == 0 {
                // Any one of the past; which does not matter, so it needs no chance.
                let old = sent[(count * 7_919) as usize % sent.len()].clone();
                self.call_until_answered(&old).await?;
            }
        }
        Ok(())
    }

    async fn call_until_answered(&mut self, submission: &Submission) -> Result<()> {
        let end = Instant::now() + RECEIPT_TIMEOUT;
        loop {
            let request = SubmitRecordRequest {
                submission: Some(submission.clone()),
            };
            let status = match self.client.submit_record(request).await {
                Ok(answer) => {
                    let receipt = answer.into_inner().receipt;
                    return self
                        .enter_receipt(submission, receipt.context("an answer has a receipt")?);
                }
                Err(status) => status,
            };
            match self.classify_status(&status) {
                LostAnswer::AskAgain => {}
                LostAnswer::Wrong(why) => bail!("{}: {why}", submission.submission_id),
            }
            ensure!(
                Instant::now() < end,
                "{} has no receipt after {RECEIPT_TIMEOUT:?}: {status:?}",
                submission.submission_id
            );
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    fn classify_status(&self, status: &Status) -> LostAnswer {
        let details = status.get_error_details();
        if let Some(info) = details.error_info() {
            return self.classify_refusal(status.code(), &info.reason);
        }
        // Answers of the platform come with a reason; what comes without is the connection's end.
        let broken = std::error::Error::source(status).is_some()
            || matches!(
                status.code(),
                Code::Unavailable | Code::Unknown | Code::Cancelled
            );
        if broken {
            self.shared.broken.fetch_add(1, Ordering::Relaxed);
            return LostAnswer::AskAgain;
        }
        LostAnswer::Wrong(format!("answered without a reason: {status:?}"))
    }

    /// A refusal with a reason: only those that permit a retry are right, for every submission is a good one.
    fn classify_refusal(&self, code: Code, reason: &str) -> LostAnswer {
        let what = format!("{code:?} {reason}");
        let again = matches!(code, Code::Unavailable | Code::ResourceExhausted);
        *lock_anyway(&self.shared.refused)
            .entry(what.clone())
            .or_default() += 1;
        if again {
            LostAnswer::AskAgain
        } else {
            LostAnswer::Wrong(format!("a good record was refused: {what}"))
        }
    }

    /// Streams, one after the other, each until it breaks.
    async fn stream_until_stopped(mut self) -> Result<()> {
        // In the order in which they were begun.
        let mut unanswered: VecDeque<Submission> = VecDeque::new();
        let mut progress = Instant::now();
        loop {
            let before = self.shared.given.load(Ordering::Relaxed);
            let ended = self.stream_once(&mut unanswered).await?;
            if ended && unanswered.is_empty() && *self.stopped.borrow() {
                return Ok(());
            }
            if self.shared.given.load(Ordering::Relaxed) > before {
                progress = Instant::now();
            }
            ensure!(
                progress.elapsed() < RECEIPT_TIMEOUT,
                "{}: {} submissions have no receipt after {RECEIPT_TIMEOUT:?}; refused: {:?}",
                self.provider,
                unanswered.len(),
                lock_anyway(&self.shared.refused),
            );
            tokio::time::sleep(RETRY_PAUSE).await;
        }
    }

    /// One stream: first what has no answer yet, under the same ids, then new ones. True when it ended in order.
    async fn stream_once(&mut self, unanswered: &mut VecDeque<Submission>) -> Result<bool> {
        let (sender, requests) = mpsc::channel(2 * MAX_UNANSWERED);
        for submission in unanswered.iter() {
            // The channel has room for all of them: there are never more than the window.
            let request = stream_request(submission.clone());
            ensure!(sender.try_send(request).is_ok(), "the window is too large");
        }
        let mut sender = Some(sender);
        let opened = self
            .client
            .stream_records(ReceiverStream::new(requests))
            .await;
        let mut answers = match opened {
            Ok(answers) => answers.into_inner(),
            Err(status) => return self.check_stream_end(&status).map(|()| false),
        };
        // Answers come in the order of the requests.
        let mut expected = unanswered.len();
        let mut given = 0;
        loop {
            let may_begin = sender.is_some() && unanswered.len() < MAX_UNANSWERED;
            let answer = tokio::select! {
                answer = answers.next() => answer,
                next = self.next(), if may_begin => {
                    match (next, &sender) {
                        (Some(submission), Some(open)) => {
                            unanswered.push_back(submission.clone());
                            expected += 1;
                            if open.send(stream_request(submission)).await.is_err() {
                                sender = None;
                            }
                        }
                        // The request side is closed; answers in flight still come.
                        _ => sender = None,
                    }
                    continue;
                }
            };
            let answer = match answer {
                Some(Ok(answer)) => answer.answer.context("an answer has a content")?,
                Some(Err(status)) => return self.check_stream_end(&status).map(|()| false),
                None => return Ok(given == expected),
            };
            given += 1;
            match answer {
                Answer::Receipt(receipt) => {
                    let at = unanswered
                        .iter()
                        .position(|s| s.submission_id == receipt.submission_id)
                        .with_context(|| format!("a receipt for what was not said: {receipt:?}"))?;
                    let submission = unanswered.remove(at).context("it was found")?;
                    self.enter_receipt(&submission, receipt)?;
                }
                Answer::Refusal(refusal) => {
                    let code = Code::from_i32(refusal.status_code);
                    if let LostAnswer::Wrong(why) = self.classify_refusal(code, &refusal.reason) {
                        bail!("{}: {why}: {}", refusal.submission_id, refusal.message);
                    }
                    // Refused while the platform is unavailable: sent again in the next stream, so that this one can
                    // end.
                    sender = None;
                }
                Answer::Resumed(resumed) => bail!("nothing was resumed: {resumed:?}"),
            }
        }
    }

    fn check_stream_end(&self, status: &Status) -> Result<()> {
        match self.classify_status(status) {
            LostAnswer::AskAgain => Ok(()),
            LostAnswer::Wrong(why) => bail!("the stream of {}: {why}", self.provider),
        }
    }
}

fn stream_request(submission: Submission) -> StreamRecordsRequest {
    StreamRecordsRequest {
        submission: Some(submission),
        ..StreamRecordsRequest::default()
    }
}
