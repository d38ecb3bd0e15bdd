//! Secrets and personal data at rest: digests, envelope encryption, keyed hashes, masking.
//!
//! Pure: no files, no clock, no database; the only thing taken from outside is the operating
//! system's randomness. Called by every service that stores something about a person (`ingest`,
//! `validation`, `disclosure`, `objection`) and by those that show it (`web`, `disclosure`).
//!
//! - [`digest`]: SHA-256 and HMAC-SHA-256.
//! - [`keyring`]: the master keys, [`Keyring::seal`] and [`Keyring::open`].
//! - [`keyed_hash`]: one function for each thing that is known by a keyed hash.
//! - [`mask`]: what the public may see of a name or a number, and the search of free text.

pub mod digest;
pub mod keyed_hash;
pub mod keyring;
pub mod mask;

pub use digest::{hmac_sha256, sha256};
pub use keyring::{Keyring, KeyringError, OpenError};
pub use mask::{PersonalNumberKind, find_personal, mask_text};
