//! the catalogue, its versions and who hears of them.

use std::path::PathBuf;

use anyhow::Result;
use catalog::jobs::DATA_FILE;
use credit_record::item::{ItemVersion, standard_items};
use proto::credit::catalog::v1::{
    GetItemRequest, Item, ListItemsRequest, PublishItemVersionRequest,
};
use service_kit::identity::Role;
use tonic::{Code, Status};

use crate::world::{OFFICE, World, refusal};

/// An item of a data file: the penalties of the standard under a code of their own.
fn definition(code: &str, version: u32, change: impl FnOnce(&mut ItemVersion)) -> String {
    let mut item = standard_items().unwrap().remove(1);
    item.code = code.to_owned();
    item.version = version;
    change(&mut item);
    toml::to_string(&item).unwrap()
}

fn plain(code: &str, version: u32) -> String {
    definition(code, version, |_| ())
}

async fn publish(world: &World, definition_toml: String) -> Result<Item, Status> {
    let request = PublishItemVersionRequest { definition_toml };
    let mut office = world
        .office()
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = office.publish_item_version(request).await?.into_inner();
    answer.item.ok_or_else(|| Status::internal("no item"))
}

async fn get(world: &World, code: &str, version: u32) -> Result<Item, Status> {
    let request = GetItemRequest {
        code: code.to_owned(),
        version,
    };
    let mut public = world
        .client_as(Role::Public)
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = public.get_item(request).await?.into_inner();
    answer.item.ok_or_else(|| Status::internal("no item"))
}

/// A folder of data files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("catalog-items-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[tokio::test]
async fn r6_the_standard_items_are_published_once_and_whole() -> Result<()> {
    let world = World::start().await?;
    world.ready().await?;
    // The service's own reconciler runs every second beside these.
    for _ in 0..2 {
        let done = world.reconcile(None).await?;
        assert_eq!(
            (done.published.len(), done.known, done.faults.len()),
            (0, 2, 0)
        );
    }

    let mut public = world.client_as(Role::Public)?;
    let items = public
        .list_items(ListItemsRequest {})
        .await?
        .into_inner()
        .items;
    let shown: Vec<_> = items
        .iter()
        .map(|item| (item.code.as_str(), item.version, item.fields.len()))
        .collect();
    assert_eq!(shown, [("xzcf", 1, 30), ("xzxk", 1, 28)]);
    assert!(items.iter().all(|item| !item.legal_basis.is_empty()));

    // The listener can work by the event alone: it holds the same definition, and passes the lint.
    let (published, registered) = world.heard().await?;
    assert!(registered.is_empty());
    assert_eq!(published.len(), 2, "announced once each");
    for standard in standard_items()? {
        let event = published
            .iter()
            .find(|event| event.code == standard.code)
            .unwrap();
        assert_eq!((event.version, &event.name), (1, &standard.name));
        assert_eq!(ItemVersion::from_json(&event.definition_json)?, standard);
    }
    world.finish().await
}

#[tokio::test]
async fn r6_versions_follow_one_another_and_the_newest_is_in_force() -> Result<()> {
    let world = World::start().await?;
    world.ready().await?;
    publish(&world, plain("special-check", 1)).await?;
    let second = definition("special-check", 2, |item| item.edition = "2026".to_owned());
    let shown = publish(&world, second.clone()).await?;
    assert_eq!((shown.version, shown.edition.as_str()), (2, "2026"));
    // The same again is the same answer and no second event.
    assert_eq!(publish(&world, second).await?, shown);

    assert_eq!(get(&world, "special-check", 0).await?.version, 2);
    assert_eq!(get(&world, "special-check", 1).await?.edition, "2018");
    for (version, field) in [(3, "version"), (0, "code")] {
        let code = if version == 0 {
            "nowhere"
        } else {
            "special-check"
        };
        let status = get(&world, code, version).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(refusal(&status).1, field);
    }

    let (published, _) = world.heard().await?;
    let versions: Vec<_> = published
        .iter()
        .filter(|event| event.code == "special-check")
        .map(|event| event.version)
        .collect();
    assert_eq!(versions, [1, 2], "in order, once each");
    let by: Vec<String> = sqlx::query_scalar(
        "select published_by from item_version order by published_by collate \"C\"",
    )
    .fetch_all(&world.pool)
    .await?;
    let officer = format!("{OFFICE}/tester");
    assert_eq!(by, [&officer, &officer, DATA_FILE, DATA_FILE]);
    world.finish().await
}

#[tokio::test]
async fn r6_a_published_version_never_changes_and_none_is_left_out() -> Result<()> {
    let world = World::start().await?;
    world.ready().await?;
    publish(&world, plain("special-check", 1)).await?;

    let other = definition("special-check", 1, |item| item.name.push('改'));
    let status = publish(&world, other).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    assert_eq!(refusal(&status).0, "ITEM_VERSION_IMMUTABLE");
    assert!(status.message().contains("special-check"), "{status}");

    for (code, version) in [("special-check", 3), ("new-item", 2)] {
        let status = publish(&world, plain(code, version)).await.unwrap_err();
        assert_eq!(status.code(), Code::FailedPrecondition);
        let (reason, field, rule) = refusal(&status);
        assert_eq!(reason, "ITEM_VERSION_GAP");
        assert_eq!(field, "definition_toml.version");
        assert!(rule.contains("plus 1"), "{rule}");
    }
    assert_eq!(get(&world, "special-check", 0).await?.name, "行政处罚");

    // Not even the service's own role can change or remove what is published.
    for statement in [
        "update item_version set definition = '{}'",
        "delete from item_version",
        "truncate item_version",
    ] {
        let refused = sqlx::query(statement)
            .execute(&world.pool)
            .await
            .unwrap_err();
        let code = refused.as_database_error().and_then(|e| e.code()).unwrap();
        assert_eq!(code, "42501", "{statement}");
    }
    let (published, _) = world.heard().await?;
    assert_eq!(published.len(), 3, "refusals announce nothing");
    world.finish().await
}

#[tokio::test]
async fn r6_an_inconsistent_definition_names_path_and_rule() -> Result<()> {
    let world = World::start().await?;
    world.ready().await?;
    // (definition, field, part of the rule)
    let no_term = definition("special-check", 1, |item| item.term = None);
    let no_basis = definition("special-check", 1, |item| item.legal_basis.clear());
    let twice = definition("special-check", 1, |item| {
        let first = item.fields[0].clone();
        item.fields.push(first);
    });
    let person = definition("special-check", 1, |item| {
        for mode in item.disclosure.values_mut() {
            *mode = credit_record::DisclosureMode::Publish;
        }
    });
    let table = [
        (no_term, "definition_toml.term", "R-16"),
        (no_basis, "definition_toml.legal_basis", "basis in law"),
        (twice, "definition_toml.CF_XDR_MC", "used twice"),
        (person, "definition_toml.disclosure", "R-14"),
        ("code = ".to_owned(), "definition_toml", "TOML"),
        (
            "colour = \"red\"".to_owned(),
            "definition_toml",
            "keys of an item version",
        ),
        ("#".repeat(300_000), "definition_toml", "262144"),
    ];
    for (definition, field, rule) in table {
        let status = publish(&world, definition).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        let (_, said_field, said_rule) = refusal(&status);
        assert_eq!(said_field, field, "{status}");
        assert!(said_rule.contains(rule), "{said_rule}");
    }
    let status = get(&world, "special-check", 0).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let (published, _) = world.heard().await?;
    assert_eq!(published.len(), 2, "only the standard items");
    world.finish().await
}

#[tokio::test]
async fn r6_data_files_are_published_and_a_bad_one_keeps_no_other_back() -> Result<()> {
    let folder = Folder::new();
    // Version 2 stands before version 1 by file name; both are published in order.
    folder.write(
        "a-second.toml",
        &definition("district-check", 2, |item| item.edition.push('a')),
    );
    folder.write("b-first.toml", &plain("district-check", 1));
    folder.write("notes.txt", "not an item");
    let world = World::start_with(folder.name()).await?;
    world.ready().await?;
    assert_eq!(get(&world, "district-check", 0).await?.version, 2);

    // Files that come later are found by the timer; the bad ones are named in the lane.
    folder.write("c-broken.toml", "code = \"x\"");
    folder.write(
        "d-changed.toml",
        &definition("district-check", 1, |item| item.name.push('改')),
    );
    folder.write(
        "e-standard.toml",
        &definition("xzcf", 1, |item| item.name.push('改')),
    );
    folder.write("f-good.toml", &plain("late-check", 1));
    let said = world.lane_complains("c-broken.toml").await?;
    for part in [
        "district-check version 1",
        "xzcf version 1",
        "d-changed.toml",
        "e-standard.toml",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("f-good.toml"), "{said}");
    assert_eq!(get(&world, "late-check", 0).await?.version, 1);
    assert_eq!(get(&world, "xzcf", 1).await?.name, "行政处罚");
    let again = world.reconcile(Some(&folder.0)).await?;
    assert_eq!(
        (again.published.len(), again.known, again.faults.len()),
        (0, 5, 3)
    );

    // Mended files make the lane ready again.
    for file in ["c-broken.toml", "d-changed.toml", "e-standard.toml"] {
        std::fs::remove_file(folder.0.join(file))?;
    }
    world.ready().await?;
    let (published, _) = world.heard().await?;
    assert_eq!(published.len(), 5, "each version once");
    world.finish().await
}

#[tokio::test]
async fn r6_a_missing_folder_is_said_and_the_standard_goes_on() -> Result<()> {
    let folder = Folder::new();
    let missing = folder.0.join("missing").display().to_string();
    let world = World::start_with(missing.clone()).await?;
    world.lane_complains(&missing).await?;
    assert_eq!(get(&world, "xzxk", 0).await?.version, 1);
    std::fs::create_dir(&missing)?;
    world.ready().await?;
    world.finish().await
}
