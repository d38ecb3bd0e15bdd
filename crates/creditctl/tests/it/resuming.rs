//! Breaks while a file is sent: of the stream, of the connection, of the program itself. Each row ends with one
//! receipt, and what has one is not sent again.

use std::collections::BTreeSet;
use std::time::Duration;
use testkit::proxy::TcpProxy;

use testkit::eventually;

use crate::fake_platform::{FakePlatform, FakePlatformState};
use crate::support::{CreditctlFolder, corpus, creditctl, csv, finish, run_on_thread};

/// Longer than any of it takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// One record for each row and each row once.
fn each_once(inner: &FakePlatformState, rows: usize) {
    assert_eq!(inner.ledger.len(), rows);
    let ids: BTreeSet<&str> = inner
        .ledger
        .iter()
        .map(|(s, _)| &*s.submission_id)
        .collect();
    assert_eq!(ids.len(), rows);
    let numbers: Vec<u64> = inner.ledger.iter().map(|(_, r)| r.ledger_number).collect();
    assert_eq!(numbers, (1..=rows as u64).collect::<Vec<_>>());
}

fn file(folder: &CreditctlFolder, rows: usize) -> (String, String) {
    let corpus = corpus();
    let records: Vec<_> = corpus.good.iter().take(rows).collect();
    assert_eq!(records.len(), rows);
    let file = folder.write("a.csv", csv(&corpus.item, false, &records));
    (file, corpus.provider)
}

#[tokio::test(flavor = "multi_thread")]
async fn r11_a_broken_stream_goes_on_behind_its_last_answer() {
    let folder = CreditctlFolder::new();
    let (file, provider) = file(&folder, 100);
    let fake = FakePlatform::start(&provider).await;
    fake.change_behaviour(|mood| mood.breaks = [30, 0, 20].into());
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
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.summary()["receipts"], 100);
    assert!(said.err.contains("正在重试"), "{}", said.err);
    let inner = fake.inner();
    each_once(&inner, 100);
    assert_eq!(
        inner.resumed,
        [30, 30, 50],
        "each stream began where the answers ended"
    );
    // Only what was under way at a break came twice.
    assert_eq!(inner.arrived.len(), 100 + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_connection_loses_nothing() {
    let folder = CreditctlFolder::new();
    let (file, provider) = file(&folder, 100);
    let fake = FakePlatform::start(&provider).await;
    let proxy = TcpProxy::start(fake.address.clone()).await.unwrap();
    fake.change_behaviour(|mood| mood.gate = Some(40));
    let address = proxy.address().to_string();
    let run = tokio::spawn(async move {
        run_on_thread(&[
            "submit",
            &file,
            "--item",
            "xzcf",
            "--endpoint",
            &address,
            "--json",
        ])
        .await
    });
    eventually("40 records arrived", LIMIT, async || {
        fake.inner().arrived.len() == 40
    })
    .await
    .unwrap();
    proxy.cut_connections().await;
    eventually("nobody is connected", LIMIT, async || {
        proxy.open_connections() == 0
    })
    .await
    .unwrap();
    proxy.restore_traffic();
    fake.change_behaviour(|mood| mood.gate = None);
    let said = run.await.unwrap();
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.summary()["accepted"], 100);
    each_once(&fake.inner(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_goes_on_where_it_was() {
    let folder = CreditctlFolder::new();
    let (file, provider) = file(&folder, 100);
    let fake = FakePlatform::start(&provider).await;
    fake.change_behaviour(|mood| mood.gate = Some(60));
    let arguments = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--json",
    ];
    let mut child = creditctl().args(arguments).spawn().unwrap();
    let state = folder.path("a.csv.credit-state.json");
    eventually("60 answers are kept", LIMIT, async || {
        let kept = std::fs::read_to_string(&state).unwrap_or_default();
        kept.matches("\"receipt\"").count() == 60
    })
    .await
    .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let kept = std::fs::read_to_string(&state).unwrap();
    let corpus = corpus();
    let name = corpus.good[0]["CF_XDR_MC"].as_str().unwrap();
    assert!(!kept.contains(name), "no content is kept");
    let keys: Vec<String> = fake
        .inner()
        .ledger
        .iter()
        .map(|(s, _)| s.record_key.clone())
        .collect();
    assert!(keys.iter().all(|key| !kept.contains(key.as_str())));
    fake.change_behaviour(|mood| mood.gate = None);
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.err.contains("已取得60行的答复"), "{}", said.err);
    let summary = said.summary();
    assert_eq!(
        (&summary["rows"], &summary["accepted"]),
        (&100.into(), &100.into())
    );
    let inner = fake.inner();
    each_once(&inner, 100);
    assert_eq!(inner.resumed, [60]);
    assert_eq!(folder.names(), ["a.csv"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_to_be_asked_again_is() {
    let folder = CreditctlFolder::new();
    let (file, provider) = file(&folder, 10);
    let fake = FakePlatform::start(&provider).await;
    fake.change_behaviour(|mood| {
        mood.retried_once = vec!["b/2".to_owned(), "b/11".to_owned(), "b/6".to_owned()]
    });
    let arguments = [
        "submit",
        &*file,
        "--item",
        "xzcf",
        "--endpoint",
        &*fake.address,
        "--batch=b",
        "--json",
    ];
    let said = run_on_thread(&arguments).await;
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(said.summary()["receipts"], 10);
    let inner = fake.inner();
    each_once(&inner, 10);
    assert_eq!(inner.arrived.len(), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_platform_lost_is_done_without() {
    let folder = CreditctlFolder::new();
    let (file, provider) = file(&folder, 20);
    let fake = FakePlatform::start(&provider).await;
    fake.change_behaviour(|mood| {
        mood.breaks = [5].into();
        mood.forgetful = true;
    });
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
    assert_eq!(said.code, 0, "{said:?}");
    each_once(&fake.inner(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn patience_ends_and_the_same_command_goes_on_later() {
    let folder = CreditctlFolder::new();
    let (file, provider) = file(&folder, 20);
    let fake = FakePlatform::start(&provider).await;
    fake.change_behaviour(|mood| mood.breaks = [5, 0, 0, 0, 0, 0, 0, 0, 0, 0].into());
    let mut command = creditctl();
    command.args([
        "submit",
        &file,
        "--item",
        "xzcf",
        "--endpoint",
        &fake.address,
        "--patience=0",
    ]);
    let said = tokio::task::spawn_blocking(|| finish(command, b""))
        .await
        .unwrap();
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("从中断处继续"), "{}", said.err);
    fake.change_behaviour(|mood| mood.breaks.clear());
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
    assert_eq!(said.code, 0, "{said:?}");
    let inner = fake.inner();
    each_once(&inner, 20);
    assert_eq!(inner.resumed.last(), Some(&5));
}
