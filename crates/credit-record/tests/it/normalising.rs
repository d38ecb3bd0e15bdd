//! Each normalisation step on the dirt that was seen, and what all pipelines must hold.

use std::borrow::Cow;

use credit_record::item::Field;
use credit_record::normalise::{self, Change, Decimal, normalise, parse_date};
use proptest::prelude::*;

use crate::support::{day, item};

fn clean(item_code: &str, field: &str, value: &str) -> (String, Vec<Change>) {
    let item = item(item_code);
    let mut changes = Vec::new();
    let field = item.field(field).unwrap();
    (
        normalise(field, Cow::Borrowed(value), &mut changes).into_owned(),
        changes,
    )
}

fn value(field: &str, value: &str) -> String {
    clean("xzcf", field, value).0
}

#[test]
fn codes() {
    for dirty in [
        "91430102MA4PX7RC64",
        "91430102ma4px7rc64",
        "９１４３０１０２ＭＡ４ＰＸ７ＲＣ６４",
        " 91430102 MA4PX7RC6 4 ",
        "\u{FEFF}91430102MA4PX7RC64\u{200B}",
        "'91430102MA4PX7RC64",
        "91430102-MA4PX7RC6－4",
        "91430102MA4PX7RC64\r\n",
        "\u{3000}91430102\u{00A0}MA4PX7RC64",
        "91430102\u{00AD}MA4PX7RC64",
        "91430102\u{2060}MA4PX7RC—64",
    ] {
        assert_eq!(
            value("CF_XDR_SHXYM", dirty),
            "91430102MA4PX7RC64",
            "{dirty:?}"
        );
    }
    assert_eq!(
        value("CF_XDR_ZJHM", "43012119491001001Ⅹ"),
        "43012119491001001X"
    );
    assert_eq!(
        value("CF_XDR_ZJHM", "43012119491001001ｘ"),
        "43012119491001001X"
    );
    for left in [
        "43012119491001001×",
        "43012119491001001*",
        "43012119491001001Х",
    ] {
        assert_eq!(
            value("CF_XDR_ZJHM", left),
            left,
            "a lookalike is never exchanged"
        );
    }
    assert_eq!(
        value("CF_XDR_SHXYM", "9143O102MA4PX7RC64"),
        "9143O102MA4PX7RC64"
    );
    for blank in ["无", "/", "-", "空", " — ", "／", "null", ""] {
        assert_eq!(value("CF_XDR_SHXYM", blank), "", "{blank:?}");
    }
}

#[test]
fn dates() {
    for dirty in [
        "2026-06-05",
        "2026/6/5",
        "2026/06/05",
        "20260605",
        "2026年6月5日",
        "2026年06月05日",
        "2026.06.05",
        "２０２６－０６－０５",
        " 2026-6-5 ",
        "2026 年 6 月 5 日",
        "2026-06-05 00:00:00",
        "2026-06-05T00:00:00",
        "2026/6/5 9:30",
        "'2026-06-05",
    ] {
        assert_eq!(value("CF_JDRQ", dirty), "2026-06-05", "{dirty:?}");
        let inside = dirty.trim().trim_start_matches('\'');
        assert_eq!(parse_date(inside), Some(day(2026, 6, 5)), "{dirty:?}");
    }
    for bad in [
        "2026-02-30",
        "2026-13-01",
        "26-06-05",
        "202606",
        "45000",
        "2026-06",
        "2026--06-05",
        "2026-06-05Z",
        "2026-06-05T00:00:00Z",
        "2026-06-05-01",
        "长期",
        "1899-12-31",
        "2026060501",
        "2026-06-05 x",
        "年月日",
        "-",
        "2026年6月5日附",
    ] {
        assert_eq!(parse_date(bad), None, "{bad}");
    }
}

#[test]
fn decimals() {
    for (dirty, clean) in [
        ("0.2", "0.2"),
        ("0.20", "0.2"),
        ("０．２", "0.2"),
        ("1,234.5", "1234.5"),
        ("+3", "3"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        (" 1 ", "1"),
        ("1，234", "1234"),
        ("0.000", "0"),
        ("12,34", "12,34"),
        ("-5", "-5"),
        ("2000元", "2000元"),
        ("1.2.3", "1.2.3"),
    ] {
        assert_eq!(value("CF_NR_FK", dirty), clean, "{dirty}");
    }
    let sum = |t| Decimal::parse(t).map(Decimal::millionths);
    assert_eq!(sum("0.2"), Some(200_000));
    assert_eq!(sum("1.000001"), Some(1_000_001));
    assert_eq!(sum("999999999999.999999"), Some(999_999_999_999_999_999));
    for bad in ["1.0000001", "1e3", "", ".", "-1", "1.", "1000000000000"] {
        assert_eq!(sum(bad), None, "{bad}");
    }
}

#[test]
fn names() {
    for (dirty, clean) in [
        ("湖南(长沙)建工有限公司", "湖南（长沙）建工有限公司"),
        ("  湖南 建工 有限公司 ", "湖南建工有限公司"),
        ("刘　芳", "刘芳"),
        ("迪丽热巴•迪力木拉提", "迪丽热巴·迪力木拉提"),
        ("ＡＢＣ科技有限公司", "ABC科技有限公司"),
        ("Smith  John", "Smith John"),
        ("湖南建工\u{200B}有限公司\n", "湖南建工有限公司"),
    ] {
        assert_eq!(value("CF_XDR_MC", dirty), clean, "{dirty:?}");
    }
}

#[test]
fn document_numbers() {
    for dirty in [
        "市场【2019】1号",
        "市场[2019]1号",
        "市场〔2019〕1号",
        "市场 ［２０１９］ １号",
    ] {
        assert_eq!(value("CF_WSH", dirty), "市场〔2019〕1号", "{dirty}");
    }
    assert_eq!(
        value("CF_WSH", "（2019）湘01行初1号"),
        "（2019）湘01行初1号"
    );
    assert_eq!(value("CF_WSH", "[abc]1号"), "[abc]1号");
}

#[test]
fn lists() {
    assert_eq!(value("CF_CFLB", "警告、罚款"), "警告;罚款");
    assert_eq!(
        value("CF_CFLB", "警告；罚款，没收违法所得 ;"),
        "警告;罚款;没收违法所得"
    );
    assert_eq!(
        value("CF_CFLB", "罚款;其他－责令改正、停止使用"),
        "罚款;其他-责令改正、停止使用"
    );
    assert_eq!(clean("xzxk", "XK_ZT", "１").0, "1");
}

#[test]
fn free_text_keeps_its_lines() {
    let text = " 一、罚款；\r\n二、警告。\u{200B}\u{00A0}见附件 ";
    assert_eq!(value("CF_NR", text), "一、罚款；\n二、警告。 见附件");
}

#[test]
fn each_change_names_its_rule() {
    let (_, changes) = clean("xzcf", "CF_XDR_SHXYM", " 91430102ma4px7rc64");
    let steps: Vec<_> = changes.iter().map(|c| (c.rule, c.rule_version)).collect();
    assert_eq!(steps, [("strip-invisible", 1), ("upper-case", 1)]);
    assert_eq!(changes[1].before, "91430102ma4px7rc64");
    assert_eq!(changes[1].after, "91430102MA4PX7RC64");
}

#[test]
fn changes_of_personal_fields_do_not_repeat_them() {
    let (_, changes) = clean("xzcf", "CF_FR_ZJHM", "43012119491001001x");
    assert_eq!(changes.len(), 1);
    assert!(!format!("{changes:?}").contains("4301"));
}

#[test]
fn step_ids_are_unique() {
    let mut ids: Vec<_> = normalise::ALL.iter().map(|s| s.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), normalise::ALL.len());
}

fn fields() -> Vec<Field> {
    let mut all = item("xzcf").fields;
    all.extend(item("xzxk").fields);
    all
}

#[test]
fn a_step_that_makes_work_for_an_earlier_one_is_followed_up() {
    let code = item("xzcf").field("CF_XDR_SHXYM").unwrap().clone();
    for (dirty, clean) in [
        ("Y\u{AF}", "\u{232}"),
        ("-'9143", "9143"),
        ("i \u{307}", "\u{130}"),
    ] {
        let once = normalise(&code, Cow::Borrowed(dirty), &mut Vec::new()).into_owned();
        assert_eq!(once, clean, "{dirty:?}");
        let mut more = Vec::new();
        normalise(&code, Cow::Borrowed(clean), &mut more);
        assert!(more.is_empty(), "{more:?}");
    }
}

proptest! {
    #[test]
    fn a_second_run_changes_nothing(text in "\\PC{0,40}", pick in 0usize..58) {
        let fields = fields();
        let field = &fields[pick];
        let once = normalise(field, Cow::Borrowed(&text), &mut Vec::new()).into_owned();
        let mut changes = Vec::new();
        let twice = normalise(field, Cow::Borrowed(&once), &mut changes).into_owned();
        prop_assert_eq!(&once, &twice, "{:?}", changes);
    }

    #[test]
    fn dirt_of_the_known_kinds_comes_off(
        start in prop::sample::select(vec!["", " ", "\u{FEFF}", "'", "\u{3000}", "\t", "\u{200B}"]),
        wide in prop::collection::vec(any::<bool>(), 18),
        gap in prop::sample::select(vec!["", " ", "-", "－", "\u{00A0}", "–"]),
        at in 1usize..17,
        end in prop::sample::select(vec!["", "\r\n", " ", "\u{200D}", "\u{00AD}"]),
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

    #[test]
    fn every_written_date_is_read_again(days in 0i64..400_000) {
        let date = day(1900, 1, 1) + time::Duration::days(days);
        prop_assert_eq!(parse_date(&normalise::format_date(date)), Some(date));
    }
}
