//! Puts the records of a batch beside all others: loads what these say, finds, and writes what the batch adds. Called
//! by `judge`, `confirm` and `dry_run`; the last writes nothing. The number of statements is bounded: two to read, one
//! more when an item of a department or district is among them, two to write.

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

/// A version with what was found beside others.
pub(super) type ComparedVersion = (CheckedVersion, Vec<Finding>);

/// What the others say about these versions, and which of these have a verdict already. `writes` holds the base
/// register where one of them may change it.
pub(super) async fn load_comparison(
    conn: &mut Conn,
    items: &CompiledItems,
    examined: &[CheckedVersion],
    writes: bool,
) -> Result<(ComparisonState, HashSet<VersionId>), Error> {
    let mut question = ComparisonQuery::default();
    let (mut codes, mut registered, mut places) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
    for one in examined {
        let version = &one.submission.version;
        let key = version.key();
        question.versions.push(version.id);
        let mut registers = one.submission.operation.ends_record();
        if let CheckedContent::Record(_, facts) = &one.content {
            codes.extend(facts.code.as_deref());
            question.identities.push(facts.identity);
            registers = facts.registration.is_some();
        }
        if version.revision > Revision::FIRST {
            question
                .later_versions
                .push((key.clone(), version.revision));
            if registers {
                registered.push(key.clone());
            }
        }
        if *item_owner(items, one) != CompetentOwner::City {
            places.insert(version.provider);
        }
        question.keys.push(key);
    }
    let mut standing = ComparisonState::default();
    let registers = |one: &CheckedVersion| matches!(&one.content, CheckedContent::Record(_, facts) if facts.registration.is_some());
    if writes && (!registered.is_empty() || examined.iter().any(registers)) {
        comparison::lock_register(conn).await?;
    }
    let known = comparison::load_state(conn, &question, &mut standing).await?;
    if !codes.is_empty() || !registered.is_empty() {
        let codes: Vec<&str> = codes.into_iter().collect();
        comparison::load_register(conn, &codes, &registered, &mut standing).await?;
    }
    if !places.is_empty() {
        let places: Vec<_> = places.into_iter().collect();
        standing.registry = comparison::load_organ_positions(conn, &places).await?;
    }
    Ok((standing, known))
}

/// Rules on the versions one after the other, so that each stands beside those before it.
pub(super) fn compare_versions(
    standing: &mut ComparisonState,
    items: &CompiledItems,
    examined: Vec<CheckedVersion>,
) -> Vec<ComparedVersion> {
    let mut ruled = Vec::with_capacity(examined.len());
    for one in examined {
        let found = standing.compare_version(&one, item_owner(items, &one), false);
        apply_version(standing, &one, &found);
        ruled.push((one, found));
    }
    ruled
}

/// Takes a version up among the others unless it goes back.
pub(super) fn apply_version(
    standing: &mut ComparisonState,
    one: &CheckedVersion,
    found: &[Finding],
) {
    let conflict = credit_record::FindingCode::BaseInfoConflict;
    if found.iter().any(|finding| finding.code == conflict) {
        standing.mark_contradicted(one);
    }
    let faulty = matches!(one.content, CheckedContent::Faulty(_));
    if !faulty && !found.iter().any(is_error) {
        standing.apply_accepted(one);
    }
}

/// Writes what the versions added. False when another transaction was faster with one of the claims.
pub(super) async fn write_comparison(
    conn: &mut Conn,
    standing: &ComparisonState,
) -> Result<bool, Error> {
    // First what was given up: another key of the same batch may hold it since.
    let released: Vec<_> = standing.released_claims.iter().collect();
    if !released.is_empty() && !comparison::write_claims(conn, &released).await? {
        return Ok(false);
    }
    let made: Vec<_> = standing
        .changed_claims
        .iter()
        .filter_map(|digest| standing.claims.get_key_value(digest))
        .filter(|(_, claim)| claim.held)
        .collect();
    if !made.is_empty() && !comparison::write_claims(conn, &made).await? {
        return Ok(false);
    }
    let subjects: Vec<_> = standing
        .changed_subjects
        .iter()
        .filter_map(|code| standing.subjects.get(code))
        .collect();
    if !subjects.is_empty() {
        comparison::write_register(conn, &subjects).await?;
    }
    Ok(true)
}

/// Whose catalogue the item of a version stands in. The end of a record needs no item.
pub(super) fn item_owner<'a>(items: &'a CompiledItems, one: &CheckedVersion) -> &'a CompetentOwner {
    const CITY: &CompetentOwner = &CompetentOwner::City;
    items
        .get(&one.submission.version.item)
        .map_or(CITY, |item| &item.owner)
}
