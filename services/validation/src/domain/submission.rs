//! A record version as ingest announced it, with every field known to fit. Called by `handlers`, which
//! parks what does not.

use bytes::Bytes;
use credit_record::check::ContentForm;
use proto::credit::ingest::events::v1::RecordSubmitted;
use record_ref::{LedgerNumber, Malformed, Operation, RecordVersion};
use service_kit::grpc::from_timestamp;
use time::OffsetDateTime;

/// The content types of a record.
const CONTENT_TYPE: &str = "application/json or text/csv";

/// One version to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct SubmittedVersion {
    /// Which version of which record.
    pub version: RecordVersion,
    /// Number in the provider's ledger; `None` for one that is only tried out.
    pub ledger_number: Option<LedgerNumber>,
    /// When ingest received it.
    pub received_at: OffsetDateTime,
    /// What it does to its record.
    pub operation: Operation,
    /// Type of the original bytes.
    pub content_type: String,
    /// The original bytes, sealed under the version's id: a record, or the reason for its end.
    pub sealed_content: Bytes,
    /// The provider's own key, sealed under the version's id.
    pub sealed_record_key: Bytes,
}

impl SubmittedVersion {
    /// Decodes and checks the event.
    ///
    /// # Errors
    /// The first field that does not fit, and its rule.
    pub fn from_event(event: RecordSubmitted) -> Result<Self, Malformed> {
        let received_at = from_timestamp(event.received_at.as_ref()).ok_or(Malformed::new(
            "received_at",
            "a moment between the years 1 and 9999",
        ))?;
        let version = RecordVersion::from_wire(event.version.as_ref())?;
        let operation = Operation::from_wire(event.operation)?;
        let ledger_number = LedgerNumber::try_from(event.ledger_number)?;
        if !operation.ends_record() && ContentForm::from_content_type(&event.content_type).is_none()
        {
            return Err(Malformed::new("content_type", CONTENT_TYPE));
        }
        Ok(Self {
            version,
            ledger_number: Some(ledger_number),
            received_at,
            operation,
            content_type: event.content_type,
            sealed_content: event.sealed_content,
            sealed_record_key: event.sealed_record_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::credit::common::v1 as common;
    use record_ref::{RecordAddress, VersionId};
    use service_kit::grpc::to_timestamp;

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
        let submission = SubmittedVersion::from_event(event()).unwrap();
        assert_eq!(submission.version.id, id());
        assert_eq!(submission.ledger_number, Some(LedgerNumber::FIRST));
        assert_eq!(submission.received_at, OffsetDateTime::UNIX_EPOCH);
    }

    #[test]
    fn r8_a_row_of_csv_is_a_record() {
        let mut event = event();
        event.content_type = "text/csv".into();
        let submission = SubmittedVersion::from_event(event).unwrap();
        assert_eq!(submission.content_type, "text/csv");
    }

    #[test]
    fn d24_the_reason_of_an_end_is_plain_text() {
        let mut event = event();
        event.operation = common::Operation::Revoke.into();
        event.content_type = "text/plain".into();
        let submission = SubmittedVersion::from_event(event).unwrap();
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
            assert_eq!(
                SubmittedVersion::from_event(event).unwrap_err().field,
                field
            );
        }
    }
}
