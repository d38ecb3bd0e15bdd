//! The provider's own record key, as the platform knows it.

use std::fmt;

use crate::Malformed;

/// Keyed hash (32 bytes) of the provider's own record key, which may hold personal data. `vault` computes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest([u8; 32]);

impl KeyDigest {
    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As messages carry it.
    pub fn to_wire(self) -> bytes::Bytes {
        bytes::Bytes::copy_from_slice(&self.0)
    }
}

impl From<[u8; 32]> for KeyDigest {
    fn from(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl TryFrom<&[u8]> for KeyDigest {
    type Error = Malformed;

    fn try_from(bytes: &[u8]) -> Result<Self, Malformed> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| Malformed::new("key_digest", "32 bytes"))
    }
}

impl TryFrom<Vec<u8>> for KeyDigest {
    type Error = Malformed;

    fn try_from(bytes: Vec<u8>) -> Result<Self, Malformed> {
        bytes.as_slice().try_into()
    }
}

impl AsRef<[u8]> for KeyDigest {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// The first bytes: enough to distinguish two in a log.
impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "KeyDigest({a:02x}{b:02x}{c:02x}{d:02x}…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_32_bytes_and_a_log_shows_four() {
        let digest = KeyDigest::from([0xab; 32]);
        assert_eq!(KeyDigest::try_from(digest.as_bytes().to_vec()), Ok(digest));
        assert_eq!(format!("{digest:?}"), "KeyDigest(abababab…)");
        for length in [0, 31, 33] {
            let refused = KeyDigest::try_from(vec![1; length]).unwrap_err();
            assert_eq!(refused, Malformed::new("key_digest", "32 bytes"));
        }
    }
}
