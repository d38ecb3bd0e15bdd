//! What the tables hold: nothing of a person in clear, nothing that the service can rewrite.

use proto::credit::objection::v1::AnswerDecision;
use time::macros::datetime;

use crate::fixture::{
    CITIZEN, ObjectionFixture, answer_objection, file_objection, sample_application,
    transfer_objection,
};

#[tokio::test]
async fn nothing_of_the_applicant_lies_in_clear_in_any_table() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let filed = file_objection(&fixture.citizen(CITIZEN), sample_application(CITIZEN))
        .await
        .unwrap();
    let id = filed.objection_id;
    transfer_objection(&fixture.office(), &id).await.unwrap();
    let text = format!("{CITIZEN} 的处罚决定仍然有效");
    answer_objection(&fixture.provider(), &id, AnswerDecision::Keep, &text)
        .await
        .unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'objection'",
    )
    .fetch_all(&fixture.pool)
    .await
    .unwrap();
    assert!(tables.iter().any(|t| t == "evidence") && tables.iter().any(|t| t == "outbox"));
    let mut rows = 0;
    for table in tables {
        let all = format!("select t::text from objection.{table} t");
        let texts: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(all))
            .fetch_all(&fixture.pool)
            .await
            .unwrap();
        rows += texts.len();
        for needle in [CITIZEN, "处罚决定", "撤销决定书", "身份证", "%PDF"] {
            // Binary columns print as hex.
            let hex = hex::encode(needle);
            for text in &texts {
                assert!(!text.contains(needle), "{needle} in {table}");
                assert!(!text.contains(&hex), "{needle} in {table}");
            }
        }
    }
    assert!(rows > 8, "the search looked at {rows} rows");
    fixture.finish().await;
}

#[tokio::test]
async fn the_service_can_neither_rewrite_nor_delete_what_was_handed_in() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    let pool = service_kit::db::connect_lazy(&fixture.bed.database_url, "objection", 1).unwrap();
    for forbidden in [
        "update objection set sealed_statement = ''",
        "update objection set filed_at = now()",
        "update objection set provider_code = ''",
        "update evidence set sealed_content = ''",
        "delete from evidence",
        "delete from objection",
        "truncate evidence",
    ] {
        let error = sqlx::query(forbidden).execute(&pool).await.unwrap_err();
        let code = error.as_database_error().and_then(|e| e.code());
        assert_eq!(code.as_deref(), Some("42501"), "{forbidden}: {error}");
    }
    pool.close().await;
    fixture.finish().await;
}

#[tokio::test]
async fn damaged_content_is_never_shown() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let first = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    let second = file_objection(&fixture.company(), sample_application("r-2"))
        .await
        .unwrap();
    // Somebody with the owner's rights swaps two statements.
    sqlx::query(
        "update objection a set sealed_statement = b.sealed_statement
         from objection b where a.objection_id <> b.objection_id",
    )
    .execute(&fixture.pool)
    .await
    .unwrap();
    for id in [first.objection_id, second.objection_id] {
        let refused = crate::fixture::get_objection(&fixture.company(), &id)
            .await
            .unwrap_err();
        assert_eq!(refused.code(), tonic::Code::Internal);
        assert!(!refused.message().contains(CITIZEN));
    }
    fixture.finish().await;
}
