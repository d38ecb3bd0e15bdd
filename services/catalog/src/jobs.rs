//! The reconciler of the catalogue: what the data files hold is published, once; due days follow the
//! calendar; what became overdue is announced. It has no input and is idempotent, so it runs at the start
//! and then on a timer. Called by `start`; the tests call [`reconcile_data_files`] directly.

mod cache;
mod files;
mod gauges;

use std::{path::PathBuf, sync::Arc, time::Duration};

use credit_record::item::{CodeListVersion, ItemVersion};
use event_bus::Relay;
use legal_clock::Law;
use service_kit::{
    ServiceContext,
    clock::Clock,
    db::{Pool, Tx, is_transient},
    error::error_chain,
    readiness::Lane,
};

use crate::{
    Config, SERVICE,
    app::{ActionContext, duties, items, lists},
    error::CatalogError,
};
pub use cache::ReconcilerCache;
use cache::{OfferedVersion, Versioned};
use gauges::CatalogGauges;

/// Who published what came from a data file.
pub const DATA_FILE_ACTOR: &str = "data-file";

/// Actor of what happens by the passing of time.
pub const CLOCK_ACTOR: &str = "clock";

/// Pause before the next try when the database is away.
const RETRY_PAUSE: Duration = Duration::from_secs(2);

/// How long the lane may go without a report. The reconciler reports after each run, so this only needs
/// to be above zero.
const LANE_LIMIT: Duration = Duration::from_secs(1);

/// What one reconciliation found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReconcileReport {
    /// Versions published now, as `code vN`, code lists as `list code vN`.
    pub published: Vec<String>,
    /// Versions that were published already.
    pub known: usize,
    /// What could not be published: file, item, version and why. The others were.
    pub faults: Vec<String>,
    /// Open duties whose due day moved with the calendar.
    pub moved: Vec<duties::RescheduledDuty>,
    /// Duties closed because their item has ended.
    pub closed: usize,
    /// Duties announced as overdue.
    pub overdue: usize,
}

impl ReconcileReport {
    fn has_announced(&self) -> bool {
        !self.published.is_empty() || !self.moved.is_empty() || self.closed > 0 || self.overdue > 0
    }
}

/// Starts the reconciler as a task of the process.
pub(crate) fn start(
    config: &Config,
    pool: &Pool,
    relay: &Relay,
    law: &Arc<Law>,
    context: &ServiceContext,
) {
    let job = Reconciler {
        pool: pool.clone(),
        relay: relay.clone(),
        law: Arc::clone(law),
        clock: context.clock.clone(),
        items_dir: (!config.items_dir.is_empty()).then(|| PathBuf::from(&config.items_dir)),
        lane: context
            .readiness
            .lane(format!("{SERVICE} data files"), LANE_LIMIT),
        gauges: CatalogGauges::register(&context.telemetry),
    };
    let pause = Duration::from_secs(config.reconcile_seconds.max(1));
    let shutdown = context.shutdown.clone();
    context
        .shutdown
        .spawn_essential("catalog reconciler", async move {
            let (mut cache, mut logged_faults) = (ReconcilerCache::default(), Vec::new());
            loop {
                let pause = if job.run(&mut cache, &mut logged_faults).await {
                    pause
                } else {
                    RETRY_PAUSE
                };
                if shutdown.sleep(pause).await {
                    return Ok::<(), std::convert::Infallible>(());
                }
            }
        });
}

struct Reconciler {
    pool: Pool,
    relay: Relay,
    law: Arc<Law>,
    clock: Arc<dyn Clock>,
    items_dir: Option<PathBuf>,
    lane: Lane,
    gauges: CatalogGauges,
}

impl Reconciler {
    /// One run; false when the database was away. `logged_faults` are those of the run before, in the log already.
    async fn run(&self, cache: &mut ReconcilerCache, logged_faults: &mut Vec<String>) -> bool {
        let items_dir = self.items_dir.as_deref();
        let (pool, law, clock) = (&self.pool, &*self.law, &*self.clock);
        let done = match reconcile_with(cache, pool, law, clock, items_dir).await {
            Ok(done) => done,
            Err(error) => {
                let why = error_chain(&error);
                tracing::warn!(error = %why, "catalogue not reconciled, trying again");
                self.lane.report_failure(why);
                return false;
            }
        };
        for version in &done.published {
            tracing::info!(version = %version, "published from a data file");
        }
        for (item, old, new) in &done.moved {
            tracing::warn!(%item, %old, %new, "due day of a duty computed again");
        }
        if done.has_announced() {
            self.relay.wake();
        }
        if done.faults.is_empty() {
            self.lane.report_age(None);
        } else {
            if done.faults != *logged_faults {
                for fault in &done.faults {
                    tracing::error!(%fault, "data file not published");
                }
            }
            self.lane.report_failure(done.faults.join("; "));
        }
        *logged_faults = done.faults;
        if let Err(error) = self
            .gauges
            .refresh_counts(&self.pool, self.clock.now())
            .await
        {
            tracing::warn!(error = %error_chain(&error), "duties and drafts cannot be counted");
        }
        true
    }
}

/// Publishes the standard code lists and items and the `*.toml` files of `items_dir` that are not published yet,
/// each in its own transaction, so that one that cannot be published does not block the others; then lets the duties
/// follow calendar and clock.
///
/// # Errors
/// The database is away; nothing is lost, run it again.
pub async fn reconcile_data_files(
    pool: &Pool,
    law: &Law,
    clock: &dyn Clock,
    items_dir: Option<&std::path::Path>,
) -> Result<ReconcileReport, CatalogError> {
    reconcile_with(&mut ReconcilerCache::default(), pool, law, clock, items_dir).await
}

/// As [`reconcile_data_files`]; what `cache` knows to be published is neither compiled nor offered again.
///
/// # Errors
/// As [`reconcile_data_files`].
pub async fn reconcile_with(
    cache: &mut ReconcilerCache,
    pool: &Pool,
    law: &Law,
    clock: &dyn Clock,
    items_dir: Option<&std::path::Path>,
) -> Result<ReconcileReport, CatalogError> {
    let mut done = ReconcileReport::default();
    let mut found = files::DataFiles::default();
    if let Some(dir) = items_dir {
        found = files::read_folder(dir).await;
        done.faults.append(&mut found.faults);
    }
    let there = found.lists.iter().chain(&found.items);
    cache.retain_files(there.map(|(_, text)| text));
    publish_lists(pool, clock, found.lists, cache, &mut done).await?;
    publish_items(pool, clock, found.items, cache, &mut done).await?;
    let act = ActionContext {
        by: CLOCK_ACTOR,
        at: clock.now(),
        traceparent: "",
    };
    let mut tx = begin(pool).await?;
    done.moved = duties::reschedule_duties(&mut tx, law, act).await?;
    commit(tx).await?;
    // Before overdue duties are marked: a duty that is closed by its item's end is not overdue.
    loop {
        let mut tx = begin(pool).await?;
        let closed = duties::close_for_ended_items(&mut tx, act).await?;
        commit(tx).await?;
        done.closed += closed;
        if closed == 0 {
            break;
        }
    }
    loop {
        let mut tx = begin(pool).await?;
        let announced = duties::announce_overdue(&mut tx, act).await?;
        commit(tx).await?;
        done.overdue += announced;
        if announced == 0 {
            return Ok(done);
        }
    }
}

async fn publish_lists(
    pool: &Pool,
    clock: &dyn Clock,
    files: Vec<(String, String)>,
    cache: &mut ReconcilerCache,
    done: &mut ReconcileReport,
) -> Result<(), CatalogError> {
    let mut offers = Vec::new();
    match cache.standard_definitions().await {
        Ok(standard) => {
            offers = cache.list_unpublished("standard code lists", &standard.lists);
            done.known += standard.lists.len() - offers.len();
        }
        Err(error) => done
            .faults
            .push(format!("standard: {}", fault_text(error)?)),
    }
    for (source, text) in unknown_files(files, cache, done) {
        let read = lists::read_definition(&text).await;
        offers.extend(offer_of_file(source, text, read, done)?);
    }
    sort_offers(&mut offers);
    for offer in offers {
        let name = format!("list {} v{}", offer.version.code, offer.version.version);
        let outcome = publish_list(pool, clock, &offer.version).await;
        record_outcome(done, cache, &offer, name, outcome)?;
    }
    Ok(())
}

async fn publish_items(
    pool: &Pool,
    clock: &dyn Clock,
    files: Vec<(String, String)>,
    cache: &mut ReconcilerCache,
    done: &mut ReconcileReport,
) -> Result<(), CatalogError> {
    let mut offers = Vec::new();
    // `publish_lists` has recorded why it cannot be read.
    if let Ok(standard) = cache.standard_definitions().await {
        offers = cache.list_unpublished("standard items", &standard.items);
        done.known += standard.items.len() - offers.len();
    }
    for (source, text) in unknown_files(files, cache, done) {
        let read = read_item(pool, &text).await;
        offers.extend(offer_of_file(source, text, read, done)?);
    }
    sort_offers(&mut offers);
    for offer in offers {
        let name = format!("{} v{}", offer.version.code, offer.version.version);
        let outcome = publish_item(pool, clock, &offer.version).await;
        record_outcome(done, cache, &offer, name, outcome)?;
    }
    Ok(())
}

/// The files whose text is not known to be published.
fn unknown_files(
    mut files: Vec<(String, String)>,
    cache: &ReconcilerCache,
    done: &mut ReconcileReport,
) -> Vec<(String, String)> {
    let all = files.len();
    files.retain(|(_, text)| !cache.knows_file(text));
    done.known += all - files.len();
    files
}

/// What a file offers, or a fault with the name of the file.
fn offer_of_file<T>(
    source: String,
    text: String,
    read: Result<T, CatalogError>,
    done: &mut ReconcileReport,
) -> Result<Option<OfferedVersion<T>>, CatalogError> {
    match read {
        Ok(version) => Ok(Some(OfferedVersion {
            source,
            text: Some(text),
            version,
        })),
        Err(error) => {
            done.faults
                .push(format!("{source}: {}", fault_text(error)?));
            Ok(None)
        }
    }
}

/// Versions follow one another whatever the files are called; the sort is stable, so of two files with the same
/// version the standard one, then the first by name, is offered first.
fn sort_offers<T: Versioned>(offers: &mut [OfferedVersion<T>]) {
    offers.sort_by_key(|offer| offer.version.key());
}

/// Reads an item without a transaction, and compiles its rules without a connection.
async fn read_item(pool: &Pool, text: &str) -> Result<ItemVersion, CatalogError> {
    let conn = pool
        .acquire()
        .await
        .map_err(CatalogError::database("核对目录"))?;
    items::read_definition(conn, text).await
}

/// Records the outcome of an offered version in report and cache.
///
/// # Errors
/// The database is away.
fn record_outcome<T: Versioned>(
    done: &mut ReconcileReport,
    cache: &mut ReconcilerCache,
    offer: &OfferedVersion<T>,
    version: String,
    outcome: Result<bool, CatalogError>,
) -> Result<(), CatalogError> {
    if outcome.is_ok() {
        cache.mark_published(offer);
    }
    let source = &offer.source;
    match outcome {
        Ok(true) => done.published.push(version),
        Ok(false) => done.known += 1,
        Err(error) => done
            .faults
            .push(format!("{source}: {version}: {}", fault_text(error)?)),
    }
    Ok(())
}

/// The text of a fault; a transient database error is returned as an error.
fn fault_text(error: CatalogError) -> Result<String, CatalogError> {
    match error {
        CatalogError::Database { doing, source } if is_transient(&source) => {
            Err(CatalogError::Database { doing, source })
        }
        error => Ok(error_chain(&error)),
    }
}

async fn publish_list(
    pool: &Pool,
    clock: &dyn Clock,
    list: &CodeListVersion,
) -> Result<bool, CatalogError> {
    let mut tx = begin(pool).await?;
    let done = lists::publish_code_list(&mut tx, list, file_action(clock)).await?;
    commit(tx).await?;
    Ok(done.changed)
}

async fn publish_item(
    pool: &Pool,
    clock: &dyn Clock,
    item: &ItemVersion,
) -> Result<bool, CatalogError> {
    let mut tx = begin(pool).await?;
    let done = items::publish_item_version(&mut tx, item, None, file_action(clock)).await?;
    commit(tx).await?;
    Ok(done.changed)
}

fn file_action(clock: &dyn Clock) -> ActionContext<'static> {
    ActionContext {
        by: DATA_FILE_ACTOR,
        at: clock.now(),
        traceparent: "",
    }
}

async fn begin(pool: &Pool) -> Result<Tx, CatalogError> {
    pool.begin()
        .await
        .map_err(CatalogError::database("核对目录"))
}

async fn commit(tx: Tx) -> Result<(), CatalogError> {
    tx.commit()
        .await
        .map_err(CatalogError::database("核对目录"))
}
