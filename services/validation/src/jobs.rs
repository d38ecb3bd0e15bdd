//! The background jobs, started by `lib.rs`: reminds of cases by the clock; counts open and overdue feedback
//! cases for `/metrics`, so that none is overdue unnoticed; and checks all definitions once, so that a program
//! that cannot use one reports that before a record needs it.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use event_bus::{HandlerError, Relay};
use legal_clock::shanghai_date;
use prometheus_client::metrics::gauge::Gauge;
use service_kit::{
    ServiceContext,
    clock::Clock,
    db::{Error, Pool},
    error::error_chain,
    readiness::Lane,
};

use crate::{
    app::{self, FeedNotifier, ItemCache},
    domain::CasePolicy,
    store::{catalogue, reads},
};

/// Between two tries to read the definitions while the database is away.
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// Checks every stored definition, once; tries again until the database answers.
pub fn check_definitions(pool: Pool, items: Arc<ItemCache>, context: &ServiceContext) {
    let shutdown = context.shutdown.clone();
    context.shutdown.spawn(async move {
        while let Err(error) = check_definitions_once(&pool, &items).await {
            tracing::warn!(error = %error_chain(&error), "definitions cannot be read");
            if shutdown.sleep(RETRY_PAUSE).await {
                return;
            }
        }
    });
}

async fn check_definitions_once(pool: &Pool, items: &ItemCache) -> Result<(), HandlerError> {
    let mut conn = pool.acquire().await?;
    let versions = catalogue::list_item_versions(&mut conn).await?;
    items.check_definitions(&mut conn, &versions).await
}

/// Counts every `pause` until shutdown. A count that fails is logged, and the next one follows.
pub fn count_cases_periodically(pool: Pool, context: &ServiceContext, pause: Duration) {
    let open: Gauge<i64, AtomicI64> = Gauge::default();
    let overdue: Gauge<i64, AtomicI64> = Gauge::default();
    context.telemetry.register(|registry| {
        registry.register(
            "credit_feedback_cases_open",
            "Returned records without an accepted re-report.",
            open.clone(),
        );
        registry.register(
            "credit_feedback_cases_overdue",
            "Open feedback cases past their due day.",
            overdue.clone(),
        );
    });
    let (clock, shutdown) = (Arc::clone(&context.clock), context.shutdown.clone());
    context.shutdown.spawn(async move {
        loop {
            match reads::count_open_and_overdue(&pool, shanghai_date(clock.now())).await {
                Ok(counted) => {
                    open.set(counted.0);
                    overdue.set(counted.1);
                }
                Err(error) => {
                    tracing::warn!(error = %error_chain(&error), "feedback cases cannot be counted");
                }
            }
            if shutdown.sleep(pause).await {
                return;
            }
        }
    });
}

/// Reminds of cases that are nearly due, marks those whose day is over, and urges those that are overdue for long. It
/// has no input and each case gets each once, so any number of copies may run.
pub struct ReminderJob {
    pool: Pool,
    policy: Arc<CasePolicy>,
    feed: FeedNotifier,
    relay: Relay,
    clock: Arc<dyn Clock>,
    lane: Lane,
}

impl std::fmt::Debug for ReminderJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReminderJob").finish_non_exhaustive()
    }
}

impl ReminderJob {
    /// A job on `pool`, with the days of `policy` and the clock of `context`; it notifies `feed` and wakes `relay`.
    pub fn new(
        pool: Pool,
        policy: Arc<CasePolicy>,
        feed: FeedNotifier,
        relay: Relay,
        context: &ServiceContext,
    ) -> Self {
        Self {
            pool,
            policy,
            feed,
            relay,
            clock: Arc::clone(&context.clock),
            // It complains or it does not.
            lane: context
                .readiness
                .lane("validation reminders", Duration::MAX),
        }
    }

    /// Runs every `pause` until shutdown. A run that fails is tried again soon.
    pub fn start(self, context: &ServiceContext, pause: Duration) {
        let shutdown = context.shutdown.clone();
        context.shutdown.spawn(async move {
            loop {
                let pause = match self.run().await {
                    Ok(_) => {
                        self.lane.report_age(None);
                        pause
                    }
                    Err(error) => {
                        let why = error_chain(&error);
                        tracing::warn!(error = %why, "feedback cases cannot be reminded of");
                        self.lane.report_failure(why);
                        RETRY_PAUSE.min(pause)
                    }
                };
                if shutdown.sleep(pause).await {
                    return;
                }
            }
        });
    }

    /// One run, in transactions of bounded size. How many changes it made.
    ///
    /// # Errors
    /// The database's; what was done before stays done.
    pub async fn run(&self) -> Result<usize, Error> {
        let mut all = 0;
        loop {
            let mut tx = self.pool.begin().await?;
            let (done, more) =
                app::cases::advance_deadlines(&mut tx, &self.policy, self.clock.now()).await?;
            tx.commit().await?;
            all += done;
            if done > 0 {
                self.relay.wake();
                self.feed.notify_feed();
            }
            if !more {
                return Ok(all);
            }
        }
    }
}
