//! Each field by itself: given where it must be, fitting its kind, length, list and format. Called by
//! [`super::check_record`] before the rules over several fields.

use super::RecordValues;
use super::finding::{Finding, FindingCode, Findings};
use super::{identifiers, text};
use crate::item::{CodeList, Condition, Field, FieldKind, Requirement, SubjectKind, ValueFormat};
use crate::normalise::{
    DateFault, Decimal, NameMask, SpreadsheetDamage, amount_fault, date_fault, find_damage,
    masked_name,
};

const FIELD: &str = "field";

/// Names under which tests and fillers come in.
const DUMMY_NAMES: [&str; 22] = [
    "测试",
    "测试公司",
    "测试企业",
    "测试数据",
    "测试单位",
    "测试用户",
    "test",
    "demo",
    "无",
    "未知",
    "不详",
    "某某",
    "某公司",
    "某某公司",
    "xxx",
    "xx",
    "空",
    "/",
    "-",
    "abc",
    "null",
    "企业名称",
];
/// Filler names of persons, which some real persons bear.
const PLACEHOLDER_PERSONS: [&str; 3] = ["张三", "李四", "王五"];
/// Signs that no name of an organisation or a person has; `*` is a masked name.
const FORBIDDEN_SIGNS: &[char] = &[
    '*', '＊', '?', '？', '#', '@', '$', '%', '^', '=', '~', '`', '|', '\\', '<', '>', '{', '}',
    '[', ']', '_', ';', '!', '！', '□', '■', '〓', '★', '※', '\n', '\t', '\u{FFFD}',
];

/// Checks every field and marks those at fault.
pub(super) fn check_fields(record_values: &mut RecordValues<'_>, findings: &mut Findings) {
    let item = record_values.item();
    for (index, field) in item.fields.iter().enumerate() {
        if record_values.faulty_at(index) {
            continue;
        }
        let mut in_text = [None, None];
        let found = match record_values.value_at(index) {
            None if required(record_values, field) => Some(Finding::error(
                FindingCode::RequiredMissing,
                FIELD,
                &field.code,
                format!("字段“{}”必须填写", field.name),
            )),
            None => None,
            Some(value) => {
                let found = check_field(record_values, field, value);
                if found.is_none() {
                    in_text = text::check_text(record_values, field, value);
                }
                found.map(|f| identifiers::apply_attestation(record_values, field, value, f))
            }
        };
        push_finding(record_values, index, found, findings);
        for found in in_text {
            push_finding(record_values, index, found, findings);
        }
    }
    // The type of a document may follow its number, so numbers are checked after all types.
    for (number, kind) in identifiers::document_roles(&item.roles) {
        let Some(index) = item.position(number) else {
            continue;
        };
        let kind = identifiers::document_kind(record_values, kind);
        let found = match (record_values.value_at(index), kind) {
            (Some(value), Some(kind)) => identifiers::check_document(
                &item.fields[index],
                kind,
                value,
                record_values.ctx().received_on,
            ),
            _ => None,
        };
        push_finding(record_values, index, found, findings);
    }
}

fn push_finding(
    record_values: &mut RecordValues<'_>,
    index: usize,
    found: Option<Finding>,
    findings: &mut Findings,
) {
    if let Some(finding) = found {
        if finding.severity == super::Severity::Error {
            record_values.mark_faulty(index);
        }
        findings.push(finding);
    }
}

fn required(record_values: &RecordValues<'_>, field: &Field) -> bool {
    match &field.required {
        Requirement::Always => true,
        Requirement::Optional => false,
        Requirement::When(Condition::Present { field }) => record_values.has_value(field),
        Requirement::When(Condition::OneOf { field, values }) => record_values
            .text(field)
            .is_some_and(|text| values.iter().any(|v| v == text)),
        Requirement::When(Condition::Includes { field, values }) => {
            record_values.text(field).is_some_and(|text| {
                text.split(';')
                    .any(|p| values.iter().any(|v| p.starts_with(v)))
            })
        }
    }
}

fn check_field(record_values: &RecordValues<'_>, field: &Field, value: &str) -> Option<Finding> {
    if let Some(kind) = record_values.kind()
        && !field.allowed_for(kind)
    {
        return Some(misplaced(kind, field));
    }
    if let Some(finding) = characters(field, value) {
        return Some(finding);
    }
    if let Some(finding) = identifiers::misplaced_person(record_values, field, value) {
        return Some(finding);
    }
    // Checks of identifiers are more precise than a check of the length.
    let measured = matches!(
        field.format,
        ValueFormat::Plain
            | ValueFormat::Name
            | ValueFormat::DocumentNumber
            | ValueFormat::PersonDocument
            | ValueFormat::RegistrationNumber
    );
    let longest = field.max_len as usize;
    if measured && value.len() > longest && value.chars().count() > longest {
        return Some(Finding::error(
            FindingCode::ValueTooLong,
            FIELD,
            &field.code,
            format!("字段“{}”最长{}个字符，请核对", field.name, field.max_len),
        ));
    }
    if let Some(damage) = find_damage(field, value) {
        return Some(damage_finding(field, damage));
    }
    if let Some(list) = &field.code_list {
        return code_list(record_values, field, list, value);
    }
    match field.kind {
        FieldKind::Date => date(field, value),
        FieldKind::Decimal => decimal(field, value),
        FieldKind::Code => identifiers::check_code(field, value),
        FieldKind::Text if field.format == ValueFormat::Name => name(record_values, field, value),
        FieldKind::Text => None,
    }
}

fn misplaced(kind: SubjectKind, field: &Field) -> Finding {
    let (code, advice) = match kind {
        SubjectKind::NaturalPerson => {
            (FindingCode::PersonWithOrgFields, "相对人为自然人时不应填写")
        }
        SubjectKind::Organisation | SubjectKind::IndividualBusiness => (
            FindingCode::OrgWithPersonFields,
            "相对人不是自然人时不应填写",
        ),
    };
    Finding::error(
        code,
        "subject-fields",
        &field.code,
        format!("字段“{}”在{advice}", field.name),
    )
}

/// Control characters break databases and pages; 锟斤拷 and U+FFFD are what remains of a wrong encoding.
fn characters(field: &Field, value: &str) -> Option<Finding> {
    let keeps_lines = field.kind == FieldKind::Text && field.format == ValueFormat::Plain;
    let control = |b: u8| (b < 0x20 && !(keeps_lines && matches!(b, b'\n' | b'\t'))) || b == 0x7F;
    let named = field.format == ValueFormat::Name;
    let broken =
        !value.is_ascii() && ((!named && value.contains('\u{FFFD}')) || value.contains("锟斤拷"));
    (broken || value.bytes().any(control)).then(|| {
        Finding::error(
            FindingCode::ValueCharacters,
            FIELD,
            &field.code,
            format!("字段“{}”含有控制字符或编码转换产生的乱码", field.name),
        )
    })
}

fn code_list(
    record_values: &RecordValues<'_>,
    field: &Field,
    list: &CodeList,
    value: &str,
) -> Option<Finding> {
    let allowed = if list.several {
        value.split(';').all(|part| list.allows(part))
    } else {
        list.allows(value)
    };
    if !allowed {
        let mut choice = list.values.join("、");
        if list.open {
            choice.push_str("、其他-补充说明");
        }
        let message = format!("字段“{}”的值不在代码表中，可选：{choice}", field.name);
        return Some(Finding::error(
            FindingCode::CodeList,
            FIELD,
            &field.code,
            message,
        ));
    }
    let item = record_values.item();
    let kind = record_values
        .kind()
        .filter(|_| item.roles.subject_category.as_ref() == Some(&field.code))?;
    (!item.subject_kinds.contains(&kind)).then(|| {
        let message = format!("目录项“{}”不收集{}的信息", item.name, kind.label());
        Finding::error(
            FindingCode::SubjectKindUnexpected,
            FIELD,
            &field.code,
            message,
        )
    })
}

/// What a spreadsheet did to a value; the value that was probably meant is offered, never taken.
pub(super) fn damage_finding(field: &Field, damage: SpreadsheetDamage) -> Finding {
    let message = format!("字段“{}”{}", field.name, damage.advice());
    let code = FindingCode::ExcelDamage;
    Finding::error(code, "spreadsheet", &field.code, message).with_suggestion(damage.suggestion())
}

fn date(field: &Field, value: &str) -> Option<Finding> {
    // Rules compare days as texts, so only the canonical form passes, whatever the item's own steps are.
    let canonical = matches!(value.as_bytes(), [_, _, _, _, b'-', _, _, b'-', _, _]);
    let fault = date_fault(value).or((!canonical).then_some(DateFault::Form))?;
    let message = format!("字段“{}”{}", field.name, fault.advice());
    let code = FindingCode::DateInvalid;
    Some(Finding::error(code, FIELD, &field.code, message).with_suggestion(fault.suggestion()))
}

fn decimal(field: &Field, value: &str) -> Option<Finding> {
    let places = field.decimals.unwrap_or(Decimal::SCALE);
    let fraction = value.split_once('.').map_or("", |(_, f)| f);
    let digits = value.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if digits && !fraction.contains('.') && fraction.len() > places as usize {
        let message = format!("字段“{}”最多{places}位小数", field.name);
        return Some(Finding::error(
            FindingCode::DecimalPrecision,
            FIELD,
            &field.code,
            message,
        ));
    }
    if Decimal::parse(value).is_some() {
        return None;
    }
    let message = format!("字段“{}”{}", field.name, amount_fault(value).advice());
    Some(Finding::error(
        FindingCode::DecimalInvalid,
        FIELD,
        &field.code,
        message,
    ))
}

fn name(record_values: &RecordValues<'_>, field: &Field, value: &str) -> Option<Finding> {
    if value.contains(FORBIDDEN_SIGNS) {
        let message = format!("字段“{}”含有名称中不应出现的符号，或名称被遮蔽", field.name);
        return Some(Finding::error(
            FindingCode::NameCharacters,
            "name",
            &field.code,
            message,
        ));
    }
    if field.code == record_values.item().roles.subject_name {
        let lower = value.to_ascii_lowercase();
        let person = record_values.kind() == Some(SubjectKind::NaturalPerson);
        let message = format!("字段“{}”像是测试或占位内容，请填写真实名称", field.name);
        let code = FindingCode::SubjectDummy;
        if PLACEHOLDER_PERSONS.contains(&value) && person {
            return Some(Finding::warning(code, "name", &field.code, message));
        }
        let no_letter = !value.chars().any(char::is_alphabetic);
        if no_letter || DUMMY_NAMES.contains(&&*lower) || PLACEHOLDER_PERSONS.contains(&value) {
            return Some(Finding::error(code, "name", &field.code, message));
        }
    }
    match masked_name(value) {
        Some(NameMask::Signs) => {
            let message = format!("字段“{}”的名称被遮蔽，请填写全称", field.name);
            let code = FindingCode::NameCharacters;
            return Some(Finding::error(code, "name", &field.code, message));
        }
        Some(NameMask::Word) => {
            let message = format!("字段“{}”像是遮蔽过的姓名，请填写真实姓名", field.name);
            let code = FindingCode::NameMasked;
            return Some(Finding::warning(code, "name", &field.code, message));
        }
        None => {}
    }
    let private = |c| matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{10FFFD}');
    value.contains(private).then(|| {
        let message = format!("字段“{}”含有自造字，其他系统可能无法显示", field.name);
        Finding::warning(FindingCode::NamePrivateUse, "name", &field.code, message)
    })
}
