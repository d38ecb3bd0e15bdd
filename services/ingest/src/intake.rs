//! From a message to a submission that can be decided: checks the form, computes digests, seals.
//! `grpc` calls it, outside any transaction. `operation` says which content goes with which operation.

mod operation;

pub use operation::{CONTENT_TYPES, REASON_TYPE};

use prost::Message as _;
use proto::credit::ingest::v1::Submission;
use service_kit::telemetry::TraceParent;
use uuid::Uuid;
use vault::Keyring;

use crate::{
    domain::{Content, Digest, Incoming, Operation, RecordKey},
    error::{FormError, MAX_CONTENT_BYTES},
};

/// Domain of the blind index of record keys; validation and disclosure never need the key itself.
const KEY_DOMAIN: &str = "record-key";
/// Domain of the blind index of submission ids.
const SUBMISSION_DOMAIN: &str = "submission-id";
/// Domain of the blind index of ids of reloads.
const RELOAD_DOMAIN: &str = "reload-id";
/// Longest id of a reload, characters.
pub const RELOAD_ID_CHARS: usize = 64;

/// Checks and seals a submission of `provider_code`. `traceparent` is the record's own trace
/// context, already resolved.
pub fn take(
    submission: Submission,
    provider_code: &str,
    traceparent: String,
    keyring: &Keyring,
) -> Result<Incoming, FormError> {
    if !is_submission_id(&submission.submission_id) {
        return Err(FormError::SubmissionId);
    }
    let id_prefix = id_prefix(keyring, provider_code, &submission.submission_id);
    let prepared = prepare(submission, provider_code, keyring)?;
    Ok(Incoming {
        id_prefix,
        ..seal(prepared, provider_code, traceparent, keyring)
    })
}

/// A submission whose form was checked, with the digests by which it is known, not sealed yet.
#[derive(Debug)]
pub struct Prepared {
    submission: Submission,
    operation: Operation,
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// Keyed hash of the submission id.
    pub submission_digest: Digest,
    /// Keyed hash of the record key.
    pub key_digest: Digest,
}

impl Prepared {
    /// The content type.
    pub fn content_type(&self) -> &str {
        &self.submission.content_type
    }
}

/// Checks a submission whose id is known to be one, and computes its digests.
pub fn prepare(
    submission: Submission,
    provider_code: &str,
    keyring: &Keyring,
) -> Result<Prepared, FormError> {
    let operation = check_form(&submission)?;
    let sha256 = vault::sha256(&submission.content);
    if !submission.content_sha256.is_empty() {
        if submission.content_sha256.len() != 32 {
            return Err(FormError::DigestLength);
        }
        if submission.content_sha256.as_ref() != sha256.as_slice() {
            return Err(FormError::DigestMismatch);
        }
    }
    let (item, key) = (&submission.item_code, &submission.record_key);
    Ok(Prepared {
        operation,
        sha256,
        submission_digest: submission_digest(keyring, provider_code, &submission.submission_id),
        key_digest: key_digest(keyring, provider_code, item, key),
        submission,
    })
}

/// Gives the version its id and seals it.
pub fn seal(
    prepared: Prepared,
    provider_code: &str,
    traceparent: String,
    keyring: &Keyring,
) -> Incoming {
    let Prepared {
        submission,
        operation,
        sha256,
        submission_digest,
        key_digest,
    } = prepared;
    let record_id = Uuid::now_v7();
    let context = record_id.as_bytes();
    let labels = Labels {
        submission_id: submission.submission_id.clone(),
        record_key: submission.record_key.clone(),
    };
    Incoming {
        submission_digest,
        request_digest: request_digest(&submission, operation, &sha256),
        key: RecordKey {
            key_digest,
            provider_code: provider_code.to_owned(),
            item_code: submission.item_code,
        },
        content: Content {
            operation,
            sha256,
            content_type: submission.content_type,
            item_version: submission.item_version,
        },
        record_id,
        sealed_content: keyring.seal(context, &submission.content),
        sealed_record_key: keyring.seal(context, submission.record_key.as_bytes()),
        sealed_labels: keyring.seal(context, &labels.encode_to_vec()),
        traceparent,
        reload: None,
        id_prefix: None,
    }
}

/// The keyed hash under which a record is known.
pub fn key_digest(
    keyring: &Keyring,
    provider_code: &str,
    item_code: &str,
    record_key: &str,
) -> Digest {
    keyring.blind(
        KEY_DOMAIN,
        &format!("{provider_code}/{item_code}/{record_key}"),
    )
}

/// The keyed hash under which the id of a reload is kept.
pub fn reload_digest(keyring: &Keyring, provider_code: &str, reload_id: &str) -> Digest {
    keyring.blind(RELOAD_DOMAIN, &format!("{provider_code}/{reload_id}"))
}

/// The keyed hash of the reload that a submission id would belong to, if the provider has one of that name.
pub fn id_prefix(keyring: &Keyring, provider_code: &str, submission_id: &str) -> Option<Digest> {
    let (prefix, _) = submission_id.split_once('/')?;
    is_reload_id(prefix).then(|| reload_digest(keyring, provider_code, prefix))
}

/// Whether a text can be the id of a reload: it has no slash, so that the first one in a submission id ends it.
pub fn is_reload_id(text: &str) -> bool {
    is_label(text, RELOAD_ID_CHARS) && !text.contains('/')
}

/// Whether a text can be the code of an item.
pub fn is_item_code(code: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    (1..=64).contains(&code.len()) && code.bytes().all(plain)
}

/// Whether a text can be the id of a submission.
pub fn is_submission_id(text: &str) -> bool {
    is_label(text, 128)
}

/// The keyed hash under which a submission id is kept.
pub fn submission_digest(keyring: &Keyring, provider_code: &str, submission_id: &str) -> [u8; 32] {
    keyring.blind(
        SUBMISSION_DOMAIN,
        &format!("{provider_code}/{submission_id}"),
    )
}

/// The provider's own words for a version, kept sealed beside the original.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Labels {
    /// The caller's submission id.
    #[prost(string, tag = "1")]
    pub submission_id: String,
    /// The caller's record key.
    #[prost(string, tag = "2")]
    pub record_key: String,
}

fn check_form(submission: &Submission) -> Result<Operation, FormError> {
    if !is_item_code(&submission.item_code) {
        return Err(FormError::ItemCode);
    }
    if !is_label(&submission.record_key, 512) {
        return Err(FormError::RecordKey);
    }
    let operation = operation::check(submission)?;
    if submission.content.is_empty() {
        return Err(FormError::ContentEmpty);
    }
    if submission.content.len() > MAX_CONTENT_BYTES {
        return Err(FormError::ContentTooLarge);
    }
    if !submission.traceparent.is_empty() && TraceParent::parse(&submission.traceparent).is_none() {
        return Err(FormError::Traceparent);
    }
    Ok(operation)
}

fn is_label(text: &str, max_chars: usize) -> bool {
    // Counting stops at the limit, so a huge text costs nothing.
    let chars = text.chars().take(max_chars + 1).count();
    (1..=max_chars).contains(&chars) && !text.chars().any(char::is_control)
}

/// A digest over all that makes a request what it is. That of an upsert has no operation in it: it must stay what
/// it was before there were others, because the same request is answered the same for ever.
fn request_digest(submission: &Submission, operation: Operation, sha256: &Digest) -> Digest {
    let version = submission.item_version.to_be_bytes();
    let code = operation.code().to_be_bytes();
    let parts: [&[u8]; 6] = [
        submission.item_code.as_bytes(),
        &version,
        submission.record_key.as_bytes(),
        submission.content_type.as_bytes(),
        sha256,
        &code,
    ];
    digest_of_parts(&parts[..if operation.ends_record() { 6 } else { 5 }])
}

/// A digest over parts of a request; lengths keep them apart.
pub fn digest_of_parts(parts: &[&[u8]]) -> Digest {
    let mut all = Vec::with_capacity(256);
    for part in parts {
        all.extend_from_slice(&(part.len() as u64).to_be_bytes());
        all.extend_from_slice(part);
    }
    vault::sha256(&all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Submission {
        Submission {
            submission_id: "2026-11-20/1".to_owned(),
            item_code: "xzcf".to_owned(),
            item_version: 0,
            record_key: "长市监罚决〔2026〕1号".to_owned(),
            content_type: "application/json".to_owned(),
            content: "{}".into(),
            content_sha256: Default::default(),
            traceparent: String::new(),
            ..Submission::default()
        }
    }

    fn take(submission: Submission) -> Result<Incoming, FormError> {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        super::take(submission, "11430100006123458R", String::new(), &keyring)
    }

    #[test]
    fn every_part_of_the_form_is_checked_by_name() {
        type Spoil = fn(&mut Submission);
        let table: &[(FormError, Spoil)] = &[
            (FormError::SubmissionId, |s| s.submission_id.clear()),
            (FormError::SubmissionId, |s| {
                s.submission_id = "长".repeat(129)
            }),
            (FormError::SubmissionId, |s| {
                s.submission_id = "a\0b".to_owned()
            }),
            (FormError::RecordKey, |s| s.record_key.clear()),
            (FormError::RecordKey, |s| s.record_key = "k".repeat(513)),
            (FormError::ItemCode, |s| s.item_code = "XZCF".to_owned()),
            (FormError::ItemCode, |s| s.item_code = "x\0".to_owned()),
            (FormError::ContentType, |s| {
                s.content_type = "text/plain".to_owned()
            }),
            (FormError::Operation, |s| s.operation = 4),
            (FormError::ReasonType, |s| s.operation = 2),
            (FormError::Reason, |s| {
                s.operation = 3;
                s.content_type = "text/plain".to_owned();
            }),
            (FormError::ContentEmpty, |s| s.content.clear()),
            (FormError::ContentTooLarge, |s| {
                s.content = vec![b' '; MAX_CONTENT_BYTES + 1].into();
            }),
            (FormError::DigestLength, |s| {
                s.content_sha256 = vec![0; 31].into()
            }),
            (FormError::DigestMismatch, |s| {
                s.content_sha256 = vec![0; 32].into()
            }),
            (FormError::Traceparent, |s| s.traceparent = "x".to_owned()),
        ];
        for (expected, spoil) in table {
            let mut submission = good();
            spoil(&mut submission);
            assert_eq!(take(submission).unwrap_err(), *expected);
        }
        let mut full = good();
        full.content = vec![b' '; MAX_CONTENT_BYTES].into();
        full.content_sha256 = vault::sha256(&full.content).to_vec().into();
        assert!(take(full).is_ok());
    }

    /// Computed by another program from the form that requests have had since the first release.
    #[test]
    fn r11_the_digest_of_an_upsert_is_what_it_was_before_there_were_other_operations() {
        let expected = "8b71e34e28dca57c20b69cd85c8ab20620dda9a0ada5b93c4f9766a1e4b3965b";
        for operation in [0, 1] {
            let mut submission = good();
            submission.operation = operation;
            let digest = take(submission).unwrap().request_digest;
            assert_eq!(hex::encode(digest), expected);
        }
        let mut digests = vec![expected.to_owned()];
        for operation in [2, 3] {
            let mut submission = good();
            submission.operation = operation;
            submission.content_type = "text/plain".to_owned();
            submission.content = "误报，撤回".into();
            digests.push(hex::encode(take(submission).unwrap().request_digest));
        }
        digests.dedup();
        assert_eq!(digests.len(), 3, "an operation is part of the request");
    }

    #[test]
    fn r12_the_sealed_content_opens_to_the_bytes_received() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let mut submission = good();
        // Not UTF-8 and not JSON: ingest keeps what it gets, validation judges.
        submission.content = vec![0xff, 0x00, 0x7b].into();
        let incoming =
            super::take(submission, "11430100006123458R", String::new(), &keyring).unwrap();
        let opened = keyring.open(incoming.record_id.as_bytes(), &incoming.sealed_content);
        assert_eq!(opened.unwrap(), [0xff, 0x00, 0x7b]);
    }
}
