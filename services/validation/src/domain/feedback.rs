//! Feedback cases: why and for how long. Called by `app` and `jobs`.

use legal_clock::{Deadline, Law, LegalDuty, shanghai_date};
use record_ref::VersionId;
use time::{Date, Duration, OffsetDateTime};
use uuid::Uuid;

/// Namespace of case ids.
const CASE_NAMESPACE: Uuid = Uuid::from_u128(0x6f0a_51c6_91c4_4e38_9a3c_3d1c_6f7e_b6d5);

/// Why a case was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaseKind {
    /// The version was returned.
    Returned,
    /// The version is accepted, and another provider's base information contradicts it.
    Contradicted,
}

impl CaseKind {
    /// As the table has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Returned => "returned",
            Self::Contradicted => "contradicted",
        }
    }
}

/// When the provider has to answer, and when it is reminded: settings of the office (R-13, D-15).
#[derive(Debug, Clone)]
pub struct CasePolicy {
    /// The calendar, the working days for the answer, and from when on something is due at all.
    pub law: Law,
    /// Working days before the due day on which the provider is reminded.
    pub remind_before: u32,
    /// Working days after the due day on which it is urged.
    pub urge_after: u32,
}

/// The days that the reminding job works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReminderDays {
    /// The civil day in Changsha.
    pub today: Date,
    /// Cases due up to this day are reminded of.
    pub remind_up_to: Date,
    /// Cases due up to this day are urged; none while nothing can be that old.
    pub urge_up_to: Option<Date>,
}

impl CasePolicy {
    /// When a case that is opened at `now` is due.
    pub fn due_day(&self, now: OffsetDateTime) -> Option<Deadline> {
        self.law
            .duty_deadline(LegalDuty::Rereport, shanghai_date(now))
    }

    /// What is to be reminded of at `now`.
    pub fn reminder_days(&self, now: OffsetDateTime) -> ReminderDays {
        let today = shanghai_date(now);
        let calendar = &self.law.calendar;
        let reached = |day: &Date| calendar.deadline(*day, self.urge_after).due_on <= today;
        // Ten weeks of holidays are in no calendar.
        let days = i64::from(self.urge_after) * 2 + 70;
        let urge_up_to = (0..=days)
            .filter_map(|back| today.checked_sub(Duration::days(back)))
            .find(reached);
        ReminderDays {
            today,
            remind_up_to: calendar.deadline(today, self.remind_before).due_on,
            urge_up_to,
        }
    }
}

/// What is new with a case; the rest is the version itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackCase {
    /// Follows from the version, so that a repeated delivery or a rebuilt stream names the same case.
    pub case_id: Uuid,
    /// Why it was opened.
    pub kind: CaseKind,
    /// By when the provider answers; `None` before the regulation came into force.
    pub due: Option<Deadline>,
}

impl FeedbackCase {
    /// The case of this version, opened at `now`.
    pub fn open(
        kind: CaseKind,
        version: VersionId,
        policy: &CasePolicy,
        now: OffsetDateTime,
    ) -> Self {
        let case_id = match kind {
            CaseKind::Returned => Uuid::new_v5(&CASE_NAMESPACE, version.as_bytes()),
            CaseKind::Contradicted => {
                let mut name = version.as_bytes().to_vec();
                name.extend(kind.as_str().as_bytes());
                Uuid::new_v5(&CASE_NAMESPACE, &name)
            }
        };
        Self {
            case_id,
            kind,
            due: policy.due_day(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use legal_clock::{Calendar, LegalRuleSet};
    use time::macros::{date, datetime};

    fn policy() -> CasePolicy {
        CasePolicy {
            law: Law {
                calendar: Calendar::builtin().unwrap(),
                rules: LegalRuleSet::changsha_2017(),
            },
            remind_before: 1,
            urge_after: 5,
        }
    }

    fn version() -> VersionId {
        Uuid::from_u128(1).try_into().unwrap()
    }

    fn open(now: OffsetDateTime) -> FeedbackCase {
        FeedbackCase::open(CaseKind::Returned, version(), &policy(), now)
    }

    #[test]
    fn r13_days_of_reminders_are_working_days() {
        // 2026-03-06 is a Friday: due on Monday is one working day away, and the five before it are the whole week.
        let days = policy().reminder_days(datetime!(2026-03-06 02:00 UTC));
        assert_eq!(days.today, date!(2026 - 03 - 06));
        assert_eq!(days.remind_up_to, date!(2026 - 03 - 09));
        assert_eq!(days.urge_up_to, Some(date!(2026 - 03 - 01)));
    }

    #[test]
    fn the_two_cases_of_a_version_are_told_apart() {
        let now = datetime!(2026-01-05 00:00 UTC);
        let of = |kind| FeedbackCase::open(kind, version(), &policy(), now).case_id;
        assert_ne!(of(CaseKind::Returned), of(CaseKind::Contradicted));
    }

    #[test]
    fn r13_a_case_is_due_after_five_working_days_of_changsha() {
        // 2026-03-02 is a Monday; 16:30 UTC is already Tuesday in Changsha.
        let due = open(datetime!(2026-03-02 16:30 UTC)).due.unwrap();
        assert_eq!(
            (due.due_on, due.provisional),
            (date!(2026 - 03 - 10), false)
        );
    }

    #[test]
    fn r13_a_due_day_past_the_published_calendar_is_provisional() {
        assert!(
            open(datetime!(2026-12-30 02:00 UTC))
                .due
                .unwrap()
                .provisional
        );
    }

    #[test]
    fn r25_nothing_is_due_before_the_regulation_is_in_force() {
        assert_eq!(open(datetime!(2017-06-19 02:00 UTC)).due, None);
        assert!(open(datetime!(2017-06-20 02:00 UTC)).due.is_some());
    }

    #[test]
    fn a_version_has_one_case_id_for_ever() {
        let (a, b) = (
            open(datetime!(2020-01-02 00:00 UTC)),
            open(datetime!(2026-01-05 00:00 UTC)),
        );
        assert_eq!(a.case_id, b.case_id);
    }
}
