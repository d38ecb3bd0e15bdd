//! `creditctl lint`: the verdicts on a local file, by the code that gives them on receipt. What the platform
//! alone can know (other records, other providers) is not in them.

use std::sync::Arc;

use credit_record::{CheckContext, CreditCode, Verdict, check_record_as};
use legal_clock::{Calendar, WorkingDayTable, WorkingDays};

use super::OutputStyle;
use crate::checked_file::CheckedFile;
use crate::cli::Lint;
use crate::exit::Exit;
use crate::items;
use crate::language::say;
use crate::report::{FileReport, RowOutcome};
use crate::shapes::FindingShape;
use crate::{CommandContext, CommandFailure};

/// Runs the command.
///
/// # Errors
/// A file or item that cannot be used.
pub fn run(
    task: &Lint,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let language = output_style.language;
    let variable = || (command_context.environment)("CREDIT_PROVIDER");
    let provider = task.provider.clone().or_else(variable).ok_or_else(|| {
        CommandFailure::cannot_run(language.choose_text(
            "缺少报送单位的统一社会信用代码：请用 --provider 或环境变量 CREDIT_PROVIDER 给出",
            "no code of the reporting unit: give --provider or the variable CREDIT_PROVIDER",
        ))
    })?;
    if CreditCode::parse(&provider).is_err() {
        return Err(CommandFailure::cannot_run(say!(
            language,
            "“{provider}”不是正确的统一社会信用代码",
            "\"{provider}\" is no valid unified social credit code"
        )));
    }
    let today = task.today.unwrap_or_else(|| command_context.today());
    let item = items::find_item(&task.source, today, None, language)?;
    let checked = CheckedFile::open(&task.source, item, language, command_context)?;
    if let Some(text) = checked.duplicates_text(language) {
        command_context.print_notice(&text);
    }
    let calendar =
        Calendar::builtin().map_err(|error| CommandFailure::cannot_run(error.to_string()))?;
    let working_days: Arc<dyn WorkingDays> = Arc::new(WorkingDayTable::from_calendar(&calendar));
    let context = CheckContext {
        received_on: today,
        provider_code: &provider,
        working_days: &working_days,
        attestations: &[],
    };
    let errors = task.source.errors.clone();
    let mut report = FileReport::new(&checked, errors, output_style, &mut *command_context.output);
    let mut records = checked.records(language)?;
    while let Some((row, record)) = records.next_record()? {
        let verdict = check_record_as(checked.form(), &checked.item, &record.content, &context);
        let (verdict, findings) = match verdict {
            Verdict::Accepted(accepted) => ("accepted", accepted.warnings),
            Verdict::Returned(findings) => ("returned", findings),
        };
        let outcome = RowOutcome {
            verdict: Some(verdict),
            findings: findings.into_iter().map(FindingShape::from).collect(),
            ..RowOutcome::for_row(record.row)
        };
        report.write_row(&row, &record, &outcome)?;
    }
    checked.table.ensure_unchanged(language)?;
    report.finish()
}
