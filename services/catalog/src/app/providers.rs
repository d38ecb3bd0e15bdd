//! The registry of providers. Called by `grpc`.

use std::collections::BTreeMap;

use legal_clock::format_day;
use proto::credit::catalog::events::v1::{ProviderContactsChanged, ProviderRegistered};
use service_kit::db::Conn;
use vault::Keyring;

use super::{ActionContext, CatalogOutcome, append_events};
use crate::{
    domain::{
        contact::Contacts,
        provider::{self, Provider, ProviderRegistration, RegistrationOutcome},
        rights::CatalogActor,
    },
    error::CatalogError,
    store,
};

const REGISTERING: &str = "登记信用信息提供主体";
const READING: &str = "读取信用信息提供主体";

/// A provider with its contacts, where the caller may see them.
pub type ShownProvider = (Provider, Option<Contacts>);

/// Registers a provider or changes its registration; saying the same again changes nothing. Contacts
/// that are not given stay as they are, empty ones are removed. They are no part of the revision, because
/// consumers of revisions must not get them.
///
/// # Errors
/// Its level, district or parent does not fit the registry, contacts cannot be opened, or the database fails.
pub async fn register_provider(
    conn: &mut Conn,
    keyring: &Keyring,
    actor: &CatalogActor,
    registration: ProviderRegistration,
    contacts: Option<&Contacts>,
    act: ActionContext<'_>,
) -> Result<CatalogOutcome<ShownProvider>, CatalogError> {
    let failed = CatalogError::database;
    // One lock for the whole registry: whether a provider fits depends on those above and below it.
    store::acquire_advisory_locks(conn, &["providers".to_owned()])
        .await
        .map_err(failed(REGISTERING))?;
    let all = store::providers::list_providers(conn)
        .await
        .map_err(failed(REGISTERING))?;
    registration.fits_among(&all)?;
    let code = *registration.code();
    let current = all.into_iter().find(|known| known.code == code);
    let (provider, mut changed) = match provider::apply_registration(current, registration) {
        RegistrationOutcome::Unchanged(provider) => (provider, false),
        RegistrationOutcome::Changed(provider) => {
            store::providers::insert_revision(conn, &provider, act.at, act.by)
                .await
                .map_err(failed(REGISTERING))?;
            append_events(
                conn,
                &[act.new_event(&registered_event(&provider))],
                REGISTERING,
            )
            .await?;
            (provider, true)
        }
    };
    if let Some(contacts) = contacts {
        changed |= set_contacts(conn, keyring, code.as_str(), contacts, act).await?;
    }
    let known = visible_contacts(conn, keyring, actor, code.as_str()).await?;
    Ok(CatalogOutcome {
        value: (provider, known.into_values().next()),
        changed,
    })
}

fn registered_event(provider: &Provider) -> ProviderRegistered {
    ProviderRegistered {
        code: provider.code.to_string(),
        name: provider.name.clone(),
        level: provider.level.kind().as_str().to_owned(),
        district_code: provider.level.district_code().to_owned(),
        enabled: provider.enabled,
        revision: provider.revision,
        parent_code: provider
            .parent
            .map(|parent| parent.to_string())
            .unwrap_or_default(),
        valid_from: provider.valid_from.map(format_day).unwrap_or_default(),
        valid_until: provider.valid_until.map(format_day).unwrap_or_default(),
    }
}

/// Stores, changes or removes contacts and announces that they changed, never their content; false when they
/// are so already.
async fn set_contacts(
    conn: &mut Conn,
    keyring: &Keyring,
    code: &str,
    contacts: &Contacts,
    act: ActionContext<'_>,
) -> Result<bool, CatalogError> {
    let failed = CatalogError::database;
    let known = store::providers::list_sealed_contacts(conn, code)
        .await
        .map_err(failed(REGISTERING))?;
    let known = match known.first() {
        Some((_, sealed)) => Some(open_contacts(keyring, code, sealed)?),
        None => None,
    };
    if known.as_ref() == (!contacts.is_empty()).then_some(contacts) {
        return Ok(false);
    }
    if contacts.is_empty() {
        store::providers::remove_contacts(conn, code)
            .await
            .map_err(failed(REGISTERING))?;
    } else {
        let plain =
            serde_json::to_vec(contacts).map_err(|_| CatalogError::Contacts { doing: "sealed" })?;
        let sealed = keyring.seal(&sealing_context(code), &plain);
        store::providers::set_contacts(conn, code, &sealed, act.at, act.by)
            .await
            .map_err(failed(REGISTERING))?;
    }
    let event = ProviderContactsChanged {
        code: code.to_owned(),
    };
    append_events(conn, &[act.new_event(&event)], REGISTERING).await?;
    Ok(true)
}

fn open_contacts(keyring: &Keyring, code: &str, sealed: &[u8]) -> Result<Contacts, CatalogError> {
    let damaged = || CatalogError::Contacts { doing: "opened" };
    let plain = keyring
        .open(&sealing_context(code), sealed)
        .map_err(|_| damaged())?;
    serde_json::from_slice(&plain).map_err(|_| damaged())
}

/// Sealing context of a provider's contacts, so that they do not open as those of another provider.
fn sealing_context(code: &str) -> Vec<u8> {
    format!("provider contacts {code}").into_bytes()
}

/// All providers, by code, with the contacts that `actor` may see.
///
/// # Errors
/// The database fails, or contacts cannot be opened.
pub async fn list_providers(
    conn: &mut Conn,
    keyring: &Keyring,
    actor: &CatalogActor,
) -> Result<Vec<ShownProvider>, CatalogError> {
    let all = store::providers::list_providers(conn)
        .await
        .map_err(CatalogError::database(READING))?;
    let mut contacts = visible_contacts(conn, keyring, actor, "").await?;
    Ok(all
        .into_iter()
        .map(|provider| {
            let contacts = contacts.remove(provider.code.as_str());
            (provider, contacts)
        })
        .collect())
}

/// The contacts that `actor` may see, by code of the provider; of one provider when `code` is not empty.
async fn visible_contacts(
    conn: &mut Conn,
    keyring: &Keyring,
    actor: &CatalogActor,
    code: &str,
) -> Result<BTreeMap<String, Contacts>, CatalogError> {
    let Some(code) = readable_code(actor, code) else {
        return Ok(BTreeMap::new());
    };
    let sealed = store::providers::list_sealed_contacts(conn, code)
        .await
        .map_err(CatalogError::database(READING))?;
    sealed
        .into_iter()
        .filter(|(code, _)| actor.sees_contacts_of(code))
        .map(|(code, sealed)| {
            let contacts = open_contacts(keyring, &code, &sealed)?;
            Ok((code, contacts))
        })
        .collect()
}

/// Whose contacts are read for `actor`, who asks for those of `code`, or of all when it is empty: what it may not
/// see is not even read. Empty: of all; none: of nobody.
fn readable_code<'a>(actor: &'a CatalogActor, code: &'a str) -> Option<&'a str> {
    // No provider has an empty code, so only an actor that may see all contacts sees those of the empty code.
    let all = actor.sees_contacts_of("");
    let code = if code.is_empty() && !all {
        actor.organisation.as_str()
    } else {
        code
    };
    actor.sees_contacts_of(code).then_some(code)
}

/// What the registry holds of the organisation that acts.
///
/// # Errors
/// The database fails.
pub async fn find_provider(
    conn: &mut Conn,
    organisation: &str,
) -> Result<Option<Provider>, CatalogError> {
    store::providers::load_provider(conn, organisation)
        .await
        .map_err(CatalogError::database(READING))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_read_for_whom_they_are_meant_only() {
        let actor = || CatalogActor {
            organisation: "A".to_owned(),
            ..CatalogActor::default()
        };
        let office = CatalogActor {
            credit_office: true,
            ..actor()
        };
        let provider = CatalogActor {
            provider: true,
            ..actor()
        };
        let auditor = CatalogActor {
            auditor: true,
            ..actor()
        };
        let table = [
            (&office, "", Some("")),
            (&office, "B", Some("B")),
            (&provider, "", Some("A")),
            (&provider, "A", Some("A")),
            (&provider, "B", None),
            (&auditor, "", None),
            (&auditor, "A", None),
        ];
        for (actor, code, read) in table {
            assert_eq!(readable_code(actor, code), read, "{actor:?} {code}");
        }
        let nobody = actor();
        assert_eq!(readable_code(&nobody, ""), None);
    }
}
