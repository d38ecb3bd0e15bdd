//! The legal clocks of an objection, computed when they are read: a new calendar moves the open
//! ones by itself, and no job decides what is overdue. Called by `app` for each view and list.

use legal_clock::{Deadline, Law, LegalDuty, shanghai_date};
use time::{Date, OffsetDateTime};

use super::{Objection, ObjectionPhase};

/// A day by which a duty is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueDay {
    /// The last day, and whether the calendar is sure of it.
    pub deadline: Deadline,
    /// The article that says so.
    pub article: &'static str,
    /// The day has passed and nothing was done, or it was done after the day. Changes no state.
    pub overdue: bool,
    /// The clock has not started: counted as if the duty before it were done on its last day.
    pub expected: bool,
}

/// Both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectionClocks {
    /// The credit office's: 3 working days from the filing (R-18, D-4).
    pub transfer: DueDay,
    /// The provider's: 7 working days from the transfer, for the answer and for the notice of a
    /// correction alike (R-19, D-1, D-2).
    pub answer: DueDay,
}

/// The clocks of an objection at `now`; none for a filing that the rule set does not govern.
pub fn clocks_at(objection: &Objection, now: OffsetDateTime, law: &Law) -> Option<ObjectionClocks> {
    let filed_on = shanghai_date(objection.filed_at);
    let transfer = started_clock(
        law,
        LegalDuty::Transfer,
        filed_on,
        objection.transferred_at(),
        now,
    )?;
    let answer = match objection.phase {
        ObjectionPhase::Filed => {
            let mut deadline = law.duty_deadline(LegalDuty::Answer, transfer.deadline.due_on)?;
            deadline.provisional |= transfer.deadline.provisional;
            DueDay {
                deadline,
                article: law.rules.basis(LegalDuty::Answer).article,
                // A clock that has not started is not overdue.
                overdue: false,
                expected: true,
            }
        }
        ObjectionPhase::Transferred { at } => {
            started_clock(law, LegalDuty::Answer, shanghai_date(at), None, now)?
        }
        ObjectionPhase::Answered {
            transferred_at, at, ..
        } => started_clock(
            law,
            LegalDuty::Answer,
            shanghai_date(transferred_at),
            Some(at),
            now,
        )?,
    };
    Some(ObjectionClocks { transfer, answer })
}

fn started_clock(
    law: &Law,
    duty: LegalDuty,
    event: Date,
    done_at: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Option<DueDay> {
    let deadline = law.duty_deadline(duty, event)?;
    Some(DueDay {
        overdue: deadline.is_past(done_at.unwrap_or(now)),
        article: law.rules.basis(duty).article,
        expected: false,
        deadline,
    })
}

/// The latest day on which a duty can have begun so that it is overdue at `now` when it is still
/// open: a bound for SQL. Exact, since a later beginning never ends earlier.
pub fn latest_overdue_event(law: &Law, duty: LegalDuty, now: OffsetDateTime) -> Date {
    let today = shanghai_date(now);
    let days = law.rules.working_days(duty);
    let mut event = today;
    // A deadline lies a few weeks after its event at most, so this takes as many steps.
    while !law.calendar.deadline(event, days).is_past(now) {
        match event.previous_day() {
            Some(before) => event = before,
            None => return Date::MIN,
        }
    }
    event
}
