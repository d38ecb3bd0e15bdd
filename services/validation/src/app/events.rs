//! The events that follow from verdicts, confirmations and changes of cases, encoded from domain values. Called by
//! `judge`, `confirm` and `cases`, which append them in their transaction.

use bytes::Bytes;
use credit_record::SubjectKind;
use event_bus::NewEvent;
use legal_clock::format_day;
use proto::credit::{
    common::v1 as common,
    validation::events::v1::{
        FeedbackCaseChanged, FeedbackChange, RecordAccepted, RecordReturned, RecordRevoked,
    },
};
use service_kit::grpc::to_timestamp;
use time::OffsetDateTime;

use crate::{
    domain::{
        FeedbackCase, SealedVerdict, SubmittedVersion, SupervisionFigures,
        verdict::{DisclosedRecord, DisclosedSubject, SealedOutcome},
    },
    store::cases::{CaseTransition, ChangedCase, ClosedAs},
};

/// The fact that follows from a verdict; `case` is that of a returned version.
pub(super) fn verdict_event(
    verdict: &SealedVerdict,
    case: Option<&FeedbackCase>,
    traceparent: &str,
    now: OffsetDateTime,
) -> NewEvent {
    let submission = &verdict.submission;
    match &verdict.outcome {
        SealedOutcome::Accepted(record) => NewEvent::new(
            &accepted_event(submission, record, &verdict.figures),
            now,
            traceparent,
        ),
        SealedOutcome::Ended => NewEvent::new(&ended_event(submission), now, traceparent),
        SealedOutcome::Returned => NewEvent::new(&returned_event(verdict, case), now, traceparent),
    }
}

/// The fact that disclosure builds on. Of a natural person nothing is in clear.
fn accepted_event(
    submission: &SubmittedVersion,
    record: &DisclosedRecord,
    figures: &SupervisionFigures,
) -> RecordAccepted {
    let mut event = RecordAccepted {
        version: Some((&submission.version).into()),
        received_at: Some(to_timestamp(submission.received_at)),
        subject_kind: subject_kind(record.subject_kind).into(),
        decision_date: format_day(record.decision_date),
        effective_date: format_day(record.effective_date),
        expiry_date: record.expiry_date.map(format_day).unwrap_or_default(),
        authority: record.authority.clone(),
        sealed_record: record.sealed_record.clone().into(),
        publicity_until: record.publicity_until.map(format_day).unwrap_or_default(),
        filled_fields: figures.filled_fields,
        fillable_fields: figures.fillable_fields,
        document_series: series(figures),
        document_running_number: running_number(figures),
        ..RecordAccepted::default()
    };
    match &record.subject {
        DisclosedSubject::Named {
            code,
            name,
            document_number,
        } => {
            event.subject_code = code.clone();
            event.subject_name = name.clone();
            event.document_number = document_number.clone();
        }
        DisclosedSubject::Person { document } => {
            event.subject_blind_index = document
                .as_ref()
                .map(|hash| Bytes::copy_from_slice(hash))
                .unwrap_or_default();
        }
    }
    event
}

fn ended_event(submission: &SubmittedVersion) -> RecordRevoked {
    RecordRevoked {
        version: Some((&submission.version).into()),
        received_at: Some(to_timestamp(submission.received_at)),
        operation: submission.operation.into(),
        // The original, sealed under the same id.
        sealed_reason: submission.sealed_content.clone(),
    }
}

fn returned_event(verdict: &SealedVerdict, case: Option<&FeedbackCase>) -> RecordReturned {
    let submission = &verdict.submission;
    let due = case.and_then(|case| case.due);
    let figures = &verdict.figures;
    RecordReturned {
        version: Some((&submission.version).into()),
        received_at: Some(to_timestamp(submission.received_at)),
        case_id: case
            .map(|case| case.case_id.to_string())
            .unwrap_or_default(),
        finding_codes: verdict.finding_codes(),
        due_on: due.map(|due| format_day(due.due_on)).unwrap_or_default(),
        due_provisional: due.is_some_and(|due| due.provisional),
        decision_date: figures.decision_date.map(format_day).unwrap_or_default(),
        filled_fields: figures.filled_fields,
        fillable_fields: figures.fillable_fields,
        document_series: series(figures),
        document_running_number: running_number(figures),
    }
}

/// The fact that a case changed.
pub(super) fn case_changed_event(changed: &ChangedCase, now: OffsetDateTime) -> NewEvent {
    let change = match changed.change {
        CaseTransition::Opened => FeedbackChange::Opened,
        CaseTransition::Reminded => FeedbackChange::Reminded,
        CaseTransition::Overdue => FeedbackChange::Overdue,
        CaseTransition::Closed(ClosedAs::Rereport) => FeedbackChange::ClosedByRereport,
        CaseTransition::Closed(ClosedAs::Confirmation) => FeedbackChange::ClosedByConfirmation,
        CaseTransition::Closed(ClosedAs::Withdrawal) => FeedbackChange::ClosedByWithdrawal,
    };
    let event = FeedbackCaseChanged {
        case_id: changed.case_id.to_string(),
        version: Some((&changed.version).into()),
        change: change.into(),
        changed_at: Some(to_timestamp(now)),
        due_on: changed.due_on.map(format_day).unwrap_or_default(),
        due_provisional: changed.due_provisional,
        reminders: changed.reminders.unsigned_abs(),
    };
    NewEvent::new(&event, now, "")
}

fn subject_kind(kind: SubjectKind) -> common::SubjectKind {
    match kind {
        SubjectKind::Organisation => common::SubjectKind::Organisation,
        SubjectKind::IndividualBusiness => common::SubjectKind::IndividualBusiness,
        SubjectKind::NaturalPerson => common::SubjectKind::NaturalPerson,
    }
}

fn series(figures: &SupervisionFigures) -> Bytes {
    figures
        .series
        .as_ref()
        .map(|(hash, _)| Bytes::copy_from_slice(hash))
        .unwrap_or_default()
}

fn running_number(figures: &SupervisionFigures) -> u32 {
    figures.series.map(|(_, number)| number).unwrap_or_default()
}
