//! D-24, penalty law art. 48: a revoked record is taken down at once, for everybody, and the reason is stated publicly;
//! a withdrawn one vanishes. Whatever comes in whatever order, the newest revision says what holds (D-14).

use std::time::Duration;

use anyhow::Result;
use proto::credit::{catalog::events::v1::ProviderRegistered, common::v1::Operation};
use testkit::{TestResult, eventually};
use time::macros::datetime;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::fixture::*;

const REASON: &str = "原处罚决定经行政复议撤销";

fn code_of<T: std::fmt::Debug>(outcome: Result<T, Status>) -> Code {
    outcome.unwrap_err().code()
}

#[tokio::test(flavor = "multi_thread")]
async fn d24_art48_a_revoked_record_is_taken_down_at_once_and_the_reason_is_public() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let stays = licence_record(2, SOCIETY, "长沙市某某协会", "2026-03-02");
    let also = penalty_record(3, SOCIETY, "长沙市某某协会", "2026-03-02");
    let registered = new_event(&ProviderRegistered {
        code: PROVIDER.to_owned(),
        name: "长沙市市场监督管理局".to_owned(),
        level: "city".to_owned(),
        enabled: true,
        revision: 1,
        ..ProviderRegistered::default()
    });
    fixture.publish(&[registered]).await?;
    fixture
        .accept(&[record.clone(), stays.clone(), also.clone()])
        .await?;
    assert_eq!(fixture.statistics().await?, [3, 3, 0, 0, 0]);

    let reason = format!("{REASON}，申请人李某（{CITIZEN}，电话13812345678）");
    for ended in [&record, &also] {
        let ending = ended.clone().revision(2);
        fixture
            .end_record(&ending, Operation::Revoke, &reason)
            .await?;
    }
    // In no list, search, page or own list as a record any more.
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 0);
    for query in [HOSPITAL, "第一医院"] {
        let found = fixture.search(query).await?;
        assert_eq!((found.total, found.organisations.len()), (0, 0), "{query}");
    }
    let own = fixture.own_of_organisation(HOSPITAL).await?;
    assert_eq!((own.total, own.records.len()), (0, 0));
    assert_eq!(fixture.statistics().await?, [3, 1, 0, 0, 2]);
    assert_eq!(fixture.revocations().await?, [2, 2]);

    // Its address answers with the notice, and with nothing of the content.
    let answer = fixture.record_or_notice(record.id).await?;
    assert_eq!(answer.record, None);
    let notice = answer.revocation.unwrap();
    assert_eq!(notice.record_id, record.id.to_string());
    assert_eq!(
        (notice.item_code.as_str(), notice.item_name.as_str()),
        ("xzcf", "行政处罚")
    );
    assert_eq!(
        (notice.provider_code.as_str(), notice.provider_name.as_str()),
        (PROVIDER, "长沙市市场监督管理局")
    );
    assert_eq!(
        (
            notice.organisation_code.as_str(),
            notice.organisation_name.as_str()
        ),
        (HOSPITAL, "长沙市第一医院")
    );
    assert_eq!(notice.document_number, record.document);
    assert_eq!(notice.revoked_on, "2026-11-20");
    assert!(notice.reason.starts_with(REASON), "{}", notice.reason);
    assert!(
        !notice.reason.contains("19491231") && !notice.reason.contains("13812345678"),
        "personal numbers are masked: {}",
        notice.reason
    );
    // The revocation itself has no address.
    let ending = record.clone().revision(2);
    assert_eq!(
        code_of(fixture.record_or_notice(ending.id).await),
        Code::NotFound
    );

    // The page of an organisation shows the notice, on the first page, next to what still holds.
    let page = fixture.organisation(SOCIETY, 0, "").await?;
    let summary = page.organisation.unwrap_or_default();
    assert_eq!((summary.licence_count, summary.penalty_count), (1, 0));
    assert_eq!((page.records.len(), page.revocations.len()), (1, 1));
    assert_eq!(page.revocations[0].record_id, also.id.to_string());
    let page = fixture.organisation(HOSPITAL, 0, "").await?;
    assert_eq!(page.revocations, [notice]);
    let summary = page.organisation.unwrap_or_default();
    assert_eq!(
        (
            summary.name.as_str(),
            summary.penalty_count,
            page.records.len()
        ),
        ("长沙市第一医院", 0, 0)
    );
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d24_a_withdrawn_record_vanishes_and_its_reason_is_not_published() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let revoked = penalty_record(2, SOCIETY, "长沙市某某协会", "2026-03-02");
    fixture.accept(&[record.clone(), revoked.clone()]).await?;
    let ending = record.clone().revision(2);
    fixture
        .end_record(&ending, Operation::Withdraw, "误报")
        .await?;
    for id in [record.id, ending.id] {
        assert_eq!(code_of(fixture.record_or_notice(id).await), Code::NotFound);
    }
    let hidden = fixture.organisation(HOSPITAL, 0, "").await.unwrap_err();
    let absent = fixture
        .organisation(&credit_code(1), 0, "")
        .await
        .unwrap_err();
    assert_eq!(
        (hidden.code(), hidden.message()),
        (absent.code(), absent.message()),
        "no hint"
    );
    let own = fixture.own_of_organisation(HOSPITAL).await?;
    assert_eq!((own.total, own.revocations.len()), (0, 0));
    assert_eq!(fixture.statistics().await?, [2, 1, 0, 0, 1]);

    // A revocation that turns out to be a mistake itself takes its notice with it.
    let ending = revoked.clone().revision(2);
    fixture
        .end_record(&ending, Operation::Revoke, REASON)
        .await?;
    assert!(
        fixture
            .record_or_notice(revoked.id)
            .await?
            .revocation
            .is_some()
    );
    let ending = revoked.clone().revision(3);
    fixture
        .end_record(&ending, Operation::Withdraw, "误报")
        .await?;
    assert_eq!(
        code_of(fixture.record_or_notice(revoked.id).await),
        Code::NotFound
    );
    assert_eq!(fixture.revocations().await?, [3, 2]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d14_the_newest_revision_says_what_holds_whatever_came_first() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let first = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let ending = first.clone().revision(3);
    // The revocation comes before both versions that it ends.
    fixture
        .end_record(&ending, Operation::Revoke, REASON)
        .await?;
    assert_eq!(
        code_of(fixture.record_or_notice(first.id).await),
        Code::NotFound
    );
    fixture.accept(std::slice::from_ref(&first)).await?;
    assert!(
        fixture
            .record_or_notice(first.id)
            .await?
            .revocation
            .is_some()
    );
    let second = first.clone().revision(2);
    fixture.accept(std::slice::from_ref(&second)).await?;
    assert!(
        fixture
            .record_or_notice(second.id)
            .await?
            .revocation
            .is_some(),
        "the notice is about the version that was the last"
    );
    assert_eq!(
        code_of(fixture.record_or_notice(first.id).await),
        Code::NotFound
    );
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 0);
    assert_eq!(fixture.statistics().await?, [2, 0, 0, 0, 2]);

    // Reported again, it is disclosed again, and the notice has gone.
    let again = first.clone().revision(4);
    fixture.accept(std::slice::from_ref(&again)).await?;
    assert_eq!(fixture.record(again.id).await?.organisation_code, HOSPITAL);
    assert_eq!(
        code_of(fixture.record_or_notice(second.id).await),
        Code::NotFound
    );
    let page = fixture.organisation(HOSPITAL, 0, "").await?;
    assert_eq!((page.records.len(), page.revocations.len()), (1, 0));
    assert_eq!(fixture.search("第一医院").await?.total, 1);
    assert_eq!(fixture.statistics().await?, [3, 1, 0, 0, 2]);
    assert_eq!(fixture.revocations().await?, [1, 0]);
    // A revocation that comes late and is older changes nothing.
    let late = penalty_record(2, SOCIETY, "长沙市某某协会", "2026-03-02").revision(3);
    fixture.accept(std::slice::from_ref(&late)).await?;
    fixture
        .end_record(&late.clone().revision(2), Operation::Revoke, REASON)
        .await?;
    assert_eq!(fixture.record(late.id).await?.organisation_code, SOCIETY);
    assert_eq!(fixture.revocations().await?, [2, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d24_r17_the_subject_itself_learns_that_and_why_and_the_reading_is_logged() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let person = person_penalty(1, "2026-03-02");
    let record = penalty_record(2, HOSPITAL, "长沙市第一医院", "2026-03-03");
    fixture.accept(&[person.clone(), record.clone()]).await?;
    for ended in [&person, &record] {
        let ending = ended.clone().revision(2);
        fixture
            .end_record(&ending, Operation::Revoke, REASON)
            .await?;
    }
    for (own, ended) in [
        (fixture.own_of_person(CITIZEN).await?, &person),
        (fixture.own_of_organisation(HOSPITAL).await?, &record),
    ] {
        assert_eq!((own.total, own.records.len()), (0, 0));
        let [notice] = &own.revocations[..] else {
            panic!("one revocation: {:?}", own.revocations)
        };
        assert_eq!(notice.record_id, ended.id.to_string());
        assert_eq!(
            (notice.item_name.as_str(), notice.provider_code.as_str()),
            ("行政处罚", PROVIDER)
        );
        assert_eq!(notice.decision_date, ended.decided);
        assert_eq!(
            (notice.revoked_on.as_str(), notice.reason.as_str()),
            ("2026-11-20", REASON)
        );
    }
    let pool = fixture.bed.schema_pool().await?;
    let logged: Vec<Vec<Uuid>> =
        sqlx::query_scalar("SELECT record_ids FROM read_log ORDER BY reader_kind DESC")
            .fetch_all(&pool)
            .await?;
    assert_eq!(logged, [vec![person.id], vec![record.id]]);
    let other = fixture.own_of_person("440524188001010014").await?;
    assert_eq!(other.revocations.len(), 0, "nobody else's");
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_no_notice_is_about_a_natural_person() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let person = person_penalty(1, "2026-03-02");
    // Reported as an organisation's, corrected to a person's: what was revoked is a person's.
    let wrong = penalty_record(2, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let nameless = penalty_record(3, "", "", "2026-03-02").about(
        DisclosureTestSubject::Individual(String::new(), "个体工商户".into()),
    );
    fixture
        .accept(&[
            person.clone(),
            wrong.clone(),
            person_penalty(2, "2026-03-02").revision(2),
            nameless.clone(),
        ])
        .await?;
    for (ended, revision) in [(&person, 2), (&wrong, 3), (&nameless, 2)] {
        let ending = ended.clone().revision(revision);
        fixture
            .end_record(&ending, Operation::Revoke, REASON)
            .await?;
    }
    for ended in [&person, &wrong, &nameless] {
        assert_eq!(
            code_of(fixture.record_or_notice(ended.id).await),
            Code::NotFound
        );
    }
    assert_eq!(
        code_of(fixture.organisation(HOSPITAL, 0, "").await),
        Code::NotFound
    );
    assert_eq!(
        fixture
            .own_of_organisation(HOSPITAL)
            .await?
            .revocations
            .len(),
        0
    );
    assert_eq!(fixture.own_of_person(CITIZEN).await?.revocations.len(), 2);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d24_r16_notices_end_on_the_organisations_page_by_setting_and_everywhere_with_the_term()
-> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2024-03-01");
    let limited = penalty_record(2, SOCIETY, "长沙市某某协会", "2026-03-02").until("2026-12-01");
    // Its term begins after the revocation: it was never public.
    let early = penalty_record(3, STALL, "老王粉店", "2026-11-25");
    let unpublished = penalty_record(4, STALL, "老王粉店", "2026-11-25");
    fixture
        .accept(&[record.clone(), limited.clone(), early.clone(), unpublished])
        .await?;
    for ended in [&record, &limited, &early] {
        let ending = ended.clone().revision(2);
        fixture
            .end_record(&ending, Operation::Revoke, REASON)
            .await?;
    }
    let count_notices = async |code: &str| -> Result<usize> {
        match fixture.organisation(code, 0, "").await {
            Ok(page) => Ok(page.revocations.len()),
            Err(status) if status.code() == Code::NotFound => Ok(0),
            Err(status) => Err(status.into()),
        }
    };
    fixture.bed.clock.set(datetime!(2026-12-01 23:59:59 +8));
    assert_eq!(count_notices(SOCIETY).await?, 1);
    assert_eq!(count_notices(STALL).await?, 0, "never public, so no notice");
    assert_eq!(
        code_of(fixture.record_or_notice(early.id).await),
        Code::NotFound
    );
    fixture.bed.clock.set(datetime!(2026-12-02 00:00 +8));
    assert_eq!(
        count_notices(SOCIETY).await?,
        0,
        "the provider's own deadline, D-9"
    );
    assert_eq!(
        code_of(fixture.record_or_notice(limited.id).await),
        Code::NotFound
    );

    // 90 days after 20 November, to the last of them at 24:00.
    fixture.bed.clock.set(datetime!(2027-02-18 23:59:59 +8));
    assert_eq!(count_notices(HOSPITAL).await?, 1);
    fixture.bed.clock.set(datetime!(2027-02-19 00:00 +8));
    assert_eq!(count_notices(HOSPITAL).await?, 0);
    assert!(
        fixture
            .record_or_notice(record.id)
            .await?
            .revocation
            .is_some(),
        "who has its address is still told"
    );
    assert_eq!(
        fixture
            .own_of_organisation(HOSPITAL)
            .await?
            .revocations
            .len(),
        1
    );
    fixture.bed.clock.set(datetime!(2027-03-02 00:00 +8));
    assert_eq!(
        code_of(fixture.record_or_notice(record.id).await),
        Code::NotFound
    );
    assert_eq!(
        fixture
            .own_of_organisation(HOSPITAL)
            .await?
            .revocations
            .len(),
        0
    );
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_revocation_is_stored_once_and_one_out_of_form_is_parked() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let keyring = &fixture.bed.context.keyring;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    let revoked = record.clone().revision(2);
    let older = penalty_record(2, SOCIETY, "长沙市某某协会", "2026-03-02").revision(2);
    let newer = older.clone().revision(3);
    let mut bad = revoked.revoked_event(keyring, Operation::Revoke, REASON);
    bad.operation = Operation::Upsert.into();
    let events = [
        new_event(&record.accepted_event(keyring)),
        new_event(&revoked.revoked_event(keyring, Operation::Revoke, REASON)),
        new_event(&bad),
        new_event(&newer.accepted_event(keyring)),
        new_event(&older.revoked_event(keyring, Operation::Withdraw, "误报")),
    ];
    fixture.publish(&events).await?;
    // The same facts again, as other events, both in one batch.
    let again = revoked.revoked_event(keyring, Operation::Revoke, REASON);
    fixture
        .publish(&[new_event(&again), new_event(&again)])
        .await?;

    let pool = fixture.bed.schema_pool().await?;
    let stored: Vec<(Uuid, i16, Vec<u8>)> = sqlx::query_as(
        "SELECT record_id, operation, sealed_reason FROM revocation ORDER BY operation",
    )
    .fetch_all(&pool)
    .await?;
    let opened: Vec<(Uuid, i16, String)> = stored
        .into_iter()
        .map(|(id, operation, sealed)| {
            let reason = keyring.open(id.as_bytes(), &sealed)?;
            Ok((id, operation, String::from_utf8(reason)?))
        })
        .collect::<Result<_>>()?;
    assert_eq!(
        opened,
        [
            (revoked.id, 2, REASON.to_owned()),
            (older.id, 3, "误报".to_owned())
        ],
        "once each, also the one that was late, and sealed"
    );
    assert_eq!(fixture.statistics().await?, [2, 1, 0, 0, 1]);
    assert_eq!(fixture.revocations().await?, [2, 1]);
    let reason = eventually("a dead letter", Duration::from_secs(20), async || {
        sqlx::query_scalar::<_, String>("SELECT reason FROM dead_letter")
            .fetch_optional(&pool)
            .await
            .ok()
            .flatten()
    })
    .await?;
    assert!(reason.starts_with("operation: "), "{reason}");
    sqlx::query("UPDATE dead_letter SET state = 'dropped'")
        .execute(&pool)
        .await?;
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d5_an_objection_against_a_revoked_record_goes_on_and_harms_nothing() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02");
    fixture.accept(std::slice::from_ref(&record)).await?;
    fixture
        .publish(&[objection_event(7, record.id, 1, true)])
        .await?;
    let ending = record.clone().revision(2);
    fixture
        .end_record(&ending, Operation::Revoke, REASON)
        .await?;
    let own = fixture.own_of_organisation(HOSPITAL).await?;
    assert!(own.revocations[0].objection_pending, "its party sees it");

    // The objection goes its way while the record is revoked; reported again meanwhile, the record is marked still.
    fixture
        .publish(&[objection_event(7, record.id, 2, true)])
        .await?;
    let notice = fixture.record_or_notice(record.id).await?;
    assert!(notice.record.is_none() && notice.revocation.is_some());
    let again = record.clone().revision(3);
    fixture.accept(std::slice::from_ref(&again)).await?;
    assert!(fixture.record(again.id).await?.objection_pending);

    // Revoked again; the answer comes after that.
    let ending = record.clone().revision(4);
    fixture
        .end_record(&ending, Operation::Revoke, REASON)
        .await?;
    fixture
        .publish(&[objection_event(7, record.id, 3, false)])
        .await?;
    let own = fixture.own_of_organisation(HOSPITAL).await?;
    assert_eq!(own.revocations[0].record_id, again.id.to_string());
    assert!(!own.revocations[0].objection_pending);
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 0);
    // An objection that is filed after the revocation.
    fixture
        .publish(&[objection_event(8, again.id, 1, true)])
        .await?;
    let own = fixture.own_of_organisation(HOSPITAL).await?;
    assert!(own.revocations[0].objection_pending);
    assert_eq!(own.total, 0);
    fixture.bed.finish().await?;
    Ok(())
}
