//! The reconciler of the catalogue: what the data files hold is published, once. It has no input and
//! is idempotent, so it runs at the start and then on a timer. Called by `start`; the tests call
//! [`reconcile`] directly.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use credit_record::item::{ItemVersion, standard_items};
use event_bus::Relay;
use service_kit::{
    ServiceContext,
    clock::Clock,
    db::{Pool, is_transient},
    error::chain,
    readiness::Lane,
};

use crate::{
    Config, SERVICE,
    app::{self, Act},
    error::CatalogError,
};

/// Who published an item that came from a data file.
pub const DATA_FILE: &str = "data-file";

/// Pause before the next try when the database is away.
const RETRY: Duration = Duration::from_secs(2);

/// How long the lane may say nothing new. The reconciler reports after each run, so this only needs
/// to be above zero.
const LANE_LIMIT: Duration = Duration::from_secs(1);

/// What one reconciliation found and did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Versions published now, as `code vN`.
    pub published: Vec<String>,
    /// Versions that were published already.
    pub known: usize,
    /// What could not be published: file, item, version and why. The others were.
    pub faults: Vec<String>,
}

/// Starts the reconciler as a task of the process.
pub(crate) fn start(config: &Config, pool: &Pool, relay: &Relay, context: &ServiceContext) {
    let job = Job {
        pool: pool.clone(),
        relay: relay.clone(),
        clock: context.clock.clone(),
        items_dir: (!config.items_dir.is_empty()).then(|| PathBuf::from(&config.items_dir)),
        lane: context
            .readiness
            .lane(format!("{SERVICE} data files"), LANE_LIMIT),
    };
    let pause = Duration::from_secs(config.reconcile_seconds.max(1));
    let shutdown = context.shutdown.clone();
    context
        .shutdown
        .spawn_essential("catalog reconciler", async move {
            let mut said = Vec::new();
            loop {
                let pause = if job.run(&mut said).await {
                    pause
                } else {
                    RETRY
                };
                if shutdown.sleep(pause).await {
                    return Ok::<(), std::convert::Infallible>(());
                }
            }
        });
}

struct Job {
    pool: Pool,
    relay: Relay,
    clock: Arc<dyn Clock>,
    items_dir: Option<PathBuf>,
    lane: Lane,
}

impl Job {
    /// One run; false when the database was away. `said` are the faults already in the log.
    async fn run(&self, said: &mut Vec<String>) -> bool {
        let outcome = reconcile(&self.pool, &*self.clock, self.items_dir.as_deref()).await;
        let done = match outcome {
            Ok(done) => done,
            Err(error) => {
                let why = chain(&error);
                tracing::warn!(error = %why, "catalogue not reconciled, trying again");
                self.lane.failing(why);
                return false;
            }
        };
        for version in &done.published {
            tracing::info!(item = %version, "published from a data file");
        }
        if !done.published.is_empty() {
            self.relay.wake();
        }
        if done.faults.is_empty() {
            self.lane.oldest(None);
        } else {
            if done.faults != *said {
                for fault in &done.faults {
                    tracing::error!(%fault, "data file not published");
                }
            }
            self.lane.failing(done.faults.join("; "));
        }
        *said = done.faults;
        true
    }
}

/// Publishes the standard items and the `*.toml` files of `items_dir` that are not published yet,
/// each in its own transaction, so that one that cannot be published keeps no other back.
///
/// # Errors
/// The database is away; nothing is lost, run it again.
pub async fn reconcile(
    pool: &Pool,
    clock: &dyn Clock,
    items_dir: Option<&Path>,
) -> Result<Reconciled, CatalogError> {
    let mut done = Reconciled::default();
    let mut offers = Vec::new();
    match standard_items() {
        Ok(items) => {
            offers.extend(
                items
                    .into_iter()
                    .map(|item| ("standard items".to_owned(), item)),
            );
        }
        Err(error) => done
            .faults
            .push(format!("standard items: {}", chain(&error))),
    }
    if let Some(dir) = items_dir {
        read_dir(dir, &mut offers, &mut done.faults).await;
    }
    // Versions follow one another whatever the files are called; the sort is stable, so of two
    // files with the same version the standard one, then the first by name, is offered first.
    offers.sort_by(|(_, a), (_, b)| (&a.code, a.version).cmp(&(&b.code, b.version)));
    for (source, item) in offers {
        let version = format!("{} v{}", item.code, item.version);
        match publish(pool, &item, clock).await {
            Ok(true) => done.published.push(version),
            Ok(false) => done.known += 1,
            Err(CatalogError::Database { doing, source }) if is_transient(&source) => {
                return Err(CatalogError::Database { doing, source });
            }
            Err(error) => done
                .faults
                .push(format!("{source}: {version}: {}", chain(&error))),
        }
    }
    Ok(done)
}

async fn publish(pool: &Pool, item: &ItemVersion, clock: &dyn Clock) -> Result<bool, CatalogError> {
    let mut tx = pool
        .begin()
        .await
        .map_err(CatalogError::database("发布目录项"))?;
    let act = Act {
        by: DATA_FILE,
        at: clock.now(),
        traceparent: "",
    };
    let done = app::publish(&mut tx, item, act).await?;
    tx.commit()
        .await
        .map_err(CatalogError::database("发布目录项"))?;
    Ok(done.changed)
}

/// Reads the folder by file name. What cannot be read is a fault that names the file.
async fn read_dir(dir: &Path, offers: &mut Vec<(String, ItemVersion)>, faults: &mut Vec<String>) {
    let files = match toml_files(dir).await {
        Ok(files) => files,
        Err(error) => {
            faults.push(format!("items_dir {}: {error}", dir.display()));
            return;
        }
    };
    for file in files {
        let read = match tokio::fs::read_to_string(&file).await {
            Ok(text) => app::read_definition(&text).map_err(|error| chain(&error)),
            Err(error) => Err(error.to_string()),
        };
        match read {
            Ok(item) => offers.push((file.display().to_string(), item)),
            Err(why) => faults.push(format!("{}: {why}", file.display())),
        }
    }
}

async fn toml_files(dir: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries = tokio::fs::read_dir(dir).await?;
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
