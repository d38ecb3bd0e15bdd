//! R-11: a provider says that it had nothing to report (零报告), once and for ever, and not against its own records.

use anyhow::Result;
use proto::credit::ingest::{
    events::v1::NilReported,
    v1::{ListNilReportsRequest, NilReport, ReportNilRequest},
};
use testkit::{Reason, TestResult, service::RefusalDetails};
use tonic::{Code, Status};

use crate::fixture::{
    DISABLED_PROVIDER, IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, receipt_of,
    submission, submit,
};

fn nil(id: &str, item: &str, from: &str, to: &str) -> ReportNilRequest {
    ReportNilRequest {
        submission_id: id.to_owned(),
        item_code: item.to_owned(),
        period_from: from.to_owned(),
        period_to: to.to_owned(),
    }
}

async fn report(
    client: &mut IngestTestClient,
    request: ReportNilRequest,
) -> Result<NilReport, Status> {
    let answer = client.report_nil(request).await?.into_inner();
    answer
        .report
        .ok_or_else(|| Status::internal("an answer without a report"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_nil_report_is_kept_with_its_event_and_answered_the_same_for_ever() -> TestResult {
    let mut fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let october = || nil("2026-10", "xzxk", "2026-10-01", "2026-10-31");
    let first = report(&mut client, october()).await?;
    assert_eq!(first.submission_id, "2026-10");
    assert_eq!(first.provider_code, PROVIDER);
    let period = (first.period_from.as_str(), first.period_to.as_str());
    assert_eq!(period, ("2026-10-01", "2026-10-31"));
    assert_eq!(report(&mut client, october()).await?, first);

    // A record of the period that comes later changes nothing of what was answered.
    fixture.bed.clock.advance(time::Duration::days(3650));
    fixture.restart().await?;
    let mut client = fixture.client(PROVIDER)?;
    assert_eq!(report(&mut client, october()).await?, first);
    assert_eq!(fixture.count("nil_report").await?, 1);
    assert_eq!(fixture.submission_ids().await?, 1);

    let events = fixture.bed.emitted_events::<NilReported>().await?;
    let [event] = events.as_slice() else {
        panic!("one event, got {}", events.len());
    };
    let id = uuid::Uuid::from_slice(&event.report_id)?;
    assert_eq!(id.to_string(), first.report_id);
    assert_eq!(event.received_at, first.received_at);
    assert_eq!(
        (&*event.provider_code, &*event.item_code),
        (PROVIDER, "xzxk")
    );
    assert_eq!((&*event.period_from, &*event.period_to), period);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_records_and_nil_reports_share_their_ids() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    report(&mut client, nil("n", "xzxk", "2026-10-01", "2026-10-31")).await?;
    let receipt = submit(&mut client, submission("r", "k", b"{}")).await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    for other in [
        nil("n", "xzxk", "2026-10-01", "2026-10-30"),
        nil("n", "xzcf", "2026-10-01", "2026-10-31"),
        nil("r", "xzxk", "2026-10-01", "2026-10-31"),
    ] {
        let status = report(&mut client, other).await.unwrap_err();
        assert_eq!(status.code(), Code::AlreadyExists);
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(
            refusal.reason_and_field(),
            (Reason::SubmissionIdReused, "submission_id")
        );
    }
    // The other way round, in a batch with one that is good.
    let mut second = client.clone();
    let (bad, good) = tokio::join!(
        submit(&mut client, submission("n", "k2", b"{}")),
        submit(&mut second, submission("good", "k", b"{}")),
    );
    assert_eq!(
        RefusalDetails::from_status(&bad.unwrap_err()).reason,
        Reason::SubmissionIdReused
    );
    assert_eq!(good?.record_id, receipt.record_id, "unchanged");
    let status = receipt_of(&mut client, "n").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "a nil report has no receipt");
    let stored = |rows: &[(String, i64, String)]| {
        let rows = rows.iter().filter(|row| row.0 != "submission");
        rows.cloned().collect::<Vec<_>>()
    };
    assert_eq!(stored(&fixture.snapshot().await?), stored(&before));
    // Another provider's ids are its own.
    let mut other = fixture.client(PROVIDERS[1])?;
    report(&mut other, nil("n", "xzcf", "2026-10-01", "2026-10-31")).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_nil_report_is_refused_by_field_and_rule() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    // Received on 2026-11-20, the day that the clock shows.
    submit(&mut client, submission("r", "k", b"{}")).await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    let good = || nil("n", "xzxk", "2026-11-01", "2026-11-20");
    type SpoilNilReport = fn(&mut ReportNilRequest);
    let table: [(Reason, &str, SpoilNilReport); 11] = [
        (Reason::SubmissionIdInvalid, "submission_id", |r| {
            r.submission_id.clear();
        }),
        (Reason::ItemCodeMissing, "item_code", |r| {
            r.item_code.clear()
        }),
        (Reason::ItemUnknown, "item_code", |r| {
            r.item_code = "nowhere".to_owned();
        }),
        (Reason::DateInvalid, "period_from", |r| {
            r.period_from.clear()
        }),
        (Reason::DateInvalid, "period_from", |r| {
            r.period_from = "2026-11-31".to_owned();
        }),
        (Reason::DateInvalid, "period_to", |r| {
            r.period_to = "20261120".to_owned();
        }),
        (Reason::PeriodReversed, "period_to", |r| {
            r.period_to = "2026-10-31".to_owned();
        }),
        (Reason::PeriodTooLong, "period_to", |r| {
            r.period_from = "2025-11-20".to_owned();
        }),
        (Reason::PeriodNotOver, "period_to", |r| {
            r.period_to = "2026-11-21".to_owned();
        }),
        (Reason::NilReportContradicted, "period_from", |r| {
            r.item_code = "xzcf".to_owned();
        }),
        (Reason::NilReportContradicted, "period_from", |r| {
            r.item_code = "xzcf".to_owned();
            r.period_from = "2026-11-20".to_owned();
        }),
    ];
    for (expected, field, spoil) in table {
        let mut request = good();
        spoil(&mut request);
        let status = report(&mut client, request).await.unwrap_err();
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (expected, field));
        let chinese = status.message().chars().any(|c| ('一'..='龥').contains(&c));
        assert!(chinese, "{}", status.message());
    }
    let mut disabled = fixture.client(DISABLED_PROVIDER)?;
    let status = report(&mut disabled, good()).await.unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ProviderDisabled
    );
    assert_eq!(fixture.snapshot().await?, before, "nothing is stored");
    // The day before the record, and another provider, are free of contradiction.
    report(&mut client, nil("n1", "xzcf", "2026-11-01", "2026-11-19")).await?;
    let mut other = fixture.client(PROVIDERS[1])?;
    report(&mut other, nil("n1", "xzcf", "2026-11-01", "2026-11-20")).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_nil_reports_are_listed_newest_first_in_pages() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let mut given = Vec::new();
    for month in 1..=7 {
        let (from, to) = (format!("2026-0{month}-01"), format!("2026-0{month}-28"));
        let item = if month % 2 == 0 { "xzcf" } else { "xzxk" };
        // Several within one moment: the list has an order all the same.
        if month % 3 == 0 {
            fixture.bed.clock.advance(time::Duration::seconds(1));
        }
        given.push(report(&mut client, nil(&format!("编号{month}"), item, &from, &to)).await?);
    }
    let mut other = fixture.client(PROVIDERS[1])?;
    report(&mut other, nil("x", "xzcf", "2026-01-01", "2026-01-31")).await?;
    given.sort_by_key(|r| {
        let at = r.received_at.map(|at| (at.seconds, at.nanos));
        (at, r.report_id.clone())
    });
    given.reverse();
    for item in ["", "xzcf"] {
        let mut listed = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListNilReportsRequest {
                item_code: item.to_owned(),
                page_size: 2,
                page_token,
            };
            let page = client.list_nil_reports(request).await?.into_inner();
            assert!(page.reports.len() <= 2);
            listed.extend(page.reports);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        let wanted = given
            .iter()
            .filter(|r| item.is_empty() || r.item_code == item);
        assert_eq!(listed, wanted.cloned().collect::<Vec<_>>(), "{item}");
    }
    let list = |page_size, page_token: &str| ListNilReportsRequest {
        page_size,
        page_token: page_token.to_owned(),
        ..ListNilReportsRequest::default()
    };
    for (request, reason, field) in [
        (list(1001, ""), Reason::PageSizeInvalid, "page_size"),
        (list(0, "x"), Reason::PageTokenInvalid, "page_token"),
    ] {
        let status = client.list_nil_reports(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (reason, field));
    }
    fixture.finish().await?;
    Ok(())
}
