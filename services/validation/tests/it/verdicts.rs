//! Accepted and returned: what is announced, stored and counted.

use credit_record::PersonDocument;
use prost::Message;
use proto::credit::{
    common::v1::SubjectKind,
    validation::{
        events::v1::{NormalisedRecord, RecordAccepted, RecordReturned},
        v1::{Severity, VerdictOutcome},
    },
};
use serde_json::json;
use service_kit::{grpc::to_timestamp, reason::Reason};
use testkit::{TestResult, refusal_of};
use time::macros::date;
use uuid::Uuid;
use vault::{
    Keyring,
    keyed_hash::{KeyedHash, hash_person_document},
};

use crate::fixture::{
    PERSON_NAME, PERSON_NUMBER, SampleSubmission, ValidationFixture, wrong_credit_code,
};

fn opened(fixture: &ValidationFixture, event: &RecordAccepted) -> NormalisedRecord {
    let id = &event.version.as_ref().unwrap().record_id;
    let plain = fixture
        .bed
        .context
        .keyring
        .open(id, &event.sealed_record)
        .unwrap();
    NormalisedRecord::decode(&plain[..]).unwrap()
}

/// The hash by which disclosure looks a person up.
fn person(keyring: &Keyring, number: &str) -> KeyedHash {
    let document = PersonDocument::new("身份证", number, date!(2026 - 11 - 20));
    hash_person_document(keyring, &document)
}

#[tokio::test]
async fn r12_every_verdict_says_by_which_cleansing_rules_it_was_derived() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let accepted = SampleSubmission::penalty("K-1", 1, json!({}));
    let returned = SampleSubmission::penalty("K-2", 2, wrong_credit_code());
    fixture.submit(&[&accepted, &returned]).await?;
    let kept: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT outcome, rule_set FROM verdict ORDER BY outcome")
            .fetch_all(&fixture.pool)
            .await?;
    let rule_set = Some(credit_record::normalise::CleansingRuleSet::current().id);
    assert_eq!(
        kept,
        [
            ("accepted".to_owned(), rule_set.clone()),
            ("returned".to_owned(), rule_set)
        ]
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r7_r12_a_record_is_accepted_with_each_change_explained() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    // Full-width digits and blanks, as an officer's input method leaves them.
    let record = SampleSubmission::penalty(
        "K-1",
        1,
        json!({ "CF_XDR_SHXYM": " ９１430102 MA4PX7RC64", "CF_JDRQ": "2026/6/10" }),
    );
    fixture.submit(&[&record]).await?;

    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.version, fixture.submitted(&record).version);
    assert_eq!(
        event.received_at,
        Some(to_timestamp(fixture.bed.context.clock.now()))
    );
    assert_eq!(event.subject_kind(), SubjectKind::Organisation);
    assert_eq!(event.subject_code, "91430102MA4PX7RC64");
    assert_eq!(event.subject_name, "湖南客偲家装饰工程有限公司");
    assert!(event.subject_blind_index.is_empty());
    assert_eq!(event.document_number, "长市监罚决〔2026〕123号");
    assert_eq!(event.decision_date, "2026-06-10");
    assert_eq!(event.effective_date, "2026-06-10");
    assert_eq!(event.expiry_date, "2027-06-10");
    assert_eq!(event.publicity_until, "", "the provider does not say");
    assert_eq!(event.authority, "长沙市市场监督管理局");
    let derived = opened(&fixture, event);
    assert_eq!(derived.values["CF_XDR_SHXYM"], "91430102MA4PX7RC64");
    assert_eq!(derived.values["CF_NR_FK"], "0.2");
    let changed = |field: &str| derived.changes.iter().filter(|c| c.field == field).count();
    assert!(changed("CF_XDR_SHXYM") > 0 && changed("CF_JDRQ") > 0);

    let rule_set = credit_record::normalise::CleansingRuleSet::current().id;
    assert_eq!(derived.rule_set, rule_set);

    let verdict = fixture.verdict(&record).await?;
    assert_eq!(verdict.outcome(), VerdictOutcome::Accepted);
    assert_eq!(verdict.version, event.version);
    assert_eq!(verdict.changes.len(), derived.changes.len());
    let date = verdict
        .changes
        .iter()
        .find(|change| change.field == "CF_JDRQ")
        .unwrap();
    assert_eq!(
        (&date.before[..], &date.after[..]),
        ("2026/6/10", "2026-06-10")
    );
    assert!(!date.rule.is_empty() && date.rule_version > 0);
    assert!(fixture.feedback(false).await?.is_empty());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn d9_r16_the_providers_own_deadline_is_announced() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let person = json!({
        "CF_XDR_MC": PERSON_NAME, "CF_XDR_LB": "自然人", "CF_XDR_SHXYM": "", "CF_FRDB": "",
        "CF_XDR_ZJLX": "身份证", "CF_XDR_ZJHM": PERSON_NUMBER, "CF_GSJZQ": "2027-06-10",
    });
    let records = [
        SampleSubmission::penalty("K-1", 1, json!({ "CF_GSJZQ": " 2027/6/10" })),
        // Longer than the term of the item: accepted with a warning, announced as it came. Disclosure ends sooner.
        SampleSubmission::penalty("K-2", 2, json!({ "CF_GSJZQ": "2099-12-31" })),
        SampleSubmission::penalty("K-3", 3, person),
        // The standard's licence has no such field.
        SampleSubmission::licence("K-4", 4, json!({})),
    ];
    fixture.submit(&records.each_ref()).await?;

    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let announced: Vec<(SubjectKind, &str)> = records
        .iter()
        .filter_map(|record| {
            let version = fixture.submitted(record).version;
            let event = events.iter().find(|event| event.version == version)?;
            Some((event.subject_kind(), event.publicity_until.as_str()))
        })
        .collect();
    assert_eq!(
        announced,
        [
            (SubjectKind::Organisation, "2027-06-10"),
            (SubjectKind::Organisation, "2099-12-31"),
            (SubjectKind::NaturalPerson, "2027-06-10"),
            (SubjectKind::NaturalPerson, ""),
        ]
    );
    let verdict = fixture.verdict(&records[1]).await?;
    assert_eq!(verdict.findings[0].code, "TERM_TOO_LONG");
    assert_eq!(verdict.findings[0].severity(), Severity::Warning);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r9_r14_a_natural_person_is_announced_by_blind_index_only() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    fixture
        .submit(&[&SampleSubmission::licence("K-1", 1, json!({}))])
        .await?;

    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.subject_kind(), SubjectKind::NaturalPerson);
    assert_eq!((&event.subject_code[..], &event.subject_name[..]), ("", ""));
    assert_eq!(event.document_number, "");
    let keyring = &fixture.bed.context.keyring;
    assert_eq!(
        event.subject_blind_index[..],
        person(keyring, PERSON_NUMBER)
    );
    assert_eq!(opened(&fixture, event).values["XK_XDR_ZJHM"], PERSON_NUMBER);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r9_an_old_number_of_fifteen_digits_has_the_index_of_its_eighteen() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let record = SampleSubmission::licence("K-1", 1, json!({ "XK_XDR_ZJHM": "430102900307123" }));
    fixture.submit(&[&record]).await?;
    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    let keyring = &fixture.bed.context.keyring;
    let expected = person(keyring, "430102199003071234");
    assert_eq!(events[0].subject_blind_index[..], expected);
    // Decided in May, received in November.
    let warnings = ["CITIZEN_LEGACY", "LATE_REPORT"];
    assert_eq!(opened(&fixture, &events[0]).warning_codes, warnings);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn d11_an_individual_business_is_announced_like_an_organisation() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let record = SampleSubmission::penalty(
        "K-1",
        1,
        json!({ "CF_XDR_LB": "个体工商户", "CF_XDR_MC": "岳麓区老刘米粉店", "CF_XDR_SHXYM": "92430104MA4QQ0026Y" }),
    );
    fixture.submit(&[&record]).await?;
    let events: Vec<RecordAccepted> = fixture.bed.emitted_events().await?;
    assert_eq!(events[0].subject_kind(), SubjectKind::IndividualBusiness);
    assert_eq!(events[0].subject_code, "92430104MA4QQ0026Y");
    assert_eq!(events[0].subject_name, "岳麓区老刘米粉店");
    assert_eq!(events[0].document_number, "长市监罚决〔2026〕123号");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_faulty_record_goes_back_with_findings_and_a_case() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let record = SampleSubmission::penalty("案卷-7", 12, wrong_credit_code());
    fixture.submit(&[&record]).await?;

    let cases = fixture.feedback(true).await?;
    let [case] = &cases[..] else {
        panic!("{cases:?}")
    };
    assert_eq!(case.record_key, "案卷-7");
    assert_eq!(case.ledger_number, 12);
    assert_eq!(case.version, fixture.submitted(&record).version);
    assert_eq!(
        case.opened_at,
        Some(to_timestamp(fixture.bed.context.clock.now()))
    );
    // Friday 2026-11-20, then five working days (D-15).
    assert_eq!(
        (&case.due_on[..], case.due_provisional),
        ("2026-11-27", false)
    );
    // Errors come first; the warning does not return it.
    let [finding, late] = &case.findings[..] else {
        panic!("{:?}", case.findings)
    };
    assert_eq!(
        (&late.code[..], late.severity()),
        ("LATE_REPORT", Severity::Warning)
    );
    assert_eq!(finding.code, "USCC_CHECK");
    assert_eq!(finding.severity(), Severity::Error);
    assert_eq!(finding.field, "CF_XDR_SHXYM");
    assert!(!finding.message.is_empty() && !finding.rule.is_empty());

    let verdict = fixture.verdict(&record).await?;
    assert_eq!(verdict.outcome(), VerdictOutcome::Returned);
    assert_eq!(verdict.findings, case.findings);
    assert!(
        fixture
            .bed
            .emitted_events::<RecordAccepted>()
            .await?
            .is_empty()
    );
    let events: Vec<RecordReturned> = fixture.bed.emitted_events().await?;
    let [event] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(event.case_id, case.case_id);
    assert_eq!(event.finding_codes, ["USCC_CHECK", "LATE_REPORT"]);
    assert_eq!(
        (&event.due_on[..], event.due_provisional),
        ("2026-11-27", false)
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_due_day_in_a_year_without_a_calendar_is_provisional() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    fixture
        .bed
        .clock
        .set(time::macros::datetime!(2026-12-30 09:00 +8));
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 1, wrong_credit_code())])
        .await?;
    let case = fixture.feedback(true).await?.remove(0);
    assert!(
        case.due_provisional && case.due_on.starts_with("2027-01-"),
        "{case:?}"
    );
    assert!(fixture.bed.emitted_events::<RecordReturned>().await?[0].due_provisional);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r8_the_day_of_receipt_is_that_of_changsha() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    // 00:30 on the 21st in Changsha is still the 20th in UTC.
    fixture
        .bed
        .clock
        .set(time::macros::datetime!(2026-11-20 16:30 UTC));
    let today = SampleSubmission::penalty("K-1", 1, json!({ "CF_JDRQ": "2026-11-21" }));
    let tomorrow = SampleSubmission::penalty("K-2", 2, json!({ "CF_JDRQ": "2026-11-22" }));
    fixture.submit(&[&today, &tomorrow]).await?;
    assert_eq!(
        fixture.verdict(&today).await?.outcome(),
        VerdictOutcome::Accepted
    );
    let late = fixture.verdict(&tomorrow).await?;
    assert_eq!(late.findings[0].code, "DATE_FUTURE");
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r8_bytes_that_are_no_record_get_a_verdict_too() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let mut records = Vec::new();
    let contents: [(&[u8], &str); 4] = [
        (b"\xff\xfe", "FORM_NOT_UTF8"),
        (b"{", "FORM_NOT_JSON"),
        (b"[]", "FORM_NOT_OBJECT"),
        (b"", "FORM_NOT_JSON"),
    ];
    for (number, (content, code)) in (1..).zip(contents) {
        let mut record = SampleSubmission::penalty(&format!("K-{number}"), number, json!({}));
        record.content = content.to_vec();
        records.push((record, code));
    }
    fixture
        .submit(&records.iter().map(|(record, _)| record).collect::<Vec<_>>())
        .await?;
    for (record, code) in &records {
        assert_eq!(fixture.verdict(record).await?.findings[0].code, *code);
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r21_counts_are_of_versions_and_agree_with_the_verdicts() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let good = SampleSubmission::penalty("K-1", 1, json!({}));
    let one = SampleSubmission::penalty("K-2", 2, wrong_credit_code());
    // Two fields with the same fault are one version with that code.
    let twice = SampleSubmission::penalty(
        "K-3",
        3,
        json!({ "CF_XDR_SHXYM": "91430102MA4PX7RC65", "CF_CFJGDM": "11430100006123458T", "CF_WFXW": "" }),
    );
    fixture.submit(&[&good, &one, &twice]).await?;
    let found = fixture.verdict(&twice).await?.findings;
    assert_eq!(
        found
            .iter()
            .filter(|finding| finding.code == "USCC_CHECK")
            .count(),
        2
    );

    let counted = fixture.statistics().await?;
    assert_eq!((counted.accepted, counted.returned), (1, 2));
    assert_eq!(counted.returned_by_code["USCC_CHECK"], 2);
    assert_eq!(counted.returned_by_code["REQUIRED_MISSING"], 1);
    assert_eq!(counted.returned_by_code.len(), 2);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r12_verdicts_cannot_be_changed_or_removed_by_the_service() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    fixture
        .submit(&[&SampleSubmission::penalty("K-1", 1, wrong_credit_code())])
        .await?;
    for statement in [
        "UPDATE verdict SET outcome = 'accepted', error_codes = '{}'",
        "DELETE FROM verdict",
        "TRUNCATE verdict",
        "UPDATE feedback_case SET due_on = '2030-01-01'",
        "DELETE FROM feedback_case",
        "UPDATE item_version SET definition = '{}'",
        "DELETE FROM item_version",
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
async fn an_unknown_version_has_no_verdict() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let never = SampleSubmission::penalty(&Uuid::new_v4().to_string(), 1, json!({}));
    let answer = fixture.verdict(&never).await;
    assert_eq!(refusal_of(answer).reason, Reason::VerdictUnknown);
    fixture.finish().await?;
    Ok(())
}
