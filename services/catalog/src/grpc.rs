//! `credit.catalog.v1.CatalogService`: decode, call `app` in a transaction, encode. Who may call what
//! is in the proto files; whose catalogue is whose in `domain::rights`. Called by `start`.

mod decode;
mod encode;

use std::sync::Arc;

use event_bus::Relay;
use legal_clock::Law;
use proto::credit::catalog::v1::{
    DismissDutyRequest, DismissDutyResponse, ExportItemRequest, ExportItemResponse,
    GetCodeListRequest, GetCodeListResponse, GetDraftRequest, GetDraftResponse, GetItemRequest,
    GetItemResponse, ListCodeListsRequest, ListCodeListsResponse, ListDraftsRequest,
    ListDraftsResponse, ListDutiesRequest, ListDutiesResponse, ListItemVersionsRequest,
    ListItemVersionsResponse, ListItemsRequest, ListItemsResponse, ListProvidersRequest,
    ListProvidersResponse, PublishCodeListRequest, PublishCodeListResponse, PublishDraftRequest,
    PublishDraftResponse, PublishItemVersionRequest, PublishItemVersionResponse,
    RecordTriggerRequest, RecordTriggerResponse, RegisterProviderRequest, RegisterProviderResponse,
    RetireItemRequest, RetireItemResponse, ReturnDraftRequest, ReturnDraftResponse,
    SaveDraftRequest, SaveDraftResponse, SubmitDraftRequest, SubmitDraftResponse,
    WithdrawDraftRequest, WithdrawDraftResponse, catalog_service_server::CatalogService,
};
use service_kit::{
    ServiceContext,
    clock::Clock,
    db::{Conn, Pool, Tx},
    grpc::trace_parent,
    identity::{Principal, Role},
};
use time::OffsetDateTime;
use tonic::{Request, Response, Status, async_trait};
use vault::Keyring;

use crate::{
    app::{ActionContext, drafts, duties, exports::ItemExporter, items, lists, providers},
    domain::rights::CatalogActor,
    error::CatalogError,
};

/// The service behind the endpoint.
pub(crate) struct CatalogApi {
    pool: Pool,
    relay: Relay,
    law: Arc<Law>,
    clock: Arc<dyn Clock>,
    keyring: Keyring,
    exports: ItemExporter,
}

/// Caller, moment and trace of a request, owned, so that the request can be decoded.
struct CatalogCaller {
    principal: Principal,
    by: String,
    at: OffsetDateTime,
    traceparent: String,
}

impl CatalogCaller {
    fn action(&self) -> ActionContext<'_> {
        ActionContext {
            by: &self.by,
            at: self.at,
            traceparent: &self.traceparent,
        }
    }

    /// The caller with what the registry holds of its organisation.
    async fn load_actor(&self, conn: &mut Conn) -> Result<CatalogActor, CatalogError> {
        let is = |role| self.principal.has_role(role);
        let (provider, district_office) = (is(Role::Provider), is(Role::DistrictCreditOffice));
        let organisation = &self.principal.organisation;
        let registered = if provider || district_office {
            providers::find_provider(conn, organisation).await?
        } else {
            None
        };
        Ok(CatalogActor {
            organisation: organisation.clone(),
            credit_office: is(Role::CreditOffice),
            district_office,
            provider,
            operator: is(Role::Operator),
            auditor: is(Role::Auditor),
            registered,
        })
    }

    /// Whether the caller may see which officer did something, and not only the organisation.
    fn sees_officers(&self) -> bool {
        let staff = [Role::CreditOffice, Role::Operator, Role::Auditor];
        staff.into_iter().any(|role| self.principal.has_role(role))
    }
}

impl CatalogApi {
    pub(crate) fn new(pool: Pool, relay: Relay, law: Arc<Law>, context: &ServiceContext) -> Self {
        Self {
            pool,
            relay,
            law,
            clock: context.clock.clone(),
            keyring: context.keyring.clone(),
            exports: ItemExporter::default(),
        }
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<CatalogCaller, Status> {
        let principal = Principal::from_request(request)?;
        Ok(CatalogCaller {
            by: format!("{}/{}", principal.organisation, principal.account),
            principal,
            at: self.clock.now(),
            traceparent: trace_parent(request)
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

    async fn read_connection(
        &self,
    ) -> Result<impl std::ops::DerefMut<Target = Conn> + use<>, CatalogError> {
        self.pool
            .acquire()
            .await
            .map_err(CatalogError::database("读取目录"))
    }
}

#[async_trait]
impl CatalogService for CatalogApi {
    async fn list_items(
        &self,
        request: Request<ListItemsRequest>,
    ) -> Result<Response<ListItemsResponse>, Status> {
        let today = self.caller(&request)?.action().today();
        let filter = decode::item_filter(request.get_ref())?;
        let items = items::list_items(&mut *self.read_connection().await?, today, &filter).await?;
        let items = encode::item::encode_item_list(&items);
        Ok(Response::new(ListItemsResponse { items }))
    }

    async fn get_item(
        &self,
        request: Request<GetItemRequest>,
    ) -> Result<Response<GetItemResponse>, Status> {
        let today = self.caller(&request)?.action().today();
        let asked = request.get_ref();
        let code = decode::item_code(&asked.code)?;
        let day = decode::item_day(asked, today)?;
        let mut conn = self.read_connection().await?;
        let item = items::get_item(&mut conn, &code, asked.version, day).await?;
        Ok(Response::new(GetItemResponse {
            item: Some(encode::item::encode_item(&item)),
        }))
    }

    async fn list_item_versions(
        &self,
        request: Request<ListItemVersionsRequest>,
    ) -> Result<Response<ListItemVersionsResponse>, Status> {
        let caller = self.caller(&request)?;
        let code = decode::item_code(&request.get_ref().code)?;
        let mut conn = self.read_connection().await?;
        let history = items::list_item_versions(&mut conn, &code).await?;
        let officers = caller.sees_officers();
        Ok(Response::new(ListItemVersionsResponse {
            versions: encode::item::encode_item_versions(
                &history,
                caller.action().today(),
                officers,
            ),
            retirement: history
                .decided_retirement()
                .map(encode::item::encode_retirement),
        }))
    }

    async fn publish_item_version(
        &self,
        request: Request<PublishItemVersionRequest>,
    ) -> Result<Response<PublishItemVersionResponse>, Status> {
        let caller = self.caller(&request)?;
        // Read before the transaction begins: compiling rules takes time, and others may wait for its locks.
        let toml = &request.get_ref().definition_toml;
        let item = items::read_definition(self.read_connection().await?, toml).await?;
        let mut tx = self.begin().await?;
        let actor = caller.load_actor(&mut tx).await?;
        let done =
            items::publish_item_version(&mut tx, &item, Some(&actor), caller.action()).await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(PublishItemVersionResponse {
            item: Some(encode::item::encode_item(&item)),
        }))
    }

    async fn retire_item(
        &self,
        request: Request<RetireItemRequest>,
    ) -> Result<Response<RetireItemResponse>, Status> {
        let caller = self.caller(&request)?;
        let asked = decode::retirement_decision(request.get_ref(), caller.at)?;
        let mut tx = self.begin().await?;
        let done = items::retire_item(&mut tx, asked, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(RetireItemResponse {
            retirement: Some(encode::item::encode_retirement(&done.value)),
        }))
    }

    async fn export_item(
        &self,
        request: Request<ExportItemRequest>,
    ) -> Result<Response<ExportItemResponse>, Status> {
        let today = self.caller(&request)?.action().today();
        let format = decode::export_format(request.get_ref().format())?;
        let ExportItemRequest { code, version, .. } = request.into_inner();
        let code = decode::item_code(&code)?;
        let conn = self.read_connection().await?;
        let file = self
            .exports
            .export_item(conn, &code, version, format, today)
            .await?;
        Ok(Response::new(ExportItemResponse {
            file_name: file.name,
            media_type: file.media_type.to_owned(),
            content: file.content,
        }))
    }

    async fn save_draft(
        &self,
        request: Request<SaveDraftRequest>,
    ) -> Result<Response<SaveDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let save = decode::draft_input(request.get_ref())?;
        let mut tx = self.begin().await?;
        let actor = caller.load_actor(&mut tx).await?;
        let done = drafts::save_draft(&mut tx, &actor, save, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        let draft = Some(encode::draft::encode_draft(
            &done.value,
            caller.sees_officers(),
        ));
        Ok(Response::new(SaveDraftResponse { draft }))
    }

    async fn submit_draft(
        &self,
        request: Request<SubmitDraftRequest>,
    ) -> Result<Response<SubmitDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let id = decode::draft_id(&request.get_ref().draft_id)?;
        let mut tx = self.begin().await?;
        let actor = caller.load_actor(&mut tx).await?;
        let done = drafts::submit_draft(&mut tx, &actor, id, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        let draft = Some(encode::draft::encode_draft(
            &done.value,
            caller.sees_officers(),
        ));
        Ok(Response::new(SubmitDraftResponse { draft }))
    }

    async fn return_draft(
        &self,
        request: Request<ReturnDraftRequest>,
    ) -> Result<Response<ReturnDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let ReturnDraftRequest { draft_id, reasons } = request.into_inner();
        let id = decode::draft_id(&draft_id)?;
        let mut tx = self.begin().await?;
        let actor = caller.load_actor(&mut tx).await?;
        let reasons = decode::return_reasons(reasons);
        let done = drafts::return_draft(&mut tx, &actor, id, reasons, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        let draft = Some(encode::draft::encode_draft(
            &done.value,
            caller.sees_officers(),
        ));
        Ok(Response::new(ReturnDraftResponse { draft }))
    }

    async fn publish_draft(
        &self,
        request: Request<PublishDraftRequest>,
    ) -> Result<Response<PublishDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let id = decode::draft_id(&request.get_ref().draft_id)?;
        let mut tx = self.begin().await?;
        let actor = caller.load_actor(&mut tx).await?;
        let done = drafts::publish_draft(&mut tx, &actor, id, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        let (draft, item) = &done.value;
        let draft = Some(encode::draft::encode_draft(draft, caller.sees_officers()));
        let item = Some(encode::item::encode_item(item));
        Ok(Response::new(PublishDraftResponse { draft, item }))
    }

    async fn withdraw_draft(
        &self,
        request: Request<WithdrawDraftRequest>,
    ) -> Result<Response<WithdrawDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let WithdrawDraftRequest { draft_id, reason } = request.get_ref();
        let id = decode::draft_id(draft_id)?;
        let mut tx = self.begin().await?;
        let actor = caller.load_actor(&mut tx).await?;
        let done = drafts::withdraw_draft(&mut tx, &actor, id, reason, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        let draft = Some(encode::draft::encode_draft(
            &done.value,
            caller.sees_officers(),
        ));
        Ok(Response::new(WithdrawDraftResponse { draft }))
    }

    async fn get_draft(
        &self,
        request: Request<GetDraftRequest>,
    ) -> Result<Response<GetDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let id = decode::draft_id(&request.get_ref().draft_id)?;
        let mut conn = self.read_connection().await?;
        let actor = caller.load_actor(&mut conn).await?;
        let draft = drafts::get_draft(&mut conn, &actor, id, caller.action()).await?;
        Ok(Response::new(GetDraftResponse {
            draft: Some(encode::draft::encode_draft(&draft, caller.sees_officers())),
        }))
    }

    async fn list_drafts(
        &self,
        request: Request<ListDraftsRequest>,
    ) -> Result<Response<ListDraftsResponse>, Status> {
        let caller = self.caller(&request)?;
        let (query, page) = decode::draft_list(request.get_ref())?;
        let today = caller.action().today();
        let mut conn = self.read_connection().await?;
        let actor = caller.load_actor(&mut conn).await?;
        let (found, next_page_token) =
            drafts::list_drafts(&mut conn, &actor, query, &page, today).await?;
        Ok(Response::new(ListDraftsResponse {
            drafts: found.iter().map(encode::draft::encode_draft_line).collect(),
            next_page_token,
        }))
    }

    async fn publish_code_list(
        &self,
        request: Request<PublishCodeListRequest>,
    ) -> Result<Response<PublishCodeListResponse>, Status> {
        let caller = self.caller(&request)?;
        let list = lists::read_definition(&request.get_ref().definition_toml).await?;
        let mut tx = self.begin().await?;
        let done = lists::publish_code_list(&mut tx, &list, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(PublishCodeListResponse {
            code_list: Some(encode::encode_code_list(&list)),
        }))
    }

    async fn list_code_lists(
        &self,
        _request: Request<ListCodeListsRequest>,
    ) -> Result<Response<ListCodeListsResponse>, Status> {
        let lists = lists::list_code_lists(&mut *self.read_connection().await?).await?;
        let code_lists = lists.iter().map(encode::encode_code_list).collect();
        Ok(Response::new(ListCodeListsResponse { code_lists }))
    }

    async fn get_code_list(
        &self,
        request: Request<GetCodeListRequest>,
    ) -> Result<Response<GetCodeListResponse>, Status> {
        let GetCodeListRequest { code, version } = request.into_inner();
        let list =
            lists::get_code_list(&mut *self.read_connection().await?, &code, version).await?;
        Ok(Response::new(GetCodeListResponse {
            code_list: Some(encode::encode_code_list(&list)),
        }))
    }

    async fn list_providers(
        &self,
        request: Request<ListProvidersRequest>,
    ) -> Result<Response<ListProvidersResponse>, Status> {
        let caller = self.caller(&request)?;
        let mut conn = self.read_connection().await?;
        let actor = caller.load_actor(&mut conn).await?;
        let all = providers::list_providers(&mut conn, &self.keyring, &actor).await?;
        Ok(Response::new(ListProvidersResponse {
            providers: all.into_iter().map(encode::encode_provider).collect(),
        }))
    }

    async fn register_provider(
        &self,
        request: Request<RegisterProviderRequest>,
    ) -> Result<Response<RegisterProviderResponse>, Status> {
        let caller = self.caller(&request)?;
        let (registration, contacts) = decode::decode_registration(request.get_ref())?;
        let mut tx = self.begin().await?;
        let actor = caller.load_actor(&mut tx).await?;
        let done = providers::register_provider(
            &mut tx,
            &self.keyring,
            &actor,
            registration,
            contacts.as_ref(),
            caller.action(),
        )
        .await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(RegisterProviderResponse {
            provider: Some(encode::encode_provider(done.value)),
        }))
    }

    async fn record_trigger(
        &self,
        request: Request<RecordTriggerRequest>,
    ) -> Result<Response<RecordTriggerResponse>, Status> {
        let caller = self.caller(&request)?;
        let today = caller.action().today();
        let (trigger, affects) = decode::decode_trigger(request.get_ref(), today)?;
        let mut tx = self.begin().await?;
        let done =
            duties::record_trigger(&mut tx, &self.law, trigger, affects, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        let opened = &done.value;
        let duty = |duty| encode::duty::encode_duty(duty, &self.law, today);
        Ok(Response::new(RecordTriggerResponse {
            trigger: Some(encode::duty::encode_trigger(&opened.trigger)),
            duties: opened.duties.iter().map(duty).collect(),
        }))
    }

    async fn list_duties(
        &self,
        request: Request<ListDutiesRequest>,
    ) -> Result<Response<ListDutiesResponse>, Status> {
        let caller = self.caller(&request)?;
        let (question, page) = decode::duty_list(request.get_ref())?;
        let today = caller.action().today();
        let mut conn = self.read_connection().await?;
        let actor = caller.load_actor(&mut conn).await?;
        let (found, next_page_token) =
            duties::list_duties(&mut conn, &actor, question, &page, today).await?;
        let duty = |duty| encode::duty::encode_duty(duty, &self.law, today);
        Ok(Response::new(ListDutiesResponse {
            duties: found.iter().map(duty).collect(),
            next_page_token,
        }))
    }

    async fn dismiss_duty(
        &self,
        request: Request<DismissDutyRequest>,
    ) -> Result<Response<DismissDutyResponse>, Status> {
        let caller = self.caller(&request)?;
        let DismissDutyRequest { duty_id, reason } = request.get_ref();
        let id = decode::duty_id(duty_id)?;
        let mut tx = self.begin().await?;
        let done = duties::dismiss_duty(&mut tx, id, reason, caller.action()).await?;
        self.commit(tx, done.changed).await?;
        let duty = encode::duty::encode_duty(&done.value, &self.law, caller.action().today());
        Ok(Response::new(DismissDutyResponse { duty: Some(duty) }))
    }
}
