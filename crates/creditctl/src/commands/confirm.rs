//! `creditctl confirm`: a named official answers for a returned record as it is.

use proto::credit::validation::v1::ConfirmRecordRequest;
use serde::Serialize;

use super::{Voice, feedback};
use crate::cli::Confirm;
use crate::client::{Platform, online};
use crate::exit::Exit;
use crate::report::{findings_for_people, line};
use crate::shapes::{CaseShape, Found};
use crate::{Failure, Surroundings};

/// The line of `--json`.
#[derive(Serialize)]
struct ConfirmLine {
    #[serde(rename = "type")]
    kind: &'static str,
    case: CaseShape,
    findings: Vec<Found>,
}

/// Runs the command.
///
/// # Errors
/// The platform refuses, or cannot be reached.
pub fn run(
    task: &Confirm,
    voice: Voice,
    surroundings: &mut Surroundings<'_>,
) -> Result<Exit, Failure> {
    online(async {
        let platform = Platform::open(&task.connection, voice, surroundings)?;
        let request = ConfirmRecordRequest {
            case_id: task.case.clone(),
            attester: task.attester.clone(),
            statement: task.statement.clone(),
        };
        let answer = platform
            .ask(request, async |request| {
                platform.validation().confirm_record(request).await
            })
            .await
            .map_err(|error| platform.failure(error))?;
        let case = CaseShape::from(answer.case.unwrap_or_default());
        let findings: Vec<Found> = answer.findings.into_iter().map(Found::from).collect();
        if voice.json {
            let kind = "confirmed";
            let all = ConfirmLine {
                kind,
                case,
                findings,
            };
            line(surroundings.output, &all)?;
        } else {
            let mut text = feedback::for_people(&case, voice.language);
            text.push_str(&findings_for_people(&findings, voice.language));
            write!(surroundings.output, "{text}").map_err(Failure::Write)?;
        }
        Ok(Exit::Good)
    })
}
