//! What may not stand in a text: numbers of persons where everybody reads it, and marks of classification anywhere.
//! Called by the field checks. A text without digits and without 密 costs one pass over its bytes.

mod marks;
mod numbers;

pub use numbers::{PersonalNumber, personal_numbers};

use super::RecordValues;
use super::finding::{Finding, FindingCode};
use crate::item::{DisclosureMode, Field, FieldKind, Publication, SubjectKind, ValueFormat};

/// Findings of one text that is without fault otherwise.
pub(super) fn check_text(
    record_values: &RecordValues<'_>,
    field: &Field,
    value: &str,
) -> [Option<Finding>; 2] {
    if field.kind != FieldKind::Text || field.format != ValueFormat::Plain {
        return [None, None];
    }
    let hints = TextHints::from_text(value);
    let classified = (hints.secret && marks::is_classified(value)).then(|| classified(field));
    let public = field.publication == Publication::Public;
    let personal = (public && hints.number)
        .then(|| personal(record_values, field, value))
        .flatten();
    [classified, personal]
}

/// What a text may hold, seen in one pass without decoding it.
struct TextHints {
    /// As many digits as the shortest number of a person has.
    number: bool,
    /// A byte of 密.
    secret: bool,
}

impl TextHints {
    fn from_text(value: &str) -> Self {
        let (mut digits, mut secret) = (0_usize, false);
        for byte in value.bytes() {
            // 0xEF leads full-width digits, and punctuation, about which the search knows more.
            digits += usize::from(byte.is_ascii_digit() || byte == 0xEF);
            secret |= byte == 0x86;
        }
        Self {
            number: digits >= numbers::SHORTEST,
            secret,
        }
    }
}

fn classified(field: &Field) -> Finding {
    let message = format!(
        "字段“{}”带有密级标志；涉密信息不得报送，请停止报送本条并按保密规定处理",
        field.name
    );
    let code = FindingCode::ClassifiedInText;
    Finding::error(code, "classified-text", &field.code, message)
}

/// Says which kind of number and where, never the number. What is published goes back; of a record that only an
/// entitled query answers the provider is notified.
fn personal(record_values: &RecordValues<'_>, field: &Field, value: &str) -> Option<Finding> {
    let mut found = personal_numbers(value);
    let (place, kind) = found.next()?;
    let at = value[..place.start].chars().count() + 1;
    let others = match found.count() {
        0 => String::new(),
        more => format!("（连同其后共{}处）", more + 1),
    };
    let message = format!(
        "字段“{}”对外公开，第{at}个字符起是{}{others}，请删去后重报",
        field.name,
        kind.label()
    );
    let (code, rule) = (FindingCode::PersonalInText, "personal-text");
    let person = record_values.kind() == Some(SubjectKind::NaturalPerson)
        && record_values
            .item()
            .disclosure_mode(SubjectKind::NaturalPerson)
            == DisclosureMode::Query;
    Some(if person {
        Finding::warning(code, rule, &field.code, message)
    } else {
        Finding::error(code, rule, &field.code, message)
    })
}
