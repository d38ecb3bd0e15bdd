//! `creditctl status` and `creditctl receipt`: what the platform knows of one submission.

use proto::credit::ingest::v1::{GetReceiptRequest, GetSubmissionStatusRequest, Receipt};
use proto::credit::validation::v1::{GetVerdictRequest, VerdictOutcome};
use serde::Serialize;
use tonic::Code;

use super::OutputStyle;
use crate::cli::SubmissionOptions;
use crate::client::{PlatformClient, run_online};
use crate::exit::Exit;
use crate::language::{Language, say};
use crate::report::{findings_text, write_json_line};
use crate::shapes::{FindingShape, ReceiptShape, status_name};
use crate::{CommandContext, CommandFailure};

/// The line of `receipt --json`.
#[derive(Serialize)]
struct ReceiptLine {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(flatten)]
    receipt: ReceiptShape,
}

/// The line of `status --json`.
#[derive(Serialize)]
struct StatusLine {
    #[serde(rename = "type")]
    kind: &'static str,
    receipt: ReceiptShape,
    standing: &'static str,
    current_revision: u64,
    current_operation: &'static str,
    verdict: &'static str,
    findings: Vec<FindingShape>,
}

/// Runs `receipt`.
///
/// # Errors
/// The platform does not know the submission, or cannot be reached.
pub fn run_receipt(
    task: &SubmissionOptions,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    run_online(async {
        let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
        let request = GetReceiptRequest {
            submission_id: task.submission_id.clone(),
        };
        let answer = platform
            .call_with_retry(request, async |request| {
                platform.ingest().get_receipt(request).await
            })
            .await
            .map_err(|error| platform.failure(error))?;
        let receipt = receipt_shape(answer.receipt, output_style.language)?;
        if output_style.json {
            let kind = "receipt";
            write_json_line(command_context.output, &ReceiptLine { kind, receipt })?;
        } else {
            let text = receipt_text(&receipt, output_style.language);
            writeln!(command_context.output, "{text}").map_err(CommandFailure::Write)?;
        }
        Ok(Exit::Good)
    })
}

/// Runs `status`.
///
/// # Errors
/// As [`run_receipt`].
pub fn run_status(
    task: &SubmissionOptions,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let language = output_style.language;
    run_online(async {
        let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
        let request = GetSubmissionStatusRequest {
            submission_id: task.submission_id.clone(),
        };
        let status = platform
            .call_with_retry(request, async |request| {
                platform.ingest().get_submission_status(request).await
            })
            .await
            .map_err(|error| platform.failure(error))?;
        let version_status = status_name(status.standing());
        let current_operation = match status.current_operation() {
            proto::credit::common::v1::Operation::Revoke => "revoke",
            proto::credit::common::v1::Operation::Withdraw => "withdraw",
            _ => "upsert",
        };
        let receipt = receipt_shape(status.receipt, language)?;
        let request = GetVerdictRequest {
            record_id: receipt.record_id.clone(),
        };
        let asked = platform
            .call_with_retry(request, async |request| {
                platform.validation().get_verdict(request).await
            })
            .await;
        let (verdict, findings, exit) = match asked {
            Ok(given) if given.outcome() == VerdictOutcome::Returned => {
                ("returned", given.findings, Exit::Findings)
            }
            Ok(given) => ("accepted", given.findings, Exit::Good),
            Err(error) if error.code() == Some(Code::NotFound) => {
                ("pending", Vec::new(), Exit::VerdictsPending)
            }
            Err(error) => return Err(platform.failure(error)),
        };
        let findings: Vec<FindingShape> = findings.into_iter().map(FindingShape::from).collect();
        let current = status.current_revision;
        if output_style.json {
            let all = StatusLine {
                kind: "status",
                receipt,
                standing: version_status,
                current_revision: current,
                current_operation,
                verdict,
                findings,
            };
            write_json_line(command_context.output, &all)?;
        } else {
            let mut text = receipt_text(&receipt, language);
            text.push_str(&version_status_text(version_status, current, language));
            text.push_str(verdict_text(verdict, language));
            text.push_str(&findings_text(&findings, language));
            write!(command_context.output, "{text}").map_err(CommandFailure::Write)?;
        }
        Ok(exit)
    })
}

/// The receipt, which the platform never leaves out.
pub(super) fn receipt_shape(
    receipt: Option<Receipt>,
    language: Language,
) -> Result<ReceiptShape, CommandFailure> {
    receipt.map(ReceiptShape::from).ok_or_else(|| {
        CommandFailure::with_exit(
            Exit::Unavailable,
            language.choose_text(
                "平台的应答中没有回执",
                "the platform's answer holds no receipt",
            ),
        )
    })
}

/// A receipt as text.
pub(super) fn receipt_text(receipt: &ReceiptShape, language: Language) -> String {
    let ReceiptShape {
        submission_id,
        record_id,
        ledger_number,
        revision,
        content_sha256,
        received_at,
        ..
    } = receipt;
    let at = received_at.as_deref().unwrap_or("-");
    let outcome = match receipt.outcome {
        "unchanged" => language.choose_text("内容未变", "unchanged"),
        _ => language.choose_text("已受理", "accepted for processing"),
    };
    say!(
        language,
        "申报 {submission_id}：{outcome}\n  台账号 {ledger_number}，记录 {record_id}，第{revision}版\n  接收时间 {at}\n  内容摘要 SHA-256 {content_sha256}\n",
        "submission {submission_id}: {outcome}\n  ledger number {ledger_number}, record {record_id}, revision {revision}\n  received {at}\n  content SHA-256 {content_sha256}\n"
    )
}

fn version_status_text(version_status: &str, current: u64, language: Language) -> String {
    let said = match version_status {
        "current" => language.choose_text("现行版本", "the current version"),
        "superseded" => language.choose_text("已被新版本取代", "superseded by a newer version"),
        "revoked" => language.choose_text("记录已被撤销或撤回", "revoked or withdrawn since"),
        _ => language.choose_text("未知", "unknown"),
    };
    say!(
        language,
        "  状态：{said}（现行为第{current}版）\n",
        "  standing: {said} (current revision {current})\n"
    )
}

fn verdict_text(verdict: &str, language: Language) -> &'static str {
    match verdict {
        "returned" => language.choose_text("  结论：退回\n", "  verdict: returned\n"),
        "accepted" => language.choose_text("  结论：通过\n", "  verdict: accepted\n"),
        _ => language.choose_text("  结论：尚未作出\n", "  verdict: not given yet\n"),
    }
}
