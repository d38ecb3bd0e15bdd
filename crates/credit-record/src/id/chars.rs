//! Characters of identifiers: value tables, lengths, lookalikes, dates, provinces. Called by the parsers of
//! this folder only.

use super::{IdError, IdFault, IdKind, IdRule};

/// Value of a byte that is not in the alphabet. Every value in a table is smaller than 64, so that one OR
/// over all values shows whether any was foreign.
pub(super) const FOREIGN: u8 = 0x80;

/// Values 0 to n by their position in an alphabet, for all 256 bytes.
pub(super) const fn values_of(alphabet: &[u8]) -> [u8; 256] {
    let mut table = [FOREIGN; 256];
    let mut i = 0;
    while i < alphabet.len() {
        table[alphabet[i] as usize] = i as u8;
        i += 1;
    }
    table
}

/// Nobody who has records was born earlier; the standard's own oldest example is of 1880.
pub(super) const OLDEST_YEAR: u16 = 1880;

/// Bytes that were checked to be ASCII, as text.
#[inline]
pub(super) fn ascii_str(bytes: &[u8]) -> &str {
    // Every caller fills its array with ASCII only, so the empty text is never produced.
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Copies exactly `N` characters into an array, or names the first that cannot belong to an identifier.
#[inline]
pub(super) fn fixed_ascii<const N: usize>(text: &str, kind: IdKind) -> Result<[u8; N], IdError> {
    match <[u8; N]>::try_from(text.as_bytes()) {
        Ok(bytes) if bytes.is_ascii() => Ok(bytes),
        _ => Err(length_or_alphabet_error(text, kind, N, N)),
    }
}

/// Why a text that is not `least` to `most` ASCII characters is refused.
#[cold]
pub(super) fn length_or_alphabet_error(
    text: &str,
    kind: IdKind,
    least: usize,
    most: usize,
) -> IdError {
    // Counted no further than needed: the text may be a whole file.
    let count = text.chars().take(most + 1).count();
    if count < least {
        return IdError::new(kind, IdRule::Length, Some(count));
    }
    if count > most {
        return IdError::new(kind, IdRule::Length, Some(most));
    }
    let position = text.chars().position(|c| !c.is_ascii());
    IdError::new(kind, IdRule::Alphabet, position)
}

/// How a lookalike is read at one position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExpectedCharacter {
    /// A digit is wanted: O→0, I→1, l→1, Z→2, S→5.
    Digit,
    /// A digit or, as check character, X, for which ×, *, Х and χ are typed.
    DigitOrX,
    /// A letter of GB 32100 or a digit: I, O, S, Z are read as digits; a small l is the letter L.
    CodeCharacter,
    /// Any letter or digit: only the case is changed.
    Any,
}

/// Exchanges characters that people and OCR confuse. `None` when a character has no counterpart or the
/// length is not `N`.
pub(super) fn replace_lookalikes<const N: usize>(
    text: &str,
    want: impl Fn(usize) -> ExpectedCharacter,
) -> Option<[u8; N]> {
    let mut out = [0; N];
    let mut used = 0;
    for (i, c) in text.chars().enumerate() {
        let slot = out.get_mut(i)?;
        *slot = match (want(i), c) {
            (ExpectedCharacter::DigitOrX, '×' | '✕' | '╳' | '*' | 'Х' | 'х' | 'χ' | 'Χ' | 'x') => {
                b'X'
            }
            (
                ExpectedCharacter::Digit
                | ExpectedCharacter::DigitOrX
                | ExpectedCharacter::CodeCharacter,
                'O' | 'o',
            ) => b'0',
            (
                ExpectedCharacter::Digit
                | ExpectedCharacter::DigitOrX
                | ExpectedCharacter::CodeCharacter,
                'I' | 'i',
            ) => b'1',
            (ExpectedCharacter::Digit | ExpectedCharacter::DigitOrX, 'l') => b'1',
            (
                ExpectedCharacter::Digit
                | ExpectedCharacter::DigitOrX
                | ExpectedCharacter::CodeCharacter,
                'Z' | 'z',
            ) => b'2',
            (
                ExpectedCharacter::Digit
                | ExpectedCharacter::DigitOrX
                | ExpectedCharacter::CodeCharacter,
                'S' | 's',
            ) => b'5',
            (_, c) if c.is_ascii() => c.to_ascii_uppercase() as u8,
            _ => return None,
        };
        used = i + 1;
    }
    (used == N).then_some(out)
}

/// The first byte that is no digit.
pub(super) fn first_non_digit(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|b| !b.is_ascii_digit())
}

/// True when all characters are the same: 000…, 111…, AAA….
#[inline]
pub(super) fn all_same(bytes: &[u8]) -> bool {
    // The first two differ in almost every real code.
    bytes.first() == bytes.get(1) && bytes.iter().all(|b| *b == bytes[0])
}

/// Number of two digits; any value for bytes that are no digits, which callers have excluded.
#[inline]
pub(super) fn two_digits(a: u8, b: u8) -> u8 {
    (a & 15) * 10 + (b & 15)
}

/// Days of a month; 0 for a month that is none.
#[inline]
pub(super) fn days_in(year: u16, month: u8) -> u8 {
    const DAYS: [u8; 16] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        2 if leap => 29,
        0..=12 => DAYS[usize::from(month)],
        _ => 0,
    }
}

/// Refuses a year before 1880, a month or a day that is none; `at` is the index of the year, whose
/// width is given, so that the fault names the part that is wrong.
#[inline]
pub(super) fn check_calendar_day(
    year: u16,
    month: u8,
    day: u8,
    month_at: u8,
) -> Result<(), IdFault> {
    if year >= OLDEST_YEAR && day >= 1 && day <= days_in(year, month) {
        return Ok(());
    }
    Err(IdFault::at(
        IdRule::Date,
        if year < OLDEST_YEAR {
            month_at.saturating_sub(4)
        } else if days_in(year, month) == 0 {
            month_at
        } else {
            month_at + 2
        },
    ))
}

/// True for a two-digit province code of GB/T 2260 (with Taiwan, Hong Kong, Macao).
#[inline]
pub(super) fn known_province(code: &[u8]) -> bool {
    /// Bit n stands for province n.
    const PROVINCES: u128 = {
        let codes = [
            11, 12, 13, 14, 15, 21, 22, 23, 31, 32, 33, 34, 35, 36, 37, 41, 42, 43, 44, 45, 46, 50,
            51, 52, 53, 54, 61, 62, 63, 64, 65, 71, 81, 82, 83,
        ];
        let mut bits = 0;
        let mut i = 0;
        while i < codes.len() {
            bits |= 1u128 << codes[i];
            i += 1;
        }
        bits
    };
    match code {
        [a @ b'0'..=b'9', b @ b'0'..=b'9'] => PROVINCES >> two_digits(*a, *b) & 1 == 1,
        _ => false,
    }
}
