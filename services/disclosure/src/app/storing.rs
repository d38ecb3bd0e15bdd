//! Writing: what other services announced, a batch at a time. Called by `handlers`.

use std::collections::BTreeMap;

use service_kit::db::{Conn, Error};
use time::OffsetDateTime;
use vault::keyed_hash::KeyedHash;

use crate::{
    domain::{
        version::{About, Organisation, Version},
        visibility::ItemRule,
    },
    store::{
        catalogue::{self, Provider},
        marks::{self, Mark},
        versions::{self, Standing},
    },
};

/// Stores versions that were not there before, current or not, under the heads that the batch has raised; gives how many
/// those were.
pub async fn store_versions(
    conn: &mut Conn,
    accepted: &[Version],
    standing: &Standing,
    now: OffsetDateTime,
) -> Result<usize, Error> {
    let fresh = versions::unstored(conn, accepted, standing).await?;
    let mut organisations: Vec<(&Version, &Organisation)> = Vec::new();
    let mut persons: Vec<(&Version, &KeyedHash)> = Vec::new();
    for version in &fresh {
        match &version.about {
            About::Organisation(organisation) => organisations.push((version, organisation)),
            About::Person { blind_index } => persons.push((version, blind_index)),
        }
    }
    versions::insert_names(
        conn,
        organisations.iter().map(|(_, organisation)| *organisation),
    )
    .await?;
    versions::insert_organisations(conn, &organisations, standing, now).await?;
    versions::insert_persons(conn, &persons, standing, now).await?;
    Ok(fresh.len())
}

/// Keeps item versions with their definitions (JSON).
pub async fn store_items(conn: &mut Conn, items: &[(ItemRule, String)]) -> Result<(), Error> {
    if items.is_empty() {
        return Ok(());
    }
    catalogue::insert_items(conn, items).await
}

/// Keeps the newest revision of each provider.
pub async fn store_providers(conn: &mut Conn, providers: &[Provider]) -> Result<(), Error> {
    let mut newest: BTreeMap<_, &Provider> = BTreeMap::new();
    for provider in providers {
        let known = newest.entry(provider.code).or_insert(provider);
        if known.revision < provider.revision {
            *known = provider;
        }
    }
    let newest: Vec<&Provider> = newest.into_values().collect();
    if newest.is_empty() {
        return Ok(());
    }
    catalogue::raise_providers(conn, &newest).await
}

/// Keeps the newest state of each objection.
pub async fn store_marks(conn: &mut Conn, changes: &[Mark]) -> Result<(), Error> {
    let mut newest: BTreeMap<_, Mark> = BTreeMap::new();
    for mark in changes {
        let known = newest.entry(mark.objection_id).or_insert(*mark);
        if known.revision < mark.revision {
            *known = *mark;
        }
    }
    let newest: Vec<Mark> = newest.into_values().collect();
    if newest.is_empty() {
        return Ok(());
    }
    marks::raise(conn, &newest).await
}
