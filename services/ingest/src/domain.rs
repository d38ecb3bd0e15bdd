//! What becomes of a submission at the door: pure. `app` loads the state of a batch, folds the
//! submissions through [`Batch::decide`] in their order, and stores what was decided. [`catalogue`]
//! says who may report what on a day.

pub mod catalogue;

use std::collections::HashMap;

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

/// The form of a content that makes two submissions equal: bytes, type and item version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// SHA-256 of the bytes.
    pub sha256: Digest,
    /// MIME type.
    pub content_type: String,
    /// Version of the item; 0 asks for the one in force.
    pub item_version: u32,
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

/// An earlier submission under the same id.
#[derive(Clone, Debug)]
pub struct Earlier {
    /// What was sent.
    pub request_digest: Digest,
    /// What it was answered with.
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
}

impl Batch {
    /// Decides one submission and changes the state for those after it.
    ///
    /// Idempotency comes first: a repetition is answered as before even when the provider was
    /// disabled or the item retired since, because the receipt was given.
    pub fn decide(&mut self, incoming: &Incoming, now: OffsetDateTime) -> Decision {
        let provider = &incoming.key.provider_code;
        let id = (provider.clone(), incoming.submission_digest);
        if let Some(earlier) = self.submissions.get(&id) {
            if earlier.request_digest != incoming.request_digest {
                return Decision::Refused(Rejection::SubmissionIdReused);
            }
            return Decision::Repeated {
                stored: earlier.stored.clone(),
                unchanged: earlier.unchanged,
            };
        }
        let head = self.heads.get(&incoming.key);
        let corrected = head.map(|stored| stored.content.item_version);
        let content = match self.pin_version(incoming, shanghai_date(now), corrected) {
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
        corrected: Option<u32>,
    ) -> Result<Content, Rejection> {
        self.providers
            .get(&incoming.key.provider_code)
            .ok_or(Rejection::ProviderUnknown)?
            .admits_on(today)?;
        let item = self
            .items
            .get(&incoming.key.item_code)
            .ok_or(Rejection::ItemUnknown)?;
        Ok(Content {
            item_version: item.pin(incoming.content.item_version, today, corrected)?,
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
            stored: stored.clone(),
            unchanged,
        };
        self.submissions.insert(id, earlier);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::datetime;

    use super::*;

    const PROVIDER: &str = "11430100006123458R";

    fn incoming(id: u8, key: u8, body: u8) -> Incoming {
        let mut request = [0; 32];
        request[..2].copy_from_slice(&[key, body]);
        Incoming {
            submission_digest: [id; 32],
            request_digest: request,
            key: RecordKey {
                provider_code: PROVIDER.to_owned(),
                item_code: "xzcf".to_owned(),
                key_digest: [key; 32],
            },
            content: Content {
                sha256: [body; 32],
                content_type: "application/json".to_owned(),
                item_version: 0,
            },
            record_id: Uuid::now_v7(),
            sealed_content: Vec::new(),
            sealed_record_key: Vec::new(),
            sealed_labels: Vec::new(),
            traceparent: String::new(),
        }
    }

    fn registration(enabled: bool) -> Registration {
        Registration {
            enabled,
            valid_from: None,
            valid_until: None,
        }
    }

    fn batch() -> Batch {
        let mut batch = Batch::default();
        batch
            .providers
            .insert(PROVIDER.to_owned(), registration(true));
        let version = |number| Version {
            number,
            name: "行政处罚".to_owned(),
            effective_from: None,
        };
        let item = Item {
            versions: vec![version(1), version(2)],
            retirement: None,
        };
        batch.items.insert("xzcf".to_owned(), item);
        batch
    }

    const NOW: OffsetDateTime = datetime!(2026-11-20 02:00 UTC);

    #[test]
    fn r11_the_same_submission_gives_the_same_receipt_and_other_content_is_refused() {
        let mut batch = batch();
        let Decision::New(first) = batch.decide(&incoming(1, 1, 1), NOW) else {
            panic!("a first submission is new");
        };
        let again = batch.decide(&incoming(1, 1, 1), NOW + time::Duration::days(3000));
        let repeated = Decision::Repeated {
            stored: first,
            unchanged: false,
        };
        assert_eq!(again, repeated);
        let misuse = batch.decide(&incoming(1, 1, 2), NOW);
        assert_eq!(misuse, Decision::Refused(Rejection::SubmissionIdReused));
    }

    #[test]
    fn r12_equal_content_is_unchanged_and_a_return_to_older_content_is_a_new_version() {
        let mut batch = batch();
        let revisions: Vec<_> = [(1, 1), (2, 1), (3, 2), (4, 1)]
            .into_iter()
            .map(
                |(id, body)| match batch.decide(&incoming(id, 7, body), NOW) {
                    Decision::New(stored) => (true, stored.revision, stored.ledger_number),
                    Decision::Unchanged(stored) => (false, stored.revision, stored.ledger_number),
                    other => panic!("{other:?}"),
                },
            )
            .collect();
        assert_eq!(
            revisions,
            [(true, 1, 1), (false, 1, 1), (true, 2, 2), (true, 3, 3)]
        );
    }

    #[test]
    fn version_zero_is_the_one_in_force() {
        let mut batch = batch();
        let Decision::New(stored) = batch.decide(&incoming(1, 1, 1), NOW) else {
            panic!("new");
        };
        assert_eq!(stored.content.item_version, 2);
        let mut third = incoming(2, 2, 1);
        third.content.item_version = 3;
        let refused = batch.decide(&third, NOW);
        assert_eq!(refused, Decision::Refused(Rejection::ItemVersionUnknown));
    }

    #[test]
    fn r6_the_day_of_receipt_is_that_of_changsha() {
        let mut batch = batch();
        let item = batch.items.get_mut("xzcf").unwrap();
        item.versions[1].effective_from = Some(time::macros::date!(2026 - 12 - 01));
        let mut version_at = |id, now| match batch.decide(&incoming(id, id, 1), now) {
            Decision::New(stored) => stored.content.item_version,
            other => panic!("{other:?}"),
        };
        // 24:00 in Changsha is 16:00 UTC.
        let last = datetime!(2026-11-30 15:59:59.999999 UTC);
        assert_eq!(version_at(1, last), 1);
        assert_eq!(version_at(2, last + time::Duration::microseconds(1)), 2);
    }

    #[test]
    fn strangers_and_disabled_providers_are_refused_but_keep_their_receipts() {
        let mut batch = batch();
        let Decision::New(stored) = batch.decide(&incoming(1, 1, 1), NOW) else {
            panic!("new");
        };
        batch
            .providers
            .insert(PROVIDER.to_owned(), registration(false));
        assert_eq!(
            batch.decide(&incoming(2, 2, 2), NOW),
            Decision::Refused(Rejection::ProviderDisabled)
        );
        assert_eq!(
            batch.decide(&incoming(1, 1, 1), NOW),
            Decision::Repeated {
                stored,
                unchanged: false
            }
        );
        batch.providers.clear();
        assert_eq!(
            batch.decide(&incoming(3, 3, 3), NOW),
            Decision::Refused(Rejection::ProviderUnknown)
        );
    }

    proptest! {
        /// whatever comes in whatever order, a ledger has no gaps and revisions of a key
        /// count from 1 without gaps.
        #[test]
        fn ledgers_and_revisions_have_no_gaps(
            submissions in prop::collection::vec((0u8..30, 0u8..4, 0u8..4), 1..80)
        ) {
            let mut batch = batch();
            let mut ledger = Vec::new();
            let mut revisions: HashMap<Digest, Vec<u64>> = HashMap::new();
            for (id, key, body) in submissions {
                let incoming = incoming(id, key, body);
                if let Decision::New(stored) = batch.decide(&incoming, NOW) {
                    ledger.push(stored.ledger_number);
                    revisions.entry(incoming.key.key_digest).or_default().push(stored.revision);
                }
            }
            prop_assert_eq!(&ledger, &(1..=ledger.len() as u64).collect::<Vec<_>>());
            for of_key in revisions.values() {
                prop_assert_eq!(of_key, &(1..=of_key.len() as u64).collect::<Vec<_>>());
            }
        }
    }
}
