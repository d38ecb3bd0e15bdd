//! A named official answers for a record as it is: only where every error allows it, once, and the verdict stays.

use anyhow::Result;
use proto::credit::common::v1::Operation;
use proto::credit::validation::{
    events::v1::{FeedbackCaseChanged, FeedbackChange, RecordAccepted},
    v1::{CaseState, ConfirmRecordRequest, ConfirmRecordResponse, Severity, VerdictOutcome},
};
use serde_json::json;
use service_kit::{identity::Role, reason::Reason};
use testkit::{RefusalDetails, TestResult, refusal_of};
use tonic::Status;

use crate::fixture::{
    OFFICE, OTHER, PROVIDER, SampleSubmission, ValidationFixture, wrong_credit_code,
};

const ATTESTER: &str = "钱立新";
const STATEMENT: &str = "已核对营业执照原件，代码无误";

async fn confirm(
    fixture: &ValidationFixture,
    case_id: &str,
    statement: &str,
) -> Result<ConfirmRecordResponse, Status> {
    let request = ConfirmRecordRequest {
        case_id: case_id.to_owned(),
        attester: ATTESTER.to_owned(),
        statement: statement.to_owned(),
    };
    let mut provider = fixture
        .provider()
        .map_err(|error| Status::internal(error.to_string()))?;
    Ok(provider.confirm_record(request).await?.into_inner())
}

async fn case_of(fixture: &ValidationFixture, key: &str) -> Result<String> {
    let cases = fixture.feedback(false).await?;
    let case = cases.into_iter().find(|case| case.record_key == key);
    Ok(case.map(|case| case.case_id).unwrap_or_default())
}

#[tokio::test]
async fn r13_a_record_is_accepted_as_it_is_by_the_word_of_a_named_attester() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let record = SampleSubmission::penalty("K-1", 7, wrong_credit_code());
    fixture.submit(&[&record]).await?;
    let case = case_of(&fixture, "K-1").await?;
    let answer = confirm(&fixture, &case, STATEMENT).await?;
    let confirmed = answer.case.unwrap();
    assert_eq!(confirmed.state(), CaseState::ClosedByConfirmation);
    assert!(confirmed.closed_at.is_some());
    assert!(!answer.findings.is_empty());
    assert!(
        answer
            .findings
            .iter()
            .all(|finding| finding.severity() == Severity::Warning)
    );

    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.version, fixture.submitted(&record).version);
    assert_eq!(event.subject_name, "湖南客偲家装饰工程有限公司");
    let changes: Vec<FeedbackCaseChanged> = fixture.bed.emitted_events().await?;
    let changes: Vec<FeedbackChange> = changes.iter().map(|one| one.change()).collect();
    assert_eq!(
        changes,
        [FeedbackChange::Opened, FeedbackChange::ClosedByConfirmation]
    );
    // The verdict stays for ever.
    assert_eq!(
        fixture.verdict(&record).await?.outcome(),
        VerdictOutcome::Returned
    );
    let counted = fixture.statistics().await?;
    assert_eq!(
        (counted.accepted, counted.returned, counted.confirmed),
        (0, 1, 1)
    );

    // The same attestation again is answered again, and changes nothing; another one comes too late.
    let again = confirm(&fixture, &case, STATEMENT).await?;
    assert_eq!(again.findings, answer.findings);
    assert_eq!(
        refusal_of(confirm(&fixture, &case, "另有说明").await).reason,
        Reason::CaseClosed
    );
    assert_eq!(
        fixture.bed.emitted_events::<RecordAccepted>().await?.len(),
        1
    );

    // Kept sealed, and never changed or removed.
    let rows: Vec<(Vec<u8>,)> = sqlx::query_as("SELECT sealed_attestation FROM confirmation")
        .fetch_all(&fixture.pool)
        .await?;
    let plain = fixture
        .bed
        .context
        .keyring
        .open(record.id().as_bytes(), &rows[0].0)?;
    let plain = String::from_utf8_lossy(&plain).into_owned();
    assert!(plain.contains(ATTESTER) && plain.contains(STATEMENT));
    assert!(!String::from_utf8_lossy(&rows[0].0).contains(ATTESTER));
    for statement in [
        "UPDATE confirmation SET accepts = false",
        "DELETE FROM confirmation",
        "DELETE FROM feedback_feed",
    ] {
        let error = sqlx::query(statement)
            .execute(&fixture.pool)
            .await
            .unwrap_err();
        let code = error
            .as_database_error()
            .and_then(|error| error.code().map(String::from));
        assert_eq!(code.as_deref(), Some("42501"), "{statement}");
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_record_with_any_other_error_cannot_be_confirmed() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let both = json!({ "CF_XDR_SHXYM": "91430102MA4PX7RC65", "CF_WFXW": "" });
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 1, both)])
        .await?;
    let status = confirm(&fixture, &case_of(&fixture, "K-1").await?, STATEMENT)
        .await
        .unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::NotConfirmable
    );
    assert!(
        status.message().contains("REQUIRED_MISSING（CF_WFXW）"),
        "{}",
        status.message()
    );
    assert!(
        !status.message().contains("USCC_CHECK"),
        "{}",
        status.message()
    );

    // A name that is not the code's never is, even where the code alone could be.
    fixture
        .submit(&[&SampleSubmission::registration("D-1", 2, json!({}))])
        .await?;
    let wrong = json!({ "CF_XDR_MC": "长沙某某商贸有限公司", "CF_JDRQ": "2026-06-10" });
    fixture
        .submit(&[&SampleSubmission::penalty("K-2", 3, wrong)])
        .await?;
    let status = confirm(&fixture, &case_of(&fixture, "K-2").await?, STATEMENT)
        .await
        .unwrap_err();
    assert!(
        status.message().contains("NAME_CODE_MISMATCH"),
        "{}",
        status.message()
    );
    assert_eq!(fixture.statistics().await?.confirmed, 0);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_cancelled_subject_and_a_changed_identity_can_be_confirmed() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let cancelled = json!({ "DJ_ZT": "注销", "DJ_ZZRQ": "2026-05-31" });
    fixture
        .submit(&[&SampleSubmission::registration("D-1", 1, cancelled)])
        .await?;
    let late = SampleSubmission::penalty("K-2", 2, json!({}));
    fixture.submit(&[&late]).await?;
    let answer = confirm(&fixture, &case_of(&fixture, "K-2").await?, STATEMENT).await?;
    assert!(
        answer
            .findings
            .iter()
            .any(|finding| finding.code == "SUBJECT_CANCELLED")
    );

    let before = json!({ "CF_JDRQ": "2026-05-30" });
    fixture
        .submit(&[&SampleSubmission::penalty("K-3", 3, before.clone())])
        .await?;
    let number = json!({ "CF_JDRQ": "2026-05-30", "CF_WSH": "长市监罚决〔2026〕900号" });
    let changed = SampleSubmission::penalty("K-3", 4, number.clone()).revision(2);
    fixture.submit(&[&changed]).await?;
    assert_eq!(
        fixture.outcome_and_codes(&changed).await?.1,
        ["IDENTITY_CHANGED"]
    );
    confirm(&fixture, &case_of(&fixture, "K-3").await?, STATEMENT).await?;
    // From now on the key is about that decision, and no other key is.
    let next = SampleSubmission::penalty("K-3", 5, number.clone()).revision(3);
    let twice = SampleSubmission::penalty("K-4", 6, number);
    fixture.submit(&[&next, &twice]).await?;
    assert_eq!(
        fixture.outcome_and_codes(&next).await?.0,
        VerdictOutcome::Accepted
    );
    assert_eq!(
        fixture.outcome_and_codes(&twice).await?.1,
        ["DUPLICATE_RECORD"]
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_version_that_another_one_followed_is_not_confirmed() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    for (key, follower) in [("K-1", None), ("K-2", Some(Operation::Withdraw))] {
        let first = SampleSubmission::penalty(key, 1, wrong_credit_code());
        let next = match follower {
            None => SampleSubmission::penalty(key, 2, json!({})).revision(2),
            Some(operation) => first.ended(operation, 2, "误报"),
        };
        fixture.submit(&[&first, &next]).await?;
        let answer = confirm(&fixture, &case_of(&fixture, key).await?, STATEMENT).await;
        assert_eq!(refusal_of(answer).reason, Reason::CaseClosed);
    }
    // A lower returned version is answered by the confirmation of a higher one.
    let versions = [1, 2].map(|revision| {
        SampleSubmission::penalty("K-3", 10 + revision, wrong_credit_code()).revision(revision)
    });
    fixture.submit(&[&versions[0], &versions[1]]).await?;
    let cases = fixture.feedback(true).await?;
    let higher = cases
        .iter()
        .find(|case| case.version.as_ref().unwrap().revision == 2)
        .unwrap();
    confirm(&fixture, &higher.case_id, STATEMENT).await?;
    assert!(fixture.feedback(true).await?.is_empty());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_contradicted_record_stands_by_the_word_of_its_provider() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let ours = SampleSubmission::registration("D-1", 1, json!({}));
    let theirs =
        SampleSubmission::registration("D-2", 1, json!({ "DJ_XDR_MC": "湖南另一名称有限公司" }))
            .reported_by(OTHER);
    fixture.submit(&[&ours, &theirs]).await?;
    let answer = confirm(&fixture, &case_of(&fixture, "D-1").await?, STATEMENT).await?;
    assert_eq!(
        answer.case.unwrap().state(),
        CaseState::ClosedByConfirmation
    );
    // It was accepted long ago.
    assert_eq!(
        fixture.bed.emitted_events::<RecordAccepted>().await?.len(),
        1
    );
    let counted = fixture.statistics().await?;
    assert_eq!(
        (counted.accepted, counted.returned, counted.confirmed),
        (1, 1, 0)
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_only_the_provider_itself_confirms_and_says_who_and_why() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 1, wrong_credit_code())])
        .await?;
    let case_id = case_of(&fixture, "K-1").await?;
    let request = |case_id: &str, attester: &str, statement: &str| ConfirmRecordRequest {
        case_id: case_id.to_owned(),
        attester: attester.to_owned(),
        statement: statement.to_owned(),
    };
    let mut other = fixture.client(OTHER, Role::Provider)?;
    let answer = other
        .confirm_record(request(&case_id, ATTESTER, STATEMENT))
        .await;
    assert_eq!(refusal_of(answer).reason, Reason::CaseUnknown);
    let mut office = fixture.client(OFFICE, Role::CreditOffice)?;
    let answer = office
        .confirm_record(request(&case_id, ATTESTER, STATEMENT))
        .await;
    assert_eq!(refusal_of(answer).reason, Reason::RoleNotAllowed);
    let mut provider = fixture.client(PROVIDER, Role::Provider)?;
    for (bad, reason, field) in [
        (
            request("7", ATTESTER, STATEMENT),
            Reason::CaseIdInvalid,
            "case_id",
        ),
        (
            request(&case_id, " ", STATEMENT),
            Reason::AttesterInvalid,
            "attester",
        ),
        (
            request(&case_id, ATTESTER, ""),
            Reason::StatementInvalid,
            "statement",
        ),
    ] {
        assert_eq!(
            refusal_of(provider.confirm_record(bad).await).reason_and_field(),
            (reason, field)
        );
    }
    fixture.finish().await?;
    Ok(())
}
