//! many at once. One answer each, in order; ledgers without gaps; a receipt is an original
//! is an event.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use proto::credit::ingest::v1::{
    ListLedgerRequest, Receipt, StreamRecordsRequest, stream_records_response::Answer,
};
use service_kit::reason::Reason;
use testkit::TestResult;
use tonic::Code;

use crate::{
    bad_input::bad_submissions,
    fixture::{IngestFixture, PROVIDER, PROVIDERS, WAIT_TIMEOUT, stop_process, submission, submit},
};

/// Ledger numbers of each provider are 1 to n without gaps; the number of receipts.
fn without_gaps<'a>(receipts: impl IntoIterator<Item = &'a Receipt>) -> usize {
    let mut ledgers: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for receipt in receipts {
        let ledger = ledgers.entry(&receipt.provider_code).or_default();
        ledger.insert(receipt.ledger_number);
    }
    for (provider, numbers) in &ledgers {
        let all: BTreeSet<u64> = (1..=numbers.len() as u64).collect();
        assert_eq!(numbers, &all, "ledger of {provider}");
    }
    ledgers.values().map(BTreeSet::len).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_stream_answers_each_in_order_and_goes_on_past_bad_ones() -> TestResult {
    const COUNT: usize = 2_000;
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let kinds = bad_submissions();
    let requests: Vec<StreamRecordsRequest> = (0..COUNT)
        .map(|n| {
            let id = format!("s{n}");
            let mut one = submission(&id, &format!("k{}", n % 700), id.as_bytes());
            // Every fifth is bad, one kind after the other; the large ones only now and then.
            if n % 5 == 4 {
                let kind = &kinds[n / 5 % kinds.len()];
                if kind.reason != Reason::ContentTooLarge || n < 500 {
                    (kind.spoil)(&mut one);
                } else {
                    one.content.clear();
                }
            }
            StreamRecordsRequest {
                submission: (n % 100 != 50).then_some(one),
                ..StreamRecordsRequest::default()
            }
        })
        .collect();
    let sent = requests.clone();
    let mut answers = client
        .stream_records(tokio_stream::iter(requests))
        .await?
        .into_inner();
    let mut receipts = Vec::new();
    let mut refused: BTreeMap<Reason, usize> = BTreeMap::new();
    for (n, request) in sent.iter().enumerate() {
        let answer = answers.message().await?.context("an answer each")?;
        let submitted = request.submission.clone().unwrap_or_default();
        match answer.answer.context("an answer")? {
            Answer::Resumed(resumed) => panic!("nothing was resumed: {resumed:?}"),
            Answer::Receipt(receipt) => {
                assert_ne!(n % 5, 4, "{submitted:?}");
                assert_eq!(receipt.submission_id, submitted.submission_id);
                let digest = vault::sha256(&submitted.content);
                assert_eq!(receipt.content_sha256.as_ref(), digest);
                receipts.push(receipt);
            }
            Answer::Refusal(refusal) => {
                assert!(n % 5 == 4 || n % 100 == 50, "{refusal:?}");
                assert_eq!(refusal.submission_id, submitted.submission_id);
                let reason: Reason = refusal.reason.parse()?;
                assert_eq!(refusal.status_code, i32::from(reason.code()));
                assert!(!refusal.rule.is_empty() && !refusal.field.is_empty());
                *refused.entry(reason).or_default() += 1;
            }
        }
    }
    assert!(answers.message().await?.is_none(), "no answer too many");
    for kind in &kinds {
        assert!(
            refused.contains_key(&kind.reason),
            "{} missing",
            kind.reason
        );
    }
    assert_eq!(refused[&Reason::SubmissionMissing], 20);
    let numbers: Vec<u64> = receipts.iter().map(|r| r.ledger_number).collect();
    let expected: Vec<u64> = (1..=receipts.len() as u64).collect();
    assert_eq!(numbers, expected, "numbered in the order of the stream");
    assert_eq!(fixture.count("original").await?, receipts.len() as i64);
    fixture.finish().await?;
    Ok(())
}

/// Two copies of the service, 64 callers of five providers; some submit the same at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_callers_at_once_get_ledgers_without_gaps() -> TestResult {
    const CALLERS: usize = 64;
    let fixture = IngestFixture::start().await?;
    let second = fixture.second_process().await?;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..CALLERS {
        let provider = PROVIDERS[caller % 5];
        let process = if caller % 2 == 0 {
            &fixture.process
        } else {
            &second
        };
        let roles = [service_kit::identity::Role::Provider];
        let mut client = fixture.client_of(process, provider, &roles)?;
        callers.spawn(async move {
            let mut receipts = Vec::new();
            for n in 0..15 {
                let id = format!("{caller}-{n}");
                let own = submission(&id, &format!("key {}", n % 4), id.as_bytes());
                receipts.push(submit(&mut client, own).await?);
                if n % 3 == 0 {
                    // All callers of a provider send these.
                    let shared = format!("shared-{n}");
                    let same = submission(&shared, &shared, b"{}");
                    receipts.push(submit(&mut client, same).await?);
                }
            }
            Ok::<_, tonic::Status>(receipts)
        });
    }
    let mut receipts = Vec::new();
    while let Some(ended) = callers.join_next().await {
        receipts.extend(ended??);
    }
    let distinct = without_gaps(&receipts);
    assert_eq!(distinct, CALLERS * 15 + 5 * 5);
    let mut by_id: BTreeMap<(&str, &str), &Receipt> = BTreeMap::new();
    for receipt in &receipts {
        let id = (
            receipt.provider_code.as_str(),
            receipt.submission_id.as_str(),
        );
        let first = by_id.entry(id).or_insert(receipt);
        assert_eq!(*first, receipt, "one submission, one receipt");
    }
    assert_eq!(fixture.count("original").await?, distinct as i64);
    assert_eq!(fixture.submission_ids().await?, distinct as i64);
    let gaps: i64 = sqlx::query_scalar(
        "select count(*) from (select key_digest, revision, row_number() over
           (partition by provider_code, item_code, key_digest order by revision) as place
         from original) versions where revision <> place",
    )
    .fetch_one(&fixture.owner)
    .await?;
    assert_eq!(gaps, 0, "revisions of a key count from 1");
    fixture.received_events().await?;
    stop_process(&second).await?;
    fixture.finish().await?;
    Ok(())
}

/// A stop in the middle of a stream: every submission is still answered, by a receipt or by the
/// advice to come again, and every receipt is kept. The service may take as long for that as this machine makes it: how
/// long it does at most is a test of the stream.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_stop_in_the_middle_leaves_no_submission_unanswered() -> TestResult {
    let mut fixture = IngestFixture::start_with_grace_period(10 * WAIT_TIMEOUT).await?;
    let mut client = fixture.client(PROVIDER)?;
    let enough = Arc::new(AtomicBool::new(false));
    let seen = enough.clone();
    let (sender, requests) = tokio::sync::mpsc::channel(64);
    let feeding = tokio::spawn(async move {
        let mut sent = 0;
        while !seen.load(Ordering::SeqCst) {
            let id = format!("s{sent}");
            let request = StreamRecordsRequest {
                submission: Some(submission(&id, &id, b"{}")),
                ..StreamRecordsRequest::default()
            };
            sender.send(request).await?;
            sent += 1;
        }
        anyhow::Ok(sent)
    });
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut answers = client.stream_records(requests).await?.into_inner();
    let (mut receipts, mut refused) = (Vec::new(), 0);
    while let Some(message) = answers.message().await? {
        match message.answer.context("an answer")? {
            Answer::Resumed(resumed) => panic!("nothing was resumed: {resumed:?}"),
            Answer::Receipt(receipt) => receipts.push(receipt),
            Answer::Refusal(refusal) => {
                assert_eq!(refusal.reason, "STOPPING", "{refusal:?}");
                assert_eq!(refusal.status_code, i32::from(Code::Unavailable));
                refused += 1;
                enough.store(true, Ordering::SeqCst);
            }
        }
        if receipts.len() == 200 {
            fixture.process.context.shutdown.request_stop();
        }
    }
    assert!(refused > 0, "the stop was felt");
    assert_eq!(receipts.len() + refused, feeding.await??, "one answer each");
    drop((client, answers));

    fixture.restart().await?;
    assert_eq!(without_gaps(&receipts), receipts.len());
    let mut client = fixture.client(PROVIDER)?;
    let mut listed = Vec::new();
    while listed.len() < receipts.len() {
        let request = ListLedgerRequest {
            after_number: listed.len() as u64,
            limit: 1000,
        };
        let page = client.list_ledger(request).await?.into_inner();
        assert!(
            !page.receipts.is_empty(),
            "{} missing",
            receipts.len() - listed.len()
        );
        listed.extend(page.receipts);
    }
    assert!(
        listed == receipts,
        "every receipt is kept, and nothing else"
    );
    assert_eq!(fixture.count("original").await?, receipts.len() as i64);
    fixture.finish().await?;
    Ok(())
}
