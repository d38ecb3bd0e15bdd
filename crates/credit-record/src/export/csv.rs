//! The first line of a CSV file of records. Called by `catalog` and by programs that write such files.

use crate::item::ItemVersion;

/// Byte order mark: in front of a CSV file it makes spreadsheets read UTF-8 as UTF-8.
pub const UTF8_BOM: &str = "\u{FEFF}";

/// The field codes as one line in the order of the standard, with the line end (RFC 4180). Put [`UTF8_BOM`]
/// in front where the file will be opened with a spreadsheet.
pub fn csv_header(item: &ItemVersion) -> String {
    csv_line(item.fields.iter().map(|field| field.code.as_str()))
}

/// Cells as one line of RFC 4180: commas between, CR LF behind, quotation marks around a cell that holds a
/// comma, a quotation mark or a line end.
pub fn csv_line<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = String::new();
    for (index, cell) in cells.into_iter().enumerate() {
        if index > 0 {
            line.push(',');
        }
        if cell.contains([',', '"', '\r', '\n']) {
            line.push('"');
            line.push_str(&cell.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(cell);
        }
    }
    line.push_str("\r\n");
    line
}
