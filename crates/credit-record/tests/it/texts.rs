//! What may not stand in a text: numbers of persons where everybody reads it, marks of classification.

use credit_record::check::{PersonalNumber, personal_numbers};
use credit_record::{FindingCode, Severity};
use serde_json::json;

use crate::support::*;

fn kinds(text: &str) -> Vec<(PersonalNumber, &str)> {
    personal_numbers(text)
        .map(|(place, kind)| (kind, &text[place]))
        .collect()
}

#[test]
fn numbers_are_found_in_every_dress() {
    use PersonalNumber::{BankCard, Citizen, Mobile, OldCitizen};
    for (text, expected) in [
        (
            "当事人（身份证号430102199003071242）在店内",
            (Citizen, "430102199003071242"),
        ),
        ("11010519491231002X；", (Citizen, "11010519491231002X")),
        (
            "证件４３０１０２１９９００３０７１２４２",
            (Citizen, "４３０１０２１９９００３０７１２４２"),
        ),
        ("430102 19900307 1242", (Citizen, "430102 19900307 1242")),
        (
            "4301021990\u{200B}03071242",
            (Citizen, "4301021990\u{200B}03071242"),
        ),
        ("编号430102199003071242", (Citizen, "430102199003071242")),
        ("旧证430102900307123。", (OldCitizen, "430102900307123")),
        ("电话13812345678", (Mobile, "13812345678")),
        ("电话 138-1234-5678 转", (Mobile, "138-1234-5678")),
        ("＋8613812345678", (Mobile, "8613812345678")),
        (
            "退款至6222 0200 0000 0000 000",
            (BankCard, "6222 0200 0000 0000 000"),
        ),
        ("卡号4111111111111111", (BankCard, "4111111111111111")),
    ] {
        assert_eq!(kinds(text), [expected], "{text}");
    }
    let two = "张某13812345678、李某13912345678";
    assert_eq!(kinds(two).len(), 2);
}

#[test]
fn numbers_of_organisations_documents_and_amounts_are_left_alone() {
    for text in [
        "",
        "罚款2000元",
        "统一社会信用代码91430102MA4PX7RC64",
        "统一社会信用代码11430100006123458R",
        "长市监罚决〔2026〕123号",
        "工商注册号430100000012345",
        "食品经营许可证JY24301040000001",
        "许可证编号：4111111111111111",
        "案号（4111111111111111）",
        "登记号为13812345678",
        "注册资本13800000000元",
        "投资额 13800000000.50 元",
        "货值￥13812345678",
        "2026年6月10日至2026年7月10日",
        "联系电话0731-88665544",
        "20260610123456789012345",
        "430102199003071243",
        "13812345678901234567890",
    ] {
        assert_eq!(kinds(text), [], "{text}");
    }
}

#[test]
fn a_number_in_a_published_text_returns_the_record_and_is_not_repeated() {
    let text = "当事人手机13812345678，其父手机13912345678";
    let findings = returned(run("xzcf", &penalty_with(json!({"CF_SY": text}))));
    let [found] = &findings[..] else {
        panic!("{findings:#?}")
    };
    assert_eq!(found.code, FindingCode::PersonalInText);
    assert_eq!(found.field.as_deref(), Some("CF_SY"));
    assert!(!found.confirmable && found.suggestion.is_none());
    let expected = "字段“处罚事由”对外公开，第6个字符起是手机号码（连同其后共2处），请删去后重报";
    let name = &compiled("xzcf", None).item().field("CF_SY").unwrap().name;
    assert_eq!(found.message, expected.replace("处罚事由", name));

    // A remark that is not published may name whom to call.
    let remark = penalty_with(json!({"BZ": "经办人手机13812345678"}));
    assert!(warnings(run("xzcf", &remark)).is_empty());
    // A shop is published like an organisation; a person's record answers entitled queries only.
    let person = licence_with(json!({"XK_NR": "驾驶员，手机13812345678"}));
    let record = accepted(run("xzxk", &person));
    let warned: Vec<_> = record
        .warnings
        .iter()
        .map(|w| (w.code, w.severity))
        .collect();
    assert_eq!(warned, [(FindingCode::PersonalInText, Severity::Warning)]);
}

#[test]
fn a_mark_of_classification_returns_the_record_from_any_text() {
    for field in ["CF_SY", "CF_NR", "BZ"] {
        let record = penalty_with(json!({ field: "机密★10年 关于检查情况的通报。" }));
        let findings = returned(run("xzcf", &record));
        assert_eq!(findings[0].code, FindingCode::ClassifiedInText, "{field}");
        assert_eq!(findings[0].field.as_deref(), Some(field));
        assert!(!findings[0].confirmable);
    }
    let secret =
        penalty_with(json!({"CF_WFXW": "侵犯商业秘密", "CF_SY": "当事人秘密窃取客户名单。"}));
    assert!(warnings(run("xzcf", &secret)).is_empty());
    // Also of a natural person, of whom nothing is published.
    let person = licence_with(json!({"XK_NR": "秘密★长期"}));
    assert_eq!(
        errors(run("xzxk", &person)),
        [FindingCode::ClassifiedInText]
    );
    // Two mistakes of one text are two findings.
    let both = penalty_with(json!({"CF_SY": "秘密★1年 手机13812345678"}));
    assert_eq!(
        errors(run("xzcf", &both)),
        [FindingCode::ClassifiedInText, FindingCode::PersonalInText]
    );
}
