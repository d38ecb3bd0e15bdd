//! Writes what other services announced, a batch at a time. Called by `handlers` and `revoking`.

use std::collections::BTreeMap;

use service_kit::db::{Conn, Error};
use time::OffsetDateTime;
use vault::keyed_hash::KeyedHash;

use crate::{
    domain::{
        version::{AcceptedVersion, Organisation, VersionSubject},
        visibility::DisclosureRule,
    },
    store::{
        catalogue::{self, DisclosureProviderRow},
        marks::{self, ObjectionMark},
        versions::{self, HeadPositions},
    },
};

/// Stores versions that were not there before, current or not, under the heads that the batch has raised; returns how
/// many those were.
pub async fn store_versions(
    conn: &mut Conn,
    accepted: &[AcceptedVersion],
    heads: &HeadPositions,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let fresh = versions::find_unstored(conn, accepted, heads).await?;
    let mut organisations: Vec<(&AcceptedVersion, &Organisation)> = Vec::new();
    let mut persons: Vec<(&AcceptedVersion, &KeyedHash)> = Vec::new();
    for version in &fresh {
        match &version.subject {
            VersionSubject::Organisation(organisation) => {
                organisations.push((version, organisation))
            }
            VersionSubject::Person { blind_index } => persons.push((version, blind_index)),
        }
    }
    versions::insert_names(
        conn,
        organisations.iter().map(|(_, organisation)| *organisation),
    )
    .await?;
    versions::insert_organisations(conn, &organisations, heads, now).await?;
    versions::insert_persons(conn, &persons, heads, now).await?;
    Ok(fresh.len())
}

/// Stores item versions with their definitions (JSON).
pub async fn store_items(conn: &mut Conn, items: &[(DisclosureRule, String)]) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    catalogue::insert_items(conn, items).await
}

/// Stores the newest revision of each provider.
pub async fn store_providers(
    conn: &mut Conn,
    providers: &[DisclosureProviderRow],
) -> Result<(), Error> {
    let mut newest: BTreeMap<_, &DisclosureProviderRow> = BTreeMap::new();
    for provider in providers {
        let known = newest.entry(provider.code).or_insert(provider);
        if known.revision < provider.revision {
            *known = provider;
        }
    }
    let newest: Vec<&DisclosureProviderRow> = newest.into_values().collect();
    if newest.is_empty() {
        return Ok(());
    }
    catalogue::upsert_providers(conn, &newest).await
}

/// Stores the newest state of each objection.
pub async fn store_marks(conn: &mut Conn, changes: &[ObjectionMark]) -> Result<(), Error> {
    let mut newest: BTreeMap<_, ObjectionMark> = BTreeMap::new();
    for mark in changes {
        let known = newest.entry(mark.objection_id).or_insert(*mark);
        if known.revision < mark.revision {
            *known = *mark;
        }
    }
    let newest: Vec<ObjectionMark> = newest.into_values().collect();
    if newest.is_empty() {
        return Ok(());
    }
    marks::upsert_marks(conn, &newest).await
}
