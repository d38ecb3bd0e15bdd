//! The verdicts that records would get now: the same steps as `judge` up to the first write, so nothing is stored.
//! Called by `grpc`.

use std::sync::Arc;

use bytes::Bytes;
use legal_clock::shanghai_date;
use record_ref::{
    ItemCode, ItemRef, Operation, ProviderCode, RecordAddress, RecordVersion, VersionId,
};
use service_kit::{
    blocking::run_blocking,
    db::{self, Conn},
};
use time::OffsetDateTime;
use vault::keyed_hash::hash_record_key;

use super::{
    RecordValidator,
    comparison::{self, ComparedVersion},
    items::CompiledItems,
};
use crate::{
    domain::{
        CheckedVersion, SubmittedVersion,
        check::{CheckInputs, CheckedContent, check_content},
        sealed::{StoredChange, StoredFinding},
        verdict::is_error,
    },
    error::{DryRunFault, ValidationError},
    store::{
        catalogue::{self, ItemFirstDay},
        reads,
    },
};

/// Most records of one request.
pub const MOST_RECORDS: usize = 200;
/// The provider where the caller's organisation is no code of a provider: a code that GB 32100 gives to nobody, under
/// which nothing was ever reported.
const NOBODY: &str = "000000000000000000";
/// Above every revision that a key will ever have, so that each record is compared as the newest version of its key.
const DRY_RUN_REVISION: u64 = i64::MAX as u64 - MOST_RECORDS as u64;

/// A record to try.
#[derive(Debug, Clone)]
pub struct DryRunSubmission {
    /// The item that it is judged by.
    pub item_code: ItemCode,
    /// By which version; none: by the one in force.
    pub item_version: Option<u32>,
    /// The provider's own key; empty: it is the next version of no record.
    pub record_key: String,
    /// Type of the content, one of those of records.
    pub content_type: String,
    /// The record.
    pub content: Bytes,
}

/// The verdict that a record would get.
#[derive(Debug, Clone, PartialEq)]
pub struct DryRunResult {
    /// Whether it would pass.
    pub accepted: bool,
    /// Errors first.
    pub findings: Vec<StoredFinding>,
    /// Normalisations that would be applied.
    pub changes: Vec<StoredChange>,
}

/// The verdicts of at most [`MOST_RECORDS`] records, in order.
///
/// # Errors
/// [`ValidationError`] for a request that cannot be tried, and the database's.
pub async fn dry_run(
    conn: &mut Conn,
    validator: &Arc<RecordValidator>,
    provider: Option<ProviderCode>,
    records: Vec<DryRunSubmission>,
    now: OffsetDateTime,
) -> Result<Vec<DryRunResult>, ValidationError> {
    let provider = match provider {
        Some(provider) => provider,
        None => NOBODY
            .parse()
            .map_err(|_| ValidationError::CallerNotRegistered)?,
    };
    reads::set_read_only(conn).await.map_err(database_error)?;
    let submissions = submitted_versions(conn, validator, provider, records, now).await?;
    let wanted = submissions.iter().map(|(one, _)| one.version.item.clone());
    let wanted: Vec<_> = wanted.collect();
    let items = validator.items.load_usable_items(conn, &wanted).await?;
    if let Some(index) = wanted.iter().position(|key| !items.contains_key(key)) {
        let item = &wanted[index];
        let fault = |versions: &[ItemFirstDay]| {
            if versions.iter().any(|stored| stored.item == *item) {
                DryRunFault::DefinitionUnusable
            } else {
                DryRunFault::ItemVersionUnknown
            }
        };
        return Err(missing_item(conn, index, &item.code, fault).await);
    }
    let items = Arc::new(items);
    let checked = check_all(validator.clone(), items.clone(), submissions).await?;
    let (mut state, _) = comparison::load_comparison(conn, &items, &checked, false)
        .await
        .map_err(database_error)?;
    let compared = comparison::compare_versions(&mut state, &items, checked);
    Ok(compared.into_iter().map(dry_run_result).collect())
}

/// Why nothing can be judged by this item: there is none, or else what `fault` says of its versions.
async fn missing_item(
    conn: &mut Conn,
    index: usize,
    code: &ItemCode,
    fault: impl FnOnce(&[ItemFirstDay]) -> DryRunFault,
) -> ValidationError {
    let versions = match catalogue::versions_of_item(conn, code).await {
        Ok(versions) => versions,
        Err(source) => return database_error(source),
    };
    let fault = if versions.is_empty() {
        DryRunFault::ItemUnknown
    } else {
        fault(&versions)
    };
    ValidationError::DryRun { index, fault }
}

/// No version has begun: of those that are stored, the first one's day is named.
fn not_yet_in_force(versions: &[ItemFirstDay]) -> DryRunFault {
    let days = versions.iter().filter_map(|stored| stored.first_day);
    DryRunFault::NotYetInForce { from: days.min() }
}

/// The records as if ingest had accepted them, each with its content.
async fn submitted_versions(
    conn: &mut Conn,
    validator: &RecordValidator,
    provider: ProviderCode,
    records: Vec<DryRunSubmission>,
    now: OffsetDateTime,
) -> Result<Vec<(SubmittedVersion, Bytes)>, ValidationError> {
    let unnamed = records.iter().filter(|one| one.item_version.is_none());
    let unnamed: Vec<&ItemCode> = unnamed.map(|one| &one.item_code).collect();
    let in_force = catalogue::load_versions_in_force(conn, &unnamed, shanghai_date(now))
        .await
        .map_err(database_error)?;
    let mut submissions = Vec::with_capacity(records.len());
    for (index, record) in records.into_iter().enumerate() {
        let code = record.item_code;
        let item = match record.item_version {
            None => match in_force.get(&code) {
                Some(item) => item.clone(),
                None => return Err(missing_item(conn, index, &code, not_yet_in_force).await),
            },
            Some(version) => match ItemRef::new(code.clone(), version) {
                Ok(item) => item,
                Err(_) => {
                    let fault = |_: &[ItemFirstDay]| DryRunFault::ItemVersionUnknown;
                    return Err(missing_item(conn, index, &code, fault).await);
                }
            },
        };
        let id = VersionId::generate();
        // Without a key of its own a record is the next version of no other.
        let key = match record.record_key {
            key if key.is_empty() => id.to_string(),
            key => key,
        };
        let key_digest = hash_record_key(&validator.keyring, &provider, &item.code, &key);
        let revision = DRY_RUN_REVISION + index as u64;
        let submission = SubmittedVersion {
            version: RecordVersion {
                id,
                address: RecordAddress::of_first_version(id),
                provider,
                item,
                key_digest,
                revision: revision
                    .try_into()
                    .map_err(|_| ValidationError::RecordsCount { most: MOST_RECORDS })?,
            },
            ledger_number: None,
            received_at: now,
            operation: Operation::Upsert,
            content_type: record.content_type,
            sealed_content: Bytes::new(),
            sealed_record_key: Bytes::new(),
        };
        submissions.push((submission, record.content));
    }
    Ok(submissions)
}

async fn check_all(
    validator: Arc<RecordValidator>,
    items: Arc<CompiledItems>,
    submissions: Vec<(SubmittedVersion, Bytes)>,
) -> Result<Vec<CheckedVersion>, ValidationError> {
    let checked = run_blocking(move || {
        let inputs = CheckInputs {
            keyring: &validator.keyring,
            working_days: &validator.working_days,
            attestations: &[],
        };
        let check = |(submission, content): (SubmittedVersion, Bytes)| {
            let item = items.get(&submission.version.item)?;
            Some(check_content(inputs, &item.compiled, submission, &content))
        };
        submissions.into_iter().filter_map(check).collect()
    });
    Ok(checked.await?)
}

fn dry_run_result((checked, mut findings): ComparedVersion) -> DryRunResult {
    let mut changes = Vec::new();
    match checked.content {
        CheckedContent::Record(record, _) => {
            findings.extend(record.warnings.iter().cloned());
            if !findings.iter().any(is_error) {
                changes = record.changes.iter().map(StoredChange::from).collect();
            }
        }
        CheckedContent::Faulty(own) => findings.extend(own),
        CheckedContent::End(own) => findings.extend(own),
    }
    findings.sort_by_key(|finding| finding.severity);
    DryRunResult {
        accepted: !findings.iter().any(is_error),
        findings: findings.iter().map(StoredFinding::from).collect(),
        changes,
    }
}

fn database_error(source: db::Error) -> ValidationError {
    ValidationError::Database {
        doing: "试校验",
        source,
    }
}
