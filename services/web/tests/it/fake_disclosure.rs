//! A fake of disclosure, over the data of `data`. It pages by key as the real one does, and records what it was
//! asked, so that a test can see what the site sends.

use std::sync::{Arc, Mutex};

use proto::credit::disclosure::v1::{
    GetOrganisationRequest, GetOrganisationResponse, GetPublicRecordRequest,
    GetPublicRecordResponse, ListPublicRecordsRequest, ListPublicRecordsResponse,
    OrganisationSummary, PublicRecord, SearchOrganisationsRequest, SearchOrganisationsResponse,
    public_service_server::PublicService,
};
use serde::{Deserialize, Serialize};
use service_kit::{
    error::Refusal,
    identity::{Principal, Role},
    page::{Page, PageKey, PageSizes},
    reason::Reason,
};
use tonic::{Request, Response, Status};

use crate::data;

/// Disclosure.
#[derive(Clone)]
pub struct FakeDisclosure {
    records: Arc<Vec<PublicRecord>>,
    list_requests: Arc<Mutex<Vec<ListPublicRecordsRequest>>>,
}

impl Default for FakeDisclosure {
    fn default() -> Self {
        Self {
            records: Arc::new(data::records()),
            list_requests: Arc::default(),
        }
    }
}

/// As disclosure has them.
const SIZES: PageSizes = PageSizes {
    default: 20,
    most: 100,
};

/// The last row of the page before.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LastRow {
    last: String,
}

impl PageKey for LastRow {
    fn start() -> Self {
        Self {
            last: String::new(),
        }
    }
}

/// One page of `rows` after the row that the token names, and the token of the next.
fn page_of_rows<T: Clone>(
    rows: &[T],
    size: u32,
    token: &str,
    key: impl Fn(&T) -> &str,
) -> Result<(Vec<T>, String), Status> {
    let page = Page::<LastRow>::from_request(SIZES, size, token)?;
    let last = rows.iter().position(|row| key(row) == page.after.last);
    let start = last.map_or(0, |last| last + 1);
    let mut shown: Vec<T> = rows[start..]
        .iter()
        .take(page.limit() as usize)
        .cloned()
        .collect();
    let next = page.truncate_rows(&mut shown, |row| LastRow {
        last: key(row).to_owned(),
    });
    Ok((shown, next))
}

/// A refusal with the text of the table of reasons.
pub fn refused(reason: Reason) -> Status {
    Refusal::new(reason, "", "a rule of the service", reason.meaning()).into()
}

/// Refuses every principal but the public: the site calls with that role only.
pub fn require_public_role<T>(request: &Request<T>) -> Result<(), Status> {
    let principal = Principal::from_request(request)?;
    if principal.roles == [Role::Public] && principal.person.is_none() {
        Ok(())
    } else {
        Err(refused(Reason::RoleNotAllowed))
    }
}

impl FakeDisclosure {
    /// The last list that was asked for.
    pub fn last_list_request(&self) -> ListPublicRecordsRequest {
        self.list_requests.lock().unwrap().last().cloned().unwrap()
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
impl PublicService for FakeDisclosure {
    async fn search_organisations(
        &self,
        request: Request<SearchOrganisationsRequest>,
    ) -> Result<Response<SearchOrganisationsResponse>, Status> {
        require_public_role(&request)?;
        let request = request.into_inner();
        if request.query == "有限公司" {
            let text = "范围过大，请输入更完整的名称";
            let rule = "a narrower part";
            return Err(Refusal::new(Reason::QueryTooShort, "query", rule, text).into());
        }
        let found: Vec<OrganisationSummary> = data::organisations()
            .iter()
            .filter(|(code, name)| *code == request.query || name.contains(&request.query))
            .map(|(code, name)| self.summary(code, name))
            .collect();
        let (organisations, next_page_token) =
            page_of_rows(&found, request.page_size, &request.page_token, |o| {
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
        require_public_role(&request)?;
        let request = request.into_inner();
        let organisations = data::organisations();
        let (code, name) = organisations
            .iter()
            .find(|(code, _)| *code == request.credit_code)
            .ok_or_else(|| refused(Reason::NotDisclosed))?;
        let own: Vec<PublicRecord> = self
            .records
            .iter()
            .filter(|record| record.organisation_code == *code)
            .cloned()
            .collect();
        let (records, next_page_token) =
            page_of_rows(&own, request.page_size, &request.page_token, |r| {
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
        require_public_role(&request)?;
        let request = request.into_inner();
        self.list_requests.lock().unwrap().push(request.clone());
        if !request.decided_from.is_empty() && request.decided_from.as_str() < "1949-10-01" {
            let text = "开始日期太早";
            let rule = "after 1949";
            return Err(Refusal::new(Reason::DateInvalid, "decided_from", rule, text).into());
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
            page_of_rows(&found, request.page_size, &request.page_token, |r| {
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
        require_public_role(&request)?;
        let id = request.into_inner().record_id;
        let record = self.records.iter().find(|record| record.record_id == id);
        let notice = Some(data::revocation()).filter(|notice| notice.record_id == id);
        if record.is_none() && notice.is_none() {
            return Err(refused(Reason::NotDisclosed));
        }
        Ok(Response::new(GetPublicRecordResponse {
            record: record.cloned(),
            revocation: notice,
        }))
    }
}
