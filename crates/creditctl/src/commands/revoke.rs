//! `creditctl revoke` and `creditctl withdraw`: a record is taken back, with its reason. Both are submissions like
//! others and get a receipt.

use proto::credit::common::v1::Operation;
use proto::credit::ingest::v1::{Submission, SubmitRecordRequest};
use serde::Serialize;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{OutputStyle, status};
use crate::cli::TakeBackOptions;
use crate::client::{PlatformClient, run_online};
use crate::exit::Exit;
use crate::language::say;
use crate::report::write_json_line;
use crate::shapes::ReceiptShape;
use crate::{CommandContext, CommandFailure};

/// The line of `--json`.
#[derive(Serialize)]
struct TakeBackLine {
    #[serde(rename = "type")]
    kind: &'static str,
    operation: &'static str,
    #[serde(flatten)]
    receipt: ReceiptShape,
}

/// Runs `revoke`.
///
/// # Errors
/// The platform refuses, or cannot be reached.
pub fn run_revoke(
    task: &TakeBackOptions,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    take_back(task, Operation::Revoke, output_style, command_context)
}

/// Runs `withdraw`.
///
/// # Errors
/// As [`run_revoke`].
pub fn run_withdraw(
    task: &TakeBackOptions,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    take_back(task, Operation::Withdraw, output_style, command_context)
}

fn take_back(
    task: &TakeBackOptions,
    operation: Operation,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let language = output_style.language;
    let reason = task.reason.trim();
    let length = reason.chars().count();
    if !(2..=2000).contains(&length) {
        return Err(CommandFailure::cannot_run(say!(
            language,
            "原因须为2至2000个字符，现为{length}个",
            "a reason has 2 to 2000 characters, this one {length}"
        )));
    }
    // A new id for each call: the record may be reported and taken back again, for the same reason.
    let id = match &task.id {
        Some(id) => id.clone(),
        None => Uuid::new_v4().to_string(),
    };
    run_online(async {
        let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
        let request = SubmitRecordRequest {
            submission: Some(Submission {
                submission_id: id.clone(),
                item_code: task.item.clone(),
                record_key: task.key.clone(),
                content_type: "text/plain".to_owned(),
                content_sha256: Sha256::digest(reason.as_bytes()).to_vec().into(),
                content: reason.as_bytes().to_vec().into(),
                operation: operation.into(),
                ..Submission::default()
            }),
        };
        let asked = platform
            .call_with_retry(request, async |request| {
                platform.ingest().submit_record(request).await
            })
            .await
            .map_err(|error| platform.failure(error));
        let answer = match asked {
            Ok(answer) => answer,
            Err(failure) => {
                if failure.exit() == Exit::Unavailable {
                    let text = say!(
                        language,
                        "是否已受理尚不确定；用 --id {id} 重复同一命令不会重复办理",
                        "whether it was taken is not known; the same command with --id {id} does nothing twice"
                    );
                    command_context.print_notice(&text);
                }
                return Err(failure);
            }
        };
        let receipt = status::receipt_shape(answer.receipt, language)?;
        if output_style.json {
            let operation = match operation {
                Operation::Withdraw => "withdraw",
                _ => "revoke",
            };
            let kind = "receipt";
            let all = TakeBackLine {
                kind,
                operation,
                receipt,
            };
            write_json_line(command_context.output, &all)?;
        } else {
            let text = status::receipt_text(&receipt, language);
            write!(command_context.output, "{text}").map_err(CommandFailure::Write)?;
        }
        Ok(Exit::Good)
    })
}
