//! every read of a subject's records is in the log, committed before the answer leaves.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use sqlx::PgPool;
use testkit::{TestResult, eventually};
use time::OffsetDateTime;
use tonic::Code;
use uuid::Uuid;

use crate::fixture::*;

type ReadLogRow = (
    Uuid,
    OffsetDateTime,
    String,
    i16,
    String,
    Option<Vec<u8>>,
    Vec<u8>,
    Vec<Uuid>,
);

async fn lines(pool: &PgPool) -> Result<Vec<ReadLogRow>> {
    Ok(sqlx::query_as(
        "SELECT read_id, read_at, rpc, reader_kind, reader_code, reader_blind_index, sealed_account, record_ids \
         FROM read_log ORDER BY read_at, reader_kind",
    )
    .fetch_all(pool)
    .await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_who_read_what_and_when_is_logged() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let pool = fixture.bed.schema_pool().await?;
    let person = person_penalty(1, "2026-03-02");
    let record = penalty_record(2, HOSPITAL, "长沙市第一医院", "2026-03-02");
    fixture.accept(&[person.clone(), record.clone()]).await?;
    fixture.own_of_person(CITIZEN).await?;
    fixture.own_of_organisation(HOSPITAL).await?;

    let keyring = &fixture.bed.context.keyring;
    let now = fixture.bed.context.clock.now();
    let logged = lines(&pool).await?;
    let [by_organisation, by_person] = &logged[..] else {
        panic!("two reads, two lines: {logged:?}");
    };
    assert_eq!(
        (by_person.1, by_person.3, by_person.4.as_str()),
        (now, 3, "")
    );
    assert_eq!(
        by_person.2,
        "/credit.disclosure.v1.SubjectService/ListOwnRecords"
    );
    let blind = person_hash(keyring, CITIZEN);
    assert_eq!(by_person.5.as_deref(), Some(blind.as_slice()));
    assert_eq!(by_person.7, [person.id]);
    assert_eq!(
        keyring.open(by_person.0.as_bytes(), &by_person.6)?,
        b"tester"
    );
    assert_eq!(
        (by_organisation.3, by_organisation.4.as_str()),
        (1, HOSPITAL)
    );
    assert_eq!(by_organisation.7, [record.id]);

    // Nothing was found: still a read.
    assert_eq!(fixture.own_of_organisation(SOCIETY).await?.total, 0);
    assert_eq!(lines(&pool).await?.len(), 3);

    let denied = service_kit::db::connect_lazy(&fixture.bed.database_url, disclosure::SCHEMA, 1)?;
    for statement in [
        "DELETE FROM read_log",
        "UPDATE read_log SET reader_code = ''",
    ] {
        let error = sqlx::query(statement).execute(&denied).await.unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
    }
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_the_answer_waits_for_the_log() -> TestResult {
    let fixture = Arc::new(DisclosureFixture::start().await?);
    let pool = fixture.bed.schema_pool().await?;
    fixture.accept(&[person_penalty(1, "2026-03-02")]).await?;

    let mut lock = pool.begin().await?;
    sqlx::query("LOCK TABLE read_log IN ACCESS EXCLUSIVE MODE")
        .execute(&mut *lock)
        .await?;
    let asking = Arc::clone(&fixture);
    let call = tokio::spawn(async move { asking.own_of_person(CITIZEN).await });
    eventually("the call waits for the log", Duration::from_secs(20), async || {
        sqlx::query_scalar::<_, bool>(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE relation = 'read_log'::regclass AND NOT granted)",
        )
        .fetch_one(&pool)
        .await
        .unwrap_or(false)
    })
    .await?;
    assert!(!call.is_finished(), "no answer before the log is written");
    lock.rollback().await?;
    assert_eq!(call.await??.total, 1);
    assert_eq!(lines(&pool).await?.len(), 1);

    // No log, no answer.
    sqlx::query("REVOKE INSERT ON read_log FROM disclosure")
        .execute(&pool)
        .await?;
    let refused = fixture.own_of_person(CITIZEN).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
    assert_eq!(lines(&pool).await?.len(), 1);
    let fixture = Arc::into_inner(fixture).context("the fixture is still in use")?;
    fixture.bed.finish().await?;
    Ok(())
}
