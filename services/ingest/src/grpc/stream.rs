//! `StreamRecords` as a stream: one answer for each submission, in order, each with a token to go on from after a break.

use std::sync::Arc;

use futures::{FutureExt as _, Stream};
use proto::credit::ingest::v1::{
    Resumed, StreamRecordsRequest, StreamRecordsResponse, stream_records_response::Answer,
};
use record_ref::ProviderCode;
use service_kit::{blocking::Stopping, identity::Principal, shutdown::Shutdown};
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming, codegen::BoxStream};
use vault::Keyring;

use super::{
    IngestApi, decode, encode,
    resume::{decode_resume_token, encode_resume_token},
};
use crate::{
    app::submit_record::{PendingReceipt, Submitter},
    error::IngestError,
    writer::SubmissionMode,
};

/// What an answer is made of: its position, and the submission; without one the stream was resumed.
type StreamStep = (u64, Option<PendingReceipt>);

/// The requests of a stream. A stopping service still receives requests on open streams for a while, each to be
/// refused: for five eighths of its grace period, so that the last answers are out before the connections close, but
/// not after a sixteenth of it without a request.
pub(super) struct DrainingRequests<S> {
    stream: S,
    shutdown: Shutdown,
    /// Since when the service stops, as far as this stream has noticed.
    stopping: Option<Instant>,
}

impl<T, S: Stream<Item = Result<T, Status>> + Unpin> DrainingRequests<S> {
    pub(super) fn new(stream: S, shutdown: Shutdown) -> Self {
        Self {
            stream,
            shutdown,
            stopping: None,
        }
    }

    /// The next request; `None` after the last.
    pub(super) async fn next(&mut self) -> Option<Result<T, Status>> {
        let (longest, quiet) = (
            self.shutdown.grace_period() * 5 / 8,
            self.shutdown.grace_period() / 16,
        );
        let end = self.stopping.map(|since| since + longest);
        if end.is_some_and(|end| end <= Instant::now()) {
            return Some(Err(Stopping.into()));
        }
        let shutdown = self.shutdown.clone();
        let enough = async {
            shutdown.wait_requested().await;
            let quiet = Instant::now() + quiet;
            tokio::time::sleep_until(end.map_or(quiet, |end| end.min(quiet))).await;
        };
        let next = tokio::select! {
            // A request that has arrived already is answered first.
            biased;
            next = self.stream.next() => next,
            () = enough => Some(Err(Stopping.into())),
        };
        if self.stopping.is_none() && self.shutdown.is_requested() {
            self.stopping = Some(Instant::now());
        }
        next
    }

    /// The next request if it has arrived, without waiting.
    pub(super) fn try_next(&mut self) -> Option<Option<Result<T, Status>>> {
        self.stream.next().now_or_never()
    }
}

/// Answers a stream of submissions of a provider. Tokens hold the organisation code of the caller's token, so that a
/// caller that is no provider is answered like the others, too.
pub(super) fn stream_records(
    api: &IngestApi,
    principal: Principal,
    requests: Streaming<StreamRecordsRequest>,
) -> BoxStream<StreamRecordsResponse> {
    let provider = decode::provider_of(&principal);
    let owner: Arc<str> = principal.organisation.into();
    let mut requests = DrainingRequests::new(requests, api.context.shutdown.clone());
    let (window, steps) = mpsc::channel::<Result<StreamStep, Status>>(api.stream_window);
    let mut handler = StreamRequestHandler {
        submitter: api.submitter.clone(),
        keyring: api.context.keyring.clone(),
        provider,
        owner: owner.clone(),
        position: None,
    };
    tokio::spawn(async move {
        while let Some(next) = requests.next().await {
            let step = match next {
                Ok(message) => handler.handle_request(message).await.map_err(Status::from),
                Err(status) => Err(status),
            };
            let broken = step.is_err();
            // Bounded: a client that does not read its answers is held back, and so is one that sends faster than the
            // database commits.
            if window.send(step).await.is_err() || broken {
                return;
            }
        }
    });
    let keyring = api.context.keyring.clone();
    let answers = ReceiverStream::new(steps).then(move |step| {
        let (keyring, owner) = (keyring.clone(), owner.clone());
        async move {
            let (position, pending) = step?;
            let answer = match pending {
                None => Answer::Resumed(Resumed { position }),
                Some(pending) => match pending.wait_answered().await {
                    (id, Ok(answered)) => Answer::Receipt(encode::encode_receipt(id, &answered)),
                    (id, Err(refusal)) => Answer::Refusal(encode::stream_refusal(id, refusal)),
                },
            };
            Ok(StreamRecordsResponse {
                answer: Some(answer),
                position,
                resume_token: encode_resume_token(&keyring, &owner, position).into(),
            })
        }
    });
    Box::pin(answers)
}

/// Handles the requests of a stream.
struct StreamRequestHandler {
    submitter: Submitter,
    keyring: Keyring,
    provider: Option<ProviderCode>,
    owner: Arc<str>,
    /// How many submissions came before the next request, over all resumptions; none before the first.
    position: Option<u64>,
}

impl StreamRequestHandler {
    async fn handle_request(
        &mut self,
        message: StreamRecordsRequest,
    ) -> Result<StreamStep, IngestError> {
        let token = &message.resume_token;
        if token.is_empty() {
            let number = self.position.unwrap_or_default().saturating_add(1);
            self.position = Some(number);
            // Each record of a stream has a trace of its own: thousands in one say nothing.
            let pending = self
                .submitter
                .submit_record(
                    message.submission.map(decode::submission),
                    self.provider,
                    None,
                    SubmissionMode::Streamed,
                )
                .await;
            return Ok((number, Some(pending)));
        }
        // The caller's intention cannot be guessed: numbers would no longer agree, so the stream ends.
        if self.position.is_some() || message.submission.is_some() {
            return Err(IngestError::ResumeTokenMisplaced);
        }
        let reached = decode_resume_token(&self.keyring, &self.owner, token)?;
        self.position = Some(reached);
        Ok((reached, None))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stopping_with_grace_period(grace_period: Duration) -> Shutdown {
        let shutdown = Shutdown::new().with_grace_period(grace_period);
        shutdown.request_stop();
        shutdown
    }

    fn is_last(next: Option<Result<u64, Status>>) -> bool {
        matches!(next, Some(Err(status)) if status.message().starts_with("STOPPING"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_here_is_taken_before_the_stop_ends_a_stream() {
        let here = tokio_stream::iter((0..100).map(Ok));
        let endless = here.chain(tokio_stream::pending());
        let mut requests = DrainingRequests::new(
            Box::pin(endless),
            stopping_with_grace_period(Duration::ZERO),
        );
        // The first call notices the stop; with no time at all the second is the last.
        assert!(matches!(requests.next().await, Some(Ok(0))));
        assert!(is_last(requests.next().await));

        let here = tokio_stream::iter((0..100).map(Ok));
        let endless = here.chain(tokio_stream::pending());
        let shutdown = stopping_with_grace_period(Duration::from_secs(8));
        let mut requests = DrainingRequests::new(Box::pin(endless), shutdown);
        let since = Instant::now();
        for number in 0..100 {
            assert!(matches!(requests.next().await, Some(Ok(n)) if n == number));
        }
        assert!(is_last(requests.next().await));
        assert_eq!(since.elapsed(), Duration::from_millis(500), "of silence");
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_goes_on_and_on_is_left_in_the_end() {
        let every = tokio::time::interval(Duration::from_millis(100));
        let endless = tokio_stream::wrappers::IntervalStream::new(every).map(|_| Ok(0));
        let shutdown = stopping_with_grace_period(Duration::from_secs(8));
        let mut requests = DrainingRequests::new(endless, shutdown);
        let since = Instant::now();
        while !is_last(requests.next().await) {}
        assert_eq!(since.elapsed(), Duration::from_secs(5));
    }
}
