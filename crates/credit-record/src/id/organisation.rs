//! Organisation code (组织机构代码, GB 11714-1997): eight characters and a check character. Called by `check`
//! for old records and by [`super::CreditCode`], which carries one inside.

use std::fmt;

use super::{IdError, IdKind, IdRule};
use super::{all_same, ascii_str, fixed};

const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// An organisation code whose check character is right, in the form without a hyphen.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrganisationCode([u8; 9]);

impl OrganisationCode {
    /// Reads `XXXXXXXXX` or, as it is printed, `XXXXXXXX-X`; upper case.
    ///
    /// # Errors
    /// The first rule of GB 11714 that fails. No suggestion: its alphabet holds all the lookalikes.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let fail = |rule, at| Err(IdError::new(IdKind::OrganisationCode, rule, at));
        let code: [u8; 9] = match text.split_once('-') {
            Some((body, check)) if body.len() == 8 && check.len() == 1 => {
                let mut code = [0; 9];
                code[..8].copy_from_slice(body.as_bytes());
                code[8] = check.as_bytes()[0];
                code
            }
            _ => fixed(text, IdKind::OrganisationCode)?,
        };
        let allowed = |b: &u8| b.is_ascii_digit() || b.is_ascii_uppercase();
        if let Some(at) = code.iter().position(|b| !allowed(b)) {
            return fail(IdRule::Alphabet, Some(at));
        }
        if all_same(&code[..8]) {
            return fail(IdRule::Dummy, None);
        }
        if check_character(&code[..8]) != Some(code[8]) {
            return fail(IdRule::Check, Some(8));
        }
        Ok(Self(code))
    }

    /// For a code that a credit code has already checked.
    pub(super) fn trusted(code: [u8; 9]) -> Self {
        Self(code)
    }

    /// The nine characters without hyphen.
    pub fn as_str(&self) -> &str {
        ascii_str(&self.0)
    }
}

/// Check character of an eight-character body; `None` for a foreign character.
pub(super) fn check_character(body: &[u8]) -> Option<u8> {
    let mut sum = 0;
    for (byte, weight) in body.iter().zip(WEIGHTS) {
        let value = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            _ => return None,
        };
        sum += u32::from(value) * weight;
    }
    Some(match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + u8::try_from(digit).ok()?,
    })
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
