//! `credit.ingest.v1`: decode, authorise, decide, encode.
//!
//! - `submit`: one submission on its way, whichever RPC it came by;
//! - `stream` and `resume`: streams of submissions, and how they go on after a break;
//! - `reload`: full reloads of an item;
//! - `nil`: nil reports;
//! - `original`: reading one original, which is logged first;
//! - `ledger`: what a provider reads of its own.

mod ledger;
mod nil;
mod original;
mod reload;
mod resume;
mod stream;
mod submit;

use event_bus::{Bus, Point, Relay};
use proto::credit::ingest::v1::{
    GetReceiptRequest, GetReceiptResponse, GetReportingScopeRequest, GetReportingScopeResponse,
    GetStatisticsRequest, GetStatisticsResponse, GetSubmissionStatusRequest,
    GetSubmissionStatusResponse, ListLedgerRequest, ListLedgerResponse, ListNilReportsRequest,
    ListNilReportsResponse, ReadOriginalRequest, ReadOriginalResponse, ReloadItemRequest,
    ReloadItemResponse, ReplayRulesRequest, ReplayRulesResponse, ReportNilRequest,
    ReportNilResponse, StreamRecordsRequest, SubmitRecordRequest, SubmitRecordResponse,
    ingest_service_server::IngestService,
};
use service_kit::{
    ServiceContext,
    db::{self, Pool, Tx},
    grpc::trace_of,
    identity::Principal,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

use crate::{
    Config,
    error::MAX_CONTENT_BYTES,
    replay::Replays,
    writer::{Pace, Writers},
};

/// The gRPC service.
#[derive(Clone, Debug)]
pub struct IngestApi {
    pool: Pool,
    writers: Writers,
    replays: Replays,
    commits: Commits,
    context: ServiceContext,
    stream_window: usize,
}

/// What is told of a commit that appended events.
#[derive(Clone, Debug)]
pub struct Commits {
    /// Named points, for tests of faults.
    pub bus: Bus,
    /// Publishes what was committed.
    pub relay: Relay,
}

impl Commits {
    async fn commit(&self, tx: Tx) -> Result<(), db::Error> {
        self.bus.reached(Point::Appended);
        tx.commit().await?;
        self.bus.reached(Point::Committed);
        self.relay.wake();
        Ok(())
    }
}

impl IngestApi {
    /// The service over a pool, writers and replays.
    pub fn new(
        config: &Config,
        pool: Pool,
        writers: Writers,
        replays: Replays,
        commits: Commits,
        context: ServiceContext,
    ) -> Self {
        Self {
            pool,
            writers,
            replays,
            commits,
            context,
            stream_window: config.stream_window.max(1),
        }
    }
}

#[tonic::async_trait]
impl IngestService for IngestApi {
    type StreamRecordsStream = stream::Answers;
    type ReplayRulesStream = ReceiverStream<Result<ReplayRulesResponse, Status>>;
    type ReloadItemStream = ReceiverStream<Result<ReloadItemResponse, Status>>;

    async fn submit_record(
        &self,
        request: Request<SubmitRecordRequest>,
    ) -> Result<Response<SubmitRecordResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let trace = trace_of(&request);
        let submission = request.into_inner().submission;
        let pending = self
            .begin(submission, &provider, trace.as_ref(), Pace::Waits)
            .await;
        let receipt = pending.wait().await?;
        Ok(Response::new(SubmitRecordResponse {
            receipt: Some(receipt),
        }))
    }

    async fn stream_records(
        &self,
        request: Request<Streaming<StreamRecordsRequest>>,
    ) -> Result<Response<Self::StreamRecordsStream>, Status> {
        let provider = Principal::of(&request)?.organisation;
        Ok(Response::new(self.stream(provider, request.into_inner())))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let id = request.into_inner().submission_id;
        let receipt = self.receipt_of(&provider, id).await?;
        Ok(Response::new(GetReceiptResponse {
            receipt: Some(receipt),
        }))
    }

    async fn get_submission_status(
        &self,
        request: Request<GetSubmissionStatusRequest>,
    ) -> Result<Response<GetSubmissionStatusResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let id = request.into_inner().submission_id;
        Ok(Response::new(self.status_of(&provider, id).await?))
    }

    async fn report_nil(
        &self,
        request: Request<ReportNilRequest>,
    ) -> Result<Response<ReportNilResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let report = self.nil_report(&provider, request.into_inner()).await?;
        Ok(Response::new(ReportNilResponse {
            report: Some(report),
        }))
    }

    async fn list_nil_reports(
        &self,
        request: Request<ListNilReportsRequest>,
    ) -> Result<Response<ListNilReportsResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let listed = self.nil_reports(&provider, request.into_inner()).await?;
        Ok(Response::new(listed))
    }

    async fn reload_item(
        &self,
        request: Request<Streaming<ReloadItemRequest>>,
    ) -> Result<Response<Self::ReloadItemStream>, Status> {
        let provider = Principal::of(&request)?.organisation;
        Ok(Response::new(self.reload(provider, request.into_inner())))
    }

    async fn read_original(
        &self,
        request: Request<ReadOriginalRequest>,
    ) -> Result<Response<ReadOriginalResponse>, Status> {
        let principal = Principal::of(&request)?;
        let original = self.original(&principal, request.into_inner()).await?;
        Ok(Response::new(original))
    }

    async fn list_ledger(
        &self,
        request: Request<ListLedgerRequest>,
    ) -> Result<Response<ListLedgerResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        let page = self.ledger(&provider, request.into_inner()).await?;
        Ok(Response::new(page))
    }

    async fn get_reporting_scope(
        &self,
        request: Request<GetReportingScopeRequest>,
    ) -> Result<Response<GetReportingScopeResponse>, Status> {
        let provider = Principal::of(&request)?.organisation;
        Ok(Response::new(self.scope(provider).await?))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        Ok(Response::new(self.statistics().await?))
    }

    async fn replay_rules(
        &self,
        request: Request<ReplayRulesRequest>,
    ) -> Result<Response<Self::ReplayRulesStream>, Status> {
        let principal = Principal::of(&request)?;
        let steps = self.replays.start(&principal, request.into_inner()).await?;
        Ok(Response::new(ReceiverStream::new(steps)))
    }
}

const _: () = assert!(
    MAX_CONTENT_BYTES < service_kit::grpc::MAX_MESSAGE_BYTES,
    "a record of the largest size fits into a message"
);
