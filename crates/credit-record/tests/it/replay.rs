//! A rule-set replayed over stored originals: what it reports, that it never holds a value, and that
//! batches can be reported apart.

use credit_record::replay::{Replay, RuleReplayReport, SAMPLES, UNATTRIBUTED};
use credit_record::{FindingCode, Verdict};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{bytes, penalty, penalty_with};

/// The rules in force.
fn today(original: &[u8]) -> Verdict {
    bytes("xzcf", original)
}

/// Other rules, as far as a verdict shows them: those of today over a changed original.
fn other(change: fn(&mut Map<String, Value>)) -> impl Fn(&[u8]) -> Verdict {
    move |original| match serde_json::from_slice::<Map<String, Value>>(original) {
        Ok(mut record) => {
            change(&mut record);
            today(&serde_json::to_vec(&record).unwrap())
        }
        Err(_) => today(original),
    }
}

fn json_of(record: &Map<String, Value>) -> Vec<u8> {
    serde_json::to_vec(record).unwrap()
}

#[test]
fn a_stricter_rule_shows_whom_it_would_send_back() {
    let strict = other(|record| {
        record.remove("CF_NR_FK");
    });
    let mut replay = Replay::new(today, strict);
    assert!(replay.compare_original("11430100006123458R", "r-2", &json_of(&penalty())));
    assert!(replay.compare_original("11430100006123458R", "r-1", &json_of(&penalty())));
    assert!(!replay.compare_original("12430100444900018L", "r-3", b"no JSON"));
    let report = replay.finish();
    assert!(!report.is_unchanged());
    let part = &report.providers["11430100006123458R"];
    assert_eq!((part.records, part.changed), (2, 2));
    assert_eq!(part.accepted_to_returned.count, 2);
    let samples: Vec<_> = part.accepted_to_returned.samples.iter().collect();
    assert_eq!(samples, ["r-1", "r-2"]);
    assert!(part.returned_to_accepted.is_empty());
    let added: u64 = part
        .findings
        .values()
        .filter_map(|codes| codes.get(&FindingCode::PenaltyAmountMissing))
        .map(|delta| delta.added.count)
        .sum();
    assert_eq!(added, 2, "{:?}", part.findings);
    let quiet = &report.providers["12430100444900018L"];
    assert_eq!((quiet.records, quiet.changed), (1, 0));
    assert_eq!(report.total().records, 3);
    assert_eq!(report.total().changed, 2);
}

#[test]
fn a_milder_rule_shows_whom_it_would_accept() {
    let mild = other(|record| {
        record.insert("CF_JDRQ".to_owned(), json!("2026-06-10"));
    });
    let mut replay = Replay::new(today, mild);
    replay.compare_original(
        "p",
        "r",
        &json_of(&penalty_with(json!({"CF_JDRQ": "10/06/2026"}))),
    );
    let report = replay.finish();
    let part = &report.providers["p"];
    assert_eq!(part.returned_to_accepted.count, 1);
    let removed: Vec<_> = part
        .findings
        .iter()
        .flat_map(|(rule, codes)| codes.iter().map(move |(code, delta)| (rule, code, delta)))
        .filter(|(_, _, delta)| delta.removed.count == 1)
        .collect();
    assert_eq!(removed.len(), 1, "{removed:?}");
    assert!(
        part.values.is_empty(),
        "values are compared where both accept"
    );
}

#[test]
fn a_value_derived_otherwise_names_field_and_step_and_no_value() {
    let otherwise = other(|record| {
        record.insert(
            "CF_XDR_MC".to_owned(),
            json!("湖南 客偲家装饰(长沙)有限公司"),
        );
        record.insert("CF_WSH".to_owned(), json!("长市监罚决〔2026〕124号"));
    });
    let mut replay = Replay::new(today, otherwise);
    replay.compare_original(
        "p",
        "r",
        &json_of(&penalty_with(
            json!({"CF_XDR_MC": "湖南 客偲家装饰工程有限公司"}),
        )),
    );
    let report = replay.finish();
    let part = &report.providers["p"];
    assert_eq!(part.values["CF_XDR_MC"]["name-form"].count, 1);
    assert_eq!(part.values["CF_WSH"][UNATTRIBUTED].count, 1);
    assert_eq!(part.values.len(), 2);
    for fact in ["natural_key", "document_number", "subject"] {
        assert_eq!(part.facts[fact].count, 1, "{fact}");
    }
    assert!(part.accepted_to_returned.is_empty() && part.returned_to_accepted.is_empty());
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("客偲家") && !text.contains("124"), "{text}");
    let back: RuleReplayReport = serde_json::from_str(&text).unwrap();
    assert_eq!(back, report);
}

#[test]
fn a_warning_that_becomes_an_error_is_raised() {
    let mut report = RuleReplayReport::default();
    let old = today(&json_of(&penalty_with(json!({"CF_GSJZQ": "2036-06-10"}))));
    let Verdict::Accepted(record) = &old else {
        panic!("{old:?}");
    };
    let mut findings = record.warnings.clone();
    assert!(!findings.is_empty());
    for finding in &mut findings {
        finding.severity = credit_record::Severity::Error;
    }
    let new = Verdict::Returned(findings.clone());
    assert!(report.add("p", "r", &old, &new));
    assert!(report.add("p", "r", &new, &old));
    let part = &report.providers["p"];
    let delta = &part.findings[&*findings[0].rule][&findings[0].code];
    assert_eq!((delta.raised.count, delta.lowered.count), (1, 1));
    assert!(delta.added.is_empty() && delta.removed.is_empty());
}

#[test]
fn samples_are_bounded_and_the_same_in_any_order() {
    let strict = || {
        other(|record| {
            record.remove("CF_NR_FK");
        })
    };
    let original = json_of(&penalty());
    let mut up = Replay::new(today, strict());
    let mut down = Replay::new(today, strict());
    for i in 0..25 {
        up.compare_original("p", &format!("r-{i:02}"), &original);
        down.compare_original("p", &format!("r-{:02}", 24 - i), &original);
    }
    let (up, down) = (up.finish(), down.finish());
    assert_eq!(up, down);
    let tally = &up.providers["p"].accepted_to_returned;
    assert_eq!((tally.count, tally.samples.len()), (25, SAMPLES));
    assert_eq!(tally.samples.first().unwrap(), "r-00");
}

/// Originals between a clean record and noise.
fn original() -> impl Strategy<Value = Vec<u8>> {
    let code = prop::sample::select(penalty().keys().cloned().collect::<Vec<_>>());
    let value = prop_oneof![
        Just(Value::Null),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(vec![
            " 2000元",
            "43748",
            "2026/6/5",
            "张*",
            "4.3E+17",
            "暂扣执照",
            "91430102ma4px7rc64",
            "0.2",
            "无",
            "自然人",
        ])
        .prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ];
    let damaged = prop::collection::vec((code, value), 0..5).prop_map(|changes| {
        let mut record = penalty();
        record.extend(changes);
        json_of(&record)
    });
    prop_oneof![
        4 => damaged,
        1 => prop::collection::vec(any::<u8>(), 0..64),
    ]
}

fn reports() -> impl Strategy<Value = [RuleReplayReport; 3]> {
    let fed = (0usize..3, "[ab]", 0u8..40, original());
    prop::collection::vec(fed, 0..12).prop_map(|records| {
        let mut replays = [(); 3].map(|()| {
            Replay::new(
                today,
                other(|record| {
                    record.remove("CF_NR_FK");
                    record.insert("CF_WSH".to_owned(), json!("长市监〔2026〕9号"));
                }),
            )
        });
        for (batch, provider, id, original) in records {
            replays[batch].compare_original(&provider, &id.to_string(), &original);
        }
        replays.map(Replay::finish)
    })
}

fn merged(mut a: RuleReplayReport, b: RuleReplayReport) -> RuleReplayReport {
    a.merge(b);
    a
}

proptest! {
    #![proptest_config(crate::support::cases(200))]

    #[test]
    fn a_rule_set_against_itself_reports_nothing(originals in prop::collection::vec(original(), 1..8)) {
        let mut replay = Replay::new(today, today);
        for (i, original) in originals.iter().enumerate() {
            prop_assert!(!replay.compare_original("p", &i.to_string(), original));
        }
        let report = replay.finish();
        prop_assert!(report.is_unchanged());
        let part = report.total();
        prop_assert_eq!(part.records, u64::try_from(originals.len()).unwrap());
        prop_assert!(part.findings.is_empty() && part.values.is_empty() && part.facts.is_empty());
        prop_assert!(part.accepted_to_returned.is_empty() && part.returned_to_accepted.is_empty());
    }

    #[test]
    fn batches_can_be_merged_in_any_order([a, b, c] in reports()) {
        let left = merged(merged(a.clone(), b.clone()), c.clone());
        let right = merged(a.clone(), merged(b.clone(), c.clone()));
        prop_assert_eq!(&left, &right);
        let turned = merged(merged(c, b), a.clone());
        prop_assert_eq!(&left, &turned);
        prop_assert_eq!(&merged(a.clone(), RuleReplayReport::default()), &a);
    }

    #[test]
    fn one_report_is_the_sum_of_its_batches(
        originals in prop::collection::vec(original(), 0..10), cut in 0usize..10,
    ) {
        let new = || other(|record| { record.remove("CF_CFLB"); });
        let feed = |range: &[(usize, Vec<u8>)]| {
            let mut replay = Replay::new(today, new());
            for (i, original) in range {
                replay.compare_original("p", &i.to_string(), original);
            }
            replay.finish()
        };
        let all: Vec<_> = originals.into_iter().enumerate().collect();
        let (first, second) = all.split_at(cut.min(all.len()));
        prop_assert_eq!(feed(&all), merged(feed(first), feed(second)));
    }
}
