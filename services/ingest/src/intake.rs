//! From a submission as it came to one that can be decided: checks the form, computes digests, seals. `app` and `grpc`
//! call it, outside any transaction. `operation` knows which content goes with which operation.

mod operation;

pub use operation::{CONTENT_TYPES, REASON_TYPE};

use prost::Message as _;
use record_ref::{ItemCode, Operation, ProviderCode, RecordKey, VersionId};
use service_kit::telemetry::TraceParent;
use vault::{Keyring, keyed_hash};

use crate::{
    domain::{Digest, IncomingSubmission, IngestRuleViolation, SealedSubmission, VersionContent},
    error::IngestError,
};

/// Largest content of a record, bytes: 1 MiB.
pub const MAX_CONTENT_BYTES: usize = 1024 * 1024;
/// Longest id of a reload, characters.
pub const RELOAD_ID_CHARS: usize = 64;

/// Checks and seals a submission of `provider`; without one its form is checked all the same. `traceparent` is the
/// record's own trace context, already resolved.
///
/// # Errors
/// The first rule of the form that is broken; then, without a provider, that the caller is none.
pub fn check_and_seal(
    submission: IncomingSubmission,
    provider: Option<ProviderCode>,
    traceparent: String,
    keyring: &Keyring,
) -> Result<SealedSubmission, IngestRuleViolation> {
    if !is_submission_id(&submission.submission_id) {
        return Err(IngestRuleViolation::SubmissionIdMalformed);
    }
    let well_formed = check_submission(submission)?;
    let provider = provider.ok_or(IngestRuleViolation::ProviderNotRegistered)?;
    let id_prefix = reload_prefix_digest(keyring, &provider, &well_formed.submission.submission_id);
    let checked = well_formed.compute_digests(provider, keyring);
    Ok(SealedSubmission {
        reload_prefix: id_prefix,
        ..checked.seal_submission(traceparent, keyring)
    })
}

/// A submission whose form was checked, of whichever provider.
#[derive(Debug)]
pub struct WellFormedSubmission {
    submission: IncomingSubmission,
    item: ItemCode,
    operation: Operation,
    sha256: Digest,
}

/// A submission of a provider with the digests by which it is looked up, not sealed yet.
#[derive(Debug)]
pub struct CheckedSubmission {
    submission: IncomingSubmission,
    /// Which record.
    pub key: RecordKey,
    /// What it says.
    pub content: VersionContent,
    /// Keyed hash of the submission id.
    pub submission_digest: Digest,
}

/// Checks a submission whose id is known to be one.
///
/// # Errors
/// The first rule of the form that is broken.
pub fn check_submission(
    submission: IncomingSubmission,
) -> Result<WellFormedSubmission, IngestRuleViolation> {
    let (item, operation) = check_form(&submission)?;
    let sha256 = vault::sha256(&submission.content);
    if !submission.content_sha256.is_empty() {
        if submission.content_sha256.len() != 32 {
            return Err(IngestRuleViolation::DigestLength);
        }
        if submission.content_sha256.as_ref() != sha256.as_slice() {
            return Err(IngestRuleViolation::DigestMismatch);
        }
    }
    Ok(WellFormedSubmission {
        submission,
        item,
        operation,
        sha256,
    })
}

impl WellFormedSubmission {
    /// Computes the digests that it has as a submission of this provider.
    pub fn compute_digests(
        mut self,
        provider: ProviderCode,
        keyring: &Keyring,
    ) -> CheckedSubmission {
        let submission = &mut self.submission;
        let content_type = std::mem::take(&mut submission.content_type);
        let (id, key) = (&submission.submission_id, &submission.record_key);
        CheckedSubmission {
            submission_digest: keyed_hash::hash_submission_id(keyring, &provider, id),
            key: RecordKey {
                digest: keyed_hash::hash_record_key(keyring, &provider, &self.item, key),
                provider,
                item: self.item,
            },
            content: VersionContent {
                operation: self.operation,
                sha256: self.sha256,
                content_type,
            },
            submission: self.submission,
        }
    }
}

impl CheckedSubmission {
    /// Gives the version its id and seals it.
    pub fn seal_submission(self, traceparent: String, keyring: &Keyring) -> SealedSubmission {
        let request_digest = self.request_digest();
        let Self {
            submission,
            key,
            content,
            submission_digest,
        } = self;
        let version_id = VersionId::generate();
        let context = version_id.as_bytes();
        let sealed_record_key = keyring.seal(context, submission.record_key.as_bytes());
        let labels = SubmissionLabels {
            submission_id: submission.submission_id,
            record_key: submission.record_key,
        };
        SealedSubmission {
            submission_digest,
            request_digest,
            key,
            item_version: submission.item_version,
            content,
            version_id,
            sealed_content: keyring.seal(context, &submission.content),
            sealed_record_key,
            sealed_labels: keyring.seal(context, &labels.encode_to_vec()),
            traceparent,
            reload_number: None,
            reload_prefix: None,
        }
    }

    /// A digest over all that makes a request what it is. That of an upsert has no operation in it: it must stay what
    /// it was before there were others, because the same request is answered the same for ever.
    fn request_digest(&self) -> Digest {
        let operation = self.content.operation;
        let version = self.submission.item_version.to_be_bytes();
        let number = operation.number().to_be_bytes();
        let parts: [&[u8]; 6] = [
            self.key.item.as_str().as_bytes(),
            &version,
            self.submission.record_key.as_bytes(),
            self.content.content_type.as_bytes(),
            &self.content.sha256,
            &number,
        ];
        digest_of_parts(&parts[..if operation.ends_record() { 6 } else { 5 }])
    }
}

/// The keyed hash of the reload that a submission id would belong to, if the provider has one of that name.
pub fn reload_prefix_digest(
    keyring: &Keyring,
    provider: &ProviderCode,
    submission_id: &str,
) -> Option<Digest> {
    let (prefix, _) = submission_id.split_once('/')?;
    is_reload_id(prefix).then(|| keyed_hash::hash_reload_id(keyring, provider, prefix))
}

/// Whether a text can be the id of a reload: it has no slash, so that the first one in a submission id ends it.
pub fn is_reload_id(text: &str) -> bool {
    is_label(text, RELOAD_ID_CHARS) && !text.contains('/')
}

/// The code of an item as a request names it.
///
/// # Errors
/// When none is named, or no item has such a code.
pub fn item_code(text: &str) -> Result<ItemCode, IngestRuleViolation> {
    text.parse().map_err(|malformed| match text {
        "" => IngestRuleViolation::ItemCodeMissing(malformed),
        _ => IngestRuleViolation::ItemCodeMalformed(malformed),
    })
}

/// Whether a text can be the id of a submission.
pub fn is_submission_id(text: &str) -> bool {
    is_label(text, 128)
}

/// The provider's own ids of a version, sealed with the original.
#[derive(Clone, PartialEq, prost::Message)]
pub struct SubmissionLabels {
    /// The caller's submission id.
    #[prost(string, tag = "1")]
    pub submission_id: String,
    /// The caller's record key.
    #[prost(string, tag = "2")]
    pub record_key: String,
}

impl SubmissionLabels {
    /// Opens the sealed labels of a version.
    ///
    /// # Errors
    /// [`IngestError::Damaged`] when it does not open, or is not what was sealed.
    pub fn open_labels(
        keyring: &Keyring,
        version_id: VersionId,
        sealed: &[u8],
    ) -> Result<Self, IngestError> {
        const DOING: &str = "打开台账";
        let opened = keyring.open(version_id.as_bytes(), sealed);
        let opened = opened.map_err(IngestError::damaged(DOING))?;
        Self::decode(opened.as_slice()).map_err(IngestError::damaged(DOING))
    }
}

fn check_form(
    submission: &IncomingSubmission,
) -> Result<(ItemCode, Operation), IngestRuleViolation> {
    let item = item_code(&submission.item_code)?;
    if !is_label(&submission.record_key, 512) {
        return Err(IngestRuleViolation::RecordKeyMalformed);
    }
    let operation = operation::check_operation(submission)?;
    if submission.content.is_empty() {
        return Err(IngestRuleViolation::ContentEmpty);
    }
    if submission.content.len() > MAX_CONTENT_BYTES {
        return Err(IngestRuleViolation::ContentTooLarge);
    }
    if !submission.traceparent.is_empty() && TraceParent::parse(&submission.traceparent).is_none() {
        return Err(IngestRuleViolation::TraceparentMalformed);
    }
    Ok((item, operation))
}

fn is_label(text: &str, max_chars: usize) -> bool {
    // Counting stops at the limit, so a huge text costs nothing.
    let chars = text.chars().take(max_chars + 1).count();
    (1..=max_chars).contains(&chars) && !text.chars().any(char::is_control)
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

    fn provider() -> Option<ProviderCode> {
        "11430100006123458R".parse().ok()
    }

    fn good() -> IncomingSubmission {
        IncomingSubmission {
            submission_id: "2026-11-20/1".to_owned(),
            item_code: "xzcf".to_owned(),
            item_version: 0,
            record_key: "长市监罚决〔2026〕1号".to_owned(),
            content_type: "application/json".to_owned(),
            content: "{}".into(),
            content_sha256: Default::default(),
            traceparent: String::new(),
            operation: Some(Operation::Upsert),
        }
    }

    fn check_and_seal(
        submission: IncomingSubmission,
    ) -> Result<SealedSubmission, IngestRuleViolation> {
        take_of(provider(), submission)
    }

    fn take_of(
        provider: Option<ProviderCode>,
        submission: IncomingSubmission,
    ) -> Result<SealedSubmission, IngestRuleViolation> {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        super::check_and_seal(submission, provider, String::new(), &keyring)
    }

    #[test]
    fn every_part_of_the_form_is_checked_by_name() {
        type SpoilSubmission = fn(&mut IncomingSubmission);
        let not_an_item = "XZCF".parse::<ItemCode>().unwrap_err();
        let table: &[(IngestRuleViolation, SpoilSubmission)] = &[
            (IngestRuleViolation::SubmissionIdMalformed, |s| {
                s.submission_id.clear()
            }),
            (IngestRuleViolation::SubmissionIdMalformed, |s| {
                s.submission_id = "长".repeat(129)
            }),
            (IngestRuleViolation::SubmissionIdMalformed, |s| {
                s.submission_id = "a\0b".to_owned()
            }),
            (IngestRuleViolation::RecordKeyMalformed, |s| {
                s.record_key.clear()
            }),
            (IngestRuleViolation::RecordKeyMalformed, |s| {
                s.record_key = "k".repeat(513)
            }),
            (IngestRuleViolation::ItemCodeMissing(not_an_item), |s| {
                s.item_code.clear()
            }),
            (IngestRuleViolation::ItemCodeMalformed(not_an_item), |s| {
                s.item_code = "XZCF".to_owned()
            }),
            (IngestRuleViolation::ItemCodeMalformed(not_an_item), |s| {
                s.item_code = "x\0".to_owned()
            }),
            (IngestRuleViolation::ContentTypeUnsuitable, |s| {
                s.content_type = "text/plain".to_owned()
            }),
            (IngestRuleViolation::OperationUnknown, |s| {
                s.operation = None
            }),
            (IngestRuleViolation::ReasonTypeUnsuitable, |s| {
                s.operation = Some(Operation::Revoke)
            }),
            (IngestRuleViolation::EndingReasonMalformed, |s| {
                s.operation = Some(Operation::Withdraw);
                s.content_type = "text/plain".to_owned();
            }),
            (IngestRuleViolation::ContentEmpty, |s| s.content.clear()),
            (IngestRuleViolation::ContentTooLarge, |s| {
                s.content = vec![b' '; MAX_CONTENT_BYTES + 1].into();
            }),
            (IngestRuleViolation::DigestLength, |s| {
                s.content_sha256 = vec![0; 31].into()
            }),
            (IngestRuleViolation::DigestMismatch, |s| {
                s.content_sha256 = vec![0; 32].into()
            }),
            (IngestRuleViolation::TraceparentMalformed, |s| {
                s.traceparent = "x".to_owned()
            }),
        ];
        for (expected, spoil) in table {
            let mut submission = good();
            spoil(&mut submission);
            assert_eq!(&check_and_seal(submission.clone()).unwrap_err(), expected);
            // A caller that is no provider gets the same refusal.
            assert_eq!(&take_of(None, submission).unwrap_err(), expected);
        }
        let unknown = take_of(None, good()).unwrap_err();
        assert_eq!(unknown, IngestRuleViolation::ProviderNotRegistered);
        let mut full = good();
        full.content = vec![b' '; MAX_CONTENT_BYTES].into();
        full.content_sha256 = vault::sha256(&full.content).to_vec().into();
        assert!(check_and_seal(full).is_ok());
    }

    /// Computed by another program from the form that requests have had since the first release.
    #[test]
    fn r11_the_digest_of_an_upsert_is_what_it_was_before_there_were_other_operations() {
        let expected = "8b71e34e28dca57c20b69cd85c8ab20620dda9a0ada5b93c4f9766a1e4b3965b";
        let digest = check_and_seal(good()).unwrap().request_digest;
        assert_eq!(hex::encode(digest), expected);
        let mut digests = vec![expected.to_owned()];
        for operation in [Operation::Revoke, Operation::Withdraw] {
            let mut submission = good();
            submission.operation = Some(operation);
            submission.content_type = "text/plain".to_owned();
            submission.content = "误报，撤回".into();
            digests.push(hex::encode(
                check_and_seal(submission).unwrap().request_digest,
            ));
        }
        digests.dedup();
        assert_eq!(digests.len(), 3, "an operation is part of the request");
    }

    /// Keyed hashes are kept for ever, and what was stored must be found: computed by another program.
    #[test]
    fn r11_ids_and_keys_are_kept_by_the_same_hashes_as_ever() {
        let key = "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f";
        let master = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
        let text = format!("master m1 {master} active\nblind b1 {key}\n");
        let keyring = Keyring::parse(&text).unwrap();
        let incoming = super::check_and_seal(good(), provider(), String::new(), &keyring).unwrap();
        assert_eq!(
            hex::encode(incoming.submission_digest),
            "4f49c330c2b51466780f6632afabbdc4da1d4b915ba1b508540f02bb1c536986"
        );
        assert_eq!(
            hex::encode(incoming.key.digest.as_bytes()),
            "de06e04ad44b244d08d84e89c7e171b4601ab4f102ef5e6062d76a080c47fd1e"
        );
        assert_eq!(
            incoming.reload_prefix.map(hex::encode).as_deref(),
            Some("53b52311315451d48cbf3f8ef8701da0357d7b317159622f8a056398ebe13bbc")
        );
    }

    #[test]
    fn r12_the_sealed_content_opens_to_the_bytes_received() {
        let keyring = Keyring::parse(&Keyring::generate()).unwrap();
        let mut submission = good();
        // Not UTF-8 and not JSON: ingest keeps what it gets, validation judges.
        submission.content = vec![0xff, 0x00, 0x7b].into();
        let incoming =
            super::check_and_seal(submission, provider(), String::new(), &keyring).unwrap();
        let opened = keyring.open(incoming.version_id.as_bytes(), &incoming.sealed_content);
        assert_eq!(opened.unwrap(), [0xff, 0x00, 0x7b]);
    }
}
