//! A file checked as a whole before anything is sent or judged: columns, keys, rows, and the name of the run that
//! follows from all of it. Called by `submit` and `lint`.

use std::collections::HashMap;
use std::sync::Arc;

use credit_record::item::{ItemVersion, Requirement};
use credit_record::{CompiledItem, ContentForm};
use sha2::{Digest, Sha256};

use crate::cli::{Encoding, SourceOptions};
use crate::columns::{ColumnLayout, ColumnRole};
use crate::files::{FileFormat, FileRow, FileRows, InputFile, RowBody};
use crate::language::{Language, say};
use crate::records::{FileRecord, NoSuchKey, RecordBuilder};
use crate::{CommandContext, CommandFailure};

/// Pairs of rows that are named one by one.
const MAX_NAMED_PAIRS: usize = 20;

/// A file that can be sent or judged.
#[derive(Debug)]
pub struct CheckedFile {
    /// The file.
    pub table: InputFile,
    /// The item that its rows are records of.
    pub item: Arc<CompiledItem>,
    /// Rows of the header; empty for JSON.
    pub header: Vec<FileRow>,
    /// Rows that hold records.
    pub rows: u64,
    /// Rows that bear the key of an earlier one, with that one.
    pub duplicates: Vec<(u64, u64)>,
    recorder: RecordBuilder,
}

impl CheckedFile {
    /// Looks at a file.
    ///
    /// # Errors
    /// What makes the file unusable, in the words of the caller's language.
    pub fn open(
        source: &SourceOptions,
        item: Arc<CompiledItem>,
        language: Language,
        command_context: &mut CommandContext<'_>,
    ) -> Result<Self, CommandFailure> {
        let table = InputFile::open(source, language)?;
        let shown = table.path.display().to_string();
        if table.guessed {
            let text = say!(
                language,
                "{shown} 不是UTF-8，已按GB18030读取；如有乱码请用 --encoding 指定",
                "{shown} is not UTF-8 and is read as GB18030; use --encoding if it comes out garbled"
            );
            command_context.print_notice(&text);
        }
        let mut rows = table.rows(language)?;
        let (header, recorder) = match table.kind {
            FileFormat::Jsonl => (Vec::new(), RecordBuilder::lines(item.item(), &source.keys)),
            FileFormat::Csv | FileFormat::Xlsx => {
                header(&mut rows, source, item.item(), &shown, language)?
            }
        };
        let mut checked = Self {
            header,
            item,
            rows: 0,
            duplicates: Vec::new(),
            recorder,
            table,
        };
        checked.missing_columns(language, command_context);
        checked.scan(language)?;
        if checked.rows == 0 {
            return Err(CommandFailure::cannot_run(say!(
                language,
                "文件 {shown} 中没有记录",
                "{shown} holds no records"
            )));
        }
        Ok(checked)
    }

    /// Keys, and values in columns without a name.
    fn scan(&mut self, language: Language) -> Result<(), CommandFailure> {
        let nameless: Vec<usize> = (self.recorder.layout().columns.iter().enumerate())
            .filter(|(_, column)| **column == ColumnRole::Nameless)
            .map(|(at, _)| at)
            .collect();
        // By digests, so that a large file takes no more than some bytes a row.
        let mut seen: HashMap<[u8; 16], u64> = HashMap::new();
        let mut count = 0;
        let mut duplicates = Vec::new();
        let mut records = self.records(language)?;
        while let Some((row, record)) = records.next_record()? {
            count += 1;
            if let RowBody::Cells(cells) = &row.body {
                let said = |at: &&usize| cells.get(**at).is_some_and(|c| !c.trim().is_empty());
                if let Some(at) = nameless.iter().find(said) {
                    let (column, row) = (at + 1, row.number);
                    return Err(CommandFailure::cannot_run(say!(
                        language,
                        "第{column}列没有列名，但第{row}行在该列有内容",
                        "column {column} has no name, and row {row} has something in it"
                    )));
                }
            }
            if let Some(key) = &record.key {
                let mut digest = [0; 16];
                digest.copy_from_slice(&Sha256::digest(key.as_bytes())[..16]);
                match seen.get(&digest) {
                    Some(first) => duplicates.push((record.row, *first)),
                    None => {
                        seen.insert(digest, record.row);
                    }
                }
            }
        }
        self.rows = count;
        self.duplicates = duplicates;
        Ok(())
    }

    /// A column of a field that every record must give: only a notice, for each row will report it, too.
    fn missing_columns(&self, language: Language, command_context: &mut CommandContext<'_>) {
        if self.table.kind == FileFormat::Jsonl {
            return;
        }
        let item = self.item.item();
        let missing: Vec<&str> = (item.fields.iter().enumerate())
            .filter(|(_, field)| field.required == Requirement::Always)
            .filter(|(at, _)| self.recorder.layout().place_of(*at).is_none())
            .map(|(_, field)| field.code.as_str())
            .collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            let text = say!(
                language,
                "文件缺少必填字段的列：{missing}",
                "the file has no column for fields that every record must give: {missing}"
            );
            command_context.print_notice(&text);
        }
    }

    /// Says which rows bear the same key; `None` when none do.
    pub fn duplicates_text(&self, language: Language) -> Option<String> {
        if self.duplicates.is_empty() {
            return None;
        }
        let pairs: Vec<String> = self.duplicates[..self.duplicates.len().min(MAX_NAMED_PAIRS)]
            .iter()
            .map(|(row, first)| {
                say!(
                    language,
                    "第{row}行与第{first}行",
                    "row {row} and row {first}"
                )
            })
            .collect();
        let (count, pairs) = (
            self.duplicates.len(),
            pairs.join(language.choose_text("、", ", ")),
        );
        let more = if count > MAX_NAMED_PAIRS {
            language.choose_text("等", " and others")
        } else {
            ""
        };
        Some(say!(
            language,
            "文件中有{count}行的记录主键与前面的行相同：{pairs}{more}",
            "{count} rows bear the key of an earlier row: {pairs}{more}"
        ))
    }

    /// The columns of a table.
    pub fn layout(&self) -> &ColumnLayout {
        self.recorder.layout()
    }

    /// Form of the contents.
    pub fn form(&self) -> ContentForm {
        self.recorder.form()
    }

    /// The records, from the first row behind the header on.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn records(&self, language: Language) -> Result<FileRecords<'_>, CommandFailure> {
        let mut rows = self.table.rows(language)?;
        for _ in &self.header {
            rows.next_row()?;
        }
        Ok(FileRecords {
            rows,
            checked: self,
        })
    }

    /// Names what is sent: the bytes of the file and everything that decides what is made of them. The same file
    /// gives the same name whenever and wherever it is sent again.
    pub fn content_digest(&self, source: &SourceOptions) -> String {
        let mut digest = Sha256::new();
        let mut part = |bytes: &[u8]| {
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        };
        part(b"creditctl/1");
        part(&self.table.digest);
        part(source.item.as_bytes());
        part(&source.item_version.to_be_bytes());
        part(match self.table.encoding {
            Encoding::Utf8 => b"utf-8",
            Encoding::Gb18030 => b"gb18030",
        });
        part(self.table.sheet().unwrap_or_default().as_bytes());
        for key in &source.keys {
            part(key.trim().as_bytes());
        }
        hex::encode(&digest.finalize()[..16])
    }
}

/// Records one after the other, with their rows.
#[derive(Debug)]
pub struct FileRecords<'a> {
    rows: FileRows<'a>,
    checked: &'a CheckedFile,
}

impl FileRecords<'_> {
    /// The next one.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn next_record(&mut self) -> Result<Option<(FileRow, FileRecord)>, CommandFailure> {
        let Some(row) = self.rows.next_row()? else {
            return Ok(None);
        };
        let record = self.checked.recorder.record(self.checked.item.item(), &row);
        Ok(Some((row, record)))
    }
}

/// Reads the header: one row, or the two of the catalogue's templates.
fn header(
    rows: &mut FileRows<'_>,
    source: &SourceOptions,
    item: &ItemVersion,
    shown: &str,
    language: Language,
) -> Result<(Vec<FileRow>, RecordBuilder), CommandFailure> {
    let Some(first) = rows.next_row()? else {
        return Err(CommandFailure::cannot_run(say!(
            language,
            "文件 {shown} 是空的",
            "{shown} is empty"
        )));
    };
    let cells = |row: &FileRow| match &row.body {
        RowBody::Cells(cells) => cells.clone(),
        RowBody::Line(_) => Vec::new(),
    };
    let layout = ColumnLayout::from_header(item, &cells(&first), &source.keys).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|f| f.text(language)).collect();
        let faults = faults.join(language.choose_text("；", "; "));
        let (code, version) = (&item.code, item.version);
        CommandFailure::cannot_run(say!(
            language,
            "文件 {shown} 的列名与目录事项 {code} v{version} 不符，未发送任何内容：{faults}",
            "the columns of {shown} do not fit item {code} v{version}, nothing was sent: {faults}"
        ))
    })?;
    let mut header = vec![first];
    if let Some(second) = rows.next_row()? {
        let repeated = ColumnLayout::from_header(item, &cells(&second), &source.keys);
        if repeated.is_ok_and(|other| other.same_fields(&layout)) {
            header.push(second);
        }
    }
    let recorder = RecordBuilder::table(item, layout, &source.keys).map_err(|NoSuchKey(key)| {
        CommandFailure::cannot_run(say!(
            language,
            "文件 {shown} 中没有作为记录主键的列“{key}”，请用 --key 指定",
            "{shown} has no column \"{key}\" for the record's key: name one with --key"
        ))
    })?;
    Ok((header, recorder))
}
