//! The report of a replay: counts and a few record ids, by provider and rule. Called by [`super::Replay`],
//! which fills it, and by programs that show or store it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::check::FindingCode;

/// Most record ids that a [`Tally`] names.
pub const SAMPLES: usize = 10;

/// Stands for the rule where no step of normalisation explains a difference between two values.
pub const UNATTRIBUTED: &str = "unattributed";

/// How often something would happen, and to which records, as examples.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// How often.
    pub count: u64,
    /// The smallest record ids, at most [`SAMPLES`]: the same ones in whatever order batches come.
    pub samples: BTreeSet<String>,
}

impl Tally {
    pub(super) fn add(&mut self, record: &str) {
        self.count += 1;
        let full = self.samples.len() >= SAMPLES;
        if full && self.samples.last().is_some_and(|last| &**last <= record) {
            return;
        }
        self.samples.insert(record.to_owned());
        self.trim();
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.samples.extend(other.samples);
        self.trim();
    }

    fn trim(&mut self) {
        while self.samples.len() > SAMPLES {
            self.samples.pop_last();
        }
    }

    /// True when it never happened.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// How the findings of one rule and code would change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FindingDelta {
    /// Findings that only the new rules make.
    pub added: Tally,
    /// Findings that only the old rules make.
    pub removed: Tally,
    /// Warnings that become errors.
    pub raised: Tally,
    /// Errors that become warnings.
    pub lowered: Tally,
}

impl FindingDelta {
    fn merge(&mut self, other: Self) {
        self.added.merge(other.added);
        self.removed.merge(other.removed);
        self.raised.merge(other.raised);
        self.lowered.merge(other.lowered);
    }
}

/// What would change for the records of one provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderReport {
    /// Records that were compared.
    pub records: u64,
    /// Records for which anything would change.
    pub changed: u64,
    /// Accepted today, returned by the new rules.
    pub accepted_to_returned: Tally,
    /// Returned today, accepted by the new rules.
    pub returned_to_accepted: Tally,
    /// Findings by rule and finding code.
    pub findings: BTreeMap<String, BTreeMap<FindingCode, FindingDelta>>,
    /// Values that would be derived differently, of records accepted by both: by field, and by the step
    /// of normalisation at which the two ways part, or [`UNATTRIBUTED`].
    pub values: BTreeMap<String, BTreeMap<String, Tally>>,
    /// What is read from the values and would differ, of records accepted by both: `natural_key`,
    /// `effective_date`, `expiry_date`, `subject` and the like.
    pub facts: BTreeMap<String, Tally>,
}

impl ProviderReport {
    pub(super) fn finding_delta(&mut self, rule: &str, code: FindingCode) -> &mut FindingDelta {
        entry(&mut self.findings, rule).entry(code).or_default()
    }

    pub(super) fn value_tally(&mut self, field: &str, rule: &str) -> &mut Tally {
        entry(entry(&mut self.values, field), rule)
    }

    pub(super) fn fact_tally(&mut self, name: &str) -> &mut Tally {
        entry(&mut self.facts, name)
    }

    /// Adds what another batch found.
    pub fn merge(&mut self, other: Self) {
        self.records += other.records;
        self.changed += other.changed;
        self.accepted_to_returned.merge(other.accepted_to_returned);
        self.returned_to_accepted.merge(other.returned_to_accepted);
        for (rule, codes) in other.findings {
            let own = self.findings.entry(rule).or_default();
            for (code, delta) in codes {
                own.entry(code).or_default().merge(delta);
            }
        }
        for (field, rules) in other.values {
            let own = self.values.entry(field).or_default();
            for (rule, tally) in rules {
                own.entry(rule).or_default().merge(tally);
            }
        }
        for (fact, tally) in other.facts {
            self.facts.entry(fact).or_default().merge(tally);
        }
    }
}

/// What would change, by provider.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReplayReport {
    /// By provider, as the caller names it.
    pub providers: BTreeMap<String, ProviderReport>,
}

impl RuleReplayReport {
    pub(super) fn provider_report(&mut self, provider: &str) -> &mut ProviderReport {
        entry(&mut self.providers, provider)
    }

    /// Adds the report of another batch. The order of batches makes no difference.
    pub fn merge(&mut self, other: Self) {
        for (provider, part) in other.providers {
            self.providers.entry(provider).or_default().merge(part);
        }
    }

    /// All providers together.
    pub fn total(&self) -> ProviderReport {
        let mut total = ProviderReport::default();
        for part in self.providers.values() {
            total.merge(part.clone());
        }
        total
    }

    /// True when nothing would change for any record.
    pub fn is_unchanged(&self) -> bool {
        self.providers.values().all(|part| part.changed == 0)
    }
}

fn entry<'m, V: Default>(map: &'m mut BTreeMap<String, V>, key: &str) -> &'m mut V {
    map.entry(key.to_owned()).or_default()
}
