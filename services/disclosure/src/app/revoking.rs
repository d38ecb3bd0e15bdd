//! Ending records (D-24): versions that revoke or withdraw. Called by `handlers` with what one batch brought of both
//! kinds.

use std::collections::HashMap;

use event_bus::NewEvent;
use service_kit::db::{Conn, Error};
use time::OffsetDateTime;

use super::storing;
use crate::{
    domain::{revocation::Revocation, version::Version},
    store::{revocations, versions},
};

/// What one batch of the lane of records brought, each with the trace context to hand on, empty when it is not
/// followed.
#[derive(Debug, Default)]
pub struct Batch {
    /// Accepted versions.
    pub versions: Vec<Version>,
    /// Trace contexts of the versions.
    pub version_traces: Vec<String>,
    /// Versions that end their records.
    pub revocations: Vec<Revocation>,
    /// Trace contexts of the revocations.
    pub revocation_traces: Vec<String>,
}

/// How many of a batch were new.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// Accepted versions.
    pub versions: usize,
    /// Revocations and withdrawals.
    pub revocations: usize,
}

/// Stores a batch and announces what was not there before, in force or not.
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
        versions::raise_heads(conn, &all).await?;
        let ended = versions::Heads::of(ending.iter().map(Revocation::place));
        versions::demote(conn, &ended).await?;
    }
    let stored = Stored {
        versions: storing::store_versions(conn, &batch.versions, &batch.version_traces, now)
            .await?,
        revocations: 0,
    };
    if ending.is_empty() {
        return Ok(stored);
    }
    let new = revocations::insert(conn, ending, now).await?;
    let by_id: HashMap<_, _> = ending
        .iter()
        .zip(&batch.revocation_traces)
        .map(|(revocation, trace)| (revocation.record_id, (revocation, trace)))
        .collect();
    let events: Vec<NewEvent> = new
        .iter()
        .filter_map(|record_id| by_id.get(record_id))
        .map(|(revocation, trace)| NewEvent::new(&revocation.stored_event(now), now, trace))
        .collect();
    event_bus::append(conn, &events).await?;
    Ok(Stored {
        revocations: events.len(),
        ..stored
    })
}
