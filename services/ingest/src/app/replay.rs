//! The use case of `ReplayRules`: tries a definition out over stored originals, what would change, by provider and rule,
//! before it is activated. Called by `grpc`.
//!
//! Nothing is written but the row that records who read what and why, and that is committed before the first original
//! is read. Originals are read in pages, so memory does not grow with their number, and a caller that
//! disconnects ends it at the next page. `comparison` judges one page by both definitions, on the blocking pool.

mod comparison;

use std::{collections::BTreeMap, sync::Arc};

use credit_record::{CompiledItem, ItemVersion, item::ItemError, replay::RuleReplayReport};
use legal_clock::WorkingDays;
use record_ref::{ItemCode, ItemRef, Malformed, ProviderCode, VersionId};
use service_kit::{
    ServiceContext,
    blocking::{BlockingError, Stopping, try_blocking},
    db::Pool,
    error::error_chain,
    identity::Principal,
};
use time::{Date, OffsetDateTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use uuid::Uuid;

use crate::{error::IngestError, store};
use comparison::{ComparedPage, DefinitionComparer};

/// Originals of one page.
const PAGE_RECORDS: i64 = 500;
/// Rows of one page that are scanned where a filter leaves some out: with it a page, and so the time between two steps
/// of progress, stays short however few originals are asked for.
const PAGE_SCANNED: i64 = 5000;
/// Sealed bytes of one page; a single original is never larger.
const PAGE_BYTES: i64 = 32 * 1024 * 1024;
/// Originals that do not open and are named.
const UNOPENED_NAMED: usize = 10;

/// The definition that is tried out.
#[derive(Debug)]
pub enum OfferedDefinition {
    /// Text of a data file.
    Toml(String),
    /// A version of the catalogue.
    Published {
        /// Of which item.
        code: ItemCode,
        /// Its number.
        version: u32,
    },
}

/// Which originals, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplayScope {
    /// Why they are read.
    pub reason: String,
    /// Of this provider only; `None`: of all.
    pub provider: Option<ProviderCode>,
    /// First day of receipt, as given.
    pub received_from: Option<Date>,
    /// Last day of receipt, as given.
    pub received_to: Option<Date>,
    /// Received at this instant or later; `None`: from the beginning.
    pub not_before: Option<OffsetDateTime>,
    /// Received at this instant or earlier: what arrives while it runs is not read.
    pub not_after: OffsetDateTime,
    /// Pinned to one of these versions; empty: to any.
    pub pinned_versions: Vec<i32>,
    /// Most originals to read.
    pub limit: Option<u64>,
}

/// One step of a replay.
#[derive(Debug)]
pub enum ReplayStep {
    /// A page more was read.
    Progress {
        /// Originals read so far.
        read: u64,
        /// Of whom the last ones were.
        provider: ProviderCode,
    },
    /// The end.
    Finished(Box<ReplayResult>),
}

/// What a replay has found.
#[derive(Debug)]
pub struct ReplayResult {
    /// The line of the log that says who had it done.
    pub access_id: Uuid,
    /// Item and version of the definition that was tried out.
    pub item: ItemRef,
    /// What was added up.
    pub totals: ReplayTotals,
    /// Why originals of a version were not compared, by version.
    pub why_skipped: BTreeMap<u32, String>,
}

/// What a run has added up.
#[derive(Debug, Default)]
pub struct ReplayTotals {
    /// What would change.
    pub report: RuleReplayReport,
    /// Originals read.
    pub read: u64,
    /// Whether it ended at the most that were asked for.
    pub limited: bool,
    /// Originals without a definition to compare with, by version.
    pub skipped: BTreeMap<u32, u64>,
    /// Some of the originals that do not open.
    pub unopened: Vec<VersionId>,
    /// How many do not open.
    pub unopened_count: u64,
}

/// Steps in flight to the caller.
pub type ReplaySteps = mpsc::Receiver<Result<ReplayStep, IngestError>>;

type StepSender = mpsc::Sender<Result<ReplayStep, IngestError>>;

/// The replays of a process. Cheap to clone.
#[derive(Clone)]
pub struct Replays {
    pool: Pool,
    context: ServiceContext,
    working_days: Arc<dyn WorkingDays>,
    /// How many may run at once: each keeps a core busy.
    permits: Arc<Semaphore>,
}

impl std::fmt::Debug for Replays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replays")
            .field("free", &self.permits.available_permits())
            .finish_non_exhaustive()
    }
}

/// What a replay needs, once it is allowed to read.
struct ReplayRun {
    pool: Pool,
    context: ServiceContext,
    comparer: Arc<DefinitionComparer>,
    scope: ReplayScope,
    access_id: Uuid,
    permit: ReplayPermit,
}

/// Permit to run one of the replays that may run at once. Whatever works for a replay holds it, also a thread that goes
/// on after the caller has disconnected: it keeps a core busy all the same.
type ReplayPermit = Arc<OwnedSemaphorePermit>;

impl Replays {
    /// With at most `at_once` running at the same time. Rules count by `working_days`, both definitions by the same, so
    /// that a difference comes from the rules alone.
    pub fn new(
        pool: Pool,
        context: ServiceContext,
        working_days: Arc<dyn WorkingDays>,
        at_once: usize,
    ) -> Self {
        Self {
            pool,
            context,
            working_days,
            permits: Arc::new(Semaphore::new(at_once.max(1))),
        }
    }

    /// Compiles the definitions, logs the access, and starts to read. The run ends by itself, with the
    /// receiver, or with the process.
    ///
    /// # Errors
    /// What does not allow it; nothing was read then.
    pub async fn replay_rules(
        &self,
        principal: &Principal,
        offered: OfferedDefinition,
        scope: ReplayScope,
        now: OffsetDateTime,
    ) -> Result<ReplaySteps, IngestError> {
        let permit = self.permits.clone().try_acquire_owned();
        let permit: ReplayPermit = Arc::new(permit.map_err(|_| IngestError::ReplaysBusy)?);
        let (comparer, definition) = self.compile_definitions(&permit, offered).await?;
        if let Some(provider) = &scope.provider
            && !store::provider_exists(&self.pool, provider)
                .await
                .map_err(IngestError::database("查询信息提供主体"))?
        {
            return Err(IngestError::ProviderUnknown);
        }
        let access_id = Uuid::now_v7();
        let keyring = &self.context.keyring;
        let seal = |text: &str| keyring.seal(access_id.as_bytes(), text.as_bytes());
        let entry = store::ReplayAccessEntry {
            access_id,
            accessed_at: now,
            organisation: &principal.organisation,
            sealed_account: seal(&principal.account),
            sealed_reason: seal(&scope.reason),
            item: comparer.item(),
            sealed_definition: seal(&definition),
            definition_sha256: vault::sha256(definition.as_bytes()),
            scope: &scope,
        };
        store::log_replay_access(&self.pool, &entry)
            .await
            .map_err(IngestError::database("登记原始记录查阅日志"))?;
        tracing::info!(%access_id, item = %comparer.item(), "rules are replayed over originals");
        let run = ReplayRun {
            pool: self.pool.clone(),
            context: self.context.clone(),
            comparer: Arc::new(comparer),
            scope,
            access_id,
            permit,
        };
        // The channel holds one step: a slow caller holds the run back.
        let (sender, steps) = mpsc::channel(1);
        tokio::spawn(async move { run.run_to_end(sender).await });
        Ok(steps)
    }

    /// The definition offered and those of the versions that originals are pinned to, compiled; and the
    /// text of the one offered.
    async fn compile_definitions(
        &self,
        permit: &ReplayPermit,
        offered: OfferedDefinition,
    ) -> Result<(DefinitionComparer, String), IngestError> {
        let (offered, text) = match offered {
            OfferedDefinition::Toml(text) => {
                let compile = move || (ItemVersion::from_toml(&text).and_then(compiled), text);
                let (item, text) = run_with_permit(permit, compile).await?;
                (item.map_err(IngestError::Definition)?, text)
            }
            OfferedDefinition::Published { code, version } => {
                self.compile_published(permit, &code, version).await?
            }
        };
        let item = offered_item_ref(offered.item()).map_err(IngestError::DefinitionUnnamed)?;
        let versions = store::load_definitions(&self.pool, &item.code)
            .await
            .map_err(IngestError::database("读取事项定义"))?;
        let working_days = self.working_days.clone();
        let keyring = self.context.keyring.clone();
        let compile = move || {
            let pinned = versions.into_iter().map(|(version, definition)| {
                let Some(definition) = definition else {
                    let why = "该版本的定义在本系统登记之前发布，未保存".to_owned();
                    return (version, Err(why));
                };
                let item = ItemVersion::from_json(&definition).and_then(compiled);
                let item = item.map_err(|error| {
                    tracing::warn!(version, error = %error_chain(&error), "a kept definition cannot be used");
                    "该版本的定义本程序无法使用".to_owned()
                });
                (version, item)
            });
            DefinitionComparer::new(keyring, working_days, item, offered, pinned.collect())
        };
        Ok((run_with_permit(permit, compile).await?, text))
    }

    async fn compile_published(
        &self,
        permit: &ReplayPermit,
        code: &ItemCode,
        version: u32,
    ) -> Result<(CompiledItem, String), IngestError> {
        let mut versions = store::load_definitions(&self.pool, code)
            .await
            .map_err(IngestError::database("读取事项定义"))?;
        if versions.is_empty() {
            return Err(IngestError::PublishedItemUnknown);
        }
        let text = versions
            .remove(&version)
            .ok_or(IngestError::PublishedVersionUnknown)?
            .ok_or(IngestError::DefinitionUnknown)?;
        let compile = move || (ItemVersion::from_json(&text).and_then(compiled), text);
        let (item, text) = run_with_permit(permit, compile).await?;
        Ok((item.map_err(IngestError::DefinitionUnusable)?, text))
    }
}

fn offered_item_ref(item: &ItemVersion) -> Result<ItemRef, Malformed> {
    ItemRef::new(item.code.parse()?, item.version)
}

fn compiled(item: ItemVersion) -> Result<CompiledItem, ItemError> {
    CompiledItem::new(Arc::new(item))
}

/// Runs CPU-bound work on the blocking pool, so that ciphers and rules do not block the async workers. The thread holds
/// the permit until it is done, because nothing can stop it.
async fn run_with_permit<T: Send + 'static>(
    permit: &ReplayPermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, BlockingError> {
    let permit = permit.clone();
    let work = move || {
        let done = work();
        drop(permit);
        done
    };
    try_blocking(work).await
}

impl ReplayRun {
    /// Reads to the end, or until the caller has disconnected or the process stops.
    async fn run_to_end(self, steps: StepSender) {
        let outcome = tokio::select! {
            // A page that is being judged is finished on its thread and thrown away.
            () = steps.closed() => return,
            () = self.context.shutdown.wait_requested() => Err(Stopping.into()),
            outcome = self.read_all(&steps) => outcome,
        };
        let last = outcome.map(|totals| ReplayStep::Finished(Box::new(self.result(totals))));
        // A caller that has disconnected needs no report.
        let _ = steps.send(last).await;
    }

    async fn read_all(&self, steps: &StepSender) -> Result<ReplayTotals, IngestError> {
        let mut totals = ReplayTotals::default();
        for provider in self.providers().await? {
            let mut after = store::ReplayPageStart::default();
            loop {
                let left = self.scope.limit.map(|limit| limit - totals.read);
                if left == Some(0) {
                    totals.limited = true;
                    return Ok(totals);
                }
                let most = left.map_or(PAGE_RECORDS, |left| {
                    i64::try_from(left)
                        .unwrap_or(PAGE_RECORDS)
                        .min(PAGE_RECORDS)
                });
                let size = store::ReplayPageSize {
                    records: most,
                    bytes: PAGE_BYTES,
                    scanned: PAGE_SCANNED,
                };
                let (item, scope) = (&self.comparer.item().code, &self.scope);
                let page =
                    store::load_originals_page(&self.pool, &provider, item, scope, after, size)
                        .await
                        .map_err(IngestError::database("读取原始记录"))?;
                let originals = page.originals;
                let next = page.next;
                if originals.is_empty() && next.is_none() {
                    break;
                }
                let comparer = self.comparer.clone();
                let compare = move || comparer.compare_page(provider, originals);
                totals.add(run_with_permit(&self.permit, compare).await?);
                // Also after a page without a match: the caller sees that it goes on.
                let progress = ReplayStep::Progress {
                    read: totals.read,
                    provider,
                };
                // A caller that has disconnected ends the run, see `run_to_end`.
                let _ = steps.send(Ok(progress)).await;
                match next {
                    Some(next) => after = next,
                    None => break,
                }
            }
        }
        Ok(totals)
    }

    async fn providers(&self) -> Result<Vec<ProviderCode>, IngestError> {
        if let Some(provider) = self.scope.provider {
            return Ok(vec![provider]);
        }
        let failed = || IngestError::database("读取信息提供主体");
        let mut conn = self.pool.acquire().await.map_err(failed())?;
        let totals = store::reads::load_provider_totals(&mut conn)
            .await
            .map_err(failed())?;
        Ok(totals.into_iter().map(|t| t.provider).collect())
    }

    fn result(&self, totals: ReplayTotals) -> ReplayResult {
        let why = |version: &u32| (*version, self.comparer.why_skipped(*version).to_owned());
        ReplayResult {
            access_id: self.access_id,
            item: self.comparer.item().clone(),
            why_skipped: totals.skipped.keys().map(why).collect(),
            totals,
        }
    }
}

impl ReplayTotals {
    fn add(&mut self, page: ComparedPage) {
        self.read += page.read;
        self.report.merge(page.report);
        for (version, count) in page.skipped {
            *self.skipped.entry(version).or_default() += count;
        }
        self.unopened_count += page.unopened.len() as u64;
        let room = UNOPENED_NAMED.saturating_sub(self.unopened.len());
        self.unopened.extend(page.unopened.into_iter().take(room));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn a_permit_is_taken_until_the_thread_is_done_whoever_has_gone_away() {
        let permits = Arc::new(Semaphore::new(1));
        let permit: ReplayPermit = Arc::new(permits.clone().try_acquire_owned().unwrap());
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (go_on, may_go_on) = channel::<()>();
        let caller = tokio::spawn(async move {
            let work = move || {
                let _ = started.send(());
                let _ = may_go_on.recv();
            };
            run_with_permit(&permit, work).await
        });
        has_started.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        // Nobody waits for the work any more, and it still keeps its core.
        assert_eq!(permits.available_permits(), 0);
        go_on.send(()).unwrap();
        let _free = permits.acquire().await.unwrap();
    }
}
