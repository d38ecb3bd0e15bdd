//! Sealing, opening, rotation and keyed hashes through the public interface.

use credit_record::PersonDocument;
use proptest::prelude::*;
use time::macros::date;
use vault::{Keyring, KeyringError, OpenError, keyed_hash};

const M1: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const M2: &str = "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f";
const B1: &str = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";

fn keyring(text: &str) -> Keyring {
    Keyring::parse(text).expect("sound")
}

fn first() -> Keyring {
    keyring(&format!("master m1 {M1} active\nblind b1 {B1}\n"))
}

#[test]
fn a_blob_of_another_implementation_opens() {
    // Made outside this crate from M1 and the documented form, so that no change of the code can
    // silently change the form of what is already stored.
    let blob = hex::decode(include_str!("foreign-blob.hex").trim()).expect("hex");
    let opened = first().open("disclosure.person/7".as_bytes(), &blob);
    assert_eq!(opened.as_deref(), Ok("张三，430102199003071234".as_bytes()));
}

#[test]
fn every_changed_byte_is_noticed() {
    let keyring = first();
    let blob = keyring.seal(b"table/row", b"430102199003071234");
    assert!(keyring.open(b"table/row", &blob).is_ok());
    for at in 0..blob.len() {
        for bit in 0..8 {
            let mut changed = blob.clone();
            changed[at] ^= 1 << bit;
            assert!(
                keyring.open(b"table/row", &changed).is_err(),
                "byte {at} bit {bit}"
            );
        }
    }
    for length in 0..blob.len() {
        assert!(
            keyring.open(b"table/row", &blob[..length]).is_err(),
            "{length} bytes"
        );
    }
    let longer = [&blob[..], &[0]].concat();
    assert_eq!(keyring.open(b"table/row", &longer), Err(OpenError::Content));
}

#[test]
fn parts_of_two_blobs_do_not_fit_together() {
    let (a, b) = (first(), first());
    let from_a = a.seal(b"c", b"content");
    let from_b = b.seal(b"c", b"content");
    // Heading (with the wrapped data key) of one process, content of the other.
    let cut = from_a.len() - (12 + 7 + 16);
    let mixed = [&from_a[..cut], &from_b[cut..]].concat();
    assert_eq!(a.open(b"c", &mixed), Err(OpenError::Content));
    assert_eq!(a.open(b"c", &from_b).as_deref(), Ok(&b"content"[..]));
}

#[test]
fn refusals_say_why() {
    let keyring = first();
    let blob = keyring.seal(b"a", b"content");
    let with = |at: usize, byte: u8| {
        let mut changed = blob.clone();
        changed[at] = byte;
        changed
    };
    for (bytes, why) in [
        (Vec::new(), OpenError::NotSealed),
        (b"plain text".to_vec(), OpenError::NotSealed),
        (with(1, 2), OpenError::Version(2)),
        (with(2, 0), OpenError::MasterId),
        (with(3, b'\n'), OpenError::MasterId),
        (with(2, 255), OpenError::CutShort),
        (with(4, b'9'), OpenError::UnknownMaster("m9".into())),
        (blob[..60].to_vec(), OpenError::CutShort),
    ] {
        assert_eq!(keyring.open(b"a", &bytes), Err(why));
    }
    assert_eq!(keyring.open(b"b", &blob), Err(OpenError::Content));
    assert_eq!(keyring.open(b"", &blob), Err(OpenError::Content));
    let same_id_other_key = Keyring::parse(&format!("master m1 {M2} active\nblind b1 {B1}"));
    assert_eq!(
        same_id_other_key.expect("sound").open(b"a", &blob),
        Err(OpenError::DataKey("m1".into()))
    );
}

#[test]
fn rotation_seals_under_the_new_master_and_opens_both() {
    let old = first();
    let before = old.seal(b"c", b"before");
    let new = keyring(&format!(
        "master m1 {M1} # retired, still opens\nmaster m2 {M2} active\nblind b1 {B1}\n"
    ));
    let after = new.seal(b"c", b"after");
    assert_eq!(new.open(b"c", &before).as_deref(), Ok(&b"before"[..]));
    assert_eq!(new.open(b"c", &after).as_deref(), Ok(&b"after"[..]));
    assert_eq!(
        old.open(b"c", &after),
        Err(OpenError::UnknownMaster("m2".into()))
    );

    assert_eq!(new.sealed_under(&before), Some("m1"));
    assert_eq!(new.sealed_under(&after), Some(new.active_master()));
    assert_eq!(new.sealed_under(b"plain text"), None);
    // Lookups survive the rotation of a master.
    let hash = |keyring: &Keyring| keyed_hash::hash_objection_request(keyring, "v");
    assert_eq!(hash(&old), hash(&new));
    assert_eq!(new.blind_key(), "b1");
}

#[test]
fn hashes_of_another_implementation_are_found() {
    // HMAC-SHA-256 under B1 of the documented inputs, computed with another implementation: what is stored must be
    // found for ever.
    let keyring = first();
    let provider = "11430100006123458R".parse().expect("a code");
    let item = "xzcf".parse().expect("a code");
    let person = PersonDocument::new("身份证", "110105491231002", date!(2026 - 01 - 01));
    let hashes = [
        (
            "record_key",
            *keyed_hash::hash_record_key(&keyring, &provider, &item, "K-1").as_bytes(),
        ),
        (
            "submission_id",
            keyed_hash::hash_submission_id(&keyring, &provider, "S-1"),
        ),
        (
            "reload_id",
            keyed_hash::hash_reload_id(&keyring, &provider, "R-1"),
        ),
        (
            "person_document",
            keyed_hash::hash_person_document(&keyring, &person),
        ),
    ];
    let computed: String = hashes
        .iter()
        .map(|(name, hash)| format!("{name} {}\n", hex::encode(hash)))
        .collect();
    assert_eq!(computed, include_str!("foreign-hashes.txt"));
}

#[test]
fn a_generated_keyring_is_sound_and_never_the_same() {
    let (a, b) = (Keyring::generate(), Keyring::generate());
    assert_ne!(a, b);
    let blob = keyring(&a).seal(b"", b"x");
    assert_eq!(keyring(&a).open(b"", &blob).as_deref(), Ok(&b"x"[..]));
    assert!(keyring(&b).open(b"", &blob).is_err());
}

#[test]
fn debug_shows_ids_and_no_key() {
    let text = Keyring::generate();
    let shown = format!("{:?}", keyring(&text));
    assert!(shown.contains("m-") && shown.contains("b-"), "{shown}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let key = line.split_whitespace().nth(2).expect("a key");
        assert!(!shown.contains(key) && !shown.contains(&key[..8]));
    }
}

#[test]
fn unsound_keyrings_are_refused_by_line_and_rule() {
    let active = format!("master m1 {M1} active");
    let blind = format!("blind b1 {B1}");
    let zeros = "00".repeat(32);
    let long_id = "a".repeat(33);
    for (text, why) in [
        (String::new(), KeyringError::NoneActive),
        (active.clone(), KeyringError::NoBlind),
        (format!("master m1 {M1}\n{blind}"), KeyringError::NoneActive),
        (
            format!("\n# x\nkey m1 {M1}"),
            KeyringError::Word { line: 3 },
        ),
        ("secret".into(), KeyringError::Word { line: 1 }),
        ("master m1".into(), KeyringError::Shape { line: 1 }),
        (format!("{active} now"), KeyringError::Shape { line: 1 }),
        (
            format!("master m1 {M1} passive"),
            KeyringError::Shape { line: 1 },
        ),
        (format!("{blind} active"), KeyringError::Shape { line: 1 }),
        (format!("master M1 {M1}"), KeyringError::Id { line: 1 }),
        (
            format!("master {long_id} {M1}"),
            KeyringError::Id { line: 1 },
        ),
        (
            format!("master m1 {}", &M1[2..]),
            KeyringError::Key { line: 1 },
        ),
        (
            format!("master m1 {}zz", &M1[2..]),
            KeyringError::Key { line: 1 },
        ),
        (
            format!("master m1 {zeros}"),
            KeyringError::Placeholder { line: 1 },
        ),
        (
            format!("{active}\nmaster m1 {M2}"),
            KeyringError::IdTwice { line: 2 },
        ),
        (
            format!("{active}\nmaster m2 {M1}"),
            KeyringError::KeyTwice { line: 2 },
        ),
        (
            format!("{active}\nblind b1 {M1}"),
            KeyringError::KeyTwice { line: 2 },
        ),
        (
            format!("{active}\nmaster m2 {M2} active"),
            KeyringError::TwoActive { line: 2 },
        ),
        (
            format!("{blind}\nblind b2 {M1}"),
            KeyringError::TwoBlind { line: 2 },
        ),
    ] {
        let refused = Keyring::parse(&text).expect_err(&text);
        assert_eq!(refused, why, "{text}");
        assert!(!refused.to_string().contains(&M1[..16]));
    }
}

proptest! {
    #[test]
    fn what_is_sealed_opens_with_its_context_only(
        plain in proptest::collection::vec(any::<u8>(), 0..2_000),
        context in proptest::collection::vec(any::<u8>(), 0..60),
        other in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let keyring = first();
        let blob = keyring.seal(&context, &plain);
        prop_assert_eq!(keyring.open(&context, &blob), Ok(plain.clone()));
        if other != context {
            prop_assert_eq!(keyring.open(&other, &blob), Err(OpenError::Content));
        }
        prop_assert_ne!(&blob, &keyring.seal(&context, &plain));
        if plain.len() >= 8 {
            prop_assert!(!blob.windows(plain.len()).any(|window| window == plain));
        }
    }

    #[test]
    fn arbitrary_bytes_never_open_or_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let keyring = first();
        prop_assert!(keyring.open(b"", &bytes).is_err());
        let dressed = [&[0xC5, 1, 2, b'm', b'1'], &bytes[..]].concat();
        prop_assert!(keyring.open(b"", &dressed).is_err());
    }
}
