//! Resume tokens of streams: how far a caller has answers, signed, so that the server keeps nothing of a stream that
//! broke. Called by `grpc::stream`.
//!
//! ```text
//! version 1 | position, 8 bytes | keyed hash, 16 bytes | credit code of the provider
//! ```

use vault::{Keyring, keyed_hash};

use crate::error::IngestError;

const VERSION: u8 = 1;
const HASH_BYTES: usize = 16;

/// The token of a caller that has `position` answers.
pub(super) fn encode_resume_token(
    keyring: &Keyring,
    provider_code: &str,
    position: u64,
) -> Vec<u8> {
    let mut token = Vec::with_capacity(1 + 8 + HASH_BYTES + provider_code.len());
    token.push(VERSION);
    token.extend(position.to_be_bytes());
    token.extend(hash(keyring, provider_code, position));
    token.extend(provider_code.as_bytes());
    token
}

/// The position of a token.
///
/// # Errors
/// When it is no token that was given by this installation, or was given to another provider.
pub(super) fn decode_resume_token(
    keyring: &Keyring,
    provider_code: &str,
    token: &[u8],
) -> Result<u64, IngestError> {
    let parsed = parse(token).filter(|(owner, position, given)| {
        // Constant-time comparison.
        let right = hash(keyring, owner, *position);
        right
            .iter()
            .zip(*given)
            .fold(0, |all, (a, b)| all | (a ^ b))
            == 0
    });
    let (owner, position, _) = parsed.ok_or(IngestError::ResumeToken)?;
    if owner == provider_code {
        Ok(position)
    } else {
        Err(IngestError::ResumeTokenForeign)
    }
}

fn parse(token: &[u8]) -> Option<(&str, u64, &[u8; HASH_BYTES])> {
    let (&[version], rest) = token.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk::<8>()?;
    let (given, owner) = rest.split_first_chunk::<HASH_BYTES>()?;
    let owner = std::str::from_utf8(owner).ok()?;
    (version == VERSION).then(|| (owner, u64::from_be_bytes(*position), given))
}

fn hash(keyring: &Keyring, owner: &str, position: u64) -> [u8; HASH_BYTES] {
    let whole = keyed_hash::sign_resume_token(keyring, owner, position);
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&whole[..HASH_BYTES]);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::reason_and_field;

    const PROVIDER: &str = "11430100006123458R";

    #[test]
    fn r11_a_token_is_good_for_its_provider_and_installation_only() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let good = encode_resume_token(&keyring, PROVIDER, 77);
        assert_eq!(decode_resume_token(&keyring, PROVIDER, &good).unwrap(), 77);
        let refused = |keyring: &Keyring, provider: &str, token: &[u8]| {
            let refused = decode_resume_token(keyring, provider, token).unwrap_err();
            let (reason, field) = reason_and_field(refused);
            assert_eq!(field, "resume_token");
            reason
        };
        let foreign = refused(&keyring, "11430100MB1A2B3C4X", &good);
        assert_eq!(foreign, "RESUME_TOKEN_FOREIGN");
        let other = Keyring::parse(&Keyring::generate()).unwrap();
        assert_eq!(refused(&other, PROVIDER, &good), "RESUME_TOKEN_INVALID");
        // Altered to look like the caller's own.
        let mut renamed = good[..25].to_vec();
        renamed.extend("11430100MB1A2B3C4X".as_bytes());
        let reason = refused(&keyring, "11430100MB1A2B3C4X", &renamed);
        assert_eq!(reason, "RESUME_TOKEN_INVALID");
    }

    /// Made by another program in the documented form: callers keep tokens over releases.
    #[test]
    fn r11_a_token_of_an_earlier_release_is_still_good() {
        let master = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let key = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";
        let text = format!("master m1 {master} active\nblind b1 {key}\n");
        let keyring = Keyring::parse(&text).unwrap();
        let given = encode_resume_token(&keyring, PROVIDER, 77);
        assert_eq!(
            hex::encode(&given),
            "01000000000000004ddfcd97236990d103566176f75a8b83\
             01313134333031303030303631323334353852"
        );
    }

    proptest! {
        #[test]
        fn r11_no_bit_of_a_token_can_be_changed(at in any::<prop::sample::Index>(), bit in 0..8, position: u64) {
            let keyring = Keyring::parse(&Keyring::generate()).unwrap();
            let mut changed = encode_resume_token(&keyring, PROVIDER, position);
            prop_assert_eq!(decode_resume_token(&keyring, PROVIDER, &changed).unwrap(), position);
            let at = at.index(changed.len());
            changed[at] ^= 1_u8 << bit;
            prop_assert!(decode_resume_token(&keyring, PROVIDER, &changed).is_err());
            prop_assert!(decode_resume_token(&keyring, PROVIDER, &changed[..at]).is_err());
        }
    }
}
