//! The error file: the rows that failed, in the input's own format and encoding, with what is wrong in added columns in
//! front. Called by [`crate::report`].
//!
//! One line a record, however much is wrong with it, so that an officer corrects it in place and sends the file again:
//! the added columns are passed over then, except 记录主键, by which the correction belongs to what was returned even
//! when the field at fault is part of the key.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use credit_record::export::csv_line;
use rust_xlsxwriter::{Color, Format, Workbook, Worksheet, XlsxError};
use serde_json::value::{RawValue, to_raw_value};

use crate::CommandFailure;
use crate::checked_file::CheckedFile;
use crate::cli::Encoding;
use crate::columns::{ADDED, ColumnRole, ORIGINAL};
use crate::files::encoding::BOM;
use crate::files::{FileFormat, FileRow, RowBody};
use crate::language::Language;
use crate::records::JsonObject;

/// Built-in number format of text cells.
const TEXT: u8 = 49;

/// What is wrong with a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RowFaults {
    /// Fields, one for each fault.
    pub fields: Vec<String>,
    /// Codes.
    pub codes: Vec<String>,
    /// Texts.
    pub texts: Vec<String>,
    /// Suggestions; empty where there is none.
    pub suggestions: Vec<String>,
}

impl RowFaults {
    fn cells(&self, row: u64, key: &str) -> [String; 6] {
        [
            row.to_string(),
            joined(&self.fields, false),
            joined(&self.codes, false),
            joined(&self.texts, true),
            joined(&self.suggestions, true),
            key.to_owned(),
        ]
    }
}

/// Several as one cell: codes once each; texts with the number of the fault that they belong to.
fn joined(parts: &[String], numbered: bool) -> String {
    if !numbered {
        let mut once: Vec<&str> = Vec::new();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            if !once.contains(&part.as_str()) {
                once.push(part);
            }
        }
        return once.join(";");
    }
    if let [only] = parts {
        return only.clone();
    }
    let numbered = parts
        .iter()
        .enumerate()
        .filter(|(_, part)| !part.is_empty());
    let numbered: Vec<String> = numbered.map(|(at, p)| format!("{}. {p}", at + 1)).collect();
    numbered.join("　")
}

/// An error file that is being written.
#[derive(Debug)]
pub struct ErrorFile {
    language: Language,
    target: PathBuf,
    /// Whether the target may be overwritten: the user named this very file.
    chosen: bool,
    partial: PathBuf,
    writer: ErrorFileWriter,
    /// Columns of the input that are kept.
    kept: Vec<usize>,
}

enum ErrorFileWriter {
    Csv {
        file: BufWriter<File>,
        encoding: Encoding,
    },
    Jsonl(BufWriter<File>),
    Xlsx {
        book: Box<Workbook>,
        next: u32,
    },
}

impl std::fmt::Debug for ErrorFileWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Csv { .. } => "Csv",
            Self::Jsonl(_) => "Jsonl",
            Self::Xlsx { .. } => "Xlsx",
        })
    }
}

impl ErrorFile {
    /// Begins the error file of an input.
    ///
    /// # Errors
    /// Cannot be written.
    pub fn begin(
        checked: &CheckedFile,
        chosen: Option<&Path>,
        language: Language,
    ) -> Result<Self, CommandFailure> {
        let target = chosen.map_or_else(|| error_file_path(&checked.table.path, 1), Path::to_owned);
        let partial = with_suffix(&target, ".part");
        let create = || {
            let file = File::create(&partial);
            file.map_err(|error| CommandFailure::cannot_write(language, &partial, &error))
        };
        let layout = checked.layout();
        let keep =
            |column: &ColumnRole| !matches!(column, ColumnRole::Added | ColumnRole::RecordKey);
        let kept = layout.columns.iter().enumerate();
        let kept = kept.filter(|(_, c)| keep(c)).map(|(at, _)| at).collect();
        let writer = match checked.table.kind {
            FileFormat::Csv => ErrorFileWriter::Csv {
                file: BufWriter::new(create()?),
                encoding: checked.table.encoding,
            },
            FileFormat::Jsonl => ErrorFileWriter::Jsonl(BufWriter::new(create()?)),
            FileFormat::Xlsx => {
                let mut book = Workbook::new();
                let sheet = book.add_worksheet();
                let name = checked.table.sheet().unwrap_or("Sheet1");
                // A name that another program allowed and this one does not is no reason to fail.
                let _ = sheet.set_name(name);
                ErrorFileWriter::Xlsx {
                    book: Box::new(book),
                    next: 0,
                }
            }
        };
        let mut file = Self {
            language,
            target,
            chosen: chosen.is_some(),
            partial,
            writer,
            kept,
        };
        let done = file.header(checked);
        done.map_err(|error| CommandFailure::cannot_write(language, &file.partial, &error))?;
        Ok(file)
    }

    fn header(&mut self, checked: &CheckedFile) -> io::Result<()> {
        if checked.table.marked
            && let ErrorFileWriter::Csv { file, .. } = &mut self.writer
        {
            file.write_all(BOM)?;
        }
        let which = self.which();
        for (at, row) in checked.header.iter().enumerate() {
            let names = ADDED.map(|names| if at == 0 { names[which] } else { "" });
            let names = names.map(str::to_owned);
            self.table_row(&names, row, &[], true)?;
        }
        Ok(())
    }

    fn which(&self) -> usize {
        match self.language {
            Language::Zh => 0,
            Language::En => 1,
        }
    }

    /// Adds a row that failed. `content` is the record without what an earlier error file added.
    ///
    /// # Errors
    /// Cannot be written.
    pub fn add(
        &mut self,
        checked: &CheckedFile,
        row: &FileRow,
        content: &[u8],
        key: &str,
        faults: &RowFaults,
    ) -> Result<(), CommandFailure> {
        let added = faults.cells(row.number, key);
        let done = match &row.body {
            RowBody::Line(_) => self.line(&added, content),
            RowBody::Cells(_) => {
                let item = checked.item.item();
                let marked: Vec<usize> = (faults.fields.iter())
                    .filter_map(|code| checked.layout().place_of(item.position(code)?))
                    .collect();
                self.table_row(&added, row, &marked, false)
            }
        };
        done.map_err(|error| CommandFailure::cannot_write(self.language, &self.partial, &error))
    }

    fn line(&mut self, added: &[String; 6], content: &[u8]) -> io::Result<()> {
        let which = self.which();
        let ErrorFileWriter::Jsonl(file) = &mut self.writer else {
            return Ok(());
        };
        let raw = |text: &str| to_raw_value(text).map_err(io::Error::from);
        let mut pairs: Vec<(String, Box<RawValue>)> = Vec::new();
        for (names, cell) in ADDED.iter().zip(added) {
            pairs.push((names[which].to_owned(), raw(cell)?));
        }
        let object = std::str::from_utf8(content).ok();
        match object.and_then(|text| serde_json::from_str::<JsonObject>(text).ok()) {
            Some(JsonObject(own)) => pairs.extend(own),
            None => {
                let text = String::from_utf8_lossy(content);
                pairs.push((ORIGINAL[which].to_owned(), raw(&text)?));
            }
        }
        serde_json::to_writer(&mut *file, &JsonObject(pairs))?;
        file.write_all(b"\n")
    }

    fn table_row(
        &mut self,
        added: &[String; 6],
        row: &FileRow,
        marked: &[usize],
        header: bool,
    ) -> io::Result<()> {
        let RowBody::Cells(cells) = &row.body else {
            return Ok(());
        };
        let last = self.kept.last().map_or(0, |at| at + 1);
        let own = (self.kept.iter().map(|at| (*at, cells.get(*at))))
            // A cell too much is shown where it stands.
            .chain(
                (last..cells.len())
                    .filter(|at| !self.kept.contains(at))
                    .map(|at| (at, cells.get(at))),
            )
            .take_while(|(_, cell)| cell.is_some())
            .map(|(at, cell)| (at, cell.map_or("", String::as_str)));
        match &mut self.writer {
            ErrorFileWriter::Csv { file, encoding } => {
                let line = csv_line(added.iter().map(String::as_str).chain(own.map(|(_, c)| c)));
                match encoding {
                    Encoding::Utf8 => file.write_all(line.as_bytes()),
                    Encoding::Gb18030 => {
                        let (bytes, _, _) = encoding_rs::GB18030.encode(&line);
                        file.write_all(&bytes)
                    }
                }
            }
            ErrorFileWriter::Xlsx { book, next } => {
                let sheet = book.worksheet_from_index(0).map_err(io::Error::other)?;
                let own: Vec<(usize, &str)> = own.collect();
                sheet_row(sheet, *next, added, &own, marked, header).map_err(io::Error::other)?;
                *next += 1;
                Ok(())
            }
            ErrorFileWriter::Jsonl(_) => Ok(()),
        }
    }

    /// Completes the file and gives it its name, which is never that of another file next to the input: somebody may
    /// be working on that.
    ///
    /// # Errors
    /// Cannot be written.
    pub fn finish(self) -> Result<PathBuf, CommandFailure> {
        let Self {
            language,
            target,
            chosen,
            partial,
            writer,
            ..
        } = self;
        let failed =
            |error: &dyn std::fmt::Display| CommandFailure::cannot_write(language, &target, error);
        match writer {
            ErrorFileWriter::Csv { mut file, .. } | ErrorFileWriter::Jsonl(mut file) => {
                file.flush().map_err(|error| failed(&error))?;
            }
            ErrorFileWriter::Xlsx { mut book, .. } => {
                if let Ok(sheet) = book.worksheet_from_index(0) {
                    // Only for the eye.
                    let _ = sheet.set_freeze_panes(1, 1);
                }
                book.save(&partial).map_err(|error| failed(&error))?;
            }
        }
        let place = if chosen {
            target.clone()
        } else {
            free_path(&target, &partial).map_err(|error| failed(&error))?
        };
        fs::rename(&partial, &place).map_err(|error| failed(&error))?;
        Ok(place)
    }
}

/// The first name that is free, or whose file has the same content.
fn free_path(target: &Path, partial: &Path) -> io::Result<PathBuf> {
    let new = fs::read(partial)?;
    let mut number = 1;
    let mut place = target.to_owned();
    while place.exists() && fs::read(&place)? != new {
        number += 1;
        place = numbered_error_path(target, number);
    }
    Ok(place)
}

fn sheet_row(
    sheet: &mut Worksheet,
    row: u32,
    added: &[String; 6],
    own: &[(usize, &str)],
    marked: &[usize],
    header: bool,
) -> Result<(), XlsxError> {
    let text = Format::new().set_num_format_index(TEXT);
    let head = text.clone().set_bold();
    let wrong = text.clone().set_background_color(Color::RGB(0x00FF_C7CE));
    let plain = if header { &head } else { &text };
    let mut column = 0;
    for cell in added {
        sheet.write_string_with_format(row, column, cell, plain)?;
        column += 1;
    }
    for (at, cell) in own {
        let format = if marked.contains(at) { &wrong } else { plain };
        sheet.write_string_with_format(row, column, *cell, format)?;
        column += 1;
    }
    Ok(())
}

/// `penalties.errors.csv` next to `penalties.csv`; of an error file the next, `penalties.errors-2.csv`.
fn error_file_path(input: &Path, number: u32) -> PathBuf {
    let stem = input.file_stem().unwrap_or_default().to_string_lossy();
    let end = input.extension().unwrap_or_default().to_string_lossy();
    let (stem, number) = match stem.rsplit_once(".errors") {
        Some((stem, "")) => (stem, number + 1),
        Some((stem, earlier)) if earlier.starts_with('-') => {
            let earlier = earlier[1..].parse::<u32>().unwrap_or(1);
            (stem, number + earlier)
        }
        _ => (&*stem, number),
    };
    let counted = if number == 1 {
        String::new()
    } else {
        format!("-{number}")
    };
    input.with_file_name(format!("{stem}.errors{counted}.{end}"))
}

fn numbered_error_path(target: &Path, number: u32) -> PathBuf {
    // The name was made by `error_file_path`, which reads its own names.
    error_file_path(target, number - 1)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_on_and_never_repeat() {
        let of = |input: &str| error_file_path(Path::new(input), 1).display().to_string();
        assert_eq!(of("/a/处罚.csv"), "/a/处罚.errors.csv");
        assert_eq!(of("/a/处罚.errors.csv"), "/a/处罚.errors-2.csv");
        assert_eq!(of("/a/处罚.errors-2.csv"), "/a/处罚.errors-3.csv");
        assert_eq!(of("x.y.xlsx"), "x.y.errors.xlsx");
        let third = numbered_error_path(Path::new("a.errors-2.csv"), 2);
        assert_eq!(third, Path::new("a.errors-3.csv"));
    }

    #[test]
    fn several_faults_are_one_line() {
        let texts = |parts: &[&str]| -> Vec<String> {
            parts.iter().map(|part| (*part).to_owned()).collect()
        };
        let faults = RowFaults {
            fields: texts(&["A", "B", "A"]),
            codes: texts(&["X", "X", "Y"]),
            texts: texts(&["一", "二", "三"]),
            suggestions: texts(&["", "改", ""]),
        };
        assert_eq!(
            faults.cells(7, "k"),
            ["7", "A;B", "X;Y", "1. 一　2. 二　3. 三", "2. 改", "k"]
        );
    }
}
