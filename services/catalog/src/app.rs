//! The use cases of catalog: load, decide, store, append to the outbox. Each is given a transaction
//! and never commits it. Called by `grpc` and `jobs`.

use credit_record::item::ItemVersion;
use event_bus::NewEvent;
use proto::credit::catalog::events::v1::{ItemVersionPublished, ProviderRegistered};
use service_kit::db::Conn;
use time::OffsetDateTime;

use crate::{
    domain::{self, MAX_DEFINITION_BYTES, Offer, Provider, Registered, Registration},
    error::CatalogError,
    store,
};

/// Who does something, when, and in which trace.
#[derive(Debug, Clone, Copy)]
pub struct Act<'a> {
    /// `<credit code>/<account>` of the officer, or `data-file`.
    pub by: &'a str,
    /// The moment.
    pub at: OffsetDateTime,
    /// W3C trace context, empty when the call is not sampled.
    pub traceparent: &'a str,
}

/// Whether a use case changed anything, so that the relay has work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<T> {
    /// The result.
    pub value: T,
    /// False when everything was so already; then no event was appended.
    pub changed: bool,
}

/// Reads a definition in the form of the data files.
///
/// # Errors
/// Too large, unreadable or inconsistent.
pub fn read_definition(toml: &str) -> Result<ItemVersion, CatalogError> {
    if toml.len() > MAX_DEFINITION_BYTES {
        return Err(CatalogError::DefinitionSize {
            bytes: toml.len(),
            max: MAX_DEFINITION_BYTES,
        });
    }
    Ok(ItemVersion::from_toml(toml)?)
}

/// Publishes a version if it is the next one; a version that is published already with the same
/// content is left as it is.
///
/// # Errors
/// The version is published with other content, or leaves a gap, or the database fails.
pub async fn publish(
    conn: &mut Conn,
    item: &ItemVersion,
    act: Act<'_>,
) -> Result<Done<()>, CatalogError> {
    store::queue_for(conn, &format!("item {}", item.code))
        .await
        .map_err(CatalogError::database("发布目录项"))?;
    let published = store::definitions_of(conn, &item.code)
        .await
        .map_err(CatalogError::database("发布目录项"))?
        .iter()
        .map(|text| parse_stored(&item.code, text))
        .collect::<Result<Vec<_>, _>>()?;
    if domain::offer(&published, item)? == Offer::Known {
        return Ok(Done {
            value: (),
            changed: false,
        });
    }
    let definition = item.to_json()?;
    store::add_definition(conn, &item.code, item.version, &definition, act.at, act.by)
        .await
        .map_err(CatalogError::database("发布目录项"))?;
    let event = ItemVersionPublished {
        code: item.code.clone(),
        version: item.version,
        name: item.name.clone(),
        definition_json: definition,
    };
    event_bus::append(conn, &[NewEvent::new(&event, act.at, act.traceparent)])
        .await
        .map_err(CatalogError::database("发布目录项"))?;
    Ok(Done {
        value: (),
        changed: true,
    })
}

/// One version of an item; version 0 means the one in force.
///
/// # Errors
/// There is none, or the database fails.
pub async fn item(conn: &mut Conn, code: &str, version: u32) -> Result<ItemVersion, CatalogError> {
    let text = store::definition(conn, code, version)
        .await
        .map_err(CatalogError::database("读取目录项"))?
        .ok_or_else(|| CatalogError::ItemUnknown {
            code: code.to_owned(),
            version,
        })?;
    parse_stored(code, &text)
}

/// The version in force of each item, by code.
///
/// # Errors
/// The database fails.
pub async fn items(conn: &mut Conn) -> Result<Vec<ItemVersion>, CatalogError> {
    store::definitions_in_force(conn)
        .await
        .map_err(CatalogError::database("读取目录"))?
        .iter()
        .map(|(code, text)| parse_stored(code, text))
        .collect()
}

/// Registers a provider or changes its registration; saying the same again changes nothing.
///
/// # Errors
/// The database fails.
pub async fn register(
    conn: &mut Conn,
    registration: Registration,
    act: Act<'_>,
) -> Result<Done<Provider>, CatalogError> {
    let code = *registration.code();
    store::queue_for(conn, &format!("provider {code}"))
        .await
        .map_err(CatalogError::database("登记信用信息提供主体"))?;
    let current = store::provider(conn, code.as_str())
        .await
        .map_err(CatalogError::database("登记信用信息提供主体"))?;
    let provider = match domain::register(current, registration) {
        Registered::Unchanged(value) => {
            return Ok(Done {
                value,
                changed: false,
            });
        }
        Registered::Changed(provider) => provider,
    };
    store::add_provider(conn, &provider, act.at, act.by)
        .await
        .map_err(CatalogError::database("登记信用信息提供主体"))?;
    let event = ProviderRegistered {
        code: provider.code.to_string(),
        name: provider.name.clone(),
        level: provider.level.kind().as_str().to_owned(),
        district_code: provider.level.district_code().to_owned(),
        enabled: provider.enabled,
        revision: provider.revision,
    };
    event_bus::append(conn, &[NewEvent::new(&event, act.at, act.traceparent)])
        .await
        .map_err(CatalogError::database("登记信用信息提供主体"))?;
    Ok(Done {
        value: provider,
        changed: true,
    })
}

/// All providers, by code.
///
/// # Errors
/// The database fails.
pub async fn providers(conn: &mut Conn) -> Result<Vec<Provider>, CatalogError> {
    store::providers(conn)
        .await
        .map_err(CatalogError::database("读取信用信息提供主体"))
}

/// Reads what was linted when it was published. It is not linted again: a stricter lint of a later
/// release must not make a version in force disappear.
fn parse_stored(code: &str, text: &str) -> Result<ItemVersion, CatalogError> {
    serde_json::from_str(text).map_err(|source| CatalogError::Stored {
        code: code.to_owned(),
        source,
    })
}
