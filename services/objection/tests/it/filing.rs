//! a subject applies in writing with evidence; D-4: the clock starts with the complete
//! application.

use proto::credit::objection::v1::ObjectionState;
use service_kit::{identity::Role, reason::Reason};
use testkit::{RefusalDetails, refusal_of};
use time::macros::datetime;
use tonic::Code;

use crate::fixture::{
    COMPANY, ObjectionFixture, PROVIDER, due_days, file_objection, list_objections,
    sample_application,
};

#[tokio::test]
async fn r18_a_complete_application_is_accepted_and_both_due_days_are_shown() {
    // filed, transfer due, answer due with the transfer on its last day
    let table = [
        (datetime!(2026-02-13 10:00 +8), "2026-02-25", "2026-03-05"),
        (datetime!(2026-04-29 23:59 +8), "2026-05-07", "2026-05-15"),
        (datetime!(2026-09-28 00:00 +8), "2026-10-08", "2026-10-16"),
    ];
    let fixture = ObjectionFixture::start_at(table[0].0).await;
    let company = fixture.company();
    for (n, (filed_at, transfer_due, answer_due)) in table.into_iter().enumerate() {
        fixture.bed.clock.set(filed_at);
        let filed = file_objection(&company, sample_application(&format!("r-{n}")))
            .await
            .unwrap();
        assert_eq!(filed.state(), ObjectionState::Filed);
        assert_eq!(due_days(&filed), (transfer_due, answer_due));
        let at = filed.filed_at.unwrap().seconds;
        assert_eq!(at, filed_at.unix_timestamp());
        assert!(filed.transferred_at.is_none() && filed.answered_at.is_none());
    }
    assert_eq!(
        fixture.announced_changes().await,
        vec![("filed".to_owned(), true, 1); 3]
    );
    fixture.finish().await;
}

#[tokio::test]
async fn r18_statement_and_evidence_are_kept_byte_for_byte() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let request = sample_application("r-1");
    let filed = file_objection(&fixture.company(), request.clone())
        .await
        .unwrap();
    assert_eq!(filed.statement, request.statement);
    assert_eq!(filed.provider_code, PROVIDER);
    assert_eq!(filed.evidence.len(), request.evidence.len());
    for (info, piece) in filed.evidence.iter().zip(&request.evidence) {
        assert_eq!(info.file_name, piece.file_name);
        assert_eq!(info.media_type, piece.media_type);
        assert_eq!(info.size_bytes, piece.content.len() as u64);
        assert_eq!(info.sha256, vault::sha256(&piece.content).as_slice());
    }
    // The bytes themselves, opened with the keys of the installation.
    let id = uuid::Uuid::parse_str(&filed.objection_id).unwrap();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
        "select sealed_content, sha256 from evidence where objection_id = $1 order by ordinal",
    )
    .bind(id)
    .fetch_all(&fixture.pool)
    .await
    .unwrap();
    let context = [id.as_bytes().as_slice(), b"evidence content"].concat();
    for ((sealed, sha256), piece) in rows.iter().zip(&request.evidence) {
        let opened = fixture.bed.context.keyring.open(&context, sealed).unwrap();
        assert_eq!(opened, piece.content);
        assert_eq!(sha256, &vault::sha256(&piece.content));
    }
    fixture.finish().await;
}

#[tokio::test]
async fn the_same_request_again_is_the_same_objection_and_other_content_is_refused() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let company = fixture.company();
    let filed = file_objection(&company, sample_application("r-1"))
        .await
        .unwrap();
    fixture.bed.clock.advance(time::Duration::days(700));
    let again = file_objection(&company, sample_application("r-1"))
        .await
        .unwrap();
    assert_eq!(again.objection_id, filed.objection_id);
    assert_eq!(again.filed_at, filed.filed_at);

    let mut statement = sample_application("r-1");
    statement.statement.push('。');
    let mut evidence = sample_application("r-1");
    evidence.evidence.pop();
    let mut record = sample_application("r-1");
    record.record_id = uuid::Uuid::from_u128(8).to_string();
    for other in [statement, evidence, record] {
        assert_eq!(
            refusal_of(file_objection(&company, other).await).reason_and_field(),
            (Reason::RequestIdReused, "request_id")
        );
    }
    // The id is the caller's own: another caller may use the same.
    let other = file_objection(
        &fixture.citizen("430102199003071242"),
        sample_application("r-1"),
    )
    .await
    .unwrap();
    assert_ne!(other.objection_id, filed.objection_id);
    assert_eq!(fixture.announced_changes().await.len(), 2);
    fixture.finish().await;
}

#[tokio::test]
async fn one_request_sent_by_eight_at_once_is_filed_once() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let company = fixture.company();
    let calls = (0..8).map(|_| file_objection(&company, sample_application("r-1")));
    let filed = futures::future::try_join_all(calls).await.unwrap();
    assert!(
        filed
            .iter()
            .all(|o| o.objection_id == filed[0].objection_id)
    );
    assert_eq!(
        fixture.announced_changes().await,
        [("filed".to_owned(), true, 1)]
    );
    let pieces: i64 = sqlx::query_scalar("select count(*) from evidence")
        .fetch_one(&fixture.pool)
        .await
        .unwrap();
    assert_eq!(pieces, 2);
    fixture.finish().await;
}

#[tokio::test]
async fn an_unknown_provider_is_refused_by_its_field_until_it_is_registered() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let mut request = sample_application("r-1");
    request.provider_code = "51430100MJJ000012E".to_owned();
    let mut nobody = request.clone();
    nobody.provider_code = "某局".to_owned();
    for (unknown, reason) in [
        (request.clone(), Reason::ProviderUnknown),
        (nobody, Reason::CreditCodeInvalid),
    ] {
        assert_eq!(
            refusal_of(file_objection(&fixture.company(), unknown).await).reason_and_field(),
            (reason, "provider_code")
        );
    }
    assert!(fixture.announced_changes().await.is_empty());
    // A provider that may no longer report still answers for what it reported.
    fixture
        .register(&[(&request.provider_code, 1, false)])
        .await;
    file_objection(&fixture.company(), request).await.unwrap();
    fixture.finish().await;
}

#[tokio::test]
async fn the_newest_revision_of_a_provider_wins_in_any_order() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    fixture
        .register(&[(COMPANY, 3, true), (COMPANY, 5, false), (COMPANY, 4, true)])
        .await;
    fixture.register(&[(COMPANY, 2, true)]).await;
    let known: (String, bool, i64) =
        sqlx::query_as("select name, enabled, revision from provider where code = $1")
            .bind(COMPANY)
            .fetch_one(&fixture.pool)
            .await
            .unwrap();
    assert_eq!(known, (format!("单位 {COMPANY} 第5版"), false, 5));
    fixture.finish().await;
}

#[tokio::test]
async fn d4_an_incomplete_application_gets_one_list_and_starts_no_clock() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    let mut request = sample_application("r-1");
    request.statement = String::new();
    request.evidence.clear();
    // What is there and wrong is in the same list.
    request.record_id = "r-7".to_owned();
    let refused = file_objection(&fixture.company(), request)
        .await
        .unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&refused).reason_and_field(),
        (Reason::RequestIncomplete, "record_id")
    );
    assert!(refused.message().contains("record_id: 记录编号格式不正确"));
    assert_eq!(refused.code(), Code::InvalidArgument);
    for field in ["statement", "evidence"] {
        assert!(refused.message().contains(field), "{refused}");
    }
    assert!(fixture.announced_changes().await.is_empty());
    let office = list_objections(&fixture.office(), false, 10, "")
        .await
        .unwrap();
    assert!(office.objections.is_empty());
    fixture.finish().await;
}

#[tokio::test]
async fn r18_only_subjects_apply_and_a_token_that_names_nobody_is_no_subject() {
    let fixture = ObjectionFixture::start_at(datetime!(2026-11-20 10:00 +8)).await;
    for (client, reason) in [
        (fixture.provider(), Reason::RoleNotAllowed),
        (fixture.office(), Reason::RoleNotAllowed),
        (fixture.client_of("", Role::Subject), Reason::SubjectMissing),
    ] {
        let refused = file_objection(&client, sample_application("r-1")).await;
        assert_eq!(refusal_of(refused).reason, reason);
    }
    fixture.finish().await;
}
