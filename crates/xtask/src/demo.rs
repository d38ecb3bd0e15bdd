//! `cargo xtask demo` and `cargo xtask bench`: build, and become the program in question.
//!
//! The programs are `demo` and `bench` of the package `journeys` (folder `tests/`). They find the servers' programs, the
//! folder for their files and the binary `credit` by the variables that `local_servers` documents. `bench identifiers` needs no
//! platform: it is the package `crates/credit-record/compare`, which stands outside of the workspace.

use crate::command::{
    become_program, cargo_command, command_output, named_servers_answer, run_step, servers_are_set,
};
use anyhow::{Context, Result};
use clap::Args;
use local_servers::{Binaries, PROGRAM, RUN_DIR, install_python_clients};
use serde::Deserialize;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Debug, Args)]
pub(crate) struct DemoTask {
    /// Builds with optimisation: slower to build, much faster to run.
    #[arg(long)]
    release: bool,
    /// How many records the day has.
    #[arg(long, default_value_t = 10_000)]
    records: u32,
    /// Ends after the summary instead of staying up.
    #[arg(long)]
    once: bool,
    /// Seed of the generator: the same seed gives the same day.
    #[arg(long)]
    seed: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct BenchTask {
    /// Which benchmark: `ingest`, `pipeline`, `identifiers`, …
    name: String,
    /// Goes to the benchmark.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<OsString>,
}

impl DemoTask {
    pub(crate) fn run(self, root: &Path) -> Result<bool> {
        let mut arguments: Vec<OsString> =
            vec!["--records".into(), self.records.to_string().into()];
        if self.once {
            arguments.push("--once".into());
        }
        if let Some(seed) = self.seed {
            arguments.extend(["--seed".into(), seed.to_string().into()]);
        }
        build_and_become(root, "demo", self.release, &arguments)
    }
}

impl BenchTask {
    pub(crate) fn run(self, root: &Path) -> Result<bool> {
        if self.name == "identifiers" {
            return compare_identifiers(root, &self.rest);
        }
        let alone = self.name == "rules";
        let mut arguments = vec![OsString::from(self.name)];
        arguments.extend(self.rest);
        if alone {
            return measure_alone(root, &arguments);
        }
        build_and_become(root, "bench", true, &arguments)
    }
}

/// A benchmark of one core: no servers, no platform.
fn measure_alone(root: &Path, arguments: &[OsString]) -> Result<bool> {
    let mut build = cargo_command(root);
    build.args([
        "build",
        "--release",
        "--package",
        "journeys",
        "--bin",
        "bench",
    ]);
    if !run_step(&mut build)? {
        return Ok(false);
    }
    let mut command = Command::new(target_folder(root)?.join("release/bench"));
    command.args(arguments);
    Err(become_program(&mut command))
}

/// Our parsers compared with others'. The package has a lock file of its own, and builds into a folder of its own,
/// where its build does not wait for the workspace's.
fn compare_identifiers(root: &Path, arguments: &[OsString]) -> Result<bool> {
    let python = install_python_clients(root)?;
    let folder = target_folder(root)?.join("compare");
    let mut build = cargo_command(root);
    build
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg("crates/credit-record/compare/Cargo.toml")
        .arg("--target-dir")
        .arg(&folder);
    if !run_step(&mut build)? {
        return Ok(false);
    }
    let mut command = Command::new(folder.join("release/credit-record-compare"));
    command.args(arguments).env("PYTHON", python);
    Err(become_program(&mut command))
}

fn build_and_become(
    root: &Path,
    program: &str,
    release: bool,
    arguments: &[OsString],
) -> Result<bool> {
    // Before the build: what is missing shall show at once.
    named_servers_answer()?;
    let binaries = if servers_are_set() {
        None
    } else {
        Some(Binaries::locate(root)?)
    };
    let mut build = cargo_command(root);
    build.args([
        "build",
        "--package",
        "platform",
        "--package",
        "journeys",
        "--bins",
    ]);
    if release {
        build.arg("--release");
    }
    if !run_step(&mut build)? {
        return Ok(false);
    }
    let folder = target_folder(root)?.join(if release { "release" } else { "debug" });
    let mut command = Command::new(folder.join(program));
    command
        .args(arguments)
        .current_dir(root)
        .envs(binaries.iter().flat_map(Binaries::to_env))
        .env(RUN_DIR, root.join(".servers").join(program))
        .env(PROGRAM, folder.join("credit"));
    Err(become_program(&mut command))
}

/// Where cargo builds, which the machine's configuration may have moved.
fn target_folder(root: &Path) -> Result<PathBuf> {
    #[derive(Deserialize)]
    struct TargetMetadata {
        target_directory: PathBuf,
    }
    let text = command_output(cargo_command(root).args([
        "metadata",
        "--no-deps",
        "--format-version",
        "1",
    ]))?;
    let metadata: TargetMetadata =
        serde_json::from_str(&text).context("reading `cargo metadata`")?;
    Ok(metadata.target_directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_folder_is_the_one_that_holds_this_test() {
        let folder = target_folder(&crate::checkout_root()).unwrap();
        assert!(
            std::env::current_exe().unwrap().starts_with(&folder),
            "{}",
            folder.display()
        );
    }
}
