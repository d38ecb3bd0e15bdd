//! Who sees which objection: the applicant its own, the provider those transferred to it, the
//! credit office all.

use proto::credit::objection::v1::AnswerDecision;
use service_kit::{identity::Role, reason::Reason};
use testkit::{RefusalDetails, refusal_of};
use time::macros::datetime;
use tonic::Code;

use crate::fixture::{
    CITIZEN, OFFICE, OTHER_PROVIDER, ObjectionFixture, answer_objection, file_objection,
    get_objection, list_ids, list_objections, sample_application, transfer_objection,
};

#[tokio::test]
async fn r18_r19_each_party_sees_its_own() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let (company, citizen) = (fixture.company(), fixture.citizen(CITIZEN));
    let of_company = file_objection(&company, sample_application("r-1"))
        .await
        .unwrap()
        .objection_id;
    fixture.bed.clock.advance(time::Duration::minutes(1));
    let of_citizen = file_objection(&citizen, sample_application("r-1"))
        .await
        .unwrap()
        .objection_id;
    let both = [of_company.clone(), of_citizen.clone()];
    let other_provider = fixture.client_of(OTHER_PROVIDER, Role::Provider);

    assert_eq!(list_ids(&company, false).await, [of_company.as_str()]);
    assert_eq!(list_ids(&citizen, false).await, [of_citizen.as_str()]);
    assert!(
        list_ids(&fixture.citizen("430102199003071242"), false)
            .await
            .is_empty()
    );
    assert!(
        list_ids(&fixture.provider(), false).await.is_empty(),
        "not transferred yet"
    );
    assert_eq!(list_ids(&fixture.office(), false).await, both);
    assert_eq!(
        list_ids(&fixture.client_of(OFFICE, Role::Auditor), false).await,
        both
    );
    for stranger in [&citizen, &fixture.provider(), &other_provider] {
        let hidden = get_objection(stranger, &of_company).await.unwrap_err();
        assert_eq!(hidden.code(), Code::NotFound, "as if it did not exist");
    }

    transfer_objection(&fixture.office(), &of_company)
        .await
        .unwrap();
    assert_eq!(
        list_ids(&fixture.provider(), false).await,
        [of_company.as_str()]
    );
    let seen = get_objection(&fixture.provider(), &of_company)
        .await
        .unwrap();
    assert_eq!(seen, get_objection(&company, &of_company).await.unwrap());
    assert_eq!(seen.statement, sample_application("r-1").statement);
    assert!(list_ids(&other_provider, false).await.is_empty());
    assert!(
        get_objection(&fixture.provider(), &of_citizen)
            .await
            .is_err()
    );

    let district = fixture.client_of(OFFICE, Role::DistrictCreditOffice);
    let refused = list_objections(&district, false, 10, "").await;
    assert_eq!(refusal_of(refused).reason, Reason::ViewNotSettled);
    fixture.finish().await;
}

#[tokio::test]
async fn a_token_that_names_nobody_has_no_view_and_is_told_what_it_lacks() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let filed = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap()
        .objection_id;
    for (role, reason) in [
        (Role::Provider, Reason::ProviderNotRegistered),
        (Role::Subject, Reason::SubjectMissing),
    ] {
        let nobody = fixture.client_of("", role);
        let listed = list_objections(&nobody, false, 10, "").await;
        assert_eq!(
            refusal_of(listed).reason_and_field(),
            (reason, "authorization")
        );
        let read = get_objection(&nobody, &filed).await;
        assert_eq!(
            refusal_of(read).reason_and_field(),
            (reason, "authorization")
        );
    }
    let nobody = fixture.client_of("", Role::Provider);
    let answered = answer_objection(&nobody, &filed, AnswerDecision::Keep, "予以维持").await;
    assert_eq!(
        refusal_of(answered).reason_and_field(),
        (Reason::ProviderNotRegistered, "authorization")
    );
    fixture.finish().await;
}

#[tokio::test]
async fn r9_a_person_is_one_applicant_however_its_token_writes_the_number() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let filed = file_objection(
        &fixture.citizen("11010519491231002X"),
        sample_application("r-1"),
    )
    .await
    .unwrap()
    .objection_id;
    // 15 digits of the first cards, a small x, full width: as the person's records are found under all of them.
    for written in [
        "110105491231002",
        "11010519491231002x",
        "１１０１０５ 19491231002Ｘ",
    ] {
        let person = fixture.citizen(written);
        assert_eq!(
            list_ids(&person, false).await,
            [filed.as_str()],
            "{written}"
        );
        assert_eq!(
            get_objection(&person, &filed).await.unwrap().objection_id,
            filed
        );
        let again = file_objection(&person, sample_application("r-1"))
            .await
            .unwrap();
        assert_eq!(
            again.objection_id, filed,
            "the same request of the same person"
        );
    }
    fixture.finish().await;
}

#[tokio::test]
async fn pages_follow_each_other_without_gaps_while_new_ones_come_in() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let company = fixture.company();
    let mut filed = Vec::new();
    for n in 0..7 {
        // Two of them in the same instant.
        if n != 4 {
            fixture.bed.clock.advance(time::Duration::seconds(1));
        }
        let mut small = sample_application(&format!("r-{n}"));
        small.evidence.truncate(1);
        let objection = file_objection(&company, small).await.unwrap();
        let at = objection.filed_at.unwrap();
        filed.push((at.seconds, objection.objection_id));
    }
    let office = fixture.office();
    let (mut seen, mut token, mut sizes) = (Vec::new(), String::new(), Vec::new());
    loop {
        let page = list_objections(&office, false, 3, &token).await.unwrap();
        sizes.push(page.objections.len());
        assert!(page.objections.iter().all(|o| o.evidence.len() == 1));
        seen.extend(page.objections.into_iter().map(|o| o.objection_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(sizes, [3, 3, 1]);
    // In one instant the ids decide.
    filed.sort();
    let filed: Vec<String> = filed.into_iter().map(|(_, id)| id).collect();
    assert_eq!(seen, filed);
    for token in ["x", "00", "zz".repeat(24).as_str()] {
        assert_eq!(
            refusal_of(list_objections(&office, false, 3, token).await).reason_and_field(),
            (Reason::PageTokenInvalid, "page_token")
        );
    }
    fixture.finish().await;
}

#[tokio::test]
async fn a_page_over_the_limit_is_refused_and_the_limit_named() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let office = fixture.office();
    assert!(list_objections(&office, false, 50, "").await.is_ok());
    for size in [51, u32::MAX] {
        let refused = list_objections(&office, false, size, "").await.unwrap_err();
        assert_eq!(
            RefusalDetails::from_status(&refused).reason_and_field(),
            (Reason::PageSizeInvalid, "page_size")
        );
        assert!(refused.message().contains("50"), "{refused}");
    }
    fixture.finish().await;
}
