//! D-9, R-16: of the term and the provider's own deadline (公示截止期) the shortest lawful end wins, to its last day
//! at 24:00 in Changsha, whatever runs or does not run.

use testkit::TestResult;
use time::macros::datetime;
use tonic::Code;

use crate::fixture::*;

#[tokio::test(flavor = "multi_thread")]
async fn d9_r16_a_record_is_archive_from_midnight_after_its_providers_deadline() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let limited = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02").until("2026-12-01");
    let licence = licence_record(2, HOSPITAL, "长沙市第一医院", "2026-01-05").until("2026-12-01");
    let stall = penalty_record(3, STALL, "老王粉店", "2026-04-01")
        .about(DisclosureTestSubject::Individual(
            STALL.into(),
            "老王粉店".into(),
        ))
        .until("2026-12-02");
    let unlimited = penalty_record(4, SOCIETY, "长沙市某某协会", "2026-03-02");
    fixture
        .accept(&[
            limited.clone(),
            licence.clone(),
            stall.clone(),
            unlimited.clone(),
            person_penalty(5, "2026-03-02").until("2026-12-01"),
            person_penalty(6, "2026-03-02"),
        ])
        .await?;

    fixture
        .bed
        .clock
        .set(datetime!(2026-12-01 23:59:59.999_999 +8));
    for record in [&limited, &licence] {
        let shown = fixture.record(record.id).await?;
        assert_eq!(shown.disclosed_until, "2026-12-01");
    }
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 3);
    assert_eq!(fixture.search("第一医院").await?.total, 1);
    let page = fixture.organisation(HOSPITAL, 0, "").await?;
    let summary = page.organisation.unwrap_or_default();
    assert_eq!((summary.licence_count, summary.penalty_count), (1, 1));
    assert!(
        page.records
            .iter()
            .all(|r| r.disclosed_until == "2026-12-01")
    );
    let own = fixture.own_of_organisation(HOSPITAL).await?;
    assert_eq!((own.total, own.records.len()), (2, 2));
    assert_eq!(own.records[0].disclosed_until, "2026-12-01");
    let own = fixture.own_of_person(CITIZEN).await?;
    let mut ends: Vec<&str> = own
        .records
        .iter()
        .map(|r| r.disclosed_until.as_str())
        .collect();
    ends.sort_unstable();
    assert_eq!(ends, ["2026-12-01", "2029-03-02"]);
    assert_eq!(fixture.statistics().await?, [6, 4, 2, 0, 0]);

    fixture.bed.clock.set(datetime!(2026-12-02 00:00 +8));
    for record in [&limited, &licence] {
        let gone = fixture.record(record.id).await.unwrap_err();
        assert_eq!(gone.code(), Code::NotFound);
    }
    let page = fixture.list(list_request("xzcf")).await?;
    assert_eq!((page.total, page.records.len()), (2, 2));
    assert_eq!(fixture.list(list_request("xzxk")).await?.total, 0);
    assert_eq!(fixture.search("第一医院").await?.total, 0);
    assert_eq!(fixture.search(HOSPITAL).await?.total, 0);
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
    assert_eq!(fixture.own_of_organisation(HOSPITAL).await?.total, 0);
    let own = fixture.own_of_person(CITIZEN).await?;
    assert_eq!(
        (own.total, own.records.len()),
        (1, 1),
        "the archive is for organs only"
    );
    assert_eq!(
        fixture.record(stall.id).await?.disclosed_until,
        "2026-12-02"
    );
    let other = fixture.record(unlimited.id).await?;
    assert_eq!(other.disclosed_until, "2029-03-02");
    assert_eq!(fixture.statistics().await?, [6, 2, 1, 3, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_r16_no_deadline_extends_the_term() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2024-03-01").until("2099-12-31");
    fixture.accept(std::slice::from_ref(&record)).await?;
    fixture.bed.clock.set(datetime!(2027-03-01 23:59:59 +8));
    assert_eq!(
        fixture.record(record.id).await?.disclosed_until,
        "2027-03-01"
    );
    let own = fixture.own_of_organisation(HOSPITAL).await?;
    assert_eq!(own.records[0].disclosed_until, "2027-03-01");
    fixture.bed.clock.set(datetime!(2027-03-02 00:00 +8));
    let gone = fixture.record(record.id).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    assert_eq!(fixture.own_of_organisation(HOSPITAL).await?.total, 0);
    assert_eq!(fixture.statistics().await?, [1, 0, 0, 1, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_r12_the_newest_versions_deadline_counts() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let past = "2026-11-19";
    let ended = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02").until(past);
    let person = person_penalty(2, "2026-03-02").until(past);
    fixture.accept(&[ended.clone(), person.clone()]).await?;
    let never = fixture.record(ended.id).await.unwrap_err();
    assert_eq!(never.code(), Code::NotFound, "it had ended before it came");
    assert_eq!(fixture.own_of_person(CITIZEN).await?.total, 0);
    assert_eq!(fixture.statistics().await?, [2, 0, 0, 2, 0]);

    let mended = ended.clone().revision(2).until("2027-03-02");
    fixture
        .accept(&[mended.clone(), person.revision(2).until("")])
        .await?;
    assert_eq!(
        fixture.record(mended.id).await?.disclosed_until,
        "2027-03-02"
    );
    assert_eq!(fixture.own_of_person(CITIZEN).await?.total, 1);
    assert_eq!(fixture.statistics().await?, [4, 1, 1, 0, 2]);

    let shortened = ended.revision(3).until(past);
    fixture.accept(std::slice::from_ref(&shortened)).await?;
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 0);
    assert_eq!(fixture.statistics().await?, [5, 0, 1, 1, 3]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d9_a_version_past_its_deadline_is_archive_before_the_catalogue_knows_its_item()
-> TestResult {
    let fixture = DisclosureFixture::start_without_catalogue().await?;
    let name = "长沙市第一医院";
    fixture
        .accept(&[
            penalty_record(1, HOSPITAL, name, "2026-03-02").until("2026-11-19"),
            penalty_record(2, HOSPITAL, name, "2026-03-02").until("2026-11-20"),
            // Its term has not begun, but its deadline has passed.
            penalty_record(3, HOSPITAL, name, "2026-12-24").until("2026-11-19"),
        ])
        .await?;
    assert_eq!(fixture.statistics().await?, [3, 0, 1, 2, 0]);
    fixture.publish_catalogue().await?;
    assert_eq!(fixture.statistics().await?, [3, 1, 0, 2, 0]);
    fixture.bed.finish().await?;
    Ok(())
}
