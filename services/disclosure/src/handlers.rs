//! Events in: batches from validation, catalog and objection. Called by the bus's consumers, which begin and commit the
//! transaction, remember the events that were handled and park the poison.

use event_bus::{BatchHandler, Delivery, HandlerError, Poison, decode_all};
use futures::future::BoxFuture;
use proto::credit::{
    catalog::events::v1::{ItemVersionPublished, ProviderRegistered},
    objection::events::v1::ObjectionChanged,
    validation::events::v1::{RecordAccepted, RecordRevoked},
};
use record_ref::{ItemRef, Malformed, ProviderCode, Revision, VersionId};
use service_kit::{ServiceContext, db::Conn};
use uuid::Uuid;

use crate::{
    app::{revoking, storing},
    domain::{revocation::Revocation, version::AcceptedVersion, visibility::DisclosureRule},
    store::{catalogue::DisclosureProviderRow, marks::ObjectionMark},
};

/// Stores accepted versions, and versions that end their records.
#[derive(Debug)]
pub struct RecordHandler {
    context: ServiceContext,
}

impl RecordHandler {
    /// With the clock and the tracer of the process.
    pub fn new(context: ServiceContext) -> Self {
        Self { context }
    }
}

impl BatchHandler for RecordHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let mut taken = revoking::DisclosureBatch::default();
            taken.versions.reserve(batch.len());
            // Spans last until the whole batch is stored, because that is how long each record waited.
            let mut spans = Vec::new();
            for delivery in batch {
                if let Err(bad) = decode_into(delivery, &mut taken) {
                    poison.push(bad);
                    continue;
                }
                let telemetry = &self.context.telemetry;
                spans.extend(telemetry.record_span("disclosure.store", &delivery.traceparent));
            }
            let now = self.context.clock.now();
            let stored = revoking::store_batch(conn, &taken, now).await?;
            tracing::debug!(
                received = batch.len(),
                stored = stored.versions,
                revocations = stored.revocations,
                poison = poison.len(),
                "versions stored"
            );
            Ok(poison)
        })
    }
}

/// Adds what was delivered to the batch.
fn decode_into(delivery: &Delivery, batch: &mut revoking::DisclosureBatch) -> Result<(), Poison> {
    if delivery.carries::<RecordRevoked>() {
        let event: RecordRevoked = delivery.decode()?;
        let revocation = Revocation::from_event(&event)
            .map_err(|error| delivery.declare_poison(error.to_string()))?;
        batch.revocations.push(revocation);
        return Ok(());
    }
    let event: RecordAccepted = delivery.decode()?;
    let version = AcceptedVersion::from_event(&event)
        .map_err(|error| delivery.declare_poison(error.to_string()))?;
    batch.versions.push(version);
    Ok(())
}

/// Stores item versions and providers.
#[derive(Debug, Default)]
pub struct DisclosureCatalogueHandler;

impl BatchHandler for DisclosureCatalogueHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let items = decode_all(batch, &mut poison, decode_item);
            let providers = decode_all(batch, &mut poison, decode_provider);
            storing::store_items(conn, &items).await?;
            storing::store_providers(conn, &providers).await?;
            Ok(poison)
        })
    }
}

fn decode_item(
    event: ItemVersionPublished,
    _delivery: &Delivery,
) -> Result<(DisclosureRule, String), String> {
    // Read, not linted: catalog did that before it published. Disclosure runs no rule of an item, so a rule of a later
    // release, or one that a stricter lint refuses, must not hide the item's records; and compiling rules would block
    // the async worker that answers readers.
    let definition: credit_record::ItemVersion = serde_json::from_str(&event.definition_json)
        .map_err(|error| {
            format!(
                "definition_json: {}",
                service_kit::error::error_chain(&error)
            )
        })?;
    let item = (event.code.parse())
        .and_then(|code| ItemRef::new(code, event.version))
        .map_err(|malformed: Malformed| malformed.to_string())?;
    if (&definition.code, definition.version) != (&event.code, event.version) {
        return Err("definition_json: is of the code and version that the event names".to_owned());
    }
    Ok((
        DisclosureRule::from_item(item, &definition),
        event.definition_json,
    ))
}

fn decode_provider(
    event: ProviderRegistered,
    _delivery: &Delivery,
) -> Result<DisclosureProviderRow, Malformed> {
    let revision = Revision::try_from(event.revision)?.as_i64();
    let code = ProviderCode::try_from(event.code).map_err(|code| code.in_field("code"))?;
    if !["city", "district"].contains(&event.level.as_str()) {
        return Err(Malformed::new("level", "is city or district"));
    }
    Ok(DisclosureProviderRow {
        code,
        name: event.name,
        level: event.level,
        district_code: event.district_code,
        enabled: event.enabled,
        revision,
    })
}

/// Marks records while an objection against them is handled (D-5).
#[derive(Debug, Default)]
pub struct ObjectionHandler;

impl BatchHandler for ObjectionHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let marks = decode_all(batch, &mut poison, decode_mark);
            storing::store_marks(conn, &marks).await?;
            Ok(poison)
        })
    }
}

fn decode_mark(
    event: ObjectionChanged,
    _delivery: &Delivery,
) -> Result<ObjectionMark, &'static str> {
    let (Ok(objection_id), Ok(version_id)) = (
        Uuid::from_slice(&event.objection_id),
        VersionId::try_from(&event.record_id[..]),
    ) else {
        return Err("objection_id and record_id are UUIDs of 16 bytes");
    };
    let Ok(revision) = i64::try_from(event.revision) else {
        return Err("revision: fits 63 bits");
    };
    Ok(ObjectionMark {
        objection_id,
        version_id,
        pending: event.pending,
        revision,
    })
}
