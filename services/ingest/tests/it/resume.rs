//! a stream that broke goes on where its caller has answers, and every submission is accepted once.

use anyhow::{Context, Result};
use proto::credit::ingest::v1::{
    StreamRecordsRequest, StreamRecordsResponse, stream_records_response::Answer,
};
use testkit::{Reason, TestResult, service::RefusalDetails};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Streaming};

use crate::fixture::{IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, submission};

fn record(n: u64) -> StreamRecordsRequest {
    let id = format!("s{n}");
    StreamRecordsRequest {
        submission: Some(submission(&id, &id, id.as_bytes())),
        ..StreamRecordsRequest::default()
    }
}

fn resume(token: &[u8]) -> StreamRecordsRequest {
    StreamRecordsRequest {
        submission: None,
        resume_token: token.to_vec().into(),
    }
}

async fn stream(
    client: &mut IngestTestClient,
    requests: Vec<StreamRecordsRequest>,
) -> Result<Streaming<StreamRecordsResponse>> {
    let answers = client.stream_records(tokio_stream::iter(requests)).await?;
    Ok(answers.into_inner())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_broken_stream_goes_on_with_its_token_and_everything_is_taken_once() -> TestResult {
    const ALL: u64 = 60;
    let mut fixture = IngestFixture::start().await?;
    let mut receipts = Vec::new();
    let (mut position, mut token) = (0, Vec::new());
    let mut breaks = 0;
    while position < ALL {
        let mut client = fixture.client(PROVIDER)?;
        // More is sent than answers are read before the stream breaks: some are committed unanswered.
        let (sender, requests) = mpsc::channel(64);
        if !token.is_empty() {
            sender.send(resume(&token)).await?;
        }
        for n in position..ALL.min(position + 25) {
            sender.send(record(n)).await?;
        }
        let stream = client.stream_records(ReceiverStream::new(requests)).await?;
        let mut answers = stream.into_inner();
        if !token.is_empty() {
            let first = answers.message().await?.context("an answer")?;
            let Some(Answer::Resumed(resumed)) = first.answer else {
                panic!("{first:?}");
            };
            assert_eq!((resumed.position, first.position), (position, position));
            assert_eq!(first.resume_token, token, "nothing was taken by resuming");
        }
        for _ in 0..17.min(ALL - position) {
            let answer = answers.message().await?.context("an answer each")?;
            let Some(Answer::Receipt(receipt)) = answer.answer else {
                panic!("{answer:?}");
            };
            position += 1;
            assert_eq!(answer.position, position, "positions go on over breaks");
            assert_eq!(receipt.submission_id, format!("s{}", position - 1));
            assert_ne!(answer.resume_token, token);
            token = answer.resume_token.to_vec();
            receipts.push(receipt);
        }
        drop((answers, sender, client));
        breaks += 1;
        if breaks == 2 {
            // The server keeps nothing of a stream: another process goes on with it.
            fixture.restart().await?;
        }
    }
    assert!(breaks > 3);
    let numbers: Vec<u64> = receipts.iter().map(|r| r.ledger_number).collect();
    assert_eq!(numbers, (1..=ALL).collect::<Vec<_>>());
    assert_eq!(fixture.count("original").await?, ALL as i64);
    assert_eq!(fixture.submission_ids().await?, ALL as i64);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_positions_count_refused_submissions_too() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let mut bad = record(1);
    if let Some(submission) = &mut bad.submission {
        submission.content.clear();
    }
    let requests = vec![record(0), bad, StreamRecordsRequest::default(), record(3)];
    let mut answers = stream(&mut client, requests).await?;
    let mut seen = Vec::new();
    while let Some(answer) = answers.message().await? {
        assert!(!answer.resume_token.is_empty());
        let is_receipt = matches!(answer.answer, Some(Answer::Receipt(_)));
        seen.push((answer.position, is_receipt));
    }
    assert_eq!(seen, [(1, true), (2, false), (3, false), (4, true)]);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_token_that_is_wrong_or_misplaced_ends_the_stream_and_says_why() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let mut answers = stream(&mut client, vec![record(0)]).await?;
    let token = answers.message().await?.context("an answer")?.resume_token;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;

    let mut changed = token.to_vec();
    changed[8] ^= 1;
    let mut other = fixture.client(PROVIDERS[1])?;
    let with_record = StreamRecordsRequest {
        resume_token: token.clone(),
        ..record(1)
    };
    for (client, requests, code, expected) in [
        (
            &mut client,
            vec![resume(&changed), record(1)],
            Code::InvalidArgument,
            Reason::ResumeTokenInvalid,
        ),
        (
            &mut other,
            vec![resume(&token), record(1)],
            Code::PermissionDenied,
            Reason::ResumeTokenForeign,
        ),
    ] {
        let mut answers = stream(client, requests).await?;
        let status = answers.message().await.unwrap_err();
        assert_eq!(status.code(), code);
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (expected, "resume_token"));
    }
    let mut answers = stream(&mut client, vec![with_record]).await?;
    let status = answers.message().await.unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ResumeTokenMisplaced
    );
    // A second one, after what came before was answered.
    let mut answers = stream(&mut client, vec![resume(&token), resume(&token)]).await?;
    let first = answers.message().await?.context("an answer")?;
    assert!(matches!(first.answer, Some(Answer::Resumed(_))));
    let status = answers.message().await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    let refusal = RefusalDetails::from_status(&status);
    assert_eq!(
        refusal.reason_and_field(),
        (Reason::ResumeTokenMisplaced, "resume_token")
    );
    assert_eq!(fixture.snapshot().await?, before, "nothing is stored");
    fixture.finish().await?;
    Ok(())
}
