//! The RPCs, the rights on the table, and events that are no versions.

use proto::credit::provincialsync::v1::GetPushRequest;
use provincial_sync::StartError;
use service_kit::{config::Secret, identity::Role, reason::Reason};
use testkit::{eventually, refusal_of, service::ServiceAddress};
use tonic::Code;
use uuid::Uuid;

use crate::fixture::{ProvincialSyncFixture, WAIT_TIMEOUT};

#[tokio::test]
async fn requests_are_refused_by_field_and_by_role() {
    let fixture = ProvincialSyncFixture::new().await;
    let ServiceAddress { listener, url } = fixture.bed.service_address().await.unwrap();
    let (bus, context) = (fixture.bed.bus.clone(), fixture.bed.context.clone());
    provincial_sync::start(fixture.config.clone(), listener, bus, context)
        .await
        .unwrap();
    for (record_id, reason) in [
        ("not-a-uuid".to_owned(), Reason::RecordIdInvalid),
        (
            Uuid::from_u128(9).simple().to_string(),
            Reason::RecordIdInvalid,
        ),
        (Uuid::nil().to_string(), Reason::RecordIdInvalid),
        (Uuid::from_u128(9).to_string(), Reason::PushUnknown),
    ] {
        let mut auditor = fixture.client(&url, Role::Auditor);
        let refused = auditor.get_push(GetPushRequest { record_id }).await;
        assert_eq!(
            refusal_of(refused).reason_and_field(),
            (reason, "record_id")
        );
    }
    let mut provider = fixture.client(&url, Role::Provider);
    let record_id = Uuid::from_u128(9).to_string();
    let refused = provider.get_push(GetPushRequest { record_id }).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn the_service_can_neither_rewrite_nor_delete_what_was_stored() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    fixture.announce_versions(1).await;
    fixture.wait_for_acknowledged(&client, 1).await;
    let pool =
        service_kit::db::connect_lazy(&fixture.bed.database_url, "provincial_sync", 1).unwrap();
    for forbidden in [
        "update push set sealed_record = ''",
        "update push set revision = 9",
        "update push set record_address = record_id",
        "update push_content set sealed_record = ''",
        "delete from push_content",
        "truncate push_content",
        "delete from push",
        "truncate push",
    ] {
        let error = sqlx::query(forbidden).execute(&pool).await.unwrap_err();
        let code = error.as_database_error().and_then(|e| e.code());
        assert_eq!(code.as_deref(), Some("42501"), "{forbidden}: {error}");
    }
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn an_event_that_is_no_version_is_parked_and_names_the_field() {
    let fixture = ProvincialSyncFixture::new().await;
    let client = fixture.start().await;
    let mut short = fixture.version(1, 1);
    let version = short.version.as_mut().unwrap();
    version.record_id = vec![1, 2, 3].into();
    let mut nothing = fixture.version(2, 1);
    nothing.version = None;
    let mut nowhere = fixture.version(4, 1);
    let version = nowhere.version.as_mut().unwrap();
    version.record_address.clear();
    let good = fixture.version(3, 1);
    let events = [&short, &nothing, &nowhere, &good].map(|v| fixture.event(v));
    fixture.bed.publish(&events).await.unwrap();
    fixture.wait_for_acknowledged(&client, 1).await;
    fixture.assert_announced_once(1).await;
    let pool = fixture.bed.schema_pool().await.unwrap();
    let reasons: Vec<String> = eventually("three letters", WAIT_TIMEOUT, async || {
        let found = sqlx::query_scalar("select reason from dead_letter order by reason")
            .fetch_all(&pool)
            .await
            .unwrap();
        (found.len() == 3).then_some(found)
    })
    .await
    .unwrap();
    for (reason, field) in
        (reasons.iter()).zip(["version.record_address", "version.record_id", "version"])
    {
        assert!(reason.starts_with(&format!("{field}: ")), "{reasons:?}");
    }
    sqlx::query("delete from dead_letter")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    fixture.bed.finish().await.unwrap();
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_with_its_key() {
    let mut fixture = ProvincialSyncFixture::new().await;
    fixture.config.lease_ms = fixture.config.push_deadline_ms;
    let listener = fixture.bed.listener().await.unwrap();
    let (bus, context) = (fixture.bed.bus.clone(), fixture.bed.context.clone());
    let refused = provincial_sync::start(fixture.config.clone(), listener, bus, context).await;
    let Err(StartError::Rule { key, .. }) = refused else {
        panic!("a lease as short as the deadline is refused")
    };
    assert_eq!(key, "lease_ms");
    fixture.config.lease_ms = 30_000;
    fixture.config.upstream_url = "no address".to_owned();
    let listener = fixture.bed.listener().await.unwrap();
    let (bus, context) = (fixture.bed.bus.clone(), fixture.bed.context.clone());
    let refused = provincial_sync::start(fixture.config.clone(), listener, bus, context).await;
    let named = refused.unwrap_err().to_string();
    assert_eq!(named, "upstream_url is no address of a service");
    fixture.config.upstream_url = fixture.upstream.url.clone();
    fixture.config.upstream_token = Secret::Plain("line\nbreak".to_owned());
    let listener = fixture.bed.listener().await.unwrap();
    let (bus, context) = (fixture.bed.bus.clone(), fixture.bed.context.clone());
    let refused = provincial_sync::start(fixture.config.clone(), listener, bus, context).await;
    let named = refused.unwrap_err().to_string();
    assert_eq!(named, "upstream_token is no token");
    // Nothing was started that could take events; the bed has none.
    fixture.bed.finish().await.unwrap();
}
