//! Numbers of persons in texts: the check that returns a record and the mask that hides them before publication see
//! the same, and nothing that records lawfully hold is taken for one.

use credit_record::Publication;
use credit_record::check::{PersonalNumber, personal_numbers};
use credit_record::item::{FieldKind, ValueFormat};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Map, Value};
use vault::mask::PersonalNumberKind;

use super::*;
use crate::records::{pick, rng, subjects};

fn same(ours: PersonalNumber, theirs: PersonalNumberKind) -> bool {
    matches!(
        (ours, theirs),
        (PersonalNumber::Citizen, PersonalNumberKind::CitizenNumber)
            | (
                PersonalNumber::OldCitizen,
                PersonalNumberKind::OldCitizenNumber
            )
            | (PersonalNumber::Mobile, PersonalNumberKind::MobilePhone)
            | (PersonalNumber::BankCard, PersonalNumberKind::BankCard)
    )
}

/// A number or a part of one, in some dress.
fn piece(rng: &mut StdRng) -> String {
    let mut plain = match rng.random_range(0..7) {
        0 => subjects::citizen_number(rng, today()),
        1 => format!(
            "1{}{:09}",
            rng.random_range(3..=9),
            rng.random_range(0..1_000_000_000_u64)
        ),
        2 => format!("62{:017}", rng.random_range(0..10_u64.pow(17))),
        3 => format!("4{:015}", rng.random_range(0..10_u64.pow(15))),
        4 => {
            let number = subjects::citizen_number(rng, today());
            format!("{}{}", &number[..6], &number[8..17])
        }
        5 => pick(rng, &["86", "0086", "0", "X", "x", "ｘ", "A", "9"]).to_owned(),
        _ => {
            let digits = rng.random_range(1..20);
            (0..digits).map(|_| rng.random_range('0'..='9')).collect()
        }
    };
    if rng.random_ratio(1, 3) {
        let cut = [3, 4, 6, 8, 14];
        let sign = pick(
            rng,
            &[
                " ", "-", "－", "\u{3000}", "   ", "    ", "\u{200B}", "\u{FEFF}", "x",
            ],
        );
        for at in [pick(rng, &cut), pick(rng, &cut) + 5] {
            if plain.is_char_boundary(at) && at < plain.len() {
                plain.insert_str(at, sign);
            }
        }
    }
    if rng.random_ratio(1, 4) {
        plain = plain
            .chars()
            .map(|c| match c {
                '0'..='9' => {
                    char::from_u32(u32::from('０') + u32::from(c) - u32::from('0')).unwrap()
                }
                other => other,
            })
            .collect();
    }
    plain
}

fn text(rng: &mut StdRng, between: &[&str]) -> String {
    let pieces = rng.random_range(1..6);
    let part = |rng: &mut StdRng| format!("{}{}", piece(rng), pick(rng, between));
    (0..pieces).map(|_| part(rng)).collect()
}

#[test]
fn a_check_finds_what_the_mask_hides() {
    let mut rng = rng(17, 7, 0);
    let between = [
        "", "", " ", "-", "，", "。", "手机", "\n", ",", ".", "/", "X", "a", "\u{200B}", "–",
    ];
    let mut found = [0_u32; 4];
    for _ in 0..100_000 {
        let text = text(&mut rng, &between);
        let ours: Vec<_> = personal_numbers(&text).collect();
        let theirs = vault::find_personal(&text);
        let agree = ours.len() == theirs.len()
            && ours
                .iter()
                .zip(&theirs)
                .all(|(a, b)| a.0 == b.0 && same(a.1, b.1));
        assert!(agree, "{text:?}: {ours:?} and {theirs:?}");
        for (_, kind) in ours {
            found[kind as usize] += 1;
        }
    }
    assert!(found.iter().all(|count| *count > 1_000), "{found:?}");
}

#[test]
fn what_the_check_leaves_to_the_mask_is_an_amount_or_a_certificate() {
    let mut rng = rng(18, 7, 0);
    let between = [
        "元",
        "万元",
        ".50元",
        " 亿",
        "编号",
        "注册号：",
        "（案号 ",
        "￥",
        "，",
        " ",
    ];
    let mut left = 0;
    for _ in 0..50_000 {
        let text = text(&mut rng, &between);
        let ours: Vec<_> = personal_numbers(&text).collect();
        let theirs = vault::find_personal(&text);
        for (place, kind) in theirs {
            if ours
                .iter()
                .any(|(own, same_kind)| *own == place && same(*same_kind, kind))
            {
                continue;
            }
            left += 1;
            assert_ne!(kind, PersonalNumberKind::CitizenNumber, "{text:?}");
            let said = ["号", "号：", "号 ", "￥"];
            let behind = text[place.end..].trim_start_matches(['.', '．', ' ', '5', '0']);
            let before = &text[..place.start];
            let explained = said.iter().any(|word| before.ends_with(word))
                || behind.starts_with(['元', '万', '亿'])
                || before.trim_end().ends_with(['号', '￥']);
            assert!(explained, "{text:?} at {place:?}");
        }
    }
    assert!(left > 1_000, "{left}");
}

/// Everything with digits that a record names beside persons, as sentences name it.
fn mentions(fields: &Map<String, Value>, rng: &mut StdRng) -> String {
    let text = |code: &str| fields.get(code).and_then(Value::as_str).unwrap_or("");
    let either = |tail: &str| {
        let (licence, penalty) = (format!("XK{tail}"), format!("CF{tail}"));
        format!("{}{}", text(&licence), text(&penalty))
    };
    let amount = rng.random_range(1..20_000_000_000_u64);
    format!(
        "统一社会信用代码{}，工商注册号{}，《{}》（{}），机关代码{}，证书{}，计{amount}元，决定于{}。",
        either("_XDR_SHXYM"),
        either("_XDR_GSZC"),
        either("_XKWS"),
        either("_WSH"),
        either("_XKJGDM") + text("CF_CFJGDM"),
        text("XK_XKBH"),
        either("_JDRQ"),
    )
}

#[test]
fn of_thousands_of_records_no_text_is_taken_for_a_persons_number() {
    const PARTS: u64 = 4;
    let records = crate::choose_extent(20_000, 100_000);
    let seed = crate::test_seed(21).unwrap();
    let items = compiled_standard_items().unwrap();
    let generator = Generator::new(seed, today()).with_planted_percent(0);
    let part = |part: u64| {
        let mut rng = rng(seed + 1, 7, part);
        let mut texts = 0_u64;
        for index in (part..records).step_by(PARTS as usize) {
            let record = generator.record(index);
            let fields: Map<String, Value> = serde_json::from_slice(&record.content).unwrap();
            let item = item(&items, &record.item_code, record.item_version).item();
            let public = item.fields.iter().filter(|f| {
                f.kind == FieldKind::Text
                    && f.format == ValueFormat::Plain
                    && f.publication == Publication::Public
            });
            let mut all: Vec<String> = public
                .filter_map(|f| fields.get(&f.code)?.as_str().map(str::to_owned))
                .collect();
            all.push(mentions(&fields, &mut rng));
            for text in all {
                let found = personal_numbers(&text).next();
                assert_eq!(found, None, "record {index}: {text}");
                texts += 1;
            }
        }
        texts
    };
    let texts: u64 = std::thread::scope(|scope| {
        let parts: Vec<_> = (0..PARTS).map(|n| scope.spawn(move || part(n))).collect();
        parts.into_iter().map(|p| p.join().unwrap()).sum()
    });
    crate::print_figures(&format!("{records} records, {texts} texts"));
    assert!(texts > 5 * records, "{texts}");
}
