//! Decides what happens to a submission: new version, unchanged, repeated or refused. Pure. `app` loads the state of a
//! batch, folds the submissions through [`IngestBatchState::decide_submission`] in their order, and stores what was decided.
//! [`catalogue`] decides who may report what on a day, [`nil_report`] decides on nil reports, [`reload`] decides how a
//! full reload is opened and ended, [`original`] who may read an original.

pub mod catalogue;
pub mod nil_report;
pub mod original;
pub mod reload;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use legal_clock::shanghai_date;
use record_ref::{
    ItemCode, ItemRef, KeyDigest, LedgerNumber, Malformed, Operation, ProviderCode, RecordAddress,
    RecordKey, RecordVersion, Revision, VersionId,
};
use time::{Date, OffsetDateTime};

pub use catalogue::{
    CatalogueItem, CatalogueItemVersion, ReportingRegistration, ReportingRetirement, Successor,
};

/// 32 bytes of a digest or keyed hash.
pub type Digest = [u8; 32];

/// What makes two submissions equal that are pinned to the same version of their item: operation, bytes, type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionContent {
    /// What it does to the record.
    pub operation: Operation,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// MIME type.
    pub content_type: String,
}

/// A submission as it came: nothing of it is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncomingSubmission {
    /// The caller's id of it.
    pub submission_id: String,
    /// Item that it names.
    pub item_code: String,
    /// Version of the item that it asks for; 0: the one in force.
    pub item_version: u32,
    /// The provider's own key of the record.
    pub record_key: String,
    /// What it does to the record; none for a number that means nothing.
    pub operation: Option<Operation>,
    /// MIME type.
    pub content_type: String,
    /// The bytes as received.
    pub content: Bytes,
    /// SHA-256 of the bytes by the caller's own count; may be empty.
    pub content_sha256: Bytes,
    /// The record's own trace context; may be empty.
    pub traceparent: String,
}

/// A submission whose form was checked and whose content is sealed.
#[derive(Clone, Debug)]
pub struct SealedSubmission {
    /// Keyed hash of the caller's submission id.
    pub submission_digest: Digest,
    /// Digest of everything that the caller sent, to distinguish a repetition from a reuse of the id for something
    /// else.
    pub request_digest: Digest,
    /// Which record.
    pub key: RecordKey,
    /// Version of the item that it asks for; 0: the one in force.
    pub item_version: u32,
    /// What it says.
    pub content: VersionContent,
    /// The id that the version gets when it is new.
    pub version_id: VersionId,
    /// The bytes, sealed under the version's id.
    pub sealed_content: Vec<u8>,
    /// Record key, sealed under the version's id, for the event.
    pub sealed_record_key: Vec<u8>,
    /// Record key and submission id, sealed under the version's id, for the ledger.
    pub sealed_labels: Vec<u8>,
    /// Trace context of the record.
    pub traceparent: String,
    /// The full reload that it belongs to.
    pub reload_number: Option<i64>,
    /// Keyed hash of the part of the submission id before its first slash; equals the digest of a reload's id if the
    /// provider has a reload of that name.
    pub reload_prefix: Option<Digest>,
}

/// What is committed of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredVersion {
    /// The version, of which record, whose, and pinned to which version of the item.
    pub version: RecordVersion,
    /// Number in the provider's ledger.
    pub ledger_number: LedgerNumber,
    /// When it was accepted for processing.
    pub received_at: OffsetDateTime,
    /// What it says.
    pub content: VersionContent,
}

impl StoredVersion {
    /// Status of this version, given the current version of its record.
    pub fn status_relative_to(&self, current: &Self) -> VersionStatus {
        if self.version.id == current.version.id {
            VersionStatus::Current
        } else if current.content.operation.ends_record() {
            VersionStatus::Revoked
        } else {
            VersionStatus::Superseded
        }
    }
}

/// Status of a version within its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionStatus {
    /// It is the content of the record, or what ended it.
    Current,
    /// A newer version took its place.
    Superseded,
    /// The record was revoked or withdrawn since.
    Revoked,
}

/// An earlier submission under the same id.
#[derive(Clone, Debug)]
pub struct EarlierSubmission {
    /// What was sent.
    pub request_digest: Digest,
    /// What it was answered with; `None`: the id is that of a nil report.
    pub stored: Option<StoredVersion>,
    /// Whether it was answered as unchanged.
    pub unchanged: bool,
}

/// What a submission was answered with: a receipt, before it is a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnsweredVersion {
    /// The version.
    pub stored: StoredVersion,
    /// Whether it was there before.
    pub unchanged: bool,
}

/// What the reload answered when this record was named before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReloadLine {
    /// The version that it was answered with.
    pub stored: StoredVersion,
    /// Whether it was answered as unchanged.
    pub unchanged: bool,
}

/// The outcome for one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubmissionDecision {
    /// A new version.
    New(StoredVersion),
    /// The content is that of the current version.
    Unchanged(StoredVersion),
    /// The same submission again: the same answer.
    Repeated {
        /// What it was answered with.
        stored: StoredVersion,
        /// Whether that answer was "unchanged".
        unchanged: bool,
    },
    /// Refused; nothing is stored.
    Refused(IngestRuleViolation),
}

impl SubmissionDecision {
    /// The answer to the submission.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn into_answer(self) -> Result<AnsweredVersion, IngestRuleViolation> {
        let (stored, unchanged) = match self {
            Self::New(stored) => (stored, false),
            Self::Unchanged(stored) => (stored, true),
            Self::Repeated { stored, unchanged } => (stored, unchanged),
            Self::Refused(rejection) => return Err(rejection),
        };
        Ok(AnsweredVersion { stored, unchanged })
    }

    /// The version in the receipt, and whether the receipt says "unchanged"; `None` for a refusal.
    pub fn answered_version(&self) -> Option<(&StoredVersion, bool)> {
        match self {
            Self::New(stored) => Some((stored, false)),
            Self::Unchanged(stored) => Some((stored, true)),
            Self::Repeated { stored, unchanged } => Some((stored, *unchanged)),
            Self::Refused(_) => None,
        }
    }
}

/// Which rule a submission, a nil report, a reload or the reading of an original breaks: first those of form, which need
/// no look-up. `error` has the refusal that callers get for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IngestRuleViolation {
    /// The request has no submission.
    SubmissionMissing,
    /// `submission_id` is empty or too long.
    SubmissionIdMalformed,
    /// `record_key` is empty or too long.
    RecordKeyMalformed,
    /// `item_code` is empty.
    ItemCodeMissing(Malformed),
    /// `item_code` has a form that no item has.
    ItemCodeMalformed(Malformed),
    /// `operation` is an unknown number.
    OperationUnknown,
    /// `content_type` is not one that records have.
    ContentTypeUnsuitable,
    /// `content_type` is not that of a reason.
    ReasonTypeUnsuitable,
    /// `content` is no reason.
    EndingReasonMalformed,
    /// `content` is empty.
    ContentEmpty,
    /// `content` is larger than [`crate::intake::MAX_CONTENT_BYTES`].
    ContentTooLarge,
    /// `content_sha256` is not 32 bytes long.
    DigestLength,
    /// `content_sha256` is not the digest of `content`.
    DigestMismatch,
    /// `traceparent` is not a W3C trace context.
    TraceparentMalformed,
    /// The id was used for something else.
    SubmissionIdReused,
    /// The caller is no provider of the registry.
    ProviderNotRegistered,
    /// The provider is disabled.
    ProviderDisabled,
    /// The provider may report only later.
    ProviderNotYetValid {
        /// First day on which it may.
        from: Date,
    },
    /// The provider's registration has run out.
    ProviderExpired {
        /// Last day on which it might report.
        until: Date,
    },
    /// No such item.
    ItemUnknown,
    /// The item has no such version.
    ItemVersionUnknown,
    /// The version is for records received later.
    ItemVersionNotYetInForce {
        /// Which: the one asked for, or the first of an item that has none in force.
        version: u32,
        /// First day of receipt that it is for.
        from: Date,
    },
    /// The item is retired.
    ItemRetired(ReportingRetirement),
    /// A revocation or withdrawal of a record that was never reported.
    RecordUnknown,
    /// The reload has ended; it accepts nothing more.
    ReloadEnded,
    /// The id names a reload of another item or version.
    ReloadIdReused,
    /// The caller sent another number of records than arrived.
    ReloadIncomplete {
        /// What the caller says.
        declared: u64,
        /// Distinct keys that were accepted, over all tries.
        received: u64,
        /// Records refused in this stream.
        refused: u64,
    },
    /// The reload was ended with another number of records.
    ReloadEndedOtherwise {
        /// The number that it was ended with.
        declared: u64,
    },
    /// The last day of a period is before the first.
    PeriodReversed,
    /// The period of a nil report is longer than a year.
    PeriodTooLong,
    /// The period of a nil report has days that are still to come.
    PeriodNotOver {
        /// The day of receipt.
        today: Date,
    },
    /// Versions of the item were received within the period of a nil report.
    NilReportContradicted,
    /// Why originals are read was not said, or what was said is no reason.
    ReadingWithoutReason,
}

/// The state that a batch of submissions is decided on, and that it changes.
#[derive(Clone, Debug, Default)]
pub struct IngestBatchState {
    /// Registrations by provider.
    pub providers: HashMap<ProviderCode, ReportingRegistration>,
    /// Items by code.
    pub items: HashMap<ItemCode, CatalogueItem>,
    /// Last ledger number by provider; none before its first record.
    pub last_ledger_numbers: HashMap<ProviderCode, Option<LedgerNumber>>,
    /// Earlier submissions by provider and submission digest.
    pub earlier_submissions: HashMap<(ProviderCode, Digest), EarlierSubmission>,
    /// Current version by key.
    pub current_versions: HashMap<RecordKey, StoredVersion>,
    /// Reloads that records of the batch belong to and that have not ended.
    pub open_reloads: HashSet<i64>,
    /// Lines of records that reloads have accepted already, by reload and key digest.
    pub reload_lines: HashMap<(i64, KeyDigest), ReloadLine>,
    /// Prefixes of submission ids of the batch that are ids of reloads, by provider.
    pub reload_ids: HashSet<(ProviderCode, Digest)>,
}

impl IngestBatchState {
    /// Decides one submission and changes the state for those after it.
    ///
    /// Idempotency comes first: a repetition is answered as before even when the provider was
    /// disabled or the item retired since, because the receipt was given.
    pub fn decide_submission(
        &mut self,
        incoming: &SealedSubmission,
        now: OffsetDateTime,
    ) -> SubmissionDecision {
        let decision = self.find_repetition(incoming);
        let decision = decision.unwrap_or_else(|| self.decide_new_submission(incoming, now));
        if let (Some(reload), Some((stored, unchanged))) =
            (incoming.reload_number, decision.answered_version())
        {
            let line = ReloadLine {
                stored: stored.clone(),
                unchanged,
            };
            let key = (reload, incoming.key.digest);
            self.reload_lines.entry(key).or_insert(line);
        }
        decision
    }

    /// The answer to the earlier submission of the same id, or why the id may not be used.
    fn find_repetition(&self, incoming: &SealedSubmission) -> Option<SubmissionDecision> {
        let reused = Some(SubmissionDecision::Refused(
            IngestRuleViolation::SubmissionIdReused,
        ));
        if let Some(reload) = incoming.reload_number {
            if let Some(line) = self.reload_lines.get(&(reload, incoming.key.digest)) {
                if line.stored.content != incoming.content {
                    return reused;
                }
                return Some(SubmissionDecision::Repeated {
                    stored: line.stored.clone(),
                    unchanged: line.unchanged,
                });
            }
            if !self.open_reloads.contains(&reload) {
                return Some(SubmissionDecision::Refused(
                    IngestRuleViolation::ReloadEnded,
                ));
            }
        }
        let provider = incoming.key.provider;
        let id = (provider, incoming.submission_digest);
        if let Some(earlier) = self.earlier_submissions.get(&id) {
            let repeated = earlier
                .stored
                .clone()
                .filter(|_| earlier.request_digest == incoming.request_digest);
            let Some(stored) = repeated else {
                return reused;
            };
            return Some(SubmissionDecision::Repeated {
                stored,
                unchanged: earlier.unchanged,
            });
        }
        // Such an id is reserved for the record that the reload names, see `ReloadRecord`.
        let prefix = incoming
            .reload_prefix
            .filter(|_| incoming.reload_number.is_none());
        prefix
            .filter(|prefix| self.reload_ids.contains(&(provider, *prefix)))
            .and(reused)
    }

    fn decide_new_submission(
        &mut self,
        incoming: &SealedSubmission,
        now: OffsetDateTime,
    ) -> SubmissionDecision {
        let key = &incoming.key;
        let head = self.current_versions.get(key);
        let item = match self.pin_version(incoming, shanghai_date(now), head) {
            Ok(item) => item,
            Err(rejection) => return SubmissionDecision::Refused(rejection),
        };
        let same =
            |head: &&StoredVersion| head.version.item == *item && head.content == incoming.content;
        if let Some(stored) = head.filter(same).cloned() {
            self.record_submission(incoming, &stored, true);
            return SubmissionDecision::Unchanged(stored);
        }
        // No number comes after the last one: the last one is given twice, which the tables refuse.
        let (address, revision) = match head.map(|stored| &stored.version) {
            Some(last) => (last.address, last.revision.next().unwrap_or(last.revision)),
            None => (
                RecordAddress::of_first_version(incoming.version_id),
                Revision::FIRST,
            ),
        };
        let version = RecordVersion {
            id: incoming.version_id,
            address,
            provider: key.provider,
            item: item.clone(),
            key_digest: key.digest,
            revision,
        };
        let last = self.last_ledger_numbers.entry(key.provider).or_default();
        let ledger_number = last.map_or(LedgerNumber::FIRST, |last| last.next().unwrap_or(last));
        *last = Some(ledger_number);
        let stored = StoredVersion {
            version,
            ledger_number,
            received_at: now,
            content: incoming.content.clone(),
        };
        self.current_versions.insert(key.clone(), stored.clone());
        self.record_submission(incoming, &stored, false);
        SubmissionDecision::New(stored)
    }

    fn pin_version<'a>(
        &'a self,
        incoming: &SealedSubmission,
        today: Date,
        head: Option<&'a StoredVersion>,
    ) -> Result<&'a ItemRef, IngestRuleViolation> {
        self.providers
            .get(&incoming.key.provider)
            .ok_or(IngestRuleViolation::ProviderNotRegistered)?
            .check_may_report(today)?;
        let item = self
            .items
            .get(&incoming.key.item)
            .ok_or(IngestRuleViolation::ItemUnknown)?;
        let asked = incoming.item_version;
        let current = head.map(|stored| &stored.version.item);
        if incoming.content.operation.ends_record() {
            item.pin_end(asked, current.ok_or(IngestRuleViolation::RecordUnknown)?)
        } else {
            item.pin_version(asked, today, current)
        }
    }

    fn record_submission(
        &mut self,
        incoming: &SealedSubmission,
        stored: &StoredVersion,
        unchanged: bool,
    ) {
        let id = (incoming.key.provider, incoming.submission_digest);
        let earlier = EarlierSubmission {
            request_digest: incoming.request_digest,
            stored: Some(stored.clone()),
            unchanged,
        };
        self.earlier_submissions.insert(id, earlier);
    }
}
