//! The feed of a provider's cases: everything once and in order, after the cursor, to those who may see it.

use anyhow::{Context, Result};
use proto::credit::validation::v1::{
    CaseChange, CaseState, WatchFeedbackRequest, WatchFeedbackResponse,
};
use serde_json::json;
use service_kit::{identity::Role, reason::Reason};
use testkit::{TestResult, eventually, refusal_of};
use tokio::time::timeout;
use tonic::Streaming;

use validation::store::reads::{FeedPosition, changes_after};

use crate::fixture::{
    OFFICE, OTHER, PROVIDER, SampleSubmission, ValidationFixture, WAIT_TIMEOUT, wrong_credit_code,
};

async fn watch(
    fixture: &ValidationFixture,
    cursor: &str,
) -> Result<Streaming<WatchFeedbackResponse>> {
    let request = WatchFeedbackRequest {
        cursor: cursor.to_owned(),
        ..Default::default()
    };
    Ok(fixture
        .provider()?
        .watch_feedback(request)
        .await?
        .into_inner())
}

async fn next(stream: &mut Streaming<WatchFeedbackResponse>) -> Result<WatchFeedbackResponse> {
    timeout(WAIT_TIMEOUT, stream.message())
        .await??
        .context("the stream goes on")
}

fn seen(change: &WatchFeedbackResponse) -> (CaseChange, String) {
    let key = change.case.as_ref().map(|case| case.record_key.clone());
    (change.change(), key.unwrap_or_default())
}

#[tokio::test]
async fn r13_a_provider_sees_each_change_of_its_cases_once_and_in_order() -> TestResult {
    use CaseChange::{Closed, Opened};
    let fixture = ValidationFixture::start().await?;
    let of_other = SampleSubmission::penalty("O-1", 1, wrong_credit_code()).reported_by(OTHER);
    fixture
        .submit(&[
            &SampleSubmission::penalty("K-1", 1, wrong_credit_code()),
            &of_other,
        ])
        .await?;
    let mut stream = watch(&fixture, "").await?;
    let first = next(&mut stream).await?;
    assert_eq!(seen(&first), (Opened, "K-1".into()));
    assert!(first.changed_at.is_some() && !first.case.unwrap().findings.is_empty());
    // A commit notifies the watcher.
    fixture
        .submit(&[&SampleSubmission::penalty("K-2", 2, wrong_credit_code())])
        .await?;
    assert_eq!(seen(&next(&mut stream).await?), (Opened, "K-2".into()));
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 3, json!({})).revision(2)])
        .await?;
    let closed = next(&mut stream).await?;
    assert_eq!(seen(&closed), (Closed, "K-1".into()));
    assert_eq!(closed.case.unwrap().state(), CaseState::ClosedByRereport);
    drop(stream);

    // After a cursor only what came after it.
    let mut stream = watch(&fixture, &first.cursor).await?;
    assert_eq!(seen(&next(&mut stream).await?), (Opened, "K-2".into()));
    assert_eq!(seen(&next(&mut stream).await?), (Closed, "K-1".into()));
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_more_changes_than_one_read_arrive_complete() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let records: Vec<SampleSubmission> = (1..=250)
        .map(|n| SampleSubmission::penalty(&format!("K-{n}"), n, wrong_credit_code()))
        .collect();
    fixture.submit(&records.iter().collect::<Vec<_>>()).await?;
    let mut stream = watch(&fixture, "").await?;
    let mut ledger = Vec::new();
    for _ in 0..250 {
        ledger.push(next(&mut stream).await?.case.unwrap().ledger_number);
    }
    ledger.sort_unstable();
    assert_eq!(ledger, (1..=250).collect::<Vec<u64>>());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_change_that_commits_late_is_not_skipped() -> TestResult {
    use event_bus::BatchHandler;
    let fixture = ValidationFixture::start().await?;
    let late = fixture.deliveries(&[&SampleSubmission::penalty("K-1", 1, wrong_credit_code())]);
    let handler = fixture.handler()?;
    let mut first = fixture.pool.begin().await?;
    handler.handle(&mut first, &late).await?;
    // Begun later, committed before. Its events wait behind the open transaction, so nothing settles yet.
    let second = SampleSubmission::penalty("K-2", 2, wrong_credit_code());
    let event = fixture.event(&fixture.submitted(&second));
    fixture.bed.publish(&[event]).await?;
    eventually("the second is judged", WAIT_TIMEOUT, async || {
        fixture.verdict(&second).await
    })
    .await?;
    // Nothing yet: a cursor that passed K-2 now would never see K-1.
    let start = FeedPosition { xid: 0, seq: 0 };
    let mut conn = fixture.pool.acquire().await?;
    assert!(
        changes_after(&mut conn, PROVIDER.parse()?, start, 100)
            .await?
            .is_empty()
    );
    drop(conn);
    let mut stream = watch(&fixture, "").await?;
    first.commit().await?;
    assert_eq!(seen(&next(&mut stream).await?).1, "K-1");
    assert_eq!(seen(&next(&mut stream).await?).1, "K-2");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_only_those_who_may_watch_and_only_with_a_cursor_of_the_feed() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let of_other = SampleSubmission::penalty("O-1", 1, wrong_credit_code()).reported_by(OTHER);
    fixture
        .submit(&[
            &SampleSubmission::penalty("K-1", 1, wrong_credit_code()),
            &of_other,
        ])
        .await?;
    let cursor = next(&mut watch(&fixture, "").await?).await?.cursor;
    let request = |provider: &str, cursor: &str| WatchFeedbackRequest {
        provider_code: provider.to_owned(),
        cursor: cursor.to_owned(),
    };
    let mut other = fixture.client(OTHER, Role::Provider)?;
    let answer = other.watch_feedback(request(PROVIDER, "")).await;
    assert_eq!(refusal_of(answer).reason, Reason::NotOwnFeedback);
    for cursor in [&cursor, "x", "00", &"é".repeat(40)] {
        assert_eq!(
            refusal_of(other.watch_feedback(request("", cursor)).await).reason_and_field(),
            (Reason::CursorInvalid, "cursor")
        );
    }
    let mut subject = fixture.client(PROVIDER, Role::Subject)?;
    let answer = subject.watch_feedback(request("", "")).await;
    assert_eq!(refusal_of(answer).reason, Reason::RoleNotAllowed);
    let mut office = fixture.client(OFFICE, Role::CreditOffice)?;
    let answer = office.watch_feedback(request("", "")).await;
    assert_eq!(refusal_of(answer).reason, Reason::ProviderCodeMissing);
    let answer = office
        .watch_feedback(request("91430000745928604G", ""))
        .await;
    assert_eq!(refusal_of(answer).reason, Reason::ProviderUnknown);
    let mut stream = office
        .watch_feedback(request(OTHER, ""))
        .await?
        .into_inner();
    assert_eq!(seen(&next(&mut stream).await?).1, "O-1");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_stream_ends_when_the_service_stops() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 1, wrong_credit_code())])
        .await?;
    let mut stream = watch(&fixture, "").await?;
    next(&mut stream).await?;
    fixture.bed.context.shutdown.request_stop();
    let end = timeout(WAIT_TIMEOUT, stream.message()).await?;
    assert_eq!(refusal_of(end).reason, Reason::Stopping);
    fixture.finish().await?;
    Ok(())
}
