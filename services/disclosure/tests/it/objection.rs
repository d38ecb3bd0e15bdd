//! D-5: a record stays disclosed while an objection is handled, and is marked as such.

use crate::fixture::*;
use testkit::TestResult;

#[tokio::test(flavor = "multi_thread")]
async fn d5_a_record_is_marked_while_an_objection_is_handled() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let person = person_penalty(2, "2026-03-02");
    // The objection's event may even come before the record.
    fixture
        .publish(&[
            objection_event(7, record.id, 1, true),
            objection_event(8, person.id, 1, true),
        ])
        .await?;
    fixture
        .accept(&[
            record.clone(),
            person.clone(),
            penalty_record(3, SOCIETY, "某某协会", "2026-03-02"),
        ])
        .await?;

    assert!(fixture.record(record.id).await?.objection_pending);
    let marked = |list: Vec<bool>| list.into_iter().filter(|pending| *pending).count();
    let list = fixture.list(list_request("xzcf")).await?.records;
    assert_eq!(
        (
            list.len(),
            marked(list.iter().map(|r| r.objection_pending).collect())
        ),
        (2, 1)
    );
    assert!(fixture.organisation(HOSPITAL, 0, "").await?.records[0].objection_pending);
    assert!(fixture.own_of_person(CITIZEN).await?.records[0].objection_pending);

    // A new report while the objection runs does not shed the mark.
    let again = record.clone().revision(2);
    fixture.accept(std::slice::from_ref(&again)).await?;
    assert!(fixture.record(again.id).await?.objection_pending);

    // The answer lifts it; an older state that comes late does not bring it back.
    fixture
        .publish(&[objection_event(7, record.id, 3, false)])
        .await?;
    fixture
        .publish(&[objection_event(7, record.id, 2, true)])
        .await?;
    assert!(!fixture.record(again.id).await?.objection_pending);
    assert!(
        fixture.own_of_person(CITIZEN).await?.records[0].objection_pending,
        "another objection"
    );
    fixture.bed.finish().await?;
    Ok(())
}
