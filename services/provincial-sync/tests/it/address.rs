//! The address of a record: in rows as in events, and derived by the migration for older rows.

use record_ref::{RecordAddress, VersionId};
use uuid::Uuid;

use crate::fixture::{ProvincialSyncFixture, address, get_push};

const MIGRATION: &str = include_str!("../../migrations/0005_record_address.sql");

#[tokio::test]
async fn all_versions_of_a_record_are_kept_under_its_address() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    let events = [(10, 1), (20, 2), (30, 3)].map(|(id, revision)| {
        let version = fixture.version(id, revision);
        fixture.event(&version)
    });
    fixture.bed.publish(&events).await.unwrap();
    fixture.wait_for_acknowledged(&client, 3).await;
    // Of the events too.
    fixture.assert_announced_once(3).await;
    let pool = fixture.bed.schema_pool().await.unwrap();
    let kept: Vec<Uuid> = sqlx::query_scalar("select record_address from push")
        .fetch_all(&pool)
        .await
        .unwrap();
    assert_eq!(kept, [address().as_uuid(); 3]);
    for id in [10, 20, 30] {
        let found = get_push(&client, id).await;
        assert_eq!(found.record_address, address().to_string());
    }
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn rows_from_before_get_the_address_that_ingest_gives() {
    let fixture = ProvincialSyncFixture::new().await;
    let pool = fixture.bed.schema_pool().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("alter table push drop column record_address")
        .execute(&mut *tx)
        .await
        .unwrap();
    // (id, key, revision, whose address): the first version is here, is not here, and is one among many.
    let first: Vec<u128> = (0..200).map(|n| u128::MAX - n * n * n * 7919).collect();
    let rows = [(3, 1, 2, 1), (1, 1, 1, 1), (2, 1, 3, 1), (5, 2, 4, 5)]
        .into_iter()
        .chain(first.iter().zip(3..).map(|(id, key)| (*id, key, 1, *id)));
    let rows: Vec<(u128, u8, i64, u128)> = rows.collect();
    for (id, key, revision, _) in &rows {
        sqlx::query(
            "insert into push (record_id, provider_code, item_code, item_version, key_digest, revision,
                               traceparent, next_attempt_at, created_at)
             values ($1, '11430100006123458R', 'xzxk', 1, $2, $3, '', 'epoch', 'epoch')",
        )
        .bind(Uuid::from_u128(*id))
        .bind(vec![*key; 32])
        .bind(revision)
        .execute(&mut *tx)
        .await
        .unwrap();
    }
    sqlx::raw_sql(MIGRATION).execute(&mut *tx).await.unwrap();
    for (id, _, _, first) in rows {
        let kept: Uuid = sqlx::query_scalar("select record_address from push where record_id = $1")
            .bind(Uuid::from_u128(id))
            .fetch_one(&mut *tx)
            .await
            .unwrap();
        let first = VersionId::try_from(Uuid::from_u128(first)).unwrap();
        let expected = RecordAddress::of_first_version(first).as_uuid();
        assert_eq!(kept, expected, "{id}");
    }
    tx.rollback().await.unwrap();
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}
