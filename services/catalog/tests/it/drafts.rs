//! a department drafts, the credit office reviews, and what is published is the catalogue.

use credit_record::item::ItemOwner;
use proto::credit::catalog::{
    events::v1::{
        DraftPublished, DraftReturned, DraftSaved, DraftSubmitted, DraftWithdrawn,
        ItemVersionPublished,
    },
    v1::{DraftState, GetItemRequest, ListDraftsRequest},
};
use service_kit::{identity::Role, reason::Reason};
use testkit::{TestResult, refusal_of};

use crate::{
    calls::{
        BUREAU, get_draft, publish_draft, return_draft, save_draft, submit_draft, submitted_draft,
        withdraw_draft,
    },
    fixture::{CatalogFixture, OFFICE, item_definition},
};

fn of_bureau(code: &str, version: u32) -> String {
    item_definition(code, version, |item| {
        item.owner = ItemOwner::Department {
            organ: BUREAU.to_owned(),
        };
    })
}

#[tokio::test]
async fn r6_a_department_drafts_and_the_office_returns_and_publishes() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    let mut office = fixture.office()?;

    // Begun, incomplete: kept, with what is wrong, and not to be submitted.
    let begun = format!(
        "code = \"jjjc\"\nversion = 1\nname = \"监督检查\"\n[owner]\ncatalogue = \"department\"\norgan = \"{BUREAU}\""
    );
    let draft = save_draft(&mut bureau, "", &begun, 0).await?;
    let id = draft.draft_id.as_str();
    assert_eq!((draft.state(), draft.revision), (DraftState::Draft, 1));
    assert_eq!(draft.faults[0].field, "definition_toml");
    assert_eq!(
        refusal_of(submit_draft(&mut bureau, id).await).reason,
        Reason::DefinitionUnreadable
    );
    // Readable, but without a basis in law.
    let faulty = item_definition("jjjc", 1, |item| {
        item.owner = ItemOwner::Department {
            organ: BUREAU.to_owned(),
        };
        item.legal_basis.clear();
    });
    let draft = save_draft(&mut bureau, id, &faulty, 1).await?;
    assert_eq!(draft.faults[0].field, "definition_toml.legal_basis");
    assert_eq!(
        refusal_of(submit_draft(&mut bureau, id).await).reason_and_field(),
        (
            Reason::DefinitionInconsistent,
            "definition_toml.legal_basis"
        )
    );

    // Complete. Who did not see the newest revision does not overwrite it; the same again changes nothing.
    let whole = of_bureau("jjjc", 1);
    assert_eq!(
        refusal_of(save_draft(&mut bureau, id, &whole, 1).await).reason,
        Reason::DraftChanged
    );
    let draft = save_draft(&mut bureau, id, &whole, 2).await?;
    assert_eq!((draft.revision, draft.faults.len()), (3, 0));
    assert_eq!(save_draft(&mut bureau, id, &whole, 3).await?.revision, 3);
    let draft = submit_draft(&mut bureau, id).await?;
    assert_eq!(draft.state(), DraftState::Submitted);
    assert_eq!(
        refusal_of(save_draft(&mut bureau, id, &faulty, 4).await).reason,
        Reason::DraftStateUnsuitable
    );

    // The review.
    assert_eq!(
        refusal_of(return_draft(&mut office, id, "").await).field,
        "reasons"
    );
    let draft = return_draft(&mut office, id, "请补充实施条例").await?;
    assert_eq!(
        (draft.state(), draft.reasons.len()),
        (DraftState::Returned, 1)
    );
    assert_eq!(
        refusal_of(submit_draft(&mut bureau, id).await).reason,
        Reason::DraftStateUnsuitable
    );
    assert_eq!(
        refusal_of(publish_draft(&mut office, id).await).reason,
        Reason::DraftStateUnsuitable
    );
    let mended = whole.replace("legal_basis = [", "legal_basis = [\"实施条例\", ");
    assert_ne!(mended, whole);
    let draft = save_draft(&mut bureau, id, &mended, draft.revision).await?;
    assert_eq!(draft.state(), DraftState::Draft);
    assert_eq!(draft.reasons[0].text, "请补充实施条例");
    submit_draft(&mut bureau, id).await?;
    fixture.bed.clock.advance(time::Duration::days(2));
    let draft = publish_draft(&mut office, id).await?;
    assert_eq!(draft.state(), DraftState::Published);

    // In force, and nothing moves any more.
    let request = GetItemRequest {
        code: "jjjc".to_owned(),
        ..GetItemRequest::default()
    };
    let item = bureau.get_item(request).await?.into_inner().item.unwrap();
    assert_eq!(item.legal_basis[0], "实施条例");
    assert_eq!(item.owner.unwrap().organ, BUREAU);
    for answer in [
        publish_draft(&mut office, id).await,
        return_draft(&mut office, id, "x").await,
        withdraw_draft(&mut bureau, id, "").await,
        save_draft(&mut bureau, id, &whole, 8).await,
    ] {
        assert_eq!(refusal_of(answer).reason, Reason::DraftStateUnsuitable);
    }

    // The history names who did what and when, and is never deleted.
    use DraftState::{Draft, Published, Returned, Submitted};
    let seen = get_draft(&mut bureau, id).await?;
    let states: Vec<_> = seen.history.iter().map(|change| change.state()).collect();
    assert_eq!(
        states,
        [
            Draft, Draft, Draft, Submitted, Returned, Draft, Submitted, Published
        ]
    );
    let by: Vec<_> = seen
        .history
        .iter()
        .map(|change| change.by.split('/').next())
        .collect();
    assert_eq!(
        (by[3], by[4], by[7]),
        (Some(BUREAU), Some(OFFICE), Some(OFFICE))
    );
    assert_eq!(
        seen.history[4].reasons[0].field,
        "definition_toml.legal_basis"
    );
    for statement in [
        "update draft_change set by = 'x'",
        "delete from draft_change",
        "delete from draft",
        "update draft set created_by = 'x'",
    ] {
        fixture.is_forbidden(statement).await?;
    }

    // Each change is an event.
    let bed = &fixture.bed;
    let saved = bed.emitted_events::<DraftSaved>().await?;
    assert!(
        saved
            .iter()
            .all(|event| event.item_code == "jjjc" && event.organ == BUREAU)
    );
    assert!(saved.len() >= 2 && saved[0].revision == 1);
    assert_eq!(bed.emitted_events::<DraftSubmitted>().await?.len(), 2);
    let returned = bed.emitted_events::<DraftReturned>().await?;
    assert_eq!(returned[0].reasons, ["请补充实施条例"]);
    let done = bed.emitted_events::<DraftPublished>().await?;
    assert_eq!(
        (done.len(), done[0].organ.as_str(), done[0].item_version),
        (1, BUREAU, 1)
    );
    let versions = bed.emitted_events::<ItemVersionPublished>().await?;
    let version = versions.iter().find(|event| event.code == "jjjc").unwrap();
    assert_eq!(version.published_on, "2026-11-22");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_a_draft_is_withdrawn_and_an_outrun_one_is_refused_at_its_publication() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    let mut office = fixture.office()?;
    let given_up = submitted_draft(&mut bureau, &of_bureau("jjjc", 1)).await?;
    assert_eq!(
        refusal_of(withdraw_draft(&mut bureau, &given_up.draft_id, " ").await).reason_and_field(),
        (Reason::ReasonInvalid, "reason")
    );
    let draft = withdraw_draft(&mut bureau, &given_up.draft_id, "另行申报").await?;
    assert_eq!(draft.state(), DraftState::Withdrawn);
    assert_eq!(draft.history.last().unwrap().note, "另行申报");
    assert_eq!(
        fixture.bed.emitted_events::<DraftWithdrawn>().await?.len(),
        1
    );

    // Two drafts for the same version: the second is refused whole, and may be mended.
    let first = submitted_draft(&mut bureau, &of_bureau("jjjc", 1)).await?;
    let late = submitted_draft(
        &mut bureau,
        &of_bureau("jjjc", 1).replace("name = \"行政处罚", "name = \"行政检查"),
    )
    .await?;
    publish_draft(&mut office, &first.draft_id).await?;
    assert_eq!(
        refusal_of(publish_draft(&mut office, &late.draft_id).await).reason_and_field(),
        (Reason::ItemVersionImmutable, "definition_toml.version")
    );
    let seen = get_draft(&mut office, &late.draft_id).await?;
    assert_eq!(seen.state(), DraftState::Submitted, "still as it was");
    assert_eq!(seen.faults[0].field, "definition_toml.version");
    return_draft(&mut office, &late.draft_id, "版本号已被使用").await?;
    let next = of_bureau("jjjc", 2);
    let draft = save_draft(&mut bureau, &late.draft_id, &next, 3).await?;
    assert_eq!((draft.item_version, draft.faults.len()), (2, 0));
    // A version that is skipped, or published already, is refused before anybody reviews it.
    let skipping = save_draft(&mut bureau, "", &of_bureau("jjjc", 4), 0).await?;
    assert_eq!(
        refusal_of(submit_draft(&mut bureau, &skipping.draft_id).await).reason,
        Reason::ItemVersionGap
    );
    let again = save_draft(&mut bureau, "", &of_bureau("jjjc", 1), 0).await?;
    assert_eq!(
        refusal_of(submit_draft(&mut bureau, &again.draft_id).await).reason,
        Reason::ItemVersionKnown
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r6_lists_of_drafts_are_paged_and_filtered() -> TestResult {
    let fixture = CatalogFixture::start().await?;
    fixture.ready().await?;
    fixture.register(BUREAU, "").await?;
    let mut bureau = fixture.client_of(BUREAU, Role::Provider)?;
    for i in 0..5 {
        fixture.bed.clock.advance(time::Duration::seconds(1));
        save_draft(&mut bureau, "", &of_bureau(&format!("item-{i}"), 1), 0).await?;
    }
    let mut shown = Vec::new();
    let mut request = ListDraftsRequest {
        page_size: 2,
        organ: BUREAU.to_owned(),
        ..ListDraftsRequest::default()
    };
    loop {
        let page = bureau.list_drafts(request.clone()).await?.into_inner();
        assert!(page.drafts.len() <= 2);
        assert!(
            page.drafts
                .iter()
                .all(|draft| draft.definition_toml.is_empty())
        );
        shown.extend(page.drafts.into_iter().map(|draft| draft.item_code));
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(shown, ["item-4", "item-3", "item-2", "item-1", "item-0"]);
    let submitted = ListDraftsRequest {
        state: DraftState::Submitted.into(),
        ..ListDraftsRequest::default()
    };
    assert!(
        bureau
            .list_drafts(submitted)
            .await?
            .into_inner()
            .drafts
            .is_empty()
    );
    let bad = ListDraftsRequest {
        page_token: "x".to_owned(),
        ..ListDraftsRequest::default()
    };
    assert_eq!(
        refusal_of(bureau.list_drafts(bad).await).reason_and_field(),
        (Reason::PageTokenInvalid, "page_token")
    );
    let large = ListDraftsRequest {
        page_size: 201,
        ..ListDraftsRequest::default()
    };
    assert_eq!(
        refusal_of(bureau.list_drafts(large).await).reason_and_field(),
        (Reason::PageSizeInvalid, "page_size")
    );
    fixture.finish().await?;
    Ok(())
}
