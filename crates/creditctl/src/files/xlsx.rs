//! One sheet of a workbook, cell by cell as text. Called by [`super::InputFile`].
//!
//! A date cell becomes `YYYY-MM-DD`. A number keeps its digits; beyond the 15 that a spreadsheet holds it is
//! given as `4.30102199003071E+17`, the damage that it is, so that the check reports it and nobody takes invented
//! digits for an identifier.

use std::path::Path;

use calamine::{Data, ExcelDateTime, Range, Reader, Xlsx, open_workbook};

use super::{FileRow, RowBody};
use crate::CommandFailure;
use crate::language::{Language, say};

/// Name of the sheet of the catalogue's templates that is filled in.
const ENTRY: &str = "填报";

/// A sheet that was read.
#[derive(Debug)]
pub(super) struct WorkbookSheet {
    /// Its name.
    pub(super) name: String,
    cells: Range<Data>,
}

impl WorkbookSheet {
    /// Reads the sheet of this name, else 填报, else the first.
    pub(super) fn open(
        path: &Path,
        wanted: Option<&str>,
        language: Language,
    ) -> Result<Self, CommandFailure> {
        let failed =
            |error: calamine::XlsxError| CommandFailure::cannot_read(language, path, &error);
        let mut book: Xlsx<_> = open_workbook(path).map_err(failed)?;
        let names = book.sheet_names().to_vec();
        let known = |name: &&str| names.iter().any(|known| known == name);
        let shown = path.display();
        let name = match wanted {
            Some(name) if known(&name) => name,
            Some(name) => {
                let have = names.join("、");
                return Err(CommandFailure::cannot_run(say!(
                    language,
                    "文件 {shown} 中没有工作表“{name}”，有：{have}",
                    "{shown} has no sheet \"{name}\"; it has: {have}"
                )));
            }
            None => match Some(ENTRY)
                .filter(known)
                .or(names.first().map(String::as_str))
            {
                Some(name) => name,
                None => {
                    return Err(CommandFailure::cannot_run(say!(
                        language,
                        "文件 {shown} 中没有工作表",
                        "{shown} has no sheet"
                    )));
                }
            },
        };
        let name = name.to_owned();
        let cells = book.worksheet_range(&name).map_err(failed)?;
        Ok(Self { name, cells })
    }

    /// The rows, each as wide as the used part of the sheet.
    pub(super) fn rows(&self) -> SheetRows<'_> {
        let (first, left) = self.cells.start().unwrap_or((0, 0));
        SheetRows {
            sheet: self,
            next: 0,
            first: u64::from(first) + 1,
            left: left as usize,
        }
    }
}

/// Rows of a sheet.
#[derive(Debug)]
pub(super) struct SheetRows<'a> {
    sheet: &'a WorkbookSheet,
    next: usize,
    first: u64,
    left: usize,
}

impl Iterator for SheetRows<'_> {
    type Item = FileRow;

    fn next(&mut self) -> Option<FileRow> {
        let (height, width) = self.sheet.cells.get_size();
        if self.next >= height {
            return None;
        }
        let at = self.next;
        self.next += 1;
        let empty = std::iter::repeat_n(String::new(), self.left);
        let cells = (0..width).map(|column| {
            let cell = self.sheet.cells.get((at, column));
            cell.map_or_else(String::new, text)
        });
        Some(FileRow {
            number: self.first + at as u64,
            body: RowBody::Cells(empty.chain(cells).collect()),
        })
    }
}

fn text(cell: &Data) -> String {
    match cell {
        Data::Empty => String::new(),
        Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text) => text.clone(),
        Data::Int(number) => number.to_string(),
        Data::Float(number) => float(*number),
        Data::Bool(true) => "TRUE".to_owned(),
        Data::Bool(false) => "FALSE".to_owned(),
        Data::DateTime(moment) => date(*moment),
        // The text of the error itself, such as #N/A: the check knows it.
        Data::Error(error) => error.to_string(),
    }
}

/// The digits that a spreadsheet holds, and an exponent where the number has more.
fn float(number: f64) -> String {
    // Display of a float is the shortest text that reads back as the same number; a spreadsheet rounds to 15.
    let fifteen = format!("{number:.14e}");
    let rounded: f64 = fifteen.parse().unwrap_or(number);
    if rounded.abs() < 1e15 {
        return rounded.to_string();
    }
    let (digits, exponent) = fifteen.split_once('e').unwrap_or((&fifteen, "0"));
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    format!("{digits}E+{exponent}")
}

/// `YYYY-MM-DD`, with the time behind it where there is one.
fn date(moment: ExcelDateTime) -> String {
    if moment.is_duration() {
        return float(moment.as_f64());
    }
    let (year, month, day, hour, minute, second, _) = moment.to_ymd_hms_milli();
    if moment.as_f64() < 1.0 && year < 1904 {
        return format!("{hour:02}:{minute:02}:{second:02}");
    }
    let day = format!("{year:04}-{month:02}-{day:02}");
    if (hour, minute, second) == (0, 0, 0) {
        day
    } else {
        format!("{day} {hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn numbers_keep_their_digits_and_lost_ones_are_not_invented() {
        for (number, text) in [
            (0.2, "0.2"),
            (12.3456, "12.3456"),
            (2_000.0, "2000"),
            (0.1 + 0.2, "0.3"),
            (430_102_900_307_123.0, "430102900307123"),
            (999_999_999_999_999.0, "999999999999999"),
            (1e15, "1E+15"),
            (430_102_199_003_071_234.0, "4.30102199003071E+17"),
            (430_102_199_003_071_000.0, "4.30102199003071E+17"),
            (-3.0, "-3"),
            (0.0, "0"),
        ] {
            assert_eq!(float(number), text);
        }
    }
}
