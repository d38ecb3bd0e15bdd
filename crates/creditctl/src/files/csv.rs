//! Comma-separated rows from a stream, with the number that a spreadsheet gives each. Called by [`super::InputFile`].
//!
//! Written here because of the numbers: an officer looks a row up in the file, and the available readers give the line
//! at which a record begins, but for line ends of two characters, blank lines and line ends within cells. Quotation
//! marks count at the beginning of a cell only; a row of any number of cells is a row.

use std::io::{self, BufRead, BufReader, Read};

/// Most bytes of a row: far above a record's limit. What is longer has an unclosed quotation mark.
const MOST_ROW: usize = 8 << 20;

/// Rows of a stream of UTF-8.
#[derive(Debug)]
pub(super) struct NumberedCsvReader<R> {
    inner: BufReader<R>,
    number: u64,
    /// The last row ended with a carriage return, so that a line feed belongs to it.
    returned: bool,
}

/// Where the reader is within a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CsvState {
    Start,
    Plain,
    Quoted,
    /// Behind a quotation mark within a quoted cell.
    Mark,
}

impl<R: Read> NumberedCsvReader<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner: BufReader::with_capacity(64 * 1024, inner),
            number: 0,
            returned: false,
        }
    }

    /// The next row and its number, blank ones included; `None` at the end.
    ///
    /// # Errors
    /// The stream's own, and a row that does not end.
    pub(super) fn next_row(&mut self) -> io::Result<Option<(u64, Vec<String>)>> {
        let mut cells: Vec<String> = Vec::new();
        let mut cell: Vec<u8> = Vec::new();
        let (mut at, mut length, mut seen) = (CsvState::Start, 0, false);
        let ended = loop {
            let bytes = self.inner.fill_buf()?;
            if bytes.is_empty() {
                break seen;
            }
            let mut used = 0;
            let mut ended = false;
            for byte in bytes {
                used += 1;
                if std::mem::take(&mut self.returned) && *byte == b'\n' {
                    continue;
                }
                seen = true;
                match (at, *byte) {
                    (CsvState::Start, b'"') => at = CsvState::Quoted,
                    (CsvState::Quoted, b'"') => at = CsvState::Mark,
                    (CsvState::Mark, b'"') => {
                        cell.push(b'"');
                        at = CsvState::Quoted;
                    }
                    (CsvState::Quoted, byte) => cell.push(byte),
                    (_, b',') => {
                        cells.push(text(&mut cell));
                        at = CsvState::Start;
                    }
                    (_, end @ (b'\r' | b'\n')) => {
                        self.returned = end == b'\r';
                        ended = true;
                        break;
                    }
                    (_, byte) => {
                        cell.push(byte);
                        at = CsvState::Plain;
                    }
                }
            }
            self.inner.consume(used);
            length += used;
            if ended {
                break true;
            }
            if length > MOST_ROW {
                let number = self.number + 1;
                let what = format!("row {number} does not end: a quotation mark is not closed");
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
        };
        if !ended {
            return Ok(None);
        }
        cells.push(text(&mut cell));
        self.number += 1;
        Ok(Some((self.number, cells)))
    }
}

/// The stream is UTF-8 by its decoder, and cells end at ASCII characters.
fn text(cell: &mut Vec<u8>) -> String {
    let bytes = std::mem::take(cell);
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str) -> Vec<(u64, Vec<String>)> {
        let mut reader = NumberedCsvReader::new(text.as_bytes());
        std::iter::from_fn(|| reader.next_row().unwrap()).collect()
    }

    fn row(number: u64, cells: &[&str]) -> (u64, Vec<String>) {
        (
            number,
            cells.iter().map(|cell| (*cell).to_owned()).collect(),
        )
    }

    #[test]
    fn rows_are_numbered_as_a_spreadsheet_shows_them() {
        for end in ["\r\n", "\n", "\r"] {
            let text = ["a,b", "\"1\r\n2\",\"x\"\"y\"", "", "5\" pipe,z"].join(end);
            let expected = [
                row(1, &["a", "b"]),
                row(2, &["1\r\n2", "x\"y"]),
                row(3, &[""]),
                row(4, &["5\" pipe", "z"]),
            ];
            assert_eq!(rows(&text), expected);
            assert_eq!(rows(&format!("{text}{end}")), expected);
        }
    }

    #[test]
    fn cells_are_as_many_as_stand_there() {
        assert_eq!(
            rows("a,,\n,\n"),
            [row(1, &["a", "", ""]), row(2, &["", ""])]
        );
        assert_eq!(rows(""), []);
        // Text behind a closed quotation mark is kept rather than lost.
        assert_eq!(rows("\"a\"b,c"), [row(1, &["ab", "c"])]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let cells = ["", "a,b", "\"", "\r\n", " x ", "行"];
        let line = credit_record::export::csv_line(cells);
        assert_eq!(rows(&line), [row(1, &cells)]);
    }

    #[test]
    fn a_mark_that_nobody_closes_ends_in_an_error() {
        let mut text = String::from("a\n\"");
        text.push_str(&"x\n".repeat(MOST_ROW));
        let mut reader = NumberedCsvReader::new(text.as_bytes());
        assert!(reader.next_row().unwrap().is_some());
        let error = reader.next_row().unwrap_err();
        assert!(error.to_string().contains("row 2"), "{error}");
    }
}
