//! What a new rule-set would change: the same stored originals through the old and the new check, and a
//! report of every difference, before anything is activated. Pure. Called by `catalog` and
//! `validation` for the replay of a new version of an item or of the cleansing.
//!
//! The originals are only read. The report counts and names records; it never holds a value, so it can
//! be stored and shown without sealing.

mod report;

pub use report::{FindingDelta, ProviderReport, RuleReplayReport, SAMPLES, Tally, UNATTRIBUTED};

use std::collections::{BTreeMap, BTreeSet};

use crate::check::{AcceptedRecord, FindingCode, Severity, Verdict};
use crate::normalise::CleansingChange;

/// Compares two ways to check one record, given as functions from its original bytes to a verdict. Both
/// must be pure: what they need besides the bytes, such as the day of receipt, must be the same for both,
/// or the report mixes its effect with that of the rules.
#[derive(Debug)]
pub struct Replay<Old, New> {
    old: Old,
    new: New,
    report: RuleReplayReport,
}

impl<Old, New> Replay<Old, New>
where
    Old: Fn(&[u8]) -> Verdict,
    New: Fn(&[u8]) -> Verdict,
{
    /// A comparison that has seen nothing yet.
    pub fn new(old: Old, new: New) -> Self {
        Self {
            old,
            new,
            report: RuleReplayReport::default(),
        }
    }

    /// Runs one original through both. True when anything would change.
    pub fn compare_original(&mut self, provider: &str, record: &str, original: &[u8]) -> bool {
        let (old, new) = ((self.old)(original), (self.new)(original));
        self.report.add(provider, record, &old, &new)
    }

    /// What was found. Reports of several batches become one by [`RuleReplayReport::merge`].
    pub fn finish(self) -> RuleReplayReport {
        self.report
    }
}

impl RuleReplayReport {
    /// Adds one record with both its verdicts. True when anything would change. For callers that check
    /// elsewhere, such as in parallel, and hold the verdicts already.
    pub fn add(&mut self, provider: &str, record: &str, old: &Verdict, new: &Verdict) -> bool {
        let part = self.provider_report(provider);
        part.records += 1;
        if old == new {
            return false;
        }
        let changed = part.compare(record, old, new);
        part.changed += u64::from(changed);
        changed
    }
}

impl ProviderReport {
    fn compare(&mut self, record: &str, old: &Verdict, new: &Verdict) -> bool {
        let mut changed = match (old, new) {
            (Verdict::Accepted(old), Verdict::Accepted(new)) => self.derived(record, old, new),
            (Verdict::Accepted(_), Verdict::Returned(_)) => {
                self.accepted_to_returned.add(record);
                true
            }
            (Verdict::Returned(_), Verdict::Accepted(_)) => {
                self.returned_to_accepted.add(record);
                true
            }
            (Verdict::Returned(_), Verdict::Returned(_)) => false,
        };
        let (before, after) = (graded(old), graded(new));
        for (finding, severity) in &after {
            let moved: fn(&mut FindingDelta) -> &mut Tally = match before.get(finding) {
                Some(old) if old == severity => continue,
                Some(Severity::Warning) => |delta| &mut delta.raised,
                Some(Severity::Error) => |delta| &mut delta.lowered,
                None => |delta| &mut delta.added,
            };
            moved(self.finding_delta(finding.rule, finding.code)).add(record);
            changed = true;
        }
        for finding in before.keys().filter(|f| !after.contains_key(f)) {
            self.finding_delta(finding.rule, finding.code)
                .removed
                .add(record);
            changed = true;
        }
        changed
    }

    /// Values and what was read from them, of a record that both accept.
    fn derived(&mut self, record: &str, old: &AcceptedRecord, new: &AcceptedRecord) -> bool {
        let mut changed = false;
        let fields: BTreeSet<&String> = old.values.keys().chain(new.values.keys()).collect();
        for field in fields {
            if old.values.get(field) == new.values.get(field) {
                continue;
            }
            changed = true;
            for rule in rules_behind(field, &old.changes, &new.changes) {
                self.value_tally(field, rule).add(record);
            }
        }
        let facts = [
            ("subject", old.subject != new.subject),
            ("natural_key", old.natural_key != new.natural_key),
            (
                "document_number",
                old.document_number != new.document_number,
            ),
            ("authority", old.authority != new.authority),
            ("decision_date", old.decision_date != new.decision_date),
            ("effective_date", old.effective_date != new.effective_date),
            ("expiry_date", old.expiry_date != new.expiry_date),
            (
                "publicity_until",
                old.publicity_until != new.publicity_until,
            ),
        ];
        for (fact, differs) in facts {
            if differs {
                changed = true;
                self.fact_tally(fact).add(record);
            }
        }
        changed
    }
}

/// What makes a finding the same one in both verdicts. Another version of its rule or another wording is
/// no change to the record.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct FindingKey<'a> {
    rule: &'a str,
    code: FindingCode,
    /// Part of the key only: the field of an unknown key comes from the content, so a report by field
    /// would have no bound.
    field: Option<&'a str>,
}

/// The findings of a verdict with the graver severity of each.
fn graded(verdict: &Verdict) -> BTreeMap<FindingKey<'_>, Severity> {
    let findings = match verdict {
        Verdict::Accepted(record) => &record.warnings,
        Verdict::Returned(findings) => findings,
    };
    let mut graded = BTreeMap::new();
    for finding in findings {
        let key = FindingKey {
            rule: &finding.rule,
            code: finding.code,
            field: finding.field.as_deref(),
        };
        let severity = graded.entry(key).or_insert(finding.severity);
        *severity = finding.severity.min(*severity);
    }
    graded
}

/// The steps at which the two derivations of a field's value diverge; [`UNATTRIBUTED`] when no step explains it,
/// such as for a value that comes from a changed item.
fn rules_behind<'a>(
    field: &str,
    old: &'a [CleansingChange],
    new: &'a [CleansingChange],
) -> BTreeSet<&'a str> {
    let of = |changes: &'a [CleansingChange]| changes.iter().filter(move |c| c.field == *field);
    let (mut old, mut new) = (of(old), of(new));
    let mut last = None;
    loop {
        match (old.next(), new.next()) {
            (None, None) => return [last.unwrap_or(UNATTRIBUTED)].into(),
            // Redacted changes can look the same although the values differ: then the last is named.
            (Some(a), Some(b)) if a == b => last = Some(a.rule),
            (a, b) => return a.into_iter().chain(b).map(|c| c.rule).collect(),
        }
    }
}
