//! A revocation or withdrawal as validation announced it (D-24), checked once more on receipt. Called by `handlers`.
//!
//! It is a version like others: numbered by ingest, ordered by its revision, never altered. What it ends is not named in
//! it, since that is whatever the record's older versions say; so it may arrive before them.

use bytes::Bytes;
use proto::credit::validation::events::v1::RecordRevoked;
use record_ref::{Malformed, Operation, RecordVersion};
use service_kit::grpc::from_timestamp;
use time::OffsetDateTime;

use super::version::malformed_field;

/// One version that ends its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Which version of which record; the version of the catalogue item is handed on.
    pub record: RecordVersion,
    /// When ingest received it: the day of the revocation.
    pub received_at: OffsetDateTime,
    /// How the record ends: revoked, its reason is published, or withdrawn, its reason is not.
    pub operation: Operation,
    /// The provider's reason, sealed with the version's id as context.
    pub sealed_reason: Bytes,
}

impl Revocation {
    /// Reads and checks the event.
    ///
    /// # Errors
    /// The first field that is missing or out of form.
    pub fn from_event(event: &RecordRevoked) -> Result<Self, Malformed> {
        let record = RecordVersion::from_wire(event.version.as_ref())?;
        let Some(received_at) = from_timestamp(event.received_at.as_ref()) else {
            return malformed_field("received_at", "is present");
        };
        let operation = match Operation::from_wire(event.operation) {
            Ok(operation) if operation.ends_record() => operation,
            _ => return malformed_field("operation", "revokes or withdraws"),
        };
        if event.sealed_reason.is_empty() {
            return malformed_field("sealed_reason", "is present");
        }
        Ok(Self {
            record,
            received_at,
            operation,
            sealed_reason: event.sealed_reason.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use proto::credit::common::v1 as common;
    use service_kit::grpc::to_timestamp;

    use super::*;

    fn event() -> RecordRevoked {
        RecordRevoked {
            version: Some(common::RecordVersion {
                record_id: Bytes::from_static(&[7; 16]),
                provider_code: "11430100006123458R".to_owned(),
                item_code: "xzcf".to_owned(),
                item_version: 3,
                key_digest: Bytes::from_static(&[1; 32]),
                revision: 2,
                record_address: Bytes::from_static(&[8; 16]),
            }),
            received_at: Some(to_timestamp(OffsetDateTime::UNIX_EPOCH)),
            operation: common::Operation::Revoke.into(),
            sealed_reason: Bytes::from_static(b"sealed"),
        }
    }

    #[test]
    fn d24_a_revocation_survives_reading() {
        for (sent, operation) in [
            (common::Operation::Revoke, Operation::Revoke),
            (common::Operation::Withdraw, Operation::Withdraw),
        ] {
            let mut event = event();
            event.operation = sent.into();
            let revocation = Revocation::from_event(&event).unwrap();
            assert_eq!(revocation.operation, operation);
            let record = common::RecordVersion::from(&revocation.record);
            assert_eq!(Some(record), event.version);
            assert_eq!(revocation.sealed_reason, event.sealed_reason);
        }
    }

    #[test]
    fn each_malformed_field_is_named() {
        type SpoilRevocation = fn(&mut RecordRevoked);
        let cases: [(&str, SpoilRevocation); 9] = [
            ("version", |e| e.version = None),
            ("version.record_address", |e| {
                e.version.as_mut().unwrap().record_address = Bytes::new();
            }),
            ("version.revision", |e| {
                e.version.as_mut().unwrap().revision = 0
            }),
            ("version.key_digest", |e| {
                e.version.as_mut().unwrap().key_digest = Bytes::new();
            }),
            ("received_at", |e| e.received_at = None),
            ("operation", |e| {
                e.operation = common::Operation::Upsert.into()
            }),
            ("operation", |e| e.operation = 0),
            ("operation", |e| e.operation = 4),
            ("sealed_reason", |e| e.sealed_reason = Bytes::new()),
        ];
        for (field, spoil) in cases {
            let mut bad = event();
            spoil(&mut bad);
            assert_eq!(Revocation::from_event(&bad).unwrap_err().field, field);
        }
    }
}
