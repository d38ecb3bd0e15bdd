//! Records to start from and short ways to check them. Used by the other test files.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use credit_record::{
    AcceptedRecord, CheckContext, CompiledItem, Finding, FindingCode, ItemVersion, NoCalendar,
    Severity, Verdict, WorkingDays, check_record, compiled_standard_items, standard_items,
};
use proptest::prelude::ProptestConfig;
use serde_json::{Map, Value, json};
use time::{Date, Month};

pub const PROVIDER: &str = "11430100006123458R";

pub fn day(year: i32, month: u8, day: u8) -> Date {
    Date::from_calendar_date(year, Month::try_from(month).unwrap(), day).unwrap()
}

/// The day on which all records here are received.
pub fn today() -> Date {
    day(2026, 7, 1)
}

/// The version in force: the highest.
pub fn item(code: &str) -> ItemVersion {
    version(code, compiled(code, None).item().version)
}

pub fn version(code: &str, version: u32) -> ItemVersion {
    standard_items()
        .unwrap()
        .into_iter()
        .find(|i| i.code == code && i.version == version)
        .unwrap()
}

/// The item with its rules compiled; without a version, the one in force. Compiled once for all tests of the
/// process.
pub fn compiled(code: &str, version: Option<u32>) -> &'static CompiledItem {
    static ALL: OnceLock<HashMap<(String, u32), CompiledItem>> = OnceLock::new();
    let all = ALL.get_or_init(|| {
        let items = compiled_standard_items().unwrap().into_iter();
        items
            .map(|i| ((i.item().code.clone(), i.item().version), i))
            .collect()
    });
    let highest = || all.keys().filter(|k| k.0 == code).map(|k| k.1).max();
    let version = version.or_else(highest).unwrap();
    &all[&(code.to_owned(), version)]
}

/// A penalty against an organisation without any fault.
pub fn penalty() -> Map<String, Value> {
    object(json!({
        "CF_XDR_MC": "湖南客偲家装饰工程有限公司",
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": "91430102MA4PX7RC64",
        "CF_FRDB": "陈志远",
        "CF_FR_ZJLX": "身份证",
        "CF_FR_ZJHM": "430102199003071234",
        "CF_WSH": "长市监罚决〔2026〕123号",
        "CF_WFXW": "发布虚假广告",
        "CF_SY": "当事人在其网站发布虚假广告。",
        "CF_YJ": "《中华人民共和国广告法》第五十五条",
        "CF_CFLB": "罚款;没收违法所得",
        "CF_NR": "1.罚款2000元；2.没收违法所得1,500.50元。",
        "CF_NR_FK": "0.2",
        "CF_NR_WFFF": 0.15005,
        "CF_JDRQ": "2026-06-10",
        "CF_YXQ": "2099-12-31",
        "CF_GSJZQ": "2029-06-10",
        "CF_CFJG": "长沙市市场监督管理局",
        "CF_CFJGDM": PROVIDER,
        "CF_SJLY": "长沙市市场监督管理局",
        "CF_SJLYDM": PROVIDER,
    }))
}

/// A licence for a natural person without any fault.
pub fn person_licence() -> Map<String, Value> {
    object(json!({
        "XK_XDR_MC": "刘芳",
        "XK_XDR_LB": "自然人",
        "XK_XDR_ZJLX": "身份证",
        "XK_XDR_ZJHM": "430102199003071242",
        "XK_XKWS": "道路运输从业资格准予许可决定书",
        "XK_WSH": "长交运许〔2026〕45号",
        "XK_XKLB": "认可",
        "XK_XKZS": "道路运输从业人员从业资格证",
        "XK_XKBH": "430100202600045",
        "XK_NR": "经营性道路旅客运输驾驶员",
        "XK_JDRQ": "2026-05-06",
        "XK_YXQZ": "2026-05-06",
        "XK_YXQZI": "2032-05-05",
        "XK_XKJG": "长沙市交通运输局",
        "XK_XKJGDM": PROVIDER,
        "XK_ZT": "1",
        "XK_LYDW": "长沙市交通运输局",
        "XK_LYDWDM": PROVIDER,
    }))
}

pub fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

pub fn run(code: &str, record: &Map<String, Value>) -> Verdict {
    bytes(code, &serde_json::to_vec(record).unwrap())
}

pub fn bytes(code: &str, content: &[u8]) -> Verdict {
    with_calendar(compiled(code, None), content, Arc::new(NoCalendar))
}

pub fn with_calendar(
    item: &CompiledItem,
    content: &[u8],
    working_days: Arc<dyn WorkingDays>,
) -> Verdict {
    let ctx = CheckContext {
        received_on: today(),
        provider_code: PROVIDER,
        working_days: &working_days,
        attestations: &[],
    };
    check_record(item, content, &ctx)
}

pub fn accepted(verdict: Verdict) -> Box<AcceptedRecord> {
    match verdict {
        Verdict::Accepted(record) => record,
        Verdict::Returned(findings) => panic!("returned: {findings:#?}"),
    }
}

pub fn returned(verdict: Verdict) -> Vec<Finding> {
    match verdict {
        Verdict::Returned(findings) => findings,
        Verdict::Accepted(_) => panic!("accepted"),
    }
}

/// Codes of the errors, in order.
pub fn errors(verdict: Verdict) -> Vec<FindingCode> {
    let findings = returned(verdict);
    findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .map(|f| f.code)
        .collect()
}

/// Codes of the warnings of an accepted record.
pub fn warnings(verdict: Verdict) -> Vec<FindingCode> {
    accepted(verdict).warnings.iter().map(|f| f.code).collect()
}

/// The penalty with some fields set; null removes one.
pub fn penalty_with(changes: Value) -> Map<String, Value> {
    with(penalty(), changes)
}

pub fn licence_with(changes: Value) -> Map<String, Value> {
    with(person_licence(), changes)
}

fn with(mut record: Map<String, Value>, changes: Value) -> Map<String, Value> {
    record.extend(object(changes));
    record.retain(|_, v| !v.is_null());
    record
}

/// How many cases a property is tried with: `PROPTEST_CASES` (as `cargo xtask soak` sets it), or so many.
pub fn cases(suite: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok();
    let asked = asked.and_then(|cases| cases.parse().ok());
    ProptestConfig::with_cases(asked.unwrap_or(suite))
}
