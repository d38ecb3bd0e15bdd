//! Persons' numbers are kept out of organisations' codes, and organisations keep theirs.

use credit_record::id::{
    CitizenNumber, CreditCode, IdRule, LegacyCode, LegacyError, LegacyKind, PermanentResidence,
};
use proptest::prelude::*;
use time::Duration;

use crate::support::{day, today};

/// Numbers drawn to count a share; the manual's figure was counted with 6,000,000.
const DRAWN: u32 = 300_000;

/// Pairs of the market regulator, which begin foreigners' numbers as well.
const SHARED: [&str; 3] = ["91", "92", "93"];

fn citizen(region: &str, born: time::Date, sequence: u32) -> CitizenNumber {
    let date = format!(
        "{:04}{:02}{:02}",
        born.year(),
        u8::from(born.month()),
        born.day()
    );
    CitizenNumber::with_check(&format!("{region}{date}{sequence:03}"), today()).unwrap()
}

/// True where the number is a foreigner's beyond doubt: a province and a nationality that are known.
fn foreigner(text: &str) -> bool {
    PermanentResidence::parse(text, today())
        .is_ok_and(|n| n.region_known() && n.nationality_known())
}

/// Every day from 1880 to today.
fn births() -> impl Strategy<Value = time::Date> {
    let days = (today() - day(1880, 1, 1)).whole_days();
    (0..=days).prop_map(|n| day(1880, 1, 1) + Duration::days(n))
}

/// Any six digits; and, because chance seldom meets them, foreigners of known nationality and the pairs of
/// the market regulator.
fn regions() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9]{6}",
        "9[123][0-9]{4}",
        (
            prop::sample::select(vec!["911", "914", "915", "921", "923", "931", "935", "937"]),
            prop::sample::select(vec!["004", "036", "124", "276", "356", "643", "840"]),
        )
            .prop_map(|(head, nationality)| format!("{head}{nationality}")),
    ]
}

#[test]
fn numbers_that_pass_as_both_are_refused_as_codes() {
    for text in ["190101195003073593", "911124195003071483"] {
        assert!(CitizenNumber::parse(text, today()).is_ok(), "{text}");
        let refused = CreditCode::parse(text).unwrap_err();
        assert_eq!(refused.rule, IdRule::PersonalNumber, "{text}");
        assert_eq!((refused.position, refused.suggestion), (None, None));
        for kind in [LegacyKind::CreditCode, LegacyKind::RegistrationNumber] {
            let admitted = LegacyCode::admit_attested(kind, text, "王海");
            assert_eq!(admitted, Err(LegacyError::Person), "{text}");
        }
    }
    // Mistyped they are persons' numbers still, whatever the pair is.
    for text in [
        "190101195003073594",
        "911124195003071484",
        "943840199003150126",
    ] {
        let admitted = LegacyCode::admit_attested(LegacyKind::CreditCode, text, "王海");
        assert_eq!(admitted, Err(LegacyError::Person), "{text}");
    }
}

/// Of the numbers that begin with a pair of department and category other than those of the market regulator,
/// all that pass both check characters are refused: about 1 in 341 (11 for the organisation code inside, 31 for
/// the whole).
#[test]
fn the_share_that_the_manual_names() {
    let (mut paired, mut refused) = (0u32, 0u32);
    let mut state = 7u64;
    let mut below = |n: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % n
    };
    for _ in 0..DRAWN {
        let born = day(1880, 1, 1) + Duration::days(below(53_000) as i64);
        let region = format!("{:06}", below(1_000_000));
        let number = citizen(&region, born, below(1000) as u32);
        let text = number.as_str();
        let parsed = CreditCode::parse(text);
        if SHARED.contains(&&text[..2]) {
            continue;
        }
        match parsed {
            Err(error) if error.rule == IdRule::Category => {}
            Err(error) => {
                paired += 1;
                refused += u32::from(error.rule == IdRule::PersonalNumber);
            }
            Ok(_) => panic!("accepted as both: {text}"),
        }
    }
    assert!(
        (290..400).contains(&(paired / refused)),
        "{paired} {refused}"
    );
}

/// Divisions of the city of a province (01) that end in a century, as 110118 Miyun or 310120 Fengxian do: no
/// nationality of ISO 3166-1 ends in 01, so that no enterprise there is taken for a foreigner.
#[test]
fn enterprises_in_divisions_that_end_in_a_century_keep_their_codes() {
    let mut met = 0;
    for pair in SHARED {
        for division in [
            "110118", "110119", "310118", "310120", "500118", "500120", "440118",
        ] {
            for n in 0..9_000u32 {
                let (year, month, date) = (n % 100, 1 + n / 100 % 12, 1 + n / 1200 % 22);
                let body = format!("{year:02}{month:02}{date:02}{:02}", n % 97);
                let Ok(code) = CreditCode::with_checks(&format!("{pair}{division}{body}")) else {
                    panic!("{pair}{division}{body}");
                };
                met += u32::from(CitizenNumber::parse(code.as_str(), today()).is_ok());
            }
        }
    }
    assert!(met > 300, "both readings are met: {met}");
}

proptest! {
    #[test]
    fn a_citizen_number_is_never_a_credit_code(region in regions(), born in births()) {
        for sequence in 0..1000 {
            let number = citizen(&region, born, sequence);
            let text = number.as_str();
            let Ok(code) = CreditCode::parse(text) else { continue };
            prop_assert!(SHARED.contains(&code.category_prefix()) && !foreigner(text), "{}", text);
        }
    }

    #[test]
    fn a_persons_number_is_attested_by_nobody(
        region in regions(), born in births(), sequence in 0u32..1000, typed in 0u8..10,
    ) {
        let number = citizen(&region, born, sequence);
        let text = number.as_str();
        prop_assume!(!SHARED.contains(&&text[..2]) || foreigner(text));
        for text in [text.to_owned(), format!("{}{typed}", &text[..17])] {
            let admitted = LegacyCode::admit_attested(LegacyKind::CreditCode, &text, "王海");
            prop_assert_eq!(admitted, Err(LegacyError::Person));
        }
    }
}

/// Numbers given out by cities belong to no person: an attester may confirm one although it has a date.
#[test]
fn a_registration_number_of_a_city_may_be_attested() {
    let admit = |text| LegacyCode::admit_attested(LegacyKind::RegistrationNumber, text, "王海");
    let text = "430100600123450";
    assert_eq!(admit(text).map(|code| code.rule()), Ok(IdRule::Check));
    assert_eq!(admit("430102600123450"), Err(LegacyError::Person));
    assert!(matches!(
        admit("111111111111111"),
        Err(LegacyError::Rule(_))
    ));
}
