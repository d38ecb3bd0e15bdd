//! `credit.catalog.v1.CatalogService`: decode, call `app` in a transaction, encode. Who may call what
//! stands in the table of rights of service-kit. Called by `start`.

mod encode;

use std::sync::Arc;

use event_bus::Relay;
use proto::credit::catalog::v1::{
    GetItemRequest, GetItemResponse, ListItemsRequest, ListItemsResponse, ListProvidersRequest,
    ListProvidersResponse, ProviderLevel, PublishItemVersionRequest, PublishItemVersionResponse,
    RegisterProviderRequest, RegisterProviderResponse, catalog_service_server::CatalogService,
};
use service_kit::{
    clock::Clock,
    db::{Conn, Pool, Tx},
    grpc::trace_of,
    identity::Principal,
};
use time::OffsetDateTime;
use tonic::{Request, Response, Status, async_trait};

use crate::{
    app::{self, Act},
    domain::{LevelKind, Registration, RuleBroken},
    error::CatalogError,
};

/// The service behind the endpoint.
pub(crate) struct Catalog {
    pool: Pool,
    relay: Relay,
    clock: Arc<dyn Clock>,
}

/// Who calls and in which trace, kept while the request is taken apart.
struct Caller {
    by: String,
    at: OffsetDateTime,
    traceparent: String,
}

impl Caller {
    fn act(&self) -> Act<'_> {
        Act {
            by: &self.by,
            at: self.at,
            traceparent: &self.traceparent,
        }
    }
}

impl Catalog {
    pub(crate) fn new(pool: Pool, relay: Relay, clock: Arc<dyn Clock>) -> Self {
        Self { pool, relay, clock }
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let principal = Principal::of(request)?;
        Ok(Caller {
            by: format!("{}/{}", principal.organisation, principal.account),
            at: self.clock.now(),
            traceparent: trace_of(request)
                .map(|trace| trace.to_header())
                .unwrap_or_default(),
        })
    }

    async fn begin(&self) -> Result<Tx, CatalogError> {
        self.pool
            .begin()
            .await
            .map_err(CatalogError::database("开始处理"))
    }

    /// Commits, and wakes the relay when there is something to announce.
    async fn commit(&self, tx: Tx, changed: bool) -> Result<(), CatalogError> {
        tx.commit().await.map_err(CatalogError::database("提交"))?;
        if changed {
            self.relay.wake();
        }
        Ok(())
    }

    async fn reader(&self) -> Result<impl std::ops::DerefMut<Target = Conn>, CatalogError> {
        self.pool
            .acquire()
            .await
            .map_err(CatalogError::database("读取目录"))
    }
}

#[async_trait]
impl CatalogService for Catalog {
    async fn list_items(
        &self,
        _request: Request<ListItemsRequest>,
    ) -> Result<Response<ListItemsResponse>, Status> {
        let items = app::items(&mut *self.reader().await?).await?;
        let items = items.iter().map(encode::item).collect();
        Ok(Response::new(ListItemsResponse { items }))
    }

    async fn get_item(
        &self,
        request: Request<GetItemRequest>,
    ) -> Result<Response<GetItemResponse>, Status> {
        let GetItemRequest { code, version } = request.into_inner();
        let item = app::item(&mut *self.reader().await?, &code, version).await?;
        Ok(Response::new(GetItemResponse {
            item: Some(encode::item(&item)),
        }))
    }

    async fn publish_item_version(
        &self,
        request: Request<PublishItemVersionRequest>,
    ) -> Result<Response<PublishItemVersionResponse>, Status> {
        let caller = self.caller(&request)?;
        let item = app::read_definition(&request.get_ref().definition_toml)?;
        let mut tx = self.begin().await?;
        let done = app::publish(&mut tx, &item, caller.act()).await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(PublishItemVersionResponse {
            item: Some(encode::item(&item)),
        }))
    }

    async fn list_providers(
        &self,
        _request: Request<ListProvidersRequest>,
    ) -> Result<Response<ListProvidersResponse>, Status> {
        let providers = app::providers(&mut *self.reader().await?).await?;
        let providers = providers.iter().map(encode::provider).collect();
        Ok(Response::new(ListProvidersResponse { providers }))
    }

    async fn register_provider(
        &self,
        request: Request<RegisterProviderRequest>,
    ) -> Result<Response<RegisterProviderResponse>, Status> {
        let caller = self.caller(&request)?;
        let registration = registration(request.get_ref()).map_err(CatalogError::from)?;
        let mut tx = self.begin().await?;
        let done = app::register(&mut tx, registration, caller.act()).await?;
        self.commit(tx, done.changed).await?;
        let provider = Some(encode::provider(&done.value));
        Ok(Response::new(RegisterProviderResponse { provider }))
    }
}

fn registration(request: &RegisterProviderRequest) -> Result<Registration, RuleBroken> {
    let provider = request.provider.as_ref().ok_or_else(|| RuleBroken {
        field: "provider",
        reason: "PROVIDER_MISSING",
        rule: "the request holds a provider",
        message: "缺少提供主体信息".to_owned(),
    })?;
    let level = match provider.level() {
        ProviderLevel::Unspecified => None,
        ProviderLevel::City => Some(LevelKind::City),
        ProviderLevel::District => Some(LevelKind::District),
    };
    Registration::new(
        &provider.code,
        &provider.name,
        level,
        &provider.district_code,
        provider.enabled,
    )
}
