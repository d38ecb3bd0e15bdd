//! Seals content under the current data key and renews that key in time. Called by
//! [`super::Keyring::seal`] from many threads.
//!
//! A data key is made with the keyring of a process and never leaves it except wrapped, so a
//! counter makes its nonces unique without chance; the limits keep what one key protects small.

use super::{envelope, random_bytes, random_secret};
use aes_gcm::aead::{Aead, AeadInPlace, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// When a data key is renewed.
#[derive(Debug, Clone, Copy)]
pub(super) struct DataKeyLimits {
    /// Blobs per data key.
    pub(super) seals: u64,
    /// Bytes of content per data key. A single larger content gets a key of its own.
    pub(super) bytes: u64,
}

/// 2^20 blobs or 1 GiB.
pub(super) const LIMITS: DataKeyLimits = DataKeyLimits {
    seals: 1 << 20,
    bytes: 1 << 30,
};

pub(super) struct Sealer {
    master_id: String,
    master: Aes256Gcm,
    limits: DataKeyLimits,
    current: RwLock<Arc<DataKey>>,
}

struct DataKey {
    cipher: Aes256Gcm,
    heading: Vec<u8>,
    seals: AtomicU64,
    bytes: AtomicU64,
}

impl Sealer {
    pub(super) fn new(master_id: String, master: Aes256Gcm, limits: DataKeyLimits) -> Sealer {
        let current = RwLock::new(Arc::new(DataKey::fresh(&master_id, &master)));
        Sealer {
            master_id,
            master,
            limits,
            current,
        }
    }

    pub(super) fn seal(&self, context: &[u8], plain: &[u8]) -> Vec<u8> {
        let (key, number) = self.claim(plain.len() as u64);
        let mut nonce = [0; envelope::NONCE];
        nonce[4..].copy_from_slice(&number.to_be_bytes());

        let start = key.heading.len() + nonce.len();
        let mut blob = Vec::with_capacity(start + plain.len() + envelope::TAG);
        blob.extend(&key.heading);
        blob.extend(nonce);
        blob.extend(plain);
        let tag = key
            .cipher
            .encrypt_in_place_detached(
                Nonce::from_slice(&nonce),
                &envelope::content_aad(&key.heading, context),
                &mut blob[start..],
            )
            .expect("content is below the cipher's 64 GiB");
        blob.extend(tag);
        blob
    }

    /// The data key for the next content and the number of that content under it.
    fn claim(&self, bytes: u64) -> (Arc<DataKey>, u64) {
        loop {
            // A panic elsewhere cannot leave the slot half written: it holds one Arc.
            let key = self
                .current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            if let Some(number) = key.claim(bytes, self.limits) {
                return (key, number);
            }
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have renewed it in the meantime.
            if Arc::ptr_eq(&current, &key) {
                *current = Arc::new(DataKey::fresh(&self.master_id, &self.master));
            }
        }
    }
}

impl DataKey {
    fn fresh(master_id: &str, master: &Aes256Gcm) -> DataKey {
        let secret = random_secret();
        // Data keys are renewed a few times a day at most, far below the 2^32 wraps under one
        // master for which random nonces are safe.
        let wrap_nonce = random_bytes();
        let wrapped = master
            .encrypt(
                Nonce::from_slice(&wrap_nonce),
                Payload {
                    msg: &*secret,
                    aad: &envelope::wrap_aad(master_id),
                },
            )
            .expect("a key of 32 bytes is below the cipher's 64 GiB");
        DataKey {
            cipher: Aes256Gcm::new((&*secret).into()),
            heading: envelope::encode_heading(master_id, &wrap_nonce, &wrapped),
            seals: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// A number that no other content under this key has, or none when the key is used up. The
    /// first content always gets in, so each new key serves at least one caller.
    fn claim(&self, bytes: u64, limits: DataKeyLimits) -> Option<u64> {
        let number = self.seals.fetch_add(1, Ordering::Relaxed);
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        let room = number == 0 || before.saturating_add(bytes) <= limits.bytes;
        (number < limits.seals && room).then_some(number)
    }
}
