//! Keeps what catalog announced, whatever the order and however often. Called by
//! `handlers::CatalogueFacts`.

use std::collections::BTreeMap;

use credit_record::ItemVersion;
use event_bus::HandlerError;
use proto::credit::catalog::events::v1::ProviderRegistered;
use service_kit::{
    db::{Conn, Error},
    error::chain,
};

use super::judge::off_the_workers;
use crate::store::reference::{self, ItemRow, ProviderRow};

/// Keeps item versions and providers in the caller's transaction, at most one statement each.
pub async fn keep(
    conn: &mut Conn,
    items: &[ItemRow],
    providers: Vec<ProviderRegistered>,
) -> Result<(), Error> {
    if !items.is_empty() {
        reference::keep_items(conn, items).await?;
    }
    let providers = newest(providers);
    if !providers.is_empty() {
        reference::keep_providers(conn, &providers).await?;
    }
    Ok(())
}

/// Positions of the items that this program cannot use, with the reason. A definition that is complete and
/// compiles takes about a millisecond, so this is done on a thread of its own.
///
/// # Errors
/// [`HandlerError::Transient`] when the process is stopping.
pub async fn unusable(items: Vec<ItemRow>) -> Result<Vec<(usize, String)>, HandlerError> {
    off_the_workers(move || {
        let checked = items.iter().enumerate();
        checked
            .filter_map(|(position, item)| {
                // Reading lints, and lint compiles the rules.
                let error = ItemVersion::from_json(&item.definition).err()?;
                Some((position, format!("definition_json: {}", chain(&error))))
            })
            .collect()
    })
    .await
}

/// The newest revision of each provider in the batch: one statement may touch a row only once.
fn newest(providers: Vec<ProviderRegistered>) -> Vec<ProviderRow> {
    let mut newest: BTreeMap<String, ProviderRow> = BTreeMap::new();
    for provider in providers {
        // Revisions count changes of one provider; none comes near the bound.
        let revision = i64::try_from(provider.revision).unwrap_or(i64::MAX);
        if newest
            .get(&provider.code)
            .is_some_and(|known| known.revision >= revision)
        {
            continue;
        }
        newest.insert(
            provider.code.clone(),
            ProviderRow {
                code: provider.code,
                name: provider.name,
                level: provider.level,
                district_code: provider.district_code,
                enabled: provider.enabled,
                parent_code: provider.parent_code,
                revision,
            },
        );
    }
    newest.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn r3_of_each_provider_only_the_newest_revision_is_kept(
            facts in proptest::collection::vec((0_u8..4, 1_u64..9), 0..20),
        ) {
            let events: Vec<_> = facts
                .iter()
                .map(|(code, revision)| ProviderRegistered {
                    code: code.to_string(),
                    revision: *revision,
                    ..ProviderRegistered::default()
                })
                .collect();
            let kept = newest(events);
            for (code, revision) in &facts {
                let rows: Vec<_> = kept.iter().filter(|row| row.code == code.to_string()).collect();
                prop_assert_eq!(rows.len(), 1);
                prop_assert!(rows[0].revision >= i64::try_from(*revision).unwrap());
            }
        }
    }
}
