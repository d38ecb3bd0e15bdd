//! What a named official of the provider may attest: codes that fail a check, and confirmable rules.

use std::sync::Arc;

use credit_record::check::Attestation;
use credit_record::export::outcome_text;
use credit_record::item::{ItemVersion, lint_item};
use credit_record::rule::Rule;
use credit_record::{
    CheckContext, CompiledItem, Finding, FindingCode, NoCalendar, Severity, Verdict, WorkingDays,
    check_record,
};
use serde_json::{Map, Value, json};

use crate::support::*;

const RULE: &str = "confiscation-amount-given";

/// Penalties whose rule about confiscated amounts may be confirmed.
fn confirmable_penalties() -> ItemVersion {
    let mut item = item("xzcf");
    let rule = item.rules.iter_mut().find(|r| r.id == RULE).unwrap();
    rule.confirmable = true;
    item
}

fn judged(item: &CompiledItem, record: &Map<String, Value>, by: &[Attestation<'_>]) -> Verdict {
    let working_days: Arc<dyn WorkingDays> = Arc::new(NoCalendar);
    let ctx = CheckContext {
        received_on: today(),
        provider_code: PROVIDER,
        working_days: &working_days,
        attestations: by,
    };
    check_record(item, &serde_json::to_vec(record).unwrap(), &ctx)
}

fn by<'a>(field: &'a str, attester: &'a str) -> [Attestation<'a>; 1] {
    [Attestation { field, attester }]
}

#[test]
fn an_attested_rule_warns_under_its_own_code() {
    let item = CompiledItem::new(Arc::new(confirmable_penalties())).unwrap();
    // Goods without a value were confiscated: there is no amount to give.
    let record = penalty_with(json!({"CF_CFLB": "罚款;没收非法财物", "CF_NR_WFFF": null}));
    let findings = returned(judged(&item, &record, &[]));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, FindingCode::PenaltyAmountMissing);
    assert!(findings[0].confirmable);

    let confirmed = accepted(judged(&item, &record, &by("CF_NR_WFFF", "陈志远")));
    let [warning] = &confirmed.warnings[..] else {
        panic!("{:#?}", confirmed.warnings)
    };
    let expected = Finding {
        severity: Severity::Warning,
        confirmable: false,
        ..findings[0].clone()
    };
    assert_eq!(*warning, expected);

    // An attestation of another field, or without a name, attests nothing.
    for attestation in [by("CF_NR_FK", "陈志远"), by("CF_NR_WFFF", " \u{3000}")] {
        let verdict = judged(&item, &record, &attestation);
        assert_eq!(errors(verdict), [FindingCode::PenaltyAmountMissing]);
    }
    // A rule that is not confirmable stays an error, whoever attests it.
    let attested = by("CF_NR_WFFF", "陈志远");
    let verdict = judged(compiled("xzcf", None), &record, &attested);
    assert!(!returned(verdict)[0].confirmable);
}

#[test]
fn what_nobody_can_answer_for_is_not_offered() {
    let item = compiled("xzcf", None);
    let code = |text: &str| penalty_with(json!({"CF_XDR_SHXYM": text}));
    let offered = |record| returned(judged(item, &record, &[]))[0].confirmable;
    // A wrong check character may be an office's own mistake; a person's number is never an organisation's code.
    assert!(offered(code("91430102MA4PX7RC65")));
    assert!(!offered(code("430102199003071242")));
    assert!(!offered(code("91430102MA4PX7RC6")));
    let text = penalty_with(json!({"CF_SY": "手机13812345678", "CF_SJLYDM": "91430102MA4PX7RC64"}));
    let all = [by("CF_SY", "陈志远"), by("CF_SJLYDM", "陈志远")].concat();
    assert_eq!(
        errors(judged(item, &text, &all)),
        [FindingCode::PersonalInText, FindingCode::SourceNotCaller]
    );
}

#[test]
fn a_finding_of_another_check_is_lifted_by_the_same_attestation() {
    let mut finding = returned(run("xzcf", &penalty_with(json!({"CF_WSH": ""})))).remove(0);
    finding.code = FindingCode::SubjectCancelled;
    finding.confirmable = true;
    let lifted = finding.clone().attested_by(&by("CF_WSH", "陈志远"));
    assert_eq!(lifted.severity, Severity::Warning);
    assert_eq!(lifted.code, FindingCode::SubjectCancelled);
    assert_eq!(finding.clone().attested_by(&[]), finding);
    finding.confirmable = false;
    assert_eq!(
        finding.clone().attested_by(&by("CF_WSH", "陈志远")),
        finding
    );
}

#[test]
fn the_lint_refuses_to_confirm_what_cannot_be() {
    let with = |change: fn(&mut Rule)| {
        let mut item = item("xzcf");
        let rule = item.rules.iter_mut().find(|r| r.id == RULE).unwrap();
        rule.confirmable = true;
        change(rule);
        lint_item(&item).map_err(|e| e.to_string())
    };
    assert_eq!(with(|_| {}), Ok(()));
    let warning = with(|r| r.severity = Severity::Warning).unwrap_err();
    let place = format!("rules.{RULE}.confirmable: ");
    assert!(warning.contains(&format!("{place}a warning needs nobody's word")));
    for code in [
        FindingCode::NameCodeMismatch,
        FindingCode::PersonalInText,
        FindingCode::ClassifiedInText,
        FindingCode::SourceNotCaller,
    ] {
        let mut item = confirmable_penalties();
        item.rules.iter_mut().for_each(|r| {
            if r.id == RULE {
                r.code = code;
            }
        });
        let refused = lint_item(&item).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("{place}nobody can answer")),
            "{code}"
        );
    }
    for code in FindingCode::all() {
        assert!(
            !(code.is_confirmable() && code.is_never_confirmable()),
            "{code}"
        );
    }
}

#[test]
fn the_flag_travels_and_is_told() {
    let item = confirmable_penalties();
    assert_eq!(
        ItemVersion::from_json(&item.to_json().unwrap()).unwrap(),
        item
    );
    let plain = self::item("xzcf");
    assert!(
        !plain.to_json().unwrap().contains("confirmable"),
        "absent is false"
    );
    // The exports that software validates with do not mention it: a confirmation is no part of the record.
    let schema = credit_record::export::json_schema;
    assert_eq!(schema(&item), schema(&plain));
    let described = |item: &ItemVersion| {
        let mut rules = item.rules.iter();
        outcome_text(rules.find(|r| r.id == RULE).unwrap())
    };
    assert_eq!(described(&plain), "退回");
    assert_eq!(described(&item), "退回，报送单位核实确认后接收");
}

/// The next version of penalties, ready to be laid into the catalogue's folder of data files.
#[test]
fn the_next_version_of_penalties_differs_by_what_may_be_confirmed() {
    let next = ItemVersion::from_toml(include_str!("../../items/next/xzcf-4.toml")).unwrap();
    let mut expected = confirmable_penalties();
    expected.version = 4;
    expected.effective_from = None;
    expected.predecessor = next.predecessor.clone();
    let rule = expected.rules.iter_mut().find(|r| r.id == RULE).unwrap();
    rule.version += 1;
    assert_eq!(next, expected);
    let predecessor = next.predecessor.as_ref().unwrap();
    assert_eq!(predecessor.version, 3);
    CompiledItem::new(Arc::new(next)).unwrap();
}
