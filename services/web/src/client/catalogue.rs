//! The calls to catalog: items, their versions, their files, code lists, names of organs.
//! Called by `routes::catalogue`.

use std::collections::BTreeMap;

use proto::credit::catalog::v1::{
    CodeList, ExportFormat, ExportItemRequest, ExportItemResponse, GetCodeListRequest,
    GetItemRequest, Item, ListCodeListsRequest, ListItemVersionsRequest, ListItemVersionsResponse,
    ListItemsRequest, ListProvidersRequest,
};

use super::{BackendError, Backends};

/// Names of organs by their credit codes. Contacts of providers are personal data: they are dropped here, whatever the
/// service sends.
pub type OrganNames = BTreeMap<String, String>;

impl Backends {
    /// Item versions in force, of all catalogues.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn list_items(&self) -> Result<Vec<Item>, BackendError> {
        self.call(
            "ListItems",
            ListItemsRequest::default(),
            |token, request| {
                let mut client = self.catalog_client(token);
                async move { client.list_items(request).await }
            },
        )
        .await
        .map(|answer| answer.items)
    }

    /// One version of an item.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn get_item(&self, code: &str, version: u32) -> Result<Item, BackendError> {
        let request = GetItemRequest {
            code: code.to_owned(),
            version,
            on_date: String::new(),
        };
        self.call("GetItem", request, |token, request| {
            let mut client = self.catalog_client(token);
            async move { client.get_item(request).await }
        })
        .await?
        .item
        .ok_or(BackendError::NotFound)
    }

    /// All versions of an item, oldest first, and its retirement.
    ///
    /// # Errors
    /// As [`BackendError`] says; an item without versions is not found.
    pub async fn list_item_versions(
        &self,
        code: &str,
    ) -> Result<ListItemVersionsResponse, BackendError> {
        let request = ListItemVersionsRequest {
            code: code.to_owned(),
        };
        let answer = self
            .call("ListItemVersions", request, |token, request| {
                let mut client = self.catalog_client(token);
                async move { client.list_item_versions(request).await }
            })
            .await?;
        if answer.versions.is_empty() {
            return Err(BackendError::NotFound);
        }
        Ok(answer)
    }

    /// A version of an item as a file.
    ///
    /// # Errors
    /// As [`BackendError`] says; a file without content is a failure.
    pub async fn export_item(
        &self,
        code: &str,
        version: u32,
        format: ExportFormat,
    ) -> Result<ExportItemResponse, BackendError> {
        let request = ExportItemRequest {
            code: code.to_owned(),
            version,
            format: format.into(),
        };
        let answer = self
            .call("ExportItem", request, |token, request| {
                let mut client = self.catalog_client(token);
                async move { client.export_item(request).await }
            })
            .await?;
        if answer.content.is_empty() {
            return Err(BackendError::Failed);
        }
        Ok(answer)
    }

    /// The newest version of each code list.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn list_code_lists(&self) -> Result<Vec<CodeList>, BackendError> {
        let request = ListCodeListsRequest {};
        self.call("ListCodeLists", request, |token, request| {
            let mut client = self.catalog_client(token);
            async move { client.list_code_lists(request).await }
        })
        .await
        .map(|answer| answer.code_lists)
    }

    /// One version of a code list; 0 means the newest.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn get_code_list(&self, code: &str, version: u32) -> Result<CodeList, BackendError> {
        let request = GetCodeListRequest {
            code: code.to_owned(),
            version,
        };
        self.call("GetCodeList", request, |token, request| {
            let mut client = self.catalog_client(token);
            async move { client.get_code_list(request).await }
        })
        .await?
        .code_list
        .ok_or(BackendError::NotFound)
    }

    /// Names of the registered organs.
    ///
    /// # Errors
    /// As [`BackendError`] says.
    pub async fn list_organ_names(&self) -> Result<OrganNames, BackendError> {
        let request = ListProvidersRequest {};
        let answer = self
            .call("ListProviders", request, |token, request| {
                let mut client = self.catalog_client(token);
                async move { client.list_providers(request).await }
            })
            .await?;
        Ok(answer
            .providers
            .into_iter()
            .map(|provider| (provider.code, provider.name))
            .collect())
    }
}
