//! What comes in by events: each version stored once, poison parked, the catalogue late.

use std::time::Duration;

use anyhow::Context;
use prost::Message;
use proto::credit::{
    catalog::events::v1::{
        CodeListPublished, ItemRetired, ItemVersionPublished, ProviderRegistered,
    },
    validation::events::v1::NormalisedRecord,
};
use testkit::{TestResult, eventually};
use tonic::Code;

use crate::fixture::*;

#[tokio::test(flavor = "multi_thread")]
async fn each_version_is_stored_once_also_a_late_older_one() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let first = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let second = first.clone().revision(2);
    let person = person_penalty(2, "2026-03-02");
    fixture.accept(&[second.clone(), person.clone()]).await?;
    fixture
        .accept(&[first.clone(), second.clone(), person.clone()])
        .await?;
    assert_eq!(fixture.record(second.id).await?.organisation_code, HOSPITAL);
    assert_eq!(
        fixture.record(first.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(fixture.statistics().await?, [3, 1, 1, 0, 1]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_nothing_is_disclosed_before_the_catalogue_says_how() -> TestResult {
    let fixture = DisclosureFixture::start_without_catalogue().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    fixture.accept(std::slice::from_ref(&record)).await?;
    assert_eq!(
        fixture.record(record.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(fixture.own_of_organisation(HOSPITAL).await?.total, 0);
    assert_eq!(fixture.statistics().await?, [1, 0, 1, 0, 0]);
    fixture.publish_catalogue().await?;
    assert_eq!(fixture.record(record.id).await?.item_name, "行政处罚");
    assert_eq!(fixture.statistics().await?, [1, 1, 0, 0, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r3_the_newest_revision_of_a_provider_is_kept() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let registered = |revision: u64, name: &str| {
        new_event(&ProviderRegistered {
            code: PROVIDER.to_owned(),
            name: name.to_owned(),
            level: "city".to_owned(),
            district_code: String::new(),
            enabled: true,
            revision,
            ..ProviderRegistered::default()
        })
    };
    fixture
        .publish(&[registered(2, "新名称"), registered(1, "旧名称")])
        .await?;
    fixture.publish(&[registered(1, "旧名称")]).await?;
    let pool = fixture.bed.schema_pool().await?;
    let kept: Vec<(String, i64)> = sqlx::query_as("SELECT name, revision FROM provider")
        .fetch_all(&pool)
        .await?;
    assert_eq!(kept, [("新名称".to_owned(), 2)]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_a_person_in_clear_is_parked_and_the_lane_goes_on() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let keyring = &fixture.bed.context.keyring;
    let mut leak = person_penalty(1, "2026-03-02").accepted_event(keyring);
    leak.subject_name = "李四".to_owned();
    let good = penalty_record(2, HOSPITAL, "长沙市第一医院", "2026-03-02");
    // Another version under the same revision: the database refuses it, the rest of its batch is kept.
    let mut double = penalty_record(2, SOCIETY, "某某协会", "2026-03-02");
    double.id = uuid::Uuid::from_u128(77);
    let item = ItemVersionPublished {
        code: "xzcf".to_owned(),
        version: 2,
        name: "行政处罚".to_owned(),
        definition_json: "{}".to_owned(),
        ..ItemVersionPublished::default()
    };
    fixture.accept(std::slice::from_ref(&good)).await?;
    let after = penalty_record(3, SOCIETY, "某某协会", "2026-03-03");
    fixture
        .publish(&[
            new_event(&leak),
            new_event(&double.accepted_event(keyring)),
            new_event(&after.accepted_event(keyring)),
            new_event(&item),
        ])
        .await?;
    let pool = fixture.bed.schema_pool().await?;
    let reasons = eventually("three dead letters", Duration::from_secs(20), async || {
        let reasons: Vec<String> =
            sqlx::query_scalar("SELECT reason FROM dead_letter ORDER BY reason")
                .fetch_all(&pool)
                .await
                .unwrap_or_default();
        if reasons.len() == 3 {
            Ok(reasons)
        } else {
            Err(reasons)
        }
    })
    .await?;
    assert!(
        reasons.iter().any(|r| r.contains("R-14"))
            && reasons.iter().any(|r| r.contains("definition_json"))
    );
    assert!(reasons.iter().all(|r| !r.contains("李四")), "{reasons:?}");
    assert_eq!(fixture.record(good.id).await?.organisation_code, HOSPITAL);
    assert_eq!(fixture.record(after.id).await?.organisation_code, SOCIETY);
    assert_eq!(fixture.statistics().await?, [2, 2, 0, 0, 0]);
    sqlx::query("UPDATE dead_letter SET state = 'dropped'")
        .execute(&pool)
        .await?;
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_whose_rules_this_release_cannot_run_hides_no_record() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let items = credit_record::standard_items()?;
    let standard = items
        .iter()
        .find(|item| item.code == "xzcf" && item.version == 3);
    let mut definition = serde_json::to_value(standard.context("the penalty item")?)?;
    definition["version"] = 4.into();
    definition["rules"][0]["check"] = "function_of_a_later_release(CF_WSH)".into();
    let definition = definition.to_string();
    assert!(
        credit_record::ItemVersion::from_json(&definition).is_err(),
        "the lint of today refuses the rule"
    );
    let published = |definition_json: String| {
        new_event(&ItemVersionPublished {
            code: "xzcf".to_owned(),
            version: 4,
            name: "行政处罚".to_owned(),
            definition_json,
            ..ItemVersionPublished::default()
        })
    };
    let mut record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    record.version = 4;
    fixture.publish(&[published(definition)]).await?;
    fixture.accept(std::slice::from_ref(&record)).await?;
    eventually("the record is shown", Duration::from_secs(20), async || {
        fixture.record(record.id).await
    })
    .await?;
    assert_eq!(fixture.statistics().await?, [1, 1, 0, 0, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r6_a_record_of_2015_is_shown_by_its_own_fields_after_later_versions() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let keyring = &fixture.bed.context.keyring;
    let mut old = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    old.version = 1;
    let mut event_of_old = old.accepted_event(keyring);
    let values = [
        ("CF_WSH", "（长）工商罚〔2016〕12号"),
        ("CF_CFMC", "虚假广告案"),
        ("CF_CFLB1", "罚款"),
        ("CF_JG", "罚款2000元。"),
        ("CF_XZJG", "长沙市工商行政管理局"),
    ];
    let plain = NormalisedRecord {
        values: values
            .map(|(code, value)| (code.to_owned(), value.to_owned()))
            .into(),
        ..NormalisedRecord::default()
    };
    let sealed = keyring.seal(old.id.as_bytes(), &plain.encode_to_vec());
    event_of_old.sealed_record = sealed.into();
    let new = penalty_record(2, HOSPITAL, "长沙市第一医院", "2026-03-02");
    fixture
        .publish(&[
            new_event(&event_of_old),
            new_event(&new.accepted_event(keyring)),
        ])
        .await?;
    // The end of the item and a new code list are none of disclosure's business.
    let retired = ItemRetired {
        code: "xzcf".to_owned(),
        from_date: "2026-11-20".to_owned(),
        ..ItemRetired::default()
    };
    let list = CodeListPublished {
        code: "penalty-kind".to_owned(),
        version: 3,
        ..CodeListPublished::default()
    };
    fixture
        .publish(&[new_event(&retired), new_event(&list)])
        .await?;

    let shown = fixture.record(old.id).await?;
    let fields: Vec<_> = shown
        .fields
        .iter()
        .map(|field| {
            (
                field.code.as_str(),
                field.name.as_str(),
                field.value.as_str(),
            )
        })
        .collect();
    assert_eq!(
        fields,
        [
            ("CF_WSH", "行政处罚决定书文号", "（长）工商罚〔2016〕12号"),
            ("CF_CFMC", "处罚名称", "虚假广告案"),
            ("CF_CFLB1", "处罚类别1", "罚款"),
            ("CF_JG", "处罚结果", "罚款2000元。"),
            ("CF_XZJG", "处罚机关", "长沙市工商行政管理局"),
        ]
    );
    let shown = fixture.record(new.id).await?;
    assert!(shown.fields.iter().all(|field| field.code != "CF_CFMC"));
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 2);
    fixture.bed.finish().await?;
    Ok(())
}
