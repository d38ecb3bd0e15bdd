//! Requests of `credit.disclosure.v1` as what the use cases take. Called by the services of this folder.

use credit_record::{CreditCode, name};
use proto::credit::disclosure::v1::{
    GetOrganisationRequest, GetPublicRecordRequest, ListPublicRecordsRequest,
    SearchOrganisationsRequest,
};
use record_ref::VersionId;
use service_kit::{
    error::Refusal,
    page::{Page, PageKey},
    request::{decode_item_code, decode_record_id},
};
use tonic::Status;

use crate::{
    domain::{
        page::PAGE_SIZES,
        query::{PublicListFilter, SubjectQuery},
    },
    error::DisclosureError,
};

pub(super) fn decode_page<K: PageKey>(size: u32, token: &str) -> Result<Page<K>, Refusal> {
    Page::from_request(PAGE_SIZES, size, token)
}

pub(super) fn subject_query(
    request: &SearchOrganisationsRequest,
) -> Result<SubjectQuery, DisclosureError> {
    SubjectQuery::parse("query", &request.query)
}

pub(super) fn credit_code(request: &GetOrganisationRequest) -> Result<CreditCode, DisclosureError> {
    let code = name::normal_form(&request.credit_code).to_uppercase();
    CreditCode::parse(&code).map_err(|_| DisclosureError::CreditCode)
}

pub(super) fn list_filter(request: &ListPublicRecordsRequest) -> Result<PublicListFilter, Status> {
    Ok(PublicListFilter::parse(
        decode_item_code("item_code", &request.item_code)?,
        &request.subject,
        &request.document_number,
        &request.decided_from,
        &request.decided_to,
    )?)
}

pub(super) fn version_id(request: &GetPublicRecordRequest) -> Result<VersionId, Refusal> {
    decode_record_id("record_id", &request.record_id)
}
