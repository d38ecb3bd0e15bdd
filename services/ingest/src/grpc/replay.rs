//! `ReplayRules`: the request as what the use case takes, and its steps as messages. Called by `grpc`.

use std::fmt::Display;

use credit_record::replay::{ProviderReport, RuleReplayReport, Tally};
use legal_clock::{end_of_day, shanghai_date, start_of_day};
use proto::credit::ingest::v1::{
    FactChange, FindingChange, Occurrences, ProviderChanges, ReplayChanges, ReplayProgress,
    ReplayReport, ReplayRulesRequest, ReplayRulesResponse, SkippedOriginals, ValueChange,
    replay_rules_request::Offered, replay_rules_response::Step,
};
use service_kit::request::{decode_item_code, decode_provider_code};
use time::OffsetDateTime;

use super::decode;
use crate::{
    app::replay::{OfferedDefinition, ReplayResult, ReplayScope, ReplayStep},
    domain::original,
    error::IngestError,
};

/// Largest text of a definition, bytes: thirty times the longest of the standard ones.
const MAX_DEFINITION_BYTES: usize = 1024 * 1024;
/// Most versions that a request names.
const MOST_PINNED_VERSIONS: usize = 100;

/// Which definition is tried out, and over which originals. What arrives after `now` is not read.
///
/// # Errors
/// The first field that does not fit, and its rule.
pub(super) fn decode_replay(
    request: ReplayRulesRequest,
    now: OffsetDateTime,
) -> Result<(OfferedDefinition, ReplayScope), IngestError> {
    let offered = match request.offered {
        Some(Offered::DefinitionToml(text)) => {
            if text.trim().is_empty() {
                return Err(IngestError::DefinitionMissing);
            }
            if text.len() > MAX_DEFINITION_BYTES {
                return Err(IngestError::DefinitionTooLarge);
            }
            OfferedDefinition::Toml(text)
        }
        Some(Offered::Published(wanted)) => OfferedDefinition::Published {
            code: decode_item_code("published.item_code", &wanted.item_code)?,
            version: wanted.item_version,
        },
        None => return Err(IngestError::DefinitionMissing),
    };
    let reason = request.reason.trim();
    original::check_reason(reason)?;
    let received_from = decode::optional_day("received_from", &request.received_from)?;
    let received_to = decode::optional_day("received_to", &request.received_to)?;
    if received_from
        .zip(received_to)
        .is_some_and(|(from, to)| to < from)
    {
        return Err(IngestError::ReceivedReversed);
    }
    let pinned_versions = request
        .pinned_versions
        .iter()
        .map(|version| i32::try_from(*version).ok().filter(|v| *v > 0))
        .collect::<Option<Vec<_>>>()
        .filter(|versions| versions.len() <= MOST_PINNED_VERSIONS)
        .ok_or(IngestError::PinnedVersions)?;
    let provider = match request.provider_code.as_str() {
        "" => None,
        code => Some(decode_provider_code("provider_code", code)?),
    };
    let last = received_to.filter(|to| *to < shanghai_date(now));
    let scope = ReplayScope {
        reason: reason.to_owned(),
        provider,
        received_from,
        received_to,
        not_before: received_from.map(start_of_day),
        not_after: last.map_or(now, end_of_day),
        pinned_versions,
        limit: Some(request.limit).filter(|limit| *limit > 0),
    };
    Ok((offered, scope))
}

pub(super) fn replay_step(step: ReplayStep) -> ReplayRulesResponse {
    let step = match step {
        ReplayStep::Progress { read, provider } => Step::Progress(ReplayProgress {
            read,
            provider_code: provider.to_string(),
        }),
        ReplayStep::Finished(result) => Step::Report(replay_report(*result)),
    };
    ReplayRulesResponse { step: Some(step) }
}

fn replay_report(mut result: ReplayResult) -> ReplayReport {
    let totals = result.totals;
    let skipped = totals.skipped.into_iter();
    ReplayReport {
        access_id: result.access_id.to_string(),
        item_code: result.item.code.to_string(),
        item_version: result.item.version(),
        read: totals.read,
        limited: totals.limited,
        skipped: skipped
            .map(|(item_version, count)| SkippedOriginals {
                item_version,
                reason: result.why_skipped.remove(&item_version).unwrap_or_default(),
                count,
            })
            .collect(),
        unopened: Some(occurrences(totals.unopened_count, &totals.unopened)),
        total: Some(replay_changes(&totals.report.total(), SAMPLES_IN_TOTAL)),
        providers: provider_changes(&totals.report),
    }
}

/// Records named for each count over all providers.
const SAMPLES_IN_TOTAL: usize = 10;
/// Records named for each count of one provider: there are some hundred providers, and a message has a
/// largest size.
const SAMPLES_PER_PROVIDER: usize = 3;

/// Each provider by code.
fn provider_changes(report: &RuleReplayReport) -> Vec<ProviderChanges> {
    let of = |(code, part): (&String, &ProviderReport)| ProviderChanges {
        provider_code: code.clone(),
        changes: Some(replay_changes(part, SAMPLES_PER_PROVIDER)),
    };
    report.providers.iter().map(of).collect()
}

/// What would change, with at most `most` records named for each count.
fn replay_changes(part: &ProviderReport, most: usize) -> ReplayChanges {
    let tally = |tally: &Tally| Some(occurrences(tally.count, tally.samples.iter().take(most)));
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
fn occurrences<I: Display>(count: u64, records: impl IntoIterator<Item = I>) -> Occurrences {
    Occurrences {
        count,
        record_ids: records.into_iter().map(|id| id.to_string()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::error::reason_and_field;

    const NOW: OffsetDateTime = datetime!(2026-11-20 10:00 +8);

    fn good() -> ReplayRulesRequest {
        ReplayRulesRequest {
            offered: Some(Offered::DefinitionToml("code = 'xzcf'".to_owned())),
            reason: "新版目录施行前试算".to_owned(),
            ..ReplayRulesRequest::default()
        }
    }

    #[test]
    fn every_field_that_does_not_fit_is_named() {
        type SpoilReplayRequest = fn(&mut ReplayRulesRequest);
        let table: [(&str, &str, SpoilReplayRequest); 11] = [
            ("offered", "DEFINITION_MISSING", |r| r.offered = None),
            ("offered", "DEFINITION_MISSING", |r| {
                r.offered = Some(Offered::DefinitionToml(" ".to_owned()));
            }),
            ("definition_toml", "DEFINITION_TOO_LARGE", |r| {
                let long = "x".repeat(MAX_DEFINITION_BYTES + 1);
                r.offered = Some(Offered::DefinitionToml(long));
            }),
            ("reason", "REASON_INVALID", |r| r.reason.clear()),
            ("reason", "REASON_INVALID", |r| {
                r.reason = "\u{3000} \n".to_owned();
            }),
            ("reason", "REASON_INVALID", |r| r.reason = "123…".to_owned()),
            ("reason", "REASON_INVALID", |r| {
                r.reason = "因".repeat(501);
            }),
            ("received_from", "DATE_INVALID", |r| {
                r.received_from = "2026-02-30".to_owned();
            }),
            ("received_to", "DATE_INVALID", |r| {
                r.received_to = "昨天".to_owned();
            }),
            ("received_to", "PERIOD_REVERSED", |r| {
                r.received_from = "2026-02-02".to_owned();
                r.received_to = "2026-02-01".to_owned();
            }),
            ("pinned_versions", "PINNED_VERSIONS_INVALID", |r| {
                r.pinned_versions = vec![1, 0];
            }),
        ];
        for (field, reason, spoil) in table {
            let mut request = good();
            spoil(&mut request);
            let refused = decode_replay(request, NOW).unwrap_err();
            assert_eq!(
                reason_and_field(refused),
                (reason.to_owned(), field.to_owned())
            );
        }
    }

    #[test]
    fn days_of_receipt_are_those_of_changsha_and_end_now() {
        let scope = decode_replay(good(), NOW).unwrap().1;
        assert_eq!((scope.not_before, scope.not_after), (None, NOW));
        let mut request = good();
        request.received_from = "2026-11-01".to_owned();
        request.received_to = "2026-11-19".to_owned();
        let scope = decode_replay(request.clone(), NOW).unwrap().1;
        assert_eq!(scope.received_from, Some(date!(2026 - 11 - 01)));
        assert_eq!(scope.not_before, Some(datetime!(2026-10-31 16:00 UTC)));
        assert_eq!(scope.not_after, datetime!(2026-11-19 15:59:59.999_999 UTC));
        request.received_to = "2026-11-20".to_owned();
        assert_eq!(decode_replay(request, NOW).unwrap().1.not_after, NOW);
    }
}
