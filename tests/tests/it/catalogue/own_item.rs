//! A department's own item for the journeys of the catalogue: its definition, its records, the way to its
//! publication, and what became of its records.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use credit_record::{CreditCode, FindingCode, SubjectKind, normalise::format_day};
use journeys::{
    cluster::Cluster,
    day::{Day, submission_of_record},
};
use legal_clock::shanghai_date;
use platform::target::Service;
use proto::credit::{
    catalog::v1::{Item, PublishDraftRequest, SaveDraftRequest, SubmitDraftRequest},
    ingest::v1::{Receipt, SubmitRecordRequest},
    validation::v1::{GetVerdictRequest, GetVerdictResponse, VerdictOutcome},
};
use service_kit::clock::{Clock, SystemClock};
use testkit::{
    eventually,
    records::{FictionalProvider, GeneratedRecord},
};
use time::Date;

use super::WAIT_TIMEOUT;

/// Code of the department's own item.
pub const OWN_ITEM: &str = "wlry";
/// Rule of its first version: the title begins with the city.
pub const FIRST_RULE: &str = "title-of-the-city";
/// Rule of its second version: the title names the trade.
pub const SECOND_RULE: &str = "title-of-the-trade";

/// Today in Changsha.
pub fn today_in_changsha() -> Date {
    shanghai_date(SystemClock.now())
}

/// A version of the department's own item: the standard honour under its own code, in its own catalogue, with
/// one more rule. `retention` is what the office reviews.
pub fn own_definition(
    department: &FictionalProvider,
    version: u32,
    retention: &str,
) -> Result<String> {
    let honour = testkit::workspace_root().join("crates/credit-record/items/ryxx.toml");
    let honour = std::fs::read_to_string(&honour)
        .with_context(|| format!("reading {}", honour.display()))?;
    let (id, title, check) = match version {
        1 => (
            FIRST_RULE,
            "荣誉名称以长沙开头",
            "starts_with(RY_MC, '长沙')",
        ),
        _ => (
            SECOND_RULE,
            "荣誉名称含文化旅游",
            "contains(RY_MC, '文化旅游')",
        ),
    };
    let rule = format!(
        "[[rules]]\nid = \"{id}\"\nversion = 1\ntitle = \"{title}\"\nseverity = \"error\"\n\
         code = \"ITEM_RULE\"\nfield = \"RY_MC\"\nneeds = [\"RY_MC\"]\ncheck = \"{check}\"\n\
         message = \"{title}，请核对\"\nbasis = \"长文旅广〔2026〕1号\"\n\n[[fields]]"
    );
    let owner = format!(
        "[owner]\ncatalogue = \"department\"\norgan = \"{}\"\n\n[entry]",
        department.code
    );
    let old_retention = honour
        .lines()
        .find(|line| line.starts_with("retention"))
        .context("an entry names its retention")?;
    let mut text = honour.clone();
    for (from, to) in [
        ("code = \"ryxx\"", format!("code = \"{OWN_ITEM}\"")),
        ("version = 1", format!("version = {version}")),
        ("name = \"荣誉信息\"", "name = \"文化旅游荣誉\"".to_owned()),
        ("[entry]", owner),
        (old_retention, format!("retention = \"{retention}\"")),
        ("[[fields]]", rule),
    ] {
        ensure!(text.contains(from), "no {from:?} in the standard item");
        text = text.replacen(from, &to, 1);
    }
    Ok(text)
}

/// A record of the own item with this title; `planted` is what its verdict must carry.
pub fn honour_record(
    department: &FictionalProvider,
    number: u32,
    version: u32,
    title: &str,
    planted: Option<FindingCode>,
) -> GeneratedRecord {
    let code = CreditCode::with_checks(&format!("91430100MA4T9{number:03}"));
    let code = code
        .map(|code| code.as_str().to_owned())
        .unwrap_or_default();
    let name = "长沙橘洲云帆科技有限公司";
    let content = serde_json::json!({
        "RY_XDR_MC": name,
        "RY_XDR_LB": SubjectKind::Organisation.label(),
        "RY_XDR_SHXYM": code,
        "RY_FRDB": "李明",
        "RY_MC": title,
        "RY_JB": "市级",
        "RY_WSH": format!("长文旅广〔2026〕{number}号"),
        "RY_SYRQ": format_day(today_in_changsha()),
        "RY_ZT": "有效",
        "RY_JG": department.name,
        "RY_JGDM": department.code,
        "RY_LYDW": department.name,
        "RY_LYDWDM": department.code,
    });
    GeneratedRecord {
        provider_code: department.code.clone(),
        item_code: OWN_ITEM.to_owned(),
        item_version: version,
        record_key: format!("{OWN_ITEM}-{number}"),
        submission_id: format!("catalogue-journey-{number}"),
        content: content.to_string().into_bytes(),
        subject_kind: SubjectKind::Organisation,
        planted,
        harmless_dirt: false,
        expected_public: planted.is_none(),
        subject_name: name.to_owned(),
        subject_code: Some(code),
        subject_document: None,
    }
}

/// Submits until ingest takes it: the announcement of an item or a version may still be in flight. Any refusal
/// but `expected` ends it.
pub async fn submit_until_taken(
    cluster: &Cluster,
    record: &GeneratedRecord,
    expected: &str,
) -> Result<Receipt> {
    let clients = cluster.clients()?;
    let answer = eventually("ingest takes the record", WAIT_TIMEOUT, async || {
        let request = SubmitRecordRequest {
            submission: Some(submission_of_record(record)),
        };
        let mut ingest = clients.ingest(&record.provider_code)?;
        match ingest.submit_record(request).await {
            Err(status) if status.message().contains(expected) => anyhow::bail!("{status}"),
            other => Ok(other),
        }
    })
    .await?;
    answer?.into_inner().receipt.context("a receipt")
}

/// Waits until the service's own table holds this version of the own item; gives how long that was after `since`.
pub async fn wait_until_known(
    cluster: &Cluster,
    service: Service,
    version: i32,
    since: Instant,
) -> Result<Duration> {
    let schema = service.schema().context("a service with tables")?;
    // Each service names the columns of its copy by itself.
    let columns = match service {
        Service::Disclosure => "item_code = $1 and item_version = $2",
        _ => "code = $1 and version = $2",
    };
    let query = format!("select exists (select from item_version where {columns})");
    let pool = cluster.owner_pool(schema)?;
    let waited = eventually(
        "the version in the service's table",
        WAIT_TIMEOUT,
        async || {
            let known: bool = sqlx::query_scalar(sqlx::AssertSqlSafe(query.as_str()))
                .bind(OWN_ITEM)
                .bind(version)
                .fetch_one(&pool)
                .await?;
            ensure!(known, "{schema} does not know it yet");
            Ok(since.elapsed())
        },
    )
    .await?;
    pool.close().await;
    Ok(waited)
}

/// The verdict of a record, once there is one.
pub async fn wait_for_verdict(cluster: &Cluster, record_id: &str) -> Result<GetVerdictResponse> {
    let clients = cluster.clients()?;
    eventually("a verdict", WAIT_TIMEOUT, async || {
        let request = GetVerdictRequest {
            record_id: record_id.to_owned(),
        };
        let answer = clients.validation()?.get_verdict(request).await?;
        anyhow::Ok(answer.into_inner())
    })
    .await
}

/// The verdict is "returned" with an error of this rule and of no other.
pub fn check_returned_by(verdict: &GetVerdictResponse, rule: &str) -> Result<()> {
    let errors: Vec<&str> = verdict
        .findings
        .iter()
        .filter(|finding| finding.severity == 1)
        .map(|finding| finding.rule.as_str())
        .collect();
    ensure!(
        verdict.outcome() == VerdictOutcome::Returned && errors == [rule],
        "{verdict:?}"
    );
    Ok(())
}

/// The verdict is "accepted".
pub fn check_accepted(verdict: &GetVerdictResponse) -> Result<()> {
    ensure!(verdict.outcome() == VerdictOutcome::Accepted, "{verdict:?}");
    Ok(())
}

/// The department of the journeys: an organ of the city.
pub fn culture_department(day: &Day) -> Result<FictionalProvider> {
    let providers = day.generator.providers();
    let found = providers.iter().find(|p| p.name.contains("文化旅游"));
    found.cloned().context("a department of culture")
}

/// A version of the own item from the department's draft to its publication.
pub async fn publish_definition(
    cluster: &Cluster,
    department: &FictionalProvider,
    definition: String,
) -> Result<Item> {
    let clients = cluster.clients()?;
    let mut department_client = clients.catalog_provider(&department.code)?;
    let request = SaveDraftRequest {
        draft_id: String::new(),
        definition_toml: definition,
        revision: 0,
    };
    let draft = department_client
        .save_draft(request)
        .await?
        .into_inner()
        .draft;
    let draft_id = draft.context("a draft")?.draft_id;
    let request = SubmitDraftRequest {
        draft_id: draft_id.clone(),
    };
    department_client.submit_draft(request).await?;
    let request = PublishDraftRequest { draft_id };
    let answer = clients.catalog()?.publish_draft(request).await?;
    answer.into_inner().item.context("an item")
}
