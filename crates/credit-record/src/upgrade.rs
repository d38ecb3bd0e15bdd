//! How a record of an earlier version of an item reads in the next one, by the mapping that the next version
//! carries as data. Called by whoever shows old and new records side by side, and by the tests of the items.
//!
//! Nothing is guessed. What cannot be mapped is named, what the new version demands and the old one never
//! collected is named too, and the original stays what it is: this is a reading of it, not a change.

use serde_json::{Map, Value};

use crate::id::CreditCode;
use crate::item::{CodeList, Condition, Field, ItemVersion, Predecessor, Requirement, SubjectKind};

/// What an upgrade did with one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpgradeStep {
    /// A value stands under another code now, unchanged.
    Moved {
        /// Code in the earlier version.
        from: String,
        /// Code in this version.
        to: String,
    },
    /// A second value joined the one that was there already.
    Joined {
        /// Code in the earlier version.
        from: String,
        /// Code in this version.
        to: String,
    },
    /// A value of a code list was replaced by the one in force, or taken as a value of one's own
    /// (`其他-…`) because the list has no equal of it.
    Recoded {
        /// Code of the field.
        field: String,
        /// Value of the list before.
        before: String,
        /// Value of the list after.
        after: String,
    },
    /// A value that follows from the edition or from another value.
    Derived {
        /// Code of the field.
        field: String,
    },
    /// The new version declares that it has no field for the value.
    Dropped {
        /// Code in the earlier version.
        field: String,
    },
    /// The new version does not mention the field: a gap in its mapping.
    Unmapped {
        /// Code in the earlier version.
        field: String,
    },
}

/// A record as the next version reads it.
#[derive(Clone, PartialEq, Eq)]
pub struct Upgraded {
    /// Values by field code, in the order of the new version. As personal as what came in.
    pub values: Map<String, Value>,
    /// What was done, in the order of the old version. Free of personal values.
    pub steps: Vec<UpgradeStep>,
    /// Codes of the fields that the new version demands and that nothing could fill.
    pub missing: Vec<String>,
}

impl std::fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgraded")
            .field("values", &format_args!("{} values", self.values.len()))
            .field("steps", &self.steps)
            .field("missing", &self.missing)
            .finish()
    }
}

/// Why there is no upgrade between two versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// Versions of different items.
    #[error("{old} is not a version of {new}")]
    OtherItem {
        /// Code of the old item.
        old: String,
        /// Code of the new item.
        new: String,
    },
    /// The new version does not declare how it follows the old one.
    #[error("{code} version {new} has no mapping from version {old}")]
    NoMapping {
        /// Code of the item.
        code: String,
        /// The earlier version.
        old: u32,
        /// The later version.
        new: u32,
    },
}

/// Reads the values of an accepted record of the version `old` as a record of `new`, its direct successor.
///
/// # Errors
/// [`UpgradeError`]: `new` does not follow `old`.
pub fn upgrade_record(
    old: &ItemVersion,
    new: &ItemVersion,
    values: &Map<String, Value>,
) -> Result<Upgraded, UpgradeError> {
    if old.code != new.code {
        return Err(UpgradeError::OtherItem {
            old: old.code.clone(),
            new: new.code.clone(),
        });
    }
    let mapping = new
        .predecessor
        .as_ref()
        .filter(|p| p.version == old.version);
    let Some(mapping) = mapping else {
        return Err(UpgradeError::NoMapping {
            code: new.code.clone(),
            old: old.version,
            new: new.version,
        });
    };
    let mut draft = UpgradeDraft {
        new,
        cells: vec![None; new.fields.len()],
        steps: Vec::new(),
    };
    for field in &old.fields {
        if let Some(value) = text_of(values, &field.code) {
            draft.carry(mapping, &field.code, value);
        }
    }
    for constant in &mapping.constants {
        let applies = constant
            .when_given
            .as_ref()
            .is_none_or(|code| text_of(values, code).is_some());
        if applies {
            draft.derive(&constant.field, || Some(constant.value.clone()));
        }
    }
    draft.derive_category();
    draft.recode();
    Ok(draft.finish())
}

fn text_of(values: &Map<String, Value>, code: &str) -> Option<String> {
    match values.get(code) {
        Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    }
}

struct UpgradeDraft<'a> {
    new: &'a ItemVersion,
    cells: Vec<Option<String>>,
    steps: Vec<UpgradeStep>,
}

impl UpgradeDraft<'_> {
    /// Takes one value of the old record over.
    fn carry(&mut self, mapping: &Predecessor, code: &str, value: String) {
        let field = code.to_owned();
        if mapping.dropped.contains(&field) {
            self.steps.push(UpgradeStep::Dropped { field });
            return;
        }
        let mapped = mapping.fields.iter().find(|m| m.from == code);
        let to = mapped.map_or(code, |m| m.to.as_str());
        let Some(index) = self.new.position(to) else {
            self.steps.push(UpgradeStep::Unmapped { field });
            return;
        };
        let several = list_of(&self.new.fields[index]).is_some_and(|list| list.several);
        let to = to.to_owned();
        match &mut self.cells[index] {
            Some(present) => {
                present.push_str(if several { ";" } else { "；" });
                present.push_str(&value);
                self.steps.push(UpgradeStep::Joined { from: field, to });
            }
            empty => {
                *empty = Some(value);
                if mapped.is_some() {
                    self.steps.push(UpgradeStep::Moved { from: field, to });
                }
            }
        }
    }

    /// Fills an empty field.
    fn derive(&mut self, code: &str, value: impl FnOnce() -> Option<String>) {
        let Some(index) = self.new.position(code) else {
            return;
        };
        if self.cells[index].is_some() {
            return;
        }
        if let Some(value) = value() {
            self.cells[index] = Some(value);
            let field = code.to_owned();
            self.steps.push(UpgradeStep::Derived { field });
        }
    }

    /// The kind of subject follows from the identifiers, as [`crate::check()`] reads an edition without a
    /// category: a personal document is that of a person, 92 is the pair of a 个体工商户 (GB 32100). Without
    /// either, nothing is assumed.
    fn derive_category(&mut self) {
        let roles = &self.new.roles;
        let Some(category) = roles.subject_category.clone() else {
            return;
        };
        let person = roles.person_document_number.as_deref();
        let code = self.cell(&roles.credit_code).map(CreditCode::parse);
        let kind = match code {
            _ if person.is_some_and(|number| self.cell(number).is_some()) => {
                SubjectKind::NaturalPerson
            }
            Some(Ok(code)) if code.is_individual_business() => SubjectKind::IndividualBusiness,
            Some(Ok(_)) => SubjectKind::Organisation,
            _ => return,
        };
        self.derive(&category, || Some(kind.label().to_owned()));
    }

    fn cell(&self, code: &str) -> Option<&str> {
        self.cells[self.new.position(code)?].as_deref()
    }

    /// Brings values of code lists into the lists of the new version.
    fn recode(&mut self) {
        for (field, cell) in self.new.fields.iter().zip(&mut self.cells) {
            let (Some(list), Some(value)) = (list_of(field), cell.as_mut()) else {
                continue;
            };
            let parts: Vec<&str> = if list.several {
                value.split(';').collect()
            } else {
                vec![value.as_str()]
            };
            let mut recoded: Vec<String> = Vec::with_capacity(parts.len());
            for part in parts {
                let after = in_list(list, part);
                if after != part {
                    self.steps.push(UpgradeStep::Recoded {
                        field: field.code.clone(),
                        before: part.to_owned(),
                        after: after.clone(),
                    });
                }
                if !recoded.contains(&after) {
                    recoded.push(after);
                }
            }
            *value = recoded.join(";");
        }
    }

    fn finish(self) -> Upgraded {
        let missing = self
            .new
            .fields
            .iter()
            .zip(&self.cells)
            .filter(|(field, cell)| cell.is_none() && self.demands(&field.required))
            .map(|(field, _)| field.code.clone())
            .collect();
        let values = self
            .new
            .fields
            .iter()
            .zip(self.cells)
            .filter_map(|(field, cell)| Some((field.code.clone(), Value::String(cell?))))
            .collect();
        Upgraded {
            values,
            steps: self.steps,
            missing,
        }
    }

    fn demands(&self, required: &Requirement) -> bool {
        match required {
            Requirement::Always => true,
            Requirement::Optional => false,
            Requirement::When(condition) => {
                let value = self.cell(condition.field());
                match condition {
                    Condition::Present { .. } => value.is_some(),
                    Condition::OneOf { values, .. } => {
                        value.is_some_and(|text| values.iter().any(|v| v == text))
                    }
                    Condition::Includes { values, .. } => value.is_some_and(|text| {
                        text.split(';')
                            .any(|part| values.iter().any(|v| part.starts_with(v.as_str())))
                    }),
                }
            }
        }
    }
}

fn list_of(field: &Field) -> Option<&CodeList> {
    field.code_list.as_ref()
}

/// The value as the list has it.
fn in_list(list: &CodeList, value: &str) -> String {
    if list.allows(value) {
        value.to_owned()
    } else if let Some(next) = list.replaced.get(value) {
        next.clone()
    } else if list.open {
        format!("{}{value}", CodeList::OTHER)
    } else {
        value.to_owned()
    }
}
