//! Citizen identity number (公民身份号码, GB 11643-1999), with the residence permits of Hong Kong, Macao and
//! Taiwan residents and the new permanent residence card of foreigners, which share its layout. Called by
//! `check` for documents of persons and by the services that look a person up.

use std::fmt;
use std::hash::{Hash, Hasher};

use time::{Date, Month};

use super::{IdError, IdKind, IdRule, Suggestion};
use super::{all_same, ascii_str, exchange_lookalikes, fixed, known_province};

/// Weights of ISO 7064 MOD 11-2 for the first 17 digits.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check character for each remainder.
const CHECKS: &[u8; 11] = b"10X98765432";
/// Nobody who has records was born earlier; the standard's own oldest example is of 1880.
const OLDEST_YEAR: i32 = 1880;

/// A number whose form, birth date and check character are right. Two numbers are equal when their 18
/// characters are, however they were written. `Debug` shows it masked and there is no `Display`, so that
/// a number gets into a log or a page only by asking for [`CitizenNumber::as_str`].
#[derive(Clone, Copy)]
pub struct CitizenNumber {
    digits: [u8; 18],
    birth: Date,
    derived: bool,
}

impl CitizenNumber {
    /// Reads 18 characters (last one digit or upper-case X), or the 15 digits of the first generation,
    /// which are completed to 18 and marked as derived. `today` is the day in Asia/Shanghai.
    ///
    /// # Errors
    /// The first rule of GB 11643 that fails; with a suggestion where a lookalike is the cause.
    pub fn parse(text: &str, today: Date) -> Result<Self, IdError> {
        if text.len() == 15 && text.is_ascii() {
            return Self::upgrade(text, today);
        }
        let tried = fixed(text, IdKind::CitizenNumber).and_then(|d| Self::verify(d, today));
        tried.map_err(|mut error| {
            if error.rule == IdRule::Alphabet {
                error.suggestion = exchange_lookalikes(text, true)
                    .filter(|digits| Self::verify(*digits, today).is_ok())
                    .map(|digits| Suggestion::new(&digits));
            }
            error
        })
    }

    /// Completes 17 digits with their check character.
    ///
    /// # Errors
    /// As [`CitizenNumber::parse`]; `Length` when `seventeen` is not 17 digits.
    pub fn with_check(seventeen: &str, today: Date) -> Result<Self, IdError> {
        let head: [u8; 17] = fixed(seventeen, IdKind::CitizenNumber)?;
        if let Some(at) = head.iter().position(|b| !b.is_ascii_digit()) {
            return Err(IdError::new(
                IdKind::CitizenNumber,
                IdRule::Alphabet,
                Some(at),
            ));
        }
        let mut digits = [b'0'; 18];
        digits[..17].copy_from_slice(&head);
        digits[17] = check_character(&digits);
        Self::verify(digits, today)
    }

    /// 15 digits: the century goes in behind the region, the check character to the end. Sequence 996 to
    /// 999 was kept for people then over a hundred, so those were born in the 1800s.
    fn upgrade(text: &str, today: Date) -> Result<Self, IdError> {
        let old: [u8; 15] = fixed(text, IdKind::CitizenNumber)?;
        if let Some(at) = old.iter().position(|b| !b.is_ascii_digit()) {
            let mut error = IdError::new(IdKind::CitizenNumber, IdRule::Alphabet, Some(at));
            error.suggestion = exchange_lookalikes::<15>(text, false)
                .filter(|d| d.iter().all(u8::is_ascii_digit))
                .filter(|d| Self::upgrade(ascii_str(d), today).is_ok())
                .map(|d| Suggestion::new(&d));
            return Err(error);
        }
        let century: &[u8; 2] = if matches!(&old[12..], b"996" | b"997" | b"998" | b"999") {
            b"18"
        } else {
            b"19"
        };
        let mut digits = [b'0'; 18];
        digits[..6].copy_from_slice(&old[..6]);
        digits[6..8].copy_from_slice(century);
        digits[8..17].copy_from_slice(&old[6..]);
        digits[17] = check_character(&digits);
        let mut number = Self::verify(digits, today)?;
        number.derived = true;
        Ok(number)
    }

    fn verify(digits: [u8; 18], today: Date) -> Result<Self, IdError> {
        let fail = |rule, at| Err(IdError::new(IdKind::CitizenNumber, rule, at));
        let foreign = digits[..17].iter().position(|b| !b.is_ascii_digit());
        if let Some(at) = foreign {
            return fail(IdRule::Alphabet, Some(at));
        }
        if !(digits[17].is_ascii_digit() || digits[17] == b'X') {
            return fail(IdRule::Alphabet, Some(17));
        }
        if all_same(&digits[..17]) {
            return fail(IdRule::Dummy, None);
        }
        let Some(birth) = birth_date(&digits) else {
            return fail(IdRule::Date, Some(6));
        };
        if birth > today {
            return fail(IdRule::DateFuture, Some(6));
        }
        if check_character(&digits) != digits[17] {
            return fail(IdRule::Check, Some(17));
        }
        Ok(Self {
            digits,
            birth,
            derived: false,
        })
    }

    /// The 18 characters, in clear. Seal or mask before it leaves the process.
    pub fn as_str(&self) -> &str {
        ascii_str(&self.digits)
    }

    /// First six and last two characters, the rest as stars.
    pub fn masked(&self) -> String {
        let text = self.as_str();
        format!("{}**********{}", &text[..6], &text[16..])
    }

    /// Day of birth.
    pub fn birth_date(&self) -> Date {
        self.birth
    }

    /// True when the number was given with 15 digits and this is the form derived from it. The derived
    /// form serves to match, the given one stays what was received.
    pub fn derived_from_15(&self) -> bool {
        self.derived
    }

    /// True for a residence permit of a Hong Kong, Macao or Taiwan resident (81, 82, 83).
    pub fn is_residence_permit(&self) -> bool {
        matches!(&self.digits[..6], b"810000" | b"820000" | b"830000")
    }

    /// True for the layout of a foreigner's permanent residence card since 2023-12-01 (first digit 9).
    pub fn is_foreign_resident(&self) -> bool {
        self.digits[0] == b'9'
    }

    /// False when the first two digits are no province. A division stays valid for ever in a number
    /// although it may be abolished, so a region may only warn.
    pub fn region_known(&self) -> bool {
        if matches!(&self.digits[..2], b"81" | b"82" | b"83") {
            return self.is_residence_permit();
        }
        known_province(&self.digits[..2])
    }
}

fn digit(byte: u8) -> u32 {
    u32::from(byte.wrapping_sub(b'0'))
}

fn check_character(digits: &[u8; 18]) -> u8 {
    let sum: u32 = WEIGHTS.iter().zip(digits).map(|(w, d)| w * digit(*d)).sum();
    CHECKS[(sum % 11) as usize]
}

fn birth_date(digits: &[u8; 18]) -> Option<Date> {
    let number = |range: std::ops::Range<usize>| {
        digits[range]
            .iter()
            .fold(0u32, |all, d| all * 10 + digit(*d))
    };
    let year = i32::try_from(number(6..10))
        .ok()
        .filter(|y| *y >= OLDEST_YEAR)?;
    let month = Month::try_from(u8::try_from(number(10..12)).ok()?).ok()?;
    Date::from_calendar_date(year, month, u8::try_from(number(12..14)).ok()?).ok()
}

impl PartialEq for CitizenNumber {
    fn eq(&self, other: &Self) -> bool {
        self.digits == other.digits
    }
}

impl Eq for CitizenNumber {}

impl Hash for CitizenNumber {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digits.hash(state);
    }
}

impl fmt::Debug for CitizenNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CitizenNumber(******************)")
    }
}
