//! `creditctl identify`: fields, kinds, exit codes, languages.

use serde_json::json;

use crate::support::{TODAY, run};

#[test]
fn each_code_is_one_object_with_the_seven_fields_in_their_order() {
    let said = run(&["identify", TODAY, " 91430100ma4q5w141p"], b"");
    assert_eq!(said.code, 0);
    assert_eq!(
        said.out,
        "{\"input\":\" 91430100ma4q5w141p\",\"kind\":\"credit_code\",\"valid\":true,\
         \"canonical\":\"91430100MA4Q5W141P\",\"rule\":null,\"position\":null,\"suggestion\":null}\n"
    );
    assert_eq!(said.err, "");
}

#[test]
fn a_fault_names_rule_character_and_a_repaired_code() {
    let said = run(
        &["identify", TODAY, "12430000MBOL67976N", "MA4Q5W14-1"],
        b"",
    );
    assert_eq!(said.code, 1, "one of them is wrong");
    assert_eq!(
        said.objects(),
        [
            json!({
                "input": "12430000MBOL67976N", "kind": "credit_code", "valid": false, "canonical": null,
                "rule": "alphabet", "position": 10, "suggestion": "12430000MB0L67976N",
            }),
            json!({
                "input": "MA4Q5W14-1", "kind": "organisation_code", "valid": true,
                "canonical": "MA4Q5W141", "rule": null, "position": null, "suggestion": null,
            }),
        ]
    );
}

#[test]
fn the_day_of_today_can_be_given_and_is_shanghais_otherwise() {
    let born = "430102202607010016";
    let number = credit_record::CitizenNumber::with_check(
        &born[..17],
        time::Date::from_calendar_date(2026, time::Month::July, 1).unwrap(),
    )
    .unwrap();
    let rule = |today: &str| {
        let said = run(&["identify", today, number.as_str()], b"");
        said.objects()[0]["rule"].clone()
    };
    assert_eq!(rule("--today=2026-07-01"), json!(null));
    assert_eq!(rule("--today=2026-06-30"), json!("date-future"));
    // Born in 1990: right on every day on which this test can run.
    assert_eq!(run(&["identify", "430102199003071234"], b"").code, 0);
}

#[test]
fn a_wrong_command_line_is_2_and_help_is_0() {
    for wrong in [
        &["identify", "--today=1.7.2026"][..],
        &["identify", "--today=2026-02-30"],
        &["identify", "--lang=fr"],
        &["submitt"],
        &[],
    ] {
        let said = run(wrong, b"");
        assert_eq!(said.code, 2, "{wrong:?}");
        assert_eq!(said.out, "");
        assert!(!said.err.is_empty());
    }
    for (arguments, word) in [
        (&["--help"][..], "识别代码"),
        (&["identify", "--help"], "用法"),
        (&["identify", "--help", "--lang", "en"], "Usage"),
        (&["--lang=en", "--help"], "JSON object"),
        (&["--version"], env!("CARGO_PKG_VERSION")),
    ] {
        let said = run(arguments, b"");
        assert_eq!(said.code, 0, "{arguments:?}: {}", said.err);
        assert!(said.out.contains(word), "{}", said.out);
    }
}

#[test]
fn explanations_come_in_two_languages_and_never_into_the_output() {
    let ask = |lang: &str| {
        run(
            &["identify", TODAY, "--explain", lang, "12430000MBOL67976N"],
            b"",
        )
    };
    let (zh, en) = (ask("--lang=zh"), ask("--lang=en"));
    assert_eq!(zh.out, en.out);
    assert_eq!(
        zh.err,
        "12430000MBOL67976N: 统一社会信用代码: 有不允许的字符 (第11位); 是否应为 12430000MB0L67976N？请核实\n"
    );
    assert_eq!(
        en.err,
        "12430000MBOL67976N: unified social credit code: a character that is not allowed there \
         (character 11); meant 12430000MB0L67976N? please verify\n"
    );
    let old = run(&["identify", TODAY, "--explain", "430102900307123"], b"");
    assert_eq!(old.code, 0);
    assert!(old.err.contains("15位旧号码"), "{}", old.err);
}

#[test]
fn what_looks_like_an_option_is_a_code_behind_two_hyphens() {
    let said = run(&["identify", TODAY, "--", "--lang=en"], b"");
    assert_eq!(said.code, 1);
    assert_eq!(said.objects()[0]["input"], "--lang=en");
}
