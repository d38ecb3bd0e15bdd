//! Stores what catalog announced, whatever the order and however often. Called by
//! `handlers::ValidationCatalogueHandler`.

use std::collections::BTreeMap;

use credit_record::ItemVersion;
use record_ref::ProviderCode;
use service_kit::{
    blocking::{Stopping, run_blocking},
    db::{Conn, Error},
    error::error_chain,
};

use crate::store::catalogue::{self, ValidationItemRow, ValidationProviderRow};

/// Stores item versions and providers in the caller's transaction, at most one statement each.
pub async fn store_catalogue_facts(
    conn: &mut Conn,
    items: &[ValidationItemRow],
    providers: Vec<ValidationProviderRow>,
) -> Result<(), Error> {
    if !items.is_empty() {
        catalogue::insert_item_versions(conn, items).await?;
    }
    let providers = newest_revisions(providers);
    if !providers.is_empty() {
        catalogue::upsert_providers(conn, &providers).await?;
    }
    Ok(())
}

/// Positions of the items that this program cannot use, with the reason. A definition that is complete and compiles
/// takes about a millisecond, so this is done on the blocking pool.
///
/// # Errors
/// That the process is stopping.
pub async fn find_unusable_items(
    items: Vec<ValidationItemRow>,
) -> Result<Vec<(usize, String)>, Stopping> {
    run_blocking(move || {
        let checked = items.iter().enumerate();
        checked
            .filter_map(|(position, item)| {
                // Reading lints, and lint compiles the rules.
                let error = ItemVersion::from_json(&item.definition).err()?;
                Some((
                    position,
                    format!("definition_json: {}", error_chain(&error)),
                ))
            })
            .collect()
    })
    .await
}

/// The newest revision of each provider in the batch: one statement may touch a row only once.
fn newest_revisions(providers: Vec<ValidationProviderRow>) -> Vec<ValidationProviderRow> {
    let mut newest: BTreeMap<ProviderCode, ValidationProviderRow> = BTreeMap::new();
    for provider in providers {
        if newest
            .get(&provider.code)
            .is_none_or(|known| known.revision < provider.revision)
        {
            newest.insert(provider.code, provider);
        }
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
            facts in proptest::collection::vec((0_u8..4, 1_i64..9), 0..20),
        ) {
            let code = |number: &u8| -> ProviderCode { format!("{number:0>18}").parse().unwrap() };
            let rows: Vec<_> = facts
                .iter()
                .map(|(number, revision)| ValidationProviderRow {
                    code: code(number),
                    name: String::new(),
                    level: String::new(),
                    district_code: String::new(),
                    enabled: true,
                    parent: None,
                    revision: *revision,
                })
                .collect();
            let kept = newest_revisions(rows);
            for (number, revision) in &facts {
                let rows: Vec<_> = kept.iter().filter(|row| row.code == code(number)).collect();
                prop_assert_eq!(rows.len(), 1);
                prop_assert!(rows[0].revision >= *revision);
            }
        }
    }
}
