//! A day as users see it: the public site, a person's own records, an objection on show, the
//! commands of an operator.

use std::{collections::HashMap, time::Duration, time::Instant};

use anyhow::{Context, Result, ensure};
use journeys::{
    cluster::{Cluster, http_get},
    day::{Day, ReceiptCounter},
};
use platform::target::Service;
use proto::credit::{
    disclosure::v1::{GetPublicRecordRequest, ListOwnRecordsRequest, SearchOrganisationsRequest},
    ingest::v1::Receipt,
    objection::v1::{
        AnswerDecision, AnswerObjectionRequest, Evidence, FileObjectionRequest,
        TransferObjectionRequest,
    },
    validation::v1::ListFeedbackRequest,
};
use service_kit::identity::PersonClaim;
use testkit::{TestResult, eventually, records::GeneratedRecord};

use crate::support::{settle_and_check, start_platform};

async fn settled_day() -> Result<(Cluster, Day, HashMap<String, Receipt>)> {
    let (cluster, day) = start_platform(31, 400).await?;
    let since = Instant::now();
    let receipts = day
        .report_records(&cluster, &ReceiptCounter::default())
        .await?;
    settle_and_check(&cluster, &day, since).await?;
    Ok((cluster, day, receipts))
}

fn public_record(day: &Day) -> Result<(&GeneratedRecord, &str)> {
    day.records
        .iter()
        .filter(|record| record.expected_public)
        .find_map(|record| Some((record, record.subject_code.as_deref()?)))
        .context("the day has a public record")
}

#[tokio::test]
async fn r14_r15_the_site_shows_organisations_and_never_a_person() -> TestResult {
    let (cluster, day, receipts) = settled_day().await?;
    let site = cluster.ports.address(Service::Web);
    let (record, code) = public_record(&day)?;

    let (status, page) = http_get(&site, &format!("/subject/{code}")).await?;
    assert!(
        status == 200 && page.contains(&record.subject_name),
        "{status} {page}"
    );
    let record_id = &receipts[&record.submission_id].record_id;
    let (status, page) = http_get(&site, &format!("/record/{record_id}")).await?;
    assert!(status == 200 && page.contains(code), "{status} {page}");
    for path in ["/", "/licences", "/penalties", "/catalogue", "/about"] {
        let (status, page) = http_get(&site, path).await?;
        assert!(
            status == 200 && page.contains("信用长沙"),
            "{path}: {status}"
        );
    }

    let person = day
        .records
        .iter()
        .find(|r| r.planted.is_none() && r.subject_document.is_some())
        .context("the day has a person")?;
    let person_record = &receipts[&person.submission_id].record_id;
    let (status, page) = http_get(&site, &format!("/record/{person_record}")).await?;
    assert!(
        status == 404 && !page.contains(&person.subject_name),
        "{status}"
    );
    let mut public = cluster.clients()?.public()?;
    let found = public
        .search_organisations(SearchOrganisationsRequest {
            query: person.subject_name.clone(),
            ..SearchOrganisationsRequest::default()
        })
        .await?
        .into_inner();
    assert!(
        found
            .organisations
            .iter()
            .all(|o| o.name != person.subject_name),
        "a person is found by the public"
    );
    Ok(())
}

#[tokio::test]
async fn r14_a_person_sees_its_own_records_and_nobody_elses() -> TestResult {
    let (cluster, day, _) = settled_day().await?;
    let mut of_person: HashMap<&(String, String), u64> = HashMap::new();
    for record in day.records.iter().filter(|r| r.planted.is_none()) {
        if let Some(document) = &record.subject_document {
            *of_person.entry(document).or_default() += 1;
        }
    }
    assert!(of_person.len() > 3, "the day has persons");
    for ((kind, number), expected) in of_person.into_iter().take(5) {
        let person = PersonClaim::new(kind, number);
        let request = ListOwnRecordsRequest::default();
        let mut client = cluster.clients()?.subject(person)?;
        let own = client.list_own_records(request).await?.into_inner();
        assert!(own.total == expected, "{} != {expected}", own.total);
    }
    let stranger = PersonClaim::new("身份证", "430102199003071234");
    let mut client = cluster.clients()?.subject(stranger)?;
    let own = client
        .list_own_records(ListOwnRecordsRequest::default())
        .await?;
    assert_eq!(own.into_inner().total, 0);
    Ok(())
}

#[tokio::test]
async fn r13_every_returned_record_is_in_its_providers_feedback() -> TestResult {
    let (cluster, day, _) = settled_day().await?;
    for provider in day.generator.providers() {
        let expected = day
            .records
            .iter()
            .filter(|r| r.provider_code == provider.code && r.planted.is_some())
            .count();
        let request = ListFeedbackRequest {
            page_size: 1000,
            ..ListFeedbackRequest::default()
        };
        let mut client = cluster.clients()?.validation_provider(&provider.code)?;
        let cases = client.list_feedback(request).await?.into_inner().cases;
        assert!(
            cases.len() == expected,
            "{}: {}",
            provider.name,
            cases.len()
        );
        for case in &cases {
            assert!(
                !case.due_on.is_empty() && !case.findings.is_empty(),
                "{case:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn r18_r19_an_objection_is_marked_until_the_provider_answers() -> TestResult {
    let (cluster, day, receipts) = settled_day().await?;
    let (record, code) = public_record(&day)?;
    let record_id = receipts[&record.submission_id].record_id.clone();
    let clients = cluster.clients()?;
    let request = FileObjectionRequest {
        request_id: "journey-1".to_owned(),
        record_id: record_id.clone(),
        provider_code: record.provider_code.clone(),
        statement: "日期有误，请核实。".to_owned(),
        evidence: vec![Evidence {
            file_name: "决定书.txt".to_owned(),
            media_type: "text/plain".to_owned(),
            content: "送达回证".as_bytes().to_vec().into(),
        }],
    };
    let mut subject = clients.objection_subject(code)?;
    let filed = subject.file_objection(request.clone()).await?.into_inner();
    let objection = filed.objection.context("an objection")?;
    // The same application again is the same objection.
    let again = subject.file_objection(request).await?.into_inner();
    assert!(again.objection.map(|o| o.objection_id) == Some(objection.objection_id.clone()));
    let transfer_due = objection.transfer_due.context("a due day")?;
    assert!(
        transfer_due.article == "R-18" && !transfer_due.overdue,
        "{transfer_due:?}"
    );
    let pending = async |wanted: bool| {
        eventually("the mark follows", Duration::from_secs(60), async || {
            let request = GetPublicRecordRequest {
                record_id: record_id.clone(),
            };
            let answer = clients.public()?.get_public_record(request).await?;
            let shown = answer.into_inner().record.context("a record")?;
            ensure!(
                shown.objection_pending == wanted,
                "{}",
                shown.objection_pending
            );
            anyhow::Ok(())
        })
        .await
    };
    pending(true).await?;
    let (_, page) = http_get(
        &cluster.ports.address(Service::Web),
        &format!("/record/{record_id}"),
    )
    .await?;
    assert!(page.contains("异议处理中"), "the page shows the mark");
    let transfer = TransferObjectionRequest {
        objection_id: objection.objection_id.clone(),
    };
    clients
        .objection_office()?
        .transfer_objection(transfer)
        .await?;
    let answer = AnswerObjectionRequest {
        objection_id: objection.objection_id,
        decision: AnswerDecision::Keep.into(),
        answer: "经核实，记录无误。".to_owned(),
    };
    let mut provider = clients.objection_provider(&record.provider_code)?;
    provider.answer_objection(answer).await?;
    pending(false).await?;
    cluster.wait_until_drained().await?;
    Ok(())
}

#[tokio::test]
async fn an_operators_commands_work_on_a_running_platform() -> TestResult {
    let (cluster, _) = start_platform(33, 1).await?;
    let dump = cluster.run_credit(&["dump-config"])?;
    assert!(
        dump.contains("[provincial-sync]") && !dump.contains("postgres://"),
        "{dump}"
    );
    eventually(
        "the health check is content",
        Duration::from_secs(60),
        async || {
            let said = cluster.run_credit(&["healthcheck"])?;
            ensure!(said.contains("ready"), "{said}");
            anyhow::Ok(())
        },
    )
    .await?;
    // Safe to run again, while everything runs.
    assert!(
        cluster
            .run_credit(&["migrate"])?
            .contains("bus: up to date")
    );
    let refused = cluster.run_credit(&["dead-letters", "retry", "--service=ingest"]);
    assert!(refused.is_err(), "retry wants numbers or --all");
    cluster.wait_until_drained().await?;
    Ok(())
}
