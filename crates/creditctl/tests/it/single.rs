//! The commands about one record: status, receipt, revoke, withdraw, nil, confirm; completions.

use proto::credit::common::v1::RecordVersion;
use proto::credit::validation::v1::{CaseState, FeedbackCase, Finding, Severity};
use serde_json::Value;

use crate::fake_platform::FakePlatform;
use crate::support::{CreditctlFolder, corpus, csv, run, run_on_thread};

#[tokio::test(flavor = "multi_thread")]
async fn d24_a_record_is_looked_up_revoked_and_looked_up_again() {
    let corpus = corpus();
    let fake = FakePlatform::start(&corpus.provider).await;
    let folder = CreditctlFolder::new();
    let file = folder.write("a.csv", csv(&corpus.item, false, &[&corpus.good[0]]));
    let at = ["--endpoint", &*fake.address];
    let with = |arguments: &[&str]| -> Vec<String> {
        arguments
            .iter()
            .chain(&at)
            .map(|a| (*a).to_owned())
            .collect()
    };
    let ask = async |arguments: &[&str]| {
        let arguments = with(arguments);
        let borrowed: Vec<&str> = arguments.iter().map(String::as_str).collect();
        run_on_thread(&borrowed).await
    };
    let said = ask(&["submit", &file, "--item", "xzcf", "--batch", "b"]).await;
    assert_eq!(said.code, 0, "{said:?}");
    let receipt = ask(&["receipt", "b/2", "--json"]).await;
    let object = &receipt.objects()[0];
    assert_eq!(
        (&object["type"], &object["ledger_number"]),
        (&"receipt".into(), &1.into())
    );
    let status = ask(&["status", "b/2", "--json"]).await;
    assert_eq!(status.code, 0, "{status:?}");
    let object = &status.objects()[0];
    assert_eq!(
        (&object["standing"], &object["verdict"]),
        (&"current".into(), &"accepted".into())
    );
    assert_eq!(&object["receipt"], &{
        let mut same = receipt.objects()[0].clone();
        same.as_object_mut().unwrap().shift_remove("type");
        same
    });
    let unknown = ask(&["receipt", "b/3", "--json"]).await;
    assert_eq!(
        (unknown.code, &unknown.objects()[0]["reason"]),
        (1, &"NOT_FOUND".into())
    );

    let key = fake.inner().ledger[0].0.record_key.clone();
    let short = ask(&["revoke", "--item", "xzcf", "--key", &key, "--reason", "错"]).await;
    assert_eq!(short.code, 2);
    let never = ask(&[
        "withdraw", "--item", "xzcf", "--key", "没有", "--reason", "误报",
    ])
    .await;
    assert_eq!(never.code, 1, "{never:?}");
    let revoke = [
        "revoke",
        "--item",
        "xzcf",
        "--key",
        &key,
        "--reason",
        "原处罚决定被撤销",
        "--json",
    ];
    let said = ask(&revoke).await;
    assert_eq!(said.code, 0, "{said:?}");
    let object = said.objects()[0].clone();
    assert_eq!(
        (&object["operation"], &object["revision"]),
        (&"revoke".into(), &2.into())
    );
    let id = object["submission_id"].as_str().unwrap();
    // After a lost answer the call is repeated under the same id.
    let again = ask(&[&revoke[..], &["--id", id]].concat()).await;
    assert_eq!(again.objects()[0], object);
    assert_eq!(fake.inner().ledger.len(), 2);
    assert_eq!(fake.inner().ledger[1].0.content_type, "text/plain");
    let status = ask(&["status", "b/2", "--lang", "en"]).await;
    assert!(
        status.out.contains("revoked or withdrawn"),
        "{}",
        status.out
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn d26_nothing_to_report_counts_once() {
    let fake = FakePlatform::start("11430100006123458R").await;
    let nil = [
        "nil",
        "--item=xzcf",
        "--from=2026-06-01",
        "--to=2026-06-30",
        "--endpoint",
        &*fake.address,
        "--json",
    ];
    let first = run_on_thread(&nil).await;
    assert_eq!(first.code, 0, "{first:?}");
    assert_eq!(run_on_thread(&nil).await.objects(), first.objects());
    assert_eq!(fake.inner().nil.len(), 1);
    let mut turned = nil;
    (turned[2], turned[3]) = ("--from=2026-06-30", "--to=2026-06-01");
    assert_eq!(run_on_thread(&turned).await.code, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_an_official_answers_for_what_may_be_confirmed() {
    let fake = FakePlatform::start("11430100006123458R").await;
    let case = |id: &str, code: &str, confirmable| FeedbackCase {
        case_id: id.to_owned(),
        version: Some(RecordVersion::default()),
        state: CaseState::Open.into(),
        findings: vec![Finding {
            code: code.to_owned(),
            severity: Severity::Error.into(),
            confirmable,
            ..Finding::default()
        }],
        ..FeedbackCase::default()
    };
    fake.inner().cases = vec![
        case("c1", "USCC_CHECK", true),
        case("c2", "DATE_INVALID", false),
    ];
    let confirm = async |id: &str| {
        let arguments = [
            "confirm",
            id,
            "--attester=李四",
            "--statement=查验证照原件",
            "--endpoint",
            &*fake.address,
            "--json",
        ];
        run_on_thread(&arguments).await
    };
    let said = confirm("c1").await;
    assert_eq!(said.code, 0, "{said:?}");
    let object = &said.objects()[0];
    assert_eq!(object["case"]["state"], "closed_by_confirmation");
    assert_eq!(object["findings"][0]["severity"], "warning");
    let said = confirm("c2").await;
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("NOT_CONFIRMABLE"), "{}", said.err);
}

#[test]
fn completions_name_every_command() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let said = run(&["completions", shell], b"");
        assert_eq!(said.code, 0);
        for command in ["submit", "lint", "feedback", "withdraw"] {
            assert!(said.out.contains(command), "{shell}");
        }
    }
}

#[test]
fn a_token_has_no_place_on_the_command_line() {
    let said = run(&["receipt", "x", "--token", "secret"], b"");
    assert_eq!(said.code, 2);
    let mut command = crate::support::creditctl();
    command
        .args(["receipt", "x", "--endpoint", "127.0.0.1:1", "--json"])
        .env_remove("CREDIT_TOKEN");
    let said = crate::support::finish(command, b"");
    assert_eq!(said.code, 3, "{said:?}");
    assert!(
        said.objects()[0]["message"]
            .as_str()
            .unwrap()
            .contains("CREDIT_TOKEN")
    );
    assert_eq!(said.objects()[0]["field"], Value::String(String::new()));
}
