//! Who may read an original, and as what: pure. Called by `grpc` for `ReadOriginal`.

use service_kit::identity::Role;

/// As what somebody reads an original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// The provider that reported it; sees its own records only.
    Provider,
    /// The credit office, for a reason.
    CreditOffice,
    /// An auditor.
    Auditor,
}

/// Why nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingError {
    /// The credit office gave no reason, or what was given is none.
    Reason,
    /// None of the caller's roles reads originals.
    Role,
}

impl Reader {
    /// The word for it in the log of accesses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::CreditOffice => "credit-office",
            Self::Auditor => "auditor",
        }
    }

    /// As what a caller with these roles reads. Whoever has several reads as the one that sees most: auditor, then
    /// credit office if a reason is given, then provider.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn of(roles: &[Role], reason: &str) -> Result<Self, ReadingError> {
        if !reason.is_empty() && !is_reason(reason) {
            return Err(ReadingError::Reason);
        }
        if roles.contains(&Role::Auditor) {
            return Ok(Self::Auditor);
        }
        let (office, provider) = (
            roles.contains(&Role::CreditOffice),
            roles.contains(&Role::Provider),
        );
        match (office, provider) {
            (true, _) if !reason.is_empty() => Ok(Self::CreditOffice),
            (_, true) => Ok(Self::Provider),
            (true, false) => Err(ReadingError::Reason),
            (false, false) => Err(ReadingError::Role),
        }
    }
}

/// 2 to 500 characters that say something, without control characters.
fn is_reason(text: &str) -> bool {
    let length = text.chars().take(501).count();
    (2..=500).contains(&length)
        && text.chars().any(char::is_alphabetic)
        && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r12_the_credit_office_says_why_and_others_see_their_own_or_audit() {
        use Role::{Auditor, CreditOffice, Operator, Provider};
        let why = "核查异议申请";
        for (roles, reason, expected) in [
            (&[Provider][..], "", Ok(Reader::Provider)),
            (&[Provider], why, Ok(Reader::Provider)),
            (&[CreditOffice], why, Ok(Reader::CreditOffice)),
            (&[CreditOffice], "", Err(ReadingError::Reason)),
            (&[CreditOffice], "。", Err(ReadingError::Reason)),
            (&[CreditOffice], "12345", Err(ReadingError::Reason)),
            (&[CreditOffice], "核查\n异议", Err(ReadingError::Reason)),
            (&[Auditor], "", Ok(Reader::Auditor)),
            (&[Auditor], "x\0y", Err(ReadingError::Reason)),
            (&[Auditor, CreditOffice, Provider], why, Ok(Reader::Auditor)),
            (&[CreditOffice, Provider], why, Ok(Reader::CreditOffice)),
            (&[CreditOffice, Provider], "", Ok(Reader::Provider)),
            (&[Operator], why, Err(ReadingError::Role)),
        ] {
            assert_eq!(Reader::of(roles, reason), expected, "{roles:?} {reason:?}");
        }
        assert_eq!(
            Reader::of(&[CreditOffice], &"因".repeat(501)),
            Err(ReadingError::Reason)
        );
    }
}
