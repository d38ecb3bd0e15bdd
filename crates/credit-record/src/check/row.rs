//! From a header row and one row of CSV to pairs of column and text, borrowed where no quotation mark was doubled.
//! Called by [`super::check_record_as`]. Strict RFC 4180 but for line ends, which may be LF alone, and empty lines,
//! which are no rows: a reader that guesses where a broken cell ends moves values into other columns.

use std::borrow::Cow;

use super::decode::{DecodedValue, FieldPairs, FormFault, MAX_FIELDS, text_of};

/// Reads the pairs. A cell without a character is a field that is not given.
pub(super) fn decode_csv_row(content: &[u8]) -> Result<FieldPairs<'_>, FormFault> {
    let text = text_of(content)?;
    let mut rows = CsvRows { text, at: 0 };
    let headings = rows.next_row()?.ok_or(FormFault::NoRow)?;
    let cells = rows.next_row()?.ok_or(FormFault::NoRow)?;
    if rows.next_row()?.is_some() {
        return Err(FormFault::SeveralRows);
    }
    if headings.len() != cells.len() {
        return Err(FormFault::OtherColumns {
            headings: headings.len(),
            cells: cells.len(),
        });
    }
    let pairs = headings.into_iter().zip(cells);
    Ok(pairs
        .map(|(heading, cell)| {
            let value = if cell.is_empty() {
                DecodedValue::Null
            } else {
                DecodedValue::Text(cell)
            };
            (heading, value)
        })
        .collect())
}

struct CsvRows<'a> {
    text: &'a str,
    at: usize,
}

/// What ends a cell.
enum CellEnd {
    Comma,
    LineEnd,
}

impl<'a> CsvRows<'a> {
    fn next_row(&mut self) -> Result<Option<Vec<Cow<'a, str>>>, FormFault> {
        while let Some(end) = self.line_end() {
            self.at += end;
        }
        if self.at == self.text.len() {
            return Ok(None);
        }
        let mut cells = Vec::with_capacity(32);
        loop {
            if cells.len() == MAX_FIELDS {
                return Err(FormFault::TooManyFields);
            }
            let (cell, behind) = self.cell()?;
            cells.push(cell);
            if let CellEnd::LineEnd = behind {
                return Ok(Some(cells));
            }
        }
    }

    /// Length of the line end that stands here.
    fn line_end(&self) -> Option<usize> {
        match self.text.as_bytes()[self.at..] {
            [b'\n', ..] => Some(1),
            [b'\r', b'\n', ..] => Some(2),
            _ => None,
        }
    }

    fn cell(&mut self) -> Result<(Cow<'a, str>, CellEnd), FormFault> {
        let rest = &self.text[self.at..];
        let cell = if rest.starts_with('"') {
            self.quoted()?
        } else {
            let ends = |b: &u8| matches!(b, b',' | b'"' | b'\r' | b'\n');
            let end = rest.bytes().position(|b| ends(&b)).unwrap_or(rest.len());
            self.at += end;
            Cow::Borrowed(&rest[..end])
        };
        if let Some(end) = self.line_end() {
            self.at += end;
            return Ok((cell, CellEnd::LineEnd));
        }
        match self.text.as_bytes().get(self.at) {
            None => Ok((cell, CellEnd::LineEnd)),
            Some(b',') => {
                self.at += 1;
                Ok((cell, CellEnd::Comma))
            }
            // A mark within a cell, text behind one, or a carriage return alone.
            Some(_) => Err(self.fault(self.at)),
        }
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, FormFault> {
        let open = self.at;
        let mut whole = String::new();
        let mut from = open + 1;
        loop {
            let Some(mark) = self.text[from..].find('"') else {
                // Where it begins is where one looks for the end that is missing.
                return Err(self.fault(open));
            };
            let part = &self.text[from..from + mark];
            self.at = from + mark + 1;
            if self.text.as_bytes().get(self.at) == Some(&b'"') {
                whole.push_str(part);
                whole.push('"');
                from = self.at + 1;
            } else if whole.is_empty() {
                return Ok(Cow::Borrowed(part));
            } else {
                whole.push_str(part);
                return Ok(Cow::Owned(whole));
            }
        }
    }

    /// Syntax fault at this byte, reported by line and character.
    fn fault(&self, at: usize) -> FormFault {
        let before = &self.text[..at];
        let line = before.rsplit('\n').next().unwrap_or_default();
        FormFault::NotCsv {
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}
