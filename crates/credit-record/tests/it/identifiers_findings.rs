//! Findings on identifiers: attested legacy codes, persons' numbers in
//! fields of organisations, and the rule and position that a refusal names.

use std::sync::Arc;

use credit_record::{
    Attestation, CheckContext, CitizenNumber, Finding, FindingCode, NoCalendar, RegistrationNumber,
    Verdict, WorkingDays, check_record,
};
use serde_json::{Value, json};

use crate::support::*;

/// A code of an enterprise that Xiamen registered before 2016: in use, with a wrong check character.
const XIAMEN: &str = "91350203M0001QKT19";

/// The penalty with one value and an attestation of its field.
fn attested(field: &str, value: &str, attester: &str) -> Verdict {
    answered(field, value, field, attester)
}

/// The penalty with one value and an attestation of a field.
fn answered(changed: &str, value: &str, field: &str, attester: &str) -> Verdict {
    let calendar: Arc<dyn WorkingDays> = Arc::new(NoCalendar);
    let ctx = CheckContext {
        received_on: today(),
        provider_code: PROVIDER,
        working_days: &calendar,
        attestations: &[Attestation { field, attester }],
    };
    let mut changes = serde_json::Map::new();
    changes.insert(changed.to_owned(), json!(value));
    let content = serde_json::to_vec(&penalty_with(Value::Object(changes))).unwrap();
    check_record(compiled("xzcf", None), &content, &ctx)
}

fn only(verdict: Verdict) -> Finding {
    let mut findings = returned(verdict);
    assert_eq!(findings.len(), 1, "{findings:#?}");
    findings.remove(0)
}

fn only_finding(changes: Value) -> Finding {
    only(run("xzcf", &penalty_with(changes)))
}

#[test]
fn a_code_that_somebody_answers_for_is_a_warning_and_no_credit_code() {
    let record = accepted(attested("CF_XDR_SHXYM", XIAMEN, "王海"));
    let warned: Vec<_> = record.warnings.iter().map(|w| w.code).collect();
    assert_eq!(warned, [FindingCode::LegacyAttested]);
    assert_eq!(record.subject.credit_code, None, "it is never a CreditCode");
    assert_eq!(record.values["CF_XDR_SHXYM"], XIAMEN);
    for (field, value) in [
        ("CF_XDR_SHXYM", "91430100MA4Q5W142T"),
        ("CF_XDR_ZZJG", "D21435691"),
        ("CF_XDR_GSZC", "430100000012345"),
    ] {
        let codes = warnings(attested(field, value, "王海"));
        assert_eq!(codes, [FindingCode::LegacyAttested], "{field}");
        let other = if field == "CF_XDR_ZZJG" {
            "CF_XDR_GSZC"
        } else {
            "CF_XDR_ZZJG"
        };
        let elsewhere = answered(field, value, other, "王海");
        assert!(
            matches!(elsewhere, Verdict::Returned(_)),
            "{field} by {other}"
        );
    }
}

#[test]
fn no_attestation_helps_what_is_no_legacy_code() {
    for (field, value, attester, code) in [
        // Persons' numbers, with the check character of a credit code or without.
        (
            "CF_XDR_SHXYM",
            "11010519491231002X",
            "王海",
            FindingCode::UsccCheck,
        ),
        (
            "CF_XDR_SHXYM",
            "430102199003071234",
            "王海",
            FindingCode::UsccCategory,
        ),
        (
            "CF_XDR_SHXYM",
            "190101195003073593",
            "王海",
            FindingCode::UsccCategory,
        ),
        (
            "CF_XDR_SHXYM",
            "911124195003071483",
            "王海",
            FindingCode::UsccCategory,
        ),
        (
            "CF_XDR_SHXYM",
            "911124195003071484",
            "王海",
            FindingCode::UsccCheck,
        ),
        // Fillers, lengths, alphabets, damage.
        (
            "CF_XDR_SHXYM",
            "000000000000000000",
            "王海",
            FindingCode::UsccDummy,
        ),
        (
            "CF_XDR_SHXYM",
            "91350203M0001QKT1",
            "王海",
            FindingCode::UsccLength,
        ),
        (
            "CF_XDR_SHXYM",
            "91350203MO001QKT19",
            "王海",
            FindingCode::UsccAlphabet,
        ),
        (
            "CF_XDR_SHXYM",
            "914403001922038000",
            "王海",
            FindingCode::ExcelDamage,
        ),
        (
            "CF_XDR_ZZJG",
            "000000000",
            "王海",
            FindingCode::OrganisationCodeInvalid,
        ),
        (
            "CF_XDR_ZZJG",
            "D2143569",
            "王海",
            FindingCode::OrganisationCodeInvalid,
        ),
        (
            "CF_XDR_ZZJG",
            "D2143569A",
            "王海",
            FindingCode::OrganisationCodeInvalid,
        ),
        (
            "CF_XDR_GSZC",
            "111111111111111",
            "王海",
            FindingCode::RegistrationNumberInvalid,
        ),
        // Nobody.
        ("CF_XDR_SHXYM", XIAMEN, "", FindingCode::UsccCheck),
        ("CF_XDR_SHXYM", XIAMEN, " \t", FindingCode::UsccCheck),
        ("CF_XDR_SHXYM", XIAMEN, "——", FindingCode::UsccCheck),
        ("CF_XDR_SHXYM", XIAMEN, "123", FindingCode::UsccCheck),
    ] {
        let found = errors(attested(field, value, attester));
        assert_eq!(found, [code], "{value} {attester:?}");
    }
    let person = attested("CF_XDR_GSZC", "430102900307123", "王海");
    assert_eq!(errors(person), [FindingCode::PersonalNumberMisplaced]);
}

#[test]
fn a_persons_number_in_a_public_field_goes_back_unrepeated() {
    for (field, value) in [
        ("CF_XDR_GSZC", "430102199003071234"),
        ("CF_XDR_GSZC", "11010519491231002X"),
        ("CF_XDR_GSZC", "430102900307123"),
        ("CF_XDR_ZZJG", "430102199003071234"),
        ("CF_XDR_SYDW", "430102199003071234"),
        ("CF_XDR_SHZZ", "911124198108030024"),
    ] {
        let found = only_finding(json!({field: value}));
        assert_eq!(found.code, FindingCode::PersonalNumberMisplaced, "{field}");
        assert_eq!(found.field.as_deref(), Some(field));
        let shown = serde_json::to_string(&found).unwrap();
        assert!(!shown.contains(&value[..6]), "{shown}");
        assert_eq!(found.suggestion, None);
    }
}

#[test]
fn the_numbers_of_organisations_stay() {
    for (field, value) in [
        // Credit codes serve as registration numbers since 2015.
        ("CF_XDR_GSZC", "914403001922038216"),
        ("CF_XDR_GSZC", "91430102MA4PX7RC64"),
        ("CF_XDR_GSZC", "企独湘长总字第000123号"),
        ("CF_XDR_GSZC", "4301002001234"),
        // By a city, by a county without a date, and by a county with one.
        ("CF_XDR_GSZC", "430100600123457"),
        ("CF_XDR_GSZC", "430181600000010"),
        ("CF_XDR_SHZZ", "51430102MJJ000012E"),
    ] {
        accepted(run("xzcf", &penalty_with(json!({field: value}))));
    }
    // The tax number of an 个体工商户 is its owner's number; the field is masked and not published.
    accepted(run(
        "xzcf",
        &penalty_with(json!({"CF_XDR_SWDJ": "430102199003071234"})),
    ));
}

/// Old numbers of persons whose check digit is that of a registration number.
fn both() -> impl Iterator<Item = String> {
    (1..990)
        .map(|n| format!("430102600123{n:03}"))
        .filter(|text| RegistrationNumber::parse(text).is_ok())
}

#[test]
fn a_sound_registration_number_is_a_persons_only_when_the_record_says_so() {
    assert!(both().count() > 50);
    for text in both().take(5) {
        let person = CitizenNumber::parse(&text, today()).unwrap();
        accepted(run("xzcf", &penalty_with(json!({"CF_XDR_GSZC": text}))));
        let own = json!({"CF_XDR_GSZC": text, "CF_FR_ZJHM": person.as_str()});
        assert_eq!(only_finding(own).code, FindingCode::PersonalNumberMisplaced);
    }
}

#[test]
fn an_organisation_code_is_told_its_rule_and_place() {
    for (value, said) in [
        ("D21435691", "校验码（第9位）不符"),
        ("D2143569", "应为9位"),
        ("D21435691X", "应为9位"),
        ("D2143569A", "第9位不是允许的代码字符"),
        ("D21?35691", "第4位不是允许的代码字符"),
        ("000000000", "占位值"),
    ] {
        let found = only_finding(json!({"CF_XDR_ZZJG": value}));
        assert_eq!(found.code, FindingCode::OrganisationCodeInvalid, "{value}");
        assert!(found.message.contains(said), "{value}: {}", found.message);
    }
    let typed = only_finding(json!({"CF_XDR_ZZJG": "I92203821"}));
    assert_eq!(typed.suggestion.as_deref(), Some("192203821"));
}

#[test]
fn a_registration_number_is_told_what_it_breaks() {
    for (value, said) in [
        ("430100000012345", "校验位（第15位）不符"),
        ("111111111111111", "占位值"),
        ("000000000000000", "占位值"),
    ] {
        let found = only_finding(json!({"CF_XDR_GSZC": value}));
        assert_eq!(
            found.code,
            FindingCode::RegistrationNumberInvalid,
            "{value}"
        );
        assert!(found.message.contains(said), "{value}: {}", found.message);
    }
    // Shorter and longer ones are of before 2007 and follow no rule.
    accepted(run(
        "xzcf",
        &penalty_with(json!({"CF_XDR_GSZC": "43010000001234"})),
    ));
}

#[test]
fn a_birth_date_is_told_its_part() {
    for (value, said) in [
        ("430102187903071234", "年份（第7至10位）有误"),
        ("430102199013071234", "月份（第11、12位）有误"),
        ("430102199002301234", "日（第13、14位）有误"),
        ("430102209903071234", "晚于接收日期：年份（第7至10位）"),
        ("430102202608011234", "晚于接收日期：月份（第11、12位）"),
        ("430102202607021234", "晚于接收日期：日（第13、14位）"),
        ("430102901307123", "月份（第9、10位）有误"),
        ("430102900230123", "日（第11、12位）有误"),
    ] {
        let record = licence_with(json!({"XK_XDR_ZJHM": value}));
        let found = only(run("xzxk", &record));
        assert_eq!(found.code, FindingCode::CitizenDate, "{value}");
        assert!(found.message.contains(said), "{value}: {}", found.message);
        assert!(!found.message.contains(&value[6..10]));
    }
}
