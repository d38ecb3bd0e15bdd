//! Who may report, and by which version of which item, on a day: pure. `IngestBatchState::decide` asks it for each
//! submission, `app::reads` for the scope of a provider.
//!
//! The day is that of receipt in Changsha and is given with every question, so that a version comes into
//! force, an item ends and a registration runs out at midnight with nothing having to run.

use record_ref::{ItemCode, ItemRef};
use time::Date;

use super::IngestRuleViolation;

/// Registration of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportingRegistration {
    /// Whether it may report at all.
    pub enabled: bool,
    /// First day on which it may report; `None`: without limit.
    pub valid_from: Option<Date>,
    /// Last day on which it may report; `None`: without limit.
    pub valid_until: Option<Date>,
}

impl ReportingRegistration {
    /// Whether the provider may report on this day.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check_may_report(&self, today: Date) -> Result<(), IngestRuleViolation> {
        if !self.enabled {
            return Err(IngestRuleViolation::ProviderDisabled);
        }
        match (self.valid_from, self.valid_until) {
            (Some(from), _) if today < from => {
                Err(IngestRuleViolation::ProviderNotYetValid { from })
            }
            (_, Some(until)) if today > until => {
                Err(IngestRuleViolation::ProviderExpired { until })
            }
            _ => Ok(()),
        }
    }
}

/// An item of the catalogue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CatalogueItem {
    /// Its versions, ascending by number.
    pub versions: Vec<CatalogueItemVersion>,
    /// From when on it accepts no new record; `None`: without end.
    pub retirement: Option<ReportingRetirement>,
}

/// A published version of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogueItemVersion {
    /// Which.
    pub item: ItemRef,
    /// Chinese name.
    pub name: String,
    /// First day of receipt that it is for; `None`: since its publication.
    pub effective_from: Option<Date>,
}

/// The end of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportingRetirement {
    /// First day on which no new record is accepted; corrections of older ones are.
    pub from: Date,
    /// The item that takes its place.
    pub successor: Option<Successor>,
}

/// The item that takes the place of a retired one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// Code.
    pub code: ItemCode,
    /// Chinese name; the code while no version of it is known.
    pub name: String,
}

impl CatalogueItemVersion {
    fn is_effective_on(&self, today: Date) -> bool {
        self.effective_from.is_none_or(|from| from <= today)
    }
}

impl CatalogueItem {
    /// The version in force: the highest that is effective. `None` while all are still to come, and once
    /// the item is retired.
    pub fn in_force_on(&self, today: Date) -> Option<&CatalogueItemVersion> {
        if self.retired_on(today).is_some() {
            return None;
        }
        let mut newest_first = self.versions.iter().rev();
        newest_first.find(|version| version.is_effective_on(today))
    }

    /// The version that a record received on this day is pinned to. `asked` is the version that the
    /// submission names, 0 for the one in force. An older version stays allowed for ever.
    ///
    /// `corrected` is the version of the record that this one corrects, if there is one. Whoever reported before the
    /// item ended must be able to correct it afterwards, so a correction is accepted by the versions that
    /// were in force on the item's last day.
    ///
    /// # Errors
    /// Why there is none.
    pub fn pin_version<'a>(
        &'a self,
        asked: u32,
        today: Date,
        corrected: Option<&'a ItemRef>,
    ) -> Result<&'a ItemRef, IngestRuleViolation> {
        let Some(first) = self.versions.first() else {
            return Err(IngestRuleViolation::ItemUnknown);
        };
        let day = match (self.retired_on(today), corrected) {
            (Some(retirement), None) => {
                return Err(IngestRuleViolation::ItemRetired(retirement.clone()));
            }
            (Some(retirement), Some(version)) => {
                let last = retirement.from.previous_day().unwrap_or(Date::MIN);
                // An end that was decided for an earlier day may have left none in force: its own will do.
                if asked == version.version() || asked == 0 && self.in_force_on(last).is_none() {
                    return Ok(version);
                }
                last
            }
            (None, _) => today,
        };
        let version = match asked {
            // With none in force the first one says from when there will be one.
            0 => self.in_force_on(day).unwrap_or(first),
            _ => self
                .version(asked)
                .ok_or(IngestRuleViolation::ItemVersionUnknown)?,
        };
        match version.effective_from {
            Some(from) if day < from => Err(IngestRuleViolation::ItemVersionNotYetInForce {
                version: version.item.version(),
                from,
            }),
            _ => Ok(&version.item),
        }
    }

    /// The version that a revocation or withdrawal is pinned to: that of the version which it ends, whatever
    /// is in force. `asked` is 0 or any published version; what ends a record follows no definition.
    ///
    /// # Errors
    /// When there is no version of that number.
    pub fn pin_end<'a>(
        &self,
        asked: u32,
        current: &'a ItemRef,
    ) -> Result<&'a ItemRef, IngestRuleViolation> {
        let known = asked == 0 || self.version(asked).is_some();
        known
            .then_some(current)
            .ok_or(IngestRuleViolation::ItemVersionUnknown)
    }

    /// The version of this number.
    pub fn version(&self, number: u32) -> Option<&CatalogueItemVersion> {
        let mut versions = self.versions.iter();
        versions.find(|version| version.item.version() == number)
    }

    fn retired_on(&self, today: Date) -> Option<&ReportingRetirement> {
        self.retirement
            .as_ref()
            .filter(|retirement| retirement.from <= today)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::{Duration, macros::date};

    use super::*;

    fn item_ref(number: u32) -> ItemRef {
        ItemRef::new("xzcf".parse().unwrap(), number).unwrap()
    }

    fn pin(
        item: &CatalogueItem,
        asked: u32,
        day: Date,
        corrected: Option<u32>,
    ) -> Result<u32, IngestRuleViolation> {
        let corrected = corrected.map(item_ref);
        let pinned = item.pin_version(asked, day, corrected.as_ref());
        pinned.map(ItemRef::version)
    }

    fn version(number: u32, effective_from: Option<Date>) -> CatalogueItemVersion {
        CatalogueItemVersion {
            item: item_ref(number),
            name: format!("第{number}版"),
            effective_from,
        }
    }

    #[test]
    fn r6_a_version_comes_into_force_on_its_day_and_older_ones_stay_allowed() {
        let item = CatalogueItem {
            versions: vec![
                version(1, None),
                version(2, Some(date!(2026 - 07 - 01))),
                version(3, Some(date!(2027 - 01 - 01))),
            ],
            retirement: None,
        };
        assert_eq!(pin(&item, 0, date!(2026 - 06 - 30), None), Ok(1));
        assert_eq!(pin(&item, 0, date!(2026 - 07 - 01), None), Ok(2));
        assert_eq!(pin(&item, 0, date!(2027 - 01 - 01), None), Ok(3));
        assert_eq!(pin(&item, 1, date!(2030 - 01 - 01), None), Ok(1));
        assert_eq!(
            pin(&item, 3, date!(2026 - 12 - 31), None),
            Err(IngestRuleViolation::ItemVersionNotYetInForce {
                version: 3,
                from: date!(2027 - 01 - 01)
            })
        );
        assert_eq!(
            pin(&item, 4, date!(2027 - 01 - 01), None),
            Err(IngestRuleViolation::ItemVersionUnknown)
        );
    }

    #[test]
    fn r6_an_item_whose_first_version_is_to_come_has_none_in_force() {
        let from = date!(2026 - 12 - 01);
        let item = CatalogueItem {
            versions: vec![version(1, Some(from))],
            retirement: None,
        };
        assert_eq!(item.in_force_on(date!(2026 - 11 - 30)), None);
        let refused = IngestRuleViolation::ItemVersionNotYetInForce { version: 1, from };
        assert_eq!(pin(&item, 0, date!(2026 - 11 - 30), None), Err(refused));
        assert_eq!(pin(&item, 0, from, None), Ok(1));
    }

    #[test]
    fn r6_a_retired_item_ends_with_the_day_before() {
        let retirement = ReportingRetirement {
            from: date!(2026 - 12 - 01),
            successor: None,
        };
        let item = CatalogueItem {
            versions: vec![version(1, None)],
            retirement: Some(retirement.clone()),
        };
        assert_eq!(pin(&item, 0, date!(2026 - 11 - 30), None), Ok(1));
        for asked in [0, 1] {
            assert_eq!(
                pin(&item, asked, date!(2026 - 12 - 01), None),
                Err(IngestRuleViolation::ItemRetired(retirement.clone()))
            );
        }
        assert_eq!(item.in_force_on(date!(2026 - 12 - 01)), None);
    }

    #[test]
    fn r19_after_the_end_of_an_item_a_correction_is_pinned_as_on_its_last_day() {
        let from = date!(2026 - 12 - 01);
        let mut item = CatalogueItem {
            versions: vec![
                version(1, None),
                version(2, Some(date!(2026 - 11 - 30))),
                // Would have come into force had the item not ended.
                version(3, Some(from)),
            ],
            retirement: Some(ReportingRetirement {
                from,
                successor: None,
            }),
        };
        let later = date!(2027 - 03 - 01);
        assert_eq!(pin(&item, 0, later, Some(1)), Ok(2));
        assert_eq!(pin(&item, 1, later, Some(2)), Ok(1));
        assert_eq!(
            pin(&item, 3, later, Some(2)),
            Err(IngestRuleViolation::ItemVersionNotYetInForce { version: 3, from })
        );
        assert_eq!(
            pin(&item, 4, later, Some(2)),
            Err(IngestRuleViolation::ItemVersionUnknown)
        );
        // Ended before any version was in force, by a decision that came late.
        item.versions = vec![version(5, Some(from))];
        assert_eq!(pin(&item, 0, later, Some(5)), Ok(5));
        assert_eq!(pin(&item, 5, later, Some(5)), Ok(5));
    }

    #[test]
    fn r3_a_registration_admits_from_its_first_to_its_last_day() {
        let (from, until) = (date!(2026 - 03 - 01), date!(2026 - 11 - 30));
        let mut registration = ReportingRegistration {
            enabled: true,
            valid_from: Some(from),
            valid_until: Some(until),
        };
        assert_eq!(
            registration.check_may_report(date!(2026 - 02 - 28)),
            Err(IngestRuleViolation::ProviderNotYetValid { from })
        );
        assert_eq!(registration.check_may_report(from), Ok(()));
        assert_eq!(registration.check_may_report(until), Ok(()));
        assert_eq!(
            registration.check_may_report(date!(2026 - 12 - 01)),
            Err(IngestRuleViolation::ProviderExpired { until })
        );
        registration.enabled = false;
        assert_eq!(
            registration.check_may_report(from),
            Err(IngestRuleViolation::ProviderDisabled)
        );
    }

    proptest! {
        /// Whatever the days, what 0 is pinned to may also be asked for by its number, and no higher
        /// version may.
        #[test]
        fn r6_the_version_in_force_is_the_highest_that_may_be_asked_for(
            days in prop::collection::vec(prop::option::of(0_i64..40), 1..6), today in 0_i64..40,
        ) {
            let day = |n| date!(2026 - 11 - 01) + Duration::days(n);
            let versions: Vec<CatalogueItemVersion> = (1..)
                .zip(&days)
                .map(|(number, from)| version(number, from.map(day)))
                .collect();
            let highest = versions
                .iter()
                .rev()
                .find(|version| version.effective_from.is_none_or(|from| from <= day(today)))
                .map(|version| version.item.version());
            let item = CatalogueItem { versions: versions.clone(), retirement: None };
            prop_assert_eq!(pin(&item, 0, day(today), None).ok(), highest);
            let numbers = versions.iter().map(|version| version.item.version());
            let allowed = numbers.filter(|number| pin(&item, *number, day(today), None).is_ok());
            prop_assert_eq!(allowed.max(), highest);
        }
    }
}
