//! The life of a catalogue item over all services: a department's draft, its review, records judged by
//! the version that they are written by, retirement, the clock of 15 working days; and catalog away.

mod own_item;

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use credit_record::{FindingCode, normalise::format_day};
use journeys::{
    cluster::{Cluster, http_get},
    day::{Day, submission_of_record},
};
use platform::target::Service;
use proto::credit::{
    catalog::v1::{
        DraftState, DutyFilter, DutyState, GetDraftRequest, ListDutiesRequest, PublishDraftRequest,
        RecordTriggerRequest, RetireItemRequest, ReturnDraftRequest, ReturnReason,
        SaveDraftRequest, SubmitDraftRequest, TriggerKind,
    },
    disclosure::v1::GetPublicRecordRequest,
    ingest::v1::{Outcome, Receipt, SubmitRecordRequest},
};
use testkit::{
    TestResult, eventually,
    records::{FictionalProvider, GeneratedRecord},
};
use time::Date;
use tonic::Code;

use crate::support::{report_all, settle_and_check, start_platform};
use own_item::{
    FIRST_RULE, OWN_ITEM, SECOND_RULE, check_accepted, check_returned_by, culture_department,
    honour_record, own_definition, publish_definition, submit_until_taken, today_in_changsha,
    wait_for_verdict, wait_until_known,
};

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// The draft of the first version is returned with a reason, corrected and published.
async fn review_draft(
    cluster: &Cluster,
    department: &FictionalProvider,
    stranger: &FictionalProvider,
) -> Result<()> {
    let clients = cluster.clients()?;
    let mut department_client = clients.catalog_provider(&department.code)?;
    let mut office = clients.catalog()?;
    let vague = own_definition(department, 1, "按规定。")?;
    let request = SaveDraftRequest {
        draft_id: String::new(),
        definition_toml: vague.clone(),
        revision: 0,
    };
    let draft = department_client
        .save_draft(request)
        .await?
        .into_inner()
        .draft;
    let draft_id = draft.context("a draft")?.draft_id;
    let submit = SubmitDraftRequest {
        draft_id: draft_id.clone(),
    };
    department_client.submit_draft(submit.clone()).await?;

    // Nobody but the office decides, and no other organ knows of it.
    let publish = PublishDraftRequest {
        draft_id: draft_id.clone(),
    };
    let own = department_client.publish_draft(publish.clone()).await;
    ensure!(own.is_err_and(|status| status.code() == Code::PermissionDenied));
    let get = GetDraftRequest {
        draft_id: draft_id.clone(),
    };
    let other = clients
        .catalog_provider(&stranger.code)?
        .get_draft(get.clone())
        .await;
    ensure!(other.is_err_and(|status| status.code() == Code::NotFound));

    let reason = ReturnReason {
        field: "entry.retention".to_owned(),
        text: "请写明保存期限及依据。".to_owned(),
    };
    let request = ReturnDraftRequest {
        draft_id: draft_id.clone(),
        reasons: vec![reason.clone()],
    };
    office.return_draft(request).await?;
    let returned = department_client.get_draft(get).await?.into_inner().draft;
    let returned = returned.context("the draft")?;
    ensure!(
        returned.state() == DraftState::Returned && returned.reasons == [reason],
        "{returned:?}"
    );
    ensure!(returned.definition_toml == vague && returned.faults.is_empty());
    let early = office.publish_draft(publish.clone()).await;
    ensure!(early.is_err(), "a returned draft is not published");

    let request = SaveDraftRequest {
        draft_id,
        definition_toml: own_definition(department, 1, "荣誉有效期间保存，撤销后转为档案。")?,
        revision: returned.revision,
    };
    department_client.save_draft(request).await?;
    department_client.submit_draft(submit).await?;
    let answer = office.publish_draft(publish).await?.into_inner();
    let (draft, item) = (
        answer.draft.context("a draft")?,
        answer.item.context("an item")?,
    );
    ensure!(draft.state() == DraftState::Published && item.version == 1);
    let steps: Vec<DraftState> = draft.history.iter().map(|step| step.state()).collect();
    use DraftState::{Draft, Published, Returned, Submitted};
    ensure!(
        steps == [Draft, Submitted, Returned, Draft, Submitted, Published],
        "{steps:?}"
    );
    Ok(())
}

#[tokio::test]
async fn r6_a_departments_item_from_its_draft_to_its_retirement() -> TestResult {
    let (cluster, mut day) = start_platform(51, 60).await?;
    let since = Instant::now();
    report_all(&cluster, &day).await?;
    let department = culture_department(&day)?;
    let stranger = day.generator.providers()[0].clone();
    let site = cluster.ports.address(Service::Web);
    review_draft(&cluster, &department, &stranger).await?;
    let publication = Instant::now();

    // The consumers' copies follow by themselves: measured for the manual, bounded only by the timeout.
    let good = honour_record(&department, 1, 1, "长沙市优秀导游", None);
    let first_receipt = async || -> Result<_> {
        let receipt = submit_until_taken(&cluster, &good, "ITEM_UNKNOWN").await?;
        Ok((receipt, publication.elapsed()))
    };
    let ((receipt, ingest), validation, disclosure) = tokio::try_join!(
        first_receipt(),
        wait_until_known(&cluster, Service::Validation, 1, publication),
        wait_until_known(&cluster, Service::Disclosure, 1, publication),
    )?;
    println!(
        "after the publication of a new item: first receipt of ingest {:.3} s, known to validation {:.3} s, \
         known to disclosure {:.3} s",
        ingest.as_secs_f64(),
        validation.as_secs_f64(),
        disclosure.as_secs_f64()
    );
    check_accepted(&wait_for_verdict(&cluster, &receipt.record_id).await?)?;
    let bad = honour_record(&department, 2, 1, "优秀导游", Some(FindingCode::ItemRule));
    let returned = submit_until_taken(&cluster, &bad, "ITEM_UNKNOWN").await?;
    check_returned_by(
        &wait_for_verdict(&cluster, &returned.record_id).await?,
        FIRST_RULE,
    )?;
    let (status, page) = http_get(&site, &format!("/catalogue/{OWN_ITEM}")).await?;
    assert!(status == 200 && page.contains("文化旅游荣誉"), "{status}");
    for text in [
        "部门目录",
        &department.name,
        FIRST_RULE,
        "starts_with(RY_MC",
    ] {
        assert!(page.contains(text), "no {text} on the item's page");
    }

    // A second version besides the first: each record is judged by the one that it is written by.
    let second = own_definition(&department, 2, "荣誉有效期间保存，撤销后转为档案。")?;
    let second = publish_definition(&cluster, &department, second).await?;
    assert!(second.version == 2, "{}", second.version);
    let new = honour_record(&department, 3, 2, "优秀文化旅游企业", None);
    let unknown = "ITEM_VERSION_UNKNOWN";
    let new_receipt = submit_until_taken(&cluster, &new, unknown).await?;
    check_accepted(&wait_for_verdict(&cluster, &new_receipt.record_id).await?)?;
    let pinned = honour_record(&department, 4, 1, "长沙市优秀导游", None);
    let pinned_receipt = submit_until_taken(&cluster, &pinned, unknown).await?;
    check_accepted(&wait_for_verdict(&cluster, &pinned_receipt.record_id).await?)?;
    // Without a version: the one in force.
    let broken = FindingCode::ItemRule;
    let current = honour_record(&department, 5, 0, "长沙市优秀导游", Some(broken));
    let current_receipt = submit_until_taken(&cluster, &current, unknown).await?;
    check_returned_by(
        &wait_for_verdict(&cluster, &current_receipt.record_id).await?,
        SECOND_RULE,
    )?;
    let old = honour_record(&department, 6, 1, "优秀文化旅游企业", Some(broken));
    let old_receipt = submit_until_taken(&cluster, &old, unknown).await?;
    check_returned_by(
        &wait_for_verdict(&cluster, &old_receipt.record_id).await?,
        FIRST_RULE,
    )?;
    let (_, page) = http_get(&site, &format!("/catalogue/{OWN_ITEM}/1")).await?;
    assert!(page.contains("本版已被第 2 版替代") && page.contains(FIRST_RULE));
    for (file, sign) in [
        ("schema.json", "\"RY_MC\""),
        ("template.csv", "RY_MC"),
        // A workbook is a ZIP archive.
        ("template.xlsx", "PK\u{3}\u{4}"),
    ] {
        let (status, content) = http_get(&site, &format!("/catalogue/{OWN_ITEM}/2/{file}")).await?;
        assert!(status == 200 && content.contains(sign), "{file}: {status}");
    }

    day.records
        .extend([good.clone(), bad, new, pinned, current, old]);
    settle_and_check(&cluster, &day, since).await?;
    retire_item(&cluster, &day, &good, &receipt).await?;
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}

/// The item ends today: nothing new of it is taken, the successor is named, what is there stays readable and can be
/// corrected.
async fn retire_item(
    cluster: &Cluster,
    day: &Day,
    good: &GeneratedRecord,
    receipt: &Receipt,
) -> Result<()> {
    let clients = cluster.clients()?;
    let site = cluster.ports.address(Service::Web);
    let shown = async || -> Result<_> {
        let request = GetPublicRecordRequest {
            record_id: receipt.record_id.clone(),
        };
        let answer = clients.public()?.get_public_record(request).await?;
        answer.into_inner().record.context("a record")
    };
    let before = shown().await?;
    let request = RetireItemRequest {
        code: OWN_ITEM.to_owned(),
        from_date: format_day(today_in_changsha()),
        reason: "并入市级荣誉信息".to_owned(),
        successor_code: "ryxx".to_owned(),
    };
    let answer = clients.catalog()?.retire_item(request).await?;
    ensure!(answer.into_inner().retirement.is_some());

    // A version that never was is refused at any time, so that the waiting adds nothing to the books.
    let submit = async |record: &GeneratedRecord| {
        let request = SubmitRecordRequest {
            submission: Some(submission_of_record(record)),
        };
        anyhow::Ok(
            clients
                .ingest(&good.provider_code)?
                .submit_record(request)
                .await,
        )
    };
    let new = |version| GeneratedRecord {
        submission_id: format!("catalogue-journey-late-{version}"),
        record_key: format!("{OWN_ITEM}-late"),
        item_version: version,
        ..good.clone()
    };
    let condition = "ingest knows of the retirement";
    eventually(condition, WAIT_TIMEOUT, async || {
        match submit(&new(99)).await? {
            Err(status) if status.message().contains("ITEM_RETIRED") => Ok(()),
            other => anyhow::bail!("{other:?}"),
        }
    })
    .await?;
    let Err(refusal) = submit(&new(2)).await? else {
        anyhow::bail!("a new record of a retired item is taken");
    };
    for text in ["ITEM_RETIRED", "荣誉信息", "ryxx"] {
        ensure!(refusal.message().contains(text), "no {text}: {refusal}");
    }
    // A receipt stays the same for ever.
    let same = submit(good).await??.into_inner().receipt;
    ensure!(same.as_ref() == Some(receipt), "{same:?}");
    // What was reported before can still be corrected; with the same content that adds nothing.
    let correction = GeneratedRecord {
        submission_id: format!("{}-again", good.submission_id),
        ..good.clone()
    };
    let outcome = submit(&correction).await??.into_inner().receipt;
    let outcome = outcome.map(|receipt| receipt.outcome());
    ensure!(outcome == Some(Outcome::Unchanged), "{outcome:?}");

    ensure!(shown().await? == before, "the record changed");
    let (status, page) = http_get(&site, &format!("/record/{}", receipt.record_id)).await?;
    ensure!(status == 200 && page.contains("长沙市优秀导游"), "{status}");
    let (status, page) = http_get(&site, &format!("/catalogue/{OWN_ITEM}")).await?;
    ensure!(status == 200, "{status}");
    for text in ["本事项已停用", "并入市级荣誉信息", "/catalogue/ryxx"] {
        ensure!(
            page.contains(text),
            "no {text} on the page of a retired item"
        );
    }
    let (_, list) = http_get(&site, "/catalogue").await?;
    ensure!(
        !list.contains(&format!("\"/catalogue/{OWN_ITEM}\"")) && list.contains("/catalogue/ryxx")
    );
    ensure!(day.records.iter().any(|r| r.item_code == OWN_ITEM));
    Ok(())
}

#[tokio::test]
async fn r6_a_change_of_law_opens_a_duty_that_a_new_version_closes_and_time_makes_overdue()
-> TestResult {
    let (cluster, day) = start_platform(52, 20).await?;
    let since = Instant::now();
    report_all(&cluster, &day).await?;
    let department = culture_department(&day)?;
    let clients = cluster.clients()?;
    let retention = "荣誉有效期间保存，撤销后转为档案。";
    publish_definition(
        &cluster,
        &department,
        own_definition(&department, 1, retention)?,
    )
    .await?;

    let trigger = |title: &str, number: &str, day: Date, code: &str| RecordTriggerRequest {
        kind: TriggerKind::LawAmended.into(),
        document_title: title.to_owned(),
        document_number: number.to_owned(),
        promulgated_on: format_day(day),
        item_codes: vec![code.to_owned()],
        ..RecordTriggerRequest::default()
    };
    let mut office = clients.catalog()?;
    let request = trigger("旅游法修订", "主席令第1号", today_in_changsha(), OWN_ITEM);
    let opened = office.record_trigger(request).await?.into_inner().duties;
    let [open] = opened.as_slice() else {
        panic!("{opened:?}");
    };
    assert!(open.state() == DutyState::Open && !open.overdue, "{open:?}");
    assert!(open.due_on > format_day(today_in_changsha() + time::Duration::days(15)));
    // The department sees its own duty and no other.
    let of_department = async |filter: DutyFilter| -> Result<Vec<_>> {
        let request = ListDutiesRequest {
            filter: filter.into(),
            ..ListDutiesRequest::default()
        };
        let mut department_client = clients.catalog_provider(&department.code)?;
        Ok(department_client
            .list_duties(request)
            .await?
            .into_inner()
            .duties)
    };
    let seen = of_department(DutyFilter::Open).await?;
    assert!(
        seen.len() == 1 && seen[0].duty_id == open.duty_id,
        "{seen:?}"
    );

    // Twelve weeks have more than fifteen working days, whatever the holidays.
    let long_ago = today_in_changsha() - time::Duration::weeks(12);
    let request = trigger("荣誉管理办法修订", "国办发1号", long_ago, "ryxx");
    let late = office.record_trigger(request).await?.into_inner().duties;
    assert!(late.len() == 1 && late[0].overdue, "{late:?}");

    publish_definition(
        &cluster,
        &department,
        own_definition(&department, 2, retention)?,
    )
    .await?;
    let closed = of_department(DutyFilter::Closed).await?;
    assert!(
        closed.len() == 1
            && closed[0].duty_id == open.duty_id
            && closed[0].closed_by_version == 2
            && !closed[0].overdue,
        "{closed:?}"
    );
    assert!(of_department(DutyFilter::Open).await?.is_empty());

    let request = ListDutiesRequest {
        filter: DutyFilter::Overdue.into(),
        ..ListDutiesRequest::default()
    };
    let overdue = office.list_duties(request).await?.into_inner().duties;
    assert!(
        overdue.len() == 1 && overdue[0].duty_id == late[0].duty_id,
        "{overdue:?}"
    );
    eventually("the overdue duty is counted", WAIT_TIMEOUT, async || {
        let (_, metrics) = http_get(&cluster.ports.admin(), "/metrics").await?;
        for wanted in [
            "credit_catalogue_duties_open 1",
            "credit_catalogue_duties_overdue 1",
        ] {
            ensure!(metrics.lines().any(|line| line == wanted), "no {wanted}");
        }
        anyhow::Ok(())
    })
    .await?;
    let events = eventually("the overdue duty is announced", WAIT_TIMEOUT, async || {
        let events = duty_events(&cluster).await?;
        ensure!(events.contains_key("DutyOverdue"), "{events:?}");
        anyhow::Ok(events)
    })
    .await?;
    let expected = [("DutyClosed", 1), ("DutyOpened", 2), ("DutyOverdue", 1)];
    let expected = expected.map(|(name, count)| (name.to_owned(), count));
    assert!(events == BTreeMap::from(expected), "{events:?}");
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}

/// Events about duties that catalog announced, by name.
async fn duty_events(cluster: &Cluster) -> Result<BTreeMap<String, i64>> {
    let pool = cluster.owner_pool("catalog")?;
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select replace(event_type, 'credit.catalog.events.v1.', ''), count(*) from outbox
         where event_type like 'credit.catalog.events.v1.Duty%' group by 1",
    )
    .fetch_all(&pool)
    .await?;
    pool.close().await;
    Ok(rows.into_iter().collect())
}

#[tokio::test]
async fn with_catalog_away_records_are_taken_and_judged_as_before() -> TestResult {
    let (mut cluster, mut day) = start_platform(53, 300).await?;
    let department = culture_department(&day)?;
    let retention = "荣誉有效期间保存，撤销后转为档案。";
    publish_definition(
        &cluster,
        &department,
        own_definition(&department, 1, retention)?,
    )
    .await?;
    let since = Instant::now();
    // The news has come to ingest and to validation before catalog goes.
    let first = honour_record(&department, 1, 1, "长沙市优秀导游", None);
    let receipt = submit_until_taken(&cluster, &first, "ITEM_UNKNOWN").await?;
    check_accepted(&wait_for_verdict(&cluster, &receipt.record_id).await?)?;
    day.records.push(first);
    let broken = Some(FindingCode::ItemRule);
    day.records
        .push(honour_record(&department, 2, 1, "优秀导游", broken));

    cluster.stop_platform().await?;
    let others: Vec<Service> = Service::PLATFORM
        .into_iter()
        .filter(|service| *service != Service::Catalog)
        .collect();
    cluster.start_service_processes(&others).await?;
    report_all(&cluster, &day).await?;
    day.wait_until_settled(&cluster, since).await?.check()?;
    let site = cluster.ports.address(Service::Web);
    let (status, page) = http_get(&site, &format!("/catalogue/{OWN_ITEM}")).await?;
    assert!(status == 503 && page.contains("服务暂时不可用"), "{status}");
    let (status, page) = http_get(&site, &format!("/record/{}", receipt.record_id)).await?;
    assert!(status == 200 && page.contains("长沙市优秀导游"), "{status}");

    cluster.start_service_processes(&[Service::Catalog]).await?;
    eventually(
        "the site shows the catalogue again",
        WAIT_TIMEOUT,
        async || {
            let (status, _) = http_get(&site, &format!("/catalogue/{OWN_ITEM}")).await?;
            ensure!(status == 200, "{status}");
            anyhow::Ok(())
        },
    )
    .await?;
    // What is published now is news for services that have run without catalog.
    publish_definition(
        &cluster,
        &department,
        own_definition(&department, 2, retention)?,
    )
    .await?;
    let new = honour_record(&department, 3, 2, "优秀文化旅游企业", None);
    let receipt = submit_until_taken(&cluster, &new, "ITEM_VERSION_UNKNOWN").await?;
    check_accepted(&wait_for_verdict(&cluster, &receipt.record_id).await?)?;
    day.records.push(new);
    cluster.stop_service_processes().await?;
    cluster.start_platform(None)?;
    cluster.wait_until_ready().await?;
    settle_and_check(&cluster, &day, since).await?;
    Ok(())
}
