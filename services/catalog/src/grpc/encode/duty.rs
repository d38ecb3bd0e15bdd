//! Triggers and duties as messages. Called by `grpc`.

use legal_clock::{Law, format_day, shanghai_date};
use proto::credit::catalog::v1::{Duty, DutyState, Trigger, TriggerKind};
use service_kit::grpc::to_timestamp;
use time::Date;

use super::encode_owner;
use crate::domain::duty::{self, RecordedTrigger, RenewalDutyState, is_overdue};

/// A trigger.
pub(in crate::grpc) fn encode_trigger(recorded: &RecordedTrigger) -> Trigger {
    let trigger = &recorded.trigger;
    let kind = match trigger.kind {
        duty::TriggerKind::LawAmended => TriggerKind::LawAmended,
        duty::TriggerKind::FunctionsChanged => TriggerKind::FunctionsChanged,
    };
    let (effective_on, effective_reason) = trigger
        .effective
        .as_ref()
        .map(|(day, reason)| (format_day(*day), reason.clone()))
        .unwrap_or_default();
    Trigger {
        trigger_id: recorded.id.to_string(),
        kind: kind.into(),
        document_title: trigger.title.clone(),
        document_number: trigger.number.clone(),
        promulgated_on: format_day(trigger.promulgated_on),
        effective_on,
        effective_reason,
        recorded_at: Some(to_timestamp(recorded.at)),
    }
}

/// A duty with its state on a day.
pub(in crate::grpc) fn encode_duty(duty: &duty::RenewalDuty, law: &Law, today: Date) -> Duty {
    let state = match duty.state {
        RenewalDutyState::Open => DutyState::Open,
        RenewalDutyState::Closed => DutyState::Closed,
        RenewalDutyState::Dismissed => DutyState::Dismissed,
    };
    let starts_on = duty.trigger.trigger.starts_on();
    let ended_on = duty.ended_at.map(shanghai_date);
    let until = ended_on.unwrap_or(today);
    Duty {
        duty_id: duty.id.to_string(),
        trigger: Some(encode_trigger(&duty.trigger)),
        item_code: duty.item_code.as_str().to_owned(),
        owner: Some(encode_owner(&duty.owner)),
        state: state.into(),
        starts_on: format_day(starts_on),
        due_on: format_day(duty.deadline.due_on),
        provisional: duty.deadline.provisional,
        overdue: is_overdue(duty.state, duty.deadline.due_on, ended_on, today),
        opened_at: Some(to_timestamp(duty.opened_at)),
        ended_at: duty.ended_at.map(to_timestamp),
        closed_by_version: duty.closed_by_version.unwrap_or(0),
        reason: duty.reason.clone(),
        working_days_passed: law.calendar.working_days_between(starts_on, until).0,
    }
}
