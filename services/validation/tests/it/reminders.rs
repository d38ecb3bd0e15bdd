//! The deadlines of a case: a reminder before the day, the end of the day, a reminder after it, each once.

use anyhow::Result;
use proto::credit::validation::{
    events::v1::{FeedbackCaseChanged, FeedbackChange},
    v1::CaseState,
};
use serde_json::json;
use testkit::TestResult;
use time::macros::datetime;

use crate::fixture::{SampleSubmission, ValidationFixture, wrong_credit_code};

async fn case_changes(fixture: &ValidationFixture) -> Result<Vec<FeedbackChange>> {
    let events: Vec<FeedbackCaseChanged> = fixture.bed.emitted_events().await?;
    Ok(events.iter().map(|event| event.change()).collect())
}

#[tokio::test]
async fn r13_a_case_is_reminded_of_before_and_after_its_day_once_each() -> TestResult {
    use FeedbackChange::{Opened, Overdue, Reminded};
    let fixture = ValidationFixture::start().await?;
    let (one, two) = (fixture.reminder_job()?, fixture.reminder_job()?);
    // Friday 2026-11-20, so due on Friday the 27th.
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 1, wrong_credit_code())])
        .await?;
    for (now, expected) in [
        (datetime!(2026-11-25 23:00 +8), vec![Opened]),
        (datetime!(2026-11-26 00:01 +8), vec![Opened, Reminded]),
        (datetime!(2026-11-27 23:59 +8), vec![Opened, Reminded]),
        (
            datetime!(2026-11-28 00:01 +8),
            vec![Opened, Reminded, Overdue],
        ),
        (
            datetime!(2026-12-03 23:00 +8),
            vec![Opened, Reminded, Overdue],
        ),
        (
            datetime!(2026-12-04 00:01 +8),
            vec![Opened, Reminded, Overdue, Reminded],
        ),
        (
            datetime!(2027-03-01 09:00 +8),
            vec![Opened, Reminded, Overdue, Reminded],
        ),
    ] {
        fixture.bed.clock.set(now);
        // Two copies at the same moment, and once more.
        let (first, second) = tokio::join!(one.run(), two.run());
        let (first, second) = (first?, second?);
        assert_eq!(one.run().await?, 0, "{first} and {second} changes before");
        assert_eq!(case_changes(&fixture).await?, expected, "{now}");
    }
    let case = fixture.feedback(true).await?.remove(0);
    assert_eq!((case.overdue, case.reminders), (true, 2));
    let events: Vec<FeedbackCaseChanged> = fixture.bed.emitted_events().await?;
    let reminders: Vec<u32> = events.iter().map(|event| event.reminders).collect();
    assert_eq!(reminders, [0, 1, 1, 2]);
    assert!(
        events
            .iter()
            .all(|event| event.due_on == "2026-11-27" && event.case_id == case.case_id)
    );

    // Once it is closed nothing is overdue, and nobody is reminded.
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 2, json!({})).revision(2)])
        .await?;
    let case = fixture.feedback(false).await?.remove(0);
    assert_eq!(
        (case.overdue, case.state()),
        (false, CaseState::ClosedByRereport)
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_after_an_outage_what_is_over_is_not_reminded_of_as_if_it_were_to_come() -> TestResult {
    use FeedbackChange::{ClosedByRereport, Opened, Overdue, Reminded};
    let fixture = ValidationFixture::start().await?;
    let job = fixture.reminder_job()?;
    let cases: Vec<SampleSubmission> = (1..=3)
        .map(|n| SampleSubmission::penalty(&format!("K-{n}"), n, wrong_credit_code()))
        .collect();
    fixture.submit(&cases.iter().collect::<Vec<_>>()).await?;
    fixture
        .submit(&[&SampleSubmission::penalty("K-3", 4, json!({})).revision(2)])
        .await?;
    fixture.bed.clock.set(datetime!(2026-12-20 09:00 +8));
    job.run().await?;
    let expected = [
        Opened,
        Opened,
        Opened,
        ClosedByRereport,
        Overdue,
        Overdue,
        Reminded,
        Reminded,
    ];
    assert_eq!(case_changes(&fixture).await?, expected);
    assert!(
        fixture
            .feedback(true)
            .await?
            .iter()
            .all(|case| case.reminders == 1 && case.overdue)
    );
    fixture.finish().await?;
    Ok(())
}
