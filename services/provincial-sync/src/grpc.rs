//! How the pushes stand, for the credit office, the operator and auditors. The table of rights in
//! `service_kit::identity` lets nobody else in.

use proto::credit::provincialsync::v1::{
    GetPushRequest, GetPushResponse, GetStatisticsRequest, GetStatisticsResponse,
    PushState as WireState, provincial_sync_service_server::ProvincialSyncService,
};
use service_kit::{ServiceContext, db::Pool, grpc::timestamp};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{app, domain::PushState, error::ServiceError, store};

/// The gRPC service.
#[derive(Debug)]
pub struct SyncService {
    pool: Pool,
    context: ServiceContext,
}

impl SyncService {
    /// Over the service's own pool.
    pub fn new(pool: Pool, context: ServiceContext) -> Self {
        Self { pool, context }
    }
}

fn wire(state: PushState) -> WireState {
    match state {
        PushState::Due => WireState::Due,
        PushState::Acknowledged => WireState::Acknowledged,
        PushState::Refused => WireState::Refused,
    }
}

#[tonic::async_trait]
impl ProvincialSyncService for SyncService {
    async fn get_push(
        &self,
        request: Request<GetPushRequest>,
    ) -> Result<Response<GetPushResponse>, Status> {
        let record_id = Uuid::parse_str(&request.into_inner().record_id)
            .map_err(|_| ServiceError::RecordIdInvalid)?;
        let push = app::standing(&self.pool, &self.context.keyring, record_id).await?;
        let (acknowledgement, acknowledged_at) = match push.acknowledgement {
            Some(known) => (known.number, Some(timestamp(known.at))),
            None => (String::new(), None),
        };
        Ok(Response::new(GetPushResponse {
            record_id: record_id.to_string(),
            state: wire(push.state).into(),
            attempts: push.attempts,
            acknowledgement,
            acknowledged_at,
            last_error: push.last_error.unwrap_or_default(),
        }))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let counts = store::statistics(&self.pool)
            .await
            .map_err(ServiceError::database("统计上报情况"))?;
        let age = counts.oldest_due.map_or(0, |since| {
            (self.context.clock.now() - since).whole_seconds()
        });
        Ok(Response::new(GetStatisticsResponse {
            due: counts.due.unsigned_abs(),
            acknowledged: counts.acknowledged.unsigned_abs(),
            refused: counts.refused.unsigned_abs(),
            oldest_due_seconds: u64::try_from(age).unwrap_or_default(),
            revocations: counts.revocations.unsigned_abs(),
            revocations_acknowledged: counts.revocations_acknowledged.unsigned_abs(),
        }))
    }
}
