//! What runs beside the consumers, started by `lib.rs`: counts open and overdue feedback cases for `/metrics`,
//! so that nothing waits without somebody seeing it; and looks at all definitions once, so that a
//! program that cannot use one says so before a record needs it. Changes nothing.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use event_bus::HandlerError;
use legal_clock::shanghai_date;
use prometheus_client::metrics::gauge::Gauge;
use service_kit::{ServiceContext, db::Pool, error::chain};

use crate::{
    app::Desk,
    store::{reads, reference},
};

/// Between two tries to read the definitions while the database is away.
const RETRY: Duration = Duration::from_secs(5);

/// Looks at every definition that is kept, once; tries again until the database answers.
pub fn look_at_definitions(pool: Pool, desk: Arc<Desk>, context: &ServiceContext) {
    let shutdown = context.shutdown.clone();
    context.shutdown.spawn(async move {
        while let Err(error) = look(&pool, &desk).await {
            tracing::warn!(error = %chain(&error), "definitions cannot be read");
            if shutdown.sleep(RETRY).await {
                return;
            }
        }
    });
}

async fn look(pool: &Pool, desk: &Desk) -> Result<(), HandlerError> {
    let mut conn = pool.acquire().await?;
    let versions = reference::versions(&mut conn).await?;
    desk.look_at(&mut conn, &versions).await
}

/// Counts every `pause` until shutdown. A count that fails is logged, and the next one follows.
pub fn watch_cases(pool: Pool, context: &ServiceContext, pause: Duration) {
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
            match reads::open_and_overdue(&pool, shanghai_date(clock.now())).await {
                Ok(counted) => {
                    open.set(counted.0);
                    overdue.set(counted.1);
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "feedback cases cannot be counted");
                }
            }
            if shutdown.sleep(pause).await {
                return;
            }
        }
    });
}
