//! The departments' tool: what an officer or a department's own program runs before and after a report.
//! Called by `main.rs` and by the tests; everything from outside (arguments, streams, time) is handed in.
//!
//! - [`mod@cli`]: the arguments, in two languages;
//! - [`commands`]: one module a command;
//! - [`exit`]: what the exit codes mean;
//! - [`language`]: Chinese and English texts about codes;
//! - [`lines`]: texts from a stream, one a line, whatever its bytes are.

pub mod cli;
pub mod commands;
pub mod exit;
pub mod language;
pub mod lines;

use std::ffi::OsString;
use std::fmt;
use std::io::{self, Read, Write};

use clap::FromArgMatches;
use time::{Date, OffsetDateTime, UtcOffset};

use cli::{Arguments, Task};
use exit::Exit;
use language::Language;

/// Everything that a run needs from outside.
pub struct Surroundings<'a> {
    /// Whether somebody sits at the input, who should be told that it is waited for.
    pub interactive: bool,
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub errors: &'a mut dyn Write,
    /// The moment of the call.
    pub now: OffsetDateTime,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Surroundings")
            .field("interactive", &self.interactive)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl Surroundings<'_> {
    /// The day in Asia/Shanghai, which has had one offset since 1991.
    pub fn today(&self) -> Date {
        let shanghai = UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC);
        self.now.to_offset(shanghai).date()
    }
}

/// Why a command could not do its work. A broken pipe is none: whoever reads has seen enough.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Standard input could not be read.
    #[error("reading standard input")]
    Read(#[source] io::Error),
    /// Standard output could not be written.
    #[error("writing standard output")]
    Write(#[source] io::Error),
}

/// Runs one command line (the program's name first).
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    surroundings: &mut Surroundings<'_>,
) -> Exit {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let language = Language::asked_for(&arguments);
    let parsed = cli::command(language)
        .try_get_matches_from(&arguments)
        .and_then(|matches| Arguments::from_arg_matches(&matches));
    let Arguments { task, .. } = match parsed {
        Ok(arguments) => arguments,
        Err(refused) => return answer(&refused, surroundings),
    };
    let done = match task {
        Task::Identify(task) => commands::identify::run(&task, language, surroundings),
    };
    match done {
        Ok(exit) => exit,
        Err(Failure::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Good,
        Err(failure) => {
            let said = language.failure(&failure);
            // Where standard error is gone as well, the exit code still tells it.
            let _ = writeln!(surroundings.errors, "creditctl: {said}");
            Exit::Unable
        }
    }
}

/// Help and version go to the output, a wrong command line to the errors.
fn answer(refused: &clap::Error, surroundings: &mut Surroundings<'_>) -> Exit {
    let text = refused.render();
    let stream = if refused.use_stderr() {
        &mut surroundings.errors
    } else {
        &mut surroundings.output
    };
    // Nobody is left to be told when this cannot be written.
    let _ = write!(stream, "{text}").and_then(|()| stream.flush());
    if refused.use_stderr() {
        Exit::Unable
    } else {
        Exit::Good
    }
}
