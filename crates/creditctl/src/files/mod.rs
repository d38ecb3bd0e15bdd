//! The departments' files: CSV, Excel and JSON by line, read row by row, and the error file in the same format.
//! Called by [`crate::checked_file`] and the commands.
//!
//! CSV and JSON are streamed. A workbook is compressed as a whole and has to be read as a whole.

mod csv;
pub mod encoding;
pub mod errors;
mod xlsx;

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sha2::{Digest, Sha256};

use crate::CommandFailure;
use crate::cli::{Encoding, SourceOptions};
use crate::language::{Language, say};
use crate::lines::InputLines;

use encoding::{DecodingReader, EncodingGuess, EncodingProbe};

/// Longest line of a JSON file that is read; a record may have 1 MiB.
const MOST_LINE: usize = 1 << 21;
/// Bytes read at once.
const BUFFER: usize = 64 * 1024;

/// Format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma separated, with a header.
    Csv,
    /// Excel.
    Xlsx,
    /// One JSON object a line.
    Jsonl,
}

impl FileFormat {
    /// By the end of the name.
    pub fn from_path(path: &Path) -> Option<Self> {
        let end = path.extension()?.to_str()?.to_ascii_lowercase();
        match end.as_str() {
            "csv" => Some(Self::Csv),
            "xlsx" => Some(Self::Xlsx),
            "jsonl" | "ndjson" => Some(Self::Jsonl),
            _ => None,
        }
    }
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// As a spreadsheet or an editor counts it, from 1.
    pub number: u64,
    /// What stands there.
    pub body: RowBody,
}

/// What a row holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowBody {
    /// Cells of a table.
    Cells(Vec<String>),
    /// A line without its end, whatever its bytes are.
    Line(Vec<u8>),
}

impl RowBody {
    /// Whether nothing stands there.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Cells(cells) => cells.iter().all(|cell| cell.trim().is_empty()),
            Self::Line(bytes) => bytes.trim_ascii().is_empty(),
        }
    }
}

/// A file that was probed and can be read as often as wanted.
#[derive(Debug)]
pub struct InputFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its format.
    pub kind: FileFormat,
    /// SHA-256 of its bytes.
    pub digest: [u8; 32],
    /// Encoding of a CSV file.
    pub encoding: Encoding,
    /// The encoding was detected from the bytes and is not UTF-8: worth a notice.
    pub guessed: bool,
    /// A CSV file begins with a byte-order mark.
    pub marked: bool,
    sheet: Option<xlsx::WorkbookSheet>,
    stamp: (u64, Option<SystemTime>),
}

impl InputFile {
    /// Looks at all bytes once: digest, encoding; a workbook is read.
    ///
    /// # Errors
    /// Not to be read, of no known format, or in an encoding that is none of the two.
    pub fn open(source: &SourceOptions, language: Language) -> Result<Self, CommandFailure> {
        let path = &source.file;
        let reading =
            |error: &dyn std::fmt::Display| CommandFailure::cannot_read(language, path, error);
        let shown = path.display();
        let Some(kind) = FileFormat::from_path(path) else {
            return Err(CommandFailure::cannot_run(say!(
                language,
                "无法识别文件 {shown} 的格式：请使用 .csv、.xlsx 或 .jsonl 文件（旧版 .xls 请另存为 .xlsx）",
                "{shown}: the format is unknown; use .csv, .xlsx or .jsonl (save .xls as .xlsx)"
            )));
        };
        let stamp = stamp(path).map_err(|error| reading(&error))?;
        let mut file = File::open(path).map_err(|error| reading(&error))?;
        let mut digest = Sha256::new();
        let mut probe = (kind == FileFormat::Csv).then(EncodingProbe::default);
        let mut buffer = vec![0; BUFFER];
        let mut start = Vec::new();
        loop {
            let read = file.read(&mut buffer).map_err(|error| reading(&error))?;
            if read == 0 {
                break;
            }
            let bytes = &buffer[..read];
            digest.update(bytes);
            if start.len() < 3 {
                start.extend(bytes.iter().take(3));
            }
            if let Some(probe) = &mut probe {
                probe.push(bytes);
            }
        }
        let (encoding, guessed) = match probe {
            Some(probe) => encoding_of(source.encoding, probe.finish(), path, language)?,
            None => (Encoding::Utf8, false),
        };
        let sheet = match kind {
            FileFormat::Xlsx => Some(xlsx::WorkbookSheet::open(
                path,
                source.sheet.as_deref(),
                language,
            )?),
            FileFormat::Csv | FileFormat::Jsonl => None,
        };
        Ok(Self {
            path: path.clone(),
            kind,
            digest: digest.finalize().into(),
            encoding,
            guessed,
            marked: start.starts_with(encoding::BOM),
            sheet,
            stamp,
        })
    }

    /// Name of the sheet that is read.
    pub fn sheet(&self) -> Option<&str> {
        self.sheet.as_ref().map(|sheet| sheet.name.as_str())
    }

    /// Fails when the file was changed since it was opened: what was checked would not be what is sent.
    ///
    /// # Errors
    /// Changed, or removed.
    pub fn ensure_unchanged(&self, language: Language) -> Result<(), CommandFailure> {
        let now =
            stamp(&self.path).map_err(|e| CommandFailure::cannot_read(language, &self.path, &e))?;
        if now == self.stamp {
            return Ok(());
        }
        let shown = self.path.display();
        Err(CommandFailure::cannot_run(say!(
            language,
            "文件 {shown} 在处理过程中被修改，请保存并关闭后重新运行",
            "{shown} was changed while it was worked on: save and close it, then run this again"
        )))
    }

    /// All rows that are not blank, the header among them.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn rows(&self, language: Language) -> Result<FileRows<'_>, CommandFailure> {
        let open = || {
            File::open(&self.path)
                .map_err(|error| CommandFailure::cannot_read(language, &self.path, &error))
        };
        let reader = match (&self.sheet, self.kind) {
            (Some(sheet), _) => RowReader::Xlsx(sheet.rows()),
            (None, FileFormat::Jsonl) => {
                RowReader::Jsonl(InputLines::with_most(open()?, MOST_LINE))
            }
            (None, _) => RowReader::Csv(csv::NumberedCsvReader::new(DecodingReader::new(
                open()?,
                self.encoding,
            ))),
        };
        Ok(FileRows {
            path: &self.path,
            language,
            reader,
        })
    }
}

fn stamp(path: &Path) -> std::io::Result<(u64, Option<SystemTime>)> {
    let data = fs::metadata(path)?;
    Ok((data.len(), data.modified().ok()))
}

/// The encoding to read by, and whether it was guessed.
fn encoding_of(
    wanted: Option<Encoding>,
    guess: EncodingGuess,
    path: &Path,
    language: Language,
) -> Result<(Encoding, bool), CommandFailure> {
    let shown = path.display();
    let refused = |text| Err(CommandFailure::cannot_run(text));
    match (wanted, guess) {
        (Some(Encoding::Utf8) | None, EncodingGuess::Utf8) => Ok((Encoding::Utf8, false)),
        (None, EncodingGuess::Gb18030) => Ok((Encoding::Gb18030, true)),
        // What reads as UTF-8 throughout can still be meant as GB18030; an encoding given by the user is taken if the
        // bytes allow it.
        (
            Some(Encoding::Gb18030),
            EncodingGuess::Gb18030 | EncodingGuess::Utf8 | EncodingGuess::DamagedUtf8(_),
        ) => Ok((Encoding::Gb18030, false)),
        (_, EncodingGuess::Utf16) => refused(say!(
            language,
            "文件 {shown} 是UTF-16编码（“Unicode文本”），请另存为“CSV UTF-8（逗号分隔）”",
            "{shown} is UTF-16 (\"Unicode text\"): save it as \"CSV UTF-8\""
        )),
        (_, EncodingGuess::DamagedUtf8(line)) => refused(say!(
            language,
            "文件 {shown} 大部分是UTF-8编码，但第{line}行有无法识别的字节，请检查该行并另存为UTF-8；如确为GB18030，请加 --encoding gb18030",
            "{shown} is UTF-8 for the most part, but line {line} is damaged: look at it and save as UTF-8, or say --encoding gb18030"
        )),
        (Some(Encoding::Utf8), EncodingGuess::Gb18030 | EncodingGuess::Neither(_)) => {
            refused(say!(
                language,
                "文件 {shown} 不是UTF-8编码，请另存为UTF-8，或去掉 --encoding 由程序判断",
                "{shown} is not UTF-8: save it as UTF-8, or leave --encoding out"
            ))
        }
        (_, EncodingGuess::Neither(line)) => refused(say!(
            language,
            "文件 {shown} 既不是UTF-8也不是GB18030编码（第{line}行起无法识别），请另存为“CSV UTF-8（逗号分隔）”",
            "{shown} is neither UTF-8 nor GB18030 (from line {line} on): save it as \"CSV UTF-8\""
        )),
    }
}

/// Rows of a file one after the other.
#[derive(Debug)]
pub struct FileRows<'a> {
    path: &'a Path,
    language: Language,
    reader: RowReader<'a>,
}

#[derive(Debug)]
enum RowReader<'a> {
    Csv(csv::NumberedCsvReader<DecodingReader<File>>),
    Xlsx(xlsx::SheetRows<'a>),
    Jsonl(InputLines<File>),
}

impl FileRows<'_> {
    /// The next row that is not blank.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_row(&mut self) -> Result<Option<FileRow>, CommandFailure> {
        loop {
            match self.read()? {
                Some(row) if row.body.is_blank() => {}
                other => return Ok(other),
            }
        }
    }

    fn read(&mut self) -> Result<Option<FileRow>, CommandFailure> {
        let failed = |error: &dyn std::fmt::Display| {
            Err(CommandFailure::cannot_read(self.language, self.path, error))
        };
        match &mut self.reader {
            RowReader::Csv(reader) => match reader.next_row() {
                Ok(row) => Ok(row.map(|(number, cells)| FileRow {
                    number,
                    body: RowBody::Cells(cells),
                })),
                Err(error) => failed(&error),
            },
            RowReader::Xlsx(rows) => Ok(rows.next()),
            RowReader::Jsonl(lines) => {
                let line = match lines.next_raw() {
                    Ok(None) => return Ok(None),
                    Ok(Some(line)) => line.to_vec(),
                    Err(error) => return failed(&error),
                };
                Ok(Some(FileRow {
                    number: lines.number(),
                    body: RowBody::Line(line),
                }))
            }
        }
    }
}
