//! Resume tokens of streams: how far a caller has answers, signed, so that the server keeps nothing of a stream that
//! broke. Called by `grpc::stream`.
//!
//! ```text
//! version 1 | position, 8 bytes | keyed hash, 16 bytes | credit code of the provider
//! ```

use service_kit::error::Refusal;
use tonic::Code;
use vault::Keyring;

use crate::error::invalid;

const VERSION: u8 = 1;
const HASH: usize = 16;
/// Domain of the keyed hash.
const DOMAIN: &str = "resume-token";

/// The token of a caller that has `position` answers.
pub(super) fn token(keyring: &Keyring, provider_code: &str, position: u64) -> Vec<u8> {
    let mut token = Vec::with_capacity(1 + 8 + HASH + provider_code.len());
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
pub(super) fn position(
    keyring: &Keyring,
    provider_code: &str,
    token: &[u8],
) -> Result<u64, Refusal> {
    let parsed = parse(token).filter(|(owner, position, given)| {
        // Compared without telling by the time it takes how much of it is right.
        let right = hash(keyring, owner, *position);
        right
            .iter()
            .zip(*given)
            .fold(0, |all, (a, b)| all | (a ^ b))
            == 0
    });
    let Some((owner, position, _)) = parsed else {
        return Err(invalid(
            "RESUME_TOKEN_INVALID",
            "resume_token",
            "the resume_token of an answer, unchanged",
            "续传标记无效，请使用最后一次应答中的标记，或者从头报送",
        ));
    };
    if owner != provider_code {
        return Err(Refusal::field(
            Code::PermissionDenied,
            "RESUME_TOKEN_FOREIGN",
            "resume_token",
            "given to the caller's own provider",
            "该续传标记属于其他单位",
        ));
    }
    Ok(position)
}

fn parse(token: &[u8]) -> Option<(&str, u64, &[u8; HASH])> {
    let (&[version], rest) = token.split_first_chunk()?;
    let (position, rest) = rest.split_first_chunk::<8>()?;
    let (given, owner) = rest.split_first_chunk::<HASH>()?;
    let owner = std::str::from_utf8(owner).ok()?;
    (version == VERSION).then(|| (owner, u64::from_be_bytes(*position), given))
}

fn hash(keyring: &Keyring, owner: &str, position: u64) -> [u8; HASH] {
    let whole = keyring.blind(DOMAIN, &format!("{position}/{owner}"));
    let mut hash = [0; HASH];
    hash.copy_from_slice(&whole[..HASH]);
    hash
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROVIDER: &str = "11430100006123458R";

    #[test]
    fn r11_a_token_is_good_for_its_provider_and_installation_only() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let good = token(&keyring, PROVIDER, 77);
        assert_eq!(position(&keyring, PROVIDER, &good), Ok(77));
        let refused = |keyring: &Keyring, provider: &str, token: &[u8]| {
            let refusal = position(keyring, provider, token).unwrap_err();
            assert_eq!(refusal.field, "resume_token");
            refusal.reason
        };
        let foreign = refused(&keyring, "11430100MB1A2B3C4X", &good);
        assert_eq!(foreign, "RESUME_TOKEN_FOREIGN");
        let other = Keyring::parse(&Keyring::generate()).unwrap();
        assert_eq!(refused(&other, PROVIDER, &good), "RESUME_TOKEN_INVALID");
        // Made to look like one's own.
        let mut renamed = good[..25].to_vec();
        renamed.extend("11430100MB1A2B3C4X".as_bytes());
        let reason = refused(&keyring, "11430100MB1A2B3C4X", &renamed);
        assert_eq!(reason, "RESUME_TOKEN_INVALID");
    }

    proptest! {
        #[test]
        fn r11_no_bit_of_a_token_can_be_changed(at in any::<prop::sample::Index>(), bit in 0..8, place: u64) {
            let keyring = Keyring::parse(&Keyring::generate()).unwrap();
            let mut changed = token(&keyring, PROVIDER, place);
            prop_assert_eq!(position(&keyring, PROVIDER, &changed), Ok(place));
            let at = at.index(changed.len());
            changed[at] ^= 1_u8 << bit;
            prop_assert!(position(&keyring, PROVIDER, &changed).is_err());
            prop_assert!(position(&keyring, PROVIDER, &changed[..at]).is_err());
        }
    }
}
