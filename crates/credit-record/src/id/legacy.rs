//! Codes of organisations that fail a check although they are in use, admitted because somebody attests
//! them. Called by `check` for attested fields and by programs that register a subject by hand; nothing here
//! happens by itself.
//!
//! Enterprises that Xiamen registered before 2016 carry credit codes with a wrong check character, and old
//! organisation and registration numbers were once given out by hand. Refusing them for ever would keep an
//! organisation out of the records; taking them silently would let every typing error in.

use serde::{Deserialize, Serialize};

use super::citizen::reads_as_person;
use super::{CreditCode, IdError, IdRule, OrganisationCode, RegistrationNumber};

/// Longest name of an attester, in characters.
const LONGEST_NAME: usize = 100;

/// The kinds of codes that may be attested. A person's number is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegacyKind {
    /// Unified social credit code.
    CreditCode,
    /// Organisation code.
    OrganisationCode,
    /// Business registration number.
    RegistrationNumber,
}

/// A code that fails a check, with the rule it fails and the name of who vouches that it is the one on
/// the certificate. It is never equal to, and never becomes, a checked code. In JSON it is `kind`, `text`,
/// `attester` and, written only, `rule`; reading admits it anew.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "StoredLegacyCode")]
pub struct LegacyCode {
    kind: LegacyKind,
    text: String,
    attester: String,
    rule: IdRule,
}

/// Why a code is not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LegacyError {
    /// Nobody is named who vouches for it.
    #[error("attester: a name of letters, at most {LONGEST_NAME} characters, is required")]
    Attester,
    /// The code passes every check and needs no attestation.
    #[error("text: the code passes every check and is not a legacy code")]
    Sound,
    /// The failed rule cannot be attested: length, alphabet, filler.
    #[error("text: a code that breaks this rule is not admitted")]
    Rule(#[source] IdError),
    /// The text is laid out as a person's number.
    #[error(
        "text: laid out as a citizen number, which nobody can attest as an organisation's code"
    )]
    Person,
}

impl LegacyCode {
    /// Admits a code that fails the check character, the inner check character or the pair of department
    /// and category, attested by `attester` (the name of a person or an office).
    ///
    /// # Errors
    /// No attester; a code that needs none; a rule that cannot be waived; a person's number.
    pub fn admit_attested(
        kind: LegacyKind,
        text: &str,
        attester: &str,
    ) -> Result<Self, LegacyError> {
        let attester = attester.trim();
        let named = attester.chars().any(char::is_alphabetic)
            && !attester.chars().any(char::is_control)
            && attester.chars().count() <= LONGEST_NAME;
        if !named {
            return Err(LegacyError::Attester);
        }
        // Whether its check character fits or not: a mistyped person's number is a person's, too.
        if reads_as_person(text.as_bytes(), false) {
            return Err(LegacyError::Person);
        }
        let failed = match kind {
            LegacyKind::CreditCode => CreditCode::parse(text).err(),
            LegacyKind::OrganisationCode => OrganisationCode::parse(text).err(),
            LegacyKind::RegistrationNumber => RegistrationNumber::parse(text).err(),
        };
        let error = failed.ok_or(LegacyError::Sound)?;
        match error.rule {
            IdRule::Check | IdRule::InnerCheck | IdRule::Category => Ok(Self {
                kind,
                text: text.to_owned(),
                attester: attester.to_owned(),
                rule: error.rule,
            }),
            _ => Err(LegacyError::Rule(error)),
        }
    }

    /// Which code it is.
    pub fn kind(&self) -> LegacyKind {
        self.kind
    }

    /// The code as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Who vouches for it.
    pub fn attester(&self) -> &str {
        &self.attester
    }

    /// The rule that it fails.
    pub fn rule(&self) -> IdRule {
        self.rule
    }
}

/// What is stored, before it is admitted anew.
#[derive(Deserialize)]
struct StoredLegacyCode {
    kind: LegacyKind,
    text: String,
    attester: String,
}

impl TryFrom<StoredLegacyCode> for LegacyCode {
    type Error = LegacyError;

    fn try_from(stored: StoredLegacyCode) -> Result<Self, LegacyError> {
        Self::admit_attested(stored.kind, &stored.text, &stored.attester)
    }
}
