//! `identify_code`: what a text is taken for, dirt, and the position in the text as it was given.

use credit_record::id::{CreditCode, IdRule, IdentifiedKind, Warning, identify_code};
use credit_record::{CitizenNumber, OrganisationCode, RegistrationNumber};
use proptest::prelude::*;
use time::Duration;

use crate::support::{day, today};

#[test]
fn valid_codes_are_called_what_they_are() {
    for (text, kind, canonical) in [
        (
            "430102199003071234",
            IdentifiedKind::CitizenNumber,
            "430102199003071234",
        ),
        (
            "43012119491001001x",
            IdentifiedKind::CitizenNumber,
            "43012119491001001X",
        ),
        (
            "11010519491231002X",
            IdentifiedKind::CitizenNumber,
            "11010519491231002X",
        ),
        (
            "430102900307123",
            IdentifiedKind::CitizenNumber,
            "430102199003071234",
        ),
        (
            "110105491231002",
            IdentifiedKind::CitizenNumber,
            "11010519491231002X",
        ),
        (
            "810000199408230021",
            IdentifiedKind::ResidencePermit,
            "810000199408230021",
        ),
        (
            "820000199001011240",
            IdentifiedKind::ResidencePermit,
            "820000199001011240",
        ),
        (
            "830000199201300022",
            IdentifiedKind::ResidencePermit,
            "830000199201300022",
        ),
        (
            "911124198108030024",
            IdentifiedKind::PermanentResidence,
            "911124198108030024",
        ),
        (
            "935840199003150126",
            IdentifiedKind::PermanentResidence,
            "935840199003150126",
        ),
        (
            "CAN310080012345",
            IdentifiedKind::PermanentResidence,
            "CAN310080012345",
        ),
        (
            "91430100MA4Q5W141P",
            IdentifiedKind::CreditCode,
            "91430100MA4Q5W141P",
        ),
        (
            "914403001922038216",
            IdentifiedKind::CreditCode,
            "914403001922038216",
        ),
        (
            "114300000061223248",
            IdentifiedKind::CreditCode,
            "114300000061223248",
        ),
        (
            "N2430121MF0000013L",
            IdentifiedKind::CreditCode,
            "N2430121MF0000013L",
        ),
        ("MA4Q5W14-1", IdentifiedKind::OrganisationCode, "MA4Q5W141"),
        ("D2143569-X", IdentifiedKind::OrganisationCode, "D2143569X"),
        ("192203821", IdentifiedKind::OrganisationCode, "192203821"),
        // Without a digit; found by the fuzzer.
        ("asaaaaaa-x", IdentifiedKind::OrganisationCode, "ASAAAAAAX"),
        ("ASAAAAAAX", IdentifiedKind::OrganisationCode, "ASAAAAAAX"),
        (
            "440301103097413",
            IdentifiedKind::RegistrationNumber,
            "440301103097413",
        ),
        (
            "430100600123457",
            IdentifiedKind::RegistrationNumber,
            "430100600123457",
        ),
        (
            "4301002001234",
            IdentifiedKind::OldRegistrationNumber,
            "4301002001234",
        ),
        (
            "企独湘长总字第000123号",
            IdentifiedKind::OldRegistrationNumber,
            "企独湘长总字第000123号",
        ),
        ("E12345678", IdentifiedKind::Passport, "E12345678"),
        ("EA1234567", IdentifiedKind::Passport, "EA1234567"),
        ("C01X00T47", IdentifiedKind::Passport, "C01X00T47"),
        ("H12345678", IdentifiedKind::HkMacaoPass, "H12345678"),
        ("M1234567801", IdentifiedKind::HkMacaoPass, "M1234567801"),
        ("12345678", IdentifiedKind::TaiwanPass, "12345678"),
        ("1234567890", IdentifiedKind::TaiwanPass, "1234567890"),
    ] {
        let found = identify_code(text, today());
        assert_eq!((found.kind, found.valid), (kind, true), "{text}: {found:?}");
        assert_eq!(found.canonical.as_deref(), Some(canonical));
        assert_eq!(
            (found.rule, found.position, found.suggestion),
            (None, None, None)
        );
    }
}

#[test]
fn faulty_codes_are_called_what_they_were_meant_to_be() {
    use IdRule as R;
    for (text, kind, rule, position) in [
        (
            "430102199003071235",
            IdentifiedKind::CitizenNumber,
            R::Check,
            Some(17),
        ),
        (
            "430102199002300012",
            IdentifiedKind::CitizenNumber,
            R::Date,
            Some(12),
        ),
        (
            "430102209901010012",
            IdentifiedKind::CitizenNumber,
            R::DateFuture,
            Some(6),
        ),
        (
            "43010219900307123",
            IdentifiedKind::CitizenNumber,
            R::Length,
            Some(17),
        ),
        (
            "4301021990030712344",
            IdentifiedKind::CitizenNumber,
            R::Length,
            Some(18),
        ),
        (
            "43012119491001001×",
            IdentifiedKind::CitizenNumber,
            R::Alphabet,
            Some(17),
        ),
        (
            "43O102199003071234",
            IdentifiedKind::CitizenNumber,
            R::Alphabet,
            Some(2),
        ),
        (
            "810000199408230022",
            IdentifiedKind::ResidencePermit,
            R::Check,
            Some(17),
        ),
        (
            "911124198108030025",
            IdentifiedKind::PermanentResidence,
            R::Check,
            Some(17),
        ),
        (
            "CAN310080132345",
            IdentifiedKind::PermanentResidence,
            R::Date,
            Some(9),
        ),
        (
            "91430100MA4Q5W142T",
            IdentifiedKind::CreditCode,
            R::InnerCheck,
            Some(16),
        ),
        (
            "914403001922038217",
            IdentifiedKind::CreditCode,
            R::Check,
            Some(17),
        ),
        (
            "91430100MA4Q5W141",
            IdentifiedKind::CreditCode,
            R::Length,
            Some(17),
        ),
        (
            "91350203M0001QKT19",
            IdentifiedKind::CreditCode,
            R::Check,
            Some(17),
        ),
        (
            "000000000000000000",
            IdentifiedKind::CreditCode,
            R::Dummy,
            None,
        ),
        (
            "123456789012345678",
            IdentifiedKind::CreditCode,
            R::Dummy,
            None,
        ),
        (
            "00000000000000000X",
            IdentifiedKind::CreditCode,
            R::Dummy,
            None,
        ),
        (
            "MA4Q5W14-2",
            IdentifiedKind::OrganisationCode,
            R::Check,
            Some(9),
        ),
        (
            "192203822",
            IdentifiedKind::OrganisationCode,
            R::Check,
            Some(8),
        ),
        (
            "430100000012345",
            IdentifiedKind::RegistrationNumber,
            R::Check,
            Some(14),
        ),
        (
            "430102901307123",
            IdentifiedKind::RegistrationNumber,
            R::Check,
            Some(14),
        ),
        ("H00000000", IdentifiedKind::HkMacaoPass, R::Dummy, None),
        ("hello", IdentifiedKind::Unknown, R::Length, Some(5)),
        ("", IdentifiedKind::Unknown, R::Length, Some(0)),
        ("长沙市", IdentifiedKind::Unknown, R::Alphabet, Some(0)),
        ("1", IdentifiedKind::Unknown, R::Length, Some(1)),
    ] {
        let found = identify_code(text, today());
        assert_eq!(
            (found.kind, found.valid, found.rule, found.position),
            (kind, false, Some(rule), position),
            "{text}"
        );
        assert_eq!(found.canonical, None);
    }
}

#[test]
fn a_place_is_that_of_the_text_as_it_was_given() {
    for (text, position) in [
        ("12430000MBOL67976N", 10),
        ("  12430000-MBOL-67976N", 13),
        ("'12430000MBOL67976N", 11),
        ("\u{FEFF}１２４３００００ＭＢＯＬ６７９７６Ｎ", 11),
        ("12 43 00 00 MB OL 67 97 6N", 15),
    ] {
        let found = identify_code(text, today());
        assert_eq!(
            (found.rule, found.position),
            (Some(IdRule::Alphabet), Some(position)),
            "{text}"
        );
        assert_eq!(found.suggestion.as_deref(), Some("12430000MB0L67976N"));
        assert_eq!(found.input, text);
    }
    let short = identify_code("4301 0219 9003 0712  ", today());
    assert_eq!(
        (short.rule, short.position),
        (Some(IdRule::Length), Some(19)),
        "behind the last digit"
    );
}

#[test]
fn warnings_refuse_nothing() {
    for (text, warnings) in [
        ("430102900307123", &[Warning::DerivedFrom15][..]),
        ("E12345678", &[Warning::FormOnly]),
        (
            "QQQ990080012345",
            &[Warning::Region, Warning::Nationality, Warning::FormOnly],
        ),
        ("4301002001234", &[Warning::FormOnly]),
        ("430102199003071234", &[]),
    ] {
        let found = identify_code(text, today());
        assert!(found.valid, "{text}");
        assert_eq!(found.warnings, warnings, "{text}");
    }
    let abroad = CreditCode::with_checks("91990000MA0000A1").unwrap();
    assert_eq!(
        identify_code(abroad.as_str(), today()).warnings,
        [Warning::Region]
    );
    let unknown = CitizenNumber::with_check("66010219900307123", today()).unwrap();
    assert_eq!(
        identify_code(unknown.as_str(), today()).warnings,
        [Warning::Region]
    );
    let stateless = CitizenNumber::with_check("91100119900307123", today()).unwrap();
    assert_eq!(
        identify_code(stateless.as_str(), today()).warnings,
        [Warning::Nationality]
    );
}

#[test]
fn damage_by_a_spreadsheet_is_named() {
    for (text, kind) in [
        ("4.30102E+17", IdentifiedKind::CitizenNumber),
        ("9.1430102e+17", IdentifiedKind::CreditCode),
        ("430102199003071000", IdentifiedKind::CitizenNumber),
        ("914403001922038000", IdentifiedKind::CreditCode),
    ] {
        let found = identify_code(text, today());
        assert_eq!((found.kind, found.valid), (kind, false), "{text}");
        assert_eq!(found.warnings, [Warning::SpreadsheetDamage], "{text}");
        assert_eq!(found.suggestion, None);
    }
}

#[test]
fn the_json_has_seven_fields_and_debug_has_no_number() {
    let found = identify_code("430102199003071234", today());
    let json = serde_json::to_value(&found).unwrap();
    let names: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "input",
            "kind",
            "valid",
            "canonical",
            "rule",
            "position",
            "suggestion"
        ]
    );
    assert!(!format!("{found:?}").contains("4301"));
    let names: std::collections::BTreeSet<&str> =
        IdentifiedKind::ALL.iter().map(|k| k.as_str()).collect();
    assert_eq!(names.len(), IdentifiedKind::ALL.len());
}

/// Full width of a letter or digit.
fn wide(c: char) -> char {
    match c {
        c if c.is_ascii_alphanumeric() => char::from_u32(c as u32 + 0xFEE0).unwrap(),
        c => c,
    }
}

/// One kind of dirt that a code picks up in forms, spreadsheets and messengers.
fn dirt() -> impl Strategy<Value = fn(&str) -> String> {
    prop::sample::select(vec![
        (|t: &str| format!("\u{FEFF}{t}")) as fn(&str) -> String,
        |t| format!("\u{200B}{t}\u{200D}\u{2060}"),
        |t| format!("\u{3000}{t}\u{00A0}"),
        |t| format!("\t{t}\r\n"),
        |t| format!("'{t}"),
        |t| format!("{}\u{00AD}{}", &t[..4], &t[4..]),
        |t| t.chars().map(wide).collect(),
        |t| t.to_lowercase(),
        |t| {
            let end = t.len() - 1;
            match t.as_bytes()[end] {
                b'X' => format!("{}Ⅹ", &t[..end]),
                _ => t.to_owned(),
            }
        },
        |t| format!("{} {} {}", &t[..3], &t[3..6], &t[6..]),
        |t| format!("{}-{}－{}", &t[..3], &t[3..6], &t[6..]),
        |t| format!("{}–{}—{}", &t[..3], &t[3..6], &t[6..]),
    ])
}

fn any_code() -> impl Strategy<Value = String> {
    let citizen = (110_000u32..660_000, 0i64..50_000, 0u32..1000).prop_map(|(region, days, n)| {
        let born = day(1880, 1, 1) + Duration::days(days);
        let head = format!(
            "{region:06}{:04}{:02}{:02}{n:03}",
            born.year(),
            u8::from(born.month()),
            born.day()
        );
        CitizenNumber::with_check(&head, today())
            .unwrap()
            .as_str()
            .to_owned()
    });
    let code = "MA[0-9A-HJ-NPQRTUWXY]{6}".prop_map(|body| {
        CreditCode::with_checks(&format!("91430100{body}"))
            .unwrap()
            .to_string()
    });
    let organisation = "M[AB][0-9A-Z]{6}"
        .prop_map(|body| OrganisationCode::with_check(&body).unwrap().to_string());
    let registration = "4301[0-9]{2}[0-6]00[0-9]{5}"
        .prop_map(|head| RegistrationNumber::with_check(&head).unwrap().to_string());
    prop_oneof![citizen, code, organisation, registration]
}

proptest! {
    #[test]
    fn dirt_comes_off(code in any_code(), dirt in prop::collection::vec(dirt(), 0..3)) {
        // Dirt of a second layer may cut where the first has put a wide character.
        let dirty = dirt.iter().fold(code.clone(), |text, d| if text.is_ascii() { d(&text) } else { text });
        let clean = identify_code(&code, today());
        let found = identify_code(&dirty, today());
        prop_assert!(clean.valid, "{}", code);
        prop_assert_eq!((found.kind, found.valid), (clean.kind, true), "{}", dirty);
        prop_assert_eq!(found.canonical, clean.canonical);
    }

    #[test]
    fn a_citizen_number_is_always_called_one(days in 0i64..50_000, n in 0u32..1000, region in 0usize..6) {
        let born = day(1880, 1, 1) + Duration::days(days);
        let region = ["110105", "430102", "510202", "320102", "120101", "810000"][region];
        let head = format!("{region}{:04}{:02}{:02}{n:03}", born.year(), u8::from(born.month()), born.day());
        let number = CitizenNumber::with_check(&head, today()).unwrap();
        let found = identify_code(number.as_str(), today());
        prop_assert!(matches!(found.kind, IdentifiedKind::CitizenNumber | IdentifiedKind::ResidencePermit));
        prop_assert!(found.valid);
    }

    #[test]
    fn no_text_is_too_strange(text in "\\PC{0,40}|[0-9OISZX×' \u{200B}-]{0,30}|[A-Z0-9]{5,20}") {
        let found = identify_code(&text, today());
        prop_assert_eq!(found.valid, found.rule.is_none());
        prop_assert_eq!(found.valid, found.canonical.is_some());
        if let Some(at) = found.position {
            prop_assert!(at <= text.chars().count());
        }
        if let Some(canonical) = &found.canonical {
            let again = identify_code(canonical, today());
            prop_assert!(again.valid, "{} {}", text, canonical);
            prop_assert_eq!(again.canonical.as_ref(), Some(canonical));
        }
        if let Some(better) = &found.suggestion {
            let again = identify_code(better, today());
            prop_assert!(again.valid, "{} {}", text, better);
        }
    }
}
