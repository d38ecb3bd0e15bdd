//! The report on a file: each row as JSON or for people, the error file, the sums. Called by `submit` and `lint`,
//! which report a row in the same form.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use serde::Serialize;

use crate::CommandFailure;
use crate::checked_file::CheckedFile;
use crate::commands::OutputStyle;
use crate::exit::Exit;
use crate::failure::FailureMessage;
use crate::files::FileRow;
use crate::files::errors::{ErrorFile, RowFaults};
use crate::language::{Language, say};
use crate::records::FileRecord;
use crate::shapes::{FindingShape, RefusalShape};

/// Failed rows that are printed for people; the error file has all.
const MAX_PRINTED_ROWS: u64 = 10;

/// What became of a row. The fields are those of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowOutcome {
    /// Always `row`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Number of the row in the input.
    pub row: u64,
    /// Id under which it was sent.
    pub submission_id: Option<String>,
    /// On receipt: `accepted`, `unchanged`, `refused`, `not_sent`; `None` for a local check.
    pub outcome: Option<&'static str>,
    /// The version.
    pub record_id: Option<String>,
    /// Number in the ledger.
    pub ledger_number: Option<u64>,
    /// Revision of the record.
    pub revision: Option<u64>,
    /// `accepted`, `returned`, `pending`; `None` where there is or will be none.
    pub verdict: Option<&'static str>,
    /// Why it was refused or not sent.
    pub refusal: Option<RefusalShape>,
    /// What was found, errors first.
    pub findings: Vec<FindingShape>,
}

impl RowOutcome {
    /// Of a row of which nothing is known yet.
    pub fn for_row(row: u64) -> Self {
        Self {
            kind: "row",
            row,
            submission_id: None,
            outcome: None,
            record_id: None,
            ledger_number: None,
            revision: None,
            verdict: None,
            refusal: None,
            findings: Vec::new(),
        }
    }

    fn has_failed(&self) -> bool {
        self.refusal.is_some() || self.verdict == Some("returned")
    }
}

/// The sums. The fields are those of `--json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FileSummary {
    /// Always `summary`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The input.
    pub file: String,
    /// Rows that hold records.
    pub rows: u64,
    /// Rows with a receipt.
    pub receipts: u64,
    /// Those of them whose content the platform had already.
    pub unchanged: u64,
    /// Rows refused on receipt.
    pub refused: u64,
    /// Rows that were not sent.
    pub not_sent: u64,
    /// Verdicts: accepted.
    pub accepted: u64,
    /// Verdicts: returned.
    pub returned: u64,
    /// Verdicts that did not come in time.
    pub pending: u64,
    /// Accepted rows with warnings.
    pub with_warnings: u64,
    /// Rows that bear the key of an earlier one.
    pub duplicates: u64,
    /// Failed rows by code, warnings not counted.
    pub failed_by_code: BTreeMap<String, u64>,
    /// Accepted rows by code of a warning.
    pub warned_by_code: BTreeMap<String, u64>,
    /// Where the failed rows are.
    pub error_file: Option<String>,
    /// The exit code.
    pub exit: u8,
}

/// Collects the outcomes of the rows.
pub struct FileReport<'a> {
    checked: &'a CheckedFile,
    output_style: OutputStyle,
    output: BufWriter<&'a mut dyn Write>,
    chosen: Option<PathBuf>,
    errors: Option<ErrorFile>,
    failed: u64,
    duplicates_fail: bool,
    summary: FileSummary,
}

impl std::fmt::Debug for FileReport<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileReport")
            .field("summary", &self.summary)
            .finish_non_exhaustive()
    }
}

impl<'a> FileReport<'a> {
    /// About a file.
    pub fn new(
        checked: &'a CheckedFile,
        chosen: Option<PathBuf>,
        output_style: OutputStyle,
        output: &'a mut dyn Write,
    ) -> Self {
        Self {
            summary: FileSummary {
                kind: "summary",
                file: checked.table.path.display().to_string(),
                duplicates: checked.duplicates.len() as u64,
                ..FileSummary::default()
            },
            output: BufWriter::new(output),
            errors: None,
            failed: 0,
            duplicates_fail: true,
            checked,
            output_style,
            chosen,
        }
    }

    /// Rows with the key of an earlier one are meant so.
    pub fn allowing_duplicates(mut self) -> Self {
        self.duplicates_fail = false;
        self
    }

    /// One row.
    ///
    /// # Errors
    /// Output or error file cannot be written.
    pub fn write_row(
        &mut self,
        row: &FileRow,
        record: &FileRecord,
        outcome: &RowOutcome,
    ) -> Result<(), CommandFailure> {
        self.count(outcome);
        if self.output_style.json {
            write_json_line(&mut self.output, outcome)?;
        }
        if !outcome.has_failed() {
            return Ok(());
        }
        self.failed += 1;
        if !self.output_style.json && self.failed <= MAX_PRINTED_ROWS {
            let text = row_text(outcome, self.output_style.language);
            writeln!(self.output, "{text}").map_err(CommandFailure::Write)?;
        }
        let language = self.output_style.language;
        let errors = match &mut self.errors {
            Some(errors) => errors,
            none => none.insert(ErrorFile::begin(
                self.checked,
                self.chosen.as_deref(),
                language,
            )?),
        };
        let key = record.key.as_deref().unwrap_or_default();
        errors.add(
            self.checked,
            row,
            &record.content,
            key,
            &faults(outcome, language),
        )
    }

    fn count(&mut self, outcome: &RowOutcome) {
        let sums = &mut self.summary;
        sums.rows += 1;
        match outcome.outcome {
            Some("refused") => sums.refused += 1,
            Some("not_sent") => sums.not_sent += 1,
            Some(door) => {
                sums.receipts += 1;
                sums.unchanged += u64::from(door == "unchanged");
            }
            None => {}
        }
        match outcome.verdict {
            Some("accepted") => sums.accepted += 1,
            Some("returned") => sums.returned += 1,
            Some(_) => sums.pending += 1,
            None => {}
        }
        let failed = outcome.has_failed();
        let mut codes: Vec<&str> = (outcome.findings.iter())
            .filter(|found| found.is_error() || !failed)
            .map(|found| found.code.as_str())
            .chain(outcome.refusal.iter().map(|r| r.reason.as_str()))
            .collect();
        codes.sort_unstable();
        codes.dedup();
        if !failed && !codes.is_empty() {
            sums.with_warnings += 1;
        }
        let by_code = if failed {
            &mut sums.failed_by_code
        } else {
            &mut sums.warned_by_code
        };
        for code in codes {
            *by_code.entry(code.to_owned()).or_default() += 1;
        }
    }

    /// Verdicts that did not come in time.
    pub fn pending(&self) -> u64 {
        self.summary.pending
    }

    /// The sums, and how the run ended.
    ///
    /// # Errors
    /// Output or error file cannot be written.
    pub fn finish(mut self) -> Result<Exit, CommandFailure> {
        let place = self.errors.take().map(ErrorFile::finish).transpose()?;
        self.summary.error_file = place.map(|place| place.display().to_string());
        let exit = if self.failed > 0 || (self.duplicates_fail && self.summary.duplicates > 0) {
            Exit::Findings
        } else if self.summary.pending > 0 {
            Exit::VerdictsPending
        } else {
            Exit::Good
        };
        self.summary.exit = exit.code();
        if self.output_style.json {
            write_json_line(&mut self.output, &self.summary)?;
        } else {
            let text = summary_text(&self.summary, self.failed, self.output_style.language);
            write!(self.output, "{text}").map_err(CommandFailure::Write)?;
        }
        self.output.flush().map_err(CommandFailure::Write)?;
        Ok(exit)
    }
}

/// One JSON object and a line end.
///
/// # Errors
/// The stream cannot be written.
pub fn write_json_line(
    output: &mut dyn Write,
    value: &impl Serialize,
) -> Result<(), CommandFailure> {
    let text = serde_json::to_string(value).map_err(|error| CommandFailure::Write(error.into()))?;
    writeln!(output, "{text}").map_err(CommandFailure::Write)
}

/// A failure for scripts.
///
/// # Errors
/// The stream cannot be written.
pub fn write_error_line(output: &mut dyn Write, failure: &FailureMessage) -> io::Result<()> {
    #[derive(Serialize)]
    struct ErrorLine<'a> {
        #[serde(rename = "type")]
        kind: &'static str,
        exit: u8,
        reason: &'a str,
        field: &'a str,
        message: &'a str,
    }
    let text = serde_json::to_string(&ErrorLine {
        kind: "error",
        exit: failure.exit.code(),
        reason: &failure.reason,
        field: &failure.field,
        message: &failure.text,
    })?;
    writeln!(output, "{text}")?;
    output.flush()
}

/// What an officer reads in the error file: errors first, warnings marked as such.
fn faults(outcome: &RowOutcome, language: Language) -> RowFaults {
    let mut faults = RowFaults::default();
    let mut add = |field: &str, code: &str, text: String, suggestion: &str| {
        faults.fields.push(field.to_owned());
        faults.codes.push(code.to_owned());
        faults.texts.push(text);
        faults.suggestions.push(suggestion.to_owned());
    };
    if let Some(refused) = &outcome.refusal {
        add("", &refused.reason, refused.message.clone(), "");
    }
    for found in &outcome.findings {
        let text = found_text(found, language);
        add(
            found.field.as_deref().unwrap_or_default(),
            &found.code,
            text,
            found.suggestion.as_deref().unwrap_or_default(),
        );
    }
    faults
}

/// A finding's text, marked where it is a warning only.
fn found_text(found: &FindingShape, language: Language) -> String {
    let message = &found.message;
    if found.is_error() {
        message.clone()
    } else {
        say!(language, "（提示）{message}", "(warning) {message}")
    }
}

/// Findings for people, one a line.
pub fn findings_text(findings: &[FindingShape], language: Language) -> String {
    let mut text = String::new();
    for found in findings {
        let code = &found.code;
        let field = found
            .field
            .as_deref()
            .map_or_else(String::new, |field| format!(" {field}"));
        let said = found_text(found, language);
        text.push_str(&format!("  {code}{field}: {said}"));
        if let Some(better) = &found.suggestion {
            text.push_str(&say!(language, "；建议：{better}", "; suggested: {better}"));
        }
        text.push('\n');
    }
    text
}

fn row_text(outcome: &RowOutcome, language: Language) -> String {
    let row = outcome.row;
    let mut text = say!(language, "第{row}行：\n", "row {row}:\n");
    if let Some(refused) = &outcome.refusal {
        text.push_str(&format!("  {}: {}\n", refused.reason, refused.message));
    }
    text.push_str(&findings_text(&outcome.findings, language));
    text.trim_end().to_owned()
}

fn summary_text(sums: &FileSummary, failed: u64, language: Language) -> String {
    let mut text = String::new();
    if failed > MAX_PRINTED_ROWS {
        let more = failed - MAX_PRINTED_ROWS;
        text.push_str(&say!(
            language,
            "……另有{more}行未列出\n",
            "… and {more} rows more\n"
        ));
    }
    let rows = sums.rows;
    text.push_str(&say!(language, "共{rows}行", "{rows} rows"));
    let mut part = |count: u64, zh: &str, en: &str| {
        if count > 0 {
            text.push_str(&match language {
                Language::Zh => format!("，{zh}{count}"),
                Language::En => format!(", {en} {count}"),
            });
        }
    };
    part(sums.receipts, "取得回执", "receipts");
    part(sums.unchanged, "其中内容未变", "of these unchanged");
    part(sums.refused, "拒收", "refused");
    part(sums.not_sent, "未发送", "not sent");
    part(sums.accepted, "校验通过", "accepted");
    part(sums.returned, "退回", "returned");
    part(sums.pending, "尚无结论", "without a verdict yet");
    part(sums.with_warnings, "有提示", "with warnings");
    text.push('\n');
    for (code, count) in sums.failed_by_code.iter().chain(&sums.warned_by_code) {
        text.push_str(&format!("  {code} {count}\n"));
    }
    if let Some(file) = &sums.error_file {
        text.push_str(&say!(
            language,
            "有问题的行已写入 {file}：请在原处改正后直接报送该文件\n",
            "the rows at fault are in {file}: correct them there and submit that file\n"
        ));
    }
    if sums.pending > 0 {
        text.push_str(language.choose_text(
            "尚无结论的记录已安全接收；稍后再次运行同一命令即可取得结论\n",
            "records without a verdict are safely received; the same command fetches it later\n",
        ));
    }
    text
}
