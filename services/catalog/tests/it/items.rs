//! the catalogue, its versions and the events about them.

use std::{path::PathBuf, time::Duration};

use anyhow::Result;
use catalog::jobs::DATA_FILE_ACTOR;
use credit_record::item::{ItemOwner, ItemVersion, standard_code_lists, standard_items};
use proto::credit::catalog::v1::{
    Catalogue, GetItemRequest, Item, ListItemVersionsRequest, ListItemsRequest,
    PublishItemVersionRequest, VersionState,
};
use service_kit::{identity::Role, reason::Reason};
use testkit::{RefusalDetails, TestResult, eventually, refusal_of};
use tonic::{Code, Status};

use crate::fixture::{CatalogFixture, OFFICE, item_definition, place_file, plain_definition};

async fn publish(fixture: &CatalogFixture, definition_toml: String) -> Result<Item, Status> {
    let request = PublishItemVersionRequest { definition_toml };
    let mut office = fixture
        .office()
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = office.publish_item_version(request).await?.into_inner();
    answer.item.ok_or_else(|| Status::internal("no item"))
}

async fn get(fixture: &CatalogFixture, code: &str, version: u32) -> Result<Item, Status> {
    let request = GetItemRequest {
        code: code.to_owned(),
        version,
        on_date: String::new(),
    };
    let mut public = fixture
        .client_as(Role::Public)
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = public.get_item(request).await?.into_inner();
    answer.item.ok_or_else(|| Status::internal("no item"))
}

/// A folder of data files, removed at the end.
struct ItemsFolder(PathBuf);

impl ItemsFolder {
    fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("catalog-items-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) {
        place_file(&self.0, name, text).unwrap();
    }

    fn name(&self) -> String {
        self.0.display().to_string()
    }
}

impl Drop for ItemsFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// How many versions of items, and of code lists, the program carries.
fn carried() -> (usize, usize) {
    let (items, lists) = (standard_items(), standard_code_lists());
    (items.unwrap().len(), lists.unwrap().len())
}

#[tokio::test]
async fn a_code_with_a_character_that_no_text_can_hold_is_the_callers_mistake() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let request = |organ: &str, district: &str| ListItemsRequest {
        organ: organ.to_owned(),
        district_code: district.to_owned(),
        ..ListItemsRequest::default()
    };
    for (request, reason) in [
        (request("", "430104\0"), Reason::TextWithNul),
        (
            request(&format!("{OFFICE}\0"), ""),
            Reason::CreditCodeInvalid,
        ),
    ] {
        let listed = fixture.client_as(Role::Public)?.list_items(request).await;
        assert_eq!(refusal_of(listed).reason, reason);
    }
    for (code, reason) in [
        ("xzcf\0", Reason::ItemCodeInvalid),
        ("XZCF", Reason::ItemCodeInvalid),
        ("", Reason::ItemCodeMissing),
        ("nowhere", Reason::ItemUnknown),
    ] {
        let status = get(&fixture, code, 1).await.unwrap_err();
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (reason, "code"), "{code}");
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_the_standard_items_are_published_once_and_whole() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let (items, lists) = carried();
    // The service's own reconciler runs every second in parallel.
    for _ in 0..2 {
        let done = fixture.reconcile(None).await?;
        assert_eq!(
            (done.published.len(), done.known, done.faults.len()),
            (0, items + lists, 0)
        );
    }

    let mut public = fixture.client_as(Role::Public)?;
    let shown = public
        .list_items(ListItemsRequest::default())
        .await?
        .into_inner()
        .items;
    let of: Vec<_> = shown
        .iter()
        .map(|item| (item.code.as_str(), item.version))
        .collect();
    let expected = [
        ("djzc", 1),
        ("jyyc", 1),
        ("ryxx", 1),
        ("sbqj", 1),
        ("xycn", 1),
        ("xzcf", 3),
        ("xzxk", 2),
        ("yzsx", 1),
    ];
    assert_eq!(of, expected, "the versions in force, by code");
    assert!(shown.iter().all(|item| !item.legal_basis.is_empty()));

    // A consumer can work by the event alone: it holds the same definition, and passes the lint.
    let published = fixture.published().await?;
    assert!(fixture.registered().await?.is_empty());
    assert_eq!(published.len(), items, "announced once each");
    for standard in standard_items()? {
        let event = published
            .iter()
            .find(|event| event.code == standard.code && event.version == standard.version)
            .unwrap();
        assert_eq!(event.name, standard.name);
        assert_eq!(
            (event.catalogue.as_str(), event.published_on.as_str()),
            ("city", "2026-11-20")
        );
        let from = standard.effective_from.map(legal_clock::format_day);
        assert_eq!(event.effective_from, from.unwrap_or_default());
        assert_eq!(ItemVersion::from_json(&event.definition_json)?, standard);
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_versions_stand_side_by_side_and_each_day_has_its_own() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    // Published today for days to come.
    let upcoming = item_definition("special-check", 2, |item| {
        item.effective_from = Some(time::macros::date!(2027 - 01 - 01));
    });
    publish(&fixture, plain_definition("special-check", 1)).await?;
    publish(&fixture, upcoming).await?;
    assert_eq!(get(&fixture, "special-check", 0).await?.version, 1);

    let on = async |code: &str, day: &str| {
        let request = GetItemRequest {
            code: code.to_owned(),
            version: 0,
            on_date: day.to_owned(),
        };
        let mut public = fixture.client_as(Role::Public).unwrap();
        let answer = public.get_item(request).await?;
        Ok::<u32, Status>(answer.into_inner().item.unwrap().version)
    };
    for (code, day, version) in [
        ("xzcf", "2017-06-20", 1),
        ("xzcf", "2018-07-25", 2),
        ("xzcf", "2021-07-14", 2),
        ("xzcf", "2021-07-15", 3),
        ("xzxk", "2018-07-24", 1),
        ("special-check", "2026-12-31", 1),
        ("special-check", "2027-01-01", 2),
    ] {
        assert_eq!(on(code, day).await?, version, "{code} on {day}");
    }
    for (day, field) in [("2017-06-19", "version"), ("2017-6-19", "on_date")] {
        assert_eq!(refusal_of(on("xzcf", day).await).field, field);
    }

    let versions = async |role, code: &str| {
        let code = code.to_owned();
        let request = ListItemVersionsRequest { code };
        let mut client = fixture.client_as(role).unwrap();
        let answer = client.list_item_versions(request).await?;
        Ok::<_, Status>(answer.into_inner().versions)
    };
    use VersionState::{InForce, Superseded, Upcoming};
    let of = versions(Role::Public, "xzcf").await?;
    let states: Vec<_> = of
        .iter()
        .map(|v| (v.version, v.state(), v.effective_from.as_str()))
        .collect();
    assert_eq!(
        states,
        [
            (1, Superseded, "2017-06-20"),
            (2, Superseded, "2018-07-25"),
            (3, InForce, "2021-07-15")
        ]
    );
    let of = versions(Role::CreditOffice, "special-check").await?;
    let states: Vec<_> = of
        .iter()
        .map(|v| (v.state(), v.effective_from.as_str()))
        .collect();
    assert_eq!(states, [(InForce, "2026-11-20"), (Upcoming, "2027-01-01")]);
    // Staff learn who it was, the public which organisation.
    let officer = format!("{OFFICE}/tester");
    assert!(
        of.iter()
            .all(|v| v.published_by == officer && v.published_at.is_some())
    );
    let of = versions(Role::Public, "special-check").await?;
    assert!(of.iter().all(|v| v.published_by == OFFICE));
    assert_eq!(
        refusal_of(versions(Role::Public, "nowhere").await).field,
        "code"
    );

    // The day comes: nothing is published, and the other version is in force.
    fixture
        .bed
        .clock
        .set(time::macros::datetime!(2027-01-01 00:00 +8));
    assert_eq!(get(&fixture, "special-check", 0).await?.version, 2);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_each_catalogue_is_that_of_its_organ() -> TestResult {
    const BUREAU: &str = "12430100444900018L";
    const YUELU: &str = "51430100MJJ000012E";
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    fixture.register(YUELU, "430104").await?;
    let owned = |code: &str, owner: ItemOwner| item_definition(code, 1, |item| item.owner = owner);
    let department = |organ: &str| ItemOwner::Department {
        organ: organ.to_owned(),
    };
    let district = |district: &str, organ: &str| ItemOwner::District {
        district: district.to_owned(),
        organ: organ.to_owned(),
    };
    publish(&fixture, owned("of-bureau", department(BUREAU))).await?;
    let item = publish(&fixture, owned("of-yuelu", district("430104", YUELU))).await?;
    let owner = item.owner.unwrap();
    assert_eq!(
        (owner.catalogue(), owner.district_code.as_str()),
        (Catalogue::District, "430104")
    );

    let organ = "definition_toml.owner.organ";
    for (owner, reason, field) in [
        (
            district("430103", YUELU),
            Reason::OwnerOutsideDistrict,
            "definition_toml.owner.district",
        ),
        (department(YUELU), Reason::OwnerOutsideDistrict, organ),
        (
            department("1143000000612221XY"),
            Reason::ProviderUnknown,
            organ,
        ),
    ] {
        let answer = publish(&fixture, owned("astray", owner)).await;
        assert_eq!(refusal_of(answer).reason_and_field(), (reason, field));
    }
    // The office does not publish what its own organ would be bound by alone.
    let answer = publish(&fixture, owned("astray", department(OFFICE))).await;
    assert_eq!(refusal_of(answer).reason, Reason::OwnCatalogue);

    let listed = async |catalogue: Catalogue, organ: &str, district_code: &str| {
        let request = ListItemsRequest {
            catalogue: catalogue.into(),
            organ: organ.to_owned(),
            district_code: district_code.to_owned(),
        };
        let answer = fixture.client_as(Role::Public)?.list_items(request).await?;
        let items = answer.into_inner().items.into_iter();
        Ok::<Vec<String>, anyhow::Error>(items.map(|item| item.code).collect())
    };
    assert_eq!(listed(Catalogue::Department, "", "").await?, ["of-bureau"]);
    assert_eq!(
        listed(Catalogue::Unspecified, BUREAU, "").await?,
        ["of-bureau"]
    );
    assert_eq!(
        listed(Catalogue::Unspecified, "", "430104").await?,
        ["of-yuelu"]
    );
    assert_eq!(listed(Catalogue::District, "", "430103").await?, [""; 0]);
    let city = listed(Catalogue::City, "", "").await?;
    assert!(city.contains(&"xzcf".to_owned()) && !city.contains(&"of-yuelu".to_owned()));
    let published = fixture.published().await?;
    let event = published
        .iter()
        .find(|event| event.code == "of-yuelu")
        .unwrap();
    let said = (
        event.catalogue.as_str(),
        event.organ.as_str(),
        event.district_code.as_str(),
    );
    assert_eq!(said, ("district", YUELU, "430104"));
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_versions_follow_one_another_and_the_newest_is_in_force() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    publish(&fixture, plain_definition("special-check", 1)).await?;
    let second = item_definition("special-check", 2, |item| item.edition = "2026".to_owned());
    let shown = publish(&fixture, second.clone()).await?;
    assert_eq!((shown.version, shown.edition.as_str()), (2, "2026"));
    // The same again is the same answer and no second event.
    assert_eq!(publish(&fixture, second).await?, shown);

    assert_eq!(get(&fixture, "special-check", 0).await?.version, 2);
    assert_eq!(get(&fixture, "special-check", 1).await?.edition, "2018");
    for (version, reason, field) in [
        (3, Reason::ItemVersionUnknown, "version"),
        (0, Reason::ItemUnknown, "code"),
    ] {
        let code = if version == 0 {
            "nowhere"
        } else {
            "special-check"
        };
        let refused = refusal_of(get(&fixture, code, version).await);
        assert_eq!(refused.reason_and_field(), (reason, field));
    }

    let published = fixture.published().await?;
    let versions: Vec<_> = published
        .iter()
        .filter(|event| event.code == "special-check")
        .map(|event| event.version)
        .collect();
    assert_eq!(versions, [1, 2], "in order, once each");
    let by: Vec<String> = sqlx::query_scalar(
        "select distinct code || ' ' || published_by from item_version \
         where code in ('special-check', 'xzxk') order by 1",
    )
    .fetch_all(&fixture.pool)
    .await?;
    let (officer, file) = (
        format!("special-check {OFFICE}/tester"),
        format!("xzxk {DATA_FILE_ACTOR}"),
    );
    assert_eq!(by, [officer, file]);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_published_version_never_changes_and_none_is_left_out() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    publish(&fixture, plain_definition("special-check", 1)).await?;

    let other = item_definition("special-check", 1, |item| item.name.push('改'));
    let status = publish(&fixture, other).await.unwrap_err();
    let refused = RefusalDetails::from_status(&status);
    assert_eq!(refused.reason, Reason::ItemVersionImmutable);
    assert!(status.message().contains("special-check"), "{status}");

    for (code, version) in [("special-check", 3), ("new-item", 2)] {
        let refused = refusal_of(publish(&fixture, plain_definition(code, version)).await);
        assert_eq!(
            refused.reason_and_field(),
            (Reason::ItemVersionGap, "definition_toml.version")
        );
        assert!(refused.rule.contains("plus 1"), "{refused:?}");
    }
    assert_eq!(get(&fixture, "special-check", 0).await?.name, "行政处罚");

    // Not even the service's own role can change or remove what is published.
    for statement in [
        "update item_version set definition = '{}'",
        "delete from item_version",
        "truncate item_version",
        "update item_retirement set reason = 'x'",
        "delete from item_retirement",
        "update code_list_version set definition = '{}'",
        "delete from code_list_version",
    ] {
        fixture.is_forbidden(statement).await?;
    }
    let published = fixture.published().await?;
    assert_eq!(
        published.len(),
        carried().0 + 1,
        "refusals announce nothing"
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_an_inconsistent_definition_names_path_and_rule() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    // (definition, field, part of the rule)
    let no_term = item_definition("special-check", 1, |item| item.term = None);
    let no_basis = item_definition("special-check", 1, |item| item.legal_basis.clear());
    let twice = item_definition("special-check", 1, |item| {
        let first = item.fields[0].clone();
        item.fields.push(first);
    });
    let person = item_definition("special-check", 1, |item| {
        for mode in item.disclosure.values_mut() {
            *mode = credit_record::DisclosureMode::Publish;
        }
    });
    let table = [
        (no_term, "definition_toml.term", "R-16"),
        (no_basis, "definition_toml.legal_basis", "basis in law"),
        (twice, "definition_toml.fields.CF_XDR_MC.code", "used twice"),
        (person, "definition_toml.disclosure.natural_person", "R-14"),
        ("code = ".to_owned(), "definition_toml", "TOML"),
        (
            "colour = \"red\"".to_owned(),
            "definition_toml",
            "keys of an item version",
        ),
        ("#".repeat(300_000), "definition_toml", "262144"),
    ];
    for (definition, field, rule) in table {
        let refused = refusal_of(publish(&fixture, definition).await);
        assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
        assert_eq!(refused.field, field, "{refused:?}");
        assert!(refused.rule.contains(rule), "{refused:?}");
    }
    let status = get(&fixture, "special-check", 0).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    let published = fixture.published().await?;
    assert_eq!(published.len(), carried().0, "only the standard items");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_data_files_are_published_and_a_bad_one_keeps_no_other_back() -> TestResult {
    let folder = ItemsFolder::new();
    // Version 2 comes before version 1 by file name; both are published in order.
    folder.write(
        "a-second.toml",
        &item_definition("district-check", 2, |item| item.edition.push('a')),
    );
    folder.write("b-first.toml", &plain_definition("district-check", 1));
    folder.write("notes.txt", "not an item");
    let fixture = CatalogFixture::start_with(folder.name()).await?;
    fixture.ready().await?;
    assert_eq!(get(&fixture, "district-check", 0).await?.version, 2);

    // Files that come later are found by the timer, maybe not all at once; the bad ones are named in the lane.
    folder.write("f-good.toml", &plain_definition("late-check", 1));
    folder.write("c-broken.toml", "code = \"x\"");
    folder.write(
        "d-changed.toml",
        &item_definition("district-check", 1, |item| item.name.push('改')),
    );
    folder.write(
        "e-standard.toml",
        &item_definition("xzcf", 1, |item| item.name.push('改')),
    );
    let said = fixture
        .lane_complains(&[
            "c-broken.toml",
            "district-check v1: refused: definition_toml.version",
            "xzcf v1: refused: definition_toml.version",
            "d-changed.toml",
            "e-standard.toml",
        ])
        .await?;
    assert!(!said.contains("f-good.toml"), "{said}");
    let late = eventually("the good one", Duration::from_secs(20), async || {
        get(&fixture, "late-check", 0).await
    });
    assert_eq!(late.await?.version, 1);
    assert_eq!(get(&fixture, "xzcf", 1).await?.name, "行政处罚");
    let again = fixture.reconcile(Some(&folder.0)).await?;
    assert_eq!(
        (again.published.len(), again.known, again.faults.len()),
        (0, carried().0 + carried().1 + 3, 3)
    );

    // Mended files make the lane ready again.
    for file in ["c-broken.toml", "d-changed.toml", "e-standard.toml"] {
        std::fs::remove_file(folder.0.join(file))?;
    }
    fixture.ready().await?;
    let published = fixture.published().await?;
    assert_eq!(published.len(), carried().0 + 3, "each version once");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_missing_folder_is_said_and_the_standard_goes_on() -> TestResult {
    let folder = ItemsFolder::new();
    let missing = folder.0.join("missing").display().to_string();
    let fixture = CatalogFixture::start_with(missing.clone()).await?;
    fixture.lane_complains(&[&missing]).await?;
    assert_eq!(get(&fixture, "xzxk", 0).await?.version, 2);
    std::fs::create_dir(&missing)?;
    fixture.ready().await?;
    fixture.finish().await?;
    Ok(())
}
