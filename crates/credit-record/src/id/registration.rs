//! Business registration number (工商注册号, GS 15-2006): 15 digits in use before the credit code. Called by
//! `check`; numbers of before 2007 follow no rule and are kept as opaque text by the caller.

use std::fmt;

use super::{IdError, IdKind, IdRule, Suggestion};
use super::{all_same, ascii_str, exchange_lookalikes, fixed};

/// A registration number whose check digit (ISO 7064 MOD 11,10) is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationNumber([u8; 15]);

impl RegistrationNumber {
    /// Reads 15 digits.
    ///
    /// # Errors
    /// The first rule of GS 15 that fails; with a suggestion where lookalike letters are the cause.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let tried = fixed(text, IdKind::RegistrationNumber).and_then(Self::verify);
        tried.map_err(|mut error| {
            if error.rule == IdRule::Alphabet {
                error.suggestion = exchange_lookalikes(text, false)
                    .filter(|digits| Self::verify(*digits).is_ok())
                    .map(|digits| Suggestion::new(&digits));
            }
            error
        })
    }

    fn verify(digits: [u8; 15]) -> Result<Self, IdError> {
        let fail = |rule, at| Err(IdError::new(IdKind::RegistrationNumber, rule, at));
        if let Some(at) = digits.iter().position(|b| !b.is_ascii_digit()) {
            return fail(IdRule::Alphabet, Some(at));
        }
        if all_same(&digits[..14]) {
            return fail(IdRule::Dummy, None);
        }
        let mut product = 10;
        for byte in &digits[..14] {
            let sum = (product + u32::from(byte - b'0')) % 10;
            product = if sum == 0 { 10 } else { sum } * 2 % 11;
        }
        if (11 - product) % 10 != u32::from(digits[14] - b'0') {
            return fail(IdRule::Check, Some(14));
        }
        Ok(Self(digits))
    }

    /// The 15 digits.
    pub fn as_str(&self) -> &str {
        ascii_str(&self.0)
    }

    /// True when the sequence marks a 个体工商户 (seventh digit 6 to 9).
    pub fn is_individual_business(&self) -> bool {
        self.0[6] >= b'6'
    }
}

impl fmt::Display for RegistrationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RegistrationNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RegistrationNumber({self})")
    }
}
