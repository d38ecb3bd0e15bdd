//! what is published and found, and what is not.

use proto::credit::disclosure::v1::ListPublicRecordsRequest;
use service_kit::reason::Reason;
use testkit::{TestResult, refusal_of};
use tonic::{Code, Status};
use tonic_types::StatusExt;
use uuid::Uuid;

use crate::fixture::*;

#[tokio::test(flavor = "multi_thread")]
async fn r15_records_of_organisations_are_published() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let record = penalty_record(1, HOSPITAL, "长沙市第一医院（湖南）", "2026-03-02");
    let stall = licence_record(3, STALL, "老王粉店", "2026-04-01").about(
        DisclosureTestSubject::Individual(STALL.into(), "老王粉店".into()),
    );
    fixture
        .accept(&[
            record.clone(),
            licence_record(2, HOSPITAL, "长沙市第一医院", "2025-01-05"),
            stall.clone(),
        ])
        .await?;

    for query in [
        HOSPITAL,
        "第一医院",
        "长沙市第一医院湖南",
        "长沙市第一医院(湖南)",
    ] {
        let found = fixture.search(query).await?;
        assert_eq!(found.total, 1, "{query}");
        let organisation = &found.organisations[0];
        assert_eq!(organisation.credit_code, HOSPITAL);
        assert_eq!(
            organisation.name, "长沙市第一医院（湖南）",
            "the name of the newest decision"
        );
        assert_eq!(
            (organisation.licence_count, organisation.penalty_count),
            (1, 1)
        );
        assert_eq!(organisation.other_count, 0);
    }
    assert_eq!(fixture.search("第二医院").await?.total, 0);

    let page = fixture.organisation(HOSPITAL, 0, "").await?;
    let days: Vec<&str> = page
        .records
        .iter()
        .map(|r| r.decision_date.as_str())
        .collect();
    assert_eq!(days, ["2026-03-02", "2025-01-05"]);
    assert!(
        page.records.iter().all(|r| r.fields.is_empty()),
        "fields only in detail views"
    );

    let shown = fixture.record(record.id).await?;
    assert_eq!(
        (shown.item_name.as_str(), shown.disclosed_until.as_str()),
        ("行政处罚", "2029-03-02")
    );
    let codes: Vec<&str> = shown.fields.iter().map(|f| f.code.as_str()).collect();
    assert_eq!(
        codes,
        ["CF_XDR_MC", "CF_XDR_SHXYM", "CF_WSH", "CF_SY", "CF_JDRQ"],
        "public ones in order"
    );
    let all = format!("{shown:?}");
    assert!(!all.contains("19491231") && !all.contains("备注"), "{all}");

    // D-11: an individual business is treated as an organisation.
    assert_eq!(fixture.search("老王粉店").await?.total, 1);
    assert_eq!(
        fixture.record(stall.id).await?.disclosed_until,
        "",
        "a licence has no term"
    );
    assert_eq!(fixture.statistics().await?, [3, 3, 0, 0, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r14_natural_persons_are_disclosed_by_query_only() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let person = person_penalty(1, "2026-03-02");
    fixture
        .accept(&[
            person.clone(),
            penalty_record(2, HOSPITAL, "长沙市第一医院", "2026-03-02"),
        ])
        .await?;

    assert_eq!(
        refusal_of(fixture.record(Uuid::nil()).await).reason_and_field(),
        (Reason::RecordIdInvalid, "record_id")
    );
    let hidden = fixture.record(person.id).await.unwrap_err();
    let absent = fixture.record(Uuid::from_u128(9)).await.unwrap_err();
    assert_eq!(hidden.code(), Code::NotFound);
    assert_eq!(hidden.message(), absent.message(), "no hint");
    let info = |status: &Status| status.get_error_details().error_info().cloned();
    let (hidden, absent) = (info(&hidden).unwrap(), info(&absent).unwrap());
    assert_eq!(
        (hidden.reason, hidden.metadata),
        (absent.reason, absent.metadata)
    );
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 1);
    assert_eq!(fixture.search(CITIZEN_NAME).await?.total, 0);
    assert_eq!(fixture.search(CITIZEN).await?.total, 0);

    let own = fixture.own_of_person(CITIZEN).await?;
    assert_eq!((own.total, own.records.len()), (1, 1));
    let record = &own.records[0];
    assert_eq!(
        (record.item_name.as_str(), record.provider_code.as_str()),
        ("行政处罚", PROVIDER)
    );
    let value = |code| {
        record
            .fields
            .iter()
            .find(|f| f.code == code)
            .map(|f| f.value.as_str())
    };
    assert_eq!(value("CF_XDR_MC"), Some(CITIZEN_NAME));
    assert_eq!(value("CF_XDR_ZJHM"), Some("1101**********002X"));
    assert_eq!(value("BZ"), None, "remarks are for organs");
    for written in ["110105491231002", "11010519491231002x"] {
        let own = fixture.own_of_person(written).await?;
        assert_eq!(own.total, 1, "another form of the number: {written}");
    }
    assert_eq!(
        fixture.own_of_person("440524188001010014").await?.total,
        0,
        "another person"
    );
    assert_eq!(fixture.own_of_organisation(HOSPITAL).await?.total, 1);
    assert_eq!(fixture.own_of_organisation(SOCIETY).await?.total, 0);
    let nobody = refusal_of(fixture.own_of_organisation("").await);
    assert_eq!(nobody.reason, Reason::SubjectMissing);
    assert_eq!(fixture.statistics().await?, [2, 1, 1, 0, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn d12_a_subject_without_a_credit_code_is_not_published() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let nameless = penalty_record(1, "", "", "2026-03-02").about(
        DisclosureTestSubject::Individual("".into(), "个体工商户".into()),
    );
    fixture.accept(std::slice::from_ref(&nameless)).await?;
    assert_eq!(
        fixture.record(nameless.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 0);
    assert_eq!(fixture.search("个体工商户").await?.total, 0);
    assert_eq!(fixture.statistics().await?, [1, 0, 1, 0, 0]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r12_only_the_providers_newest_version_is_disclosed() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let wrong = penalty_record(1, SOCIETY, "被张冠李戴的协会", "2026-03-02");
    fixture.accept(std::slice::from_ref(&wrong)).await?;
    assert_eq!(fixture.search("张冠李戴").await?.total, 1);
    let right = penalty_record(1, HOSPITAL, "长沙市第一医院", "2026-03-02").revision(2);
    fixture.accept(std::slice::from_ref(&right)).await?;

    assert_eq!(
        fixture.record(wrong.id).await.unwrap_err().code(),
        Code::NotFound
    );
    assert_eq!(
        fixture
            .organisation(SOCIETY, 0, "")
            .await
            .unwrap_err()
            .code(),
        Code::NotFound
    );
    assert_eq!(
        fixture.search("张冠李戴").await?.total,
        0,
        "a superseded name leads nowhere"
    );
    assert_eq!(fixture.search(SOCIETY).await?.total, 0);
    assert_eq!(fixture.record(right.id).await?.organisation_code, HOSPITAL);
    // The correction may even change the kind of subject.
    fixture
        .accept(&[person_penalty(1, "2026-03-02").revision(3)])
        .await?;
    assert_eq!(fixture.list(list_request("xzcf")).await?.total, 0);
    assert_eq!(fixture.own_of_person(CITIZEN).await?.total, 1);
    assert_eq!(fixture.statistics().await?, [3, 0, 1, 0, 2]);
    fixture.bed.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn r15_lists_are_filtered_counted_exactly_and_paged_without_gaps() -> TestResult {
    let fixture = DisclosureFixture::start().await?;
    let records: Vec<DisclosureTestRecord> = (0..57)
        .map(|n| {
            let day = format!("2026-{:02}-{:02}", 1 + n % 5, 1 + n % 7);
            penalty_record(
                n,
                &credit_code(n % 9),
                &format!("湖南测试{}有限公司", n % 9),
                &day,
            )
        })
        .collect();
    fixture.accept(&records).await?;
    fixture
        .accept(&[licence_record(99, HOSPITAL, "长沙市第一医院", "2026-01-01")])
        .await?;

    let mut seen = Vec::new();
    let mut request = ListPublicRecordsRequest {
        page_size: 10,
        ..list_request("xzcf")
    };
    loop {
        let page = fixture.list(request.clone()).await?;
        assert_eq!(page.total, 57);
        assert!(page.records.len() <= 10);
        seen.extend(
            page.records
                .iter()
                .map(|r| (r.decision_date.clone(), r.record_id.clone())),
        );
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(seen.len(), 57);
    assert!(seen.is_sorted_by(|a, b| a > b), "newest first, none twice");

    let mut pages = 0;
    let mut token = String::new();
    let mut codes = std::collections::BTreeSet::new();
    while pages == 0 || !token.is_empty() {
        let page = fixture.search_page("测试", 4, &token).await?;
        assert_eq!(page.total, 9);
        codes.extend(page.organisations.into_iter().map(|o| o.credit_code));
        token = page.next_page_token;
        pages += 1;
    }
    assert_eq!((pages, codes.len()), (3, 9));

    let first = fixture.organisation(&credit_code(0), 5, "").await?;
    let rest = fixture
        .organisation(&credit_code(0), 5, &first.next_page_token)
        .await?;
    assert_eq!((first.records.len(), rest.records.len()), (5, 2));
    assert_eq!(first.organisation.unwrap().penalty_count, 7);

    let by = |change: fn(&mut ListPublicRecordsRequest)| {
        let mut request = list_request("xzcf");
        change(&mut request);
        fixture.list(request)
    };
    let of_five = records.iter().filter(|r| r.key % 9 == 5).count() as u64;
    assert_eq!(by(|r| r.subject = credit_code(5)).await?.total, of_five);
    assert_eq!(by(|r| r.subject = "测试5有限".into()).await?.total, of_five);
    assert_eq!(
        by(|r| r.document_number = "长市监罚[2026]12号".into())
            .await?
            .total,
        1
    );
    let in_may = records
        .iter()
        .filter(|r| r.decided.starts_with("2026-05"))
        .count() as u64;
    assert_eq!(
        by(|r| r.decided_from = "2026-05-01".into()).await?.total,
        in_may
    );
    let before = by(|r| r.decided_to = "2026-04-30".into()).await?.total;
    assert_eq!(before, 57 - in_may);
    assert_eq!(by(|r| r.item_code = "unknown".into()).await?.total, 0);

    for (reason, field, request) in [
        (Reason::ItemCodeMissing, "item_code", list_request("")),
        (Reason::ItemCodeInvalid, "item_code", list_request("XZCF")),
        (
            Reason::QueryTooShort,
            "subject",
            ListPublicRecordsRequest {
                subject: "长".into(),
                ..list_request("xzcf")
            },
        ),
        (
            Reason::DateInvalid,
            "decided_from",
            ListPublicRecordsRequest {
                decided_from: "昨天".into(),
                ..list_request("xzcf")
            },
        ),
        (
            Reason::PageTokenInvalid,
            "page_token",
            ListPublicRecordsRequest {
                page_token: "x".into(),
                ..list_request("xzcf")
            },
        ),
        (
            Reason::PageSizeInvalid,
            "page_size",
            ListPublicRecordsRequest {
                page_size: 101,
                ..list_request("xzcf")
            },
        ),
        (
            Reason::PeriodReversed,
            "decided_from",
            ListPublicRecordsRequest {
                decided_from: "2026-02-02".into(),
                decided_to: "2026-02-01".into(),
                ..list_request("xzcf")
            },
        ),
    ] {
        let refused = refusal_of(fixture.list(request).await);
        assert_eq!(refused.reason_and_field(), (reason, field));
    }
    let most = ListPublicRecordsRequest {
        page_size: 100,
        ..list_request("xzcf")
    };
    assert_eq!(fixture.list(most).await?.records.len(), 57);
    fixture.bed.finish().await?;
    Ok(())
}
