//! Disclosure of a test, over the data of `data`. It pages by key as the real one does, and keeps what it was
//! asked, so that a test can see what the site sends.

use std::sync::{Arc, Mutex};

use proto::credit::disclosure::v1::{
    GetOrganisationRequest, GetOrganisationResponse, GetPublicRecordRequest,
    GetPublicRecordResponse, ListPublicRecordsRequest, ListPublicRecordsResponse,
    OrganisationSummary, PublicRecord, SearchOrganisationsRequest, SearchOrganisationsResponse,
    public_service_server::PublicService,
};
use service_kit::{
    error::Refusal,
    identity::{Principal, Role},
};
use tonic::{Code, Request, Response, Status};

use crate::data;

/// Disclosure.
#[derive(Clone)]
pub struct Disclosure {
    records: Arc<Vec<PublicRecord>>,
    asked: Arc<Mutex<Vec<ListPublicRecordsRequest>>>,
}

impl Default for Disclosure {
    fn default() -> Self {
        Self {
            records: Arc::new(data::records()),
            asked: Arc::default(),
        }
    }
}

/// One page of `rows` after the row that the token names, and the token of the next.
fn page<T: Clone>(
    rows: &[T],
    size: u32,
    token: &str,
    key: impl Fn(&T) -> &str,
) -> Result<(Vec<T>, String), Status> {
    let size = if size == 0 { 20 } else { size as usize };
    let start = match token.strip_prefix("after/") {
        _ if token.is_empty() => 0,
        Some(last) => {
            rows.iter()
                .position(|row| key(row) == last)
                .ok_or_else(bad_token)?
                + 1
        }
        None => return Err(bad_token()),
    };
    let shown: Vec<T> = rows[start..].iter().take(size).cloned().collect();
    let next = match shown.last() {
        Some(last) if start + size < rows.len() => format!("after/{}", key(last)),
        _ => String::new(),
    };
    Ok((shown, next))
}

fn bad_token() -> Status {
    Refusal::field(
        Code::InvalidArgument,
        "PAGE_TOKEN",
        "page_token",
        "a token of this list",
        "翻页标识无效",
    )
    .into()
}

/// The refusal of what is not there.
pub fn not_found() -> Status {
    Refusal::field(
        Code::NotFound,
        "NOT_DISCLOSED",
        "",
        "disclosed records only",
        "没有可以公开的信息",
    )
    .into()
}

/// The site comes as the public and as nothing else.
pub fn only_public<T>(request: &Request<T>) -> Result<(), Status> {
    let principal = Principal::of(request)?;
    if principal.roles == [Role::Public] && principal.person.is_none() {
        Ok(())
    } else {
        Err(Status::permission_denied("more than the public"))
    }
}

impl Disclosure {
    /// The last list that was asked for.
    pub fn last_list(&self) -> ListPublicRecordsRequest {
        self.asked.lock().unwrap().last().cloned().unwrap()
    }

    fn summary(&self, code: &str, name: &str) -> OrganisationSummary {
        let count = |item: &str| {
            let of = |r: &&PublicRecord| r.organisation_code == code && r.item_code == item;
            self.records.iter().filter(of).count() as u64
        };
        OrganisationSummary {
            credit_code: code.to_owned(),
            name: name.to_owned(),
            licence_count: count("xzxk"),
            penalty_count: count("xzcf"),
            other_count: 0,
        }
    }
}

#[tonic::async_trait]
impl PublicService for Disclosure {
    async fn search_organisations(
        &self,
        request: Request<SearchOrganisationsRequest>,
    ) -> Result<Response<SearchOrganisationsResponse>, Status> {
        only_public(&request)?;
        let request = request.into_inner();
        if request.query == "有限公司" {
            let text = "范围过大，请输入更完整的名称";
            return Err(Refusal::field(
                Code::InvalidArgument,
                "TOO_WIDE",
                "query",
                "a narrower part",
                text,
            )
            .into());
        }
        let found: Vec<OrganisationSummary> = data::organisations()
            .iter()
            .filter(|(code, name)| *code == request.query || name.contains(&request.query))
            .map(|(code, name)| self.summary(code, name))
            .collect();
        let (organisations, next_page_token) =
            page(&found, request.page_size, &request.page_token, |o| {
                &o.credit_code
            })?;
        let total = found.len() as u64;
        Ok(Response::new(SearchOrganisationsResponse {
            organisations,
            next_page_token,
            total,
        }))
    }

    async fn get_organisation(
        &self,
        request: Request<GetOrganisationRequest>,
    ) -> Result<Response<GetOrganisationResponse>, Status> {
        only_public(&request)?;
        let request = request.into_inner();
        let organisations = data::organisations();
        let (code, name) = organisations
            .iter()
            .find(|(code, _)| *code == request.credit_code)
            .ok_or_else(not_found)?;
        let own: Vec<PublicRecord> = self
            .records
            .iter()
            .filter(|record| record.organisation_code == *code)
            .cloned()
            .collect();
        let (records, next_page_token) = page(&own, request.page_size, &request.page_token, |r| {
            &r.record_id
        })?;
        let organisation = Some(self.summary(code, name));
        let first = request.page_token.is_empty();
        let revocations = [data::revocation()]
            .into_iter()
            .filter(|notice| first && notice.organisation_code == *code)
            .collect();
        Ok(Response::new(GetOrganisationResponse {
            organisation,
            records,
            next_page_token,
            revocations,
        }))
    }

    async fn list_public_records(
        &self,
        request: Request<ListPublicRecordsRequest>,
    ) -> Result<Response<ListPublicRecordsResponse>, Status> {
        only_public(&request)?;
        let request = request.into_inner();
        self.asked.lock().unwrap().push(request.clone());
        if !request.decided_from.is_empty() && request.decided_from.as_str() < "1949-10-01" {
            let text = "开始日期太早";
            return Err(Refusal::field(
                Code::InvalidArgument,
                "DATE",
                "decided_from",
                "after 1949",
                text,
            )
            .into());
        }
        let matches = |record: &&PublicRecord| {
            let open = |filter: &str, fits: bool| filter.is_empty() || fits;
            record.item_code == request.item_code
                && open(
                    &request.subject,
                    record.organisation_code == request.subject
                        || record.organisation_name.contains(&request.subject),
                )
                && open(
                    &request.document_number,
                    record.document_number == request.document_number,
                )
                && open(
                    &request.decided_from,
                    record.decision_date >= request.decided_from,
                )
                && open(
                    &request.decided_to,
                    record.decision_date <= request.decided_to,
                )
        };
        let mut found: Vec<PublicRecord> = self.records.iter().filter(matches).cloned().collect();
        found.iter_mut().for_each(|record| record.fields.clear());
        let (records, next_page_token) =
            page(&found, request.page_size, &request.page_token, |r| {
                &r.record_id
            })?;
        let total = found.len() as u64;
        Ok(Response::new(ListPublicRecordsResponse {
            records,
            next_page_token,
            total,
        }))
    }

    async fn get_public_record(
        &self,
        request: Request<GetPublicRecordRequest>,
    ) -> Result<Response<GetPublicRecordResponse>, Status> {
        only_public(&request)?;
        let id = request.into_inner().record_id;
        let record = self.records.iter().find(|record| record.record_id == id);
        let notice = Some(data::revocation()).filter(|notice| notice.record_id == id);
        if record.is_none() && notice.is_none() {
            return Err(not_found());
        }
        Ok(Response::new(GetPublicRecordResponse {
            record: record.cloned(),
            revocation: notice,
        }))
    }
}
