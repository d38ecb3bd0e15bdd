//! What keeps the catalogue small and its answers readable: sizes of definitions and lists, refusals that reach the
//! caller, first days that do not lie in the past; and databases from before the first release.

use std::fmt::Write;

use anyhow::{Context, Result};
use credit_record::item::{CodeList, ItemVersion};
use prost::Message;
use proto::credit::catalog::v1::{
    GetItemRequest, ListItemsRequest, ListProvidersRequest, PublishCodeListRequest,
};
use service_kit::{identity::Role, reason::Reason};
use sqlx::Executor;
use testkit::{RefusalDetails, TestResult, refusal_of};
use time::macros::date;
use tonic::Request;

use crate::{
    calls::{BUREAU, publish_directly, save_draft},
    fixture::{CatalogFixture, item_definition, place_file, plain_definition},
};

const SEARCH_PATH: &str = "SET search_path TO catalog";

/// Runs that migration once more, as the owner would over a database of then.
async fn migrate_again(fixture: &CatalogFixture) -> Result<()> {
    let mut conn = fixture.bed.owner_pool.acquire().await?;
    conn.execute(SEARCH_PATH).await?;
    conn.execute(sqlx::raw_sql(include_str!(
        "../../migrations/0007_first_release.sql"
    )))
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_database_from_before_the_first_release_is_refused() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    // Rows of today pass; that none pass too is how every database is created.
    migrate_again(&fixture).await?;
    let mut conn = fixture.bed.owner_pool.acquire().await?;
    conn.execute(SEARCH_PATH).await?;
    conn.execute(
        "INSERT INTO item_version (code, version, definition, published_at, published_by, starts_on, \
         catalogue, organ, district_code) VALUES ('xzxk-old', 1, \
         '{\"code\":\"xzxk-old\",\"version\":1,\"rules\":[{\"kind\":\"date_order\"}]}', now(), \
         'data-file', '2017-06-20', 'city', '', '')",
    )
    .await?;
    let refused = migrate_again(&fixture).await.unwrap_err().to_string();
    for part in [
        "before the first release",
        "xzxk-old v1",
        "create the database anew",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    drop(conn);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn code_lists_do_not_blow_a_definition_up() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    let mut list =
        "code = \"long\"\nversion = 1\nedition = \"2026\"\nname = \"长表\"\nsource = \"某办法\"\n"
            .to_owned();
    for i in 0..1_000 {
        write!(list, "[[values]]\nvalue = \"{i:0150}\"\n")?;
    }
    let definition_toml = list;
    office
        .publish_code_list(PublishCodeListRequest { definition_toml })
        .await?;
    // Each field is a line of TOML and 150 kB of values.
    let naming = |code: &str, fields: usize| {
        item_definition(code, 1, |item: &mut ItemVersion| {
            let closed = item.fields.iter().find(|f| {
                let list = f.code_list.as_ref();
                list.is_some_and(|list| list.list.as_deref() == Some("penalty-kind"))
            });
            let mut field = closed.unwrap().clone();
            field.required = credit_record::item::Requirement::Optional;
            field.code_list = Some(CodeList {
                list: Some("long".to_owned()),
                version: Some(1),
                ..CodeList::default()
            });
            for i in 0..fields {
                field.code = format!("LONG_{i}");
                field.name = format!("长表{i}");
                item.fields.push(field.clone());
            }
        })
    };
    let many = naming("many", 100);
    let refused = refusal_of(publish_directly(&mut office, many.clone()).await);
    assert_eq!(
        refused.reason_and_field(),
        (
            Reason::DefinitionInconsistent,
            "definition_toml.fields.LONG_3.code_list"
        )
    );
    assert!(refused.rule.contains("524288"), "{refused:?}");
    // A draft says the same.
    let draft = save_draft(&mut office, "", &many, 0).await?;
    assert_eq!(
        (&draft.faults[0].field, &draft.faults[0].rule),
        (&refused.field, &refused.rule)
    );
    publish_directly(&mut office, naming("few", 3)).await?;
    let mut public = fixture.client_as(Role::Public)?;
    let request = GetItemRequest {
        code: "few".to_owned(),
        ..GetItemRequest::default()
    };
    let item = public.get_item(request).await?.into_inner().item;
    let item = item.context("an item")?;
    assert_eq!(
        item.fields.last().context("a field")?.code_list.len(),
        1_000
    );
    // The list of items has the field, but not its values.
    let listed = public.list_items(ListItemsRequest::default()).await?;
    let items = listed.into_inner().items;
    let few = items.iter().find(|i| i.code == "few").context("listed")?;
    assert_eq!(few.fields.len(), item.fields.len());
    assert!(few.encoded_len() < 20_000, "{}", few.encoded_len());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_refusal_of_300_faults_reaches_the_caller() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    let broken = item_definition("broken", 1, |item| {
        item.natural_key = (0..300).map(|i| format!("字段{i}")).collect();
    });
    let status = publish_directly(&mut office, broken).await.unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason_and_field(),
        (
            Reason::DefinitionInconsistent,
            "definition_toml.natural_key.字段0"
        )
    );
    assert!(status.message().contains("另有"), "{status}");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_officers_do_not_publish_into_the_past_and_data_files_may() -> TestResult {
    let folder = std::env::temp_dir().join(format!("catalog-past-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder)?;
    let fixture = CatalogFixture::start_with(folder.display().to_string()).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    let from = |code: &str, version, day| {
        item_definition(code, version, |item| item.effective_from = Some(day))
    };
    publish_directly(&mut office, from("past", 1, date!(2018 - 01 - 01))).await?;
    // The clock shows 2026-11-20.
    let past = from("past", 2, date!(2026 - 11 - 19));
    let refused = refusal_of(publish_directly(&mut office, past.clone()).await);
    assert_eq!(
        refused.reason_and_field(),
        (Reason::ItemEffectivePast, "definition_toml.effective_from")
    );
    assert!(
        refused.rule.contains("day of its publication"),
        "{refused:?}"
    );
    place_file(&folder, "past-2.toml", &past)?;
    let done = fixture.reconcile(Some(&folder)).await?;
    assert_eq!(done.faults, [""; 0]);
    publish_directly(&mut office, from("past", 3, date!(2026 - 11 - 20))).await?;
    publish_directly(&mut office, plain_definition("past", 3))
        .await
        .unwrap_err();
    std::fs::remove_dir_all(&folder)?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r3_contacts_are_not_read_for_those_who_are_not_shown_them() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    // Whoever reads contacts now waits.
    let mut lock_holder = fixture.bed.owner_pool.begin().await?;
    lock_holder.execute(SEARCH_PATH).await?;
    lock_holder
        .execute("LOCK TABLE provider_contact IN ACCESS EXCLUSIVE MODE")
        .await?;
    let mut public = fixture.client_as(Role::Public)?;
    let shown = public.list_providers(ListProvidersRequest {}).await?;
    assert_eq!(shown.into_inner().providers.len(), 1);
    let mut request = Request::new(ListProvidersRequest {});
    request.set_timeout(std::time::Duration::from_millis(500));
    let waits = fixture.office()?.list_providers(request).await;
    assert!(waits.is_err(), "the office is shown contacts, so it waits");
    lock_holder.rollback().await?;
    fixture.finish().await?;
    Ok(())
}
