//! R-12: originals cannot be altered by the service that keeps them, and hold no personal data in
//! clear.

use anyhow::Result;
use proto::credit::{
    common::v1::Operation,
    ingest::v1::{
        ReadOriginalRequest, ReplayRulesRequest, ReportNilRequest, replay_rules_request::Offered,
    },
};
use service_kit::identity::Role;
use sqlx::{AssertSqlSafe, Executor};
use testkit::TestResult;

use crate::fixture::{IngestFixture, PROVIDER, PROVIDERS, ending, submission, submit};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_the_service_has_no_privilege_to_alter_originals() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let receipt = submit(&mut client, submission("1", "k", b"{}")).await?;
    fill_append_only_tables(&fixture, &receipt.record_id).await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    let who: String = sqlx::query_scalar("select current_user::text")
        .fetch_one(&fixture.pool)
        .await?;
    assert_eq!(who, ingest::SCHEMA, "this is the service's own role");
    for (table, column) in [
        ("original", "content_sha256 = ''"),
        ("submission", "unchanged = true"),
        ("outbox", "payload = ''"),
        ("nil_report", "period_to = period_to"),
        ("original_access", "sealed_reason = ''"),
        ("original_read", "sealed_reason = ''"),
        ("reload_line", "unchanged = true"),
    ] {
        let rows: i64 = fixture.count(table).await?;
        assert!(rows > 0, "{table} has something to alter");
        for statement in [
            format!("update {table} set {column}"),
            format!("delete from {table}"),
            format!("truncate {table}"),
            format!("drop table {table}"),
            format!("alter table {table} disable trigger all"),
            format!("create rule r as on insert to {table} do instead nothing"),
            format!("grant update on {table} to {who}"),
            format!("merge into {table} using (select 1) s on true when matched then delete"),
        ] {
            let outcome = fixture.pool.execute(AssertSqlSafe(statement.clone())).await;
            // A grant without the right to grant is a warning and grants nothing.
            if statement.starts_with("grant") {
                continue;
            }
            let error = outcome.err().unwrap_or_else(|| panic!("done: {statement}"));
            let code = error.as_database_error().and_then(|e| e.code());
            assert_eq!(code.as_deref(), Some("42501"), "{statement}: {error}");
        }
        let update = format!("update {table} set {column}");
        let again = fixture.pool.execute(AssertSqlSafe(update)).await;
        assert!(again.is_err(), "the grant to itself granted nothing");
    }
    assert_eq!(fixture.snapshot().await?, before);
    fixture.finish().await?;
    Ok(())
}

/// Puts something into every append-only table, through the RPC that writes it.
async fn fill_append_only_tables(fixture: &IngestFixture, record_id: &str) -> Result<()> {
    let mut client = fixture.client(PROVIDER)?;
    let nil = ReportNilRequest {
        submission_id: "nil".to_owned(),
        item_code: "xzxk".to_owned(),
        period_from: "2026-11-01".to_owned(),
        period_to: "2026-11-19".to_owned(),
    };
    client.report_nil(nil).await?;
    let read = ReadOriginalRequest {
        record_id: record_id.to_owned(),
        reason: String::new(),
    };
    client.read_original(read).await?;
    let lines = [("k", "{}")];
    let reload = crate::reload::ReloadSteps::new("r", &lines).end(1);
    reload.run(&mut client).await?;
    let mut office = fixture.client_as(PROVIDERS[1], Role::CreditOffice)?;
    let replay = ReplayRulesRequest {
        offered: Some(Offered::DefinitionToml(
            crate::replay::definition_in_force()?
        )),
        reason: "试算".to_owned(),
        ..ReplayRulesRequest::default()
    };
    let mut steps = office.replay_rules(replay).await?.into_inner();
    while steps.message().await?.is_some() {}
    Ok(())
}

/// Columns of the schema that contain `needle`, as text or as bytes.
async fn places(fixture: &IngestFixture, needle: &str) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for table in fixture.tables().await? {
        let columns: Vec<String> = sqlx::query_scalar(
            "select column_name::text from information_schema.columns
             where table_schema = current_schema() and table_name = $1",
        )
        .bind(&table)
        .fetch_all(&fixture.owner)
        .await?;
        for column in columns {
            // Bytes show as hexadecimal digits.
            let statement = format!(
                "select count(*) from {table}
                 where strpos({column}::text, $1) > 0 or strpos({column}::text, $2) > 0"
            );
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(statement))
                .bind(needle)
                .bind(hex::encode(needle))
                .fetch_one(&fixture.owner)
                .await?;
            if rows > 0 {
                found.push(format!("{table}.{column}"));
            }
        }
    }
    Ok(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_no_personal_data_stands_in_clear_anywhere_in_the_schema() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let (number, name) = ("430102199003071234", "欧阳梓涵");
    let content = format!("{{\"证件号码\":\"{number}\",\"姓名\":\"{name}\"}}");
    // A department may well use the citizen number in its keys.
    for n in 0..3 {
        let id = format!("{number}-{n}");
        let key = format!("{name}/{number}/{n}");
        submit(&mut client, submission(&id, &key, content.as_bytes())).await?;
    }
    // Ids of nil reports and reloads may hold it too, and reasons for a withdrawal and for reading.
    let nil = ReportNilRequest {
        submission_id: format!("{name}{number}"),
        item_code: "xzxk".to_owned(),
        period_from: "2026-10-01".to_owned(),
        period_to: "2026-10-31".to_owned(),
    };
    client.report_nil(nil).await?;
    let lines = [(name, "{}")];
    let reload = crate::reload::ReloadSteps::new(number, &lines).end(1);
    reload.run(&mut client).await?;
    let reason = format!("误报{name}的记录，证件号码{number}");
    let withdrawal = ending("end", name, Operation::Withdraw, &reason);
    let withdrawn = submit(&mut client, withdrawal).await?;
    let read = ReadOriginalRequest {
        record_id: withdrawn.record_id,
        reason: reason.clone(),
    };
    client.read_original(read).await?;
    // And a submission that is refused leaves nothing either.
    let mut refused = submission(number, number, content.as_bytes());
    refused.item_code = "nowhere".to_owned();
    assert!(submit(&mut client, refused).await.is_err());

    let received = fixture.received_events().await?;
    assert_eq!(received.len(), 3 + 1 + 1);
    for needle in [number, name] {
        assert_eq!(places(&fixture, needle).await?, Vec::<String>::new());
        for event in &received {
            let bytes = prost::Message::encode_to_vec(event);
            let stands = bytes.windows(needle.len()).any(|w| w == needle.as_bytes());
            assert!(!stands, "on the bus");
        }
    }
    // The search finds what is there: text, and bytes inside bytes.
    let found = places(&fixture, PROVIDER).await?;
    for place in ["original.provider_code", "outbox.payload"] {
        assert!(found.iter().any(|f| f == place), "{place}: {found:?}");
    }
    fixture.finish().await?;
    Ok(())
}
