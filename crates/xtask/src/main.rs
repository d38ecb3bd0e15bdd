//! The project's commands: `cargo xtask demo | test | soak | check | bench | servers`.
//!
//! Each command sets up all that it needs on a machine with Rust and Python's pip: it fetches pinned servers into
//! `.servers` of the checkout and starts private ones. Where `DATABASE_URL` and `NATS_URL` are set, those are used.

mod check;
mod command;
mod demo;
mod fetched;
mod private;
mod servers;
mod soak;
mod test;
mod tools;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "The commands of the credit platform's checkout"
)]
struct Arguments {
    #[command(subcommand)]
    command: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Starts everything on private servers, plays a realistic day and prints a balance.
    Demo(demo::Demo),
    /// Runs all tests against private servers, the checks beside them.
    Test(test::Test),
    /// Runs the long forms of tests from ever new seeds until the time is over; one line of figures each.
    Soak(soak::Soak),
    /// Formatting, lints, the rules of who may know whom, protocol files, documentation.
    Check(check::Check),
    /// Runs a benchmark in the release profile; its last line is one JSON object.
    Bench(demo::Bench),
    /// Starts or stops PostgreSQL and NATS for development and prints their addresses.
    Servers(servers::Servers),
}

fn main() -> ExitCode {
    if let Some(code) = check::reading::instead_of_rustc() {
        return code;
    }
    let root = root();
    let done = match Arguments::parse().command {
        Task::Demo(task) => task.run(&root),
        Task::Test(task) => task.run(&root),
        Task::Soak(task) => task.run(&root),
        Task::Check(task) => task.run(&root),
        Task::Bench(task) => task.run(&root),
        Task::Servers(task) => task.run(&root),
    };
    exit_code(done)
}

/// Zero only when everything went well.
fn exit_code(done: Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the checkout that this program was built from.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
