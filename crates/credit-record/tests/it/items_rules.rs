//! The rules of the items over several fields: for every rule of every version a record that breaks it, and
//! that gets exactly its finding and no other.

use std::collections::BTreeSet;
use std::sync::Arc;

use credit_record::item::{ItemVersion, SubjectKind};
use credit_record::{
    CompiledItem, FindingCode, NoCalendar, Rule, Severity, Verdict, WorkingDays, standard_items,
};
use serde_json::{Map, Value, json};
use time::{Date, Weekday};

use crate::items_specimen::{DAY, SpecimenExtent, make_specimen, specimen_on_day};
use crate::support::*;

use SubjectKind::{IndividualBusiness, NaturalPerson, Organisation};

/// Monday to Friday, nothing else: enough to count.
struct WeekdayCalendar;

impl WorkingDays for WeekdayCalendar {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
        let mut days = std::iter::successors(day.next_day(), |d| d.next_day());
        days.by_ref()
            .filter(|d| works(*d))
            .nth(n.checked_sub(1)? as usize)
    }

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        let days = std::iter::successors(from.next_day(), |d| d.next_day());
        let count = days.take_while(|d| *d <= to).filter(|d| works(*d)).count();
        u32::try_from(count).ok()
    }
}

fn works(day: Date) -> bool {
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// Rules that several items have, by their roles. `None`: the rule is an item's own.
fn common(item: &ItemVersion, rule: &Rule) -> Option<Map<String, Value>> {
    let roles = &item.roles;
    let base = |kind| make_specimen(item, kind, SpecimenExtent::Required);
    let with = |code: &Option<String>, value: &str| {
        let mut record = base(Organisation);
        record.insert(code.clone().unwrap(), json!(value));
        record
    };
    Some(match &*rule.id {
        "source-is-caller" => with(&roles.source_unit_code, "11430000006122439E"),
        "authority-is-organ" => with(&roles.authority_code, "52430102MJJ0000203"),
        "publicity-after-decision" => with(&roles.publicity_until, DAY),
        "publicity-term" => with(&roles.publicity_until, "2029-06-11"),
        "expiry-passed" => with(&roles.expiry_date, "2026-06-30"),
        "category-fits-code" => with(&Some(roles.credit_code.clone()), "92430104MA4QQ0026Y"),
        "individual-fits-code" => {
            let mut record = base(IndividualBusiness);
            record.insert(roles.credit_code.clone(), json!("91430102MA4PX7RC64"));
            record
        }
        "decision-not-future" => {
            specimen_on_day(item, Organisation, SpecimenExtent::Required, "2026-07-02")
        }
        "late-report" => {
            specimen_on_day(item, Organisation, SpecimenExtent::Required, "2026-05-10")
        }
        _ => return None,
    })
}

/// Rules of single items: item, rule, what is set in a specimen of an organisation.
fn own(item: &str, version: u32, rule: &str) -> Option<Value> {
    let penalty = item == "xzcf" && version > 1;
    Some(match (item, rule) {
        ("xzxk", "date-order") if version == 1 => json!({"XK_JZQ": "2026-06-09"}),
        ("xzxk", "date-order") => json!({"XK_YXQZ": "2026-07-20", "XK_YXQZI": "2026-07-10"}),
        ("xzcf", "date-order") if penalty => json!({"CF_YXQ": "2026-06-09"}),
        ("xzcf", "fine-amount-given") if penalty => json!({"CF_CFLB": "警告;罚款"}),
        ("xzcf", "confiscation-amount-given") if penalty => {
            json!({"CF_CFLB": "没收非法财物", "CF_NR_WFFF": "0.00"})
        }
        ("xzcf", "fine-amount-unexpected") if penalty => json!({"CF_NR_FK": "0.2"}),
        ("xzcf", "confiscation-amount-unexpected") if penalty => json!({"CF_NR_WFFF": "0.2"}),
        ("xzcf", "fine-amount-unit") if penalty => {
            json!({"CF_CFLB": "罚款", "CF_NR_FK": 2000, "CF_NR": "罚款人民币2,000元。"})
        }
        ("xzcf", "confiscation-amount-unit") if penalty => {
            json!({"CF_CFLB": "没收违法所得", "CF_NR_WFFF": "500.5", "CF_NR": "没收违法所得500.50元。"})
        }
        ("xzcf", "certificate-unexpected") if penalty => json!({"CF_NR_ZKDX": "营业执照1号"}),
        ("xzcf", "detention-is-for-persons") if penalty => json!({"CF_CFLB": "行政拘留"}),
        ("djzc", "founded-before-approved") => json!({"DJ_CLRQ": "2026-06-11"}),
        ("djzc", "date-order") => json!({"DJ_YXQZ": "2026-07-02", "DJ_YXQZI": "2026-07-01"}),
        ("djzc", "ended-after-founded") => json!({"DJ_ZT": "注销", "DJ_ZZRQ": "2026-06-09"}),
        ("djzc", "individual-fits-type") => json!({"DJ_LX": "个体工商户"}),
        ("jyyc", "date-order") => json!({"JY_YCRQ": "2026-06-09", "JY_YCYY": "已补报"}),
        ("jyyc", "removal-has-reason") => json!({"JY_YCRQ": "2026-06-20"}),
        ("yzsx", "date-order") => json!({"YZ_YCRQ": "2026-06-09", "YZ_YCYY": "已履行"}),
        ("yzsx", "removal-has-reason") => json!({"YZ_YCRQ": "2026-06-20"}),
        ("ryxx", "date-order") => json!({"RY_SYRQ": "2026-06-30", "RY_YXQZI": "2026-06-29"}),
        ("ryxx", "revoked-after-granted") => json!({"RY_ZT": "已撤销", "RY_CXRQ": "2026-06-09"}),
        ("xycn", "date-order") => json!({"CN_CNRQ": "2026-06-30", "CN_YXQZI": "2026-06-29"}),
        ("xycn", "breach-after-commitment") => {
            json!({"CN_LXZT": "未履行", "CN_WYRQ": "2026-06-09", "CN_WYSS": "逾期"})
        }
        ("xycn", "breach-is-unkept") => json!({"CN_LXZT": "已履行", "CN_WYRQ": "2026-06-20"}),
        ("sbqj", "period-order") => json!({"SB_QJQQ": "2026-06-10", "SB_QJQZ": "2026-06-09"}),
        ("sbqj", "date-order") => json!({"SB_QJQZ": "2026-06-11"}),
        ("sbqj", "paid-after-period") => json!({"SB_ZT": "已缴清", "SB_JQRQ": "2026-06-09"}),
        ("sbqj", "arrears-positive") => json!({"SB_QJJE": "0"}),
        ("sbqj", "paid-is-settled") => json!({"SB_ZT": "部分缴纳", "SB_JQRQ": "2026-06-20"}),
        _ => return None,
    })
}

fn broken(item: &ItemVersion, rule: &Rule) -> Map<String, Value> {
    common(item, rule).unwrap_or_else(|| {
        let own = own(&item.code, item.version, &rule.id);
        let own = own.unwrap_or_else(|| panic!("no case for {} {}", item.code, rule.id));
        let mut record = make_specimen(item, Organisation, SpecimenExtent::Required);
        record.extend(object(own));
        record
    })
}

/// Ids, codes and fields of all findings, whatever their severity.
fn found(
    item: &CompiledItem,
    record: &Map<String, Value>,
    days: Arc<dyn WorkingDays>,
) -> Vec<(String, FindingCode, Option<String>, Severity)> {
    let content = serde_json::to_vec(record).unwrap();
    let findings = match with_calendar(item, &content, days) {
        Verdict::Accepted(record) => record.warnings,
        Verdict::Returned(findings) => findings,
    };
    let one = |f: credit_record::Finding| (f.rule.into_owned(), f.code, f.field, f.severity);
    findings.into_iter().map(one).collect()
}

#[test]
fn each_rule_finds_what_it_is_for_and_nothing_else() {
    for item in standard_items().unwrap() {
        let compiled = compiled(&item.code, Some(item.version));
        for rule in &item.rules {
            let record = broken(&item, rule);
            let days: Arc<dyn WorkingDays> = match &*rule.id {
                "late-report" => Arc::new(WeekdayCalendar),
                _ => Arc::new(NoCalendar),
            };
            let wanted = (
                rule.id.clone(),
                rule.code,
                Some(rule.field.clone()),
                rule.severity,
            );
            let place = format!("{} version {} {}", item.code, item.version, rule.id);
            assert_eq!(found(compiled, &record, days), [wanted], "{place}");
        }
    }
}

/// Rules of the same id are one rule: the same weight, code and wording, whatever the item.
#[test]
fn a_rule_means_the_same_everywhere() {
    let mut seen = std::collections::BTreeMap::new();
    for item in standard_items().unwrap() {
        let ids: BTreeSet<_> = item.rules.iter().map(|r| &r.id).collect();
        assert_eq!(ids.len(), item.rules.len());
        for rule in &item.rules {
            let head = (rule.severity, rule.code, rule.version);
            let known = seen.entry(rule.id.clone()).or_insert(head);
            assert_eq!(*known, head, "{} {}", item.code, rule.id);
        }
    }
}

/// 424号: reported later than 7 working days after the decision is counted, not refused.
#[test]
fn late_reports_are_counted() {
    let record =
        |day: &str| specimen_on_day(&item("xzcf"), Organisation, SpecimenExtent::Required, day);
    let run = |day: &str| {
        found(
            compiled("xzcf", None),
            &record(day),
            Arc::new(WeekdayCalendar),
        )
    };
    // Received on Wednesday 2026-07-01; the seventh working day before it is Monday 2026-06-22.
    assert_eq!(run("2026-06-22"), []);
    let late = run("2026-06-19");
    assert_eq!(late.len(), 1);
    assert_eq!(
        (late[0].1, late[0].3),
        (FindingCode::LateReport, Severity::Warning)
    );
    // Without a published calendar there is no finding.
    let unknown = found(
        compiled("xzcf", None),
        &record("2026-05-10"),
        Arc::new(NoCalendar),
    );
    assert_eq!(unknown, []);
}

/// Registration has the 20 working days of its own regulation.
#[test]
fn each_item_has_its_own_deadline() {
    for item in standard_items().unwrap() {
        let Some(rule) = item.rules.iter().find(|r| r.id == "late-report") else {
            assert_eq!(item.edition, "2015", "{}", item.code);
            continue;
        };
        let days = item.reporting_deadline_working_days;
        assert!(
            rule.check.ends_with(&format!("<= {days}")),
            "{} {}",
            item.code,
            rule.check
        );
    }
}

#[test]
fn detention_of_a_person_is_no_finding() {
    let item = item("xzcf");
    let mut record = make_specimen(&item, NaturalPerson, SpecimenExtent::Required);
    record.insert("CF_CFLB".into(), json!("行政拘留"));
    assert_eq!(
        found(compiled("xzcf", None), &record, Arc::new(NoCalendar)),
        []
    );
}

/// A field at fault takes no part in the rules: one mistake, one finding.
#[test]
fn rules_leave_faulty_fields_alone() {
    let faults = [
        (json!({"CF_NR_FK": "约贰万元"}), FindingCode::DecimalInvalid),
        (json!({"CF_CFLB": "批评教育"}), FindingCode::CodeList),
        (json!({"CF_JDRQ": "2026-02-30"}), FindingCode::DateInvalid),
        (json!({"CF_GSJZQ": "46023"}), FindingCode::ExcelDamage),
        (
            json!({"CF_SJLYDM": "11430000006122439F"}),
            FindingCode::UsccCheck,
        ),
        (json!({"CF_XDR_LB": "公司"}), FindingCode::CodeList),
    ];
    for (changes, code) in faults {
        let all = found(
            compiled("xzcf", None),
            &penalty_with(changes),
            Arc::new(NoCalendar),
        );
        assert_eq!(all.iter().map(|f| f.1).collect::<Vec<_>>(), [code]);
    }
}
