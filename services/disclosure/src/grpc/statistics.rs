//! `credit.disclosure.v1.DisclosureService`: counts for the credit office and operators.

use legal_clock::shanghai_date;
use proto::credit::disclosure::v1::{
    GetStatisticsRequest, GetStatisticsResponse, disclosure_service_server::DisclosureService,
};
use service_kit::{ServiceContext, db::Pool};
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
}

#[tonic::async_trait]
impl DisclosureService for StatisticsApi {
    async fn get_statistics(
        &self,
        _request: Request<GetStatisticsRequest>,
    ) -> Result<Response<GetStatisticsResponse>, Status> {
        let now = self.context.clock.now();
        let mut tx = store::begin_read(&self.pool)
            .await
            .map_err(DisclosureError::database("统计信用信息"))?;
        let counts = statistics::get_statistics(&mut tx, shanghai_date(now)).await?;
        Ok(Response::new(encode::encode_statistics(&counts, now)))
    }
}
