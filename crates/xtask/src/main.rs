//! The project's commands: `cargo xtask demo | test | soak | check | bench | servers`.
//!
//! Each command sets up all that it needs on a machine with Rust and Python's pip: it fetches pinned servers into
//! `.servers` of the checkout and starts private ones. Where `DATABASE_URL` and `NATS_URL` are set, those are used.

mod check;
mod command;
mod demo;
mod private_servers;
mod requirements;
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
struct XtaskArguments {
    #[command(subcommand)]
    command: XtaskTask,
}

#[derive(Debug, Subcommand)]
enum XtaskTask {
    /// Starts everything on private servers, plays a realistic day and prints a balance.
    Demo(demo::DemoTask),
    /// Runs all tests against private servers, the checks beside them.
    Test(test::TestTask),
    /// Runs the long forms of tests from ever new seeds until the time is over; one line of figures each.
    Soak(soak::SoakTask),
    /// Formatting, lints, the rules of who may know whom, protocol files, documentation.
    Check(check::CheckTask),
    /// Runs a benchmark in the release profile; its last line is one JSON object.
    Bench(demo::BenchTask),
    /// Starts or stops PostgreSQL and NATS for development and prints their addresses.
    Servers(servers::ServersTask),
}

fn main() -> ExitCode {
    if let Some(code) = check::rustc_wrapper::run_as_rustc_wrapper() {
        return code;
    }
    let root = checkout_root();
    let done = match XtaskArguments::parse().command {
        XtaskTask::Demo(task) => task.run(&root),
        XtaskTask::Test(task) => task.run(&root),
        XtaskTask::Soak(task) => task.run(&root),
        XtaskTask::Check(task) => task.run(&root),
        XtaskTask::Bench(task) => task.run(&root),
        XtaskTask::Servers(task) => task.run(&root),
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
fn checkout_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
