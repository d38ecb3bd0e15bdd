//! Rows as records: the content that is sent, the form it has, and the key by which its versions follow one another.
//! Called by [`crate::checked_file`].
//!
//! Of a table, one header by field codes and the row's cells as they stand there, as `text/csv`; of JSON by line,
//! the line as it is. Columns that an error file added are taken off, nothing else is touched.

use std::fmt;

use credit_record::ContentForm;
use credit_record::check::find_column;
use credit_record::export::csv_line;
use credit_record::item::{ItemVersion, SUBJECT_KEY};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::columns::{ADDED, ColumnLayout, ColumnRole, KEY_COLUMN, ORIGINAL};
use crate::files::{FileRow, RowBody};

/// Longest record key that the platform takes, in characters.
const MOST_KEY: usize = 512;

/// A row that is ready to be checked or sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRecord {
    /// Number of the row.
    pub row: u64,
    /// Key of the record; `None` where no part of it is given.
    pub key: Option<String>,
    /// The content.
    pub content: Vec<u8>,
}

/// Makes records of rows.
#[derive(Debug)]
pub struct RecordBuilder {
    form: ContentForm,
    layout: ColumnLayout,
    heading: String,
    parts: Vec<KeyPart>,
    own: Vec<String>,
}

/// One part of a record's key.
#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyPart {
    /// A field of the item.
    Field(usize),
    /// A column of the department's own.
    Own(String),
    /// Whom the record is about: the first of these fields that is given.
    Subject(Vec<usize>),
}

/// A key column that neither the item nor the file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoSuchKey(pub String);

impl RecordBuilder {
    /// For a table with this layout.
    ///
    /// # Errors
    /// A key column that is not there.
    pub fn table(
        item: &ItemVersion,
        layout: ColumnLayout,
        keys: &[String],
    ) -> Result<Self, NoSuchKey> {
        let parts = key_parts(item, keys);
        let there = |part: &KeyPart| match part {
            KeyPart::Field(field) => layout.place_of(*field).is_some(),
            KeyPart::Own(name) => layout.place_named(name).is_some(),
            KeyPart::Subject(fields) => fields.iter().any(|f| layout.place_of(*f).is_some()),
        };
        if let Some(at) = keys.iter().zip(&parts).position(|(_, part)| !there(part)) {
            return Err(NoSuchKey(keys[at].clone()));
        }
        let without = keys.is_empty() && !parts.iter().any(there);
        if without && layout.place_of_key().is_none() {
            return Err(NoSuchKey(item.natural_key.join("、")));
        }
        let codes = layout.columns.iter().filter_map(|column| match column {
            ColumnRole::Field(field) => Some(item.fields[*field].code.as_str()),
            _ => None,
        });
        Ok(Self {
            form: ContentForm::CsvRow,
            heading: csv_line(codes),
            layout,
            parts,
            own: Vec::new(),
        })
    }

    /// For JSON by line.
    pub fn lines(item: &ItemVersion, keys: &[String]) -> Self {
        let parts = key_parts(item, keys);
        let own = parts.iter().filter_map(|part| match part {
            KeyPart::Own(name) => Some(name.clone()),
            _ => None,
        });
        Self {
            form: ContentForm::Json,
            heading: String::new(),
            layout: ColumnLayout::default(),
            own: own.collect(),
            parts,
        }
    }

    /// Form of the contents.
    pub fn form(&self) -> ContentForm {
        self.form
    }

    /// The columns of a table.
    pub fn layout(&self) -> &ColumnLayout {
        &self.layout
    }

    /// The record of a row.
    pub fn record(&self, item: &ItemVersion, row: &FileRow) -> FileRecord {
        let (key, content) = match &row.body {
            RowBody::Cells(cells) => (self.key_of_cells(cells), self.row_form(cells)),
            RowBody::Line(line) => self.line(item, line),
        };
        FileRecord {
            row: row.number,
            key,
            content,
        }
    }

    /// Header by field codes and the cells of the fields. A row that is too short or too long stays so: cells that
    /// moved to other columns must not be made to fit.
    fn row_form(&self, cells: &[String]) -> Vec<u8> {
        let of_fields = self
            .layout
            .columns
            .iter()
            .zip(cells)
            .filter(|(column, _)| matches!(column, ColumnRole::Field(_)))
            .map(|(_, cell)| cell.as_str());
        let behind = cells.iter().skip(self.layout.columns.len());
        let last = behind.clone().rposition(|cell| !cell.trim().is_empty());
        let behind = behind.take(last.map_or(0, |at| at + 1)).map(String::as_str);
        let mut content = self.heading.clone();
        content.push_str(&csv_line(of_fields.chain(behind)));
        content.into_bytes()
    }

    fn key_of_cells(&self, cells: &[String]) -> Option<String> {
        let at = |place: Option<usize>| {
            let cell = cells.get(place?)?;
            Some(cell.trim().to_owned()).filter(|cell| !cell.is_empty())
        };
        at(self.layout.place_of_key()).or_else(|| {
            self.key(&|part| match part {
                KeySource::Field(field) => at(self.layout.place_of(field)),
                KeySource::Own(name) => at(self.layout.place_named(name)),
            })
        })
    }

    fn line(&self, item: &ItemVersion, line: &[u8]) -> (Option<String>, Vec<u8>) {
        let text = std::str::from_utf8(line).ok();
        let Some(JsonObject(pairs)) = text.and_then(|text| serde_json::from_str(text).ok()) else {
            return (None, line.to_vec());
        };
        let plain = |value: &RawValue| {
            let text = value.get();
            let plain = match text.as_bytes().first() {
                Some(b'"') => serde_json::from_str(text).unwrap_or_default(),
                Some(b'0'..=b'9' | b'-') => text.to_owned(),
                _ => String::new(),
            };
            Some(plain.trim().to_owned()).filter(|plain| !plain.is_empty())
        };
        let named = |names: &[&str]| {
            let found = pairs.iter().find(|(key, _)| names.contains(&key.as_str()));
            found.and_then(|(_, value)| plain(value))
        };
        let key = named(&ADDED[KEY_COLUMN]).or_else(|| {
            self.key(&|part| match part {
                KeySource::Own(name) => named(&[name]),
                KeySource::Field(field) => pairs.iter().find_map(|(key, value)| {
                    find_column(item, key)
                        .filter(|found| found.index == field)
                        .and_then(|_| plain(value))
                }),
            })
        });
        let added = |key: &String| {
            let own = self.own.contains(key);
            own || ADDED.iter().chain([&ORIGINAL]).flatten().any(|a| a == key)
        };
        if !pairs.iter().any(|(key, _)| added(key)) {
            return (key, line.to_vec());
        }
        let original = named(&ORIGINAL);
        let kept: Vec<_> = pairs.into_iter().filter(|(key, _)| !added(key)).collect();
        match original {
            // A line that was no JSON object: what counts is what was made of it.
            Some(original) if kept.is_empty() => {
                let (own_key, content) = self.line(item, original.as_bytes());
                (own_key.or(key), content)
            }
            _ => {
                let content =
                    serde_json::to_vec(&JsonObject(kept)).unwrap_or_else(|_| line.to_vec());
                (key, content)
            }
        }
    }

    /// The parts of the key, joined; `None` where nothing but the subject is given though the key has more.
    fn key(&self, value: &dyn Fn(KeySource<'_>) -> Option<String>) -> Option<String> {
        let mut given = false;
        let parts: Vec<String> = self
            .parts
            .iter()
            .map(|part| {
                let found = match part {
                    KeyPart::Field(field) => value(KeySource::Field(*field)),
                    KeyPart::Own(name) => value(KeySource::Own(name)),
                    KeyPart::Subject(fields) => fields
                        .iter()
                        .find_map(|field| value(KeySource::Field(*field))),
                };
                let counts = self.parts.len() == 1 || !matches!(part, KeyPart::Subject(_));
                given |= counts && found.is_some();
                escaped(&found.unwrap_or_default())
            })
            .collect();
        given.then(|| shorten_key(parts.join("|")))
    }
}

enum KeySource<'a> {
    Field(usize),
    Own(&'a str),
}

fn key_parts(item: &ItemVersion, keys: &[String]) -> Vec<KeyPart> {
    if keys.is_empty() {
        let natural = item.natural_key.iter();
        return natural
            .filter_map(|code| {
                if code == SUBJECT_KEY {
                    Some(KeyPart::Subject(subject(item)))
                } else {
                    item.position(code).map(KeyPart::Field)
                }
            })
            .collect();
    }
    keys.iter()
        .map(|key| match find_column(item, key) {
            Some(found) => KeyPart::Field(found.index),
            None => KeyPart::Own(key.trim().to_owned()),
        })
        .collect()
}

/// Fields that name the subject of a record, the surest first.
fn subject(item: &ItemVersion) -> Vec<usize> {
    let roles = &item.roles;
    [
        Some(&roles.credit_code),
        roles.person_document_number.as_ref(),
        Some(&roles.subject_name),
    ]
    .into_iter()
    .flatten()
    .filter_map(|code| item.position(code))
    .collect()
}

/// Without control characters, and with the separator made distinct.
fn escaped(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for c in part.chars() {
        match c {
            '\\' | '|' => text.extend(['\\', c]),
            c if c.is_control() => text.push(' '),
            c => text.push(c),
        }
    }
    text
}

/// A key that is too long is named by its digest.
fn shorten_key(key: String) -> String {
    if key.chars().count() <= MOST_KEY {
        return key;
    }
    format!("sha256:{}", hex::encode(Sha256::digest(key.as_bytes())))
}

/// A JSON object pair by pair, with every value as it is written and keys that stand twice.
pub(crate) struct JsonObject(pub(crate) Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for JsonObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonObjectVisitor;
        impl<'de> Visitor<'de> for JsonObjectVisitor {
            type Value = JsonObject;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonObject, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(JsonObject(pairs))
            }
        }
        deserializer.deserialize_map(JsonObjectVisitor)
    }
}

impl Serialize for JsonObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use credit_record::standard_items;

    use super::*;

    fn item() -> ItemVersion {
        let items = standard_items().unwrap().into_iter();
        items
            .filter(|item| item.code == "xzcf")
            .max_by_key(|item| item.version)
            .unwrap()
    }

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(|cell| (*cell).to_owned()).collect()
    }

    fn table(header: &[&str], keys: &[&str]) -> RecordBuilder {
        let (item, keys) = (item(), texts(keys));
        let layout = ColumnLayout::from_header(&item, &texts(header), &keys).unwrap();
        RecordBuilder::table(&item, layout, &keys).unwrap()
    }

    fn record(recorder: &RecordBuilder, cells: &[&str]) -> (Option<String>, String) {
        let row = FileRow {
            number: 2,
            body: RowBody::Cells(texts(cells)),
        };
        let made = recorder.record(&item(), &row);
        (made.key, String::from_utf8(made.content).unwrap())
    }

    fn line(recorder: &RecordBuilder, text: &str) -> (Option<String>, String) {
        let row = FileRow {
            number: 1,
            body: RowBody::Line(text.as_bytes().to_vec()),
        };
        let made = recorder.record(&item(), &row);
        (made.key, String::from_utf8(made.content).unwrap())
    }

    const HEADER: [&str; 4] = [
        "CF_WSH",
        "处罚机关统一社会信用代码",
        "CF_XDR_SHXYM",
        "CF_SY",
    ];

    #[test]
    fn a_row_is_sent_with_its_cells_as_they_are() {
        let item = item();
        let authority = &item.field("CF_CFJGDM").unwrap().name;
        let header = [HEADER[0], authority, HEADER[2], "行号", HEADER[3]];
        let recorder = table(&header, &[]);
        let (key, content) = record(
            &recorder,
            &["长罚〔2026〕1号", " 1143 ", "9143", "7", "一,\"二\""],
        );
        assert_eq!(key.as_deref(), Some("长罚〔2026〕1号|1143|9143"));
        assert_eq!(
            content,
            "CF_WSH,CF_CFJGDM,CF_XDR_SHXYM,CF_SY\r\n长罚〔2026〕1号, 1143 ,9143,\"一,\"\"二\"\"\"\r\n"
        );
    }

    #[test]
    fn the_key_of_an_error_file_outlasts_a_correction() {
        let recorder = table(&["记录主键", "CF_WSH", "CF_XDR_SHXYM"], &[]);
        let (key, content) = record(&recorder, &["old|key", "new", "9143"]);
        assert_eq!(key.as_deref(), Some("old|key"));
        assert!(!content.contains("old|key"), "{content}");
    }

    #[test]
    fn own_columns_can_name_a_record_and_are_not_sent() {
        let recorder = table(&["案件编号", "CF_WSH"], &["案件编号"]);
        let (key, content) = record(&recorder, &["A|7", "1号"]);
        assert_eq!(key.as_deref(), Some("A\\|7"));
        assert_eq!(content, "CF_WSH\r\n1号\r\n");
        let (item, keys) = (item(), texts(&["编号"]));
        let layout = ColumnLayout::from_header(&item, &texts(&["CF_WSH"]), &keys).unwrap();
        let refused = RecordBuilder::table(&item, layout, &keys).unwrap_err();
        assert_eq!(refused, NoSuchKey("编号".to_owned()));
    }

    #[test]
    fn a_row_without_any_part_of_the_key_has_none_and_a_long_key_is_digested() {
        let recorder = table(&["CF_WSH", "CF_XDR_SHXYM"], &[]);
        assert_eq!(record(&recorder, &[" ", "9143"]).0, None);
        let long = "号".repeat(600);
        let key = record(&recorder, &[&long, "9143"]).0.unwrap();
        assert!(key.starts_with("sha256:") && key.len() == 71, "{key}");
    }

    #[test]
    fn rows_that_do_not_fit_the_header_stay_so() {
        let recorder = table(&["CF_WSH", "CF_SY"], &[]);
        assert_eq!(record(&recorder, &["1"]).1, "CF_WSH,CF_SY\r\n1\r\n");
        let long = record(&recorder, &["1", "2", "3", ""]).1;
        assert_eq!(long, "CF_WSH,CF_SY\r\n1,2,3\r\n");
        assert_eq!(
            record(&recorder, &["1", "2", "", ""]).1,
            "CF_WSH,CF_SY\r\n1,2\r\n"
        );
    }

    #[test]
    fn lines_are_sent_as_they_are_but_for_what_an_error_file_added() {
        let recorder = RecordBuilder::lines(&item(), &[]);
        let plain = "{ \"CF_WSH\": \"1号\", \"CF_NR_FK\": 0.50, \"CF_WSH\" : \"2\" }";
        assert_eq!(
            line(&recorder, plain),
            (Some("1号||".to_owned()), plain.to_owned())
        );
        let with =
            "{\"行号\":3,\"代码\":\"X\",\"记录主键\":\"k\",\"CF_WSH\":\"1\",\"CF_NR_FK\":0.50}";
        let without = "{\"CF_WSH\":\"1\",\"CF_NR_FK\":0.50}";
        assert_eq!(
            line(&recorder, with),
            (Some("k".to_owned()), without.to_owned())
        );
        assert_eq!(line(&recorder, "[1]"), (None, "[1]".to_owned()));
        let mended = "{\"行号\":3,\"原文\":\"{\\\"CF_WSH\\\":\\\"9\\\"}\"}";
        assert_eq!(
            line(&recorder, mended),
            (Some("9||".to_owned()), "{\"CF_WSH\":\"9\"}".to_owned())
        );
    }
}
