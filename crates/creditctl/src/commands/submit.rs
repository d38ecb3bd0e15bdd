//! `creditctl submit`: a file's records, each under an id of its own, to their receipts and verdicts.

use std::time::Duration;

use futures::stream::{FuturesOrdered, StreamExt as _};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use proto::credit::ingest::v1::{GetReportingScopeRequest, Submission};
use proto::credit::validation::v1::{GetVerdictResponse, VerdictOutcome};
use sha2::{Digest, Sha256};
use tonic::Status;

use super::OutputStyle;
use crate::checked_file::{CheckedFile, FileRecords};
use crate::cli::Submit;
use crate::client::upload::{OutgoingRecord, UploadDriver, upload_records};
use crate::client::verdicts::{VerdictTimeout, await_verdict};
use crate::client::{PlatformClient, run_online};
use crate::exit::Exit;
use crate::files::FileRow;
use crate::items;
use crate::language::{Language, say};
use crate::records::FileRecord;
use crate::report::{FileReport, RowOutcome};
use crate::shapes::{FindingShape, RefusalShape};
use crate::state::{RowAnswer, UploadRun, UploadState};
use crate::{CommandContext, CommandFailure};

/// Longest name of a batch: with a slash and the row it has to fit into a submission id of 128 characters.
const MOST_BATCH: usize = 100;
/// Verdicts fetched at once.
const CONCURRENT_VERDICTS: usize = 64;
/// Answers after which the state is written even when more are at hand.
const FLUSH_AFTER_ANSWERS: u64 = 256;

/// Runs the command.
///
/// # Errors
/// A file that cannot be used, or a platform that cannot be reached.
pub fn run(
    task: &Submit,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    run_online(submit(task, output_style, command_context))
}

async fn submit(
    task: &Submit,
    output_style: OutputStyle,
    command_context: &mut CommandContext<'_>,
) -> Result<Exit, CommandFailure> {
    let language = output_style.language;
    let source = &task.source;
    if let Some(batch) = &task.batch
        && (batch.trim().is_empty()
            || batch.chars().count() > MOST_BATCH
            || batch.chars().any(char::is_control))
    {
        return Err(CommandFailure::cannot_run(say!(
            language,
            "批次名称须为1至{MOST_BATCH}个字符，不含控制字符",
            "the name of a batch has 1 to {MOST_BATCH} characters and no control characters"
        )));
    }
    let platform = PlatformClient::open(&task.connection, output_style, command_context)?;
    let scope = platform
        .call_with_retry(GetReportingScopeRequest {}, async |request| {
            platform.ingest().get_reporting_scope(request).await
        })
        .await
        .map_err(|error| platform.failure(error))?;
    let in_force = scope
        .items
        .iter()
        .find(|item| item.item_code == source.item)
        .map(|item| item.item_version);
    if in_force.is_none() {
        let (code, name) = (&source.item, &scope.provider_name);
        // Corrections of what was reported under an item that has ended are taken for ever: the platform decides.
        let text = say!(
            language,
            "{name} 目前没有可以新报的目录事项 {code}，只能更正此前报送的记录",
            "{name} can report nothing new of item {code}, only correct what it reported before"
        );
        command_context.print_notice(&text);
    }
    let today = command_context.today();
    let item = items::find_item(source, today, in_force, language)?;
    let checked = CheckedFile::open(source, item, language, command_context)?;
    if let Some(text) = checked.duplicates_text(language) {
        if !task.allow_duplicates {
            let hint = language.choose_text(
                "未发送任何内容；如后一行确为该记录的新版本，请加 --allow-duplicates",
                "nothing was sent; if a later row is a newer version of the record, say --allow-duplicates",
            );
            return Err(CommandFailure::cannot_run(format!("{text}; {hint}")));
        }
        command_context.print_notice(&text);
    }
    let content = checked.content_digest(source);
    let batch = task.batch.clone().unwrap_or_else(|| content.clone());
    let run = UploadRun::new(&batch, &content, &platform.endpoint, &scope.provider_code);
    let mut state = UploadState::open(&source.file, &run, language)?;
    if !state.answers.is_empty() {
        let (done, rows) = (state.answers.len(), checked.rows);
        let text = say!(
            language,
            "上次运行已取得{done}行的答复（共{rows}行），从中断处继续",
            "an earlier run has the answers to {done} of {rows} rows; going on there"
        );
        command_context.print_notice(&text);
    }
    let terminal = command_context.terminal.filter(|_| !output_style.json);
    let token = state.token.clone();
    let mut sending = SubmitUpload {
        records: checked.records(language)?,
        item_code: &source.item,
        item_version: source.item_version,
        batch: &batch,
        content_type: checked.form().content_type(),
        bar: progress_bar(
            terminal,
            checked.rows,
            state.answers.len() as u64,
            language,
            language.choose_text("报送", "sending"),
        ),
        state: &mut state,
        unflushed: 0,
        break_reported: false,
        language,
        command_context,
    };
    upload_records(&platform, token, &mut sending).await?;
    sending.bar.finish_and_clear();
    checked.table.ensure_unchanged(language)?;
    let judged = VerdictCollector {
        checked: &checked,
        state: &state,
        batch: &batch,
        bar: progress_bar(
            terminal.filter(|_| !task.no_wait),
            checked.rows,
            0,
            language,
            language.choose_text("校验", "verdicts"),
        ),
        waiting: (!task.no_wait).then(|| VerdictTimeout::new(Duration::from_secs(task.wait))),
        platform: &platform,
    };
    let errors = source.errors.clone();
    // Duplicates that were allowed are no fault.
    let mut report = FileReport::new(&checked, errors, output_style, &mut *command_context.output)
        .allowing_duplicates();
    judged.collect_verdicts(&mut report, language).await?;
    let done = report.pending() == 0;
    let exit = report.finish()?;
    if done {
        state.remove()?;
    }
    Ok(exit)
}

/// Why a row without a key is not sent.
fn missing_key_refusal() -> RefusalShape {
    RefusalShape {
        status: 0,
        reason: "RECORD_KEY_INVALID".to_owned(),
        field: "record_key".to_owned(),
        rule: "at least one part of the record's key is given".to_owned(),
        message: "记录主键的各列都为空或无法读取，该行未发送".to_owned(),
    }
}

struct SubmitUpload<'a, 's> {
    records: FileRecords<'a>,
    item_code: &'a str,
    item_version: u32,
    batch: &'a str,
    content_type: &'static str,
    state: &'a mut UploadState,
    bar: ProgressBar,
    unflushed: u64,
    break_reported: bool,
    language: Language,
    command_context: &'a mut CommandContext<'s>,
}

impl UploadDriver for SubmitUpload<'_, '_> {
    fn next_record(&mut self) -> Result<Option<OutgoingRecord>, CommandFailure> {
        while let Some((_, record)) = self.records.next_record()? {
            let Some(key) = record.key else {
                self.bar.inc(1);
                continue;
            };
            if self.state.answers.contains_key(&record.row) {
                continue;
            }
            let digest = Sha256::digest(&record.content);
            return Ok(Some(OutgoingRecord {
                row: record.row,
                submission: Submission {
                    submission_id: submission_id(self.batch, record.row),
                    item_code: self.item_code.to_owned(),
                    item_version: self.item_version,
                    record_key: key,
                    content_type: self.content_type.to_owned(),
                    content: record.content.into(),
                    content_sha256: digest.to_vec().into(),
                    ..Submission::default()
                },
            }));
        }
        Ok(None)
    }

    fn record_answer(
        &mut self,
        row: u64,
        answer: RowAnswer,
        token: &[u8],
    ) -> Result<(), CommandFailure> {
        self.break_reported = false;
        self.state.record_answer(row, answer, token)?;
        self.bar.inc(1);
        self.unflushed += 1;
        if self.unflushed >= FLUSH_AFTER_ANSWERS {
            self.flush_answers()?;
        }
        Ok(())
    }

    fn flush_answers(&mut self) -> Result<(), CommandFailure> {
        if self.unflushed > 0 {
            self.unflushed = 0;
            self.state.flush()?;
        }
        Ok(())
    }

    fn report_break(&mut self, status: &Status) {
        if std::mem::replace(&mut self.break_reported, true) {
            return;
        }
        let said = status.message();
        let text = say!(
            self.language,
            "连接中断（{said}），正在重试；已取得的回执有效",
            "the connection broke ({said}), trying again; receipts so far stand"
        );
        self.bar
            .suspend(|| self.command_context.print_notice(&text));
    }
}

fn submission_id(batch: &str, row: u64) -> String {
    format!("{batch}/{row}")
}

struct VerdictCollector<'a> {
    checked: &'a CheckedFile,
    state: &'a UploadState,
    batch: &'a str,
    bar: ProgressBar,
    /// `None`: not waited for.
    waiting: Option<VerdictTimeout>,
    platform: &'a PlatformClient,
}

impl VerdictCollector<'_> {
    /// All rows in their order, some verdicts fetched at once.
    async fn collect_verdicts(
        &self,
        report: &mut FileReport<'_>,
        language: Language,
    ) -> Result<(), CommandFailure> {
        let mut records = self.checked.records(language)?;
        let mut asked = FuturesOrdered::new();
        let mut ended = false;
        loop {
            while !ended && asked.len() < CONCURRENT_VERDICTS {
                match records.next_record()? {
                    Some((row, record)) => asked.push_back(self.row_outcome(row, record)),
                    None => ended = true,
                }
            }
            let Some(judged) = asked.next().await else {
                break;
            };
            let (row, record, outcome) = judged?;
            self.bar.inc(1);
            self.bar
                .suspend(|| report.write_row(&row, &record, &outcome))?;
        }
        self.bar.finish_and_clear();
        Ok(())
    }

    async fn row_outcome(
        &self,
        row: FileRow,
        record: FileRecord,
    ) -> Result<(FileRow, FileRecord, RowOutcome), CommandFailure> {
        let mut outcome = RowOutcome::for_row(record.row);
        match self.state.answers.get(&record.row) {
            None => {
                outcome.outcome = Some("not_sent");
                outcome.refusal = Some(missing_key_refusal());
            }
            Some(RowAnswer::Refused(refused)) => {
                outcome.submission_id = Some(submission_id(self.batch, record.row));
                outcome.outcome = Some("refused");
                outcome.refusal = Some((**refused).clone());
            }
            Some(RowAnswer::Receipt(kept)) => {
                outcome.submission_id = Some(submission_id(self.batch, record.row));
                outcome.outcome = Some(if kept.unchanged {
                    "unchanged"
                } else {
                    "accepted"
                });
                outcome.record_id = Some(kept.record.to_string());
                outcome.ledger_number = Some(kept.ledger);
                outcome.revision = Some(kept.revision);
                if let Some(waiting) = &self.waiting {
                    match await_verdict(self.platform, kept.record, waiting).await? {
                        Some(given) => apply_verdict(&mut outcome, given),
                        None => outcome.verdict = Some("pending"),
                    }
                }
            }
        }
        Ok((row, record, outcome))
    }
}

fn apply_verdict(outcome: &mut RowOutcome, given: GetVerdictResponse) {
    outcome.verdict = Some(match given.outcome() {
        VerdictOutcome::Returned => "returned",
        VerdictOutcome::Accepted | VerdictOutcome::Unspecified => "accepted",
    });
    outcome.findings = given.findings.into_iter().map(FindingShape::from).collect();
}

/// Where a bar is drawn, where anybody sees it.
type ProgressTerminal<'a> = Option<&'a dyn Fn() -> ProgressDrawTarget>;

/// How far it is, how fast it goes, how long it takes.
fn progress_bar(
    terminal: ProgressTerminal<'_>,
    rows: u64,
    done: u64,
    language: Language,
    what: &'static str,
) -> ProgressBar {
    let Some(draw) = terminal else {
        return ProgressBar::hidden();
    };
    let template = language.choose_text(
        "{msg} {wide_bar} {pos}/{len} {per_sec} 剩余 {eta}",
        "{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left",
    );
    // The template is a constant; a fault in it would show a plainer bar.
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(rows), draw()).with_style(style);
    bar.set_message(what);
    // What an earlier run did says nothing of how fast this one is.
    bar.set_position(done);
    bar.reset_eta();
    bar
}
