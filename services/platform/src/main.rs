//! The binary `credit`. Everything is in the library, so that the suites in `tests/` run the very
//! same program.

use std::process::ExitCode;

use tikv_jemallocator::Jemalloc;

/// Batches free by hundreds what they have allocated by hundreds, often on another thread; see README.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    platform::run_command_line(event_bus::FaultInjection::none())
}
