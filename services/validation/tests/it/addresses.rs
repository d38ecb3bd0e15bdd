//! A record has one address for life: over all its versions, in every event, answer and row, and in rows from before
//! there were addresses.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use bytes::Bytes;
use proto::credit::{
    common::v1::{Operation, RecordVersion},
    validation::events::v1::{FeedbackCaseChanged, RecordAccepted, RecordReturned, RecordRevoked},
};
use record_ref::{RecordAddress, VersionId};
use serde_json::json;
use service_kit::db::Conn;
use testkit::TestResult;
use uuid::Uuid;

use crate::fixture::{OTHER, PROVIDER, SampleSubmission, ValidationFixture, wrong_credit_code};

fn addresses(versions: impl IntoIterator<Item = Option<RecordVersion>>) -> BTreeSet<Bytes> {
    let versions = versions.into_iter().flatten();
    versions.map(|version| version.record_address).collect()
}

#[tokio::test]
async fn r12_a_record_has_one_address_over_all_its_versions() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let returned =
        SampleSubmission::registration("D-1", 1, json!({ "DJ_XDR_SHXYM": "91430102MA4PX7RC65" }));
    let accepted = SampleSubmission::registration("D-1", 2, json!({})).revision(2);
    // Another provider's contradicts it, and is returned.
    let contradicting =
        SampleSubmission::registration("D-2", 1, json!({ "DJ_XDR_MC": "湖南另一名称有限公司" }))
            .reported_by(OTHER);
    let revoked = accepted.ended(Operation::Revoke, 3, "登记被撤销");
    for record in [&returned, &accepted, &contradicting, &revoked] {
        fixture.submit(&[record]).await?;
    }
    let address = returned.address();
    let own = BTreeSet::from([address.to_wire()]);
    let both = BTreeSet::from([address.to_wire(), contradicting.address().to_wire()]);

    let accepted_events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let revoked_events: Vec<RecordRevoked> = fixture.bed.emitted_events().await?;
    let returned_events: Vec<RecordReturned> = fixture.bed.emitted_events().await?;
    let changes: Vec<FeedbackCaseChanged> = fixture.bed.emitted_events().await?;
    assert_eq!(
        addresses(accepted_events.into_iter().map(|e| e.version)),
        own
    );
    assert_eq!(
        addresses(revoked_events.into_iter().map(|e| e.version)),
        own
    );
    assert_eq!(
        addresses(returned_events.into_iter().map(|e| e.version)),
        both
    );
    // Two cases of the record, opened and closed, and one of the other.
    assert_eq!(changes.len(), 5);
    assert_eq!(addresses(changes.into_iter().map(|e| e.version)), both);

    // Answers.
    for record in [&returned, &accepted, &revoked] {
        let version = fixture.verdict(record).await?.version;
        assert_eq!(version, fixture.submitted(record).version);
        assert_eq!(addresses([version]), own);
    }
    let cases = fixture.feedback(false).await?;
    assert_eq!(cases.len(), 2);
    assert_eq!(addresses(cases.into_iter().map(|case| case.version)), own);

    // Rows.
    let digest = fixture.key_digest(&returned);
    for (table, expected) in [("verdict", 3), ("feedback_case", 2), ("base_subject", 1)] {
        let statement = format!("SELECT record_address FROM {table} WHERE key_digest = $1");
        let kept: Vec<Uuid> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
            .bind(&digest.as_bytes()[..])
            .fetch_all(&fixture.pool)
            .await?;
        assert_eq!(kept, vec![address.as_uuid(); expected], "{table}");
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_confirmed_version_is_announced_under_the_address_of_its_record() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let first = SampleSubmission::penalty("K-1", 1, json!({ "CF_WFXW": "" }));
    let second = SampleSubmission::penalty("K-1", 2, wrong_credit_code()).revision(2);
    fixture.submit(&[&first]).await?;
    fixture.submit(&[&second]).await?;
    let cases = fixture.feedback(true).await?;
    let case = cases.into_iter().find(|case| {
        let version = case.version.as_ref();
        version.is_some_and(|version| version.revision == 2)
    });
    let confirmation = proto::credit::validation::v1::ConfirmRecordRequest {
        case_id: case.context("a case")?.case_id,
        attester: "钱立新".to_owned(),
        statement: "已核对营业执照原件，代码无误".to_owned(),
    };
    let answer = fixture
        .provider()?
        .confirm_record(confirmation)
        .await?
        .into_inner();
    let version = answer.case.and_then(|case| case.version);
    assert_eq!(version, fixture.submitted(&second).version);
    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let announced = addresses(events.into_iter().map(|event| event.version));
    assert_eq!(announced, BTreeSet::from([first.address().to_wire()]));
    fixture.finish().await?;
    Ok(())
}

/// A verdict as the service wrote it before there were addresses.
async fn old_verdict(conn: &mut Conn, id: VersionId, digest: u8, revision: i64) -> Result<()> {
    sqlx::query(
        "INSERT INTO verdict (record_id, provider_code, item_code, item_version, key_digest, revision,
                ledger_number, received_at, decided_at, outcome, error_codes, warning_codes)
         VALUES ($1, $2, 'djzc', 1, $3, $4, 1, now(), now(), 'returned', '{}', '{}')",
    )
    .bind(id.as_uuid())
    .bind(PROVIDER)
    .bind(vec![digest; 32])
    .bind(revision)
    .execute(conn)
    .await?;
    Ok(())
}

#[tokio::test]
async fn the_address_of_a_record_from_before_is_the_one_that_its_next_version_brings() -> TestResult
{
    let fixture = ValidationFixture::start_without_catalogue().await?;
    let mut tx = fixture.bed.owner_pool.begin().await?;
    sqlx::raw_sql("CREATE SCHEMA from_before; SET LOCAL search_path TO from_before")
        .execute(&mut *tx)
        .await?;
    let migrations = validation::migrations();
    let (before, after): (Vec<_>, Vec<_>) = migrations.iter().partition(|one| one.version < 10);
    for migration in before {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut *tx)
            .await?;
    }
    // Many ids, so that every bit that is not fixed is met in both states. Their order means nothing.
    let ids: Vec<[VersionId; 3]> = (0..100)
        .map(|_| [(); 3].map(|()| VersionId::generate()))
        .collect();
    for (digest, [first, second, third]) in (0_u8..).zip(&ids) {
        // The newest came first; of every third record the first version never came.
        old_verdict(&mut tx, *third, digest, 3).await?;
        old_verdict(&mut tx, *second, digest, 2).await?;
        if digest % 3 > 0 {
            old_verdict(&mut tx, *first, digest, 1).await?;
        }
    }
    let [_, second, third] = ids[1];
    sqlx::query(
        "INSERT INTO feedback_case (case_id, record_id, provider_code, item_code, item_version, key_digest,
                revision, ledger_number, sealed_record_key, opened_at, due_provisional)
         SELECT $1, record_id, provider_code, item_code, item_version, key_digest, revision, ledger_number,
                '', now(), false
         FROM verdict WHERE record_id = $2",
    )
    .bind(Uuid::now_v7())
    .bind(second.as_uuid())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "INSERT INTO base_subject (code, name, name_core, former_cores, since, record_id, provider_code,
                item_code, item_version, key_digest, revision, ledger_number, sealed_record_key, standing)
         SELECT '91430102MA4PX7RC64', '', '', '{}', current_date, record_id, provider_code, item_code,
                item_version, key_digest, revision, ledger_number, '', true
         FROM verdict WHERE record_id = $1",
    )
    .bind(third.as_uuid())
    .execute(&mut *tx)
    .await?;
    for migration in after {
        sqlx::raw_sql(migration.sql.clone())
            .execute(&mut *tx)
            .await?;
    }

    let verdicts: Vec<(Uuid, Uuid)> =
        sqlx::query_as("SELECT record_id, record_address FROM verdict")
            .fetch_all(&mut *tx)
            .await?;
    assert_eq!(verdicts.len(), 266);
    for (number, [first, second, third]) in ids.iter().enumerate() {
        let first_judged = if number % 3 > 0 { first } else { second };
        let address = RecordAddress::of_first_version(*first_judged).as_uuid();
        for id in [first_judged, second, third] {
            assert!(verdicts.contains(&(id.as_uuid(), address)), "{id}");
        }
    }
    let others: Vec<Uuid> = sqlx::query_scalar(
        "SELECT record_address FROM feedback_case UNION ALL SELECT record_address FROM base_subject",
    )
    .fetch_all(&mut *tx)
    .await?;
    let address = RecordAddress::of_first_version(ids[1][0]).as_uuid();
    assert_eq!(others, [address, address]);
    tx.rollback().await?;
    fixture.finish().await?;
    Ok(())
}
