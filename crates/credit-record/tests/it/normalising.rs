//! The steps on codes, names, document numbers, lists and free text, on the dirt that was seen.

use std::borrow::Cow;
use std::sync::OnceLock;

use credit_record::name::normal_form;
use credit_record::normalise::{
    CleansingChange, NameMask, ReplacementFault, is_list_form, masked_name, normalise_value,
    replace_codes, replacement_faults, without_individual_mark,
};
use credit_record::{Field, ItemVersion, standard_items};

use crate::support::item;

/// A field of the item in force; read once for all tests of the process.
pub fn field_of(code: &str, field: &str) -> &'static Field {
    static ITEMS: OnceLock<[ItemVersion; 2]> = OnceLock::new();
    let items = ITEMS.get_or_init(|| [item("xzcf"), item("xzxk")]);
    let item = items.iter().find(|i| i.code == code).unwrap();
    item.field(field).unwrap()
}

pub fn clean(item: &str, field: &str, value: &str) -> (String, Vec<CleansingChange>) {
    let mut changes = Vec::new();
    let field = field_of(item, field);
    (
        normalise_value(field, Cow::Borrowed(value), &mut changes).into_owned(),
        changes,
    )
}

pub fn value(field: &str, value: &str) -> String {
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
fn names() {
    for (dirty, clean) in [
        ("湖南(长沙)建工有限公司", "湖南（长沙）建工有限公司"),
        ("  湖南 建工 有限公司 ", "湖南建工有限公司"),
        ("刘　芳", "刘芳"),
        ("迪丽热巴•迪力木拉提", "迪丽热巴·迪力木拉提"),
        ("ＡＢＣ科技有限公司", "ABC科技有限公司"),
        ("Smith  John", "Smith John"),
        ("湖南建工\u{200B}有限公司\n", "湖南建工有限公司"),
        ("\u{202A}湖南建工有限公司\u{202C}", "湖南建工有限公司"),
        ("迪丽热巴・迪力木拉提", "迪丽热巴·迪力木拉提"),
        ("迪丽热巴．迪力木拉提", "迪丽热巴·迪力木拉提"),
        ("迪丽热巴 . 迪力木拉提", "迪丽热巴·迪力木拉提"),
        ("José  María López", "José María López"),
        (
            "A.O.史密斯(中国)热水器有限公司",
            "A.O.史密斯（中国）热水器有限公司",
        ),
        ("⼈⺠⽇报社", "人⺠日报社"),
        ("\u{20BB7}野家 餐厅", "\u{20BB7}野家餐厅"),
        ("\u{E123} 芳", "\u{E123}芳"),
        ("王记米粉店(个体工商户)", "王记米粉店（个体工商户）"),
        ("湖南建工有限责任公司", "湖南建工有限责任公司"),
        ("张*", "张*"),
        ("李某某", "李某某"),
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
        "市场﹝2019﹞1号",
        "市场〖2019〗1号",
        "市场【 2019 】1号",
        "市场〔2019】1号",
    ] {
        assert_eq!(value("CF_WSH", dirty), "市场〔2019〕1号", "{dirty}");
    }
    assert_eq!(
        value("CF_WSH", "（2019）湘01行初1号"),
        "（2019）湘01行初1号"
    );
    assert_eq!(value("CF_WSH", "(2019)湘01行初1号"), "（2019）湘01行初1号");
    assert_eq!(
        value("CF_WSH", "长市监〔2019〕1－2号"),
        "长市监〔2019〕1-2号"
    );
    for kept in ["[abc]1号", "[20191]号", "[2019", "〔201〕9号"] {
        assert_eq!(value("CF_WSH", kept), kept);
    }
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
    assert_eq!(steps, [("strip-invisible", 2), ("upper-case", 1)]);
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
fn the_mark_of_an_individual_business_stays_and_can_be_left_out_for_matching() {
    for (name, core) in [
        ("王记米粉店（个体工商户）", "王记米粉店"),
        ("王记米粉店(个体工商户)", "王记米粉店"),
        ("王记米粉店 （ 个体户 ） ", "王记米粉店"),
        ("王记米粉店", "王记米粉店"),
        ("个体工商户", "个体工商户"),
        ("（个体工商户）", "（个体工商户）"),
        ("湖南建工（集团）", "湖南建工（集团）"),
        ("个体工商户）", "个体工商户）"),
        ("", ""),
    ] {
        assert_eq!(without_individual_mark(name), core, "{name}");
    }
    let registered = value("CF_XDR_MC", "王记 米粉店(个体工商户)");
    assert_eq!(
        normal_form(without_individual_mark(&registered)),
        normal_form("王记米粉店")
    );
}

#[test]
fn masked_names_are_known_and_left_alone() {
    for name in ["张*", "张＊＊", "湖南**有限公司", "张××", "张○○"] {
        assert_eq!(masked_name(name), Some(NameMask::Signs), "{name}");
    }
    for name in ["张某", "李某某", "王某甲", "赵某1"] {
        assert_eq!(masked_name(name), Some(NameMask::Word), "{name}");
    }
    for name in ["张三", "某某有限公司", "王某人商店", "刘芳", "某", ""] {
        assert_eq!(masked_name(name), None, "{name}");
    }
}

fn replaced(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(old, new)| ((*old).to_owned(), (*new).to_owned()))
        .collect()
}

#[test]
fn replaced_codes_become_the_codes_in_force() {
    let (text, changes) = clean("xzcf", "CF_CFLB", "罚款、暂扣许可证、暂扣执照");
    assert_eq!(text, "罚款;暂扣许可证件");
    let last = changes.last().unwrap();
    assert_eq!((last.rule, last.rule_version), ("code-replaced", 1));
    assert_eq!(last.before, "罚款;暂扣许可证;暂扣执照");
    assert_eq!(last.after, "罚款;暂扣许可证件");

    let list = replaced(&[
        ("旧", "中"),
        ("中", "新"),
        ("甲", "乙"),
        ("乙", "甲"),
        ("脏", "不 净"),
    ]);
    assert_eq!(replace_codes("旧", false, &list).as_deref(), Some("新"));
    assert_eq!(
        replace_codes("旧;新;其他-旧", true, &list).as_deref(),
        Some("新;其他-旧")
    );
    for kept in ["新", "旧;新", "甲", "脏", "其他-旧", ""] {
        assert_eq!(replace_codes(kept, false, &list), None, "{kept}");
    }
    assert_eq!(replace_codes("新;新", true, &list), None);
}

#[test]
fn a_code_list_that_cannot_be_cleansed_is_refused() {
    let values = ["新".to_owned(), "甲、乙".to_owned()];
    let list = replaced(&[
        ("旧", "新"),
        ("一", "二"),
        ("二", "一"),
        ("丙", "丁"),
        (" 戊", "新"),
    ]);
    let faults = replacement_faults(&values, true, &list);
    let form = |value: &str| ReplacementFault::Form {
        value: value.to_owned(),
    };
    assert!(faults.contains(&form("甲、乙")));
    assert!(faults.contains(&form(" 戊")));
    assert!(faults.contains(&ReplacementFault::Cycle {
        value: "一".to_owned()
    }));
    assert!(faults.contains(&ReplacementFault::Unknown {
        value: "丙".to_owned(),
        by: "丁".to_owned()
    }));
    assert_eq!(faults.len(), 5, "{faults:?}");
    assert_eq!(
        replacement_faults(&values, false, &replaced(&[("旧", "新")])),
        []
    );
}

#[test]
fn every_value_of_the_standard_lists_survives_its_own_cleansing() {
    let mut seen = 0;
    for item in standard_items().unwrap() {
        for field in &item.fields {
            let Some(list) = &field.code_list else {
                continue;
            };
            assert_eq!(
                replacement_faults(&list.values, list.several, &list.replaced),
                [],
                "{} {}",
                item.code,
                field.code
            );
            for value in list.values.iter().chain(list.replaced.keys()) {
                assert!(is_list_form(value, list.several), "{value}");
                seen += 1;
            }
        }
    }
    assert!(seen > 50, "{seen}");
}
