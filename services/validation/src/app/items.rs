//! The cache of compiled items that records are judged by: read from the own table once, compiled, kept. Called by
//! `judge` for each batch, by `confirm` and `dry_run`, by `handlers` for what catalog announced and by `jobs` at the
//! start.
//!
//! A definition that this program cannot use, or that never arrives, sends the records of that version to the dead
//! letters. It never delays those of other items.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use credit_record::{CompiledItem, ItemVersion};
use event_bus::HandlerError;
use record_ref::ItemRef;
use service_kit::{
    blocking::{Stopping, run_blocking},
    db::Conn,
    error::error_chain,
    readiness::Lane,
};
use time::{Duration, OffsetDateTime};

use super::stopping_error;
use crate::{
    domain::competence::CompetentOwner,
    error::ValidationError,
    store::catalogue::{self, StoredDefinition},
};

/// An item that records can be judged by.
#[derive(Debug)]
pub(super) struct CompiledCatalogueItem {
    /// Compiled.
    pub compiled: CompiledItem,
    /// The owner of the catalogue that has it.
    pub owner: CompetentOwner,
}

/// Items by code and version.
pub(super) type CompiledItems = HashMap<ItemRef, Arc<CompiledCatalogueItem>>;

/// The compiled items that a batch needs, and those that are unavailable.
pub(super) struct LoadedItems {
    /// The items that can be judged by.
    pub items: CompiledItems,
    /// The other ones, each with the reason why its records cannot be judged.
    pub unavailable: HashMap<ItemRef, String>,
}

/// Definitions as far as they compile.
#[derive(Default)]
struct CompiledDefinitions {
    usable: CompiledItems,
    /// With the first fault.
    unusable: BTreeMap<ItemRef, String>,
}

/// The cache of compiled items, with the versions that records wait for.
pub struct ItemCache {
    // Published versions never change, so an entry is right for ever; there are some hundred at most.
    items: RwLock<CompiledItems>,
    /// Definitions that this program cannot use, with the first fault.
    unusable: Mutex<BTreeMap<ItemRef, String>>,
    /// Versions that records came for and no event has announced, and since when.
    unannounced: Mutex<HashMap<ItemRef, OffsetDateTime>>,
    /// How long records wait for the event of their item.
    definition_timeout: Duration,
    /// Fails while `unusable` is not empty.
    lane: Lane,
}

impl std::fmt::Debug for ItemCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ItemCache").finish_non_exhaustive()
    }
}

impl ItemCache {
    /// An empty cache. Records of a version that no event has announced wait for at most `definition_timeout`; `lane`
    /// fails while there is a definition that this program cannot use.
    pub fn new(definition_timeout: Duration, lane: Lane) -> Self {
        lane.report_age(None);
        Self {
            items: RwLock::default(),
            unusable: Mutex::default(),
            unannounced: Mutex::default(),
            definition_timeout,
            lane,
        }
    }

    /// The items of these versions, from the cache or else, with one statement, from the own table.
    ///
    /// # Errors
    /// The database's, or [`HandlerError::Transient`] while the event of one may still be in flight.
    pub(super) async fn load_items(
        &self,
        conn: &mut Conn,
        wanted: HashSet<ItemRef>,
        now: OffsetDateTime,
    ) -> Result<LoadedItems, HandlerError> {
        let (mut items, missing) = self.known_items(wanted.iter());
        let mut without = HashMap::new();
        if missing.is_empty() {
            return Ok(LoadedItems {
                items,
                unavailable: without,
            });
        }
        let definitions = catalogue::load_definitions(conn, &missing).await?;
        let compiled = self.compile_definitions(definitions);
        let CompiledDefinitions { usable, unusable } = compiled.await.map_err(stopping_error)?;
        {
            let mut known = self.items.write().unwrap_or_else(PoisonError::into_inner);
            known.extend(usable.iter().map(|(key, item)| (key.clone(), item.clone())));
        }
        items.extend(usable);
        without.extend(unusable);
        let mut waits = None;
        for key in missing {
            if items.contains_key(&key) || without.contains_key(&key) {
                self.unannounced().remove(&key);
                continue;
            }
            // All of them, so that the time of each begins now.
            match self.give_up_reason(&key, now) {
                Ok(why) => {
                    without.insert(key, why);
                }
                Err(not_yet) => waits = Some(not_yet),
            }
        }
        match waits {
            Some(not_yet) => Err(not_yet),
            None => Ok(LoadedItems {
                items,
                unavailable: without,
            }),
        }
    }

    /// The compiled items of these versions, without waiting for one that is not announced.
    ///
    /// # Errors
    /// The database's, or that the process is stopping.
    pub(super) async fn load_usable_items(
        &self,
        conn: &mut Conn,
        wanted: &[ItemRef],
    ) -> Result<CompiledItems, ValidationError> {
        let (mut items, missing) = self.known_items(wanted.iter());
        if !missing.is_empty() {
            let definitions = catalogue::load_definitions(conn, &missing)
                .await
                .map_err(ValidationError::database("读取目录项"))?;
            items.extend(self.compile_definitions(definitions).await?.usable);
        }
        Ok(items)
    }

    /// Compiles stored definitions now, so that readiness reports an unusable one before a record needs it.
    ///
    /// # Errors
    /// The database's, or [`HandlerError::Transient`] when the process is stopping.
    pub async fn check_definitions(
        &self,
        conn: &mut Conn,
        versions: &[ItemRef],
    ) -> Result<(), HandlerError> {
        let definitions = catalogue::load_definitions(conn, versions).await?;
        // Not added to the cache: the transaction that stores them may still fail.
        let compiled = self.compile_definitions(definitions).await;
        compiled.map(|_| ()).map_err(stopping_error)
    }

    /// The items in the cache, and those that are missing.
    fn known_items<'a>(
        &self,
        wanted: impl Iterator<Item = &'a ItemRef>,
    ) -> (CompiledItems, Vec<ItemRef>) {
        let known = self.items.read().unwrap_or_else(PoisonError::into_inner);
        let (mut items, mut missing) = (CompiledItems::new(), Vec::new());
        for key in wanted {
            match known.get_key_value(key) {
                Some((key, item)) => {
                    items.insert(key.clone(), item.clone());
                }
                None => missing.push(key.clone()),
            }
        }
        (items, missing)
    }

    /// Compiles definitions on the blocking pool, and reports which cannot be used.
    async fn compile_definitions(
        &self,
        definitions: Vec<StoredDefinition>,
    ) -> Result<CompiledDefinitions, Stopping> {
        let compiled = run_blocking(move || compile_rows(definitions)).await?;
        let mut unusable = self.unusable.lock().unwrap_or_else(PoisonError::into_inner);
        for key in compiled.usable.keys() {
            unusable.remove(key);
        }
        unusable.extend(compiled.unusable.clone());
        match unusable.values().next() {
            Some(first) if unusable.len() > 1 => self
                .lane
                .report_failure(format!("{first}; and {} more", unusable.len() - 1)),
            Some(first) => self.lane.report_failure(first.clone()),
            None => self.lane.report_age(None),
        }
        Ok(compiled)
    }

    /// Ingest accepts only items that it knows, so the catalogue's event is in flight to this service too. Should it
    /// never arrive, the records that came for it must not delay all others for ever: after a timeout each gets this
    /// reason. The timeout is the version's, so that a series of such records waits for it once.
    fn give_up_reason(&self, key: &ItemRef, now: OffsetDateTime) -> Result<String, HandlerError> {
        let (code, version) = (&key.code, key.version());
        let since = *self.unannounced().entry(key.clone()).or_insert(now);
        if now - since < self.definition_timeout {
            let why = format!("item {code} version {version} has not been announced");
            return Err(HandlerError::Transient(why));
        }
        Ok(format!(
            "item {code} version {version} has not been announced within {} seconds; retry once it is",
            self.definition_timeout.whole_seconds()
        ))
    }

    fn unannounced(&self) -> MutexGuard<'_, HashMap<ItemRef, OffsetDateTime>> {
        self.unannounced
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiles definitions as the table stores them.
fn compile_rows(definitions: Vec<StoredDefinition>) -> CompiledDefinitions {
    let mut compiled = CompiledDefinitions::default();
    for StoredDefinition {
        item: key,
        definition,
        owner,
    } in definitions
    {
        let item =
            ItemVersion::from_json(&definition).and_then(|item| CompiledItem::new(Arc::new(item)));
        match item {
            Ok(item) => {
                let item = CompiledCatalogueItem {
                    compiled: item,
                    owner,
                };
                compiled.usable.insert(key, Arc::new(item));
            }
            Err(error) => {
                let (code, version) = (&key.code, key.version());
                let why = format!(
                    "records of item {code} version {version} are parked: its definition needs a newer program \
                     or a mended catalogue: {}",
                    error_chain(&error)
                );
                compiled.unusable.insert(key, why);
            }
        }
    }
    compiled
}
