//! Nil reports (零报告, R-11): a provider had nothing to report of an item in a period. Pure: `app::nil_report` loads what
//! [`decide_nil_report`] asks for.

use serde::{Deserialize, Serialize};
use service_kit::page::{PageKey, PageSizes, microseconds};
use time::{Date, Month, OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::{CatalogueItem, Digest, IngestRuleViolation, ReportingRegistration};

/// How many nil reports the list gives at once.
pub const PAGE_SIZES: PageSizes = PageSizes {
    default: 100,
    most: 1000,
};

/// Sort key of the list of nil reports, as the kit's pages carry it in tokens: newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NilReportPosition {
    /// When the report was received, descending; microseconds since 1970 in the token.
    #[serde(with = "microseconds")]
    pub received_at: OffsetDateTime,
    /// Its id, descending.
    pub report_id: Uuid,
}

impl PageKey for NilReportPosition {
    fn start() -> Self {
        Self {
            received_at: datetime!(9999-12-31 23:59:59 UTC),
            report_id: Uuid::max(),
        }
    }
}

/// The days that a nil report covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
}

impl Period {
    /// The period from one day to another, both included, a year at most.
    ///
    /// # Errors
    /// The rule that the days break.
    pub fn new(from: Date, to: Date) -> Result<Self, IngestRuleViolation> {
        if to < from {
            return Err(IngestRuleViolation::PeriodReversed);
        }
        // The day on which the year is over: the same of the next year; after 29 February it is 1 March.
        let next = from.year() + 1;
        let over = Date::from_calendar_date(next, from.month(), from.day())
            .or_else(|_| Date::from_calendar_date(next, Month::March, 1));
        if over.is_ok_and(|over| to >= over) {
            return Err(IngestRuleViolation::PeriodTooLong);
        }
        Ok(Self { from, to })
    }
}

/// The state that a nil report is decided on.
#[derive(Clone, Debug)]
pub struct NilReportState {
    /// Digest of the request that used the submission id before.
    pub earlier_request: Option<Digest>,
    /// Whether the submission id is that of a record of a reload.
    pub id_reserved: bool,
    /// The registration of the provider.
    pub registration: Option<ReportingRegistration>,
    /// The item.
    pub item: Option<CatalogueItem>,
    /// Whether a version of the item was received from the provider within the period.
    pub contradicted: bool,
    /// The day of receipt in Changsha.
    pub today: Date,
}

/// The outcome for a nil report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NilReportDecision {
    /// To be stored.
    New,
    /// The same report again: it is answered as before.
    Repeated,
    /// Refused; nothing is stored.
    Refused(IngestRuleViolation),
}

/// Decides a nil report. Idempotency comes first, as for records.
pub fn decide_nil_report(
    request: &Digest,
    period: Period,
    state: &NilReportState,
) -> NilReportDecision {
    match &state.earlier_request {
        Some(earlier) if earlier == request => NilReportDecision::Repeated,
        Some(_) => NilReportDecision::Refused(IngestRuleViolation::SubmissionIdReused),
        None if state.id_reserved => {
            NilReportDecision::Refused(IngestRuleViolation::SubmissionIdReused)
        }
        None => match check_admissible(period, state) {
            Ok(()) => NilReportDecision::New,
            Err(rejection) => NilReportDecision::Refused(rejection),
        },
    }
}

fn check_admissible(period: Period, state: &NilReportState) -> Result<(), IngestRuleViolation> {
    let registration = state.registration.as_ref();
    registration
        .ok_or(IngestRuleViolation::ProviderNotRegistered)?
        .check_may_report(state.today)?;
    let item = state
        .item
        .as_ref()
        .ok_or(IngestRuleViolation::ItemUnknown)?;
    item.pin_version(0, state.today, None)?;
    if period.to > state.today {
        return Err(IngestRuleViolation::PeriodNotOver { today: state.today });
    }
    if state.contradicted {
        return Err(IngestRuleViolation::NilReportContradicted);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use record_ref::ItemRef;
    use service_kit::{page::Page, reason::Reason};
    use time::{Duration, macros::date};

    use super::*;
    use crate::domain::CatalogueItemVersion;

    fn state() -> NilReportState {
        NilReportState {
            earlier_request: None,
            id_reserved: false,
            registration: Some(ReportingRegistration {
                enabled: true,
                valid_from: None,
                valid_until: None,
            }),
            item: Some(CatalogueItem {
                versions: vec![CatalogueItemVersion {
                    item: ItemRef::new("xzcf".parse().unwrap(), 1).unwrap(),
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
                Err(IngestRuleViolation::PeriodReversed),
            ),
            (date!(2026 - 11 - 01), date!(2026 - 11 - 01), Ok(())),
            (date!(2025 - 11 - 20), date!(2026 - 11 - 19), Ok(())),
            (
                date!(2025 - 11 - 20),
                date!(2026 - 11 - 20),
                Err(IngestRuleViolation::PeriodTooLong),
            ),
            (date!(2024 - 01 - 01), date!(2024 - 12 - 31), Ok(())),
            (leap, date!(2025 - 02 - 28), Ok(())),
            (
                leap,
                date!(2025 - 03 - 01),
                Err(IngestRuleViolation::PeriodTooLong),
            ),
        ] {
            assert_eq!(Period::new(from, to).map(|_| ()), expected, "{from} {to}");
        }
    }

    #[test]
    fn r11_a_nil_report_is_refused_while_its_period_runs_and_when_records_speak_against_it() {
        let period = Period::new(date!(2026 - 11 - 01), date!(2026 - 11 - 20)).unwrap();
        assert_eq!(
            decide_nil_report(&[1; 32], period, &state()),
            NilReportDecision::New
        );
        let refused = |change: fn(&mut NilReportState)| {
            let mut state = state();
            change(&mut state);
            match decide_nil_report(&[1; 32], period, &state) {
                NilReportDecision::Refused(rejection) => rejection,
                other => panic!("{other:?}"),
            }
        };
        let yesterday = date!(2026 - 11 - 19);
        assert_eq!(
            refused(|state| state.today = date!(2026 - 11 - 19)),
            IngestRuleViolation::PeriodNotOver { today: yesterday }
        );
        let contradicted = refused(|state| state.contradicted = true);
        assert_eq!(contradicted, IngestRuleViolation::NilReportContradicted);
        assert_eq!(
            refused(|state| state.item = None),
            IngestRuleViolation::ItemUnknown
        );
        assert_eq!(
            refused(|state| state.registration = None),
            IngestRuleViolation::ProviderNotRegistered
        );
        assert_eq!(
            refused(|state| state.earlier_request = Some([2; 32])),
            IngestRuleViolation::SubmissionIdReused
        );
        assert_eq!(
            refused(|state| state.id_reserved = true),
            IngestRuleViolation::SubmissionIdReused
        );
        // What was answered once is answered again, whatever came since.
        let mut repeated = state();
        repeated.earlier_request = Some([1; 32]);
        repeated.registration = None;
        repeated.contradicted = true;
        assert_eq!(
            decide_nil_report(&[1; 32], period, &repeated),
            NilReportDecision::Repeated
        );
    }

    #[test]
    fn a_page_has_100_reports_unless_asked_for_and_1000_at_most() {
        let read = |size| Page::<NilReportPosition>::from_request(PAGE_SIZES, size, "");
        assert_eq!(
            (read(0).unwrap().size, read(1000).unwrap().size),
            (100, 1000)
        );
        let refused = read(1001).unwrap_err();
        assert_eq!(refused.reason, Reason::PageSizeInvalid);
        assert!(refused.message.contains("1000"), "{}", refused.message);
    }

    proptest! {
        #[test]
        fn a_page_token_leads_back_to_its_row(micros in 0_i64..253_402_300_799_000_000, id: u128) {
            let moment = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let position = NilReportPosition { received_at: moment, report_id: Uuid::from_u128(id) };
            let page = Page::<NilReportPosition>::from_request(PAGE_SIZES, 1, "").unwrap();
            let token = page.truncate_rows(&mut vec![position, position], |row| *row);
            let next = Page::<NilReportPosition>::from_request(PAGE_SIZES, 1, &token).unwrap();
            prop_assert_eq!(next.after, position);
        }

        /// Whatever a caller makes up, no moment reaches the database that it could not hold.
        #[test]
        fn a_made_up_page_token_is_refused_or_harmless(micros: i64, id: u128) {
            let key = format!(r#"{{"received_at":{micros},"report_id":"{}"}}"#, Uuid::from_u128(id));
            if let Ok(position) = serde_json::from_str::<NilReportPosition>(&key) {
                prop_assert!((1970..=9999).contains(&position.received_at.year()));
            }
        }

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
