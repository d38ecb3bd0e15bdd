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
use vault::keyed_hash::record_key;

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
    error::{TrialFault, ValidationError},
    store::{catalogue, reads},
};

/// Most records of one request.
pub const MOST_RECORDS: usize = 200;
/// The provider where the caller's organisation is no code of a provider: a code that GB 32100 gives to nobody, under
/// which nothing was ever reported.
const NOBODY: &str = "000000000000000000";
/// Above every revision that a key will ever have, so that each record is compared as the newest version of its key.
const TRIAL_REVISION: u64 = i64::MAX as u64 - MOST_RECORDS as u64;

/// A record to try.
#[derive(Debug, Clone)]
pub struct TrialRecord {
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
pub struct TrialVerdict {
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
    records: Vec<TrialRecord>,
    now: OffsetDateTime,
) -> Result<Vec<TrialVerdict>, ValidationError> {
    let provider = match provider {
        Some(provider) => provider,
        None => NOBODY
            .parse()
            .map_err(|_| ValidationError::CallerNotRegistered)?,
    };
    reads::set_read_only(conn).await.map_err(database_error)?;
    let submissions = trial_submissions(conn, validator, provider, records, now).await?;
    let wanted = submissions.iter().map(|(one, _)| one.version.item.clone());
    let wanted: Vec<_> = wanted.collect();
    let items = validator.items.load_usable_items(conn, &wanted).await?;
    if let Some(index) = wanted.iter().position(|key| !items.contains_key(key)) {
        let item = &wanted[index];
        return Err(missing_item(conn, index, &item.code, Some(item)).await);
    }
    let items = Arc::new(items);
    let examined = check_all(validator.clone(), items.clone(), submissions).await?;
    let (mut state, _) = comparison::load_comparison(conn, &items, &examined, false)
        .await
        .map_err(database_error)?;
    let ruled = comparison::compare_versions(&mut state, &items, examined);
    Ok(ruled.into_iter().map(trial_verdict).collect())
}

/// Why nothing can be judged by this item: by `version` of it, or by one that cannot be.
async fn missing_item(
    conn: &mut Conn,
    index: usize,
    code: &ItemCode,
    version: Option<&ItemRef>,
) -> ValidationError {
    let known = match catalogue::versions_of_item(conn, code).await {
        Ok(known) => known,
        Err(source) => return database_error(source),
    };
    let fault = if known.is_empty() {
        TrialFault::ItemUnknown
    } else if version.is_some_and(|version| known.contains(version)) {
        TrialFault::ItemUnusable
    } else {
        TrialFault::ItemVersionUnknown
    };
    ValidationError::Trial { index, fault }
}

/// The records as if ingest had accepted them, each with its content.
async fn trial_submissions(
    conn: &mut Conn,
    validator: &RecordValidator,
    provider: ProviderCode,
    records: Vec<TrialRecord>,
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
            None => in_force.get(&code).cloned(),
            Some(version) => ItemRef::new(code.clone(), version).ok(),
        };
        let Some(item) = item else {
            return Err(missing_item(conn, index, &code, None).await);
        };
        let id = VersionId::generate();
        // Without a key of its own a record is the next version of no other.
        let key = match record.record_key {
            key if key.is_empty() => id.to_string(),
            key => key,
        };
        let key_digest = record_key(&validator.keyring, &provider, &item.code, &key);
        let revision = TRIAL_REVISION + index as u64;
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
    let examined = run_blocking(move || {
        let means = CheckInputs {
            keyring: &validator.keyring,
            working_days: &validator.working_days,
            attestations: &[],
        };
        let examine = |(submission, content): (SubmittedVersion, Bytes)| {
            let item = items.get(&submission.version.item)?;
            Some(check_content(means, &item.compiled, submission, &content))
        };
        submissions.into_iter().filter_map(examine).collect()
    });
    Ok(examined.await?)
}

fn trial_verdict((examined, mut findings): ComparedVersion) -> TrialVerdict {
    let mut changes = Vec::new();
    match examined.content {
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
    TrialVerdict {
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
