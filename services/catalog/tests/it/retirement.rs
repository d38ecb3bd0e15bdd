//! an item ends on a day; its records stay readable by their version.

use anyhow::Result;
use proto::credit::catalog::{
    events::v1::{DutyClosed, ItemRetired},
    v1::{
        DutyFilter, DutyState, GetItemRequest, ListItemVersionsRequest, ListItemsRequest,
        RetireItemRequest, Retirement, VersionState,
    },
};
use service_kit::identity::Role;
use time::macros::datetime;
use tonic::{Code, Status};

use crate::{
    desk::{duties, law_amended, publish_directly, record, submitted},
    world::{World, plain, refused},
};

async fn retire(
    world: &World,
    code: &str,
    from: &str,
    successor: &str,
) -> Result<Retirement, Status> {
    let request = RetireItemRequest {
        code: code.to_owned(),
        from_date: from.to_owned(),
        reason: "依据的规定已废止".to_owned(),
        successor_code: successor.to_owned(),
    };
    let mut office = world
        .office()
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = office.retire_item(request).await?.into_inner();
    answer
        .retirement
        .ok_or_else(|| Status::internal("no retirement"))
}

#[tokio::test]
async fn r6_an_item_is_retired_from_a_day_on_and_stays_readable() -> Result<()> {
    let world = World::start().await?;
    world.ready().await?;
    let mut office = world.office()?;
    for code in ["old", "new"] {
        publish_directly(&mut office, plain(code, 1)).await?;
    }
    record(&mut office, law_amended("一号", "2026-11-20", &["old"])).await?;
    let done = retire(&world, "old", "2026-12-01", "new").await?;
    assert_eq!(
        retire(&world, "old", "2026-12-01", "new").await?,
        done,
        "said twice"
    );
    assert_eq!(
        refused(retire(&world, "old", "2026-12-02", "new").await).1,
        "ITEM_RETIRED"
    );

    let get = async |version: u32| {
        let request = GetItemRequest {
            code: "old".to_owned(),
            version,
            ..GetItemRequest::default()
        };
        let mut public = world.client_as(Role::Public).unwrap();
        public.get_item(request).await
    };
    let states = async || {
        let code = "old".to_owned();
        let request = ListItemVersionsRequest { code };
        let answer = world
            .client_as(Role::Public)?
            .list_item_versions(request)
            .await?;
        let answer = answer.into_inner();
        assert_eq!(answer.retirement.as_ref().unwrap().successor_code, "new");
        Ok::<_, anyhow::Error>(answer.versions[0].state())
    };
    assert!(get(0).await.is_ok());
    assert_eq!(states().await?, VersionState::InForce);
    world.bed.clock.set(datetime!(2026-12-01 00:00 +8));
    assert_eq!(refused(get(0).await).0, Code::NotFound);
    assert!(
        get(1).await.is_ok(),
        "records of it are still read by their version"
    );
    assert_eq!(states().await?, VersionState::Retired);
    let listed = office
        .list_items(ListItemsRequest::default())
        .await?
        .into_inner()
        .items;
    assert!(listed.iter().all(|item| item.code != "old"));

    // No further version, no draft for one, no trigger; the duty went with it.
    assert_eq!(
        refused(publish_directly(&mut office, plain("old", 2)).await).1,
        "ITEM_RETIRED"
    );
    assert_eq!(
        refused(submitted(&mut office, &plain("old", 2)).await).1,
        "ITEM_RETIRED"
    );
    let trigger = record(&mut office, law_amended("二号", "2026-11-20", &["old"])).await;
    assert_eq!(refused(trigger).2, "item_codes[0]");
    let ended = duties(&mut office, DutyFilter::Closed).await?;
    assert_eq!(
        (ended[0].state(), ended[0].closed_by_version),
        (DutyState::Closed, 0)
    );
    assert_eq!(ended[0].reason, "依据的规定已废止");
    assert_eq!(world.bed.emitted::<DutyClosed>().await?.len(), 1);
    let events = world.bed.emitted::<ItemRetired>().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(
        (
            events[0].from_date.as_str(),
            events[0].successor_code.as_str()
        ),
        ("2026-12-01", "new")
    );
    world.finish().await
}

#[tokio::test]
async fn r6_a_retirement_that_leads_nowhere_is_refused() -> Result<()> {
    let world = World::start().await?;
    world.ready().await?;
    let mut office = world.office()?;
    for code in ["a", "b"] {
        publish_directly(&mut office, plain(code, 1)).await?;
    }
    for (code, from, successor, field) in [
        ("nowhere", "2026-12-01", "", "code"),
        ("a", "", "", "from_date"),
        ("a", "2026-11-19", "", "from_date"),
        ("a", "tomorrow", "", "from_date"),
        ("a", "2026-12-01", "a", "successor_code"),
        ("a", "2026-12-01", "nowhere", "successor_code"),
    ] {
        assert_eq!(
            refused(retire(&world, code, from, successor).await).2,
            field,
            "{code} {from}"
        );
    }
    // Each in favour of the other, at the same moment: one goes first, so no cycle comes about.
    let (one, other) = tokio::join!(
        retire(&world, "a", "2026-12-01", "b"),
        retire(&world, "b", "2026-12-01", "a")
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1);
    let failed = if one.is_ok() { other } else { one };
    assert_eq!(refused(failed).2, "successor_code");
    for role in [Role::Provider, Role::DistrictCreditOffice, Role::Operator] {
        let status = world
            .client_as(role)?
            .retire_item(RetireItemRequest::default())
            .await;
        assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
    }
    world.finish().await
}
