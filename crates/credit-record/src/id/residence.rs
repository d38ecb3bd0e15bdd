//! Foreigners' permanent residence number (外国人永久居留身份证): the card since 2023-12-01 with 18
//! characters, and the card before it with 15, which stays valid until it is replaced. Called by `check`
//! for documents of persons.

use std::fmt;

use time::Date;

use super::chars::{
    ExpectedCharacter, all_same, ascii_str, days_in, known_province, length_or_alphabet_error,
    replace_lookalikes, two_digits,
};
use super::{CitizenNumber, IdError, IdFault, IdKind, IdRule, Suggestion, countries};

/// Which card a number stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CardStyle {
    /// 18 characters: 9, province of the first application, nationality by ISO 3166-1 numeric, date of
    /// birth, sequence, ISO 7064 MOD 11-2.
    Since2023,
    /// 15 characters: nationality by three letters, place, date of birth as YYMMDD, sequence, check digit.
    /// How that digit is computed is not published in reach, so it is not checked.
    Before2023,
}

/// A permanent residence number whose form, date and (for the new card) check character are right.
/// `Debug` hides it and there is no `Display`: it is a personal document.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PermanentResidence(ResidenceCard);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum ResidenceCard {
    New(CitizenNumber),
    Old([u8; 15]),
}

impl PermanentResidence {
    /// Reads 18 characters, the first of them 9, or three letters and 12 digits. `today` is the day in
    /// Asia/Shanghai.
    ///
    /// # Errors
    /// The first rule that fails; with a suggestion where a lookalike is the cause.
    pub fn parse(text: &str, today: Date) -> Result<Self, IdError> {
        match text.chars().take(19).count() {
            15 => match <&[u8; 15]>::try_from(text.as_bytes()) {
                Ok(card) if text.is_ascii() => Self::old(card, today).map_err(|f| {
                    repaired(
                        text,
                        IdError::from_fault(IdKind::PermanentResidence, f),
                        today,
                    )
                }),
                _ => {
                    let error = length_or_alphabet_error(text, IdKind::PermanentResidence, 15, 15);
                    Err(repaired(text, error, today))
                }
            },
            18 => Self::new_style(text, today),
            count => {
                // Between both lengths the shorter was meant as little as the longer.
                let end = if count < 15 { count } else { count.min(18) };
                Err(IdError::new(
                    IdKind::PermanentResidence,
                    IdRule::Length,
                    Some(end),
                ))
            }
        }
    }

    fn new_style(text: &str, today: Date) -> Result<Self, IdError> {
        if !text.starts_with('9') {
            return Err(IdError::new(
                IdKind::PermanentResidence,
                IdRule::Alphabet,
                Some(0),
            ));
        }
        match CitizenNumber::parse(text, today) {
            Ok(number) => Ok(Self(ResidenceCard::New(number))),
            Err(error) => Err(IdError {
                kind: IdKind::PermanentResidence,
                ..error
            }),
        }
    }

    fn old(card: &[u8; 15], today: Date) -> Result<Self, IdFault> {
        let wrong = |(i, b): (usize, &u8)| match i {
            0..3 => !b.is_ascii_uppercase(),
            _ => !b.is_ascii_digit(),
        };
        if let Some(at) = card.iter().enumerate().position(wrong) {
            return Err(IdFault::at(IdRule::Alphabet, at as u8));
        }
        if all_same(&card[3..]) {
            return Err(IdFault::whole_code(IdRule::Dummy));
        }
        let (year, month, day) = (
            u16::from(two_digits(card[7], card[8])),
            two_digits(card[9], card[10]),
            two_digits(card[11], card[12]),
        );
        // The century is not written. Both have the same leap years but for 1900 and 2000.
        let longest = days_in(2000 + year, month);
        if longest == 0 {
            return Err(IdFault::at(IdRule::Date, 9));
        }
        if day == 0 || day > longest {
            return Err(IdFault::at(IdRule::Date, 11));
        }
        // Only 29 February 2000 needs the later century.
        if day > days_in(1900 + year, month) && today.year() < 2000 {
            return Err(IdFault::at(IdRule::DateFuture, 7));
        }
        Ok(Self(ResidenceCard::Old(*card)))
    }

    /// The 18 or 15 characters, in clear. Seal or mask before it leaves the process.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            ResidenceCard::New(number) => number.as_str(),
            ResidenceCard::Old(card) => ascii_str(card),
        }
    }

    /// Which card it stands on.
    pub fn style(&self) -> CardStyle {
        match self.0 {
            ResidenceCard::New(_) => CardStyle::Since2023,
            ResidenceCard::Old(_) => CardStyle::Before2023,
        }
    }

    /// Nationality: three digits on the new card, three letters on the old one.
    pub fn nationality(&self) -> &str {
        match &self.0 {
            ResidenceCard::New(number) => &number.as_str()[3..6],
            ResidenceCard::Old(card) => ascii_str(&card[..3]),
        }
    }

    /// False when ISO 3166-1 does not know the nationality. States come and go, so this may only warn.
    pub fn nationality_known(&self) -> bool {
        match &self.0 {
            ResidenceCard::New(number) => {
                countries::known_numeric(&number.as_str().as_bytes()[3..6])
            }
            ResidenceCard::Old(card) => countries::known_alpha(&card[..3]),
        }
    }

    /// False when the place of the first application begins with no province. May only warn.
    pub fn region_known(&self) -> bool {
        match &self.0 {
            ResidenceCard::New(number) => known_province(&number.as_str().as_bytes()[1..3]),
            ResidenceCard::Old(card) => known_province(&card[3..5]),
        }
    }

    /// First three and last two characters, the rest as stars.
    pub fn masked(&self) -> String {
        let text = self.as_str();
        let end = text.len() - 2;
        format!("{}{}{}", &text[..3], "*".repeat(end - 3), &text[end..])
    }
}

/// Adds the repaired number of an old card.
#[cold]
fn repaired(text: &str, error: IdError, today: Date) -> IdError {
    if error.rule != IdRule::Alphabet {
        return error;
    }
    let want = |i| {
        if i < 3 {
            ExpectedCharacter::Any
        } else {
            ExpectedCharacter::Digit
        }
    };
    let better = replace_lookalikes(text, want)
        .filter(|card| PermanentResidence::old(card, today).is_ok())
        .map(|card| Suggestion::new(&card));
    error.with_suggestion(better)
}

impl fmt::Debug for PermanentResidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PermanentResidence({:?}, …)", self.style())
    }
}
