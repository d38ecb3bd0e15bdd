//! Codes of providers and of catalogue items.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Malformed;

/// Length of a provider's code, bytes.
const PROVIDER_BYTES: usize = 18;
/// Longest code of an item, bytes.
const ITEM_BYTES: usize = 64;

/// Credit code of a provider: 18 characters of GB 32100, upper case. Whether it is registered, and whether its check
/// characters are right, is known to catalog's registry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderCode([u8; PROVIDER_BYTES]);

impl ProviderCode {
    /// Its 18 characters.
    pub fn as_str(&self) -> &str {
        // Never empty: all bytes are ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for ProviderCode {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match <[u8; PROVIDER_BYTES]>::try_from(text.as_bytes()) {
            Ok(code)
                if code
                    .iter()
                    .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) =>
            {
                Ok(Self(code))
            }
            _ => Err(Malformed::new(
                "provider_code",
                "18 of 0-9 and A-Z (GB 32100)",
            )),
        }
    }
}

impl fmt::Debug for ProviderCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

/// Code of a catalogue item: 1 to 64 of a-z, 0-9 and `-`, as the lint of definitions has it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemCode(Box<str>);

impl ItemCode {
    /// Its characters.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn check(text: &str) -> Result<(), Malformed> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=ITEM_BYTES).contains(&text.len()) && text.bytes().all(plain) {
            Ok(())
        } else {
            Err(Malformed::new("item_code", "1 to 64 of a-z, 0-9 and '-'"))
        }
    }
}

impl FromStr for ItemCode {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::check(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Debug for ItemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// As its text hashes: maps by code are looked up by text.
impl std::hash::Hash for ProviderCode {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

/// What both codes have in common.
macro_rules! code_type {
    ($name:ident) => {
        impl TryFrom<&str> for $name {
            type Error = Malformed;

            fn try_from(text: &str) -> Result<Self, Malformed> {
                text.parse()
            }
        }

        impl TryFrom<String> for $name {
            type Error = Malformed;

            fn try_from(text: String) -> Result<Self, Malformed> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(code: $name) -> Self {
                code.as_str().to_owned()
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        // Maps by code are looked up by text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

code_type!(ProviderCode);
code_type!(ItemCode);

/// One version of a catalogue item.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ItemRef {
    /// Code of the item.
    pub code: ItemCode,
    /// Number of the version: 1 to 2147483647.
    version: u32,
}

impl ItemRef {
    /// A version of an item.
    ///
    /// # Errors
    /// For a version that is 0 or does not fit 31 bits: no table could hold it.
    pub fn new(code: ItemCode, version: u32) -> Result<Self, Malformed> {
        if (1..=i32::MAX as u32).contains(&version) {
            Ok(Self { code, version })
        } else {
            Err(Malformed::new("item_version", "1 to 2147483647"))
        }
    }

    /// From the columns of a table.
    ///
    /// # Errors
    /// The column that is out of form.
    pub fn from_columns(code: String, version: i32) -> Result<Self, Malformed> {
        // A negative number becomes one that is refused.
        Self::new(code.try_into()?, u32::try_from(version).unwrap_or(0))
    }

    /// Number of the version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Number of the version, as tables have it.
    pub fn version_column(&self) -> i32 {
        // Fits: that is what the constructor checks.
        self.version as i32
    }
}

impl fmt::Display for ItemRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.code, self.version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r5_a_provider_code_is_18_digits_and_capitals() {
        let code: ProviderCode = "11430100006123458R".parse().unwrap();
        assert_eq!(code.as_str(), "11430100006123458R");
        assert_eq!(
            format!("{code} {code:?}"),
            "11430100006123458R \"11430100006123458R\""
        );
        for text in [
            "",
            "11430100006123458r",
            "1143010000612345",
            "11430100006123458RR",
            "１１４３０１",
            "11430100 06123458R",
        ] {
            assert_eq!(
                text.parse::<ProviderCode>().unwrap_err().field,
                "provider_code",
                "{text}"
            );
        }
    }

    #[test]
    fn a_map_by_code_is_asked_with_a_text() {
        let provider: ProviderCode = "11430100006123458R".parse().unwrap();
        let by_provider = std::collections::HashMap::from([(provider, 1)]);
        assert_eq!(by_provider.get("11430100006123458R"), Some(&1));
        let item: ItemCode = "xzcf".parse().unwrap();
        let by_item = std::collections::HashMap::from([(item, 2)]);
        assert_eq!(by_item.get("xzcf"), Some(&2));
    }

    #[test]
    fn r6_an_item_code_is_short_and_plain() {
        let longest = "x".repeat(64);
        for text in ["xzcf", "hot-water-2", &longest] {
            assert_eq!(text.parse::<ItemCode>().unwrap().as_str(), text);
        }
        let long = "x".repeat(65);
        for text in ["", "XZCF", "x/1", "x_1", "x.1", "x\0", "行政处罚", &long] {
            assert_eq!(
                text.parse::<ItemCode>().unwrap_err().field,
                "item_code",
                "{text}"
            );
        }
    }

    #[test]
    fn r6_a_version_of_an_item_fits_31_bits_and_is_not_0() {
        let code: ItemCode = "xzcf".parse().unwrap();
        let item = ItemRef::new(code.clone(), 3).unwrap();
        assert_eq!((item.version(), item.version_column()), (3, 3));
        assert_eq!(item.to_string(), "xzcf/3");
        assert!(ItemRef::new(code.clone(), i32::MAX as u32).is_ok());
        for version in [0, i32::MAX as u32 + 1, u32::MAX] {
            let refused = ItemRef::new(code.clone(), version).unwrap_err();
            assert_eq!(refused.field, "item_version", "{version}");
        }
        assert_eq!(ItemRef::from_columns("xzcf".to_owned(), 3), Ok(item));
        assert!(ItemRef::from_columns("xzcf".to_owned(), -3).is_err());
    }
}
