//! Identifiers that are parsed once and then known to be right. Called by `check` for each coded field,
//! by `disclosure` and `objection` for what a visitor types, by `service-kit` users for provider codes.
//!
//! Parsing is strict: it wants the canonical form (half-width, upper case, no separators). Cleaning is
//! the work of [`crate::normalise`]. Nothing here allocates, and no error repeats the value it refused.

mod citizen;
mod credit_code;
mod organisation;
mod registration;

pub use citizen::CitizenNumber;
pub use credit_code::{CreditCode, Department};
pub use organisation::OrganisationCode;
pub use registration::RegistrationNumber;

use std::fmt;

/// Which identifier was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// Unified social credit code, GB 32100-2015 (统一社会信用代码).
    CreditCode,
    /// Citizen identity number, GB 11643-1999 (公民身份号码).
    CitizenNumber,
    /// Organisation code, GB 11714-1997 (组织机构代码).
    OrganisationCode,
    /// Business registration number, GS 15-2006 (工商注册号).
    RegistrationNumber,
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreditCode => "credit code",
            Self::CitizenNumber => "citizen number",
            Self::OrganisationCode => "organisation code",
            Self::RegistrationNumber => "registration number",
        })
    }
}

/// The rule of the standard that a value broke. Rules are tried in the order written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdRule {
    /// Wrong number of characters.
    Length,
    /// A character outside of the alphabet of the standard.
    Alphabet,
    /// A filler value (all the same character, 1234…) although its check digit may fit.
    Dummy,
    /// Registration department and organisation category are not a pair of the standard's table.
    Category,
    /// The birth date is not a calendar date, or before 1880.
    Date,
    /// The birth date lies after today.
    DateFuture,
    /// The last check character does not fit.
    Check,
    /// The check character of the organisation code inside a credit code does not fit.
    InnerCheck,
}

impl IdRule {
    /// Stable name of the rule.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Alphabet => "alphabet",
            Self::Dummy => "dummy",
            Self::Category => "category",
            Self::Date => "date",
            Self::DateFuture => "date-future",
            Self::Check => "check",
            Self::InnerCheck => "inner-check",
        }
    }
}

impl fmt::Display for IdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a value is not an identifier: the rule, and the character (counted from 0) that shows it.
/// The refused value itself is not kept: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: rule {rule} failed at {position:?}")]
pub struct IdError {
    /// Which identifier was expected.
    pub kind: IdKind,
    /// The rule that failed first.
    pub rule: IdRule,
    /// Zero-based index of the character, where one can be named.
    pub position: Option<usize>,
    /// The value with lookalikes exchanged (O→0, I→1, Z→2, S→5, ×→X), present only when that value
    /// passes every check. To be shown, never to be applied.
    pub suggestion: Option<Suggestion>,
}

impl IdError {
    fn new(kind: IdKind, rule: IdRule, position: Option<usize>) -> Self {
        Self {
            kind,
            rule,
            position,
            suggestion: None,
        }
    }
}

/// A repaired identifier. `Debug` hides it, because it may be a citizen number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Suggestion {
    text: [u8; 18],
    len: usize,
}

impl Suggestion {
    fn new(bytes: &[u8]) -> Self {
        let mut text = [0; 18];
        let len = bytes.len().min(text.len());
        text[..len].copy_from_slice(&bytes[..len]);
        Self { text, len }
    }

    /// The suggested value.
    pub fn as_str(&self) -> &str {
        ascii_str(&self.text[..self.len])
    }
}

impl fmt::Debug for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suggestion(…)")
    }
}

/// Bytes that were checked to be ASCII, as text.
fn ascii_str(bytes: &[u8]) -> &str {
    // Every caller fills its array with ASCII only, so the empty text is never produced.
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Copies exactly `N` characters into an array, or names the first that cannot belong to an identifier.
fn fixed<const N: usize>(text: &str, kind: IdKind) -> Result<[u8; N], IdError> {
    if let Ok(bytes) = <[u8; N]>::try_from(text.as_bytes())
        && bytes.is_ascii()
    {
        return Ok(bytes);
    }
    if text.chars().count() != N {
        return Err(IdError::new(kind, IdRule::Length, None));
    }
    let position = text.chars().position(|c| !c.is_ascii());
    Err(IdError::new(kind, IdRule::Alphabet, position))
}

/// Exchanges characters that people and OCR confuse. `None` when a character has no counterpart.
fn exchange_lookalikes<const N: usize>(text: &str, last_may_be_x: bool) -> Option<[u8; N]> {
    let mut out = [0; N];
    let mut used = 0;
    for (i, c) in text.chars().enumerate() {
        let slot = out.get_mut(i)?;
        *slot = match c {
            // Multiplication signs, asterisk, Cyrillic Ha and Greek chi stand in for the letter X.
            '×' | '✕' | '╳' | '*' | 'Х' | 'х' | 'χ' | 'Χ' | 'x' if last_may_be_x && i + 1 == N => {
                b'X'
            }
            'O' | 'o' => b'0',
            'I' | 'i' | 'l' => b'1',
            'Z' | 'z' => b'2',
            'S' | 's' => b'5',
            c if c.is_ascii() => c.to_ascii_uppercase() as u8,
            _ => return None,
        };
        used = i + 1;
    }
    (used == N).then_some(out)
}

/// True when all characters are the same: 000…, 111…, AAA….
fn all_same(bytes: &[u8]) -> bool {
    bytes.windows(2).all(|w| w[0] == w[1])
}

/// True for a two-digit province code of GB/T 2260 (with Taiwan, Hong Kong, Macao).
fn known_province(two: &[u8]) -> bool {
    let [a @ b'0'..=b'9', b @ b'0'..=b'9'] = two else {
        return false;
    };
    matches!(
        (a - b'0') * 10 + (b - b'0'),
        11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83
    )
}
