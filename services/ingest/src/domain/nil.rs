//! Nil reports (零报告, R-11): a provider had nothing to report of an item in a period. Pure: `app::nil` loads
//! what [`decide`] asks for.

use time::{Date, Month};

use super::{Digest, Item, Registration, Rejection};

/// The days that a nil report speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

/// Why two days are no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeriodError {
    /// The last day is before the first.
    Order,
    /// Longer than a year.
    Length,
}

impl Period {
    /// The period from one day to another, both included, a year at most.
    ///
    /// # Errors
    /// The rule that the days break.
    pub fn new(from: Date, to: Date) -> Result<Self, PeriodError> {
        if to < from {
            return Err(PeriodError::Order);
        }
        // The day on which the year is over: the same of the next year; after 29 February it is 1 March.
        let next = from.year() + 1;
        let over = Date::from_calendar_date(next, from.month(), from.day())
            .or_else(|_| Date::from_calendar_date(next, Month::March, 1));
        if over.is_ok_and(|over| to >= over) {
            return Err(PeriodError::Length);
        }
        Ok(Self { from, to })
    }
}

/// What a nil report is decided on.
#[derive(Clone, Debug)]
pub struct State {
    /// Digest of the request that used the submission id before.
    pub earlier: Option<Digest>,
    /// Whether the submission id is that of a record of a reload.
    pub reserved: bool,
    /// The registration of the provider.
    pub registration: Option<Registration>,
    /// The item.
    pub item: Option<Item>,
    /// Whether a version of the item was received from the provider within the period.
    pub contradicted: bool,
    /// The day of receipt in Changsha.
    pub today: Date,
}

/// What becomes of a nil report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// To be stored.
    New,
    /// The same report again: it is answered as before.
    Repeated,
    /// Refused; nothing is stored.
    Refused(Rejection),
}

/// Decides a nil report. Idempotency comes first, as for records.
pub fn decide(request: &Digest, period: Period, state: &State) -> Decision {
    match &state.earlier {
        Some(earlier) if earlier == request => Decision::Repeated,
        Some(_) => Decision::Refused(Rejection::SubmissionIdReused),
        None if state.reserved => Decision::Refused(Rejection::SubmissionIdReused),
        None => match admit(period, state) {
            Ok(()) => Decision::New,
            Err(rejection) => Decision::Refused(rejection),
        },
    }
}

fn admit(period: Period, state: &State) -> Result<(), Rejection> {
    let registration = state.registration.as_ref();
    registration
        .ok_or(Rejection::ProviderUnknown)?
        .admits_on(state.today)?;
    let item = state.item.as_ref().ok_or(Rejection::ItemUnknown)?;
    item.pin(0, state.today, None)?;
    if period.to > state.today {
        return Err(Rejection::PeriodNotOver { today: state.today });
    }
    if state.contradicted {
        return Err(Rejection::NilReportContradicted);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::date};

    use super::*;
    use crate::domain::Version;

    fn state() -> State {
        State {
            earlier: None,
            reserved: false,
            registration: Some(Registration {
                enabled: true,
                valid_from: None,
                valid_until: None,
            }),
            item: Some(Item {
                versions: vec![Version {
                    number: 1,
                    name: "行政处罚".to_owned(),
                    effective_from: None,
                }],
                retirement: None,
            }),
            contradicted: false,
            today: date!(2026 - 11 - 20),
        }
    }

    #[test]
    fn r11_a_period_is_in_order_and_a_year_at_most() {
        let leap = date!(2024 - 02 - 29);
        for (from, to, expected) in [
            (
                date!(2026 - 11 - 02),
                date!(2026 - 11 - 01),
                Err(PeriodError::Order),
            ),
            (date!(2026 - 11 - 01), date!(2026 - 11 - 01), Ok(())),
            (date!(2025 - 11 - 20), date!(2026 - 11 - 19), Ok(())),
            (
                date!(2025 - 11 - 20),
                date!(2026 - 11 - 20),
                Err(PeriodError::Length),
            ),
            (date!(2024 - 01 - 01), date!(2024 - 12 - 31), Ok(())),
            (leap, date!(2025 - 02 - 28), Ok(())),
            (leap, date!(2025 - 03 - 01), Err(PeriodError::Length)),
        ] {
            assert_eq!(Period::new(from, to).map(|_| ()), expected, "{from} {to}");
        }
    }

    #[test]
    fn r11_a_nil_report_is_refused_while_its_period_runs_and_when_records_speak_against_it() {
        let period = Period::new(date!(2026 - 11 - 01), date!(2026 - 11 - 20)).unwrap();
        assert_eq!(decide(&[1; 32], period, &state()), Decision::New);
        let refused = |change: fn(&mut State)| {
            let mut state = state();
            change(&mut state);
            match decide(&[1; 32], period, &state) {
                Decision::Refused(rejection) => rejection,
                other => panic!("{other:?}"),
            }
        };
        let yesterday = date!(2026 - 11 - 19);
        assert_eq!(
            refused(|state| state.today = date!(2026 - 11 - 19)),
            Rejection::PeriodNotOver { today: yesterday }
        );
        let contradicted = refused(|state| state.contradicted = true);
        assert_eq!(contradicted, Rejection::NilReportContradicted);
        assert_eq!(refused(|state| state.item = None), Rejection::ItemUnknown);
        assert_eq!(
            refused(|state| state.registration = None),
            Rejection::ProviderUnknown
        );
        assert_eq!(
            refused(|state| state.earlier = Some([2; 32])),
            Rejection::SubmissionIdReused
        );
        assert_eq!(
            refused(|state| state.reserved = true),
            Rejection::SubmissionIdReused
        );
        // What was answered once is answered again, whatever came since.
        let mut repeated = state();
        repeated.earlier = Some([1; 32]);
        repeated.registration = None;
        repeated.contradicted = true;
        assert_eq!(decide(&[1; 32], period, &repeated), Decision::Repeated);
    }

    proptest! {
        /// Exactly the periods within which a 29 February falls may have 366 days.
        #[test]
        fn r11_a_year_always_fits_and_nothing_longer(start in 0_i64..40_000, days in 0_i64..800) {
            let from = date!(1990 - 01 - 01) + Duration::days(start);
            let leap_day = (0..366)
                .map(|day| from + Duration::days(day))
                .any(|day| (day.month(), day.day()) == (Month::February, 29));
            let longest = if leap_day { 365 } else { 364 };
            let period = Period::new(from, from + Duration::days(days));
            prop_assert_eq!(period.is_ok(), days <= longest);
        }
    }
}
