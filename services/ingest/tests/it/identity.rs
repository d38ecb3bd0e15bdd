//! Who may write: a provider, only as itself, with a valid token.

use proto::credit::ingest::v1::{
    GetReceiptRequest, GetStatisticsRequest, ListLedgerRequest, SubmitRecordRequest,
    ingest_service_client::IngestServiceClient,
};
use service_kit::{
    grpc::channel,
    identity::{DevelopmentIssuer, Role},
};
use testkit::TestResult;
use time::OffsetDateTime;
use tonic::Code;

use crate::world::{
    PROVIDER, PROVIDERS, World, client_with, receipt_of, refusal, submission, submit,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_without_a_valid_token_are_refused_with_the_reason() -> TestResult {
    let world = World::start().await?;
    world.heard().await?;
    let before = world.snapshot().await?;
    let address = &world.process.address;
    let good = world.bed.token(PROVIDER, &[Role::Provider], None)?;

    let mut nobody = IngestServiceClient::new(channel(address)?);
    let request = SubmitRecordRequest {
        submission: Some(submission("1", "k", b"{}")),
    };
    let status = nobody.submit_record(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(refusal(&status).0, "TOKEN_MISSING");

    // Signed by somebody else, for the same issuer and audience.
    let forger = DevelopmentIssuer::generate("https://id.test", "credit");
    let until = OffsetDateTime::now_utc() + time::Duration::days(36500);
    let forged = forger.token("tester", PROVIDER, &[Role::Provider], None, until)?;
    let (head, _) = good.rsplit_once('.').unwrap_or_default();
    let unsigned = format!("{head}.");
    for token in [forged.as_str(), &unsigned, "x", "a.b.c"] {
        let mut client = client_with(address, token)?;
        let status = submit(&mut client, submission("1", "k", b"{}"))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{token}");
        let (reason, field, rule) = refusal(&status);
        assert!(reason.starts_with("TOKEN_"), "{reason}");
        assert!(!field.is_empty() && !rule.is_empty(), "{status:?}");
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
    let mut other = world.client_of(&world.process, PROVIDER, &roles)?;
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
    let mut provider = world.client(PROVIDER)?;
    let totals = provider.get_statistics(GetStatisticsRequest {}).await;
    assert_eq!(totals.unwrap_err().code(), Code::PermissionDenied);

    // The good one works until it expires by the service's clock.
    assert_eq!(world.snapshot().await?, before, "nothing is stored");
    let mut client = client_with(address, &good)?;
    submit(&mut client, submission("1", "k", b"{}")).await?;
    world.bed.clock.advance(time::Duration::days(365 * 21));
    let status = submit(&mut client, submission("2", "k", b"{}"))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(refusal(&status).0, "TOKEN_EXPIRED");
    world.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_a_provider_writes_only_as_itself() -> TestResult {
    let world = World::start().await?;
    let mut first = world.client(PROVIDERS[0])?;
    let mut second = world.client(PROVIDERS[1])?;
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
    .fetch_all(&world.owner)
    .await?;
    assert_eq!(
        owners,
        [(PROVIDERS[0].to_owned(), 1), (PROVIDERS[1].to_owned(), 2)]
    );
    world.finish().await?;
    Ok(())
}
