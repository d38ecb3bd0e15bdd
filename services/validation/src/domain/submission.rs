//! A record version as ingest announced it, with every field known to fit. Called by `handlers`, which
//! parks what does not.

use bytes::Bytes;
use credit_record::check::ContentForm;
use proto::credit::{
    common::v1::{self as common, RecordVersion},
    ingest::events::v1::RecordSubmitted,
};
use service_kit::grpc::from_timestamp;
use time::OffsetDateTime;
use uuid::Uuid;

/// The form of content that a record has.
const CONTENT_TYPE: &str = "application/json or text/csv";

/// What a version does to its record (D-24).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Its content is what the record says from now on.
    Upsert,
    /// The decision itself is no more; the content is the reason, which is published.
    Revoke,
    /// It was reported by mistake; the content is the reason, which is not published.
    Withdraw,
}

impl Operation {
    /// As the tables have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upsert => "upsert",
            Self::Revoke => "revoke",
            Self::Withdraw => "withdraw",
        }
    }

    /// Whether it ends its record.
    pub fn ends(self) -> bool {
        self != Self::Upsert
    }

    fn of(number: i32) -> Option<Self> {
        match common::Operation::try_from(number).ok()? {
            common::Operation::Unspecified | common::Operation::Upsert => Some(Self::Upsert),
            common::Operation::Revoke => Some(Self::Revoke),
            common::Operation::Withdraw => Some(Self::Withdraw),
        }
    }
}

impl From<Operation> for common::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Upsert => Self::Upsert,
            Operation::Revoke => Self::Revoke,
            Operation::Withdraw => Self::Withdraw,
        }
    }
}

/// Code and version of an item.
pub type ItemKey = (String, u32);

/// A field of an event that is not as ingest promises. Never holds a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct Malformed {
    /// Path of the field in `RecordSubmitted`.
    pub field: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

/// One version to be judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Id of the version, given by ingest.
    pub record_id: Uuid,
    /// Provider, item, key and revision, as events carry them. `key_digest` has 32 bytes.
    pub version: RecordVersion,
    /// Number in the provider's ledger, from 1.
    pub ledger_number: u64,
    /// When ingest took it in.
    pub received_at: OffsetDateTime,
    /// What it does to its record.
    pub operation: Operation,
    /// What the original bytes are.
    pub content_type: String,
    /// The original bytes, sealed under `record_id`: a record, or the reason for its end.
    pub sealed_content: Bytes,
    /// The provider's own key, sealed under `record_id`.
    pub sealed_record_key: Bytes,
}

impl Submission {
    /// Takes the event apart.
    ///
    /// # Errors
    /// The first field that does not fit, and its rule.
    pub fn from_event(event: RecordSubmitted) -> Result<Self, Malformed> {
        let received_at = from_timestamp(event.received_at.as_ref()).ok_or(malformed(
            "received_at",
            "a moment between the years 1 and 9999",
        ))?;
        let version = event
            .version
            .ok_or(malformed("version", "must be present"))?;
        let record_id = Uuid::from_slice(&version.record_id)
            .map_err(|_| malformed("version.record_id", "16 bytes"))?;
        let operation =
            Operation::of(event.operation).ok_or(malformed("operation", "a known operation"))?;
        let rules = [
            (!record_id.is_nil(), "version.record_id", "not all zero"),
            (
                !version.provider_code.is_empty(),
                "version.provider_code",
                "not empty",
            ),
            (
                !version.item_code.is_empty(),
                "version.item_code",
                "not empty",
            ),
            (
                fits_i32(version.item_version),
                "version.item_version",
                "1 to 2147483647",
            ),
            (
                version.key_digest.len() == 32,
                "version.key_digest",
                "32 bytes",
            ),
            (
                fits_i64(version.revision),
                "version.revision",
                "1 to 2^63-1",
            ),
            (
                fits_i64(event.ledger_number),
                "ledger_number",
                "1 to 2^63-1",
            ),
            (
                operation.ends() || ContentForm::of(&event.content_type).is_some(),
                "content_type",
                CONTENT_TYPE,
            ),
        ];
        for (kept, field, rule) in rules {
            if !kept {
                return Err(malformed(field, rule));
            }
        }
        Ok(Self {
            record_id,
            version,
            ledger_number: event.ledger_number,
            received_at,
            operation,
            content_type: event.content_type,
            sealed_content: event.sealed_content,
            sealed_record_key: event.sealed_record_key,
        })
    }

    /// The version of the item that it is judged by.
    pub fn item(&self) -> ItemKey {
        (self.version.item_code.clone(), self.version.item_version)
    }
}

fn malformed(field: &'static str, rule: &'static str) -> Malformed {
    Malformed { field, rule }
}

// PostgreSQL has no unsigned integers, so larger numbers could not be stored.
fn fits_i32(number: u32) -> bool {
    (1..=i32::MAX as u32).contains(&number)
}

fn fits_i64(number: u64) -> bool {
    (1..=i64::MAX as u64).contains(&number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use service_kit::grpc::timestamp;

    fn event() -> RecordSubmitted {
        RecordSubmitted {
            version: Some(RecordVersion {
                record_id: Bytes::copy_from_slice(Uuid::from_u128(7).as_bytes()),
                provider_code: "11430100006123458R".into(),
                item_code: "xzxk".into(),
                item_version: 1,
                key_digest: Bytes::from_static(&[1; 32]),
                revision: 1,
            }),
            ledger_number: 1,
            received_at: Some(timestamp(OffsetDateTime::UNIX_EPOCH)),
            content_type: "application/json; charset=utf-8".into(),
            sealed_content: Bytes::from_static(b"c"),
            sealed_record_key: Bytes::from_static(b"k"),
            ..RecordSubmitted::default()
        }
    }

    #[test]
    fn a_good_event_becomes_a_submission() {
        let submission = Submission::from_event(event()).unwrap();
        assert_eq!(submission.record_id, Uuid::from_u128(7));
        assert_eq!(submission.received_at, OffsetDateTime::UNIX_EPOCH);
    }

    #[test]
    fn r8_a_row_of_csv_is_a_record() {
        let mut event = event();
        event.content_type = "text/csv".into();
        let submission = Submission::from_event(event).unwrap();
        assert_eq!(submission.content_type, "text/csv");
    }

    #[test]
    fn d24_the_reason_of_an_end_is_plain_text() {
        let mut event = event();
        event.operation = common::Operation::Revoke.into();
        event.content_type = "text/plain".into();
        let submission = Submission::from_event(event).unwrap();
        assert_eq!(submission.operation, Operation::Revoke);
        assert!(submission.operation.ends());
    }

    #[test]
    fn every_field_that_does_not_fit_is_named() {
        type Spoil = fn(&mut RecordSubmitted);
        fn v(event: &mut RecordSubmitted) -> &mut RecordVersion {
            event.version.as_mut().unwrap()
        }
        let cases: [(&str, Spoil); 13] = [
            ("operation", |e| e.operation = 99),
            ("version", |e| e.version = None),
            ("version.record_id", |e| {
                v(e).record_id = Bytes::from_static(b"short")
            }),
            ("version.record_id", |e| {
                v(e).record_id = Bytes::from_static(&[0; 16])
            }),
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
            assert_eq!(Submission::from_event(event).unwrap_err().field, field);
        }
    }
}
