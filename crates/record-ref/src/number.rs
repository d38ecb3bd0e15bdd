//! Numbers that ingest gives: a version's position among those of its record, and in its provider's ledger.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Malformed;

/// Place of a version among those of its record: 1 for the first, then without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Revision(i64);

/// Place of a version in its provider's ledger: 1 for the first, then without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct LedgerNumber(i64);

/// What both have in common: 1 to 2^63-1, since PostgreSQL has no unsigned integers.
macro_rules! number_type {
    ($name:ident, $field:literal) => {
        impl $name {
            /// The first one.
            pub const FIRST: Self = Self(1);

            /// The one after this.
            ///
            /// # Errors
            /// After 2^63-1, which is never reached.
            pub fn next(self) -> Result<Self, Malformed> {
                self.0.checked_add(1).ok_or(Self::RULE).map(Self)
            }

            /// As messages carry it.
            pub fn get(self) -> u64 {
                self.0.unsigned_abs()
            }

            /// As tables have it.
            pub fn as_i64(self) -> i64 {
                self.0
            }

            const RULE: Malformed = Malformed::new($field, "1 to 2^63-1");
        }

        impl TryFrom<i64> for $name {
            type Error = Malformed;

            fn try_from(number: i64) -> Result<Self, Malformed> {
                if number < 1 {
                    return Err(Self::RULE);
                }
                Ok(Self(number))
            }
        }

        impl TryFrom<u64> for $name {
            type Error = Malformed;

            fn try_from(number: u64) -> Result<Self, Malformed> {
                i64::try_from(number).map_err(|_| Self::RULE)?.try_into()
            }
        }

        impl From<$name> for u64 {
            fn from(number: $name) -> Self {
                number.get()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_type!(Revision, "revision");
number_type!(LedgerNumber, "ledger_number");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r11_numbers_begin_at_1_and_fit_a_column() {
        let first = Revision::FIRST;
        assert_eq!(
            (first.get(), first.as_i64(), first.to_string()),
            (1, 1, "1".to_owned())
        );
        assert_eq!(first.next(), Revision::try_from(2_u64));
        let last = Revision::try_from(i64::MAX).unwrap();
        assert!(last.next().is_err());
        for wrong in [0, i64::MAX as u64 + 1, u64::MAX] {
            assert_eq!(
                Revision::try_from(wrong),
                Err(Malformed::new("revision", "1 to 2^63-1"))
            );
            assert_eq!(
                LedgerNumber::try_from(wrong).unwrap_err().field,
                "ledger_number"
            );
        }
        assert!(LedgerNumber::try_from(-1_i64).is_err());
    }
}
