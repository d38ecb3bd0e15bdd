//! The state does not depend on the order in which the versions of a key arrive. Run by cargo.

use credit_record::{AcceptedRecord, CreditCode, RecordSubject, SubjectKind};
use proptest::prelude::*;
use record_ref::{ItemRef, Operation, ProviderCode, RecordAddress};
use time::{Date, OffsetDateTime, macros::date};

use super::*;
use crate::domain::SupervisionFigures;

const CODE: &str = "91430102MA4PX7RC64";

/// The provider of a key: one each.
fn provider(key: u8) -> ProviderCode {
    format!("{key:0>18}").parse().unwrap()
}

fn id(key: u8, revision: u64) -> VersionId {
    let number = u128::from(key) * 1000 + u128::from(revision);
    uuid::Uuid::from_u128(number).try_into().unwrap()
}

/// A version of a key: what it is about, and what it registers, or the end of its record.
fn version(key: u8, revision: u64, says: Option<(u8, &str, Date)>) -> CheckedVersion {
    let submission = SubmittedVersion {
        version: RecordVersion {
            id: id(key, revision),
            address: RecordAddress::of_first_version(id(key, 1)),
            provider: provider(key),
            item: ItemRef::new("djzc".parse().unwrap(), 1).unwrap(),
            key_digest: [key; 32].into(),
            revision: revision.try_into().unwrap(),
        },
        ledger_number: revision.try_into().ok(),
        received_at: OffsetDateTime::UNIX_EPOCH,
        operation: match says {
            Some(_) => Operation::Upsert,
            None => Operation::Withdraw,
        },
        content_type: String::new(),
        sealed_content: Bytes::new(),
        sealed_record_key: Bytes::new(),
    };
    let content = match says {
        None => CheckedContent::End(Vec::new()),
        Some((about, name, since)) => {
            let registration = SubjectRegistration {
                name: name.to_owned(),
                normalised_name: normalised_name(name),
                status: None,
                ended_on: None,
                since,
            };
            let facts = ComparisonFacts {
                code: Some(CODE.to_owned()),
                name: name.to_owned(),
                decision_date: since,
                identity: [about; 32],
                is_distinctive: true,
                registration: Some(registration),
                name_field: "NAME".to_owned(),
                date_field: "DATE".to_owned(),
            };
            CheckedContent::Record(Box::new(record(name, since)), Box::new(facts))
        }
    };
    CheckedVersion {
        submission,
        content,
        figures: SupervisionFigures::default(),
        rule_set: String::new(),
    }
}

fn record(name: &str, since: Date) -> AcceptedRecord {
    AcceptedRecord {
        subject: RecordSubject {
            kind: SubjectKind::Organisation,
            name: name.to_owned(),
            credit_code: CreditCode::parse(CODE).ok(),
            person_document: None,
        },
        values: Default::default(),
        changes: Vec::new(),
        warnings: Vec::new(),
        document_number: None,
        decision_date: since,
        effective_date: since,
        expiry_date: None,
        publicity_until: None,
        authority: String::new(),
        natural_key: String::new(),
    }
}

/// The name in the register, and what the key holds.
fn outcome(state: &ComparisonState) -> (Option<String>, Vec<KeyedHash>) {
    let subject = state.subjects.get(CODE).filter(|known| known.active);
    let mut held: Vec<KeyedHash> = state
        .claims
        .iter()
        .filter(|(_, claim)| claim.active)
        .map(|(digest, _)| *digest)
        .collect();
    held.sort_unstable();
    (subject.map(|known| known.registration.name.clone()), held)
}

proptest! {
    #[test]
    fn r13_what_stands_of_a_key_is_what_its_newest_version_says(
        versions in proptest::collection::vec(proptest::option::of((0_u8..3, "[甲乙丙]店")), 1..6),
        seed in proptest::collection::vec(0_usize..100, 6),
    ) {
        let day = date!(2026-01-05);
        let all: Vec<CheckedVersion> = (1..)
            .zip(&versions)
            .map(|(revision, says)| {
                version(1, revision, says.as_ref().map(|(about, name)| (*about, name.as_str(), day)))
            })
            .collect();
        let mut shuffled = all.clone();
        for (index, swap) in seed.iter().take(all.len()).enumerate() {
            shuffled.swap(index, swap % all.len());
        }
        let mut state = ComparisonState::default();
        for one in &shuffled {
            state.apply_accepted(one);
        }
        let newest = versions.last().and_then(Option::as_ref);
        let expected = (
            newest.map(|(_, name)| name.clone()),
            newest.map(|(about, _)| [*about; 32]).into_iter().collect::<Vec<_>>(),
        );
        prop_assert_eq!(outcome(&state), expected);
    }
}

#[test]
fn a_name_that_was_borne_is_a_former_one_and_a_corrected_one_is_not() {
    let (first, second) = (date!(2020 - 01 - 05), date!(2026 - 01 - 05));
    let mut state = ComparisonState::default();
    state.apply_accepted(&version(1, 1, Some((1, "乙店", first))));
    // The same registration, corrected.
    state.apply_accepted(&version(1, 2, Some((1, "甲店", first))));
    assert!(state.subjects[CODE].former_names.is_empty());
    state.apply_accepted(&version(1, 3, Some((1, "丙店", second))));
    assert_eq!(state.subjects[CODE].former_names, ["甲店"]);
    // Back to the old name.
    state.apply_accepted(&version(1, 4, Some((1, "甲店", date!(2026 - 02 - 05)))));
    assert_eq!(state.subjects[CODE].former_names, ["丙店"]);
}

#[test]
fn r13_another_providers_registration_never_changes_the_register_while_one_stands() {
    let day = date!(2026 - 01 - 05);
    let mut state = ComparisonState::default();
    state.apply_accepted(&version(1, 1, Some((1, "甲店", day))));
    let other = version(2, 1, Some((2, "乙店", day)));
    let found = state.compare_version(&other, &CompetentOwner::City, false);
    assert_eq!(found[0].code, FindingCode::BaseInfoConflict);
    let agreeing = version(2, 1, Some((2, "甲店", day)));
    assert!(
        state
            .compare_version(&agreeing, &CompetentOwner::City, false)
            .is_empty()
    );
    state.apply_accepted(&agreeing);
    assert_eq!(state.subjects[CODE].version.provider, provider(1));
    state.apply_accepted(&version(1, 2, None));
    assert!(!state.subjects[CODE].active);
    state.apply_accepted(&version(2, 2, Some((2, "乙店", day))));
    assert_eq!(outcome(&state).0.as_deref(), Some("乙店"));
}

#[test]
fn r13_an_attestation_lifts_only_what_may_be_confirmed() {
    let day = date!(2026 - 01 - 05);
    let mut state = ComparisonState::default();
    state.apply_accepted(&version(1, 1, Some((1, "甲店", day))));
    let changed = version(1, 2, Some((2, "甲店", day)));
    let severity =
        |attested| state.compare_version(&changed, &CompetentOwner::City, attested)[0].severity;
    assert_eq!(
        (severity(false), severity(true)),
        (Severity::Error, Severity::Warning)
    );
    let twice = version(3, 1, Some((1, "甲店", day)));
    let found = state.compare_version(&twice, &CompetentOwner::City, true);
    assert_eq!(
        (found[0].code, found[0].severity),
        (FindingCode::DuplicateRecord, Severity::Error)
    );
}
