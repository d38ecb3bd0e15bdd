//! the credit office transfers within 3 working days; R-19: the provider answers within 7.
//! D-1, D-2: from the transfer, in one window.

use proto::credit::objection::v1::{AnswerDecision, ObjectionState};
use service_kit::{identity::Role, reason::Reason};
use testkit::refusal_of;
use time::macros::datetime;
use tonic::Code;

use crate::fixture::{
    OTHER_PROVIDER, ObjectionFixture, answer_objection, due_days, file_objection, get_objection,
    list_ids, overdue_clocks, sample_application, transfer_objection,
};

const KEPT: &str = "经核实，处罚决定仍然有效，予以维持。";

#[tokio::test]
async fn r18_the_office_transfers_once_and_the_answer_clock_starts_that_day() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-09-28 10:00 +8)).await;
    let filed = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    let id = &filed.objection_id;
    for client in [fixture.provider(), fixture.company()] {
        let refused = transfer_objection(&client, id).await;
        assert_eq!(refusal_of(refused).reason, Reason::RoleNotAllowed);
    }
    // A day early: the provider's seven working days begin a day earlier too (D-1).
    fixture.bed.clock.set(datetime!(2026-09-29 17:00 +8));
    let sent = transfer_objection(&fixture.office(), id).await.unwrap();
    assert_eq!(sent.state(), ObjectionState::Transferred);
    assert_eq!(due_days(&sent), ("2026-10-08", "2026-10-14"));
    // Again, long after: nothing moves, nothing is announced.
    fixture.bed.clock.set(datetime!(2026-12-01 10:00 +8));
    let again = transfer_objection(&fixture.office(), id).await.unwrap();
    assert_eq!(again.transferred_at, sent.transferred_at);
    assert_eq!(due_days(&again), due_days(&sent));
    assert_eq!(
        fixture.announced_changes().await,
        [
            ("filed".to_owned(), true, 1),
            ("transferred".to_owned(), true, 2)
        ]
    );
    let unknown = transfer_objection(&fixture.office(), &uuid::Uuid::nil().to_string()).await;
    assert_eq!(unknown.unwrap_err().code(), Code::NotFound);
    for wrong in [
        transfer_objection(&fixture.office(), "r-1").await,
        answer_objection(&fixture.provider(), "r-1", AnswerDecision::Keep, KEPT).await,
        get_objection(&fixture.company(), "r-1").await,
    ] {
        assert_eq!(
            refusal_of(wrong).reason_and_field(),
            (Reason::ObjectionIdInvalid, "objection_id")
        );
    }
    fixture.finish().await;
}

#[tokio::test]
async fn r19_only_the_provider_of_the_record_answers_and_its_answer_stands() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let filed = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    let id = &filed.objection_id;
    let early = answer_objection(&fixture.provider(), id, AnswerDecision::Keep, KEPT).await;
    assert_eq!(refusal_of(early).reason, Reason::ObjectionNotTransferred);
    transfer_objection(&fixture.office(), id).await.unwrap();

    // Another provider, and one whose token names no code of a provider.
    for organisation in [OTHER_PROVIDER, "某局"] {
        let stranger = fixture.client_of(organisation, Role::Provider);
        let refused = answer_objection(&stranger, id, AnswerDecision::Keep, KEPT).await;
        assert_eq!(refusal_of(refused).reason, Reason::NotTheProvider);
        assert!(
            list_ids(&stranger, false).await.is_empty(),
            "{organisation}"
        );
        assert_eq!(
            get_objection(&stranger, id).await.unwrap_err().code(),
            Code::NotFound
        );
    }
    for client in [fixture.office(), fixture.company()] {
        let refused = answer_objection(&client, id, AnswerDecision::Keep, KEPT).await;
        assert_eq!(refusal_of(refused).reason, Reason::RoleNotAllowed);
    }
    let empty = answer_objection(&fixture.provider(), id, AnswerDecision::Unspecified, " ").await;
    let empty = empty.unwrap_err();
    assert_eq!(empty.code(), Code::InvalidArgument);
    assert!(empty.message().contains("answer") && empty.message().contains("decision"));

    fixture.bed.clock.advance(time::Duration::days(3));
    let kept = answer_objection(&fixture.provider(), id, AnswerDecision::Keep, KEPT)
        .await
        .unwrap();
    assert_eq!(kept.state(), ObjectionState::AnsweredKept);
    assert_eq!(kept.answer, KEPT);
    fixture.bed.clock.advance(time::Duration::days(30));
    let again = answer_objection(&fixture.provider(), id, AnswerDecision::Keep, KEPT)
        .await
        .unwrap();
    assert_eq!(again, kept, "a repeat changes nothing");
    for (decision, text) in [
        (AnswerDecision::Correct, KEPT),
        (AnswerDecision::Keep, "另行答复"),
    ] {
        let refused = answer_objection(&fixture.provider(), id, decision, text).await;
        assert_eq!(refusal_of(refused).reason, Reason::ObjectionAnswered);
    }
    // the answer reaches the applicant too.
    assert_eq!(get_objection(&fixture.company(), id).await.unwrap(), kept);
    assert_eq!(
        fixture.announced_changes().await,
        [
            ("filed".to_owned(), true, 1),
            ("transferred".to_owned(), true, 2),
            ("answered_kept".to_owned(), false, 3)
        ]
    );
    fixture.finish().await;
}

#[tokio::test]
async fn r19_a_correction_is_promised_in_the_same_window() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let filed = file_objection(
        &fixture.citizen("430102199003071234"),
        sample_application("r-1"),
    )
    .await;
    let id = filed.unwrap().objection_id;
    transfer_objection(&fixture.office(), &id).await.unwrap();
    let text = "记录有误，将于三日内更正。";
    let answered = answer_objection(&fixture.provider(), &id, AnswerDecision::Correct, text)
        .await
        .unwrap();
    assert_eq!(answered.state(), ObjectionState::AnsweredCorrect);
    assert_eq!(
        fixture.announced_changes().await[2],
        ("answered_correct".to_owned(), false, 3)
    );
    fixture.finish().await;
}

#[tokio::test]
async fn a_passed_clock_is_shown_at_once_and_changes_no_state() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-09-28 10:00 +8)).await;
    let filed = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    let id = filed.objection_id;
    let office = fixture.office();
    fixture.bed.clock.set(datetime!(2026-10-08 23:59:59 +8));
    assert_eq!(
        overdue_clocks(&get_objection(&office, &id).await.unwrap()),
        (false, false)
    );
    assert!(list_ids(&office, true).await.is_empty());
    fixture.bed.clock.set(datetime!(2026-10-09 00:00 +8));
    let late = get_objection(&office, &id).await.unwrap();
    assert_eq!(
        (late.state(), overdue_clocks(&late)),
        (ObjectionState::Filed, (true, false))
    );
    assert_eq!(list_ids(&office, true).await, [id.as_str()]);

    // Transferred late: that stays on record, and the provider has its seven days all the same.
    let sent = transfer_objection(&office, &id).await.unwrap();
    assert_eq!(due_days(&sent), ("2026-10-08", "2026-10-19"));
    assert_eq!(overdue_clocks(&sent), (true, false));
    assert!(
        list_ids(&office, true).await.is_empty(),
        "nobody is late now"
    );
    fixture.bed.clock.set(datetime!(2026-10-20 00:00 +8));
    let late = get_objection(&office, &id).await.unwrap();
    assert_eq!(
        (late.state(), overdue_clocks(&late)),
        (ObjectionState::Transferred, (true, true))
    );
    assert_eq!(list_ids(&office, true).await, [id.as_str()]);
    assert_eq!(list_ids(&fixture.provider(), true).await, [id.as_str()]);

    let answered = answer_objection(&fixture.provider(), &id, AnswerDecision::Keep, KEPT)
        .await
        .unwrap();
    assert_eq!(overdue_clocks(&answered), (true, true), "late stays late");
    assert!(list_ids(&office, true).await.is_empty());
    assert_eq!(
        fixture.announced_changes().await.len(),
        3,
        "time announces nothing"
    );
    fixture.finish().await;
}

#[tokio::test]
async fn past_the_published_calendar_the_days_are_provisional() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-12-24 10:00 +8)).await;
    let filed = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    let provisional =
        |due: &Option<proto::credit::objection::v1::DueDate>| due.as_ref().unwrap().provisional;
    assert!(!provisional(&filed.transfer_due));
    assert!(provisional(&filed.answer_due));
    fixture.bed.clock.set(datetime!(2026-12-30 10:00 +8));
    let later = file_objection(&fixture.company(), sample_application("r-2"))
        .await
        .unwrap();
    assert!(provisional(&later.transfer_due) && provisional(&later.answer_due));
    fixture.finish().await;
}

#[tokio::test]
async fn r25_nothing_is_filed_before_the_regulation_is_in_force() {
    let fixture = ObjectionFixture::start_at(datetime!(2017-06-19 23:59 +8)).await;
    let refused = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::FailedPrecondition);
    fixture.bed.clock.set(datetime!(2017-06-20 00:00 +8));
    let filed = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    assert_eq!(due_days(&filed).0, "2017-06-23");
    fixture.finish().await;
}

#[tokio::test]
async fn steps_taken_at_once_happen_once() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let filed = file_objection(&fixture.company(), sample_application("r-1"))
        .await
        .unwrap();
    let id = filed.objection_id.as_str();
    let office = fixture.office();
    let sent = futures::future::try_join_all((0..8).map(|_| transfer_objection(&office, id))).await;
    assert_eq!(sent.unwrap().len(), 8);
    assert_eq!(fixture.announced_changes().await.len(), 2);

    let provider = fixture.provider();
    let texts: Vec<String> = (0..6).map(|n| format!("答复之{n}")).collect();
    let answers = texts
        .iter()
        .map(|text| answer_objection(&provider, id, AnswerDecision::Keep, text));
    let outcomes = futures::future::join_all(answers).await;
    let won: Vec<_> = outcomes.iter().filter_map(|o| o.as_ref().ok()).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    let stands = get_objection(&office, id).await.unwrap();
    assert_eq!(stands.answer, won[0].answer);
    for refused in outcomes.iter().filter_map(|o| o.as_ref().err()) {
        assert_eq!(refused.code(), Code::FailedPrecondition, "{refused}");
    }
    assert_eq!(fixture.announced_changes().await.len(), 3);
    fixture.finish().await;
}
