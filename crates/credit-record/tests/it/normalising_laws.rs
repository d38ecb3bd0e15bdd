//! What holds for every field and every text, however hostile: a second run changes nothing, every change
//! is explained, time is linear; and that nobody changes what a step does without raising its version.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use credit_record::item::{Field, FieldKind, ValueFormat};
use credit_record::normalise::{
    self, CleansingChange, CleansingRuleSet, Normaliser, amount_fault, date_fault, find_damage,
    masked_name, normalise_value, parse_date, replace_codes, without_individual_mark,
};
use proptest::prelude::*;

use crate::normalising::{field_of, value};

/// One field for each list of steps.
fn kinds() -> &'static [Field] {
    static KINDS: OnceLock<Vec<Field>> = OnceLock::new();
    KINDS.get_or_init(new_kinds)
}

fn new_kinds() -> Vec<Field> {
    let field = |code: &str| field_of("xzcf", code).clone();
    let with_unit = |unit: Option<&str>| {
        let mut field = field("CF_NR_FK");
        field.unit = unit.map(str::to_owned);
        field
    };
    let mut kinds = vec![
        field("CF_XDR_SHXYM"),
        field("CF_FR_ZJHM"),
        field("CF_JDRQ"),
        with_unit(None),
        with_unit(Some("万元")),
        with_unit(Some("元")),
        field("CF_XDR_LB"),
        field("CF_CFLB"),
        field("CF_WSH"),
        field("CF_XDR_MC"),
        field("CF_NR"),
    ];
    // A list without replacements and one whose replacements are nonsense.
    let mut plain = field("CF_CFLB");
    let mut nonsense = field("CF_CFLB");
    plain.code_list.as_mut().unwrap().replaced.clear();
    nonsense.code_list.as_mut().unwrap().replaced = [
        ("罚款", "警告"),
        ("警告", "罚 款"),
        ("其他", "其他"),
        ("a", "b"),
        ("b", "c;d"),
        ("1", "无"),
        ("0", "1"),
        ("9", "8"),
        ("8", "9"),
    ]
    .map(|(old, new)| (old.to_owned(), new.to_owned()))
    .into();
    kinds.extend([plain, nonsense]);
    kinds
}

#[test]
fn the_kinds_cover_every_list_of_steps() {
    let mut seen: Vec<_> = kinds()
        .iter()
        .map(|f| {
            normalise::pipeline_steps(f)
                .iter()
                .map(|s| s.id)
                .collect::<Vec<_>>()
        })
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), CleansingRuleSet::current().pipelines.len());
    for step in normalise::ALL {
        assert!(
            seen.iter().any(|steps| steps.contains(&step.id)),
            "{} is never run",
            step.id
        );
    }
}

/// Pieces that steps look for, and pieces that get in their way.
const PIECES: [&str; 118] = [
    " ",
    "  ",
    "\t",
    "\r\n",
    "\n",
    "\r",
    "\u{A0}",
    "\u{3000}",
    "\u{FEFF}",
    "\u{200B}",
    "\u{200D}",
    "\u{AD}",
    "\u{2028}",
    "\u{202E}",
    "\u{2066}",
    "\u{34F}",
    "\u{AF}",
    "\u{300}",
    "\u{307}",
    "\u{327}",
    "\u{3099}",
    "\u{1100}",
    "\u{1161}",
    "\u{11A8}",
    "\u{FDFA}",
    "\u{FFFD}",
    "\u{0}",
    "'",
    "‘",
    "’",
    "＇",
    "-",
    "－",
    "—",
    "–",
    "−",
    "·",
    "•",
    "．",
    ".",
    "、",
    "，",
    ",",
    ";",
    "；",
    "：",
    ":",
    "/",
    "／",
    "\\",
    "年",
    "月",
    "日",
    "号",
    "T",
    "Z",
    "+08:00",
    "星期五",
    "上午",
    "时",
    "元",
    "圆",
    "万",
    "亿",
    "千",
    "佰",
    "拾",
    "十",
    "零",
    "〇",
    "壹",
    "贰",
    "二",
    "两",
    "角",
    "分",
    "整",
    "¥",
    "￥",
    "人民币",
    "RMB",
    "0",
    "1",
    "2",
    "6",
    "9",
    "０",
    "２",
    "²",
    "½",
    "①",
    "Ⅹ",
    "Х",
    "×",
    "*",
    "＊",
    "(",
    ")",
    "（",
    "）",
    "[",
    "]",
    "【",
    "】",
    "〔",
    "〕",
    "{",
    "2026",
    "其",
    "他",
    "其他",
    "罚款",
    "警告",
    "无",
    "空",
    "N/A",
    "null",
    "E+17",
];

fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => "[a-zA-Z0-9]{1,4}",
        1 => "[一-龥]{1,3}",
        1 => "[\u{2E80}-\u{2FDF}\u{F900}-\u{FAFF}\u{FF00}-\u{FFEF}]",
    ];
    prop::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn run<'a>(field: &Field, text: &'a str) -> (Cow<'a, str>, Vec<CleansingChange>) {
    let mut changes = Vec::new();
    let out = normalise_value(field, Cow::Borrowed(text), &mut changes);
    (out, changes)
}

proptest! {
    #![proptest_config(crate::support::cases(2_000))]

    #[test]
    fn whatever_comes_comes_to_rest_and_is_explained(text in hostile()) {
        for field in kinds() {
            let (once, changes) = run(field, &text);
            let again = run(field, &text);
            prop_assert_eq!((&once, &changes), (&again.0, &again.1), "two runs differ");

            let (twice, more) = run(field, &once);
            prop_assert!(more.is_empty(), "{:?} then {:?}", changes, more);
            prop_assert!(matches!(twice, Cow::Borrowed(_)), "a clean value is copied");

            if !field.is_personal() {
                let mut at: &str = &text;
                for change in &changes {
                    prop_assert_eq!(&*change.before, at);
                    prop_assert_ne!(&change.before, &change.after);
                    at = &change.after;
                }
                prop_assert_eq!(&*once, at);
            }
            for change in &changes {
                let step = normalise::ALL.iter().find(|s| s.id == change.rule).unwrap();
                prop_assert_eq!(change.rule_version, step.version);
                prop_assert_eq!(&change.field, &field.code);
            }
            let _ = find_damage(field, &once);
        }
    }

    #[test]
    fn questions_about_values_answer_every_text(text in hostile()) {
        prop_assert_eq!(parse_date(&text).is_none(), date_fault(&text).is_some());
        let _ = (amount_fault(&text), masked_name(&text));
        prop_assert!(text.contains(without_individual_mark(&text)));
    }

    #[test]
    fn what_the_date_step_leaves_is_a_day_or_untouched(text in hostile()) {
        let field = kinds().iter().find(|f| f.kind == FieldKind::Date).unwrap();
        let (after, changes) = run(field, &text);
        if changes.iter().any(|c| c.rule == "date-form") {
            prop_assert!(parse_date(&after).is_some());
            prop_assert_eq!(after.len(), 10);
        }
    }

    #[test]
    fn changes_of_personal_fields_show_nothing(number in "[0-9]{17}[0-9x]", pad in "[ \u{3000}'-]{1,3}") {
        let field = field_of("xzcf", "CF_XDR_ZJHM");
        let (_, changes) = run(field, &format!("{pad}{number}"));
        prop_assert!(!changes.is_empty());
        let shown = format!("{changes:?}");
        prop_assert!(!shown.contains(&number[..17]), "{}", shown);
    }

    #[test]
    fn dirt_of_the_known_kinds_comes_off(
        start in prop::sample::select(vec!["", " ", "\u{FEFF}", "'", "\u{3000}", "\t", "\u{200B}", "\u{202A}"]),
        wide in prop::collection::vec(any::<bool>(), 18),
        gap in prop::sample::select(vec!["", " ", "-", "－", "\u{00A0}", "–", "\u{2009}"]),
        at in 1usize..17,
        end in prop::sample::select(vec!["", "\r\n", " ", "\u{200D}", "\u{00AD}", "\u{202C}"]),
    ) {
        let code = "91430102MA4PX7RC64";
        let mut dirty = String::from(start);
        for (i, (c, wide)) in code.chars().zip(wide).enumerate() {
            if i == at {
                dirty.push_str(gap);
            }
            dirty.push(if wide { char::from_u32(c as u32 + 0xFEE0).unwrap() } else { c.to_ascii_lowercase() });
        }
        dirty.push_str(end);
        prop_assert_eq!(value("CF_XDR_SHXYM", &dirty), code);
    }
}

#[test]
fn a_step_that_makes_work_for_an_earlier_one_is_followed_up() {
    let code = field_of("xzcf", "CF_XDR_SHXYM");
    for (dirty, clean) in [
        ("Y\u{AF}", "\u{232}"),
        ("-'9143", "9143"),
        ("i \u{307}", "\u{130}"),
    ] {
        let (once, _) = run(code, dirty);
        assert_eq!(once, clean, "{dirty:?}");
        let (_, more) = run(code, clean);
        assert!(more.is_empty(), "{more:?}");
    }
}

/// Processor time of this thread so far.
fn worked() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    let (nanos, _) = text.split_once(' ').unwrap();
    Duration::from_nanos(nanos.parse().unwrap())
}

#[test]
fn long_nonsense_takes_linear_time() {
    // A loop inside a loop would need some 10^10 steps for one of them; the bound is wide for a slow machine. A busy
    // one does not count: only what this thread has worked does.
    let bound = Duration::from_secs(10);
    let pieces = [
        " ",
        "'",
        "\u{200B}",
        "\u{AF}",
        "\u{300}\u{327}",
        "\u{FDFA}",
        "-'",
        "其他-、",
        "暂扣执照;",
        "[2026",
        "1,",
        "9",
        "零",
        ".买",
        "( ",
        "⼈ ",
        "\r",
    ];
    for piece in pieces {
        let text = piece.repeat((1 << 16) / piece.len());
        for field in kinds() {
            let start = worked();
            let (out, _) = run(field, &text);
            let _ = (
                find_damage(field, &out),
                date_fault(&out),
                amount_fault(&out),
                masked_name(&out),
            );
            assert!(worked() - start < bound, "{piece:?} in {}", field.code);
        }
    }
}

#[test]
fn clean_values_are_not_copied() {
    for field in kinds() {
        let clean = match (field.kind, field.format) {
            (FieldKind::Date, _) => "2026-06-05",
            (FieldKind::Decimal, _) => "0.20005",
            (_, ValueFormat::Name) => "湖南客偲家（长沙）工程有限公司",
            (_, ValueFormat::DocumentNumber) => "长市监罚决〔2026〕123号",
            (FieldKind::Code, _) => "91430102MA4PX7RC64",
            _ if field.code_list.is_some() => "没收违法所得",
            _ => "当事人在其网站发布虚假广告。\n罚款2000元；（详见附件）",
        };
        let (out, changes) = run(field, clean);
        assert!(matches!(out, Cow::Borrowed(_)), "{}", field.code);
        assert!(changes.is_empty());
    }
}

#[test]
fn step_ids_are_unique() {
    let mut ids: Vec<_> = normalise::ALL.iter().map(|s| s.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), normalise::ALL.len());
}

fn fnv_1a(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    })
}

/// Texts that show what a step does: every piece alone, next to its neighbour, and a few whole values.
fn corpus() -> Vec<String> {
    let wholes = [
        "2026/6/5",
        "二〇一九年十月十日",
        "2019-10-10T00:00:00+08:00",
        "10/11/2019",
        "2,000.50元整",
        "0.20万元",
        "贰仟零伍元",
        "1,234.50",
        "007",
        "湖南(长沙) 建工",
        "迪丽热巴．迪力木拉提",
        "⼈民",
        "市场【2019】1－2号",
        "(2019)湘01行初1号",
        "警告、罚款，其他：停、用",
        "暂扣执照;罚款",
        "９１ｘ",
        "¥5",
    ];
    let pairs = PIECES.windows(2).map(|w| format!("a{}1{}中", w[0], w[1]));
    PIECES
        .iter()
        .map(|p| (*p).to_owned())
        .chain(pairs)
        .chain(wholes.map(str::to_owned))
        .collect()
}

fn behaviour(step: &Normaliser) -> u64 {
    let mut text = String::new();
    let list =
        [("罚款", "警告"), ("1", "2"), ("2", "3")].map(|(a, b)| (a.to_owned(), b.to_owned()));
    for value in corpus() {
        let after = match step.id {
            "code-replaced" => replace_codes(&value, true, &list.clone().into()),
            _ => step.apply(&value),
        };
        let _ = writeln!(text, "{value:?} {after:?}");
    }
    fnv_1a(&text)
}

/// When this fails, a step does something else than before: raise its version and write the new digest
/// here, because stored changes name the version by which they were made. A new piece in the corpus changes
/// all digests and no version.
#[test]
fn a_step_that_behaves_otherwise_has_another_version() {
    let found: Vec<_> = normalise::ALL
        .iter()
        .map(|s| (s.id, s.version, behaviour(s)))
        .collect();
    assert_eq!(found, PINNED, "{found:#X?}");
}

#[test]
fn the_rule_set_has_a_name() {
    let set = CleansingRuleSet::current();
    assert_eq!(set, CleansingRuleSet::current());
    assert_eq!(set.id, "n-433cec0282790af4");
    assert_eq!(set.steps.len(), normalise::ALL.len());
    assert_eq!(set.unicode.split('.').count(), 3);
    let json = serde_json::to_value(&set).unwrap();
    assert_eq!(json["id"], set.id);
}

const PINNED: [(&str, u32, u64); 17] = [
    ("strip-invisible", 2, 0xB352D5B56EF6803A),
    ("strip-invisible-text", 2, 0xFFB638A33999B7AC),
    ("strip-invisible-value", 1, 0x7FD5AD31C09092A8),
    ("nfkc", 2, 0xC365EF055A53A11F),
    ("half-width", 1, 0x3BE5717B8F207976),
    ("strip-separators", 1, 0xC381B68321F74B4D),
    ("upper-case", 1, 0xB9691A8DE8130CDD),
    ("name-form", 2, 0x58B38390CA57D148),
    ("document-number-form", 2, 0x81A06C29B8F2A2D8),
    ("date-form", 2, 0x13B062B7C39FC003),
    ("amount-to-wan-yuan", 1, 0x5541F92DD4B15D24),
    ("amount-to-yuan", 1, 0x7E8D69686A5DA88A),
    ("decimal-form", 2, 0x5A0D9D40C14FEE0D),
    ("list-form", 1, 0xCC52E56CE4F27D07),
    ("list-separators", 1, 0xE8AF67D0F9E27E87),
    ("blank-word", 2, 0x6BADAF662005233C),
    ("code-replaced", 1, 0x95A9FCB2A8370303),
];
