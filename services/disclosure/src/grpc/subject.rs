//! `credit.disclosure.v1.SubjectService`: what a subject may see of itself. The line of the read log is committed
//! before the answer leaves; when it cannot be written there is no answer.

use proto::credit::disclosure::v1::{
    ListOwnRecordsRequest, ListOwnRecordsResponse, subject_service_server::SubjectService,
};
use service_kit::{ServiceContext, db::Pool, identity::Principal};
use tonic::{Request, Response, Status};

use super::{decode, encode};
use crate::{app::own, error::DisclosureError, store};

const LIST_OWN_RECORDS: &str = "/credit.disclosure.v1.SubjectService/ListOwnRecords";

/// The service.
#[derive(Debug)]
pub struct SubjectApi {
    pool: Pool,
    context: ServiceContext,
}

impl SubjectApi {
    /// `pool` logs in as `disclosure`.
    pub fn new(pool: Pool, context: ServiceContext) -> Self {
        Self { pool, context }
    }
}

#[tonic::async_trait]
impl SubjectService for SubjectApi {
    async fn list_own_records(
        &self,
        request: Request<ListOwnRecordsRequest>,
    ) -> Result<Response<ListOwnRecordsResponse>, Status> {
        let principal = Principal::from_request(&request)?;
        let request = request.into_inner();
        let page = decode::decode_page(request.page_size, &request.page_token)?;
        let mut tx = store::begin_logged_read(&self.pool)
            .await
            .map_err(DisclosureError::database("查询本人（本单位）信息"))?;
        let (keyring, now) = (&self.context.keyring, self.context.clock.now());
        let rpc = LIST_OWN_RECORDS;
        let own = own::list_own_records(&mut tx, keyring, &principal, rpc, &page, now).await?;
        tx.commit()
            .await
            .map_err(DisclosureError::database("登记查询日志"))?;
        Ok(Response::new(encode::own_records(own)))
    }
}
