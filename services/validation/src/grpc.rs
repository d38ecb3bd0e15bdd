//! The RPCs: decode, authorise, app, encode. Called by tonic for clients; which roles may call at all was
//! checked before (the table in service-kit), here it is decided whose records a caller sees.

use proto::credit::validation::v1::{
    ConfirmRecordRequest, ConfirmRecordResponse, DryRunRequest, DryRunResponse,
    GetStatisticsRequest, GetStatisticsResponse, GetVerdictRequest, GetVerdictResponse,
    ListFeedbackRequest, ListFeedbackResponse, WatchFeedbackRequest, WatchFeedbackResponse,
    validation_service_server::ValidationService,
};
use service_kit::{
    db::Pool,
    error::database,
    identity::{Principal, Role},
};
use tonic::{Request, Response, Status};
use vault::Keyring;

use crate::app::feedback::{self, Reader};

/// The gRPC service.
#[derive(Debug, Clone)]
pub struct Validation {
    pool: Pool,
    keyring: Keyring,
}

impl Validation {
    /// Answers from `pool`, opens what is sealed with `keyring`.
    pub fn new(pool: Pool, keyring: Keyring) -> Self {
        Self { pool, keyring }
    }
}

/// Whose records the caller sees.
fn reader<T>(request: &Request<T>) -> Result<Reader, Status> {
    let principal = Principal::of(request)?;
    let all = principal.is(Role::CreditOffice) || principal.is(Role::Auditor);
    let own = (principal.is(Role::Provider) && !principal.organisation.is_empty())
        .then_some(principal.organisation);
    Ok(Reader { own, all })
}

fn no_connection(error: service_kit::db::Error) -> Status {
    database("连接数据库", &error)
}

#[tonic::async_trait]
impl ValidationService for Validation {
    async fn list_feedback(
        &self,
        request: Request<ListFeedbackRequest>,
    ) -> Result<Response<ListFeedbackResponse>, Status> {
        let reader = reader(&request)?;
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        let answer = feedback::list(&mut conn, &self.keyring, &reader, request.get_ref()).await?;
        Ok(Response::new(answer))
    }

    async fn get_verdict(
        &self,
        request: Request<GetVerdictRequest>,
    ) -> Result<Response<GetVerdictResponse>, Status> {
        let reader = reader(&request)?;
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        let id = &request.get_ref().record_id;
        let answer = feedback::verdict(&mut conn, &self.keyring, &reader, id).await?;
        Ok(Response::new(answer))
    }

    type WatchFeedbackStream =
        tokio_stream::wrappers::ReceiverStream<Result<WatchFeedbackResponse, Status>>;

    async fn watch_feedback(
        &self,
        _request: Request<WatchFeedbackRequest>,
    ) -> Result<Response<Self::WatchFeedbackStream>, Status> {
        Err(Status::unimplemented("WatchFeedback"))
    }

    async fn confirm_record(
        &self,
        _request: Request<ConfirmRecordRequest>,
    ) -> Result<Response<ConfirmRecordResponse>, Status> {
        Err(Status::unimplemented("ConfirmRecord"))
    }

    async fn dry_run(
        &self,
        _request: Request<DryRunRequest>,
    ) -> Result<Response<DryRunResponse>, Status> {
        Err(Status::unimplemented("DryRun"))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let mut conn = self.pool.acquire().await.map_err(no_connection)?;
        Ok(Response::new(feedback::statistics(&mut conn).await?))
    }
}
