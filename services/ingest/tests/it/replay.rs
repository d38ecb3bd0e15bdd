//! A definition is tried out over stored originals: the changes are reported by provider and rule, the access is logged
//! first, and the answer contains nothing of a record's content.

use std::time::Duration;

use anyhow::{Context, Result};
use event_bus::NewEvent;
use proto::credit::{
    catalog::events::v1::ItemVersionPublished,
    common::v1::Operation,
    ingest::v1::{
        FindingChange, PublishedVersion, ReplayReport, ReplayRulesRequest, ReplayRulesResponse,
        replay_rules_request::Offered, replay_rules_response::Step,
    },
};
use serde_json::{Value, json};
use service_kit::identity::Role;
use testkit::{Reason, TestResult, eventually, service::RefusalDetails};
use time::OffsetDateTime;
use tonic::{Code, Status, Streaming};

use crate::fixture::{
    IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, WAIT_TIMEOUT, ending, submission, submit,
};

const OFFICE: &str = "11430000006122439E";
/// Is in records and must be in no answer.
const NAME: &str = "湖南客偲家装饰工程有限公司";

/// The definition of penalties in force, as a data file.
pub fn definition_in_force() -> Result<String> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../crates/credit-record/items/xzcf-3.toml"
    );
    std::fs::read_to_string(path).context(path)
}

/// The same with one more rule: fines below 万元 go back.
fn stricter() -> Result<String> {
    let rule = "[[rules]]\nid = \"no-small-fines\"\nversion = 1\ntitle = \"罚款不低于一万元\"\n\
                severity = \"error\"\ncode = \"ITEM_RULE\"\nfield = \"CF_NR_FK\"\nneeds = [\"CF_NR_FK\"]\n\
                check = \"CF_NR_FK >= decimal('1')\"\nmessage = \"罚款低于一万元\"\nbasis = \"试算\"\n\n[[rules]]";
    Ok(definition_in_force()?.replacen("[[rules]]", rule, 1))
}

fn penalty(number: u32, provider: &str, fine: &str) -> Vec<u8> {
    let content: Value = json!({
        "CF_XDR_MC": NAME,
        "CF_XDR_LB": "法人及非法人组织",
        "CF_XDR_SHXYM": "91430102MA4PX7RC64",
        "CF_FRDB": "陈志远",
        "CF_WSH": format!("长市监罚决〔2026〕{number}号"),
        "CF_WFXW": "发布虚假广告",
        "CF_SY": "当事人在其网站发布虚假广告。",
        "CF_YJ": "《中华人民共和国广告法》第五十五条",
        "CF_CFLB": "罚款",
        "CF_NR": "处以罚款。",
        "CF_NR_FK": fine,
        "CF_JDRQ": "2026-11-18",
        "CF_YXQ": "2027-11-18",
        "CF_CFJG": "长沙市市场监督管理局",
        "CF_CFJGDM": provider,
        "CF_SJLY": "长沙市市场监督管理局",
        "CF_SJLYDM": provider,
    });
    content.to_string().into_bytes()
}

/// Ingest with the definition of penalties in force announced as version 3.
async fn start() -> Result<IngestFixture> {
    let fixture = IngestFixture::start().await?;
    let item = credit_record::ItemVersion::from_toml(&definition_in_force()?)?;
    let published = ItemVersionPublished {
        code: item.code.clone(),
        version: item.version,
        name: item.name.clone(),
        definition_json: item.to_json()?,
        ..ItemVersionPublished::default()
    };
    let event = NewEvent::new(&published, OffsetDateTime::now_utc(), "");
    fixture.bed.publish(&[event]).await?;
    fixture.bed.wait_until_settled().await?;
    Ok(fixture)
}

fn office(fixture: &IngestFixture) -> Result<IngestTestClient> {
    let client = fixture.client_as(OFFICE, Role::CreditOffice)?;
    Ok(client.max_decoding_message_size(service_kit::grpc::MAX_MESSAGE_BYTES))
}

fn replay_request(definition: String) -> ReplayRulesRequest {
    ReplayRulesRequest {
        offered: Some(Offered::DefinitionToml(definition)),
        reason: "新版目录施行前试算".to_owned(),
        ..ReplayRulesRequest::default()
    }
}

/// Progress as it came, and the report.
async fn replay(
    client: &mut IngestTestClient,
    request: ReplayRulesRequest,
) -> Result<(Vec<u64>, ReplayReport), Status> {
    let mut steps: Streaming<ReplayRulesResponse> =
        client.replay_rules(request).await?.into_inner();
    let mut progress = Vec::new();
    while let Some(message) = steps.message().await? {
        match message.step {
            Some(Step::Progress(step)) => progress.push(step.read),
            Some(Step::Report(report)) => {
                assert!(steps.message().await?.is_none(), "the report comes last");
                return Ok((progress, report));
            }
            None => return Err(Status::internal("a message without a step")),
        }
    }
    Err(Status::internal("no report"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn d24_what_ends_a_record_is_not_judged_again() -> TestResult {
    let fixture = start().await?;
    let mut client = fixture.client(PROVIDER)?;
    for n in 1..=3 {
        let id = n.to_string();
        submit(
            &mut client,
            submission(&id, &id, &penalty(n, PROVIDER, "0.2")),
        )
        .await?;
    }
    for (id, key, operation) in [
        ("4", "1", Operation::Revoke),
        ("5", "2", Operation::Withdraw),
    ] {
        submit(&mut client, ending(id, key, operation, "误报，予以更正")).await?;
    }
    let (_, report) = replay(&mut office(&fixture)?, replay_request(stricter()?)).await?;
    assert_eq!(report.read, 3);
    let total = report.total.and_then(|total| total.accepted_to_returned);
    assert_eq!(
        total.map(|t| t.count),
        Some(3),
        "each of the reported versions"
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_a_definition_is_tried_out_by_provider_and_rule_and_changes_nothing() -> TestResult {
    let fixture = start().await?;
    let mut records = Vec::new();
    for (n, provider, fine) in [
        (1, PROVIDERS[0], "0.2"),
        (2, PROVIDERS[0], "3"),
        (3, PROVIDERS[0], "0.5"),
        // This provider's code fails its check: returned by either definition, with one finding more.
        (4, PROVIDERS[1], "0.9"),
        // The amount is invalid, so the new rule does not check it.
        (5, PROVIDERS[1], "贰万元"),
    ] {
        let mut client = fixture.client(provider)?;
        let content = penalty(n, provider, fine);
        let receipt = submit(
            &mut client,
            submission(&n.to_string(), &n.to_string(), &content),
        );
        records.push((receipt.await?.record_id, fine));
    }
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;

    let mut client = office(&fixture)?;
    let (progress, report) = replay(&mut client, replay_request(stricter()?)).await?;
    assert_eq!(progress.last(), Some(&5));
    assert_eq!((report.read, report.limited), (5, false));
    assert_eq!((&report.item_code[..], report.item_version), ("xzcf", 3));
    assert_eq!(report.skipped, []);
    let total = report.total.clone().context("a total")?;
    assert_eq!((total.compared, total.changed), (5, 3));
    let returned = total.accepted_to_returned.context("counted")?;
    let mut expected: Vec<_> = records
        .iter()
        .filter(|(_, fine)| ["0.2", "0.5"].contains(fine))
        .map(|(id, _)| id.clone())
        .collect();
    expected.sort();
    assert_eq!((returned.count, returned.record_ids), (2, expected));
    assert_eq!(total.returned_to_accepted.unwrap_or_default().count, 0);
    let [
        FindingChange {
            rule, code, added, ..
        },
    ] = &total.findings[..]
    else {
        panic!("{:?}", total.findings)
    };
    assert_eq!((&rule[..], &code[..]), ("no-small-fines", "ITEM_RULE"));
    assert_eq!(added.as_ref().map(|added| added.count), Some(3));
    let by_provider: Vec<_> = report
        .providers
        .iter()
        .map(|p| {
            let changes = p
                .changes
                .as_ref()
                .map_or((0, 0), |c| (c.compared, c.changed));
            (p.provider_code.as_str(), changes)
        })
        .collect();
    assert_eq!(
        by_provider,
        [(PROVIDERS[0], (3, 2)), (PROVIDERS[1], (2, 1))]
    );
    let answer = format!("{report:?}");
    assert!(
        !answer.contains(NAME) && !answer.contains("91430102MA4PX7RC64"),
        "{answer}"
    );

    // The definition in force changes nothing; filters narrow what is read.
    let (_, same) = replay(
        &mut client,
        ReplayRulesRequest {
            offered: Some(Offered::Published(PublishedVersion {
                item_code: "xzcf".to_owned(),
                item_version: 3,
            })),
            provider_code: PROVIDERS[1].to_owned(),
            received_from: "2026-11-20".to_owned(),
            received_to: "2026-11-20".to_owned(),
            pinned_versions: vec![3],
            ..replay_request(String::new())
        },
    )
    .await?;
    assert_eq!(same.read, 2);
    assert_eq!(same.total.unwrap_or_default().changed, 0);
    let yesterday = ReplayRulesRequest {
        received_to: "2026-11-19".to_owned(),
        ..replay_request(definition_in_force()?)
    };
    assert_eq!(replay(&mut client, yesterday).await?.1.read, 0);

    // Nothing but the log has changed, and it says nothing in clear of who and why.
    let after = fixture.snapshot().await?;
    let changed: Vec<_> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before != after)
        .map(|((table, ..), (_, rows, _))| (table.as_str(), *rows))
        .collect();
    assert_eq!(changed, [("original_access", 3)]);
    type AccessLogRow = (uuid::Uuid, String, Vec<u8>, Vec<u8>, String);
    let rows: Vec<AccessLogRow> = sqlx::query_as(
        "select access_id, organisation, sealed_account, sealed_reason, provider_code
         from original_access order by access_id",
    )
    .fetch_all(&fixture.owner)
    .await?;
    let (id, organisation, account, reason, provider) = &rows[0];
    assert_eq!(id.to_string(), report.access_id);
    assert_eq!((&organisation[..], &provider[..]), (OFFICE, ""));
    let open = |sealed: &[u8]| fixture.bed.context.keyring.open(id.as_bytes(), sealed);
    assert_eq!(open(account)?, b"tester");
    assert_eq!(open(reason)?, "新版目录施行前试算".as_bytes());
    // What was asked can be shown, not only its digest.
    let definition: Vec<u8> = sqlx::query_scalar(
        "select sealed_definition from original_access order by access_id limit 1",
    )
    .fetch_one(&fixture.owner)
    .await?;
    assert_eq!(open(&definition)?, stricter()?.as_bytes());
    for statement in [
        "update original_access set organisation = ''",
        "delete from original_access",
    ] {
        assert!(
            sqlx::query(statement).execute(&fixture.pool).await.is_err(),
            "{statement}"
        );
    }
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r7_what_cannot_be_compared_is_counted_and_a_limit_is_kept() -> TestResult {
    let fixture = start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let mut ids = Vec::new();
    // More than a page; versions 1 and 2 were announced before definitions were kept.
    for n in 0..520_u32 {
        let id = n.to_string();
        let mut record = submission(&id, &id, &penalty(n, PROVIDER, "2"));
        record.item_version = if n < 10 { 1 + n % 2 } else { 3 };
        ids.push(submit(&mut client, record).await?.record_id);
    }
    let broken: uuid::Uuid = ids[100].parse()?;
    sqlx::query("update original set sealed_content = 'x' where record_id = $1")
        .bind(broken)
        .execute(&fixture.owner)
        .await?;
    let mut client = office(&fixture)?;
    let (progress, report) = replay(&mut client, replay_request(stricter()?)).await?;
    assert_eq!(progress, [500, 520]);
    assert_eq!(report.read, 520);
    let skipped: Vec<_> = report
        .skipped
        .iter()
        .map(|s| (s.item_version, s.count))
        .collect();
    assert_eq!(skipped, [(1, 5), (2, 5)]);
    assert!(
        report.skipped[0].reason.contains("未保存"),
        "{:?}",
        report.skipped
    );
    let unopened = report.unopened.unwrap_or_default();
    assert_eq!(
        (unopened.count, &unopened.record_ids[..]),
        (1, &ids[100..101])
    );
    let total = report.total.unwrap_or_default();
    assert_eq!((total.compared, total.changed), (509, 0));

    let limited = ReplayRulesRequest {
        limit: 7,
        pinned_versions: vec![3],
        ..replay_request(stricter()?)
    };
    let (_, report) = replay(&mut client, limited).await?;
    assert_eq!((report.read, report.limited), (7, true));
    assert_eq!(report.skipped, []);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r17_nobody_reads_without_a_reason_or_a_usable_definition() -> TestResult {
    let fixture = start().await?;
    let mut client = office(&fixture)?;
    let published = |item: &str, item_version| {
        Some(Offered::Published(PublishedVersion {
            item_code: item.to_owned(),
            item_version,
        }))
    };
    let broken = definition_in_force()?.replacen("check = '", "check = 'no_such_function() && ", 1);
    for (request, code, reason, field) in [
        (
            ReplayRulesRequest {
                reason: " \u{3000}".into(),
                ..replay_request(definition_in_force()?)
            },
            Code::InvalidArgument,
            Reason::ReasonInvalid,
            "reason",
        ),
        (
            replay_request("code = 1".into()),
            Code::InvalidArgument,
            Reason::DefinitionUnreadable,
            "definition_toml",
        ),
        (
            replay_request(definition_in_force()?.replacen(
                "version = 3",
                "version = 2147483648",
                1,
            )),
            Code::InvalidArgument,
            Reason::DefinitionInconsistent,
            "definition_toml.version",
        ),
        (
            replay_request(broken),
            Code::InvalidArgument,
            Reason::DefinitionInconsistent,
            "definition_toml.rules.",
        ),
        (
            ReplayRulesRequest {
                offered: published("xzcf", 9),
                ..replay_request(String::new())
            },
            Code::NotFound,
            Reason::ItemVersionUnknown,
            "published.item_version",
        ),
        (
            ReplayRulesRequest {
                offered: published("nowhere", 1),
                ..replay_request(String::new())
            },
            Code::NotFound,
            Reason::ItemUnknown,
            "published.item_code",
        ),
        (
            ReplayRulesRequest {
                offered: published("xzcf", 1),
                ..replay_request(String::new())
            },
            Code::FailedPrecondition,
            Reason::DefinitionUnknown,
            "published",
        ),
        (
            ReplayRulesRequest {
                provider_code: "11430111006123009K".into(),
                ..replay_request(definition_in_force()?)
            },
            Code::NotFound,
            Reason::ProviderUnknown,
            "provider_code",
        ),
        // What the database would not take as text.
        (
            ReplayRulesRequest {
                provider_code: "11430111006123009K\0".into(),
                ..replay_request(definition_in_force()?)
            },
            Code::InvalidArgument,
            Reason::CreditCodeInvalid,
            "provider_code",
        ),
        (
            ReplayRulesRequest {
                offered: published("xzcf\0", 1),
                ..replay_request(String::new())
            },
            Code::InvalidArgument,
            Reason::ItemCodeInvalid,
            "published.item_code",
        ),
    ] {
        let status = client.replay_rules(request).await.unwrap_err();
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(
            (status.code(), refusal.reason),
            (code, reason),
            "{status:?}"
        );
        assert!(refusal.field.starts_with(field), "{refusal:?}");
    }
    let mut provider = fixture.client(PROVIDER)?;
    let status = provider
        .replay_rules(replay_request(definition_in_force()?))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert_eq!(
        fixture.count("original_access").await?,
        0,
        "nobody has read"
    );
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replays_run_at_once_and_one_whose_caller_goes_away_ends() -> TestResult {
    let fixture = start().await?;
    let mut provider = fixture.client(PROVIDER)?;
    submit(
        &mut provider,
        submission("1", "1", &penalty(1, PROVIDER, "2")),
    )
    .await?;
    fixture.received_events().await?;
    // Nothing can read originals: the replays hang in the middle.
    let mut locked = fixture.owner.begin().await?;
    sqlx::query("lock table original in access exclusive mode")
        .execute(&mut *locked)
        .await?;
    let mut client = office(&fixture)?;
    let gone = client
        .replay_rules(replay_request(definition_in_force()?))
        .await?;
    let mut stays = client
        .replay_rules(replay_request(definition_in_force()?))
        .await?
        .into_inner();
    assert_eq!(
        fixture.count("original_access").await?,
        2,
        "logged before the first read"
    );
    let status = client
        .replay_rules(replay_request(definition_in_force()?))
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ReplaysBusy
    );

    drop(gone);
    let third = eventually(
        "the slot of the one who left is free",
        WAIT_TIMEOUT,
        async || {
            client
                .clone()
                .replay_rules(replay_request(definition_in_force()?))
                .await
                .map_err(anyhow::Error::from)
        },
    )
    .await?;
    drop(third);
    locked.rollback().await?;
    let mut last = None;
    while let Some(message) =
        tokio::time::timeout(Duration::from_secs(30), stays.message()).await??
    {
        last = message.step;
    }
    assert!(
        matches!(last, Some(Step::Report(ref report)) if report.read == 1),
        "{last:?}"
    );
    fixture.finish().await?;
    Ok(())
}
