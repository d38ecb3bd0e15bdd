//! How services name records: the value types that events, tables and RPCs share. Every service takes them from here;
//! each is checked when it is made, so that a value that exists is right. Pure; knows `proto` and none of ours besides.
//!
//! | type | what | on the wire | in tables |
//! | --- | --- | --- | --- |
//! | [`VersionId`] | one version of one record | `record_id`, 16 bytes or text | `uuid` |
//! | [`RecordAddress`] | one record, for life | `record_address`, 16 bytes or text | `uuid` |
//! | [`ProviderCode`] | who reports (R-5) | `provider_code` | `text` |
//! | [`ItemCode`], [`ItemRef`] | an item of the catalogue, one version of it (R-6) | `item_code`, `item_version` | `text`, `int4` |
//! | [`KeyDigest`] | the provider's own record key, as keyed hash | `key_digest`, 32 bytes | `bytea` |
//! | [`RecordKey`] | provider, item and key digest: what revisions are counted by | | |
//! | [`Revision`] | position among the versions of a record, from 1 | `revision` | `int8` |
//! | [`LedgerNumber`] | position in the provider's ledger, from 1 (R-11) | `ledger_number` | `int8` |
//! | [`Operation`] | what a version does to its record (D-24) | `credit.common.v1.Operation` | `int2`, the same number; validation: `text`, its name in lower case |
//! | [`RecordVersion`] | all of that of one version | `credit.common.v1.RecordVersion` | |
//!
//! Rows are read by `#[sqlx(try_from = "…")]` from the column's own type: each type here has that conversion.

mod code;
mod digest;
mod id;
mod number;
mod operation;
mod version;

pub use code::{ItemCode, ItemRef, ProviderCode};
pub use digest::KeyDigest;
pub use id::{RecordAddress, VersionId};
pub use number::{LedgerNumber, Revision};
pub use operation::Operation;
pub use version::{RecordKey, RecordVersion};

/// A value that breaks the rule of its type. Holds no value, so that it may be logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule}")]
pub struct Malformed {
    /// Field of the message, as a path for fields of `version`; the field's own name where a value stands alone.
    pub field: &'static str,
    /// What it must be.
    pub rule: &'static str,
}

impl Malformed {
    /// A field and the rule that it breaks.
    pub const fn new(field: &'static str, rule: &'static str) -> Self {
        Self { field, rule }
    }

    /// The same rule of a field that stands elsewhere.
    pub const fn in_field(self, field: &'static str) -> Self {
        Self { field, ..self }
    }
}
