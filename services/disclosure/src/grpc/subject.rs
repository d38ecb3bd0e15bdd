//! `credit.disclosure.v1.SubjectService`: what a subject may see of itself. The line of the read log is committed
//! before the answer leaves; when it cannot be written there is no answer.

use proto::credit::disclosure::v1::{
    ListOwnRecordsRequest, ListOwnRecordsResponse, subject_service_server::SubjectService,
};
use service_kit::{ServiceContext, db::Pool, identity::Principal};
use tonic::{Request, Response, Status};

use super::encode;
use crate::{app::own, domain::page::Page, error::DisclosureError, store};

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

    async fn list(
        &self,
        principal: &Principal,
        request: ListOwnRecordsRequest,
    ) -> Result<ListOwnRecordsResponse, DisclosureError> {
        let page = Page::read(request.page_size, &request.page_token)?;
        let mut tx = store::begin_logged_read(&self.pool)
            .await
            .map_err(DisclosureError::database("查询本人（本单位）信息"))?;
        let (keyring, now) = (&self.context.keyring, self.context.clock.now());
        let own = own::read(&mut tx, keyring, principal, LIST_OWN_RECORDS, &page, now).await?;
        tx.commit()
            .await
            .map_err(DisclosureError::database("登记查询日志"))?;
        let records = own.rows.into_iter();
        let revoked = own.revoked.into_iter();
        Ok(ListOwnRecordsResponse {
            revocations: revoked
                .map(|notice| encode::own_revocation(&own.catalogue, notice))
                .collect(),
            records: records
                .map(|(row, fields)| encode::own_record(&own.catalogue, row, fields))
                .collect(),
            next_page_token: own.next,
            total: encode::count(own.total),
        })
    }
}

#[tonic::async_trait]
impl SubjectService for SubjectApi {
    async fn list_own_records(
        &self,
        request: Request<ListOwnRecordsRequest>,
    ) -> Result<Response<ListOwnRecordsResponse>, Status> {
        let principal = Principal::of(&request)?;
        Ok(Response::new(
            self.list(&principal, request.into_inner()).await?,
        ))
    }
}
