//! The reconciler's cache between its runs: what is published stays so, hence it is neither compiled nor
//! offered again each minute. Called by the reconciler.

use std::{collections::BTreeSet, sync::Arc};

use credit_record::item::{
    CodeListVersion, ItemError, ItemVersion, standard_code_lists, standard_items,
};
use service_kit::blocking::try_blocking;

use crate::error::CatalogError;

/// Code and version.
pub(super) type VersionKey = (String, u32);

/// What the program carries.
#[derive(Debug)]
pub(super) struct StandardDefinitions {
    /// Code lists.
    pub(super) lists: Vec<CodeListVersion>,
    /// Items.
    pub(super) items: Vec<ItemVersion>,
}

/// What is known to be published. It belongs to one reconciler and one database: a process whose database is created
/// anew has to be restarted.
#[derive(Debug, Default)]
pub struct ReconcilerCache {
    standard: Option<Arc<StandardDefinitions>>,
    lists: BTreeSet<VersionKey>,
    items: BTreeSet<VersionKey>,
    files: BTreeSet<String>,
}

/// A version that is offered, and where it comes from.
pub(super) struct OfferedVersion<T> {
    /// For people: `standard items`, or the name of the file.
    pub(super) source: String,
    /// Text of the file; none for what the program carries.
    pub(super) text: Option<String>,
    /// The version.
    pub(super) version: T,
}

/// A definition with code and version that the cache can hold.
pub(super) trait Versioned: Clone {
    /// Code and version.
    fn key(&self) -> VersionKey;
    /// The versions of its kind that are known to be published.
    fn known(cache: &mut ReconcilerCache) -> &mut BTreeSet<VersionKey>;
}

impl Versioned for CodeListVersion {
    fn key(&self) -> VersionKey {
        (self.code.clone(), self.version)
    }
    fn known(cache: &mut ReconcilerCache) -> &mut BTreeSet<VersionKey> {
        &mut cache.lists
    }
}

impl Versioned for ItemVersion {
    fn key(&self) -> VersionKey {
        (self.code.clone(), self.version)
    }
    fn known(cache: &mut ReconcilerCache) -> &mut BTreeSet<VersionKey> {
        &mut cache.items
    }
}

impl ReconcilerCache {
    /// What the program carries; read and compiled once.
    ///
    /// # Errors
    /// A data file of the program is broken; a test keeps that from being released.
    pub(super) async fn standard_definitions(
        &mut self,
    ) -> Result<Arc<StandardDefinitions>, CatalogError> {
        if let Some(standard) = &self.standard {
            return Ok(Arc::clone(standard));
        }
        let read = || {
            Ok::<_, ItemError>(StandardDefinitions {
                lists: standard_code_lists()?,
                items: standard_items()?,
            })
        };
        let standard = Arc::new(try_blocking(read).await??);
        self.standard = Some(Arc::clone(&standard));
        Ok(standard)
    }

    /// Those of `all` that are not known to be published.
    pub(super) fn list_unpublished<T: Versioned>(
        &mut self,
        source: &str,
        all: &[T],
    ) -> Vec<OfferedVersion<T>> {
        let known = T::known(self);
        all.iter()
            .filter(|version| !known.contains(&version.key()))
            .map(|version| OfferedVersion {
                source: source.to_owned(),
                text: None,
                version: version.clone(),
            })
            .collect()
    }

    /// Whether the content of a file is known to be published.
    pub(super) fn knows_file(&self, text: &str) -> bool {
        self.files.contains(text)
    }

    /// Marks the offer as published.
    pub(super) fn mark_published<T: Versioned>(&mut self, offer: &OfferedVersion<T>) {
        match &offer.text {
            Some(text) => {
                self.files.insert(text.clone());
            }
            None => {
                T::known(self).insert(offer.version.key());
            }
        }
    }

    /// Drops files that are no longer there.
    pub(super) fn retain_files<'a>(&mut self, there: impl Iterator<Item = &'a String>) {
        let there: BTreeSet<&String> = there.collect();
        self.files.retain(|text| there.contains(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_published_is_not_offered_again_and_the_program_is_read_once() {
        let mut cache = ReconcilerCache::default();
        let standard = cache.standard_definitions().await.unwrap();
        assert!(Arc::ptr_eq(
            &standard,
            &cache.standard_definitions().await.unwrap()
        ));
        let mut offers = cache.list_unpublished("standard items", &standard.items);
        assert_eq!(offers.len(), standard.items.len());
        let mut first = offers.remove(0);
        cache.mark_published(&first);
        let left = cache.list_unpublished("standard items", &standard.items);
        assert_eq!(left.len(), standard.items.len() - 1);
        assert!(left.iter().all(|o| o.version.key() != first.version.key()));
        // A list of the same name is another thing.
        let lists = cache.list_unpublished("standard code lists", &standard.lists);
        assert_eq!(lists.len(), standard.lists.len());

        let text = "code = \"x\"".to_owned();
        first.text = Some(text.clone());
        cache.mark_published(&first);
        assert!(cache.knows_file(&text) && !cache.knows_file("code = \"y\""));
        cache.retain_files([text.clone()].iter());
        assert!(cache.knows_file(&text));
        cache.retain_files([].iter());
        assert!(!cache.knows_file(&text));
    }
}
