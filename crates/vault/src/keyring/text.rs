//! The text form of a keyring. Called by [`super::Keyring::parse`] and
//! [`super::Keyring::generate`]. No error of this module quotes the text, which holds keys.

use super::KeyBytes;
use std::collections::BTreeMap;
use zeroize::Zeroizing;

/// Longest key id. It stands in the heading of each sealed blob.
pub(crate) const ID_MAX: usize = 32;

/// Why a keyring was refused. Lines count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyringError {
    /// The first word is neither `master` nor `blind`.
    #[error("line {line}: must begin with `master` or `blind`")]
    Word {
        /// Number of the line.
        line: usize,
    },
    /// Too few or too many words, or a last word other than `active`.
    #[error("line {line}: must be `master <id> <64 hex> [active]` or `blind <id> <64 hex>`")]
    Shape {
        /// Number of the line.
        line: usize,
    },
    /// The id has a character or a length that ids do not have.
    #[error("line {line}: an id is 1 to {ID_MAX} of a-z, 0-9, `-`, `_`, `.`")]
    Id {
        /// Number of the line.
        line: usize,
    },
    /// The key is not 64 hexadecimal digits.
    #[error("line {line}: a key is 64 hexadecimal digits")]
    Key {
        /// Number of the line.
        line: usize,
    },
    /// One byte repeated is no key but a forgotten placeholder.
    #[error("line {line}: the key is one byte repeated, generate a random one")]
    Placeholder {
        /// Number of the line.
        line: usize,
    },
    /// Another master already has this id.
    #[error("line {line}: the id is given twice")]
    IdTwice {
        /// Number of the second line.
        line: usize,
    },
    /// Another id, master or blind, already has this key: keys serve one purpose each.
    #[error("line {line}: the key is given twice")]
    KeyTwice {
        /// Number of the second line.
        line: usize,
    },
    /// A second master is marked active.
    #[error("line {line}: a second master is active, exactly one may be")]
    TwoActive {
        /// Number of the second line.
        line: usize,
    },
    /// A second blind key.
    #[error("line {line}: a second blind key, exactly one may be given")]
    TwoBlind {
        /// Number of the second line.
        line: usize,
    },
    /// No master is marked active.
    #[error("no master is active, mark one with `active`")]
    NoneActive,
    /// No blind key.
    #[error("there is no blind key")]
    NoBlind,
}

/// What a sound text holds; `masters` has the `active` id.
pub(super) struct KeyringKeys {
    pub(super) masters: BTreeMap<String, KeyBytes>,
    pub(super) active: String,
    pub(super) blind_id: String,
    pub(super) blind: KeyBytes,
}

pub(super) fn parse_keys(text: &str) -> Result<KeyringKeys, KeyringError> {
    let mut masters: BTreeMap<String, KeyBytes> = BTreeMap::new();
    let mut active = None;
    let mut blind: Option<(String, KeyBytes)> = None;
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let content = raw.split('#').next().unwrap_or_default();
        let words: Vec<&str> = content.split_whitespace().collect();
        let (word, id, key, mark) = match words[..] {
            [] => continue,
            [word, id, key] => (word, id, key, None),
            [word, id, key, mark] => (word, id, key, Some(mark)),
            [word, ..] if word != "master" && word != "blind" => {
                return Err(KeyringError::Word { line });
            }
            _ => return Err(KeyringError::Shape { line }),
        };
        if word != "master" && word != "blind" {
            return Err(KeyringError::Word { line });
        }
        if mark.is_some_and(|mark| word == "blind" || mark != "active") {
            return Err(KeyringError::Shape { line });
        }
        if !is_id(id.as_bytes()) {
            return Err(KeyringError::Id { line });
        }
        let key = secret(key, line)?;
        let mut others = masters.values().chain(blind.iter().map(|(_, key)| key));
        if others.any(|other| *other == key) {
            return Err(KeyringError::KeyTwice { line });
        }
        if word == "blind" {
            if blind.is_some() {
                return Err(KeyringError::TwoBlind { line });
            }
            blind = Some((id.to_owned(), key));
            continue;
        }
        if mark.is_some() && active.replace(id.to_owned()).is_some() {
            return Err(KeyringError::TwoActive { line });
        }
        if masters.insert(id.to_owned(), key).is_some() {
            return Err(KeyringError::IdTwice { line });
        }
    }
    let active = active.ok_or(KeyringError::NoneActive)?;
    let (blind_id, blind) = blind.ok_or(KeyringError::NoBlind)?;
    Ok(KeyringKeys {
        masters,
        active,
        blind_id,
        blind,
    })
}

/// Whether some bytes are a key id. Ids of blobs are checked by it too, so that what an error names
/// is always printable.
pub(super) fn is_id(bytes: &[u8]) -> bool {
    (1..=ID_MAX).contains(&bytes.len())
        && bytes
            .iter()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.'))
}

fn secret(digits: &str, line: usize) -> Result<KeyBytes, KeyringError> {
    let mut key = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits, &mut *key).map_err(|_| KeyringError::Key { line })?;
    if key.iter().all(|byte| *byte == key[0]) {
        return Err(KeyringError::Placeholder { line });
    }
    Ok(key)
}

pub(super) fn format_keys(master: &KeyBytes, blind: &KeyBytes, tag: &[u8; 4]) -> String {
    let tag = hex::encode(tag);
    let master = Zeroizing::new(hex::encode(**master));
    let blind = Zeroizing::new(hex::encode(**blind));
    format!(
        "# Keys of this installation. Whoever reads this file reads the personal data.\n\
         # To rotate: add a master line marked active, take the mark off the old one, keep it.\n\
         master m-{tag} {} active\n\
         blind b-{tag} {}\n",
        *master, *blind
    )
}
