//! The binary `credit`. Everything is in the library, so that the suites in `tests/` run the very
//! same program.

use std::process::ExitCode;

fn main() -> ExitCode {
    platform::main(event_bus::Faults::none())
}
