//! The comparison of one record with all others: the base register, duplicates, changed identities, competence.

use anyhow::Result;
use event_bus::{BatchHandler, HandlerError};
use proto::credit::{
    catalog::events::v1::ProviderRegistered,
    common::v1::Operation,
    validation::{
        events::v1::{RecordAccepted, RecordReturned},
        v1::{CaseKind, CaseState, VerdictOutcome},
    },
};
use serde_json::json;
use testkit::{TestResult, eventually};

use crate::fixture::{
    OTHER, PROVIDER, SampleSubmission, ValidationFixture, WAIT_TIMEOUT, published, registered,
};

const ACCEPTED: VerdictOutcome = VerdictOutcome::Accepted;
const RETURNED: VerdictOutcome = VerdictOutcome::Returned;

async fn expect_verdict(
    fixture: &ValidationFixture,
    record: &SampleSubmission,
    outcome: VerdictOutcome,
    codes: &[&str],
) -> Result<()> {
    fixture.submit(&[record]).await?;
    let (found, with) = fixture.outcome_and_codes(record).await?;
    assert_eq!(
        (found, with),
        (outcome, codes.iter().map(|c| (*c).to_owned()).collect()),
        "{}",
        record.key
    );
    Ok(())
}

#[tokio::test]
async fn r13_a_name_and_a_code_that_disagree_are_never_accepted() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let named = |key: &str, number, name: &str| {
        SampleSubmission::penalty(key, number, json!({ "CF_XDR_MC": name }))
    };
    // Before the register knows the code there is no finding.
    expect_verdict(
        &fixture,
        &named("K-0", 1, "长沙某某商贸有限公司"),
        ACCEPTED,
        &[],
    )
    .await?;
    expect_verdict(
        &fixture,
        &SampleSubmission::registration("D-1", 2, json!({})),
        ACCEPTED,
        &[],
    )
    .await?;
    expect_verdict(
        &fixture,
        &named("K-2", 3, "湖南客偲家装饰工程有限公司"),
        ACCEPTED,
        &[],
    )
    .await?;
    let wrong = named("K-3", 4, "长沙某某商贸有限公司");
    expect_verdict(&fixture, &wrong, RETURNED, &["NAME_CODE_MISMATCH"]).await?;
    let finding = fixture.verdict(&wrong).await?.findings.remove(0);
    assert!(!finding.confirmable);
    assert_eq!(
        (&finding.field[..], &finding.suggestion[..]),
        ("CF_XDR_MC", "湖南客偲家装饰工程有限公司")
    );

    // Renamed: the finding names the earlier name, with the one in force.
    let renamed = json!({ "DJ_XDR_MC": "湖南客偲家建设有限公司", "DJ_HZRQ": "2026-11-16" });
    expect_verdict(
        &fixture,
        &SampleSubmission::registration("D-1", 5, renamed).revision(2),
        ACCEPTED,
        &[],
    )
    .await?;
    let former = named("K-4", 6, "湖南客偲家装饰工程有限公司");
    expect_verdict(&fixture, &former, ACCEPTED, &["NAME_FORMER"]).await?;
    let verdict = fixture.verdict(&former).await?;
    let finding = verdict
        .findings
        .iter()
        .find(|f| f.code == "NAME_FORMER")
        .unwrap();
    assert_eq!(finding.suggestion, "湖南客偲家建设有限公司");
    expect_verdict(
        &fixture,
        &named("K-5", 7, "湖南客偲家建设有限公司"),
        ACCEPTED,
        &[],
    )
    .await?;

    // A registration that is withdrawn no longer counts.
    let end = SampleSubmission::registration("D-1", 8, json!({}))
        .revision(2)
        .ended(Operation::Withdraw, 8, "误报");
    fixture.submit(&[&end]).await?;
    expect_verdict(
        &fixture,
        &named("K-6", 9, "任意名称有限公司"),
        ACCEPTED,
        &[],
    )
    .await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_the_register_of_a_batch_serves_the_records_behind_it() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let registration = SampleSubmission::registration("D-1", 1, json!({}));
    let wrong = SampleSubmission::penalty("K-2", 2, json!({ "CF_XDR_MC": "长沙某某商贸有限公司" }));
    fixture.submit(&[&registration, &wrong]).await?;
    assert_eq!(
        fixture.outcome_and_codes(&wrong).await?,
        (RETURNED, vec!["NAME_CODE_MISMATCH".to_owned()])
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn d11_an_individual_business_is_compared_without_its_mark() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let shop = json!({
        "DJ_XDR_MC": "岳麓区老刘米粉店（个体工商户）", "DJ_XDR_LB": "个体工商户",
        "DJ_XDR_SHXYM": "92430104MA4QQ0026Y", "DJ_LX": "个体工商户",
    });
    expect_verdict(
        &fixture,
        &SampleSubmission::registration("D-1", 1, shop),
        ACCEPTED,
        &[],
    )
    .await?;
    let fined = |key: &str, number, name: &str| {
        let changes = json!({
            "CF_XDR_LB": "个体工商户", "CF_XDR_MC": name, "CF_XDR_SHXYM": "92430104MA4QQ0026Y",
        });
        SampleSubmission::penalty(key, number, changes)
    };
    expect_verdict(
        &fixture,
        &fined("K-2", 2, "岳麓区老刘米粉店"),
        ACCEPTED,
        &[],
    )
    .await?;
    expect_verdict(
        &fixture,
        &fined("K-3", 3, "岳麓区老李米粉店"),
        RETURNED,
        &["NAME_CODE_MISMATCH"],
    )
    .await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_subject_that_was_cancelled_before_the_decision_is_asked_about() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let cancelled = json!({ "DJ_ZT": "注销", "DJ_ZZRQ": "2026-05-31" });
    expect_verdict(
        &fixture,
        &SampleSubmission::registration("D-1", 1, cancelled),
        ACCEPTED,
        &[],
    )
    .await?;
    // Decided on 2026-06-10.
    let late = SampleSubmission::penalty("K-2", 2, json!({}));
    expect_verdict(&fixture, &late, RETURNED, &["SUBJECT_CANCELLED"]).await?;
    let finding = fixture.verdict(&late).await?.findings.remove(0);
    assert!(finding.confirmable && finding.field == "CF_JDRQ");
    let before = SampleSubmission::penalty("K-3", 3, json!({ "CF_JDRQ": "2026-05-31" }));
    expect_verdict(&fixture, &before, ACCEPTED, &[]).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_two_providers_that_disagree_on_base_information_are_both_told() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let ours = SampleSubmission::registration("D-1", 1, json!({}));
    expect_verdict(&fixture, &ours, ACCEPTED, &[]).await?;
    let agreeing = SampleSubmission::registration("D-2", 1, json!({})).reported_by(OTHER);
    expect_verdict(&fixture, &agreeing, ACCEPTED, &[]).await?;
    let theirs =
        SampleSubmission::registration("D-3", 2, json!({ "DJ_XDR_MC": "湖南另一名称有限公司" }))
            .reported_by(OTHER);
    let theirs = SampleSubmission {
        key: "D-2".into(),
        ..theirs
    }
    .revision(2);
    expect_verdict(&fixture, &theirs, RETURNED, &["BASE_INFO_CONFLICT"]).await?;

    let cases = fixture.feedback(true).await?;
    let [case] = &cases[..] else {
        panic!("{cases:?}")
    };
    assert_eq!(
        (case.kind(), case.record_key.as_str()),
        (CaseKind::Contradicted, "D-1")
    );
    assert_eq!(case.version, fixture.submitted(&ours).version);
    assert_eq!(case.findings.len(), 1);
    assert_eq!(case.findings[0].code, "BASE_INFO_CONFLICT");
    // Neither sees the content of the other.
    let findings = format!(
        "{:?} {:?}",
        case.findings,
        fixture.verdict(&theirs).await?.findings
    );
    assert!(
        !findings.contains("客偲家") && !findings.contains("另一名称"),
        "{findings}"
    );
    // Again: one case.
    expect_verdict(
        &fixture,
        &theirs.clone().revision(3),
        RETURNED,
        &["BASE_INFO_CONFLICT"],
    )
    .await?;
    assert_eq!(fixture.feedback(true).await?.len(), 1);

    // The provider of the accepted one reports again and is accepted: its case is closed.
    let again =
        SampleSubmission::registration("D-1", 2, json!({ "DJ_XDR_MC": "湖南另一名称有限公司" }))
            .revision(2);
    expect_verdict(&fixture, &again, ACCEPTED, &[]).await?;
    let case = fixture.feedback(false).await?.remove(0);
    assert_eq!(case.state(), CaseState::ClosedByRereport);
    expect_verdict(&fixture, &theirs.clone().revision(4), ACCEPTED, &[]).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_the_same_decision_under_another_key_goes_back_with_the_own_ledger_number() -> TestResult
{
    let fixture = ValidationFixture::start().await?;
    let number = json!({ "CF_WSH": "长市监罚决〔2026〕777号" });
    expect_verdict(
        &fixture,
        &SampleSubmission::penalty("K-1", 41, number.clone()),
        ACCEPTED,
        &[],
    )
    .await?;
    let twice = SampleSubmission::penalty("K-2", 42, number.clone());
    expect_verdict(&fixture, &twice, RETURNED, &["DUPLICATE_RECORD"]).await?;
    let message = fixture.verdict(&twice).await?.findings.remove(0).message;
    assert!(message.contains("41"), "{message}");
    // Its own next version is no duplicate.
    expect_verdict(
        &fixture,
        &SampleSubmission::penalty("K-1", 43, number.clone()).revision(2),
        ACCEPTED,
        &[],
    )
    .await?;
    // A person's licence: the number of the document is of the person, and kept as a hash only.
    let licence = json!({ "XK_WSH": "长交运许〔2026〕45号" });
    expect_verdict(
        &fixture,
        &SampleSubmission::licence("L-1", 44, licence.clone()),
        ACCEPTED,
        &[],
    )
    .await?;
    expect_verdict(
        &fixture,
        &SampleSubmission::licence("L-2", 45, licence.clone()),
        RETURNED,
        &["DUPLICATE_RECORD"],
    )
    .await?;
    let another = json!({ "XK_WSH": "长交运许〔2026〕45号", "XK_XDR_ZJHM": "430102199003071234" });
    expect_verdict(
        &fixture,
        &SampleSubmission::licence("L-3", 46, another),
        ACCEPTED,
        &[],
    )
    .await?;
    // Two in one batch: the first one is accepted.
    let pair = ["P-1", "P-2"].map(|key| {
        SampleSubmission::penalty(key, 50, json!({ "CF_WSH": "长市监罚决〔2026〕778号" }))
    });
    fixture.submit(&[&pair[0], &pair[1]]).await?;
    assert_eq!(fixture.outcome_and_codes(&pair[0]).await?.0, ACCEPTED);
    assert_eq!(
        fixture.outcome_and_codes(&pair[1]).await?,
        (RETURNED, vec!["DUPLICATE_RECORD".to_owned()])
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_next_version_about_something_else_is_asked_about() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    expect_verdict(
        &fixture,
        &SampleSubmission::penalty("K-1", 1, json!({})),
        ACCEPTED,
        &[],
    )
    .await?;
    let other = SampleSubmission::penalty("K-1", 2, json!({ "CF_WSH": "长市监罚决〔2026〕999号" }))
        .revision(2);
    expect_verdict(&fixture, &other, RETURNED, &["IDENTITY_CHANGED"]).await?;
    assert!(fixture.verdict(&other).await?.findings[0].confirmable);
    let subject =
        json!({ "CF_XDR_MC": "湖南湘邮科技股份有限公司", "CF_XDR_SHXYM": "914300007225774774" });
    expect_verdict(
        &fixture,
        &SampleSubmission::penalty("K-1", 3, subject).revision(3),
        RETURNED,
        &["IDENTITY_CHANGED"],
    )
    .await?;
    // Other content about the same decision are a correction.
    expect_verdict(
        &fixture,
        &SampleSubmission::penalty("K-1", 4, json!({ "CF_NR": "罚款3000元。" })).revision(4),
        ACCEPTED,
        &[],
    )
    .await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_an_item_is_reported_by_the_organ_whose_catalogue_it_is() -> TestResult {
    let fixture = ValidationFixture::start_without_catalogue().await?;
    let items = credit_record::standard_items()?;
    let find = |code: &str| items.iter().rfind(|item| item.code == code).unwrap();
    let mut departments = published(find("xzcf"))?;
    departments.catalogue = "department".into();
    departments.organ = OTHER.into();
    let mut districts = published(find("xzxk"))?;
    districts.catalogue = "district".into();
    districts.district_code = "430104".into();
    let below = ProviderRegistered {
        parent_code: OTHER.into(),
        ..registered(PROVIDER, 1, "执法支队")
    };
    let events = [fixture.event(&departments), fixture.event(&districts)];
    fixture.bed.publish(&events).await?;
    fixture
        .bed
        .publish(&[
            fixture.event(&registered(PROVIDER, 1, "支队")),
            fixture.event(&registered(OTHER, 1, "局")),
        ])
        .await?;
    fixture.bed.wait_until_settled().await?;

    let foreign = SampleSubmission::penalty("K-1", 1, json!({}));
    expect_verdict(&fixture, &foreign, RETURNED, &["PROVIDER_NOT_COMPETENT"]).await?;
    assert!(!fixture.verdict(&foreign).await?.findings[0].confirmable);
    expect_verdict(
        &fixture,
        &SampleSubmission::penalty("K-2", 2, json!({})).reported_by(OTHER),
        ACCEPTED,
        &[],
    )
    .await?;
    expect_verdict(
        &fixture,
        &SampleSubmission::licence("L-1", 3, json!({})),
        RETURNED,
        &["PROVIDER_NOT_COMPETENT"],
    )
    .await?;
    // Put below that organ, and into that district.
    let moved = ProviderRegistered {
        revision: 2,
        district_code: "430104".into(),
        ..below
    };
    fixture.bed.publish(&[fixture.event(&moved)]).await?;
    fixture.bed.wait_until_settled().await?;
    expect_verdict(
        &fixture,
        &SampleSubmission::penalty("K-3", 4, json!({})),
        ACCEPTED,
        &[],
    )
    .await?;
    expect_verdict(
        &fixture,
        &SampleSubmission::licence("L-2", 5, json!({})),
        ACCEPTED,
        &[],
    )
    .await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_two_copies_never_accept_one_decision_twice() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let number = json!({ "CF_WSH": "长市监罚决〔2026〕555号" });
    let one = fixture.deliveries(&[&SampleSubmission::penalty("K-1", 1, number.clone())]);
    let two = fixture.deliveries(&[&SampleSubmission::penalty("K-2", 2, number)]);
    let (first_copy, second_copy) = (fixture.handler()?, fixture.handler()?);
    let mut first = fixture.pool.begin().await?;
    assert!(first_copy.handle(&mut first, &one).await?.is_empty());
    let pool = fixture.pool.clone();
    let waiting = tokio::spawn(async move {
        let mut second = pool.begin().await?;
        let overtaken = second_copy.handle(&mut second, &two).await;
        second.rollback().await?;
        assert!(
            matches!(overtaken, Err(HandlerError::Transient(_))),
            "{overtaken:?}"
        );
        // As the consumer does.
        let mut second = pool.begin().await?;
        second_copy.handle(&mut second, &two).await?;
        second.commit().await?;
        anyhow::Ok(())
    });
    eventually("the second waits for the first", WAIT_TIMEOUT, async || {
        let waiters: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&fixture.bed.owner_pool)
        .await?;
        anyhow::ensure!(waiters == 1, "{waiters} waiters");
        Ok(())
    })
    .await?;
    first.commit().await?;
    waiting.await??;
    assert_eq!(
        fixture.bed.emitted_events::<RecordAccepted>().await?.len(),
        1
    );
    let returned: Vec<RecordReturned> = fixture.bed.emitted_events().await?;
    assert_eq!(returned[0].finding_codes[0], "DUPLICATE_RECORD");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_two_copies_never_accept_contradicting_registrations() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let ours = fixture.deliveries(&[&SampleSubmission::registration("D-1", 1, json!({}))]);
    let theirs =
        SampleSubmission::registration("D-2", 1, json!({ "DJ_XDR_MC": "湖南另一名称有限公司" }));
    let theirs = fixture.deliveries(&[&theirs.reported_by(OTHER)]);
    let (first_copy, second_copy) = (fixture.handler()?, fixture.handler()?);
    let mut first = fixture.pool.begin().await?;
    first_copy.handle(&mut first, &ours).await?;
    let pool = fixture.pool.clone();
    let waiting = tokio::spawn(async move {
        let mut second = pool.begin().await?;
        second_copy.handle(&mut second, &theirs).await?;
        second.commit().await?;
        anyhow::Ok(())
    });
    eventually("the second waits for the first", WAIT_TIMEOUT, async || {
        let waiters: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&fixture.bed.owner_pool)
        .await?;
        anyhow::ensure!(waiters == 1, "{waiters} waiters");
        Ok(())
    })
    .await?;
    first.commit().await?;
    waiting.await??;
    let counted = fixture.statistics().await?;
    assert_eq!((counted.accepted, counted.returned), (1, 1));
    assert_eq!(
        fixture.feedback(true).await?[0].kind(),
        CaseKind::Contradicted
    );
    assert_eq!(
        PROVIDER,
        fixture.feedback(true).await?[0]
            .version
            .as_ref()
            .unwrap()
            .provider_code
    );
    fixture.finish().await?;
    Ok(())
}
