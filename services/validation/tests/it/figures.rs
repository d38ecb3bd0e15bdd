//! What supervision counts: days, filled fields and series of document numbers, in events, without contents.

use anyhow::{Context, Result};
use proto::credit::{
    common::v1::Operation,
    validation::{
        events::v1::{RecordAccepted, RecordReturned, RecordRevoked},
        v1::VerdictOutcome,
    },
};
use serde_json::{Map, Value, json};
use testkit::TestResult;

use crate::fixture::{
    OTHER, PERSON_NAME, PERSON_NUMBER, SampleSubmission, ValidationFixture, wrong_credit_code,
};

/// Day, filled, fillable, series, running number.
type ExpectedFigures = (String, u32, u32, Vec<u8>, u32);

fn of_accepted(event: &RecordAccepted) -> ExpectedFigures {
    (
        event.decision_date.clone(),
        event.filled_fields,
        event.fillable_fields,
        event.document_series.to_vec(),
        event.document_running_number,
    )
}

fn of_returned(event: &RecordReturned) -> ExpectedFigures {
    (
        event.decision_date.clone(),
        event.filled_fields,
        event.fillable_fields,
        event.document_series.to_vec(),
        event.document_running_number,
    )
}

/// What is announced of a record, accepted or returned.
async fn figures(
    fixture: &ValidationFixture,
    record: &SampleSubmission,
) -> Result<ExpectedFigures> {
    let version = fixture.submitted(record).version;
    let accepted: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    if let Some(event) = accepted.iter().find(|event| event.version == version) {
        return Ok(of_accepted(event));
    }
    let returned: Vec<RecordReturned> = fixture.bed.emitted_events().await?;
    let event = returned.iter().find(|event| event.version == version);
    event.map(of_returned).context("announced")
}

/// How many of its fields a record says, and how many it could.
fn fields(record: &SampleSubmission, kind: credit_record::SubjectKind) -> Result<(u32, u32)> {
    let items = credit_record::standard_items()?;
    let item = items
        .iter()
        .find(|item| item.code == record.item && item.version == record.version)
        .context("a standard item")?;
    let content: Map<String, Value> = serde_json::from_slice(&record.content)?;
    let filled = content.values().filter(|value| **value != "").count();
    let fillable = item.fields.iter().filter(|field| field.allowed_for(kind));
    Ok((filled.try_into()?, fillable.count().try_into()?))
}

#[tokio::test]
async fn r21_an_accepted_and_a_returned_version_tell_the_same_figures() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let numbered = |key: &str, ledger, number: &str, mut changes: Value| {
        changes["CF_WSH"] = number.into();
        SampleSubmission::penalty(key, ledger, changes)
    };
    let first = numbered("K-1", 1, "长市监罚决〔2026〕17号", json!({}));
    // As it is typed: cleansing comes first.
    let second = numbered("K-2", 2, "长市监罚决[2026] 018号", wrong_credit_code());
    let foreign = numbered("K-1", 1, "长市监罚决〔2026〕17号", json!({})).reported_by(OTHER);
    // Correct by itself, and returned because another key is about the same decision.
    let twice = numbered(
        "K-3",
        3,
        "长市监罚决〔2026〕17号",
        json!({ "CF_GSJZQ": "2027-06-10" }),
    );
    for record in [&first, &second, &foreign, &twice] {
        fixture.submit(&[record]).await?;
    }
    assert_eq!(
        fixture.outcome_and_codes(&second).await?.0,
        VerdictOutcome::Returned
    );
    assert_eq!(
        fixture.outcome_and_codes(&twice).await?.1,
        ["DUPLICATE_RECORD"]
    );

    let organisation = credit_record::SubjectKind::Organisation;
    let (day, filled, fillable, series, number) = figures(&fixture, &first).await?;
    assert_eq!((day.as_str(), number), ("2026-06-10", 17));
    assert_eq!((filled, fillable), fields(&first, organisation)?);
    assert!(filled < fillable);
    assert_eq!(series.len(), 32);
    let other = figures(&fixture, &second).await?;
    assert_eq!(other, (day.clone(), filled, fillable, series.clone(), 18));
    let other = figures(&fixture, &twice).await?;
    assert_eq!(
        other,
        (day.clone(), filled + 1, fillable, series.clone(), 17)
    );
    // Another provider's series of the same letters is another one.
    let other = figures(&fixture, &foreign).await?;
    assert!(other.3 != series && other.4 == 17);

    // Confirmed: announced with the same figures.
    let cases = fixture.feedback(true).await?;
    let case = cases.into_iter().find(|case| case.record_key == "K-2");
    let confirmation = proto::credit::validation::v1::ConfirmRecordRequest {
        case_id: case.context("a case")?.case_id,
        attester: "钱立新".to_owned(),
        statement: "已核对营业执照原件，代码无误".to_owned(),
    };
    fixture.provider()?.confirm_record(confirmation).await?;
    let confirmed = figures(&fixture, &second).await?;
    assert_eq!(confirmed, (day, filled, fillable, series, 18));

    // The end of a record is counted by its operation, and nothing of its content is announced.
    let end = first.ended(Operation::Revoke, 4, "长市监罚决〔2026〕17号被撤销");
    fixture.submit(&[&end]).await?;
    assert_eq!(
        fixture.bed.emitted_events::<RecordRevoked>().await?.len(),
        1
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r21_what_cannot_be_read_is_not_counted() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let mut broken = SampleSubmission::penalty("K-1", 1, json!({}));
    broken.content = b"{".to_vec();
    let undated = SampleSubmission::penalty(
        "K-2",
        2,
        json!({ "CF_JDRQ": "2026-02-30", "CF_WSH": "长市监罚决〔2026〕号" }),
    );
    let empty = SampleSubmission {
        content: b"{}".to_vec(),
        ..SampleSubmission::penalty("K-3", 3, json!({}))
    };
    fixture.submit(&[&broken, &undated, &empty]).await?;
    assert_eq!(
        figures(&fixture, &broken).await?,
        ExpectedFigures::default()
    );
    let organisation = credit_record::SubjectKind::Organisation;
    let (filled, fillable) = fields(&undated, organisation)?;
    assert_eq!(
        figures(&fixture, &undated).await?,
        (String::new(), filled, fillable, Vec::new(), 0)
    );
    // Of an unknown kind of subject every field may be filled.
    let (day, filled, all, series, number) = figures(&fixture, &empty).await?;
    assert_eq!((day.as_str(), filled, series.len(), number), ("", 0, 0, 0));
    assert!(all > fillable);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r14_of_a_natural_person_only_hash_and_numbers_are_told() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let plain = SampleSubmission::licence("K-1", 1, json!({ "XK_WSH": "长交运许〔2026〕045号" }));
    let next = SampleSubmission::licence(
        "K-2",
        2,
        json!({ "XK_WSH": "长交运许〔2026〕46号", "XK_XDR_ZJHM": "430102199003071234" }),
    );
    // Her number within the number of the document, whole and in parts.
    let named = SampleSubmission::licence(
        "K-3",
        3,
        json!({ "XK_WSH": format!("长交运许{PERSON_NUMBER}第7号") }),
    );
    let in_parts = SampleSubmission::licence(
        "K-4",
        4,
        json!({ "XK_WSH": "长交运许430102-19900307-1242" }),
    );
    fixture.submit(&[&plain, &next, &named, &in_parts]).await?;
    let (day, filled, fillable, series, number) = figures(&fixture, &plain).await?;
    assert_eq!((day.as_str(), number), ("2026-05-06", 45));
    let person = credit_record::SubjectKind::NaturalPerson;
    assert_eq!((filled, fillable), fields(&plain, person)?);
    assert_eq!(series.len(), 32);
    let next = figures(&fixture, &next).await?;
    assert_eq!((next.3, next.4), (series, 46));
    for record in [&named, &in_parts] {
        let (day, filled, _, series, number) = figures(&fixture, record).await?;
        assert_eq!((series.len(), number), (0, 0), "{}", record.key);
        assert_eq!((day.as_str(), filled > 0), ("2026-05-06", true));
    }
    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    assert!(!events.is_empty());
    let published = format!("{events:?}");
    assert!(
        !published.contains("长交运许")
            && !published.contains(PERSON_NAME)
            && !published.contains(PERSON_NUMBER)
    );
    fixture.finish().await?;
    Ok(())
}
