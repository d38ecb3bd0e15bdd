//! The form of a sealed blob. Called by the sealer, which writes it, and the opener, which reads
//! it.
//!
//! ```text
//! 0xC5 | version 1 | n | master id, n bytes | wrap nonce 12 | wrapped data key 32+16 | nonce 12 | content | tag 16
//! '------------------------------ heading ------------------------------------------'
//! ```
//!
//! The data key is wrapped with AES-256-GCM under the master; what stands before the wrap nonce is
//! bound to it. The content is encrypted with AES-256-GCM under the data key; the whole heading
//! and the caller's context are bound to it. So no byte can be changed without being noticed.

use super::text;

pub(super) const NONCE: usize = 12;
pub(super) const TAG: usize = 16;
const MAGIC: u8 = 0xC5;
const VERSION: u8 = 1;
const KEY: usize = 32;
const WRAPPED: usize = NONCE + KEY + TAG;
/// Separates wraps from any other use of a master key.
const WRAP_LABEL: &[u8] = b"vault data key 1";

/// Why a blob did not open. The messages hold no content and no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The bytes do not begin like a sealed blob.
    #[error("not a sealed blob")]
    NotSealed,
    /// A version that this program does not know.
    #[error("sealed blob of unknown version {0}")]
    Version(u8),
    /// The blob ends before its parts do.
    #[error("sealed blob is cut short")]
    CutShort,
    /// The master id in the heading is no id.
    #[error("sealed blob names no proper master key id")]
    MasterId,
    /// The keyring does not hold the master key.
    #[error("master key {0} is not in the keyring")]
    UnknownMaster(String),
    /// The data key does not unwrap: heading altered, or another key of the same id.
    #[error("data key does not unwrap under master key {0}")]
    DataKey(String),
    /// Content, heading or context are not those that were sealed.
    #[error("content was altered or belongs to another context")]
    Content,
}

/// The parts of a blob, borrowed.
pub(super) struct Envelope<'a> {
    /// All that stands before the nonce; equal for all blobs of one data key.
    pub(super) heading: &'a [u8],
    /// Id of the master key.
    pub(super) master: &'a str,
    /// Nonce of the wrap.
    pub(super) wrap_nonce: &'a [u8; NONCE],
    /// The data key, encrypted, and its tag.
    pub(super) wrapped: &'a [u8],
    /// Nonce of the content.
    pub(super) nonce: &'a [u8; NONCE],
    /// The content, encrypted, and its tag.
    pub(super) content: &'a [u8],
}

impl<'a> Envelope<'a> {
    pub(super) fn parse(sealed: &'a [u8]) -> Result<Envelope<'a>, OpenError> {
        let (version, length, rest) = match sealed {
            [MAGIC, version, length, rest @ ..] => (*version, usize::from(*length), rest),
            [MAGIC, ..] => return Err(OpenError::CutShort),
            _ => return Err(OpenError::NotSealed),
        };
        if version != VERSION {
            return Err(OpenError::Version(version));
        }
        let (id, rest) = rest.split_at_checked(length).ok_or(OpenError::CutShort)?;
        if !text::is_id(id) {
            return Err(OpenError::MasterId);
        }
        let master = std::str::from_utf8(id).map_err(|_| OpenError::MasterId)?;
        let (wrap_nonce, rest) = rest.split_first_chunk().ok_or(OpenError::CutShort)?;
        let (wrapped, rest) = rest
            .split_at_checked(KEY + TAG)
            .ok_or(OpenError::CutShort)?;
        let (nonce, content) = rest.split_first_chunk().ok_or(OpenError::CutShort)?;
        if content.len() < TAG {
            return Err(OpenError::CutShort);
        }
        Ok(Envelope {
            heading: &sealed[..3 + length + WRAPPED],
            master,
            wrap_nonce,
            wrapped,
            nonce,
            content,
        })
    }
}

/// The heading's first part: magic, version, length and id of the master.
fn prefix(master: &str) -> Vec<u8> {
    let mut prefix = Vec::with_capacity(3 + master.len() + WRAPPED);
    // Ids are at most 32 bytes long, so the length is one byte.
    prefix.extend([MAGIC, VERSION, master.len() as u8]);
    prefix.extend(master.as_bytes());
    prefix
}

/// The heading of the blobs of one data key.
pub(super) fn encode_heading(master: &str, wrap_nonce: &[u8; NONCE], wrapped: &[u8]) -> Vec<u8> {
    let mut heading = prefix(master);
    heading.extend(wrap_nonce);
    heading.extend(wrapped);
    heading
}

/// What the wrap of a data key is bound to.
pub(super) fn wrap_aad(master: &str) -> Vec<u8> {
    [WRAP_LABEL, &prefix(master)].concat()
}

/// What content is bound to. The heading contains its own length, so the two parts can not be shifted
/// against each other.
pub(super) fn content_aad(heading: &[u8], context: &[u8]) -> Vec<u8> {
    [heading, context].concat()
}
