//! `creditctl confirm`: a named official answers for a returned record as it is.

use proto::credit::validation::v1::ConfirmRecordRequest;
use serde::Serialize;

use super::{OutputStyle, feedback};
use crate::cli::Confirm;
use crate::client::{PlatformClient, run_online};
use crate::exit::Exit;
use crate::report::{findings_text, write_json_line};
use crate::shapes::{CaseShape, FindingShape};
use crate::{CommandContext, CommandFailure};

/// The line of `--json`.
#[derive(Serialize)]
struct ConfirmLine {
    #[serde(rename = "type")]
    kind: &'static str,
    case: CaseShape,
    findings: Vec<FindingShape>,
}

/// Runs the command.
///
/// # Errors
/// The platform refuses, or cannot be reached.
pub fn run(
    task: &Confirm,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    run_online(async {
        let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
        let request = ConfirmRecordRequest {
            case_id: task.case.clone(),
            attester: task.attester.clone(),
            statement: task.statement.clone(),
        };
        let answer = platform
            .call_with_retry(request, async |request| {
                platform.validation().confirm_record(request).await
            })
            .await
            .map_err(|error| platform.failure(error))?;
        let case = CaseShape::from(answer.case.unwrap_or_default());
        let findings: Vec<FindingShape> = answer
            .findings
            .into_iter()
            .map(FindingShape::from)
            .collect();
        if output_style.json {
            let kind = "confirmed";
            let all = ConfirmLine {
                kind,
                case,
                findings,
            };
            write_json_line(command_context.output, &all)?;
        } else {
            let mut text = feedback::case_text(&case, output_style.language);
            text.push_str(&findings_text(&findings, output_style.language));
            write!(command_context.output, "{text}").map_err(CommandFailure::Write)?;
        }
        Ok(Exit::Good)
    })
}
