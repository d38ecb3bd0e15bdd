//! The rule-set by which a value was derived, as a name that can be stored. Called by services that store
//! derived values or compares them, and by [`crate::replay`] for its report.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{ALL, PIPELINES, steps_named};
use crate::item::ItemVersion;

/// Every step with its version, and in which order the steps run over which kind of field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleansingRuleSet {
    /// Name of the whole: `n-` and 16 hexadecimal digits. Two builds with the same name derive the same
    /// values from the same originals and the same version of an item.
    pub id: String,
    /// Version of the Unicode tables behind NFKC.
    pub unicode: String,
    /// Id and version of every step.
    pub steps: Vec<(&'static str, u32)>,
    /// Kind of field, and the steps for it in their order.
    pub pipelines: Vec<(&'static str, Vec<(&'static str, u32)>)>,
}

impl CleansingRuleSet {
    /// The standard rule-set of this build.
    pub fn current() -> Self {
        Self::with(&BTreeMap::new())
    }

    /// The rule-set of an item that has its own steps for some kinds of field.
    pub fn for_item(item: &ItemVersion) -> Self {
        Self::with(&item.cleansing)
    }

    fn with(own: &BTreeMap<String, Vec<String>>) -> Self {
        let step = |step: &&super::Normaliser| (step.id, step.version);
        let (major, minor, update) = unicode_normalization::UNICODE_VERSION;
        let mut set = Self {
            id: String::new(),
            unicode: format!("{major}.{minor}.{update}"),
            steps: ALL.iter().map(step).collect(),
            pipelines: PIPELINES
                .iter()
                .map(|(name, standard)| {
                    let own = own.get(*name).and_then(|texts| steps_named(texts).ok());
                    let steps = own.as_deref().unwrap_or(standard);
                    (*name, steps.iter().map(step).collect())
                })
                .collect(),
        };
        set.id = format!("n-{:016x}", fnv_1a(set.description().as_bytes()));
        set
    }

    /// The text whose digest is the id: one line a pipeline.
    fn description(&self) -> String {
        let mut text = format!("unicode {}\n", self.unicode);
        for (name, steps) in &self.pipelines {
            text.push_str(name);
            for (id, version) in steps {
                // Writing into a String cannot fail.
                let _ = write!(text, " {id}/{version}");
            }
            text.push('\n');
        }
        text
    }
}

/// FNV-1a with 64 bits: names a handful of rule-sets, and protects against nothing.
fn fnv_1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3)
    })
}
