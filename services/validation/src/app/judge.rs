//! Judges a batch of submissions: load the items, decide, store, append to the outbox. Called by
//! `handlers::Submissions`. The number of statements is bounded whatever the size of the batch: two when
//! all versions pass at their first report, five when some are returned or reported again.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use event_bus::{HandlerError, NewEvent};
use proto::credit::validation::events::v1::RecordReturned;
use service_kit::{
    db::{self, Conn},
    error::chain,
    grpc::timestamp,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::desk::{Desk, Items, Shelf};
use crate::{
    domain::{Decision, FeedbackCase, Outcome, Submission, decide},
    store,
};

/// A submission with the event that brought it.
#[derive(Debug, Clone)]
pub struct Work {
    /// Position of the event in its batch, given back when the submission is poison.
    pub position: usize,
    /// What is to be judged.
    pub submission: Submission,
    /// Trace context for the event that follows, empty when the record is not followed.
    pub traceparent: String,
}

/// Judges the batch and announces each new verdict, all in the caller's transaction. A version that has
/// a verdict already keeps it and is not announced again.
///
/// Gives the positions of submissions that cannot be judged, with the reason: their content does not open, or
/// there is no definition to judge them by. Those of other items are judged all the same.
///
/// # Errors
/// The database's, or [`HandlerError::Transient`] while the event of an item may still be on its way.
pub async fn judge(
    conn: &mut Conn,
    desk: &Arc<Desk>,
    work: Vec<Work>,
    now: OffsetDateTime,
) -> Result<Vec<(usize, String)>, HandlerError> {
    if work.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = work.iter().map(|work| work.submission.item()).collect();
    let Shelf { items, without } = desk.items(conn, wanted, now).await?;
    let mut poison = Vec::new();
    let mut fit = Vec::with_capacity(work.len());
    for one in work {
        match without.get(&one.submission.item()) {
            Some(why) => poison.push((one.position, why.clone())),
            None => fit.push(one),
        }
    }
    let judged = decide_all(desk.clone(), items, fit).await?;
    poison.extend(judged.unopened);

    let fresh = store::insert_verdicts(conn, &judged.decisions, now).await?;
    let decisions: Vec<&Decision> = judged
        .decisions
        .iter()
        .filter(|decision| fresh.contains(&decision.submission.record_id))
        .collect();
    let cases = open_cases(conn, desk, &decisions, now).await?;
    let events: Vec<NewEvent> = decisions
        .iter()
        .map(|decision| {
            let id = decision.submission.record_id;
            let trace = judged.traces.get(&id).map_or("", String::as_str);
            event(decision, cases.get(&id), trace, now)
        })
        .collect();
    event_bus::append(conn, &events).await?;
    Ok(poison)
}

struct Judged {
    decisions: Vec<Decision>,
    /// Trace contexts by record id, of the records that are followed.
    traces: HashMap<Uuid, String>,
    unopened: Vec<(usize, String)>,
}

/// Opens, checks and seals the whole batch on a thread of its own: up to 500 records of digits and
/// ciphers would keep an async worker, and so other services of the process, waiting.
async fn decide_all(
    desk: Arc<Desk>,
    items: Items,
    work: Vec<Work>,
) -> Result<Judged, HandlerError> {
    off_the_workers(move || {
        let mut seen = HashSet::new();
        let mut judged = Judged {
            decisions: Vec::with_capacity(work.len()),
            traces: HashMap::new(),
            unopened: Vec::new(),
        };
        for Work {
            position,
            submission,
            traceparent,
        } in work
        {
            let id = submission.record_id;
            // `items` holds every item of what comes here; see `Desk::items`.
            let Some(item) = items.get(&submission.item()) else {
                continue;
            };
            // The same version under two event ids: judged once.
            if !seen.insert(id) {
                continue;
            }
            match decide(&desk.keyring, item, &desk.working_days, submission) {
                Ok(decision) => judged.decisions.push(decision),
                Err(error) => {
                    let reason = format!("sealed_content does not open: {}", chain(&error));
                    judged.unopened.push((position, reason));
                }
            }
            if !traceparent.is_empty() {
                judged.traces.insert(id, traceparent);
            }
        }
        judged
    })
    .await
}

/// Runs on a thread for blocking work. A panic goes on to the caller, so that the runner finds the one event
/// by halving and parks it.
pub(super) async fn off_the_workers<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, HandlerError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done),
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Err(HandlerError::Transient(
            "the process is stopping".to_owned(),
        )),
    }
}

/// Opens a case for each returned version and closes those that an accepted revision has answered.
///
/// The outcome does not depend on the order in which versions arrive: a case stays open as long as no
/// higher revision of its key was accepted, and one that was answered before it came is closed at once.
async fn open_cases(
    conn: &mut Conn,
    desk: &Desk,
    decisions: &[&Decision],
    now: OffsetDateTime,
) -> Result<HashMap<Uuid, FeedbackCase>, db::Error> {
    // A first revision that passes can close nothing and opens nothing. Most are that.
    let concerned: Vec<&Decision> = decisions
        .iter()
        .copied()
        .filter(|decision| !decision.is_accepted() || decision.submission.version.revision > 1)
        .collect();
    if concerned.is_empty() {
        return Ok(HashMap::new());
    }
    store::hold_keys(conn, &concerned).await?;
    let cases: Vec<(&Submission, FeedbackCase)> = concerned
        .iter()
        .filter(|decision| !decision.is_accepted())
        .map(|decision| &decision.submission)
        .map(|submission| {
            let case = FeedbackCase::open(submission.record_id, &desk.rules, &desk.calendar, now);
            (submission, case)
        })
        .collect();
    if !cases.is_empty() {
        store::insert_cases(conn, &cases, now).await?;
    }
    store::close_answered(conn, &concerned, now).await?;
    Ok(cases
        .into_iter()
        .map(|(submission, case)| (submission.record_id, case))
        .collect())
}

/// The fact that follows from a decision.
fn event(
    decision: &Decision,
    case: Option<&FeedbackCase>,
    traceparent: &str,
    now: OffsetDateTime,
) -> NewEvent {
    let submission = &decision.submission;
    match &decision.outcome {
        Outcome::Accepted(event) => NewEvent::new(event.as_ref(), now, traceparent),
        Outcome::Returned => {
            let due = case.and_then(|case| case.due);
            let event = RecordReturned {
                version: Some(submission.version.clone()),
                received_at: Some(timestamp(submission.received_at)),
                case_id: case
                    .map(|case| case.case_id.to_string())
                    .unwrap_or_default(),
                finding_codes: decision.finding_codes(),
                due_on: due.map(|due| due.due_on.to_string()).unwrap_or_default(),
                due_provisional: due.is_some_and(|due| due.provisional),
            };
            NewEvent::new(&event, now, traceparent)
        }
    }
}
