//! who may draft, see and publish; and that a publication is whole or not at all.

use anyhow::Result;
use credit_record::item::ItemOwner;
use proto::credit::catalog::{
    events::v1::{DraftPublished, DutyClosed, ItemVersionPublished},
    v1::{
        Draft, DraftState, DutyFilter, ListDraftsRequest, Provider, ProviderLevel,
        RegisterProviderRequest,
    },
};
use service_kit::{
    ServiceContext, identity::Role, readiness::Readiness, reason::Reason, shutdown::Shutdown,
};
use testkit::{TestResult, refusal_of};
use tonic::Code;

use crate::{
    calls::{
        BUREAU, STRANGER, YUELU, get_draft, law_amended, list_duties, publish_directly,
        publish_draft, record_trigger, return_draft, save_draft, submit_draft, submitted_draft,
        withdraw_draft,
    },
    fixture::{CatalogFixture, OFFICE, item_definition, plain_definition},
};

fn department(code: &str, organ: &str) -> String {
    item_definition(code, 1, |item| {
        item.owner = ItemOwner::Department {
            organ: organ.to_owned(),
        };
    })
}

fn district(code: &str, district: &str, organ: &str) -> String {
    item_definition(code, 1, |item| {
        item.owner = ItemOwner::District {
            district: district.to_owned(),
            organ: organ.to_owned(),
        };
    })
}

#[tokio::test]
async fn r6_everybody_drafts_for_its_own_catalogue_only() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    fixture.register(YUELU, "430104").await?;
    let of_bureau = department("a", BUREAU);
    let of_yuelu = district("b", "430104", YUELU);
    let city = plain_definition("c", 1);
    let denied = Err(Reason::NotYourCatalogue);
    let unregistered = Err(Reason::ProviderNotRegistered);
    let outside = Err(Reason::OwnerOutsideDistrict);
    // (who, as what, draft, outcome)
    let table = [
        (BUREAU, Role::Provider, &of_bureau, Ok(())),
        (BUREAU, Role::Provider, &of_yuelu, denied),
        (BUREAU, Role::Provider, &city, denied),
        (YUELU, Role::Provider, &of_yuelu, Ok(())),
        (YUELU, Role::Provider, &of_bureau, denied),
        (YUELU, Role::DistrictCreditOffice, &of_yuelu, Ok(())),
        (YUELU, Role::DistrictCreditOffice, &city, denied),
        (
            STRANGER,
            Role::Provider,
            &department("d", STRANGER),
            unregistered,
        ),
        (
            STRANGER,
            Role::DistrictCreditOffice,
            &of_yuelu,
            unregistered,
        ),
        (OFFICE, Role::CreditOffice, &of_bureau, Ok(())),
        (OFFICE, Role::CreditOffice, &city, Ok(())),
        // An organ of 岳麓区 has no place in the catalogue of another district, or of the city's departments.
        (
            OFFICE,
            Role::CreditOffice,
            &district("e", "430103", YUELU),
            outside,
        ),
        (
            YUELU,
            Role::Provider,
            &district("e", "430103", YUELU),
            outside,
        ),
        (YUELU, Role::Provider, &department("e", YUELU), outside),
        // A published item of the city is not taken over by a draft.
        (BUREAU, Role::Provider, &department("xzcf", BUREAU), denied),
    ];
    for (organisation, role, toml, expected) in table {
        let mut client = fixture.client_of(organisation, role)?;
        let answer = save_draft(&mut client, "", toml, 0).await;
        match expected {
            Ok(()) => assert!(answer.is_ok(), "{organisation} {role:?}: {answer:?}"),
            Err(reason) => {
                let refused = refusal_of(answer);
                assert_eq!(refused.reason, reason, "{organisation} {role:?}");
                assert!(
                    refused.field.starts_with("definition_toml.owner"),
                    "{refused:?}"
                );
            }
        }
    }
    for role in [Role::Operator, Role::Auditor, Role::Public, Role::Subject] {
        let mut client = fixture.client_as(role)?;
        let status = save_draft(&mut client, "", &city, 0).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied, "{role:?}");
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r5_a_draft_is_seen_by_its_organ_and_the_offices_and_reviewed_by_the_city_only()
-> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    fixture.register(YUELU, "430104").await?;
    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    let draft = submitted_draft(&mut bureau, &department("a", BUREAU)).await?;
    let id = draft.draft_id.as_str();
    for (organisation, role, sees) in [
        (BUREAU, Role::Provider, true),
        (OFFICE, Role::CreditOffice, true),
        (OFFICE, Role::Operator, true),
        (OFFICE, Role::Auditor, true),
        (YUELU, Role::Provider, false),
        (YUELU, Role::DistrictCreditOffice, false),
        (STRANGER, Role::Provider, false),
    ] {
        let mut client = fixture.client_of(organisation, role)?;
        let answer = get_draft(&mut client, id).await;
        let list = client.list_drafts(ListDraftsRequest::default()).await?;
        assert_eq!(
            list.into_inner().drafts.len(),
            usize::from(sees),
            "{organisation} {role:?}"
        );
        if sees {
            assert_eq!(answer?.state(), DraftState::Submitted);
        } else {
            assert_eq!(
                refusal_of(answer).reason,
                Reason::DraftUnknown,
                "{organisation} {role:?}"
            );
            if matches!(role, Role::Provider | Role::DistrictCreditOffice) {
                assert_eq!(
                    refusal_of(withdraw_draft(&mut client, id, "").await).reason,
                    Reason::DraftUnknown
                );
            }
        }
    }
    assert_eq!(
        refusal_of(get_draft(&mut bureau, "no id").await).reason_and_field(),
        (Reason::DraftIdInvalid, "draft_id")
    );
    // The author cannot publish, and neither can a credit office whose own organ wrote it.
    assert_eq!(
        refusal_of(publish_draft(&mut bureau, id).await).reason,
        Reason::RoleNotAllowed
    );
    let mut own = fixture.client_of(BUREAU, Role::CreditOffice)?;
    assert_eq!(
        refusal_of(publish_draft(&mut own, id).await).reason,
        Reason::OwnCatalogue
    );
    let mut district = fixture.client_of(YUELU, Role::DistrictCreditOffice)?;
    for refused in [
        publish_draft(&mut district, id).await,
        return_draft(&mut district, id, "请补充").await,
        return_draft(&mut bureau, id, "请补充").await,
    ] {
        assert_eq!(refusal_of(refused).reason, Reason::RoleNotAllowed);
    }
    publish_draft(&mut fixture.office()?, id).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_publication_is_whole_or_not_at_all() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    let mut office = fixture.office()?;
    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    let first = submitted_draft(&mut bureau, &department("a", BUREAU)).await?;
    publish_draft(&mut office, &first.draft_id).await?;
    record_trigger(&mut office, law_amended("一号", "2026-11-20", &["a"])).await?;
    let second = item_definition("a", 2, |item| {
        item.owner = ItemOwner::Department {
            organ: BUREAU.to_owned(),
        };
    });
    let draft = submitted_draft(&mut bureau, &second).await?;

    // The last event of the transaction cannot be stored: everything before it is undone.
    let owner = fixture.bed.schema_pool().await?;
    for statement in [
        "create function no() returns trigger language plpgsql as $$ begin \
         raise exception 'no room for %', new.event_type using errcode = '23514'; end $$",
        "create trigger no before insert on outbox for each row \
         when (new.event_type = 'credit.catalog.events.v1.DraftPublished') execute function no()",
    ] {
        sqlx::query(statement).execute(&owner).await?;
    }
    let status = publish_draft(&mut office, &draft.draft_id)
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    assert_eq!(
        get_draft(&mut office, &draft.draft_id).await?.state(),
        DraftState::Submitted
    );
    let open = list_duties(&mut office, DutyFilter::Open).await?;
    assert_eq!(open.len(), 1, "the duty is not closed");
    let of_a = async || {
        let all = fixture.bed.emitted_events::<ItemVersionPublished>().await?;
        Ok::<_, anyhow::Error>(all.iter().filter(|event| event.code == "a").count())
    };
    assert_eq!(of_a().await?, 1);
    assert!(fixture.bed.emitted_events::<DutyClosed>().await?.is_empty());

    sqlx::query("drop trigger no on outbox")
        .execute(&owner)
        .await?;
    sqlx::query("drop function no()").execute(&owner).await?;
    owner.close().await;
    publish_draft(&mut office, &draft.draft_id).await?;
    assert_eq!(of_a().await?, 2);
    assert_eq!(fixture.bed.emitted_events::<DutyClosed>().await?.len(), 1);
    assert_eq!(
        fixture.bed.emitted_events::<DraftPublished>().await?.len(),
        2
    );
    assert!(list_duties(&mut office, DutyFilter::Open).await?.is_empty());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_of_two_that_publish_at_once_one_is_refused_and_both_say_the_same() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    // Eight officers publish version 1, each with words of his own.
    let calls = (0..8).map(|i| {
        let toml = item_definition("race", 1, |item| item.edition = format!("e{i}"));
        let mut office = fixture.office().unwrap();
        async move { publish_directly(&mut office, toml).await }
    });
    let answers = futures::future::join_all(calls).await;
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(done, 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refusal_of(answer).reason, Reason::ItemVersionImmutable);
    }
    // Eight officers publish the same draft.
    let mut office = fixture.office()?;
    let draft = submitted_draft(&mut office, &plain_definition("race", 2)).await?;
    let calls = (0..8).map(|_| {
        let mut office = fixture.office().unwrap();
        let id = draft.draft_id.clone();
        async move { publish_draft(&mut office, &id).await }
    });
    let answers = futures::future::join_all(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1);
    for answer in answers.into_iter().filter(Result::is_err) {
        assert_eq!(refusal_of(answer).reason, Reason::DraftStateUnsuitable);
    }
    let versions = fixture.bed.emitted_events::<ItemVersionPublished>().await?;
    let versions: Vec<_> = versions
        .iter()
        .filter(|v| v.code == "race")
        .map(|v| v.version)
        .collect();
    assert_eq!(versions, [1, 2]);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_draft_goes_on_after_a_restart() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    let instance = async || {
        let context = ServiceContext {
            readiness: Readiness::default(),
            shutdown: Shutdown::new(),
            ..fixture.bed.context.clone()
        };
        let client = fixture.start_instance(&context).await?;
        Ok::<_, anyhow::Error>((client, context.shutdown))
    };
    let (mut office, shutdown) = instance().await?;
    let draft = save_draft(&mut office, "", &plain_definition("a", 1), 0).await?;
    submit_draft(&mut office, &draft.draft_id).await?;
    record_trigger(&mut office, law_amended("一号", "2026-11-20", &["xzcf"])).await?;
    shutdown.request_stop();
    let ended = shutdown
        .wait_finished(std::time::Duration::from_secs(20))
        .await;
    ended.map_err(anyhow::Error::msg)?;
    assert!(
        get_draft(&mut office, &draft.draft_id).await.is_err(),
        "it is gone"
    );

    let (mut office, shutdown) = instance().await?;
    assert_eq!(
        publish_draft(&mut office, &draft.draft_id).await?.revision,
        3
    );
    assert_eq!(list_duties(&mut office, DutyFilter::Open).await?.len(), 1);
    shutdown.request_stop();
    let ended = shutdown
        .wait_finished(std::time::Duration::from_secs(20))
        .await;
    ended.map_err(anyhow::Error::msg)?;
    fixture.finish().await?;
    Ok(())
}

fn of_bureau(code: &str, version: u32, organ: &str) -> String {
    item_definition(code, version, |item| {
        item.owner = ItemOwner::Department {
            organ: organ.to_owned(),
        };
    })
}

/// A second department of the city.
const OTHER: &str = YUELU;

#[tokio::test]
async fn r6_nobody_takes_over_an_item_that_came_while_it_drafted() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    fixture.register(OTHER, "").await?;
    let mut office = fixture.office()?;
    let mut a = fixture.client_of(BUREAU, Role::Provider)?;
    let mut b = fixture.client_of(OTHER, Role::Provider)?;
    let early = save_draft(&mut a, "", &of_bureau("abc", 2, BUREAU), 0).await?;
    let first = submitted_draft(&mut b, &of_bureau("abc", 1, OTHER)).await?;
    publish_draft(&mut office, &first.draft_id).await?;
    let changed = (Reason::OwnerChanged, "definition_toml.owner");
    let answer = submit_draft(&mut a, &early.draft_id).await;
    assert_eq!(refusal_of(answer).reason_and_field(), changed);
    // The faults are part of the answer too.
    let shown = get_draft(&mut a, &early.draft_id).await?;
    assert_eq!(shown.faults[0].field, "definition_toml.owner");
    // Submitted before the other organ's version was published: the publication is refused.
    let second = submitted_draft(&mut b, &of_bureau("abc", 2, OTHER)).await?;
    publish_draft(&mut office, &second.draft_id).await?;
    let third = submitted_draft(&mut b, &of_bureau("abc", 3, OTHER)).await?;
    publish_directly(&mut office, of_bureau("abc", 3, BUREAU)).await?;
    assert_eq!(
        refusal_of(publish_draft(&mut office, &third.draft_id).await).reason,
        Reason::ItemVersionImmutable
    );
    // The credit office moved it by publishing directly; drafts follow the new owner.
    let answer = submitted_draft(&mut office, &of_bureau("abc", 4, OTHER)).await;
    assert_eq!(refusal_of(answer).reason_and_field(), changed);
    let fourth = submitted_draft(&mut a, &of_bureau("abc", 4, BUREAU)).await?;
    publish_draft(&mut office, &fourth.draft_id).await?;
    // A submitted draft whose item moved meanwhile is refused at the publication.
    let waiting = submitted_draft(&mut a, &of_bureau("abc", 5, BUREAU)).await?;
    publish_directly(&mut office, of_bureau("abc", 5, OTHER)).await?;
    assert_eq!(
        refusal_of(publish_draft(&mut office, &waiting.draft_id).await).reason,
        Reason::ItemVersionImmutable
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_who_began_a_draft_neither_returns_nor_publishes_it() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    let mut office = fixture.office()?;
    let draft = submitted_draft(&mut office, &department("a", BUREAU)).await?;
    for answer in [
        publish_draft(&mut office, &draft.draft_id).await,
        return_draft(&mut office, &draft.draft_id, "缺少依据").await,
    ] {
        assert_eq!(
            refusal_of(answer).reason_and_field(),
            (Reason::OwnDraft, "draft_id")
        );
    }
    // In the city's own catalogue there is nobody else.
    let city = submitted_draft(&mut office, &plain_definition("b", 1)).await?;
    publish_draft(&mut office, &city.draft_id).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r5_an_office_of_a_district_that_is_disabled_sees_nothing_any_more() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(YUELU, "430104").await?;
    let mut yuelu = fixture.client_of(YUELU, Role::DistrictCreditOffice)?;
    let draft = save_draft(&mut yuelu, "", &district("b", "430104", YUELU), 0).await?;
    assert!(get_draft(&mut yuelu, &draft.draft_id).await.is_ok());
    let disabled = Provider {
        code: YUELU.to_owned(),
        name: "某单位".to_owned(),
        level: ProviderLevel::District.into(),
        district_code: "430104".to_owned(),
        enabled: false,
        ..Provider::default()
    };
    let provider = Some(disabled);
    let request = RegisterProviderRequest { provider };
    fixture.office()?.register_provider(request).await?;
    assert_eq!(
        refusal_of(get_draft(&mut yuelu, &draft.draft_id).await).reason,
        Reason::DraftUnknown
    );
    let list = yuelu.list_drafts(ListDraftsRequest::default()).await?;
    assert!(list.into_inner().drafts.is_empty());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_what_was_submitted_is_kept_and_officers_are_named_to_staff_only() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    let mut office = fixture.office()?;
    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    let texts = ["第一稿", "第二稿"].map(|edition| {
        item_definition("a", 1, |item| {
            item.edition = edition.to_owned();
            item.owner = ItemOwner::Department {
                organ: BUREAU.to_owned(),
            };
        })
    });
    let draft = submitted_draft(&mut bureau, &texts[0]).await?;
    let id = draft.draft_id.as_str();
    return_draft(&mut office, id, "缺少依据").await?;
    let saved = save_draft(&mut bureau, id, &texts[1], 3).await?;
    let resubmitted = submit_draft(&mut bureau, id).await?;
    assert_eq!((saved.revision, resubmitted.revision), (4, 5));
    let kept: Vec<(i64, String)> =
        sqlx::query_as("select revision, definition from draft_submission order by revision")
            .fetch_all(&fixture.pool)
            .await?;
    let [first, second] = texts;
    assert_eq!(kept, [(2, first), (5, second)]);
    for statement in [
        "delete from draft_submission",
        "update draft_submission set definition = ''",
    ] {
        fixture.is_forbidden(statement).await?;
    }

    let by = |draft: &Draft| -> Vec<String> {
        draft.history.iter().map(|step| step.by.clone()).collect()
    };
    let shown = by(&get_draft(&mut bureau, id).await?);
    assert_eq!(shown, [BUREAU, BUREAU, OFFICE, BUREAU, BUREAU]);
    let shown = by(&get_draft(&mut office, id).await?);
    assert!(shown.iter().all(|by| by.contains('/')), "{shown:?}");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn an_organ_begins_a_hundred_drafts_and_no_more_until_one_is_done() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    let text = department("a", BUREAU);
    let mut last = String::new();
    for _ in 0..catalog::domain::draft::MAX_OPEN_DRAFTS {
        last = save_draft(&mut bureau, "", &text, 0).await?.draft_id;
    }
    assert_eq!(
        refusal_of(save_draft(&mut bureau, "", &text, 0).await).reason_and_field(),
        (Reason::DraftsTooMany, "draft_id")
    );
    // What is open can be worked on, and another organ is not kept back.
    let changed = department("b", BUREAU);
    assert_eq!(
        save_draft(&mut bureau, &last, &changed, 1).await?.revision,
        2
    );
    save_draft(&mut fixture.office()?, "", &text, 0).await?;
    withdraw_draft(&mut bureau, &last, "").await?;
    save_draft(&mut bureau, "", &text, 0).await?;
    fixture.finish().await?;
    Ok(())
}
