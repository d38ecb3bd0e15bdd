//! `creditctl nil`: there was nothing to report (零报告). The id follows from item and period, so that the same
//! declaration counts once however often it is made.

use credit_record::normalise::format_day;
use proto::credit::ingest::v1::ReportNilRequest;
use serde::Serialize;

use super::OutputStyle;
use crate::cli::NilOptions;
use crate::client::{PlatformClient, run_online};
use crate::exit::Exit;
use crate::language::say;
use crate::report::write_json_line;
use crate::shapes::format_moment;
use crate::{CommandContext, CommandFailure};

/// The line of `--json`.
#[derive(Serialize)]
struct NilLine {
    #[serde(rename = "type")]
    kind: &'static str,
    submission_id: String,
    report_id: String,
    provider_code: String,
    item_code: String,
    period_from: String,
    period_to: String,
    received_at: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// The platform refuses, or cannot be reached.
pub fn run(
    task: &NilOptions,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let language = output_style.language;
    if task.from > task.to {
        return Err(CommandFailure::cannot_run(language.choose_text(
            "起始日期晚于截止日期",
            "the first day is after the last",
        )));
    }
    let (from, to) = (format_day(task.from), format_day(task.to));
    let item = &task.item;
    run_online(async {
        let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
        let request = ReportNilRequest {
            submission_id: format!("nil/{item}/{from}/{to}"),
            item_code: item.clone(),
            period_from: from.clone(),
            period_to: to.clone(),
        };
        let answer = platform
            .call_with_retry(request, async |request| {
                platform.ingest().report_nil(request).await
            })
            .await
            .map_err(|error| platform.failure(error))?;
        let report = answer.report.unwrap_or_default();
        if output_style.json {
            let all = NilLine {
                kind: "nil",
                submission_id: report.submission_id,
                report_id: report.report_id,
                provider_code: report.provider_code,
                item_code: report.item_code,
                period_from: report.period_from,
                period_to: report.period_to,
                received_at: report.received_at.and_then(format_moment),
            };
            write_json_line(command_context.output, &all)?;
        } else {
            let id = report.report_id;
            let text = say!(
                language,
                "零报告已受理：{item}，{from} 至 {to}，编号 {id}",
                "nil report taken: {item}, {from} to {to}, number {id}"
            );
            writeln!(command_context.output, "{text}").map_err(CommandFailure::Write)?;
        }
        Ok(Exit::Good)
    })
}
