//! `cargo xtask check`: everything that can be said about the code without running it.
//!
//! The rules of who may know whom are functions from a model of the workspace to a list of [`Violation`]s:
//! [`packages`] looks at the dependencies of `cargo metadata`, [`sources`] at the text of the Rust files.

mod model;
mod packages;
pub(crate) mod reading;
mod source_text;
mod sources;

use crate::command::{at_low_priority, cargo, step, step_beside};
use anyhow::Result;
use clap::Args;
use local_servers::install::install_buf;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

#[derive(Debug, Default, Args)]
pub(crate) struct Check {
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

impl Check {
    /// True when nothing is wrong. All parts run even when one fails.
    pub(crate) fn run(&self, root: &Path) -> Result<bool> {
        let broken = rules(root)?;
        eprintln!("{broken}");
        let mut passed = broken.is_empty();
        if self.rules {
            return Ok(passed);
        }
        for mut command in commands(root)? {
            passed &= step(&mut command)?;
        }
        Ok(passed)
    }
}

/// All checks, beside other work and with what the processor has left. Gives what failed, each with what it printed.
pub(crate) fn run_beside(root: &Path) -> Result<Vec<String>> {
    let broken = rules(root)?;
    let mut failed = Vec::new();
    if !broken.is_empty() {
        failed.push(broken.to_string());
    }
    for command in commands(root)? {
        failed.extend(step_beside(&mut at_low_priority(&command))?);
    }
    Ok(failed)
}

/// The rules and the form, for a tree that does not compile: one run tells all that is wrong.
pub(crate) fn without_compiler(root: &Path) -> Result<()> {
    eprintln!("{}", rules(root)?);
    step(cargo(root).args(["fmt", "--all", "--check"]))?;
    Ok(())
}

/// What is run beside the rules.
fn commands(root: &Path) -> Result<Vec<Command>> {
    let mut format = cargo(root);
    format.args(["fmt", "--all", "--check"]);
    let mut buf = Command::new(install_buf(root)?);
    buf.arg("lint").current_dir(root.join("proto"));
    let mut commands = vec![format, buf, reading::command(root)?];
    commands.extend(OUTSIDE.map(|package| {
        // Formatting is the rest of the workspace's; what breaks unseen is a lock file that lags behind.
        let mut metadata = cargo(root);
        metadata
            .args(["metadata", "--locked", "--format-version", "1"])
            .args(["--manifest-path", &format!("{package}/Cargo.toml")])
            .stdout(Stdio::null());
        metadata
    }));
    Ok(commands)
}

/// Packages with a lock file of their own, which no other command here builds.
const OUTSIDE: [&str; 2] = ["crates/credit-record/compare", "crates/credit-record/fuzz"];

/// The rules that are broken, and among how many packages and files.
struct Broken {
    violations: Vec<Violation>,
    packages: usize,
    files: usize,
}

impl Broken {
    fn is_empty(&self) -> bool {
        self.violations.is_empty()
    }
}

impl fmt::Display for Broken {
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

fn rules(root: &Path) -> Result<Broken> {
    let workspace = model::Workspace::load(root)?;
    let files = sources::load(root, &workspace)?;
    let mut violations = packages::all(&workspace);
    violations.extend(sources::all(&files));
    violations.sort();
    Ok(Broken {
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
