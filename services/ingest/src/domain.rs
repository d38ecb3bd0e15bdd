//! What becomes of a submission at the door: pure. `app` loads the state of a batch, folds the
//! submissions through [`Batch::decide`] in their order, and stores what was decided. [`catalogue`]
//! says who may report what on a day, [`nil`] decides on nil reports, [`reload`] on the ends of full
//! reloads, [`reading`] on who reads an original.

pub mod catalogue;
pub mod nil;
pub mod reading;
pub mod reload;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use legal_clock::shanghai_date;
use time::{Date, OffsetDateTime};
use uuid::Uuid;

pub use catalogue::{Item, Registration, Retirement, Successor, Version};

/// 32 bytes of a digest or keyed hash.
pub type Digest = [u8; 32];

/// Names a record whose versions follow one another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordKey {
    /// Credit code of the provider.
    pub provider_code: String,
    /// Code of the catalogue item.
    pub item_code: String,
    /// Keyed hash of the provider's own key.
    pub key_digest: Digest,
}

/// What a version does to its record (D-24).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The content is what the record says from now on.
    Upsert,
    /// The decision itself is no more; the content is the reason.
    Revoke,
    /// The record was reported by mistake; the content is the reason.
    Withdraw,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Upsert, Self::Revoke, Self::Withdraw];

    /// Its number in tables, digests and messages.
    pub fn code(self) -> i16 {
        match self {
            Self::Upsert => 1,
            Self::Revoke => 2,
            Self::Withdraw => 3,
        }
    }

    /// The operation of a number; `None` for a number that stands for none.
    pub fn of_code(code: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// Whether it ends the record until it is reported again.
    pub fn ends_record(self) -> bool {
        self != Self::Upsert
    }
}

/// What makes two submissions equal: operation, bytes, type and item version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// What it does to the record.
    pub operation: Operation,
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// MIME type.
    pub content_type: String,
    /// Version of the item; 0 asks for the one in force.
    pub item_version: u32,
}

impl Content {
    /// Whether two contents are the same but for the version that they are pinned to.
    fn says_the_same(&self, other: &Self) -> bool {
        (self.operation, self.sha256, &self.content_type)
            == (other.operation, other.sha256, &other.content_type)
    }
}

/// A submission whose form was checked and whose content is sealed.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Keyed hash of the caller's submission id.
    pub submission_digest: Digest,
    /// Digest of everything that the caller sent, to tell a repetition from a misuse of the id.
    pub request_digest: Digest,
    /// Which record.
    pub key: RecordKey,
    /// What it says.
    pub content: Content,
    /// The id that the version gets when it is new.
    pub record_id: Uuid,
    /// The bytes, sealed under the record id.
    pub sealed_content: Vec<u8>,
    /// Record key, sealed under the record id, for the event.
    pub sealed_record_key: Vec<u8>,
    /// Record key and submission id, sealed under the record id, for the ledger.
    pub sealed_labels: Vec<u8>,
    /// Trace context of the record.
    pub traceparent: String,
    /// The full reload that it belongs to.
    pub reload: Option<i64>,
    /// Keyed hash of what stands before the first slash of the submission id: the id of a reload, if the
    /// provider has one of that name.
    pub id_prefix: Option<Digest>,
}

/// What is committed of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The version.
    pub record_id: Uuid,
    /// Number in the provider's ledger.
    pub ledger_number: u64,
    /// Revision of its key.
    pub revision: u64,
    /// When it was accepted for processing.
    pub received_at: OffsetDateTime,
    /// What it says.
    pub content: Content,
}

impl Stored {
    /// How this version stands beside the current one of its record.
    pub fn standing(&self, current: &Self) -> Standing {
        if self.record_id == current.record_id {
            Standing::Current
        } else if current.content.operation.ends_record() {
            Standing::Revoked
        } else {
            Standing::Superseded
        }
    }
}

/// How a version stands among those of its record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is what the record says, or what ended it.
    Current,
    /// A newer version took its place.
    Superseded,
    /// The record was revoked or withdrawn since.
    Revoked,
}

/// An earlier submission under the same id.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// What was sent.
    pub request_digest: Digest,
    /// What it was answered with; `None`: the id is that of a nil report.
    pub stored: Option<Stored>,
    /// Whether it was answered as unchanged.
    pub unchanged: bool,
}

/// What a reload has taken of a record already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The version that it was answered with.
    pub stored: Stored,
    /// Whether it was answered as unchanged.
    pub unchanged: bool,
}

/// The outcome for one submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A new version.
    New(Stored),
    /// The content is that of the current version.
    Unchanged(Stored),
    /// The same submission again: the same answer.
    Repeated {
        /// What it was answered with.
        stored: Stored,
        /// Whether that answer was "unchanged".
        unchanged: bool,
    },
    /// Refused; nothing is stored.
    Refused(Rejection),
}

impl Decision {
    /// The version that the submission is answered with, and whether as unchanged.
    pub fn version(&self) -> Option<(&Stored, bool)> {
        match self {
            Self::New(stored) => Some((stored, false)),
            Self::Unchanged(stored) => Some((stored, true)),
            Self::Repeated { stored, unchanged } => Some((stored, *unchanged)),
            Self::Refused(_) => None,
        }
    }
}

/// Why a submission is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The id was used for something else.
    SubmissionIdReused,
    /// The provider is not registered.
    ProviderUnknown,
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
    ItemRetired(Retirement),
    /// A revocation or withdrawal of a record that was never reported.
    RecordUnknown,
    /// The reload has ended; it takes nothing more.
    ReloadEnded,
    /// The period of a nil report has days that are still to come.
    PeriodNotOver {
        /// The day of receipt.
        today: Date,
    },
    /// Versions of the item were received within the period of a nil report.
    NilReportContradicted,
}

/// The state that a batch of submissions is decided on, and that it changes.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Providers by code.
    pub providers: HashMap<String, Registration>,
    /// Items by code.
    pub items: HashMap<String, Item>,
    /// Last ledger number by provider.
    pub ledgers: HashMap<String, u64>,
    /// Earlier submissions by provider and submission digest.
    pub submissions: HashMap<(String, Digest), Earlier>,
    /// Current version by key.
    pub heads: HashMap<RecordKey, Stored>,
    /// Reloads that records of the batch belong to and that have not ended.
    pub open_reloads: HashSet<i64>,
    /// What reloads have taken already, by reload and key digest.
    pub lines: HashMap<(i64, Digest), Line>,
    /// Prefixes of submission ids of the batch that are ids of reloads, by provider.
    pub reload_ids: HashSet<(String, Digest)>,
}

impl Batch {
    /// Decides one submission and changes the state for those after it.
    ///
    /// Idempotency comes first: a repetition is answered as before even when the provider was
    /// disabled or the item retired since, because the receipt was given.
    pub fn decide(&mut self, incoming: &Incoming, now: OffsetDateTime) -> Decision {
        let decision = self.taken_before(incoming);
        let decision = decision.unwrap_or_else(|| self.decide_first(incoming, now));
        if let (Some(reload), Some((stored, unchanged))) = (incoming.reload, decision.version()) {
            let line = Line {
                stored: stored.clone(),
                unchanged,
            };
            let place = (reload, incoming.key.key_digest);
            self.lines.entry(place).or_insert(line);
        }
        decision
    }

    /// What the same submission id was answered with, or why it may not be used.
    fn taken_before(&self, incoming: &Incoming) -> Option<Decision> {
        let reused = Some(Decision::Refused(Rejection::SubmissionIdReused));
        if let Some(reload) = incoming.reload {
            if let Some(line) = self.lines.get(&(reload, incoming.key.key_digest)) {
                if !line.stored.content.says_the_same(&incoming.content) {
                    return reused;
                }
                return Some(Decision::Repeated {
                    stored: line.stored.clone(),
                    unchanged: line.unchanged,
                });
            }
            if !self.open_reloads.contains(&reload) {
                return Some(Decision::Refused(Rejection::ReloadEnded));
            }
        }
        let provider = &incoming.key.provider_code;
        let id = (provider.clone(), incoming.submission_digest);
        if let Some(earlier) = self.submissions.get(&id) {
            let repeated = earlier
                .stored
                .clone()
                .filter(|_| earlier.request_digest == incoming.request_digest);
            let Some(stored) = repeated else {
                return reused;
            };
            return Some(Decision::Repeated {
                stored,
                unchanged: earlier.unchanged,
            });
        }
        // Such an id is kept for the record that the reload names, see `ReloadRecord`.
        let prefix = incoming.id_prefix.filter(|_| incoming.reload.is_none());
        prefix
            .filter(|prefix| self.reload_ids.contains(&(provider.clone(), *prefix)))
            .and(reused)
    }

    fn decide_first(&mut self, incoming: &Incoming, now: OffsetDateTime) -> Decision {
        let provider = &incoming.key.provider_code;
        let id = (provider.clone(), incoming.submission_digest);
        let head = self.heads.get(&incoming.key);
        let content = match self.pin_version(incoming, shanghai_date(now), head) {
            Ok(content) => content,
            Err(rejection) => return Decision::Refused(rejection),
        };
        if let Some(stored) = head.filter(|stored| stored.content == content).cloned() {
            self.remember(id, incoming, &stored, true);
            return Decision::Unchanged(stored);
        }
        let revision = head.map_or(1, |stored| stored.revision + 1);
        let last = self.ledgers.entry(provider.clone()).or_default();
        *last += 1;
        let stored = Stored {
            record_id: incoming.record_id,
            ledger_number: *last,
            revision,
            received_at: now,
            content,
        };
        self.heads.insert(incoming.key.clone(), stored.clone());
        self.remember(id, incoming, &stored, false);
        Decision::New(stored)
    }

    fn pin_version(
        &self,
        incoming: &Incoming,
        today: Date,
        head: Option<&Stored>,
    ) -> Result<Content, Rejection> {
        self.providers
            .get(&incoming.key.provider_code)
            .ok_or(Rejection::ProviderUnknown)?
            .admits_on(today)?;
        let item = self
            .items
            .get(&incoming.key.item_code)
            .ok_or(Rejection::ItemUnknown)?;
        let asked = incoming.content.item_version;
        let current = head.map(|stored| stored.content.item_version);
        let item_version = if incoming.content.operation.ends_record() {
            item.pin_end(asked, current.ok_or(Rejection::RecordUnknown)?)?
        } else {
            item.pin(asked, today, current)?
        };
        Ok(Content {
            item_version,
            ..incoming.content.clone()
        })
    }

    fn remember(
        &mut self,
        id: (String, Digest),
        incoming: &Incoming,
        stored: &Stored,
        unchanged: bool,
    ) {
        let earlier = Earlier {
            request_digest: incoming.request_digest,
            stored: Some(stored.clone()),
            unchanged,
        };
        self.submissions.insert(id, earlier);
    }
}
