//! Citizen identity number (公民身份号码, GB 11643-1999), with the residence permits of Hong Kong, Macao and
//! Taiwan residents and the new permanent residence card of foreigners, which share its layout. Called by
//! `check` for documents of persons and by the services that look a person up.

use std::fmt;
use std::hash::{Hash, Hasher};

use time::{Date, Month};

use super::chars::{
    ExpectedCharacter, FOREIGN, OLDEST_YEAR, all_same, ascii_str, check_calendar_day, days_in,
    first_non_digit, replace_lookalikes,
};
use super::chars::{fixed_ascii, known_province, length_or_alphabet_error, two_digits};
use super::countries::known_numeric;
use super::{IdError, IdFault, IdKind, IdRule, Suggestion};

/// Weights of ISO 7064 MOD 11-2 for the first 17 digits.
const WEIGHTS: [u16; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
/// Check character for each remainder.
const CHECKS: &[u8; 11] = b"10X98765432";

/// Whose number it is, by its first digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// 居民身份证 of a resident of the mainland.
    Resident,
    /// 港澳台居民居住证 of a resident of Hong Kong (`810000`).
    HongKong,
    /// 港澳台居民居住证 of a resident of Macao (`820000`).
    Macao,
    /// 港澳台居民居住证 of a resident of Taiwan (`830000`).
    Taiwan,
    /// 外国人永久居留身份证 since 2023-12-01 (first digit `9`).
    ForeignPermanentResident,
}

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
    #[inline]
    pub fn parse(text: &str, today: Date) -> Result<Self, IdError> {
        match <&[u8; 18]>::try_from(text.as_bytes()) {
            Ok(digits) => Self::verify(digits, today).map_err(|fault| {
                explain(
                    text,
                    IdError::from_fault(IdKind::CitizenNumber, fault),
                    today,
                )
            }),
            Err(_) => Self::parse_other(text, today),
        }
    }

    /// Texts that are not 18 bytes: the first generation, and everything that is wrong.
    #[cold]
    fn parse_other(text: &str, today: Date) -> Result<Self, IdError> {
        match <&[u8; 15]>::try_from(text.as_bytes()) {
            Ok(old) if old.is_ascii() => Self::upgrade(text, old, today),
            _ => Err(explain(
                text,
                length_or_alphabet_error(text, IdKind::CitizenNumber, 18, 18),
                today,
            )),
        }
    }

    /// Completes 17 digits with their check character.
    ///
    /// # Errors
    /// As [`CitizenNumber::parse`]; `Length` when `seventeen` is not 17 digits.
    pub fn with_check(seventeen: &str, today: Date) -> Result<Self, IdError> {
        let head: [u8; 17] = fixed_ascii(seventeen, IdKind::CitizenNumber)?;
        if let Some(at) = first_non_digit(&head) {
            return Err(IdError::new(
                IdKind::CitizenNumber,
                IdRule::Alphabet,
                Some(at),
            ));
        }
        Self::verify(&complete(&head), today)
            .map_err(|f| IdError::from_fault(IdKind::CitizenNumber, f))
    }

    /// 15 digits: the century goes in behind the region, the check character to the end. Sequence 996 to
    /// 999 was kept for people then over a hundred, so those were born in the 1800s.
    fn upgrade(text: &str, old: &[u8; 15], today: Date) -> Result<Self, IdError> {
        if let Some(at) = first_non_digit(old) {
            let repaired = replace_lookalikes::<15>(text, |_| ExpectedCharacter::Digit)
                .filter(|digits| first_non_digit(digits).is_none())
                .filter(|digits| Self::upgrade(ascii_str(digits), digits, today).is_ok())
                .map(|digits| Suggestion::new(&digits));
            let error = IdError::new(IdKind::CitizenNumber, IdRule::Alphabet, Some(at));
            return Err(error.with_suggestion(repaired));
        }
        if all_same(old) {
            return Err(IdError::new(IdKind::CitizenNumber, IdRule::Dummy, None));
        }
        let century: &[u8; 2] = match &old[12..] {
            b"996" | b"997" | b"998" | b"999" => b"18",
            _ => b"19",
        };
        let mut head = [b'0'; 17];
        head[..6].copy_from_slice(&old[..6]);
        head[6..8].copy_from_slice(century);
        head[8..].copy_from_slice(&old[6..]);
        match Self::verify(&complete(&head), today) {
            Ok(number) => Ok(Self {
                derived: true,
                ..number
            }),
            // The two digits of the century are not in the text that the position points into.
            Err(fault) => Err(IdError::from_fault(
                IdKind::CitizenNumber,
                IdFault {
                    at: fault.at.map(|at| if at > 6 { at - 2 } else { at }),
                    ..fault
                },
            )),
        }
    }

    #[inline]
    fn verify(digits: &[u8; 18], today: Date) -> Result<Self, IdFault> {
        let mut sum = 0;
        let mut foreign = false;
        for i in 0..17 {
            let digit = digits[i].wrapping_sub(b'0');
            foreign |= digit > 9;
            sum += WEIGHTS[i] * u16::from(digit);
        }
        let last = digits[17];
        if foreign || !(last.is_ascii_digit() || last == b'X') {
            return Err(foreign_character(digits));
        }
        let century = u16::from(two_digits(digits[6], digits[7]));
        let year = century * 100 + u16::from(two_digits(digits[8], digits[9]));
        let month = two_digits(digits[10], digits[11]);
        let day = two_digits(digits[12], digits[13]);
        // Seventeen equal digits are never a date, so fillers are looked for only here.
        check_calendar_day(year, month, day, 10).map_err(|fault| filler_or(digits, fault))?;
        let birth = date(year, month, day).ok_or(IdFault::at(IdRule::Date, 6))?;
        if birth > today {
            return Err(IdFault::at(IdRule::DateFuture, future_part(birth, today)));
        }
        if CHECKS[usize::from(sum % 11)] != last {
            return Err(IdFault::at(IdRule::Check, 17));
        }
        Ok(Self {
            digits: *digits,
            birth,
            derived: false,
        })
    }

    /// The 18 characters, in clear. Seal or mask before it leaves the process.
    #[inline]
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

    /// Whose number it is.
    pub fn holder(&self) -> Holder {
        match &self.digits[..6] {
            b"810000" => Holder::HongKong,
            b"820000" => Holder::Macao,
            b"830000" => Holder::Taiwan,
            [b'9', ..] => Holder::ForeignPermanentResident,
            _ => Holder::Resident,
        }
    }

    /// True for a residence permit of a Hong Kong, Macao or Taiwan resident (81, 82, 83).
    pub fn is_residence_permit(&self) -> bool {
        matches!(
            self.holder(),
            Holder::HongKong | Holder::Macao | Holder::Taiwan
        )
    }

    /// True for the layout of a foreigner's permanent residence card since 2023-12-01 (first digit 9).
    /// [`super::PermanentResidence`] reads the parts of such a number.
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

/// Adds the repaired number where a lookalike is the cause. Kept short for ASCII: a list in which other
/// codes stand among the numbers is refused as fast as it is read.
#[cold]
fn explain(text: &str, error: IdError, today: Date) -> IdError {
    if error.rule != IdRule::Alphabet {
        return error;
    }
    if let Ok(bytes) = <&[u8; 18]>::try_from(text.as_bytes())
        && bytes.is_ascii()
    {
        return error.with_suggestion(repair(bytes, today));
    }
    let want = |i| {
        if i == 17 {
            ExpectedCharacter::DigitOrX
        } else {
            ExpectedCharacter::Digit
        }
    };
    let repaired = replace_lookalikes(text, want)
        .filter(|digits| CitizenNumber::verify(digits, today).is_ok())
        .map(|digits| Suggestion::new(&digits));
    // A foreign character of several bytes makes another length in bytes than in characters.
    length_or_alphabet_error(text, IdKind::CitizenNumber, 18, 18).with_suggestion(repaired)
}

/// Exchanges lookalikes by a table.
fn repair(bytes: &[u8; 18], today: Date) -> Option<Suggestion> {
    let mut digits = [0; 18];
    let mut seen = 0;
    for i in 0..17 {
        digits[i] = LOOKALIKES[usize::from(bytes[i])];
        seen |= digits[i];
    }
    digits[17] = match bytes[17] {
        b'X' | b'x' | b'*' => b'X',
        last => LOOKALIKES[usize::from(last)],
    };
    if (seen | digits[17]) & FOREIGN != 0 {
        return None;
    }
    CitizenNumber::verify(&digits, today)
        .ok()
        .map(|_| Suggestion::new(&digits))
}

/// The digit that each byte is or looks like.
const LOOKALIKES: [u8; 256] = {
    let mut table = [FOREIGN; 256];
    let pairs = b"00112233445566778899O0o0I1i1l1Z2z2S5s5";
    let mut i = 0;
    while i < pairs.len() {
        table[pairs[i] as usize] = pairs[i + 1];
        i += 2;
    }
    table
};

#[cold]
fn foreign_character(digits: &[u8; 18]) -> IdFault {
    // Only ASCII in front of the first foreign byte, so its index is that of the character.
    let at = first_non_digit(&digits[..17]).unwrap_or(17);
    IdFault::at(IdRule::Alphabet, at as u8)
}

#[cold]
fn filler_or(digits: &[u8; 18], fault: IdFault) -> IdFault {
    if all_same(&digits[..17]) {
        return IdFault::whole_code(IdRule::Dummy);
    }
    fault
}

/// Year, month or day, whichever first lies beyond today.
#[cold]
fn future_part(birth: Date, today: Date) -> u8 {
    if birth.year() > today.year() {
        6
    } else if birth.month() as u8 > today.month() as u8 {
        10
    } else {
        12
    }
}

#[inline]
fn date(year: u16, month: u8, day: u8) -> Option<Date> {
    let month = Month::try_from(month).ok()?;
    Date::from_calendar_date(i32::from(year), month, day).ok()
}

fn complete(head: &[u8; 17]) -> [u8; 18] {
    let mut digits = [b'0'; 18];
    digits[..17].copy_from_slice(head);
    digits[17] = check_character(&digits);
    digits
}

fn check_character(digits: &[u8; 18]) -> u8 {
    let values = digits.iter().map(|d| u16::from(d & 15));
    let sum: u16 = WEIGHTS.iter().zip(values).map(|(w, d)| w * d).sum();
    CHECKS[usize::from(sum % 11)]
}

/// True for what is written as a person's number, without a clock, because it serves to keep persons'
/// numbers out of organisations' codes. 18 characters: a date of the years 1880 to 2099, any division (one that
/// no table knows only warns), and the check character when `checked`. 15 digits: a province, a county
/// (persons are numbered by counties, whose divisions never end in 00) and a date.
///
/// 91, 92 and 93 begin the codes of enterprises, 个体工商户 and cooperatives, and foreigners' numbers. There a
/// number is a person's only with a province and a nationality of ISO 3166-1: the city in the division of a code
/// stands where the number has its nationality, and no division in use is a nationality in front of a century.
#[inline]
pub(crate) fn reads_as_person(text: &[u8], checked: bool) -> bool {
    if let Ok(digits) = <&[u8; 18]>::try_from(text) {
        // Few divisions end in a century: the rest of the work is done for one code in many.
        return matches!(&digits[6..8], b"18" | b"19" | b"20") && dated_as_person(digits, checked);
    }
    let Ok(old) = <&[u8; 15]>::try_from(text) else {
        return false;
    };
    // 111111111111111 is dated, too, and a filler.
    first_non_digit(old).is_none()
        && !all_same(&old[..14])
        && known_province(&old[..2])
        && &old[4..6] != b"00"
        && is_day(1900 + u16::from(two_digits(old[6], old[7])), &old[8..12])
}

#[cold]
fn dated_as_person(digits: &[u8; 18], checked: bool) -> bool {
    let written = first_non_digit(&digits[..17]).is_none()
        && (digits[17].is_ascii_digit() || digits[17] == b'X');
    let shared = matches!(&digits[..2], b"91" | b"92" | b"93");
    let century = u16::from(two_digits(digits[6], digits[7]));
    let year = century * 100 + u16::from(two_digits(digits[8], digits[9]));
    written
        && year >= OLDEST_YEAR
        && is_day(year, &digits[10..14])
        && (!shared || (known_province(&digits[1..3]) && known_numeric(&digits[3..6])))
        && (!checked || check_character(digits) == digits[17])
}

/// Month and day, two digits each.
fn is_day(year: u16, digits: &[u8]) -> bool {
    let day = two_digits(digits[2], digits[3]);
    day >= 1 && day <= days_in(year, two_digits(digits[0], digits[1]))
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
