//! Content that a credit record may not hold, found by its words in the names and notes of an item. Called by
//! the lint.
//!
//! Two groups, as 征信业管理条例 art. 14 and 浙江省公共信用信息管理条例 art. 14 have them: what nobody may collect,
//! and what may be collected with the written consent of the subject. An item that rests on such a consent states
//! so in its legal basis (`书面同意`). Words are a net, not a proof: the review by the credit office remains.

use super::{ItemVersion, LintFault};

/// Belief, genes, prints, blood, disease.
const NEVER: [&str; 10] = [
    "宗教信仰",
    "信教",
    "基因",
    "遗传",
    "指纹",
    "血型",
    "疾病",
    "病史",
    "病历",
    "患病",
];

/// Income, deposits, securities, insurance, real estate, amounts of tax.
const WITH_CONSENT: [&str; 15] = [
    "收入",
    "存款",
    "有价证券",
    "证券账户",
    "持有股票",
    "商业保险",
    "人寿保险",
    "保单",
    "投保",
    "不动产",
    "房产",
    "房屋产权",
    "纳税数额",
    "纳税金额",
    "税额",
];

/// Phrases that hold such a word and mean something else: organs, and figures of enterprises. Arrears of
/// social insurance are lawful content and touch none of the words.
const LAWFUL: [&str; 8] = [
    "疾病预防控制",
    "职业病",
    "营业收入",
    "业务收入",
    "非税收入",
    "不动产登记机构",
    "不动产登记中心",
    "房产管理部门",
];

/// Words in the legal basis by which an item claims the consent of the subject.
const CONSENT: &str = "书面同意";

/// Every path of the item that names forbidden content.
pub(super) fn content_faults(item: &ItemVersion) -> Vec<LintFault> {
    let consented = item.legal_basis.iter().any(|b| b.contains(CONSENT));
    let mut faults = Vec::new();
    let mut scan = |path: String, text: &str| {
        let text = LAWFUL
            .iter()
            .fold(text.to_owned(), |rest, phrase| rest.replace(phrase, " "));
        let found = |words: &[&'static str]| words.iter().find(|w| text.contains(**w)).copied();
        if let Some(word) = found(&NEVER) {
            let problem = "content that a credit record may not hold (征信业管理条例 art. 14)";
            faults.push(LintFault::new(path, problem).with_detail(word));
        } else if let Some(word) = found(&WITH_CONSENT).filter(|_| !consented) {
            let problem = "content that needs the written consent of the subject as legal basis \
                           (征信业管理条例 art. 14)";
            faults.push(LintFault::new(path, problem).with_detail(word));
        }
    };
    scan("name".to_owned(), &item.name);
    scan("entry.conduct".to_owned(), &item.entry.conduct);
    for field in &item.fields {
        scan(format!("fields.{}.name", field.code), &field.name);
        scan(format!("fields.{}.note", field.code), &field.note);
    }
    faults
}
