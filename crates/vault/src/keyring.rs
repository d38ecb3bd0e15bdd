//! The keys of one installation and what is done with them. A service reads its keyring once at
//! the start (from a file that only it can read), clones the handle freely, and calls
//! [`Keyring::seal`], [`Keyring::open`] and the functions of [`crate::keyed_hash`].
//!
//! Master keys only ever encrypt data keys; data keys encrypt content (`envelope`). The blind
//! index has a key of its own, because it can not be rotated without computing every index again.

mod envelope;
mod opener;
mod sealer;
mod text;

pub use envelope::OpenError;
pub use text::KeyringError;

use crate::digest;
use aes_gcm::{Aes256Gcm, KeyInit};
use opener::Opener;
use sealer::Sealer;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of a key, wiped when dropped.
pub(crate) type KeyBytes = Zeroizing<[u8; 32]>;

/// The master keys by id with one active, and the blind-index key. Cheap to clone and to share
/// between threads; the keys are wiped when the last clone goes.
#[derive(Clone)]
pub struct Keyring {
    inner: Arc<KeyringInner>,
}

struct KeyringInner {
    active: String,
    masters: BTreeMap<String, Aes256Gcm>,
    blind_id: String,
    blind: KeyBytes,
    sealer: Sealer,
    opener: Opener,
}

impl Keyring {
    /// Reads the text form: one key a line, `master <id> <64 hex> [active]` or
    /// `blind <id> <64 hex>`, with `#` starting a comment. Exactly one master is active, exactly
    /// one blind key is given.
    ///
    /// # Errors
    /// The line and the rule that it breaks; never the key.
    pub fn parse(text: &str) -> Result<Keyring, KeyringError> {
        Ok(Keyring::from_keys(&text::parse_keys(text)?, sealer::LIMITS))
    }

    /// The text form of a fresh keyring with one active master and one blind key, for a new
    /// installation or a test. The caller writes it where only the services can read it.
    pub fn generate() -> String {
        text::format_keys(&random_secret(), &random_secret(), &random_bytes())
    }

    fn from_keys(keys: &text::KeyringKeys, limits: sealer::DataKeyLimits) -> Keyring {
        let masters: BTreeMap<String, Aes256Gcm> = keys
            .masters
            .iter()
            .map(|(id, secret)| (id.clone(), Aes256Gcm::new((&**secret).into())))
            .collect();
        let sealer = Sealer::new(
            keys.active.clone(),
            Aes256Gcm::new((&*keys.masters[&keys.active]).into()),
            limits,
        );
        Keyring {
            inner: Arc::new(KeyringInner {
                active: keys.active.clone(),
                masters,
                blind_id: keys.blind_id.clone(),
                blind: keys.blind.clone(),
                sealer,
                opener: Opener::default(),
            }),
        }
    }

    /// Encrypts `plain` into a self-contained blob bound to `context`. The context is what the
    /// content belongs to (such as table, column and row key); it is not stored, and the blob opens
    /// only with the same context, so a blob moved to another row is refused. Two seals of the same
    /// content differ. Costs about one AES-GCM pass: the wrapped data key is cached.
    ///
    /// # Panics
    /// For content of 64 GiB or more, the limit of the cipher.
    pub fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        self.inner.sealer.seal(context, plain)
    }

    /// Opens a blob of [`Keyring::seal`] with the context it was sealed with.
    ///
    /// # Errors
    /// When the bytes are no blob of this form, name a master key that this keyring does not hold,
    /// or were changed or moved: not one byte of content is given then.
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.inner.opener.open(&self.inner.masters, context, sealed)
    }

    /// The id of the master key that a blob was sealed under, none when it is no blob. Reads the
    /// heading only, not whether the blob would open. Content whose id is not
    /// [`Keyring::active_master`] is due to be sealed again after a rotation.
    pub fn sealed_under<'a>(&self, sealed: &'a [u8]) -> Option<&'a str> {
        envelope::Envelope::parse(sealed)
            .ok()
            .map(|envelope| envelope.master)
    }

    /// The id of the master key that new content is sealed under.
    pub fn active_master(&self) -> &str {
        &self.inner.active
    }

    /// The id of the blind-index key, to be stored with the indexes that it made.
    pub fn blind_key(&self) -> &str {
        &self.inner.blind_id
    }

    /// The keyed hash of a value: equal for equal `domain` and `value`, and without the key neither computable nor
    /// reversible. `domain` keeps hashes of different meaning apart; [`crate::keyed_hash`] names them all.
    pub(crate) fn blind_index(&self, domain: &str, value: &str) -> [u8; 32] {
        // The length in front keeps ("ab", "c") apart from ("a", "bc").
        let length = (domain.len() as u64).to_be_bytes();
        digest::hmac_sha256_parts(
            &*self.inner.blind,
            &[
                b"vault blind 1",
                &length,
                domain.as_bytes(),
                value.as_bytes(),
            ],
        )
    }
}

/// Shows the ids of the keys, never a key.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring")
            .field("active", &self.inner.active)
            .field("masters", &self.inner.masters.keys())
            .field("blind", &self.inner.blind_id)
            .finish_non_exhaustive()
    }
}

/// Bytes from the operating system's generator. Without randomness nothing can be sealed safely,
/// so a system that has none (no running Linux after its boot) stops the program.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

pub(crate) fn random_secret() -> KeyBytes {
    let mut secret = Zeroizing::new([0; 32]);
    fill(&mut *secret);
    secret
}

fn fill(bytes: &mut [u8]) {
    use rand::{RngCore, TryRngCore, rngs::OsRng};
    OsRng.unwrap_err().fill_bytes(bytes);
}

#[cfg(test)]
mod tests;
