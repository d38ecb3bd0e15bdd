//! 15 working days after a change of law or of functions the catalogue follows it.

use catalog::jobs::reconcile_data_files;
use credit_record::item::ItemOwner;
use legal_clock::{Calendar, Law, LegalRuleSet};
use proto::credit::catalog::{
    events::v1::{DutyClosed, DutyDismissed, DutyOpened, DutyOverdue, DutyRescheduled},
    v1::{DutyFilter, DutyState, ListDutiesRequest, RecordTriggerRequest, TriggerKind},
};
use service_kit::{identity::Role, reason::Reason};
use testkit::{TestResult, eventually, refusal_of};
use time::macros::datetime;
use tonic::Code;

use crate::{
    calls::{
        BUREAU, YUELU, dismiss_duty, law_amended, list_duties, publish_directly, publish_draft,
        record_trigger, submitted_draft,
    },
    fixture::{CatalogFixture, OFFICE, changsha_law, item_definition, plain_definition},
};

#[tokio::test]
async fn r6_a_trigger_opens_duties_that_a_newer_version_closes() -> TestResult {
    let fixture = CatalogFixture::start_at(datetime!(2026-01-10 09:00 +8)).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    publish_directly(&mut office, plain_definition("a", 1)).await?;
    publish_directly(&mut office, plain_definition("b", 1)).await?;

    // Recorded some days late; the clock starts from the promulgation.
    fixture.bed.clock.set(datetime!(2026-02-03 09:00 +8));
    let opened = record_trigger(
        &mut office,
        law_amended("主席令一号", "2026-01-30", &["a", "b"]),
    )
    .await?;
    assert_eq!(opened.duties.len(), 2);
    for duty in &opened.duties {
        assert_eq!(
            (duty.starts_on.as_str(), duty.due_on.as_str()),
            ("2026-01-30", "2026-02-27")
        );
        assert_eq!(
            (duty.state(), duty.provisional, duty.overdue),
            (DutyState::Open, false, false)
        );
        assert_eq!(duty.working_days_passed, 2);
    }
    // The same again is the same answer; more items of the same document get duties too.
    let again = record_trigger(
        &mut office,
        law_amended("主席令一号", "2026-01-30", &["a", "b"]),
    )
    .await?;
    assert_eq!(again, opened);
    let more = record_trigger(
        &mut office,
        law_amended("主席令一号", "2026-01-30", &["xzcf"]),
    )
    .await?;
    assert_eq!((more.duties.len(), more.trigger), (3, opened.trigger));
    let other = RecordTriggerRequest {
        document_title: "另一部法".to_owned(),
        ..law_amended("主席令一号", "2026-01-30", &["a"])
    };
    assert_eq!(
        refusal_of(record_trigger(&mut office, other).await).reason,
        Reason::TriggerDiffers
    );

    // On the last day: one is renewed by a draft, in time.
    fixture.bed.clock.set(datetime!(2026-02-27 23:00 +8));
    assert!(
        list_duties(&mut office, DutyFilter::Overdue)
            .await?
            .is_empty()
    );
    let draft = submitted_draft(&mut office, &plain_definition("a", 2)).await?;
    publish_draft(&mut office, &draft.draft_id).await?;
    // A day later the others are overdue; one is renewed directly, late.
    fixture.bed.clock.set(datetime!(2026-02-28 00:00 +8));
    let overdue = list_duties(&mut office, DutyFilter::Overdue).await?;
    let mut codes: Vec<_> = overdue.iter().map(|duty| duty.item_code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["b", "xzcf"]);
    assert!(overdue.iter().all(|duty| duty.overdue));
    fixture.bed.clock.set(datetime!(2026-03-02 09:00 +8));
    publish_directly(&mut office, plain_definition("b", 2)).await?;

    let ended = list_duties(&mut office, DutyFilter::Closed).await?;
    let of = |code: &str| ended.iter().find(|duty| duty.item_code == code).unwrap();
    assert_eq!((of("a").closed_by_version, of("a").overdue), (2, false));
    assert_eq!((of("b").closed_by_version, of("b").overdue), (2, true));
    assert_eq!(of("a").working_days_passed, 15);
    let open = list_duties(&mut office, DutyFilter::Open).await?;
    assert_eq!(open.len(), 1);

    let opened = fixture.bed.emitted_events::<DutyOpened>().await?;
    assert_eq!(opened.len(), 3, "each once");
    assert_eq!(opened[0].trigger_kind, "law_amended");
    let closed = fixture.bed.emitted_events::<DutyClosed>().await?;
    let closed: Vec<_> = closed
        .iter()
        .map(|event| {
            (
                event.item_code.as_str(),
                event.closed_on.as_str(),
                event.late,
            )
        })
        .collect();
    assert_eq!(
        closed,
        [("a", "2026-02-27", false), ("b", "2026-03-02", true)]
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_overdue_is_told_once_by_event_metric_and_record() -> TestResult {
    let fixture = CatalogFixture::start_at(datetime!(2026-06-01 09:00 +8)).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    let opened = record_trigger(
        &mut office,
        law_amended("一号", "2026-06-01", &["xzxk", "xzcf"]),
    )
    .await?;
    assert!(opened.duties.iter().all(|duty| duty.due_on == "2026-06-23"));
    let metrics = async |open: u32, overdue: u32| {
        eventually(
            "the gauges say so",
            std::time::Duration::from_secs(20),
            async || {
                let text = fixture.bed.context.telemetry.metrics_text();
                let lines = [
                    format!("credit_catalogue_duties_open {open}"),
                    format!("credit_catalogue_duties_overdue {overdue}"),
                ];
                let found = lines
                    .iter()
                    .all(|line| text.lines().any(|said| said == line));
                if found { Ok(()) } else { Err(text) }
            },
        )
        .await
    };
    metrics(2, 0).await?;
    fixture.bed.clock.set(datetime!(2026-06-23 23:59 +8));
    fixture.reconcile(None).await?;
    assert!(
        fixture
            .bed
            .emitted_events::<DutyOverdue>()
            .await?
            .is_empty()
    );
    fixture.bed.clock.set(datetime!(2026-06-24 00:00 +8));
    // The first run announces it; all later runs find it announced.
    fixture.reconcile(None).await?;
    fixture.reconcile(None).await?;
    metrics(2, 2).await?;
    // The service's own run may still hold the lock of a duty, which ours then skips.
    eventually(
        "both are told",
        std::time::Duration::from_secs(20),
        async || {
            let announced = fixture.bed.emitted_events::<DutyOverdue>().await?;
            let mut announced: Vec<_> = announced
                .iter()
                .map(|event| event.item_code.as_str())
                .collect();
            announced.sort_unstable();
            anyhow::ensure!(announced == ["xzcf", "xzxk"], "{announced:?}");
            Ok::<_, anyhow::Error>(())
        },
    )
    .await?;
    // Dismissed with a reason, by the credit office only.
    let id = opened.duties[0].duty_id.as_str();
    assert_eq!(
        refusal_of(dismiss_duty(&mut office, id, " ").await).reason_and_field(),
        (Reason::ReasonInvalid, "reason")
    );
    let done = dismiss_duty(&mut office, id, "修订不涉及本目录项").await?;
    assert_eq!(
        (done.state(), done.reason.as_str()),
        (DutyState::Dismissed, "修订不涉及本目录项")
    );
    assert_eq!(
        dismiss_duty(&mut office, id, "修订不涉及本目录项").await?,
        done,
        "said twice"
    );
    assert_eq!(
        refusal_of(dismiss_duty(&mut office, id, "另一理由").await).reason,
        Reason::DutyStateUnsuitable
    );
    assert_eq!(
        refusal_of(dismiss_duty(&mut office, "x", "y").await).reason,
        Reason::DutyIdInvalid
    );
    let nowhere = uuid::Uuid::nil().to_string();
    assert_eq!(
        refusal_of(dismiss_duty(&mut office, &nowhere, "y").await).reason,
        Reason::DutyUnknown
    );
    assert_eq!(
        fixture.bed.emitted_events::<DutyDismissed>().await?.len(),
        1
    );
    metrics(1, 1).await?;

    let steps: Vec<(String, i64)> =
        sqlx::query_as("select what, count(*) from duty_change group by what order by what")
            .fetch_all(&fixture.pool)
            .await?;
    let expected = [("dismissed", 1), ("opened", 2), ("overdue", 2)];
    assert_eq!(steps, expected.map(|(what, n)| (what.to_owned(), n)));
    for statement in [
        "delete from duty",
        "update duty set item_code = 'x'",
        "update duty_change set by = 'x'",
        "delete from duty_change",
        "update change_trigger set document_title = 'x'",
    ] {
        fixture.is_forbidden(statement).await?;
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_whole_organ_is_affected_and_sees_its_own_duties() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    fixture.register(YUELU, "430104").await?;
    let mut office = fixture.office()?;
    let department = |code: &str| {
        item_definition(code, 1, |item| {
            item.owner = ItemOwner::Department {
                organ: BUREAU.to_owned(),
            };
        })
    };
    for code in ["a", "b"] {
        publish_directly(&mut office, department(code)).await?;
    }
    let of_yuelu = item_definition("c", 1, |item| {
        item.owner = ItemOwner::District {
            district: "430104".to_owned(),
            organ: YUELU.to_owned(),
        };
    });
    publish_directly(&mut office, of_yuelu).await?;
    let moved = RecordTriggerRequest {
        kind: TriggerKind::FunctionsChanged.into(),
        organ: BUREAU.to_owned(),
        ..law_amended("长编发1号", "2026-11-20", &["c"])
    };
    let opened = record_trigger(&mut office, moved).await?;
    let mut codes: Vec<_> = opened.duties.iter().map(|d| d.item_code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["a", "b", "c"]);
    for (organisation, role, count) in [
        (BUREAU, Role::Provider, 2),
        (YUELU, Role::Provider, 1),
        (YUELU, Role::DistrictCreditOffice, 1),
        (OFFICE, Role::Operator, 3),
        (OFFICE, Role::Auditor, 3),
        (OFFICE, Role::Provider, 0),
    ] {
        let mut client = fixture.client_of(organisation, role)?;
        let seen = list_duties(&mut client, DutyFilter::Open).await?;
        assert_eq!(seen.len(), count, "{organisation} {role:?}");
    }
    // Page by page, and by item.
    let mut request = ListDutiesRequest {
        organ: BUREAU.to_owned(),
        page_size: 1,
        ..ListDutiesRequest::default()
    };
    let first = office.list_duties(request.clone()).await?.into_inner();
    request.page_token = first.next_page_token.clone();
    let second = office.list_duties(request).await?.into_inner();
    assert_eq!((first.duties.len(), second.duties.len()), (1, 1));
    assert_ne!(first.duties, second.duties);
    assert!(second.next_page_token.is_empty());

    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    let status = record_trigger(&mut bureau, law_amended("x", "2026-11-20", &["a"])).await;
    assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
    let status = dismiss_duty(&mut bureau, &opened.duties[0].duty_id, "x").await;
    assert_eq!(status.unwrap_err().code(), Code::PermissionDenied);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_what_was_published_since_the_trigger_answers_it_and_nothing_is_due_before_2017()
-> TestResult {
    let fixture = CatalogFixture::start_at(datetime!(2026-01-10 09:00 +8)).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    publish_directly(&mut office, plain_definition("a", 1)).await?;
    fixture.bed.clock.set(datetime!(2026-02-05 09:00 +8));
    publish_directly(&mut office, plain_definition("a", 2)).await?;
    fixture.bed.clock.set(datetime!(2026-03-10 09:00 +8));
    let late = record_trigger(&mut office, law_amended("一号", "2026-01-30", &["a"])).await?;
    let duty = &late.duties[0];
    assert_eq!(
        (duty.state(), duty.closed_by_version, duty.overdue),
        (DutyState::Closed, 2, false)
    );
    // The item came into the platform after this trigger: what it says is older law.
    let older = record_trigger(&mut office, law_amended("二号", "2025-12-31", &["xzcf"])).await?;
    let duty = &older.duties[0];
    assert_eq!(
        (duty.state(), duty.due_on.as_str(), duty.overdue),
        (DutyState::Open, "2026-01-22", true)
    );
    //
    let before = record_trigger(&mut office, law_amended("三号", "2017-06-19", &["xzcf"])).await?;
    assert!(before.trigger.is_some() && before.duties.is_empty());
    // D-17: from the day of effect, with the reason; into a year without a calendar, provisional.
    let effective = RecordTriggerRequest {
        effective_on: "2026-12-21".to_owned(),
        effective_reason: "施行前另有配套规定".to_owned(),
        ..law_amended("四号", "2026-03-01", &["a"])
    };
    let opened = record_trigger(&mut office, effective).await?;
    assert_eq!(opened.duties[0].starts_on, "2026-12-21");
    assert!(opened.duties[0].provisional);

    let none = law_amended("五号", "2026-03-01", &[]);
    let unknown = law_amended("五号", "2026-03-01", &["a", "nowhere"]);
    let malformed = law_amended("五号", "2026-03-01", &["a", "A"]);
    let empty = law_amended("五号", "2026-03-01", &[""]);
    fixture.register(BUREAU, "").await?;
    let [organ, stranger, misspelt] = [BUREAU, YUELU, "some organ"].map(|organ| {
        let organ = organ.to_owned();
        RecordTriggerRequest {
            organ,
            ..none.clone()
        }
    });
    let future = law_amended("五号", "2026-03-11", &["a"]);
    let written = law_amended("五号", "1 March", &["a"]);
    let numberless = law_amended("", "2026-03-01", &["a"]);
    for (request, reason, field) in [
        (none, Reason::TriggerItemsInvalid, "item_codes"),
        (unknown, Reason::ItemUnknown, "item_codes[1]"),
        (malformed, Reason::ItemCodeInvalid, "item_codes[1]"),
        (empty, Reason::ItemCodeMissing, "item_codes[0]"),
        (stranger, Reason::ProviderUnknown, "organ"),
        (organ, Reason::TriggerItemsUnsuitable, "organ"),
        (misspelt, Reason::CreditCodeInvalid, "organ"),
        (future, Reason::TriggerInvalid, "promulgated_on"),
        (written, Reason::DateInvalid, "promulgated_on"),
        (numberless, Reason::TriggerInvalid, "document_number"),
    ] {
        let refused = refusal_of(record_trigger(&mut office, request).await);
        assert_eq!(refused.reason_and_field(), (reason, field));
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_new_calendar_moves_open_duties_and_says_so() -> TestResult {
    let fixture = CatalogFixture::start_at(datetime!(2026-12-10 09:00 +8)).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    let opened = record_trigger(&mut office, law_amended("一号", "2026-12-21", &["xzcf"])).await;
    assert_eq!(
        refusal_of(opened).field,
        "promulgated_on",
        "not before it happened"
    );
    fixture.bed.clock.set(datetime!(2026-12-21 09:00 +8));
    let opened = record_trigger(&mut office, law_amended("一号", "2026-12-21", &["xzcf"])).await?;
    let before = opened.duties[0].due_on.clone();
    assert!(opened.duties[0].provisional);

    // The notice for 2027 comes: New Year's Day and the Monday after it are off.
    let mut years: serde_json::Value = serde_json::from_str(include_str!(
        "../../../../crates/legal-clock/data/working-days.json"
    ))?;
    years["years"].as_array_mut().unwrap().push(serde_json::json!({
        "year": 2027, "status": "final", "notice": "测试", "published": "2026-12-22", "revision": 1,
        "off_weekdays": ["2027-01-01", "2027-01-04"], "work_weekends": [],
    }));
    let revised = Law {
        calendar: Calendar::from_json(&years.to_string())?,
        rules: LegalRuleSet::changsha_2017(),
    };
    // The service's own reconciler holds the old calendar: the clock does not advance while this one is tested.
    let moved = reconcile_data_files(&fixture.pool, &revised, &fixture.bed.clock, None)
        .await?
        .moved;
    assert_eq!(moved.len(), 1);
    let expected = revised
        .calendar
        .deadline(time::macros::date!(2026 - 12 - 21), 15);
    assert!(!expected.provisional);
    assert_eq!((moved[0].0.as_str(), moved[0].2), ("xzcf", expected.due_on));
    let events = fixture.bed.emitted_events::<DutyRescheduled>().await?;
    assert_eq!(events[0].old_due_on, before);
    assert_eq!(events[0].due_on, legal_clock::format_day(expected.due_on));
    assert!(!events[0].provisional);
    // An instance that does not know the notice yet leaves the final day alone.
    let old =
        reconcile_data_files(&fixture.pool, &changsha_law()?, &fixture.bed.clock, None).await?;
    assert!(old.moved.is_empty());
    let open = list_duties(&mut office, DutyFilter::Open).await?;
    assert_eq!(
        (open[0].due_on.as_str(), open[0].provisional),
        (events[0].due_on.as_str(), false)
    );
    assert_eq!(
        fixture.bed.emitted_events::<DutyRescheduled>().await?.len(),
        1
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_overdue_is_not_told_again_for_an_earlier_day() -> TestResult {
    let fixture = CatalogFixture::start_at(datetime!(2026-06-01 09:00 +8)).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    record_trigger(&mut office, law_amended("一号", "2026-06-01", &["xzxk"])).await?;
    fixture.bed.clock.set(datetime!(2026-06-24 00:00 +8));
    fixture.reconcile(None).await?;
    // The service's own run may still hold the lock of the duty, which ours then skips.
    eventually(
        "it is told",
        std::time::Duration::from_secs(20),
        async || {
            let announced = fixture.bed.emitted_events::<DutyOverdue>().await?.len();
            anyhow::ensure!(announced == 1, "{announced}");
            Ok::<_, anyhow::Error>(())
        },
    )
    .await?;
    // A revised calendar counts 9 June as off and later again as it was: each later due day is announced, no earlier
    // one.
    let text = include_str!("../../../../crates/legal-clock/data/working-days.json");
    let mut years: serde_json::Value = serde_json::from_str(text)?;
    let of_2026 = years["years"]
        .as_array_mut()
        .and_then(|years| years.iter_mut().find(|year| year["year"] == 2026))
        .ok_or_else(|| anyhow::anyhow!("no calendar of 2026"))?;
    of_2026["off_weekdays"]
        .as_array_mut()
        .ok_or_else(|| anyhow::anyhow!("no off_weekdays"))?
        .push("2026-06-09".into());
    let revised = Law {
        calendar: Calendar::from_json(&years.to_string())?,
        rules: LegalRuleSet::changsha_2017(),
    };
    fixture.bed.clock.set(datetime!(2026-06-25 09:00 +8));
    let clock = &fixture.bed.clock;
    for _ in 0..3 {
        reconcile_data_files(&fixture.pool, &revised, clock, None).await?;
        reconcile_data_files(&fixture.pool, &changsha_law()?, clock, None).await?;
    }
    let announced = fixture.bed.emitted_events::<DutyOverdue>().await?;
    let mut days: Vec<_> = announced
        .iter()
        .map(|event| event.due_on.as_str())
        .collect();
    let all = days.len();
    days.dedup();
    assert_eq!((days.len(), days[0]), (all, "2026-06-23"), "{days:?}");
    assert!(days.is_sorted() && all <= 2, "{days:?}");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_the_reconciler_waits_for_no_row_that_another_writer_has_in_hand() -> TestResult {
    let fixture = CatalogFixture::start_at(datetime!(2026-06-01 09:00 +8)).await?;
    fixture.ready().await?;
    let mut office = fixture.office()?;
    record_trigger(
        &mut office,
        law_amended("一号", "2026-06-01", &["xzxk", "xzcf"]),
    )
    .await?;
    let owner = fixture.bed.schema_pool().await?;
    let mut writer = owner.begin().await?;
    sqlx::query("update duty set reason = '' where item_code = 'xzxk'")
        .execute(&mut *writer)
        .await?;
    fixture.bed.clock.set(datetime!(2026-06-24 09:00 +8));
    let announced = async || {
        let announced = fixture.bed.emitted_events::<DutyOverdue>().await?;
        Ok::<_, anyhow::Error>(
            announced
                .into_iter()
                .map(|e| e.item_code)
                .collect::<Vec<_>>(),
        )
    };
    fixture.reconcile(None).await?;
    eventually(
        "one is told",
        std::time::Duration::from_secs(20),
        async || {
            let announced = announced().await?;
            anyhow::ensure!(announced == ["xzcf"], "{announced:?}");
            Ok::<_, anyhow::Error>(())
        },
    )
    .await?;
    writer.rollback().await?;
    owner.close().await;
    eventually(
        "both are told",
        std::time::Duration::from_secs(20),
        async || {
            let announced = announced().await?;
            anyhow::ensure!(announced == ["xzcf", "xzxk"], "{announced:?}");
            Ok::<_, anyhow::Error>(())
        },
    )
    .await?;
    fixture.finish().await?;
    Ok(())
}
