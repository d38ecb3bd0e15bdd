//! The addresses below `/catalogue`: items, their versions, their files, code lists. Called by `router`.

use std::collections::BTreeSet;

use axum::{
    Router,
    body::Bytes,
    extract::{Path, RawQuery, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::future::try_join_all;
use proto::credit::catalog::v1::{CodeList, ExportFormat, Item, ListItemVersionsResponse};
use vault::sha256;

use super::{Site, SiteResponse, is_item_code, map_not_found};
use crate::{
    client::{BackendError, Backends},
    pages::{
        catalogue::{
            CataloguePage, CodeListPage, ItemCodeLists, ItemPage, code_lists_content,
            current_version,
        },
        error_page::ErrorPage,
    },
    query::{CatalogueFilter, QueryParams},
};

/// A published version never changes, but the exporter may: cached for a day, then revalidated by ETag.
const FILE_CACHE: &str = "public, max-age=86400";

/// The part of the path after `/catalogue/`, decoded.
type PathParts<T> = Result<Path<T>, PathRejection>;

/// The routes. A literal segment wins over a parameter, so an item with the code `lists`
/// could not be reached; catalog's data has none.
pub(super) fn catalogue_routes() -> Router<Site> {
    Router::new()
        .route("/catalogue", get(list))
        .route("/catalogue/lists", get(lists))
        .route("/catalogue/lists/{code}", get(newest_list))
        .route("/catalogue/lists/{code}/{version}", get(code_list_version))
        .route("/catalogue/{code}", get(item))
        .route("/catalogue/{code}/{version}", get(version))
        .route("/catalogue/{code}/{version}/{file}", get(file))
}

async fn list(State(site): State<Site>, RawQuery(raw): RawQuery) -> Response {
    let filter = CatalogueFilter::parse(&QueryParams::parse(raw.as_deref()));
    let outcome = tokio::try_join!(
        site.backends().list_items(),
        site.backends().list_organ_names()
    );
    site.respond(match outcome {
        Ok((items, organs)) => {
            let sound = filter.is_valid();
            let page = CataloguePage {
                items,
                organs,
                filter,
            }
            .content();
            Ok(if sound {
                SiteResponse::Indexed(page)
            } else {
                SiteResponse::InvalidForm(page)
            })
        }
        Err(error) => Err(error.into()),
    })
}

async fn item(State(site): State<Site>, parts: PathParts<String>) -> Response {
    let outcome = match parts {
        Ok(Path(code)) if is_item_code(&code) => load_item_page(site.backends(), &code, None).await,
        Ok(_) | Err(_) => Err(BackendError::NotFound),
    };
    site.respond(item_response(outcome))
}

async fn version(State(site): State<Site>, parts: PathParts<(String, String)>) -> Response {
    let outcome = match parse_version_path(parts) {
        Some((code, version)) => load_item_page(site.backends(), &code, Some(version)).await,
        None => Err(BackendError::NotFound),
    };
    site.respond(item_response(outcome))
}

fn item_response(outcome: Result<ItemPage, BackendError>) -> Result<SiteResponse, ErrorPage> {
    outcome
        .map(|shown| SiteResponse::Indexed(shown.content()))
        .map_err(map_not_found(ErrorPage::NoItem))
}

/// Loads the page of a version; without a version, that of the version in force or, if there is none, of the nearest.
async fn load_item_page(
    backends: &Backends,
    code: &str,
    version: Option<u32>,
) -> Result<ItemPage, BackendError> {
    let (versions, organs, newest) = tokio::try_join!(
        backends.list_item_versions(code),
        backends.list_organ_names(),
        backends.list_code_lists()
    )?;
    let version = match version {
        Some(version) => version,
        None => current_version(&versions.versions)
            .map(|current| current.version)
            .ok_or(BackendError::NotFound)?,
    };
    let (item, successor) = tokio::try_join!(
        backends.get_item(code, version),
        load_successor_name(backends, &versions)
    )?;
    let lists = load_code_lists(backends, &item, newest).await?;
    Ok(ItemPage {
        item,
        versions,
        successor,
        organs,
        lists,
    })
}

/// Name of the item that takes the place of a retired one.
async fn load_successor_name(
    backends: &Backends,
    versions: &ListItemVersionsResponse,
) -> Result<Option<String>, BackendError> {
    let Some(end) = &versions.retirement else {
        return Ok(None);
    };
    if !is_item_code(&end.successor_code) {
        return Ok(None);
    }
    match backends.list_item_versions(&end.successor_code).await {
        Ok(found) => Ok(current_version(&found.versions).map(|version| version.name.clone())),
        Err(BackendError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The code lists that an item names: those that are not the newest of their kind are asked for, all at once.
async fn load_code_lists(
    backends: &Backends,
    item: &Item,
    newest: Vec<CodeList>,
) -> Result<ItemCodeLists, BackendError> {
    let named: BTreeSet<(String, u32)> = item
        .fields
        .iter()
        .filter(|field| !field.code_list_code.is_empty())
        .map(|field| (field.code_list_code.clone(), field.code_list_version))
        .collect();
    let key = |list: &CodeList| (list.code.clone(), list.version);
    let mut lists: ItemCodeLists = newest
        .into_iter()
        .map(|list| (key(&list), list))
        .filter(|(key, _)| named.contains(key))
        .collect();
    let missing = named.iter().filter(|key| !lists.contains_key(*key));
    let asked =
        missing.map(
            async |(code, version)| match backends.get_code_list(code, *version).await {
                Ok(list) => Ok(Some(list)),
                // The item carries the values; only their meanings are missed.
                Err(BackendError::NotFound) => Ok(None),
                Err(error) => Err(error),
            },
        );
    let found = try_join_all(asked).await?;
    lists.extend(found.into_iter().flatten().map(|list| (key(&list), list)));
    Ok(lists)
}

async fn lists(State(site): State<Site>) -> Response {
    let outcome = site.backends().list_code_lists().await;
    site.respond(
        outcome
            .map(|found| SiteResponse::Indexed(code_lists_content(&found)))
            .map_err(Into::into),
    )
}

async fn newest_list(State(site): State<Site>, parts: PathParts<String>) -> Response {
    let outcome = match parts {
        Ok(Path(code)) if is_item_code(&code) => site.backends().get_code_list(&code, 0).await,
        Ok(_) | Err(_) => Err(BackendError::NotFound),
    };
    site.respond(code_list_response(outcome.map(|list| CodeListPage {
        newest: list.version,
        list,
    })))
}

async fn code_list_version(
    State(site): State<Site>,
    parts: PathParts<(String, String)>,
) -> Response {
    let outcome = match parse_version_path(parts) {
        Some((code, version)) => {
            let backends = site.backends();
            tokio::try_join!(
                backends.get_code_list(&code, version),
                backends.get_code_list(&code, 0)
            )
        }
        None => Err(BackendError::NotFound),
    };
    site.respond(code_list_response(outcome.map(|(list, newest)| {
        CodeListPage {
            list,
            newest: newest.version,
        }
    })))
}

fn code_list_response(
    outcome: Result<CodeListPage, BackendError>,
) -> Result<SiteResponse, ErrorPage> {
    outcome
        .map(|list| SiteResponse::Indexed(list.content()))
        .map_err(map_not_found(ErrorPage::NoItem))
}

/// A file of a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Download {
    format: ExportFormat,
    /// Media type: this site's own word, so that nothing is ever sent as a page.
    media_type: &'static str,
    /// End of the file's name, after code and version.
    ending: &'static str,
    /// What it is, in the Chinese name of the file.
    kind: &'static str,
}

const DOWNLOADS: [(&str, Download); 3] = [
    (
        "schema.json",
        Download {
            format: ExportFormat::JsonSchema,
            media_type: "application/schema+json",
            ending: ".schema.json",
            kind: "",
        },
    ),
    (
        "template.csv",
        Download {
            format: ExportFormat::CsvHeader,
            media_type: "text/csv; charset=utf-8; header=present",
            ending: ".csv",
            kind: "-表头",
        },
    ),
    (
        "template.xlsx",
        Download {
            format: ExportFormat::Xlsx,
            media_type: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            ending: ".xlsx",
            kind: "-填报模板",
        },
    ),
];

async fn file(
    State(site): State<Site>,
    parts: PathParts<(String, String, String)>,
    asked: HeaderMap,
) -> Response {
    let found = match parts {
        Ok(Path((code, version, file))) => DOWNLOADS
            .iter()
            .find(|(name, _)| *name == file)
            .zip(parse_version_path(Ok(Path((code, version))))),
        Err(_) => None,
    };
    let Some(((_, download), (code, version))) = found else {
        return site.respond_error(ErrorPage::NoPage);
    };
    // The ETag is derived from the address, so a cache hit costs no backend call.
    let mark = download.etag(&code, version);
    let known = || (StatusCode::NOT_MODIFIED, cache_headers(&mark)).into_response();
    let any = matches_any_etag(&asked);
    if !any && matches_etag(&asked, &mark) {
        return known();
    }
    let backends = site.backends();
    let outcome = tokio::try_join!(
        backends.get_item(&code, version),
        backends.export_item(&code, version, download.format)
    );
    match outcome {
        Ok(_) if any => known(),
        Ok((item, exported)) => download.respond(&item, exported.content, &mark),
        Err(error) => site.respond_error(map_not_found(ErrorPage::NoItem)(error)),
    }
}

impl Download {
    /// The `ETag` of the file of a version: a published version never changes, so release of this program, address and
    /// format identify the bytes. Services and site are of one release.
    fn etag(self, code: &str, version: u32) -> String {
        let release = env!("CARGO_PKG_VERSION");
        let named = format!(
            "{release}\n{code}\n{version}\n{}",
            self.format.as_str_name()
        );
        format!("\"{}\"", hex::encode(&sha256(named.as_bytes())[..16]))
    }

    /// The response with the file and its ETag.
    fn respond(self, item: &Item, content: Bytes, mark: &str) -> Response {
        let own = [
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static(self.media_type),
            ),
            (
                header::CONTENT_DISPOSITION,
                header_value(&self.disposition(item)),
            ),
        ];
        (cache_headers(mark), own, content).into_response()
    }

    /// A name for old programs and the Chinese one for the rest (RFC 6266, RFC 8187).
    fn disposition(self, item: &Item) -> String {
        let version = item.version;
        let plain = format!("{}-v{version}{}", item.code, self.ending);
        let name: String = item
            .name
            .chars()
            .filter(|c| c.is_alphanumeric())
            .take(80)
            .collect();
        let chinese = format!("{name}-第{version}版{}{}", self.kind, self.ending);
        format!(
            "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
            percent_encode(&chinese)
        )
    }
}

/// Cache headers of a file: its ETag and its lifetime.
fn cache_headers(mark: &str) -> [(HeaderName, HeaderValue); 2] {
    [
        (header::ETAG, header_value(mark)),
        (header::CACHE_CONTROL, HeaderValue::from_static(FILE_CACHE)),
    ]
}

/// Percent-escapes everything but the plain characters of RFC 8187.
fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// A header's value; empty when the text is not valid in one.
fn header_value(value: &str) -> HeaderValue {
    HeaderValue::from_str(value).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The ETags in `If-None-Match`.
fn etags_asked(asked: &HeaderMap) -> impl Iterator<Item = &str> {
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
}

/// Whether `If-None-Match` contains this ETag.
fn matches_etag(asked: &HeaderMap, mark: &str) -> bool {
    etags_asked(asked).any(|known| known.trim_start_matches("W/") == mark)
}

/// Whether `If-None-Match` is `*`: any existing file matches.
fn matches_any_etag(asked: &HeaderMap) -> bool {
    etags_asked(asked).any(|known| known == "*")
}

/// Item code and version of a path; `None` unless both are canonical, so that each version has one address (`01` has
/// none).
fn parse_version_path(parts: PathParts<(String, String)>) -> Option<(String, u32)> {
    let Ok(Path((code, version))) = parts else {
        return None;
    };
    let canonical = version.bytes().all(|b| b.is_ascii_digit()) && !version.starts_with('0');
    let version = version.parse().ok().filter(|_| canonical)?;
    is_item_code(&code).then_some((code, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_has_one_address() {
        let version =
            |text: &str| parse_version_path(Ok(Path(("xzcf".to_owned(), text.to_owned()))));
        assert_eq!(version("3"), Some(("xzcf".to_owned(), 3)));
        for wrong in ["", "0", "03", "+3", "-1", "4294967296", "3.0", "３", "x"] {
            assert_eq!(version(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_has_a_plain_name_and_a_chinese_one() {
        let item = Item {
            code: "xzcf".to_owned(),
            version: 3,
            name: "行政\r\n处罚\"/../;".to_owned(),
            ..Default::default()
        };
        let (_, xlsx) = DOWNLOADS[2];
        assert_eq!(
            xlsx.disposition(&item),
            "attachment; filename=\"xzcf-v3.xlsx\"; filename*=UTF-8''\
             %E8%A1%8C%E6%94%BF%E5%A4%84%E7%BD%9A-%E7%AC%AC3%E7%89%88-%E5%A1%AB%E6%8A%A5%E6%A8%A1%E6%9D%BF.xlsx"
        );
    }

    #[test]
    fn the_mark_is_known_in_every_form_that_clients_send() {
        let asked =
            |value: &str| HeaderMap::from_iter([(header::IF_NONE_MATCH, header_value(value))]);
        for known in ["\"a\"", "W/\"a\"", "\"b\", \"a\""] {
            assert!(matches_etag(&asked(known), "\"a\""), "{known}");
        }
        assert!(matches_any_etag(&asked("*")) && !matches_any_etag(&asked("\"*\"")));
        assert!(
            !matches_etag(&asked("\"b\""), "\"a\"") && !matches_etag(&HeaderMap::new(), "\"a\"")
        );
    }
}
