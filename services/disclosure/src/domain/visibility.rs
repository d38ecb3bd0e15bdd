//! What may be shown today: the catalogue's disclosure modes and terms as bounds on the effective day, computed at
//! each read from the injected clock (R-14, R-16, D-7). A provider's own deadline can only end it earlier (D-9): the
//! bounds carry today for the SQL to compare it with. Called by `app`, which hands the bounds to the SQL.
//!
//! No job takes part: a record leaves disclosure because the bound moves, so a stopped job can never over-disclose.
//! A version whose item version is not known here has no bound and is therefore not shown.

use std::collections::BTreeMap;

use credit_record::{DisclosureMode, ItemVersion, SubjectKind, item::RecordClass};
use legal_clock::{LegalRuleSet, earliest_effective_in_term, last_disclosed_day};
use record_ref::ItemRef;
use time::{Date, macros::date};

use super::version::kind_number;

/// Ends of time for tables, whose dates have four-digit years.
pub const FIRST_DAY: Date = date!(0001 - 01 - 01);
/// See [`FIRST_DAY`].
pub const LAST_DAY: Date = date!(9999 - 12 - 31);

/// What an item version says about disclosure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureRule {
    /// The item version.
    pub item: ItemRef,
    /// Chinese name.
    pub name: String,
    /// Class of its records.
    pub record_class: RecordClass,
    /// Years of the term that the item names.
    pub term_years: Option<u32>,
    /// Kinds of subject whose records it publishes.
    pub published: Vec<SubjectKind>,
}

impl DisclosureRule {
    /// The disclosure rule in the definition of `item`. A natural person is never published, whatever it says.
    pub fn from_item(item: ItemRef, definition: &ItemVersion) -> Self {
        Self {
            item,
            name: definition.name.clone(),
            record_class: definition.record_class,
            term_years: definition.term.as_ref().map(|term| term.years),
            published: [SubjectKind::Organisation, SubjectKind::IndividualBusiness]
                .into_iter()
                .filter(|kind| definition.disclosure_mode(*kind) == DisclosureMode::Publish)
                .collect(),
        }
    }

    /// Years of disclosure: the item's own term (another law may set it, R-16), for adverse records without one
    /// that of the regulation; none for all others.
    pub fn term_years(&self) -> Option<u32> {
        let adverse = self.record_class == RecordClass::Adverse;
        self.term_years
            .or_else(|| adverse.then(|| LegalRuleSet::changsha_2017().adverse_years))
    }

    /// Last day on which a record with this effective day is disclosed: the shortest lawful end (D-9) among the
    /// term and the provider's own deadline; none when it has neither.
    pub fn disclosed_until(&self, effective: Date, publicity_until: Option<Date>) -> Option<Date> {
        let term = self
            .term_years()
            .map(|years| last_disclosed_day(effective, years));
        term.into_iter().chain(publicity_until).min()
    }

    /// Whether disclosure of a record with this effective day had begun on `day`: R-16 counts from the day of effect. A
    /// record that ended before that day was never public, and gets no notice.
    pub fn had_begun(&self, effective: Date, day: Date) -> bool {
        self.term_years().is_none() || effective <= day
    }

    /// The bound of today for one kind of subject.
    fn bound(&self, kind: SubjectKind, today: Date) -> DisclosureBound<'_> {
        let years = self.term_years();
        DisclosureBound {
            rule: self,
            kind,
            earliest: years.map_or(FIRST_DAY, |years| {
                earliest_effective_in_term(today, years).max(FIRST_DAY)
            }),
            // R-16 counts from the day of effect, so a term that has not begun discloses nothing yet.
            latest: if years.is_some() { today } else { LAST_DAY },
        }
    }
}

struct DisclosureBound<'a> {
    rule: &'a DisclosureRule,
    kind: SubjectKind,
    earliest: Date,
    latest: Date,
}

/// All item versions known here.
#[derive(Clone, Debug, Default)]
pub struct DisclosureRules(BTreeMap<ItemRef, DisclosureRule>);

impl DisclosureRules {
    /// From the rows of the item table.
    pub fn new(rules: impl IntoIterator<Item = DisclosureRule>) -> Self {
        let keyed = |rule: DisclosureRule| (rule.item.clone(), rule);
        Self(rules.into_iter().map(keyed).collect())
    }

    /// The rule of an item version.
    pub fn rule(&self, item: &ItemRef) -> Option<&DisclosureRule> {
        self.0.get(item)
    }

    /// Bounds of what the public may see on this day.
    pub fn public_bounds(&self, today: Date) -> DisclosureBounds {
        self.bounds(today, |rule, kind| rule.published.contains(&kind))
    }

    /// Bounds of all item versions and kinds of subject on this day, published or not.
    pub fn all_bounds(&self, today: Date) -> DisclosureBounds {
        self.bounds(today, |_, _| true)
    }

    fn bounds(
        &self,
        today: Date,
        wanted: impl Fn(&DisclosureRule, SubjectKind) -> bool,
    ) -> DisclosureBounds {
        let mut bounds = DisclosureBounds::empty(today);
        for rule in self.0.values() {
            for kind in SubjectKind::ALL
                .into_iter()
                .filter(|kind| wanted(rule, *kind))
            {
                bounds.push(&rule.bound(kind, today));
            }
        }
        bounds
    }
}

/// Bounds as the columns of an SQL `unnest`: an entry allows versions of one item version about one kind of
/// subject whose effective day lies between `earliest` and `latest`, both included, and whose provider's deadline,
/// where there is one, is not before `today`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisclosureBounds {
    /// The day for which they hold, that of Changsha.
    pub today: Date,
    /// Item versions: two columns, code and version.
    pub items: Vec<ItemRef>,
    /// Numbers of subject kinds.
    pub kinds: Vec<i16>,
    /// First effective days whose terms have not ended.
    pub earliest: Vec<Date>,
    /// Last effective days whose terms have begun.
    pub latest: Vec<Date>,
    /// Whether the item publishes records about the kind.
    pub published: Vec<bool>,
}

impl DisclosureBounds {
    /// Those that allow nothing yet.
    fn empty(today: Date) -> Self {
        Self {
            today,
            items: Vec::new(),
            kinds: Vec::new(),
            earliest: Vec::new(),
            latest: Vec::new(),
            published: Vec::new(),
        }
    }

    fn push(&mut self, bound: &DisclosureBound<'_>) {
        self.items.push(bound.rule.item.clone());
        self.kinds.push(kind_number(bound.kind));
        self.earliest.push(bound.earliest);
        self.latest.push(bound.latest);
        self.published
            .push(bound.rule.published.contains(&bound.kind));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(code: &str) -> ItemRef {
        ItemRef::new(code.parse().unwrap(), 1).unwrap()
    }

    fn catalogue() -> DisclosureRules {
        let definitions = credit_record::standard_items().unwrap();
        let rules = definitions.iter();
        DisclosureRules::new(
            rules.map(|definition| DisclosureRule::from_item(item(&definition.code), definition)),
        )
    }

    fn bound(bounds: &DisclosureBounds, code: &str, kind: SubjectKind) -> Option<(Date, Date)> {
        (0..bounds.items.len())
            .find(|i| bounds.items[*i] == item(code) && bounds.kinds[*i] == kind_number(kind))
            .map(|i| (bounds.earliest[i], bounds.latest[i]))
    }

    #[test]
    fn r16_a_penalty_is_bound_by_three_years_and_a_licence_is_not() {
        let bounds = catalogue().public_bounds(date!(2027 - 03 - 01));
        assert_eq!(bounds.today, date!(2027 - 03 - 01));
        let organisation = SubjectKind::Organisation;
        let penalty = (date!(2024 - 03 - 01), date!(2027 - 03 - 01));
        assert_eq!(bound(&bounds, "xzcf", organisation), Some(penalty));
        assert_eq!(
            bound(&bounds, "xzxk", organisation),
            Some((FIRST_DAY, LAST_DAY))
        );
        let rules = catalogue();
        let until = |code| {
            rules
                .rule(&item(code))
                .unwrap()
                .disclosed_until(date!(2024 - 02 - 29), None)
        };
        assert_eq!(until("xzcf"), Some(date!(2027 - 02 - 28)));
        assert_eq!(until("xzxk"), None);
    }

    #[test]
    fn d9_the_shortest_lawful_end_wins_and_is_never_after_the_term() {
        let effective = date!(2024 - 03 - 01);
        let term_end = date!(2027 - 03 - 01);
        let after_term = date!(2099 - 12 - 31);
        // item, the provider's deadline, last day of disclosure
        let cases = [
            ("xzcf", None, Some(term_end)),
            (
                "xzcf",
                Some(date!(2025 - 03 - 01)),
                Some(date!(2025 - 03 - 01)),
            ),
            ("xzcf", Some(term_end), Some(term_end)),
            ("xzcf", term_end.next_day(), Some(term_end)),
            ("xzcf", Some(after_term), Some(term_end)),
            ("xzxk", None, None),
            (
                "xzxk",
                Some(date!(2025 - 03 - 01)),
                Some(date!(2025 - 03 - 01)),
            ),
            ("xzxk", Some(after_term), Some(after_term)),
        ];
        let rules = catalogue();
        for (code, publicity_until, expected) in cases {
            let rule = rules.rule(&item(code)).unwrap();
            assert_eq!(
                rule.disclosed_until(effective, publicity_until),
                expected,
                "{code} {publicity_until:?}"
            );
        }
    }

    #[test]
    fn r16_a_record_with_a_term_is_public_from_its_day_of_effect_and_others_at_once() {
        let rules = catalogue();
        let (effective, before) = (date!(2026 - 12 - 01), date!(2026 - 11 - 30));
        let had_begun = |code, day| rules.rule(&item(code)).unwrap().had_begun(effective, day);
        assert!(!had_begun("xzcf", before) && had_begun("xzcf", effective));
        assert!(had_begun("xzxk", before));
    }

    #[test]
    fn r14_natural_persons_have_no_public_bound() {
        let bounds = catalogue().public_bounds(date!(2027 - 03 - 01));
        assert!(
            !bounds
                .kinds
                .contains(&kind_number(SubjectKind::NaturalPerson))
        );
        let all = catalogue().all_bounds(date!(2027 - 03 - 01));
        assert!(bound(&all, "xzcf", SubjectKind::NaturalPerson).is_some());
    }

    #[test]
    fn r16_an_adverse_item_without_a_term_has_that_of_the_regulation() {
        let rule = DisclosureRule {
            item: item("x"),
            name: "x".to_owned(),
            record_class: RecordClass::Adverse,
            term_years: None,
            published: Vec::new(),
        };
        assert_eq!(rule.term_years(), Some(3));
        let law = DisclosureRule {
            term_years: Some(1),
            ..rule.clone()
        };
        assert_eq!(law.term_years(), Some(1));
        let favourable = DisclosureRule {
            record_class: RecordClass::Favourable,
            ..rule
        };
        assert_eq!(favourable.term_years(), None);
    }
}
