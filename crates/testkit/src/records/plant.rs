//! One error for one record, with the finding code that it must get and no other. Called by the generator
//! for one record in twenty.

use credit_record::id::IdRule;
use credit_record::normalise::format_day;
use credit_record::{CreditCode, FindingCode, SubjectKind};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use time::Duration;

use super::content::RecordDraft;
use super::{pick, subjects};

/// What was planted.
pub(super) struct PlantedError {
    pub code: FindingCode,
    /// Damage to the bytes, where the error is one of form.
    pub damage: Option<ByteDamage>,
}

/// Changes the bytes of a record.
pub(super) type ByteDamage = fn(Vec<u8>) -> Vec<u8>;
/// Plants its error when it fits this record; `None` when it does not.
type PlantFunction = fn(&mut StdRng, &mut RecordDraft<'_>) -> Option<()>;

/// Errors of form change the bytes; the others change fields.
const FORMS: [(FindingCode, ByteDamage); 5] = [
    (FindingCode::FormNotJson, cut_off),
    (FindingCode::FormNotUtf8, other_encoding),
    (FindingCode::FormNotObject, in_a_list),
    (FindingCode::FormDuplicateField, key_twice),
    (FindingCode::ValueType, number_for_text),
];

const FIELDS: [(FindingCode, PlantFunction); 33] = [
    (FindingCode::FormUnknownField, |_, d| {
        put(d, "_SJC", "2026-01-01 08:00:00")
    }),
    (FindingCode::ValueTooLong, |_, d| {
        d.set("BZ", "补充说明".repeat(150));
        Some(())
    }),
    (FindingCode::ValueCharacters, |_, d| {
        put(d, "_NR", "准予许可锟斤拷锟斤拷")
    }),
    (FindingCode::RequiredMissing, required_missing),
    (FindingCode::CodeList, |_, d| match d.prefix() {
        "XK" => put(d, "_XKLB", "一般许可"),
        _ => put(d, "_CFLB", "批评教育"),
    }),
    (FindingCode::DateInvalid, |rng, d| {
        let date = pick(rng, &["2026-02-30", "2025-13-01", "长期", "26.3.5"]);
        put(d, "_JDRQ", date)
    }),
    (FindingCode::DateOrder, |rng, d| {
        let early = format_day(d.decided - Duration::days(40));
        match (d.prefix(), pick(rng, &[true, false])) {
            ("XK", _) => put(d, "_YXQZI", early),
            ("CF", true) => put(d, "_YXQ", early),
            _ => put(d, "_GSJZQ", early),
        }
    }),
    (FindingCode::DateFuture, |_, d| {
        // Far enough that it is still future when the record arrives some days after `today`.
        let later = format_day(d.today + Duration::days(400));
        d.fields.remove("CF_GSJZQ");
        put(d, "_JDRQ", later)
    }),
    (FindingCode::ExcelDamage, |rng, d| match organisation(d) {
        Some(()) => put(d, "_XDR_SHXYM", "9.1430102E+17"),
        None => put(d, "_XDR_ZJHM", pick(rng, &["4.30102E+17", "4.30121E+17"])),
    }),
    (FindingCode::ExcelDamage, |_, d| put(d, "_JDRQ", "46023")),
    (FindingCode::UsccLength, |_, d| {
        change_code(d, |code| Some(code[..17].to_owned()))
    }),
    (FindingCode::UsccAlphabet, |_, d| {
        change_code(d, |code| {
            Some(code.replacen('0', "O", 1)).filter(|c| c != code)
        })
    }),
    (FindingCode::UsccCheck, |_, d| {
        change_code(d, |code| last_character(code, IdRule::Check))
    }),
    (FindingCode::UsccInnerCheck, |_, d| {
        change_code(d, inner_check)
    }),
    (FindingCode::UsccCategory, |rng, d| {
        // A citizen number of Hunan in place of the credit code: department 4 has no category 3.
        organisation(d)?;
        let number = subjects::citizen_number(rng, d.today);
        put(d, "_XDR_SHXYM", number)
    }),
    (FindingCode::UsccDummy, |_, d| {
        change_code(d, |_| Some("000000000000000000".to_owned()))
    }),
    (FindingCode::CitizenCheck, |_, d| {
        person(d)?;
        let number = d.subject.number.clone();
        // Never a 0: 000 at the end would be taken for the damage of a spreadsheet.
        let other = if number.ends_with('5') { '7' } else { '5' };
        put(d, "_XDR_ZJHM", format!("{}{other}", &number[..17]))
    }),
    (FindingCode::CitizenDate, |_, d| {
        person(d)?;
        let number = d.subject.number.clone();
        put(
            d,
            "_XDR_ZJHM",
            format!("{}0230{}", &number[..10], &number[14..]),
        )
    }),
    (FindingCode::CitizenForm, |_, d| {
        person(d)?;
        let number = d.subject.number.clone();
        put(d, "_XDR_ZJHM", &number[..16])
    }),
    (FindingCode::DocumentForm, |_, d| {
        person(d)?;
        put(d, "_XDR_ZJLX", "港澳居民来往内地通行证")
    }),
    (FindingCode::SubjectCategory, |_, d| {
        organisation(d)?;
        let other = match d.subject.kind {
            SubjectKind::Organisation => SubjectKind::IndividualBusiness,
            _ => SubjectKind::Organisation,
        };
        put(d, "_XDR_LB", other.label())
    }),
    (FindingCode::SubjectDummy, |rng, d| {
        let name = pick(rng, &["测试", "test", "12345", "测试公司"]);
        put(d, "_XDR_MC", name)
    }),
    (FindingCode::NameCharacters, |_, d| {
        let mut masked: String = d.subject.name.chars().take(1).collect();
        masked.push_str("**");
        put(d, "_XDR_MC", masked)
    }),
    (FindingCode::PersonWithOrgFields, |_, d| {
        person(d)?;
        let name = d.subject.name.clone();
        put(d, "_FRDB", name)
    }),
    (FindingCode::OrgWithPersonFields, |_, d| {
        organisation(d)?;
        let number = d.subject.head.1.clone();
        put(d, "_XDR_ZJLX", "身份证")?;
        put(d, "_XDR_ZJHM", number)
    }),
    (FindingCode::PenaltyAmountMissing, |_, d| {
        d.fields.remove("CF_NR_FK").map(|_| ())
    }),
    (FindingCode::DecimalInvalid, |_, d| amount(d, "约2万元")),
    (FindingCode::DecimalPrecision, |_, d| {
        amount(d, "0.20000001")
    }),
    (FindingCode::SourceNotCaller, |rng, d| {
        let other = d.providers[rng.random_range(0..d.providers.len())]
            .code
            .clone();
        let code = if d.prefix() == "XK" {
            "XK_LYDWDM"
        } else {
            "CF_SJLYDM"
        };
        d.set(code, other.as_str());
        (other != d.provider.code).then_some(())
    }),
    (FindingCode::OrganisationCodeInvalid, |_, d| {
        organisation(d)?;
        put(d, "_XDR_ZZJG", "D21435691")
    }),
    (FindingCode::RegistrationNumberInvalid, |_, d| {
        organisation(d)?;
        put(d, "_XDR_GSZC", "430100000012345")
    }),
    (FindingCode::PersonalInText, personal_in_text),
    (FindingCode::ClassifiedInText, |rng, d| {
        let mark = pick(rng, &["秘密★10年", "机密★长期", "秘密 ★ 6个月", "【机密】"]);
        let text = d.text(&d.code("_NR"))?.to_owned();
        put(d, "_NR", format!("{mark} {text}"))
    }),
];

/// Plants one error that fits the record. About one in seven is an error of form.
pub(super) fn plant_error(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> PlantedError {
    let kinds = FORMS.len() + FIELDS.len();
    loop {
        let choice = rng.random_range(0..kinds);
        if let Some((code, damage)) = FORMS.get(choice) {
            return PlantedError {
                code: *code,
                damage: Some(*damage),
            };
        }
        let (code, seed) = FIELDS[choice - FORMS.len()];
        if seed(rng, draft).is_some() {
            return PlantedError { code, damage: None };
        }
    }
}

fn put(draft: &mut RecordDraft<'_>, tail: &str, value: impl Into<Value>) -> Option<()> {
    let code = draft.code(tail);
    draft.set(&code, value);
    Some(())
}

fn organisation(draft: &RecordDraft<'_>) -> Option<()> {
    (draft.subject.kind != SubjectKind::NaturalPerson).then_some(())
}

fn person(draft: &RecordDraft<'_>) -> Option<()> {
    (draft.subject.kind == SubjectKind::NaturalPerson).then_some(())
}

fn amount(draft: &mut RecordDraft<'_>, value: &str) -> Option<()> {
    draft.fields.get("CF_NR_FK")?;
    draft.set("CF_NR_FK", value);
    Some(())
}

/// Somebody's number behind a text that is published. A person's record is not, and only warned about.
fn personal_in_text(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> Option<()> {
    organisation(draft)?;
    let tail = if draft.prefix() == "XK" { "_NR" } else { "_SY" };
    let text = draft.text(&draft.code(tail))?.to_owned();
    let line = rng.random_range(0..1_000_000_000_u64);
    let second = rng.random_range(3..=9);
    let (head, number) = draft.subject.head.clone();
    let added = match rng.random_range(0..4) {
        0 => format!("（负责人{head}，公民身份号码{number}）"),
        1 => format!("联系电话：1{second}{line:09}。"),
        2 => {
            let line = format!("{line:09}");
            format!(
                "联系电话：1{second}{}-{}-{}。",
                &line[..1],
                &line[1..5],
                &line[5..]
            )
        }
        _ => format!("退款账户：{}。", bank_card(line)),
    };
    put(draft, tail, format!("{text}{added}"))
}

/// 19 digits that pass Luhn.
fn bank_card(line: u64) -> String {
    let start = format!("621700292{line:09}");
    let sum: u32 = start
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, byte)| match (at % 2, u32::from(byte - b'0')) {
            (0, digit) if digit > 4 => 2 * digit - 9,
            (0, digit) => 2 * digit,
            (_, digit) => digit,
        })
        .sum();
    format!("{start}{}", (10 - sum % 10) % 10)
}

fn required_missing(rng: &mut StdRng, draft: &mut RecordDraft<'_>) -> Option<()> {
    let tails: &[&str] = match draft.prefix() {
        "XK" => &["_NR", "_XKWS", "_YXQZI", "_XKJG", "_ZT"],
        _ => &["_NR", "_SY", "_YJ", "_YXQ", "_CFJG"],
    };
    let code = draft.code(pick(rng, tails));
    let blank = pick(rng, &["", " ", "\u{3000}"]);
    draft.set(&code, blank);
    Some(())
}

fn change_code(draft: &mut RecordDraft<'_>, change: fn(&str) -> Option<String>) -> Option<()> {
    organisation(draft)?;
    let after = change(&draft.subject.number)?;
    put(draft, "_XDR_SHXYM", after)
}

/// The code with the first other last character that breaks exactly this rule.
fn last_character(code: &str, rule: IdRule) -> Option<String> {
    "123456789ABCDEFGHJKLMNPQRTUWXY"
        .chars()
        .map(|last| format!("{}{last}", &code[..17]))
        .find(|other| CreditCode::parse(other).is_err_and(|error| error.rule == rule))
}

/// A wrong inner check character under a right outer one.
fn inner_check(code: &str) -> Option<String> {
    let other = if &code[16..17] == "1" { '2' } else { '1' };
    last_character(&format!("{}{other}0", &code[..16]), IdRule::InnerCheck)
}

fn cut_off(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.pop();
    bytes
}

/// Two bytes of GBK (长) before the first Chinese character.
fn other_encoding(mut bytes: Vec<u8>) -> Vec<u8> {
    let at = bytes.iter().position(|b| *b >= 0x80).unwrap_or(2);
    bytes.splice(at..at, [0xB3, 0xA4]);
    bytes
}

fn in_a_list(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.insert(0, b'[');
    bytes.push(b']');
    bytes
}

fn key_twice(bytes: Vec<u8>) -> Vec<u8> {
    let key: &[u8] = if is_licence(&bytes) {
        b"{\"XK_NR\":\"-\","
    } else {
        b"{\"CF_NR\":\"-\","
    };
    [key, &bytes[1..]].concat()
}

/// The content of the decision as a list of texts.
fn number_for_text(bytes: Vec<u8>) -> Vec<u8> {
    let key = if is_licence(&bytes) { "XK_NR" } else { "CF_NR" };
    let Ok(Value::Object(mut fields)) = serde_json::from_slice(&bytes) else {
        return bytes;
    };
    fields.insert(key.to_owned(), json!(["一", "二"]));
    Value::Object(fields).to_string().into_bytes()
}

fn is_licence(bytes: &[u8]) -> bool {
    bytes.starts_with(b"{\"XK_")
}
