//! Rules over several fields, as data: CEL expressions in the catalogue item, compiled once per version of the
//! item and run over each record. Called by [`crate::check_record()`], and by the lint of items, which refuses a rule
//! that does not compile.
//!
//! - [`Rule`]: what stands in the item;
//! - `compile`: parsing, within bounds on the text;
//! - `typing`: types, guarded reads and the bound on the work of an expression;
//! - `functions`: the functions for our types and for working days;
//! - `evaluate`: running over a record.
//!
//! An expression is safe by construction. It can read a field only where the field is known to be given
//! (`needs`, `given`, `or`), its types are checked before it ever runs, there are no loops but those over a
//! list whose longest length is known, and the most steps that it can take on the largest record are computed
//! at compile time and limited to [`MAX_STEPS`] a rule and [`MAX_ITEM_STEPS`] an item.

mod compile;
mod evaluate;
mod functions;
mod typing;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::check::{FindingCode, Severity};
use crate::item::{Field, ItemError, ItemVersion, LintFault, structure_faults};
use crate::normalise::{CleansingRuleSet, Normaliser, pipeline_name, pipeline_steps, steps_named};

pub use compile::{MAX_ITEM_STEPS, MAX_NESTING, MAX_SOURCE, MAX_STEPS};
pub(crate) use evaluate::run_rules;
pub(crate) use functions::years_later;
pub use functions::{Signature, function_signatures};

/// One rule of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable id within the item, lower-case letters, digits and hyphens.
    pub id: String,
    /// Version, counted from 1, raised with every change of behaviour.
    pub version: u32,
    /// What the rule demands, in Chinese.
    pub title: String,
    /// Whether a broken rule sends the record back.
    pub severity: Severity,
    /// Code of the finding.
    pub code: FindingCode,
    /// Code of the field that the finding names.
    pub field: String,
    /// Fields that must be given for the rule to apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<String>,
    /// CEL expression of type bool: the rule applies where it is true. Empty: wherever `needs` are given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub when: String,
    /// CEL expression of type bool that must hold.
    pub check: String,
    /// What the provider reads when it does not, in Chinese. Never holds a value of the record.
    pub message: String,
    /// Law, standard or decision that the rule rests on.
    pub basis: String,
    /// Whether a named attester of the provider may answer for a record that breaks the rule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub confirmable: bool,
}

/// An item whose rules are compiled. Make one per version and keep it: compiling takes a millisecond, running
/// some microseconds.
pub struct CompiledItem {
    item: Arc<ItemVersion>,
    rules: Vec<compile::CompiledRule>,
    names: evaluate::FieldPositions,
    engine: Arc<cel::Env>,
    steps: Vec<Vec<&'static Normaliser>>,
    rule_set: String,
}

impl CompiledItem {
    /// Lints the item and compiles its rules.
    ///
    /// # Errors
    /// [`ItemError::Inconsistent`] with every fault found.
    pub fn new(item: Arc<ItemVersion>) -> Result<Self, ItemError> {
        let mut faults = structure_faults(&item);
        let compiled = compile::compile_rules(&item).unwrap_or_else(|found| {
            faults.extend(found);
            Vec::new()
        });
        if !faults.is_empty() {
            return Err(item.inconsistent(faults));
        }
        let engine = functions::rule_engine()
            .map_err(|problem| item.inconsistent(vec![LintFault::new("rules", problem)]))?;
        Ok(Self {
            steps: item.fields.iter().map(|f| own_steps(&item, f)).collect(),
            rule_set: CleansingRuleSet::for_item(&item).id,
            names: evaluate::FieldPositions::for_item(&item),
            rules: compiled,
            engine: Arc::new(engine),
            item,
        })
    }

    /// The item.
    pub fn item(&self) -> &ItemVersion {
        &self.item
    }

    /// The item, shared.
    pub fn shared_item(&self) -> &Arc<ItemVersion> {
        &self.item
    }

    /// The steps of cleansing for each field, in the order of the fields.
    pub(crate) fn cleansing(&self) -> &[Vec<&'static Normaliser>] {
        &self.steps
    }

    /// Name of the rule-set of cleansing, see [`CleansingRuleSet`]: store it with what is derived.
    pub fn rule_set(&self) -> &str {
        &self.rule_set
    }

    /// The most steps that the rules can take together on the largest record.
    pub fn most_steps(&self) -> u64 {
        self.rules.iter().map(|rule| rule.steps).sum()
    }
}

impl std::fmt::Debug for CompiledItem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompiledItem")
            .field("code", &self.item.code)
            .field("version", &self.item.version)
            .field("rules", &self.rules.len())
            .finish_non_exhaustive()
    }
}

/// The steps for a field: the item's own for its kind, or the standard ones.
fn own_steps(item: &ItemVersion, field: &Field) -> Vec<&'static Normaliser> {
    let own = item.cleansing.get(pipeline_name(field));
    // The lint has refused names that this program does not know.
    own.and_then(|texts| steps_named(texts).ok())
        .unwrap_or_else(|| pipeline_steps(field).to_vec())
}

/// The standard items, compiled.
///
/// # Errors
/// [`ItemError`] when a data file of this crate is broken; a test keeps that from being released.
pub fn compiled_standard_items() -> Result<Vec<CompiledItem>, ItemError> {
    crate::item::standard_items()?
        .into_iter()
        .map(|item| CompiledItem::new(Arc::new(item)))
        .collect()
}

/// Faults of the rules of an item, for the lint.
pub(crate) fn rule_faults(item: &ItemVersion) -> Vec<LintFault> {
    compile::compile_rules(item).err().unwrap_or_default()
}
