//! Random secrets of a private server, stored with its data so that a later start knows them. Used by `postgres`,
//! `nats`.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What must stay the same as long as the data stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Credentials {
    /// Password of the superuser (PostgreSQL) or of the only user (NATS).
    pub(crate) password: String,
    /// Key of the store's encryption; PostgreSQL does not use it.
    pub(crate) key: String,
}

impl Credentials {
    /// Reads the credentials at `path`, or makes new ones there, readable by the owner only.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self> {
        if path.exists() {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("reading {}", path.display()))?;
            return serde_json::from_str(&text)
                .with_context(|| format!("parsing {}", path.display()));
        }
        let new = Self {
            password: random_hex(24)?,
            key: random_hex(32)?,
        };
        write_private(
            path,
            &serde_json::to_string(&new).context("writing credentials as JSON")?,
        )?;
        Ok(new)
    }
}

/// `bytes` random bytes of the operating system in hexadecimal digits.
pub(crate) fn random_hex(bytes: usize) -> Result<String> {
    let mut buffer = vec![0_u8; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .context("reading random bytes from /dev/urandom")?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file that only its owner may read.
pub(crate) fn write_private(path: &Path, text: &str) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("writing {}", path.display()))
}
