//! Ids of versions and addresses of records: two UUIDs that must not be taken for each other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::{Builder, Uuid};

use crate::Malformed;

/// Names one version of one record; given once, by ingest, as a UUID of version 7. The wire calls it `record_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct VersionId(Uuid);

/// Names one record for life, however often it is reported again, revoked or revived: later pages, objections and the
/// province name records by it. Derived from the id of the record's first version, which it does not disclose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Uuid", into = "Uuid")]
pub struct RecordAddress(Uuid);

/// Goes before the id in the hash that is an address, so that no other hash of an id is one.
const ADDRESS_DOMAIN: &[u8] = b"credit record address 1";

impl VersionId {
    /// A new one, ordered by the time of the call.
    pub fn generate() -> Self {
        Self(Uuid::now_v7())
    }
}

impl RecordAddress {
    /// The address of the record whose first version is `first`: a UUID of version 8 (RFC 9562) of the first 16 bytes of
    /// SHA-256 over `credit record address 1` and the id's 16 bytes. Migrations compute the same in SQL.
    pub fn of_first_version(first: VersionId) -> Self {
        let hash = Sha256::new_with_prefix(ADDRESS_DOMAIN)
            .chain_update(first.as_bytes())
            .finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hash[..16]);
        Self(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

/// What the two have in common; `$field` is what messages call it.
macro_rules! uuid_type {
    ($name:ident, $field:literal) => {
        impl $name {
            /// Its 16 bytes, as messages carry it.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// As tables have it.
            pub fn as_uuid(self) -> Uuid {
                self.0
            }

            /// As messages carry it.
            pub fn to_wire(self) -> bytes::Bytes {
                bytes::Bytes::copy_from_slice(self.0.as_bytes())
            }
        }

        impl TryFrom<Uuid> for $name {
            type Error = Malformed;

            fn try_from(uuid: Uuid) -> Result<Self, Malformed> {
                if uuid.is_nil() {
                    return Err(Malformed::new($field, "not all zero"));
                }
                Ok(Self(uuid))
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = Malformed;

            fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
                Uuid::from_slice(bytes)
                    .map_err(|_| Malformed::new($field, "16 bytes"))?
                    .try_into()
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                // Not the other forms that the parser reads: one id has one text.
                if text.len() != 36 {
                    return Err(Malformed::new($field, UUID_TEXT));
                }
                text.parse::<Uuid>()
                    .map_err(|_| Malformed::new($field, UUID_TEXT))?
                    .try_into()
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

const UUID_TEXT: &str = "a UUID, 36 characters with hyphens";

uuid_type!(VersionId, "record_id");
uuid_type!(RecordAddress, "record_address");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_that_of_the_first_version_and_tells_nothing_of_it() {
        let first = VersionId::try_from(Uuid::from_u128(7)).unwrap();
        let address = RecordAddress::of_first_version(first);
        // Computed by another program: it must never change, since links and the province keep it.
        assert_eq!(address.to_string(), "3cb1dec2-2494-8543-b728-450f0448ce5e");
        assert_eq!(address.as_uuid().get_version_num(), 8);
        let other = VersionId::try_from(Uuid::from_u128(8)).unwrap();
        assert_ne!(address, RecordAddress::of_first_version(other));
    }

    #[test]
    fn an_id_is_16_bytes_or_36_characters_and_never_nil() {
        let id = VersionId::generate();
        assert_eq!(VersionId::try_from(&id.as_bytes()[..]), Ok(id));
        assert_eq!(id.to_string().parse(), Ok(id));
        let rule = |text: &str| text.parse::<VersionId>().unwrap_err().rule;
        let simple = id.as_uuid().simple().to_string();
        for text in [
            "",
            "x",
            &simple,
            &format!("{{{id}}}"),
            &format!("urn:uuid:{id}"),
        ] {
            assert_eq!(rule(text), UUID_TEXT, "{text}");
        }
        assert_eq!(rule(&Uuid::nil().to_string()), "not all zero");
        let nil = VersionId::try_from(&[0; 16][..]).unwrap_err();
        assert_eq!(nil, Malformed::new("record_id", "not all zero"));
        let short = RecordAddress::try_from(&[1; 15][..]).unwrap_err();
        assert_eq!(short, Malformed::new("record_address", "16 bytes"));
    }
}
