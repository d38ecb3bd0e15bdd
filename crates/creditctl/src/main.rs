//! The program `creditctl`: hands its arguments, environment, streams and the time to the library. Called by people.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use creditctl::{CommandContext, run};
use indicatif::ProgressDrawTarget;
use time::OffsetDateTime;

fn main() -> ExitCode {
    let stdin = io::stdin();
    let stderr = io::stderr();
    let watched = stderr.is_terminal();
    let mut command_context = CommandContext {
        interactive: stdin.is_terminal(),
        input: &mut stdin.lock(),
        output: &mut io::stdout().lock(),
        // Not locked: the progress bar writes there, too.
        errors: &mut { stderr },
        now: OffsetDateTime::now_utc(),
        environment: &|name| std::env::var(name).ok(),
        terminal: watched.then_some(&ProgressDrawTarget::stderr as &dyn Fn() -> ProgressDrawTarget),
    };
    run(std::env::args_os(), &mut command_context).into()
}
