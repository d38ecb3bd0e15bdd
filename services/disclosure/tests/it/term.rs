//! R-16, D-7: adverse records are disclosed for three years from the day of effect, to its last day at 24:00 in
//! Changsha, whatever runs or does not run.

use testkit::TestResult;
use time::macros::datetime;
use tonic::Code;

use crate::fixture::*;

#[tokio::test(flavor = "multi_thread")]
async fn r16_an_adverse_record_is_archive_from_midnight_after_its_last_day() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2024-03-01");
    let person = person_penalty(2, "2024-03-01");
    let licence = licence_record(3, SOCIETY, "长沙市某某协会", "2014-03-01");
    fixture
        .accept(&[record.clone(), person, licence.clone()])
        .await?;

    fixture
        .bed
        .clock
        .set(datetime!(2027-03-01 23:59:59.999_999 +8));
    assert_eq!(
        fixture.record(record.id).await?.disclosed_until,
        "2027-03-01"
    );
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 1);
    assert_eq!(fixture.search("第一医院").await?.total, 1);
    assert_eq!(fixture.own_of_person(CITIZEN).await?.total, 1);
    assert_eq!(fixture.statistics().await?, [3, 2, 1, 0, 0]);

    fixture.bed.clock.set(datetime!(2027-03-02 00:00 +8));
    assert_eq!(
        fixture.record(record.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 0);
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
    assert_eq!(
        fixture.own_of_person(CITIZEN).await?.total,
        0,
        "the archive is for organs only"
    );
    assert_eq!(fixture.own_of_organisation(HOSPITAL).await?.total, 0);
    assert_eq!(
        fixture.record(licence.id).await?.organisation_code,
        SOCIETY,
        "no term, no end"
    );
    assert_eq!(fixture.statistics().await?, [3, 1, 0, 2, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_a_term_from_29_february_ends_on_the_28th() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2024-02-29");
    fixture.accept(std::slice::from_ref(&record)).await?;
    fixture.bed.clock.set(datetime!(2027-02-28 15:59:59 UTC));
    assert_eq!(
        fixture.record(record.id).await?.disclosed_until,
        "2027-02-28"
    );
    fixture.bed.clock.set(datetime!(2027-02-28 16:00:00 UTC));
    assert_eq!(
        fixture.record(record.id).await.unwrap_err().code(),
        Code::NotFound
    );
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_a_term_that_has_not_begun_discloses_nothing_yet() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-11-21");
    fixture.accept(std::slice::from_ref(&record)).await?;
    assert_eq!(
        fixture.record(record.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(fixture.statistics().await?, [1, 0, 1, 0, 0]);
    fixture.bed.clock.set(datetime!(2026-11-21 00:00 +8));
    assert_eq!(fixture.record(record.id).await?.organisation_code, HOSPITAL);
    assert_eq!(fixture.statistics().await?, [1, 1, 0, 0, 0]);
    fixture.bed.finish().await?;
    Ok(())
}
