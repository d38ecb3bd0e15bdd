//! Judges a batch of submissions: load the items, check each record by itself and compare it with all others, store,
//! append to the outbox. Called by `handlers::SubmissionHandler`. The number of statements is bounded whatever the size
//! of the batch: five when all versions pass at their first report, nine when some are returned or reported again,
//! three more when registrations and items of departments or districts are among them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use event_bus::{HandlerError, NewEvent};
use record_ref::VersionId;
use service_kit::{blocking::run_blocking, db::Conn, error::error_chain};
use time::OffsetDateTime;

use super::{
    RecordValidator,
    cases::{self, CaseTriggers},
    comparison::{self, ComparedVersion},
    events::{case_changed_event, verdict_event},
    items::{CompiledItems, LoadedItems},
    stopping_error,
};
use crate::{
    domain::{
        CheckedVersion, SealedVerdict, SubmittedVersion,
        check::{CheckInputs, check_end_reason, check_record},
        decide_verdict,
    },
    store,
};

/// A submission with the event that brought it.
#[derive(Debug, Clone)]
pub struct PendingSubmission {
    /// Position of the event in its batch, returned when the submission is poison.
    pub position: usize,
    /// What is to be judged.
    pub submission: SubmittedVersion,
    /// Trace context for the event that follows, empty when the record is not followed.
    pub traceparent: String,
}

/// Judges the batch and announces each new verdict, all in the caller's transaction. A version that has
/// a verdict already keeps it and is not announced again.
///
/// Returns the positions of submissions that cannot be judged, with the reason: their content does not open, or there
/// is no definition to judge them by. Those of other items are judged all the same.
///
/// # Errors
/// The database's, or [`HandlerError::Transient`] while the event of an item may still be in flight.
pub async fn judge_submissions(
    conn: &mut Conn,
    validator: &Arc<RecordValidator>,
    work: Vec<PendingSubmission>,
    now: OffsetDateTime,
) -> Result<Vec<(usize, String)>, HandlerError> {
    if work.is_empty() {
        return Ok(Vec::new());
    }
    // A revocation or withdrawal needs no item definition.
    let judged_by = |work: &PendingSubmission| !work.submission.operation.ends_record();
    let wanted = work.iter().filter(|work| judged_by(work));
    let wanted = wanted
        .map(|work| work.submission.version.item.clone())
        .collect();
    let loaded = validator.items.load_items(conn, wanted, now).await?;
    let LoadedItems {
        items,
        unavailable: without,
    } = loaded;
    let mut poison = Vec::new();
    let mut fit = Vec::with_capacity(work.len());
    for one in work {
        match without.get(&one.submission.version.item) {
            Some(why) if judged_by(&one) => poison.push((one.position, why.clone())),
            _ => fit.push(one),
        }
    }
    let items = Arc::new(items);
    let batch = check_all(validator.clone(), items.clone(), fit).await?;
    poison.extend(batch.unopenable);
    let mut checked = batch.versions;

    let (mut state, known) = comparison::load_comparison(conn, &items, &checked, true).await?;
    // They keep their verdict and change nothing.
    checked.retain(|one| !known.contains(&one.submission.version.id));
    if checked.is_empty() {
        return Ok(poison);
    }
    let compared = comparison::compare_versions(&mut state, &items, checked);
    let decisions = decide_verdicts(validator.clone(), compared).await?;
    if !store::insert_verdicts(conn, &decisions, now).await? {
        return Err(overtaken_error("a version of this batch was judged"));
    }
    if !comparison::write_comparison(conn, &state).await? {
        return Err(overtaken_error("a decision of this batch was reported"));
    }
    let touched = CaseTriggers {
        decisions: &decisions,
        contradicted: &state.contradicted,
    };
    let (cases, changes) = cases::update_cases(conn, validator, &touched, now).await?;
    let mut events: Vec<NewEvent> = decisions
        .iter()
        .map(|decision| {
            let id = decision.submission.version.id;
            let trace = batch.traces.get(&id).map_or("", String::as_str);
            verdict_event(decision, cases.get(&id), trace, now)
        })
        .collect();
    events.extend(changes.iter().map(|change| case_changed_event(change, now)));
    event_bus::append_events(conn, &events).await?;
    if !changes.is_empty() {
        validator.feed.notify_feed();
    }
    Ok(poison)
}

/// Another copy of the service was faster; a retry of the batch sees what it wrote.
fn overtaken_error(what: &str) -> HandlerError {
    HandlerError::Transient(format!("{what} by another copy meanwhile"))
}

struct CheckedBatch {
    versions: Vec<CheckedVersion>,
    /// Trace contexts by version, of the records that are followed.
    traces: HashMap<VersionId, String>,
    unopenable: Vec<(usize, String)>,
}

/// Opens and checks the whole batch on the blocking pool: up to 500 records of digits and ciphers would keep an async
/// worker, and so other services of the process, waiting.
async fn check_all(
    validator: Arc<RecordValidator>,
    items: Arc<CompiledItems>,
    work: Vec<PendingSubmission>,
) -> Result<CheckedBatch, HandlerError> {
    run_blocking(move || {
        let mut seen = HashSet::new();
        let mut batch = CheckedBatch {
            versions: Vec::with_capacity(work.len()),
            traces: HashMap::new(),
            unopenable: Vec::new(),
        };
        let inputs = CheckInputs {
            keyring: &validator.keyring,
            working_days: &validator.working_days,
            // A record carries no attestation: an attester answers for it by a confirmation.
            attestations: &[],
        };
        for PendingSubmission {
            position,
            submission,
            traceparent,
        } in work
        {
            let id = submission.version.id;
            // The same version under two event ids: judged once.
            if !seen.insert(id) {
                continue;
            }
            let checked = if submission.operation.ends_record() {
                check_end_reason(&validator.keyring, submission)
            } else {
                // `items` holds every item of what comes here; see `ItemCache::load_items`.
                let Some(item) = items.get(&submission.version.item) else {
                    continue;
                };
                check_record(inputs, &item.compiled, submission)
            };
            match checked {
                Ok(checked) => batch.versions.push(checked),
                Err(error) => {
                    let reason = format!("sealed_content does not open: {}", error_chain(&error));
                    batch.unopenable.push((position, reason));
                }
            }
            if !traceparent.is_empty() {
                batch.traces.insert(id, traceparent);
            }
        }
        batch
    })
    .await
    .map_err(stopping_error)
}

/// Seals the verdicts, on the blocking pool too. A panic there goes on to the runner, which finds the one event by
/// halving and parks it.
async fn decide_verdicts(
    validator: Arc<RecordValidator>,
    compared: Vec<ComparedVersion>,
) -> Result<Vec<SealedVerdict>, HandlerError> {
    run_blocking(move || {
        compared
            .into_iter()
            .map(|(checked, findings)| decide_verdict(&validator.keyring, checked, findings))
            .collect()
    })
    .await
    .map_err(stopping_error)
}
