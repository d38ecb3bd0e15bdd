//! Documents of persons, attested legacy codes, and the position that every fault names.

use credit_record::id::{
    CardStyle, HkMacaoPass, Holder, IdError, IdKind, IdRule, LegacyCode, LegacyError, LegacyKind,
    Passport, PassportFamily, PermanentResidence, TaiwanPass,
};
use credit_record::{CitizenNumber, CreditCode, OrganisationCode, RegistrationNumber};
use proptest::prelude::*;

use crate::support::{day, today};

fn fault<T: std::fmt::Debug>(parsed: Result<T, IdError>) -> (IdRule, Option<usize>) {
    let error = parsed.unwrap_err();
    (error.rule, error.position)
}

#[test]
fn holders_are_told_by_the_first_digits() {
    for (text, holder) in [
        ("430102199003071234", Holder::Resident),
        ("810000199408230021", Holder::HongKong),
        ("820000199001011240", Holder::Macao),
        ("830000199201300022", Holder::Taiwan),
        ("911124198108030024", Holder::ForeignPermanentResident),
    ] {
        let number = CitizenNumber::parse(text, today()).unwrap();
        assert_eq!(number.holder(), holder, "{text}");
    }
}

#[test]
fn permanent_residence_of_both_styles() {
    for (text, nationality, known) in [
        ("911124198108030024", "124", true),
        ("911840198001010013", "840", true),
        ("935840199003150126", "840", true),
    ] {
        let number = PermanentResidence::parse(text, today()).unwrap();
        assert_eq!(number.as_str(), text);
        assert_eq!(number.style(), CardStyle::Since2023);
        assert_eq!(
            (number.nationality(), number.nationality_known()),
            (nationality, known)
        );
        assert!(number.region_known());
    }
    let old = PermanentResidence::parse("CAN310080233456", today());
    assert_eq!(fault(old), (IdRule::Date, Some(9)), "month 23");
    for (text, known) in [("CAN310080012345", true), ("QQQ310080012345", false)] {
        let number = PermanentResidence::parse(text, today()).unwrap();
        assert_eq!(number.style(), CardStyle::Before2023);
        assert_eq!(
            (number.nationality(), number.nationality_known()),
            (&text[..3], known)
        );
        assert!(!format!("{number:?}").contains("0123"));
        assert!(number.masked().starts_with(&text[..3]) && number.masked().ends_with("45"));
    }
    let parse = |text| fault(PermanentResidence::parse(text, today()));
    assert_eq!(parse("CAN310080013245"), (IdRule::Date, Some(11)), "day 32");
    assert_eq!(
        parse("CAN310099023045"),
        (IdRule::Date, Some(11)),
        "30 February"
    );
    assert_eq!(parse("CA1310080012345"), (IdRule::Alphabet, Some(2)));
    assert_eq!(parse("can310080012345"), (IdRule::Alphabet, Some(0)));
    assert_eq!(parse("CAN31008001234X"), (IdRule::Alphabet, Some(14)));
    assert_eq!(parse("CAN000000000000"), (IdRule::Dummy, None));
    assert_eq!(parse("CAN31008001234"), (IdRule::Length, Some(14)));
    assert_eq!(parse("CAN3100800123456"), (IdRule::Length, Some(16)));
    assert_eq!(parse("9111241981080300240"), (IdRule::Length, Some(18)));
    assert_eq!(
        parse("430102199003071234"),
        (IdRule::Alphabet, Some(0)),
        "a resident's number"
    );
    assert_eq!(parse("911124198108030025"), (IdRule::Check, Some(17)));
    let leap = "FRA310000022912";
    assert!(
        PermanentResidence::parse(leap, today()).is_ok(),
        "2000 was a leap year"
    );
    let early = PermanentResidence::parse(leap, day(1999, 12, 31));
    assert_eq!(fault(early), (IdRule::DateFuture, Some(7)), "1900 was none");
    let typed = PermanentResidence::parse("CAN31OO8OO12345", today()).unwrap_err();
    assert_eq!(typed.suggestion.unwrap().as_str(), "CAN310080012345");
}

#[test]
fn passports_and_passes() {
    for (text, family) in [
        ("E12345678", Some(PassportFamily::Ordinary)),
        ("EA1234567", Some(PassportFamily::Ordinary)),
        ("G12345678", Some(PassportFamily::Ordinary)),
        ("DE1234567", Some(PassportFamily::Diplomatic)),
        ("SE1234567", Some(PassportFamily::PublicAffairs)),
        ("P12345678", Some(PassportFamily::PublicAffairs)),
        ("C01X00T47", None),
        ("12345", None),
        ("E1234567", None),
        ("AB345678901234567", None),
    ] {
        let passport = Passport::parse(text).unwrap();
        assert_eq!(
            (passport.as_str(), passport.chinese_family()),
            (text, family)
        );
        assert_eq!(passport.masked().len(), text.len());
        assert_eq!(format!("{passport:?}"), "Passport(…)");
    }
    assert_eq!(fault(Passport::parse("1234")), (IdRule::Length, Some(4)));
    assert_eq!(
        fault(Passport::parse("AB3456789012345678")),
        (IdRule::Length, Some(17))
    );
    assert_eq!(
        fault(Passport::parse("E1234-678")),
        (IdRule::Alphabet, Some(5))
    );
    assert_eq!(
        fault(Passport::parse("e12345678")),
        (IdRule::Alphabet, Some(0))
    );
    assert_eq!(
        fault(Passport::parse("E1234长678")),
        (IdRule::Alphabet, Some(5))
    );
    assert_eq!(fault(Passport::parse("00000000")), (IdRule::Dummy, None));

    for text in ["H12345678", "M123456789", "H1234567801"] {
        let pass = HkMacaoPass::parse(text).unwrap();
        assert_eq!(
            (pass.as_str(), pass.is_macao()),
            (text, text.starts_with('M'))
        );
        assert_eq!(pass.permanent_number(), &text[..9]);
        assert_eq!(format!("{pass:?}"), "HkMacaoPass(…)");
    }
    assert_eq!(
        fault(HkMacaoPass::parse("H1234567")),
        (IdRule::Length, Some(8))
    );
    assert_eq!(
        fault(HkMacaoPass::parse("H12345678901")),
        (IdRule::Length, Some(11))
    );
    assert_eq!(
        fault(HkMacaoPass::parse("A12345678")),
        (IdRule::Alphabet, Some(0))
    );
    assert_eq!(
        fault(HkMacaoPass::parse("H00000000")),
        (IdRule::Dummy, None)
    );
    let typed = HkMacaoPass::parse("H1234567O").unwrap_err();
    assert_eq!((typed.rule, typed.position), (IdRule::Alphabet, Some(8)));
    assert_eq!(typed.suggestion.unwrap().as_str(), "H12345670");

    for text in ["12345678", "1234567890"] {
        assert_eq!(TaiwanPass::parse(text).unwrap().as_str(), text);
    }
    assert_eq!(
        fault(TaiwanPass::parse("1234567")),
        (IdRule::Length, Some(7))
    );
    assert_eq!(
        fault(TaiwanPass::parse("123456789")),
        (IdRule::Length, Some(9))
    );
    assert_eq!(
        fault(TaiwanPass::parse("12345678901")),
        (IdRule::Length, Some(10))
    );
    assert_eq!(
        fault(TaiwanPass::parse("1234567A")),
        (IdRule::Alphabet, Some(7))
    );
    assert_eq!(fault(TaiwanPass::parse("00000000")), (IdRule::Dummy, None));
    let typed = TaiwanPass::parse("123456７8");
    assert_eq!(
        fault(typed),
        (IdRule::Alphabet, Some(6)),
        "full width is for the normaliser"
    );
}

#[test]
fn each_fault_names_its_character() {
    let citizen = |text: &str| fault(CitizenNumber::parse(text, today()));
    assert_eq!(citizen(""), (IdRule::Length, Some(0)));
    assert_eq!(citizen("4301021990030712"), (IdRule::Length, Some(16)));
    assert_eq!(citizen("4301021990030712345"), (IdRule::Length, Some(18)));
    // 18 bytes, but fewer characters.
    assert_eq!(citizen("4301021990030712é"), (IdRule::Length, Some(17)));
    assert_eq!(
        citizen("430102187903071234"),
        (IdRule::Date, Some(6)),
        "before 1880"
    );
    assert_eq!(
        citizen("430102199013071234"),
        (IdRule::Date, Some(10)),
        "month 13"
    );
    assert_eq!(
        citizen("430102199000071234"),
        (IdRule::Date, Some(10)),
        "month 0"
    );
    assert_eq!(
        citizen("430102199002301234"),
        (IdRule::Date, Some(12)),
        "30 February"
    );
    assert_eq!(
        citizen("430102199001001234"),
        (IdRule::Date, Some(12)),
        "day 0"
    );
    assert_eq!(
        citizen("430102190002291234"),
        (IdRule::Date, Some(12)),
        "1900 was no leap year"
    );
    assert_eq!(citizen("430102202701011234"), (IdRule::DateFuture, Some(6)));
    assert_eq!(
        citizen("430102202608011234"),
        (IdRule::DateFuture, Some(10))
    );
    assert_eq!(
        citizen("430102202607021234"),
        (IdRule::DateFuture, Some(12))
    );
    // The same in 15 digits, which have no century.
    assert_eq!(citizen("430102901307123"), (IdRule::Date, Some(8)));
    assert_eq!(citizen("430102900230123"), (IdRule::Date, Some(10)));
    assert_eq!(
        citizen("430102760307999"),
        (IdRule::Date, Some(6)),
        "999 was born in 1876"
    );
    assert_eq!(citizen("111111111111111"), (IdRule::Dummy, None));
    assert_eq!(citizen("43010290O307123"), (IdRule::Alphabet, Some(8)));

    let code = |text: &str| fault(CreditCode::parse(text));
    assert_eq!(code("91430100MA4Q5W141PP"), (IdRule::Length, Some(18)));
    assert_eq!(code("91430100MA4Q5W14"), (IdRule::Length, Some(16)));
    assert_eq!(code("91430100MA4Q5W长1"), (IdRule::Length, Some(16)));
    assert_eq!(code("9143010长MA4Q5W141P"), (IdRule::Alphabet, Some(7)));
    assert_eq!(code("0143010000MA4Q5W1P"), (IdRule::Category, Some(0)));
    assert_eq!(code("94430100MA4Q5W141P"), (IdRule::Category, Some(1)));

    let organisation = |text: &str| fault(OrganisationCode::parse(text));
    assert_eq!(
        organisation("D2143569-1"),
        (IdRule::Check, Some(9)),
        "the hyphen counts"
    );
    assert_eq!(organisation("D21435691"), (IdRule::Check, Some(8)));
    assert_eq!(organisation("D2143569A"), (IdRule::Alphabet, Some(8)));
    assert_eq!(organisation("D2143569"), (IdRule::Length, Some(8)));
    assert_eq!(organisation("D21435é9-1"), (IdRule::Length, Some(9)));
    assert_eq!(organisation("D21435691X"), (IdRule::Length, Some(9)));
    let registration = |text: &str| fault(RegistrationNumber::parse(text));
    assert_eq!(registration("43010060012345"), (IdRule::Length, Some(14)));
    assert_eq!(registration("4301006001234577"), (IdRule::Length, Some(15)));
    assert_eq!(registration("43010060A123457"), (IdRule::Alphabet, Some(8)));
    assert_eq!(registration("000000000000000"), (IdRule::Dummy, None));
}

#[test]
fn a_mistyped_organisation_code_is_suggested() {
    let suggested = |text: &str| {
        let error = OrganisationCode::parse(text).unwrap_err();
        error.suggestion.map(|s| s.as_str().to_owned())
    };
    assert_eq!(suggested("1922O382-1").as_deref(), Some("192203821"));
    assert_eq!(suggested("d2143569-x").as_deref(), Some("D2143569X"));
    assert_eq!(suggested("D2143569×").as_deref(), Some("D2143569X"));
    assert_eq!(suggested("D2143569-1"), None);
}

#[test]
fn every_pair_of_department_and_category_is_decided_by_the_table() {
    let table = [
        ('1', "1239"),
        ('2', "19"),
        ('3', "123459"),
        ('4', "19"),
        ('5', "1239"),
        ('6', "129"),
        ('7', "129"),
        ('8', "19"),
        ('9', "123"),
        ('A', "19"),
        ('N', "1239"),
        ('Y', "1"),
    ];
    let alphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let mut good = 0;
    for department in alphabet.chars() {
        let categories = table
            .iter()
            .find(|(d, _)| *d == department)
            .map(|(_, c)| *c);
        for category in alphabet.chars() {
            let parsed = CreditCode::with_checks(&format!("{department}{category}430100MA4Q5W14"));
            match categories {
                Some(known) if known.contains(category) => {
                    let code = parsed.unwrap();
                    assert_eq!(code.category_prefix(), format!("{department}{category}"));
                    good += 1;
                }
                Some(_) => assert_eq!(fault(parsed), (IdRule::Category, Some(1))),
                None => assert_eq!(fault(parsed), (IdRule::Category, Some(0))),
            }
        }
    }
    assert_eq!(good, 36, "pairs of the amended table 1");
}

/// A code of an enterprise that Xiamen registered before 2016: in use, with a wrong check character.
const XIAMEN: &str = "91350203M0001QKT19";

#[test]
fn a_legacy_code_needs_a_named_attester() {
    assert_eq!(fault(CreditCode::parse(XIAMEN)), (IdRule::Check, Some(17)));
    let admit = |text: &str, attester: &str| {
        LegacyCode::admit_attested(LegacyKind::CreditCode, text, attester)
    };
    let code = admit(XIAMEN, " 厦门市市场监督管理局 王海 ").unwrap();
    assert_eq!(code.as_str(), XIAMEN);
    assert_eq!(code.attester(), "厦门市市场监督管理局 王海");
    assert_eq!(
        (code.kind(), code.rule()),
        (LegacyKind::CreditCode, IdRule::Check)
    );
    for nobody in [
        "",
        "  ",
        "\t",
        "-",
        "——",
        "123",
        "王\u{7}海",
        &"王".repeat(101),
    ] {
        assert_eq!(
            admit(XIAMEN, nobody),
            Err(LegacyError::Attester),
            "{nobody:?}"
        );
    }
    assert_eq!(admit("91430100MA4Q5W141P", "王海"), Err(LegacyError::Sound));
    for never in [
        "000000000000000000",
        "91350203M0001QKT1",
        "91350203MO001QKT19",
    ] {
        assert!(
            matches!(admit(never, "王海"), Err(LegacyError::Rule(_))),
            "{never}"
        );
    }
    // Other pairs were given by plans before the standard; inner checks failed, too.
    for (text, rule) in [
        ("91430100MA4Q5W142T", IdRule::InnerCheck),
        ("38430100MA4Q5W141P", IdRule::Category),
    ] {
        assert_eq!(admit(text, "王海").unwrap().rule(), rule);
    }
    let other = |kind, text| LegacyCode::admit_attested(kind, text, "王海").map(|code| code.rule());
    assert_eq!(
        other(LegacyKind::OrganisationCode, "D21435691"),
        Ok(IdRule::Check)
    );
    assert_eq!(
        other(LegacyKind::RegistrationNumber, "430100000012345"),
        Ok(IdRule::Check)
    );
}

#[test]
fn a_persons_number_is_never_attested() {
    for kind in [
        LegacyKind::CreditCode,
        LegacyKind::OrganisationCode,
        LegacyKind::RegistrationNumber,
    ] {
        for text in [
            "430102199003071234",
            "430102199003071235",
            "43012119491001001X",
            "810000199408230021",
            "430102900307123",
        ] {
            assert_eq!(
                LegacyCode::admit_attested(kind, text, "王海"),
                Err(LegacyError::Person),
                "{text}"
            );
        }
    }
}

#[test]
fn a_stored_legacy_code_is_admitted_anew() {
    let code = LegacyCode::admit_attested(LegacyKind::CreditCode, XIAMEN, "王海").unwrap();
    let text = serde_json::to_string(&code).unwrap();
    assert_eq!(
        text,
        format!(r#"{{"kind":"credit_code","text":"{XIAMEN}","attester":"王海","rule":"check"}}"#)
    );
    assert_eq!(serde_json::from_str::<LegacyCode>(&text).unwrap(), code);
    let forged = text.replace("王海", " ");
    assert!(serde_json::from_str::<LegacyCode>(&forged).is_err());
    let repaired = text.replace(XIAMEN, "430102199003071235");
    assert!(serde_json::from_str::<LegacyCode>(&repaired).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_a_document_parser_panic(text in "\\PC{0,24}|[HMED0-9A-Z×é]{0,20}") {
        let t = today();
        let all = [
            PermanentResidence::parse(&text, t).err(),
            Passport::parse(&text).err(),
            HkMacaoPass::parse(&text).err(),
            TaiwanPass::parse(&text).err(),
            CitizenNumber::parse(&text, t).err(),
            CreditCode::parse(&text).err(),
            OrganisationCode::parse(&text).err(),
            RegistrationNumber::parse(&text).err(),
        ];
        for error in all.into_iter().flatten() {
            // A position is a character of the text, or its end; only rules about the whole have none.
            let count = text.chars().count();
            match error.rule {
                IdRule::Dummy | IdRule::PersonalNumber => prop_assert_eq!(error.position, None),
                IdRule::Length => prop_assert!(error.position.unwrap() <= count),
                _ => prop_assert!(error.position.unwrap() < count, "{:?}", error),
            }
            if let Some(better) = error.suggestion {
                let better = better.as_str();
                prop_assert!(better != text);
                let passes = match error.kind {
                    IdKind::PermanentResidence => PermanentResidence::parse(better, t).is_ok(),
                    IdKind::HkMacaoPass => HkMacaoPass::parse(better).is_ok(),
                    IdKind::TaiwanPass => TaiwanPass::parse(better).is_ok(),
                    IdKind::CitizenNumber => CitizenNumber::parse(better, t).is_ok(),
                    IdKind::CreditCode => CreditCode::parse(better).is_ok(),
                    IdKind::OrganisationCode => OrganisationCode::parse(better).is_ok(),
                    IdKind::RegistrationNumber => RegistrationNumber::parse(better).is_ok(),
                    IdKind::Passport => false,
                };
                prop_assert!(passes);
            }
        }
    }
}
