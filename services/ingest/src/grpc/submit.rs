//! One submission on its way: checked, sealed, queued, answered. Called for `SubmitRecord`, and for each record of a
//! stream and of a reload.

use opentelemetry::trace::SpanKind;
use proto::credit::ingest::v1::{Outcome, Receipt, Refusal as StreamRefusal, Submission};
use service_kit::{
    error::Refusal,
    grpc::timestamp,
    telemetry::{Span, TraceParent},
};
use tokio::sync::oneshot;

use super::IngestApi;
use crate::{
    domain::{Decision, Incoming, Stored},
    error::FormError,
    intake,
    writer::{Answer, Pace, stopping},
};

/// A submission on its way: either queued, or refused at the door.
pub(super) struct Pending {
    pub(super) submission_id: String,
    provider_code: String,
    // Held until the answer, so that the span measures the whole acceptance.
    span: Option<Span>,
    answer: Result<oneshot::Receiver<Answer>, Refusal>,
}

impl IngestApi {
    /// Checks, seals and queues one submission.
    pub(super) async fn begin(
        &self,
        submission: Option<Submission>,
        provider_code: &str,
        caller: Option<&TraceParent>,
        pace: Pace,
    ) -> Pending {
        let own = submission
            .as_ref()
            .and_then(|s| TraceParent::parse(&s.traceparent));
        let span = self.context.telemetry.span(
            "ingest.submit",
            SpanKind::Producer,
            own.as_ref().or(caller),
        );
        let submission_id = submission
            .as_ref()
            .map(|s| s.submission_id.clone())
            .unwrap_or_default();
        let sealed = self.seal(submission, provider_code, &span);
        self.queue(submission_id, provider_code, Some(span), sealed, pace)
            .await
    }

    /// Queues what was sealed, or keeps why it was refused.
    pub(super) async fn queue(
        &self,
        submission_id: String,
        provider_code: &str,
        span: Option<Span>,
        sealed: Result<Incoming, FormError>,
        pace: Pace,
    ) -> Pending {
        let answer = match sealed {
            Ok(incoming) => self.writers.submit(incoming, pace).await,
            Err(error) => Err(error.into()),
        };
        Pending {
            submission_id,
            provider_code: provider_code.to_owned(),
            span,
            answer,
        }
    }

    fn seal(
        &self,
        submission: Option<Submission>,
        provider_code: &str,
        span: &Span,
    ) -> Result<Incoming, FormError> {
        let submission = submission.ok_or(FormError::Missing)?;
        intake::take(
            submission,
            provider_code,
            span.traceparent(),
            &self.context.keyring,
        )
    }
}

impl Pending {
    pub(super) async fn wait(self) -> Result<Receipt, Refusal> {
        let decision = match self.answer?.await {
            Ok(answer) => answer?,
            // The writer ended without an answer: whether it committed is found out by asking again.
            Err(_) => return Err(stopping()),
        };
        drop(self.span);
        answer(self.submission_id, &self.provider_code, decision)
    }
}

/// What a decision is answered with.
pub(super) fn answer(
    submission_id: String,
    provider_code: &str,
    decision: Decision,
) -> Result<Receipt, Refusal> {
    match decision {
        Decision::Refused(rejection) => Err(rejection.into()),
        Decision::New(stored) => Ok(receipt(submission_id, provider_code, &stored, false)),
        Decision::Unchanged(stored) => Ok(receipt(submission_id, provider_code, &stored, true)),
        Decision::Repeated { stored, unchanged } => {
            Ok(receipt(submission_id, provider_code, &stored, unchanged))
        }
    }
}

pub(super) fn receipt(
    submission_id: String,
    provider_code: &str,
    stored: &Stored,
    unchanged: bool,
) -> Receipt {
    let outcome = if unchanged {
        Outcome::Unchanged
    } else {
        Outcome::Accepted
    };
    Receipt {
        submission_id,
        record_id: stored.record_id.to_string(),
        provider_code: provider_code.to_owned(),
        ledger_number: stored.ledger_number,
        content_sha256: stored.content.sha256.to_vec().into(),
        received_at: Some(timestamp(stored.received_at)),
        revision: stored.revision,
        outcome: outcome.into(),
    }
}

/// A refusal as a message of a stream.
pub(super) fn stream_refusal(submission_id: String, refusal: Refusal) -> StreamRefusal {
    StreamRefusal {
        submission_id,
        status_code: refusal.code.into(),
        reason: refusal.reason.to_owned(),
        field: refusal.field,
        rule: refusal.rule.to_owned(),
        message: refusal.message,
    }
}
