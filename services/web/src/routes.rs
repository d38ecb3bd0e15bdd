//! The handler of each address. It reads the address, calls the services and renders; what
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
    http::{Metrics, secure_and_measure},
    pages::{
        PageContent, PageFrame, about,
        error_page::ErrorPage,
        home::{HomePage, LATEST_RECORDS},
        record,
        record_list::{RecordListKind, RecordListPage},
        search::SearchPage,
        subject::{SubjectPage, Tab},
    },
    query::{FieldError, NameOrCode as Query, QueryParams, RecordFilter, parse_credit_code},
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

/// State of the router, given to every handler. Cheap to clone.
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

    fn render_html(&self, page: &PageContent) -> Html<String> {
        let frame = PageFrame {
            assets: &self.0.assets,
            now: self.0.clock.now(),
        };
        Html(frame.render(page))
    }

    fn respond(&self, outcome: Result<SiteResponse, ErrorPage>) -> Response {
        match outcome {
            Ok(SiteResponse::Indexed(page)) => self.render_html(&page).into_response(),
            Ok(SiteResponse::NotIndexed(page)) => {
                ([NO_ROBOTS], self.render_html(&page)).into_response()
            }
            Ok(SiteResponse::InvalidForm(page)) => (
                StatusCode::BAD_REQUEST,
                [NO_ROBOTS],
                self.render_html(&page),
            )
                .into_response(),
            Ok(SiteResponse::Redirect(address)) => Redirect::to(&address).into_response(),
            Err(trouble) => self.respond_error(trouble),
        }
    }

    fn respond_error(&self, trouble: ErrorPage) -> Response {
        let status =
            StatusCode::from_u16(trouble.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response =
            (status, [NO_ROBOTS], self.render_html(&trouble.content())).into_response();
        if trouble == ErrorPage::Unavailable {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER));
        }
        response
    }
}

/// Response of a handler before it is rendered.
enum SiteResponse {
    /// A page that search engines may keep.
    Indexed(PageContent),
    /// A page that search engines must not index.
    NotIndexed(PageContent),
    /// The form again with its errors; status 400.
    InvalidForm(PageContent),
    /// Redirect to another address.
    Redirect(String),
}

impl From<BackendError> for ErrorPage {
    fn from(error: BackendError) -> Self {
        match error {
            BackendError::NotFound => Self::NoPage,
            BackendError::Refused { .. } => Self::BadAddress,
            BackendError::Unavailable => Self::Unavailable,
            BackendError::Failed => Self::Failed,
        }
    }
}

/// Maps `NotFound` to the given error page and every other error as usual.
fn map_not_found(missing: ErrorPage) -> impl Fn(BackendError) -> ErrorPage {
    move |error| {
        if error == BackendError::NotFound {
            missing
        } else {
            error.into()
        }
    }
}

/// All addresses of the site.
pub fn site_router(site: Site) -> Router {
    let metrics = site.0.metrics.clone();
    Router::new()
        .route("/", get(home))
        .route("/search", get(search))
        .route("/subject/{code}", get(subject))
        .route("/licences", get(licences))
        .route("/penalties", get(penalties))
        .route("/record/{id}", get(record_page))
        .merge(catalogue::catalogue_routes())
        .route("/about", get(about_page))
        .route("/robots.txt", get(|| async { ROBOTS }))
        .route("/static/{file}", get(asset))
        .fallback(no_page)
        .method_not_allowed_fallback(read_only)
        .layer(middleware::from_fn_with_state(metrics, secure_and_measure))
        .with_state(site)
}

async fn home(State(site): State<Site>) -> Response {
    let latest = |kind: RecordListKind| {
        site.backends()
            .list_public_records(ListPublicRecordsRequest {
                item_code: kind.item().to_owned(),
                page_size: LATEST_RECORDS,
                ..Default::default()
            })
    };
    let outcome = tokio::try_join!(
        latest(RecordListKind::Licences),
        latest(RecordListKind::Penalties)
    );
    site.respond(match outcome {
        Ok((licences, penalties)) => Ok(SiteResponse::Indexed(
            HomePage {
                licences,
                penalties,
            }
            .content(),
        )),
        Err(error) => Err(error.into()),
    })
}

async fn search(State(site): State<Site>, RawQuery(raw): RawQuery) -> Response {
    let params = QueryParams::parse(raw.as_deref());
    site.respond(find_organisations(&site, &params).await)
}

async fn find_organisations(site: &Site, params: &QueryParams) -> Result<SiteResponse, ErrorPage> {
    let mut page = SearchPage {
        typed: params.get("q").to_owned(),
        error: None,
        found: None,
        later_page: params.page_token().is_some(),
    };
    match Query::parse(params.get("q")) {
        Query::Empty => Ok(SiteResponse::NotIndexed(page.content())),
        Query::Code(code) => Ok(SiteResponse::Redirect(format!(
            "/subject/{}",
            code.as_str()
        ))),
        Query::Invalid(complaint) => {
            if matches!(complaint, FieldError::Personal | FieldError::TooLong) {
                page.typed.clear();
            }
            page.error = Some(complaint);
            Ok(SiteResponse::InvalidForm(page.content()))
        }
        Query::Name(name) => {
            let request = SearchOrganisationsRequest {
                query: name,
                page_size: site.0.page_size,
                page_token: params.page_token().unwrap_or_default(),
            };
            match site.backends().search_organisations(request).await {
                Ok(found) => page.found = Some(found),
                Err(BackendError::Refused { field, message }) if field == "query" => {
                    page.error = Some(FieldError::Refused(message));
                    return Ok(SiteResponse::InvalidForm(page.content()));
                }
                Err(error) => return Err(error.into()),
            }
            Ok(SiteResponse::NotIndexed(page.content()))
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
        Ok(Path(code)) => find_subject(&site, &code, &params).await,
        Err(_) => Err(ErrorPage::NoCode),
    };
    site.respond(outcome)
}

async fn find_subject(
    site: &Site,
    typed: &str,
    params: &QueryParams,
) -> Result<SiteResponse, ErrorPage> {
    let code = parse_credit_code(typed).map_err(|_| ErrorPage::NoCode)?;
    if code.as_str() != typed {
        return Ok(SiteResponse::Redirect(format!(
            "/subject/{}",
            code.as_str()
        )));
    }
    let tab = Tab::parse(params.get("item"));
    let page = params.page_token();
    let page_token = page.clone().unwrap_or_default();
    let whole = |page_size, page_token| {
        site.backends().get_organisation(GetOrganisationRequest {
            credit_code: typed.to_owned(),
            page_size,
            page_token,
        })
    };
    let missing = map_not_found(ErrorPage::NoSubject);
    let (answer, records, next_page) = if tab == Tab::All {
        let mut answer = whole(site.0.page_size, page_token).await.map_err(missing)?;
        let records = std::mem::take(&mut answer.records);
        let next_page = std::mem::take(&mut answer.next_page_token);
        (answer, records, next_page)
    } else {
        let item = site
            .backends()
            .list_public_records(ListPublicRecordsRequest {
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
    Ok(SiteResponse::NotIndexed(view.content()))
}

async fn licences(State(site): State<Site>, RawQuery(raw): RawQuery) -> Response {
    site.respond(find_records(&site, RecordListKind::Licences, raw.as_deref()).await)
}

async fn penalties(State(site): State<Site>, RawQuery(raw): RawQuery) -> Response {
    site.respond(find_records(&site, RecordListKind::Penalties, raw.as_deref()).await)
}

async fn find_records(
    site: &Site,
    kind: RecordListKind,
    raw: Option<&str>,
) -> Result<SiteResponse, ErrorPage> {
    let params = QueryParams::parse(raw);
    let mut filter = RecordFilter::parse(&params);
    let page = params.page_token();
    let later_page = page.is_some();
    if !filter.is_valid() {
        let list = RecordListPage {
            kind,
            filter,
            found: None,
            later_page,
        };
        return Ok(SiteResponse::InvalidForm(list.content()));
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
    match site.backends().list_public_records(request).await {
        Ok(found) => {
            let list = RecordListPage {
                kind,
                filter,
                found: Some(found),
                later_page,
            };
            Ok(SiteResponse::NotIndexed(list.content()))
        }
        Err(BackendError::Refused { field, message }) if filter.add_refusal(&field, &message) => {
            let list = RecordListPage {
                kind,
                filter,
                found: None,
                later_page,
            };
            Ok(SiteResponse::InvalidForm(list.content()))
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
            .get_public_record(&id)
            .await
            .map(|found| {
                SiteResponse::NotIndexed(match found {
                    RecordAnswer::Disclosed(record) => record::record_content(&record),
                    RecordAnswer::Revoked(notice) => record::revocation_content(&notice),
                })
            })
            .map_err(map_not_found(ErrorPage::NoRecord)),
        Ok(_) | Err(_) => Err(ErrorPage::NoRecord),
    };
    site.respond(outcome)
}

/// Whether a text has the form of an item's code, which is that of a code list's too.
fn is_item_code(text: &str) -> bool {
    ItemCode::try_from(text).is_ok()
}

async fn about_page(State(site): State<Site>) -> Response {
    site.render_html(&about::about_content()).into_response()
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
        None => site.respond_error(ErrorPage::NoPage),
    }
}

async fn no_page(State(site): State<Site>) -> Response {
    site.respond_error(ErrorPage::NoPage)
}

async fn read_only(State(site): State<Site>) -> Response {
    site.respond_error(ErrorPage::ReadOnly)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_codes_have_a_form() {
        assert!(is_item_code("xzxk") && is_item_code("cs-2026-1"));
        for wrong in ["", "a/b", "a.b", "XZXK", "行政许可", "<x>", &"x".repeat(65)] {
            assert!(!is_item_code(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_missing_thing_is_named_and_the_rest_stays() {
        assert_eq!(
            map_not_found(ErrorPage::NoRecord)(BackendError::NotFound),
            ErrorPage::NoRecord
        );
        assert_eq!(
            map_not_found(ErrorPage::NoRecord)(BackendError::Unavailable),
            ErrorPage::Unavailable
        );
    }
}
