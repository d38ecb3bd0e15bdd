//! D-24: a record is revoked or withdrawn by a submission like any other, with its own receipt, number and original.

use anyhow::Result;
use proto::credit::{
    common::v1::Operation,
    ingest::{
        events::v1::RecordSubmitted,
        v1::{GetSubmissionStatusRequest, GetSubmissionStatusResponse, Outcome, Standing},
    },
};
use testkit::{Reason, TestResult, service::RefusalDetails};
use tonic::{Code, Status};

use crate::fixture::{
    IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, ending, receipt_of, submission, submit,
};

const REASON: &str = "法院判决撤销原处罚决定。";

async fn status_of(
    client: &mut IngestTestClient,
    id: &str,
) -> Result<GetSubmissionStatusResponse, Status> {
    let request = GetSubmissionStatusRequest {
        submission_id: id.to_owned(),
    };
    Ok(client.get_submission_status(request).await?.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d24_a_revocation_is_a_version_with_its_reason_and_a_later_upsert_revives_the_record()
-> TestResult {
    let mut fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let first = submit(&mut client, submission("1", "k", b"{}")).await?;
    let revoke = |id: &str| ending(id, "k", Operation::Revoke, REASON);
    let revoked = submit(&mut client, revoke("2")).await?;
    assert_eq!((revoked.revision, revoked.ledger_number), (2, 2));
    assert_eq!(revoked.outcome(), Outcome::Accepted);
    // Again by the same id, and by another: no new version.
    assert_eq!(submit(&mut client, revoke("2")).await?, revoked);
    let same = submit(&mut client, revoke("3")).await?;
    assert_eq!(same.outcome(), Outcome::Unchanged);
    assert_eq!(same.record_id, revoked.record_id);
    // The same reason for a withdrawal is something else, under a new id and under the old one.
    let withdrawal = ending("2", "k", Operation::Withdraw, REASON);
    let misuse = submit(&mut client, withdrawal.clone()).await.unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&misuse).reason,
        Reason::SubmissionIdReused
    );
    let mut fresh = withdrawal;
    fresh.submission_id = "4".to_owned();
    let withdrawn = submit(&mut client, fresh).await?;
    assert_eq!((withdrawn.revision, withdrawn.ledger_number), (3, 3));
    let revived = submit(&mut client, submission("5", "k", b"{}")).await?;
    assert_eq!(
        (revived.revision, revived.outcome()),
        (4, Outcome::Accepted)
    );
    assert_ne!(revived.record_id, first.record_id);

    fixture.restart().await?;
    let mut client = fixture.client(PROVIDER)?;
    assert_eq!(submit(&mut client, revoke("2")).await?, revoked);
    assert_eq!(receipt_of(&mut client, "3").await?, same);

    let events = fixture.bed.emitted_events::<RecordSubmitted>().await?;
    let operations: Vec<_> = events.iter().map(RecordSubmitted::operation).collect();
    assert_eq!(
        operations,
        [
            Operation::Upsert,
            Operation::Revoke,
            Operation::Withdraw,
            Operation::Upsert
        ]
    );
    let event = &events[1];
    let id: uuid::Uuid = revoked.record_id.parse()?;
    let keyring = &fixture.bed.context.keyring;
    let reason = keyring.open(id.as_bytes(), &event.sealed_content)?;
    assert_eq!(reason, REASON.as_bytes());
    assert_eq!(event.content_type, "text/plain");
    let version = event.version.clone().unwrap_or_default();
    assert_eq!((version.item_version, version.revision), (2, 2));
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d24_what_was_never_reported_cannot_be_revoked() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let mut other = fixture.client(PROVIDERS[1])?;
    submit(&mut other, submission("1", "theirs", b"{}")).await?;
    let mut elsewhere = submission("1", "licence", b"{}");
    elsewhere.item_code = "xzxk".to_owned();
    submit(&mut client, elsewhere).await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    // Nobody's, another provider's, another item's.
    for key in ["nobody's", "theirs", "licence"] {
        for operation in [Operation::Revoke, Operation::Withdraw] {
            let status = submit(&mut client, ending("2", key, operation, REASON))
                .await
                .unwrap_err();
            assert_eq!(status.code(), Code::NotFound);
            let refusal = RefusalDetails::from_status(&status);
            assert_eq!(
                refusal.reason_and_field(),
                (Reason::RecordUnknown, "record_key")
            );
            assert!(status.message().contains("报送过"));
        }
    }
    assert_eq!(fixture.snapshot().await?, before, "nothing is stored");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d24_the_reason_is_checked_before_anything_is_stored() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    submit(&mut client, submission("1", "k", b"{}")).await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    let gb18030 = vec![0xb3, 0xb7, 0xcf, 0xfa, 0xd4, 0xad];
    for (content, expected) in [
        (Vec::new(), Reason::ContentEmpty),
        ("因".into(), Reason::ReasonInvalid),
        ("revoked".into(), Reason::ReasonInvalid),
        ("撤销\0".into(), Reason::ReasonInvalid),
        ("因".repeat(2001).into_bytes(), Reason::ReasonInvalid),
        (gb18030, Reason::ReasonInvalid),
    ] {
        let mut one = ending("2", "k", Operation::Revoke, "");
        one.content_sha256.clear();
        one.content = content.into();
        let status = submit(&mut client, one).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (expected, "content"));
    }
    assert_eq!(fixture.snapshot().await?, before, "nothing is stored");
    // The longest one is a version.
    let longest = "因".repeat(2000);
    submit(&mut client, ending("3", "k", Operation::Withdraw, &longest)).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_how_a_submission_stands_follows_its_record() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let first = submit(&mut client, submission("1", "k", b"{\"v\":1}")).await?;
    let same = submit(&mut client, submission("1b", "k", b"{\"v\":1}")).await?;
    let standing = |status: &GetSubmissionStatusResponse| {
        (
            status.standing(),
            status.current_revision,
            status.current_operation(),
        )
    };
    let status = status_of(&mut client, "1").await?;
    assert_eq!(status.receipt.as_ref(), Some(&first));
    assert_eq!(standing(&status), (Standing::Current, 1, Operation::Upsert));
    submit(&mut client, submission("2", "k", b"{\"v\":2}")).await?;
    let status = status_of(&mut client, "1b").await?;
    assert_eq!(status.receipt.as_ref(), Some(&same));
    assert_eq!(
        standing(&status),
        (Standing::Superseded, 2, Operation::Upsert)
    );
    submit(&mut client, ending("3", "k", Operation::Withdraw, REASON)).await?;
    for id in ["1", "1b", "2"] {
        let status = status_of(&mut client, id).await?;
        let expected = (Standing::Revoked, 3, Operation::Withdraw);
        assert_eq!(standing(&status), expected, "{id}");
    }
    let status = status_of(&mut client, "3").await?;
    assert_eq!(
        standing(&status),
        (Standing::Current, 3, Operation::Withdraw)
    );
    // Nobody else's business, and not made up.
    let mut other = fixture.client(PROVIDERS[1])?;
    for (client, id) in [(&mut other, "1"), (&mut client, "9")] {
        let status = status_of(client, id).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(
            refusal.reason_and_field(),
            (Reason::SubmissionUnknown, "submission_id")
        );
    }
    fixture.finish().await?;
    Ok(())
}

/// A row as a department's spreadsheet has it; whether it is right is judged by validation.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r8_a_csv_row_is_taken_as_it_comes() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let row = "行政相对人名称,罚款金额\r\n\"某公司\",0.2\r\n";
    let mut csv = submission("1", "k", row.as_bytes());
    csv.content_type = "text/csv".to_owned();
    let receipt = submit(&mut client, csv.clone()).await?;
    // The same bytes as another type say something else.
    let mut json = submission("2", "k", row.as_bytes());
    json.content_type = "application/json".to_owned();
    assert_eq!(submit(&mut client, json).await?.revision, 2);
    let mut empty = csv.clone();
    empty.submission_id = "3".to_owned();
    empty.content.clear();
    empty.content_sha256.clear();
    let status = submit(&mut client, empty).await.unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ContentEmpty
    );
    assert_eq!(submit(&mut client, csv).await?, receipt);
    let received = fixture.received_events().await?;
    let of_csv = received.iter().find(|event| event.ledger_number == 1);
    assert_eq!(of_csv.map(|e| e.content_type.as_str()), Some("text/csv"));
    fixture.finish().await?;
    Ok(())
}
