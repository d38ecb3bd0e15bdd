//! `credit.disclosure.v1.PublicService`. Holds one pool only, that of the role `disclosure_public`.

use std::sync::Arc;

use legal_clock::shanghai_date;
use proto::credit::disclosure::v1::{
    GetOrganisationRequest, GetOrganisationResponse, GetPublicRecordRequest,
    GetPublicRecordResponse, ListPublicRecordsRequest, ListPublicRecordsResponse,
    SearchOrganisationsRequest, SearchOrganisationsResponse, public_service_server::PublicService,
};
use service_kit::{
    ServiceContext,
    db::{Pool, Tx},
};
use tonic::{Request, Response, Status};

use super::{decode, encode};
use crate::{app::public::PublicView, config::Config, error::DisclosureError, store};

/// The service.
#[derive(Debug)]
pub struct PublicApi {
    public_pool: Pool,
    config: Arc<Config>,
    context: ServiceContext,
}

impl PublicApi {
    /// `public_pool` logs in as `disclosure_public`.
    pub fn new(public_pool: Pool, config: Arc<Config>, context: ServiceContext) -> Self {
        Self {
            public_pool,
            config,
            context,
        }
    }

    /// One state of the tables and what is disclosed of it today.
    async fn view(&self) -> Result<(Tx, PublicView<'_>), DisclosureError> {
        let today = shanghai_date(self.context.clock.now());
        let mut tx = store::begin_read(&self.public_pool)
            .await
            .map_err(DisclosureError::database("查询公开信息"))?;
        let view = PublicView::load(&mut tx, &self.config, today).await?;
        Ok((tx, view))
    }
}

#[tonic::async_trait]
impl PublicService for PublicApi {
    async fn search_organisations(
        &self,
        request: Request<SearchOrganisationsRequest>,
    ) -> Result<Response<SearchOrganisationsResponse>, Status> {
        let request = request.into_inner();
        let query = decode::subject_query(&request)?;
        let page = decode::decode_page(request.page_size, &request.page_token)?;
        let (mut tx, view) = self.view().await?;
        let found = view.search_organisations(&mut tx, &query, &page).await?;
        Ok(Response::new(encode::found_organisations(found)))
    }

    async fn get_organisation(
        &self,
        request: Request<GetOrganisationRequest>,
    ) -> Result<Response<GetOrganisationResponse>, Status> {
        let request = request.into_inner();
        let code = decode::credit_code(&request)?;
        let page = decode::decode_page(request.page_size, &request.page_token)?;
        let (mut tx, view) = self.view().await?;
        let found = view
            .get_organisation(&mut tx, &self.context.keyring, code.as_str(), &page)
            .await?;
        Ok(Response::new(encode::encode_organisation(
            &view.catalogue,
            found,
        )))
    }

    async fn list_public_records(
        &self,
        request: Request<ListPublicRecordsRequest>,
    ) -> Result<Response<ListPublicRecordsResponse>, Status> {
        let request = request.into_inner();
        let filter = decode::list_filter(&request)?;
        let page = decode::decode_page(request.page_size, &request.page_token)?;
        let (mut tx, view) = self.view().await?;
        let listed = view.list_public_records(&mut tx, &filter, &page).await?;
        Ok(Response::new(encode::records_list(&view.catalogue, listed)))
    }

    async fn get_public_record(
        &self,
        request: Request<GetPublicRecordRequest>,
    ) -> Result<Response<GetPublicRecordResponse>, Status> {
        let version_id = decode::version_id(&request.into_inner())?;
        let (mut tx, view) = self.view().await?;
        let shown = view
            .get_public_record(&mut tx, &self.context.keyring, version_id)
            .await?;
        Ok(Response::new(encode::record_or_notice(
            &view.catalogue,
            shown,
        )))
    }
}
