//! Opens blobs and caches the data keys that it unwrapped. Called by [`super::Keyring::open`]
//! from many threads.

use super::envelope::{self, Envelope, OpenError, TAG};
use aes_gcm::aead::{Aead, AeadInPlace, Payload};
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use zeroize::Zeroizing;

/// Capacity of the cache of data keys. A data key lives for one process or a million records, so this covers
/// hundreds of millions of records; each costs about 1 KiB.
pub(super) const CACHE_CAPACITY: usize = 256;

/// Data keys by the heading of their blobs. Only keys that a master unwrapped get in, so foreign
/// bytes cannot push good ones out.
#[derive(Default)]
pub(super) struct Opener {
    cache: RwLock<HashMap<Box<[u8]>, CachedDataKey>>,
    clock: AtomicU64,
}

struct CachedDataKey {
    cipher: Arc<Aes256Gcm>,
    used: AtomicU64,
}

impl Opener {
    pub(super) fn open(
        &self,
        masters: &BTreeMap<String, Aes256Gcm>,
        context: &[u8],
        sealed: &[u8],
    ) -> Result<Vec<u8>, OpenError> {
        let envelope = Envelope::parse(sealed)?;
        let cipher = match self.cached(envelope.heading) {
            Some(cipher) => cipher,
            None => self.insert(envelope.heading, unwrap_data_key(masters, &envelope)?),
        };
        let (content, tag) = envelope
            .content
            .split_at_checked(envelope.content.len() - TAG)
            .ok_or(OpenError::CutShort)?;
        let mut plain = content.to_vec();
        cipher
            .decrypt_in_place_detached(
                Nonce::from_slice(envelope.nonce),
                &envelope::content_aad(envelope.heading, context),
                &mut plain,
                Tag::from_slice(tag),
            )
            .map_err(|_| OpenError::Content)?;
        Ok(plain)
    }

    fn cached(&self, heading: &[u8]) -> Option<Arc<Aes256Gcm>> {
        let known = self.cache.read().unwrap_or_else(PoisonError::into_inner);
        let entry = known.get(heading)?;
        entry.used.store(self.next_use(), Ordering::Relaxed);
        Some(entry.cipher.clone())
    }

    fn insert(&self, heading: &[u8], cipher: Aes256Gcm) -> Arc<Aes256Gcm> {
        let cipher = Arc::new(cipher);
        let mut known = self.cache.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CACHE_CAPACITY && !known.contains_key(heading) {
            let oldest = known
                .iter()
                .min_by_key(|(_, entry)| entry.used.load(Ordering::Relaxed))
                .map(|(heading, _)| heading.clone());
            if let Some(oldest) = oldest {
                known.remove(&oldest);
            }
        }
        known.insert(
            heading.into(),
            CachedDataKey {
                cipher: cipher.clone(),
                used: AtomicU64::new(self.next_use()),
            },
        );
        cipher
    }

    fn next_use(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }

    /// How many data keys are cached now.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.cache
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

fn unwrap_data_key(
    masters: &BTreeMap<String, Aes256Gcm>,
    envelope: &Envelope<'_>,
) -> Result<Aes256Gcm, OpenError> {
    let master = masters
        .get(envelope.master)
        .ok_or_else(|| OpenError::UnknownMaster(envelope.master.to_owned()))?;
    let secret = master
        .decrypt(
            Nonce::from_slice(envelope.wrap_nonce),
            Payload {
                msg: envelope.wrapped,
                aad: &envelope::wrap_aad(envelope.master),
            },
        )
        .map(Zeroizing::new)
        .map_err(|_| OpenError::DataKey(envelope.master.to_owned()))?;
    Aes256Gcm::new_from_slice(&secret).map_err(|_| OpenError::DataKey(envelope.master.to_owned()))
}
