//! A record has one address for life: whatever version of it is shown, to whom and as what, and in every row.

use std::collections::BTreeSet;

use anyhow::Result;
use proto::credit::common::v1::Operation;
use sqlx::{AssertSqlSafe, PgPool};
use testkit::TestResult;
use uuid::Uuid;

use crate::fixture::*;

const MIGRATION: &str = include_str!("../../migrations/0008_record_address.sql");

/// The addresses of all rows of the versions of an organisation's records and of a person's.
async fn addresses(pool: &PgPool) -> Result<BTreeSet<(Uuid, Uuid)>> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "SELECT record_id, record_address FROM organisation_version \
         UNION ALL SELECT record_id, record_address FROM person_version",
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_has_one_address_in_all_its_versions_answers_and_notices() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let person = person_penalty(2, "2026-03-02");
    let other = penalty_record(3, HOSPITAL, "长沙市第一医院", "2026-03-03");
    let address = record.address().to_string();
    let of_person = person.address().to_string();
    assert_ne!(address, other.address().to_string());
    fixture.accept(&[person.clone(), other.clone()]).await?;
    for revision in 1..=3 {
        let version = record.clone().revision(revision);
        fixture.accept(std::slice::from_ref(&version)).await?;
        let shown = fixture.record(version.id).await?;
        assert_eq!(shown.record_id, version.id.to_string());
        assert_eq!(shown.record_address, address, "version {revision}");
    }
    // The other record was decided later and comes first.
    let expected = [other.address().to_string(), address.clone()];
    let listed = fixture.list(list_request("xzcf")).await?.records;
    let page = fixture.organisation(HOSPITAL, 0, "").await?.records;
    for records in [listed, page] {
        let shown: Vec<String> = records.into_iter().map(|r| r.record_address).collect();
        assert_eq!(shown, expected);
    }
    let own = fixture.own_of_organisation(HOSPITAL).await?.records;
    let shown: Vec<String> = own.into_iter().map(|r| r.record_address).collect();
    assert_eq!(shown, expected);
    let own = fixture.own_of_person(CITIZEN).await?.records;
    assert_eq!(own[0].record_address, of_person);

    for (ended, revision) in [(&record, 4), (&person, 2)] {
        let ending = ended.clone().revision(revision);
        fixture
            .end_record(&ending, Operation::Revoke, "原处罚决定经行政复议撤销")
            .await?;
    }
    let last = record.clone().revision(3).id;
    let answer = fixture.record_or_notice(last).await?;
    let notice = answer.revocation.unwrap_or_default();
    assert_eq!(notice.record_address, address, "as the record had");
    let page = fixture.organisation(HOSPITAL, 0, "").await?;
    assert_eq!(page.revocations, [notice]);
    for (own, address) in [
        (fixture.own_of_organisation(HOSPITAL).await?, &address),
        (fixture.own_of_person(CITIZEN).await?, &of_person),
    ] {
        assert_eq!(own.revocations[0].record_address, *address);
    }
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_migration_computes_the_addresses_that_ingest_sends() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let day = "2026-03-02";
    let revisions = |record: DisclosureTestRecord| (1..=2).map(move |n| record.clone().revision(n));
    let mut records: Vec<DisclosureTestRecord> = (0..20)
        .flat_map(|key| {
            revisions(penalty_record(
                key,
                &credit_code(key),
                "湖南测试有限公司",
                day,
            ))
        })
        .collect();
    // First an organisation's, then a person's; and the other way round.
    records.push(penalty_record(20, HOSPITAL, "长沙市第一医院", day));
    records.push(person_penalty(20, day).revision(2));
    records.push(person_penalty(21, day));
    records.push(penalty_record(21, HOSPITAL, "长沙市第一医院", day).revision(2));
    fixture.accept(&records).await?;
    let pool = fixture.bed.schema_pool().await?;
    let sent: BTreeSet<(Uuid, Uuid)> = records
        .iter()
        .map(|record| (record.id, record.address().as_uuid()))
        .collect();
    assert_eq!(addresses(&pool).await?, sent);

    // Whose first version was returned has the address of the oldest that came.
    let late = penalty_record(22, HOSPITAL, "长沙市第一医院", day).revision(2);
    let later = late.clone().revision(3);
    fixture.accept(&[late.clone(), later.clone()]).await?;
    let stands_for_first = record_ref::RecordAddress::of_first_version(late.id.try_into()?);
    let mut expected = sent;
    expected.extend([late.id, later.id].map(|id| (id, stands_for_first.as_uuid())));

    for table in ["organisation_version", "person_version"] {
        let drop = format!("ALTER TABLE {table} DROP COLUMN record_address CASCADE");
        sqlx::query(AssertSqlSafe(drop)).execute(&pool).await?;
    }
    sqlx::raw_sql(MIGRATION).execute(&pool).await?;
    assert_eq!(addresses(&pool).await?, expected);
    let missing: i64 = sqlx::query_scalar(
        "SELECT count(*) FROM information_schema.columns WHERE table_schema = 'disclosure' \
         AND column_name = 'record_address' AND table_name LIKE '%version' AND is_nullable = 'YES'",
    )
    .fetch_one(&pool)
    .await?;
    assert_eq!(missing, 0);
    fixture.bed.finish().await?;
    Ok(())
}
