//! which version may follow which, which is in force, and how an item ends.

use std::sync::LazyLock;

use credit_record::item::{
    DerivedConstant, FieldMapping, ItemVersion, Predecessor, standard_items,
};
use proptest::prelude::*;
use service_kit::reason::Reason;
use time::{Date, OffsetDateTime};

use super::{super::version::*, day, violated_rule};
use crate::domain::list;

/// A version of an item without a first day of its own.
fn item(version: u32) -> ItemVersion {
    // Constant data, read once: a property asks for it thousands of times.
    static BASE: LazyLock<ItemVersion> = LazyLock::new(|| {
        let mut items = standard_items().unwrap();
        items.retain(|item| item.code == "xzxk" && item.version == 1);
        let mut item = items.remove(0);
        item.effective_from = None;
        item
    });
    ItemVersion {
        version,
        ..BASE.clone()
    }
}

fn at(text: &str) -> OffsetDateTime {
    day(text).midnight().assume_utc()
}

fn published(item: ItemVersion, on: &str) -> PublishedItemVersion {
    PublishedItemVersion {
        item,
        at: at(on),
        by: "data-file".to_owned(),
    }
}

fn history(versions: &[(u32, Option<&str>, &str)]) -> ItemHistory {
    let made = |(version, from, on): &(u32, Option<&str>, &str)| {
        let mut item = item(*version);
        item.effective_from = from.map(day);
        published(item, on)
    };
    ItemHistory {
        versions: versions.iter().map(made).collect(),
        retirement: None,
    }
}

fn offer_on(
    history: &ItemHistory,
    offered: &ItemVersion,
    on: &str,
) -> Result<PublicationDecision, crate::domain::CatalogRuleViolation> {
    decide_publication(history, offered, at(on))
}

#[test]
fn r6_only_the_next_version_may_be_published() {
    let none = ItemHistory::default();
    let two = history(&[(1, None, "2026-01-01"), (2, None, "2026-02-01")]);
    assert_eq!(
        offer_on(&none, &item(1), "2026-03-01"),
        Ok(PublicationDecision::Next)
    );
    assert_eq!(
        offer_on(&two, &item(3), "2026-03-01"),
        Ok(PublicationDecision::Next)
    );
    for (history, version) in [(&none, 2), (&two, 4)] {
        let broken = offer_on(history, &item(version), "2026-03-01").unwrap_err();
        assert_eq!(broken.reason, Reason::ItemVersionGap);
        assert_eq!(violated_rule(&broken).0, "definition_toml.version");
    }
}

#[test]
fn r6_a_published_version_is_known_by_its_content_and_never_changes() {
    let two = history(&[(1, None, "2026-01-01"), (2, None, "2026-02-01")]);
    // Older versions too: a data folder keeps them all.
    for version in [1, 2] {
        assert_eq!(
            offer_on(&two, &item(version), "2026-03-01"),
            Ok(PublicationDecision::Known)
        );
        let mut other = item(version);
        other.name.push('改');
        let broken = offer_on(&two, &other, "2026-03-01").unwrap_err();
        assert_eq!(broken.reason, Reason::ItemVersionImmutable);
        assert!(
            broken.message.contains(&format!("xzxk第{version}版")),
            "{broken}"
        );
    }
}

#[test]
fn r6_a_version_takes_effect_after_the_one_before_it() {
    // (first day of version 1, of version 2, day of publication of version 2, allowed)
    let table = [
        (Some("2018-01-01"), Some("2018-01-02"), "2026-03-01", true),
        (Some("2018-01-01"), Some("2018-01-01"), "2026-03-01", false),
        (Some("2018-01-01"), Some("2017-12-31"), "2026-03-01", false),
        // Version 1 without a day begins with its publication, 2026-01-01.
        (None, Some("2026-01-02"), "2026-03-01", true),
        (None, Some("2026-01-01"), "2026-03-01", false),
        (None, None, "2026-03-01", true),
        (None, None, "2026-01-01", true),
        // Version 1 is still to come.
        (Some("2026-06-01"), None, "2026-03-01", false),
        (Some("2026-06-01"), None, "2026-06-01", true),
        (Some("2026-06-01"), Some("2026-07-01"), "2026-03-01", true),
    ];
    for (first, second, on, allowed) in table {
        let one = history(&[(1, first, "2026-01-01")]);
        let mut offered = item(2);
        offered.effective_from = second.map(day);
        match decide_file_publication(&one, &offered, at(on)) {
            Ok(said) => assert!(
                allowed && said == PublicationDecision::Next,
                "{first:?} {second:?} {on}"
            ),
            Err(broken) => {
                assert!(!allowed, "{first:?} {second:?} {on}: {broken}");
                assert_eq!(broken.reason, Reason::ItemEffectiveReversed);
                assert_eq!(violated_rule(&broken).0, "definition_toml.effective_from");
            }
        }
    }
}

#[test]
fn r6_a_version_after_the_first_does_not_begin_before_it_is_published() {
    // 2026-03-01 00:00 UTC is that day in Changsha too.
    let one = history(&[(1, Some("2018-01-01"), "2026-01-01")]);
    let second = |from: Option<&str>| {
        let mut offered = item(2);
        offered.effective_from = from.map(day);
        offered
    };
    for from in [None, Some("2026-03-01"), Some("2026-03-02")] {
        let said = offer_on(&one, &second(from), "2026-03-01");
        assert_eq!(said, Ok(PublicationDecision::Next), "{from:?}");
    }
    let past = second(Some("2026-02-28"));
    let broken = offer_on(&one, &past, "2026-03-01").unwrap_err();
    assert_eq!(broken.reason, Reason::ItemEffectivePast);
    let (field, rule) = violated_rule(&broken);
    assert_eq!(field, "definition_toml.effective_from");
    assert!(rule.contains("day of its publication"), "{rule}");
    // A data file may; once published, offering it again is no new publication; and a first version may.
    let of_file = decide_file_publication(&one, &past, at("2026-03-01"));
    assert_eq!(of_file, Ok(PublicationDecision::Next));
    let mut two = one.clone();
    two.versions.push(published(past.clone(), "2026-02-28"));
    assert_eq!(
        offer_on(&two, &past, "2026-03-01"),
        Ok(PublicationDecision::Known)
    );
    let mut first = item(1);
    first.effective_from = Some(day("2018-01-01"));
    let none = ItemHistory::default();
    assert_eq!(
        offer_on(&none, &first, "2026-03-01"),
        Ok(PublicationDecision::Next)
    );
}

#[test]
fn r6_a_predecessor_is_published_lower_and_has_the_fields_that_are_named() {
    let two = history(&[(1, None, "2026-01-01"), (2, None, "2026-02-01")]);
    let known = item(1).fields[0].code.clone();
    let named = |version, from: &str, dropped: &str, when: Option<&str>| {
        let mut offered = item(3);
        offered.predecessor = Some(Predecessor {
            version,
            fields: vec![FieldMapping {
                from: from.to_owned(),
                to: known.clone(),
            }],
            constants: vec![DerivedConstant {
                field: known.clone(),
                value: "x".to_owned(),
                when_given: when.map(str::to_owned),
            }],
            dropped: vec![dropped.to_owned()],
        });
        offer_on(&two, &offered, "2026-03-01")
    };
    assert_eq!(
        named(1, &known, &known, Some(&known)),
        Ok(PublicationDecision::Next)
    );
    assert_eq!(
        named(2, &known, &known, None),
        Ok(PublicationDecision::Next)
    );
    let place = "definition_toml.predecessor";
    let table = [
        // A cycle of versions, and a version that does not exist.
        (named(3, &known, &known, None), "version", "no cycle"),
        (named(4, &known, &known, None), "version", "no cycle"),
        (
            named(0, &known, &known, None),
            "version",
            "published version",
        ),
        (
            named(2, "NONE", &known, None),
            "fields[0].from",
            "field of the predecessor",
        ),
        (
            named(2, &known, "NONE", None),
            "dropped[0]",
            "field of the predecessor",
        ),
        (
            named(2, &known, &known, Some("NONE")),
            "constants[0].when_given",
            "field of the predecessor",
        ),
    ];
    for (said, field, rule) in table {
        let broken = said.unwrap_err();
        let (said_field, said_rule) = violated_rule(&broken);
        assert_eq!(said_field, format!("{place}.{field}"));
        assert!(said_rule.contains(rule), "{said_rule}");
    }
}

#[test]
fn r6_the_version_in_force_is_the_highest_that_has_begun() {
    let three = history(&[
        (1, Some("2017-06-20"), "2026-11-20"),
        (2, Some("2018-07-25"), "2026-11-20"),
        (3, Some("2027-01-01"), "2026-11-20"),
    ]);
    let in_force = |on: &str| three.in_force(day(on)).map(|v| v.item.version);
    let table = [
        ("2017-06-19", None),
        ("2017-06-20", Some(1)),
        ("2018-07-24", Some(1)),
        ("2018-07-25", Some(2)),
        ("2026-12-31", Some(2)),
        ("2027-01-01", Some(3)),
    ];
    for (on, version) in table {
        assert_eq!(in_force(on), version, "{on}");
    }
    use ItemVersionState::{InForce, Retired, Superseded, Upcoming};
    assert_eq!(
        three.states(day("2017-06-19")),
        [Upcoming, Upcoming, Upcoming]
    );
    assert_eq!(
        three.states(day("2026-11-23")),
        [Superseded, InForce, Upcoming]
    );
    let ended = ItemHistory {
        retirement: Some(end("2026-12-01", None)),
        ..three
    };
    assert_eq!(
        ended.states(day("2026-11-30")),
        [Superseded, InForce, Upcoming]
    );
    assert_eq!(
        ended.states(day("2026-12-01")),
        [Superseded, Retired, Retired]
    );
    assert_eq!(ended.in_force(day("2026-12-01")), None);
    assert!(ended.in_force(day("2026-11-30")).is_some());
}

fn end(from: &str, successor: Option<&str>) -> RetirementDecision {
    RetirementDecision {
        code: "xzxk".parse().unwrap(),
        from: day(from),
        reason: "法律废止".to_owned(),
        successor: successor.map(|code| code.parse().unwrap()),
        at: at("2026-11-23"),
    }
}

#[test]
fn r6_an_item_ends_once_from_today_on_and_ends_form_no_cycle() {
    let today = day("2026-11-23");
    let one = history(&[(1, None, "2026-01-01")]);
    let asked = end("2026-11-23", Some("yzsx"));
    let done = decide_retirement(&one, asked.clone(), Some(&one), today).unwrap();
    assert_eq!(done, Some(asked.clone()));
    let ended = ItemHistory {
        retirement: Some(asked.clone()),
        ..one.clone()
    };
    // The same again, even later, is no second end; another one is refused once the day has come.
    assert_eq!(
        decide_retirement(&ended, asked, Some(&one), day("2027-01-01")),
        Ok(None)
    );
    assert_eq!(
        decide_retirement(&ended, end("2027-01-01", None), None, today)
            .unwrap_err()
            .reason,
        Reason::ItemAlreadyRetired
    );
    // No version follows an end.
    let broken = offer_on(&ended, &item(2), "2026-11-23").unwrap_err();
    assert_eq!(
        (broken.reason, violated_rule(&broken).0),
        (Reason::ItemRetired, "definition_toml.code")
    );

    let blank = RetirementDecision {
        reason: " ".to_owned(),
        ..end("2026-12-01", None)
    };
    let none = ItemHistory::default();
    let table = [
        (
            decide_retirement(&none, end("2026-12-01", None), None, today),
            "code",
            Reason::ItemUnknown,
        ),
        (
            decide_retirement(&one, end("2026-11-22", None), None, today),
            "from_date",
            Reason::RetirementInvalid,
        ),
        (
            decide_retirement(&one, blank, None, today),
            "reason",
            Reason::ReasonInvalid,
        ),
        (
            decide_retirement(&one, end("2026-12-01", Some("xzxk")), Some(&one), today),
            "successor_code",
            Reason::RetirementInvalid,
        ),
        (
            decide_retirement(&one, end("2026-12-01", Some("nil")), Some(&none), today),
            "successor_code",
            Reason::ItemUnknown,
        ),
        // The successor has ended, in favour of whatever: a cycle can never close.
        (
            decide_retirement(&one, end("2026-12-01", Some("yzsx")), Some(&ended), today),
            "successor_code",
            Reason::ItemRetired,
        ),
    ];
    for (said, field, reason) in table {
        let broken = said.unwrap_err();
        assert_eq!((broken.reason, violated_rule(&broken).0), (reason, field));
    }
}

#[test]
fn r6_code_lists_are_counted_and_never_change() {
    let lists = credit_record::item::standard_code_lists().unwrap();
    let first = &lists[0];
    assert_eq!(
        list::decide_list_publication(None, first.version - 1, first),
        Ok(PublicationDecision::Next)
    );
    assert_eq!(
        list::decide_list_publication(Some(first), 7, first),
        Ok(PublicationDecision::Known)
    );
    let mut other = first.clone();
    other.name.push('改');
    let broken = list::decide_list_publication(Some(&other), 7, first).unwrap_err();
    assert_eq!(broken.reason, Reason::CodeListVersionImmutable);
    let broken = list::decide_list_publication(None, 7, first).unwrap_err();
    assert_eq!(broken.reason, Reason::CodeListVersionGap);
}

proptest! {
    /// Whatever is published in whatever order of days: on each day exactly the version is in force that the
    /// definition says, the first days rise with the versions, and the states agree.
    #[test]
    fn r6_accepted_versions_rise_with_their_days(
        offers in proptest::collection::vec((proptest::option::of(0_i64..400), 0_i64..30), 1..8)
    ) {
        let start = day("2026-01-01");
        let mut known = ItemHistory::default();
        let mut now = start;
        for (from, pause) in offers {
            now += time::Duration::days(pause);
            let mut offered = item(known.versions.len() as u32 + 1);
            offered.effective_from = from.map(|days| start + time::Duration::days(days));
            let moment = now.midnight().assume_utc();
            if decide_file_publication(&known, &offered, moment) == Ok(PublicationDecision::Next) {
                known.versions.push(PublishedItemVersion { item: offered, at: moment, by: String::new() });
            }
        }
        let days: Vec<Date> = known.versions.iter().map(PublishedItemVersion::starts_on).collect();
        prop_assert!(days.is_sorted());
        for shift in 0..420 {
            let on = start + time::Duration::days(shift);
            let expected = days.iter().rposition(|first| *first <= on);
            let version = known.in_force(on).map(|v| v.item.version as usize - 1);
            prop_assert_eq!(version, expected);
            let states = known.states(on);
            let in_force = states.iter().position(|state| *state == ItemVersionState::InForce);
            prop_assert_eq!(in_force, expected);
        }
    }
}

#[test]
fn r6_an_end_may_be_moved_or_withdrawn_until_its_day() {
    let today = day("2026-11-23");
    let one = history(&[(1, None, "2026-01-01")]);
    let ending = |from: &str| ItemHistory {
        retirement: Some(end(from, None)),
        ..one.clone()
    };
    let moved = end("2026-11-30", None);
    assert_eq!(
        decide_retirement(&ending("2026-12-01"), moved.clone(), None, today),
        Ok(Some(moved.clone()))
    );
    // On its day it is too late, for a withdrawal as well.
    for asked in [moved.clone(), end("9999-12-31", None)] {
        let broken =
            decide_retirement(&ending("2026-12-01"), asked, None, day("2026-12-01")).unwrap_err();
        assert_eq!(
            (broken.reason, violated_rule(&broken).0),
            (Reason::ItemAlreadyRetired, "code")
        );
    }
    let withdrawal = end("9999-12-31", None);
    assert_eq!(
        decide_retirement(&ending("2026-12-01"), withdrawal.clone(), None, today),
        Ok(Some(withdrawal.clone()))
    );
    // A withdrawal has no successor, and nothing is withdrawn that is not decided.
    let with_successor = end("9999-12-31", Some("yzsx"));
    let broken =
        decide_retirement(&ending("2026-12-01"), with_successor, Some(&one), today).unwrap_err();
    assert_eq!(violated_rule(&broken).0, "successor_code");
    let broken = decide_retirement(&one, withdrawal.clone(), None, today).unwrap_err();
    assert_eq!(violated_rule(&broken).0, "from_date");
    let withdrawn = ending("9999-12-31");
    assert_eq!(
        decide_retirement(&withdrawn, withdrawal, None, today),
        Ok(None)
    );
    let again = RetirementDecision {
        reason: "另一理由".to_owned(),
        ..end("9999-12-31", None)
    };
    let broken = decide_retirement(&withdrawn, again, None, today).unwrap_err();
    assert_eq!(violated_rule(&broken).0, "from_date");
    // The item lives on: it is in force, may follow another one and may be retired again.
    assert_eq!(withdrawn.decided_retirement(), None);
    assert!(withdrawn.in_force(day("2027-01-01")).is_some());
    let successor = end("2026-12-01", Some("yzsx"));
    assert!(decide_retirement(&one, successor, Some(&withdrawn), today).is_ok());
    assert_eq!(
        decide_retirement(&withdrawn, moved.clone(), None, today),
        Ok(Some(moved))
    );
    // Versions follow until the day of the end.
    let ending = ending("2026-12-01");
    assert_eq!(
        offer_on(&ending, &item(2), "2026-11-30"),
        Ok(PublicationDecision::Next)
    );
    let broken = offer_on(&ending, &item(2), "2026-12-01").unwrap_err();
    assert_eq!(broken.reason, Reason::ItemRetired);
}
