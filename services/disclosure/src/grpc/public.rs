//! `credit.disclosure.v1.PublicService`. Holds one pool only, that of the role `disclosure_public`.

use std::sync::Arc;

use credit_record::{CreditCode, name};
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
use uuid::Uuid;

use super::encode;
use crate::{
    app::public::{Shown, View},
    config::Config,
    domain::{
        page::Page,
        query::{ListFilter, SubjectQuery},
    },
    error::DisclosureError,
    store,
};

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
    async fn view(&self) -> Result<(Tx, View<'_>), DisclosureError> {
        let today = shanghai_date(self.context.clock.now());
        let mut tx = store::begin_read(&self.public_pool)
            .await
            .map_err(DisclosureError::database("查询公开信息"))?;
        let view = View::on(&mut tx, &self.config, today).await?;
        Ok((tx, view))
    }

    async fn search(
        &self,
        request: SearchOrganisationsRequest,
    ) -> Result<SearchOrganisationsResponse, DisclosureError> {
        let query = SubjectQuery::read("query", &request.query)?;
        let page = Page::read(request.page_size, &request.page_token)?;
        let (mut tx, view) = self.view().await?;
        let found = view.search(&mut tx, &query, &page).await?;
        Ok(SearchOrganisationsResponse {
            organisations: found
                .organisations
                .into_iter()
                .map(encode::summary)
                .collect(),
            next_page_token: found.next,
            total: encode::count(found.total),
        })
    }

    async fn organisation(
        &self,
        request: GetOrganisationRequest,
    ) -> Result<GetOrganisationResponse, DisclosureError> {
        let code = name::normal_form(&request.credit_code).to_uppercase();
        let code = CreditCode::parse(&code).map_err(|_| DisclosureError::CreditCode)?;
        let page = Page::read(request.page_size, &request.page_token)?;
        let (mut tx, view) = self.view().await?;
        let keyring = &self.context.keyring;
        let (summary, records, notices) = view
            .organisation(&mut tx, keyring, code.as_str(), &page)
            .await?;
        Ok(GetOrganisationResponse {
            organisation: Some(encode::summary(summary)),
            records: encode::public_records(&view.catalogue, records.rows),
            next_page_token: records.next,
            revocations: notices
                .into_iter()
                .map(|notice| encode::notice(&view.catalogue, notice))
                .collect(),
        })
    }

    async fn list(
        &self,
        request: ListPublicRecordsRequest,
    ) -> Result<ListPublicRecordsResponse, DisclosureError> {
        let filter = ListFilter::read(
            &request.item_code,
            &request.subject,
            &request.document_number,
            &request.decided_from,
            &request.decided_to,
        )?;
        let page = Page::read(request.page_size, &request.page_token)?;
        let (mut tx, view) = self.view().await?;
        let (total, records) = view.list(&mut tx, &filter, &page).await?;
        Ok(ListPublicRecordsResponse {
            records: encode::public_records(&view.catalogue, records.rows),
            next_page_token: records.next,
            total: encode::count(total),
        })
    }

    async fn record(
        &self,
        request: GetPublicRecordRequest,
    ) -> Result<GetPublicRecordResponse, DisclosureError> {
        let id = Uuid::try_parse(&request.record_id).map_err(|_| DisclosureError::RecordId)?;
        let (mut tx, view) = self.view().await?;
        let shown = view.record(&mut tx, &self.context.keyring, id).await?;
        Ok(match shown {
            Shown::Record(row, fields) => GetPublicRecordResponse {
                record: Some(encode::public_record(&view.catalogue, row, fields)),
                revocation: None,
            },
            Shown::Revoked(notice) => GetPublicRecordResponse {
                record: None,
                revocation: Some(encode::notice(&view.catalogue, notice)),
            },
        })
    }
}

#[tonic::async_trait]
impl PublicService for PublicApi {
    async fn search_organisations(
        &self,
        request: Request<SearchOrganisationsRequest>,
    ) -> Result<Response<SearchOrganisationsResponse>, Status> {
        Ok(Response::new(self.search(request.into_inner()).await?))
    }

    async fn get_organisation(
        &self,
        request: Request<GetOrganisationRequest>,
    ) -> Result<Response<GetOrganisationResponse>, Status> {
        Ok(Response::new(
            self.organisation(request.into_inner()).await?,
        ))
    }

    async fn list_public_records(
        &self,
        request: Request<ListPublicRecordsRequest>,
    ) -> Result<Response<ListPublicRecordsResponse>, Status> {
        Ok(Response::new(self.list(request.into_inner()).await?))
    }

    async fn get_public_record(
        &self,
        request: Request<GetPublicRecordRequest>,
    ) -> Result<Response<GetPublicRecordResponse>, Status> {
        Ok(Response::new(self.record(request.into_inner()).await?))
    }
}
