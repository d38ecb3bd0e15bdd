//! Ending records (D-24): versions that revoke or withdraw. Called by `handlers` with what one batch brought of both
//! kinds.

use service_kit::db::{Conn, Error};
use time::OffsetDateTime;

use super::storing;
use crate::{
    domain::{revocation::Revocation, version::Version},
    store::{revocations, versions},
};

/// What one batch of the lane of records brought.
#[derive(Debug, Default)]
pub struct Batch {
    /// Accepted versions.
    pub versions: Vec<Version>,
    /// Versions that end their records.
    pub revocations: Vec<Revocation>,
}

/// How many of a batch were new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Accepted versions.
    pub versions: usize,
    /// Revocations and withdrawals.
    pub revocations: usize,
}

/// Stores a batch: what was not there before, in force or not.
///
/// A revocation moves the head of its record as any version does, so the guard of `store::versions` does the rest: a
/// revocation that is the newest leaves no version current, an older one changes nothing. Its heads are raised together
/// with those of the versions, since every transaction locks heads once and in order; a batch without revocations, which
/// is nearly every one, runs the statements of versions and no other.
pub async fn store(conn: &mut Conn, batch: &Batch, now: OffsetDateTime) -> Result<Stored, Error> {
    let ending = &batch.revocations;
    if !ending.is_empty() {
        let all = batch.versions.iter().map(Version::place);
        let all = versions::Heads::of(all.chain(ending.iter().map(Revocation::place)));
        let replaced = versions::raise_heads(conn, &all).await?;
        versions::demote(conn, &replaced).await?;
    }
    let versions = storing::store_versions(conn, &batch.versions, now).await?;
    let revocations = if ending.is_empty() {
        0
    } else {
        revocations::insert(conn, ending, now).await?
    };
    Ok(Stored {
        versions,
        revocations,
    })
}
