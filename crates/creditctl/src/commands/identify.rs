//! `creditctl identify`: codes from the arguments or, one a line, from standard input; one JSON object a line.

use std::io::{BufWriter, Read, Write};

use credit_record::id::{Identified, IdentifiedKind, identify_code};
use serde::Serialize;
use time::Date;

use crate::cli::Identify;
use crate::exit::Exit;
use crate::language::Language;
use crate::lines::{InputLine, InputLines};
use crate::{CommandContext, CommandFailure};

/// What is printed for a line that is no text; the fields of [`Identified`] in their order.
#[derive(Serialize)]
struct UnreadableLine<'a> {
    input: &'a str,
    kind: IdentifiedKind,
    valid: bool,
    canonical: Option<&'a str>,
    rule: &'static str,
    position: usize,
    suggestion: Option<&'a str>,
}

/// Name of the rule for bytes that are no UTF-8.
const UTF8: &str = "utf-8";
/// Name of the rule for a line that is too long, the same as for a code that is.
const LENGTH: &str = "length";
/// Bytes written at once when no reader waits for a single line.
const BUFFER: usize = 64 * 1024;

/// Runs the command.
///
/// # Errors
/// Only those of the streams; a code can never stop it.
pub fn run(
    task: &Identify,
    language: Language,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let today = task.today.unwrap_or_else(|| command_context.today());
    let mut checker = CodeChecker {
        today,
        explain: task.explain.then_some(language),
        output: BufWriter::with_capacity(BUFFER, &mut *command_context.output),
        errors: &mut *command_context.errors,
        exit: Exit::Good,
    };
    let done = if task.codes.is_empty() {
        if command_context.interactive {
            // A prompt only; input works without it.
            let _ = writeln!(checker.errors, "{}", language.waiting_notice());
        }
        checker.check_stream(&mut *command_context.input)
    } else {
        task.codes
            .iter()
            .try_for_each(|code| checker.check_code(code))
    };
    match done.and_then(|()| checker.output.flush().map_err(CommandFailure::Write)) {
        // The reader has seen enough; what was found so far still counts.
        Err(CommandFailure::Write(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => {
            let exit = checker.exit;
            // The reader of what is still buffered has gone.
            let _ = checker.output.into_parts();
            Ok(exit)
        }
        Err(failure) => Err(failure),
        Ok(()) => Ok(checker.exit),
    }
}

struct CodeChecker<'a> {
    today: Date,
    explain: Option<Language>,
    output: BufWriter<&'a mut dyn Write>,
    errors: &'a mut dyn Write,
    exit: Exit,
}

impl CodeChecker<'_> {
    fn check_stream(&mut self, input: &mut dyn Read) -> Result<(), CommandFailure> {
        let mut lines = InputLines::new(input);
        while let Some(line) = lines.next_line().map_err(CommandFailure::Read)? {
            match line {
                InputLine::Text(text) => self.check_code(&text)?,
                InputLine::NotUtf8 { lossy, position } => {
                    self.unreadable(&lossy, UTF8, position)?;
                    self.print_explanation(|language| language.not_utf8().to_owned());
                }
                InputLine::TooLong(start) => {
                    let shown: String = start.chars().take(80).collect();
                    let end = shown.chars().count();
                    self.unreadable(&shown, LENGTH, end)?;
                    self.print_explanation(|language| language.too_long().to_owned());
                }
            }
            // A program that writes line by line gets each answer before it writes the next line.
            if lines.is_drained() {
                self.output.flush().map_err(CommandFailure::Write)?;
            }
        }
        Ok(())
    }

    fn check_code(&mut self, text: &str) -> Result<(), CommandFailure> {
        let found = identify_code(text, self.today);
        self.print(&found)?;
        if !found.valid {
            self.exit = Exit::Findings;
        }
        if let Some(language) = self.explain {
            explain(language, &found, self.errors);
        }
        Ok(())
    }

    fn unreadable(
        &mut self,
        input: &str,
        rule: &'static str,
        position: usize,
    ) -> Result<(), CommandFailure> {
        self.exit = Exit::Findings;
        self.print(&UnreadableLine {
            input,
            kind: IdentifiedKind::Unknown,
            valid: false,
            canonical: None,
            rule,
            position,
            suggestion: None,
        })
    }

    fn print(&mut self, found: &impl Serialize) -> Result<(), CommandFailure> {
        serde_json::to_writer(&mut self.output, found)
            .map_err(|error| CommandFailure::Write(error.into()))?;
        self.output.write_all(b"\n").map_err(CommandFailure::Write)
    }

    fn print_explanation(&mut self, text: impl Fn(Language) -> String) {
        if let Some(language) = self.explain {
            // Explanations are an extra: the results on the output stay whole without them.
            let _ = writeln!(self.errors, "{}", text(language));
        }
    }
}

/// One line for a fault, one for each warning, each behind the code it is about.
fn explain(language: Language, found: &Identified<'_>, errors: &mut dyn Write) {
    let mut lines = Vec::new();
    if let Some(rule) = found.rule {
        let mut line = language.rule(rule).to_owned();
        if let Some(position) = found.position {
            line.push_str(&format!(" ({})", language.position_text(position)));
        }
        if let Some(better) = &found.suggestion {
            line.push_str(&format!("; {}", language.suggestion(better)));
        }
        lines.push(line);
    }
    lines.extend(
        found
            .warnings
            .iter()
            .map(|w| language.warning(*w).to_owned()),
    );
    for line in lines {
        let kind = language.kind(found.kind);
        // As above: an extra.
        let _ = writeln!(errors, "{}: {kind}: {line}", found.input);
    }
}
