//! `credit.disclosure.v1.DisclosureService`: counts for the credit office and operators.

use legal_clock::shanghai_date;
use proto::credit::disclosure::v1::{
    GetStatisticsRequest, GetStatisticsResponse, disclosure_service_server::DisclosureService,
};
use service_kit::{ServiceContext, db::Pool, grpc::timestamp};
use tonic::{Request, Response, Status};

use super::encode;
use crate::{app::statistics, error::DisclosureError, store};

/// The service.
#[derive(Debug)]
pub struct StatisticsApi {
    pool: Pool,
    context: ServiceContext,
}

impl StatisticsApi {
    /// `pool` logs in as `disclosure`.
    pub fn new(pool: Pool, context: ServiceContext) -> Self {
        Self { pool, context }
    }

    async fn count(&self) -> Result<GetStatisticsResponse, DisclosureError> {
        let now = self.context.clock.now();
        let mut tx = store::begin_read(&self.pool)
            .await
            .map_err(DisclosureError::database("统计信用信息"))?;
        let counts = statistics::counts(&mut tx, shanghai_date(now)).await?;
        Ok(GetStatisticsResponse {
            stored_versions: encode::count(counts.stored),
            disclosed_public: encode::count(counts.disclosed),
            query_only: encode::count(counts.query_only()),
            archived: encode::count(counts.archived),
            superseded: encode::count(counts.superseded),
            stored_revocations: encode::count(counts.revocations),
            revocations_in_force: encode::count(counts.revocations_in_force),
            counted_at: Some(timestamp(now)),
        })
    }
}

#[tonic::async_trait]
impl DisclosureService for StatisticsApi {
    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        Ok(Response::new(self.count().await?))
    }
}
