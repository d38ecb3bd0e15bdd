//! A fake of catalog, over the data of `catalogue_data`. Whatever the public may not call is refused, so a site
//! that called it would show a fault.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use proto::credit::catalog::v1::{
    CodeList, DismissDutyRequest, DismissDutyResponse, ExportFormat, ExportItemRequest,
    ExportItemResponse, GetCodeListRequest, GetCodeListResponse, GetDraftRequest, GetDraftResponse,
    GetItemRequest, GetItemResponse, Item, ListCodeListsRequest, ListCodeListsResponse,
    ListDraftsRequest, ListDraftsResponse, ListDutiesRequest, ListDutiesResponse,
    ListItemVersionsRequest, ListItemVersionsResponse, ListItemsRequest, ListItemsResponse,
    ListProvidersRequest, ListProvidersResponse, PublishCodeListRequest, PublishCodeListResponse,
    PublishDraftRequest, PublishDraftResponse, PublishItemVersionRequest,
    PublishItemVersionResponse, RecordTriggerRequest, RecordTriggerResponse,
    RegisterProviderRequest, RegisterProviderResponse, RetireItemRequest, RetireItemResponse,
    ReturnDraftRequest, ReturnDraftResponse, SaveDraftRequest, SaveDraftResponse,
    SubmitDraftRequest, SubmitDraftResponse, WithdrawDraftRequest, WithdrawDraftResponse,
    catalog_service_server::CatalogService,
};
use service_kit::reason::Reason;
use tonic::{Request, Response, Status};

use crate::{
    catalogue_data as data,
    fake_disclosure::{refused, require_public_role},
};

/// Catalog.
#[derive(Clone)]
pub struct FakeCatalog {
    versions: Arc<Vec<Item>>,
    in_force: Arc<Vec<Item>>,
    lists: Arc<Vec<CodeList>>,
    export_requests: Arc<Mutex<Vec<ExportItemRequest>>>,
    calls: Arc<AtomicUsize>,
}

impl Default for FakeCatalog {
    fn default() -> Self {
        Self {
            versions: Arc::new(data::versions()),
            in_force: Arc::new(data::in_force()),
            lists: Arc::new(data::code_lists()),
            export_requests: Arc::default(),
            calls: Arc::default(),
        }
    }
}

impl FakeCatalog {
    /// The files that were asked for.
    pub fn export_requests(&self) -> Vec<ExportItemRequest> {
        self.export_requests.lock().unwrap().clone()
    }

    /// How many calls there were, of whatever kind.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    fn count_call<T>(&self, request: &Request<T>) -> Result<(), Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        require_public_role(request)
    }

    fn newest(&self, code: &str) -> Option<&CodeList> {
        let own = self.lists.iter().filter(|list| list.code == code);
        own.max_by_key(|list| list.version)
    }
}

/// Exported bytes that are not valid text, so that any re-encoding on the way is noticed.
pub fn exported_bytes(request: &ExportItemRequest) -> Vec<u8> {
    let mut content = vec![0xef, 0xbb, 0xbf, 0x00, 0xff, 0xfe, b'\r', b'\n', 0x80];
    content.extend(format!("{}/{}/{}", request.code, request.version, request.format).bytes());
    content.extend((0..=255).cycle().take(70_000));
    content
}

/// Declares the calls that no visitor's page makes.
macro_rules! closed {
    ($($call:ident: $request:ty => $response:ty;)*) => {
        #[tonic::async_trait]
        impl CatalogService for FakeCatalog {
            async fn list_items(
                &self,
                request: Request<ListItemsRequest>,
            ) -> Result<Response<ListItemsResponse>, Status> {
                self.count_call(&request)?;
                Ok(Response::new(ListItemsResponse {
                    items: self.in_force.to_vec(),
                }))
            }

            async fn get_item(
                &self,
                request: Request<GetItemRequest>,
            ) -> Result<Response<GetItemResponse>, Status> {
                self.count_call(&request)?;
                let GetItemRequest { code, version, .. } = request.into_inner();
                let found = if version == 0 {
                    self.in_force.iter().find(|item| item.code == code)
                } else {
                    let fits = |item: &&Item| item.code == code && item.version == version;
                    self.versions.iter().find(fits)
                };
                let unknown = match self.versions.iter().any(|item| item.code == code) {
                    true => Reason::ItemVersionUnknown,
                    false => Reason::ItemUnknown,
                };
                let item = Some(found.ok_or_else(|| refused(unknown))?.clone());
                Ok(Response::new(GetItemResponse { item }))
            }

            async fn list_item_versions(
                &self,
                request: Request<ListItemVersionsRequest>,
            ) -> Result<Response<ListItemVersionsResponse>, Status> {
                self.count_call(&request)?;
                let code = request.into_inner().code;
                let versions = data::version_infos(&code);
                if versions.is_empty() {
                    return Err(refused(Reason::ItemUnknown));
                }
                let retirement = data::retirement(&code);
                Ok(Response::new(ListItemVersionsResponse { versions, retirement }))
            }

            async fn export_item(
                &self,
                request: Request<ExportItemRequest>,
            ) -> Result<Response<ExportItemResponse>, Status> {
                self.count_call(&request)?;
                let request = request.into_inner();
                let fits = |item: &Item| item.code == request.code && item.version == request.version;
                if !self.versions.iter().any(fits) {
                    return Err(refused(Reason::ItemVersionUnknown));
                }
                if request.format() == ExportFormat::Unspecified {
                    return Err(refused(Reason::ExportFormatInvalid));
                }
                self.export_requests.lock().unwrap().push(request.clone());
                Ok(Response::new(ExportItemResponse {
                    // Nothing of this may decide what a browser does with the bytes.
                    file_name: "../evil\".html".to_owned(),
                    media_type: "text/html".to_owned(),
                    content: exported_bytes(&request).into(),
                }))
            }

            async fn list_code_lists(
                &self,
                request: Request<ListCodeListsRequest>,
            ) -> Result<Response<ListCodeListsResponse>, Status> {
                self.count_call(&request)?;
                let newest = |list: &&CodeList| {
                    self.newest(&list.code).is_some_and(|n| n.version == list.version)
                };
                Ok(Response::new(ListCodeListsResponse {
                    code_lists: self.lists.iter().filter(newest).cloned().collect(),
                }))
            }

            async fn get_code_list(
                &self,
                request: Request<GetCodeListRequest>,
            ) -> Result<Response<GetCodeListResponse>, Status> {
                self.count_call(&request)?;
                let GetCodeListRequest { code, version } = request.into_inner();
                let fits = |list: &&CodeList| list.code == code && list.version == version;
                let found = match version {
                    0 => self.newest(&code),
                    _ => self.lists.iter().find(fits),
                };
                let code_list = Some(found.ok_or_else(|| refused(Reason::CodeListUnknown))?.clone());
                Ok(Response::new(GetCodeListResponse { code_list }))
            }

            async fn list_providers(
                &self,
                request: Request<ListProvidersRequest>,
            ) -> Result<Response<ListProvidersResponse>, Status> {
                self.count_call(&request)?;
                let providers = data::providers();
                Ok(Response::new(ListProvidersResponse { providers }))
            }

            $(
                async fn $call(&self, _: Request<$request>) -> Result<Response<$response>, Status> {
                    Err(refused(Reason::RoleNotAllowed))
                }
            )*
        }
    };
}

closed! {
    publish_item_version: PublishItemVersionRequest => PublishItemVersionResponse;
    retire_item: RetireItemRequest => RetireItemResponse;
    save_draft: SaveDraftRequest => SaveDraftResponse;
    submit_draft: SubmitDraftRequest => SubmitDraftResponse;
    return_draft: ReturnDraftRequest => ReturnDraftResponse;
    publish_draft: PublishDraftRequest => PublishDraftResponse;
    withdraw_draft: WithdrawDraftRequest => WithdrawDraftResponse;
    get_draft: GetDraftRequest => GetDraftResponse;
    list_drafts: ListDraftsRequest => ListDraftsResponse;
    publish_code_list: PublishCodeListRequest => PublishCodeListResponse;
    register_provider: RegisterProviderRequest => RegisterProviderResponse;
    record_trigger: RecordTriggerRequest => RecordTriggerResponse;
    list_duties: ListDutiesRequest => ListDutiesResponse;
    dismiss_duty: DismissDutyRequest => DismissDutyResponse;
}
