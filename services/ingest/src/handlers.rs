//! Follows the catalogue: providers, item versions and the end of items, so that ingest can answer while the catalog
//! service is down. The bus calls it, with batches that may be out of order and repeated.

use event_bus::{BatchHandler, Delivery, HandlerError, Poison, decode_all};
use futures::future::BoxFuture;
use legal_clock::parse_day;
use proto::credit::catalog::events::v1::{ItemRetired, ItemVersionPublished, ProviderRegistered};
use record_ref::{ItemRef, Malformed};
use service_kit::db::Conn;
use time::Date;

use crate::store::{self, IngestItemRow, IngestProviderRow, RetirementRow};

/// Handles `ItemVersionPublished`, `ItemRetired` and `ProviderRegistered`.
#[derive(Clone, Copy, Debug)]
pub struct IngestCatalogueHandler;

impl BatchHandler for IngestCatalogueHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let items = decode_all(batch, &mut poison, decode_item_version);
            let retirements = decode_all(batch, &mut poison, decode_retirement);
            let providers = decode_all(batch, &mut poison, decode_provider);
            store::upsert_item_versions(conn, &items).await?;
            store::upsert_retirements(conn, &retirements).await?;
            store::upsert_providers(conn, &providers).await?;
            Ok(poison)
        })
    }
}

fn decode_item_version(
    event: ItemVersionPublished,
    _delivery: &Delivery,
) -> Result<IngestItemRow, String> {
    let code = in_event_field(event.code.try_into(), "code")?;
    Ok(IngestItemRow {
        item: in_event_field(ItemRef::new(code, event.version), "version")?,
        name: event.name,
        effective_from: optional_day(&event.effective_from, "effective_from: YYYY-MM-DD or empty")?,
        definition: Some(event.definition_json).filter(|json| !json.is_empty()),
    })
}

fn decode_retirement(event: ItemRetired, delivery: &Delivery) -> Result<RetirementRow, String> {
    let rule = "from_date: YYYY-MM-DD";
    let successor = Some(event.successor_code).filter(|code| !code.is_empty());
    let successor = successor.map(|code| in_event_field(code.try_into(), "successor_code"));
    Ok(RetirementRow {
        item: in_event_field(event.code.try_into(), "code")?,
        from_date: optional_day(&event.from_date, rule)?.ok_or(rule)?,
        successor: successor.transpose()?,
        decided_at: delivery.occurred_at,
    })
}

fn decode_provider(
    event: ProviderRegistered,
    _delivery: &Delivery,
) -> Result<IngestProviderRow, String> {
    Ok(IngestProviderRow {
        provider: in_event_field(event.code.try_into(), "code")?,
        name: event.name,
        enabled: event.enabled,
        revision: i64::try_from(event.revision).map_err(|_| "revision: fits 63 bits")?,
        valid_from: optional_day(&event.valid_from, "valid_from: YYYY-MM-DD or empty")?,
        valid_until: optional_day(&event.valid_until, "valid_until: YYYY-MM-DD or empty")?,
    })
}

/// A checked value of a field; the reason names the field as the events of the catalogue do.
fn in_event_field<T>(checked: Result<T, Malformed>, field: &'static str) -> Result<T, String> {
    checked.map_err(|malformed| malformed.in_field(field).to_string())
}

/// A civil day of an event; `None` where it names none.
fn optional_day(text: &str, rule: &'static str) -> Result<Option<Date>, &'static str> {
    if text.is_empty() {
        return Ok(None);
    }
    parse_day(text).map(Some).ok_or(rule)
}

#[cfg(test)]
mod tests {
    use event_bus::NewEvent;
    use prost::{Message, Name};
    use time::{OffsetDateTime, macros::date};

    use super::*;

    fn delivery<M: Message + Name>(message: &M) -> Delivery {
        let event = NewEvent::new(message, OffsetDateTime::UNIX_EPOCH, "");
        Delivery {
            event_id: event.event_id(),
            event_type: event.event_type().to_owned(),
            occurred_at: OffsetDateTime::UNIX_EPOCH,
            traceparent: String::new(),
            payload: message.encode_to_vec().into(),
        }
    }

    #[test]
    fn facts_that_cannot_be_kept_are_named_by_field_and_rule() {
        let item = ItemVersionPublished {
            code: "xzcf".to_owned(),
            version: 3,
            effective_from: "2021-07-15".to_owned(),
            ..ItemVersionPublished::default()
        };
        let retired = ItemRetired {
            code: "xzcf".to_owned(),
            from_date: "2026-12-01".to_owned(),
            ..ItemRetired::default()
        };
        let batch = [
            delivery(&item),
            delivery(&ItemVersionPublished {
                effective_from: "2021-02-30".to_owned(),
                ..item.clone()
            }),
            delivery(&ItemVersionPublished {
                version: 0,
                ..item.clone()
            }),
            delivery(&ItemVersionPublished {
                code: "XZCF".to_owned(),
                ..item
            }),
            delivery(&ItemRetired {
                from_date: String::new(),
                ..retired.clone()
            }),
            delivery(&ItemRetired {
                successor_code: "行政处罚".to_owned(),
                ..retired.clone()
            }),
            delivery(&retired),
            delivery(&ProviderRegistered {
                code: "1143010000612345".to_owned(),
                ..ProviderRegistered::default()
            }),
        ];
        let mut poison = Vec::new();
        let items = decode_all(&batch, &mut poison, decode_item_version);
        let retirements = decode_all(&batch, &mut poison, decode_retirement);
        let providers = decode_all(&batch, &mut poison, decode_provider);
        assert_eq!((items.len(), retirements.len(), providers.len()), (1, 1, 0));
        assert_eq!(items[0].effective_from, Some(date!(2021 - 07 - 15)));
        assert_eq!(items[0].definition, None, "an empty one is unknown");
        assert_eq!(retirements[0].from_date, date!(2026 - 12 - 01));
        let named: Vec<_> = poison
            .iter()
            .map(|p| (p.event_id, p.reason.as_str()))
            .collect();
        assert_eq!(
            named,
            [
                (batch[1].event_id, "effective_from: YYYY-MM-DD or empty"),
                (batch[2].event_id, "version: 1 to 2147483647"),
                (batch[3].event_id, "code: 1 to 64 of a-z, 0-9 and '-'"),
                (batch[4].event_id, "from_date: YYYY-MM-DD"),
                (
                    batch[5].event_id,
                    "successor_code: 1 to 64 of a-z, 0-9 and '-'"
                ),
                (batch[7].event_id, "code: 18 of 0-9 and A-Z (GB 32100)"),
            ]
        );
    }
}
