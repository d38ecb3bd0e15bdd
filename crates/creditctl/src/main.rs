//! The program `creditctl`: hands its arguments, streams and the time to the library. Called by people.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use creditctl::{Surroundings, run};
use time::OffsetDateTime;

fn main() -> ExitCode {
    let stdin = io::stdin();
    let mut surroundings = Surroundings {
        interactive: stdin.is_terminal(),
        input: &mut stdin.lock(),
        output: &mut io::stdout().lock(),
        errors: &mut io::stderr().lock(),
        now: OffsetDateTime::now_utc(),
    };
    run(std::env::args_os(), &mut surroundings).into()
}
