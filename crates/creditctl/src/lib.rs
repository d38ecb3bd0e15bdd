//! The departments' tool: what an officer or a department's own program runs before, for and after a report.
//! Called by `main.rs` and by the tests; everything from outside (arguments, environment, streams, time, the
//! terminal) is handed in.
//!
//! - [`cli`]: the arguments, in two languages;
//! - [`commands`]: one module a command;
//! - [`files`]: the departments' files, read and written: CSV, Excel, JSON by line, and the error file;
//! - [`columns`], [`records`]: columns by any of their names; rows as records with their keys;
//! - [`checked_file`]: a file checked as a whole before anything else happens: form, columns, keys, digest;
//! - [`client`]: the platform: connection, sending with resumption, waiting for verdicts;
//! - [`state`]: what a killed run left behind;
//! - [`report`]: the outcome of each row, as JSON, for people and in the error file;
//! - [`exit`], [`failure`]: how a run ends; [`language`]: Chinese and English; [`lines`]: texts from a stream.

pub mod checked_file;
pub mod cli;
pub mod client;
pub mod columns;
pub mod commands;
pub mod exit;
pub mod failure;
pub mod files;
pub mod items;
pub mod language;
pub mod lines;
pub mod records;
pub mod report;
pub mod shapes;
pub mod state;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};

use clap::FromArgMatches;
use indicatif::ProgressDrawTarget;
use time::{Date, OffsetDateTime};

use cli::{CommandLine, CreditctlCommand};
use exit::Exit;
pub use failure::CommandFailure;
use language::Language;

/// Everything that a run needs from outside.
pub struct CommandContext<'a> {
    /// Whether the input is a terminal, so that the user gets a prompt.
    pub interactive: bool,
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub errors: &'a mut dyn Write,
    /// The moment of the call.
    pub now: OffsetDateTime,
    /// A variable of the environment.
    pub environment: &'a dyn Fn(&str) -> Option<String>,
    /// Where a progress bar is drawn; `None` without a terminal.
    pub terminal: Option<&'a dyn Fn() -> ProgressDrawTarget>,
}

impl fmt::Debug for CommandContext<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandContext")
            .field("interactive", &self.interactive)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl CommandContext<'_> {
    /// The day in Asia/Shanghai.
    pub fn today(&self) -> Date {
        legal_clock::shanghai_date(self.now)
    }

    /// Prints a notice on standard error; a failure to print is ignored.
    pub fn print_notice(&mut self, text: &str) {
        let _ = writeln!(self.errors, "creditctl: {text}");
    }
}

/// Runs one command line (the program's name first).
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    command_context: &mut CommandContext<'_>,
) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let language = Language::asked_for(&arguments);
    let parsed = cli::localised_command(language)
        .try_get_matches_from(&arguments)
        .and_then(|matches| CommandLine::from_arg_matches(&matches));
    let CommandLine { task, json, .. } = match parsed {
        Ok(arguments) => arguments,
        Err(refused) => return print_usage(&refused, command_context),
    };
    let output_style = commands::OutputStyle { language, json };
    let done = match task {
        CreditctlCommand::Identify(task) => {
            commands::identify::run(&task, language, command_context)
        }
        CreditctlCommand::Submit(task) => {
            commands::submit::run(&task, output_style, command_context)
        }
        CreditctlCommand::Lint(task) => commands::lint::run(&task, output_style, command_context),
        CreditctlCommand::Feedback(task) => {
            commands::feedback::run(&task, output_style, command_context)
        }
        CreditctlCommand::Status(task) => {
            commands::status::run_status(&task, output_style, command_context)
        }
        CreditctlCommand::Receipt(task) => {
            commands::status::run_receipt(&task, output_style, command_context)
        }
        CreditctlCommand::Revoke(task) => {
            commands::revoke::run_revoke(&task, output_style, command_context)
        }
        CreditctlCommand::Withdraw(task) => {
            commands::revoke::run_withdraw(&task, output_style, command_context)
        }
        CreditctlCommand::Nil(task) => commands::nil::run(&task, output_style, command_context),
        CreditctlCommand::Confirm(task) => {
            commands::confirm::run(&task, output_style, command_context)
        }
        CreditctlCommand::Completions(task) => commands::completions::run(&task, command_context),
    };
    match done {
        Ok(exit) => exit,
        Err(CommandFailure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            Exit::Good
        }
        Err(failure) => {
            if let (true, CommandFailure::Message(message)) = (json, &failure) {
                // A script reads the output; if that is closed, the exit code still reports the failure.
                let _ = report::write_error_line(command_context.output, message);
            }
            let said = language.failure(&failure);
            // If standard error is closed as well, the exit code still reports the failure.
            let _ = writeln!(command_context.errors, "creditctl: {said}");
            failure.exit()
        }
    }
}

/// Help and version go to the output, a wrong command line to the errors.
fn print_usage(refused: &clap::Error, command_context: &mut CommandContext<'_>) -> Exit {
    let text = refused.render();
    let stream = if refused.use_stderr() {
        &mut command_context.errors
    } else {
        &mut command_context.output
    };
    // A failure to write this cannot be reported anywhere.
    let _ = write!(stream, "{text}").and_then(|()| stream.flush());
    if refused.use_stderr() {
        Exit::Unable
    } else {
        Exit::Good
    }
}
