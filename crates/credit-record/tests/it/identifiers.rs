//! Check digits, dates and suggestions of identifiers: published vectors, then properties.

use credit_record::id::{CitizenNumber, CreditCode, IdRule, OrganisationCode, RegistrationNumber};
use proptest::prelude::*;
use time::Duration;

use crate::support::{day, today};

const CREDIT_CODES: &[&str] = &[
    "914403001922038216",
    "9144030071526726XG",
    "91330100799655058B",
    "91110000802100433B",
    "91110108551385082Q",
    "91100000100003962T",
    "9111000071093123XX",
    "91440300192317458F",
    "91110000616800612P",
    "914300007121944054",
    "91430000796852865Y",
    "91430000745928604G",
    "914301007700936299",
    "91430100712159116H",
    "91430102MA4PX7RC64",
    "914300007225774774",
    "91430100MA4Q5W141P",
    "91430104MA4T8FT50U",
    "91430100MA4PR1JAXA",
    "91430100MA4T6MTU3X",
    "91430121MA4RXBKL83",
    "91430103MA4T6T7072",
    "91430102MA4T7D0127",
    "1143000000612221XY",
    "11430000006122439E",
    "114300000061223248",
    "11430000MB169231XX",
    "13430000006123028L",
    "12430000444881590X",
    "12100000444885866T",
    "93420625MA4D071U7X",
    "91611002MA70YCA958",
    "11430100006123458R",
    "12430100444900018L",
    "51430100MJJ000012E",
    "52430102MJJ0000203",
    "92430104MA4QQ0026Y",
    "93430181MA4QQ00347",
    "31430000MD0000016X",
    "81430102MC0000012C",
    "N2430121MF0000013L",
    "Y1430100MY0000012X",
    "A1430000MB0Q00055H",
    "91430124MA4QQ0042N",
];

const CITIZENS: &[&str] = &[
    "11010519491231002X",
    "440524188001010014",
    "430102199003071234",
    "430102199003071242",
    "430104198512310019",
    "430181197202290049",
    "430124199912319995",
    "43012119491001001X",
    "430104193205060512",
    "810000199408230021",
    "830000199201300022",
    "820000199001011240",
    "911124198108030024",
    "911840198001010013",
    "935840199003150126",
];

fn credit_rule(text: &str) -> IdRule {
    CreditCode::parse(text).unwrap_err().rule
}

fn citizen_rule(text: &str) -> IdRule {
    CitizenNumber::parse(text, today()).unwrap_err().rule
}

#[test]
fn credit_codes_of_all_categories_are_read() {
    for text in CREDIT_CODES {
        let code = CreditCode::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(code.as_str(), *text);
        assert!(code.region_known(), "{text}");
        assert_eq!(code.organisation_code().as_str(), &text[8..17]);
        assert_eq!(CreditCode::with_checks(&text[..16]).unwrap(), code);
        assert_eq!(code.is_individual_business(), text.starts_with("92"));
    }
}

#[test]
fn credit_codes_are_refused_by_the_rule_they_break() {
    for text in [
        "91430000722588072N",
        "91430300782875193K",
        "91430000737004948R",
    ] {
        assert_eq!(credit_rule(text), IdRule::Check, "{text}");
    }
    assert!(CreditCode::parse("91430000712190148F").is_err());
    assert_eq!(
        credit_rule("91611102MA70YCA958"),
        IdRule::Check,
        "one digit mistyped"
    );
    let inner = CreditCode::parse("91430100MA4Q5W142T").unwrap_err();
    assert_eq!((inner.rule, inner.position), (IdRule::InnerCheck, Some(16)));
    for dummy in [
        "000000000000000000",
        "123456789012345678",
        "00000000000000000X",
    ] {
        assert_eq!(credit_rule(dummy), IdRule::Dummy, "{dummy}");
    }
    assert_eq!(credit_rule("91430100MA4Q5W141"), IdRule::Length);
    assert_eq!(credit_rule(""), IdRule::Length);
    assert_eq!(credit_rule("９1430100MA4Q5W141P"), IdRule::Alphabet);
    // A citizen number is no credit code: 4 is the department of culture, which has no category 3.
    let resident = CreditCode::parse("430102199003071234").unwrap_err();
    assert_eq!(
        (resident.rule, resident.position),
        (IdRule::Category, Some(1))
    );
    let lower = CreditCode::parse("91430100ma4q5w141p").unwrap_err();
    assert_eq!((lower.rule, lower.position), (IdRule::Alphabet, Some(8)));
}

#[test]
fn a_letter_for_a_digit_is_suggested_only_when_all_checks_pass() {
    let seen = CreditCode::parse("12430000MBOL67976N").unwrap_err();
    assert_eq!((seen.rule, seen.position), (IdRule::Alphabet, Some(10)));
    assert_eq!(seen.suggestion.unwrap().as_str(), "12430000MB0L67976N");
    let wrong = CreditCode::parse("12430000MBOL67977N").unwrap_err();
    assert_eq!(wrong.suggestion, None);
    for last in ["×", "*", "Х", "χ", "x"] {
        let text = format!("43012119491001001{last}");
        let error = CitizenNumber::parse(&text, today()).unwrap_err();
        assert_eq!(
            (error.rule, error.position),
            (IdRule::Alphabet, Some(17)),
            "{last}"
        );
        assert_eq!(error.suggestion.unwrap().as_str(), "43012119491001001X");
        assert!(
            !format!("{error:?} {error}").contains("4301"),
            "the number is not repeated"
        );
    }
}

#[test]
fn a_region_that_no_table_knows_is_no_fault() {
    let code = CreditCode::with_checks("91149900MA0000A1").unwrap();
    assert!(code.region_known(), "149900 is met in real codes");
    let code = CreditCode::with_checks("91990000MA0000A1").unwrap();
    assert!(!code.region_known());
}

#[test]
fn citizen_numbers_and_permits_are_read() {
    for text in CITIZENS {
        let number = CitizenNumber::parse(text, today()).unwrap_or_else(|e| panic!("{text}: {e}"));
        assert_eq!(number.as_str(), *text);
        assert!(!number.derived_from_15());
        assert_eq!(number.is_foreign_resident(), text.starts_with('9'));
        assert_eq!(number.is_residence_permit(), text.starts_with('8'));
        assert_eq!(number.region_known(), !text.starts_with('9'));
        assert!(
            !format!("{number:?}").contains("19"),
            "Debug does not show it"
        );
    }
    let number = CitizenNumber::parse("430181197202290049", today()).unwrap();
    assert_eq!(number.birth_date(), day(1972, 2, 29));
    assert_eq!(number.masked(), "430181**********49");
}

#[test]
fn citizen_numbers_are_refused_by_the_rule_they_break() {
    assert_eq!(citizen_rule("430102199003071235"), IdRule::Check);
    let first = |seventeen: &str| {
        CitizenNumber::with_check(seventeen, today())
            .unwrap_err()
            .rule
    };
    assert_eq!(first("43010219900230001"), IdRule::Date);
    assert_eq!(first("43010219901301001"), IdRule::Date);
    assert_eq!(first("43010218790101001"), IdRule::Date);
    assert_eq!(first("43010220990101001"), IdRule::DateFuture);
    assert_eq!(first("11111111111111111"), IdRule::Dummy);
    assert_eq!(citizen_rule("4301021990030712"), IdRule::Length);
    assert_eq!(citizen_rule("43010219900307123A"), IdRule::Alphabet);
    assert_eq!(citizen_rule("43010219900307１234"), IdRule::Alphabet);
}

#[test]
fn birth_may_be_today_but_not_tomorrow() {
    let born = "43010220260701001";
    assert!(CitizenNumber::with_check(born, today()).is_ok());
    let yesterday = today() - Duration::DAY;
    assert_eq!(
        CitizenNumber::with_check(born, yesterday).unwrap_err().rule,
        IdRule::DateFuture
    );
}

#[test]
fn fifteen_digits_become_eighteen() {
    for (old, new) in [
        ("430102900307123", "430102199003071234"),
        ("110105491231002", "11010519491231002X"),
        ("430104320506051", "430104193205060512"),
    ] {
        let number = CitizenNumber::parse(old, today()).unwrap();
        assert_eq!(number.as_str(), new);
        assert!(number.derived_from_15());
        assert_eq!(number, CitizenNumber::parse(new, today()).unwrap());
    }
    let old = CitizenNumber::parse("430102900101997", today()).unwrap();
    assert_eq!(
        old.birth_date().year(),
        1890,
        "996 to 999 were for people over a hundred"
    );
    assert_eq!(citizen_rule("430102900230123"), IdRule::Date);
}

#[test]
fn organisation_codes() {
    for text in [
        "D2143569-X",
        "19220382-1",
        "71526726-X",
        "MA4Q5W14-1",
        "00612221-X",
        "MB0X5571-4",
    ] {
        let code = OrganisationCode::parse(text).unwrap();
        assert_eq!(code.as_str(), text.replace('-', ""));
        assert_eq!(OrganisationCode::parse(code.as_str()), Ok(code));
    }
    let rule = |text: &str| OrganisationCode::parse(text).unwrap_err().rule;
    assert_eq!(rule("D2143569-1"), IdRule::Check);
    assert_eq!(rule("000000000"), IdRule::Dummy);
    assert_eq!(rule("d2143569X"), IdRule::Alphabet);
    assert_eq!(rule("D2143569"), IdRule::Length);
}

#[test]
fn registration_numbers() {
    for text in [
        "440301103097413",
        "440301103448669",
        "430100000012344",
        "430100400001239",
        "430100600123457",
        "430181600000010",
        "430000000001098",
    ] {
        assert_eq!(RegistrationNumber::parse(text).unwrap().as_str(), text);
    }
    let wrong = RegistrationNumber::parse("430100000012345").unwrap_err();
    assert_eq!((wrong.rule, wrong.position), (IdRule::Check, Some(14)));
    let person = RegistrationNumber::parse("430100600123457").unwrap();
    assert!(person.is_individual_business());
    let letter = RegistrationNumber::parse("43O100600123457").unwrap_err();
    assert_eq!(letter.suggestion.unwrap().as_str(), "430100600123457");
}

const USCC_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

fn replace(text: &str, at: usize, with: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[at] = with;
    String::from_utf8(bytes).unwrap()
}

#[test]
fn every_substitution_in_a_known_code_is_detected() {
    for text in CREDIT_CODES {
        for at in 0..18 {
            for with in USCC_ALPHABET.iter().filter(|b| text.as_bytes()[at] != **b) {
                let wrong = replace(text, at, *with);
                assert!(CreditCode::parse(&wrong).is_err(), "{wrong}");
            }
        }
    }
}

prop_compose! {
    fn credit_code()(
        pair in prop::sample::select(vec!["11", "12", "51", "91", "92", "93", "N2", "Y1", "A1"]),
        region in 0u32..1_000_000,
        body in prop::collection::vec(prop::sample::select(&USCC_ALPHABET[..]), 8),
    ) -> String {
        let body = String::from_utf8(body).unwrap();
        let body = if body.bytes().all(|b| b == body.as_bytes()[0]) { "MA4Q5W14".into() } else { body };
        CreditCode::with_checks(&format!("{pair}{region:06}{body}")).unwrap().to_string()
    }
}

prop_compose! {
    fn citizen()(region in 110_000u32..660_000, days in 0i64..50_000, sequence in 0u32..1000) -> String {
        let born = day(1880, 1, 1) + Duration::days(days);
        let head = format!(
            "{region:06}{:04}{:02}{:02}{sequence:03}",
            born.year(), u8::from(born.month()), born.day(),
        );
        CitizenNumber::with_check(&head, today()).unwrap().as_str().to_owned()
    }
}

proptest! {
    #[test]
    fn any_single_substitution_in_a_credit_code_fails(
        code in credit_code(), at in 0usize..18, with in prop::sample::select(&USCC_ALPHABET[..]),
    ) {
        prop_assume!(code.as_bytes()[at] != with);
        prop_assert!(CreditCode::parse(&replace(&code, at, with)).is_err());
    }

    #[test]
    fn any_single_substitution_in_a_citizen_number_fails(
        number in citizen(), at in 0usize..18, with in prop::sample::select(&b"0123456789X"[..]),
    ) {
        prop_assume!(number.as_bytes()[at] != with);
        prop_assert!(CitizenNumber::parse(&replace(&number, at, with), today()).is_err());
    }

    #[test]
    fn any_adjacent_swap_in_a_citizen_number_fails(number in citizen(), at in 0usize..17) {
        let mut bytes = number.into_bytes();
        prop_assume!(bytes[at] != bytes[at + 1]);
        bytes.swap(at, at + 1);
        let swapped = String::from_utf8(bytes).unwrap();
        prop_assert!(CitizenNumber::parse(&swapped, today()).is_err());
    }

    #[test]
    fn fifteen_to_eighteen_is_injective(a in 0u64..36_500_000, b in 0u64..36_500_000) {
        let old = |n: u64| {
            let born = day(1900, 1, 1) + Duration::days((n / 1000) as i64);
            format!(
                "430102{:02}{:02}{:02}{:03}",
                born.year() % 100, u8::from(born.month()), born.day(), n % 1000,
            )
        };
        let (x, y) = (old(a), old(b));
        prop_assume!(x != y);
        let (x, y) = (CitizenNumber::parse(&x, today()), CitizenNumber::parse(&y, today()));
        if let (Ok(x), Ok(y)) = (x, y) {
            prop_assert_ne!(x, y);
        }
    }

    #[test]
    fn a_suggestion_is_always_right_and_differs(text in "[0-9A-Za-z]{18}") {
        if let Err(error) = CreditCode::parse(&text)
            && let Some(better) = error.suggestion
        {
            prop_assert!(CreditCode::parse(better.as_str()).is_ok());
            prop_assert_ne!(better.as_str(), text.as_str());
        }
    }

    #[test]
    fn lookalikes_typed_into_a_good_code_are_found_again(code in credit_code()) {
        let typed = code.replace('0', "O").replace('1', "I").replace('5', "S").replace('2', "Z");
        prop_assume!(typed != code);
        let error = CreditCode::parse(&typed).unwrap_err();
        prop_assert_eq!(error.suggestion.map(|s| s.as_str().to_owned()), Some(code));
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "\\PC{0,24}") {
        let outcomes = [
            CreditCode::parse(&text).is_ok(),
            CitizenNumber::parse(&text, today()).is_ok(),
            OrganisationCode::parse(&text).is_ok(),
            RegistrationNumber::parse(&text).is_ok(),
        ];
        prop_assert!(outcomes.iter().filter(|ok| **ok).count() <= 2);
    }
}
