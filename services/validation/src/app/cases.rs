//! What follows for feedback cases from what was judged, confirmed or only time did. Called by `judge`, `confirm`
//! and `jobs`.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use event_bus::NewEvent;
use proto::credit::validation::events::v1::{FeedbackCaseChanged, FeedbackChange};
use service_kit::{
    db::{Conn, Error},
    grpc::timestamp,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Desk, feedback::version_message};
use crate::{
    domain::{
        CaseKind, CaseTerms, Decision, FeedbackCase,
        cross::{BaseSubject, RecordKey, contradiction},
        decision::seal_findings,
    },
    store::{
        self, Held,
        cases::{self, Change, Changed, ClosedAs, NewCase},
    },
};

/// Cases that the job treats in one transaction.
const AT_ONCE: i64 = 500;

/// What a batch touched.
#[derive(Debug)]
pub(super) struct Touched<'a> {
    /// What was judged.
    pub decisions: &'a [Decision],
    /// Standing versions that were contradicted.
    pub contradicted: &'a BTreeMap<Uuid, BaseSubject>,
}

/// Opens a case for each returned and each contradicted version, and closes those that an accepted revision has
/// answered. Gives the cases of returned versions by record id, and all changes.
///
/// The outcome does not depend on the order in which versions arrive: a case stays open as long as no
/// higher revision of its key was accepted, and one that was answered before it came is closed at once.
pub(super) async fn follow(
    conn: &mut Conn,
    desk: &Arc<Desk>,
    touched: &Touched<'_>,
    now: OffsetDateTime,
) -> Result<(HashMap<Uuid, FeedbackCase>, Vec<Changed>), Error> {
    // A first revision that passes can close nothing and opens nothing. Most are that.
    let concerned: Vec<(RecordKey, &Decision)> = touched
        .decisions
        .iter()
        .filter(|decision| !decision.is_accepted() || decision.submission.version.revision > 1)
        .map(|decision| (RecordKey::of(&decision.submission), decision))
        .collect();
    if concerned.is_empty() && touched.contradicted.is_empty() {
        return Ok(Default::default());
    }
    let judged = concerned.iter().map(|(key, decision)| Held {
        key,
        revision: decision.submission.version.revision,
        record_id: decision.submission.record_id,
        accepted: decision.is_accepted(),
        ends: decision.submission.operation.ends(),
    });
    let standing = touched.contradicted.values().map(|subject| Held {
        key: &subject.key,
        revision: subject.revision,
        record_id: subject.record_id,
        accepted: true,
        ends: false,
    });
    let held: Vec<Held<'_>> = judged.chain(standing).collect();
    store::hold_keys(conn, &held).await?;

    let mut of_returned = HashMap::new();
    let mut new = Vec::new();
    for (key, decision) in concerned.iter().filter(|(_, d)| !d.is_accepted()) {
        let submission = &decision.submission;
        let case = FeedbackCase::open(CaseKind::Returned, submission.record_id, &desk.terms, now);
        of_returned.insert(submission.record_id, case);
        new.push(NewCase {
            case,
            record_id: submission.record_id,
            key: key.clone(),
            item_version: submission.version.item_version,
            revision: submission.version.revision,
            ledger_number: submission.ledger_number,
            sealed_record_key: &submission.sealed_record_key,
            sealed_findings: None,
            sealed_content: Some((&submission.sealed_content, &submission.content_type)),
        });
    }
    for subject in touched.contradicted.values() {
        let findings = [contradiction()];
        new.push(NewCase {
            case: FeedbackCase::open(CaseKind::Contradicted, subject.record_id, &desk.terms, now),
            record_id: subject.record_id,
            key: subject.key.clone(),
            item_version: subject.item_version,
            revision: subject.revision,
            ledger_number: subject.ledger_number,
            sealed_record_key: &subject.sealed_record_key,
            sealed_findings: seal_findings(&desk.keyring, subject.record_id.as_bytes(), &findings),
            sealed_content: None,
        });
    }
    let mut changes = Vec::new();
    if !new.is_empty() {
        changes.extend(cases::open(conn, &new, now).await?);
    }
    let keys = held.iter().map(|held| held.key);
    changes.extend(cases::close_answered(conn, keys, now).await?);
    cases::tell(conn, &changes, now).await?;
    Ok((of_returned, changes))
}

/// What time has done since the last run: reminders before the due day, the end of the due day, reminders after it.
/// Each case gets each once, up to 500 cases of each kind in one transaction. Says whether there may be more.
///
/// # Errors
/// The database's.
pub async fn pass_time(
    conn: &mut Conn,
    terms: &CaseTerms,
    now: OffsetDateTime,
) -> Result<(usize, bool), Error> {
    let horizon = terms.horizon(now);
    let reminded = cases::remind(conn, &horizon, AT_ONCE, now).await?;
    let overdue = cases::mark_overdue(conn, &horizon, AT_ONCE, now).await?;
    let urged = cases::urge(conn, &horizon, AT_ONCE, now).await?;
    let full = |changes: &Vec<Changed>| changes.len() as i64 == AT_ONCE;
    let more = full(&reminded) || full(&overdue) || full(&urged);
    let changes: Vec<Changed> = [reminded, overdue, urged].into_iter().flatten().collect();
    cases::tell(conn, &changes, now).await?;
    let events: Vec<NewEvent> = changes.iter().map(|change| event(change, now)).collect();
    event_bus::append(conn, &events).await?;
    Ok((changes.len(), more))
}

/// The fact that a case changed.
pub(super) fn event(changed: &Changed, now: OffsetDateTime) -> NewEvent {
    let change = match changed.change {
        Change::Opened => FeedbackChange::Opened,
        Change::Reminded => FeedbackChange::Reminded,
        Change::Overdue => FeedbackChange::Overdue,
        Change::Closed(ClosedAs::Rereport) => FeedbackChange::ClosedByRereport,
        Change::Closed(ClosedAs::Confirmation) => FeedbackChange::ClosedByConfirmation,
        Change::Closed(ClosedAs::Withdrawal) => FeedbackChange::ClosedByWithdrawal,
    };
    let event = FeedbackCaseChanged {
        case_id: changed.case_id.to_string(),
        version: Some(version_message(changed.version.clone())),
        change: change.into(),
        changed_at: Some(timestamp(now)),
        due_on: changed
            .due_on
            .map(|day| day.to_string())
            .unwrap_or_default(),
        due_provisional: changed.due_provisional,
        reminders: changed.reminders.unsigned_abs(),
    };
    NewEvent::new(&event, now, "")
}
