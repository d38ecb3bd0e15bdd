//! Identifiers that are parsed once and then known to be right. Called by `check` for each coded field,
//! by `disclosure` and `objection` for what a visitor types, by `service-kit` users for provider codes, by
//! `creditctl` for whatever a department has at hand.
//!
//! Parsing is strict: it wants the canonical form (half-width, upper case, no separators). Cleaning is
//! the work of [`crate::normalise`]; [`identify_code()`] joins both. The typed parsers never allocate, never
//! repair, and no error repeats the value it refused: it names the rule and the character (from 0).
//!
//! | type | what | standard |
//! | --- | --- | --- |
//! | [`CitizenNumber`] | 18 digits, 15 of the first generation, residence permits of Hong Kong, Macao, Taiwan | GB 11643-1999, ISO 7064 MOD 11-2 |
//! | [`PermanentResidence`] | foreigners' permanent residence, cards since 2023-12-01 and before | layout in use; ISO 3166-1 |
//! | [`CreditCode`] | unified social credit code | GB 32100-2015 with amendment 1, its own MOD 31-3 |
//! | [`OrganisationCode`] | organisation code | GB 11714-1997 |
//! | [`RegistrationNumber`] | business registration number of 15 digits | GS 15-2006, ISO 7064 MOD 11,10 |
//! | [`Passport`], [`HkMacaoPass`], [`TaiwanPass`] | documents without a check character | forms in use |
//! | [`LegacyCode`] | an organisation's code that fails a check and is attested | R-12 |

mod chars;
mod citizen;
mod countries;
mod credit_code;
pub mod identify;
mod legacy;
mod organisation;
mod registration;
mod residence;
mod travel;

pub(crate) use citizen::reads_as_person;
pub use citizen::{CitizenNumber, Holder};
pub use credit_code::{CreditCode, Department};
pub use identify::{Identified, IdentifiedKind, Warning, identify_code};
pub use legacy::{LegacyCode, LegacyError, LegacyKind};
pub use organisation::OrganisationCode;
pub use registration::RegistrationNumber;
pub use residence::{CardStyle, PermanentResidence};
pub use travel::{HkMacaoPass, Passport, PassportFamily, TaiwanPass};

use std::fmt;

use serde::{Serialize, Serializer};

use chars::ascii_str;

/// Which identifier was being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdKind {
    /// Unified social credit code, GB 32100-2015 (统一社会信用代码).
    CreditCode,
    /// Citizen identity number, GB 11643-1999 (公民身份号码), and permits of the same layout.
    CitizenNumber,
    /// Foreigners' permanent residence number (外国人永久居留身份证).
    PermanentResidence,
    /// Organisation code, GB 11714-1997 (组织机构代码).
    OrganisationCode,
    /// Business registration number, GS 15-2006 (工商注册号).
    RegistrationNumber,
    /// Passport (护照).
    Passport,
    /// Mainland travel permit of Hong Kong and Macao residents (港澳居民来往内地通行证).
    HkMacaoPass,
    /// Mainland travel permit of Taiwan residents (台湾居民来往大陆通行证).
    TaiwanPass,
}

impl fmt::Display for IdKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreditCode => "credit code",
            Self::CitizenNumber => "citizen number",
            Self::PermanentResidence => "permanent residence number",
            Self::OrganisationCode => "organisation code",
            Self::RegistrationNumber => "registration number",
            Self::Passport => "passport number",
            Self::HkMacaoPass => "Hong Kong and Macao pass",
            Self::TaiwanPass => "Taiwan pass",
        })
    }
}

/// The rule of the standard that a value broke. Rules are tried in the order written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdRule {
    /// Wrong number of characters. The position is where the text ends too early, or where it is too long.
    Length,
    /// A character outside of the alphabet that the standard allows at its position.
    Alphabet,
    /// A filler value (all the same character, 1234…) although its check digit may fit.
    Dummy,
    /// Registration department and organisation category are not a pair of the standard's table.
    Category,
    /// The birth date is not a calendar date, or before 1880. The position is that of the part at fault:
    /// year, month or day.
    Date,
    /// The birth date lies after today.
    DateFuture,
    /// The last check character does not fit.
    Check,
    /// The check character of the organisation code inside a credit code does not fit.
    InnerCheck,
    /// All checks of a credit code fit, but those of a citizen number do, too: a person's number is
    /// never taken for an organisation's code.
    PersonalNumber,
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
            Self::PersonalNumber => "personal-number",
        }
    }
}

impl fmt::Display for IdRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for IdRule {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
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
    /// Zero-based index of the character, where one can be named; `None` for a rule about the whole.
    pub position: Option<usize>,
    /// The value with lookalikes exchanged (O→0, I→1, Z→2, S→5, ×→X), present only when that value
    /// passes every check. To be shown, never to be applied.
    pub suggestion: Option<Suggestion>,
}

impl IdError {
    pub(crate) fn new(kind: IdKind, rule: IdRule, position: Option<usize>) -> Self {
        Self {
            kind,
            rule,
            position,
            suggestion: None,
        }
    }

    fn from_fault(kind: IdKind, fault: IdFault) -> Self {
        Self::new(kind, fault.rule, fault.at.map(usize::from))
    }

    fn with_suggestion(mut self, repaired: Option<Suggestion>) -> Self {
        self.suggestion = repaired;
        self
    }
}

/// An error before it is known whether a repair can be suggested: small, because it travels on the path
/// that reads millions of codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct IdFault {
    rule: IdRule,
    at: Option<u8>,
}

impl IdFault {
    fn at(rule: IdRule, at: u8) -> Self {
        Self { rule, at: Some(at) }
    }

    fn whole_code(rule: IdRule) -> Self {
        Self { rule, at: None }
    }
}

/// A repaired identifier. `Debug` hides it, because it may be a citizen number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Suggestion {
    text: [u8; 18],
    len: u8,
}

impl Suggestion {
    fn new(bytes: &[u8]) -> Self {
        let mut text = [0; 18];
        let mut len = 0;
        for (slot, byte) in text.iter_mut().zip(bytes) {
            *slot = *byte;
            len += 1;
        }
        Self { text, len }
    }

    /// The suggested value.
    pub fn as_str(&self) -> &str {
        ascii_str(&self.text[..usize::from(self.len)])
    }
}

impl fmt::Debug for Suggestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Suggestion(…)")
    }
}
