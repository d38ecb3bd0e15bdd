//! Sends many records by one stream and, after a break, by another that goes on behind the last answer. Called by
//! `submit`.
//!
//! Records stay here until they are answered, so nothing that was in flight when a connection broke is lost: it
//! is sent again, under the same submission id, and the platform gives the receipt that it gave or would have given.

use std::collections::VecDeque;
use std::time::Duration;

use futures::FutureExt as _;
use proto::credit::ingest::v1::{
    Refusal, StreamRecordsRequest, StreamRecordsResponse, Submission,
    stream_records_response::Answer as StreamAnswer,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use super::{CallError, PlatformClient, RetryTimer, is_transient, is_transient_code};
use crate::CommandFailure;
use crate::exit::Exit;
use crate::shapes::RefusalShape;
use crate::state::{KeptReceipt, RowAnswer};

/// Most records in flight.
const MAX_IN_FLIGHT: usize = 512;
/// Most bytes of content in flight.
const MAX_IN_FLIGHT_BYTES: usize = 16 << 20;
/// Without any answer for so long, the stream is taken for broken.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A record in flight.
#[derive(Debug, Clone)]
pub struct OutgoingRecord {
    /// Its row.
    pub row: u64,
    /// What is sent.
    pub submission: Submission,
}

/// Gives the records to send and takes their answers.
pub trait UploadDriver {
    /// The next record to send.
    ///
    /// # Errors
    /// The file cannot be read.
    fn next_record(&mut self) -> Result<Option<OutgoingRecord>, CommandFailure>;

    /// A row was answered for good.
    ///
    /// # Errors
    /// The state cannot be written.
    fn record_answer(
        &mut self,
        row: u64,
        answer: RowAnswer,
        token: &[u8],
    ) -> Result<(), CommandFailure>;

    /// No more answers are at hand: a good moment to write down what came.
    ///
    /// # Errors
    /// The state cannot be written.
    fn flush_answers(&mut self) -> Result<(), CommandFailure>;

    /// The connection broke, or the platform asked for a retry; the records are sent again.
    fn report_break(&mut self, status: &Status);
}

/// Sends everything that the course gives.
///
/// # Errors
/// The platform stayed away, refused the stream, or something on this side failed.
pub async fn upload_records(
    platform: &PlatformClient,
    token: Option<Vec<u8>>,
    course: &mut dyn UploadDriver,
) -> Result<(), CommandFailure> {
    let mut upload = Upload {
        platform,
        course,
        token,
        unanswered: VecDeque::new(),
        bytes: 0,
        sent: 0,
        retried: Vec::new(),
        source_ended: false,
        answers: 0,
    };
    let mut tries = RetryTimer::new(platform.retry_timeout);
    loop {
        let before = upload.answers;
        let ended = upload.stream().await;
        upload.course.flush_answers()?;
        if upload.answers > before {
            tries.reset();
        }
        match ended {
            Ok(()) if upload.is_done() => return Ok(()),
            // The platform ended the stream, or asked to send some rows again.
            Ok(()) => {
                if !tries.wait_before_retry().await {
                    let status = Status::unavailable("UNAVAILABLE");
                    return Err(platform.failure(CallError::Status(Box::new(status))));
                }
            }
            Err(CallError::Status(status)) if upload.is_token_refused(&status) => {
                // What the token stood for is known here, too: the rows that were answered.
                upload.token = None;
            }
            Err(CallError::Status(status)) if is_transient(&status) => {
                upload.course.report_break(&status);
                if !tries.wait_before_retry().await {
                    return Err(platform.failure(CallError::Status(status)));
                }
            }
            Err(error) => return Err(platform.failure(error)),
        }
    }
}

struct Upload<'a> {
    platform: &'a PlatformClient,
    course: &'a mut dyn UploadDriver,
    token: Option<Vec<u8>>,
    /// Not answered yet, in the order of sending.
    unanswered: VecDeque<OutgoingRecord>,
    bytes: usize,
    /// How many of `unanswered` went out on this stream.
    sent: usize,
    /// Rows that the platform asked to send again.
    retried: Vec<OutgoingRecord>,
    source_ended: bool,
    answers: u64,
}

impl Upload<'_> {
    fn is_done(&self) -> bool {
        self.source_ended && self.unanswered.is_empty() && self.retried.is_empty()
    }

    /// A token that the platform does not know any more, as after it was restored: not a fault of a record, for those
    /// are answered one by one.
    fn is_token_refused(&self, status: &Status) -> bool {
        let codes = [
            Code::InvalidArgument,
            Code::NotFound,
            Code::FailedPrecondition,
        ];
        self.token.is_some() && self.sent == 0 && codes.contains(&status.code())
    }

    /// Fills the window.
    fn fill(&mut self) -> Result<(), CommandFailure> {
        while !self.source_ended
            && self.unanswered.len() < MAX_IN_FLIGHT
            && self.bytes < MAX_IN_FLIGHT_BYTES
        {
            match self.course.next_record()? {
                Some(outgoing) => {
                    self.bytes += outgoing.submission.content.len();
                    self.unanswered.push_back(outgoing);
                }
                None => self.source_ended = true,
            }
        }
        Ok(())
    }

    /// One stream, until everything is answered or it breaks.
    async fn stream(&mut self) -> Result<(), CallError> {
        self.sent = 0;
        // Rows that the platform asked for again are sent on the next stream, after a pause.
        for outgoing in std::mem::take(&mut self.retried) {
            self.bytes += outgoing.submission.content.len();
            self.unanswered.push_back(outgoing);
        }
        self.fill()?;
        if self.is_done() {
            return Ok(());
        }
        let (to, requests) = mpsc::channel(MAX_IN_FLIGHT + 1);
        if let Some(token) = &self.token {
            let first = StreamRecordsRequest {
                submission: None,
                resume_token: token.clone().into(),
            };
            // The channel is empty, and its other end is in the next line.
            let _ = to.try_send(first);
        }
        let request = self.platform.request(ReceiverStream::new(requests))?;
        let mut client = self.platform.ingest();
        let resuming = self.token.is_some();
        if !resuming {
            self.push(&to);
        }
        let called = tokio::time::timeout(ANSWER_TIMEOUT, client.stream_records(request)).await;
        let mut answers = called.map_err(|_| silent())?.map_err(boxed)?.into_inner();
        if resuming {
            let first = next(&mut answers).await?;
            match first.and_then(|first| first.answer) {
                Some(StreamAnswer::Resumed(_)) => {}
                Some(_) | None => {
                    let status = Status::unavailable("the stream was not resumed");
                    return Err(boxed(status));
                }
            }
        }
        let mut to = Some(to);
        loop {
            self.fill()?;
            match &to {
                Some(open) if self.unanswered.is_empty() && self.source_ended => {
                    debug_assert!(self.sent == 0 && !open.is_closed());
                    // The request side is closed: the platform ends its side, too.
                    to = None;
                }
                Some(open) => self.push(open),
                None => {}
            }
            let ready = answers.message().now_or_never();
            let response = match ready {
                Some(response) => response.map_err(boxed)?,
                None => {
                    self.course.flush_answers()?;
                    next(&mut answers).await?
                }
            };
            let Some(response) = response else {
                return Ok(());
            };
            self.answer(response)?;
        }
    }

    /// Sends what is not sent yet, as far as there is room.
    fn push(&mut self, to: &mpsc::Sender<StreamRecordsRequest>) {
        while let Some(outgoing) = self.unanswered.get(self.sent) {
            let request = StreamRecordsRequest {
                submission: Some(outgoing.submission.clone()),
                resume_token: Default::default(),
            };
            if to.try_send(request).is_err() {
                return;
            }
            self.sent += 1;
        }
    }

    fn answer(&mut self, response: StreamRecordsResponse) -> Result<(), CallError> {
        let Some(outgoing) = self.unanswered.pop_front().filter(|_| self.sent > 0) else {
            return Err(self.contract_violation());
        };
        self.sent -= 1;
        self.bytes -= outgoing.submission.content.len();
        let token = response.resume_token.to_vec();
        let answer = match response.answer {
            Some(StreamAnswer::Receipt(receipt)) => RowAnswer::Receipt(
                KeptReceipt::from_receipt(&receipt).ok_or_else(|| self.contract_violation())?,
            ),
            Some(StreamAnswer::Refusal(refusal)) if is_retry_asked(&refusal) => {
                self.course
                    .report_break(&Status::unavailable(refusal.message));
                self.retried.push(outgoing);
                self.token = Some(token).filter(|token| !token.is_empty());
                return Ok(());
            }
            Some(StreamAnswer::Refusal(refusal)) => {
                RowAnswer::Refused(Box::new(RefusalShape::from(refusal)))
            }
            Some(StreamAnswer::Resumed(_)) | None => return Err(self.contract_violation()),
        };
        self.answers += 1;
        self.course.record_answer(outgoing.row, answer, &token)?;
        self.token = Some(token).filter(|token| !token.is_empty());
        Ok(())
    }

    /// An answer that belongs to no request.
    fn contract_violation(&self) -> CallError {
        CommandFailure::with_exit(
            Exit::Unavailable,
            self.platform.language.choose_text(
                "平台的应答不符合接口约定，已停止",
                "the platform's answer does not keep to the contract; stopped",
            ),
        )
        .into()
    }
}

/// Whether a refusal is transient (the platform was stopping): the record is sent again under the same submission id.
fn is_retry_asked(refusal: &Refusal) -> bool {
    is_transient_code(Code::from_i32(refusal.status_code))
}

async fn next(
    answers: &mut tonic::Streaming<StreamRecordsResponse>,
) -> Result<Option<StreamRecordsResponse>, CallError> {
    let next = tokio::time::timeout(ANSWER_TIMEOUT, answers.message()).await;
    next.map_err(|_| silent())?.map_err(boxed)
}

fn silent() -> CallError {
    boxed(Status::deadline_exceeded("no answer"))
}

fn boxed(status: Status) -> CallError {
    CallError::Status(Box::new(status))
}
