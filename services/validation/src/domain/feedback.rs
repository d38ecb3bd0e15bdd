//! The feedback case of a returned version. Called by `app`.

use legal_clock::{Calendar, Deadline, Duty, RuleSet, shanghai_date};
use time::OffsetDateTime;
use uuid::Uuid;

/// Namespace of case ids.
const CASES: Uuid = Uuid::from_u128(0x6f0a_51c6_91c4_4e38_9a3c_3d1c_6f7e_b6d5);

/// What is new with a returned version; the rest is the version itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedbackCase {
    /// Follows from the version, so that a repeated delivery or a rebuilt stream names the same case.
    pub case_id: Uuid,
    /// By when the provider reports again (R-13, D-15); `None` before the regulation came into force.
    pub due: Option<Deadline>,
}

impl FeedbackCase {
    /// The case of this version, opened at `now`.
    pub fn open(
        record_id: Uuid,
        rules: &RuleSet,
        calendar: &Calendar,
        now: OffsetDateTime,
    ) -> Self {
        Self {
            case_id: Uuid::new_v5(&CASES, record_id.as_bytes()),
            due: rules.due(calendar, Duty::Rereport, shanghai_date(now)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    fn open(now: OffsetDateTime) -> FeedbackCase {
        let calendar = Calendar::builtin().unwrap();
        FeedbackCase::open(
            Uuid::from_u128(1),
            &RuleSet::changsha_2017(),
            &calendar,
            now,
        )
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
