//! `cargo xtask check`: everything that can be said about the code without running it.
//!
//! The rules of who may know whom are functions from a model of the workspace to a list of [`Violation`]s:
//! [`packages`] looks at the dependencies of `cargo metadata`, [`sources`] at the text of the Rust files.

mod model;
mod packages;
mod source_text;
mod sources;

use crate::command::{cargo, step};
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
        let mut passed = rules(root)?;
        if self.rules {
            return Ok(passed);
        }
        passed &= step(cargo(root).args(["fmt", "--all", "--check"]))?;
        let buf = install_buf(root)?;
        passed &= step(
            Command::new(buf)
                .arg("lint")
                .current_dir(root.join("proto")),
        )?;
        let clippy = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ];
        passed &= step(cargo(root).args(clippy))?;
        let documentation = ["doc", "--workspace", "--no-deps", "--quiet"];
        passed &= step(
            cargo(root)
                .args(documentation)
                .env("RUSTDOCFLAGS", "-Dwarnings"),
        )?;
        for package in OUTSIDE {
            let manifest = format!("{package}/Cargo.toml");
            // Formatting is the rest of the workspace's; what breaks unseen is a lock file that lags behind.
            let arguments = [
                "metadata",
                "--locked",
                "--format-version",
                "1",
                "--manifest-path",
            ];
            let mut metadata = cargo(root);
            metadata
                .args(arguments)
                .arg(&manifest)
                .stdout(Stdio::null());
            passed &= step(&mut metadata)?;
        }
        Ok(passed)
    }
}

/// Packages with a lock file of their own, which no other command here builds.
const OUTSIDE: [&str; 2] = ["crates/credit-record/compare", "crates/credit-record/fuzz"];

fn rules(root: &Path) -> Result<bool> {
    let workspace = model::Workspace::load(root)?;
    let files = sources::load(root, &workspace)?;
    let mut violations = packages::all(&workspace);
    violations.extend(sources::all(&files));
    violations.sort();
    for violation in &violations {
        eprintln!("{violation}");
    }
    eprintln!(
        "» {} packages, {} files, {} broken rules",
        workspace.packages.len(),
        files.len(),
        violations.len()
    );
    Ok(violations.is_empty())
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
