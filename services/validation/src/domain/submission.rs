//! A record version as ingest announced it, with every field known to fit. Made by `handlers`, which parks what does not,
//! and by `app::dry_run`.

use bytes::Bytes;
use record_ref::{LedgerNumber, Operation, RecordVersion};
use time::OffsetDateTime;

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
