//! Clients in other languages against the real endpoints: the department's of `tests/clients/python` and
//! `tests/clients/node`, and the credit office's call of `deploy/register-provider.py` that comes before them.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use journeys::{
    cluster::{Cluster, ClusterOptions},
    day::Day,
};
use platform::target::Service;
use service_kit::identity::Role;
use testkit::{TestResult, eventually, records::FictionalProvider};

/// How long the announcement of a provider may take to reach ingest.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Python with the gRPC libraries: `cargo xtask test` names it; else it is fetched now.
fn python(root: &Path) -> Result<PathBuf> {
    match std::env::var_os("PYTHON") {
        Some(python) => Ok(python.into()),
        None => local_servers::install_python_clients(root),
    }
}

/// A language that a client is written in, with its libraries.
enum ClientLanguage {
    /// The program `python`.
    Python(PathBuf),
    /// The folder of modules.
    Node(PathBuf),
}

impl ClientLanguage {
    fn python() -> Result<Self> {
        python(&testkit::workspace_root()).map(Self::Python)
    }

    fn node() -> Result<Self> {
        local_servers::install_node_clients(&testkit::workspace_root()).map(Self::Node)
    }

    /// Starts a program of this checkout.
    fn command(&self, program: &str) -> Command {
        let mut command = match self {
            Self::Python(python) => {
                let mut command = Command::new(python);
                command.env("PYTHONDONTWRITEBYTECODE", "1");
                command
            }
            Self::Node(modules) => {
                let mut command = Command::new("node");
                command.env("NODE_PATH", modules);
                command
            }
        };
        command.arg(testkit::workspace_root().join(program));
        command
    }

    /// The department's client.
    fn client(&self) -> &'static str {
        match self {
            Self::Python(_) => "tests/clients/python/submit.py",
            Self::Node(_) => "tests/clients/node/submit.js",
        }
    }
}

/// Runs programs of this checkout against one platform.
struct ProgramRunner<'a> {
    cluster: &'a Cluster,
    language: ClientLanguage,
}

/// What one run of a program printed.
#[derive(Debug)]
struct ProgramOutput {
    ended_well: bool,
    out: String,
    err: String,
}

impl ProgramOutput {
    fn line(&self, start: &str) -> Result<&str> {
        let mut lines = self.out.lines();
        let found = lines.find(|line| line.starts_with(start));
        found.with_context(|| format!("no line {start:?} in {self:?}"))
    }

    /// Nothing was done, and only the reason is answered.
    fn check_refusal(&self, start: &str) -> Result<()> {
        let refused = !self.ended_well && self.out.is_empty() && self.err.starts_with(start);
        ensure!(refused, "expected {start:?}: {self:?}");
        Ok(())
    }

    /// Number of the lines that start so.
    fn count(&self, start: &str) -> usize {
        let lines = self.out.lines();
        lines.filter(|line| line.starts_with(start)).count()
    }
}

impl ProgramRunner<'_> {
    async fn run(&self, program: &str, token: &str, arguments: &[&str]) -> Result<ProgramOutput> {
        let mut command = self.language.command(program);
        command.args(arguments).env("CREDIT_TOKEN", token);
        let output: Output = tokio::task::spawn_blocking(move || command.output())
            .await?
            .with_context(|| format!("running {program}"))?;
        Ok(ProgramOutput {
            ended_well: output.status.success(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    /// The sample, or a file.
    async fn submit(&self, token: &str, file: Option<&Path>) -> Result<ProgramOutput> {
        let ingest = self.cluster.ports.address(Service::Ingest);
        let validation = self.cluster.ports.address(Service::Validation);
        let mut arguments = vec![ingest.as_str(), validation.as_str()];
        arguments.extend(file.and_then(Path::to_str));
        self.run(self.language.client(), token, &arguments).await
    }

    async fn register(&self, token: &str, code: &str, name: &str) -> Result<ProgramOutput> {
        let catalog = self.cluster.ports.address(Service::Catalog);
        let arguments = [catalog.as_str(), code, name];
        self.run("deploy/register-provider.py", token, &arguments)
            .await
    }
}

/// A corrected re-report of the sample's second record, a repetition of the first, and an item that no catalogue has.
fn second_report(provider: &FictionalProvider) -> Result<String> {
    let sample = testkit::workspace_root().join("tests/clients/python/sample.jsonl");
    let text = std::fs::read_to_string(&sample)
        .with_context(|| sample.display().to_string())?
        .replace("$code", &provider.code)
        .replace("$name", &provider.name);
    let (first, second) = text.trim_end().split_once('\n').context("two records")?;
    let unknown = first
        .replace("\"sample-1\"", "\"unknown-item\"")
        .replace("\"xzxk\"", "\"nothing\"");
    let corrected = second
        .replace("\"sample-2\"", "\"sample-2-corrected\"")
        .replace("91430104MA4X0A01XH", "91430104MA4X0A01XK");
    Ok(format!("{first}\n{unknown}\n{corrected}\n"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_python_client_reports_and_learns_what_became_of_its_records_r8_r13() -> TestResult {
    reports_and_learns_what_became_of_its_records(ClientLanguage::python()?).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_client_reports_and_learns_what_became_of_its_records_r8_r13() -> TestResult {
    reports_and_learns_what_became_of_its_records(ClientLanguage::node()?).await?;
    Ok(())
}

/// The clients show how little it takes.
#[test]
fn each_client_is_shorter_than_sixty_lines_and_knows_no_registry() -> TestResult {
    let clients = testkit::workspace_root().join("tests/clients");
    for client in ["python/submit.py", "node/submit.js"] {
        let text = std::fs::read_to_string(clients.join(client)).context(client)?;
        assert!(text.lines().count() < 60, "{client}");
    }
    let lock = std::fs::read_to_string(clients.join("node/package-lock.json"))?;
    assert!(!lock.contains("\"resolved\""), "the lock file names hosts");
    Ok(())
}

async fn reports_and_learns_what_became_of_its_records(language: ClientLanguage) -> Result<()> {
    let mut options = ClusterOptions::new(env!("CARGO_BIN_EXE_credit-journey"));
    options.durable = false;
    let cluster = Cluster::start(options).await?;
    let day = Day::new(1, 0);
    day.register_providers(&cluster).await?;
    let provider = &day.generator.providers()[0];
    let token = cluster.token(&provider.code, &[Role::Provider], None)?;
    let client = ProgramRunner {
        cluster: &cluster,
        language,
    };

    // The sample: one good record, one whose credit code ends in a wrong check character.
    let first = client.submit(&token, None).await?;
    ensure!(first.ended_well, "{first:?}");
    let receipt = first.line("receipt  sample-1: ACCEPTED, ledger number 1, record ")?;
    first.line("receipt  sample-2: ACCEPTED, ledger number 2, record ")?;
    first.line("verdict  sample-1: ACCEPTED")?;
    first.line("verdict  sample-2: RETURNED")?;
    first.line("feedback SAMPLE-2: USCC_CHECK: XK_XDR_SHXYM: ")?;
    // The sample's decisions are of long ago: that is a warning, and every record is accepted.
    first.line("feedback SAMPLE-2: LATE_REPORT: XK_JDRQ: ")?;
    assert_eq!(first.count("feedback "), 2, "{first:?}");

    // The same again is the same receipt; the correction closes the case; one refusal does not end the stream.
    let file = cluster.folder().join("second.jsonl");
    std::fs::write(&file, second_report(provider)?)?;
    let second = client.submit(&token, Some(&file)).await?;
    assert!(!second.ended_well, "a refusal is no success: {second:?}");
    assert_eq!(second.line("receipt  sample-1: ")?, receipt);
    second.line("refused  unknown-item: ITEM_UNKNOWN: item_code: ")?;
    second.line("receipt  sample-2-corrected: ACCEPTED, ledger number 3, record ")?;
    second.line("verdict  sample-2-corrected: ACCEPTED")?;
    assert_eq!(second.count("feedback "), 0, "{second:?}");

    // A token whose signature is not ours: nothing is taken, and the reason is answered.
    let (signed, _) = token.rsplit_once('.').context("a JWT")?;
    let forged = format!("{signed}.{}", "A".repeat(86));
    let refused = client.submit(&forged, None).await?;
    refused.check_refusal("UNAUTHENTICATED: TOKEN_INVALID: ")?;

    // A token of the right issuer for a subject that is no provider.
    let visitor = cluster.token("", &[Role::Public], None)?;
    let refused = client.submit(&visitor, None).await?;
    refused.check_refusal("PERMISSION_DENIED: ROLE_NOT_ALLOWED: ")?;
    cluster.wait_until_drained().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_reports_once_the_credit_office_has_registered_it_r3_r5() -> TestResult {
    let language = ClientLanguage::python()?;
    let mut options = ClusterOptions::new(env!("CARGO_BIN_EXE_credit-journey"));
    options.durable = false;
    let cluster = Cluster::start(options).await?;
    let client = ProgramRunner {
        cluster: &cluster,
        language,
    };
    let provider = &testkit::records::fictional_providers()[0];
    let own = cluster.token(&provider.code, &[Role::Provider], None)?;
    let office = cluster.token("", &[Role::CreditOffice], None)?;

    let unknown = client.submit(&own, None).await?;
    unknown.check_refusal("PERMISSION_DENIED: PROVIDER_NOT_REGISTERED: ")?;
    let presumed = client.register(&own, &provider.code, &provider.name);
    presumed
        .await?
        .check_refusal("PERMISSION_DENIED: ROLE_NOT_ALLOWED: ")?;

    let registered = client.register(&office, &provider.code, &provider.name);
    let expected = format!(
        "registered {} {}, revision 1\n",
        provider.code, provider.name
    );
    assert_eq!(registered.await?.out, expected);
    eventually("ingest knows the provider", WAIT_TIMEOUT, async || {
        let said = client.submit(&own, None).await?;
        said.line("verdict  sample-1: ACCEPTED").map(drop)
    })
    .await?;
    cluster.wait_until_drained().await?;
    Ok(())
}
