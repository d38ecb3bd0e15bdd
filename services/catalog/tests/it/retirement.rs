//! an item ends on a day; its records stay readable by their version.

use anyhow::Result;
use proto::credit::catalog::{
    events::v1::{DutyClosed, DutyOverdue, ItemRetired},
    v1::{
        DutyFilter, DutyState, GetItemRequest, ListItemVersionsRequest, ListItemsRequest,
        RetireItemRequest, Retirement, VersionState,
    },
};
use service_kit::{identity::Role, reason::Reason};
use testkit::{TestResult, refusal_of};
use time::macros::datetime;
use tonic::{Code, Status};

use crate::{
    calls::{law_amended, list_duties, publish_directly, record_trigger, submitted_draft},
    fixture::{CatalogFixture, plain_definition},
};

async fn retire(
    fixture: &CatalogFixture,
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
    let mut office = fixture
        .office()
        .map_err(|e| Status::internal(e.to_string()))?;
    let answer = office.retire_item(request).await?.into_inner();
    answer
        .retirement
        .ok_or_else(|| Status::internal("no retirement"))
}

#[tokio::test]
async fn r6_an_item_is_retired_from_a_day_on_and_stays_readable() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    for code in ["old", "new"] {
        publish_directly(&mut office, plain_definition(code, 1)).await?;
    }
    record_trigger(&mut office, law_amended("一号", "2026-11-20", &["old"])).await?;
    let done = retire(&fixture, "old", "2026-12-01", "new").await?;
    assert_eq!(
        retire(&fixture, "old", "2026-12-01", "new").await?,
        done,
        "said twice"
    );
    // Until its day it lives on: the duty is open, and may be answered by a version.
    assert_eq!(list_duties(&mut office, DutyFilter::Open).await?.len(), 1);
    assert_eq!(
        publish_directly(&mut office, plain_definition("old", 2)).await?,
        2
    );
    assert!(list_duties(&mut office, DutyFilter::Open).await?.is_empty());
    record_trigger(&mut office, law_amended("又一号", "2026-11-20", &["old"])).await?;

    let get = async |version: u32| {
        let request = GetItemRequest {
            code: "old".to_owned(),
            version,
            ..GetItemRequest::default()
        };
        let mut public = fixture.client_as(Role::Public).unwrap();
        public.get_item(request).await
    };
    let states = async || {
        let code = "old".to_owned();
        let request = ListItemVersionsRequest { code };
        let answer = fixture
            .client_as(Role::Public)?
            .list_item_versions(request)
            .await?;
        let answer = answer.into_inner();
        assert_eq!(answer.retirement.as_ref().unwrap().successor_code, "new");
        let newest = answer.versions.last().unwrap();
        Ok::<_, anyhow::Error>(newest.state())
    };
    assert!(get(0).await.is_ok());
    assert_eq!(states().await?, VersionState::InForce);
    fixture.bed.clock.set(datetime!(2026-12-01 00:00 +8));
    assert_eq!(refusal_of(get(0).await).reason, Reason::ItemRetired);
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
        refusal_of(publish_directly(&mut office, plain_definition("old", 3)).await).reason,
        Reason::ItemRetired
    );
    assert_eq!(
        refusal_of(retire(&fixture, "old", "2026-12-02", "new").await).reason,
        Reason::ItemAlreadyRetired
    );
    assert_eq!(
        refusal_of(submitted_draft(&mut office, &plain_definition("old", 3)).await).reason,
        Reason::ItemRetired
    );
    let trigger = record_trigger(&mut office, law_amended("二号", "2026-11-20", &["old"])).await;
    assert_eq!(
        refusal_of(trigger).reason_and_field(),
        (Reason::ItemRetired, "item_codes[0]")
    );
    fixture.reconcile(None).await?;
    assert!(list_duties(&mut office, DutyFilter::Open).await?.is_empty());
    let ended = list_duties(&mut office, DutyFilter::Closed).await?;
    let by_end: Vec<_> = ended.iter().filter(|d| d.closed_by_version == 0).collect();
    assert_eq!((ended.len(), by_end.len()), (2, 1));
    assert_eq!(
        (by_end[0].state(), by_end[0].overdue),
        (DutyState::Closed, false)
    );
    assert_eq!(by_end[0].reason, "依据的规定已废止");
    assert_eq!(fixture.bed.emitted_events::<DutyClosed>().await?.len(), 2);
    let events = fixture.bed.emitted_events::<ItemRetired>().await?;
    assert_eq!(events.len(), 1);
    assert_eq!(
        (
            events[0].from_date.as_str(),
            events[0].successor_code.as_str()
        ),
        ("2026-12-01", "new")
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_retirement_that_leads_nowhere_is_refused() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    for code in ["a", "b"] {
        publish_directly(&mut office, plain_definition(code, 1)).await?;
    }
    let (wrong, unsuitable) = (Reason::RetirementInvalid, Reason::RetirementUnsuitable);
    for (code, from, successor, reason, field) in [
        ("nowhere", "2026-12-01", "", Reason::ItemUnknown, "code"),
        ("a", "", "", Reason::DateInvalid, "from_date"),
        ("a", "2026-11-19", "", wrong, "from_date"),
        ("a", "tomorrow", "", Reason::DateInvalid, "from_date"),
        ("a", "9999-12-31", "", unsuitable, "from_date"),
        ("a", "2026-12-01", "a", wrong, "successor_code"),
        (
            "a",
            "2026-12-01",
            "nowhere",
            Reason::ItemUnknown,
            "successor_code",
        ),
        (
            "a",
            "2026-12-01",
            "A",
            Reason::ItemCodeInvalid,
            "successor_code",
        ),
    ] {
        let refused = refusal_of(retire(&fixture, code, from, successor).await);
        assert_eq!(refused.reason_and_field(), (reason, field), "{code} {from}");
    }
    // Each in favour of the other, at the same moment: one goes first, so no cycle comes about.
    let (one, other) = tokio::join!(
        retire(&fixture, "a", "2026-12-01", "b"),
        retire(&fixture, "b", "2026-12-01", "a")
    );
    assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1);
    let failed = if one.is_ok() { other } else { one };
    assert_eq!(refusal_of(failed).field, "successor_code");
    for role in [Role::Provider, Role::DistrictCreditOffice, Role::Operator] {
        let status = fixture
            .client_as(role)?
            .retire_item(RetireItemRequest::default())
            .await;
        assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_an_end_answers_a_duty_by_its_due_day_only() -> TestResult {
    let fixture = CatalogFixture::start_at(datetime!(2026-06-01 09:00 +8)).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    // All are due on 2026-06-23.
    let codes = ["before", "next-day", "later", "today"];
    for code in codes {
        publish_directly(&mut office, plain_definition(code, 1)).await?;
    }
    record_trigger(&mut office, law_amended("一号", "2026-06-01", &codes)).await?;
    for (code, from) in [
        ("before", "2026-06-20"),
        ("next-day", "2026-06-24"),
        ("later", "2026-06-25"),
        ("today", "2026-06-01"),
    ] {
        retire(&fixture, code, from, "").await?;
    }
    let open = async |office: &mut crate::fixture::CatalogClient| {
        let open = list_duties(office, DutyFilter::Open).await?;
        let mut codes: Vec<_> = open.into_iter().map(|duty| duty.item_code).collect();
        codes.sort_unstable();
        Ok::<_, anyhow::Error>(codes)
    };
    assert_eq!(open(&mut office).await?, ["before", "later", "next-day"]);
    for (now, left) in [
        (
            datetime!(2026-06-19 23:59 +8),
            vec!["before", "later", "next-day"],
        ),
        (datetime!(2026-06-20 00:00 +8), vec!["later", "next-day"]),
        (datetime!(2026-06-24 00:00 +8), vec!["later"]),
        (datetime!(2026-06-25 00:00 +8), vec![]),
    ] {
        fixture.bed.clock.set(now);
        fixture.reconcile(None).await?;
        assert_eq!(open(&mut office).await?, left, "{now}");
    }
    let announced = fixture.bed.emitted_events::<DutyOverdue>().await?;
    let announced: Vec<_> = announced
        .iter()
        .map(|event| event.item_code.as_str())
        .collect();
    assert_eq!(announced, ["later"]);
    let closed = fixture.bed.emitted_events::<DutyClosed>().await?;
    let closed: Vec<_> = closed
        .iter()
        .map(|e| (e.item_code.as_str(), e.closed_on.as_str(), e.late))
        .collect();
    assert_eq!(
        closed,
        [
            ("today", "2026-06-01", false),
            ("before", "2026-06-01", false),
            ("next-day", "2026-06-01", false),
            ("later", "2026-06-25", true),
        ]
    );
    let late: Vec<_> = list_duties(&mut office, DutyFilter::Closed).await?;
    for duty in late {
        assert_eq!(duty.overdue, duty.item_code == "later", "{duty:?}");
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_an_end_is_moved_and_withdrawn_until_its_day() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    publish_directly(&mut office, plain_definition("old", 1)).await?;
    record_trigger(&mut office, law_amended("一号", "2026-11-20", &["old"])).await?;
    retire(&fixture, "old", "2026-12-01", "").await?;
    retire(&fixture, "old", "2026-11-30", "").await?;
    let withdrawn = retire(&fixture, "old", "9999-12-31", "").await?;
    assert_eq!(
        retire(&fixture, "old", "9999-12-31", "").await?,
        withdrawn,
        "said twice"
    );
    // On neither day it ends, and its duty stays.
    fixture.bed.clock.set(datetime!(2026-12-02 09:00 +8));
    fixture.reconcile(None).await?;
    assert_eq!(list_duties(&mut office, DutyFilter::Open).await?.len(), 1);
    let request = ListItemVersionsRequest {
        code: "old".to_owned(),
    };
    let shown = office.list_item_versions(request).await?.into_inner();
    assert_eq!(shown.retirement, None);
    assert_eq!(shown.versions[0].state(), VersionState::InForce);
    let listed = office.list_items(ListItemsRequest::default()).await?;
    assert!(listed.into_inner().items.iter().any(|i| i.code == "old"));
    // It may be decided anew; every decision is on record and was announced, each later than the one before.
    retire(&fixture, "old", "2026-12-02", "").await?;
    assert_eq!(
        refusal_of(retire(&fixture, "old", "9999-12-31", "").await).reason,
        Reason::ItemAlreadyRetired
    );
    assert!(list_duties(&mut office, DutyFilter::Open).await?.is_empty());
    let days = ["2026-12-01", "2026-11-30", "9999-12-31", "2026-12-02"];
    let events = fixture.bed.emitted_events::<ItemRetired>().await?;
    let announced: Vec<_> = events
        .iter()
        .map(|event| event.from_date.as_str())
        .collect();
    assert_eq!(announced, days);
    let kept: Vec<(String, bool)> = sqlx::query_as(
        "select from_date::text, decided_at > coalesce(lag(decided_at) over (order by decision), \
         '-infinity') from item_retirement where code = 'old' order by decision",
    )
    .fetch_all(&fixture.pool)
    .await?;
    assert_eq!(kept, days.map(|day| (day.to_owned(), true)));
    fixture.finish().await?;
    Ok(())
}
