//! code lists are versioned data, and an item holds the values of those that it names.

use anyhow::Result;
use credit_record::item::{CodeListVersion, ItemVersion, standard_code_lists};
use proto::credit::catalog::{
    events::v1::{CodeListPublished, ItemVersionPublished},
    v1::{CodeList, GetCodeListRequest, ListCodeListsRequest, PublishCodeListRequest},
};
use service_kit::{identity::Role, reason::Reason};
use testkit::{RefusalDetails, TestResult, refusal_of};
use tonic::{Code, Status};

use crate::{
    calls::{publish_directly, save_draft},
    fixture::{CatalogFixture, item_definition, place_file},
};

fn kinds(version: u32, values: &[&str]) -> String {
    let values: Vec<String> = values
        .iter()
        .map(|value| format!("[[values]]\nvalue = \"{value}\"\n"))
        .collect();
    format!(
        "code = \"check-kind\"\nversion = {version}\nedition = \"2026\"\nname = \"检查类别\"\nsource = \"某办法\"\n{}",
        values.join("")
    )
}

async fn publish(fixture: &CatalogFixture, definition_toml: &str) -> Result<CodeList, Status> {
    let mut office = fixture
        .office()
        .map_err(|e| Status::internal(e.to_string()))?;
    let definition_toml = definition_toml.to_owned();
    let request = PublishCodeListRequest { definition_toml };
    let answer = office.publish_code_list(request).await?.into_inner();
    answer.code_list.ok_or_else(|| Status::internal("no list"))
}

/// An item whose first closed code field takes its values from a version of the list.
fn naming(code: &str, version: u32, list_version: u32) -> String {
    item_definition(code, version, |item| {
        let field = item.fields.iter_mut().find(|field| {
            field
                .code_list
                .as_ref()
                .is_some_and(|list| list.list.as_deref() == Some("penalty-kind"))
        });
        let list = field.unwrap().code_list.as_mut().unwrap();
        list.list = Some("check-kind".to_owned());
        list.version = Some(list_version);
        list.values.clear();
        list.labels.clear();
        list.replaced.clear();
    })
}

#[tokio::test]
async fn r6_versions_of_a_code_list_follow_one_another_and_items_hold_their_values() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    // Not published yet: the item is refused with the path, the draft says it.
    let answer = publish_directly(&mut office, naming("a", 1, 1)).await;
    let RefusalDetails { reason, field, .. } = refusal_of(answer);
    assert_eq!(reason, Reason::DefinitionInconsistent);
    assert!(
        field.starts_with("definition_toml.fields.") && field.ends_with(".code_list"),
        "{field}"
    );
    let draft = save_draft(&mut office, "", &naming("a", 1, 1), 0).await?;
    assert_eq!(draft.faults[0].field, field);

    let first = publish(&fixture, &kinds(1, &["罚款", "日常检查", "专项检查"])).await?;
    assert_eq!((first.version, first.values.len()), (1, 3));
    assert_eq!(
        publish(&fixture, &kinds(1, &["罚款", "日常检查", "专项检查"])).await?,
        first
    );
    assert_eq!(
        refusal_of(publish(&fixture, &kinds(1, &["抽查"])).await).reason,
        Reason::CodeListVersionImmutable
    );
    assert_eq!(
        refusal_of(publish(&fixture, &kinds(3, &["抽查"])).await).reason,
        Reason::CodeListVersionGap
    );
    for bad in ["code = ", &kinds(2, &["双", "双"]), &kinds(2, &[])] {
        assert_eq!(
            refusal_of(publish(&fixture, bad).await).code,
            Code::InvalidArgument,
            "{bad}"
        );
    }
    publish(&fixture, &kinds(2, &["抽查"])).await?;

    // The item goes by the version that it names, whatever comes later, and carries the values.
    publish_directly(&mut office, naming("a", 1, 1)).await?;
    let events = fixture.bed.emitted_events::<ItemVersionPublished>().await?;
    let event = events.iter().find(|event| event.code == "a").unwrap();
    let item = ItemVersion::from_json(&event.definition_json)?;
    let lists: Vec<_> = item
        .fields
        .iter()
        .filter_map(|f| f.code_list.as_ref())
        .collect();
    let list = lists
        .iter()
        .find(|l| l.list.as_deref() == Some("check-kind"))
        .unwrap();
    assert_eq!(list.values, ["罚款", "日常检查", "专项检查"]);

    let mut public = fixture.client_as(Role::Public)?;
    let all = public
        .list_code_lists(ListCodeListsRequest {})
        .await?
        .into_inner()
        .code_lists;
    let newest = all.iter().find(|list| list.code == "check-kind").unwrap();
    assert_eq!(newest.version, 2);
    let mut get = async |code: &str, version| {
        let code = code.to_owned();
        let answer = public
            .get_code_list(GetCodeListRequest { code, version })
            .await;
        answer.map(|answer| answer.into_inner().code_list.unwrap())
    };
    assert_eq!(get("check-kind", 1).await?, first);
    assert_eq!(get("check-kind", 0).await?.version, 2);
    assert_eq!(refusal_of(get("check-kind", 3).await).field, "version");
    assert_eq!(refusal_of(get("nowhere", 0).await).field, "code");
    // The standard's lists were there from the start, and a replaced value says by what.
    let penalties = get("penalty-kind", 2).await?;
    assert!(
        penalties
            .values
            .iter()
            .any(|value| !value.replaced_by.is_empty())
    );
    for list in standard_code_lists()? {
        assert_eq!(
            get(&list.code, list.version).await?.values.len(),
            list.values.len()
        );
    }

    let events = fixture.bed.emitted_events::<CodeListPublished>().await?;
    assert_eq!(events.len(), standard_code_lists()?.len() + 2);
    let event = events
        .iter()
        .find(|e| e.code == "check-kind" && e.version == 2)
        .unwrap();
    assert_eq!(
        CodeListVersion::from_json(&event.definition_json)?.values[0].value,
        "抽查"
    );
    for role in [Role::Provider, Role::DistrictCreditOffice, Role::Operator] {
        let request = PublishCodeListRequest::default();
        let status = fixture.client_as(role)?.publish_code_list(request).await;
        assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_data_files_may_be_code_lists_and_items_find_them() -> TestResult {
    let folder = std::env::temp_dir().join(format!("catalog-lists-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(&folder)?;
    // By file name the item comes before its list.
    std::fs::write(folder.join("a-item.toml"), naming("a", 1, 1))?;
    std::fs::write(folder.join("b-list.toml"), kinds(1, &["罚款", "抽查"]))?;
    let fixture = CatalogFixture::start_with(folder.display().to_string()).await?;
    fixture.ready().await?;
    let events = fixture.bed.emitted_events::<ItemVersionPublished>().await?;
    assert!(events.iter().any(|event| event.code == "a"));
    place_file(&folder, "b-list.toml", &kinds(1, &["改"]))?;
    fixture
        .lane_complains(&["b-list.toml", "list check-kind v1"])
        .await?;
    std::fs::remove_dir_all(&folder)?;
    fixture.finish().await?;
    Ok(())
}
