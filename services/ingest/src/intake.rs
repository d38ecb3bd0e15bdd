//! From a message to a submission that can be decided: checks the form, computes digests, seals.
//! `grpc` calls it, outside any transaction.

use prost::Message as _;
use proto::credit::ingest::v1::Submission;
use service_kit::telemetry::TraceParent;
use uuid::Uuid;
use vault::Keyring;

use crate::{
    domain::{Content, Incoming, RecordKey},
    error::{FormError, MAX_CONTENT_BYTES},
};

/// The content types that are taken.
pub const CONTENT_TYPES: &[&str] = &["application/json"];

/// Domain of the blind index of record keys; validation and disclosure never need the key itself.
const KEY_DOMAIN: &str = "record-key";
/// Domain of the blind index of submission ids.
const SUBMISSION_DOMAIN: &str = "submission-id";

/// Checks and seals a submission of `provider_code`. `traceparent` is the record's own trace
/// context, already resolved.
pub fn take(
    submission: Submission,
    provider_code: &str,
    traceparent: String,
    keyring: &Keyring,
) -> Result<Incoming, FormError> {
    check_form(&submission)?;
    let sha256 = vault::sha256(&submission.content);
    if !submission.content_sha256.is_empty() {
        if submission.content_sha256.len() != 32 {
            return Err(FormError::DigestLength);
        }
        if submission.content_sha256.as_ref() != sha256.as_slice() {
            return Err(FormError::DigestMismatch);
        }
    }
    let record_id = Uuid::now_v7();
    let context = record_id.as_bytes();
    let labels = Labels {
        submission_id: submission.submission_id.clone(),
        record_key: submission.record_key.clone(),
    };
    Ok(Incoming {
        submission_digest: submission_digest(keyring, provider_code, &submission.submission_id),
        request_digest: request_digest(&submission, &sha256),
        key: RecordKey {
            key_digest: keyring.blind(
                KEY_DOMAIN,
                &format!(
                    "{provider_code}/{}/{}",
                    submission.item_code, submission.record_key
                ),
            ),
            provider_code: provider_code.to_owned(),
            item_code: submission.item_code,
        },
        content: Content {
            sha256,
            content_type: submission.content_type,
            item_version: submission.item_version,
        },
        record_id,
        sealed_content: keyring.seal(context, &submission.content),
        sealed_record_key: keyring.seal(context, submission.record_key.as_bytes()),
        sealed_labels: keyring.seal(context, &labels.encode_to_vec()),
        traceparent,
    })
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

fn check_form(submission: &Submission) -> Result<(), FormError> {
    if !is_label(&submission.submission_id, 128) {
        return Err(FormError::SubmissionId);
    }
    let code = &submission.item_code;
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    if code.is_empty() || code.len() > 64 || !code.bytes().all(plain) {
        return Err(FormError::ItemCode);
    }
    if !is_label(&submission.record_key, 512) {
        return Err(FormError::RecordKey);
    }
    if !CONTENT_TYPES.contains(&submission.content_type.as_str()) {
        return Err(FormError::ContentType);
    }
    if submission.content.is_empty() {
        return Err(FormError::ContentEmpty);
    }
    if submission.content.len() > MAX_CONTENT_BYTES {
        return Err(FormError::ContentTooLarge);
    }
    if !submission.traceparent.is_empty() && TraceParent::parse(&submission.traceparent).is_none() {
        return Err(FormError::Traceparent);
    }
    Ok(())
}

fn is_label(text: &str, max_chars: usize) -> bool {
    // Counting stops at the limit, so a huge text costs nothing.
    let chars = text.chars().take(max_chars + 1).count();
    (1..=max_chars).contains(&chars) && !text.chars().any(char::is_control)
}

/// A digest over all that makes a request what it is; lengths keep the parts apart.
fn request_digest(submission: &Submission, content_sha256: &[u8; 32]) -> [u8; 32] {
    let mut all = Vec::with_capacity(256);
    for part in [
        submission.item_code.as_bytes(),
        &submission.item_version.to_be_bytes(),
        submission.record_key.as_bytes(),
        submission.content_type.as_bytes(),
        content_sha256,
    ] {
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
