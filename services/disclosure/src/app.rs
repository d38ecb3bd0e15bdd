//! One function per use case, each given a transaction that it never commits. Called by `handlers` (writing) and
//! `grpc` (reading).
//!
//! - [`storing`]: accepted versions, item versions, providers, objection marks
//! - [`revoking`]: versions that end their record, with those that came in the same batch
//! - [`public`]: what everyone may see
//! - [`own`]: what a subject may see of itself, with the read log
//! - [`statistics`]: counts over all versions

pub mod own;
pub mod public;
pub mod revoking;
pub mod statistics;
pub mod storing;

use std::collections::HashMap;

use credit_record::ItemVersion;
use proto::credit::validation::events::v1::NormalisedRecord;
use record_ref::{ItemRef, VersionId};
use service_kit::db::Conn;
use vault::{Keyring, mask::mask_text};

use crate::{error::DisclosureError, store};

/// Opens a sealed record; a blob that was moved to another row is refused.
fn open_record(
    keyring: &Keyring,
    version_id: VersionId,
    sealed: &[u8],
) -> Result<NormalisedRecord, DisclosureError> {
    let plain = keyring
        .open(version_id.as_bytes(), sealed)
        .map_err(DisclosureError::Sealed)?;
    prost::Message::decode(plain.as_slice()).map_err(DisclosureError::Record)
}

/// The reason of a revocation as it is shown, to the public and to the subject alike: numbers of other people in it are
/// masked.
fn shown_reason(
    keyring: &Keyring,
    revocation_id: VersionId,
    sealed: &[u8],
) -> Result<String, DisclosureError> {
    let plain = keyring
        .open(revocation_id.as_bytes(), sealed)
        .map_err(DisclosureError::Sealed)?;
    Ok(mask_text(&String::from_utf8_lossy(&plain)))
}

/// Definitions of item versions, each read once.
async fn load_definitions(
    conn: &mut Conn,
    mut wanted: Vec<&ItemRef>,
) -> Result<HashMap<ItemRef, ItemVersion>, DisclosureError> {
    wanted.sort_unstable();
    wanted.dedup();
    let rows = store::catalogue::load_definitions(conn, &wanted)
        .await
        .map_err(DisclosureError::database("读取信用信息目录"))?;
    rows.into_iter()
        .map(|row| {
            // Not linted, as when it came in: a stricter lint must not hide what is published.
            let definition =
                serde_json::from_str(&row.definition).map_err(DisclosureError::Definition)?;
            Ok((row.item, definition))
        })
        .collect()
}
