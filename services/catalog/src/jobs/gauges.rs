//! Counts what waits for somebody, for `/metrics`: duties of R-6 and drafts before their review. Called by the
//! reconciler after each run.

use std::sync::atomic::{AtomicI64, AtomicU64};

use legal_clock::shanghai_date;
use prometheus_client::metrics::gauge::Gauge;
use service_kit::{db::Pool, telemetry::Telemetry};
use time::OffsetDateTime;

use crate::{error::CatalogError, store};

const COUNTING: &str = "统计更新任务";

/// The gauges of this service.
pub(super) struct CatalogGauges {
    open: Gauge<i64, AtomicI64>,
    overdue: Gauge<i64, AtomicI64>,
    waiting: Gauge<i64, AtomicI64>,
    oldest: Gauge<f64, AtomicU64>,
}

impl CatalogGauges {
    pub(super) fn register(telemetry: &Telemetry) -> Self {
        let gauges = Self {
            open: Gauge::default(),
            overdue: Gauge::default(),
            waiting: Gauge::default(),
            oldest: Gauge::default(),
        };
        telemetry.register(|registry| {
            registry.register(
                "credit_catalogue_duties_open",
                "Items that have to follow a change of law or of functions (R-6).",
                gauges.open.clone(),
            );
            registry.register(
                "credit_catalogue_duties_overdue",
                "Open duties past their due day.",
                gauges.overdue.clone(),
            );
            registry.register(
                "credit_catalogue_drafts_waiting",
                "Drafts that wait for the review of the credit office.",
                gauges.waiting.clone(),
            );
            registry.register(
                "credit_catalogue_drafts_oldest_seconds",
                "How long the oldest of them has waited; 0 when none does.",
                gauges.oldest.clone(),
            );
        });
        gauges
    }

    /// Reads them from the tables.
    pub(super) async fn refresh_counts(
        &self,
        pool: &Pool,
        now: OffsetDateTime,
    ) -> Result<(), CatalogError> {
        let failed = CatalogError::database;
        let mut conn = pool.acquire().await.map_err(failed(COUNTING))?;
        let today = shanghai_date(now);
        let (open, overdue) = store::duties::count_open_and_overdue(&mut conn, today)
            .await
            .map_err(failed(COUNTING))?;
        let (waiting, since) = store::drafts::count_waiting_drafts(&mut conn)
            .await
            .map_err(failed(COUNTING))?;
        self.open.set(open);
        self.overdue.set(overdue);
        self.waiting.set(waiting);
        let age = since.map_or(0.0, |since| (now - since).as_seconds_f64());
        self.oldest.set(age.max(0.0));
        Ok(())
    }
}
