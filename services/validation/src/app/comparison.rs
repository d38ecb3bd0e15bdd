//! Compares the records of a batch with all others and with each other: loads the state to compare with, makes the
//! findings, and writes what the batch adds. Called by `judge`, `confirm` and `dry_run`; the last writes nothing. The
//! number of statements is bounded: two to read, one more when an item of a department or district is among them, two
//! to write.

use std::collections::{BTreeSet, HashSet};

use credit_record::Finding;
use record_ref::{Revision, VersionId};
use service_kit::db::{Conn, Error};

use super::items::CompiledItems;
use crate::{
    domain::{
        CheckedVersion, check::CheckedContent, comparison::ComparisonState,
        competence::CompetentOwner, verdict::is_error,
    },
    store::comparison::{self, ComparisonQuery},
};

/// A version with the findings of its comparison.
pub(super) type ComparedVersion = (CheckedVersion, Vec<Finding>);

/// Loads the state that these versions are compared with, and which of them have a verdict already. `writes` locks the
/// base register where one of them may change it.
pub(super) async fn load_comparison(
    conn: &mut Conn,
    items: &CompiledItems,
    checked: &[CheckedVersion],
    writes: bool,
) -> Result<(ComparisonState, HashSet<VersionId>), Error> {
    let mut query = ComparisonQuery::default();
    let (mut codes, mut registered, mut providers) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for one in checked {
        let version = &one.submission.version;
        let key = version.key();
        query.versions.push(version.id);
        let mut registers = one.submission.operation.ends_record();
        if let CheckedContent::Record(_, facts) = &one.content {
            codes.extend(facts.code.as_deref());
            query.identities.push(facts.identity);
            registers = facts.registration.is_some();
        }
        if version.revision > Revision::FIRST {
            query.later_versions.push((key.clone(), version.revision));
            if registers {
                registered.push(key.clone());
            }
        }
        if *item_owner(items, one) != CompetentOwner::City {
            providers.insert(version.provider);
        }
        query.keys.push(key);
    }
    let mut state = ComparisonState::default();
    let registers = |one: &CheckedVersion| matches!(&one.content, CheckedContent::Record(_, facts) if facts.registration.is_some());
    if writes && (!registered.is_empty() || checked.iter().any(registers)) {
        comparison::lock_register(conn).await?;
    }
    let known = comparison::load_state(conn, &query, &mut state).await?;
    if !codes.is_empty() || !registered.is_empty() {
        let codes: Vec<&str> = codes.into_iter().collect();
        comparison::load_register(conn, &codes, &registered, &mut state).await?;
    }
    if !providers.is_empty() {
        let providers: Vec<_> = providers.into_iter().collect();
        state.registry = comparison::load_organ_positions(conn, &providers).await?;
    }
    Ok((state, known))
}

/// Compares the versions one after the other, each also with those before it in the batch.
pub(super) fn compare_versions(
    state: &mut ComparisonState,
    items: &CompiledItems,
    checked: Vec<CheckedVersion>,
) -> Vec<ComparedVersion> {
    let mut compared = Vec::with_capacity(checked.len());
    for one in checked {
        let found = state.compare_version(&one, item_owner(items, &one), false);
        apply_version(state, &one, &found);
        compared.push((one, found));
    }
    compared
}

/// Adds the version to the comparison state unless it is returned.
pub(super) fn apply_version(state: &mut ComparisonState, one: &CheckedVersion, found: &[Finding]) {
    let conflict = credit_record::FindingCode::BaseInfoConflict;
    if found.iter().any(|finding| finding.code == conflict) {
        state.mark_contradicted(one);
    }
    let faulty = matches!(one.content, CheckedContent::Faulty(_));
    if !faulty && !found.iter().any(is_error) {
        state.apply_accepted(one);
    }
}

/// Writes what the versions added. False when another transaction was faster with one of the claims.
pub(super) async fn write_comparison(
    conn: &mut Conn,
    state: &ComparisonState,
) -> Result<bool, Error> {
    // First what was given up: another key of the same batch may hold it since.
    let released: Vec<_> = state.released_claims.iter().collect();
    if !released.is_empty() && !comparison::write_claims(conn, &released).await? {
        return Ok(false);
    }
    let made: Vec<_> = state
        .changed_claims
        .iter()
        .filter_map(|digest| state.claims.get_key_value(digest))
        .filter(|(_, claim)| claim.active)
        .collect();
    if !made.is_empty() && !comparison::write_claims(conn, &made).await? {
        return Ok(false);
    }
    let subjects: Vec<_> = state
        .changed_subjects
        .iter()
        .filter_map(|code| state.subjects.get(code))
        .collect();
    if !subjects.is_empty() {
        comparison::write_register(conn, &subjects).await?;
    }
    Ok(true)
}

/// The owner of the catalogue that has the item of a version. The end of a record needs no item.
pub(super) fn item_owner<'a>(items: &'a CompiledItems, one: &CheckedVersion) -> &'a CompetentOwner {
    const CITY: &CompetentOwner = &CompetentOwner::City;
    items
        .get(&one.submission.version.item)
        .map_or(CITY, |item| &item.owner)
}
