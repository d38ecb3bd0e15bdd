//! Judges a batch of submissions: load the items, decide, store, append to the outbox. Called by
//! `handlers::Submissions`. The number of statements is bounded whatever the size of the batch: two when
//! all versions pass at their first report, five when some are returned or reported again.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, PoisonError, RwLock},
};

use credit_record::{CompiledItem, ItemVersion, WorkingDays};
use event_bus::{HandlerError, NewEvent};
use legal_clock::{Calendar, CalendarError, RuleSet};
use proto::credit::validation::events::v1::RecordReturned;
use service_kit::{
    db::{self, Conn},
    error::chain,
    grpc::timestamp,
    readiness::Lane,
};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::Keyring;

use crate::{
    domain::{Decision, FeedbackCase, FirmDays, Outcome, Submission, decide},
    store::{self, reference},
};

/// Code and version of an item.
type ItemKey = (String, u32);

/// Compiled items by code and version.
type Items = HashMap<ItemKey, Arc<CompiledItem>>;

/// What judging needs beside the submissions: keys, rules, calendar, and the items compiled so far.
pub struct Desk {
    keyring: Keyring,
    rules: RuleSet,
    calendar: Calendar,
    /// The same calendar as rules of items count by it.
    working_days: Arc<dyn WorkingDays>,
    // Published versions never change, so an entry is right for ever; there are some hundred at most.
    items: RwLock<Items>,
    /// Says which definition keeps records waiting.
    lane: Lane,
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Desk").finish_non_exhaustive()
    }
}

/// A submission with the event that brought it.
#[derive(Debug, Clone)]
pub struct Work {
    /// Position of the event in its batch, given back when the submission is poison.
    pub position: usize,
    /// What is to be judged.
    pub submission: Submission,
    /// Trace context for the event that follows, empty when the record is not followed.
    pub traceparent: String,
}

impl Desk {
    /// A desk with the rules in force and the calendar that ships with the program. `lane` complains
    /// while a definition that this program cannot use keeps records waiting.
    ///
    /// # Errors
    /// [`CalendarError`] when that calendar is broken.
    pub fn new(keyring: Keyring, lane: Lane) -> Result<Self, CalendarError> {
        let calendar = Calendar::builtin()?;
        lane.oldest(None);
        Ok(Self {
            keyring,
            rules: RuleSet::changsha_2017(),
            working_days: Arc::new(FirmDays::of(&calendar)),
            calendar,
            items: RwLock::default(),
            lane,
        })
    }

    /// The items of these submissions, from memory or else, with one statement, from the own table.
    async fn items(&self, conn: &mut Conn, work: &[Work]) -> Result<Items, HandlerError> {
        let wanted: HashSet<ItemKey> = work
            .iter()
            .map(|work| &work.submission.version)
            .map(|version| (version.item_code.clone(), version.item_version))
            .collect();
        let mut found: Items = {
            let known = self.items.read().unwrap_or_else(PoisonError::into_inner);
            let known = wanted.iter().filter_map(|key| known.get_key_value(key));
            known
                .map(|(key, item)| (key.clone(), item.clone()))
                .collect()
        };
        let missing: Vec<ItemKey> = wanted
            .into_iter()
            .filter(|key| !found.contains_key(key))
            .collect();
        if missing.is_empty() {
            return Ok(found);
        }
        let definitions = reference::items(conn, &missing).await?;
        let compiled = off_the_workers(move || compile(definitions)).await?;
        let compiled = compiled.inspect_err(|why| self.lane.failing(why.clone()));
        found.extend(compiled.map_err(HandlerError::Transient)?);
        self.lane.oldest(None);
        // Ingest takes only items that it knows, so the catalogue's event is on its way here too.
        if let Some((code, version)) = missing.iter().find(|key| !found.contains_key(*key)) {
            let why = format!("item {code} version {version} has not been announced");
            return Err(HandlerError::Transient(why));
        }
        let mut known = self.items.write().unwrap_or_else(PoisonError::into_inner);
        for key in missing {
            if let Some(item) = found.get(&key) {
                known.insert(key, item.clone());
            }
        }
        Ok(found)
    }
}

/// Compiles definitions as the table keeps them: code, version, JSON. The first that this program cannot use
/// ends it, because its records must wait: they are neither lost nor judged by half a definition.
fn compile(definitions: Vec<(String, u32, String)>) -> Result<Items, String> {
    let mut items = Items::new();
    for (code, version, definition) in definitions {
        let item = ItemVersion::from_json(&definition)
            .and_then(|item| CompiledItem::new(Arc::new(item)))
            .map_err(|error| {
                format!(
                    "records of item {code} version {version} wait: its definition needs a newer program or a \
                     mended catalogue: {}",
                    chain(&error)
                )
            })?;
        items.insert((code, version), Arc::new(item));
    }
    Ok(items)
}

/// Judges the batch and announces each new verdict, all in the caller's transaction. A version that has
/// a verdict already keeps it and is not announced again.
///
/// Gives the positions of submissions whose content does not open, with the reason.
///
/// # Errors
/// The database's, or [`HandlerError::Transient`] while an item has not been announced.
pub async fn judge(
    conn: &mut Conn,
    desk: &Arc<Desk>,
    work: Vec<Work>,
    now: OffsetDateTime,
) -> Result<Vec<(usize, String)>, HandlerError> {
    if work.is_empty() {
        return Ok(Vec::new());
    }
    let items = desk.items(conn, &work).await?;
    let judged = decide_all(desk.clone(), items, work).await?;

    let fresh = store::insert_verdicts(conn, &judged.decisions, now).await?;
    let decisions: Vec<&Decision> = judged
        .decisions
        .iter()
        .filter(|decision| fresh.contains(&decision.submission.record_id))
        .collect();
    let cases = open_cases(conn, desk, &decisions, now).await?;
    let events: Vec<NewEvent> = decisions
        .iter()
        .map(|decision| {
            let id = decision.submission.record_id;
            let trace = judged.traces.get(&id).map_or("", String::as_str);
            event(decision, cases.get(&id), trace, now)
        })
        .collect();
    event_bus::append(conn, &events).await?;
    Ok(judged.unopened)
}

struct Judged {
    decisions: Vec<Decision>,
    /// Trace contexts by record id, of the records that are followed.
    traces: HashMap<Uuid, String>,
    unopened: Vec<(usize, String)>,
}

/// Opens, checks and seals the whole batch on a thread of its own: up to 500 records of digits and
/// ciphers would keep an async worker, and so other services of the process, waiting.
async fn decide_all(
    desk: Arc<Desk>,
    items: Items,
    work: Vec<Work>,
) -> Result<Judged, HandlerError> {
    off_the_workers(move || {
        let mut seen = HashSet::new();
        let mut judged = Judged {
            decisions: Vec::with_capacity(work.len()),
            traces: HashMap::new(),
            unopened: Vec::new(),
        };
        for Work {
            position,
            submission,
            traceparent,
        } in work
        {
            let id = submission.record_id;
            let version = &submission.version;
            // `items` holds every item of the batch; see `Desk::items`.
            let Some(item) = items.get(&(version.item_code.clone(), version.item_version)) else {
                continue;
            };
            // The same version under two event ids: judged once.
            if !seen.insert(id) {
                continue;
            }
            match decide(&desk.keyring, item, &desk.working_days, submission) {
                Ok(decision) => judged.decisions.push(decision),
                Err(error) => {
                    let reason = format!("sealed_content does not open: {}", chain(&error));
                    judged.unopened.push((position, reason));
                }
            }
            if !traceparent.is_empty() {
                judged.traces.insert(id, traceparent);
            }
        }
        judged
    })
    .await
}

/// Runs on a thread for blocking work. A panic goes on to the caller, so that the runner finds the one event
/// by halving and parks it.
pub(super) async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HandlerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(HandlerError::Transient(
            "the process is stopping".to_owned(),
        )),
    }
}

/// Opens a case for each returned version and closes those that an accepted revision has answered.
///
/// The outcome does not depend on the order in which versions arrive: a case stays open as long as no
/// higher revision of its key was accepted, and one that was answered before it came is closed at once.
async fn open_cases(
    conn: &mut Conn,
    desk: &Desk,
    decisions: &[&Decision],
    now: OffsetDateTime,
) -> Result<HashMap<Uuid, FeedbackCase>, db::Error> {
    // A first revision that passes can close nothing and opens nothing. Most are that.
    let concerned: Vec<&Decision> = decisions
        .iter()
        .copied()
        .filter(|decision| !decision.is_accepted() || decision.submission.version.revision > 1)
        .collect();
    if concerned.is_empty() {
        return Ok(HashMap::new());
    }
    store::hold_keys(conn, &concerned).await?;
    let cases: Vec<(&Submission, FeedbackCase)> = concerned
        .iter()
        .filter(|decision| !decision.is_accepted())
        .map(|decision| &decision.submission)
        .map(|submission| {
            let case = FeedbackCase::open(submission.record_id, &desk.rules, &desk.calendar, now);
            (submission, case)
        })
        .collect();
    if !cases.is_empty() {
        store::insert_cases(conn, &cases, now).await?;
    }
    store::close_answered(conn, &concerned, now).await?;
    Ok(cases
        .into_iter()
        .map(|(submission, case)| (submission.record_id, case))
        .collect())
}

/// The fact that follows from a decision.
fn event(
    decision: &Decision,
    case: Option<&FeedbackCase>,
    traceparent: &str,
    now: OffsetDateTime,
) -> NewEvent {
    let submission = &decision.submission;
    match &decision.outcome {
        Outcome::Accepted(event) => NewEvent::new(event.as_ref(), now, traceparent),
        Outcome::Returned => {
            let due = case.and_then(|case| case.due);
            let event = RecordReturned {
                version: Some(submission.version.clone()),
                received_at: Some(timestamp(submission.received_at)),
                case_id: case
                    .map(|case| case.case_id.to_string())
                    .unwrap_or_default(),
                finding_codes: decision.finding_codes(),
                due_on: due.map(|due| due.due_on.to_string()).unwrap_or_default(),
                due_provisional: due.is_some_and(|due| due.provisional),
            };
            NewEvent::new(&event, now, traceparent)
        }
    }
}
