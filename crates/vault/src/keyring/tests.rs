//! Tests of what only the inside can see: renewal of data keys, the bound of the cache.

use super::sealer::DataKeyLimits;
use super::*;
use std::collections::HashSet;

fn keyring(limits: DataKeyLimits) -> Keyring {
    let keys = text::parse_keys(&Keyring::generate()).expect("generated text is sound");
    Keyring::from_keys(&keys, limits)
}

fn heading(blob: &[u8]) -> Vec<u8> {
    envelope::Envelope::parse(blob)
        .expect("a blob")
        .heading
        .to_vec()
}

#[test]
fn a_data_key_is_renewed_after_its_number_of_seals() {
    let keyring = keyring(DataKeyLimits {
        seals: 10,
        bytes: 1 << 30,
    });
    let blobs: Vec<_> = (0..35).map(|_| keyring.seal(b"c", b"content")).collect();
    let headings: Vec<_> = blobs.iter().map(|blob| heading(blob)).collect();
    assert_eq!(headings.iter().collect::<HashSet<_>>().len(), 4);
    assert_eq!(headings[0], headings[9]);
    assert_ne!(headings[9], headings[10]);
    for blob in &blobs {
        assert_eq!(keyring.open(b"c", blob).as_deref(), Ok(&b"content"[..]));
    }
}

#[test]
fn a_data_key_is_renewed_after_its_number_of_bytes() {
    let keyring = keyring(DataKeyLimits {
        seals: 1_000,
        bytes: 100,
    });
    let sizes = [60, 40, 1, 99, 1, 500, 0];
    let headings: Vec<_> = sizes
        .iter()
        .map(|size| heading(&keyring.seal(b"", &vec![7; *size])))
        .collect();
    let same: Vec<bool> = headings.windows(2).map(|pair| pair[0] == pair[1]).collect();
    // 60+40 fill a key, 1+99 the next, 1 begins a third; 500 gets a key of its own.
    assert_eq!(same, [true, false, true, false, false, false]);
}

#[test]
fn no_nonce_is_used_twice_by_many_threads_across_renewals() {
    let keyring = keyring(DataKeyLimits {
        seals: 50,
        bytes: 1 << 30,
    });
    let blobs: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    (0..200)
                        .map(|_| {
                            let blob = keyring.seal(b"c", b"x");
                            assert_eq!(keyring.open(b"c", &blob).as_deref(), Ok(&b"x"[..]));
                            blob
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("no panic"))
            .collect()
    });
    let used: HashSet<_> = blobs
        .iter()
        .map(|blob| {
            let envelope = envelope::Envelope::parse(blob).expect("a blob");
            (envelope.heading.to_vec(), *envelope.nonce)
        })
        .collect();
    assert_eq!(used.len(), 8 * 200);
}

#[test]
fn remembered_data_keys_are_bounded_and_all_blobs_still_open() {
    let keyring = keyring(DataKeyLimits {
        seals: 1,
        bytes: 1 << 30,
    });
    let blobs: Vec<_> = (0..opener::CACHE_CAPACITY + 50)
        .map(|n| keyring.seal(b"c", n.to_string().as_bytes()))
        .collect();
    for _ in 0..2 {
        for (n, blob) in blobs.iter().enumerate() {
            assert_eq!(keyring.open(b"c", blob), Ok(n.to_string().into_bytes()));
            assert!(keyring.inner.opener.len() <= opener::CACHE_CAPACITY);
        }
    }
    assert_eq!(keyring.inner.opener.len(), opener::CACHE_CAPACITY);
}

#[test]
fn refused_bytes_are_not_remembered() {
    let keyring = keyring(sealer::LIMITS);
    let mut blob = keyring.seal(b"c", b"content");
    let inside_the_wrap = heading(&blob).len() - 1;
    blob[inside_the_wrap] ^= 1;
    assert!(keyring.open(b"c", &blob).is_err());
    assert_eq!(keyring.inner.opener.len(), 0);
}
