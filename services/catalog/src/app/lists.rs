//! Code lists as versioned data. Called by `grpc`, `jobs` and `items`.

use std::collections::BTreeSet;

use credit_record::item::{CodeListVersion, CodeLists};
use proto::credit::catalog::events::v1::CodeListPublished;
use service_kit::{blocking::try_blocking, db::Conn, reason::Reason};

use super::{ActionContext, CatalogOutcome, append_events, check_definition_size};
use crate::{
    domain::{CatalogRuleViolation, list, version::PublicationDecision},
    error::CatalogError,
    store,
};

const PUBLISHING: &str = "发布代码表";
const READING: &str = "读取代码表";

/// Reads a list in the form of the data files.
///
/// # Errors
/// Too large, unreadable, or it contradicts itself.
pub async fn read_definition(toml: &str) -> Result<CodeListVersion, CatalogError> {
    check_definition_size(toml)?;
    let text = toml.to_owned();
    Ok(try_blocking(move || CodeListVersion::from_toml(&text)).await??)
}

/// Publishes a version of a code list if it is the next one; the same again changes nothing.
///
/// # Errors
/// The version is published with other content or leaves a gap, or the database fails.
pub async fn publish_code_list(
    conn: &mut Conn,
    list: &CodeListVersion,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<()>, CatalogError> {
    store::acquire_advisory_locks(conn, &[format!("code list {}", list.code)])
        .await
        .map_err(CatalogError::database(PUBLISHING))?;
    let same = store::lists::load_list_definition(conn, &list.code, list.version)
        .await
        .map_err(CatalogError::database(PUBLISHING))?
        .map(|text| parse_stored(&list.code, &text))
        .transpose()?;
    let highest = store::lists::highest_version(conn, &list.code)
        .await
        .map_err(CatalogError::database(PUBLISHING))?;
    if list::decide_list_publication(same.as_ref(), highest, list)? == PublicationDecision::Known {
        return Ok(CatalogOutcome::unchanged(()));
    }
    let definition = serde_json::to_string(list).map_err(|source| CatalogError::Stored {
        code: list.code.clone(),
        source,
    })?;
    let (code, version) = (list.code.as_str(), list.version);
    store::lists::insert_list_version(conn, code, version, &definition, act.at, act.by)
        .await
        .map_err(CatalogError::database(PUBLISHING))?;
    let event = CodeListPublished {
        code: list.code.clone(),
        version: list.version,
        name: list.name.clone(),
        definition_json: definition,
    };
    append_events(conn, &[act.new_event(&event)], PUBLISHING).await?;
    Ok(CatalogOutcome::changed(()))
}

/// One version of a list; version 0 means the newest.
///
/// # Errors
/// There is none, or the database fails.
pub async fn get_code_list(
    conn: &mut Conn,
    code: &str,
    version: u32,
) -> Result<CodeListVersion, CatalogError> {
    let found = store::lists::load_list_definition(conn, code, version)
        .await
        .map_err(CatalogError::database(READING))?;
    match found {
        Some(text) => parse_stored(code, &text),
        None => Err(CatalogRuleViolation::new(
            Reason::CodeListUnknown,
            if version == 0 { "code" } else { "version" },
            "the version of the code list is published",
            format!("没有代码表{code}（版本{version}，0为最新）"),
        )
        .into()),
    }
}

/// The newest version of each list, by code.
///
/// # Errors
/// The database fails.
pub async fn list_code_lists(conn: &mut Conn) -> Result<Vec<CodeListVersion>, CatalogError> {
    store::lists::list_newest_definitions(conn)
        .await
        .map_err(CatalogError::database(READING))?
        .iter()
        .map(|(code, text)| parse_stored(code, text))
        .collect()
}

/// Loads the code lists that an item names; one that is not published is left out, and the lint reports it.
pub(super) async fn load_code_lists(
    conn: &mut Conn,
    named: BTreeSet<(String, u32)>,
) -> Result<CodeLists, CatalogError> {
    let (codes, versions): (Vec<_>, Vec<_>) = named
        .into_iter()
        .map(|(code, version)| (code, i64::from(version)))
        .unzip();
    let found = store::lists::load_list_definitions(conn, &codes, &versions)
        .await
        .map_err(CatalogError::database(READING))?;
    let mut lists = CodeLists::default();
    for (code, text) in found {
        lists.add_list(parse_stored(&code, &text)?);
    }
    Ok(lists)
}

fn parse_stored(code: &str, text: &str) -> Result<CodeListVersion, CatalogError> {
    serde_json::from_str(text).map_err(|source| CatalogError::Stored {
        code: code.to_owned(),
        source,
    })
}
