//! Who may write: a provider, only as itself, with a valid token.

use anyhow::{Context, Result};
use proto::credit::ingest::v1::{
    GetReceiptRequest, GetReportingScopeRequest, GetStatisticsRequest, GetSubmissionStatusRequest,
    ListLedgerRequest, ListNilReportsRequest, ReadOriginalRequest, ReportNilRequest,
    StreamRecordsRequest, SubmitRecordRequest, ingest_service_client::IngestServiceClient,
    stream_records_response::Answer,
};
use service_kit::{
    grpc::open_channel,
    identity::{DevelopmentIssuer, Role},
};
use testkit::{Reason, TestResult, service::RefusalDetails};
use time::OffsetDateTime;
use tonic::{Code, Response, Status};

use crate::{
    fixture::{
        IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, UNREGISTERED_PROVIDER,
        client_with_token, receipt_of, submission, submit,
    },
    reload::ReloadSteps,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_a_valid_token_are_refused_with_the_reason() -> TestResult {
    let fixture = IngestFixture::start().await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    let address = &fixture.process.url;
    let good = fixture.bed.token(PROVIDER, &[Role::Provider], None)?;

    let mut nobody = IngestServiceClient::new(open_channel(address)?);
    let request = SubmitRecordRequest {
        submission: Some(submission("1", "k", b"{}")),
    };
    let status = nobody.submit_record(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::TokenMissing
    );

    // Signed by another issuer, for the same issuer and audience.
    let forger = DevelopmentIssuer::generate("https://id.test", "credit");
    let until = OffsetDateTime::now_utc() + time::Duration::days(36500);
    let forged = forger.token("tester", PROVIDER, &[Role::Provider], None, until)?;
    let (head, _) = good.rsplit_once('.').unwrap_or_default();
    let unsigned = format!("{head}.");
    for token in [forged.as_str(), &unsigned, "x", "a.b.c"] {
        let mut client = client_with_token(address, token)?;
        let status = submit(&mut client, submission("1", "k", b"{}"))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{token}");
        let refusal = RefusalDetails::from_status(&status);
        assert!(refusal.reason.as_str().starts_with("TOKEN_"), "{refusal:?}");
        assert!(!refusal.field.is_empty(), "{refusal:?}");
    }

    // Every other role, on every RPC that writes or shows a ledger.
    let roles = [
        Role::CreditOffice,
        Role::DistrictCreditOffice,
        Role::StateOrgan,
        Role::Operator,
        Role::Auditor,
        Role::Subject,
        Role::Public,
    ];
    let mut other = fixture.client_of(&fixture.process, PROVIDER, &roles)?;
    let status = submit(&mut other, submission("1", "k", b"{}"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let stream = other.stream_records(tokio_stream::iter([])).await;
    assert_eq!(stream.unwrap_err().code(), Code::PermissionDenied);
    let ledger = other.list_ledger(ListLedgerRequest::default()).await;
    assert_eq!(ledger.unwrap_err().code(), Code::PermissionDenied);
    let receipt = other.get_receipt(GetReceiptRequest::default()).await;
    assert_eq!(receipt.unwrap_err().code(), Code::PermissionDenied);
    // And a provider does not see the totals of all.
    let mut provider = fixture.client(PROVIDER)?;
    let totals = provider.get_statistics(GetStatisticsRequest {}).await;
    assert_eq!(totals.unwrap_err().code(), Code::PermissionDenied);

    // The good one works until it expires by the service's clock.
    assert_eq!(fixture.snapshot().await?, before, "nothing is stored");
    let mut client = client_with_token(address, &good)?;
    submit(&mut client, submission("1", "k", b"{}")).await?;
    fixture.bed.clock.advance(time::Duration::days(365 * 21));
    let status = submit(&mut client, submission("2", "k", b"{}"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::TokenExpired
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_a_provider_writes_only_as_itself() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut first = fixture.client(PROVIDERS[0])?;
    let mut second = fixture.client(PROVIDERS[1])?;
    // The same ids, keys and contents: two providers, two records, two ledgers.
    let one = submit(&mut first, submission("1", "k", b"{}")).await?;
    let two = submit(&mut second, submission("1", "k", b"{}")).await?;
    assert_eq!(one.provider_code, PROVIDERS[0]);
    assert_eq!(two.provider_code, PROVIDERS[1]);
    assert_ne!(one.record_id, two.record_id);
    assert_eq!((one.ledger_number, two.ledger_number), (1, 1));
    // A new version by the second does not touch the first one's record.
    let newer = submit(&mut second, submission("2", "k", b"{\"a\":1}")).await?;
    assert_eq!((newer.revision, newer.ledger_number), (2, 2));
    let status = receipt_of(&mut first, "2").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    assert_eq!(receipt_of(&mut first, "1").await?, one);
    let owners: Vec<(String, i64)> = sqlx::query_as(
        "select provider_code, count(*) from original group by provider_code order by 2",
    )
    .fetch_all(&fixture.owner)
    .await?;
    assert_eq!(
        owners,
        [(PROVIDERS[0].to_owned(), 1), (PROVIDERS[1].to_owned(), 2)]
    );
    fixture.finish().await?;
    Ok(())
}

/// An answer, or what a refusal says.
fn describe_answer<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) -> String {
    match answer {
        Ok(response) => format!("{:?}", response.into_inner()),
        Err(status) => format!(
            "{:?} {} {:?}",
            status.code(),
            status.message(),
            RefusalDetails::from_status(&status)
        ),
    }
}

/// What a stream of these is answered with, and that it goes on from its last token.
async fn streamed(
    client: &mut IngestTestClient,
    requests: Vec<StreamRecordsRequest>,
) -> Result<String> {
    let mut answers = client.stream_records(tokio_stream::iter(requests)).await?;
    let mut all = Vec::new();
    let mut token = None;
    while let Some(answer) = answers.get_mut().message().await? {
        all.push((answer.answer, answer.position));
        token = Some(answer.resume_token);
    }
    let resume = StreamRecordsRequest {
        resume_token: token.context("an answer")?,
        submission: None,
    };
    let mut answers = client.stream_records(tokio_stream::iter([resume])).await?;
    let first = answers.get_mut().message().await?.context("an answer")?;
    assert!(matches!(first.answer, Some(Answer::Resumed(_))));
    Ok(format!("{all:?}"))
}

/// All that a provider may ask, well and badly.
async fn ask_all(client: &mut IngestTestClient) -> Result<Vec<String>> {
    let mut all = Vec::new();
    let bad = submission("", "k", b"{}");
    let mut empty = submission("1", "k", b"{}");
    empty.content.clear();
    for submission in [bad, empty, submission("1", "k", b"{}")] {
        let request = SubmitRecordRequest {
            submission: Some(submission),
        };
        all.push(describe_answer(client.submit_record(request.clone()).await));
        let request = StreamRecordsRequest {
            submission: request.submission,
            ..StreamRecordsRequest::default()
        };
        all.push(streamed(client, vec![request.clone(), request]).await?);
    }
    let submission_id = "1".to_owned();
    let request = GetReceiptRequest { submission_id };
    all.push(describe_answer(client.get_receipt(request).await));
    let submission_id = "r/k".to_owned();
    let request = GetSubmissionStatusRequest { submission_id };
    all.push(describe_answer(client.get_submission_status(request).await));
    for period_to in ["2026-10-31", "2026-09-30"] {
        let request = ReportNilRequest {
            submission_id: "n".to_owned(),
            item_code: "xzxk".to_owned(),
            period_from: "2026-10-01".to_owned(),
            period_to: period_to.to_owned(),
        };
        all.push(describe_answer(client.report_nil(request).await));
    }
    for page_size in [0, 1001] {
        let request = ListNilReportsRequest {
            page_size,
            ..ListNilReportsRequest::default()
        };
        all.push(describe_answer(client.list_nil_reports(request).await));
    }
    for id in ["r", "r/r"] {
        let reload = ReloadSteps::new(id, &[("k", "{}")])
            .end(1)
            .run(client)
            .await;
        all.push(describe_answer(reload.map(Response::new)));
    }
    for record_id in ["x", "0190a584-6778-71bc-9de7-70513ca6edf0"] {
        let request = ReadOriginalRequest {
            record_id: record_id.to_owned(),
            reason: String::new(),
        };
        all.push(describe_answer(client.read_original(request).await));
    }
    for limit in [0, 1001] {
        let request = ListLedgerRequest {
            after_number: 0,
            limit,
        };
        all.push(describe_answer(client.list_ledger(request).await));
    }
    let scope = client.get_reporting_scope(GetReportingScopeRequest {});
    all.push(describe_answer(scope.await));
    Ok(all)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r5_a_code_that_no_provider_has_is_answered_like_one_that_is_not_registered() -> TestResult
{
    let fixture = IngestFixture::start().await?;
    fixture.received_events().await?;
    let expected = ask_all(&mut fixture.client(UNREGISTERED_PROVIDER)?).await?;
    let reasons = expected.join("\n");
    for reason in [
        Reason::ProviderNotRegistered,
        Reason::SubmissionUnknown,
        Reason::RecordUnknown,
    ] {
        assert!(reasons.contains(&format!("{reason:?}")), "{reasons}");
    }
    let small = UNREGISTERED_PROVIDER.to_lowercase();
    for code in [
        "",
        "某局",
        &small,
        &UNREGISTERED_PROVIDER[1..],
        "11430111006123009K ",
    ] {
        let answers = ask_all(&mut fixture.client(code)?).await?;
        assert_eq!(answers, expected, "{code:?}");
    }
    assert_eq!(fixture.count("original").await?, 0);
    assert_eq!(fixture.submission_ids().await?, 0);
    // Who tried to read is on record all the same.
    assert_eq!(fixture.count("original_read").await?, 6);
    fixture.finish().await?;
    Ok(())
}
