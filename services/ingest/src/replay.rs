//! Tries a definition out over stored originals: what would change, by provider and rule, before it is
//! activated. `grpc` calls [`Replays::start`].
//!
//! - `request`: what is asked, checked for form;
//! - `judging`: one page of originals, opened and judged by both definitions, off the async workers;
//! - `calendar`: the working days that rules count by;
//! - `encode`: the report as messages.
//!
//! Nothing is written but the row that says who read what and why, and that is committed before the
//! first original is read. Originals are read in pages, so memory does not grow with their
//! number, and a caller that goes away ends it at the next page.

mod calendar;
mod encode;
mod judging;
mod request;

use std::{collections::BTreeMap, sync::Arc};

use credit_record::{CompiledItem, ItemVersion, WorkingDays, replay::Report};
use legal_clock::{Calendar, CalendarError};
use proto::credit::ingest::v1::{
    PublishedVersion, ReplayProgress, ReplayReport, ReplayRulesRequest, ReplayRulesResponse,
    SkippedOriginals, replay_rules_response::Step,
};
use service_kit::{
    ServiceContext,
    db::Pool,
    error::{Refusal, chain, database, internal},
    identity::Principal,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{store, writer::stopping};
use calendar::PublishedDays;
use judging::{Bench, Judged};
use request::Offered;
pub use request::Scope;

/// Originals of one page.
const PAGE_RECORDS: i64 = 500;
/// Rows of one page that are looked at where a filter leaves some out: with it a page, and so the time between
/// two steps of progress, stays short however few originals are asked for.
const PAGE_SCANNED: i64 = 5000;
/// Sealed bytes of one page; a single original is never larger.
const PAGE_BYTES: i64 = 32 * 1024 * 1024;

/// Messages on their way to the caller.
pub type Steps = mpsc::Receiver<Result<ReplayRulesResponse, Status>>;

/// The replays of a process. Cheap to clone.
#[derive(Clone)]
pub struct Replays {
    pool: Pool,
    context: ServiceContext,
    working_days: Arc<dyn WorkingDays>,
    /// How many may run at once: each keeps a core busy.
    slots: Arc<Semaphore>,
}

impl std::fmt::Debug for Replays {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replays")
            .field("free", &self.slots.available_permits())
            .finish_non_exhaustive()
    }
}

/// What a replay needs, once it is allowed to read.
struct Run {
    pool: Pool,
    context: ServiceContext,
    bench: Arc<Bench>,
    scope: Scope,
    access_id: Uuid,
    slot: Slot,
}

/// One of the replays that may run at the same time. Whatever works for a replay holds it, also a thread that
/// goes on after the caller has gone away: it keeps a core busy all the same.
type Slot = Arc<OwnedSemaphorePermit>;

/// What a run has found so far.
#[derive(Default)]
struct Found {
    report: Report,
    read: u64,
    limited: bool,
    /// Originals without a definition to compare with: reason and count by version.
    skipped: BTreeMap<u32, u64>,
    unopened: Vec<Uuid>,
    unopened_count: u64,
}

impl Replays {
    /// With at most `at_once` running at the same time.
    ///
    /// # Errors
    /// [`CalendarError`] when the calendar that ships with the program is broken.
    pub fn new(pool: Pool, context: ServiceContext, at_once: usize) -> Result<Self, CalendarError> {
        Ok(Self {
            pool,
            context,
            working_days: Arc::new(PublishedDays::new(&Calendar::builtin()?)),
            slots: Arc::new(Semaphore::new(at_once.max(1))),
        })
    }

    /// Checks what is asked, logs the access, and starts to read. The run ends by itself, with the
    /// receiver, or with the process.
    ///
    /// # Errors
    /// A status that names field and rule; nothing was read then.
    pub async fn start(
        &self,
        principal: &Principal,
        request: ReplayRulesRequest,
    ) -> Result<Steps, Status> {
        let now = self.context.clock.now();
        let (offered, scope) = request::check(request, now)?;
        let slot = self.slots.clone().try_acquire_owned().map_err(|_| {
            Refusal::field(
                Code::ResourceExhausted,
                "REPLAYS_BUSY",
                "",
                "only a few replays run at the same time",
                "正在进行的规则试算已达上限，请待其结束后再试",
            )
        })?;
        let slot: Slot = Arc::new(slot);
        let (bench, definition) = self.bench(&slot, offered).await?;
        let item = bench.offered().item();
        // No provider and no item is called by a text with NUL, which the database does not take.
        if !scope.provider_code.is_empty()
            && (scope.provider_code.contains('\0')
                || !store::provider_exists(&self.pool, &scope.provider_code)
                    .await
                    .map_err(|error| database("查询信息提供主体", &error))?)
        {
            return Err(Refusal::field(
                Code::NotFound,
                "PROVIDER_UNKNOWN",
                "provider_code",
                "a provider of the registry, or empty",
                "没有登记该信息提供主体",
            )
            .into());
        }
        let access_id = Uuid::now_v7();
        let seal = |text: &str| {
            self.context
                .keyring
                .seal(access_id.as_bytes(), text.as_bytes())
        };
        let access = store::Access {
            access_id,
            accessed_at: now,
            organisation: &principal.organisation,
            sealed_account: seal(&principal.account),
            sealed_reason: seal(&scope.reason),
            item_code: &item.code,
            item_version: item.version as i32,
            sealed_definition: seal(&definition),
            definition_sha256: vault::sha256(definition.as_bytes()),
            scope: &scope,
        };
        store::log_access(&self.pool, &access)
            .await
            .map_err(|error| database("登记原始记录查阅日志", &error))?;
        tracing::info!(%access_id, item = %item.code, version = item.version, "rules are replayed over originals");
        let run = Run {
            pool: self.pool.clone(),
            context: self.context.clone(),
            bench: Arc::new(bench),
            scope,
            access_id,
            slot,
        };
        // One step waits for its reader: a slow caller holds the run back.
        let (sender, steps) = mpsc::channel(1);
        tokio::spawn(async move { run.tell(sender).await });
        Ok(steps)
    }

    /// The definition offered and those of the versions that originals are pinned to, compiled; and the
    /// text of the one offered.
    async fn bench(&self, slot: &Slot, offered: Offered) -> Result<(Bench, String), Status> {
        let (offered, text) = match offered {
            Offered::Toml(text) => {
                let (offered, text) = off_the_workers(slot, move || {
                    let item = ItemVersion::from_toml(&text).and_then(compiled);
                    (item.map_err(|error| request::unusable(&error)), text)
                })
                .await?;
                (offered?, text)
            }
            Offered::Published(version) => self.published(slot, version).await?,
        };
        let code = offered.item().code.clone();
        let versions = store::definitions(&self.pool, &code)
            .await
            .map_err(|error| database("读取事项定义", &error))?;
        let working_days = self.working_days.clone();
        let keyring = self.context.keyring.clone();
        let bench = off_the_workers(slot, move || {
            let pinned = versions.into_iter().map(|(version, definition)| {
                let Some(definition) = definition else {
                    let why = "该版本的定义在本系统登记之前发布，未保存".to_owned();
                    return (version, Err(why));
                };
                let item = ItemVersion::from_json(&definition).and_then(compiled);
                let item = item.map_err(|error| {
                    tracing::warn!(version, error = %chain(&error), "a kept definition cannot be used");
                    "该版本的定义本程序无法使用".to_owned()
                });
                (version, item)
            });
            Bench::new(keyring, working_days, offered, pinned.collect())
        })
        .await?;
        Ok((bench, text))
    }

    async fn published(
        &self,
        slot: &Slot,
        wanted: PublishedVersion,
    ) -> Result<(CompiledItem, String), Status> {
        let refuse = |code, reason, rule, message: &str| {
            Status::from(Refusal::field(code, reason, "published", rule, message))
        };
        let unknown = || {
            refuse(
                Code::NotFound,
                "ITEM_VERSION_UNKNOWN",
                "a published version of an item",
                "没有该事项或者该版本",
            )
        };
        if wanted.item_code.contains('\0') {
            return Err(unknown());
        }
        let versions = store::definitions(&self.pool, &wanted.item_code)
            .await
            .map_err(|error| database("读取事项定义", &error))?;
        let found = versions
            .into_iter()
            .find(|(version, _)| *version == wanted.item_version);
        let Some((_, definition)) = found else {
            return Err(unknown());
        };
        let Some(text) = definition else {
            return Err(refuse(
                Code::FailedPrecondition,
                "DEFINITION_UNKNOWN",
                "a version whose definition is kept here",
                "该版本发布时未保存定义，请改为提交定义文本",
            ));
        };
        let (item, text) = off_the_workers(slot, move || {
            (ItemVersion::from_json(&text).and_then(compiled), text)
        })
        .await?;
        let item = item.map_err(|error| {
            tracing::warn!(error = %chain(&error), "a kept definition cannot be used");
            refuse(
                Code::FailedPrecondition,
                "DEFINITION_UNUSABLE",
                "a version whose definition this program can use",
                "该版本的定义本程序无法使用",
            )
        })?;
        Ok((item, text))
    }
}

fn compiled(item: ItemVersion) -> Result<CompiledItem, credit_record::item::ItemError> {
    CompiledItem::new(Arc::new(item))
}

/// Runs on a thread for blocking work: ciphers and rules would keep the async workers waiting. The thread
/// holds the slot until it is done, because nothing can stop it.
async fn off_the_workers<T: Send + 'static>(
    slot: &Slot,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Status> {
    let slot = slot.clone();
    let work = move || {
        let done = work();
        drop(slot);
        done
    };
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| internal("规则试算", &error))
}

impl Run {
    /// Reads to the end, or until the caller has gone away or the process stops.
    async fn tell(self, steps: mpsc::Sender<Result<ReplayRulesResponse, Status>>) {
        let outcome = tokio::select! {
            // A page that is being judged is finished on its thread and thrown away.
            () = steps.closed() => return,
            () = self.context.shutdown.requested() => Err(stopping().into()),
            outcome = self.read_all(&steps) => outcome,
        };
        let last = outcome.map(|found| step(Step::Report(self.report(found))));
        // A caller that has gone away needs no report.
        let _ = steps.send(last).await;
    }

    async fn read_all(
        &self,
        steps: &mpsc::Sender<Result<ReplayRulesResponse, Status>>,
    ) -> Result<Found, Status> {
        let mut found = Found::default();
        for provider in self.providers().await? {
            let mut after = store::PageStart::default();
            loop {
                let left = self.scope.limit.map(|limit| limit - found.read);
                if left == Some(0) {
                    found.limited = true;
                    return Ok(found);
                }
                let most = left.map_or(PAGE_RECORDS, |left| {
                    i64::try_from(left)
                        .unwrap_or(PAGE_RECORDS)
                        .min(PAGE_RECORDS)
                });
                let size = store::PageSize {
                    records: most,
                    bytes: PAGE_BYTES,
                    scanned: PAGE_SCANNED,
                };
                let item = &self.bench.offered().item().code;
                let page =
                    store::originals_page(&self.pool, &provider, item, &self.scope, after, size)
                        .await
                        .map_err(|error| database("读取原始记录", &error))?;
                let originals = page.originals;
                let next = page.next;
                if originals.is_empty() && next.is_none() {
                    break;
                }
                let (bench, of) = (self.bench.clone(), provider.clone());
                let judged =
                    off_the_workers(&self.slot, move || bench.judge(&of, originals)).await?;
                found.add(judged);
                // Also after a page without a match: the caller sees that it goes on.
                let progress = ReplayProgress {
                    read: found.read,
                    provider_code: provider.clone(),
                };
                // A caller that has gone away ends the run, see `tell`.
                let _ = steps.send(Ok(step(Step::Progress(progress)))).await;
                match next {
                    Some(next) => after = next,
                    None => break,
                }
            }
        }
        Ok(found)
    }

    async fn providers(&self) -> Result<Vec<String>, Status> {
        if !self.scope.provider_code.is_empty() {
            return Ok(vec![self.scope.provider_code.clone()]);
        }
        let totals = store::totals(&self.pool)
            .await
            .map_err(|error| database("读取信息提供主体", &error))?;
        Ok(totals.into_iter().map(|t| t.provider_code).collect())
    }

    fn report(&self, found: Found) -> ReplayReport {
        let item = self.bench.offered().item();
        let skipped = found
            .skipped
            .iter()
            .map(|(version, count)| SkippedOriginals {
                item_version: *version,
                reason: self.bench.why_skipped(*version).to_owned(),
                count: *count,
            });
        ReplayReport {
            access_id: self.access_id.to_string(),
            item_code: item.code.clone(),
            item_version: item.version,
            read: found.read,
            limited: found.limited,
            skipped: skipped.collect(),
            unopened: Some(encode::named(found.unopened_count, &found.unopened)),
            total: Some(encode::changes(&found.report.total(), encode::IN_TOTAL)),
            providers: encode::providers(&found.report),
        }
    }
}

impl Found {
    fn add(&mut self, page: Judged) {
        self.read += page.read;
        self.report.merge(page.report);
        for (version, count) in page.skipped {
            *self.skipped.entry(version).or_default() += count;
        }
        self.unopened_count += page.unopened.len() as u64;
        let room = encode::IN_TOTAL.saturating_sub(self.unopened.len());
        self.unopened.extend(page.unopened.into_iter().take(room));
    }
}

fn step(step: Step) -> ReplayRulesResponse {
    ReplayRulesResponse { step: Some(step) }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    #[tokio::test]
    async fn a_slot_is_taken_until_the_thread_is_done_whoever_has_gone_away() {
        let slots = Arc::new(Semaphore::new(1));
        let slot: Slot = Arc::new(slots.clone().try_acquire_owned().unwrap());
        let (started, has_started) = tokio::sync::oneshot::channel();
        let (go_on, may_go_on) = channel::<()>();
        let caller = tokio::spawn(async move {
            let work = move || {
                let _ = started.send(());
                let _ = may_go_on.recv();
            };
            off_the_workers(&slot, work).await
        });
        has_started.await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        // Nobody waits for the work any more, and it still keeps its core.
        assert_eq!(slots.available_permits(), 0);
        go_on.send(()).unwrap();
        let _free = slots.acquire().await.unwrap();
    }
}
