//! The state of the pushes, for the credit office, the operator and auditors: decode, call `app`, encode. The options
//! of the RPCs in the proto file name the roles.

mod encode;

use proto::credit::provincialsync::v1::{
    GetPushRequest, GetPushResponse, GetStatisticsRequest, GetStatisticsResponse,
    provincial_sync_service_server::ProvincialSyncService,
};
use service_kit::{
    ServiceContext,
    db::{Conn, Pool},
    request::decode_record_id,
};
use tonic::{Request, Response, Status};

use crate::{app, error::ProvincialSyncError};

/// The gRPC service.
#[derive(Debug)]
pub struct ProvincialSyncApi {
    pool: Pool,
    context: ServiceContext,
}

impl ProvincialSyncApi {
    /// Over the service's own pool.
    pub fn new(pool: Pool, context: ServiceContext) -> Self {
        Self { pool, context }
    }

    async fn read_connection(
        &self,
    ) -> Result<impl std::ops::DerefMut<Target = Conn> + use<>, ProvincialSyncError> {
        (self.pool.acquire().await).map_err(ProvincialSyncError::database("读取上报情况"))
    }
}

#[tonic::async_trait]
impl ProvincialSyncService for ProvincialSyncApi {
    async fn get_push(
        &self,
        request: Request<GetPushRequest>,
    ) -> Result<Response<GetPushResponse>, Status> {
        let version_id = decode_record_id("record_id", &request.get_ref().record_id)?;
        let mut conn = self.read_connection().await?;
        let found = app::get_push(&mut conn, &self.context.keyring, version_id).await?;
        Ok(Response::new(encode::encode_push(found)))
    }

    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let mut conn = self.read_connection().await?;
        let counts = app::get_statistics(&mut conn).await?;
        let now = self.context.clock.now();
        Ok(Response::new(encode::encode_statistics(&counts, now)))
    }
}
