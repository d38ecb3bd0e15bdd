//! The departments' tool `creditctl` against the whole platform: a file is checked locally, reported, taken back in
//! parts and attested, and the platform's verdict on every row is that of the local check.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use credit_record::FindingCode;
use creditctl::CommandContext;
use journeys::{
    cluster::{Cluster, ClusterOptions},
    day::Day,
};
use platform::target::Service;
use proto::credit::disclosure::v1::GetPublicRecordRequest;
use serde_json::Value;
use service_kit::identity::Role;
use testkit::{
    TestResult, eventually,
    records::{GeneratedRecord, Generator},
};
use time::OffsetDateTime;

const WAIT_TIMEOUT: Duration = Duration::from_secs(60);
/// The department's own name of a record, a column of its own in the file.
const KEY: &str = "业务编号";

/// What one call of the tool left.
struct ToolOutput {
    exit: u8,
    lines: Vec<Value>,
    errors: String,
}

impl ToolOutput {
    /// Lines of one type.
    fn of_type(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.lines.iter().filter(move |line| line["type"] == kind)
    }

    fn with_exit(self, exit: u8) -> Result<Self> {
        ensure!(
            self.exit == exit,
            "exit {}: {} {:?}",
            self.exit,
            self.errors,
            self.lines.last()
        );
        Ok(self)
    }
}

/// A department that runs `creditctl` with its own token.
struct DepartmentTool {
    provider: String,
    variables: BTreeMap<&'static str, String>,
}

impl DepartmentTool {
    fn new(cluster: &Cluster, provider: &str) -> Result<Self> {
        let variables = BTreeMap::from([
            ("CREDIT_ENDPOINT", cluster.ports.url(Service::Ingest)),
            (
                "CREDIT_FEEDBACK_ENDPOINT",
                cluster.ports.url(Service::Validation),
            ),
            (
                "CREDIT_TOKEN",
                cluster.token(provider, &[Role::Provider], None)?,
            ),
            ("CREDIT_PROVIDER", provider.to_owned()),
        ]);
        Ok(Self {
            provider: provider.to_owned(),
            variables,
        })
    }

    /// Runs the tool with `--json`, as a script does.
    async fn run(&self, arguments: &[&str]) -> Result<ToolOutput> {
        let mut line = vec!["creditctl".into(), "--json".into()];
        line.extend(arguments.iter().map(Into::into));
        let variables = self.variables.clone();
        // Off the runtime: the tool has one of its own.
        tokio::task::spawn_blocking(move || {
            let (mut output, mut errors) = (Vec::new(), Vec::new());
            let exit = creditctl::run(
                line,
                &mut CommandContext {
                    interactive: false,
                    input: &mut std::io::empty(),
                    output: &mut output,
                    errors: &mut errors,
                    now: OffsetDateTime::now_utc(),
                    environment: &|name| variables.get(name).cloned(),
                    terminal: None,
                },
            );
            let text = String::from_utf8(output)?;
            let lines = text
                .lines()
                .map(serde_json::from_str)
                .collect::<Result<_, _>>();
            Ok(ToolOutput {
                exit: exit.code(),
                lines: lines.with_context(|| text.clone())?,
                errors: String::from_utf8(errors)?,
            })
        })
        .await?
    }
}

/// Records of one provider and item that a table can hold, one in three with an error.
fn records(provider: &str, item: &str, count: usize) -> Vec<GeneratedRecord> {
    let today = legal_clock::shanghai_date(OffsetDateTime::now_utc());
    let generator = Generator::new(23, today).with_planted_percent(33);
    (0..)
        .map(|number| generator.record(number))
        .filter(|record| record.provider_code == provider && record.item_code == item)
        // A table names each column once.
        .filter(|record| record.planted != Some(FindingCode::FormDuplicateField))
        .filter(|record| cells(record).is_some())
        .take(count)
        .collect()
}

/// Values by field code; `None` where a table cannot express the record.
fn cells(record: &GeneratedRecord) -> Option<BTreeMap<String, String>> {
    let object: BTreeMap<String, Value> = serde_json::from_slice(&record.content).ok()?;
    let item = item(record)?;
    let known = |code: &String| item.fields.iter().any(|field| field.code == *code);
    if !object.keys().all(known) {
        return None;
    }
    object
        .into_iter()
        .map(|(code, value)| Some((code, value.as_str()?.to_owned())))
        .collect()
}

fn item(record: &GeneratedRecord) -> Option<credit_record::ItemVersion> {
    let mut items = credit_record::standard_items().ok()?.into_iter();
    items.find(|item| item.code == record.item_code && item.version == record.item_version)
}

/// The file that an office would save: columns by Chinese name, in the encoding of its spreadsheet program.
fn save(folder: &Path, records: &[GeneratedRecord]) -> Result<PathBuf> {
    let item = item(&records[0]).context("a standard item")?;
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut text = quoted(KEY);
    for field in &item.fields {
        text.push(',');
        text.push_str(&quoted(&field.name));
    }
    text.push_str("\r\n");
    for record in records {
        let cells = cells(record).context("a row")?;
        text.push_str(&quoted(&record.record_key));
        for field in &item.fields {
            text.push(',');
            text.push_str(&quoted(cells.get(&field.code).map_or("", String::as_str)));
        }
        text.push_str("\r\n");
    }
    let path = folder.join("处罚.csv");
    let (bytes, _, lossy) = encoding_rs::GB18030.encode(&text);
    ensure!(!lossy, "GB18030 holds every character");
    std::fs::write(&path, bytes)?;
    Ok(path)
}

/// What was found in each row: code, field, severity, text and suggestion.
fn findings(said: &ToolOutput) -> BTreeMap<u64, Vec<String>> {
    said.of_type("row")
        .map(|row| {
            let found = row["findings"].as_array().into_iter().flatten();
            let mut found: Vec<String> = found.map(Value::to_string).collect();
            found.sort_unstable();
            (row["row"].as_u64().unwrap_or_default(), found)
        })
        .collect()
}

async fn start_platform() -> Result<(Cluster, DepartmentTool, Vec<GeneratedRecord>)> {
    let options = ClusterOptions {
        durable: false,
        ..ClusterOptions::new(env!("CARGO_BIN_EXE_credit-journey"))
    };
    let cluster = Cluster::start(options).await?;
    let day = Day::new(23, 1);
    day.register_providers(&cluster).await?;
    let provider = day.generator.providers()[0].code.clone();
    let tool = DepartmentTool::new(&cluster, &provider)?;
    let records = records(&tool.provider, "xzcf", 120);
    Ok((cluster, tool, records))
}

#[tokio::test]
async fn r8_r13_the_platform_says_of_every_row_what_the_desk_said_and_repeats_its_receipts()
-> TestResult {
    let (cluster, tool, records) = start_platform().await?;
    let path = save(cluster.folder(), &records)?;
    let file = path.to_str().context("a path")?;
    let source = ["--item", "xzcf", "--key", KEY];

    let lint = tool
        .run(&[&["lint", file], &source[..]].concat())
        .await?
        .with_exit(1)?;
    let sent = tool
        .run(&[&["submit", file], &source[..]].concat())
        .await?
        .with_exit(1)?;
    let (at_desk, at_platform) = (findings(&lint), findings(&sent));
    assert!(at_desk.len() == records.len(), "{} rows", at_desk.len());
    assert!(at_desk == at_platform, "{at_desk:#?} {at_platform:#?}");
    for (row, record) in sent.of_type("row").zip(&records) {
        let expected = if record.planted.is_some() {
            "returned"
        } else {
            "accepted"
        };
        assert!(row["verdict"] == expected, "{row} of {:?}", record.planted);
    }
    // The same file again is the same delivery: the same receipts, nothing new.
    let again = tool
        .run(&[&["submit", file], &source[..]].concat())
        .await?
        .with_exit(1)?;
    let numbers = |said: &ToolOutput| -> Vec<Value> {
        said.of_type("row")
            .map(|row| row["ledger_number"].clone())
            .collect()
    };
    assert!(numbers(&sent) == numbers(&again), "other receipts");
    cluster.wait_until_drained().await?;
    Ok(())
}

#[tokio::test]
async fn d24_r13_a_department_takes_back_and_declares_by_its_tool() -> TestResult {
    let (cluster, tool, records) = start_platform().await?;
    let path = save(cluster.folder(), &records)?;
    let file = path.to_str().context("a path")?;
    let sent = tool
        .run(&["submit", file, "--item", "xzcf", "--key", KEY])
        .await?
        .with_exit(1)?;
    let row_of = |wanted: &dyn Fn(&GeneratedRecord) -> bool| -> Result<(&GeneratedRecord, &Value)> {
        let mut rows = records.iter().zip(sent.of_type("row"));
        rows.find(|(record, _)| wanted(record))
            .context("a fitting record")
    };

    // A published decision was revoked: the site states so instead of showing it.
    let (published, row) = row_of(&|record| record.expected_public)?;
    let record_id = row["record_id"].as_str().context("an id")?.to_owned();
    let clients = cluster.clients()?;
    let public = || GetPublicRecordRequest {
        record_id: record_id.clone(),
    };
    eventually("the record is published", WAIT_TIMEOUT, async || {
        let shown = clients
            .public()?
            .get_public_record(public())
            .await?
            .into_inner();
        ensure!(shown.record.is_some(), "{shown:?}");
        anyhow::Ok(())
    })
    .await?;
    let key = published.record_key.as_str();
    let revoke = [
        "revoke",
        "--item",
        "xzcf",
        "--key",
        key,
        "--reason",
        "行政复议决定撤销该处罚",
    ];
    tool.run(&revoke).await?.with_exit(0)?;
    eventually("the notice stands in its place", WAIT_TIMEOUT, async || {
        let shown = clients
            .public()?
            .get_public_record(public())
            .await?
            .into_inner();
        ensure!(shown.record.is_none(), "{shown:?}");
        let notice = shown.revocation.context("a notice")?;
        ensure!(notice.reason.contains("行政复议"), "{notice:?}");
        anyhow::Ok(())
    })
    .await?;
    let submission = row["submission_id"].as_str().context("an id")?;
    let status = tool.run(&["status", submission]).await?.with_exit(0)?;
    assert!(
        status
            .lines
            .iter()
            .any(|line| line["standing"] == "revoked"),
        "{:?}",
        status.lines
    );

    // A returned record was sent by mistake: its case ends with it.
    let (faulty, _) = row_of(&|record| record.planted.is_some())?;
    let open = |said: &ToolOutput| -> usize {
        let of = |line: &&Value| line["record_key"] == faulty.record_key.as_str();
        said.lines.iter().filter(of).count()
    };
    let before = tool.run(&["feedback", "list"]).await?;
    assert!(open(&before) == 1, "{:?}", before.lines);
    let key = faulty.record_key.as_str();
    let withdraw = [
        "withdraw",
        "--item",
        "xzcf",
        "--key",
        key,
        "--reason",
        "误将测试数据报送",
    ];
    tool.run(&withdraw).await?.with_exit(0)?;
    eventually("the case is closed", WAIT_TIMEOUT, async || {
        let after = tool.run(&["feedback", "list"]).await?;
        ensure!(open(&after) == 0, "{:?}", after.lines);
        anyhow::Ok(())
    })
    .await?;

    // Nothing was reported of honours this year: a nil report says so, once.
    let day = legal_clock::shanghai_date(OffsetDateTime::now_utc()).to_string();
    let nil = ["nil", "--item", "ryxx", "--from", &day, "--to", &day];
    tool.run(&nil).await?.with_exit(0)?;
    // Of penalties something was, so that cannot be declared.
    tool.run(&["nil", "--item", "xzcf", "--from", &day, "--to", &day])
        .await?
        .with_exit(1)?;
    cluster.wait_until_drained().await?;
    Ok(())
}
