//! The clock of R-6: when a law is amended or functions move, an item is renewed within 15 working days.
//! Called by `app` and by `jobs`.
//!
//! ```text
//! OPEN --newer version published, or the item has ended--> CLOSED
//!   |
//!   +--dismissed by the credit office, with a reason--> DISMISSED
//! ```
//!
//! A due day that has passed changes no state; "overdue" is computed when it is asked for.

use credit_record::item::ItemOwner;
use legal_clock::{Deadline, Law, LegalDuty, format_day};
use record_ref::ItemCode;
use service_kit::reason::Reason;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

use super::{CatalogRuleViolation, MAX_NAME_CHARS, MAX_REASON_CHARS, given_text};

/// When a trigger is to be answered; none when nothing was due on its day (R-25). The day itself is not counted.
pub fn renewal_deadline(law: &Law, trigger: &Trigger) -> Option<Deadline> {
    law.duty_deadline(LegalDuty::Catalogue, trigger.starts_on())
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TriggerKind {
    /// 法律法规修订.
    LawAmended,
    /// 职能调整.
    FunctionsChanged,
}

impl TriggerKind {
    /// Stable name, as tables and events carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LawAmended => "law_amended",
            Self::FunctionsChanged => "functions_changed",
        }
    }
}

/// A law was amended or functions moved, by a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trigger {
    /// What happened.
    pub kind: TriggerKind,
    /// Title of the document.
    pub title: String,
    /// Its number.
    pub number: String,
    /// Day of its promulgation.
    pub promulgated_on: Date,
    /// Day from which it has effect, with the reason why the clock starts from that (D-17).
    pub effective: Option<(Date, String)>,
}

impl Trigger {
    /// Checks the trigger as the credit office named it.
    ///
    /// # Errors
    /// The first rule that is broken, with its field.
    pub fn new(
        kind: Option<TriggerKind>,
        title: &str,
        number: &str,
        promulgated_on: Date,
        effective_on: Option<Date>,
        effective_reason: &str,
        today: Date,
    ) -> Result<Self, CatalogRuleViolation> {
        const REASON: Reason = Reason::TriggerInvalid;
        let broken = |field: &'static str, rule, message: &str| {
            Err(CatalogRuleViolation::new(REASON, field, rule, message))
        };
        let Some(kind) = kind else {
            return broken(
                "kind",
                "R-6: a law was amended or functions changed",
                "须注明事由：法律法规修订或职能调整",
            );
        };
        let title = given_text(title, REASON, "document_title", MAX_NAME_CHARS)?;
        let number = given_text(number, REASON, "document_number", MAX_NAME_CHARS)?;
        if promulgated_on > today {
            return broken(
                "promulgated_on",
                "what is recorded has happened",
                "公布日期不能晚于今天",
            );
        }
        let effective = match effective_on {
            None if effective_reason.is_empty() => None,
            None => {
                return broken(
                    "effective_on",
                    "D-17: a reason goes with an effective date",
                    "填写了理由，须同时注明施行日期",
                );
            }
            Some(day) if day < promulgated_on => {
                return broken(
                    "effective_on",
                    "a document takes effect on its promulgation or later",
                    "施行日期不能早于公布日期",
                );
            }
            Some(day) => {
                let field = "effective_reason";
                Some((
                    day,
                    given_text(
                        effective_reason,
                        Reason::ReasonInvalid,
                        field,
                        MAX_REASON_CHARS,
                    )?,
                ))
            }
        };
        Ok(Self {
            kind,
            title,
            number,
            promulgated_on,
            effective,
        })
    }

    /// The day from which the clock starts: that of the promulgation, unless the office set the effective date
    /// with a reason (D-17).
    pub fn starts_on(&self) -> Date {
        match &self.effective {
            Some((day, _)) => *day,
            None => self.promulgated_on,
        }
    }
}

/// A trigger on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTrigger {
    /// Its id.
    pub id: Uuid,
    /// What happened.
    pub trigger: Trigger,
    /// When it was recorded.
    pub at: OffsetDateTime,
}

/// State of a duty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RenewalDutyState {
    /// To be answered.
    Open,
    /// Answered by a newer version, or ended with its item.
    Closed,
    /// Needs no new version, as the credit office decided.
    Dismissed,
}

impl RenewalDutyState {
    /// Stable name, as tables carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Dismissed => "dismissed",
        }
    }
}

/// Which part of the duties a list shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DutySelection {
    /// All.
    All,
    /// Open ones.
    Open,
    /// Open ones whose due day is over.
    Overdue,
    /// Closed and dismissed ones.
    Ended,
}

impl DutySelection {
    /// Stable name, as queries carry it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Open => "open",
            Self::Overdue => "overdue",
            Self::Ended => "ended",
        }
    }
}

/// The duty to renew an item after a trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalDuty {
    /// Its id.
    pub id: Uuid,
    /// The trigger.
    pub trigger: RecordedTrigger,
    /// Code of the item.
    pub item_code: ItemCode,
    /// Whose catalogue the item was in when the duty was opened.
    pub owner: ItemOwner,
    /// Its state.
    pub state: RenewalDutyState,
    /// When it is due.
    pub deadline: Deadline,
    /// When it was opened.
    pub opened_at: OffsetDateTime,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// The version that closed it; none while it is open, and when it ended otherwise.
    pub closed_by_version: Option<u32>,
    /// Why it was dismissed, or why its item was retired.
    pub reason: String,
}

/// Open, and its due day is over at the end of `today`'s day before; or ended after the due day.
pub fn is_overdue(
    state: RenewalDutyState,
    due_on: Date,
    ended_on: Option<Date>,
    today: Date,
) -> bool {
    match state {
        RenewalDutyState::Open => due_on < today,
        RenewalDutyState::Closed => ended_on.is_some_and(|day| due_on < day),
        RenewalDutyState::Dismissed => false,
    }
}

/// Whether a due day that was computed again takes the place of the old one. A final day gives way to another final
/// day only: of two instances, one of which does not know the year's calendar yet, the one that does is right.
pub fn replaces_deadline(old: Deadline, new: Deadline) -> bool {
    new != old && (old.provisional || !new.provisional)
}

/// The version that a duty has to exceed, out of the versions with their days of publication, oldest first: the
/// newest published before the trigger's day. Where the item began later, all that is published so far was
/// made without an answer to the trigger in mind, so the newest of all.
pub fn base_version(versions: &[(u32, Date)], promulgated_on: Date) -> u32 {
    let before = versions.iter().rfind(|(_, day)| *day < promulgated_on);
    before
        .or(versions.last())
        .map_or(0, |(version, _)| *version)
}

/// Checks the reason of a dismissal, and that the duty is open.
///
/// # Errors
/// The rule that is broken, with its field.
pub fn check_dismissal(
    state: RenewalDutyState,
    reason: &str,
) -> Result<String, CatalogRuleViolation> {
    let reason = given_text(reason, Reason::ReasonInvalid, "reason", MAX_REASON_CHARS)?;
    if state == RenewalDutyState::Open {
        return Ok(reason);
    }
    Err(CatalogRuleViolation::new(
        Reason::DutyStateUnsuitable,
        "duty_id",
        "an open duty can be dismissed",
        "该更新任务已经办结",
    ))
}

/// There is no such duty, or the caller may not see it.
pub fn unknown_duty() -> CatalogRuleViolation {
    CatalogRuleViolation::new(
        Reason::DutyUnknown,
        "duty_id",
        "a duty that the caller may see",
        "没有该更新任务",
    )
}

/// The same document was recorded otherwise.
pub fn recorded_otherwise(known: &Trigger) -> CatalogRuleViolation {
    CatalogRuleViolation::new(
        Reason::TriggerDiffers,
        "document_number",
        "a document is recorded with one title and one effective date",
        format!(
            "该文件已登记（《{}》，自{}起算），且内容不同",
            known.title,
            format_day(known.starts_on())
        ),
    )
}
