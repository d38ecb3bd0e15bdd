//! `creditctl feedback list` and `watch`: what came back, and each change of it when it happens.

use std::fs;
use std::path::Path;
use std::time::Duration;

use proto::credit::validation::v1::{
    ListFeedbackRequest, WatchFeedbackRequest, WatchFeedbackResponse,
};
use serde::Serialize;
use tonic::{Code, Status};

use super::OutputStyle;
use crate::cli::{Feedback, FeedbackList, FeedbackView, FeedbackWatch};
use crate::client::{CallError, PlatformClient, RetryTimer, is_transient, run_online};
use crate::exit::Exit;
use crate::language::{Language, say};
use crate::report::{findings_text, write_json_line};
use crate::shapes::{CaseShape, change_name, format_moment};
use crate::{CommandContext, CommandFailure};

/// Cases of one page.
const PAGE: u32 = 200;

/// The line of `list --json`.
#[derive(Serialize)]
struct CaseLine {
    #[serde(rename = "type")]
    kind_of_line: &'static str,
    #[serde(flatten)]
    case: CaseShape,
}

/// The line of `watch --json`.
#[derive(Serialize)]
struct ChangeLine {
    #[serde(rename = "type")]
    kind: &'static str,
    change: &'static str,
    changed_at: Option<String>,
    cursor: String,
    case: CaseShape,
}

/// Runs the command.
///
/// # Errors
/// The platform refuses, or cannot be reached.
pub fn run(
    task: &Feedback,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    match &task.view {
        FeedbackView::List(task) => run_online(list(task, output_style, command_context)),
        FeedbackView::Watch(task) => run_online(watch(task, output_style, command_context)),
    }
}

async fn list(
    task: &FeedbackList,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let language = output_style.language;
    let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
    let mut left = task.limit.unwrap_or(u64::MAX);
    let mut page_token = String::new();
    let (mut open, mut shown) = (false, 0_u64);
    loop {
        let request = ListFeedbackRequest {
            provider_code: String::new(),
            open_only: !task.all,
            page_size: PAGE,
            page_token,
        };
        let page = platform
            .call_with_retry(request, async |request| {
                platform.validation().list_feedback(request).await
            })
            .await
            .map_err(|error| platform.failure(error))?;
        for case in page.cases {
            if left == 0 {
                break;
            }
            left -= 1;
            shown += 1;
            let case = CaseShape::from(case);
            open |= case.state == "open";
            if output_style.json {
                let kind_of_line = "case";
                write_json_line(command_context.output, &CaseLine { kind_of_line, case })?;
            } else {
                let text = case_text(&case, language);
                write!(command_context.output, "{text}").map_err(CommandFailure::Write)?;
            }
        }
        page_token = page.next_page_token;
        if left == 0 || page_token.is_empty() {
            break;
        }
    }
    if !output_style.json && shown == 0 {
        let text = language.choose_text("没有待处理的反馈", "no feedback");
        writeln!(command_context.output, "{text}").map_err(CommandFailure::Write)?;
    }
    Ok(if open { Exit::Findings } else { Exit::Good })
}

/// Why watching ended.
enum WatchEnd {
    /// Nothing came for the time that was asked for.
    Idle,
    /// The stream broke.
    Broken(CallError),
}

async fn watch(
    task: &FeedbackWatch,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
    let mut cursor = match (&task.cursor, &task.cursor_file) {
        (Some(cursor), _) => cursor.clone(),
        (None, Some(path)) => load_cursor(path, output_style.language)?,
        (None, None) => String::new(),
    };
    let mut tries = RetryTimer::new(platform.retry_timeout);
    let mut reported = false;
    loop {
        let before = cursor.clone();
        let ended = follow(task, &platform, &mut cursor, output_style, command_context).await?;
        if cursor != before {
            tries.reset();
            reported = false;
        }
        match ended {
            WatchEnd::Idle => return Ok(Exit::Good),
            WatchEnd::Broken(CallError::Status(status)) if is_transient(&status) => {
                if !std::mem::replace(&mut reported, true) {
                    let said = status.message();
                    let text = say!(
                        output_style.language,
                        "连接中断（{said}），正在重试",
                        "the connection broke ({said}), trying again"
                    );
                    command_context.print_notice(&text);
                }
                if !tries.wait_before_retry().await {
                    return Err(platform.failure(CallError::Status(status)));
                }
            }
            WatchEnd::Broken(error) => return Err(platform.failure(error)),
        }
    }
}

/// One stream, from the cursor on.
async fn follow(
    task: &FeedbackWatch,
    platform: &PlatformClient,
    cursor: &mut String,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<WatchEnd, CommandFailure> {
    let request = platform.request(WatchFeedbackRequest {
        provider_code: String::new(),
        cursor: cursor.clone(),
    })?;
    let broken = |status: Status| Ok(WatchEnd::Broken(CallError::Status(Box::new(status))));
    let mut changes = match platform.validation().watch_feedback(request).await {
        Ok(changes) => changes.into_inner(),
        Err(status) => return broken(status),
    };
    loop {
        let next = match task.idle {
            Some(seconds) => {
                let limit = Duration::from_secs(seconds);
                match tokio::time::timeout(limit, changes.message()).await {
                    Ok(next) => next,
                    Err(_) => return Ok(WatchEnd::Idle),
                }
            }
            None => changes.message().await,
        };
        match next {
            Ok(Some(response)) => {
                let to = response.cursor.clone();
                print_change(response, output_style, command_context)?;
                *cursor = to;
                // Only after printing: a change is printed twice rather than never.
                if let Some(path) = &task.cursor_file {
                    store_cursor(path, cursor, output_style.language)?;
                }
            }
            // The platform ends it when it stops; it will be back.
            Ok(None) => return broken(Status::new(Code::Unavailable, "stream ended")),
            Err(status) => return broken(status),
        }
    }
}

fn print_change(
    response: WatchFeedbackResponse,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<(), CommandFailure> {
    let happened = change_name(response.change());
    let changed_at = response.changed_at.and_then(format_moment);
    let case = CaseShape::from(response.case.unwrap_or_default());
    if output_style.json {
        let all = ChangeLine {
            kind: "change",
            change: happened,
            changed_at,
            cursor: response.cursor,
            case,
        };
        write_json_line(command_context.output, &all)?;
    } else {
        let said = match happened {
            "opened" => output_style.language.choose_text("新反馈", "opened"),
            "reminded" => output_style.language.choose_text("催办", "reminded"),
            "overdue" => output_style.language.choose_text("已逾期", "overdue"),
            "closed" => output_style.language.choose_text("已办结", "closed"),
            _ => output_style.language.choose_text("变化", "changed"),
        };
        let at = changed_at.unwrap_or_default();
        let text = case_text(&case, output_style.language);
        write!(command_context.output, "{at} {said}\n{text}").map_err(CommandFailure::Write)?;
    }
    command_context
        .output
        .flush()
        .map_err(CommandFailure::Write)
}

fn load_cursor(path: &Path, language: Language) -> Result<String, CommandFailure> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(CommandFailure::cannot_read(language, path, &error)),
    }
}

/// By a second file, so that a kill leaves the one or the other and never half of one.
fn store_cursor(path: &Path, cursor: &str, language: Language) -> Result<(), CommandFailure> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".part");
    let done = fs::write(&partial, cursor).and_then(|()| fs::rename(&partial, path));
    done.map_err(|error| CommandFailure::cannot_write(language, path, &error))
}

/// A case as text.
pub(super) fn case_text(case: &CaseShape, language: Language) -> String {
    let state = match case.state {
        "open" if case.overdue => language.choose_text("逾期未改正", "open, overdue"),
        "open" => language.choose_text("待改正", "open"),
        "closed_by_rereport" => language.choose_text("已重新报送", "closed by a re-report"),
        "closed_by_confirmation" => language.choose_text("已确认", "closed by confirmation"),
        "closed_by_withdrawal" => language.choose_text("已撤回", "closed by withdrawal"),
        _ => language.choose_text("未知", "unknown"),
    };
    let kind = match case.kind {
        "contradicted" => language.choose_text("与其他单位不一致", "contradicted"),
        _ => language.choose_text("退回", "returned"),
    };
    let CaseShape {
        case_id,
        item_code,
        record_key,
        due_on,
        ledger_number,
        ..
    } = case;
    let provisional = if case.due_provisional {
        language.choose_text("（暂定）", " (provisional)")
    } else {
        ""
    };
    let mut text = say!(
        language,
        "{case_id} {kind}，{state}：{item_code} {record_key}（台账号 {ledger_number}），期限 {due_on}{provisional}\n",
        "{case_id} {kind}, {state}: {item_code} {record_key} (ledger number {ledger_number}), due {due_on}{provisional}\n"
    );
    text.push_str(&findings_text(&case.findings, language));
    text
}
