//! What spreadsheets do to values: recognised by their shape, never repaired. Called by `check` on the
//! cleaned value of a field, before any other check of the value.

use time::Date;

use legal_clock::format_day;

use super::date::serial_day;
use crate::item::{Field, FieldKind, ValueFormat};

/// Damage to a value by a spreadsheet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SpreadsheetDamage {
    /// `4.30102E+17`: a long number shown with an exponent; its digits are gone.
    Scientific,
    /// Digits behind the 15th are noughts: a spreadsheet keeps 15. Only damage where the check digit
    /// fails too, see [`lost_digits`].
    LostDigits,
    /// `#####`: what a cell shows that is too narrow.
    Overflow,
    /// `#N/A`, `#REF!` and the like: the result of a formula that failed.
    ErrorValue,
    /// `=VLOOKUP(…)`: a formula in place of its result.
    Formula,
    /// `43748` where a date belongs, with the day that it means.
    DateSerial(Date),
    /// `1月2日` or `Oct-19` where a code or number belongs: the spreadsheet took it for a date.
    BecameDate,
}

impl SpreadsheetDamage {
    /// What is wrong and what to do, in Chinese, to follow the name of the field.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Scientific => "被电子表格软件改成了科学计数，请把单元格设为文本后重新填写并导出",
            Self::LostDigits => {
                "被电子表格软件丢失了第15位以后的数字，请把单元格设为文本后重新填写并导出"
            }
            Self::Overflow => "只导出了“####”，请加宽电子表格的列后重新导出",
            Self::ErrorValue => "是电子表格公式的错误值，请修正公式后重新导出",
            Self::Formula => "是电子表格公式而不是结果，请导出公式的结果",
            Self::DateSerial(_) => "是电子表格的日期序号，请以YYYY-MM-DD格式报送",
            Self::BecameDate => "被电子表格软件改成了日期，请把单元格设为文本后重新填写并导出",
        }
    }

    /// The value that is probably meant; only ever a suggestion.
    pub fn suggestion(self) -> Option<String> {
        match self {
            Self::DateSerial(date) => Some(format_day(date)),
            _ => None,
        }
    }
}

/// Recognises the damage that shows in the value alone; all of it but [`SpreadsheetDamage::LostDigits`].
pub fn find_damage(field: &Field, value: &str) -> Option<SpreadsheetDamage> {
    let first = *value.as_bytes().first()?;
    // All damage begins so; nearly all values are done here.
    if !first.is_ascii() {
        return None;
    }
    if first == b'#' {
        if value.len() > 1 && value.bytes().all(|b| b == b'#') {
            return Some(SpreadsheetDamage::Overflow);
        }
        return is_error_value(value).then_some(SpreadsheetDamage::ErrorValue);
    }
    if first == b'=' {
        let formula =
            value[1..].starts_with(|c: char| c.is_ascii_alphanumeric() || "\"'(+-@".contains(c));
        return formula.then_some(SpreadsheetDamage::Formula);
    }
    match (field.kind, field.format) {
        (FieldKind::Date, _) => serial_day(value).map(SpreadsheetDamage::DateSerial),
        (FieldKind::Decimal, _) => is_scientific(value).then_some(SpreadsheetDamage::Scientific),
        (FieldKind::Code, _) | (FieldKind::Text, ValueFormat::DocumentNumber) => {
            if is_scientific(value) {
                Some(SpreadsheetDamage::Scientific)
            } else {
                is_day_and_month(value).then_some(SpreadsheetDamage::BecameDate)
            }
        }
        (FieldKind::Text, _) => None,
    }
}

/// True for a number of more than 15 digits that are all noughts behind the 15th. Such a number can be
/// right; whose check digit fails too is taken for damaged.
pub fn lost_digits(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.len() > 15
        && bytes.iter().all(u8::is_ascii_digit)
        && bytes[15..].iter().all(|b| *b == b'0')
        && bytes[..15].iter().any(|b| *b != b'0')
}

fn is_error_value(value: &str) -> bool {
    matches!(
        value.to_ascii_uppercase().as_str(),
        "#N/A"
            | "#REF!"
            | "#VALUE!"
            | "#NAME?"
            | "#DIV/0!"
            | "#NUM!"
            | "#NULL!"
            | "#SPILL!"
            | "#CALC!"
            | "#GETTING_DATA"
    ) && value.len() <= 13
}

/// Digits with at most one point, E, and an exponent. Without a point the exponent needs its sign,
/// because codes such as 12345E67 are codes.
fn is_scientific(value: &str) -> bool {
    let Some((head, exponent)) = value.split_once(['E', 'e']) else {
        return false;
    };
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = head.split_once('.').unwrap_or((head, "0"));
    let unsigned = exponent.trim_start_matches(['+', '-']);
    let marked = head.contains('.') || unsigned.len() < exponent.len();
    marked
        && digits(whole)
        && digits(fraction)
        && digits(unsigned)
        && unsigned.len() <= 3
        && exponent.len() <= unsigned.len() + 1
}

/// `1月2日`, `Oct-19`, `2-Jan`; cleansing may have taken the hyphen and raised the letters.
fn is_day_and_month(value: &str) -> bool {
    if value.len() > 16 {
        return false;
    }
    let short = |t: &str| (1..=2).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
    if let Some((month, day)) = value.split_once('月') {
        return short(month) && day.strip_suffix('日').is_some_and(short);
    }
    const MONTHS: [&str; 12] = [
        "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
    ];
    let upper = value.to_ascii_uppercase();
    MONTHS.iter().any(|month| {
        let rest = upper
            .strip_prefix(month)
            .or_else(|| upper.strip_suffix(month));
        rest.is_some_and(|rest| short(rest.trim_matches('-')))
    })
}
