//! The report of a replay as messages. Called by `replay`.

use std::fmt::Display;

use credit_record::replay::{ProviderReport, Report, Tally};
use proto::credit::ingest::v1::{
    FactChange, FindingChange, Occurrences, ProviderChanges, ReplayChanges, ValueChange,
};

/// Records named for each count over all providers.
pub(super) const IN_TOTAL: usize = 10;
/// Records named for each count of one provider: there are some hundred providers, and a message has a
/// largest size.
const OF_ONE: usize = 3;

/// Each provider by code.
pub(super) fn providers(report: &Report) -> Vec<ProviderChanges> {
    let of = |(code, part): (&String, &ProviderReport)| ProviderChanges {
        provider_code: code.clone(),
        changes: Some(changes(part, OF_ONE)),
    };
    report.providers.iter().map(of).collect()
}

/// What would change, with at most `most` records named for each count.
pub(super) fn changes(part: &ProviderReport, most: usize) -> ReplayChanges {
    let tally = |tally: &Tally| Some(named(tally.count, tally.samples.iter().take(most)));
    let findings = part.findings.iter().flat_map(|(rule, codes)| {
        codes.iter().map(move |(code, delta)| FindingChange {
            rule: rule.clone(),
            code: code.as_str().to_owned(),
            added: tally(&delta.added),
            removed: tally(&delta.removed),
            raised: tally(&delta.raised),
            lowered: tally(&delta.lowered),
        })
    });
    let values = part.values.iter().flat_map(|(field, steps)| {
        steps.iter().map(move |(step, records)| ValueChange {
            field: field.clone(),
            normaliser: step.clone(),
            records: tally(records),
        })
    });
    let facts = part.facts.iter().map(|(fact, records)| FactChange {
        fact: fact.clone(),
        records: tally(records),
    });
    ReplayChanges {
        compared: part.records,
        changed: part.changed,
        accepted_to_returned: tally(&part.accepted_to_returned),
        returned_to_accepted: tally(&part.returned_to_accepted),
        findings: findings.collect(),
        values: values.collect(),
        facts: facts.collect(),
    }
}

/// A count with the ids of some records.
pub(super) fn named<I: Display>(count: u64, records: impl IntoIterator<Item = I>) -> Occurrences {
    Occurrences {
        count,
        record_ids: records.into_iter().map(|id| id.to_string()).collect(),
    }
}
