//! Unified social credit code (统一社会信用代码, GB 32100-2015 with amendment 1 of 2016). Called by `check`
//! for subjects, authorities and source units, and by every service that names a provider.

use std::fmt;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::organisation::{self, OrganisationCode};
use super::{IdError, IdKind, IdRule, Suggestion};
use super::{all_same, ascii_str, exchange_lookalikes, fixed, known_province};

/// Alphabet of GB 32100 in the order of the values 0 to 30: no I, O, S, V, Z.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// 3^(i-1) mod 31 for the first 17 characters.
const WEIGHTS: [u32; 17] = [
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
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let tried = fixed(text, IdKind::CreditCode).and_then(Self::verify);
        tried.map_err(|mut error| {
            if error.rule == IdRule::Alphabet {
                error.suggestion = exchange_lookalikes(text, false)
                    .filter(|bytes| Self::verify(*bytes).is_ok())
                    .map(|bytes| Suggestion::new(&bytes));
            }
            error
        })
    }

    /// Completes 16 characters (department, category, region, organisation body) with both check characters.
    ///
    /// # Errors
    /// As [`CreditCode::parse`]; `Length` when `sixteen` is not 16 characters.
    pub fn with_checks(sixteen: &str) -> Result<Self, IdError> {
        let head: [u8; 16] = fixed(sixteen, IdKind::CreditCode)?;
        let mut code = [b'0'; 18];
        code[..16].copy_from_slice(&head);
        code[16] = organisation::check_character(&head[8..]).ok_or(IdError::new(
            IdKind::CreditCode,
            IdRule::Alphabet,
            None,
        ))?;
        code[17] = check_character(&code)
            .map_err(|at| IdError::new(IdKind::CreditCode, IdRule::Alphabet, Some(at)))?;
        Self::verify(code)
    }

    fn verify(code: [u8; 18]) -> Result<Self, IdError> {
        let fail = |rule, at| Err(IdError::new(IdKind::CreditCode, rule, at));
        if let Some(at) = code.iter().position(|b| value(*b).is_none()) {
            return fail(IdRule::Alphabet, Some(at));
        }
        if is_dummy(&code) {
            return fail(IdRule::Dummy, None);
        }
        let Some(department) = department(code[0]) else {
            return fail(IdRule::Category, Some(0));
        };
        if !categories(department).contains(&code[1]) {
            return fail(IdRule::Category, Some(1));
        }
        if check_character(&code) != Ok(code[17]) {
            return fail(IdRule::Check, Some(17));
        }
        if organisation::check_character(&code[8..16]) != Some(code[16]) {
            return fail(IdRule::InnerCheck, Some(16));
        }
        Ok(Self(code))
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        ascii_str(&self.0)
    }

    /// The registration department, character 1.
    pub fn department(&self) -> Department {
        // `verify` refused every other first character.
        department(self.0[0]).unwrap_or(Department::Other)
    }

    /// Department and category, characters 1 and 2, such as `91` or `N2`.
    pub fn pair(&self) -> &str {
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
        region.iter().all(u8::is_ascii_digit)
            && (known_province(&region[..2]) || &region[..2] == b"10")
    }

    /// The organisation code inside, characters 9 to 17.
    pub fn organisation_code(&self) -> OrganisationCode {
        let mut inner = [0; 9];
        inner.copy_from_slice(&self.0[8..17]);
        OrganisationCode::trusted(inner)
    }

    /// True for the code of a 个体工商户 (pair `92`).
    pub fn is_individual_business(&self) -> bool {
        &self.0[..2] == b"92"
    }
}

fn value(byte: u8) -> Option<u32> {
    ALPHABET.iter().position(|a| *a == byte).map(|i| i as u32)
}

/// MOD 31-3 over the first 17 characters; the index of the first foreign character otherwise.
fn check_character(code: &[u8; 18]) -> Result<u8, usize> {
    let mut sum = 0;
    for (i, weight) in WEIGHTS.iter().enumerate() {
        sum += value(code[i]).ok_or(i)? * weight;
    }
    Ok(ALPHABET[((31 - sum % 31) % 31) as usize])
}

/// Filler that passes or nearly passes the arithmetic: 0…0, 0…0X, 1234…, an organisation code of one digit.
fn is_dummy(code: &[u8; 18]) -> bool {
    all_same(&code[..17])
        || all_same(&code[8..16])
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

/// Categories (character 2) that a department may give, table 1 of the amended standard.
fn categories(department: Department) -> &'static [u8] {
    match department {
        Department::Establishment | Department::CivilAffairs | Department::Agriculture => b"1239",
        Department::ForeignAffairs | Department::Culture => b"19",
        Department::Justice => b"123459",
        Department::Tourism | Department::Religion => b"129",
        Department::TradeUnion | Department::Military => b"19",
        Department::Market => b"123",
        Department::Other => b"1",
    }
}

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
