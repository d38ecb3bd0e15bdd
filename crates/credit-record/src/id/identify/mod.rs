//! What is this code? Cleans a text, guesses from its shape what was most likely meant, and checks it as that.
//! Called by `creditctl identify` and by programs that get a code without its kind.
//!
//! Everything else in [`crate::id`] is given the expected kind. Here it has to be guessed, and the guess leans to
//! persons: what may be a person's number is called one, because that is the error that harms nobody.

mod clean;
mod shape;

use serde::{Serialize, Serializer};
use time::Date;

use super::{
    CitizenNumber, CreditCode, HkMacaoPass, Holder, IdError, IdRule, OrganisationCode, Passport,
    PermanentResidence, RegistrationNumber, TaiwanPass,
};
use clean::CleanedCode;

/// What a text was taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum IdentifiedKind {
    /// `citizen_number`: GB 11643, 18 or 15 characters.
    CitizenNumber,
    /// `residence_permit`: residents of Hong Kong, Macao, Taiwan (810000, 820000, 830000).
    ResidencePermit,
    /// `permanent_residence`: foreigners, card of 18 or 15 characters.
    PermanentResidence,
    /// `credit_code`: GB 32100.
    CreditCode,
    /// `organisation_code`: GB 11714.
    OrganisationCode,
    /// `registration_number`: GS 15, 15 digits.
    RegistrationNumber,
    /// `old_registration_number`: before 2007, 13 digits or 企…字第…号. Follows no rule.
    OldRegistrationNumber,
    /// `passport`: Chinese families and foreign ones.
    Passport,
    /// `hk_macao_pass`.
    HkMacaoPass,
    /// `taiwan_pass`.
    TaiwanPass,
    /// `unknown`: looks like none of these.
    Unknown,
}

impl IdentifiedKind {
    /// Every kind, in the order in which a manual would list them.
    pub const ALL: [Self; 11] = [
        Self::CitizenNumber,
        Self::ResidencePermit,
        Self::PermanentResidence,
        Self::CreditCode,
        Self::OrganisationCode,
        Self::RegistrationNumber,
        Self::OldRegistrationNumber,
        Self::Passport,
        Self::HkMacaoPass,
        Self::TaiwanPass,
        Self::Unknown,
    ];

    /// Stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CitizenNumber => "citizen_number",
            Self::ResidencePermit => "residence_permit",
            Self::PermanentResidence => "permanent_residence",
            Self::CreditCode => "credit_code",
            Self::OrganisationCode => "organisation_code",
            Self::RegistrationNumber => "registration_number",
            Self::OldRegistrationNumber => "old_registration_number",
            Self::Passport => "passport",
            Self::HkMacaoPass => "hk_macao_pass",
            Self::TaiwanPass => "taiwan_pass",
            Self::Unknown => "unknown",
        }
    }

    /// True when a code of this kind is about a person: seal it, mask it.
    pub fn is_personal(self) -> bool {
        matches!(
            self,
            Self::CitizenNumber
                | Self::ResidencePermit
                | Self::PermanentResidence
                | Self::Passport
                | Self::HkMacaoPass
                | Self::TaiwanPass
        )
    }
}

impl Serialize for IdentifiedKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// What is worth a look although it refuses nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Warning {
    /// `region`: the division is not of GB/T 2260.
    Region,
    /// `nationality`: not of ISO 3166-1.
    Nationality,
    /// `derived_from_15`: the canonical form was derived from the 15 digits of the first generation.
    DerivedFrom15,
    /// `form_only`: nothing but the form of such a number can be checked.
    FormOnly,
    /// `ambiguous`: it passes as another kind, too; the kind given is the likelier one.
    Ambiguous,
    /// `spreadsheet_damage`: a spreadsheet has cut off digits; the code cannot be restored from this.
    SpreadsheetDamage,
}

impl Warning {
    /// Stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Region => "region",
            Self::Nationality => "nationality",
            Self::DerivedFrom15 => "derived_from_15",
            Self::FormOnly => "form_only",
            Self::Ambiguous => "ambiguous",
            Self::SpreadsheetDamage => "spreadsheet_damage",
        }
    }
}

/// What was found out about one text. As JSON: `input`, `kind`, `valid`, `canonical`, `rule`, `position`,
/// `suggestion`, null where there is none. Holds personal data when its kind is personal, so
/// `Debug` shows neither text.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Identified<'a> {
    /// The text as it was given.
    pub input: &'a str,
    /// What it was most likely meant to be.
    pub kind: IdentifiedKind,
    /// Whether it passes every check of that kind.
    pub valid: bool,
    /// The canonical form of a valid code; of 15 digits the derived 18 (the original stays what was received).
    pub canonical: Option<String>,
    /// The rule that failed.
    pub rule: Option<IdRule>,
    /// The character of `input`, counted from 0, that shows it.
    pub position: Option<usize>,
    /// A repaired code, only if it passes every check. Never applied.
    pub suggestion: Option<String>,
    /// What is worth a look. Not part of the JSON.
    #[serde(skip)]
    pub warnings: Vec<Warning>,
}

impl std::fmt::Debug for Identified<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identified")
            .field("kind", &self.kind)
            .field("valid", &self.valid)
            .field("rule", &self.rule)
            .field("position", &self.position)
            .field("warnings", &self.warnings)
            .finish_non_exhaustive()
    }
}

/// The result of one kind's parser for a cleaned text.
enum ParseOutcome {
    Valid(String, Vec<Warning>),
    Invalid(IdError),
    /// There is no parser for this kind: the rule, the position in the cleaned text.
    NoParser(IdRule, usize),
}

/// Cleans a text (invisible characters, width, separators, case), determines its kind, and checks it.
/// `today` is the day in Asia/Shanghai.
///
/// ```
/// # let today = time::Date::from_calendar_date(2026, time::Month::July, 1).unwrap();
/// let found = credit_record::id::identify_code("12430000MBOL67976N", today);
/// assert_eq!(found.kind.as_str(), "credit_code");
/// assert_eq!((found.valid, found.position), (false, Some(10)));
/// assert_eq!(found.suggestion.as_deref(), Some("12430000MB0L67976N"));
/// ```
pub fn identify_code(text: &str, today: Date) -> Identified<'_> {
    let cleaned = CleanedCode::from_text(text);
    let guess = shape::guess_kind(&cleaned, today);
    let found = |valid, rule, position: Option<usize>| Identified {
        input: text,
        kind: guess.kind,
        valid,
        canonical: None,
        rule,
        position: position.map(|at| clean::original_position(text, at)),
        suggestion: None,
        warnings: guess.warnings.clone(),
    };
    match parse_as(guess.kind, &cleaned.text, today) {
        ParseOutcome::Valid(canonical, warnings) => {
            let mut valid = found(true, None, None);
            valid.canonical = Some(canonical);
            valid.warnings.extend(warnings);
            valid
        }
        ParseOutcome::Invalid(error) => {
            let mut invalid = found(false, Some(error.rule), error.position);
            invalid.suggestion = error.suggestion.map(|s| s.as_str().to_owned());
            if error.rule == IdRule::Check && cut_off(&cleaned.text) {
                invalid.warnings.push(Warning::SpreadsheetDamage);
            }
            invalid
        }
        ParseOutcome::NoParser(rule, at) => found(false, Some(rule), Some(at)),
    }
}

/// A spreadsheet keeps 15 digits and writes 000 for the last three; the check digit then fails.
fn cut_off(text: &str) -> bool {
    text.len() == 18 && text.ends_with("000") && text.bytes().all(|b| b.is_ascii_digit())
}

fn parse_as(kind: IdentifiedKind, text: &str, today: Date) -> ParseOutcome {
    let warn = |known: bool, warning| (!known).then_some(warning);
    let judged = match kind {
        IdentifiedKind::CitizenNumber | IdentifiedKind::ResidencePermit => {
            CitizenNumber::parse(text, today).map(|number| {
                let region = warn(number.region_known(), Warning::Region);
                let derived = warn(!number.derived_from_15(), Warning::DerivedFrom15);
                let warnings = region.into_iter().chain(derived).collect();
                (number.as_str().to_owned(), warnings)
            })
        }
        IdentifiedKind::PermanentResidence => {
            PermanentResidence::parse(text, today).map(|number| {
                let old = number.style() == super::CardStyle::Before2023;
                let warnings = [
                    warn(number.region_known(), Warning::Region),
                    warn(number.nationality_known(), Warning::Nationality),
                    warn(!old, Warning::FormOnly),
                ];
                let warnings = warnings.into_iter().flatten().collect();
                (number.as_str().to_owned(), warnings)
            })
        }
        IdentifiedKind::CreditCode => CreditCode::parse(text).map(|code| {
            let region = warn(code.region_known(), Warning::Region);
            (code.as_str().to_owned(), region.into_iter().collect())
        }),
        IdentifiedKind::OrganisationCode => {
            OrganisationCode::parse(text).map(|code| (code.as_str().to_owned(), Vec::new()))
        }
        IdentifiedKind::RegistrationNumber => RegistrationNumber::parse(text).map(|number| {
            let region = warn(number.region_known(), Warning::Region);
            (number.as_str().to_owned(), region.into_iter().collect())
        }),
        IdentifiedKind::Passport => Passport::parse(text).map(|p| form_only(p.as_str())),
        IdentifiedKind::HkMacaoPass => HkMacaoPass::parse(text).map(|p| form_only(p.as_str())),
        IdentifiedKind::TaiwanPass => TaiwanPass::parse(text).map(|p| form_only(p.as_str())),
        // Opaque by its nature: nothing can fail but a filler, which `shape` does not call so.
        IdentifiedKind::OldRegistrationNumber => Ok(form_only(text)),
        IdentifiedKind::Unknown => {
            let foreign = |c: char| !(c.is_ascii_digit() || c.is_ascii_uppercase());
            return match text.chars().position(foreign) {
                Some(at) => ParseOutcome::NoParser(IdRule::Alphabet, at),
                None => ParseOutcome::NoParser(IdRule::Length, text.chars().count()),
            };
        }
    };
    match judged {
        Ok((canonical, warnings)) => ParseOutcome::Valid(canonical, warnings),
        Err(error) => ParseOutcome::Invalid(error),
    }
}

fn form_only(text: &str) -> (String, Vec<Warning>) {
    (text.to_owned(), vec![Warning::FormOnly])
}

/// Kind of a number whose first digits distinguish the holders.
fn personal(number: &CitizenNumber) -> IdentifiedKind {
    match number.holder() {
        Holder::Resident => IdentifiedKind::CitizenNumber,
        Holder::HongKong | Holder::Macao | Holder::Taiwan => IdentifiedKind::ResidencePermit,
        Holder::ForeignPermanentResident => IdentifiedKind::PermanentResidence,
    }
}
