//! Verdicts of a dry run: the same as a report would get, and nothing is stored.

use anyhow::Result;
use proto::credit::validation::v1::{
    DryRunRecord, DryRunRequest, DryRunVerdict, Finding, VerdictOutcome,
};
use serde_json::json;
use service_kit::{identity::Role, reason::Reason};
use sqlx::AssertSqlSafe;
use testkit::{TestResult, refusal_of};
use tonic::Status;

use crate::fixture::{OTHER, SampleSubmission, ValidationFixture, wrong_credit_code};

fn dry_run_record(record: &SampleSubmission) -> DryRunRecord {
    DryRunRecord {
        item_code: record.item.to_owned(),
        item_version: record.version,
        record_key: record.key.clone(),
        content_type: record.content_type.to_owned(),
        content: record.content.clone().into(),
    }
}

async fn try_out(
    fixture: &ValidationFixture,
    records: Vec<DryRunRecord>,
) -> Result<Vec<DryRunVerdict>, Status> {
    let mut provider = fixture
        .provider()
        .map_err(|error| Status::internal(error.to_string()))?;
    Ok(provider
        .dry_run(DryRunRequest { records })
        .await?
        .into_inner()
        .verdicts)
}

/// Rows of every table of the schema.
async fn rows(fixture: &ValidationFixture) -> Result<Vec<(String, i64)>> {
    let pool = fixture.bed.schema_pool().await?;
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT quote_ident(table_name) FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' ORDER BY 1",
    )
    .fetch_all(&pool)
    .await?;
    let mut counts = Vec::new();
    for table in tables {
        let count = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(&pool)
            .await?;
        counts.push((table, count));
    }
    Ok(counts)
}

#[tokio::test]
async fn r13_a_dry_run_says_what_a_report_would_be_told_and_stores_nothing() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let number = json!({ "CF_WSH": "长市监罚决〔2026〕31号" });
    fixture
        .submit(&[
            &SampleSubmission::registration("D-1", 1, json!({})),
            &SampleSubmission::penalty("K-1", 2, number.clone()),
        ])
        .await?;
    let before = rows(&fixture).await?;

    let records = [
        SampleSubmission::penalty("N-1", 3, json!({ "CF_JDRQ": "2026/6/10" })),
        SampleSubmission::penalty("N-2", 4, wrong_credit_code()),
        SampleSubmission::penalty("N-3", 5, json!({ "CF_XDR_MC": "长沙某某商贸有限公司" })),
        // K-1 is about the same decision.
        SampleSubmission::penalty("N-4", 6, number.clone()),
        // Its next version.
        SampleSubmission::penalty("K-1", 7, number).revision(2),
        SampleSubmission::penalty("K-1", 8, json!({ "CF_WSH": "长市监罚决〔2026〕32号" }))
            .revision(3),
        // Twice in one request.
        SampleSubmission::penalty("N-5", 9, json!({ "CF_WSH": "长市监罚决〔2026〕33号" })),
        SampleSubmission::penalty("N-6", 10, json!({ "CF_WSH": "长市监罚决〔2026〕33号" })),
        SampleSubmission::licence("L-1", 11, json!({})),
    ];
    let verdicts = try_out(&fixture, records.iter().map(dry_run_record).collect()).await?;
    assert_eq!(rows(&fixture).await?, before);

    // What is reported now, one after the other, gets the same.
    for record in &records {
        fixture.submit(&[record]).await?;
    }
    assert_eq!(verdicts.len(), records.len());
    for (record, dry_run) in records.iter().zip(&verdicts) {
        let verdict = fixture.verdict(record).await?;
        assert_eq!(dry_run.outcome(), verdict.outcome(), "{}", record.key);
        // Only the ledger's number is not known before there is one.
        if record.key == "N-6" {
            let codes = |of: &[Finding]| of.iter().map(|f| f.code.clone()).collect::<Vec<_>>();
            assert_eq!(codes(&dry_run.findings), codes(&verdict.findings));
            assert!(dry_run.findings[0].message.contains("本次试校验"));
        } else {
            assert_eq!(dry_run.findings, verdict.findings, "{}", record.key);
        }
        assert_eq!(dry_run.changes, verdict.changes, "{}", record.key);
    }
    let returned = verdicts
        .iter()
        .filter(|verdict| verdict.outcome() == VerdictOutcome::Returned);
    assert_eq!(returned.count(), 5);
    assert!(!verdicts[0].changes.is_empty());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_dry_run_without_a_version_is_by_the_one_in_force() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let mut record = dry_run_record(&SampleSubmission::penalty("N-1", 1, json!({})));
    record.item_version = 0;
    record.record_key = String::new();
    let verdict = try_out(&fixture, vec![record.clone()]).await?.remove(0);
    assert_eq!(
        verdict.outcome(),
        VerdictOutcome::Accepted,
        "{:?}",
        verdict.findings
    );
    // In early 2018 the template of 2015 was in force, which has no such fields.
    fixture
        .bed
        .clock
        .set(time::macros::datetime!(2018-01-10 09:00 +8));
    let verdict = try_out(&fixture, vec![record]).await?.remove(0);
    assert!(
        verdict
            .findings
            .iter()
            .any(|finding| finding.code == "FORM_UNKNOWN_FIELD")
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_dry_run_that_cannot_be_made_says_why() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let now = fixture.bed.context.clock.now();
    let good = dry_run_record(&SampleSubmission::penalty("N-1", 1, json!({})));
    let unknown = DryRunRecord {
        item_code: "nothing".into(),
        item_version: 0,
        ..good.clone()
    };
    let unknown_version = DryRunRecord {
        item_version: u32::MAX,
        ..unknown.clone()
    };
    let later = DryRunRecord {
        item_version: 99,
        ..good.clone()
    };
    let no_version = DryRunRecord {
        item_version: u32::MAX,
        ..good.clone()
    };
    let typed = DryRunRecord {
        content_type: "text/html".into(),
        ..good.clone()
    };
    let unnamed = DryRunRecord {
        item_code: String::new(),
        ..good.clone()
    };
    // What the database would not take as text, with a version and without.
    let no_text = |item_version| DryRunRecord {
        item_code: "xzcf\0".into(),
        item_version,
        ..good.clone()
    };
    for (records, reason, field) in [
        (vec![], Reason::RecordsCountInvalid, "records"),
        (
            vec![good.clone(); 201],
            Reason::RecordsCountInvalid,
            "records",
        ),
        (
            vec![good.clone(), unknown],
            Reason::ItemUnknown,
            "records[1].item_code",
        ),
        (
            vec![unknown_version],
            Reason::ItemUnknown,
            "records[0].item_code",
        ),
        (
            vec![good.clone(), unnamed],
            Reason::ItemCodeMissing,
            "records[1].item_code",
        ),
        (
            vec![good.clone(), no_text(0)],
            Reason::ItemCodeInvalid,
            "records[1].item_code",
        ),
        (
            vec![no_text(good.item_version)],
            Reason::ItemCodeInvalid,
            "records[0].item_code",
        ),
        (
            vec![good.clone(), later],
            Reason::ItemVersionUnknown,
            "records[1].item_version",
        ),
        (
            vec![no_version],
            Reason::ItemVersionUnknown,
            "records[0].item_version",
        ),
        (
            vec![good.clone(), typed],
            Reason::ContentTypeInvalid,
            "records[1].content_type",
        ),
    ] {
        assert_eq!(
            refusal_of(try_out(&fixture, records).await).reason_and_field(),
            (reason, field)
        );
    }
    // Before the first version of any item nothing is in force.
    fixture
        .bed
        .clock
        .set(time::macros::datetime!(1990-01-10 09:00 +8));
    let none_in_force = DryRunRecord {
        item_version: 0,
        ..good.clone()
    };
    let answer = try_out(&fixture, vec![none_in_force]).await;
    assert_eq!(
        refusal_of(answer).reason_and_field(),
        (Reason::ItemVersionNotYetInForce, "records[0].item_version")
    );
    fixture.bed.clock.set(now);

    let mut nobody = fixture.client("", Role::Provider)?;
    let records = vec![good];
    let answer = nobody.dry_run(DryRunRequest { records }).await;
    assert_eq!(refusal_of(answer).reason, Reason::ProviderNotRegistered);
    // Tried for the caller and nobody else: the source unit is not it.
    let foreign =
        dry_run_record(&SampleSubmission::penalty("N-2", 1, json!({})).reported_by(OTHER));
    let verdict = try_out(&fixture, vec![foreign]).await?.remove(0);
    assert!(
        verdict
            .findings
            .iter()
            .any(|finding| finding.code == "SOURCE_NOT_CALLER")
    );
    fixture.finish().await?;
    Ok(())
}
