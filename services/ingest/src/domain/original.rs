//! Who may read an original, and in which capacity: pure. Called by `app` for `ReadOriginal` and
//! `ReplayRules`.

use service_kit::identity::Role;

use super::IngestRuleViolation;

/// The capacity in which a caller reads an original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginalReader {
    /// The provider that reported it; sees its own records only.
    Provider,
    /// The credit office, for a reason.
    CreditOffice,
    /// An auditor.
    Auditor,
}

impl OriginalReader {
    /// Its value in the read log.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::CreditOffice => "credit-office",
            Self::Auditor => "auditor",
        }
    }

    /// The capacity that follows from the caller's roles. Of several the one with the widest access counts: auditor,
    /// then credit office if a reason is given, then provider.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn from_roles(roles: &[Role], reason: &str) -> Result<Self, IngestRuleViolation> {
        if !reason.is_empty() {
            check_reason(reason)?;
        }
        if roles.contains(&Role::Auditor) {
            return Ok(Self::Auditor);
        }
        let (office, provider) = (
            roles.contains(&Role::CreditOffice),
            roles.contains(&Role::Provider),
        );
        // The proto file lets nobody else call, so who is left is the credit office without a reason.
        match (office, provider) {
            (true, _) if !reason.is_empty() => Ok(Self::CreditOffice),
            (_, true) => Ok(Self::Provider),
            (_, false) => Err(IngestRuleViolation::ReadingWithoutReason),
        }
    }
}

/// Whether a text says why originals are read: 2 to 500 characters that say something, without control characters.
///
/// # Errors
/// When it does not.
pub fn check_reason(text: &str) -> Result<(), IngestRuleViolation> {
    let length = text.chars().take(501).count();
    let says_why = (2..=500).contains(&length)
        && text.chars().any(char::is_alphabetic)
        && !text.chars().any(char::is_control);
    says_why
        .then_some(())
        .ok_or(IngestRuleViolation::ReadingWithoutReason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r12_the_credit_office_says_why_and_others_see_their_own_or_audit() {
        use Role::{Auditor, CreditOffice, Operator, Provider};
        let why = "核查异议申请";
        for (roles, reason, expected) in [
            (&[Provider][..], "", Ok(OriginalReader::Provider)),
            (&[Provider], why, Ok(OriginalReader::Provider)),
            (&[CreditOffice], why, Ok(OriginalReader::CreditOffice)),
            (
                &[CreditOffice],
                "",
                Err(IngestRuleViolation::ReadingWithoutReason),
            ),
            (
                &[CreditOffice],
                "。",
                Err(IngestRuleViolation::ReadingWithoutReason),
            ),
            (
                &[CreditOffice],
                "12345",
                Err(IngestRuleViolation::ReadingWithoutReason),
            ),
            (
                &[CreditOffice],
                "核查\n异议",
                Err(IngestRuleViolation::ReadingWithoutReason),
            ),
            (&[Auditor], "", Ok(OriginalReader::Auditor)),
            (
                &[Auditor],
                "x\0y",
                Err(IngestRuleViolation::ReadingWithoutReason),
            ),
            (
                &[Auditor, CreditOffice, Provider],
                why,
                Ok(OriginalReader::Auditor),
            ),
            (
                &[CreditOffice, Provider],
                why,
                Ok(OriginalReader::CreditOffice),
            ),
            (&[CreditOffice, Provider], "", Ok(OriginalReader::Provider)),
            (
                &[Operator],
                why,
                Err(IngestRuleViolation::ReadingWithoutReason),
            ),
        ] {
            assert_eq!(
                OriginalReader::from_roles(roles, reason),
                expected,
                "{roles:?} {reason:?}"
            );
        }
        assert_eq!(
            OriginalReader::from_roles(&[CreditOffice], &"因".repeat(501)),
            Err(IngestRuleViolation::ReadingWithoutReason)
        );
    }
}
