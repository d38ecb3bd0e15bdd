//! What the public sees: masks of fields and the search of free text (R-4: personal content is
//! never published).

use proptest::prelude::*;
use vault::mask::{
    mask_bank_card, mask_citizen_number, mask_passport, mask_person_name, mask_phone,
};
use vault::{PersonalNumberKind, find_personal, mask_text};

#[test]
fn r4_names_keep_the_surname() {
    for (name, masked) in [
        ("张三", "张*"),
        ("张三丰", "张**"),
        (" 张 三 ", "张*"),
        ("欧阳修", "欧阳*"),
        ("欧阳娜娜", "欧阳**"),
        ("司马相如", "司马**"),
        // Two characters are surname and given name even where both form a compound surname.
        ("欧阳", "欧*"),
        ("王", "*"),
        ("阿不都热西提·买买提", "阿**"),
        ("John Smith", "J**"),
        ("", ""),
    ] {
        assert_eq!(mask_person_name(name), masked, "{name}");
    }
}

#[test]
fn r4_numbers_keep_their_ends_only() {
    for (number, masked) in [
        ("430102199003071234", "4301**********1234"),
        ("11010519491231002X", "1101**********002X"),
        (" 430102900307123 ", "4301********123"),
        ("43010219900307123", "*****************"),
        ("", ""),
    ] {
        assert_eq!(mask_citizen_number(number), masked);
    }
    for (number, masked) in [
        ("E12345678", "E******78"),
        ("12345", "1**45"),
        ("1234", "****"),
    ] {
        assert_eq!(mask_passport(number), masked);
    }
    for (number, masked) in [
        ("13812341234", "138****1234"),
        ("+86 138-1234-1234", "138****1234"),
        ("１３８１２３４１２３４", "138****1234"),
        ("0731-88665110", "*************"),
    ] {
        assert_eq!(mask_phone(number), masked);
    }
    assert_eq!(mask_bank_card("6222021234567890123"), "***************0123");
    assert_eq!(mask_bank_card("62220212"), "********");
}

/// Digits with a Luhn check digit appended.
fn luhn(digits: &str) -> String {
    let sum: u32 = digits
        .chars()
        .rev()
        .enumerate()
        .map(|(at, c)| {
            let digit = c.to_digit(10).expect("a digit") * if at % 2 == 0 { 2 } else { 1 };
            digit / 10 + digit % 10
        })
        .sum();
    format!("{digits}{}", (10 - sum % 10) % 10)
}

/// 17 digits with the check character of GB 11643 appended, by the table of weights.
fn citizen(digits: &str) -> String {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = digits
        .chars()
        .zip(weights)
        .map(|(c, weight)| c.to_digit(10).expect("a digit") * weight)
        .sum();
    format!("{digits}{}", b"10X98765432"[(sum % 11) as usize] as char)
}

fn found(text: &str) -> Vec<(&str, PersonalNumberKind)> {
    find_personal(text)
        .into_iter()
        .map(|(range, kind)| (&text[range], kind))
        .collect()
}

#[test]
fn r4_personal_numbers_are_found_in_free_text() {
    use PersonalNumberKind::{BankCard, CitizenNumber, MobilePhone, OldCitizenNumber};
    for (text, expected) in [
        (
            "当事人张三（身份证号：430102199003071234），罚款",
            ("430102199003071234", CitizenNumber),
        ),
        (
            "证件11010519491231002x。",
            ("11010519491231002x", CitizenNumber),
        ),
        (
            "ID430102199003071234",
            ("430102199003071234", CitizenNumber),
        ),
        (
            "４３０１０２１９９００３０７１２３４",
            ("４３０１０２１９９００３０７１２３４", CitizenNumber),
        ),
        (
            "430102 19900307 1234",
            ("430102 19900307 1234", CitizenNumber),
        ),
        (
            "110105-19491231-002X",
            ("110105-19491231-002X", CitizenNumber),
        ),
        (
            "430102\u{200b}199003071234",
            ("430102\u{200b}199003071234", CitizenNumber),
        ),
        // Residence permits of Hong Kong and Taiwan, a foreigner's permanent residence number.
        ("810000199408230021", ("810000199408230021", CitizenNumber)),
        ("830000199201300022", ("830000199201300022", CitizenNumber)),
        ("911124198108030024", ("911124198108030024", CitizenNumber)),
        (
            "旧证430102900307123号",
            ("430102900307123", OldCitizenNumber),
        ),
        ("430102 900307 123", ("430102 900307 123", OldCitizenNumber)),
        ("东莞441900700101123", ("441900700101123", OldCitizenNumber)),
        ("电话13812341234转", ("13812341234", MobilePhone)),
        ("138-1234-1234", ("138-1234-1234", MobilePhone)),
        ("+86 13812341234", ("13812341234", MobilePhone)),
        ("+8613812341234", ("8613812341234", MobilePhone)),
        ("tel:138 1234 1234", ("138 1234 1234", MobilePhone)),
        ("卡号4111111111111111", ("4111111111111111", BankCard)),
        ("4111 1111 1111 1111", ("4111 1111 1111 1111", BankCard)),
        ("账户6222021001116245702", ("6222021001116245702", BankCard)),
    ] {
        assert_eq!(found(text), [expected], "{text}");
    }
}

#[test]
fn what_is_no_personal_number_stays() {
    for text in [
        "",
        "罚款人民币壹万元整（10000元）",
        // Wrong check character, impossible date, unknown province.
        "430102199003071235",
        &citizen("43010219900230123"),
        &citizen("99010219900307123"),
        "430102901307123",
        // Credit codes: with letters, with X, digits only (also one that would pass Luhn).
        "91430100MA4L1ABC2D",
        "9143010018377650XX",
        "914301001837765021",
        // The old register number of an enterprise.
        "430100000112345",
        // Landline, year range, decision number, long case number, card with a wrong digit.
        "0731-88665110",
        "2017-06-20 2020-06-20",
        "长食药监罚〔2017〕20170620123456号",
        "12345678901381234123456",
        "4111111111111112",
        "13430100123A4567X1",
        "12812341234",
    ] {
        assert_eq!(found(text), [], "{text}");
        assert_eq!(mask_text(text), text);
    }
}

#[test]
fn a_credit_code_that_passes_luhn_is_no_bank_card() {
    // Codes in digits only with a true check digit by GB 32100, searched for those that pass Luhn.
    let weights: Vec<u32> = (0..17)
        .scan(1, |w, _| {
            let now = *w;
            *w = *w * 3 % 31;
            Some(now)
        })
        .collect();
    let mut seen = 0;
    for number in 18_377_650u32..18_379_650 {
        let body = format!("91430100{number}0");
        let sum: u32 = body
            .chars()
            .zip(&weights)
            .map(|(c, w)| c.to_digit(10).expect("a digit") * w)
            .sum();
        let check = (31 - sum % 31) % 31;
        if check > 9 {
            continue;
        }
        let code = format!("{body}{check}");
        if luhn(&body) == code {
            seen += 1;
            assert_eq!(found(&code), [], "{code}");
        }
    }
    assert!(seen > 20, "only {seen} codes tried");
}

#[test]
fn r4_free_text_is_masked_in_place() {
    assert_eq!(
        mask_text(
            "张三（430102 19900307 1234，手机+8613812341234）以卡4111-1111-1111-1111付款，见110105491231002。"
        ),
        "张三（4301**********1234，手机+138****1234）以卡************1111付款，见1101********002。"
    );
    assert_eq!(
        found("13812341234 13912341234、430102199003071234/430102199003071234").len(),
        4
    );
}

fn filler() -> impl Strategy<Value = String> {
    proptest::string::string_regex("[一-龥，。（][一-龥，。（）：、a-zA-Z ]{0,12}[一-龥，。]")
        .expect("a pattern")
}

fn personal() -> impl Strategy<Value = (String, PersonalNumberKind)> {
    prop_oneof![
        (1900u32..2020, 1u32..=12, 1u32..=28, 0u32..1000).prop_map(|(y, m, d, n)| {
            (
                citizen(&format!("430102{y}{m:02}{d:02}{n:03}")),
                PersonalNumberKind::CitizenNumber,
            )
        }),
        (0u32..100, 1u32..=12, 1u32..=28, 0u32..1000).prop_map(|(y, m, d, n)| {
            (
                format!("430102{y:02}{m:02}{d:02}{n:03}"),
                PersonalNumberKind::OldCitizenNumber,
            )
        }),
        (3u32..10, 0u32..1_000_000_000)
            .prop_map(|(second, n)| (format!("1{second}{n:09}"), PersonalNumberKind::MobilePhone)),
        "62[0-9]{13,16}".prop_map(|digits| (luhn(&digits), PersonalNumberKind::BankCard)),
    ]
}

proptest! {
    #[test]
    fn r4_no_number_survives_masking(
        parts in proptest::collection::vec((filler(), personal()), 1..6),
        end in filler(),
    ) {
        let mut text = String::new();
        let mut expected = Vec::new();
        for (before, (number, kind)) in &parts {
            text.push_str(before);
            expected.push((text.len()..text.len() + number.len(), *kind));
            text.push_str(number);
        }
        text.push('。');
        text.push_str(&end);
        let hits = find_personal(&text);
        prop_assert_eq!(hits.iter().map(|(range, _)| range.clone()).collect::<Vec<_>>(),
            expected.iter().map(|(range, _)| range.clone()).collect::<Vec<_>>());
        for (hit, wanted) in hits.iter().zip(&expected) {
            // A card of 18 digits may by chance be a sound citizen number too; either mask hides it.
            prop_assert!(hit.1 == wanted.1 || wanted.1 == PersonalNumberKind::BankCard);
        }
        let masked = mask_text(&text);
        for (_, (number, _)) in &parts {
            prop_assert!(!masked.contains(number.as_str()));
        }
        prop_assert!(find_personal(&masked).is_empty());
    }

    #[test]
    fn any_text_is_searched_without_panic(text in "[0-9０-９xX \\-一-龥\u{200b}*a-f]{0,80}") {
        let mut last = 0;
        for (range, _) in find_personal(&text) {
            prop_assert!(last <= range.start && range.start < range.end);
            prop_assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
            last = range.end;
        }
        mask_text(&text);
    }

    #[test]
    fn masks_never_show_more_than_their_ends(value in "\\PC{0,40}") {
        let shown = |masked: &str| masked.chars().filter(|c| *c != '*').count();
        prop_assert!(shown(&mask_citizen_number(&value)) <= 8);
        prop_assert!(shown(&mask_passport(&value)) <= 3);
        prop_assert!(shown(&mask_phone(&value)) <= 7);
        prop_assert!(shown(&mask_bank_card(&value)) <= 4);
        prop_assert!(shown(&mask_person_name(&value)) <= 2);
    }
}
