//! A revocation or withdrawal as validation announced it (D-24), checked once more at the door. Called by `handlers`.
//!
//! It is a version like others: numbered by ingest, ordered by its revision, never altered. What it ends is not named in
//! it, since that is whatever the record's older versions say; so it may arrive before them.

use bytes::Bytes;
use proto::credit::{common::v1 as common, validation::events::v1::RecordRevoked};
use service_kit::grpc::from_timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

use super::version::{Identity, Malformed, Place, RecordKey, malformed};

/// How a record ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The decision was changed, revoked, declared unlawful or void: the reason is published.
    Revoked,
    /// It was reported by mistake: it vanishes, and the reason is not published.
    Withdrawn,
}

impl Ending {
    /// The number in tables: that of `credit.common.v1.Operation`.
    pub fn number(self) -> i16 {
        match self {
            Self::Revoked => 2,
            Self::Withdrawn => 3,
        }
    }
}

/// One version that ends its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revocation {
    /// Id of the version, given by ingest.
    pub record_id: Uuid,
    /// The record that it ends.
    pub key: RecordKey,
    /// Version of the catalogue item, handed on.
    pub item_version: i32,
    /// Place among the versions of its record.
    pub revision: i64,
    /// When ingest received it: the day of the revocation.
    pub received_at: OffsetDateTime,
    /// How the record ends.
    pub ending: Ending,
    /// The provider's reason, sealed with the record id as context.
    pub sealed_reason: Bytes,
}

impl Revocation {
    /// Reads and checks the event.
    ///
    /// # Errors
    /// The first field that is missing or out of form.
    pub fn read(event: &RecordRevoked) -> Result<Self, Malformed> {
        let identity = Identity::read(event.version.as_ref())?;
        let Some(received_at) = from_timestamp(event.received_at.as_ref()) else {
            return malformed("received_at", "is present");
        };
        let ending = match event.operation() {
            common::Operation::Revoke => Ending::Revoked,
            common::Operation::Withdraw => Ending::Withdrawn,
            common::Operation::Unspecified | common::Operation::Upsert => {
                return malformed("operation", "revokes or withdraws");
            }
        };
        if event.sealed_reason.is_empty() {
            return malformed("sealed_reason", "is present");
        }
        Ok(Self {
            record_id: identity.record_id,
            key: identity.key,
            item_version: identity.item_version,
            revision: identity.revision,
            received_at,
            ending,
            sealed_reason: event.sealed_reason.clone(),
        })
    }

    /// Its record, and its place and id among the versions of that record.
    pub fn place(&self) -> Place<'_> {
        (&self.key, self.revision, self.record_id)
    }
}

#[cfg(test)]
mod tests {
    use service_kit::grpc::timestamp;

    use super::*;

    fn event() -> RecordRevoked {
        RecordRevoked {
            version: Some(common::RecordVersion {
                record_id: Bytes::copy_from_slice(Uuid::from_u128(1).as_bytes()),
                provider_code: "11430100006123458R".to_owned(),
                item_code: "xzcf".to_owned(),
                item_version: 3,
                key_digest: Bytes::from_static(&[1; 32]),
                revision: 2,
            }),
            received_at: Some(timestamp(OffsetDateTime::UNIX_EPOCH)),
            operation: common::Operation::Revoke.into(),
            sealed_reason: Bytes::from_static(b"sealed"),
        }
    }

    #[test]
    fn d24_a_revocation_survives_reading() {
        for (operation, ending) in [
            (common::Operation::Revoke, Ending::Revoked),
            (common::Operation::Withdraw, Ending::Withdrawn),
        ] {
            let mut event = event();
            event.operation = operation.into();
            let revocation = Revocation::read(&event).unwrap();
            assert_eq!((revocation.ending, revocation.revision), (ending, 2));
            assert_eq!(i32::from(ending.number()), i32::from(operation));
            let version = event.version.unwrap();
            assert_eq!(revocation.record_id.as_bytes()[..], version.record_id[..]);
            assert_eq!(revocation.key.key_digest, version.key_digest);
            assert_eq!(revocation.sealed_reason, event.sealed_reason);
        }
    }

    #[test]
    fn each_malformed_field_is_named() {
        type Spoil = fn(&mut RecordRevoked);
        let cases: [(&str, Spoil); 6] = [
            ("version", |e| e.version = None),
            ("version", |e| e.version.as_mut().unwrap().revision = 0),
            ("version.key_digest", |e| {
                e.version.as_mut().unwrap().key_digest = Bytes::new();
            }),
            ("received_at", |e| e.received_at = None),
            ("operation", |e| {
                e.operation = common::Operation::Upsert.into()
            }),
            ("sealed_reason", |e| e.sealed_reason = Bytes::new()),
        ];
        for (field, spoil) in cases {
            let mut bad = event();
            spoil(&mut bad);
            assert_eq!(Revocation::read(&bad).unwrap_err().field, field);
        }
    }
}
