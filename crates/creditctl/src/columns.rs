//! Which column of a table holds which field: by field code, Chinese name or alias, as the check itself reads a
//! header. Called by [`crate::checked_file`] before anything is sent.

use credit_record::check::find_column;
use credit_record::item::ItemVersion;

use crate::language::{Language, say};

/// Columns that an error file adds; they are passed over when it is sent again, but for the key.
pub const ADDED: [[&str; 2]; 6] = [
    ["行号", "Row"],
    ["字段", "Field"],
    ["代码", "Code"],
    ["说明", "Text"],
    ["建议", "Suggestion"],
    ["记录主键", "Record key"],
];
/// Place of the record key among [`ADDED`].
pub const KEY_COLUMN: usize = 5;
/// In an error file of JSON lines: the line itself, where it is no JSON object.
pub const ORIGINAL: [&str; 2] = ["原文", "Original"];

/// What a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnRole {
    /// A field of the item, by its position.
    Field(usize),
    /// The record's key, as an error file carries it.
    RecordKey,
    /// Added by an error file.
    Added,
    /// A column of the department, named by `--key`; it is not sent.
    Own,
    /// Without a name.
    Nameless,
}

/// The columns of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ColumnLayout {
    /// In the order of the table.
    pub columns: Vec<ColumnRole>,
    names: Vec<String>,
}

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ColumnFault {
    /// No field, alias or own column has this name; the nearest known name.
    Unknown {
        /// Number of the column, from 1.
        at: usize,
        /// As it stands in the file.
        name: String,
        /// What may be meant.
        nearest: Option<String>,
    },
    /// Two columns mean the same field.
    Doubled {
        /// Code of the field.
        field: String,
        /// Numbers of the columns, from 1.
        at: (usize, usize),
    },
}

impl ColumnFault {
    /// In words.
    pub fn text(&self, language: Language) -> String {
        match self {
            Self::Unknown { at, name, nearest } => {
                let said = say!(
                    language,
                    "第{at}列的列名“{name}”不是该目录事项的字段",
                    "column {at}, \"{name}\", is no field of the item"
                );
                match nearest {
                    Some(near) => {
                        let hint = say!(language, "，是否应为“{near}”？", "; meant \"{near}\"?");
                        said + &hint
                    }
                    None => said,
                }
            }
            Self::Doubled {
                field,
                at: (one, other),
            } => say!(
                language,
                "第{one}列和第{other}列是同一个字段（{field}），请只保留一列",
                "columns {one} and {other} are the same field ({field}): keep one"
            ),
        }
    }
}

impl ColumnLayout {
    /// Reads a header.
    ///
    /// # Errors
    /// Every column that cannot be used.
    pub fn from_header(
        item: &ItemVersion,
        header: &[String],
        keys: &[String],
    ) -> Result<Self, Vec<ColumnFault>> {
        let mut faults = Vec::new();
        let mut columns: Vec<ColumnRole> = Vec::with_capacity(header.len());
        for (index, name) in header.iter().enumerate() {
            let name = name.trim_matches(|c: char| c.is_whitespace() || c == '\u{FEFF}');
            let found = kind(item, name, keys);
            let earlier = columns.iter().position(|known| Some(*known) == found);
            match (found, earlier) {
                (Some(ColumnRole::Field(field)), Some(before)) => {
                    faults.push(ColumnFault::Doubled {
                        field: item.fields[field].code.clone(),
                        at: (before + 1, index + 1),
                    })
                }
                (None, _) => faults.push(ColumnFault::Unknown {
                    at: index + 1,
                    name: name.to_owned(),
                    nearest: nearest(item, name),
                }),
                _ => {}
            }
            columns.push(found.unwrap_or(ColumnRole::Nameless));
        }
        if faults.is_empty() {
            let names = header.iter().map(|name| name.trim().to_owned()).collect();
            Ok(Self { columns, names })
        } else {
            Err(faults)
        }
    }

    /// Whether both name the same columns; so a second row of a template is known as a header.
    pub fn same_fields(&self, other: &Self) -> bool {
        let fields = |columns: &[ColumnRole]| -> Vec<ColumnRole> {
            let named = |column: &&ColumnRole| matches!(column, ColumnRole::Field(_));
            columns.iter().filter(named).copied().collect()
        };
        fields(&self.columns) == fields(&other.columns)
    }

    /// Where a field stands.
    pub fn place_of(&self, field: usize) -> Option<usize> {
        let wanted = ColumnRole::Field(field);
        self.columns.iter().position(|column| *column == wanted)
    }

    /// Where the column of this name stands.
    pub fn place_named(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name.trim())
    }

    /// Where the record's key stands.
    pub fn place_of_key(&self) -> Option<usize> {
        let is_key = |column: &ColumnRole| *column == ColumnRole::RecordKey;
        self.columns.iter().position(is_key)
    }
}

/// What a heading means; `None` when nothing.
fn kind(item: &ItemVersion, name: &str, keys: &[String]) -> Option<ColumnRole> {
    if name.is_empty() {
        return Some(ColumnRole::Nameless);
    }
    if let Some(found) = find_column(item, name) {
        return Some(ColumnRole::Field(found.index));
    }
    if let Some(added) = ADDED.iter().position(|names| names.contains(&name)) {
        return Some(if added == KEY_COLUMN {
            ColumnRole::RecordKey
        } else {
            ColumnRole::Added
        });
    }
    let own = keys.iter().any(|key| key.trim() == name);
    own.then_some(ColumnRole::Own)
}

/// The known name that is nearest to this one, where one is near.
fn nearest(item: &ItemVersion, name: &str) -> Option<String> {
    let wanted: Vec<char> = name.to_uppercase().chars().collect();
    let most = (wanted.len() / 3).max(2);
    let known = item.fields.iter().flat_map(|field| {
        [&field.code, &field.name]
            .into_iter()
            .chain(field.aliases.iter())
    });
    known
        .map(|known| (distance(&wanted, known), known))
        .filter(|(far, _)| *far <= most && *far < wanted.len())
        .min_by_key(|(far, _)| *far)
        .map(|(_, known)| known.clone())
}

/// Characters to change, add or take away.
fn distance(wanted: &[char], known: &str) -> usize {
    let known: Vec<char> = known.to_uppercase().chars().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (i, a) in wanted.iter().enumerate() {
        let mut before = row[0];
        row[0] = i + 1;
        for (j, b) in known.iter().enumerate() {
            let changed = before + usize::from(a != b);
            before = row[j + 1];
            row[j + 1] = changed.min(before + 1).min(row[j] + 1);
        }
    }
    row[known.len()]
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

    fn header(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn columns_go_by_code_name_and_alias() {
        let item = item();
        let by = |name: &str| {
            let layout = ColumnLayout::from_header(&item, &header(&[name]), &[]).unwrap();
            layout.columns[0]
        };
        for (at, field) in item.fields.iter().enumerate() {
            assert_eq!(by(&field.code), ColumnRole::Field(at));
            assert_eq!(by(&field.name), ColumnRole::Field(at));
            for alias in &field.aliases {
                assert_eq!(by(alias), ColumnRole::Field(at));
            }
        }
        assert_eq!(by("xy010101"), by("CF_XDR_MC"));
    }

    #[test]
    fn an_unknown_column_is_named_with_the_nearest_known_one() {
        let faults =
            ColumnLayout::from_header(&item(), &header(&["CF_WSH", "CF_XDR_MCC", "随便"]), &[]);
        assert_eq!(
            faults.unwrap_err(),
            [
                ColumnFault::Unknown {
                    at: 2,
                    name: "CF_XDR_MCC".to_owned(),
                    nearest: Some("CF_XDR_MC".to_owned())
                },
                ColumnFault::Unknown {
                    at: 3,
                    name: "随便".to_owned(),
                    nearest: None
                },
            ]
        );
    }

    #[test]
    fn a_field_that_stands_twice_is_refused_under_whatever_name() {
        let item = item();
        let name = item.field("CF_WSH").unwrap().name.clone();
        let faults = ColumnLayout::from_header(&item, &header(&["CF_WSH", "CF_SY", &name]), &[])
            .unwrap_err();
        assert_eq!(
            faults,
            [ColumnFault::Doubled {
                field: "CF_WSH".to_owned(),
                at: (1, 3)
            }]
        );
        assert!(faults[0].text(Language::Zh).contains("第1列和第3列"));
    }

    #[test]
    fn added_and_own_columns_are_no_fields() {
        let keys = [String::from("案件编号")];
        let names = header(&["行号", "Suggestion", "记录主键", "案件编号", "", "CF_WSH"]);
        let layout = ColumnLayout::from_header(&item(), &names, &keys).unwrap();
        assert_eq!(
            layout.columns[..5],
            [
                ColumnRole::Added,
                ColumnRole::Added,
                ColumnRole::RecordKey,
                ColumnRole::Own,
                ColumnRole::Nameless
            ]
        );
    }

    #[test]
    fn no_item_has_a_field_that_is_named_as_an_added_column() {
        for item in standard_items().unwrap() {
            for name in ADDED.iter().chain([&ORIGINAL]).flatten() {
                assert_eq!(find_column(&item, name), None, "{} {name}", item.code);
            }
        }
    }
}
