//! The rules over several fields of the double-publicity standard.

use credit_record::FindingCode;
use serde_json::json;

use crate::support::*;

#[test]
fn category_and_code_agree() {
    let one = |changes| errors(run("xzcf", &penalty_with(changes)));
    let individual = "92430104MA4QQ0026Y";
    assert_eq!(
        one(json!({"CF_XDR_SHXYM": individual})),
        [FindingCode::SubjectCategory]
    );
    assert_eq!(
        one(json!({"CF_XDR_LB": "个体工商户"})),
        [FindingCode::SubjectCategory]
    );
    accepted(run(
        "xzcf",
        &penalty_with(json!({
            "CF_XDR_LB": "个体工商户", "CF_XDR_SHXYM": individual,
        })),
    ));
    for other in [
        "N2430121MF0000013L",
        "93430181MA4QQ00347",
        "52430102MJJ0000203",
    ] {
        accepted(run("xzcf", &penalty_with(json!({"CF_XDR_SHXYM": other}))));
    }
    let without = penalty_with(json!({"CF_XDR_LB": "个体工商户", "CF_XDR_SHXYM": "无"}));
    assert_eq!(
        warnings(run("xzcf", &without)),
        [FindingCode::SubjectCodeMissing]
    );
    assert!(
        accepted(run("xzcf", &without))
            .natural_key
            .ends_with("湖南客偲家装饰工程有限公司")
    );
}

#[test]
fn fields_of_persons_and_organisations_do_not_mix() {
    let person = |changes| errors(run("xzxk", &licence_with(changes)));
    for field in ["XK_XDR_SHXYM", "XK_XDR_GSZC", "XK_FRDB", "XK_XDR_SWDJ"] {
        assert_eq!(
            person(json!({field: "91430102MA4PX7RC64"})),
            [FindingCode::PersonWithOrgFields]
        );
    }
    assert_eq!(
        person(json!({"XK_XDR_ZJHM": "/"})),
        [FindingCode::RequiredMissing]
    );
    let organisation = penalty_with(json!({
        "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": "430102199003071242",
    }));
    let found = errors(run("xzcf", &organisation));
    assert_eq!(
        found,
        [
            FindingCode::OrgWithPersonFields,
            FindingCode::OrgWithPersonFields
        ]
    );
}

#[test]
fn dates_stand_in_order() {
    let one = |changes| errors(run("xzcf", &penalty_with(changes)));
    assert_eq!(
        one(json!({"CF_YXQ": "2026-06-09"})),
        [FindingCode::DateOrder]
    );
    assert_eq!(
        one(json!({"CF_GSJZQ": "2026-06-10"})),
        [FindingCode::DateOrder]
    );
    assert_eq!(
        one(json!({"CF_JDRQ": "2026-07-02"})),
        [FindingCode::DateFuture]
    );
    accepted(run("xzcf", &penalty_with(json!({"CF_JDRQ": "2026-07-01"}))));
    let long = penalty_with(json!({"CF_GSJZQ": "2029-06-11"}));
    assert_eq!(warnings(run("xzcf", &long)), [FindingCode::TermTooLong]);
    let leap = penalty_with(json!({"CF_JDRQ": "2024-02-29", "CF_GSJZQ": "2027-02-28"}));
    assert_eq!(warnings(run("xzcf", &leap)), []);
    let leap = penalty_with(json!({"CF_JDRQ": "2024-02-29", "CF_GSJZQ": "2027-03-01"}));
    assert_eq!(warnings(run("xzcf", &leap)), [FindingCode::TermTooLong]);
    let licence = |changes| run("xzxk", &licence_with(changes));
    assert_eq!(
        errors(licence(json!({"XK_YXQZI": "2026-05-05"}))),
        [FindingCode::DateOrder]
    );
    let passed = licence(json!({"XK_YXQZI": "2026-06-30"}));
    assert_eq!(warnings(passed), [FindingCode::ExpiryPassed]);
}

#[test]
fn amounts_fit_the_kinds() {
    let one = |changes| errors(run("xzcf", &penalty_with(changes)));
    assert_eq!(
        one(json!({"CF_NR_FK": null})),
        [FindingCode::PenaltyAmountMissing]
    );
    assert_eq!(
        one(json!({"CF_NR_FK": 0})),
        [FindingCode::PenaltyAmountMissing]
    );
    assert_eq!(
        one(json!({"CF_NR_WFFF": null})),
        [FindingCode::PenaltyAmountMissing]
    );
    let kinds = penalty_with(json!({"CF_CFLB": "警告"}));
    let found = warnings(run("xzcf", &kinds));
    assert_eq!(
        found,
        [
            FindingCode::PenaltyAmountUnexpected,
            FindingCode::PenaltyAmountUnexpected
        ]
    );
    accepted(run(
        "xzcf",
        &penalty_with(json!({
            "CF_CFLB": "警告", "CF_NR_FK": null, "CF_NR_WFFF": "0",
        })),
    ));
}

#[test]
fn yuan_in_the_field_of_ten_thousand_yuan_is_noticed() {
    let with = |amount: &str, text: &str| {
        warnings(run(
            "xzcf",
            &penalty_with(json!({"CF_NR_FK": amount, "CF_NR": text})),
        ))
    };
    assert_eq!(with("2000", "罚款人民币2000元"), [FindingCode::AmountUnit]);
    assert_eq!(with("2000", "罚款2,000.00元整"), [FindingCode::AmountUnit]);
    assert_eq!(with("0.2", "罚款2000元"), []);
    assert_eq!(with("20", "罚款20万元"), []);
    assert_eq!(with("2000", "罚款2000元，合计20000000元"), []);
    assert_eq!(with("0.2", "罚款贰仟元"), []);
    assert_eq!(with("0.2", "元"), []);
}

#[test]
fn detention_is_for_persons() {
    let record = penalty_with(json!({"CF_CFLB": "行政拘留", "CF_NR_FK": null, "CF_NR_WFFF": null}));
    assert_eq!(
        warnings(run("xzcf", &record)),
        [FindingCode::PenaltyPersonOnly]
    );
}

#[test]
fn authority_and_source() {
    let one = |code: &str| run("xzcf", &penalty_with(json!({"CF_CFJGDM": code})));
    assert_eq!(
        warnings(one("52430102MJJ0000203")),
        [FindingCode::AuthorityNotOrgan]
    );
    assert_eq!(warnings(one("12430100444900018L")), []);
    let other = penalty_with(json!({"CF_SJLYDM": "11430000006122439E"}));
    let findings = returned(run("xzcf", &other));
    assert_eq!(findings[0].code, FindingCode::SourceNotCaller);
    assert_eq!(
        (&*findings[0].rule, findings[0].rule_version),
        ("source-is-caller", 1)
    );
    let broken = penalty_with(json!({"CF_SJLYDM": "11430000006122439F"}));
    assert_eq!(
        errors(run("xzcf", &broken)),
        [FindingCode::UsccCheck],
        "one mistake, one finding"
    );
}
