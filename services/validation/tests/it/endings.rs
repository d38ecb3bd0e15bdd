//! Revoked and withdrawn (D-24): accepted whatever the order, announced with a sealed reason, closing the open cases.

use proto::credit::{
    common::v1::Operation,
    validation::{
        events::v1::{FeedbackCaseChanged, FeedbackChange, RecordAccepted, RecordRevoked},
        v1::{CaseState, VerdictOutcome},
    },
};
use serde_json::json;
use testkit::TestResult;

use crate::fixture::{PERSON_NUMBER, SampleSubmission, ValidationFixture, wrong_credit_code};

#[tokio::test]
async fn d24_a_revocation_is_accepted_announced_and_closes_the_open_cases_of_its_key() -> TestResult
{
    let fixture = ValidationFixture::start().await?;
    let first = SampleSubmission::penalty("K-1", 1, wrong_credit_code());
    let other = SampleSubmission::penalty("K-2", 2, wrong_credit_code());
    fixture.submit(&[&first, &other]).await?;
    let end = first.ended(Operation::Revoke, 3, "处罚决定被行政复议撤销");
    fixture.submit(&[&end]).await?;

    let (outcome, codes) = fixture.outcome_and_codes(&end).await?;
    assert_eq!((outcome, codes.len()), (VerdictOutcome::Accepted, 0));
    let events: Vec<RecordRevoked> = fixture.bed.emitted_events().await?;
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.version, fixture.submitted(&end).version);
    assert_eq!(event.operation(), Operation::Revoke);
    let keyring = &fixture.bed.context.keyring;
    let reason = keyring.open(end.id().as_bytes(), &event.sealed_reason)?;
    assert_eq!(String::from_utf8(reason)?, "处罚决定被行政复议撤销");

    let cases = fixture.feedback(false).await?;
    let of = |key: &str| cases.iter().find(|case| case.record_key == key).unwrap();
    assert_eq!(of("K-1").state(), CaseState::ClosedByWithdrawal);
    assert!(of("K-1").closed_at.is_some());
    assert_eq!(of("K-2").state(), CaseState::Open);
    let changes: Vec<FeedbackCaseChanged> = fixture.bed.emitted_events().await?;
    let changes: Vec<_> = changes
        .iter()
        .map(|one| (one.case_id.as_str(), one.change()))
        .collect();
    assert_eq!(changes.len(), 3, "{changes:?}");
    assert!(changes.contains(&(&of("K-1").case_id, FeedbackChange::ClosedByWithdrawal)));

    let counted = fixture.statistics().await?;
    assert_eq!(
        (counted.accepted, counted.returned, counted.revocations),
        (1, 2, 1)
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn d24_order_and_repetition_of_an_end_do_not_matter() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    // Returned, accepted, withdrawn, returned, in each of the orders that differ, one key each.
    let versions = |key: &str, ledger: u64| {
        let upsert = |revision, changes| {
            SampleSubmission::penalty(key, ledger + revision, changes).revision(revision)
        };
        let accepted = upsert(2, json!({}));
        [
            upsert(1, wrong_credit_code()),
            accepted.clone(),
            accepted.ended(Operation::Withdraw, ledger + 3, "误报"),
            upsert(4, wrong_credit_code()),
        ]
    };
    let orders = [
        [0, 1, 2, 3],
        [3, 2, 1, 0],
        [2, 0, 3, 1],
        [1, 3, 0, 2],
        [2, 1, 0, 3],
    ];
    for step in 0..4 {
        let records: Vec<SampleSubmission> = (0..)
            .zip(&orders)
            .map(|(number, order)| {
                versions(&format!("K-{number}"), number * 10)[order[step]].clone()
            })
            .collect();
        let records: Vec<&SampleSubmission> = records.iter().collect();
        fixture.submit(&records).await?;
        // Under other event ids, as after a rebuilt stream.
        fixture.submit(&records).await?;
    }
    let cases = fixture.feedback(false).await?;
    assert_eq!(cases.len(), 10);
    for case in &cases {
        let open = case.version.as_ref().unwrap().revision == 4;
        assert_eq!(case.state() == CaseState::Open, open, "{case:?}");
    }
    assert_eq!(
        fixture.bed.emitted_events::<RecordRevoked>().await?.len(),
        5
    );
    assert_eq!(
        fixture.bed.emitted_events::<RecordAccepted>().await?.len(),
        5
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn d24_a_reason_with_personal_numbers_is_accepted_with_a_warning_and_sealed() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let record = SampleSubmission::penalty("K-1", 1, json!({}));
    let end = record.ended(
        Operation::Revoke,
        2,
        &format!("当事人{PERSON_NUMBER}申请复议，决定撤销"),
    );
    fixture.submit(&[&record, &end]).await?;
    assert_eq!(
        fixture.outcome_and_codes(&end).await?,
        (
            VerdictOutcome::Accepted,
            vec!["PERSONAL_IN_TEXT".to_owned()]
        )
    );
    assert!(fixture.feedback(false).await?.is_empty());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn d24_a_record_that_was_withdrawn_is_revived_by_a_later_version_and_frees_its_decision()
-> TestResult {
    let fixture = ValidationFixture::start().await?;
    let record = SampleSubmission::penalty("K-1", 1, json!({}));
    let end = record.ended(Operation::Withdraw, 2, "记录主键有误");
    let number = json!({ "CF_WSH": "长市监罚决〔2026〕123号" });
    // The same decision under the right key, then the first key about another one.
    let right = SampleSubmission::penalty("K-right", 3, number);
    let revived =
        SampleSubmission::penalty("K-1", 4, json!({ "CF_WSH": "长市监罚决〔2026〕124号" }))
            .revision(3);
    for record in [&record, &end, &right, &revived] {
        fixture.submit(&[record]).await?;
        let (outcome, codes) = fixture.outcome_and_codes(record).await?;
        assert_eq!(outcome, VerdictOutcome::Accepted, "{codes:?}");
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn d24_what_one_key_of_a_batch_gives_up_another_key_of_it_may_hold() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let number = json!({ "CF_WSH": "长市监罚决〔2026〕123号" });
    let record = SampleSubmission::penalty("K-1", 1, number.clone());
    fixture.submit(&[&record]).await?;
    let end = record.ended(Operation::Withdraw, 2, "记录主键有误");
    let right = SampleSubmission::penalty("K-right", 3, number.clone());
    fixture.submit(&[&end, &right]).await?;
    assert_eq!(
        fixture.outcome_and_codes(&right).await?.0,
        VerdictOutcome::Accepted
    );
    // And all of it in one batch.
    let first = SampleSubmission::penalty("K-2", 4, json!({ "CF_WSH": "长市监罚决〔2026〕124号" }));
    let end = first.ended(Operation::Withdraw, 5, "记录主键有误");
    let second =
        SampleSubmission::penalty("K-3", 6, json!({ "CF_WSH": "长市监罚决〔2026〕124号" }));
    let third = SampleSubmission::penalty("K-4", 7, number);
    fixture.submit(&[&first, &end, &second, &third]).await?;
    assert_eq!(
        fixture.outcome_and_codes(&second).await?.0,
        VerdictOutcome::Accepted
    );
    // It is held by K-right now.
    assert_eq!(
        fixture.outcome_and_codes(&third).await?.1,
        ["DUPLICATE_RECORD"]
    );
    fixture.finish().await?;
    Ok(())
}
