//! what a receipt says, and that it says the same for ever.

use proto::credit::{
    ingest::events::v1::RecordSubmitted,
    ingest::v1::{GetStatisticsRequest, ListLedgerRequest, Outcome},
};
use service_kit::{grpc::from_timestamp, identity::Role};
use testkit::{Reason, TestResult, service::RefusalDetails};
use tonic::Code;

use crate::fixture::{IngestFixture, PROVIDER, PROVIDERS, receipt_of, submission, submit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_receipt_stands_for_the_committed_original_and_its_event() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    // Bytes as a department sends them, odd spaces and all.
    let content = "{ \"处罚决定书文号\" : \"长市监罚决〔2026〕1号\" }\n".as_bytes();
    let receipt = submit(
        &mut client,
        submission("2026-11-20/1", "〔2026〕1号", content),
    )
    .await?;

    assert_eq!(receipt.submission_id, "2026-11-20/1");
    assert_eq!(receipt.provider_code, PROVIDER);
    assert_eq!((receipt.ledger_number, receipt.revision), (1, 1));
    assert_eq!(receipt.content_sha256.as_ref(), vault::sha256(content));
    assert_eq!(receipt.outcome(), Outcome::Accepted);
    let received = from_timestamp(receipt.received_at.as_ref());
    assert_eq!(received, Some(fixture.bed.context.clock.now()));

    let events = fixture.bed.emitted_events::<RecordSubmitted>().await?;
    let [event] = events.as_slice() else {
        panic!("one event, got {}", events.len());
    };
    let version = event.version.clone().unwrap_or_default();
    let record_id = uuid::Uuid::from_slice(&version.record_id)?;
    assert_eq!(record_id.to_string(), receipt.record_id);
    assert_eq!(
        (version.provider_code.as_str(), version.item_code.as_str()),
        (PROVIDER, "xzcf")
    );
    // 0 asked for the version in force.
    assert_eq!((version.item_version, version.revision), (2, 1));
    assert_eq!(event.ledger_number, 1);
    assert_eq!(event.received_at, receipt.received_at);
    let keyring = &fixture.bed.context.keyring;
    let opened = keyring.open(record_id.as_bytes(), &event.sealed_content)?;
    assert_eq!(opened, content);
    let key = keyring.open(record_id.as_bytes(), &event.sealed_record_key)?;
    assert_eq!(key, "〔2026〕1号".as_bytes());

    assert_eq!(receipt_of(&mut client, "2026-11-20/1").await?, receipt);
    // Another provider has no such submission.
    let mut other = fixture.client(PROVIDERS[1])?;
    let status = receipt_of(&mut other, "2026-11-20/1").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(RefusalDetails::from_status(&status).field, "submission_id");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_the_same_submission_gives_the_same_receipt_after_years_and_restarts() -> TestResult {
    let mut fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let first = submit(&mut client, submission("1", "k", b"{}")).await?;
    assert_eq!(
        submit(&mut client, submission("1", "k", b"{}")).await?,
        first
    );

    fixture.bed.clock.advance(time::Duration::days(3650));
    fixture.restart().await?;
    let mut client = fixture.client(PROVIDER)?;
    assert_eq!(
        submit(&mut client, submission("1", "k", b"{}")).await?,
        first
    );
    assert_eq!(receipt_of(&mut client, "1").await?, first);
    // The digest of the content is optional and no part of the request.
    let mut bare = submission("1", "k", b"{}");
    bare.content_sha256.clear();
    assert_eq!(submit(&mut client, bare).await?, first);
    assert_eq!(fixture.count("original").await?, 1);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_one_submission_id_is_never_two_contents() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let first = submit(&mut client, submission("1", "k", b"{}")).await?;
    let before = fixture.snapshot().await?;
    let mut others = vec![
        submission("1", "k", b"{ }"),
        submission("1", "another key", b"{}"),
    ];
    let mut item = submission("1", "k", b"{}");
    item.item_code = "xzxk".to_owned();
    others.push(item);
    let mut version = submission("1", "k", b"{}");
    version.item_version = 1;
    others.push(version);
    for other in others {
        let status = submit(&mut client, other).await.unwrap_err();
        assert_eq!(status.code(), Code::AlreadyExists);
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(
            refusal.reason_and_field(),
            (Reason::SubmissionIdReused, "submission_id")
        );
        assert_eq!(refusal.rule, "one submission id names one content for ever");
        assert!(
            status.message().contains("申报编号"),
            "{}",
            status.message()
        );
    }
    assert_eq!(fixture.snapshot().await?, before, "nothing is stored");
    // The same id of another provider is another submission.
    let mut other = fixture.client(PROVIDERS[1])?;
    let theirs = submit(&mut other, submission("1", "k", b"{\"a\":1}")).await?;
    assert_ne!(theirs.record_id, first.record_id);
    assert_eq!(
        theirs.ledger_number, 1,
        "each provider has a ledger of its own"
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_equal_content_is_unchanged_and_a_return_to_older_content_is_a_new_version()
-> TestResult {
    let mut fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let first = submit(&mut client, submission("1", "k", b"{\"v\":1}")).await?;
    let same = submit(&mut client, submission("2", "k", b"{\"v\":1}")).await?;
    assert_eq!(same.outcome(), Outcome::Unchanged);
    assert_eq!(same.submission_id, "2");
    assert_eq!(
        (&same.record_id, same.revision, same.ledger_number),
        (&first.record_id, 1, 1)
    );
    let second = submit(&mut client, submission("3", "k", b"{\"v\":2}")).await?;
    assert_eq!((second.revision, second.ledger_number), (2, 2));
    let back = submit(&mut client, submission("4", "k", b"{\"v\":1}")).await?;
    assert_eq!(back.outcome(), Outcome::Accepted);
    assert_eq!((back.revision, back.ledger_number), (3, 3));
    assert_ne!(back.record_id, first.record_id);
    // The same bytes by an older definition of the item are another content.
    let mut older = submission("5", "k", b"{\"v\":1}");
    older.item_version = 1;
    assert_eq!(submit(&mut client, older).await?.revision, 4);

    // What was answered as unchanged is so for ever, though the key has moved on.
    fixture.restart().await?;
    let mut client = fixture.client(PROVIDER)?;
    let again = submit(&mut client, submission("2", "k", b"{\"v\":1}")).await?;
    assert_eq!(again, same);
    assert_eq!(receipt_of(&mut client, "2").await?, same);
    assert_eq!(fixture.count("original").await?, 4);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_the_ledger_lists_every_number_and_totals_agree() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let mut given = Vec::new();
    for n in 1..=7 {
        let id = format!("编号{n}");
        given.push(submit(&mut client, submission(&id, &id, b"{}")).await?);
    }
    let mut listed = Vec::new();
    loop {
        let request = ListLedgerRequest {
            after_number: listed.len() as u64,
            limit: 3,
        };
        let page = client.list_ledger(request).await?.into_inner();
        assert_eq!(page.last_number, 7);
        if page.receipts.is_empty() {
            break;
        }
        listed.extend(page.receipts);
    }
    assert_eq!(listed, given);
    let request = ListLedgerRequest {
        after_number: u64::MAX,
        limit: 0,
    };
    let page = client.list_ledger(request).await?.into_inner();
    assert!(page.receipts.is_empty());
    let request = ListLedgerRequest {
        after_number: 0,
        limit: 1001,
    };
    let status = client.list_ledger(request).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let refusal = RefusalDetails::from_status(&status);
    assert_eq!(
        refusal.reason_and_field(),
        (Reason::PageSizeInvalid, "limit")
    );
    assert!(status.message().contains("1000"), "{}", status.message());
    // Another provider sees its own ledger only.
    let mut other = fixture.client(PROVIDERS[1])?;
    let theirs = other.list_ledger(ListLedgerRequest::default()).await?;
    let theirs = theirs.into_inner();
    assert!(theirs.receipts.is_empty() && theirs.last_number == 0);

    let mut auditor = fixture.client_as("", Role::Auditor)?;
    let totals = auditor.get_statistics(GetStatisticsRequest {}).await?;
    let totals = totals.into_inner();
    assert_eq!(totals.accepted_for_processing, 7);
    let of_first = totals
        .by_provider
        .iter()
        .find(|p| p.provider_code == PROVIDER);
    assert_eq!(of_first.map(|p| p.accepted_for_processing), Some(7));
    assert_eq!(
        totals.by_provider.len(),
        PROVIDERS.len(),
        "those who report nothing too"
    );
    fixture.finish().await?;
    Ok(())
}
