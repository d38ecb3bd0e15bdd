//! `credit.ingest.v1`: decode, authorise, decide, encode.

use std::{pin::Pin, time::Duration};

use futures::Stream;
use legal_clock::shanghai_date;
use opentelemetry::trace::SpanKind;
use prost::Message as _;
use proto::credit::ingest::v1::{
    GetReceiptRequest, GetReceiptResponse, GetReportingScopeRequest, GetReportingScopeResponse,
    GetStatisticsRequest, GetStatisticsResponse, GetSubmissionStatusRequest,
    GetSubmissionStatusResponse, ListLedgerRequest, ListLedgerResponse, ListNilReportsRequest,
    ListNilReportsResponse, Outcome, ProviderCount, ReadOriginalRequest, ReadOriginalResponse,
    Receipt, Refusal as StreamRefusal, ReloadItemRequest, ReloadItemResponse, ReplayRulesRequest,
    ReplayRulesResponse, ReportNilRequest, ReportNilResponse, ReportableItem, StreamRecordsRequest,
    StreamRecordsResponse, Submission, SubmitRecordRequest, SubmitRecordResponse,
    ingest_service_server::IngestService, stream_records_response::Answer as StreamAnswer,
};
use service_kit::{
    ServiceContext, db::Pool, error::Refusal, error::database, error::internal, grpc::timestamp,
    grpc::trace_of, identity::Principal, telemetry::Span, telemetry::TraceParent,
};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Code, Request, Response, Status, Streaming};

use crate::{
    Config,
    domain::{Decision, Rejection, Stored},
    error::{FormError, MAX_CONTENT_BYTES},
    intake::{self, Labels},
    replay::Replays,
    store,
    writer::{Answer, Writers, stopping},
};

/// How long a stopping service still answers what comes on open streams, each with a refusal: a
/// connection that is closed over unread requests would take the last answers with it.
const FAREWELL: Duration = Duration::from_secs(5);
/// After this long without a request it closes a stream earlier.
const QUIET: Duration = Duration::from_millis(500);

/// The gRPC service.
#[derive(Clone, Debug)]
pub struct IngestApi {
    pool: Pool,
    writers: Writers,
    replays: Replays,
    context: ServiceContext,
    stream_window: usize,
}

/// A submission on its way: either queued, or refused at the door.
struct Pending {
    submission_id: String,
    provider_code: String,
    // Held until the answer, so that the span measures the whole acceptance.
    span: Span,
    answer: Result<oneshot::Receiver<Answer>, Refusal>,
}

impl IngestApi {
    /// The service over a pool, writers and replays.
    pub fn new(
        config: &Config,
        pool: Pool,
        writers: Writers,
        replays: Replays,
        context: ServiceContext,
    ) -> Self {
        Self {
            pool,
            writers,
            replays,
            context,
            stream_window: config.stream_window.max(1),
        }
    }

    /// Checks, seals and queues one submission.
    async fn begin(
        &self,
        submission: Option<Submission>,
        provider_code: &str,
        caller: Option<&TraceParent>,
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
        let answer = match self.seal(submission, provider_code, &span) {
            Ok(incoming) => self.writers.submit(incoming).await,
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
    ) -> Result<crate::domain::Incoming, FormError> {
        let submission = submission.ok_or(FormError::Missing)?;
        intake::take(
            submission,
            provider_code,
            span.traceparent(),
            &self.context.keyring,
        )
    }

    fn labels(&self, stored: &Stored, sealed: &[u8]) -> Result<Labels, Status> {
        let opened = self
            .context
            .keyring
            .open(stored.record_id.as_bytes(), sealed)
            .map_err(|error| internal("打开台账", &error))?;
        Labels::decode(opened.as_slice()).map_err(|error| internal("打开台账", &error))
    }
}

impl Pending {
    async fn wait(self) -> Result<Receipt, Refusal> {
        let outcome = match self.answer?.await {
            Ok(answer) => answer?,
            // The writer ended without an answer: whether it committed is found out by asking again.
            Err(_) => return Err(stopping()),
        };
        drop(self.span);
        let (stored, unchanged) = match outcome {
            Decision::New(stored) => (stored, false),
            Decision::Unchanged(stored) => (stored, true),
            Decision::Repeated { stored, unchanged } => (stored, unchanged),
            Decision::Refused(rejection) => return Err(rejection.into()),
        };
        Ok(receipt(
            self.submission_id,
            &self.provider_code,
            &stored,
            unchanged,
        ))
    }
}

fn receipt(
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

fn stream_answer(submission_id: String, answer: Result<Receipt, Refusal>) -> StreamRecordsResponse {
    let answer = match answer {
        Ok(receipt) => StreamAnswer::Receipt(receipt),
        Err(refusal) => StreamAnswer::Refusal(StreamRefusal {
            submission_id,
            status_code: refusal.code.into(),
            reason: refusal.reason.to_owned(),
            field: refusal.field,
            rule: refusal.rule.to_owned(),
            message: refusal.message,
        }),
    };
    StreamRecordsResponse {
        answer: Some(answer),
        ..StreamRecordsResponse::default()
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<StreamRecordsResponse, Status>> + Send>>;

#[tonic::async_trait]
impl IngestService for IngestApi {
    type StreamRecordsStream = Answers;
    type ReplayRulesStream = ReceiverStream<Result<ReplayRulesResponse, Status>>;

    async fn submit_record(
        &self,
        request: Request<SubmitRecordRequest>,
    ) -> Result<Response<SubmitRecordResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let trace = trace_of(&request);
        let submission = request.into_inner().submission;
        let pending = self.begin(submission, &provider, trace.as_ref()).await;
        let receipt = pending.wait().await?;
        Ok(Response::new(SubmitRecordResponse {
            receipt: Some(receipt),
        }))
    }

    async fn stream_records(
        &self,
        request: Request<Streaming<StreamRecordsRequest>>,
    ) -> Result<Response<Answers>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let mut requests = request.into_inner();
        // Bounded: a client that does not read its answers is held back, and so is one that
        // sends faster than the disk takes.
        let (window, pending) = mpsc::channel::<Result<Pending, Status>>(self.stream_window);
        let api = self.clone();
        let shutdown = self.context.shutdown.clone();
        tokio::spawn(async move {
            let pause_after_stop = async |pause| {
                shutdown.requested().await;
                tokio::time::sleep(pause).await;
            };
            let farewell = pause_after_stop(FAREWELL);
            tokio::pin!(farewell);
            loop {
                let next = tokio::select! {
                    next = requests.next() => next,
                    () = &mut farewell => Some(Err(stopping().into())),
                    () = pause_after_stop(QUIET) => Some(Err(stopping().into())),
                };
                let item = match next {
                    // Each record of a stream has a trace of its own: thousands in one say nothing.
                    Some(Ok(message)) => Ok(api.begin(message.submission, &provider, None).await),
                    Some(Err(status)) => Err(status),
                    None => return,
                };
                let broken = item.is_err();
                if window.send(item).await.is_err() || broken {
                    return;
                }
            }
        });
        let answers = ReceiverStream::new(pending).then(|item| async move {
            let pending = item?;
            let submission_id = pending.submission_id.clone();
            Ok(stream_answer(submission_id, pending.wait().await))
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let id = request.into_inner().submission_id;
        let digest = intake::submission_digest(&self.context.keyring, &provider, &id);
        let found = store::receipt(&self.pool, &provider, &digest)
            .await
            .map_err(|error| database("查询回执", &error))?;
        let Some((stored, unchanged)) = found else {
            return Err(Refusal::field(
                Code::NotFound,
                "SUBMISSION_UNKNOWN",
                "submission_id",
                "a submission of the caller that was answered with a receipt",
                "没有该申报编号的回执",
            )
            .into());
        };
        Ok(Response::new(GetReceiptResponse {
            receipt: Some(receipt(id, &provider, &stored, unchanged)),
        }))
    }

    async fn list_ledger(
        &self,
        request: Request<ListLedgerRequest>,
    ) -> Result<Response<ListLedgerResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let ListLedgerRequest {
            after_number,
            limit,
        } = request.into_inner();
        let limit = match limit {
            0 => 100,
            1..=1000 => i64::from(limit),
            _ => {
                return Err(Refusal::field(
                    Code::InvalidArgument,
                    "LIMIT_RANGE",
                    "limit",
                    "0 to 1000",
                    "每次最多查询 1000 条",
                )
                .into());
            }
        };
        let after = i64::try_from(after_number).unwrap_or(i64::MAX);
        let failed = |error| database("查询台账", &error);
        let last_number = store::ledger_last(&self.pool, &provider)
            .await
            .map_err(failed)?;
        let rows = store::ledger_after(&self.pool, &provider, after, limit)
            .await
            .map_err(failed)?;
        let receipts = rows
            .iter()
            .map(|row| {
                let labels = self.labels(&row.stored, &row.sealed_labels)?;
                let id = labels.submission_id;
                Ok(receipt(id, &provider, &row.stored, false))
            })
            .collect::<Result<_, Status>>()?;
        Ok(Response::new(ListLedgerResponse {
            receipts,
            last_number,
        }))
    }

    async fn get_reporting_scope(
        &self,
        request: Request<GetReportingScopeRequest>,
    ) -> Result<Response<GetReportingScopeResponse>, Status> {
        let provider_code = Principal::of(&request)?.organisation;
        let scope = store::scope(&self.pool, &provider_code)
            .await
            .map_err(|error| database("查询报送范围", &error))?
            .ok_or_else(|| Refusal::from(Rejection::ProviderUnknown))?;
        let today = shanghai_date(self.context.clock.now());
        scope.registration.admits_on(today).map_err(Refusal::from)?;
        let mut items: Vec<ReportableItem> = scope
            .items
            .into_iter()
            .filter_map(|(item_code, item)| {
                let version = item.in_force_on(today)?;
                Some(ReportableItem {
                    item_version: version.number,
                    name: version.name.clone(),
                    item_code,
                })
            })
            .collect();
        items.sort_by(|a, b| a.item_code.cmp(&b.item_code));
        Ok(Response::new(GetReportingScopeResponse {
            provider_code,
            provider_name: scope.name,
            items,
        }))
    }

    async fn replay_rules(
        &self,
        request: Request<ReplayRulesRequest>,
    ) -> Result<Response<Self::ReplayRulesStream>, Status> {
        let principal = Principal::of(&request)?;
        let steps = self.replays.start(&principal, request.into_inner()).await?;
        Ok(Response::new(ReceiverStream::new(steps)))
    }

    type ReloadItemStream = ReceiverStream<Result<ReloadItemResponse, Status>>;

    async fn get_submission_status(
        &self,
        _request: Request<GetSubmissionStatusRequest>,
    ) -> Result<Response<GetSubmissionStatusResponse>, Status> {
        Err(Status::unimplemented("GetSubmissionStatus"))
    }

    async fn report_nil(
        &self,
        _request: Request<ReportNilRequest>,
    ) -> Result<Response<ReportNilResponse>, Status> {
        Err(Status::unimplemented("ReportNil"))
    }

    async fn list_nil_reports(
        &self,
        _request: Request<ListNilReportsRequest>,
    ) -> Result<Response<ListNilReportsResponse>, Status> {
        Err(Status::unimplemented("ListNilReports"))
    }

    async fn reload_item(
        &self,
        _request: Request<Streaming<ReloadItemRequest>>,
    ) -> Result<Response<Self::ReloadItemStream>, Status> {
        Err(Status::unimplemented("ReloadItem"))
    }

    async fn read_original(
        &self,
        _request: Request<ReadOriginalRequest>,
    ) -> Result<Response<ReadOriginalResponse>, Status> {
        Err(Status::unimplemented("ReadOriginal"))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let totals = store::totals(&self.pool)
            .await
            .map_err(|error| database("统计", &error))?;
        let by_provider: Vec<ProviderCount> = totals
            .into_iter()
            .map(|total| ProviderCount {
                provider_code: total.provider_code,
                accepted_for_processing: total.accepted,
            })
            .collect();
        Ok(Response::new(GetStatisticsResponse {
            accepted_for_processing: by_provider.iter().map(|p| p.accepted_for_processing).sum(),
            by_provider,
        }))
    }
}

const _: () = assert!(
    MAX_CONTENT_BYTES < service_kit::grpc::MAX_MESSAGE_BYTES,
    "a record of the largest size fits into a message"
);
