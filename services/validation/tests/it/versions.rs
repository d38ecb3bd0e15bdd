//! Versions of items side by side: each record by its own, also by one that this program cannot use.

use anyhow::ensure;
use credit_record::standard_items;
use proto::credit::{
    catalog::events::v1::{CodeListPublished, ItemRetired},
    validation::{
        events::v1::RecordAccepted,
        v1::{DryRunRecord, DryRunRequest, VerdictOutcome},
    },
};
use serde_json::json;
use service_kit::reason::Reason;
use testkit::{TestResult, eventually, refusal_of};

use crate::fixture::{OTHER, SampleSubmission, ValidationFixture, WAIT_TIMEOUT, published};

#[tokio::test]
async fn r6_a_record_of_2015_is_accepted_by_its_own_version_after_later_ones() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let old = SampleSubmission::penalty_of_2015("K-1", 1, json!({}));
    let new = SampleSubmission::penalty("K-2", 2, json!({}));
    // A field of 2018 means nothing in 2015, and the other way round.
    let mixed =
        SampleSubmission::penalty_of_2015("K-3", 3, json!({ "CF_XDR_LB": "法人及非法人组织" }));
    fixture.submit(&[&old, &new, &mixed]).await?;
    for (record, outcome) in [
        (&old, VerdictOutcome::Accepted),
        (&new, VerdictOutcome::Accepted),
        (&mixed, VerdictOutcome::Returned),
    ] {
        let verdict = fixture.verdict(record).await?;
        assert_eq!(verdict.outcome(), outcome, "{:?}", verdict.findings);
    }
    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let of_old = events
        .iter()
        .find(|event| event.version == fixture.submitted(&old).version)
        .expect("announced");
    assert_eq!(of_old.authority, "长沙市工商行政管理局");
    assert_eq!(of_old.subject_code, "91430102MA4PX7RC64");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r8_a_report_is_late_after_seven_working_days_of_the_published_calendar() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let decided =
        |key, number, day| SampleSubmission::penalty(key, number, json!({ "CF_JDRQ": day }));
    // Received on Friday 2026-11-20; Wednesday 11th to Friday 20th are seven working days.
    let in_time = decided("K-1", 1, "2026-11-11");
    let late = decided("K-2", 2, "2026-11-10");
    fixture.submit(&[&in_time, &late]).await?;
    assert_eq!(fixture.verdict(&in_time).await?.findings, []);
    let verdict = fixture.verdict(&late).await?;
    assert_eq!(verdict.outcome(), VerdictOutcome::Accepted);
    let codes: Vec<_> = verdict.findings.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(codes, ["LATE_REPORT"]);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_records_of_a_definition_that_this_program_cannot_use_are_parked_alone_until_it_can()
-> TestResult {
    let fixture = ValidationFixture::start().await?;
    let mut newer = standard_items()?
        .into_iter()
        .find(|item| (item.code.as_str(), item.version) == ("xzcf", 3))
        .expect("penalties have three versions");
    newer.version = 4;
    newer.effective_from = None;
    newer.predecessor = None;
    let mut event = published(&newer)?;
    let readable = std::mem::take(&mut event.definition_json);
    event.definition_json = readable.replacen('{', "{\"novelty\":true,", 1);
    fixture.bed.publish(&[fixture.event(&event)]).await?;
    let reasons = fixture.parked(1).await?;
    assert!(
        reasons[0].starts_with("definition_json: ") && reasons[0].contains("novelty"),
        "{reasons:?}"
    );

    let complaint = "validation definitions: records of item xzcf version 4 are parked";
    let complains = || {
        let complaints = fixture.bed.context.readiness.unready_reasons();
        let mut said = complaints.iter();
        said.any(|c| c.starts_with(complaint) && c.contains("novelty"))
    };
    // Before any record needs it.
    assert!(
        complains(),
        "{:?}",
        fixture.bed.context.readiness.unready_reasons()
    );

    let record = SampleSubmission {
        version: 4,
        ..SampleSubmission::penalty("K-1", 1, json!({}))
    };
    // A dry run does not wait and names the fault.
    let dry_run = DryRunRecord {
        item_code: record.item.to_owned(),
        item_version: 4,
        content_type: record.content_type.to_owned(),
        content: record.content.clone().into(),
        ..DryRunRecord::default()
    };
    let records = vec![dry_run];
    let answer = fixture.provider()?.dry_run(DryRunRequest { records }).await;
    assert_eq!(
        refusal_of(answer).reason_and_field(),
        (Reason::DefinitionUnusable, "records[0].item_version")
    );
    let other = SampleSubmission {
        provider: OTHER,
        ..SampleSubmission::penalty("K-2", 1, json!({ "CF_CFJGDM": OTHER, "CF_SJLYDM": OTHER }))
    };
    // One batch, in which the unusable one comes first.
    fixture.submit(&[&record, &other]).await?;
    let reasons = fixture.parked(2).await?;
    let reason = "records of item xzcf version 4 are parked: its definition needs a newer program";
    assert!(
        reasons
            .iter()
            .any(|r| r.starts_with(reason) && r.contains("novelty")),
        "{reasons:?}"
    );
    let verdict = fixture.verdict(&other).await?;
    assert_eq!(
        verdict.outcome(),
        VerdictOutcome::Accepted,
        "{:?}",
        verdict.findings
    );
    assert_eq!(fixture.statistics().await?.accepted, 1);
    // Version 3 was compiled for the other record; version 4 still cannot be used.
    assert!(complains());
    // Too early: parked again.
    assert_eq!(fixture.retry_parked("validation-records").await?, 1);
    let owner = fixture.bed.schema_pool().await?;
    eventually("it is parked again", WAIT_TIMEOUT, async || {
        let letters = event_bus::dead_letters::list_letters(&owner).await?;
        let mut again = letters.iter().filter(|letter| letter.attempts == 2);
        ensure!(again.any(|letter| letter.state == "parked"), "{letters:?}");
        Ok(())
    })
    .await?;

    // What a newer program does: it can use what is kept.
    sqlx::query("UPDATE item_version SET definition = $1::jsonb WHERE version = 4")
        .bind(&readable)
        .execute(&owner)
        .await?;
    owner.close().await;
    assert_eq!(fixture.retry_parked("validation-records").await?, 1);
    let verdict = eventually("the parked record is judged", WAIT_TIMEOUT, async || {
        fixture.verdict(&record).await
    })
    .await?;
    assert_eq!(verdict.outcome(), VerdictOutcome::Accepted);
    eventually("the complaint is over", WAIT_TIMEOUT, async || {
        ensure!(!complains());
        Ok(())
    })
    .await?;
    fixture.drop_parked().await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn events_of_the_catalogue_that_mean_nothing_here_pass_by() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let retired = ItemRetired {
        code: "xzcf".into(),
        from_date: "2026-11-20".into(),
        ..Default::default()
    };
    let list = CodeListPublished {
        code: "penalty-kind".into(),
        version: 3,
        ..Default::default()
    };
    fixture
        .bed
        .publish(&[fixture.event(&retired), fixture.event(&list)])
        .await?;
    // What was received before the end of its item is judged all the same.
    let record = SampleSubmission::penalty("K-1", 1, json!({}));
    fixture.submit(&[&record]).await?;
    let verdict = fixture.verdict(&record).await?;
    assert_eq!(verdict.outcome(), VerdictOutcome::Accepted);
    fixture.finish().await?;
    Ok(())
}
