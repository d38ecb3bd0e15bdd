//! `credit.ingest.v1.IngestService`: decode, one use case, encode. The proto file says which roles may call; which
//! provider calls comes from the token.
//!
//! - `decode`, `encode`: messages as domain values and back; `replay`: those of `ReplayRules`;
//! - `stream` and `resume`: streams of submissions, and how they go on after a break;
//! - `reload`: the stream of a full reload.

mod decode;
mod encode;
mod reload;
mod replay;
mod resume;
mod stream;

use event_bus::{Bus, FaultPoint, Relay};
use legal_clock::shanghai_date;
use proto::credit::ingest::v1::{
    GetReceiptRequest, GetReceiptResponse, GetReportingScopeRequest, GetReportingScopeResponse,
    GetStatisticsRequest, GetStatisticsResponse, GetSubmissionStatusRequest,
    GetSubmissionStatusResponse, ListLedgerRequest, ListLedgerResponse, ListNilReportsRequest,
    ListNilReportsResponse, ReadOriginalRequest, ReadOriginalResponse, ReloadItemRequest,
    ReloadItemResponse, ReplayRulesRequest, ReplayRulesResponse, ReportNilRequest,
    ReportNilResponse, StreamRecordsRequest, StreamRecordsResponse, SubmitRecordRequest,
    SubmitRecordResponse, ingest_service_server::IngestService,
};
use service_kit::{
    ServiceContext,
    db::{self, Conn, Pool, Tx},
    grpc::trace_parent,
    identity::Principal,
    request::decode_record_id,
};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming, codegen::BoxStream};

use crate::{
    Config,
    app::{nil_report, reads, replay::Replays, submit_record::Submitter},
    error::IngestError,
    intake::MAX_CONTENT_BYTES,
    reload::Reloads,
    writer::SubmissionMode,
};
use decode::provider_of;

/// The gRPC service.
#[derive(Clone, Debug)]
pub struct IngestApi {
    pool: Pool,
    submitter: Submitter,
    reloads: Reloads,
    replays: Replays,
    committer: EventCommitter,
    context: ServiceContext,
    stream_window: usize,
}

/// Commits transactions that appended events: reports fault points to tests and wakes the relay.
#[derive(Clone, Debug)]
pub struct EventCommitter {
    /// Holds the named fault points of tests.
    pub bus: Bus,
    /// Publishes what was committed.
    pub relay: Relay,
}

impl EventCommitter {
    async fn commit(&self, tx: Tx) -> Result<(), db::Error> {
        self.bus.hit_fault_point(FaultPoint::Appended);
        tx.commit().await?;
        self.bus.hit_fault_point(FaultPoint::Committed);
        self.relay.wake();
        Ok(())
    }
}

impl IngestApi {
    /// The service over a pool, a submitter, and replays.
    pub fn new(
        config: &Config,
        pool: Pool,
        submitter: Submitter,
        replays: Replays,
        committer: EventCommitter,
        context: ServiceContext,
    ) -> Self {
        Self {
            reloads: Reloads::new(pool.clone(), submitter.clone(), context.clone()),
            pool,
            submitter,
            replays,
            committer,
            context,
            stream_window: config.stream_window.max(1),
        }
    }

    async fn read_connection(
        &self,
    ) -> Result<impl std::ops::DerefMut<Target = Conn> + use<>, IngestError> {
        (self.pool.acquire().await).map_err(IngestError::database("查询"))
    }
}

#[tonic::async_trait]
impl IngestService for IngestApi {
    async fn submit_record(
        &self,
        request: Request<SubmitRecordRequest>,
    ) -> Result<Response<SubmitRecordResponse>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let trace = trace_parent(&request);
        let submission = request.into_inner().submission.map(decode::submission);
        let pending = self
            .submitter
            .submit_record(submission, provider, trace.as_ref(), SubmissionMode::Single)
            .await;
        let (id, answered) = pending.wait_answered().await;
        let receipt = Some(encode::encode_receipt(id, &answered?));
        Ok(Response::new(SubmitRecordResponse { receipt }))
    }

    async fn stream_records(
        &self,
        request: Request<Streaming<StreamRecordsRequest>>,
    ) -> Result<Response<BoxStream<StreamRecordsResponse>>, Status> {
        let principal = Principal::from_request(&request)?;
        let answers = stream::stream_records(self, principal, request.into_inner());
        Ok(Response::new(answers))
    }

    async fn get_receipt(
        &self,
        request: Request<GetReceiptRequest>,
    ) -> Result<Response<GetReceiptResponse>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let id = request.into_inner().submission_id;
        let (mut conn, keyring) = (self.read_connection().await?, &self.context.keyring);
        let answered = reads::get_receipt(&mut conn, keyring, provider.as_ref(), &id).await?;
        let receipt = Some(encode::encode_receipt(id, &answered));
        Ok(Response::new(GetReceiptResponse { receipt }))
    }

    async fn get_submission_status(
        &self,
        request: Request<GetSubmissionStatusRequest>,
    ) -> Result<Response<GetSubmissionStatusResponse>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let id = request.into_inner().submission_id;
        let (mut conn, keyring) = (self.read_connection().await?, &self.context.keyring);
        let status =
            reads::get_submission_status(&mut conn, keyring, provider.as_ref(), &id).await?;
        Ok(Response::new(encode::submission_status(id, &status)))
    }

    async fn report_nil(
        &self,
        request: Request<ReportNilRequest>,
    ) -> Result<Response<ReportNilResponse>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let incoming = decode::nil_report(provider, request.into_inner())?;
        let (keyring, now) = (&self.context.keyring, self.context.clock.now());
        let mut tx = (self.pool.begin().await).map_err(IngestError::NotCommitted)?;
        let row = nil_report::report_nil(&mut tx, keyring, &incoming, now).await?;
        let committed = self.committer.commit(tx).await;
        committed.map_err(IngestError::NotCommitted)?;
        let report = Some(encode::nil_report(incoming.submission_id, &row));
        Ok(Response::new(ReportNilResponse { report }))
    }

    async fn list_nil_reports(
        &self,
        request: Request<ListNilReportsRequest>,
    ) -> Result<Response<ListNilReportsResponse>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let (item, page) = decode::nil_report_list(request.get_ref())?;
        let (provider, item) = (provider.as_ref(), item.as_ref());
        let (mut conn, keyring) = (self.read_connection().await?, &self.context.keyring);
        let listed =
            nil_report::list_nil_reports(&mut conn, keyring, provider, item, &page).await?;
        Ok(Response::new(encode::nil_reports(listed)))
    }

    async fn reload_item(
        &self,
        request: Request<Streaming<ReloadItemRequest>>,
    ) -> Result<Response<BoxStream<ReloadItemResponse>>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let answers = reload::reload_item(self, provider, request.into_inner());
        Ok(Response::new(answers))
    }

    async fn read_original(
        &self,
        request: Request<ReadOriginalRequest>,
    ) -> Result<Response<ReadOriginalResponse>, Status> {
        let principal = Principal::from_request(&request)?;
        let asked = request.get_ref();
        let id = decode_record_id("record_id", &asked.record_id)?;
        let (pool, keyring) = (&self.pool, &self.context.keyring);
        let (reason, now) = (asked.reason.trim(), self.context.clock.now());
        let original = reads::read_original(pool, keyring, &principal, id, reason, now).await?;
        let (stored, labels) = (original.stored, original.labels);
        Ok(Response::new(ReadOriginalResponse {
            receipt: Some(encode::receipt_of_version(labels.submission_id, &stored)),
            version: Some((&stored.version).into()),
            operation: stored.content.operation.into(),
            record_key: labels.record_key,
            content_type: stored.content.content_type,
            content: original.content.into(),
            access_id: original.access_id.to_string(),
        }))
    }

    async fn list_ledger(
        &self,
        request: Request<ListLedgerRequest>,
    ) -> Result<Response<ListLedgerResponse>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let (after, limit) = decode::ledger_page(request.get_ref())?;
        let (mut conn, keyring) = (self.read_connection().await?, &self.context.keyring);
        let page = reads::list_ledger(&mut conn, keyring, provider.as_ref(), after, limit).await?;
        Ok(Response::new(encode::encode_ledger(page)))
    }

    async fn get_reporting_scope(
        &self,
        request: Request<GetReportingScopeRequest>,
    ) -> Result<Response<GetReportingScopeResponse>, Status> {
        let provider = provider_of(&Principal::from_request(&request)?);
        let today = shanghai_date(self.context.clock.now());
        let mut conn = self.read_connection().await?;
        let scope = reads::get_reporting_scope(&mut conn, provider.as_ref(), today).await?;
        Ok(Response::new(encode::reporting_scope(scope)))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let mut conn = self.read_connection().await?;
        let totals = reads::get_statistics(&mut conn).await?;
        Ok(Response::new(encode::encode_statistics(&totals)))
    }

    async fn replay_rules(
        &self,
        request: Request<ReplayRulesRequest>,
    ) -> Result<Response<BoxStream<ReplayRulesResponse>>, Status> {
        let (principal, now) = (Principal::from_request(&request)?, self.context.clock.now());
        let (offered, scope) = replay::decode_replay(request.into_inner(), now)?;
        let steps = self
            .replays
            .replay_rules(&principal, offered, scope, now)
            .await?;
        let steps = ReceiverStream::new(steps)
            .map(|step| step.map(replay::replay_step).map_err(Status::from));
        Ok(Response::new(Box::pin(steps)))
    }
}

const _: () = assert!(
    MAX_CONTENT_BYTES < service_kit::grpc::MAX_MESSAGE_BYTES,
    "a record of the largest size fits into a message"
);
