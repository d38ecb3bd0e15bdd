//! Event handlers: batch in, batch out, inside the bus's transaction. Called by the consumers that `lib.rs` starts. An
//! event that can never be handled is poison, with a reason that contains no value of it.

use std::sync::Arc;

use credit_record::normalise::parse_date;
use event_bus::{BatchHandler, Delivery, HandlerError, Poison, decode_all};
use futures::future::BoxFuture;
use proto::credit::{
    catalog::events::v1::{ItemVersionPublished, ProviderRegistered},
    ingest::events::v1::RecordSubmitted,
};
use record_ref::{ItemRef, Malformed, ProviderCode};
use serde::Deserialize;
use service_kit::{
    clock::Clock,
    db::Conn,
    telemetry::{Span, Telemetry},
};

use crate::{
    app::{self, ItemCache, PendingSubmission, RecordValidator},
    domain::SubmittedVersion,
    store::catalogue::{ValidationItemRow, ValidationProviderRow},
};

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
            poison.extend(unfit.map(|(position, reason)| batch[position].poison(reason)));
            Ok(poison)
        })
    }
}

fn submission_of(delivery: &Delivery) -> Result<SubmittedVersion, Poison> {
    SubmittedVersion::from_event(delivery.decode::<RecordSubmitted>()?)
        .map_err(|malformed| delivery.poison(malformed.to_string()))
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
            let providers = decode_all(batch, &mut poison, provider_of);
            let items = decode_all(batch, &mut poison, item_of);
            let (deliveries, items): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            app::catalogue::store_catalogue_facts(conn, &items, providers).await?;
            let versions: Vec<_> = items.iter().map(|row| row.item.clone()).collect();
            self.items.check_definitions(conn, &versions).await?;
            // Stored and reported at once: records of it are parked until a program can use it.
            let unusable = app::catalogue::find_unusable_items(items).await;
            for (position, why) in unusable.map_err(app::stopping_error)? {
                poison.push(deliveries[position].poison(why));
            }
            Ok(poison)
        })
    }
}

/// Code and version of a definition, whatever else a newer catalogue may put into it.
#[derive(Deserialize)]
struct DefinitionIdentity {
    code: String,
    version: u32,
}

/// The row of a definition that matches its event, with the delivery, which may have to be parked later.
fn item_of(
    event: ItemVersionPublished,
    delivery: &Delivery,
) -> Result<(Delivery, ValidationItemRow), String> {
    let item: DefinitionIdentity = serde_json::from_str(&event.definition_json)
        .map_err(|error| format!("definition_json: {error}"))?;
    if (item.code.as_str(), item.version) != (event.code.as_str(), event.version) {
        return Err("definition_json: code and version differ from the event's".to_owned());
    }
    let item = item_ref(&event)?;
    let day = |field: &str, text: &str| match text {
        "" => Ok(None),
        text => parse_date(text)
            .map(Some)
            .ok_or_else(|| format!("{field}: YYYY-MM-DD")),
    };
    let row = ValidationItemRow {
        effective_from: day("effective_from", &event.effective_from)?,
        published_on: day("published_on", &event.published_on)?,
        item,
        definition: event.definition_json,
        catalogue: event.catalogue,
        organ: code(&event.organ, "organ")?,
        district_code: event.district_code,
    };
    Ok((delivery.clone(), row))
}

fn item_ref(event: &ItemVersionPublished) -> Result<ItemRef, String> {
    let code = event.code.parse();
    let code = code.map_err(|malformed| name_field(malformed, "code"))?;
    ItemRef::new(code, event.version).map_err(|malformed| name_field(malformed, "version"))
}

fn provider_of(
    event: ProviderRegistered,
    _delivery: &Delivery,
) -> Result<ValidationProviderRow, String> {
    let own = event.code.parse();
    Ok(ValidationProviderRow {
        code: own.map_err(|malformed| name_field(malformed, "code"))?,
        name: event.name,
        level: event.level,
        district_code: event.district_code,
        enabled: event.enabled,
        parent: code(&event.parent_code, "parent_code")?,
        // Revisions count changes of one provider; none comes near the bound.
        revision: i64::try_from(event.revision).unwrap_or(i64::MAX),
    })
}

/// The code of an organ, where one is named.
fn code(text: &str, field: &'static str) -> Result<Option<ProviderCode>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let code = text.parse().map(Some);
    code.map_err(|malformed| name_field(malformed, field))
}

fn name_field(malformed: Malformed, field: &'static str) -> String {
    malformed.in_field(field).to_string()
}
