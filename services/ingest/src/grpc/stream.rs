//! `StreamRecords`: one answer for each submission, in order, each with a token to go on from after a break.

use std::{pin::Pin, sync::Arc};

use futures::{FutureExt as _, Stream};
use proto::credit::ingest::v1::{
    Resumed, StreamRecordsRequest, StreamRecordsResponse, stream_records_response::Answer,
};
use service_kit::shutdown::Shutdown;
use tokio::{sync::mpsc, time::Instant};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Status, Streaming};

use super::{
    IngestApi, resume,
    submit::{Pending, stream_refusal},
};
use crate::{
    error::invalid,
    writer::{Pace, stopping},
};

/// The answers of a stream.
pub(super) type Answers = Pin<Box<dyn Stream<Item = Result<StreamRecordsResponse, Status>> + Send>>;

/// What an answer is made of: its position, and the submission; without one the stream was resumed.
type Step = (u64, Option<Pending>);

/// The requests of a stream. A stopping service still takes what comes on open streams for a while, each to be refused:
/// for five eighths of its farewell, so that the last answers are out before the connections go, and not after a
/// sixteenth without a request.
pub(super) struct Requests<S> {
    stream: S,
    shutdown: Shutdown,
    /// Since when the service stops, as far as this stream has noticed.
    stopping: Option<Instant>,
}

impl<T, S: Stream<Item = Result<T, Status>> + Unpin> Requests<S> {
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
            self.shutdown.farewell() * 5 / 8,
            self.shutdown.farewell() / 16,
        );
        let end = self.stopping.map(|since| since + longest);
        if end.is_some_and(|end| end <= Instant::now()) {
            return Some(Err(stopping().into()));
        }
        let shutdown = self.shutdown.clone();
        let enough = async {
            shutdown.requested().await;
            let quiet = Instant::now() + quiet;
            tokio::time::sleep_until(end.map_or(quiet, |end| end.min(quiet))).await;
        };
        let next = tokio::select! {
            // What is here already is answered first.
            biased;
            next = self.stream.next() => next,
            () = enough => Some(Err(stopping().into())),
        };
        if self.stopping.is_none() && self.shutdown.is_requested() {
            self.stopping = Some(Instant::now());
        }
        next
    }

    /// A request that is here already.
    pub(super) fn at_hand(&mut self) -> Option<Option<Result<T, Status>>> {
        self.stream.next().now_or_never()
    }
}

impl IngestApi {
    /// Answers a stream of submissions of a provider.
    pub(super) fn stream(
        &self,
        provider: String,
        requests: Streaming<StreamRecordsRequest>,
    ) -> Answers {
        let mut requests = Requests::new(requests, self.context.shutdown.clone());
        let (window, steps) = mpsc::channel::<Result<Step, Status>>(self.stream_window);
        let (api, of) = (self.clone(), provider.clone());
        tokio::spawn(async move {
            let mut position = None;
            while let Some(next) = requests.next().await {
                // Each record of a stream has a trace of its own: thousands in one say nothing.
                let step = match next {
                    Ok(message) => api.step(message, &of, &mut position).await,
                    Err(status) => Err(status),
                };
                let broken = step.is_err();
                // Bounded: a client that does not read its answers is held back, and so is one that
                // sends faster than the disk takes.
                if window.send(step).await.is_err() || broken {
                    return;
                }
            }
        });
        let (keyring, provider): (_, Arc<str>) = (self.context.keyring.clone(), provider.into());
        let answers = ReceiverStream::new(steps).then(move |step| {
            let (keyring, provider) = (keyring.clone(), provider.clone());
            async move {
                let (position, pending) = step?;
                let answer = match pending {
                    None => Answer::Resumed(Resumed { position }),
                    Some(pending) => {
                        let id = pending.submission_id.clone();
                        match pending.wait().await {
                            Ok(receipt) => Answer::Receipt(receipt),
                            Err(refusal) => Answer::Refusal(stream_refusal(id, refusal)),
                        }
                    }
                };
                Ok(StreamRecordsResponse {
                    answer: Some(answer),
                    position,
                    resume_token: resume::token(&keyring, &provider, position).into(),
                })
            }
        });
        Box::pin(answers)
    }

    /// Takes one request. `position` is how many submissions came before it, over all resumptions; none before the
    /// first request.
    async fn step(
        &self,
        message: StreamRecordsRequest,
        provider: &str,
        position: &mut Option<u64>,
    ) -> Result<Step, Status> {
        let token = &message.resume_token;
        if token.is_empty() {
            let number = position.unwrap_or_default().saturating_add(1);
            *position = Some(number);
            let pending = self
                .begin(message.submission, provider, None, Pace::GoesOn)
                .await;
            return Ok((number, Some(pending)));
        }
        // What the caller means cannot be guessed: numbers would no longer agree, so the stream ends.
        if position.is_some() || message.submission.is_some() {
            return Err(invalid(
                "RESUME_TOKEN_MISPLACED",
                "resume_token",
                "only in the first request of a stream, which then has no submission",
                "续传标记只能单独放在数据流的第一个请求中",
            )
            .into());
        }
        let reached = resume::position(&self.context.keyring, provider, token)?;
        *position = Some(reached);
        Ok((reached, None))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn stopping_by(farewell: Duration) -> Shutdown {
        let shutdown = Shutdown::new().with_farewell(farewell);
        shutdown.request();
        shutdown
    }

    fn is_last(next: Option<Result<u64, Status>>) -> bool {
        matches!(next, Some(Err(status)) if status.message().starts_with("STOPPING"))
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_here_is_taken_before_the_stop_ends_a_stream() {
        let here = tokio_stream::iter((0..100).map(Ok));
        let endless = here.chain(tokio_stream::pending());
        let mut requests = Requests::new(Box::pin(endless), stopping_by(Duration::ZERO));
        // The first look notices the stop; with no time at all the second is the last.
        assert!(matches!(requests.next().await, Some(Ok(0))));
        assert!(is_last(requests.next().await));

        let here = tokio_stream::iter((0..100).map(Ok));
        let endless = here.chain(tokio_stream::pending());
        let farewell = stopping_by(Duration::from_secs(8));
        let mut requests = Requests::new(Box::pin(endless), farewell);
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
        let farewell = stopping_by(Duration::from_secs(8));
        let mut requests = Requests::new(endless, farewell);
        let since = Instant::now();
        while !is_last(requests.next().await) {}
        assert_eq!(since.elapsed(), Duration::from_secs(5));
    }
}
