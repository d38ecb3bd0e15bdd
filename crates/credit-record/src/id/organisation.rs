//! Organisation code (组织机构代码, GB 11714-1997): eight characters and a check character. Called by `check`
//! for old records and by [`super::CreditCode`], which carries one inside.

use std::fmt;

use super::chars::{
    ExpectedCharacter, FOREIGN, all_same, ascii_str, length_or_alphabet_error, replace_lookalikes,
    values_of,
};
use super::{IdError, IdFault, IdKind, IdRule, Suggestion};

/// Value of each byte: 0 to 9, A = 10 to Z = 35.
const VALUES: [u8; 256] = values_of(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
const WEIGHTS: [u16; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
/// Check character for each remainder of the weighted sum: 11 minus it, where 10 is X and 11 is 0.
const CHECKS: &[u8; 11] = b"0X987654321";

/// An organisation code whose check character is right, in the form without a hyphen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganisationCode([u8; 9]);

impl OrganisationCode {
    /// Reads `XXXXXXXXX` or, as it is printed, `XXXXXXXX-X`; upper case.
    ///
    /// # Errors
    /// The first rule of GB 11714 that fails; positions count the characters of `text`, its hyphen too.
    /// With a suggestion where letters for digits are the cause: the alphabet holds I, O, S and Z, but
    /// a code whose check fails and fits with digits in their place was probably mistyped.
    #[inline]
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let (code, hyphen): ([u8; 9], bool) = match text.as_bytes() {
            [a, b, c, d, e, f, g, h, b'-', check] if text.is_ascii() => {
                ([*a, *b, *c, *d, *e, *f, *g, *h, *check], true)
            }
            bytes => match bytes.try_into() {
                Ok(code) if text.is_ascii() => (code, false),
                _ => {
                    let error = length_or_alphabet_error(text, IdKind::OrganisationCode, 9, 9);
                    return Err(error.with_suggestion(repair(text)));
                }
            },
        };
        match Self::verify(&code) {
            Ok(code) => Ok(code),
            Err(fault) => Err(explain(text, fault, hyphen)),
        }
    }

    #[inline]
    fn verify(code: &[u8; 9]) -> Result<Self, IdFault> {
        let foreign = code[..8].iter().position(|b| value(*b) == FOREIGN);
        if let Some(at) = foreign {
            return Err(IdFault::at(IdRule::Alphabet, at as u8));
        }
        if !(code[8].is_ascii_digit() || code[8] == b'X') {
            return Err(IdFault::at(IdRule::Alphabet, 8));
        }
        if all_same(&code[..8]) {
            return Err(IdFault::whole_code(IdRule::Dummy));
        }
        if !check_character_fits(code) {
            return Err(IdFault::at(IdRule::Check, 8));
        }
        Ok(Self(*code))
    }

    /// Completes eight characters with their check character.
    ///
    /// # Errors
    /// As [`OrganisationCode::parse`]; `Length` when `body` is not eight characters.
    pub fn with_check(body: &str) -> Result<Self, IdError> {
        let head: [u8; 8] = super::chars::fixed_ascii(body, IdKind::OrganisationCode)?;
        let mut code = [b'0'; 9];
        code[..8].copy_from_slice(&head);
        // A foreign character gives no check character and is named by `verify`.
        code[8] = check_character(&head).unwrap_or(b'0');
        Self::verify(&code).map_err(|fault| IdError::from_fault(IdKind::OrganisationCode, fault))
    }

    /// For a code that a credit code has already checked.
    pub(super) fn new_unchecked(code: [u8; 9]) -> Self {
        Self(code)
    }

    /// The nine characters without hyphen.
    #[inline]
    pub fn as_str(&self) -> &str {
        ascii_str(&self.0)
    }

    /// The form that certificates print: `XXXXXXXX-X`.
    pub fn hyphenated_text(&self) -> String {
        let text = self.as_str();
        format!("{}-{}", &text[..8], &text[8..])
    }
}

#[cold]
fn explain(text: &str, fault: IdFault, hyphen: bool) -> IdError {
    let at = fault.at.map(|at| at + u8::from(hyphen && at == 8));
    let error = IdError::from_fault(IdKind::OrganisationCode, IdFault { at, ..fault });
    match fault.rule {
        IdRule::Alphabet | IdRule::Check => error.with_suggestion(repair(text)),
        _ => error,
    }
}

/// The code with other case or with digits for lookalike letters, where that passes every check.
fn repair(text: &str) -> Option<Suggestion> {
    let hyphen = text.chars().nth(8) == Some('-');
    let passes = |body: ExpectedCharacter| {
        let code: [u8; 9] = if hyphen {
            let ten: [u8; 10] = replace_lookalikes(text, |i| {
                if i == 9 {
                    ExpectedCharacter::DigitOrX
                } else {
                    body
                }
            })?;
            let [a, b, c, d, e, f, g, h, _, check] = ten;
            [a, b, c, d, e, f, g, h, check]
        } else {
            replace_lookalikes(text, |i| {
                if i == 8 {
                    ExpectedCharacter::DigitOrX
                } else {
                    body
                }
            })?
        };
        OrganisationCode::verify(&code)
            .ok()
            .map(|_| Suggestion::new(&code))
    };
    passes(ExpectedCharacter::Any).or_else(|| passes(ExpectedCharacter::Digit))
}

#[inline]
fn value(byte: u8) -> u8 {
    VALUES[usize::from(byte)]
}

/// Remainder of the weighted sum of eight characters, and all values joined by OR.
#[inline]
fn weigh(body: &[u8]) -> (usize, u8) {
    let mut sum = 0;
    let mut seen = 0;
    for (byte, weight) in body.iter().zip(WEIGHTS) {
        let value = value(*byte);
        seen |= value;
        sum += weight * u16::from(value & 63);
    }
    (usize::from(sum % 11), seen)
}

/// True when the ninth character is the check character of the first eight.
#[inline]
pub(super) fn check_character_fits(code: &[u8]) -> bool {
    let (remainder, seen) = weigh(&code[..8]);
    seen & FOREIGN == 0 && CHECKS[remainder] == code[8]
}

/// Check character of an eight-character body; `None` for a foreign character.
pub(super) fn check_character(body: &[u8]) -> Option<u8> {
    let (remainder, seen) = weigh(body);
    (seen & FOREIGN == 0).then(|| CHECKS[remainder])
}

impl fmt::Display for OrganisationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for OrganisationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OrganisationCode({self})")
    }
}
