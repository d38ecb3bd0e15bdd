//! Events of ingest and catalog as what the use cases take. Called by `handlers`, which parks what cannot be decoded with
//! field and rule.

use credit_record::check::ContentForm;
use event_bus::Delivery;
use legal_clock::parse_day;
use proto::credit::{
    catalog::events::v1::{ItemVersionPublished, ProviderRegistered},
    ingest::events::v1::RecordSubmitted,
};
use record_ref::{
    ItemRef, LedgerNumber, Malformed, Operation, ProviderCode, RecordVersion, Revision,
};
use serde::Deserialize;
use service_kit::grpc::from_timestamp;

use crate::{
    domain::SubmittedVersion,
    store::catalogue::{ValidationItemRow, ValidationProviderRow},
};

/// The content types of a record.
const CONTENT_TYPE: &str = "application/json or text/csv";

/// The version that ingest announced.
///
/// # Errors
/// The first field that does not fit, and its rule.
pub(super) fn decode_submission(event: RecordSubmitted) -> Result<SubmittedVersion, Malformed> {
    let received_at = from_timestamp(event.received_at.as_ref()).ok_or(Malformed::new(
        "received_at",
        "a moment between the years 1 and 9999",
    ))?;
    let version = RecordVersion::from_wire(event.version.as_ref())?;
    let operation = Operation::from_wire(event.operation)?;
    let ledger_number = LedgerNumber::try_from(event.ledger_number)?;
    if !operation.ends_record() && ContentForm::from_content_type(&event.content_type).is_none() {
        return Err(Malformed::new("content_type", CONTENT_TYPE));
    }
    Ok(SubmittedVersion {
        version,
        ledger_number: Some(ledger_number),
        received_at,
        operation,
        content_type: event.content_type,
        sealed_content: event.sealed_content,
        sealed_record_key: event.sealed_record_key,
    })
}

/// Code and version of a definition, whatever else a newer catalogue may put into it.
#[derive(Deserialize)]
struct DefinitionIdentity {
    code: String,
    version: u32,
}

/// The row of a definition that matches its event, with the delivery, which may have to be parked later.
pub(super) fn decode_item(
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
        text => parse_day(text)
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

/// The row of a provider.
pub(super) fn decode_provider(
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
        revision: Revision::try_from(event.revision)
            .map_err(|malformed| malformed.to_string())?
            .as_i64(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use proto::credit::common::v1 as common;
    use record_ref::{RecordAddress, VersionId};
    use service_kit::grpc::to_timestamp;
    use time::OffsetDateTime;

    fn id() -> VersionId {
        uuid::Uuid::from_u128(7).try_into().unwrap()
    }

    fn event() -> RecordSubmitted {
        RecordSubmitted {
            version: Some(common::RecordVersion {
                record_id: id().to_wire(),
                record_address: RecordAddress::of_first_version(id()).to_wire(),
                provider_code: "11430100006123458R".into(),
                item_code: "xzxk".into(),
                item_version: 1,
                key_digest: Bytes::from_static(&[1; 32]),
                revision: 1,
            }),
            ledger_number: 1,
            received_at: Some(to_timestamp(OffsetDateTime::UNIX_EPOCH)),
            content_type: "application/json; charset=utf-8".into(),
            sealed_content: Bytes::from_static(b"c"),
            sealed_record_key: Bytes::from_static(b"k"),
            ..RecordSubmitted::default()
        }
    }

    #[test]
    fn a_good_event_becomes_a_submission() {
        let submission = decode_submission(event()).unwrap();
        assert_eq!(submission.version.id, id());
        assert_eq!(submission.ledger_number, Some(LedgerNumber::FIRST));
        assert_eq!(submission.received_at, OffsetDateTime::UNIX_EPOCH);
    }

    #[test]
    fn r8_a_row_of_csv_is_a_record() {
        let mut event = event();
        event.content_type = "text/csv".into();
        let submission = decode_submission(event).unwrap();
        assert_eq!(submission.content_type, "text/csv");
    }

    #[test]
    fn d24_the_reason_of_an_end_is_plain_text() {
        let mut event = event();
        event.operation = common::Operation::Revoke.into();
        event.content_type = "text/plain".into();
        let submission = decode_submission(event).unwrap();
        assert_eq!(submission.operation, Operation::Revoke);
        assert!(submission.operation.ends_record());
    }

    #[test]
    fn every_field_that_does_not_fit_is_named() {
        type SpoilSubmittedEvent = fn(&mut RecordSubmitted);
        fn v(event: &mut RecordSubmitted) -> &mut common::RecordVersion {
            event.version.as_mut().unwrap()
        }
        let cases: [(&str, SpoilSubmittedEvent); 14] = [
            ("operation", |e| e.operation = 99),
            ("version", |e| e.version = None),
            ("version.record_id", |e| {
                v(e).record_id = Bytes::from_static(b"short")
            }),
            ("version.record_id", |e| {
                v(e).record_id = Bytes::from_static(&[0; 16])
            }),
            ("version.record_address", |e| v(e).record_address.clear()),
            ("version.provider_code", |e| v(e).provider_code.clear()),
            ("version.item_code", |e| v(e).item_code.clear()),
            ("version.item_version", |e| v(e).item_version = 0),
            ("version.item_version", |e| v(e).item_version = u32::MAX),
            ("version.key_digest", |e| v(e).key_digest = Bytes::new()),
            ("version.revision", |e| v(e).revision = 0),
            ("ledger_number", |e| e.ledger_number = u64::MAX),
            ("received_at", |e| e.received_at = None),
            ("content_type", |e| e.content_type = "text/html".into()),
        ];
        for (field, spoil) in cases {
            let mut event = event();
            spoil(&mut event);
            assert_eq!(decode_submission(event).unwrap_err().field, field);
        }
    }
}
