//! the public role cannot read persons, versions cannot be altered, and no personal text is in clear
//! in any table.

use proto::credit::common::v1::Operation;
use testkit::TestResult;

use crate::fixture::*;

#[tokio::test(flavor = "multi_thread")]
async fn r14_the_public_role_reads_organisations_and_nothing_else() -> TestResult {
    let bed = start_bed().await?;
    let url = bed.url_for(disclosure::PUBLIC_ROLE)?;
    let public = service_kit::db::connect_lazy(&url, disclosure::SCHEMA, 2)?;
    let tables: Vec<(String, bool)> = sqlx::query_as(
        "SELECT relname::text, relkind = 'v' FROM pg_class WHERE relnamespace = 'disclosure'::regnamespace \
         AND relkind IN ('r', 'p', 'v', 'm') ORDER BY relname",
    )
    .fetch_all(&bed.owner_pool)
    .await?;
    let mut readable = Vec::new();
    for (table, is_view) in tables {
        let select = sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}"));
        match sqlx::query(select).execute(&public).await {
            Ok(_) => readable.push(table.clone()),
            Err(error) => assert!(
                error.to_string().contains("permission denied"),
                "{table}: {error}"
            ),
        }
        if is_view {
            continue;
        }
        for change in ["DELETE FROM", "TRUNCATE"] {
            let change = sqlx::AssertSqlSafe(format!("{change} {table}"));
            let error = sqlx::query(change).execute(&public).await.unwrap_err();
            assert!(
                error.to_string().contains("permission denied"),
                "{table}: {error}"
            );
        }
    }
    assert_eq!(
        readable,
        [
            "item_version",
            "objection_mark",
            "organisation_name",
            "organisation_revocation",
            "organisation_version"
        ]
    );
    bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_the_service_itself_cannot_alter_or_remove_a_version() -> TestResult {
    let bed = start_bed().await?;
    let own = service_kit::db::connect_lazy(&bed.database_url, disclosure::SCHEMA, 2)?;
    for statement in [
        "UPDATE organisation_version SET sealed_record = ''",
        "UPDATE person_version SET effective_date = '2030-01-01'",
        "DELETE FROM organisation_version",
        "DELETE FROM person_version",
        "DELETE FROM record_head",
        "UPDATE item_version SET term_years = 30",
        "DELETE FROM objection_mark",
        "UPDATE revocation SET sealed_reason = ''",
        "DELETE FROM revocation",
        "TRUNCATE revocation",
    ] {
        let error = sqlx::query(statement).execute(&own).await.unwrap_err();
        assert!(
            error.to_string().contains("permission denied"),
            "{statement}: {error}"
        );
    }
    bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r4_no_table_holds_a_persons_name_or_number_in_clear() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let mut person = person_penalty(1, "2026-03-02");
    person.document = "长公罚〔2026〕唯一77号".to_owned();
    let mut organisation = licence_record(2, HOSPITAL, "长沙市第一医院", "2026-03-02");
    organisation.document = format!("许可{CITIZEN}号");
    fixture
        .accept(&[
            person,
            organisation,
            penalty_record(3, SOCIETY, "某某协会", "2026-03-02"),
        ])
        .await?;
    assert_eq!(fixture.own_of_person(CITIZEN).await?.total, 1);
    let reason = format!("当事人{CITIZEN_NAME}（{CITIZEN}）复议，长公罚〔2026〕唯一77号撤销");
    let revoked = person_penalty(1, "2026-03-02").revision(2);
    fixture
        .end_record(&revoked, Operation::Revoke, &reason)
        .await?;
    assert_eq!(fixture.own_of_person(CITIZEN).await?.revocations.len(), 1);

    let pool = fixture.bed.schema_pool().await?;
    let tables: Vec<String> =
        sqlx::query_scalar("SELECT tablename::text FROM pg_tables WHERE schemaname = 'disclosure'")
            .fetch_all(&pool)
            .await?;
    let (mut rows, mut control) = (0, false);
    for table in tables {
        let dump = sqlx::AssertSqlSafe(format!("SELECT t::text FROM {table} t"));
        for row in sqlx::query_scalar::<_, String>(dump)
            .fetch_all(&pool)
            .await?
        {
            rows += 1;
            control |= row.contains("某某协会");
            for secret in [CITIZEN, CITIZEN_NAME, "唯一77号"] {
                let in_hex = hex::encode(secret);
                assert!(
                    !row.contains(secret) && !row.contains(&in_hex),
                    "{table} holds {secret}"
                );
            }
        }
    }
    assert!(control && rows > 10, "the search looks at the rows: {rows}");
    fixture.bed.finish().await?;
    Ok(())
}
