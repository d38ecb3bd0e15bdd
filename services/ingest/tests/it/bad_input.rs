//! Bad input: each kind gets a status that names field and rule, nothing is stored, and a stream
//! goes on for the others.

use anyhow::Result;
use proto::credit::{
    common::v1::Operation,
    ingest::v1::{
        StreamRecordsRequest, StreamRecordsResponse, Submission, SubmitRecordRequest,
        SubmitRecordResponse, stream_records_response::Answer,
    },
};
use service_kit::grpc::open_channel;
use testkit::{Reason, TestResult, service::RefusalDetails};
use tonic::{Code, Request, Status, client::Grpc};
use tonic_prost::ProstCodec;

use crate::fixture::{
    DISABLED_PROVIDER, IngestFixture, PROVIDER, UNREGISTERED_PROVIDER, client_with_token,
    submission, submit,
};

const MIB: usize = 1024 * 1024;

/// One kind of bad submission: how it is made, and its refusal.
pub struct BadSubmission {
    pub spoil: fn(&mut Submission),
    pub reason: Reason,
    pub field: &'static str,
    pub code: Code,
}

fn bad_submission(
    reason: Reason,
    field: &'static str,
    spoil: fn(&mut Submission),
) -> BadSubmission {
    BadSubmission {
        spoil,
        reason,
        field,
        code: match reason {
            Reason::ItemUnknown | Reason::ItemVersionUnknown => Code::NotFound,
            _ => Code::InvalidArgument,
        },
    }
}

/// Every kind of bad submission that a registered provider can make.
pub fn bad_submissions() -> Vec<BadSubmission> {
    vec![
        bad_submission(Reason::SubmissionIdInvalid, "submission_id", |s| {
            s.submission_id.clear();
        }),
        bad_submission(Reason::SubmissionIdInvalid, "submission_id", |s| {
            s.submission_id.push('\0');
        }),
        bad_submission(Reason::ItemCodeInvalid, "item_code", |s| {
            s.item_code = "处罚".to_owned();
        }),
        bad_submission(Reason::ItemUnknown, "item_code", |s| {
            s.item_code = "nowhere".to_owned();
        }),
        bad_submission(Reason::ItemVersionUnknown, "item_version", |s| {
            s.item_version = 3;
        }),
        bad_submission(Reason::ItemVersionUnknown, "item_version", |s| {
            s.item_version = u32::MAX;
        }),
        bad_submission(Reason::RecordKeyInvalid, "record_key", |s| {
            s.record_key.clear()
        }),
        bad_submission(Reason::RecordKeyInvalid, "record_key", |s| {
            s.record_key = "k".repeat(513);
        }),
        bad_submission(Reason::ContentTypeInvalid, "content_type", |s| {
            s.content_type = "text/xml".to_owned();
        }),
        bad_submission(Reason::ContentTypeInvalid, "content_type", |s| {
            s.content_type = "text/plain".to_owned();
        }),
        bad_submission(Reason::ContentTypeInvalid, "content_type", |s| {
            s.operation = Operation::Revoke.into();
        }),
        bad_submission(Reason::OperationInvalid, "operation", |s| s.operation = 4),
        bad_submission(Reason::ReasonInvalid, "content", |s| {
            s.operation = Operation::Withdraw.into();
            s.content_type = "text/plain".to_owned();
        }),
        bad_submission(Reason::ContentEmpty, "content", |s| s.content.clear()),
        bad_submission(Reason::DigestMismatch, "content_sha256", |s| {
            s.content_sha256 = vec![7; 32].into();
        }),
        bad_submission(Reason::DigestInvalid, "content_sha256", |s| {
            s.content_sha256 = vec![7; 31].into();
        }),
        bad_submission(Reason::TraceparentInvalid, "traceparent", |s| {
            s.traceparent = "00-zz".to_owned();
        }),
        bad_submission(Reason::ContentTooLarge, "content", |s| {
            s.content = vec![b'x'; MIB + 1].into();
            s.content_sha256.clear();
        }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_bad_input_names_field_and_rule_and_stores_nothing() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    submit(&mut client, submission("good", "k", b"{}")).await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    for kind in bad_submissions() {
        let mut spoiled = submission("bad", "other", b"{}");
        (kind.spoil)(&mut spoiled);
        let status = submit(&mut client, spoiled).await.unwrap_err();
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (kind.reason, kind.field));
        assert_eq!(status.code(), kind.code, "{}", kind.reason);
        let chinese = status.message().chars().any(|c| ('一'..='龥').contains(&c));
        assert!(chinese, "{}", status.message());
    }
    let empty = SubmitRecordRequest { submission: None };
    let status = client.submit_record(empty).await.unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::SubmissionMissing
    );
    assert_eq!(fixture.snapshot().await?, before);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_the_largest_record_is_kept_whole_and_one_byte_more_is_refused() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let largest: Vec<u8> = (0..MIB).map(|n| (n * 7 % 251) as u8).collect();
    let receipt = submit(&mut client, submission("1", "k", &largest)).await?;
    assert_eq!(receipt.content_sha256.as_ref(), vault::sha256(&largest));
    let mut more = largest.clone();
    more.push(0);
    let status = submit(&mut client, submission("2", "k", &more))
        .await
        .unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ContentTooLarge
    );
    // Far above the limit the transport refuses before it reads the record.
    let huge = vec![0; 9 * MIB];
    let status = submit(&mut client, submission("3", "k", &huge))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    // The largest record also fits on the bus.
    let received = fixture.received_events().await?;
    assert_eq!(received.len(), 1);
    let record_id = receipt.record_id.parse::<uuid::Uuid>()?;
    let keyring = &fixture.bed.context.keyring;
    let opened = keyring.open(record_id.as_bytes(), &received[0].sealed_content)?;
    assert!(opened == largest, "the same bytes");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unknown_and_disabled_providers_leave_no_trace() -> TestResult {
    let fixture = IngestFixture::start().await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    for (code, reason) in [
        (UNREGISTERED_PROVIDER, Reason::ProviderNotRegistered),
        (DISABLED_PROVIDER, Reason::ProviderDisabled),
        ("", Reason::ProviderNotRegistered),
    ] {
        let mut client = fixture.client(code)?;
        let status = submit(&mut client, submission("1", "k", b"{}"))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);
        assert_eq!(RefusalDetails::from_status(&status).reason, reason);
    }
    assert_eq!(fixture.snapshot().await?, before);
    fixture.finish().await?;
    Ok(())
}

/// Protobuf that is not what the RPC takes.
#[derive(Clone, PartialEq, prost::Message)]
struct MalformedRequest {
    #[prost(bytes = "vec", tag = "1")]
    submission: Vec<u8>,
}

fn malformed_requests() -> Vec<MalformedRequest> {
    let utf8 = {
        // submission_id = 0xff 0xfe
        vec![0x0a, 0x02, 0xff, 0xfe]
    };
    [
        vec![0xff; 30],
        // a length that goes past the end
        vec![0x32, 0x7f, 0x00],
        // a wrong wire type of content
        vec![0x30, 0x01],
        utf8,
    ]
    .into_iter()
    .map(|submission| MalformedRequest { submission })
    .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_are_no_message_get_an_error_status_and_store_nothing() -> TestResult {
    let fixture = IngestFixture::start().await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    let token = fixture
        .bed
        .token(PROVIDER, &[service_kit::identity::Role::Provider], None)?;
    let authorised = |request: MalformedRequest| -> Result<Request<MalformedRequest>> {
        let mut request = Request::new(request);
        let value = format!("Bearer {token}").parse()?;
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    };
    let mut raw = Grpc::new(open_channel(&fixture.process.url)?);
    for request in malformed_requests() {
        raw.ready().await?;
        let path = "/credit.ingest.v1.IngestService/SubmitRecord";
        let codec: ProstCodec<MalformedRequest, SubmitRecordResponse> = ProstCodec::default();
        let outcome: Result<_, Status> =
            raw.unary(authorised(request)?, path.parse()?, codec).await;
        let status = outcome.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("submission"), "{status:?}");
    }

    // In a stream: what came before is answered, then the status.
    let good: Vec<MalformedRequest> = (1..=3)
        .map(|n| MalformedRequest {
            submission: prost::Message::encode_to_vec(&submission(&format!("{n}"), "k", b"{}")),
        })
        .collect();
    let mut request = authorised(MalformedRequest::default())?;
    let requests = [good, malformed_requests()].concat();
    let request = {
        let metadata = std::mem::take(request.metadata_mut());
        let mut request = Request::new(tokio_stream::iter(requests));
        *request.metadata_mut() = metadata;
        request
    };
    raw.ready().await?;
    let path = "/credit.ingest.v1.IngestService/StreamRecords";
    let codec: ProstCodec<MalformedRequest, StreamRecordsResponse> = ProstCodec::default();
    let mut answers = raw
        .streaming(request, path.parse()?, codec)
        .await?
        .into_inner();
    for _ in 0..3 {
        let answer = answers.message().await?.and_then(|message| message.answer);
        assert!(matches!(answer, Some(Answer::Receipt(_))), "{answer:?}");
    }
    assert_eq!(answers.message().await.unwrap_err().code(), Code::Internal);
    assert_eq!(fixture.count("original").await?, 1, "three equal contents");
    assert_eq!(
        before
            .iter()
            .find(|row| row.0 == "original")
            .map(|row| row.1),
        Some(0)
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_breaks_off_keeps_what_was_answered() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let token = fixture
        .bed
        .token(PROVIDER, &[service_kit::identity::Role::Provider], None)?;
    let mut client = client_with_token(&fixture.process.url, &token)?;
    let (sender, requests) = tokio::sync::mpsc::channel(4);
    let requests = tokio_stream::wrappers::ReceiverStream::new(requests);
    let mut answers = client.stream_records(requests).await?.into_inner();
    let mut ids = Vec::new();
    for n in 0..5 {
        let id = format!("s{n}");
        let request = StreamRecordsRequest {
            submission: Some(submission(&id, &id, b"{}")),
            ..StreamRecordsRequest::default()
        };
        sender.send(request).await?;
        let answer = answers.message().await?.and_then(|message| message.answer);
        let Some(Answer::Receipt(receipt)) = answer else {
            panic!("{answer:?}");
        };
        ids.push(receipt.record_id);
    }
    drop(answers);
    drop(sender);
    drop(client);
    let mut client = fixture.client(PROVIDER)?;
    for (n, id) in ids.iter().enumerate() {
        let receipt = crate::fixture::receipt_of(&mut client, &format!("s{n}")).await?;
        assert_eq!(&receipt.record_id, id);
    }
    fixture.finish().await?;
    Ok(())
}
