//! Findings for identifiers: credit codes, organisation codes, registration numbers, personal documents.
//! Called by the field checks. Translates the rules of [`crate::id`] into what a provider must read;
//! numbers of persons are repeated neither in a message nor in a suggestion.

use time::Date;

use super::Sheet;
use super::fields::spoilt;
use super::finding::{Finding, FindingCode};
use crate::id::{
    CitizenNumber, CreditCode, HkMacaoPass, IdRule, OrganisationCode, Passport, PermanentResidence,
    RegistrationNumber, TaiwanPass,
};
use crate::item::{Field, Format, Roles};
use crate::normalise::{Damage, lost_digits};

const USCC: &str = "gb-32100";
const CITIZEN: &str = "gb-11643";
const DOCUMENT: &str = "document-form";

/// Document types with a form of their own.
const RESIDENT: &str = "身份证";
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

/// Type of the personal document in a field: what the record says, or that of the item.
pub(super) fn document_kind<'s>(sheet: &'s Sheet<'_>, role: Option<&str>) -> Option<&'s str> {
    match role {
        Some(role) => sheet.text(role),
        None => Some(RESIDENT),
    }
}

/// Checks a coded field by its format. Personal documents need their type and come later.
pub(super) fn code(field: &Field, value: &str) -> Option<Finding> {
    match field.format {
        Format::CreditCode => credit_code(field, value),
        Format::OrganisationCode => OrganisationCode::parse(value).err().map(|_| {
            let message = format!("字段“{}”应为8位本体代码加1位校验码，请核对", field.name);
            let code = FindingCode::OrganisationCodeInvalid;
            Finding::error(code, "gb-11714", &field.code, message)
        }),
        Format::RegistrationNumber => registration_number(field, value),
        _ => None,
    }
}

fn credit_code(field: &Field, value: &str) -> Option<Finding> {
    let name = &field.name;
    let error = match CreditCode::parse(value) {
        Ok(code) if code.region_known() => return None,
        Ok(_) => {
            let message = format!("字段“{name}”第3至8位的行政区划码无法识别，请核对");
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
        return Some(spoilt(field, Damage::LostDigits));
    }
    let at = error.position.map_or(0, |p| p + 1);
    let (code, message) = match error.rule {
        IdRule::Length => (FindingCode::UsccLength, format!("字段“{name}”应为18位")),
        IdRule::Alphabet => (
            FindingCode::UsccAlphabet,
            format!(
                "字段“{name}”第{at}位不是允许的代码字符（不使用字母I、O、S、V、Z，第3至8位为数字）"
            ),
        ),
        IdRule::Dummy => (
            FindingCode::UsccDummy,
            format!("字段“{name}”是占位值，请填写真实代码"),
        ),
        IdRule::Category => (
            FindingCode::UsccCategory,
            format!("字段“{name}”第1、2位的登记管理部门与机构类别不成立（第{at}位）"),
        ),
        IdRule::PersonalNumber => (
            FindingCode::UsccCategory,
            format!("字段“{name}”填写的是个人证件号码，请填写统一社会信用代码"),
        ),
        IdRule::InnerCheck => (
            FindingCode::UsccInnerCheck,
            format!("字段“{name}”第9至17位主体标识码的校验位（第17位）不符，请核对"),
        ),
        IdRule::Check | IdRule::Date | IdRule::DateFuture => (
            FindingCode::UsccCheck,
            format!("字段“{name}”的校验位（第18位）不符，请逐位核对"),
        ),
    };
    let suggestion = error.suggestion.map(|s| s.as_str().to_owned());
    Some(Finding::error(code, USCC, &field.code, message).suggest(suggestion))
}

/// Numbers of before 2007 (13 digits, 企独湘长总字第…号) follow no rule; 15 digits have a check digit.
fn registration_number(field: &Field, value: &str) -> Option<Finding> {
    let digits = value.len() == 15 && value.bytes().all(|b| b.is_ascii_digit());
    if !digits {
        return None;
    }
    let error = RegistrationNumber::parse(value).err()?;
    if error.rule == IdRule::Check && lost_digits(value) {
        return Some(spoilt(field, Damage::LostDigits));
    }
    let message = format!("字段“{}”的校验位（第15位）不符，请核对", field.name);
    let code = FindingCode::RegistrationNumberInvalid;
    Some(Finding::error(code, "gs-15", &field.code, message))
}

/// Checks the number of a personal document by its type.
pub(super) fn document(field: &Field, kind: &str, value: &str, today: Date) -> Option<Finding> {
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
        return Some(spoilt(field, Damage::LostDigits));
    }
    let at = error.position.map_or(0, |p| p + 1);
    let (code, message) = match error.rule {
        IdRule::Length => (FindingCode::CitizenForm, format!("字段“{name}”应为18位")),
        IdRule::Dummy => (
            FindingCode::CitizenForm,
            format!("字段“{name}”是占位值，请填写真实号码"),
        ),
        IdRule::Date => (
            FindingCode::CitizenDate,
            format!("字段“{name}”第7至14位不是合法的出生日期"),
        ),
        IdRule::DateFuture => (
            FindingCode::CitizenDate,
            format!("字段“{name}”第7至14位的出生日期晚于接收日期"),
        ),
        IdRule::Check => (
            FindingCode::CitizenCheck,
            format!("字段“{name}”的校验位（第18位）不符，请逐位核对"),
        ),
        IdRule::Alphabet | IdRule::Category | IdRule::InnerCheck | IdRule::PersonalNumber => (
            FindingCode::CitizenForm,
            format!("字段“{name}”第{at}位不是数字（末位可以是大写字母X）"),
        ),
    };
    // The repaired number is personal: say where to look instead of repeating it.
    let suggestion = error.suggestion.map(|_| match at {
        18 => "第18位疑为大写字母X或形近的数字，请核对".to_owned(),
        at => format!("第{at}位疑为形近的数字（如字母O与数字0），请核对"),
    });
    Some(Finding::error(code, CITIZEN, &field.code, message).suggest(suggestion))
}

/// Document type and number of the subject; a citizen number in its 18-character form.
pub(super) fn subject_document(sheet: &Sheet<'_>) -> Option<(String, String)> {
    let roles = &sheet.item().roles;
    let number = sheet.text(roles.person_document_number.as_deref()?)?;
    let kind = document_kind(sheet, roles.person_document_type.as_deref())?;
    let key = match kind {
        RESIDENT => CitizenNumber::parse(number, sheet.ctx().received_on).ok(),
        _ => None,
    };
    let number = key.as_ref().map_or(number, CitizenNumber::as_str);
    Some((kind.to_owned(), number.to_owned()))
}

/// A check digit that somebody answers for is a warning: real organisations bear such codes. Every other
/// fault stays what it is, and a personal number can never be attested.
pub(super) fn attested(sheet: &Sheet<'_>, field: &Field, found: Finding) -> Finding {
    let legacy = matches!(
        found.code,
        FindingCode::UsccCheck
            | FindingCode::UsccInnerCheck
            | FindingCode::OrganisationCodeInvalid
            | FindingCode::RegistrationNumberInvalid
    );
    if !legacy || !sheet.ctx().is_attested(&field.code) {
        return found;
    }
    let message = format!("字段“{}”的校验位不符，经报送单位核实保留原代码", field.name);
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
