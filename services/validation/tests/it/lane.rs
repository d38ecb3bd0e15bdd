//! The lane never stalls: poison, late catalogue, large batches, facts that come out of order.

use event_bus::{BatchHandler, HandlerError};
use prost::Name;
use proto::credit::{
    catalog::events::v1::{ItemVersionPublished, ProviderRegistered},
    ingest::events::v1::RecordSubmitted,
    validation::{events::v1::RecordAccepted, v1::VerdictOutcome},
};
use serde_json::json;
use testkit::{TestResult, eventually};

use crate::fixture::{
    OTHER, PROVIDER, SampleSubmission, ValidationFixture, WAIT_TIMEOUT, published, registered,
    wrong_credit_code,
};

#[tokio::test]
async fn poison_is_parked_with_its_reason_and_the_lane_goes_on() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let before = SampleSubmission::penalty("K-1", 1, json!({}));
    let sealed_elsewhere = SampleSubmission::penalty("K-2", 2, json!({}));
    let malformed = SampleSubmission::penalty("K-3", 3, json!({}));
    let after = SampleSubmission::penalty("K-4", 4, json!({}));

    let mut moved = fixture.submitted(&sealed_elsewhere);
    moved.sealed_content = fixture.submitted(&before).sealed_content;
    let mut short = fixture.submitted(&malformed);
    short.version.as_mut().unwrap().key_digest = vec![1; 31].into();
    let good = [&before, &after].map(|record| fixture.event(&fixture.submitted(record)));
    let subject = fixture.bed.bus.subject(&RecordSubmitted::full_name());
    fixture
        .bed
        .publish_raw(&subject, b"no batch of events".to_vec())
        .await?;
    fixture
        .bed
        .publish(&[
            good[0].clone(),
            fixture.event(&moved),
            fixture.event(&short),
            good[1].clone(),
        ])
        .await?;

    let reasons = fixture.parked(3).await?;
    let has = |part: &str| reasons.iter().any(|reason| reason.contains(part));
    assert!(has("sealed_content does not open"), "{reasons:?}");
    assert!(has("version.key_digest: 32 bytes"), "{reasons:?}");
    fixture.bed.wait_until_settled().await?;
    for record in [&before, &after] {
        assert_eq!(
            fixture.verdict(record).await?.outcome(),
            VerdictOutcome::Accepted
        );
    }
    assert_eq!(
        fixture.bed.emitted_events::<RecordAccepted>().await?.len(),
        2
    );
    assert_eq!(fixture.drop_parked().await?, 3);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_version_that_contradicts_the_ledger_is_parked_alone() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let kept = SampleSubmission::penalty("K-1", 1, json!({}));
    let neighbour = SampleSubmission::penalty("K-2", 2, json!({}));
    fixture.submit(&[&kept]).await?;
    // Another record that claims the same revision of the same key: ingest never gives one twice.
    let mut twin = fixture.submitted(&kept);
    let id = uuid::Uuid::from_u128(99);
    twin.version.as_mut().unwrap().record_id = id.as_bytes().to_vec().into();
    twin.sealed_content = fixture
        .bed
        .context
        .keyring
        .seal(id.as_bytes(), &kept.content)
        .into();
    let events = [
        fixture.event(&twin),
        fixture.event(&fixture.submitted(&neighbour)),
    ];
    fixture.bed.publish(&events).await?;
    assert_eq!(fixture.parked(1).await?.len(), 1);
    fixture.bed.wait_until_settled().await?;
    assert_eq!(fixture.statistics().await?.accepted, 2);
    fixture.drop_parked().await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_records_wait_for_their_item_and_are_judged_once_it_is_announced() -> TestResult {
    let fixture = ValidationFixture::start_without_catalogue().await?;
    let record = SampleSubmission::penalty("K-1", 1, json!({}));
    // By hand first: the batch is to be tried again, nothing is written.
    let handler = fixture.handler()?;
    let mut tx = fixture.pool.begin().await?;
    let outcome = handler
        .handle(&mut tx, &fixture.deliveries(&[&record]))
        .await;
    let Err(HandlerError::Transient(why)) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(why, "item xzcf version 3 has not been announced");
    tx.rollback().await?;

    fixture
        .bed
        .publish(&[fixture.event(&fixture.submitted(&record))])
        .await?;
    fixture.announce_catalogue().await?;
    fixture.bed.wait_until_settled().await?;
    assert_eq!(
        fixture.verdict(&record).await?.outcome(),
        VerdictOutcome::Accepted
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_records_of_an_item_that_is_never_announced_are_parked_after_a_time() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let handler = fixture.handler()?;
    let known = SampleSubmission::penalty("K-1", 1, json!({}));
    let of_version = |version, key: &str, number| SampleSubmission {
        version,
        ..SampleSubmission::penalty(key, number, json!({}))
    };
    let (eighth, ninth) = (of_version(8, "K-2", 2), of_version(9, "K-3", 3));
    let batch = fixture.deliveries(&[&known, &eighth, &ninth]);
    for minutes in [0, 9] {
        fixture.bed.clock.advance(time::Duration::minutes(minutes));
        let mut tx = fixture.pool.begin().await?;
        let outcome = handler.handle(&mut tx, &batch).await;
        assert!(
            matches!(outcome, Err(HandlerError::Transient(_))),
            "{outcome:?}"
        );
    }
    fixture.bed.clock.advance(time::Duration::minutes(1));
    let mut tx = fixture.pool.begin().await?;
    let parked = handler.handle(&mut tx, &batch).await?;
    let reasons: Vec<_> = parked.iter().map(|p| (p.event_id, &p.reason[..])).collect();
    let rule = "has not been announced within 600 seconds; retry once it is";
    assert_eq!(
        reasons,
        [
            (
                batch[1].event_id,
                &format!("item xzcf version 8 {rule}")[..]
            ),
            (
                batch[2].event_id,
                &format!("item xzcf version 9 {rule}")[..]
            ),
        ]
    );
    tx.commit().await?;
    assert_eq!(fixture.statistics().await?.accepted, 1);
    // The next ones do not wait again.
    let mut tx = fixture.pool.begin().await?;
    let later = fixture.deliveries(&[&of_version(8, "K-4", 4)]);
    assert_eq!(handler.handle(&mut tx, &later).await?.len(), 1);
    tx.rollback().await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn five_hundred_records_are_one_transaction() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let records: Vec<SampleSubmission> = (1..=500)
        .map(|n| {
            let content = if n % 20 == 0 {
                wrong_credit_code()
            } else {
                json!({})
            };
            SampleSubmission::penalty(&format!("K-{n}"), n, content)
        })
        .collect();
    let batch = fixture.deliveries(&records.iter().collect::<Vec<_>>());
    let mut tx = fixture.pool.begin().await?;
    assert!(fixture.handler()?.handle(&mut tx, &batch).await?.is_empty());
    // Nobody sees half of it.
    assert_eq!(fixture.statistics().await?.accepted, 0);
    tx.commit().await?;
    let counted = fixture.statistics().await?;
    assert_eq!((counted.accepted, counted.returned), (475, 25));
    assert_eq!(fixture.feedback(true).await?.len(), 25);
    assert_eq!(
        fixture.bed.emitted_events::<RecordAccepted>().await?.len(),
        475
    );
    // Only keys that were returned or reported again have a row to wait for.
    let held: i64 = sqlx::query_scalar("SELECT count(*) FROM rereport_head")
        .fetch_one(&fixture.pool)
        .await?;
    assert_eq!(held, 25);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r3_the_newest_revision_of_a_provider_is_kept() -> TestResult {
    let fixture = ValidationFixture::start_without_catalogue().await?;
    for events in [
        vec![
            registered(PROVIDER, 2, "新名称"),
            registered(PROVIDER, 1, "旧名称"),
        ],
        vec![registered(OTHER, 5, "五")],
        vec![
            registered(OTHER, 4, "四"),
            registered(PROVIDER, 1, "旧名称"),
        ],
    ] {
        let events: Vec<_> = events.iter().map(|event| fixture.event(event)).collect();
        fixture.bed.publish(&events).await?;
        fixture.bed.wait_until_settled().await?;
    }
    let kept: Vec<(String, i64)> =
        sqlx::query_as("SELECT name, revision FROM provider ORDER BY revision")
            .fetch_all(&fixture.pool)
            .await?;
    assert_eq!(kept, [("新名称".to_owned(), 2), ("五".to_owned(), 5)]);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_fact_of_the_catalogue_with_a_malformed_field_is_parked_with_its_field() -> TestResult {
    let fixture = ValidationFixture::start_without_catalogue().await?;
    let item = published(&credit_record::standard_items()?[0])?;
    let malformed = ItemVersionPublished {
        organ: "x".into(),
        ..item.clone()
    };
    let below = ProviderRegistered {
        parent_code: "x".into(),
        ..registered(OTHER, 1, "下级")
    };
    for event in [
        fixture.event(&malformed),
        fixture.event(&registered("x", 1, "某局")),
        fixture.event(&below),
        fixture.event(&registered(OTHER, u64::MAX, "某局")),
        fixture.event(&item),
        fixture.event(&registered(PROVIDER, 1, "支队")),
    ] {
        fixture.bed.publish(&[event]).await?;
    }
    let mut reasons = fixture.parked(4).await?;
    reasons.sort_unstable();
    let rule = "18 of 0-9 and A-Z (GB 32100)";
    let revision = reasons.pop();
    assert_eq!(revision.as_deref(), Some("revision: 1 to 2^63-1"));
    let expected = ["code", "organ", "parent_code"].map(|field| format!("{field}: {rule}"));
    assert_eq!(reasons, expected);
    fixture.bed.wait_until_settled().await?;
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM item_version, provider")
        .fetch_one(&fixture.pool)
        .await?;
    assert_eq!(kept, 1);
    fixture.drop_parked().await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_an_item_that_cannot_be_read_is_parked_and_a_published_one_never_changes() -> TestResult
{
    let fixture = ValidationFixture::start_without_catalogue().await?;
    let items = credit_record::standard_items()?;
    let good = published(&items[0])?;
    let mut other = items[0].clone();
    other.name = "改名".into();
    let unreadable = ItemVersionPublished {
        definition_json: "{}".into(),
        ..good.clone()
    };
    let mislabelled = ItemVersionPublished {
        code: "xx".into(),
        ..good.clone()
    };
    let changed = published(&other)?;
    for event in [&unreadable, &mislabelled, &good, &changed] {
        fixture.bed.publish(&[fixture.event(event)]).await?;
    }
    let reasons = fixture.parked(2).await?;
    assert!(
        reasons
            .iter()
            .all(|reason| reason.starts_with("definition_json: ")),
        "{reasons:?}"
    );
    eventually("the good one is kept", WAIT_TIMEOUT, async || {
        let names: Vec<String> = sqlx::query_scalar("SELECT definition->>'name' FROM item_version")
            .fetch_all(&fixture.pool)
            .await
            .map_err(|error| error.to_string())?;
        if names == [items[0].name.clone()] {
            Ok(())
        } else {
            Err(format!("{names:?}"))
        }
    })
    .await?;
    fixture.bed.wait_until_settled().await?;
    fixture.drop_parked().await?;
    fixture.finish().await?;
    Ok(())
}
