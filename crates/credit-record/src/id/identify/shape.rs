//! What a cleaned text was most likely meant to be, judged by length, letters and digits, and by what it
//! passes as. Called by `identify_code`; every rule here is a preference between readings, not a check.

use time::Date;

use super::super::chars::{days_in, known_province, two_digits};
use super::super::{CitizenNumber, CreditCode, HkMacaoPass, OrganisationCode, RegistrationNumber};
use super::clean::CleanedCode;
use super::{IdentifiedKind, Warning, personal};

/// A kind, with the reasons for doubt.
pub(super) struct KindGuess {
    pub(super) kind: IdentifiedKind,
    pub(super) warnings: Vec<Warning>,
}

impl From<IdentifiedKind> for KindGuess {
    fn from(kind: IdentifiedKind) -> Self {
        Self {
            kind,
            warnings: Vec::new(),
        }
    }
}

impl KindGuess {
    fn warn(mut self, warning: Warning, when: bool) -> Self {
        if when {
            self.warnings.push(warning);
        }
        self
    }
}

pub(super) fn guess_kind(cleaned: &CleanedCode<'_>, today: Date) -> KindGuess {
    let text = &*cleaned.text;
    let count = text.chars().count();
    if cleaned.hyphened {
        return IdentifiedKind::OrganisationCode.into();
    }
    if let Some(first) = scientific(text) {
        let kind = if known_province(&first) {
            IdentifiedKind::CitizenNumber
        } else {
            IdentifiedKind::CreditCode
        };
        return KindGuess::from(kind).warn(Warning::SpreadsheetDamage, true);
    }
    if in_words(text) {
        return IdentifiedKind::OldRegistrationNumber.into();
    }
    // Of all codes only an organisation code may have no digit.
    if !text.chars().any(|c| c.is_ascii_digit()) && OrganisationCode::parse(text).is_err() {
        return IdentifiedKind::Unknown.into();
    }
    let letters = letters_of_code(text);
    match count {
        18 => eighteen(text, letters, today),
        15 => fifteen(text, letters, today),
        5..=12 => short(text, count),
        13 if text.bytes().all(|b| b.is_ascii_digit()) => {
            IdentifiedKind::OldRegistrationNumber.into()
        }
        14 if !letters => IdentifiedKind::RegistrationNumber.into(),
        13..=24 if letters => IdentifiedKind::CreditCode.into(),
        16..=24 => long_digits(text).into(),
        _ => IdentifiedKind::Unknown.into(),
    }
}

/// Whether letters stand in it that are no lookalikes of digits; the X at the end of a person's
/// number does not count.
fn letters_of_code(text: &str) -> bool {
    let last = text.chars().count().saturating_sub(1);
    text.chars().enumerate().any(|(i, c)| {
        c.is_ascii_alphabetic() && !matches!(c, 'O' | 'I' | 'S' | 'Z') && !(i == last && c == 'X')
    })
}

/// The text with digits for lookalikes, where the parts that determine a shape are digits then.
fn as_digits(text: &str) -> Vec<u8> {
    text.chars()
        .map(|c| match c {
            'O' => b'0',
            'I' => b'1',
            'Z' => b'2',
            'S' => b'5',
            c if c.is_ascii() => c as u8,
            _ => b'?',
        })
        .collect()
}

fn eighteen(text: &str, letters: bool, today: Date) -> KindGuess {
    let code = CreditCode::parse(text).is_ok();
    let person = CitizenNumber::parse(text, today).ok();
    match person {
        // Two check characters of a company's code outweigh the one of a foreigner's number.
        Some(number) if !(code && number.is_foreign_resident()) => {
            return KindGuess::from(personal(&number)).warn(Warning::Ambiguous, code);
        }
        also => {
            if code {
                return KindGuess::from(IdentifiedKind::CreditCode)
                    .warn(Warning::Ambiguous, also.is_some());
            }
        }
    }
    if letters {
        return IdentifiedKind::CreditCode.into();
    }
    long_digits(text).into()
}

/// About 18 digits that are neither a person's number nor a credit code, or too many or too few of them.
fn long_digits(text: &str) -> IdentifiedKind {
    let digits = as_digits(text);
    let [a, b, c, d, ..] = digits[..] else {
        return IdentifiedKind::Unknown;
    };
    // A division's last two digits are seldom 18, 19 or 20; in a person's number they are the century.
    let century = digits
        .get(6..8)
        .is_some_and(|two| matches!(two, b"18" | b"19" | b"20"));
    if matches!(
        &digits[..6.min(digits.len())],
        b"810000" | b"820000" | b"830000"
    ) && century
    {
        return IdentifiedKind::ResidencePermit;
    }
    if a == b'9' {
        let month = digits.get(10..12).map(|m| two_digits(m[0], m[1]));
        let dated = century && month.is_some_and(|m| (1..=12).contains(&m));
        return if dated && known_province(&[b, c]) {
            IdentifiedKind::PermanentResidence
        } else {
            IdentifiedKind::CreditCode
        };
    }
    if known_province(&[a, b]) && century {
        return IdentifiedKind::CitizenNumber;
    }
    if known_province(&[c, d]) || [c, d] == *b"10" || !known_province(&[a, b]) {
        return IdentifiedKind::CreditCode;
    }
    IdentifiedKind::CitizenNumber
}

fn fifteen(text: &str, letters: bool, today: Date) -> KindGuess {
    let head = &text.as_bytes()[..3];
    let rest = as_digits(text);
    if head.iter().all(u8::is_ascii_uppercase) && rest[3..].iter().all(u8::is_ascii_digit) {
        return IdentifiedKind::PermanentResidence.into();
    }
    let registration = RegistrationNumber::parse(text).is_ok();
    let person = CitizenNumber::parse(text, today).is_ok_and(|number| number.region_known());
    // Persons are numbered by counties, whose codes never end in 00 as those of provinces and cities do.
    let by_city = &rest[4..6] == b"00";
    if registration && (by_city || !person) {
        return KindGuess::from(IdentifiedKind::RegistrationNumber)
            .warn(Warning::Ambiguous, person);
    }
    if person {
        // A date comes about by chance in 1 of 27 registration numbers, a check digit in 1 of 10.
        return KindGuess::from(IdentifiedKind::CitizenNumber)
            .warn(Warning::Ambiguous, registration);
    }
    if letters {
        return IdentifiedKind::CreditCode.into();
    }
    let dated = days_in(
        1900 + u16::from(two_digits(rest[6], rest[7])),
        two_digits(rest[8], rest[9]),
    ) > 0;
    if known_province(&rest[..2]) && dated && two_digits(rest[10], rest[11]) <= 31 {
        return IdentifiedKind::CitizenNumber.into();
    }
    IdentifiedKind::RegistrationNumber.into()
}

/// 5 to 12 characters.
fn short(text: &str, count: usize) -> KindGuess {
    let digits = as_digits(text);
    let bytes = text.as_bytes();
    let all_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let organisation = count == 9 && OrganisationCode::parse(text).is_ok();
    let pass =
        (9..=11).contains(&count) && matches!(bytes[0], b'H' | b'M') && all_digits(&digits[1..]);
    // A filler as a pass can be sound as an organisation code.
    if pass && (!organisation || HkMacaoPass::parse(text).is_ok()) {
        return KindGuess::from(IdentifiedKind::HkMacaoPass).warn(Warning::Ambiguous, organisation);
    }
    if matches!(count, 8 | 10) && all_digits(&digits) {
        return IdentifiedKind::TaiwanPass.into();
    }
    let alphanumeric = bytes.iter().all(u8::is_ascii_alphanumeric);
    if count == 9 {
        // One letter and digits, or a letter more: a passport. An organisation code begins with digits,
        // or with M and a letter since 2015.
        let chinese = matches!(bytes[0], b'E' | b'D' | b'P' | b'S' | b'G')
            && bytes[1..2].iter().all(u8::is_ascii_alphanumeric)
            && all_digits(&bytes[2..]);
        if chinese {
            return KindGuess::from(IdentifiedKind::Passport)
                .warn(Warning::Ambiguous, organisation);
        }
        let digits_first = all_digits(&digits[..8]);
        let recent = bytes[0] == b'M' && bytes[1].is_ascii_alphabetic();
        // Old codes begin with one letter; X at the end is not what passports have.
        let old = organisation && bytes[8] == b'X' && all_digits(&bytes[1..8]);
        let words = !bytes.iter().any(u8::is_ascii_digit);
        if digits_first || recent || old || words || !alphanumeric {
            return IdentifiedKind::OrganisationCode.into();
        }
        return KindGuess::from(IdentifiedKind::Passport).warn(Warning::Ambiguous, organisation);
    }
    if alphanumeric && !all_digits(bytes) {
        return IdentifiedKind::Passport.into();
    }
    IdentifiedKind::Unknown.into()
}

/// 企独湘长总字第000123号: a number of before 2007 in words.
fn in_words(text: &str) -> bool {
    (text.starts_with('企') || text.starts_with('个'))
        && text.contains("字第")
        && text.ends_with('号')
}

/// The first two digits of what a spreadsheet makes of 18 digits: 4.30102E+17.
fn scientific(text: &str) -> Option<[u8; 2]> {
    let (head, exponent) = text.split_once("E+")?;
    let (whole, fraction) = head.split_once('.')?;
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let damaged = exponent == "17" && whole.len() == 1 && digits(whole) && digits(fraction);
    damaged.then(|| [whole.as_bytes()[0], fraction.as_bytes()[0]])
}
