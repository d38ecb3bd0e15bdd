//! Form, fields and identifiers of a record; what an accepted one holds; what must not be repeated.

use credit_record::{FindingCode, Severity, SubjectKind, Verdict};
use proptest::prelude::*;
use serde_json::json;

use crate::support::*;

#[test]
fn a_good_penalty_is_accepted_as_it_is() {
    let record = accepted(run("xzcf", &penalty()));
    assert_eq!(record.subject.kind, SubjectKind::Organisation);
    assert_eq!(record.subject.name, "湖南客偲家装饰工程有限公司");
    assert_eq!(
        record.subject.credit_code.unwrap().as_str(),
        "91430102MA4PX7RC64"
    );
    assert_eq!(record.subject.person_document, None);
    assert_eq!(
        record.document_number.as_deref(),
        Some("长市监罚决〔2026〕123号")
    );
    assert_eq!(record.decision_date, day(2026, 6, 10));
    assert_eq!(record.effective_date, day(2026, 6, 10));
    assert_eq!(record.expiry_date, None, "2099-12-31 is long-term");
    assert_eq!(record.publicity_until, Some(day(2029, 6, 10)));
    assert_eq!(record.authority, "长沙市市场监督管理局");
    assert_eq!(record.values["CF_NR_WFFF"], "0.15005");
    assert!(record.changes.is_empty() && record.warnings.is_empty());
    let key = format!("长市监罚决〔2026〕123号\u{1F}{PROVIDER}\u{1F}91430102MA4PX7RC64");
    assert_eq!(record.natural_key, key);
}

#[test]
fn a_good_licence_of_a_person_is_accepted_and_kept_secret() {
    let record = accepted(run("xzxk", &person_licence()));
    assert_eq!(record.subject.kind, SubjectKind::NaturalPerson);
    assert_eq!(record.effective_date, day(2026, 5, 6));
    assert_eq!(record.expiry_date, Some(day(2032, 5, 5)));
    let document = record.subject.person_document.clone().unwrap();
    assert_eq!(
        (document.kind(), document.number()),
        ("身份证", "430102199003071242")
    );
    let shown = format!("{record:?} {}", record.natural_key);
    assert!(!shown.contains("430102199003071242") && !shown.contains("刘芳"));
}

#[test]
fn dirt_is_cleaned_and_explained() {
    let dirty = penalty_with(json!({
        "CF_XDR_MC": " 湖南客偲家装饰工程 有限公司\u{200B}",
        "CF_XDR_SHXYM": "９１４３０１０２ma4px7rc6 4",
        "CF_WSH": "长市监罚决[2026]123号",
        "CF_JDRQ": "2026年6月10日",
        "CF_YXQ": "2099/12/31",
        "CF_NR_FK": "0.20",
        "CF_CFLB": "罚款、没收违法所得",
        "CF_XDR_GSZC": "无",
    }));
    let clean = accepted(run("xzcf", &penalty()));
    let record = accepted(run("xzcf", &dirty));
    assert_eq!(record.values, clean.values);
    assert_eq!(record.natural_key, clean.natural_key);
    for field in [
        "CF_XDR_MC",
        "CF_XDR_SHXYM",
        "CF_WSH",
        "CF_JDRQ",
        "CF_YXQ",
        "CF_NR_FK",
        "CF_CFLB",
        "CF_XDR_GSZC",
    ] {
        assert!(record.changes.iter().any(|c| c.field == field), "{field}");
    }
}

#[test]
fn an_alias_serves_as_the_field() {
    let mut record = penalty();
    let number = record.remove("CF_FR_ZJHM").unwrap();
    record.insert("CF_FR_SFZH".into(), number.clone());
    let accepted = accepted(run("xzcf", &record));
    assert_eq!(accepted.values["CF_FR_ZJHM"], number);
    assert_eq!(accepted.changes[0].rule, "field-alias");
    record.insert("CF_FR_ZJHM".into(), number);
    assert_eq!(
        errors(run("xzcf", &record)),
        [FindingCode::FormDuplicateField]
    );
}

#[test]
fn form_faults() {
    let only = |content: &[u8]| errors(bytes("xzcf", content));
    assert_eq!(only(b"{\"CF_NR\": \"\xff\"}"), [FindingCode::FormNotUtf8]);
    assert_eq!(only(b""), [FindingCode::FormNotJson]);
    assert_eq!(only(b"CF_NR=1"), [FindingCode::FormNotJson]);
    assert_eq!(only(b"{\"CF_NR\": }"), [FindingCode::FormNotJson]);
    assert_eq!(only(b"{} {}"), [FindingCode::FormNotJson]);
    assert_eq!(
        only(b"{\"CF_NR\": \"\\ud800\"}"),
        [FindingCode::FormNotJson]
    );
    assert_eq!(only(b"[1]"), [FindingCode::FormNotObject]);
    assert_eq!(only(b"\"x\""), [FindingCode::FormNotObject]);
    assert_eq!(only(b"null"), [FindingCode::FormNotObject]);
    assert_eq!(
        only(&vec![b' '; (1 << 20) + 1]),
        [FindingCode::FormTooLarge]
    );
    let many: Vec<String> = (0..300).map(|i| format!("\"k{i}\":1")).collect();
    assert_eq!(
        only(format!("{{{}}}", many.join(",")).as_bytes()),
        [FindingCode::FormTooManyFields]
    );
    let mut deep = b"{\"CF_NR\":".to_vec();
    deep.extend(vec![b'['; 100_000]);
    assert_eq!(
        only(&deep),
        [FindingCode::FormNotJson],
        "depth neither overflows nor hangs"
    );
    let long = returned(bytes("xzcf", b"{\"CF_NR\": \"\xff\"}"));
    assert_eq!((long[0].field.clone(), &*long[0].rule), (None, "form"));
}

#[test]
fn a_byte_order_mark_is_no_fault() {
    let mut content = "\u{FEFF}".as_bytes().to_vec();
    content.extend(serde_json::to_vec(&penalty()).unwrap());
    accepted(bytes("xzcf", &content));
}

#[test]
fn keys_and_types() {
    let one = |changes| errors(run("xzcf", &penalty_with(changes)));
    assert_eq!(one(json!({"CF_NIX": "1"})), [FindingCode::FormUnknownField]);
    assert_eq!(one(json!({"CF_NR": ["罚款"]})), [FindingCode::ValueType]);
    assert_eq!(one(json!({"CF_NR": {"a": 1}})), [FindingCode::ValueType]);
    assert_eq!(one(json!({"CF_NR": true})), [FindingCode::ValueType]);
    assert_eq!(
        one(json!({"CF_FR_ZJHM": 430102199003071234u64})),
        [FindingCode::ValueType]
    );
    let twice = serde_json::to_string(&penalty())
        .unwrap()
        .replacen('{', "{\"CF_NR\":\"x\",", 1);
    assert_eq!(
        errors(bytes("xzcf", twice.as_bytes())),
        [FindingCode::FormDuplicateField]
    );
    let licence = errors(run("xzxk", &licence_with(json!({"XK_ZT": 1}))));
    assert_eq!(
        licence,
        [FindingCode::ValueType],
        "numbers stand for decimals only"
    );
}

#[test]
fn a_key_that_may_be_a_person_is_not_repeated() {
    let findings = returned(run(
        "xzcf",
        &penalty_with(json!({"430102199003071234": "1", "刘芳": "1"})),
    ));
    assert_eq!(findings.len(), 2);
    let text = serde_json::to_string(&findings).unwrap();
    assert!(
        !text.contains("4301021990") && !text.contains("刘芳"),
        "{text}"
    );
}

#[test]
fn field_faults() {
    let one = |changes| errors(run("xzcf", &penalty_with(changes)));
    assert_eq!(one(json!({"CF_SY": null})), [FindingCode::RequiredMissing]);
    assert_eq!(
        one(json!({"CF_SY": " \u{3000} "})),
        [FindingCode::RequiredMissing]
    );
    assert_eq!(
        one(json!({"CF_XDR_SHXYM": "无"})),
        [FindingCode::RequiredMissing]
    );
    assert_eq!(one(json!({"CF_FRDB": ""})), [FindingCode::RequiredMissing]);
    assert_eq!(
        one(json!({"CF_FR_ZJHM": null})),
        [FindingCode::RequiredMissing]
    );
    assert_eq!(
        one(json!({"CF_FR_ZJLX": null})),
        [FindingCode::RequiredMissing]
    );
    assert_eq!(
        one(json!({"CF_CFLB": "吊销许可证件"})),
        [FindingCode::RequiredMissing]
    );
    assert_eq!(
        one(json!({"CF_XDR_LB": null})),
        [FindingCode::RequiredMissing]
    );
    assert_eq!(one(json!({"CF_XDR_LB": "企业"})), [FindingCode::CodeList]);
    assert_eq!(
        one(json!({"CF_FR_ZJLX": "军官证"})),
        [FindingCode::CodeList]
    );
    assert_eq!(
        one(json!({"CF_CFLB": "罚款;没收违法所得;拘留"})),
        [FindingCode::CodeList]
    );
    assert_eq!(
        one(json!({"CF_CFLB": "罚款;没收违法所得;其他-"})),
        [FindingCode::CodeList]
    );
    assert_eq!(
        one(json!({"CF_WSH": "长".repeat(129)})),
        [FindingCode::ValueTooLong]
    );
    assert_eq!(
        one(json!({"CF_WFXW": "a\u{0}b"})),
        [FindingCode::ValueCharacters]
    );
    assert_eq!(
        one(json!({"CF_WFXW": "锟斤拷锟斤拷"})),
        [FindingCode::ValueCharacters]
    );
    assert_eq!(
        one(json!({"CF_WFXW": "违\u{FFFD}行为"})),
        [FindingCode::ValueCharacters]
    );
    assert_eq!(
        one(json!({"CF_NR_FK": "约2000元"})),
        [FindingCode::DecimalInvalid]
    );
    assert_eq!(one(json!({"CF_NR_FK": -1})), [FindingCode::DecimalInvalid]);
    assert_eq!(
        one(json!({"CF_NR_FK": "0.2000001"})),
        [FindingCode::DecimalPrecision]
    );
    assert_eq!(
        one(json!({"CF_JDRQ": "2026-02-30"})),
        [FindingCode::DateInvalid]
    );
    assert_eq!(one(json!({"CF_JDRQ": "46183"})), [FindingCode::ExcelDamage]);
    for good in ["长".repeat(128), "号".to_owned()] {
        accepted(run("xzcf", &penalty_with(json!({"CF_WSH": good}))));
    }
    accepted(run(
        "xzcf",
        &penalty_with(json!({
            "CF_CFLB": "罚款;没收违法所得;其他-责令改正", "CF_WFXW": "第一行\n第二行",
        })),
    ));
}

#[test]
fn credit_code_faults() {
    let one = |code: &str| errors(run("xzcf", &penalty_with(json!({"CF_XDR_SHXYM": code}))));
    assert_eq!(one("91430102MA4PX7RC6"), [FindingCode::UsccLength]);
    assert_eq!(one("91430102MA4PX7RC65"), [FindingCode::UsccCheck]);
    assert_eq!(one("91430100MA4Q5W142T"), [FindingCode::UsccInnerCheck]);
    assert_eq!(one("430102199003071234"), [FindingCode::UsccCategory]);
    assert_eq!(one("000000000000000000"), [FindingCode::UsccDummy]);
    assert_eq!(one("9.1430102E+17"), [FindingCode::ExcelDamage]);
    assert_eq!(one("914403001922038000"), [FindingCode::ExcelDamage]);
    let findings = returned(run(
        "xzcf",
        &penalty_with(json!({"CF_XDR_SHXYM": "12430000MBOL67976N"})),
    ));
    assert_eq!(findings[0].code, FindingCode::UsccAlphabet);
    assert_eq!(
        findings[0].suggestion.as_deref(),
        Some("12430000MB0L67976N")
    );
    assert!(findings[0].message.contains("第11位"));
    let odd = credit_record::CreditCode::with_checks("91990000MA0000A1").unwrap();
    let odd = penalty_with(json!({"CF_XDR_SHXYM": odd.as_str()}));
    assert_eq!(warnings(run("xzcf", &odd)), [FindingCode::UsccRegion]);
}

#[test]
fn older_codes() {
    let one = |changes| errors(run("xzcf", &penalty_with(changes)));
    assert_eq!(
        one(json!({"CF_XDR_ZZJG": "D21435691"})),
        [FindingCode::OrganisationCodeInvalid]
    );
    assert_eq!(
        one(json!({"CF_XDR_GSZC": "430100000012345"})),
        [FindingCode::RegistrationNumberInvalid]
    );
    accepted(run(
        "xzcf",
        &penalty_with(json!({
            "CF_XDR_ZZJG": "MA4PX7RC-6", "CF_XDR_GSZC": "企独湘长总字第000123号",
        })),
    ));
}

#[test]
fn person_document_faults() {
    let one = |kind: &str, number: &str| {
        let record = licence_with(json!({"XK_XDR_ZJLX": kind, "XK_XDR_ZJHM": number}));
        match run("xzxk", &record) {
            Verdict::Accepted(_) => vec![],
            Verdict::Returned(findings) => {
                let text = serde_json::to_string(&findings).unwrap();
                assert!(!text.contains(&number[..number.len().min(8)]), "{text}");
                findings.into_iter().map(|f| f.code).collect()
            }
        }
    };
    assert_eq!(
        one("身份证", "430102199003071235"),
        [FindingCode::CitizenCheck]
    );
    assert_eq!(
        one("身份证", "430102199002300012"),
        [FindingCode::CitizenDate]
    );
    assert_eq!(
        one("身份证", "43010220990101001X"),
        [FindingCode::CitizenDate]
    );
    assert_eq!(one("身份证", "43010219900307"), [FindingCode::CitizenForm]);
    assert_eq!(
        one("身份证", "43012119491001001*"),
        [FindingCode::CitizenForm]
    );
    assert_eq!(
        one("身份证", "430102199003071000"),
        [FindingCode::ExcelDamage]
    );
    assert_eq!(one("身份证", "4.30102E+17"), [FindingCode::ExcelDamage]);
    assert_eq!(
        one("身份证", "911124198108030024"),
        [FindingCode::CitizenForm]
    );
    assert_eq!(
        one("外国人永久居留身份证", "430102199003071242"),
        [FindingCode::CitizenForm]
    );
    assert_eq!(one("护照号", "E1"), [FindingCode::DocumentForm]);
    assert_eq!(
        one("港澳居民来往内地通行证", "X12345678"),
        [FindingCode::DocumentForm]
    );
    assert_eq!(
        one("台湾居民来往大陆通行证", "1234567"),
        [FindingCode::DocumentForm]
    );
    for (kind, number) in [
        ("身份证", "810000199408230021"),
        ("外国人永久居留身份证", "911124198108030024"),
        ("外国人永久居留身份证", "CAN110081080302"),
        ("护照号", "EA1234567"),
        ("港澳居民来往内地通行证", "H12345678"),
        ("台湾居民来往大陆通行证", "12345678"),
        ("其他-难民证", "A-0001234"),
    ] {
        assert_eq!(one(kind, number), [], "{kind}");
    }
}

#[test]
fn fifteen_digits_are_kept_and_keyed_by_eighteen() {
    let record = licence_with(json!({"XK_XDR_ZJHM": "430102900307123"}));
    let accepted = accepted(run("xzxk", &record));
    assert_eq!(accepted.values["XK_XDR_ZJHM"], "430102900307123");
    assert_eq!(
        accepted.subject.person_document.unwrap().number(),
        "430102199003071234"
    );
    assert_eq!(accepted.warnings[0].code, FindingCode::CitizenLegacy);
}

#[test]
fn names_of_subjects() {
    let one = |name: &str| errors(run("xzcf", &penalty_with(json!({"CF_XDR_MC": name}))));
    for dummy in ["测试", "TEST", "12345", "张三", "——"] {
        assert_eq!(one(dummy), [FindingCode::SubjectDummy], "{dummy}");
    }
    for signs in [
        "湖南***有限公司",
        "湖南客?家有限公司",
        "湖南\u{FFFD}家有限公司",
    ] {
        assert_eq!(one(signs), [FindingCode::NameCharacters], "{signs}");
    }
    let rare = penalty_with(json!({"CF_FRDB": "陈\u{E0A1}"}));
    assert_eq!(warnings(run("xzcf", &rare)), [FindingCode::NamePrivateUse]);
    accepted(run(
        "xzcf",
        &penalty_with(json!({"CF_XDR_MC": "湖南软件测试技术有限公司", "CF_FRDB": "陈𠮷"})),
    ));
    let person = licence_with(json!({"XK_XDR_MC": "张三"}));
    assert_eq!(warnings(run("xzxk", &person)), [FindingCode::SubjectDummy]);
}

#[test]
fn codes_are_stable_and_unique() {
    let mut texts = std::collections::BTreeSet::new();
    for code in FindingCode::all() {
        assert_eq!(code.as_str().parse(), Ok(*code));
        let screaming = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_';
        assert!(code.as_str().bytes().all(screaming) && !code.label().is_empty());
        assert!(texts.insert(code.as_str()));
    }
    assert!("NIX".parse::<FindingCode>().is_err());
}

#[test]
fn errors_come_first_and_are_bounded() {
    let record = penalty_with(json!({"CF_CFLB": "警告", "CF_XDR_SHXYM": "91430102MA4PX7RC65"}));
    let severities: Vec<_> = returned(run("xzcf", &record))
        .iter()
        .map(|f| f.severity)
        .collect();
    assert_eq!(
        severities,
        [Severity::Error, Severity::Warning, Severity::Warning]
    );
    let nonsense: serde_json::Map<_, _> = (0..250).map(|i| (format!("x{i}"), json!(1))).collect();
    assert_eq!(returned(run("xzcf", &nonsense)).len(), 100);
}

proptest! {
    #[test]
    fn no_bytes_make_a_check_panic(content in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(matches!(bytes("xzcf", &content), Verdict::Returned(_)));
    }

    #[test]
    fn no_value_makes_a_check_panic_and_verdicts_repeat(
        field in 0usize..30, value in "\\PC{0,40}",
    ) {
        let mut record = penalty();
        record.insert(item("xzcf").fields[field].code.clone(), json!(value));
        prop_assert_eq!(run("xzcf", &record), run("xzcf", &record));
    }
}
