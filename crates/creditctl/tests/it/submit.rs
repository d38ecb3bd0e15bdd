//! `creditctl submit` against a platform that keeps to the contract: receipts, verdicts, error files, refusals.

use serde_json::{Map, Value};

use crate::fake_platform::{FakePlatform, TOKEN};
use crate::support::{CreditctlFolder, corpus, csv, run_on_thread, text};

/// Some good rows and some bad ones, of one provider.
fn rows(corpus: &crate::support::RecordCorpus, good: usize, bad: usize) -> Vec<Map<String, Value>> {
    let good = corpus.good.iter().take(good);
    good.chain(corpus.bad.iter().take(bad)).cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r11_every_row_gets_its_receipt_and_its_verdict() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    fake.change_behaviour(|mood| mood.slow = 2);
    let folder = CreditctlFolder::new();
    let records = rows(&corpus, 40, 4);
    let borrowed: Vec<_> = records.iter().collect();
    let file = folder.write("a.csv", csv(&corpus.item, true, &borrowed));
    let arguments = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--json",
    ];
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.code, 1, "{said:?}");
    let summary = said.summary();
    assert_eq!(summary["receipts"], 44);
    assert_eq!(summary["accepted"], 40);
    assert_eq!(summary["returned"], 4);
    let lines = said.rows();
    {
        let inner = fake.inner();
        assert_eq!(inner.ledger.len(), 44);
        for (at, (row, (submission, receipt))) in lines.iter().zip(&inner.ledger).enumerate() {
            assert_eq!(row["row"], at as u64 + 2);
            assert_eq!(row["submission_id"], submission.submission_id.as_str());
            assert_eq!(row["record_id"], receipt.record_id.as_str());
            assert_eq!(row["ledger_number"], receipt.ledger_number);
            assert_eq!(submission.content_type, "text/csv");
        }
    }
    // In the order of the rows, with what was found.
    let returned: Vec<_> = lines
        .iter()
        .filter(|r| r["verdict"] == "returned")
        .collect();
    assert_eq!(returned.len(), 4);
    assert!(
        returned
            .iter()
            .all(|r| r["findings"][0]["severity"] == "error")
    );
    assert_eq!(
        folder.names(),
        ["a.csv", "a.errors.csv"],
        "the state is gone"
    );

    // The same file again: the same receipts, whatever became of the first try.
    let again = run_on_thread(&arguments).await;
    assert_eq!(again.rows(), lines);
    assert_eq!(fake.inner().ledger.len(), 44);
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_a_corrected_error_file_is_a_new_version_of_the_same_record() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    let folder = CreditctlFolder::new();
    // The code is part of the natural key: without the key that the error file carries, a corrected row would be
    // another record, and what was returned would stay open for ever.
    let mut record = corpus
        .good
        .iter()
        .find(|r| r.contains_key("CF_XDR_SHXYM"))
        .unwrap()
        .clone();
    let code = record["CF_XDR_SHXYM"].as_str().unwrap().to_owned();
    let last = if code.ends_with('1') { '2' } else { '1' };
    let wrong = format!("{}{last}", &code[..17]);
    record.insert("CF_XDR_SHXYM".to_owned(), wrong.clone().into());
    let file = folder.write("a.csv", csv(&corpus.item, false, &[&record]));
    let first = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
    ];
    let said = run_on_thread(&first).await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(
        said.out.contains("退回1") && said.out.contains("a.errors.csv"),
        "{}",
        said.out
    );
    let errors = text(&folder.path("a.errors.csv"));
    let faulty = std::fs::read_to_string(&errors).unwrap();
    // In the field itself, not in the key before it.
    let at = faulty.rfind(&wrong).unwrap();
    let mended = format!("{}{code}{}", &faulty[..at], &faulty[at + 18..]);
    std::fs::write(&errors, mended).unwrap();
    let said = run_on_thread(&[
        "submit",
        &errors,
        "--item",
        "xzcf",
        "--endpoint",
        &fake.address,
    ])
    .await;
    assert_eq!(said.code, 0, "{said:?}");
    let inner = fake.inner();
    assert_eq!(inner.ledger.len(), 2);
    assert_eq!(inner.ledger[0].0.record_key, inner.ledger[1].0.record_key);
    assert_eq!(inner.ledger[1].1.revision, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_json_are_sent_as_their_bytes() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    let folder = CreditctlFolder::new();
    let lines: Vec<String> = corpus.good[..3]
        .iter()
        .map(|record| format!("  {} ", serde_json::to_string(record).unwrap()))
        .collect();
    let file = folder.write(
        "a.jsonl",
        format!("{}\r\n\r\nnot json\r\n", lines.join("\r\n")),
    );
    let arguments = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--json",
    ];
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.code, 1, "{said:?}");
    let rows = said.rows();
    assert_eq!(rows[3]["row"], 5, "blank lines count");
    assert_eq!(rows[3]["outcome"], "not_sent");
    assert_eq!(rows[3]["refusal"]["reason"], "RECORD_KEY_INVALID");
    assert_eq!(said.summary()["not_sent"], 1);
    let inner = fake.inner();
    let sent: Vec<&[u8]> = inner.ledger.iter().map(|(s, _)| &s.content[..]).collect();
    let expected: Vec<&[u8]> = lines.iter().map(String::as_bytes).collect();
    assert_eq!(sent, expected);
    assert!(
        inner
            .ledger
            .iter()
            .all(|(s, _)| s.content_type == "application/json")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_of_a_file_that_cannot_be_used() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    let folder = CreditctlFolder::new();
    let good = csv(&corpus.item, false, &[&corpus.good[0], &corpus.good[1]]);
    let unknown = folder.write("a.csv", good.replacen("CF_SY", "CF_SYY", 1));
    let doubled = [&corpus.good[0], &corpus.good[1], &corpus.good[0]];
    let doubled = folder.write("b.csv", csv(&corpus.item, false, &doubled));
    for (file, word) in [(&unknown, "CF_SYY"), (&doubled, "第4行与第2行")] {
        let arguments = [
            "submit",
            file,
            "--item",
            "xzcf",
            "--endpoint",
            &*fake.address,
        ];
        let said = run_on_thread(&arguments).await;
        assert_eq!(said.code, 2, "{said:?}");
        assert!(said.err.contains(word), "{}", said.err);
    }
    assert_eq!(fake.inner().streams, 0);
    assert_eq!(folder.names(), ["a.csv", "b.csv"]);
    // Said to be meant so, the later row is a newer version: here with the same content.
    let arguments = [
        "submit",
        &*doubled,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--allow-duplicates",
        "--json",
    ];
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.rows()[2]["outcome"], "unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_does_not_stop_the_others() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    fake.change_behaviour(|mood| mood.refused.push("七月/3".to_owned()));
    let folder = CreditctlFolder::new();
    let file = folder.write(
        "a.csv",
        csv(
            &corpus.item,
            false,
            &[&corpus.good[0], &corpus.good[1], &corpus.good[2]],
        ),
    );
    let arguments = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--batch",
        "七月",
        "--json",
    ];
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.code, 1, "{said:?}");
    let rows = said.rows();
    assert_eq!(rows[1]["refusal"]["reason"], "CONTENT_TOO_LARGE");
    assert_eq!(
        (&rows[0]["verdict"], &rows[2]["verdict"]),
        (&"accepted".into(), &"accepted".into())
    );
    assert_eq!(said.summary()["failed_by_code"]["CONTENT_TOO_LARGE"], 1);
    let errors = std::fs::read_to_string(folder.path("a.errors.csv")).unwrap();
    assert!(
        errors.contains("\r\n3,,CONTENT_TOO_LARGE,内容过大,"),
        "{errors}"
    );
    // Another file under the name of the same batch: the ids are taken.
    let other = folder.write("b.csv", csv(&corpus.item, false, &[&corpus.good[4]]));
    let arguments = [
        "submit",
        &*other,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--batch",
        "七月",
        "--json",
    ];
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.rows()[0]["refusal"]["reason"], "SUBMISSION_ID_REUSED");
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_that_do_not_come_are_said_to_be_outstanding() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    fake.change_behaviour(|mood| mood.silent = true);
    let folder = CreditctlFolder::new();
    let file = folder.write("a.csv", csv(&corpus.item, false, &[&corpus.good[0]]));
    let base = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--json",
    ];
    let without = run_on_thread(&[&base[..], &["--no-wait"]].concat()).await;
    assert_eq!(without.code, 0, "{without:?}");
    assert_eq!(without.rows()[0]["verdict"], Value::Null);
    assert_eq!(folder.names(), ["a.csv"]);
    // A refused row besides makes it 1, and what is outstanding is kept all the same.
    fake.change_behaviour(|mood| mood.refused.push("b/3".to_owned()));
    let two = csv(&corpus.item, false, &[&corpus.good[0], &corpus.good[1]]);
    let mixed = folder.write("b.csv", two);
    let mut both = base;
    both[1] = &mixed;
    let said = run_on_thread(&[&both[..], &["--wait=0", "--batch=b"]].concat()).await;
    assert_eq!(
        (said.code, &said.summary()["pending"]),
        (1, &1.into()),
        "{said:?}"
    );
    for name in ["b.csv", "b.errors.csv", "b.csv.credit-state.json"] {
        std::fs::remove_file(folder.path(name)).unwrap();
    }
    let bounded = run_on_thread(&[&base[..], &["--wait=0"]].concat()).await;
    assert_eq!(bounded.code, 4, "{bounded:?}");
    assert_eq!(bounded.summary()["pending"], 1);
    assert_eq!(folder.names(), ["a.csv", "a.csv.credit-state.json"]);
    let arrived = fake.inner().arrived.len();
    fake.change_behaviour(|mood| mood.silent = false);
    let later = run_on_thread(&base).await;
    assert_eq!(later.code, 0, "{later:?}");
    assert_eq!(
        fake.inner().arrived.len(),
        arrived,
        "nothing had to be sent again"
    );
    assert_eq!(folder.names(), ["a.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_reach_it_or_is_not_admitted_is_told_with_3() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    let folder = CreditctlFolder::new();
    let file = folder.write("a.csv", csv(&corpus.item, false, &[&corpus.good[0]]));
    let wrong = folder.write("token", "bad-token\n");
    let arguments = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--token-file",
        &*wrong,
        "--json",
    ];
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.code, 3, "{said:?}");
    let error = &said.objects()[0];
    assert_eq!(
        (&error["type"], &error["reason"]),
        (&"error".into(), &"UNAUTHENTICATED".into())
    );
    folder.write("token", format!("{TOKEN}\n"));
    assert_eq!(run_on_thread(&arguments).await.code, 0);
    // A reserved port without a listener.
    let silent = tokio::net::TcpSocket::new_v4().unwrap();
    silent.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = silent.local_addr().unwrap().to_string();
    let said = run_on_thread(&[
        "submit",
        &file,
        "--item",
        "xzcf",
        "--endpoint",
        &address,
        "--patience=0",
    ])
    .await;
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("连接不上"), "{}", said.err);
    // Nothing goes over a network in clear unless an option allows it.
    let said = run_on_thread(&[
        "submit",
        &file,
        "--item",
        "xzcf",
        "--endpoint",
        "192.0.2.1:7101",
        "--patience=0",
    ])
    .await;
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--plaintext"), "{}", said.err);
}
