//! Decisions of the catalogue take effect on their day, at midnight in Changsha, with nothing having to run and with
//! the catalog service down: in these tests it never runs at all.

use anyhow::Result;
use event_bus::NewEvent;
use prost::{Message, Name};
use proto::credit::{
    catalog::events::v1::{
        CodeListPublished, ItemRetired, ItemVersionPublished, ProviderRegistered,
    },
    ingest::v1::GetReportingScopeRequest,
};
use testkit::{Reason, TestResult, service::RefusalDetails};
use time::macros::datetime;
use tonic::{Code, Status};

use crate::fixture::{
    IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, receipt_of, submission, submit,
};

fn event<M: Message + Name>(message: &M) -> NewEvent {
    NewEvent::new(message, datetime!(2026-11-20 09:00 +8), "")
}

fn version(code: &str, version: u32, effective_from: &str) -> ItemVersionPublished {
    ItemVersionPublished {
        code: code.to_owned(),
        version,
        name: format!("事项{code}第{version}版"),
        effective_from: effective_from.to_owned(),
        ..ItemVersionPublished::default()
    }
}

async fn announce(fixture: &IngestFixture, events: &[NewEvent]) -> Result<()> {
    fixture.bed.publish(events).await?;
    fixture.bed.wait_until_settled().await
}

/// Code and version of the items in force.
async fn scope(client: &mut IngestTestClient) -> Result<Vec<(String, u32)>, Status> {
    let scope = client.get_reporting_scope(GetReportingScopeRequest {});
    let items = scope.await?.into_inner().items;
    Ok(items
        .into_iter()
        .map(|item| (item.item_code, item.item_version))
        .collect())
}

/// The version that a record was pinned to.
async fn pinned(fixture: &IngestFixture, record_id: &str) -> Result<i32> {
    let id: uuid::Uuid = record_id.parse()?;
    let statement = "select item_version from original where record_id = $1";
    Ok(sqlx::query_scalar(statement)
        .bind(id)
        .fetch_one(&fixture.owner)
        .await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_a_version_comes_into_force_at_midnight_in_changsha_without_the_catalog() -> TestResult {
    let mut fixture = IngestFixture::start().await?;
    announce(&fixture, &[event(&version("xzcf", 3, "2026-11-21"))]).await?;
    // Catalogue facts are in tables: a restart without a catalog forgets nothing.
    fixture.restart().await?;
    let mut client = fixture.client(PROVIDER)?;

    fixture
        .bed
        .clock
        .set(datetime!(2026-11-20 23:59:59.999_999 +8));
    let before = submit(&mut client, submission("1", "k1", b"{}")).await?;
    assert_eq!(pinned(&fixture, &before.record_id).await?, 2);
    assert_eq!(
        scope(&mut client).await?,
        [("xzcf".into(), 2), ("xzxk".into(), 1)]
    );
    let mut early = submission("2", "k2", b"{}");
    early.item_version = 3;
    let status = submit(&mut client, early.clone()).await.unwrap_err();
    let refusal = RefusalDetails::from_status(&status);
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(
        refusal.reason_and_field(),
        (Reason::ItemVersionNotYetInForce, "item_version")
    );
    assert_eq!(
        refusal.rule,
        "the day of receipt is not before effective_from of the version"
    );
    assert!(
        status.message().contains("2026-11-21"),
        "{}",
        status.message()
    );

    fixture.bed.clock.set(datetime!(2026-11-21 00:00 +8));
    let after = submit(&mut client, submission("3", "k3", b"{}")).await?;
    assert_eq!(pinned(&fixture, &after.record_id).await?, 3);
    let asked = submit(&mut client, early).await?;
    assert_eq!(pinned(&fixture, &asked.record_id).await?, 3);
    assert_eq!(
        scope(&mut client).await?,
        [("xzcf".into(), 3), ("xzxk".into(), 1)]
    );
    // Records of older versions are pinned to theirs.
    let mut older = submission("4", "k4", b"{}");
    older.item_version = 1;
    let older = submit(&mut client, older).await?;
    assert_eq!(pinned(&fixture, &older.record_id).await?, 1);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_a_retired_item_is_refused_from_its_day_and_names_its_successor() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let retired = ItemRetired {
        code: "xzxk".to_owned(),
        from_date: "2026-11-21".to_owned(),
        reason: "并入行政处罚".to_owned(),
        successor_code: "xzcf".to_owned(),
    };
    let list = CodeListPublished {
        code: "penalty-kind".to_owned(),
        version: 3,
        ..CodeListPublished::default()
    };
    announce(&fixture, &[event(&retired), event(&list)]).await?;
    let mut licence = submission("1", "k1", b"{}");
    licence.item_code = "xzxk".to_owned();
    let given = submit(&mut client, licence.clone()).await?;

    fixture.bed.clock.set(datetime!(2026-11-21 00:00 +8));
    for version in [0, 1] {
        let mut late = licence.clone();
        late.submission_id = format!("late-{version}");
        late.record_key = format!("new-{version}");
        late.item_version = version;
        let status = submit(&mut client, late).await.unwrap_err();
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(status.code(), Code::FailedPrecondition);
        assert_eq!(
            refusal.reason_and_field(),
            (Reason::ItemRetired, "item_code")
        );
        let message = status.message();
        assert!(
            message.contains("事项xzcf") && message.contains("2026-11-21"),
            "{message}"
        );
    }
    assert_eq!(scope(&mut client).await?, [("xzcf".into(), 2)]);
    // A receipt that was given stays given.
    assert_eq!(submit(&mut client, licence.clone()).await?, given);
    assert_eq!(receipt_of(&mut client, "1").await?, given);
    // What was reported in time is corrected for as long as anybody finds a fault in it.
    for (revision, version) in [(2, 0), (3, 1)] {
        let content = format!("{{\"revision\":{revision}}}");
        let id = format!("correction-{version}");
        let mut correction = submission(&id, &licence.record_key, content.as_bytes());
        correction.item_code = licence.item_code.clone();
        correction.item_version = version;
        let receipt = submit(&mut client, correction).await?;
        assert_eq!(receipt.revision, revision);
        assert_eq!(pinned(&fixture, &receipt.record_id).await?, 1);
    }
    // Another provider has reported nothing under this key: a new record.
    let mut stranger = fixture.client(PROVIDERS[1])?;
    let mut other = licence;
    other.submission_id = "stranger".to_owned();
    let status = submit(&mut stranger, other).await.unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ItemRetired
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_a_provider_reports_from_its_first_to_its_last_day() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let registered = ProviderRegistered {
        code: PROVIDER.to_owned(),
        name: "长沙市市场监督管理局".to_owned(),
        level: "city".to_owned(),
        enabled: true,
        revision: 2,
        valid_from: "2026-11-21".to_owned(),
        valid_until: "2026-11-22".to_owned(),
        ..ProviderRegistered::default()
    };
    announce(&fixture, &[event(&registered)]).await?;
    let mut client = fixture.client(PROVIDER)?;
    for (now, refused) in [
        (
            datetime!(2026-11-20 23:59:59 +8),
            Some(Reason::ProviderNotYetValid),
        ),
        (datetime!(2026-11-21 00:00 +8), None),
        (datetime!(2026-11-22 23:59:59 +8), None),
        (
            datetime!(2026-11-23 00:00 +8),
            Some(Reason::ProviderExpired),
        ),
    ] {
        fixture.bed.clock.set(now);
        let answer = submit(
            &mut client,
            submission(&now.to_string(), "k", now.to_string().as_bytes()),
        );
        let answer = answer.await;
        let Some(expected) = refused else {
            answer?;
            scope(&mut client).await?;
            continue;
        };
        for status in [answer.unwrap_err(), scope(&mut client).await.unwrap_err()] {
            let refusal = RefusalDetails::from_status(&status);
            assert_eq!(refusal.reason_and_field(), (expected, "authorization"));
            assert!(refusal.rule.contains("the registration"), "{refusal:?}");
            assert_eq!(status.code(), Code::PermissionDenied);
        }
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_a_version_never_changes_but_one_without_its_definition_is_completed() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let with = |definition: &str| {
        event(&ItemVersionPublished {
            definition_json: definition.to_owned(),
            ..version("xzcf", 2, "2026-11-01")
        })
    };
    // Known since before definitions were kept; then announced whole, then by mistake with other content.
    for definition in ["{\"a\":1}", "{\"a\":2}", ""] {
        announce(&fixture, &[with(definition)]).await?;
    }
    let kept: (Option<String>, Option<String>, String) = sqlx::query_as(
        "select definition, effective_from::text, name from item_version
         where code = 'xzcf' and version = 2",
    )
    .fetch_one(&fixture.owner)
    .await?;
    assert_eq!(
        kept,
        (
            Some("{\"a\":1}".into()),
            Some("2026-11-01".into()),
            "事项xzcf".into()
        )
    );
    fixture.finish().await?;
    Ok(())
}
