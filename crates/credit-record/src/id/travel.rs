//! Passports and passes: documents of persons whose numbers carry no check character, so that only their
//! form can be wrong. Called by `check` for documents of persons.

use std::fmt;

use super::chars::{
    ExpectedCharacter, all_same, ascii_str, length_or_alphabet_error, replace_lookalikes,
};
use super::{IdError, IdKind, IdRule, Suggestion};

/// Up to 17 characters, kept in place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct ShortNumber {
    text: [u8; 17],
    len: u8,
}

impl ShortNumber {
    /// `fits` decides whether a byte may stand at its position.
    fn read(
        text: &str,
        kind: IdKind,
        (least, most): (usize, usize),
        fits: impl Fn(usize, u8) -> bool,
    ) -> Result<Self, IdError> {
        let bytes = text.as_bytes();
        let count = text.chars().take(most + 1).count();
        if !(least..=most).contains(&count) || !text.is_ascii() {
            return Err(length_or_alphabet_error(text, kind, least, most));
        }
        let wrong = bytes.iter().enumerate().position(|(i, b)| !fits(i, *b));
        if let Some(at) = wrong {
            return Err(IdError::new(kind, IdRule::Alphabet, Some(at)));
        }
        // The letter in front of a pass carries no information.
        if all_same(&bytes[usize::from(kind == IdKind::HkMacaoPass)..]) {
            return Err(IdError::new(kind, IdRule::Dummy, None));
        }
        let mut out = Self {
            text: [0; 17],
            len: count as u8,
        };
        out.text[..count].copy_from_slice(bytes);
        Ok(out)
    }

    fn as_str(&self) -> &str {
        ascii_str(&self.text[..usize::from(self.len)])
    }

    fn masked(&self) -> String {
        let text = self.as_str();
        let end = text.len() - 2;
        format!("{}{}{}", &text[..1], "*".repeat(end - 1), &text[end..])
    }
}

/// The form of a Chinese passport's number, by its first letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PassportFamily {
    /// `E` or `G`: ordinary passport (普通护照).
    Ordinary,
    /// `D`: diplomatic passport (外交护照).
    Diplomatic,
    /// `S` or `P`: passport for public affairs (公务护照, 公务普通护照).
    PublicAffairs,
}

/// A passport number: 5 to 17 letters and digits, as every state issues its own form. `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Passport(ShortNumber);

impl Passport {
    /// Reads 5 to 17 upper-case letters and digits.
    ///
    /// # Errors
    /// Length, alphabet, or a filler. No suggestion: nothing shows that a repair is right.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let fits = |_, b: u8| b.is_ascii_digit() || b.is_ascii_uppercase();
        ShortNumber::read(text, IdKind::Passport, (5, 17), fits).map(Self)
    }

    /// The number, in clear. Seal or mask before it leaves the process.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The family of a Chinese number (one of E, G, D, S, P and eight characters); `None` for all others.
    pub fn chinese_family(&self) -> Option<PassportFamily> {
        match self.as_str().as_bytes() {
            [letter, rest @ ..] if rest.len() == 8 => match letter {
                b'E' | b'G' => Some(PassportFamily::Ordinary),
                b'D' => Some(PassportFamily::Diplomatic),
                b'S' | b'P' => Some(PassportFamily::PublicAffairs),
                _ => None,
            },
            _ => None,
        }
    }

    /// First and last two characters, the rest as stars.
    pub fn masked(&self) -> String {
        self.0.masked()
    }
}

impl fmt::Debug for Passport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passport(…)")
    }
}

/// Mainland travel permit of a resident of Hong Kong (`H`) or Macao (`M`), 港澳居民来往内地通行证: the letter
/// and 8 digits, on older cards followed by the count of issues. `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct HkMacaoPass(ShortNumber);

impl HkMacaoPass {
    /// Reads H or M and 8 to 10 digits.
    ///
    /// # Errors
    /// Length, alphabet or filler; with a suggestion where letters stand for digits.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::read(text).map_err(|error| {
            suggest_repair(
                text,
                error,
                |i| {
                    if i == 0 {
                        ExpectedCharacter::Any
                    } else {
                        ExpectedCharacter::Digit
                    }
                },
                |t| Self::read(t).is_ok(),
            )
        })
    }

    fn read(text: &str) -> Result<Self, IdError> {
        let fits = |i: usize, b: u8| match i {
            0 => matches!(b, b'H' | b'M'),
            _ => b.is_ascii_digit(),
        };
        ShortNumber::read(text, IdKind::HkMacaoPass, (9, 11), fits).map(Self)
    }

    /// The number, in clear. Seal or mask before it leaves the process.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// True for Macao, false for Hong Kong.
    pub fn is_macao(&self) -> bool {
        self.as_str().starts_with('M')
    }

    /// The letter with 8 digits, which stays the same when the card is issued again.
    pub fn permanent_number(&self) -> &str {
        &self.as_str()[..9]
    }

    /// First and last two characters, the rest as stars.
    pub fn masked(&self) -> String {
        self.0.masked()
    }
}

impl fmt::Debug for HkMacaoPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HkMacaoPass(…)")
    }
}

/// Mainland travel permit of a resident of Taiwan, 台湾居民来往大陆通行证: 8 digits, on older cards 10.
/// `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TaiwanPass(ShortNumber);

impl TaiwanPass {
    /// Reads 8 or 10 digits.
    ///
    /// # Errors
    /// Length, alphabet or filler; with a suggestion where letters stand for digits.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        Self::read(text).map_err(|error| {
            suggest_repair(
                text,
                error,
                |_| ExpectedCharacter::Digit,
                |t| Self::read(t).is_ok(),
            )
        })
    }

    fn read(text: &str) -> Result<Self, IdError> {
        if text.chars().take(10).count() == 9 {
            return Err(IdError::new(IdKind::TaiwanPass, IdRule::Length, Some(9)));
        }
        let fits = |_, b: u8| b.is_ascii_digit();
        ShortNumber::read(text, IdKind::TaiwanPass, (8, 10), fits).map(Self)
    }

    /// The number, in clear. Seal or mask before it leaves the process.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// First and last two characters, the rest as stars.
    pub fn masked(&self) -> String {
        self.0.masked()
    }
}

impl fmt::Debug for TaiwanPass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaiwanPass(…)")
    }
}

/// Adds the text with digits for lookalikes when that passes.
#[cold]
fn suggest_repair(
    text: &str,
    error: IdError,
    want: impl Fn(usize) -> ExpectedCharacter + Copy,
    passes: impl Fn(&str) -> bool,
) -> IdError {
    if error.rule != IdRule::Alphabet {
        return error;
    }
    fn try_length<const N: usize>(
        text: &str,
        want: impl Fn(usize) -> ExpectedCharacter,
        passes: &impl Fn(&str) -> bool,
    ) -> Option<Suggestion> {
        replace_lookalikes::<N>(text, want)
            .filter(|bytes| passes(ascii_str(bytes)))
            .map(|bytes| Suggestion::new(&bytes))
    }
    let repaired = match text.chars().count() {
        8 => try_length::<8>(text, want, &passes),
        9 => try_length::<9>(text, want, &passes),
        10 => try_length::<10>(text, want, &passes),
        11 => try_length::<11>(text, want, &passes),
        _ => None,
    };
    error.with_suggestion(repaired)
}
