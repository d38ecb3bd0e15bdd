//! Revocations and withdrawals on their way to the province (D-24, R-10): pushed as versions are, distinguished by their
//! operation, ordered by their revision.

use proto::credit::{common::v1::Operation, provincialsync::v1::PushState};
use testkit::eventually;
use uuid::Uuid;

use crate::{
    fake_upstream::FakeBehaviour,
    fixture::{PROVIDER, ProvincialSyncFixture, WAIT_TIMEOUT, get_push, get_statistics},
};

const REASON: &str = "原处罚决定经行政复议撤销";

#[tokio::test]
async fn d24_r10_a_revocation_reaches_the_province_with_its_reason_and_revision() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    // In any order, and twice: the revocation overtakes what it ends.
    let revoked = fixture.revocation(20, 2, Operation::Revoke, REASON);
    let withdrawn = fixture.revocation(40, 4, Operation::Withdraw, "误报");
    let events = [
        fixture.event(&revoked),
        fixture.event(&revoked),
        fixture.event(&fixture.version(10, 1)),
        fixture.event(&withdrawn),
        fixture.event(&fixture.version(30, 3)),
    ];
    fixture.bed.publish(&events).await.unwrap();
    fixture.wait_for_acknowledged(&client, 4).await;
    fixture.assert_announced_once(4).await;
    let counts = get_statistics(&client).await;
    assert_eq!(
        (
            counts.acknowledged,
            counts.revocations,
            counts.revocations_acknowledged
        ),
        (4, 2, 2)
    );
    assert_eq!(get_push(&client, 20).await.state(), PushState::Acknowledged);
    let pushed = |number| {
        fixture
            .upstream
            .observe(|seen| seen.stored[&Uuid::from_u128(number).to_string()].clone())
    };
    for (number, operation, revision, reason) in [
        (10, Operation::Upsert, 1, ""),
        (20, Operation::Revoke, 2, REASON),
        (30, Operation::Upsert, 3, ""),
        (40, Operation::Withdraw, 4, "误报"),
    ] {
        let record = pushed(number);
        assert_eq!(
            (record.operation(), record.revision, record.reason.as_str()),
            (operation, revision, reason)
        );
        assert_eq!(
            record.values.is_empty(),
            operation != Operation::Upsert,
            "{number}"
        );
        assert_eq!(
            (record.provider_code.as_str(), record.item_version),
            (PROVIDER, 1)
        );
        assert_eq!(
            record.record_key,
            "07".repeat(32),
            "one record over all its versions"
        );
    }
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn d24_a_revocation_is_pushed_again_with_the_same_content_until_it_is_answered() {
    let fixture = ProvincialSyncFixture::new().await;
    fixture.upstream.set_behaviour(FakeBehaviour {
        failures: 3,
        ..FakeBehaviour::default()
    });
    let client = fixture.start().await;
    let revoked = fixture.revocation(1, 2, Operation::Revoke, REASON);
    fixture
        .bed
        .publish(&[fixture.event(&revoked)])
        .await
        .unwrap();
    fixture.wait_for_acknowledged(&client, 1).await;
    fixture.assert_announced_once(1).await;
    assert_eq!(get_push(&client, 1).await.attempts, 4);
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn r4_a_reason_is_kept_sealed_and_what_a_push_does_to_its_record_is_never_rewritten() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    let revoked = fixture.revocation(1, 2, Operation::Revoke, REASON);
    fixture
        .bed
        .publish(&[fixture.event(&revoked)])
        .await
        .unwrap();
    fixture.wait_for_acknowledged(&client, 1).await;
    let pool =
        service_kit::db::connect_lazy(&fixture.bed.database_url, "provincial_sync", 1).unwrap();
    let row: String = sqlx::query_scalar(
        "select p::text || c::text from push p join push_content c using (record_id)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert!(
        !row.contains(REASON) && !row.contains(&hex::encode(REASON)),
        "{row}"
    );
    let error = sqlx::query("update push set operation = 1")
        .execute(&pool)
        .await
        .unwrap_err();
    let code = error.as_database_error().and_then(|e| e.code());
    assert_eq!(code.as_deref(), Some("42501"), "{error}");
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn an_event_that_revokes_nothing_is_parked_and_names_the_field() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    let upsert = fixture.revocation(1, 2, Operation::Upsert, REASON);
    let mut silent = fixture.revocation(2, 2, Operation::Revoke, REASON);
    silent.sealed_reason.clear();
    let good = fixture.revocation(3, 2, Operation::Withdraw, REASON);
    let events = [&upsert, &silent, &good].map(|revocation| fixture.event(revocation));
    fixture.bed.publish(&events).await.unwrap();
    fixture.wait_for_acknowledged(&client, 1).await;
    let pool = fixture.bed.schema_pool().await.unwrap();
    let reasons: Vec<String> = eventually("two letters", WAIT_TIMEOUT, async || {
        let found = sqlx::query_scalar("select reason from dead_letter order by reason")
            .fetch_all(&pool)
            .await
            .unwrap();
        (found.len() == 2).then_some(found)
    })
    .await
    .unwrap();
    assert!(reasons[0].starts_with("operation:"), "{reasons:?}");
    assert!(reasons[1].starts_with("sealed_reason:"), "{reasons:?}");
    sqlx::query("delete from dead_letter")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}
