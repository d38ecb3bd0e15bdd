//! Opens, closes and reminds feedback cases after verdicts, confirmations and elapsed deadlines. Called by
//! `judge`, `confirm` and `jobs`.

use std::collections::{BTreeMap, HashMap};

use event_bus::NewEvent;
use record_ref::{RecordVersion, Revision, VersionId};
use service_kit::db::{Conn, Error};
use time::OffsetDateTime;

use super::{RecordValidator, events::case_changed_event};
use crate::{
    domain::{
        CaseKind, CasePolicy, FeedbackCase, SealedVerdict,
        comparison::{BaseSubject, contradiction_finding},
        sealed::seal_findings,
    },
    store::{
        self, KeyLock,
        cases::{self, ChangedCase, NewCase},
    },
};

/// Cases that the job changes in one transaction.
const CASES_PER_TRANSACTION: i64 = 500;

/// What a batch decided that opens or closes cases.
#[derive(Debug)]
pub(super) struct CaseTriggers<'a> {
    /// The verdicts.
    pub decisions: &'a [SealedVerdict],
    /// Accepted versions that were contradicted.
    pub contradicted: &'a BTreeMap<VersionId, BaseSubject>,
}

/// Opens a case for each returned and each contradicted version, and closes those that an accepted revision has
/// answered. Returns the cases of returned versions by their ids, and all changes.
///
/// The outcome does not depend on the order in which versions arrive: a case stays open as long as no
/// higher revision of its key was accepted, and one that was answered before it came is closed at once.
pub(super) async fn update_cases(
    conn: &mut Conn,
    validator: &RecordValidator,
    touched: &CaseTriggers<'_>,
    now: OffsetDateTime,
) -> Result<(HashMap<VersionId, FeedbackCase>, Vec<ChangedCase>), Error> {
    // A first revision that passes can close nothing and opens nothing. Most are that.
    let later = |version: &RecordVersion| version.revision > Revision::FIRST;
    let concerned: Vec<&SealedVerdict> = touched
        .decisions
        .iter()
        .filter(|decision| !decision.is_accepted() || later(&decision.submission.version))
        .collect();
    if concerned.is_empty() && touched.contradicted.is_empty() {
        return Ok(Default::default());
    }
    let verdicts = concerned.iter().map(|decision| KeyLock {
        version: &decision.submission.version,
        accepted: decision.is_accepted(),
        ends: decision.submission.operation.ends_record(),
    });
    let contradicted = touched.contradicted.values().map(|subject| KeyLock {
        version: &subject.version,
        accepted: true,
        ends: false,
    });
    let locks: Vec<KeyLock<'_>> = verdicts.chain(contradicted).collect();
    store::lock_keys(conn, &locks).await?;

    let mut of_returned = HashMap::new();
    let mut new = Vec::new();
    for decision in concerned.iter().filter(|d| !d.is_accepted()) {
        let submission = &decision.submission;
        let version = &submission.version;
        let case = FeedbackCase::open(CaseKind::Returned, version.id, &validator.case_policy, now);
        of_returned.insert(version.id, case);
        new.push(NewCase {
            case,
            version,
            ledger_number: submission.ledger_number,
            sealed_record_key: &submission.sealed_record_key,
            sealed_findings: None,
            sealed_content: Some((&submission.sealed_content, &submission.content_type)),
        });
    }
    for subject in touched.contradicted.values() {
        let findings = [contradiction_finding()];
        let version = &subject.version;
        new.push(NewCase {
            case: FeedbackCase::open(
                CaseKind::Contradicted,
                version.id,
                &validator.case_policy,
                now,
            ),
            version,
            ledger_number: subject.ledger_number,
            sealed_record_key: &subject.sealed_record_key,
            sealed_findings: seal_findings(&validator.keyring, version.id.as_bytes(), &findings),
            sealed_content: None,
        });
    }
    let mut changes = Vec::new();
    if !new.is_empty() {
        changes.extend(cases::open_cases(conn, &new, now).await?);
    }
    let versions = locks.iter().map(|lock| lock.version);
    changes.extend(cases::close_answered(conn, versions, now).await?);
    cases::append_feed(conn, &changes, now).await?;
    Ok((of_returned, changes))
}

/// Applies the deadlines that passed since the last run: reminders before the due day, overdue marks, reminders after
/// it. Each case gets each once, up to 500 cases of each kind in one transaction. Returns whether there may be more.
///
/// # Errors
/// The database's.
pub async fn advance_deadlines(
    conn: &mut Conn,
    policy: &CasePolicy,
    now: OffsetDateTime,
) -> Result<(usize, bool), Error> {
    let days = policy.reminder_days(now);
    let reminded = cases::mark_reminded(conn, &days, CASES_PER_TRANSACTION, now).await?;
    let overdue = cases::mark_overdue(conn, &days, CASES_PER_TRANSACTION, now).await?;
    let urged = cases::mark_urged(conn, &days, CASES_PER_TRANSACTION, now).await?;
    let full = |changes: &Vec<ChangedCase>| changes.len() as i64 == CASES_PER_TRANSACTION;
    let more = full(&reminded) || full(&overdue) || full(&urged);
    let changes: Vec<ChangedCase> = [reminded, overdue, urged].into_iter().flatten().collect();
    cases::append_feed(conn, &changes, now).await?;
    let events: Vec<NewEvent> = changes
        .iter()
        .map(|change| case_changed_event(change, now))
        .collect();
    event_bus::append_events(conn, &events).await?;
    Ok((changes.len(), more))
}
