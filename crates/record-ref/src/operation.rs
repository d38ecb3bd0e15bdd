//! What a version does to its record.

use proto::credit::common::v1 as wire;

use crate::Malformed;

/// What a version does to its record (D-24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Its content replaces the record's content.
    Upsert,
    /// The decision itself was changed, revoked, declared unlawful or void; the content is the reason, which is published.
    Revoke,
    /// The record was reported by mistake; the content is the reason, which is not published.
    Withdraw,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Upsert, Self::Revoke, Self::Withdraw];

    /// Whether it ends its record until that is reported again.
    pub fn ends_record(self) -> bool {
        self != Self::Upsert
    }

    /// Its number in tables and digests: that of `credit.common.v1.Operation`.
    pub fn number(self) -> i16 {
        match self {
            Self::Upsert => 1,
            Self::Revoke => 2,
            Self::Withdraw => 3,
        }
    }

    /// From a field of a message; 0 means an upsert, from callers that do not name it.
    ///
    /// # Errors
    /// For a number that means none.
    pub fn from_wire(number: i32) -> Result<Self, Malformed> {
        match wire::Operation::try_from(number) {
            Ok(wire::Operation::Unspecified | wire::Operation::Upsert) => Ok(Self::Upsert),
            Ok(wire::Operation::Revoke) => Ok(Self::Revoke),
            Ok(wire::Operation::Withdraw) => Ok(Self::Withdraw),
            Err(_) => Err(UNKNOWN),
        }
    }
}

const UNKNOWN: Malformed = Malformed::new("operation", "upsert, revoke or withdraw");

impl From<Operation> for wire::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Upsert => Self::Upsert,
            Operation::Revoke => Self::Revoke,
            Operation::Withdraw => Self::Withdraw,
        }
    }
}

impl From<Operation> for i32 {
    fn from(operation: Operation) -> Self {
        wire::Operation::from(operation).into()
    }
}

impl TryFrom<i16> for Operation {
    type Error = Malformed;

    fn try_from(number: i16) -> Result<Self, Malformed> {
        let known = Self::ALL.into_iter().find(|known| known.number() == number);
        known.ok_or(UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d24_an_operation_has_one_number_everywhere() {
        for operation in Operation::ALL {
            assert_eq!(Operation::try_from(operation.number()), Ok(operation));
            assert_eq!(i32::from(operation.number()), i32::from(operation));
            assert_eq!(Operation::from_wire(operation.into()), Ok(operation));
        }
        assert_eq!(Operation::from_wire(0), Ok(Operation::Upsert));
        for number in [-1, 4, i32::MAX] {
            assert_eq!(Operation::from_wire(number), Err(UNKNOWN));
        }
        assert!(Operation::try_from(0_i16).is_err());
        let ending = Operation::ALL.map(Operation::ends_record);
        assert_eq!(ending, [false, true, true]);
    }
}
