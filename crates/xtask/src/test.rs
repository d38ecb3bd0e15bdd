//! `cargo xtask test`: sets up everything, checks, and runs all tests against private servers.

use crate::check::Check;
use crate::command::{cargo, is_installed, last_step, servers_are_set, step};
use crate::tools::ensure_browser;
use anyhow::Result;
use clap::Args;
use local_servers::{
    Binaries, Nats, NatsOptions, Postgres, PostgresOptions, install_python_clients,
};
use std::ffi::OsString;
use std::path::Path;

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// Leaves out `cargo xtask check` and the documentation's examples.
    #[arg(long)]
    fast: bool,
    /// Goes to `cargo nextest run`, e.g. `-p ingest` or `-E 'test(kill)'`.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    nextest: Vec<OsString>,
}

impl Test {
    pub(crate) fn run(self, root: &Path) -> Result<bool> {
        let binaries = Binaries::locate(root)?;
        let python = install_python_clients(root)?;
        ensure_browser()?;
        // All parts run even when one fails: one run tells all that is wrong.
        let mut passed = self.fast || Check::default().run(root)?;
        let mut documentation = cargo(root);
        documentation.args(["test", "--workspace", "--doc", "--quiet"]);

        let mut tests = cargo(root);
        let has_nextest = is_installed("cargo-nextest");
        if has_nextest {
            tests.args(["nextest", "run"]);
        } else {
            eprintln!(
                "cargo-nextest is missing (`cargo install --locked cargo-nextest`): falling back to `cargo test`"
            );
            tests.args(["test", "--all-targets", "--no-fail-fast"]);
        }
        if !selects_packages(&self.nextest) {
            tests.arg("--workspace");
        }
        tests.args(&self.nextest);

        let servers = PrivateServers::start_unless_set(&binaries)?;
        for command in [&mut documentation, &mut tests] {
            command.envs(binaries.to_env()).env("PYTHON", &python);
            if let Some((database, bus)) = &servers.0 {
                command
                    .env("DATABASE_URL", database.url("postgres"))
                    .env("NATS_URL", bus.url());
            }
        }
        passed &= self.fast || step(&mut documentation)?;
        // The tests come last, so that the last line is their own summary, unless it would hide an earlier failure.
        let tests_passed = last_step(&mut tests)?;
        if tests_passed && !passed {
            eprintln!("» the checks before the tests have failed, see above");
        }
        passed &= tests_passed;
        Ok(passed)
    }
}

/// The servers of this run, or none where the environment names some.
struct PrivateServers(Option<(Postgres, Nats)>);

impl PrivateServers {
    fn start_unless_set(binaries: &Binaries) -> Result<Self> {
        if servers_are_set() {
            return Ok(Self(None));
        }
        // Nothing here must outlive a power failure, and thousands of small databases are made.
        let database = Postgres::temporary(
            binaries,
            PostgresOptions {
                durable: false,
                ..PostgresOptions::default()
            },
        )?;
        let bus = Nats::temporary(
            binaries,
            NatsOptions {
                durable: false,
                ..NatsOptions::default()
            },
        )?;
        Ok(Self(Some((database, bus))))
    }
}

/// Whether the caller says which packages; else all are meant.
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
