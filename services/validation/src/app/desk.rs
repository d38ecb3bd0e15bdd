//! What judging needs, and which items it can judge by. Called by `judge` for each batch, by
//! `handlers::CatalogueFacts` for what catalog announced, by `lib.rs` at the start.
//!
//! A definition that this program cannot use, or one that never arrives, costs the records of that version a
//! place in the dead letters. It never holds up those of other items.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use credit_record::{CompiledItem, ItemVersion, WorkingDays};
use event_bus::HandlerError;
use legal_clock::{Calendar, CalendarError, RuleSet};
use service_kit::{db::Conn, error::chain, readiness::Lane};
use time::{Duration, OffsetDateTime};
use vault::Keyring;

use super::judge::off_the_workers;
use crate::{
    domain::{FirmDays, ItemKey},
    store::reference,
};

/// Compiled items by code and version.
pub(super) type Items = HashMap<ItemKey, Arc<CompiledItem>>;

/// What judging needs beside the submissions: keys, rules, calendar, and the items compiled so far.
pub struct Desk {
    pub(super) keyring: Keyring,
    pub(super) rules: RuleSet,
    pub(super) calendar: Calendar,
    /// The same calendar as rules of items count by it.
    pub(super) working_days: Arc<dyn WorkingDays>,
    /// How long records wait for the event of their item.
    patience: Duration,
    // Published versions never change, so an entry is right for ever; there are some hundred at most.
    items: RwLock<Items>,
    /// Definitions that this program cannot use, with the first fault.
    unusable: Mutex<BTreeMap<ItemKey, String>>,
    /// Versions that records came for and no event has announced, and since when.
    missed: Mutex<HashMap<ItemKey, OffsetDateTime>>,
    /// Complains while `unusable` holds anything.
    lane: Lane,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// What there is to judge a batch by.
pub(super) struct Shelf {
    /// The items that can be judged by.
    pub items: Items,
    /// The other ones, each with the reason why its records cannot be judged.
    pub without: HashMap<ItemKey, String>,
}

/// Definitions as far as they compile.
#[derive(Default)]
struct Compiled {
    usable: Items,
    /// With the first fault.
    unusable: BTreeMap<ItemKey, String>,
}

impl Desk {
    /// A desk with the rules in force and the calendar that ships with the program. `lane` complains
    /// while there is a definition that this program cannot use. Records of an item version that nobody
    /// has announced wait for at most `patience`.
    ///
    /// # Errors
    /// [`CalendarError`] when that calendar is broken.
    pub fn new(keyring: Keyring, lane: Lane, patience: Duration) -> Result<Self, CalendarError> {
        let calendar = Calendar::builtin()?;
        lane.oldest(None);
        Ok(Self {
            keyring,
            rules: RuleSet::changsha_2017(),
            working_days: Arc::new(FirmDays::of(&calendar)),
            calendar,
            patience,
            items: RwLock::default(),
            unusable: Mutex::default(),
            missed: Mutex::default(),
            lane,
        })
    }

    /// The items of these versions, from memory or else, with one statement, from the own table.
    ///
    /// # Errors
    /// The database's, or [`HandlerError::Transient`] while the event of one may still be on its way.
    pub(super) async fn items(
        &self,
        conn: &mut Conn,
        wanted: HashSet<ItemKey>,
        now: OffsetDateTime,
    ) -> Result<Shelf, HandlerError> {
        let mut items: Items = {
            let known = self.items.read().unwrap_or_else(PoisonError::into_inner);
            let known = wanted.iter().filter_map(|key| known.get_key_value(key));
            known
                .map(|(key, item)| (key.clone(), item.clone()))
                .collect()
        };
        let missing: Vec<ItemKey> = wanted
            .into_iter()
            .filter(|key| !items.contains_key(key))
            .collect();
        let mut without = HashMap::new();
        if missing.is_empty() {
            return Ok(Shelf { items, without });
        }
        let Compiled { usable, unusable } = self.read(conn, &missing).await?;
        {
            let mut known = self.items.write().unwrap_or_else(PoisonError::into_inner);
            known.extend(usable.iter().map(|(key, item)| (key.clone(), item.clone())));
        }
        items.extend(usable);
        without.extend(unusable);
        let mut waits = None;
        for key in missing {
            if items.contains_key(&key) || without.contains_key(&key) {
                self.missed().remove(&key);
                continue;
            }
            // All of them, so that the time of each begins now.
            match self.wait(&key, now) {
                Ok(why) => {
                    without.insert(key, why);
                }
                Err(not_yet) => waits = Some(not_yet),
            }
        }
        match waits {
            Some(not_yet) => Err(not_yet),
            None => Ok(Shelf { items, without }),
        }
    }

    /// Looks at definitions that are kept now, so that the complaint is true before a record needs them.
    ///
    /// # Errors
    /// The database's, or [`HandlerError::Transient`] when the process is stopping.
    pub async fn look_at(&self, conn: &mut Conn, versions: &[ItemKey]) -> Result<(), HandlerError> {
        // Not remembered as items: the transaction that keeps them may still fail.
        self.read(conn, versions).await.map(|_| ())
    }

    /// Reads and compiles what the own table has of these versions, and says which cannot be used.
    async fn read(&self, conn: &mut Conn, versions: &[ItemKey]) -> Result<Compiled, HandlerError> {
        let definitions = reference::items(conn, versions).await?;
        let compiled = off_the_workers(move || compile(definitions)).await?;
        let mut unusable = self.unusable.lock().unwrap_or_else(PoisonError::into_inner);
        for key in compiled.usable.keys() {
            unusable.remove(key);
        }
        unusable.extend(compiled.unusable.clone());
        match unusable.values().next() {
            Some(first) if unusable.len() > 1 => self
                .lane
                .failing(format!("{first}; and {} more", unusable.len() - 1)),
            Some(first) => self.lane.failing(first.clone()),
            None => self.lane.oldest(None),
        }
        Ok(compiled)
    }

    /// Ingest takes only items that it knows, so the catalogue's event is on its way here too. Should it never
    /// arrive, the records that came for it must not hold up all others for ever: after a time each gets this
    /// reason. The time is the version's, so that a stream of such records is waited for once.
    fn wait(&self, key: &ItemKey, now: OffsetDateTime) -> Result<String, HandlerError> {
        let (code, version) = key;
        let since = *self.missed().entry(key.clone()).or_insert(now);
        if now - since < self.patience {
            let why = format!("item {code} version {version} has not been announced");
            return Err(HandlerError::Transient(why));
        }
        Ok(format!(
            "item {code} version {version} has not been announced within {} seconds; retry once it is",
            self.patience.whole_seconds()
        ))
    }

    fn missed(&self) -> std::sync::MutexGuard<'_, HashMap<ItemKey, OffsetDateTime>> {
        self.missed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Compiles definitions as the table keeps them: code, version, JSON.
fn compile(definitions: Vec<(String, u32, String)>) -> Compiled {
    let mut compiled = Compiled::default();
    for (code, version, definition) in definitions {
        let item =
            ItemVersion::from_json(&definition).and_then(|item| CompiledItem::new(Arc::new(item)));
        match item {
            Ok(item) => {
                compiled.usable.insert((code, version), Arc::new(item));
            }
            Err(error) => {
                let why = format!(
                    "records of item {code} version {version} are parked: its definition needs a newer program \
                     or a mended catalogue: {}",
                    chain(&error)
                );
                compiled.unusable.insert((code, version), why);
            }
        }
    }
    compiled
}
