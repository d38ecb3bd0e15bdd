//! Unified social credit code (统一社会信用代码, GB 32100-2015 with amendment 1 of 2016). Called by `check`
//! for subjects, authorities and source units, and by every service that names a provider.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::chars::{
    ExpectedCharacter, FOREIGN, all_same, ascii_str, fixed_ascii, known_province,
    replace_lookalikes,
};
use super::chars::{length_or_alphabet_error, values_of};
use super::citizen::reads_as_person;
use super::organisation::{self, OrganisationCode};
use super::{IdError, IdFault, IdKind, IdRule, Suggestion};

/// Alphabet of GB 32100 in the order of the values 0 to 30: no I, O, S, V, Z.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Value of each byte in that alphabet.
const VALUES: [u8; 256] = values_of(ALPHABET);
/// 3^(i-1) mod 31 for the first 17 characters.
const WEIGHTS: [u16; 17] = [
    1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28,
];

/// Registration department, first character of a credit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Department {
    /// `1` 机构编制.
    Establishment,
    /// `2` 外交.
    ForeignAffairs,
    /// `3` 司法行政.
    Justice,
    /// `4` 文化.
    Culture,
    /// `5` 民政.
    CivilAffairs,
    /// `6` 旅游.
    Tourism,
    /// `7` 宗教.
    Religion,
    /// `8` 工会.
    TradeUnion,
    /// `9` 市场监管.
    Market,
    /// `A` 中央军委改革和编制办公室.
    Military,
    /// `N` 农业.
    Agriculture,
    /// `Y` 其他.
    Other,
}

/// A credit code whose alphabet, pair of department and category, inner and outer check digits are right.
/// The region part is not proof of anything: see [`CreditCode::region_known`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CreditCode([u8; 18]);

impl CreditCode {
    /// Reads the canonical form: 18 characters, upper case, no separators.
    ///
    /// # Errors
    /// The first rule of GB 32100 that fails; with a suggestion where lookalike letters are the cause.
    #[inline]
    pub fn parse(text: &str) -> Result<Self, IdError> {
        match <&[u8; 18]>::try_from(text.as_bytes()) {
            Ok(code) => Self::verify(code).map_err(|fault| explain(text, fault)),
            Err(_) => Err(refuse(text)),
        }
    }

    /// Completes 16 characters (department, category, region, organisation body) with both check characters.
    ///
    /// # Errors
    /// As [`CreditCode::parse`]; `Length` when `sixteen` is not 16 characters.
    pub fn with_checks(sixteen: &str) -> Result<Self, IdError> {
        let head: [u8; 16] = fixed_ascii(sixteen, IdKind::CreditCode)?;
        let foreign = |at: usize| IdError::new(IdKind::CreditCode, IdRule::Alphabet, Some(at));
        if let Some(at) = head.iter().position(|b| value(*b) == FOREIGN) {
            return Err(foreign(at));
        }
        let mut code = [b'0'; 18];
        code[..16].copy_from_slice(&head);
        code[16] = organisation::check_character(&head[8..]).ok_or_else(|| foreign(8))?;
        let sum: u16 = WEIGHTS
            .iter()
            .zip(&code)
            .map(|(w, b)| w * u16::from(value(*b)))
            .sum();
        code[17] = ALPHABET[usize::from((31 - sum % 31) % 31)];
        Self::verify(&code).map_err(|fault| IdError::from_fault(IdKind::CreditCode, fault))
    }

    #[inline]
    fn verify(code: &[u8; 18]) -> Result<Self, IdFault> {
        let mut sum = 0;
        let mut seen = 0;
        for i in 0..17 {
            let value = value(code[i]);
            seen |= value;
            sum += WEIGHTS[i] * u16::from(value);
        }
        // Digits only, in the six places of the division.
        let letter = code[2..8]
            .iter()
            .fold(false, |any, b| any | !b.is_ascii_digit());
        let check = value(code[17]);
        if letter || (seen | check) & FOREIGN != 0 {
            return Err(foreign_character(code));
        }
        if is_dummy(code) {
            return Err(IdFault::whole_code(IdRule::Dummy));
        }
        match PAIRS[usize::from(value(code[0]))] {
            0 => return Err(IdFault::at(IdRule::Category, 0)),
            categories if categories >> value(code[1]) & 1 == 0 => {
                return Err(IdFault::at(IdRule::Category, 1));
            }
            _ => {}
        }
        // The check value completes the weighted sum to a multiple of 31.
        if !(sum + u16::from(check)).is_multiple_of(31) {
            return Err(IdFault::at(IdRule::Check, 17));
        }
        if !organisation::check_character_fits(&code[8..17]) {
            return Err(IdFault::at(IdRule::InnerCheck, 16));
        }
        if reads_as_person(code, true) {
            return Err(IdFault::whole_code(IdRule::PersonalNumber));
        }
        Ok(Self(*code))
    }

    /// The 18 characters.
    #[inline]
    pub fn as_str(&self) -> &str {
        ascii_str(&self.0)
    }

    /// The registration department, character 1.
    pub fn department(&self) -> Department {
        // `verify` refused every other first character.
        department(self.0[0]).unwrap_or(Department::Other)
    }

    /// Department and category, characters 1 and 2, such as `91` or `N2`.
    pub fn category_prefix(&self) -> &str {
        ascii_str(&self.0[..2])
    }

    /// The division of the first registering authority, characters 3 to 8. It does not change when the
    /// seat moves, so never take a responsible district from it.
    pub fn region(&self) -> &str {
        ascii_str(&self.0[2..8])
    }

    /// False when the region does not begin with a province of GB/T 2260 (or `10`, central
    /// registrations). Real codes carry divisions that no table knows, so this may only warn.
    pub fn region_known(&self) -> bool {
        let region = &self.0[2..8];
        known_province(&region[..2]) || &region[..2] == b"10"
    }

    /// The organisation code inside, characters 9 to 17.
    pub fn organisation_code(&self) -> OrganisationCode {
        let mut inner = [0; 9];
        inner.copy_from_slice(&self.0[8..17]);
        OrganisationCode::new_unchecked(inner)
    }

    /// True for the code of a 个体工商户 (pair `92`).
    pub fn is_individual_business(&self) -> bool {
        &self.0[..2] == b"92"
    }
}

/// Texts of 18 bytes that are no code: the repaired code where lookalikes are the cause.
#[cold]
fn explain(text: &str, fault: IdFault) -> IdError {
    if !text.is_ascii() {
        return refuse(text);
    }
    let error = IdError::from_fault(IdKind::CreditCode, fault);
    if fault.rule == IdRule::Alphabet {
        return error.with_suggestion(repair(text));
    }
    error
}

/// Texts that are not 18 ASCII characters.
#[cold]
fn refuse(text: &str) -> IdError {
    let error = length_or_alphabet_error(text, IdKind::CreditCode, 18, 18);
    if error.rule == IdRule::Alphabet {
        return error.with_suggestion(repair(text));
    }
    error
}

/// First with a small l read as the letter L of the alphabet, then as the digit 1 that it looks like.
fn repair(text: &str) -> Option<Suggestion> {
    let passes = |want: ExpectedCharacter| {
        replace_lookalikes(text, |_| want)
            .map(|code| {
                // Where only the alphabet of GB 32100 stands, a letter that is left over is foreign still.
                CreditCode::verify(&code).map(|_| Suggestion::new(&code))
            })
            .and_then(Result::ok)
    };
    passes(ExpectedCharacter::CodeCharacter).or_else(|| passes(ExpectedCharacter::Digit))
}

#[cold]
fn foreign_character(code: &[u8; 18]) -> IdFault {
    let foreign = |(i, b): (usize, &u8)| match i {
        2..8 => !b.is_ascii_digit(),
        _ => value(*b) == FOREIGN,
    };
    let at = code.iter().enumerate().position(foreign).unwrap_or(17);
    IdFault::at(IdRule::Alphabet, at as u8)
}

#[inline]
fn value(byte: u8) -> u8 {
    VALUES[usize::from(byte)]
}

/// Filler that passes or nearly passes the arithmetic: 0…0, 0…0X, 1234…, an organisation code of one digit.
#[inline]
fn is_dummy(code: &[u8; 18]) -> bool {
    all_same(&code[8..16])
        || all_same(&code[..17])
        || code == b"123456789012345678"
        || code == b"123456789ABCDEFGHJ"
}

fn department(byte: u8) -> Option<Department> {
    Some(match byte {
        b'1' => Department::Establishment,
        b'2' => Department::ForeignAffairs,
        b'3' => Department::Justice,
        b'4' => Department::Culture,
        b'5' => Department::CivilAffairs,
        b'6' => Department::Tourism,
        b'7' => Department::Religion,
        b'8' => Department::TradeUnion,
        b'9' => Department::Market,
        b'A' => Department::Military,
        b'N' => Department::Agriculture,
        b'Y' => Department::Other,
        _ => return None,
    })
}

/// Categories (character 2) that each department (character 1) may give, table 1 of the amended standard:
/// by the department's value in the alphabet, a bit for each category's value; 0 where there is no department.
const PAIRS: [u32; 32] = {
    let table: [(u8, &[u8]); 12] = [
        (b'1', b"1239"),
        (b'2', b"19"),
        (b'3', b"123459"),
        (b'4', b"19"),
        (b'5', b"1239"),
        (b'6', b"129"),
        (b'7', b"129"),
        (b'8', b"19"),
        (b'9', b"123"),
        (b'A', b"19"),
        (b'N', b"1239"),
        (b'Y', b"1"),
    ];
    let mut pairs = [0; 32];
    let mut i = 0;
    while i < table.len() {
        let (department, categories) = table[i];
        let mut j = 0;
        while j < categories.len() {
            pairs[VALUES[department as usize] as usize] |= 1 << VALUES[categories[j] as usize];
            j += 1;
        }
        i += 1;
    }
    pairs
};

impl FromStr for CreditCode {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl fmt::Display for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for CreditCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CreditCode({self})")
    }
}

impl Serialize for CreditCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CreditCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}
