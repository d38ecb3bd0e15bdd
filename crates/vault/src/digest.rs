//! SHA-256 (FIPS 180-4) and HMAC-SHA-256 (RFC 2104). Called for content digests of records and,
//! through [`crate::keyed_hash`], for blind indexes.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

/// The SHA-256 digest of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The HMAC-SHA-256 code of some bytes under a key of any length.
pub fn hmac_sha256(key: &[u8], bytes: &[u8]) -> [u8; 32] {
    hmac_sha256_parts(key, &[bytes])
}

/// HMAC-SHA-256 over several parts in a row, without copying them together.
pub(crate) fn hmac_sha256_parts(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC hashes long keys and pads short ones: there is no length that it refuses.
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes any key length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}
