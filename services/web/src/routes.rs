//! Which address is which page. Each handler reads the address, asks the services and renders; what
//! goes wrong becomes a page of its own. Called by `start`.

mod catalogue;

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware,
    response::{Html, IntoResponse, Redirect, Response},
    routing::get,
};
use proto::credit::disclosure::v1::{
    GetOrganisationRequest, ListPublicRecordsRequest, SearchOrganisationsRequest,
};
use record_ref::{ItemCode, VersionId};
use service_kit::{ServiceContext, clock::Clock};

use crate::{
    assets::Assets,
    client::{BackendError, Backends, RecordAnswer},
    http::{Metrics, around},
    pages::{
        PageContent, PageFrame, about,
        home::{HomePage, LATEST},
        list::{RecordListKind, RecordListPage},
        record,
        search::SearchPage,
        subject::{SubjectPage, Tab},
        trouble::ErrorPage,
    },
    query::{FieldError, NameOrCode as Query, QueryParams, RecordFilter, credit_code},
};

/// Seconds after which a visitor may try again.
const RETRY_AFTER: &str = "30";

/// Nobody but this site keeps a record once its term has ended; copies in search engines would.
const NO_ROBOTS: (HeaderName, &str) = (
    HeaderName::from_static("x-robots-tag"),
    "noindex, noarchive",
);

const ROBOTS: &str = "User-agent: *\nDisallow: /search\nDisallow: /subject/\nDisallow: /record/\n\
                      Disallow: /licences\nDisallow: /penalties\n";

/// What every handler is given. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Site(Arc<SiteState>);

#[derive(Debug)]
struct SiteState {
    backends: Backends,
    clock: Arc<dyn Clock>,
    assets: Assets,
    page_size: u32,
    metrics: Metrics,
}

impl Site {
    /// The site over its services.
    pub fn new(backends: Backends, page_size: u32, context: &ServiceContext) -> Self {
        Self(Arc::new(SiteState {
            backends,
            clock: context.clock.clone(),
            assets: Assets::new(),
            page_size,
            metrics: Metrics::new(&context.telemetry),
        }))
    }

    fn backends(&self) -> &Backends {
        &self.0.backends
    }

    fn html(&self, page: &PageContent) -> Html<String> {
        let frame = PageFrame {
            assets: &self.0.assets,
            now: self.0.clock.now(),
        };
        Html(frame.render(page))
    }

    fn respond(&self, outcome: Result<SiteResponse, ErrorPage>) -> Response {
        match outcome {
            Ok(SiteResponse::Page(page)) => self.html(&page).into_response(),
            Ok(SiteResponse::Hidden(page)) => ([NO_ROBOTS], self.html(&page)).into_response(),
            Ok(SiteResponse::Complaint(page)) => {
                (StatusCode::BAD_REQUEST, [NO_ROBOTS], self.html(&page)).into_response()
            }
            Ok(SiteResponse::To(address)) => Redirect::to(&address).into_response(),
            Err(trouble) => self.trouble(trouble),
        }
    }

    fn trouble(&self, trouble: ErrorPage) -> Response {
        let status =
            StatusCode::from_u16(trouble.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [NO_ROBOTS], self.html(&trouble.page())).into_response();
        if trouble == ErrorPage::Away {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

/// What a handler gives back.
enum SiteResponse {
    /// A page that search engines may keep.
    Page(PageContent),
    /// A page with records.
    Hidden(PageContent),
    /// A form whose fields must be mended.
    Complaint(PageContent),
    /// Another address.
    To(String),
}

impl From<BackendError> for ErrorPage {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::NotFound => Self::NoPage,
            BackendError::Refused { .. } => Self::BadAddress,
            BackendError::Away => Self::Away,
            BackendError::Failed => Self::Failed,
        }
    }
}

/// The same, but a missing thing is named.
fn or_missing(missing: ErrorPage) -> impl Fn(BackendError) -> ErrorPage {
    move |error| {
        if error == BackendError::NotFound {
            missing
        } else {
            error.into()
        }
    }
}

/// All addresses of the site.
pub fn router(site: Site) -> Router {
    let metrics = site.0.metrics.clone();
    Router::new()
        .route("/", get(home))
        .route("/search", get(search))
        .route("/subject/{code}", get(subject))
        .route("/licences", get(licences))
        .route("/penalties", get(penalties))
        .route("/record/{id}", get(record_page))
        .merge(catalogue::routes())
        .route("/about", get(about_page))
        .route("/robots.txt", get(|| async { ROBOTS }))
        .route("/static/{file}", get(asset))
        .fallback(no_page)
        .method_not_allowed_fallback(read_only)
        .layer(middleware::from_fn_with_state(metrics, around))
        .with_state(site)
}

async fn home(State(site): State<Site>) -> Response {
    let latest = |kind: RecordListKind| {
        site.backends().records(ListPublicRecordsRequest {
            item_code: kind.item().to_owned(),
            page_size: LATEST,
            ..Default::default()
        })
    };
    let outcome = tokio::try_join!(
        latest(RecordListKind::Licences),
        latest(RecordListKind::Penalties)
    );
    site.respond(match outcome {
        Ok((licences, penalties)) => Ok(SiteResponse::Page(
            HomePage {
                licences,
                penalties,
            }
            .page(),
        )),
        Err(error) => Err(error.into()),
    })
}

async fn search(State(site): State<Site>, RawQuery(raw): RawQuery) -> Response {
    let params = QueryParams::parse(raw.as_deref());
    site.respond(searched(&site, &params).await)
}

async fn searched(site: &Site, params: &QueryParams) -> Result<SiteResponse, ErrorPage> {
    let mut page = SearchPage {
        typed: params.get("q").to_owned(),
        complaint: None,
        found: None,
        later_page: params.page().is_some(),
    };
    match Query::parse(params.get("q")) {
        Query::Empty => Ok(SiteResponse::Hidden(page.page())),
        Query::Code(code) => Ok(SiteResponse::To(format!("/subject/{}", code.as_str()))),
        Query::Wrong(complaint) => {
            if matches!(complaint, FieldError::Personal | FieldError::TooLong) {
                page.typed.clear();
            }
            page.complaint = Some(complaint);
            Ok(SiteResponse::Complaint(page.page()))
        }
        Query::Name(name) => {
            let request = SearchOrganisationsRequest {
                query: name,
                page_size: site.0.page_size,
                page_token: params.page().unwrap_or_default(),
            };
            match site.backends().search(request).await {
                Ok(found) => page.found = Some(found),
                Err(BackendError::Refused { field, message }) if field == "query" => {
                    page.complaint = Some(FieldError::Told(message));
                    return Ok(SiteResponse::Complaint(page.page()));
                }
                Err(error) => return Err(error.into()),
            }
            Ok(SiteResponse::Hidden(page.page()))
        }
    }
}

async fn subject(
    State(site): State<Site>,
    code: Result<Path<String>, PathRejection>,
    RawQuery(raw): RawQuery,
) -> Response {
    let params = QueryParams::parse(raw.as_deref());
    let outcome = match code {
        Ok(Path(code)) => subject_found(&site, &code, &params).await,
        Err(_) => Err(ErrorPage::NoCode),
    };
    site.respond(outcome)
}

async fn subject_found(
    site: &Site,
    typed: &str,
    params: &QueryParams,
) -> Result<SiteResponse, ErrorPage> {
    let code = credit_code(typed).map_err(|_| ErrorPage::NoCode)?;
    if code.as_str() != typed {
        return Ok(SiteResponse::To(format!("/subject/{}", code.as_str())));
    }
    let tab = Tab::parse(params.get("item"));
    let page = params.page();
    let page_token = page.clone().unwrap_or_default();
    let whole = |page_size, page_token| {
        site.backends().organisation(GetOrganisationRequest {
            credit_code: typed.to_owned(),
            page_size,
            page_token,
        })
    };
    let missing = or_missing(ErrorPage::NoSubject);
    let (answer, records, next_page) = if tab == Tab::All {
        let mut answer = whole(site.0.page_size, page_token).await.map_err(missing)?;
        let records = std::mem::take(&mut answer.records);
        let next_page = std::mem::take(&mut answer.next_page_token);
        (answer, records, next_page)
    } else {
        let item = site.backends().records(ListPublicRecordsRequest {
            item_code: tab.item().to_owned(),
            subject: typed.to_owned(),
            page_size: site.0.page_size,
            page_token,
            ..Default::default()
        });
        let (answer, listed) = tokio::try_join!(whole(1, String::new()), item).map_err(missing)?;
        (answer, listed.records, listed.next_page_token)
    };
    let organisation = answer.organisation.ok_or(ErrorPage::NoSubject)?;
    let revocations = if page.is_none() {
        answer.revocations
    } else {
        Vec::new()
    };
    let later_page = page.is_some();
    let view = SubjectPage {
        organisation,
        tab,
        records,
        revocations,
        next_page,
        later_page,
    };
    Ok(SiteResponse::Hidden(view.page()))
}

async fn licences(State(site): State<Site>, RawQuery(raw): RawQuery) -> Response {
    site.respond(listed(&site, RecordListKind::Licences, raw.as_deref()).await)
}

async fn penalties(State(site): State<Site>, RawQuery(raw): RawQuery) -> Response {
    site.respond(listed(&site, RecordListKind::Penalties, raw.as_deref()).await)
}

async fn listed(
    site: &Site,
    kind: RecordListKind,
    raw: Option<&str>,
) -> Result<SiteResponse, ErrorPage> {
    let params = QueryParams::parse(raw);
    let mut filter = RecordFilter::parse(&params);
    let page = params.page();
    let later_page = page.is_some();
    if !filter.is_sound() {
        let list = RecordListPage {
            kind,
            filter,
            found: None,
            later_page,
        };
        return Ok(SiteResponse::Complaint(list.page()));
    }
    let request = ListPublicRecordsRequest {
        item_code: kind.item().to_owned(),
        subject: filter.subject.query().to_owned(),
        document_number: filter.document_number.text.clone(),
        decided_from: filter.from.text.clone(),
        decided_to: filter.to.text.clone(),
        page_size: site.0.page_size,
        page_token: page.unwrap_or_default(),
    };
    match site.backends().records(request).await {
        Ok(found) => {
            let list = RecordListPage {
                kind,
                filter,
                found: Some(found),
                later_page,
            };
            Ok(SiteResponse::Hidden(list.page()))
        }
        Err(BackendError::Refused { field, message }) if filter.refuse(&field, &message) => {
            let list = RecordListPage {
                kind,
                filter,
                found: None,
                later_page,
            };
            Ok(SiteResponse::Complaint(list.page()))
        }
        Err(error) => Err(error.into()),
    }
}

async fn record_page(
    State(site): State<Site>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let outcome = match id {
        // What names no version is no record; services need not be asked.
        Ok(Path(id)) if id.parse::<VersionId>().is_ok() => site
            .backends()
            .record(&id)
            .await
            .map(|found| {
                SiteResponse::Hidden(match found {
                    RecordAnswer::Disclosed(record) => record::page(&record),
                    RecordAnswer::Revoked(notice) => record::revoked(&notice),
                })
            })
            .map_err(or_missing(ErrorPage::NoRecord)),
        Ok(_) | Err(_) => Err(ErrorPage::NoRecord),
    };
    site.respond(outcome)
}

/// Whether a text has the form of an item's code, which is that of a code list's too.
fn is_item_code(text: &str) -> bool {
    ItemCode::try_from(text).is_ok()
}

async fn about_page(State(site): State<Site>) -> Response {
    site.html(&about::page()).into_response()
}

async fn asset(State(site): State<Site>, uri: Uri) -> Response {
    match site.0.assets.find(uri.path()) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.media_type),
                // The address changes with the content.
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.content.clone()).into_response()
        }
        None => site.trouble(ErrorPage::NoPage),
    }
}

async fn no_page(State(site): State<Site>) -> Response {
    site.trouble(ErrorPage::NoPage)
}

async fn read_only(State(site): State<Site>) -> Response {
    site.trouble(ErrorPage::ReadOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_codes_have_a_form() {
        assert!(is_item_code("xzxk") && is_item_code("cs-2026.1_a"));
        for wrong in ["", "a/b", "XZXK", "行政许可", "<x>", &"x".repeat(65)] {
            assert!(!is_item_code(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_missing_thing_is_named_and_the_rest_stays() {
        assert_eq!(
            or_missing(ErrorPage::NoRecord)(BackendError::NotFound),
            ErrorPage::NoRecord
        );
        assert_eq!(
            or_missing(ErrorPage::NoRecord)(BackendError::Away),
            ErrorPage::Away
        );
    }
}
