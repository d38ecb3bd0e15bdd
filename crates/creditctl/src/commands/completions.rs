//! `creditctl completions`: what a shell completes while somebody types.

use crate::cli::{self, Completions};
use crate::exit::Exit;
use crate::language::Language;
use crate::{CommandContext, CommandFailure};

/// Runs the command.
///
/// # Errors
/// The output cannot be written.
pub fn run(
    task: &Completions,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let mut script = Vec::new();
    // The English help: many terminals of servers show nothing else.
    let mut command = cli::localised_command(Language::En);
    clap_complete::generate(task.shell, &mut command, "creditctl", &mut script);
    command_context
        .output
        .write_all(&script)
        .map_err(CommandFailure::Write)?;
    Ok(Exit::Good)
}
