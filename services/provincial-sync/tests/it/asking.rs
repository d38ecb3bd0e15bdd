//! The RPCs, the rights on the table, and events that are no versions.

use proto::credit::provincialsync::v1::GetPushRequest;
use provincial_sync::StartError;
use service_kit::identity::Role;
use testkit::eventually;
use tonic::Code;
use uuid::Uuid;

use crate::support::{LIMIT, Lab};

#[tokio::test]
async fn requests_are_refused_by_field_and_by_role() {
    let lab = Lab::new().await;
    let listener = lab.bed.listener().await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let (bus, context) = (lab.bed.bus.clone(), lab.bed.context.clone());
    provincial_sync::start(lab.config.clone(), listener, bus, context)
        .await
        .unwrap();
    for (record_id, code) in [
        ("not-a-uuid".to_owned(), Code::InvalidArgument),
        (Uuid::from_u128(9).to_string(), Code::NotFound),
    ] {
        let mut auditor = lab.client(&address, Role::Auditor);
        let refused = auditor.get_push(GetPushRequest { record_id }).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.code(), code);
        assert!(refused.message().contains("record_id"), "{refused}");
    }
    let mut provider = lab.client(&address, Role::Provider);
    let record_id = Uuid::from_u128(9).to_string();
    let refused = provider.get_push(GetPushRequest { record_id }).await;
    assert_eq!(refused.unwrap_err().code(), Code::PermissionDenied);
    lab.bed.finish().await.unwrap();
}

#[tokio::test]
async fn the_service_can_neither_rewrite_nor_delete_what_was_stored() {
    let lab = Lab::new().await;
    let client = lab.start().await;
    lab.announce(1).await;
    lab.acknowledged(&client, 1).await;
    let pool = service_kit::db::connect_lazy(&lab.bed.database_url, "provincial_sync", 1).unwrap();
    for forbidden in [
        "update push set sealed_record = ''",
        "update push set revision = 9",
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
    lab.bed.finish().await.unwrap();
}

#[tokio::test]
async fn an_event_that_is_no_version_is_parked_and_names_the_field() {
    let lab = Lab::new().await;
    let client = lab.start().await;
    let mut short = lab.version(1, 1);
    let version = short.version.as_mut().unwrap();
    version.record_id = vec![1, 2, 3].into();
    let mut nothing = lab.version(2, 1);
    nothing.version = None;
    let good = lab.version(3, 1);
    let events = [&short, &nothing, &good].map(|v| lab.event(v));
    lab.bed.publish(&events).await.unwrap();
    lab.acknowledged(&client, 1).await;
    lab.assert_announced_once(1).await;
    let pool = lab.bed.schema_pool().await.unwrap();
    let reasons: Vec<String> = eventually("two letters", LIMIT, async || {
        let found = sqlx::query_scalar("select reason from dead_letter order by reason")
            .fetch_all(&pool)
            .await
            .unwrap();
        (found.len() == 2).then_some(found)
    })
    .await
    .unwrap();
    assert!(reasons[0].starts_with("version.record_id"), "{reasons:?}");
    assert!(reasons[1].starts_with("version:"), "{reasons:?}");
    sqlx::query("delete from dead_letter")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    lab.bed.finish().await.unwrap();
}

#[tokio::test]
async fn a_configuration_that_cannot_work_is_refused_with_its_key() {
    let mut lab = Lab::new().await;
    lab.config.lease_ms = lab.config.push_deadline_ms;
    let listener = lab.bed.listener().await.unwrap();
    let (bus, context) = (lab.bed.bus.clone(), lab.bed.context.clone());
    let refused = provincial_sync::start(lab.config.clone(), listener, bus, context).await;
    let Err(StartError::Rule { key, .. }) = refused else {
        panic!("a lease as short as the deadline is refused")
    };
    assert_eq!(key, "lease_ms");
    // Nothing was started that could take events; the bed has none.
    lab.bed.finish().await.unwrap();
}
