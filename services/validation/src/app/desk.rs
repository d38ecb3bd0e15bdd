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
use tokio::sync::watch;
use vault::Keyring;

use super::judge::off_the_workers;
use crate::{
    domain::{CaseTerms, FirmDays, ItemKey, competence::Owner},
    store::reference::{self, Definition},
};

/// An item that records can be judged by.
#[derive(Debug)]
pub(super) struct Shelved {
    /// Compiled.
    pub compiled: CompiledItem,
    /// Whose catalogue it stands in.
    pub owner: Owner,
}

/// Items by code and version.
pub(super) type Items = HashMap<ItemKey, Arc<Shelved>>;

/// What the office sets.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Records of an item version that nobody has announced wait for at most so long.
    pub patience: Duration,
    /// Working days in which a provider answers.
    pub due_working_days: u32,
    /// Working days before the due day on which it is reminded.
    pub remind_before_working_days: u32,
    /// Working days after the due day on which it is urged.
    pub urge_after_working_days: u32,
}

/// What judging needs beside the submissions: keys, rules, calendar, and the items compiled so far.
pub struct Desk {
    pub(super) keyring: Keyring,
    pub(super) terms: CaseTerms,
    /// The calendar of the terms as rules of items count by it.
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
    /// Rings when cases may have changed.
    bell: watch::Sender<()>,
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
    /// while there is a definition that this program cannot use.
    ///
    /// # Errors
    /// [`CalendarError`] when that calendar is broken.
    pub fn new(keyring: Keyring, lane: Lane, settings: Settings) -> Result<Self, CalendarError> {
        let calendar = Calendar::builtin()?;
        lane.oldest(None);
        Ok(Self {
            keyring,
            working_days: Arc::new(FirmDays::of(&calendar)),
            terms: CaseTerms {
                rules: RuleSet::changsha_2017(),
                calendar,
                due_days: settings.due_working_days,
                remind_before: settings.remind_before_working_days,
                urge_after: settings.urge_after_working_days,
            },
            patience: settings.patience,
            items: RwLock::default(),
            unusable: Mutex::default(),
            missed: Mutex::default(),
            lane,
            bell: watch::Sender::new(()),
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

    /// Tells those who watch feedback to look again soon.
    pub fn ring(&self) {
        self.bell.send_replace(());
    }

    /// For one who watches feedback.
    pub fn bell(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// When cases are due, and when they are reminded of.
    pub fn terms(&self) -> &CaseTerms {
        &self.terms
    }

    /// The items of these versions as far as they can be judged by, for a question that waits for nothing.
    ///
    /// # Errors
    /// The database's, or [`HandlerError::Transient`] when the process is stopping.
    pub(super) async fn usable(
        &self,
        conn: &mut Conn,
        wanted: &[ItemKey],
    ) -> Result<Items, HandlerError> {
        let mut items: Items = {
            let known = self.items.read().unwrap_or_else(PoisonError::into_inner);
            let known = wanted.iter().filter_map(|key| known.get_key_value(key));
            known
                .map(|(key, item)| (key.clone(), item.clone()))
                .collect()
        };
        let missing: Vec<ItemKey> = wanted
            .iter()
            .filter(|key| !items.contains_key(*key))
            .cloned()
            .collect();
        if !missing.is_empty() {
            items.extend(self.read(conn, &missing).await?.usable);
        }
        Ok(items)
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

/// Compiles definitions as the table keeps them.
fn compile(definitions: Vec<Definition>) -> Compiled {
    let mut compiled = Compiled::default();
    for Definition {
        code,
        version,
        definition,
        owner,
    } in definitions
    {
        let item =
            ItemVersion::from_json(&definition).and_then(|item| CompiledItem::new(Arc::new(item)));
        match item {
            Ok(item) => {
                let item = Shelved {
                    compiled: item,
                    owner,
                };
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
