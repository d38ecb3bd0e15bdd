//! Records of the templates of 2015 and 2018, read as records of the versions that followed.

use credit_record::item::Requirement;
use credit_record::upgrade::{UpgradeError, UpgradeStep, upgrade_record};
use credit_record::{FindingCode, standard_items};
use serde_json::{Map, Value, json};

use crate::items::with_no_calendar;
use crate::support::*;

/// A penalty in the template of 2015, every field filled.
fn penalty_2015() -> Map<String, Value> {
    object(json!({
        "CF_WSH": "长工商案字〔2017〕12号",
        "CF_CFMC": "发布虚假广告案",
        "CF_CFLB1": "罚款",
        "CF_CFLB2": "没收违法所得、没收非法财物",
        "CF_SY": "当事人发布虚假广告。",
        "CF_YJ": "《中华人民共和国广告法》第五十五条",
        "CF_XDR_MC": "湖南客偲家装饰工程有限公司",
        "CF_XDR_SHXYM": "91430102MA4PX7RC64",
        "CF_XDR_ZDM": "MA4PX7RC6",
        "CF_XDR_GSDJ": "430100000012344",
        "CF_XDR_SWDJ": "430102MA4PX7RC6",
        "CF_FR": "陈志远",
        "CF_JG": "罚款2000元，没收违法所得500元。",
        "CF_JDRQ": "2017-08-01",
        "CF_XZJG": "长沙市工商行政管理局",
        "CF_ZT": "0",
        "DFBM": "430100",
        "SJC": "2017-08-03",
        "BZ": "已缴纳",
    }))
}

fn values(item: &str, number: u32, record: &Map<String, Value>) -> Map<String, Value> {
    accepted(with_no_calendar(compiled(item, Some(number)), record)).values
}

/// The whole list of names of 2015 and what each became in 2018.
#[test]
fn the_penalty_of_2015_reads_as_one_of_2018() {
    let old = values("xzcf", 1, &penalty_2015());
    let read = upgrade_record(&version("xzcf", 1), &version("xzcf", 2), &old).unwrap();
    let expected = object(json!({
        "CF_XDR_MC": "湖南客偲家装饰工程有限公司",
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": "91430102MA4PX7RC64",
        "CF_XDR_GSZC": "430100000012344",
        "CF_XDR_ZZJG": "MA4PX7RC6",
        "CF_XDR_SWDJ": "430102MA4PX7RC6",
        "CF_FRDB": "陈志远",
        "CF_WSH": "长工商案字〔2017〕12号",
        "CF_WFXW": "发布虚假广告案",
        "CF_SY": "当事人发布虚假广告。",
        "CF_YJ": "《中华人民共和国广告法》第五十五条",
        "CF_CFLB": "罚款;其他-没收违法所得、没收非法财物",
        "CF_NR": "罚款2000元，没收违法所得500元。",
        "CF_JDRQ": "2017-08-01",
        "CF_CFJG": "长沙市工商行政管理局",
        "BZ": "已缴纳",
    }));
    assert_eq!(Value::Object(read.values.clone()), Value::Object(expected));
    let order: Vec<_> = read
        .values
        .keys()
        .map(|k| version("xzcf", 2).position(k).unwrap())
        .collect();
    assert!(
        order.is_sorted(),
        "values stand in the order of the standard"
    );
    assert_eq!(
        read.missing,
        ["CF_YXQ", "CF_CFJGDM", "CF_SJLY", "CF_SJLYDM"],
        "what 2015 never collected is named, not invented"
    );
    let moved: Vec<_> = read
        .steps
        .iter()
        .filter_map(|s| match s {
            UpgradeStep::Moved { from, to } | UpgradeStep::Joined { from, to } => {
                Some(format!("{from}>{to}"))
            }
            UpgradeStep::Dropped { field } => Some(format!("{field}>")),
            _ => None,
        })
        .collect();
    assert_eq!(
        moved.join(" "),
        concat!(
            "CF_CFMC>CF_WFXW CF_CFLB1>CF_CFLB CF_CFLB2>CF_CFLB CF_XDR_ZDM>CF_XDR_ZZJG CF_XDR_GSDJ>CF_XDR_GSZC ",
            "CF_FR>CF_FRDB CF_JG>CF_NR CF_XZJG>CF_CFJG CF_ZT> DFBM> SJC>",
        )
    );
}

/// With what 2015 did not have, the record passes the check of 2018.
#[test]
fn an_upgraded_record_can_be_completed() {
    let old = values("xzcf", 1, &penalty_2015());
    let read = upgrade_record(&version("xzcf", 1), &version("xzcf", 2), &old).unwrap();
    let mut record = read.values;
    record.insert("CF_YXQ".into(), json!("2099-12-31"));
    record.insert("CF_CFJGDM".into(), json!(PROVIDER));
    record.insert("CF_SJLY".into(), json!("长沙市市场监督管理局"));
    record.insert("CF_SJLYDM".into(), json!(PROVIDER));
    let missing = errors(with_no_calendar(compiled("xzcf", Some(2)), &record));
    assert_eq!(
        missing,
        [FindingCode::PenaltyAmountMissing],
        "2015 had no amounts"
    );
    record.insert("CF_NR_FK".into(), json!("0.2"));
    values("xzcf", 2, &record);
}

#[test]
fn a_person_of_2015_keeps_the_card() {
    let mut record = penalty_2015();
    for code in [
        "CF_XDR_SHXYM",
        "CF_XDR_ZDM",
        "CF_XDR_GSDJ",
        "CF_XDR_SWDJ",
        "CF_FR",
        "CF_CFLB2",
    ] {
        record.remove(code);
    }
    record.insert("CF_XDR_MC".into(), json!("刘芳"));
    record.insert("CF_XDR_SFZ".into(), json!("430102199003071242"));
    record.insert("CF_CFLB1".into(), json!("5"));
    let old = values("xzcf", 1, &record);
    assert_eq!(
        old["CF_CFLB1"], "行政拘留",
        "digits of 2015 become their texts"
    );
    let read = upgrade_record(&version("xzcf", 1), &version("xzcf", 2), &old).unwrap();
    assert_eq!(read.values["CF_XDR_ZJLX"], "身份证");
    assert_eq!(read.values["CF_XDR_ZJHM"], "430102199003071242");
    assert_eq!(read.values["CF_XDR_LB"], "自然人");
    assert_eq!(read.values["CF_CFLB"], "行政拘留");
    assert!(
        !format!("{read:?}").contains("430102199003071242"),
        "steps are free of personal values"
    );
    assert!(!format!("{read:?}").contains("刘芳"));
}

#[test]
fn the_licence_of_2015_reads_as_one_of_2018() {
    let record = object(json!({
        "XK_WSH": "长食药监许〔2017〕8号", "XK_XMMC": "食品经营许可", "XK_SPLB": "普通", "XK_NR": "热食类食品制售",
        "XK_XDR": "长沙市雨花区老王面馆", "XK_XDR_SHXYM": "92430104MA4QQ0026Y", "XK_XDR_ZDM": "MA4QQ0026",
        "XK_XDR_GSDJ": "430600000012345", "XK_XDR_SWDJ": "430111", "XK_FR": "王建国", "XK_JDRQ": "2017-08-01",
        "XK_JZQ": "2027-07-31", "XK_XZJG": "长沙市食品药品监督管理局", "XK_ZT": "0", "DFBM": "430100",
        "SJC": "2017-08-02", "BZ": "无"
    }));
    let mut record = record;
    record.insert("XK_XDR_GSDJ".into(), json!("430100600123457"));
    let old = values("xzxk", 1, &record);
    let read = upgrade_record(&version("xzxk", 1), &version("xzxk", 2), &old).unwrap();
    let got = |code: &str| read.values.get(code).and_then(Value::as_str);
    for (code, value) in [
        ("XK_XDR_MC", "长沙市雨花区老王面馆"),
        ("XK_XDR_LB", "个体工商户"),
        ("XK_XDR_ZZJG", "MA4QQ0026"),
        ("XK_XDR_GSZC", "430100600123457"),
        ("XK_FRDB", "王建国"),
        ("XK_XKWS", "食品经营许可"),
        ("XK_XKLB", "普通"),
        ("XK_YXQZI", "2027-07-31"),
        ("XK_XKJG", "长沙市食品药品监督管理局"),
    ] {
        assert_eq!(got(code), Some(value), "{code}");
    }
    // 1 meant 撤销 in 2015 and means 有效 since 2018: the digit is never carried over.
    assert_eq!(got("XK_ZT"), None);
    assert_eq!(
        read.missing,
        ["XK_YXQZ", "XK_XKJGDM", "XK_ZT", "XK_LYDW", "XK_LYDWDM"]
    );
}

/// 行政处罚法 art. 9: the names of 2018 become those in force, once each.
#[test]
fn the_penalty_of_2018_reads_as_one_since_2021() {
    let changes = json!({
        "CF_CFLB": "罚款;暂扣许可证;暂扣执照;吊销执照", "CF_NR_WFFF": null, "CF_NR_ZKDX": "食品经营许可证",
    });
    let old = values("xzcf", 2, &penalty_with(changes));
    let read = upgrade_record(&version("xzcf", 2), &version("xzcf", 3), &old).unwrap();
    assert_eq!(read.values["CF_CFLB"], "罚款;暂扣许可证件;吊销许可证件");
    assert_eq!(read.missing, Vec::<String>::new());
    let mut others = read.values.clone();
    others.insert("CF_CFLB".into(), old["CF_CFLB"].clone());
    assert_eq!(others, old, "nothing else changes");
    assert!(
        read.steps
            .iter()
            .all(|s| matches!(s, UpgradeStep::Recoded { .. })),
        "{:?}",
        read.steps
    );
    values("xzcf", 3, &read.values);
}

/// The mapping of a version names every field of the one before, and of no other.
#[test]
fn mappings_have_no_gaps() {
    for new in standard_items().unwrap() {
        let Some(mapping) = &new.predecessor else {
            continue;
        };
        let old = version(&new.code, mapping.version);
        for field in &old.fields {
            let mapped = mapping.fields.iter().any(|m| m.from == field.code);
            let dropped = mapping.dropped.contains(&field.code);
            let same = new.field(&field.code).is_some() && !dropped;
            assert!(mapped ^ dropped ^ same, "{} {}", new.code, field.code);
        }
        for from in mapping
            .fields
            .iter()
            .map(|m| &m.from)
            .chain(&mapping.dropped)
        {
            assert!(old.field(from).is_some(), "{} {from}", new.code);
        }
        for constant in &mapping.constants {
            let field = new.field(&constant.field).unwrap();
            assert_ne!(field.required, Requirement::Always);
            assert!(
                constant
                    .when_given
                    .as_ref()
                    .is_none_or(|code| old.field(code).is_some())
            );
        }
    }
}

#[test]
fn only_the_next_version_can_read_a_record() {
    let values = Map::new();
    assert_eq!(
        upgrade_record(&version("xzcf", 1), &version("xzxk", 2), &values),
        Err(UpgradeError::OtherItem {
            old: "xzcf".into(),
            new: "xzxk".into()
        })
    );
    let skipped = upgrade_record(&version("xzcf", 1), &version("xzcf", 3), &values).unwrap_err();
    assert_eq!(
        skipped.to_string(),
        "xzcf version 3 has no mapping from version 1"
    );
}

/// A field that the mapping omits is named, never lost silently.
#[test]
fn a_gap_in_a_mapping_shows() {
    let mut new = version("xzcf", 2);
    new.predecessor.as_mut().unwrap().dropped.clear();
    let old = values("xzcf", 1, &penalty_2015());
    let read = upgrade_record(&version("xzcf", 1), &new, &old).unwrap();
    let gaps: Vec<_> = read
        .steps
        .iter()
        .filter_map(|s| match s {
            UpgradeStep::Unmapped { field } => Some(field.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(gaps, ["CF_ZT", "DFBM", "SJC"]);
}
