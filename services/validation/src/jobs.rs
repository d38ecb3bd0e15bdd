//! Counts open and overdue feedback cases for `/metrics`, so that nothing waits without somebody seeing
//! it. No input, changes nothing. Started by `lib.rs`.

use std::{
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use legal_clock::shanghai_date;
use prometheus_client::metrics::gauge::Gauge;
use service_kit::{ServiceContext, db::Pool, error::chain};

use crate::store::reads;

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
