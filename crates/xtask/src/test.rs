//! `cargo xtask test`: sets up everything, and runs all tests against private servers, the checks in the background.
//!
//! The tests wait for half of their time: so more of them run at once than there are processors, and the checks take what
//! is left. All are built first, in one go, and what the machine lacks is fetched meanwhile.

use crate::check::{self, CheckTask};
use crate::command::{
    at_low_priority, cargo_command, is_installed, kill_process_tree, run_last_step, run_step,
    run_step_quietly,
};
use crate::private_servers::PrivateServers;
use crate::requirements::TestRequirements;
use anyhow::{Context, Result, bail};
use clap::Args;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct TestTask {
    /// Leaves out `cargo xtask check` and the documentation's examples.
    #[arg(long)]
    fast: bool,
    /// Goes to `cargo nextest run`, e.g. `-p ingest` or `-E 'test(kill)'`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    nextest: Vec<OsString>,
}

impl TestTask {
    pub(crate) fn run(self, root: &Path) -> Result<bool> {
        TestRequirements::ensure_possible()?;
        let has_nextest = is_installed("cargo-nextest");
        if !has_nextest {
            eprintln!(
                "cargo-nextest is missing (`cargo install --locked cargo-nextest`): falling back to `cargo test`, one test \
                 binary after the other"
            );
        }
        if !self.fast && has_nextest && self.nextest.is_empty() {
            return test_everything(root);
        }
        let fetched = TestRequirements::fetch(root)?;
        // All parts run even when one fails: one run reports all that is wrong.
        let mut passed = self.fast || CheckTask::default().run(root)?;
        let mut tests = cargo_command(root);
        if has_nextest {
            tests.args(["nextest", "run"]);
        } else {
            tests.args(["test", "--all-targets", "--no-fail-fast"]);
        }
        if !selects_packages(&self.nextest) {
            tests.arg("--workspace");
        }
        tests.args(&self.nextest);
        let servers = PrivateServers::start_unless_set(&fetched.binaries)?;
        servers.set_environment(&mut tests, &fetched);
        if !self.fast {
            let mut examples = examples(root);
            servers.set_environment(&mut examples, &fetched);
            passed &= run_step(&mut examples)?;
        }
        // The tests come last, so that the last line is their own summary, unless it would hide an earlier failure.
        let tests_passed = run_last_step(&mut tests)?;
        if tests_passed && !passed {
            eprintln!("» the checks before the tests have failed, see above");
        }
        Ok(passed && tests_passed)
    }
}

/// All tests and all checks.
fn test_everything(root: &Path) -> Result<bool> {
    let (fetched, built) = build_while_fetching(root)?;
    let Some(built) = built else {
        // The compiler's warnings were printed already.
        check::without_compiler(root)?;
        return Ok(false);
    };
    let mut tests = built.run();
    let servers = PrivateServers::start_unless_set(&fetched.binaries)?;
    servers.set_environment(&mut tests, &fetched);
    let mut examples = at_low_priority(&examples(root));
    servers.set_environment(&mut examples, &fetched);
    let (tests_passed, failed) = thread::scope(|scope| {
        let checks = scope.spawn(|| -> Result<Vec<String>> {
            let mut failed = check::run_in_background(root)?;
            failed.extend(run_step_quietly(&mut examples)?);
            Ok(failed)
        });
        let tests_passed = run_last_step(&mut tests)?;
        let failed = checks.join();
        let failed = failed.map_err(|_| anyhow::anyhow!("the checks panicked"))??;
        anyhow::Ok((tests_passed, failed))
    })?;
    for printed in &failed {
        eprintln!("{printed}");
    }
    if tests_passed && !failed.is_empty() {
        eprintln!("» the tests have passed, the checks have not");
    }
    Ok(tests_passed && failed.is_empty())
}

/// The documentation's examples.
fn examples(root: &Path) -> Command {
    let mut examples = cargo_command(root);
    examples.args(["test", "--workspace", "--doc", "--quiet"]);
    examples
}

/// All test binaries, built; what nextest needs to run them without asking cargo, whose lock the checks hold.
struct BuiltTests {
    root: PathBuf,
    workspace: PathBuf,
    binaries: PathBuf,
}

impl BuiltTests {
    fn run(&self) -> Command {
        let mut tests = cargo_command(&self.root);
        tests
            .args(["nextest", "run", "--cargo-metadata"])
            .arg(&self.workspace)
            .arg("--binaries-metadata")
            .arg(&self.binaries);
        tests
    }
}

/// Builds all tests while what the machine lacks is fetched. Without [`BuiltTests`] the build has failed.
///
/// # Errors
/// As soon as something cannot be fetched: the build is ended then.
fn build_while_fetching(root: &Path) -> Result<(TestRequirements, Option<BuiltTests>)> {
    let folder = root.join(".servers");
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let built = BuiltTests {
        root: root.to_owned(),
        workspace: folder.join("workspace.json"),
        binaries: folder.join("test-binaries.json"),
    };
    let into = |path: &Path| {
        std::fs::File::create(path).with_context(|| format!("creating {}", path.display()))
    };
    let mut list = cargo_command(root);
    list.args([
        "nextest",
        "list",
        "--workspace",
        "--list-type",
        "binaries-only",
    ])
    .args(["--message-format", "json"])
    .stdout(into(&built.binaries)?);
    let mut metadata = cargo_command(root);
    metadata
        .args(["metadata", "--format-version", "1"])
        .stdout(into(&built.workspace)?);
    let root = root.to_owned();
    let mut fetching = Some(thread::spawn(move || TestRequirements::fetch(&root)));
    eprintln!("» cargo nextest list --workspace: builds all tests");
    let mut build = list.spawn().context("starting cargo nextest")?;
    let mut fetched = None;
    let status = loop {
        if let Some(done) = fetching.take_if(|fetching| fetching.is_finished()) {
            let done = done.join();
            let done = done.map_err(|_| anyhow::anyhow!("the thread that fetches panicked"))?;
            if done.is_err() {
                kill_process_tree(&mut build)?;
            }
            fetched = Some(done?);
        }
        let ended = build.try_wait().context("waiting for the build")?;
        if let (Some(status), None) = (ended, &fetching) {
            break status;
        }
        thread::sleep(Duration::from_millis(50));
    };
    let fetched = fetched.context("what the tests need was fetched")?;
    if !status.success() {
        return Ok((fetched, None));
    }
    if !metadata
        .status()
        .context("starting cargo metadata")?
        .success()
    {
        bail!("cargo metadata failed");
    }
    Ok((fetched, Some(built)))
}

/// Whether the caller names the packages; else all are meant.
fn selects_packages(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| {
        let argument = argument.to_string_lossy();
        argument.starts_with("-p") || argument.starts_with("--package") || argument == "--workspace"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_of_packages_is_seen() {
        let words = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert!(selects_packages(&words("-p ingest")));
        assert!(selects_packages(&words("--no-capture --package=ingest")));
        assert!(!selects_packages(&words("-E test(kill)")));
    }
}
