//! Findings for identifiers: credit codes, organisation codes, registration numbers, personal documents.
//! Called by the field checks. Translates the rules of [`crate::id`] into what a provider must read;
//! numbers of persons are repeated neither in a message nor in a suggestion.

use time::Date;

use super::RecordValues;
use super::fields::damage_finding;
use super::finding::{Finding, FindingCode};
use crate::id::{
    CitizenNumber, CreditCode, HkMacaoPass, IdError, IdRule, LegacyCode, LegacyKind,
    OrganisationCode, Passport, PermanentResidence, RegistrationNumber, TaiwanPass,
    reads_as_person,
};
use crate::item::{Field, FieldKind, Publication, Roles, ValueFormat};
use crate::normalise::{SpreadsheetDamage, lost_digits};
use crate::person::{PersonDocument, RESIDENT};

const USCC: &str = "gb-32100";
const CITIZEN: &str = "gb-11643";
const DOCUMENT: &str = "document-form";

/// Document types with a form of their own, beside [`RESIDENT`].
const FOREIGN_RESIDENT: &str = "外国人永久居留身份证";
const PASSPORT: &str = "护照号";
const HK_MACAO_PASS: &str = "港澳居民来往内地通行证";
const TAIWAN_PASS: &str = "台湾居民来往大陆通行证";

/// The fields with personal documents: number and type. Without a type the number is a citizen number.
pub(super) fn document_roles(roles: &Roles) -> impl Iterator<Item = (&str, Option<&str>)> {
    let pairs = [
        (&roles.person_document_number, &roles.person_document_type),
        (
            &roles.representative_document_number,
            &roles.representative_document_type,
        ),
    ];
    pairs
        .into_iter()
        .filter_map(|(number, kind)| Some((number.as_deref()?, kind.as_deref())))
}

/// Type of the personal document in a field: that of the record, or that of the item.
pub(super) fn document_kind<'s>(
    record_values: &'s RecordValues<'_>,
    role: Option<&str>,
) -> Option<&'s str> {
    match role {
        Some(role) => record_values.text(role),
        None => Some(RESIDENT),
    }
}

/// What a provider reads when a rule fails: `{at}` is the character counted from 1, `{part}` the part of the
/// birth date. The first row of a rule counts.
type Wording = [(IdRule, FindingCode, &'static str)];

const CREDIT_CODE: &Wording = &[
    (IdRule::Length, FindingCode::UsccLength, "应为18位"),
    (
        IdRule::Alphabet,
        FindingCode::UsccAlphabet,
        "第{at}位不是允许的代码字符（不使用字母I、O、S、V、Z，第3至8位为数字）",
    ),
    (
        IdRule::Dummy,
        FindingCode::UsccDummy,
        "是占位值，请填写真实代码",
    ),
    (
        IdRule::Category,
        FindingCode::UsccCategory,
        "第1、2位的登记管理部门与机构类别不成立（第{at}位）",
    ),
    (
        IdRule::PersonalNumber,
        FindingCode::UsccCategory,
        "填写的是个人证件号码，请填写统一社会信用代码",
    ),
    (
        IdRule::InnerCheck,
        FindingCode::UsccInnerCheck,
        "第9至17位主体标识码的校验位（第17位）不符，请核对",
    ),
    (
        IdRule::Check,
        FindingCode::UsccCheck,
        "的校验位（第18位）不符，请逐位核对",
    ),
];

const ORGANISATION_CODE: &Wording = &[
    (
        IdRule::Length,
        FindingCode::OrganisationCodeInvalid,
        "应为9位（8位本体代码加1位校验码）",
    ),
    (
        IdRule::Alphabet,
        FindingCode::OrganisationCodeInvalid,
        "第{at}位不是允许的代码字符（前8位为数字或大写字母，末位为数字或大写字母X）",
    ),
    (
        IdRule::Dummy,
        FindingCode::OrganisationCodeInvalid,
        "是占位值，请填写真实代码",
    ),
    (
        IdRule::Check,
        FindingCode::OrganisationCodeInvalid,
        "的校验码（第{at}位）不符，请逐位核对",
    ),
];

const REGISTRATION_NUMBER: &Wording = &[
    (
        IdRule::Dummy,
        FindingCode::RegistrationNumberInvalid,
        "是占位值，请填写真实注册号",
    ),
    (
        IdRule::Check,
        FindingCode::RegistrationNumberInvalid,
        "的校验位（第{at}位）不符，请核对",
    ),
];

const CITIZEN_NUMBER: &Wording = &[
    (IdRule::Length, FindingCode::CitizenForm, "应为18位"),
    (
        IdRule::Alphabet,
        FindingCode::CitizenForm,
        "第{at}位不是数字（末位可以是大写字母X）",
    ),
    (
        IdRule::Dummy,
        FindingCode::CitizenForm,
        "是占位值，请填写真实号码",
    ),
    (
        IdRule::Date,
        FindingCode::CitizenDate,
        "的出生日期不成立：{part}有误",
    ),
    (
        IdRule::DateFuture,
        FindingCode::CitizenDate,
        "的出生日期晚于接收日期：{part}",
    ),
    (
        IdRule::Check,
        FindingCode::CitizenCheck,
        "的校验位（第18位）不符，请逐位核对",
    ),
];

/// The finding for an error of the library, with the message from the table of its kind. `count` is the number of
/// characters of the value. A rule that the kind does not have gets `otherwise` and the position.
fn identifier_finding(
    wording: &Wording,
    otherwise: FindingCode,
    rule: &'static str,
    field: &Field,
    error: &IdError,
    count: usize,
) -> Finding {
    let row = wording.iter().find(|row| row.0 == error.rule);
    let (code, text) = row.map_or((otherwise, "第{at}位不符，请核对"), |row| {
        (row.1, row.2)
    });
    let at = error.position.map_or(0, |p| p + 1).to_string();
    let text = text
        .replace("{at}", &at)
        .replace("{part}", birth_part(error.position, count));
    Finding::error(
        code,
        rule,
        &field.code,
        format!("字段“{}”{text}", field.name),
    )
}

/// The part of a birth date that a position lies in; 15 digits have the year without its century.
fn birth_part(position: Option<usize>, count: usize) -> &'static str {
    match (count, position) {
        (15, Some(6)) => "年份（第7、8位）",
        (15, Some(8)) => "月份（第9、10位）",
        (15, _) => "日（第11、12位）",
        (_, Some(6)) => "年份（第7至10位）",
        (_, Some(10)) => "月份（第11、12位）",
        (_, _) => "日（第13、14位）",
    }
}

/// Checks a coded field by its format. Personal documents need their type and come later.
pub(super) fn check_code(field: &Field, value: &str) -> Option<Finding> {
    match field.format {
        ValueFormat::CreditCode => credit_code(field, value),
        ValueFormat::OrganisationCode => organisation_code(field, value),
        ValueFormat::RegistrationNumber => registration_number(field, value),
        _ => None,
    }
}

fn credit_code(field: &Field, value: &str) -> Option<Finding> {
    let error = match CreditCode::parse(value) {
        Ok(code) if code.region_known() => return None,
        Ok(_) => {
            let message = format!("字段“{}”第3至8位的行政区划码无法识别，请核对", field.name);
            return Some(Finding::warning(
                FindingCode::UsccRegion,
                USCC,
                &field.code,
                message,
            ));
        }
        Err(error) => error,
    };
    if error.rule == IdRule::Check && lost_digits(value) {
        return Some(damage_finding(field, SpreadsheetDamage::LostDigits));
    }
    let suggestion = error.suggestion.map(|s| s.as_str().to_owned());
    let otherwise = FindingCode::UsccCheck;
    Some(
        identifier_finding(CREDIT_CODE, otherwise, USCC, field, &error, 18)
            .with_suggestion(suggestion),
    )
}

fn organisation_code(field: &Field, value: &str) -> Option<Finding> {
    let error = OrganisationCode::parse(value).err()?;
    let suggestion = error.suggestion.map(|s| s.as_str().to_owned());
    let otherwise = FindingCode::OrganisationCodeInvalid;
    Some(
        identifier_finding(
            ORGANISATION_CODE,
            otherwise,
            "gb-11714",
            field,
            &error,
            value.len(),
        )
        .with_suggestion(suggestion),
    )
}

/// Numbers of before 2007 (13 digits, 企独湘长总字第…号) follow no rule; 15 digits have a check digit.
fn registration_number(field: &Field, value: &str) -> Option<Finding> {
    let digits = value.len() == 15 && value.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return None;
    }
    let error = RegistrationNumber::parse(value).err()?;
    if error.rule == IdRule::Check && lost_digits(value) {
        return Some(damage_finding(field, SpreadsheetDamage::LostDigits));
    }
    let otherwise = FindingCode::RegistrationNumberInvalid;
    Some(identifier_finding(
        REGISTRATION_NUMBER,
        otherwise,
        "gs-15",
        field,
        &error,
        15,
    ))
}

/// A person's number in a published field that is meant for an organisation. Credit codes have a rule of
/// their own against it; fields that are masked as documents (a tax number of an 个体工商户 is its owner's
/// number) are not published.
pub(super) fn misplaced_person(
    record_values: &RecordValues<'_>,
    field: &Field,
    value: &str,
) -> Option<Finding> {
    let public = field.kind == FieldKind::Code
        && field.publication == Publication::Public
        && field.format != ValueFormat::CreditCode
        && !field.is_personal();
    if !public || !holds_person(record_values, field.format, value) {
        return None;
    }
    let message = format!(
        "字段“{}”对外公开，填写的是个人证件号码；请改填单位的号码，没有的请留空",
        field.name
    );
    let code = FindingCode::PersonalNumberMisplaced;
    Some(Finding::error(
        code,
        "personal-number",
        &field.code,
        message,
    ))
}

fn holds_person(record_values: &RecordValues<'_>, format: ValueFormat, value: &str) -> bool {
    let read = |text: &str| CitizenNumber::parse(text, record_values.ctx().received_on).ok();
    match (value.len(), format) {
        // Since 2015 the credit code is the registration number.
        (18, _) => read(value).is_some() && CreditCode::parse(value).is_err(),
        // A date comes about by chance in many registration numbers of counties (7th digit 6 to 9 and more
        // than 10,000 个体工商户), so that a fitting check digit indicates one, unless the record itself
        // states whose number it is.
        (15, ValueFormat::RegistrationNumber) if reads_as_person(value.as_bytes(), false) => {
            RegistrationNumber::parse(value).is_err() || {
                let number = read(value);
                let fields = record_values
                    .item()
                    .fields
                    .iter()
                    .filter(|f| f.is_personal());
                let mut given = fields.filter_map(|f| read(record_values.text(&f.code)?));
                number.is_some_and(|number| given.any(|other| other == number))
            }
        }
        _ => false,
    }
}

/// Checks the number of a personal document by its type.
pub(super) fn check_document(
    field: &Field,
    kind: &str,
    value: &str,
    today: Date,
) -> Option<Finding> {
    let error = match kind {
        RESIDENT => return citizen(field, value, today, false),
        FOREIGN_RESIDENT if value.chars().count() == 18 => {
            return citizen(field, value, today, true);
        }
        FOREIGN_RESIDENT => PermanentResidence::parse(value, today).err(),
        PASSPORT => Passport::parse(value).err(),
        HK_MACAO_PASS => HkMacaoPass::parse(value).err(),
        TAIWAN_PASS => TaiwanPass::parse(value).err(),
        // 其他-…: a document of which nothing is known.
        _ if value.chars().count() >= 4 => return None,
        _ => {
            let message = format!("字段“{}”的格式与所填证件类型不符，请核对", field.name);
            let code = FindingCode::DocumentForm;
            return Some(Finding::error(code, DOCUMENT, &field.code, message));
        }
    };
    error.map(|error| {
        let place = match error.position {
            Some(at) => format!("（第{}位）", at + 1),
            None => String::new(),
        };
        let message = format!(
            "字段“{}”的格式与所填证件类型不符{place}，请核对",
            field.name
        );
        Finding::error(FindingCode::DocumentForm, DOCUMENT, &field.code, message)
    })
}

fn citizen(field: &Field, value: &str, today: Date, foreign: bool) -> Option<Finding> {
    let name = &field.name;
    let error = match CitizenNumber::parse(value, today) {
        Ok(number) if number.derived_from_15() => {
            let message = format!("字段“{name}”是15位旧号码，请改报18位号码");
            let code = FindingCode::CitizenLegacy;
            return Some(Finding::warning(code, CITIZEN, &field.code, message));
        }
        Ok(number) if number.is_foreign_resident() != foreign => {
            let message = format!("字段“{name}”与所填证件类型不符，请核对");
            let code = FindingCode::CitizenForm;
            return Some(Finding::error(code, CITIZEN, &field.code, message));
        }
        Ok(number) if foreign || number.region_known() => return None,
        Ok(_) => {
            let message = format!("字段“{name}”前6位的地区码无法识别，请核对");
            let code = FindingCode::CitizenRegion;
            return Some(Finding::warning(code, CITIZEN, &field.code, message));
        }
        Err(error) => error,
    };
    if error.rule == IdRule::Check && lost_digits(value) {
        return Some(damage_finding(field, SpreadsheetDamage::LostDigits));
    }
    let at = error.position.map_or(0, |p| p + 1);
    // The repaired number is personal: the position is named instead of repeating it.
    let suggestion = error.suggestion.map(|_| match at {
        18 => "第18位疑为大写字母X或形近的数字，请核对".to_owned(),
        at => format!("第{at}位疑为形近的数字（如字母O与数字0），请核对"),
    });
    let (count, otherwise) = (value.chars().count(), FindingCode::CitizenForm);
    Some(
        identifier_finding(CITIZEN_NUMBER, otherwise, CITIZEN, field, &error, count)
            .with_suggestion(suggestion),
    )
}

/// Document of the subject.
pub(super) fn subject_document(record_values: &RecordValues<'_>) -> Option<PersonDocument> {
    let roles = &record_values.item().roles;
    let number = record_values.text(roles.person_document_number.as_deref()?)?;
    let kind = document_kind(record_values, roles.person_document_type.as_deref())?;
    Some(PersonDocument::new(
        kind,
        number,
        record_values.ctx().received_on,
    ))
}

/// Messages for a legacy code that fails a check. Which checks it may fail decides [`LegacyCode::admit_attested`].
const LEGACY: [(ValueFormat, LegacyKind, &[FindingCode]); 3] = [
    (
        ValueFormat::CreditCode,
        LegacyKind::CreditCode,
        &[
            FindingCode::UsccCheck,
            FindingCode::UsccInnerCheck,
            FindingCode::UsccCategory,
        ],
    ),
    (
        ValueFormat::OrganisationCode,
        LegacyKind::OrganisationCode,
        &[FindingCode::OrganisationCodeInvalid],
    ),
    (
        ValueFormat::RegistrationNumber,
        LegacyKind::RegistrationNumber,
        &[FindingCode::RegistrationNumberInvalid],
    ),
];

/// An attested legacy code is a warning: real organisations bear such codes. Every other
/// fault stays what it is: fillers, wrong lengths and alphabets, persons' numbers, damage, a blank attester. What
/// cannot be attested is not offered for confirmation either.
pub(super) fn apply_attestation(
    record_values: &RecordValues<'_>,
    field: &Field,
    value: &str,
    mut found: Finding,
) -> Finding {
    if !found.confirmable {
        return found;
    }
    let legacy = LEGACY
        .iter()
        .find(|(format, _, codes)| *format == field.format && codes.contains(&found.code));
    let Some((_, kind, _)) = legacy else {
        return found;
    };
    let answers = record_values.ctx().attestations.iter();
    let admitted = answers
        .filter(|a| a.field == field.code)
        .find_map(|a| LegacyCode::admit_attested(*kind, value, a.attester).ok());
    let Some(admitted) = admitted else {
        found.confirmable = LegacyCode::admit_attested(*kind, value, "经办人").is_ok();
        return found;
    };
    let failed = match admitted.rule() {
        IdRule::Category => "第1、2位的登记管理部门与机构类别不成立",
        _ => "的校验位不符",
    };
    let message = format!("字段“{}”{failed}，经核实保留原代码", field.name);
    Finding::warning(
        FindingCode::LegacyAttested,
        "legacy-code",
        &field.code,
        message,
    )
}

/// An old 个体工商户 without a credit code is taken (D-12), and the provider is asked for it.
pub(super) fn individual_without_code(field: &str) -> Finding {
    Finding::warning(
        FindingCode::SubjectCodeMissing,
        "subject-fields",
        field,
        "个体工商户应填写统一社会信用代码，确无代码的请忽略",
    )
}
