//! No citizen number, name or document number of a person in clear in any table of the schema.

use anyhow::Result;
use proto::credit::{common::v1::Operation, validation::v1::ConfirmRecordRequest};
use serde_json::json;
use sqlx::AssertSqlSafe;
use testkit::TestResult;

use crate::fixture::{
    PERSON_NAME, PERSON_NUMBER, SampleSubmission, ValidationFixture, wrong_credit_code,
};

/// Every row of every table as text; bytes show as hexadecimal digits.
async fn all_text(fixture: &ValidationFixture) -> Result<String> {
    let pool = fixture.bed.schema_pool().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(table_name) FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'",
    )
    .fetch_all(&pool)
    .await?;
    assert!(tables.len() >= 13, "{tables:?}");
    let mut text = String::new();
    for table in tables {
        let rows: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT t::text FROM {table} AS t")))
                .fetch_all(&pool)
                .await?;
        text.push_str(&rows.join("\n"));
    }
    Ok(text)
}

#[tokio::test]
async fn r4_nothing_personal_is_in_clear_in_any_table() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let faulty_number = "430102199003071243";
    let document = "长交运许〔2026〕45号";
    let accepted = SampleSubmission::licence(&format!("{PERSON_NUMBER}-1"), 1, json!({}));
    let returned = SampleSubmission::licence(
        &format!("{faulty_number}-2"),
        2,
        json!({ "XK_XDR_ZJHM": faulty_number, PERSON_NUMBER: PERSON_NAME }),
    );
    let organisation = SampleSubmission::penalty(
        "K-3",
        3,
        json!({ "CF_FRDB": PERSON_NAME, "CF_FR_ZJLX": "身份证", "CF_FR_ZJHM": format!(" {PERSON_NUMBER}") }),
    );
    // One that is parked: its payload lies in the dead letters.
    let mut poison = fixture.submitted(&SampleSubmission::licence("K-4", 4, json!({})));
    poison.ledger_number = 0;
    fixture
        .submit(&[&accepted, &returned, &organisation])
        .await?;
    // A reason that names her, and an attester.
    let ended = SampleSubmission::penalty("K-5", 5, json!({})).ended(
        Operation::Revoke,
        6,
        &format!("{PERSON_NAME}（{PERSON_NUMBER}）提起复议"),
    );
    let confirmed = SampleSubmission::penalty("K-6", 7, wrong_credit_code());
    fixture.submit(&[&ended, &confirmed]).await?;
    let cases = fixture.feedback(true).await?;
    let case = cases
        .into_iter()
        .find(|case| case.record_key == "K-6")
        .expect("a case");
    let confirmation = ConfirmRecordRequest {
        case_id: case.case_id,
        attester: PERSON_NAME.into(),
        statement: format!("经{PERSON_NAME}核对"),
    };
    fixture.provider()?.confirm_record(confirmation).await?;
    fixture.bed.publish(&[fixture.event(&poison)]).await?;
    fixture.parked(1).await?;
    assert_eq!(fixture.statistics().await?.accepted, 3);
    assert_eq!(
        fixture.feedback(true).await?[0].record_key,
        format!("{faulty_number}-2")
    );

    let text = all_text(&fixture).await?;
    // The search sees what is in clear, as text and inside of bytes.
    for visible in [
        "湖南客偲家装饰工程有限公司",
        "91430102MA4PX7RC64",
        "CITIZEN_CHECK",
    ] {
        assert!(
            text.contains(visible) || text.contains(&hex::encode(visible)),
            "{visible}"
        );
    }
    assert!(
        text.contains(&hex::encode("91430102MA4PX7RC64")),
        "outbox payloads are searched"
    );
    for secret in [PERSON_NUMBER, faulty_number, PERSON_NAME, document] {
        assert!(!text.contains(secret), "{secret} in clear");
        assert!(
            !text.contains(&hex::encode(secret)),
            "{secret} in clear in bytes"
        );
    }
    fixture.drop_parked().await?;
    fixture.finish().await?;
    Ok(())
}
