//! Ending records (D-24): versions that revoke or withdraw. Called by `handlers` with the versions of one batch, of
//! both kinds.

use service_kit::db::{Conn, Error};
use time::OffsetDateTime;

use super::storing;
use crate::{
    domain::{revocation::Revocation, version::AcceptedVersion},
    store::{revocations, versions},
};

/// The decoded events of one batch of the consumer `disclosure-records`.
#[derive(Debug, Default)]
pub struct DisclosureBatch {
    /// Accepted versions.
    pub versions: Vec<AcceptedVersion>,
    /// Versions that end their records.
    pub revocations: Vec<Revocation>,
}

/// How many of a batch were new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoredCounts {
    /// Accepted versions.
    pub versions: usize,
    /// Revocations and withdrawals.
    pub revocations: usize,
}

/// Stores a batch: what was not there before, in force or not.
///
/// A revocation moves the head of its record as any version does, so the guard of `store::versions` does the rest: a
/// revocation that is the newest leaves no version current, an older one changes nothing.
pub async fn store_batch(
    conn: &mut Conn,
    batch: &DisclosureBatch,
    now: OffsetDateTime,
) -> Result<StoredCounts, Error> {
    let ending = &batch.revocations;
    if batch.versions.is_empty() && ending.is_empty() {
        return Ok(StoredCounts::default());
    }
    let accepted = batch.versions.iter().map(|version| &version.record);
    let heads =
        versions::BatchHeads::newest_of(accepted.chain(ending.iter().map(|ending| &ending.record)));
    let positions = versions::advance_heads(conn, &heads).await?;
    versions::clear_current(conn, &positions.replaced).await?;
    let versions = storing::store_versions(conn, &batch.versions, &positions, now).await?;
    let revocations = if ending.is_empty() {
        0
    } else {
        revocations::insert_revocations(conn, ending, now).await?
    };
    Ok(StoredCounts {
        versions,
        revocations,
    })
}
