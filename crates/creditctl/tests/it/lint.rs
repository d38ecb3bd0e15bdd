//! `creditctl lint` gives the findings of the service's check: over the generator's corpus, in every format.

use std::sync::Arc;

use credit_record::{
    CheckContext, CompiledItem, ContentForm, Verdict, WorkingDays, check_record_as,
    compiled_standard_items,
};
use legal_clock::{Calendar, WorkingDayTable};
use serde_json::{Map, Value, json};
use testkit::records::Generator;

use crate::fake_platform::today;
use crate::support::{CreditctlFolder, CreditctlOutput, TODAY, corpus, csv, item, run};

/// The service's result for a content: outcome and findings, in the form of the tool's own lines.
fn service(item: &CompiledItem, form: ContentForm, content: &[u8], provider: &str) -> Value {
    let table = WorkingDayTable::from_calendar(&Calendar::builtin().unwrap());
    let working_days: Arc<dyn WorkingDays> = Arc::new(table);
    let context = CheckContext {
        received_on: today(),
        provider_code: provider,
        working_days: &working_days,
        attestations: &[],
    };
    let (verdict, findings) = match check_record_as(form, item, content, &context) {
        Verdict::Accepted(record) => ("accepted", record.warnings),
        Verdict::Returned(findings) => ("returned", findings),
    };
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| {
            let error = finding.severity.as_str() == "error";
            json!({
                "code": finding.code.as_str(), "severity": finding.severity.as_str(),
                "field": finding.field, "rule": finding.rule, "rule_version": finding.rule_version,
                "message": finding.message, "suggestion": finding.suggestion,
                "confirmable": finding.confirmable && error,
            })
        })
        .collect();
    json!({ "verdict": verdict, "findings": findings })
}

fn lint(file: &str, item: &str, provider: &str, more: &[&str]) -> CreditctlOutput {
    let mut arguments = vec![
        "lint",
        file,
        "--item",
        item,
        "--provider",
        provider,
        TODAY,
        "--json",
    ];
    arguments.extend(more);
    run(&arguments, b"")
}

#[test]
fn lines_of_the_corpus_get_the_findings_of_the_service() {
    let items = compiled_standard_items().unwrap();
    let generator = Generator::new(4, today());
    let mut judged = 0;
    let mut returned = 0;
    for provider in &generator.providers()[..3] {
        for code in ["xzxk", "xzcf"] {
            let folder = CreditctlFolder::new();
            // A line end within a content would make two lines of it.
            let records: Vec<_> = generator
                .records(2_000)
                .filter(|r| r.provider_code == provider.code && r.item_code == code)
                .filter(|r| !r.content.contains(&b'\n') && !r.content.trim_ascii().is_empty())
                .collect();
            let mut file = Vec::new();
            for record in &records {
                file.extend(&record.content);
                file.push(b'\n');
            }
            let file = folder.write("corpus.jsonl", file);
            let said = lint(&file, code, &provider.code, &[]);
            let rows = said.rows();
            assert_eq!(rows.len(), records.len(), "{}", said.err);
            let version = records[0].item_version;
            let compiled = items
                .iter()
                .find(|i| i.item().code == code && i.item().version == version)
                .unwrap();
            for (row, record) in rows.iter().zip(&records) {
                let expected =
                    service(compiled, ContentForm::Json, &record.content, &provider.code);
                let got = json!({ "verdict": row["verdict"], "findings": row["findings"] });
                assert_eq!(
                    got,
                    expected,
                    "{}",
                    String::from_utf8_lossy(&record.content)
                );
                judged += 1;
                returned += usize::from(row["verdict"] == "returned");
            }
            assert_eq!(said.code, 1, "the corpus holds planted errors");
        }
    }
    assert!(judged > 300 && returned > 10, "{judged} {returned}");
}

#[test]
fn rows_of_the_corpus_get_the_findings_of_the_service() {
    let corpus = corpus();
    let compiled = CompiledItem::new(Arc::new(corpus.item.clone())).unwrap();
    let records: Vec<&Map<String, Value>> = corpus.good.iter().chain(&corpus.bad).collect();
    assert!(corpus.good.len() >= 100 && corpus.bad.len() >= 4);
    for by_name in [false, true] {
        let folder = CreditctlFolder::new();
        let file = folder.write("corpus.csv", csv(&corpus.item, by_name, &records));
        let said = lint(&file, "xzcf", &corpus.provider, &[]);
        let rows = said.rows();
        assert_eq!(rows.len(), records.len(), "{}", said.err);
        let mut returned = 0;
        for (at, (row, record)) in rows.iter().zip(&records).enumerate() {
            assert_eq!(row["row"], at as u64 + 2);
            let one = csv(&corpus.item, by_name, &[record]);
            let expected = service(
                &compiled,
                ContentForm::CsvRow,
                one.as_bytes(),
                &corpus.provider,
            );
            let got = json!({ "verdict": row["verdict"], "findings": row["findings"] });
            assert_eq!(got, expected);
            returned += u64::from(row["verdict"] == "returned");
        }
        let summary = said.summary();
        assert_eq!(summary["returned"], returned);
        assert_eq!(summary["rows"], records.len() as u64);
        assert_eq!(said.code, 1);
    }
}

#[test]
fn a_good_file_is_0_and_leaves_nothing_behind() {
    let corpus = corpus();
    let records: Vec<&Map<String, Value>> = corpus.good.iter().take(20).collect();
    let folder = CreditctlFolder::new();
    let file = folder.write("good.csv", csv(&corpus.item, false, &records));
    let said = lint(&file, "xzcf", &corpus.provider, &[]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.summary()["accepted"], 20);
    assert_eq!(folder.names(), ["good.csv"]);
    // Of another unit the same records are not its own.
    let other = "11430100006123458R";
    assert_eq!(lint(&file, "xzcf", other, &[]).code, 1);
}

#[test]
fn an_item_of_ones_own_comes_from_a_file() {
    let mut own = item("xzcf");
    own.code = "zzcf".to_owned();
    own.version = 1;
    own.predecessor = None;
    let corpus = corpus();
    let records: Vec<&Map<String, Value>> = corpus.good.iter().take(3).collect();
    let folder = CreditctlFolder::new();
    let definition = folder.write("item.json", own.to_json().unwrap());
    let file = folder.write("own.csv", csv(&own, false, &records));
    let with = ["--item-file", &*definition];
    assert_eq!(lint(&file, "zzcf", &corpus.provider, &with).code, 0);
    let without = lint(&file, "zzcf", &corpus.provider, &[]);
    assert_eq!(without.code, 2);
    assert!(without.err.contains("--item-file"), "{}", without.err);
    let wrong = lint(&file, "xzcf", &corpus.provider, &with);
    assert_eq!(wrong.code, 2);
}

#[test]
fn a_provider_is_needed_and_may_stand_in_the_environment() {
    let corpus = corpus();
    let folder = CreditctlFolder::new();
    let file = folder.write("a.csv", csv(&corpus.item, false, &[&corpus.good[0]]));
    let without = run(&["lint", &file, "--item", "xzcf", TODAY], b"");
    assert_eq!(without.code, 2);
    let wrong = lint(&file, "xzcf", "11430100006123458X", &[]);
    assert_eq!(wrong.code, 2);
    let mut command = crate::support::creditctl();
    command
        .args(["lint", &file, "--item", "xzcf", TODAY])
        .env("CREDIT_PROVIDER", &corpus.provider);
    let said = crate::support::finish(command, b"");
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("校验通过1"), "{}", said.out);
}
