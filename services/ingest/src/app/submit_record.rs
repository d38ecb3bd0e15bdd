//! The use case of `SubmitRecord`, of each record of a stream, and of those of a reload that need a version of their own:
//! one submission in flight, checked, sealed, queued, answered. Its writer runs `app::accept_submissions` for a whole
//! batch and commits. Called by `grpc` and `reload`.

use opentelemetry::trace::SpanKind;
use record_ref::ProviderCode;
use service_kit::{
    ServiceContext,
    blocking::Stopping,
    error::Refusal,
    telemetry::{Span, TraceParent},
};
use tokio::sync::oneshot;

use crate::{
    domain::{AnsweredVersion, IncomingSubmission, IngestRuleViolation, SealedSubmission},
    intake::{CheckedSubmission, check_and_seal},
    writer::{BatchWriters, SubmissionAnswer, SubmissionMode},
};

/// Submits records and waits for their answers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Submitter {
    writers: BatchWriters,
    context: ServiceContext,
}

/// A submission whose receipt is pending: queued, or refused by its form.
pub struct PendingReceipt {
    submission_id: String,
    // Held until the answer, so that the span measures the whole acceptance.
    span: Span,
    answer: Result<oneshot::Receiver<SubmissionAnswer>, Refusal>,
}

impl Submitter {
    /// Over the writers of the process.
    pub fn new(writers: BatchWriters, context: ServiceContext) -> Self {
        Self { writers, context }
    }

    /// Checks, seals and queues one submission. Waits while the queue is full.
    pub async fn submit_record(
        &self,
        submission: Option<IncomingSubmission>,
        provider: Option<ProviderCode>,
        caller: Option<&TraceParent>,
        mode: SubmissionMode,
    ) -> PendingReceipt {
        let own = submission
            .as_ref()
            .and_then(|s| TraceParent::parse(&s.traceparent));
        let span = self.span(own.as_ref().or(caller));
        let submission_id = submission
            .as_ref()
            .map(|s| s.submission_id.clone())
            .unwrap_or_default();
        let sealed = match submission {
            Some(submission) => {
                let trace = span.traceparent();
                check_and_seal(submission, provider, trace, &self.context.keyring)
            }
            None => Err(IngestRuleViolation::SubmissionMissing),
        };
        let answer = match sealed {
            Ok(incoming) => self.queue_submission(incoming, mode).await,
            Err(violation) => Err(violation.into()),
        };
        PendingReceipt {
            submission_id,
            span,
            answer,
        }
    }

    /// Seals and queues a record of a reload.
    pub async fn submit_reload_record(
        &self,
        submission_id: String,
        checked: CheckedSubmission,
        reload: i64,
    ) -> PendingReceipt {
        let span = self.span(None);
        let mut incoming = checked.seal_submission(span.traceparent(), &self.context.keyring);
        incoming.reload_number = Some(reload);
        PendingReceipt {
            submission_id,
            answer: self
                .queue_submission(incoming, SubmissionMode::Streamed)
                .await,
            span,
        }
    }

    async fn queue_submission(
        &self,
        incoming: SealedSubmission,
        mode: SubmissionMode,
    ) -> Result<oneshot::Receiver<SubmissionAnswer>, Refusal> {
        Ok(self.writers.queue_submission(incoming, mode).await?)
    }

    fn span(&self, parent: Option<&TraceParent>) -> Span {
        let telemetry = &self.context.telemetry;
        telemetry.span("ingest.submit", SpanKind::Producer, parent)
    }
}

impl PendingReceipt {
    /// The caller's id of the submission, and what it is answered with.
    pub async fn wait_answered(self) -> (String, Result<AnsweredVersion, Refusal>) {
        let answered = match self.answer {
            Ok(receiver) => match receiver.await {
                Ok(Ok(decision)) => decision.into_answer().map_err(Refusal::from),
                Ok(Err(refusal)) => Err(refusal),
                // The writer stopped without an answer, so the outcome of the commit is unknown; the caller finds out
                // by repeating the request.
                Err(_) => Err(Stopping.into()),
            },
            Err(refusal) => Err(refusal),
        };
        drop(self.span);
        (self.submission_id, answered)
    }
}
