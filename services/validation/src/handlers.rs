//! Event handlers: batch in, batch out, inside the bus's transaction. Called by the consumers that `lib.rs` starts. An
//! event that can never be handled is poison, with a reason that contains no value of it.

mod decode;

use std::sync::Arc;

use event_bus::{BatchHandler, Delivery, HandlerError, Poison, decode_all};
use futures::future::BoxFuture;
use proto::credit::ingest::events::v1::RecordSubmitted;
use service_kit::{
    clock::Clock,
    db::Conn,
    telemetry::{Span, Telemetry},
};

use crate::{
    app::{self, ItemCache, PendingSubmission, RecordValidator},
    domain::SubmittedVersion,
};
use decode::{decode_item, decode_provider, decode_submission};

/// Judges what ingest announced.
#[derive(Debug)]
pub struct SubmissionHandler {
    validator: Arc<RecordValidator>,
    clock: Arc<dyn Clock>,
    telemetry: Telemetry,
}

impl SubmissionHandler {
    /// A handler that judges with `validator` and takes its time from `clock`.
    pub fn new(
        validator: Arc<RecordValidator>,
        clock: Arc<dyn Clock>,
        telemetry: Telemetry,
    ) -> Self {
        Self {
            validator,
            clock,
            telemetry,
        }
    }
}

impl BatchHandler for SubmissionHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let mut work = Vec::with_capacity(batch.len());
            // Spans of the records that are followed; they end with the batch's work.
            let mut spans: Vec<Span> = Vec::new();
            for (position, delivery) in batch.iter().enumerate() {
                let submission = match submission_of(delivery) {
                    Ok(submission) => submission,
                    Err(found) => {
                        poison.push(found);
                        continue;
                    }
                };
                let span = self
                    .telemetry
                    .record_span("validation.check", &delivery.traceparent);
                let traceparent = span.as_ref().map(Span::traceparent).unwrap_or_default();
                spans.extend(span);
                work.push(PendingSubmission {
                    position,
                    submission,
                    traceparent,
                });
            }
            let unfit =
                app::judge_submissions(conn, &self.validator, work, self.clock.now()).await?;
            let unfit = unfit.into_iter();
            poison.extend(unfit.map(|(position, reason)| batch[position].declare_poison(reason)));
            Ok(poison)
        })
    }
}

fn submission_of(delivery: &Delivery) -> Result<SubmittedVersion, Poison> {
    decode_submission(delivery.decode::<RecordSubmitted>()?)
        .map_err(|malformed| delivery.declare_poison(malformed.to_string()))
}

/// Stores what catalog announced.
#[derive(Debug)]
pub struct ValidationCatalogueHandler {
    items: Arc<ItemCache>,
}

impl ValidationCatalogueHandler {
    /// A handler that reports to `items` which definitions cannot be used.
    pub fn new(items: Arc<ItemCache>) -> Self {
        Self { items }
    }
}

impl BatchHandler for ValidationCatalogueHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let providers = decode_all(batch, &mut poison, decode_provider);
            let items = decode_all(batch, &mut poison, decode_item);
            let (deliveries, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            app::catalogue::store_catalogue_facts(conn, &items, providers).await?;
            let versions: Vec<_> = items.iter().map(|row| row.item.clone()).collect();
            self.items.check_definitions(conn, &versions).await?;
            // Stored and reported at once: records of it are parked until a program can use it.
            let unusable = app::catalogue::find_unusable_items(items).await;
            for (position, why) in unusable.map_err(app::stopping_error)? {
                poison.push(deliveries[position].declare_poison(why));
            }
            Ok(poison)
        })
    }
}
