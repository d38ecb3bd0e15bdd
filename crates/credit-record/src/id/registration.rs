//! Business registration number (工商注册号, GS 15-2006): 15 digits in use before the credit code. Called by
//! `check`; numbers of before 2007 follow no rule and are kept as opaque text by the caller.

use std::fmt;

use super::chars::{
    ExpectedCharacter, all_same, ascii_str, first_non_digit, fixed_ascii, known_province,
    length_or_alphabet_error, replace_lookalikes,
};
use super::{IdError, IdFault, IdKind, IdRule, Suggestion};

/// A registration number whose check digit (ISO 7064 MOD 11,10) is right.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RegistrationNumber([u8; 15]);

impl RegistrationNumber {
    /// Reads 15 digits.
    ///
    /// # Errors
    /// The first rule of GS 15 that fails; with a suggestion where lookalike letters are the cause.
    #[inline]
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let error = match <&[u8; 15]>::try_from(text.as_bytes()) {
            Ok(digits) if text.is_ascii() => match Self::verify(digits) {
                Ok(number) => return Ok(number),
                Err(fault) => IdError::from_fault(IdKind::RegistrationNumber, fault),
            },
            _ => length_or_alphabet_error(text, IdKind::RegistrationNumber, 15, 15),
        };
        Err(explain(text, error))
    }

    /// Completes 14 digits with their check digit.
    ///
    /// # Errors
    /// As [`RegistrationNumber::parse`]; `Length` when `fourteen` is not 14 digits.
    pub fn with_check(fourteen: &str) -> Result<Self, IdError> {
        let head: [u8; 14] = fixed_ascii(fourteen, IdKind::RegistrationNumber)?;
        if let Some(at) = first_non_digit(&head) {
            return Err(IdError::new(
                IdKind::RegistrationNumber,
                IdRule::Alphabet,
                Some(at),
            ));
        }
        let mut digits = [b'0'; 15];
        digits[..14].copy_from_slice(&head);
        digits[14] = check_digit(&digits);
        Self::verify(&digits)
            .map_err(|fault| IdError::from_fault(IdKind::RegistrationNumber, fault))
    }

    #[inline]
    fn verify(digits: &[u8; 15]) -> Result<Self, IdFault> {
        if let Some(at) = first_non_digit(digits) {
            return Err(IdFault::at(IdRule::Alphabet, at as u8));
        }
        if all_same(&digits[..14]) {
            return Err(IdFault::whole_code(IdRule::Dummy));
        }
        if check_digit(digits) != digits[14] {
            return Err(IdFault::at(IdRule::Check, 14));
        }
        Ok(Self(*digits))
    }

    /// The 15 digits.
    #[inline]
    pub fn as_str(&self) -> &str {
        ascii_str(&self.0)
    }

    /// True when the sequence marks a 个体工商户 (seventh digit 6 to 9).
    pub fn is_individual_business(&self) -> bool {
        self.0[6] >= b'6'
    }

    /// True when the sequence marks a foreign-invested enterprise (seventh digit 4 or 5).
    pub fn is_foreign_invested(&self) -> bool {
        matches!(self.0[6], b'4' | b'5')
    }

    /// False when the first two digits are no province (nor `10`, central registrations). May only warn.
    pub fn region_known(&self) -> bool {
        known_province(&self.0[..2]) || &self.0[..2] == b"10"
    }
}

/// Digits 1 to 14 by ISO 7064 MOD 11,10.
#[inline]
fn check_digit(digits: &[u8; 15]) -> u8 {
    let mut product = 10;
    for byte in &digits[..14] {
        let sum = (product + (byte & 15)) % 10;
        product = if sum == 0 { 10 } else { sum } * 2 % 11;
    }
    b'0' + (11 - product) % 10
}

#[cold]
fn explain(text: &str, error: IdError) -> IdError {
    if error.rule != IdRule::Alphabet {
        return error;
    }
    let repaired = replace_lookalikes(text, |_| ExpectedCharacter::Digit)
        .filter(|digits| RegistrationNumber::verify(digits).is_ok())
        .map(|digits| Suggestion::new(&digits));
    error.with_suggestion(repaired)
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
