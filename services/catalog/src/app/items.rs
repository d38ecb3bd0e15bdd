//! Versions of items: publication, reading, retirement. Called by `grpc`, `jobs` and `drafts`.

use std::{collections::BTreeSet, ops::DerefMut};

use credit_record::item::{CodeLists, ItemVersion};
use legal_clock::format_day;
use proto::credit::catalog::events::v1::{ItemRetired, ItemVersionPublished};
use record_ref::ItemCode;
use serde::Deserialize;
use service_kit::{blocking::try_blocking, db::Conn, reason::Reason};
use time::{Date, Duration};

use super::{ActionContext, CatalogOutcome, append_events, check_definition_size, duties, lists};
use crate::{
    domain::{
        CatalogRuleViolation, MAX_EXPANDED_BYTES,
        rights::{self, CatalogActor},
        version::{
            self, ItemFilter, ItemHistory, PublicationDecision, PublishedItemVersion,
            RetirementDecision, starts_on,
        },
    },
    error::CatalogError,
    store::{
        self,
        duties::ClosingVersion,
        items::{CatalogVersionRow, NewItemVersion},
        providers,
    },
};

const PUBLISHING: &str = "发布目录项";
const READING: &str = "读取目录";
const RETIRING: &str = "停用目录项";

/// Reads and lints a definition in the form of the data files. Code lists that it names are those of the catalogue, and
/// what comes out holds their values, so that an event and a record's checks need no list. An owned connection
/// goes back to its pool before the rules are compiled, which takes time; a borrowed one stays with the caller.
///
/// # Errors
/// Too large as TOML or with the values of its lists, unreadable or inconsistent, or a list is not published; or the
/// database fails.
pub async fn read_definition(
    mut conn: impl DerefMut<Target = Conn>,
    toml: &str,
) -> Result<ItemVersion, CatalogError> {
    check_definition_size(toml)?;
    let lists = load_named_lists(&mut conn, toml).await?;
    drop(conn);
    let text = toml.to_owned();
    try_blocking(move || {
        let item = ItemVersion::from_toml_with(&text, &lists)?;
        check_expanded_size(&item)?;
        Ok(item)
    })
    .await?
}

/// The code lists that a definition names, those that are published.
async fn load_named_lists(conn: &mut Conn, toml: &str) -> Result<CodeLists, CatalogError> {
    let text = toml.to_owned();
    let named = try_blocking(move || named_lists(&text)).await?;
    if named.is_empty() {
        return Ok(CodeLists::default());
    }
    lists::load_code_lists(conn, named).await
}

/// Refuses what its code lists make larger than an event and an answer should be.
fn check_expanded_size(item: &ItemVersion) -> Result<(), CatalogError> {
    if item.to_json()?.len() <= MAX_EXPANDED_BYTES {
        return Ok(());
    }
    Err(CatalogRuleViolation::new(
        Reason::DefinitionTooLarge,
        "definition_toml",
        "a definition has at most 1048576 bytes as JSON with the values of its code lists",
        format!("连同所引代码表的取值，定义最多{MAX_EXPANDED_BYTES}字节"),
    )
    .into())
}

/// The code lists with their versions that a definition names. What cannot be read here is reported by the lint.
fn named_lists(toml: &str) -> BTreeSet<(String, u32)> {
    #[derive(Deserialize)]
    struct DefinitionOutline {
        #[serde(default)]
        fields: Vec<FieldOutline>,
    }
    #[derive(Deserialize)]
    struct FieldOutline {
        #[serde(default)]
        code_list: Option<CodeListReference>,
    }
    #[derive(Deserialize)]
    struct CodeListReference {
        list: Option<String>,
        version: Option<u32>,
    }
    let read: DefinitionOutline =
        toml::from_str(toml).unwrap_or(DefinitionOutline { fields: Vec::new() });
    let named = read.fields.into_iter().filter_map(|field| field.code_list);
    named
        .filter_map(|named| named.list.zip(named.version))
        .collect()
}

/// Publishes a version if it is the next one; a version that is published already with the same
/// content is left as it is. Closes the duties that waited for it. `actor` is who decides; none for a
/// data file, which only the operator can lay down.
///
/// # Errors
/// The actor may not decide about that catalogue, the version is published with other content, does not
/// follow, or its owner is not one; or the database fails.
pub async fn publish_item_version(
    conn: &mut Conn,
    item: &ItemVersion,
    actor: Option<&CatalogActor>,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<()>, CatalogError> {
    if let Some(actor) = actor {
        actor.may_review(&item.owner)?;
    }
    lock_items(conn, [item.code.as_str()], PUBLISHING).await?;
    let history = load_history(conn, &item.code).await?;
    let offer = match actor {
        Some(_) => version::decide_publication(&history, item, act.at)?,
        None => version::decide_file_publication(&history, item, act.at)?,
    };
    if offer == PublicationDecision::Known {
        return Ok(CatalogOutcome::unchanged(()));
    }
    if actor.is_none() {
        // A data file moves no item to another catalogue.
        let before = history.version_before(item.version);
        rights::same_catalogue(before.map(|found| &found.item.owner), &item.owner)?;
    }
    check_owner(conn, item, act.today()).await?;
    let definition = item.to_json()?;
    let new = NewItemVersion {
        item,
        definition: &definition,
        starts_on: starts_on(item, act.at),
        at: act.at,
        by: act.by,
    };
    store::items::insert_version(conn, new)
        .await
        .map_err(CatalogError::database(PUBLISHING))?;
    let event = ItemVersionPublished {
        code: item.code.clone(),
        version: item.version,
        name: item.name.clone(),
        definition_json: definition,
        effective_from: item.effective_from.map(format_day).unwrap_or_default(),
        catalogue: item.owner.as_str().to_owned(),
        organ: item.owner.organ().to_owned(),
        district_code: item.owner.district().to_owned(),
        published_on: format_day(act.today()),
    };
    append_events(conn, &[act.new_event(&event)], PUBLISHING).await?;
    let ending = ClosingVersion {
        item_code: &item.code,
        version: item.version,
        at: act.at,
        on: act.today(),
        by: act.by,
    };
    duties::close_duties(conn, ending, act).await?;
    Ok(CatalogOutcome::changed(()))
}

/// Locks these items against other writers until the end of the transaction.
pub(super) async fn lock_items(
    conn: &mut Conn,
    codes: impl IntoIterator<Item = &str>,
    doing: &'static str,
) -> Result<(), CatalogError> {
    let things: Vec<String> = codes
        .into_iter()
        .map(|code| format!("item {code}"))
        .collect();
    store::acquire_advisory_locks(conn, &things)
        .await
        .map_err(CatalogError::database(doing))
}

/// Whether the catalogue that the item is for exists (D-25).
///
/// # Errors
/// It does not, or the database fails.
pub(super) async fn check_owner(
    conn: &mut Conn,
    item: &ItemVersion,
    today: Date,
) -> Result<(), CatalogError> {
    check_catalogue(conn, &item.owner, today).await
}

/// As [`check_owner`], for an owner alone.
pub(super) async fn check_catalogue(
    conn: &mut Conn,
    owner: &credit_record::item::ItemOwner,
    today: Date,
) -> Result<(), CatalogError> {
    let organ = if owner.is_city() {
        None
    } else {
        providers::load_provider(conn, owner.organ())
            .await
            .map_err(CatalogError::database(READING))?
    };
    Ok(rights::check_owner(owner, organ.as_ref(), today)?)
}

/// All that was published of an item; nothing when it is unknown.
///
/// # Errors
/// The database fails, or a stored definition cannot be read.
pub(super) async fn load_history(conn: &mut Conn, code: &str) -> Result<ItemHistory, CatalogError> {
    let versions = store::items::list_versions(conn, code)
        .await
        .map_err(CatalogError::database(READING))?
        .into_iter()
        .map(decode_published)
        .collect::<Result<_, _>>()?;
    let retirement = store::items::load_retirement(conn, code)
        .await
        .map_err(CatalogError::database(READING))?;
    Ok(ItemHistory {
        versions,
        retirement,
    })
}

fn decode_published(row: CatalogVersionRow) -> Result<PublishedItemVersion, CatalogError> {
    Ok(PublishedItemVersion {
        item: parse_stored(&row.code, &row.definition)?,
        at: row.published_at,
        by: row.published_by,
    })
}

/// All versions of an item side by side, and its end.
///
/// # Errors
/// Nothing was published of it, or the database fails.
pub async fn list_item_versions(
    conn: &mut Conn,
    code: &ItemCode,
) -> Result<ItemHistory, CatalogError> {
    let history = load_history(conn, code.as_str()).await?;
    if history.versions.is_empty() {
        return Err(version::unknown_item("code", code.as_str()).into());
    }
    Ok(history)
}

/// One version of an item; version 0 means the one in force on `day`.
///
/// # Errors
/// There is none, or the database fails.
pub async fn get_item(
    conn: &mut Conn,
    code: &ItemCode,
    version: u32,
    day: Date,
) -> Result<ItemVersion, CatalogError> {
    let found = if version == 0 {
        store::items::load_definition_on(conn, code.as_str(), day).await
    } else {
        store::items::load_definition(conn, code.as_str(), version).await
    };
    match found.map_err(CatalogError::database(READING))? {
        Some(text) => parse_stored(code.as_str(), &text),
        None => Err(explain_missing(conn, code, version, day).await?.into()),
    }
}

/// The number of that version; none when nothing is in force on `day`. A number that is
/// given is returned as it is.
///
/// # Errors
/// The database fails.
pub async fn resolve_version(
    conn: &mut Conn,
    code: &ItemCode,
    version: u32,
    day: Date,
) -> Result<Option<u32>, CatalogError> {
    if version != 0 {
        return Ok(Some(version));
    }
    store::items::find_version_on(conn, code.as_str(), day)
        .await
        .map_err(CatalogError::database(READING))
}

/// The error for a version that does not exist.
async fn explain_missing(
    conn: &mut Conn,
    code: &ItemCode,
    version: u32,
    day: Date,
) -> Result<CatalogRuleViolation, CatalogError> {
    let history = load_history(conn, code.as_str()).await?;
    if history.versions.is_empty() {
        return Ok(version::unknown_item("code", code.as_str()));
    }
    if version != 0 {
        return Ok(CatalogRuleViolation::new(
            Reason::ItemVersionUnknown,
            "version",
            "the version of the item is published",
            format!("没有目录项{code}的第{version}版"),
        ));
    }
    let (reason, message) = match history.retirement {
        Some(end) if end.from <= day => (
            Reason::ItemRetired,
            format!(
                "目录项{code}自{}起停用，可按版本号查阅",
                format_day(end.from)
            ),
        ),
        _ => (
            Reason::ItemVersionNotYetInForce,
            format!("目录项{code}在{}尚未生效", format_day(day)),
        ),
    };
    let rule = "version 0 asks for the version in force on that day";
    Ok(CatalogRuleViolation::new(reason, "version", rule, message))
}

/// The version in force of each item on a day, by code.
///
/// # Errors
/// The database fails.
pub async fn list_items(
    conn: &mut Conn,
    day: Date,
    filter: &ItemFilter,
) -> Result<Vec<ItemVersion>, CatalogError> {
    let found = store::items::list_definitions_on(conn, day, filter)
        .await
        .map_err(CatalogError::database(READING))?;
    // Hundreds of definitions are some megabytes of JSON.
    let read = move || {
        found
            .iter()
            .map(|(c, text)| parse_stored(c, text))
            .collect()
    };
    try_blocking(read).await?
}

/// Ends an item from a day on, and from that day the duties to renew it; saying the same again changes
/// nothing. Until the day has come a further decision moves or withdraws the end, and is announced as well.
///
/// # Errors
/// [`version::decide_retirement`] refuses, or the database fails.
pub async fn retire_item(
    conn: &mut Conn,
    asked: RetirementDecision,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<RetirementDecision>, CatalogError> {
    let successor = asked.successor.as_ref().map(ItemCode::as_str);
    let both = std::iter::once(asked.code.as_str()).chain(successor);
    lock_items(conn, both, RETIRING).await?;
    let of_item = load_history(conn, asked.code.as_str()).await?;
    let of_successor = match successor {
        Some(successor) => Some(load_history(conn, successor).await?),
        None => None,
    };
    let known = of_item.retirement.clone();
    let decided = version::decide_retirement(&of_item, asked, of_successor.as_ref(), act.today())?;
    // Consumers order the decisions of one item by their moment, so a newer one gets a later moment.
    let act = ActionContext {
        at: known.as_ref().map_or(act.at, |known| {
            act.at.max(known.at + Duration::microseconds(1))
        }),
        ..act
    };
    let end = match (decided, known) {
        (Some(end), _) => RetirementDecision { at: act.at, ..end },
        (None, Some(known)) => return Ok(CatalogOutcome::unchanged(known)),
        // `decide_retirement` returns none only for a retirement that is known.
        (None, None) => return Err(version::unknown_item("code", "").into()),
    };
    store::items::insert_retirement(conn, &end, act.by)
        .await
        .map_err(CatalogError::database(RETIRING))?;
    let event = ItemRetired {
        code: end.code.as_str().to_owned(),
        from_date: format_day(end.from),
        reason: end.reason.clone(),
        successor_code: end.successor.clone().map(String::from).unwrap_or_default(),
    };
    append_events(conn, &[act.new_event(&event)], RETIRING).await?;
    duties::close_duties_of_ended(conn, std::slice::from_ref(&end.code), act).await?;
    Ok(CatalogOutcome::changed(end))
}

/// Reads what was linted when it was published. It is not linted again: a stricter lint of a later
/// release must not make a version in force disappear.
fn parse_stored(code: &str, text: &str) -> Result<ItemVersion, CatalogError> {
    serde_json::from_str(text).map_err(|source| CatalogError::Stored {
        code: code.to_owned(),
        source,
    })
}
