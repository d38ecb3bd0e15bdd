//! A department's client in another language: the Python program of `tests/clients/python` against the real endpoint.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::{Context, Result, ensure};
use journeys::{
    cluster::{Cluster, ClusterOptions},
    day::Day,
};
use platform::target::Service;
use service_kit::identity::Role;
use testkit::records::Provider;

/// Python with the gRPC libraries: `cargo xtask test` names it; else it is fetched now.
fn python(root: &Path) -> Result<PathBuf> {
    match std::env::var_os("PYTHON") {
        Some(python) => Ok(python.into()),
        None => local_servers::install_python_clients(root),
    }
}

/// The client with one token, against one platform.
struct Department<'a> {
    cluster: &'a Cluster,
    python: PathBuf,
    token: String,
}

/// What one run of the client printed.
#[derive(Debug)]
struct Said {
    ended_well: bool,
    out: String,
    err: String,
}

impl Said {
    fn line(&self, start: &str) -> Result<&str> {
        let mut lines = self.out.lines();
        let found = lines.find(|line| line.starts_with(start));
        found.with_context(|| format!("no line {start:?} in {self:?}"))
    }

    /// Numbers of the lines that start so.
    fn count(&self, start: &str) -> usize {
        let lines = self.out.lines();
        lines.filter(|line| line.starts_with(start)).count()
    }
}

impl Department<'_> {
    async fn send(&self, file: Option<&Path>) -> Result<Said> {
        let mut command = Command::new(&self.python);
        command
            .arg(testkit::workspace_root().join("tests/clients/python/submit.py"))
            .arg(self.cluster.ports.address(Service::Ingest))
            .arg(self.cluster.ports.address(Service::Validation))
            .args(file)
            .env("CREDIT_TOKEN", &self.token)
            .env("PYTHONDONTWRITEBYTECODE", "1");
        let output: Output = tokio::task::spawn_blocking(move || command.output())
            .await?
            .with_context(|| format!("running {}", self.python.display()))?;
        Ok(Said {
            ended_well: output.status.success(),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }
}

/// A corrected re-report of the sample's second record, a repetition of the first, and an item that no catalogue has.
fn second_report(provider: &Provider) -> Result<String> {
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
async fn a_python_client_reports_and_learns_what_became_of_its_records_r8_r13() -> Result<()> {
    let python = python(&testkit::workspace_root())?;
    let mut options = ClusterOptions::new(env!("CARGO_BIN_EXE_credit-journey"));
    options.durable = false;
    let cluster = Cluster::start(options).await?;
    let day = Day::new(1, 0);
    day.register(&cluster).await?;
    let provider = &day.generator.providers()[0];
    let token = cluster.token(&provider.code, &[Role::Provider], None)?;
    let mut department = Department {
        cluster: &cluster,
        python,
        token,
    };

    // The sample: one good record, one whose credit code ends in a wrong check character.
    let first = department.send(None).await?;
    ensure!(first.ended_well, "{first:?}");
    let receipt = first.line("receipt  sample-1: ACCEPTED, ledger number 1, record ")?;
    first.line("receipt  sample-2: ACCEPTED, ledger number 2, record ")?;
    first.line("verdict  sample-1: ACCEPTED")?;
    first.line("verdict  sample-2: RETURNED")?;
    first.line("feedback SAMPLE-2: USCC_CHECK: XK_XDR_SHXYM: ")?;
    assert_eq!(first.count("feedback "), 1, "{first:?}");

    // The same again is the same receipt; the correction closes the case; one refusal does not end the stream.
    let file = cluster.folder().join("second.jsonl");
    std::fs::write(&file, second_report(provider)?)?;
    let second = department.send(Some(&file)).await?;
    assert!(!second.ended_well, "a refusal is no success: {second:?}");
    assert_eq!(second.line("receipt  sample-1: ")?, receipt);
    second.line("refused  unknown-item: ITEM_UNKNOWN: item_code: ")?;
    second.line("receipt  sample-2-corrected: ACCEPTED, ledger number 3, record ")?;
    second.line("verdict  sample-2-corrected: ACCEPTED")?;
    assert_eq!(second.count("feedback "), 0, "{second:?}");

    // A token whose signature is not ours: nothing goes in, and the reason is said.
    let (signed, _) = department.token.rsplit_once('.').context("a JWT")?;
    department.token = format!("{signed}.{}", "A".repeat(86));
    let refused = department.send(None).await?;
    assert!(!refused.ended_well && refused.out.is_empty(), "{refused:?}");
    assert!(
        refused.err.starts_with("UNAUTHENTICATED: TOKEN_INVALID: "),
        "{refused:?}"
    );

    // A token of the right issuer for somebody who is no provider.
    department.token = cluster.token("", &[Role::Public], None)?;
    let refused = department.send(None).await?;
    assert!(!refused.ended_well && refused.out.is_empty(), "{refused:?}");
    assert!(
        refused
            .err
            .starts_with("PERMISSION_DENIED: ROLE_NOT_ALLOWED: "),
        "{refused:?}"
    );
    cluster.nothing_left().await
}
