//! `credit.catalog.v1.CatalogService`: decode, call `app` in a transaction, encode. Who may call what
//! stands in the table of rights of service-kit; whose catalogue is whose in `domain::rights`. Called by
//! `start`.

mod decode;
mod encode;

use std::sync::Arc;

use event_bus::Relay;
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
    grpc::trace_of,
    identity::{Principal, Role},
};
use time::OffsetDateTime;
use tonic::{Request, Response, Status, async_trait};
use vault::Keyring;

use crate::{
    app::{Act, Page, drafts, duties, exports::Exports, items, lists, providers},
    domain::{
        draft::Draft,
        duty::Law,
        rights::Actor,
        version::{self, Retirement},
    },
    error::CatalogError,
};

/// The service behind the endpoint.
pub(crate) struct Catalog {
    pool: Pool,
    relay: Relay,
    law: Arc<Law>,
    clock: Arc<dyn Clock>,
    keyring: Keyring,
    exports: Exports,
}

/// Who calls and in which trace, kept while the request is taken apart.
struct Caller {
    principal: Principal,
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

    /// The caller with what the registry holds of its organisation.
    async fn actor(&self, conn: &mut Conn) -> Result<Actor, CatalogError> {
        let is = |role| self.principal.is(role);
        let (provider, district_office) = (is(Role::Provider), is(Role::DistrictCreditOffice));
        let organisation = &self.principal.organisation;
        let registered = if provider || district_office {
            providers::registration_of(conn, organisation).await?
        } else {
            None
        };
        Ok(Actor {
            organisation: organisation.clone(),
            credit_office: is(Role::CreditOffice),
            district_office,
            provider,
            operator: is(Role::Operator),
            auditor: is(Role::Auditor),
            registered,
        })
    }

    /// Whether it is told which officer did something, and not only of which organisation.
    fn sees_officers(&self) -> bool {
        let staff = [Role::CreditOffice, Role::Operator, Role::Auditor];
        staff.into_iter().any(|role| self.principal.is(role))
    }
}

impl Catalog {
    pub(crate) fn new(pool: Pool, relay: Relay, law: Arc<Law>, context: &ServiceContext) -> Self {
        Self {
            pool,
            relay,
            law,
            clock: context.clock.clone(),
            keyring: context.keyring.clone(),
            exports: Exports::default(),
        }
    }

    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let principal = Principal::of(request)?;
        let now = self.clock.now();
        Ok(Caller {
            by: format!("{}/{}", principal.organisation, principal.account),
            principal,
            // What PostgreSQL keeps of a moment, so that an answer and a later look say the same.
            at: now - time::Duration::nanoseconds(i64::from(now.nanosecond() % 1_000)),
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

    async fn reader(&self) -> Result<impl std::ops::DerefMut<Target = Conn> + use<>, CatalogError> {
        self.pool
            .acquire()
            .await
            .map_err(CatalogError::database("读取目录"))
    }

    /// A draft as its author and the reviewer see it: with faults and history.
    async fn whole_draft(
        &self,
        conn: &mut Conn,
        draft: &Draft,
        caller: &Caller,
    ) -> Result<proto::credit::catalog::v1::Draft, CatalogError> {
        let actor = caller.actor(conn).await?;
        let (_, history) = drafts::draft(conn, &actor, draft.id, caller.act().today()).await?;
        let faults = drafts::faults(conn, draft, caller.act()).await?;
        let officers = caller.sees_officers();
        Ok(encode::draft::whole(draft, &faults, &history, officers))
    }
}

#[async_trait]
impl CatalogService for Catalog {
    async fn list_items(
        &self,
        request: Request<ListItemsRequest>,
    ) -> Result<Response<ListItemsResponse>, Status> {
        let today = self.caller(&request)?.act().today();
        let filter = decode::item_filter(request.get_ref());
        let items = items::items(&mut *self.reader().await?, today, &filter).await?;
        let items = encode::item::lines(&items);
        Ok(Response::new(ListItemsResponse { items }))
    }

    async fn get_item(
        &self,
        request: Request<GetItemRequest>,
    ) -> Result<Response<GetItemResponse>, Status> {
        let today = self.caller(&request)?.act().today();
        let GetItemRequest {
            code,
            version,
            on_date,
        } = request.into_inner();
        let day = decode::day(&on_date, "on_date")?.unwrap_or(today);
        let item = items::item(&mut *self.reader().await?, &code, version, day).await?;
        Ok(Response::new(GetItemResponse {
            item: Some(encode::item::whole(&item)),
        }))
    }

    async fn list_item_versions(
        &self,
        request: Request<ListItemVersionsRequest>,
    ) -> Result<Response<ListItemVersionsResponse>, Status> {
        let caller = self.caller(&request)?;
        let code = &request.get_ref().code;
        let history = items::history(&mut *self.reader().await?, code).await?;
        if history.versions.is_empty() {
            return Err(CatalogError::from(version::unknown_item(code)).into());
        }
        let officers = caller.sees_officers();
        Ok(Response::new(ListItemVersionsResponse {
            versions: encode::item::versions(&history, caller.act().today(), officers),
            retirement: history.end().map(encode::item::retirement),
        }))
    }

    async fn publish_item_version(
        &self,
        request: Request<PublishItemVersionRequest>,
    ) -> Result<Response<PublishItemVersionResponse>, Status> {
        let caller = self.caller(&request)?;
        // Read before the transaction begins: compiling rules takes time, and others may wait for its locks.
        let toml = &request.get_ref().definition_toml;
        let lists = items::lists_of(&mut *self.reader().await?, toml).await?;
        let item = items::lint(toml, lists).await?;
        let mut tx = self.begin().await?;
        let actor = caller.actor(&mut tx).await?;
        let done = items::publish(&mut tx, &item, Some(&actor), caller.act()).await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(PublishItemVersionResponse {
            item: Some(encode::item::whole(&item)),
        }))
    }

    async fn retire_item(
        &self,
        request: Request<RetireItemRequest>,
    ) -> Result<Response<RetireItemResponse>, Status> {
        let caller = self.caller(&request)?;
        let asked = Retirement {
            at: caller.at,
            ..decode::retirement(request.get_ref())?
        };
        let mut tx = self.begin().await?;
        let done = items::retire(&mut tx, asked, caller.act()).await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(RetireItemResponse {
            retirement: Some(encode::item::retirement(&done.value)),
        }))
    }

    async fn export_item(
        &self,
        request: Request<ExportItemRequest>,
    ) -> Result<Response<ExportItemResponse>, Status> {
        let today = self.caller(&request)?.act().today();
        let format = decode::export_format(request.get_ref().format())?;
        let ExportItemRequest { code, version, .. } = request.into_inner();
        let mut conn = self.reader().await?;
        let known = items::version_of(&mut conn, &code, version, today).await?;
        let finished = known.and_then(|known| self.exports.finished(&code, known, format));
        let file = match finished {
            Some(file) => file,
            None => {
                let item = items::item(&mut conn, &code, version, today).await?;
                // Whoever waits for a file keeps no connection.
                drop(conn);
                self.exports.file(item, format).await?
            }
        };
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
        let save = decode::save(request.get_ref())?;
        let mut tx = self.begin().await?;
        let actor = caller.actor(&mut tx).await?;
        let done = drafts::save(&mut tx, &actor, save, caller.act()).await?;
        let draft = Some(self.whole_draft(&mut tx, &done.value, &caller).await?);
        self.commit(tx, done.changed).await?;
        Ok(Response::new(SaveDraftResponse { draft }))
    }

    async fn submit_draft(
        &self,
        request: Request<SubmitDraftRequest>,
    ) -> Result<Response<SubmitDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let id = decode::draft_id(&request.get_ref().draft_id)?;
        let mut tx = self.begin().await?;
        let actor = caller.actor(&mut tx).await?;
        let done = drafts::submit(&mut tx, &actor, id, caller.act()).await?;
        let draft = Some(self.whole_draft(&mut tx, &done.value, &caller).await?);
        self.commit(tx, done.changed).await?;
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
        let actor = caller.actor(&mut tx).await?;
        let reasons = decode::reasons(reasons);
        let done = drafts::give_back(&mut tx, &actor, id, reasons, caller.act()).await?;
        let draft = Some(self.whole_draft(&mut tx, &done.value, &caller).await?);
        self.commit(tx, done.changed).await?;
        Ok(Response::new(ReturnDraftResponse { draft }))
    }

    async fn publish_draft(
        &self,
        request: Request<PublishDraftRequest>,
    ) -> Result<Response<PublishDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let id = decode::draft_id(&request.get_ref().draft_id)?;
        let mut tx = self.begin().await?;
        let actor = caller.actor(&mut tx).await?;
        let done = drafts::publish(&mut tx, &actor, id, caller.act()).await?;
        let (draft, item) = &done.value;
        let draft = Some(self.whole_draft(&mut tx, draft, &caller).await?);
        let item = Some(encode::item::whole(item));
        self.commit(tx, done.changed).await?;
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
        let actor = caller.actor(&mut tx).await?;
        let done = drafts::withdraw(&mut tx, &actor, id, reason, caller.act()).await?;
        let draft = Some(self.whole_draft(&mut tx, &done.value, &caller).await?);
        self.commit(tx, done.changed).await?;
        Ok(Response::new(WithdrawDraftResponse { draft }))
    }

    async fn get_draft(
        &self,
        request: Request<GetDraftRequest>,
    ) -> Result<Response<GetDraftResponse>, Status> {
        let caller = self.caller(&request)?;
        let id = decode::draft_id(&request.get_ref().draft_id)?;
        let mut conn = self.reader().await?;
        let actor = caller.actor(&mut conn).await?;
        let (draft, history) = drafts::draft(&mut conn, &actor, id, caller.act().today()).await?;
        let faults = drafts::faults(&mut conn, &draft, caller.act()).await?;
        let officers = caller.sees_officers();
        Ok(Response::new(GetDraftResponse {
            draft: Some(encode::draft::whole(&draft, &faults, &history, officers)),
        }))
    }

    async fn list_drafts(
        &self,
        request: Request<ListDraftsRequest>,
    ) -> Result<Response<ListDraftsResponse>, Status> {
        let caller = self.caller(&request)?;
        let asked = request.get_ref();
        let page = Page::read(asked.page_size, &asked.page_token).map_err(CatalogError::from)?;
        let state = decode::draft_state(asked.state());
        let mut conn = self.reader().await?;
        let actor = caller.actor(&mut conn).await?;
        let (found, next_page_token) = drafts::list(
            &mut conn,
            &actor,
            state,
            &asked.organ,
            page,
            caller.act().today(),
        )
        .await?;
        Ok(Response::new(ListDraftsResponse {
            drafts: found.iter().map(encode::draft::line).collect(),
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
        let done = lists::publish(&mut tx, &list, caller.act()).await?;
        self.commit(tx, done.changed).await?;
        Ok(Response::new(PublishCodeListResponse {
            code_list: Some(encode::list(&list)),
        }))
    }

    async fn list_code_lists(
        &self,
        _request: Request<ListCodeListsRequest>,
    ) -> Result<Response<ListCodeListsResponse>, Status> {
        let lists = lists::all(&mut *self.reader().await?).await?;
        let code_lists = lists.iter().map(encode::list).collect();
        Ok(Response::new(ListCodeListsResponse { code_lists }))
    }

    async fn get_code_list(
        &self,
        request: Request<GetCodeListRequest>,
    ) -> Result<Response<GetCodeListResponse>, Status> {
        let GetCodeListRequest { code, version } = request.into_inner();
        let list = lists::list(&mut *self.reader().await?, &code, version).await?;
        Ok(Response::new(GetCodeListResponse {
            code_list: Some(encode::list(&list)),
        }))
    }

    async fn list_providers(
        &self,
        request: Request<ListProvidersRequest>,
    ) -> Result<Response<ListProvidersResponse>, Status> {
        let caller = self.caller(&request)?;
        let mut conn = self.reader().await?;
        let actor = caller.actor(&mut conn).await?;
        let all = providers::providers(&mut conn, &self.keyring, &actor).await?;
        let encode = |(provider, contacts)| encode::provider(&provider, contacts);
        Ok(Response::new(ListProvidersResponse {
            providers: all.into_iter().map(encode).collect(),
        }))
    }

    async fn register_provider(
        &self,
        request: Request<RegisterProviderRequest>,
    ) -> Result<Response<RegisterProviderResponse>, Status> {
        let caller = self.caller(&request)?;
        let (registration, contacts) = decode::registration(request.get_ref())?;
        let mut tx = self.begin().await?;
        let actor = caller.actor(&mut tx).await?;
        let (keyring, contacts) = (&self.keyring, contacts.as_ref());
        let done =
            providers::register(&mut tx, keyring, registration, contacts, caller.act()).await?;
        let code = done.value.code.as_str();
        let known = providers::contacts(&mut tx, keyring, &actor, code).await?;
        let provider = encode::provider(&done.value, known.into_values().next());
        self.commit(tx, done.changed).await?;
        Ok(Response::new(RegisterProviderResponse {
            provider: Some(provider),
        }))
    }

    async fn record_trigger(
        &self,
        request: Request<RecordTriggerRequest>,
    ) -> Result<Response<RecordTriggerResponse>, Status> {
        let caller = self.caller(&request)?;
        let asked = request.get_ref();
        let today = caller.act().today();
        let trigger = decode::trigger(asked, today)?;
        let affects = duties::Affects {
            item_codes: &asked.item_codes,
            organ: &asked.organ,
        };
        let mut tx = self.begin().await?;
        let done = duties::record(&mut tx, &self.law, trigger, affects, caller.act()).await?;
        self.commit(tx, done.changed).await?;
        let opened = &done.value;
        let duty = |duty| encode::duty::whole(duty, &self.law, today);
        Ok(Response::new(RecordTriggerResponse {
            trigger: Some(encode::duty::trigger(&opened.trigger)),
            duties: opened.duties.iter().map(duty).collect(),
        }))
    }

    async fn list_duties(
        &self,
        request: Request<ListDutiesRequest>,
    ) -> Result<Response<ListDutiesResponse>, Status> {
        let caller = self.caller(&request)?;
        let asked = request.get_ref();
        let page = Page::read(asked.page_size, &asked.page_token).map_err(CatalogError::from)?;
        let question = duties::Question {
            part: decode::duty_part(asked.filter()),
            organ: &asked.organ,
            item_code: &asked.item_code,
        };
        let today = caller.act().today();
        let mut conn = self.reader().await?;
        let actor = caller.actor(&mut conn).await?;
        let (found, next_page_token) =
            duties::list(&mut conn, &actor, question, page, today).await?;
        let duty = |duty| encode::duty::whole(duty, &self.law, today);
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
        let done = duties::dismiss(&mut tx, id, reason, caller.act()).await?;
        self.commit(tx, done.changed).await?;
        let duty = encode::duty::whole(&done.value, &self.law, caller.act().today());
        Ok(Response::new(DismissDutyResponse { duty: Some(duty) }))
    }
}
