//! `cargo xtask check`: everything that can be checked without running the code.
//!
//! The rules of who may know whom are functions from a model of the workspace to a list of [`Violation`]s:
//! [`packages`] checks the dependencies of `cargo metadata`, [`sources`] the text of the Rust files,
//! [`vocabulary`] their names against `GLOSSARY.md`.

mod model;
mod packages;
pub(crate) mod rustc_wrapper;
mod source_text;
mod sources;
mod vocabulary;

use crate::command::{at_low_priority, cargo_command, run_step, run_step_quietly};
use anyhow::Result;
use clap::Args;
use local_servers::install::install_buf;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Debug, Default, Args)]
pub(crate) struct CheckTask {
    /// Only the rules of who may know whom, without a compiler.
    #[arg(long)]
    rules: bool,
}

/// A rule that is broken somewhere.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Violation {
    /// Name of the rule.
    pub(crate) rule: &'static str,
    /// Package, or file and line.
    pub(crate) place: String,
    /// What is wrong, and what to do instead.
    pub(crate) why: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.rule, self.place, self.why)
    }
}

impl CheckTask {
    /// True when nothing is wrong. All parts run even when one fails.
    pub(crate) fn run(&self, root: &Path) -> Result<bool> {
        let broken = check_rules(root)?;
        eprintln!("{broken}");
        let mut passed = broken.is_empty();
        if self.rules {
            return Ok(passed);
        }
        for mut command in check_commands(root)? {
            passed &= run_step(&mut command)?;
        }
        Ok(passed)
    }
}

/// All checks, in the background at low priority. Gives the failed ones with their output.
pub(crate) fn run_in_background(root: &Path) -> Result<Vec<String>> {
    let broken = check_rules(root)?;
    let mut failed = Vec::new();
    if !broken.is_empty() {
        failed.push(broken.to_string());
    }
    for command in check_commands(root)? {
        failed.extend(run_step_quietly(&mut at_low_priority(&command))?);
    }
    Ok(failed)
}

/// The rules and the form, for a tree that does not compile: one run reports all that is wrong.
pub(crate) fn without_compiler(root: &Path) -> Result<()> {
    eprintln!("{}", check_rules(root)?);
    run_step(cargo_command(root).args(["fmt", "--all", "--check"]))?;
    Ok(())
}

/// The commands of `check` other than our own rules.
fn check_commands(root: &Path) -> Result<Vec<Command>> {
    let mut format = cargo_command(root);
    format.args(["fmt", "--all", "--check"]);
    let mut buf = Command::new(install_buf(root)?);
    buf.arg("lint").current_dir(root.join("proto"));
    let mut commands = vec![format, buf, rustc_wrapper::lint_command(root)?];
    commands.extend(OUTSIDE_PACKAGES.map(|package| {
        // Formatting is the rest of the workspace's; what breaks unseen is a lock file that lags behind.
        let mut metadata = cargo_command(root);
        metadata
            .args(["metadata", "--locked", "--format-version", "1"])
            .args(["--manifest-path", &format!("{package}/Cargo.toml")])
            .stdout(Stdio::null());
        metadata
    }));
    Ok(commands)
}

/// Packages with a lock file of their own, which no other command here builds.
const OUTSIDE_PACKAGES: [&str; 2] = ["crates/credit-record/compare", "crates/credit-record/fuzz"];

/// The rules that are broken, and among how many packages and files.
struct RuleReport {
    violations: Vec<Violation>,
    packages: usize,
    files: usize,
}

impl RuleReport {
    fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for RuleReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{violation}")?;
        }
        write!(
            f,
            "» {} packages, {} files, {} broken rules",
            self.packages,
            self.files,
            self.violations.len()
        )
    }
}

fn check_rules(root: &Path) -> Result<RuleReport> {
    let workspace = model::Workspace::load(root)?;
    let files = sources::load_sources(root, &workspace)?;
    let mut violations = packages::package_violations(&workspace);
    violations.extend(sources::source_violations(&files));
    violations.extend(vocabulary::check_names(root, &files)?);
    violations.sort();
    Ok(RuleReport {
        violations,
        packages: workspace.packages.len(),
        files: files.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_violation_is_one_line_of_rule_place_and_reason() {
        let violation = Violation {
            rule: "pure",
            place: "vault".to_owned(),
            why: "depends on tokio".to_owned(),
        };
        assert_eq!(violation.to_string(), "pure: vault: depends on tokio");
    }
}
