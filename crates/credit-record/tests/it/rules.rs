//! Rules as CEL: what the compiler refuses, and the result of a rule for a record.

use std::sync::Arc;

use credit_record::item::{ItemError, ItemVersion};
use credit_record::rule::{MAX_ITEM_STEPS, MAX_STEPS, Rule, function_signatures};
use credit_record::{
    CheckContext, CompiledItem, FindingCode, NoCalendar, Severity, Verdict, WorkingDays,
    check_record,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use time::{Date, Duration};

use crate::support::*;

fn rule(needs: &[&str], when: &str, check: &str) -> Rule {
    Rule {
        id: "tried".to_owned(),
        version: 3,
        title: "试用规则".to_owned(),
        severity: Severity::Error,
        code: FindingCode::ItemRule,
        field: "CF_WSH".to_owned(),
        needs: needs.iter().map(|n| (*n).to_owned()).collect(),
        when: when.to_owned(),
        check: check.to_owned(),
        message: "不符合试用规则".to_owned(),
        basis: "测试".to_owned(),
        confirmable: false,
    }
}

/// The penalty item with this one rule.
fn penalty_item(rule: Rule) -> ItemVersion {
    let mut item = compiled("xzcf", None).item().clone();
    item.rules = vec![rule];
    item
}

fn refused(needs: &[&str], when: &str, check: &str) -> String {
    match CompiledItem::new(Arc::new(penalty_item(rule(needs, when, check)))) {
        Err(ItemError::Inconsistent { faults, .. }) => faults
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("compiled: {check}"),
    }
}

/// A calendar in which every day is a working day.
struct EveryDay;

impl WorkingDays for EveryDay {
    fn after(&self, day: Date, n: u32) -> Option<Date> {
        day.checked_add(Duration::days(i64::from(n)))
    }

    fn between(&self, from: Date, to: Date) -> Option<u32> {
        Some(u32::try_from((to - from).whole_days()).unwrap_or(0))
    }
}

fn judge(rule: Rule, record: &Map<String, Value>, calendar: Arc<dyn WorkingDays>) -> Verdict {
    let compiled = CompiledItem::new(Arc::new(penalty_item(rule))).unwrap();
    let content = serde_json::to_vec(record).unwrap();
    let ctx = CheckContext {
        received_on: today(),
        provider_code: PROVIDER,
        working_days: &calendar,
        attestations: &[],
    };
    check_record(&compiled, &content, &ctx)
}

/// Whether a check holds for the faultless penalty with some changes.
fn holds(needs: &[&str], check: &str, changes: Value) -> bool {
    match judge(
        rule(needs, "", check),
        &penalty_with(changes),
        Arc::new(EveryDay),
    ) {
        Verdict::Accepted(_) => true,
        Verdict::Returned(findings) => {
            assert_eq!(findings.len(), 1, "{findings:?}");
            assert_eq!(
                findings[0].code,
                FindingCode::ItemRule,
                "{check}: {findings:?}"
            );
            false
        }
    }
}

#[test]
fn a_rule_that_does_not_compile_is_refused_with_its_path() {
    for (needs, when, check, place, problem) in [
        (&[][..], "", "1 +", "check", "is not a CEL expression"),
        (&[], "", " ", "check", "is blank"),
        (&[], "(", "true", "when", "is not a CEL expression"),
        (&["NOTHING"], "", "true", "needs", "names a missing field"),
        (
            &[],
            "",
            "CF_WSH == 'x'",
            "check",
            "reads a field that may not be given",
        ),
        (
            &[],
            "",
            "NOTHING == 'x'",
            "check",
            "names neither a field of the item nor a variable",
        ),
        (&[], "", "given(NOTHING)", "check", "names a missing field"),
        (
            &[],
            "",
            "given('CF_WSH')",
            "check",
            "the first argument is the code of a field",
        ),
        (
            &["CF_NR_FK"],
            "",
            "CF_NR_FK > 0",
            "check",
            "values of different kinds are compared",
        ),
        (
            &["CF_JDRQ"],
            "",
            "CF_JDRQ > '2021/7/15'",
            "check",
            "a day is written 'YYYY-MM-DD'",
        ),
        (
            &["CF_JDRQ", "CF_WSH"],
            "",
            "CF_JDRQ == CF_WSH",
            "check",
            "values of different kinds are compared",
        ),
        (
            &["CF_WSH"],
            "",
            "CF_WSH < 'x'",
            "check",
            "the operator does not fit",
        ),
        (
            &["CF_WSH"],
            "",
            "size(CF_WSH)",
            "check",
            "a rule says true or false",
        ),
        (
            &["CF_WSH"],
            "",
            "size(CF_WSH, 1) == 1",
            "check",
            "another number of arguments is expected",
        ),
        (
            &["CF_NR_FK"],
            "",
            "size(CF_NR_FK) == 1",
            "check",
            "an argument is of another kind",
        ),
        (
            &["CF_WSH"],
            "",
            "matches(CF_WSH, '(a+)+$')",
            "check",
            "calls no function of rules",
        ),
        (
            &["CF_WSH"],
            "",
            "CF_WSH.size() == 1",
            "check",
            "functions are written f(x)",
        ),
        (
            &["CF_WSH"],
            "",
            "CF_WSH + CF_WSH == ''",
            "check",
            "the operator does not fit",
        ),
        (
            &[],
            "",
            "{'a': 1} == {'a': 1}",
            "check",
            "maps and messages",
        ),
        (&[], "", "[1, 2] == [1]", "check", "a list holds texts"),
        (&[], "", "1.5 > 0.5", "check", "a literal is"),
        (
            &[],
            "",
            "decimal('1,5') == decimal('1')",
            "check",
            "decimal() takes a text",
        ),
        (
            &[],
            "",
            "or(CF_NR_FK, '0') == '0'",
            "check",
            "field and default are of different kinds",
        ),
        (
            &[],
            "",
            "1 == 1 ? 1 : true",
            "check",
            "the operator does not fit",
        ),
    ] {
        let said = refused(needs, when, check);
        let expected = format!("rules.tried.{place}: {problem}");
        assert!(said.starts_with(&expected), "{check}: {said}");
    }
}

#[test]
fn what_a_rule_says_of_itself_is_checked() {
    let fault = |change: &dyn Fn(&mut Rule)| {
        let mut rule = rule(&[], "", "true");
        change(&mut rule);
        let id = rule.id.clone();
        match CompiledItem::new(Arc::new(penalty_item(rule))) {
            Err(error) => error.to_string(),
            Ok(_) => panic!("{id} compiled"),
        }
    };
    assert!(fault(&|r| r.id = "Ä".to_owned()).contains("rules.Ä.id: lower-case"));
    assert!(fault(&|r| r.version = 0).contains("rules.tried.version: is counted from 1"));
    assert!(
        fault(&|r| r.field = "X".to_owned()).contains("rules.tried.field: names a missing field")
    );
    assert!(fault(&|r| r.message = " ".to_owned()).contains("rules.tried.message: is blank"));
    assert!(fault(&|r| r.basis.clear()).contains("rules.tried.basis: is blank"));
    let mut item = penalty_item(rule(&[], "", "true"));
    item.rules.push(item.rules[0].clone());
    let error = CompiledItem::new(Arc::new(item)).unwrap_err().to_string();
    assert!(error.contains("rules.tried.id: is used twice"), "{error}");
}

#[test]
fn work_and_nesting_are_bounded_whatever_is_written() {
    // Loops in loops over long lists: each alone is fine.
    let inner = "values(CF_NR).exists(b, a == b)";
    let said = refused(&["CF_NR"], "", &format!("values(CF_NR).exists(a, {inner})"));
    assert!(
        said.contains("takes too many steps on a large record"),
        "{said}"
    );
    for hostile in [
        "!".repeat(5_000),
        "(".repeat(1_999),
        format!("{}true{}", "(".repeat(900), ")".repeat(900)),
        format!("{}1{} == 1", "[".repeat(300), "]".repeat(300)),
        "-".repeat(1_900) + "1 == 1",
        format!("true{}", " ? true : true".repeat(140)),
        "1 == 1".to_owned() + &" + 1".repeat(450),
        "true ".repeat(300),
        "\u{0}\u{1}".to_owned(),
        "'".repeat(1_500),
        "true || ".repeat(200) + "true()",
    ] {
        let said = refused(&[], "", &hostile);
        assert!(said.starts_with("rules.tried.check: "), "{said}");
    }
    let wide = "true && ".repeat(200) + "true";
    let compiled = CompiledItem::new(Arc::new(penalty_item(rule(&[], "", &wide)))).unwrap();
    assert!((400..MAX_STEPS).contains(&compiled.most_steps()));
}

#[test]
fn the_rules_of_an_item_are_bounded_together() {
    let loops = ["values(CF_CFLB).exists(a, a == '警告')"; 8].join(" || ");
    let one = rule(&["CF_CFLB"], "", &loops);
    let steps = CompiledItem::new(Arc::new(penalty_item(one.clone())))
        .unwrap()
        .most_steps();
    assert!(
        (MAX_ITEM_STEPS / 150..MAX_STEPS).contains(&steps),
        "{steps}"
    );
    let mut item = penalty_item(one.clone());
    item.rules = (0..=MAX_ITEM_STEPS / steps)
        .map(|n| Rule {
            id: format!("tried-{n}"),
            ..one.clone()
        })
        .collect();
    let error = CompiledItem::new(Arc::new(item)).unwrap_err().to_string();
    assert!(
        error.contains("rules: take too many steps together"),
        "{error}"
    );
}

#[test]
fn days_stop_at_the_ends_so_that_functions_can_read_each_other() {
    for check in [
        "days_between(received_on, working_day_after(received_on, 15)) >= 0",
        "days_between(received_on, years_after(received_on, 1000)) > 0",
        "years_after(received_on, 9223372036854775807) == '2999-12-31'",
        "years_after(years_after(received_on, -1000), 5000) == '2999-12-31'",
        "days_after(received_on, -9999999) == '1900-01-01'",
        "days_after(years_after(received_on, 973), 400) == '2999-12-31'",
        "working_days_between(working_day_after(received_on, 10000), received_on) <= 0",
    ] {
        for calendar in [
            Arc::new(NoCalendar) as Arc<dyn WorkingDays>,
            Arc::new(EveryDay),
        ] {
            accepted(judge(rule(&[], "", check), &penalty(), calendar));
        }
    }
}

#[test]
fn an_item_may_have_its_own_steps_of_cleansing_and_a_replay_shows_what_they_change() {
    let record = serde_json::to_vec(&penalty_with(json!({"CF_JDRQ": "2026年6月10日"}))).unwrap();
    let standard = compiled("xzcf", None);
    let mut item = standard.item().clone();
    item.cleansing = [(
        "date".to_owned(),
        vec!["strip-invisible-value/1".to_owned()],
    )]
    .into();
    let own = CompiledItem::new(Arc::new(item.clone())).unwrap();
    assert_ne!(own.rule_set(), standard.rule_set());
    let verdict =
        |item: &CompiledItem, content: &[u8]| with_calendar(item, content, Arc::new(NoCalendar));
    accepted(verdict(standard, &record));
    assert_eq!(errors(verdict(&own, &record)), [FindingCode::DateInvalid]);
    let mut replay = credit_record::replay::Replay::new(
        |content: &[u8]| verdict(standard, content),
        |content: &[u8]| verdict(&own, content),
    );
    assert!(replay.compare_original(PROVIDER, "record-1", &record));
    let clean = serde_json::to_vec(&penalty()).unwrap();
    assert!(!replay.compare_original(PROVIDER, "record-2", &clean));
    assert_eq!(replay.finish().total().accepted_to_returned.count, 1);
    for (list, step, problem) in [
        (
            "date",
            "date-form/1",
            "cleansing.date: names a step that does not exist",
        ),
        (
            "date",
            "date-form",
            "cleansing.date: names a step that does not exist",
        ),
        (
            "dates",
            "date-form/2",
            "cleansing.dates: is no list of steps",
        ),
    ] {
        item.cleansing = [(list.to_owned(), vec![step.to_owned()])].into();
        let error = CompiledItem::new(Arc::new(item.clone()))
            .unwrap_err()
            .to_string();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn an_item_that_no_record_can_fill_is_refused() {
    let mut item = penalty_item(rule(&[], "", "true"));
    let template = item.fields.last().unwrap().clone();
    for n in 0..300 {
        let mut field = template.clone();
        field.code = format!("F{n}");
        item.fields.push(field);
    }
    let error = CompiledItem::new(Arc::new(item)).unwrap_err().to_string();
    assert!(error.contains("fields: are more than 256"), "{error}");
}

#[test]
fn a_finding_names_the_rule_of_the_item() {
    let verdict = judge(
        rule(&["CF_WSH"], "", "starts_with(CF_WSH, '湘')"),
        &penalty(),
        Arc::new(NoCalendar),
    );
    let findings = returned(verdict);
    assert_eq!(findings.len(), 1);
    let finding = &findings[0];
    assert_eq!((finding.rule.as_ref(), finding.rule_version), ("tried", 3));
    assert_eq!(finding.field.as_deref(), Some("CF_WSH"));
    assert_eq!(finding.message, "不符合试用规则");
    let mut warned = rule(&["CF_WSH"], "", "false");
    warned.severity = Severity::Warning;
    assert_eq!(
        warnings(judge(warned, &penalty(), Arc::new(NoCalendar))),
        [FindingCode::ItemRule]
    );
}

#[test]
fn a_rule_applies_where_its_fields_are_given_and_its_condition_holds() {
    let never = |needs: &[&str], when: &str, changes: Value| {
        let verdict = judge(
            rule(needs, when, "false"),
            &penalty_with(changes),
            Arc::new(NoCalendar),
        );
        matches!(verdict, Verdict::Accepted(_))
    };
    assert!(never(&["BZ"], "", json!({})), "BZ is not given");
    assert!(!never(&["BZ"], "", json!({"BZ": "备注"})));
    assert!(never(&[], "subject_kind == 'natural_person'", json!({})));
    assert!(!never(&[], "subject_kind == 'organisation'", json!({})));
    // A field at fault has its own finding; rules that mention it keep still.
    let verdict = judge(
        rule(&[], "", "or(CF_NR_FK, decimal('9')) == decimal('7')"),
        &penalty_with(json!({"CF_NR_FK": "viel"})),
        Arc::new(NoCalendar),
    );
    assert_eq!(errors(verdict), [FindingCode::DecimalInvalid]);
}

#[test]
fn the_functions_say_what_they_are_for() {
    let none = || json!({});
    for (needs, check, expected) in [
        (&["CF_CFLB"][..], "includes(CF_CFLB, ['没收'])", true),
        (&["CF_CFLB"], "includes(CF_CFLB, ['收违法'])", false),
        (
            &["CF_CFLB"],
            "values(CF_CFLB).all(k, k in ['罚款', '没收违法所得'])",
            true,
        ),
        (
            &["CF_CFLB"],
            "values(CF_CFLB).exists(k, k == '警告')",
            false,
        ),
        (
            &["CF_CFLB"],
            "values(CF_CFLB).filter(k, k != '罚款') == ['没收违法所得'] || true",
            true,
        ),
        (&["CF_WSH"], "contains(CF_WSH, '〔2026〕')", true),
        (&["CF_WSH"], "size(CF_WSH) == 15", true),
        (
            &["CF_NR_FK"],
            "CF_NR_FK >= decimal('0.2') && CF_NR_FK < decimal('0.200001')",
            true,
        ),
        (&["CF_NR_FK"], "is_zero(CF_NR_FK)", false),
        (
            &["CF_JDRQ"],
            "CF_JDRQ == '2026-06-10' && CF_JDRQ < received_on",
            true,
        ),
        (
            &["CF_JDRQ"],
            "years_after(CF_JDRQ, 3) == '2029-06-10'",
            true,
        ),
        (&[], "years_after('2024-02-29', 3) == '2027-02-28'", true),
        (
            &["CF_JDRQ"],
            "days_between(CF_JDRQ, received_on) == 21",
            true,
        ),
        (&["CF_JDRQ"], "days_after(CF_JDRQ, 21) == received_on", true),
        (
            &["CF_JDRQ"],
            "working_days_between(CF_JDRQ, received_on) == 21",
            true,
        ),
        (
            &["CF_JDRQ"],
            "working_day_after(CF_JDRQ, 7) == '2026-06-17'",
            true,
        ),
        (
            &["CF_XDR_SHXYM"],
            "pair(CF_XDR_SHXYM) == '91' && department(CF_XDR_SHXYM) == '9'",
            true,
        ),
        (&["CF_XDR_SHXYM"], "is_credit_code(CF_XDR_SHXYM)", true),
        (
            &["CF_XDR_SHXYM"],
            "is_citizen_number(CF_XDR_SHXYM, received_on)",
            false,
        ),
        (
            &["CF_FR_ZJHM"],
            "is_citizen_number(CF_FR_ZJHM, received_on)",
            true,
        ),
        (
            &["CF_NR", "CF_NR_FK"],
            "mentions_yuan(CF_NR, CF_NR_FK)",
            true,
        ),
        (
            &["CF_NR", "CF_NR_FK"],
            "mentions_as_yuan(CF_NR, CF_NR_FK)",
            false,
        ),
        (&["CF_SJLYDM"], "CF_SJLYDM == provider_code", true),
        (&[], "given(CF_GSJZQ) && !given(BZ)", true),
        (
            &[],
            "or(BZ, '无') == '无' && or(CF_GSJZQ, '2000-01-01') == '2029-06-10'",
            true,
        ),
        (&["CF_WSH"], "CF_WSH == '' ? false : 1 + 2 - 1 == 2", true),
    ] {
        if check.contains("filter") {
            // Lists are not compared with lists.
            assert!(refused(needs, "", check).contains("the operator does not fit"));
            continue;
        }
        assert_eq!(holds(needs, check, none()), expected, "{check}");
    }
    // Without a published calendar nothing is guessed.
    let rule = rule(
        &["CF_JDRQ"],
        "",
        "working_days_between(CF_JDRQ, received_on) == -1",
    );
    accepted(judge(rule, &penalty(), Arc::new(NoCalendar)));
}

#[test]
fn every_function_is_documented() {
    let manual = include_str!("../../README.md");
    for signature in function_signatures() {
        let row = format!("| `{}` | {} |", signature.text(), signature.help);
        assert!(manual.contains(&row), "the README lacks {row}");
    }
}

proptest! {
    #![proptest_config(crate::support::cases(400))]

    /// Hostile text neither panics nor takes long: it is refused, or it is a rule.
    #[test]
    fn any_text_is_a_rule_or_is_refused(text in "\\PC{0,80}", shape in 0usize..4) {
        let text = match shape {
            0 => text,
            1 => format!("size({text}) == 1"),
            2 => format!("values(CF_CFLB).exists(k, {text})"),
            _ => text.chars().filter(|c| "()[]{}!-+<>=&|?:.,'\"ab1 ".contains(*c)).collect(),
        };
        let _ = CompiledItem::new(Arc::new(penalty_item(rule(&["CF_CFLB"], "", &text))));
    }

    /// The rules of the standard items can always be computed: no content makes one fail.
    #[test]
    fn no_content_makes_a_rule_fail(
        values in prop::collection::vec((0usize..30, "\\PC{0,40}|[0-9]{1,20}|20[0-9]{2}-0[1-9]-1[0-9]|罚款;[^;]{0,9}"), 0..30),
    ) {
        let mut record = penalty();
        let fields = &compiled("xzcf", None).item().fields;
        for (index, value) in values {
            record.insert(fields[index].code.clone(), json!(value));
        }
        if let Verdict::Returned(findings) = run("xzcf", &record) {
            prop_assert!(findings.iter().all(|f| f.code != FindingCode::ItemUnusable), "{findings:?}");
        }
    }
}
