//! Code lists as versioned data of their own, so that several items share one and a new law is a new version.
//! Called when a data file of an item is read, and by `catalog`, which publishes lists.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ItemError, ItemVersion, LintFault};

/// One version of one code list. Versions are never changed, only followed by the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeListVersion {
    /// Stable code, such as `penalty-kind`.
    pub code: String,
    /// Version, counted from 1.
    pub version: u32,
    /// Edition of its source.
    pub edition: String,
    /// Chinese name.
    pub name: String,
    /// Law or standard that it is taken from.
    pub source: String,
    /// The values, in the order in which they are offered.
    pub values: Vec<CodeValue>,
}

/// One value of a code list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeValue {
    /// The value as records carry it.
    pub value: String,
    /// What it means, where it does not speak for itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// A value of earlier days: the value in force that it is taken for. It is accepted, not offered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

/// Why a code list cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct CodeListFault {
    /// Path of the property, such as `values.罚款.replaced_by`.
    pub path: String,
    /// The rule that is broken.
    pub problem: &'static str,
}

impl CodeListVersion {
    /// Most values of one list.
    pub const MOST_VALUES: usize = 5_000;
    /// Most characters of one value.
    pub const LONGEST_VALUE: usize = 200;

    /// Reads and checks a list from TOML.
    ///
    /// # Errors
    /// [`ItemError`]: unreadable, or it contradicts itself.
    pub fn from_toml(text: &str) -> Result<Self, ItemError> {
        let list: Self = toml::from_str(text)?;
        list.checked()
    }

    /// Reads and checks a list from JSON, the form in which events carry it.
    ///
    /// # Errors
    /// As [`CodeListVersion::from_toml`].
    pub fn from_json(text: &str) -> Result<Self, ItemError> {
        let list: Self = serde_json::from_str(text)?;
        list.checked()
    }

    fn checked(self) -> Result<Self, ItemError> {
        match self.fault() {
            None => Ok(self),
            Some(fault) => Err(ItemError::CodeList {
                code: self.code,
                version: self.version,
                fault,
            }),
        }
    }

    /// The first contradiction.
    fn fault(&self) -> Option<CodeListFault> {
        let fault = |path: &str, problem| {
            Some(CodeListFault {
                path: path.to_owned(),
                problem,
            })
        };
        if !is_item_code(&self.code) {
            return fault("code", "lower-case letters, digits and hyphens, at most 64");
        }
        if self.version == 0 {
            return fault("version", "is counted from 1");
        }
        for (path, text) in [("name", &self.name), ("source", &self.source)] {
            if text.trim().is_empty() {
                return fault(path, "is blank");
            }
        }
        if self.values.is_empty() || self.values.len() > Self::MOST_VALUES {
            return fault("values", "1 to 5000 values");
        }
        let mut seen = BTreeSet::new();
        let in_force: BTreeSet<&str> = self
            .values
            .iter()
            .filter(|v| v.replaced_by.is_none())
            .map(|v| v.value.as_str())
            .collect();
        for value in &self.values {
            let text = value.value.as_str();
            let path = format!("values.{text}");
            if text.trim() != text || text.is_empty() || text.contains([';', '；', '\n']) {
                return fault(
                    &path,
                    "a value is not blank, without space around it, line end or semicolon",
                );
            }
            if text.chars().count() > Self::LONGEST_VALUE {
                return fault("values", "a value has at most 200 characters");
            }
            if !seen.insert(text) {
                return fault(&path, "stands in the list twice");
            }
            // One step to a value in force: so there is neither a chain nor a cycle.
            if let Some(next) = &value.replaced_by
                && !in_force.contains(next.as_str())
            {
                return fault(
                    &format!("{path}.replaced_by"),
                    "names no value in force of this list",
                );
            }
        }
        None
    }
}

/// A code of items and lists: lower-case letters, digits and hyphens, at most 64.
pub(super) fn is_item_code(code: &str) -> bool {
    !code.is_empty()
        && code.len() <= 64
        && code
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Code lists by code and version.
#[derive(Debug, Clone, Default)]
pub struct CodeLists(BTreeMap<(String, u32), CodeListVersion>);

impl CodeLists {
    /// Most bytes of values and meanings that the lists named by one item bring into it. A list is copied into
    /// each field that names it, so a short item could otherwise grow without end.
    pub const MOST_COPIED_BYTES: usize = 512 * 1024;

    /// Adds a list; the same code and version again replaces it.
    pub fn add_list(&mut self, list: CodeListVersion) {
        self.0.insert((list.code.clone(), list.version), list);
    }

    /// The list with this code and version.
    pub fn get(&self, code: &str, version: u32) -> Option<&CodeListVersion> {
        self.0.get(&(code.to_owned(), version))
    }

    /// All lists, by code and version.
    pub fn iter(&self) -> impl Iterator<Item = &CodeListVersion> {
        self.0.values()
    }

    /// Writes the values of the lists that an item's fields name into the fields. What cannot be resolved is
    /// a fault with its path. Nothing is copied any more once [`CodeLists::MOST_COPIED_BYTES`] would be passed.
    pub fn resolve_lists(&self, item: &mut ItemVersion) -> Vec<LintFault> {
        let mut faults = Vec::new();
        let mut copied = 0_usize;
        for field in &mut item.fields {
            let Some(used) = &mut field.code_list else {
                continue;
            };
            let path = format!("fields.{}.code_list", field.code);
            let (code, version) = match (&used.list, used.version) {
                (None, None) => continue,
                (Some(code), Some(version)) => (code, version),
                _ => {
                    faults.push(LintFault::new(
                        path,
                        "names a list and its version, or neither",
                    ));
                    continue;
                }
            };
            let Some(list) = self.get(code, version) else {
                let mut fault = LintFault::new(path, "no such code list in the catalogue");
                fault.detail = format!("{code} version {version}");
                faults.push(fault);
                continue;
            };
            copied = copied.saturating_add(list.bytes());
            if copied > Self::MOST_COPIED_BYTES {
                let rule =
                    "the code lists of all fields together bring at most 524288 bytes into an item";
                faults.push(LintFault::new(path, rule));
                break;
            }
            let (values, labels, replaced) = list.parts();
            let own = !used.values.is_empty() && used.values != values;
            if own {
                faults.push(LintFault::new(
                    path,
                    "has values other than those of its list",
                ));
                continue;
            }
            (used.values, used.labels, used.replaced) = (values, labels, replaced);
        }
        faults
    }
}

impl CodeListVersion {
    /// Bytes of all values and their meanings.
    fn bytes(&self) -> usize {
        let of = |entry: &CodeValue| {
            let replaced_by = entry.replaced_by.as_ref().map_or(0, String::len);
            entry.value.len() + entry.meaning.len() + replaced_by
        };
        self.values.iter().map(of).sum()
    }

    /// Values in force, their meanings, and replaced values by what they are taken for.
    fn parts(
        &self,
    ) -> (
        Vec<String>,
        BTreeMap<String, String>,
        BTreeMap<String, String>,
    ) {
        let mut values = Vec::new();
        let (mut labels, mut replaced) = (BTreeMap::new(), BTreeMap::new());
        for entry in &self.values {
            match &entry.replaced_by {
                Some(next) => {
                    replaced.insert(entry.value.clone(), next.clone());
                }
                None => values.push(entry.value.clone()),
            }
            if !entry.meaning.is_empty() {
                labels.insert(entry.value.clone(), entry.meaning.clone());
            }
        }
        (values, labels, replaced)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::standard_items;

    /// A list with `bytes` bytes of values, in values of 100.
    fn list(bytes: usize) -> CodeListVersion {
        let value = |i: usize| CodeValue {
            value: format!("{i:0100}"),
            meaning: String::new(),
            replaced_by: None,
        };
        CodeListVersion {
            code: "long".to_owned(),
            version: 1,
            edition: "2026".to_owned(),
            name: "长表".to_owned(),
            source: "某办法".to_owned(),
            values: (0..bytes / 100).map(value).collect(),
        }
    }

    #[test]
    fn lists_are_not_copied_into_fields_without_end() {
        let mut item = standard_items().unwrap().remove(0);
        let mut field = item.fields[0].clone();
        field.code_list = Some(crate::item::CodeList {
            list: Some("long".to_owned()),
            version: Some(1),
            ..Default::default()
        });
        item.fields = (0..6)
            .map(|i| {
                let code = format!("F{i}");
                crate::item::Field {
                    code,
                    ..field.clone()
                }
            })
            .collect();
        let mut lists = CodeLists::default();
        lists.add_list(list(CodeLists::MOST_COPIED_BYTES / 4));
        let mut four = item.clone();
        four.fields.truncate(4);
        assert_eq!(lists.resolve_lists(&mut four), []);

        let faults = lists.resolve_lists(&mut item);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert_eq!(faults[0].path, "fields.F4.code_list");
        assert!(faults[0].problem.contains("524288"), "{faults:?}");
        let filled = |field: &&crate::item::Field| {
            let list = field.code_list.as_ref();
            list.is_some_and(|list| !list.values.is_empty())
        };
        assert_eq!(item.fields.iter().filter(filled).count(), 4);
    }
}
