//! Decisions on submissions: single examples and random sequences. Run by cargo.

use proptest::prelude::*;
use time::macros::datetime;

use super::*;

fn provider() -> ProviderCode {
    "11430100006123458R".parse().unwrap()
}

fn item(version: u32) -> ItemRef {
    ItemRef::new("xzcf".parse().unwrap(), version).unwrap()
}

fn incoming(id: u8, key: u8, body: u8) -> SealedSubmission {
    let mut request = [0; 32];
    request[..2].copy_from_slice(&[key, body]);
    SealedSubmission {
        submission_digest: [id; 32],
        request_digest: request,
        key: RecordKey {
            provider: provider(),
            item: item(1).code,
            digest: [key; 32].into(),
        },
        item_version: 0,
        content: VersionContent {
            operation: Operation::Upsert,
            sha256: [body; 32],
            content_type: "application/json".to_owned(),
        },
        version_id: VersionId::generate(),
        sealed_content: Vec::new(),
        sealed_record_key: Vec::new(),
        sealed_labels: Vec::new(),
        traceparent: String::new(),
        reload_number: None,
        reload_prefix: None,
    }
}

fn registration(enabled: bool) -> ReportingRegistration {
    ReportingRegistration {
        enabled,
        valid_from: None,
        valid_until: None,
    }
}

fn batch() -> IngestBatchState {
    let mut batch = IngestBatchState::default();
    batch.providers.insert(provider(), registration(true));
    let version = |number| CatalogueItemVersion {
        item: item(number),
        name: "行政处罚".to_owned(),
        effective_from: None,
    };
    let known = CatalogueItem {
        versions: vec![version(1), version(2)],
        retirement: None,
    };
    batch.items.insert(item(1).code, known);
    batch
}

/// Revision and ledger number.
fn numbers_of(stored: &StoredVersion) -> (u64, u64) {
    (stored.version.revision.get(), stored.ledger_number.get())
}

const NOW: OffsetDateTime = datetime!(2026-11-20 02:00 UTC);

#[test]
fn r11_the_same_submission_gives_the_same_receipt_and_other_content_is_refused() {
    let mut batch = batch();
    let SubmissionDecision::New(first) = batch.decide_submission(&incoming(1, 1, 1), NOW) else {
        panic!("a first submission is new");
    };
    let again = batch.decide_submission(&incoming(1, 1, 1), NOW + time::Duration::days(3000));
    let repeated = SubmissionDecision::Repeated {
        stored: first,
        unchanged: false,
    };
    assert_eq!(again, repeated);
    let misuse = batch.decide_submission(&incoming(1, 1, 2), NOW);
    assert_eq!(
        misuse,
        SubmissionDecision::Refused(IngestRuleViolation::SubmissionIdReused)
    );
}

#[test]
fn r12_equal_content_is_unchanged_and_a_return_to_older_content_is_a_new_version() {
    let mut batch = batch();
    let revisions: Vec<_> = [(1, 1), (2, 1), (3, 2), (4, 1)]
        .into_iter()
        .map(
            |(id, body)| match batch.decide_submission(&incoming(id, 7, body), NOW) {
                SubmissionDecision::New(stored) => (true, numbers_of(&stored)),
                SubmissionDecision::Unchanged(stored) => (false, numbers_of(&stored)),
                other => panic!("{other:?}"),
            },
        )
        .collect();
    assert_eq!(
        revisions,
        [
            (true, (1, 1)),
            (false, (1, 1)),
            (true, (2, 2)),
            (true, (3, 3))
        ]
    );
}

#[test]
fn version_zero_is_the_one_in_force() {
    let mut batch = batch();
    let SubmissionDecision::New(stored) = batch.decide_submission(&incoming(1, 1, 1), NOW) else {
        panic!("new");
    };
    assert_eq!(stored.version.item, item(2));
    let mut third = incoming(2, 2, 1);
    third.item_version = 3;
    let refused = batch.decide_submission(&third, NOW);
    assert_eq!(
        refused,
        SubmissionDecision::Refused(IngestRuleViolation::ItemVersionUnknown)
    );
}

#[test]
fn r6_the_day_of_receipt_is_that_of_changsha() {
    let mut batch = batch();
    let item = batch.items.get_mut("xzcf").unwrap();
    item.versions[1].effective_from = Some(time::macros::date!(2026 - 12 - 01));
    let mut version_at = |id, now| match batch.decide_submission(&incoming(id, id, 1), now) {
        SubmissionDecision::New(stored) => stored.version.item.version(),
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
    let SubmissionDecision::New(stored) = batch.decide_submission(&incoming(1, 1, 1), NOW) else {
        panic!("new");
    };
    batch.providers.insert(provider(), registration(false));
    assert_eq!(
        batch.decide_submission(&incoming(2, 2, 2), NOW),
        SubmissionDecision::Refused(IngestRuleViolation::ProviderDisabled)
    );
    assert_eq!(
        batch.decide_submission(&incoming(1, 1, 1), NOW),
        SubmissionDecision::Repeated {
            stored,
            unchanged: false
        }
    );
    batch.providers.clear();
    assert_eq!(
        batch.decide_submission(&incoming(3, 3, 3), NOW),
        SubmissionDecision::Refused(IngestRuleViolation::ProviderNotRegistered)
    );
}

fn ending(id: u8, key: u8, operation: Operation, reason: u8) -> SealedSubmission {
    let mut incoming = incoming(id, key, reason);
    incoming.request_digest[2] = operation.number() as u8;
    incoming.content.operation = operation;
    incoming.content.content_type = "text/plain".to_owned();
    incoming
}

#[test]
fn d24_a_revocation_needs_a_record_and_a_later_upsert_revives_it() {
    let mut batch = batch();
    let revoke = |id, reason| ending(id, 7, Operation::Revoke, reason);
    assert_eq!(
        batch.decide_submission(&revoke(1, 9), NOW),
        SubmissionDecision::Refused(IngestRuleViolation::RecordUnknown)
    );
    let SubmissionDecision::New(first) = batch.decide_submission(&incoming(2, 7, 1), NOW) else {
        panic!("new");
    };
    let SubmissionDecision::New(revoked) = batch.decide_submission(&revoke(3, 9), NOW) else {
        panic!("a revocation is a version");
    };
    assert_eq!(numbers_of(&revoked), (2, 2));
    assert_eq!(first.status_relative_to(&revoked), VersionStatus::Revoked);
    assert_eq!(revoked.status_relative_to(&revoked), VersionStatus::Current);
    // The same reason again says nothing new; another reason, or another operation, does.
    assert_eq!(
        batch.decide_submission(&revoke(4, 9), NOW),
        SubmissionDecision::Unchanged(revoked.clone())
    );
    let SubmissionDecision::New(_) = batch.decide_submission(&revoke(5, 8), NOW) else {
        panic!("another reason is another version");
    };
    let SubmissionDecision::New(withdrawn) =
        batch.decide_submission(&ending(6, 7, Operation::Withdraw, 8), NOW)
    else {
        panic!("another operation is another version");
    };
    assert_eq!(numbers_of(&withdrawn), (4, 4));
    let SubmissionDecision::New(revived) = batch.decide_submission(&incoming(7, 7, 1), NOW) else {
        panic!("an upsert after a withdrawal is new, though it says what the first one said");
    };
    assert_eq!(numbers_of(&revived), (5, 5));
    assert_eq!(
        first.status_relative_to(&revived),
        VersionStatus::Superseded
    );
    // The refused one left no trace: its id is free.
    let SubmissionDecision::New(_) = batch.decide_submission(&revoke(1, 9), NOW) else {
        panic!("new");
    };
}

#[test]
fn d24_what_ends_a_record_is_pinned_to_the_version_of_the_record_and_works_after_the_item() {
    let mut batch = batch();
    let mut old = incoming(1, 7, 1);
    old.item_version = 1;
    batch.decide_submission(&old, NOW);
    batch.items.get_mut("xzcf").unwrap().retirement = Some(ReportingRetirement {
        from: time::macros::date!(2026 - 11 - 01),
        successor: None,
    });
    for (id, asked) in [(2, 0), (3, 2)] {
        let mut revoke = ending(id, 7, Operation::Revoke, id);
        revoke.item_version = asked;
        let SubmissionDecision::New(stored) = batch.decide_submission(&revoke, NOW) else {
            panic!("new");
        };
        assert_eq!(stored.version.item, item(1));
    }
    let mut unknown = ending(4, 7, Operation::Revoke, 4);
    unknown.item_version = 9;
    assert_eq!(
        batch.decide_submission(&unknown, NOW),
        SubmissionDecision::Refused(IngestRuleViolation::ItemVersionUnknown)
    );
}

#[test]
fn r11_a_reload_takes_each_key_once_with_one_content() {
    let mut batch = batch();
    batch.open_reloads.insert(5);
    let line = |id, key, body| SealedSubmission {
        reload_number: Some(5),
        ..incoming(id, key, body)
    };
    let SubmissionDecision::New(old) = batch.decide_submission(&incoming(1, 1, 1), NOW) else {
        panic!("new");
    };
    assert_eq!(
        batch.decide_submission(&line(2, 1, 1), NOW),
        SubmissionDecision::Unchanged(old.clone())
    );
    let SubmissionDecision::New(fresh) = batch.decide_submission(&line(3, 2, 1), NOW) else {
        panic!("new");
    };
    // The record gets newer versions outside of the reload; the answer of the reload stays.
    batch.decide_submission(&incoming(4, 1, 2), NOW);
    let repeated = |stored: &StoredVersion, unchanged| SubmissionDecision::Repeated {
        stored: stored.clone(),
        unchanged,
    };
    assert_eq!(
        batch.decide_submission(&line(2, 1, 1), NOW),
        repeated(&old, true)
    );
    assert_eq!(
        batch.decide_submission(&line(3, 2, 1), NOW),
        repeated(&fresh, false)
    );
    for other in [line(2, 1, 3), line(3, 2, 2)] {
        let reused = SubmissionDecision::Refused(IngestRuleViolation::SubmissionIdReused);
        assert_eq!(batch.decide_submission(&other, NOW), reused);
    }
    // Ended: known records are still answered, nothing is added.
    batch.open_reloads.clear();
    assert_eq!(
        batch.decide_submission(&line(3, 2, 1), NOW),
        repeated(&fresh, false)
    );
    let ended = SubmissionDecision::Refused(IngestRuleViolation::ReloadEnded);
    assert_eq!(batch.decide_submission(&line(6, 3, 1), NOW), ended);
}

#[test]
fn r11_ids_of_nil_reports_and_of_lines_of_reloads_are_no_free_ids() {
    let mut batch = batch();
    let nil = EarlierSubmission {
        request_digest: incoming(1, 1, 1).request_digest,
        stored: None,
        unchanged: false,
    };
    batch.earlier_submissions.insert((provider(), [1; 32]), nil);
    batch.reload_ids.insert((provider(), [77; 32]));
    let reused = SubmissionDecision::Refused(IngestRuleViolation::SubmissionIdReused);
    assert_eq!(batch.decide_submission(&incoming(1, 1, 1), NOW), reused);
    let mut inside = incoming(2, 1, 1);
    inside.reload_prefix = Some([77; 32]);
    assert_eq!(batch.decide_submission(&inside, NOW), reused);
    inside.reload_prefix = Some([78; 32]);
    assert!(matches!(
        batch.decide_submission(&inside, NOW),
        SubmissionDecision::New(_)
    ));
}

proptest! {
    /// whatever comes in whatever order, a ledger has no gaps, revisions of a key count from 1 without gaps, and
    /// all versions of a record have the address of its first one.
    #[test]
    fn ledgers_and_revisions_have_no_gaps_and_a_record_has_one_address(
        submissions in prop::collection::vec((0u8..30, 0u8..4, 0u8..4, 0usize..3), 1..80)
    ) {
        let mut batch = batch();
        let mut ledger = Vec::new();
        let mut versions: HashMap<KeyDigest, Vec<RecordVersion>> = HashMap::new();
        for (id, key, body, operation) in submissions {
            let incoming = match Operation::ALL[operation] {
                Operation::Upsert => incoming(id, key, body),
                ends => ending(id, key, ends, body),
            };
            let decision = batch.decide_submission(&incoming, NOW);
            let Some((stored, _)) = decision.answered_version() else {
                continue;
            };
            let of_key = versions.entry(incoming.key.digest).or_default();
            if matches!(decision, SubmissionDecision::New(_)) {
                ledger.push(stored.ledger_number.get());
                of_key.push(stored.version.clone());
            }
            // Whatever it is answered with is a version of the record.
            prop_assert!(of_key.contains(&stored.version));
        }
        prop_assert_eq!(&ledger, &(1..=ledger.len() as u64).collect::<Vec<_>>());
        let mut addresses = HashSet::new();
        for of_key in versions.values() {
            let revisions: Vec<u64> = of_key.iter().map(|version| version.revision.get()).collect();
            prop_assert_eq!(revisions, (1..=of_key.len() as u64).collect::<Vec<_>>());
            let address = RecordAddress::of_first_version(of_key[0].id);
            prop_assert!(of_key.iter().all(|version| version.address == address));
            addresses.insert(address);
        }
        prop_assert_eq!(addresses.len(), versions.len(), "each record has its own");
    }
}
