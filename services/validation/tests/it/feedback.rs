//! Feedback cases: opened, closed by re-reports in whatever order, listed to those who may see them.

use std::collections::BTreeMap;

use anyhow::Result;
use event_bus::BatchHandler;
use proto::credit::validation::{
    events::v1::{RecordAccepted, RecordReturned},
    v1::{
        CaseState, ConfirmRecordRequest, DryRunRecord, DryRunRequest, GetVerdictRequest,
        ListFeedbackRequest, WatchFeedbackRequest,
    },
};
use serde_json::json;
use service_kit::{identity::Role, reason::Reason};
use testkit::{RefusalDetails, TestResult, eventually, refusal_of};

use crate::fixture::{
    OTHER, PROVIDER, SampleSubmission, ValidationFixture, WAIT_TIMEOUT, wrong_credit_code,
};

/// Revisions 1 to 4 of a key: returned, returned, accepted, returned.
fn versions(key: &str, ledger: u64) -> Vec<SampleSubmission> {
    let contents = [
        wrong_credit_code(),
        json!({ "CF_WFXW": "" }),
        json!({}),
        wrong_credit_code(),
    ];
    (1..)
        .zip(contents)
        .map(|(revision, content)| {
            SampleSubmission::penalty(key, ledger + revision, content).revision(revision)
        })
        .collect()
}

async fn states(fixture: &ValidationFixture) -> Result<BTreeMap<String, Vec<(u64, CaseState)>>> {
    let mut states: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for case in fixture.feedback(false).await? {
        let revision = case.version.as_ref().unwrap().revision;
        states
            .entry(case.record_key.clone())
            .or_default()
            .push((revision, case.state()));
    }
    states
        .values_mut()
        .for_each(|list| list.sort_by_key(|(revision, _)| *revision));
    Ok(states)
}

#[tokio::test]
async fn r13_an_accepted_rereport_closes_the_case() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let first = SampleSubmission::penalty("K-1", 1, wrong_credit_code());
    let other_key = SampleSubmission::penalty("K-2", 2, wrong_credit_code());
    fixture.submit(&[&first, &other_key]).await?;
    assert_eq!(fixture.feedback(true).await?.len(), 2);

    // Reported again, but still faulty: both are open.
    let second = SampleSubmission::penalty("K-1", 3, wrong_credit_code()).revision(2);
    fixture.submit(&[&second]).await?;
    assert_eq!(fixture.feedback(true).await?.len(), 3);

    fixture.bed.clock.advance(time::Duration::days(1));
    let third = SampleSubmission::penalty("K-1", 4, json!({})).revision(3);
    fixture.submit(&[&third]).await?;
    let open = fixture.feedback(true).await?;
    assert_eq!(open.len(), 1);
    assert_eq!(open[0].record_key, "K-2");
    let closed = [
        (1, CaseState::ClosedByRereport),
        (2, CaseState::ClosedByRereport),
    ];
    assert_eq!(states(&fixture).await?["K-1"], closed);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_the_order_of_arrival_does_not_matter() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let expected = vec![
        (1, CaseState::ClosedByRereport),
        (2, CaseState::ClosedByRereport),
        (4, CaseState::Open),
    ];
    let orders = orders();
    assert_eq!(orders.len(), 24);
    // Step by step, so that each version of a key has a transaction of its own.
    for step in 0..4 {
        let records: Vec<SampleSubmission> = (0..)
            .zip(&orders)
            .map(|(number, order)| {
                versions(&format!("K-{number}"), number * 10)[order[step]].clone()
            })
            .collect();
        fixture.submit(&records.iter().collect::<Vec<_>>()).await?;
    }
    // And all versions of a key in one transaction, the newest first.
    let mut together = versions("K-together", 1000);
    together.reverse();
    fixture.submit(&together.iter().collect::<Vec<_>>()).await?;

    let states = states(&fixture).await?;
    assert_eq!(states.len(), 25);
    for (key, found) in states {
        assert_eq!(found, expected, "{key}");
    }
    fixture.finish().await?;
    Ok(())
}

/// All orders of four.
fn orders() -> Vec<[usize; 4]> {
    let all = (0..256_usize).map(|n| [n / 64, n / 16 % 4, n / 4 % 4, n % 4]);
    all.filter(|order| (0..4).all(|digit| order.contains(&digit)))
        .collect()
}

#[tokio::test]
async fn r13_two_copies_with_versions_of_one_key_wait_for_each_other() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let faulty = fixture.deliveries(&[&SampleSubmission::penalty("K-1", 1, wrong_credit_code())]);
    let mended = fixture.deliveries(&[&SampleSubmission::penalty("K-1", 2, json!({})).revision(2)]);
    let (one, two) = (fixture.handler()?, fixture.handler()?);

    let mut first = fixture.pool.begin().await?;
    assert!(one.handle(&mut first, &faulty).await?.is_empty());
    let pool = fixture.pool.clone();
    let waiting = tokio::spawn(async move {
        let mut second = pool.begin().await?;
        let poison = two.handle(&mut second, &mended).await?;
        second.commit().await?;
        anyhow::Ok(poison)
    });
    eventually("the second waits for the first", WAIT_TIMEOUT, async || {
        let waiters: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
        .fetch_one(&fixture.bed.owner_pool)
        .await
        .map_err(|error| error.to_string())?;
        if waiters == 1 {
            Ok(())
        } else {
            Err(format!("{waiters} waiters"))
        }
    })
    .await?;
    first.commit().await?;
    assert!(waiting.await??.is_empty());
    assert_eq!(
        states(&fixture).await?["K-1"],
        [(1, CaseState::ClosedByRereport)]
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn a_version_delivered_again_keeps_its_one_verdict() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let good = SampleSubmission::penalty("K-1", 1, json!({}));
    let bad = SampleSubmission::penalty("K-2", 2, wrong_credit_code());
    let events = [&good, &bad].map(|record| fixture.event(&fixture.submitted(record)));
    // The same events again: the inbox knows them.
    for _ in 0..3 {
        fixture.bed.publish(&events).await?;
        fixture.bed.wait_until_settled().await?;
    }
    // The same versions under other event ids, in one batch and in a later one.
    fixture.submit(&[&good, &bad, &bad, &good]).await?;
    fixture.submit(&[&bad, &good]).await?;

    let counted = fixture.statistics().await?;
    assert_eq!((counted.accepted, counted.returned), (1, 1));
    assert_eq!(
        fixture.bed.emitted_events::<RecordAccepted>().await?.len(),
        1
    );
    assert_eq!(
        fixture.bed.emitted_events::<RecordReturned>().await?.len(),
        1
    );
    assert_eq!(fixture.feedback(false).await?.len(), 1);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_a_provider_sees_its_own_feedback_and_the_office_all() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    let own = SampleSubmission::penalty("K-1", 1, wrong_credit_code());
    let mut foreign = SampleSubmission::penalty("K-2", 1, wrong_credit_code());
    foreign.provider = OTHER;
    fixture.submit(&[&own, &foreign]).await?;
    let of = |code: &str| ListFeedbackRequest {
        provider_code: code.to_owned(),
        ..ListFeedbackRequest::default()
    };

    let mut provider = fixture.provider()?;
    for asked in ["", PROVIDER] {
        let answer = provider.list_feedback(of(asked)).await?.into_inner();
        assert_eq!((answer.total, answer.cases.len()), (1, 1));
        assert_eq!(answer.cases[0].record_key, "K-1");
    }
    assert_eq!(
        refusal_of(provider.list_feedback(of(OTHER)).await).reason_and_field(),
        (Reason::NotOwnFeedback, "provider_code")
    );

    assert_eq!(
        refusal_of(provider.list_feedback(of("x")).await).reason_and_field(),
        (Reason::CreditCodeInvalid, "provider_code")
    );
    // A token without an organisation is no provider's.
    let mut nobody = fixture.client("", Role::Provider)?;
    let listed = nobody.list_feedback(of("")).await;
    assert_eq!(refusal_of(listed).reason, Reason::ProviderNotRegistered);
    let watched = nobody.watch_feedback(WatchFeedbackRequest::default()).await;
    assert_eq!(refusal_of(watched).reason, Reason::ProviderNotRegistered);

    let foreign_id = GetVerdictRequest {
        record_id: foreign.id().to_string(),
    };
    let answer = provider.get_verdict(foreign_id.clone()).await;
    assert_eq!(refusal_of(answer).reason, Reason::VerdictUnknown);
    let own_id = GetVerdictRequest {
        record_id: own.id().to_string(),
    };
    assert_eq!(
        provider.get_verdict(own_id).await?.into_inner().findings[0].code,
        "USCC_CHECK"
    );

    for role in [Role::CreditOffice, Role::Auditor] {
        let mut reader = fixture.client("", role)?;
        let answer = reader.list_feedback(of(OTHER)).await?.into_inner();
        assert_eq!(answer.cases[0].record_key, "K-2");
        assert!(reader.get_verdict(foreign_id.clone()).await.is_ok());
        let answer = reader.list_feedback(of("")).await;
        assert_eq!(refusal_of(answer).reason, Reason::ProviderCodeMissing);
        for (nobody, reason) in [
            ("91430100MA4Q5W141P", Reason::ProviderUnknown),
            ("11430100006123458R\0", Reason::CreditCodeInvalid),
            ("x", Reason::CreditCodeInvalid),
        ] {
            let refused = refusal_of(reader.list_feedback(of(nobody)).await);
            assert_eq!(
                refused.reason_and_field(),
                (reason, "provider_code"),
                "{nobody:?}"
            );
        }
    }
    for role in [
        Role::Subject,
        Role::Public,
        Role::StateOrgan,
        Role::Operator,
    ] {
        let answer = fixture.client(PROVIDER, role)?.list_feedback(of("")).await;
        assert_eq!(
            refusal_of(answer).reason,
            Reason::RoleNotAllowed,
            "{role:?}"
        );
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r5_an_organisation_that_is_no_provider_code_is_answered_like_an_unregistered_one()
-> TestResult {
    let fixture = ValidationFixture::start().await?;
    let record = SampleSubmission::penalty("K-1", 1, wrong_credit_code());
    fixture.submit(&[&record]).await?;
    let case_id = fixture.feedback(true).await?.remove(0).case_id;
    let mut answers = Vec::new();
    // Fits the form and is in no registry; and two that do not fit it.
    for organisation in ["91430100MA4Q5W141P", "x", "91430100ma4q5w141p"] {
        let mut client = fixture.client(organisation, Role::Provider)?;
        for asked in ["", organisation] {
            let request = ListFeedbackRequest {
                provider_code: asked.to_owned(),
                ..Default::default()
            };
            let answer = client.list_feedback(request).await?.into_inner();
            assert_eq!((answer.total, answer.cases.len()), (0, 0), "{organisation}");
        }
        let request = ListFeedbackRequest {
            provider_code: PROVIDER.to_owned(),
            ..Default::default()
        };
        let list = client.list_feedback(request).await.unwrap_err();
        let verdict = GetVerdictRequest {
            record_id: record.id().to_string(),
        };
        let verdict = client.get_verdict(verdict).await.unwrap_err();
        let confirmation = ConfirmRecordRequest {
            case_id: case_id.clone(),
            attester: "钱立新".to_owned(),
            statement: "已核对营业执照原件".to_owned(),
        };
        let confirmed = client.confirm_record(confirmation).await.unwrap_err();
        let feed = WatchFeedbackRequest::default();
        let foreign = WatchFeedbackRequest {
            cursor: "00".repeat(32),
            ..Default::default()
        };
        let watched = client.watch_feedback(foreign).await.unwrap_err();
        assert!(client.watch_feedback(feed).await.is_ok());
        let dry_run = DryRunRequest {
            records: vec![DryRunRecord {
                item_code: record.item.to_owned(),
                item_version: record.version,
                record_key: record.key.clone(),
                content_type: record.content_type.to_owned(),
                content: record.content.clone().into(),
            }],
        };
        let dry_run = client.dry_run(dry_run).await?.into_inner();
        let refused =
            [list, verdict, confirmed, watched].map(|status| RefusalDetails::from_status(&status));
        answers.push((refused, dry_run));
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0], answers[2]);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test]
async fn r13_pages_of_feedback_are_complete_and_newest_first() -> TestResult {
    let fixture = ValidationFixture::start().await?;
    for batch in 0..3_u64 {
        let records: Vec<SampleSubmission> = (1..=5)
            .map(|n| {
                SampleSubmission::penalty(
                    &format!("K-{batch}-{n}"),
                    batch * 5 + n,
                    wrong_credit_code(),
                )
            })
            .collect();
        fixture.submit(&records.iter().collect::<Vec<_>>()).await?;
        fixture.bed.clock.advance(time::Duration::minutes(1));
    }
    let closing = SampleSubmission::penalty("K-1-1", 16, json!({})).revision(2);
    fixture.submit(&[&closing]).await?;

    let mut provider = fixture.provider()?;
    for (open_only, expected) in [
        (false, (1..=15).rev().collect::<Vec<u64>>()),
        (true, (1..=15).rev().filter(|n| *n != 6).collect()),
    ] {
        let mut seen = Vec::new();
        let mut request = ListFeedbackRequest {
            open_only,
            page_size: 4,
            ..Default::default()
        };
        loop {
            let answer = provider.list_feedback(request.clone()).await?.into_inner();
            assert!(answer.cases.len() <= 4);
            assert_eq!(answer.total as usize, expected.len());
            seen.extend(answer.cases.iter().map(|case| case.ledger_number));
            if answer.next_page_token.is_empty() {
                break;
            }
            request.page_token = answer.next_page_token;
        }
        assert_eq!(seen, expected);
    }

    let bad_pages = [
        (1001, "", Reason::PageSizeInvalid, "page_size"),
        (0, "zz", Reason::PageTokenInvalid, "page_token"),
        (
            0,
            "ffffffffffffffffffffffffffffffffffffffffffffffff",
            Reason::PageTokenInvalid,
            "page_token",
        ),
    ];
    for (page_size, token, reason, field) in bad_pages {
        let request = ListFeedbackRequest {
            page_size,
            page_token: token.into(),
            ..Default::default()
        };
        assert_eq!(
            refusal_of(provider.list_feedback(request).await).reason_and_field(),
            (reason, field)
        );
    }
    let bad_id = GetVerdictRequest {
        record_id: "7".into(),
    };
    assert_eq!(
        refusal_of(provider.get_verdict(bad_id).await).reason_and_field(),
        (Reason::RecordIdInvalid, "record_id")
    );
    fixture.finish().await?;
    Ok(())
}
