//! R-11: everything that a provider has of an item (全量): known records get no new version, and the provider gets the
//! list of the records that it did not name.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use proto::credit::{
    common::v1::Operation,
    ingest::v1::{
        MissingRecord, Outcome, Receipt, Refusal, ReloadBegin, ReloadEnd, ReloadItemRequest,
        ReloadRecord, ReloadSummary, reload_item_request::Step, reload_item_response::Answer,
    },
};
use testkit::{Reason, TestResult, service::RefusalDetails};
use tokio::sync::{Notify, mpsc, watch};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Code, Status};

use crate::fixture::{
    DISABLED_PROVIDER, IngestFixture, IngestTestClient, PROVIDER, PROVIDERS, ending, receipt_of,
    submission, submit,
};

/// A reload of item xzcf as a client sends it.
#[derive(Clone)]
pub struct ReloadSteps {
    steps: Vec<Step>,
}

/// The answers that it got.
#[derive(Debug, Default)]
pub struct ReloadTranscript {
    pub receipts: Vec<Result<Receipt, Refusal>>,
    pub missing: Vec<MissingRecord>,
    pub summary: Option<ReloadSummary>,
}

impl ReloadSteps {
    /// With these keys and contents.
    pub fn new(id: &str, lines: &[(&str, &str)]) -> Self {
        let mut steps = vec![begin(id, "xzcf", 0)];
        steps.extend(lines.iter().map(|(key, content)| line(key, content)));
        Self { steps }
    }

    /// Ended with this number of records.
    pub fn end(mut self, records: u64) -> Self {
        self.steps.push(Step::End(ReloadEnd { records }));
        self
    }

    /// Sends it, and reads to the end.
    pub async fn run(self, client: &mut IngestTestClient) -> Result<ReloadTranscript, Status> {
        let requests = requests(self.steps);
        read(client, tokio_stream::iter(requests), || ()).await
    }

    /// The same, but the last `held` steps are sent only once `go` is true, or a record was refused: then it cannot
    /// succeed any more, and `go` may wait for the next try.
    pub async fn run_held(
        self,
        client: &mut IngestTestClient,
        held: usize,
        mut go: watch::Receiver<bool>,
    ) -> Result<ReloadTranscript, Status> {
        let mut first = requests(self.steps);
        let last = first.split_off(first.len() - held);
        let refused = Notify::new();
        let (sender, receiver) = mpsc::channel(64);
        let feed = async {
            // The server has ended the stream when nobody reads the steps: its answer says why.
            for request in first {
                let _ = sender.send(request).await;
            }
            tokio::select! {
                _ = go.wait_for(|go| *go) => (),
                () = refused.notified() => (),
            }
            for request in last {
                let _ = sender.send(request).await;
            }
            drop(sender);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            answered = read(client, ReceiverStream::new(receiver), || refused.notify_one()) => answered,
            () = feed => unreachable!("it pends"),
        }
    }
}

fn requests(steps: Vec<Step>) -> Vec<ReloadItemRequest> {
    let steps = steps.into_iter();
    steps
        .map(|step| ReloadItemRequest { step: Some(step) })
        .collect()
}

async fn read(
    client: &mut IngestTestClient,
    requests: impl Stream<Item = ReloadItemRequest> + Send + 'static,
    refused: impl Fn(),
) -> Result<ReloadTranscript, Status> {
    let stream = client.reload_item(requests).await?;
    let mut answers = stream.into_inner();
    let mut answered = ReloadTranscript::default();
    while let Some(message) = answers.message().await? {
        assert!(answered.summary.is_none(), "the summary comes last");
        match message.answer {
            Some(Answer::Receipt(receipt)) => answered.receipts.push(Ok(receipt)),
            Some(Answer::Refusal(refusal)) => {
                answered.receipts.push(Err(refusal));
                refused();
            }
            Some(Answer::Missing(missing)) => answered.missing.extend(missing.records),
            Some(Answer::Summary(summary)) => answered.summary = Some(summary),
            None => return Err(Status::internal("an answer without content")),
        }
    }
    Ok(answered)
}

impl ReloadTranscript {
    fn all(&self) -> Vec<&Receipt> {
        self.receipts.iter().flatten().collect()
    }

    fn reasons(&self) -> Vec<Reason> {
        let refused = self.receipts.iter().filter_map(|r| r.as_ref().err());
        let reasons = refused.map(|refusal| refusal.reason.parse());
        reasons
            .collect::<Result<_, _>>()
            .expect("reasons of the table")
    }

    fn missing_keys(&self) -> BTreeSet<&str> {
        self.missing.iter().map(|m| m.record_key.as_str()).collect()
    }
}

fn begin(id: &str, item: &str, version: u32) -> Step {
    Step::Begin(ReloadBegin {
        reload_id: id.to_owned(),
        item_code: item.to_owned(),
        item_version: version,
    })
}

fn line(key: &str, content: &str) -> Step {
    Step::Record(ReloadRecord {
        record_key: key.to_owned(),
        content_type: "application/json".to_owned(),
        content: content.as_bytes().to_vec().into(),
        content_sha256: vault::sha256(content.as_bytes()).to_vec().into(),
    })
}

fn summary(id: &str, unchanged: u64, accepted: u64, refused: u64, missing: u64) -> ReloadSummary {
    ReloadSummary {
        reload_id: id.to_owned(),
        records: unchanged + accepted,
        unchanged,
        accepted,
        refused,
        missing,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_reload_makes_versions_of_what_is_new_only_and_lists_what_it_did_not_name()
-> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let mut known = Vec::new();
    for key in ["same", "changed", "gone", "revoked", "withdrawn", "revived"] {
        known.push(submit(&mut client, submission(key, key, b"{\"v\":1}")).await?);
    }
    for (key, operation) in [
        ("revoked", Operation::Revoke),
        ("withdrawn", Operation::Withdraw),
        ("revived", Operation::Withdraw),
    ] {
        let id = format!("end {key}");
        submit(&mut client, ending(&id, key, operation, "误报，予以撤回")).await?;
    }
    // Of another item, and another provider's: not this reload's business.
    let mut licence = submission("licence", "licence", b"{}");
    licence.item_code = "xzxk".to_owned();
    submit(&mut client, licence).await?;
    let mut other = fixture.client(PROVIDERS[1])?;
    submit(&mut other, submission("1", "theirs", b"{}")).await?;

    let lines = [
        ("same", "{\"v\":1}"),
        ("changed", "{\"v\":2}"),
        ("new", "{\"v\":1}"),
        ("revived", "{\"v\":1}"),
        ("new", "{\"v\":1}"),
    ];
    let submissions = fixture.submission_ids().await?;
    let answered = ReloadSteps::new("2026", &lines)
        .end(4)
        .run(&mut client)
        .await?;
    let receipts = answered.all();
    assert_eq!(receipts.len(), 5, "{answered:?}");
    let ids: Vec<_> = receipts.iter().map(|r| r.submission_id.as_str()).collect();
    let named = lines.map(|(key, _)| format!("2026/{key}"));
    assert_eq!(ids, named, "in the order of the records");
    assert_eq!(receipts[0].record_id, known[0].record_id);
    let outcomes: Vec<_> = receipts.iter().map(|r| r.outcome()).collect();
    let (unchanged, accepted) = (Outcome::Unchanged, Outcome::Accepted);
    assert_eq!(
        outcomes,
        [unchanged, accepted, accepted, accepted, accepted]
    );
    assert_eq!(receipts[4], receipts[2], "named twice, taken once");
    let revisions: Vec<_> = receipts.iter().map(|r| r.revision).collect();
    assert_eq!(revisions, [1, 2, 1, 3, 1]);
    assert_eq!(answered.missing_keys(), BTreeSet::from(["gone"]));
    let gone = &answered.missing[0];
    assert_eq!(
        (&gone.record_id, gone.ledger_number, &gone.received_at),
        (&known[2].record_id, 3, &known[2].received_at)
    );
    assert_eq!(answered.summary, Some(summary("2026", 1, 3, 0, 1)));
    // Of the unchanged record nothing is kept but its line; its receipt is found by its id all the same.
    assert_eq!(fixture.submission_ids().await?, submissions + 3);
    assert_eq!(fixture.count("reload_line").await?, 4);
    for receipt in [receipts[0], receipts[1]] {
        let found = receipt_of(&mut client, &receipt.submission_id).await?;
        assert_eq!(&found, receipt);
    }
    let status = receipt_of(&mut client, "2026/gone").await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
    // Nothing was revoked by it.
    assert_eq!(fixture.received_events().await?.len(), 11 + 3);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_an_ended_reload_says_the_same_whenever_it_is_ended_again() -> TestResult {
    let mut fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    for key in ["a", "b", "c"] {
        submit(&mut client, submission(key, key, b"{}")).await?;
    }
    let first = ReloadSteps::new("r", &[("a", "{}")]).end(1);
    let first = first.run(&mut client).await?;
    assert_eq!(first.summary, Some(summary("r", 1, 0, 0, 2)));
    // What comes later changes nothing of what was missing then.
    submit(
        &mut client,
        ending("x", "b", Operation::Revoke, "误报，撤销"),
    )
    .await?;
    submit(&mut client, submission("c2", "c", b"{\"v\":2}")).await?;
    submit(&mut client, submission("d", "d", b"{}")).await?;
    fixture.restart().await?;
    let mut client = fixture.client(PROVIDER)?;
    let again = ReloadSteps::new("r", &[]).end(1).run(&mut client).await?;
    assert_eq!(again.summary, first.summary);
    assert_eq!(again.missing, first.missing);
    // It accepts nothing more; records that it accepted are answered as before.
    let more = ReloadSteps::new("r", &[("a", "{}"), ("d", "{}"), ("a", "{ }")]);
    let more = more.run(&mut client).await?;
    assert_eq!(more.all(), first.all());
    assert_eq!(
        more.reasons(),
        [Reason::ReloadEnded, Reason::SubmissionIdReused]
    );
    let status = ReloadSteps::new("r", &[]).end(2).run(&mut client).await;
    let status = status.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ReloadEnded
    );
    assert_eq!(fixture.count("reload_line").await?, 1);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_reload_that_broke_is_opened_again_and_may_begin_anew() -> TestResult {
    const ALL: usize = 1300;
    let mut fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let keys: Vec<String> = (0..ALL).map(|n| format!("键{n}")).collect();
    let lines: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "{}")).collect();
    // The first half is known before.
    for key in &keys[..4] {
        submit(&mut client, submission(key, key, b"{}")).await?;
    }
    // Breaks off after some answers, and in the middle of a batch.
    let (sender, requests) = mpsc::channel(2000);
    for step in ReloadSteps::new("r", &lines[..900]).steps {
        sender.send(ReloadItemRequest { step: Some(step) }).await?;
    }
    let stream = client.reload_item(ReceiverStream::new(requests)).await?;
    let mut answers = stream.into_inner();
    let mut first = Vec::new();
    for _ in 0..700 {
        let answer = answers.message().await?.context("an answer")?.answer;
        let Some(Answer::Receipt(receipt)) = answer else {
            panic!("{answer:?}");
        };
        first.push(receipt);
    }
    drop((answers, sender, client));
    fixture.restart().await?;

    let mut client = fixture.client(PROVIDER)?;
    let short = ReloadSteps::new("r", &lines[..1200]).end(ALL as u64);
    let status = short.run(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let refusal = RefusalDetails::from_status(&status);
    assert_eq!(
        refusal.reason_and_field(),
        (Reason::ReloadIncomplete, "records")
    );
    for number in ["1300", "1200"] {
        assert!(status.message().contains(number), "{}", status.message());
    }
    let rest = ReloadSteps::new("r", &lines[1100..]).end(ALL as u64);
    let answered = rest.run(&mut client).await?;
    assert_eq!(answered.receipts.len(), 200);
    assert_eq!(answered.summary, Some(summary("r", 4, 1296, 0, 0)));
    let whole = ReloadSteps::new("r", &lines).run(&mut client).await?;
    assert_eq!(whole.all()[..700], first.iter().collect::<Vec<_>>());
    assert_eq!(fixture.count("original").await?, ALL as i64);
    assert_eq!(fixture.count("reload_line").await?, ALL as i64);
    let ledger: i64 = sqlx::query_scalar("select max(ledger_number) from original")
        .fetch_one(&fixture.owner)
        .await?;
    assert_eq!(ledger, ALL as i64, "without gaps");
    // All of it once more under a new id: only lines are written.
    let again = ReloadSteps::new("r2", &lines).end(ALL as u64);
    let again = again.run(&mut client).await?;
    assert_eq!(again.summary, Some(summary("r2", 1300, 0, 0, 0)));
    assert_eq!(fixture.count("original").await?, ALL as i64);
    assert_eq!(fixture.submission_ids().await?, ALL as i64);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_refused_records_of_a_reload_leave_nothing_behind() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let wrong_digest = Step::Record(ReloadRecord {
        record_key: "digest".to_owned(),
        content_type: "application/json".to_owned(),
        content: "{}".into(),
        content_sha256: vec![7; 32].into(),
    });
    let reason_type = Step::Record(ReloadRecord {
        record_key: "type".to_owned(),
        content_type: "text/plain".to_owned(),
        content: "撤销原决定".into(),
        ..ReloadRecord::default()
    });
    let mut reload = ReloadSteps::new("r", &[("a", "{}"), ("", "{}"), ("b", "")]);
    reload.steps.extend([
        wrong_digest,
        reason_type,
        line("a", "{ }"),
        line("long".repeat(128).as_str(), "{}"),
    ]);
    let answered = reload.end(7).run(&mut client).await?;
    assert_eq!(
        answered.reasons(),
        [
            Reason::RecordKeyInvalid,
            Reason::ContentEmpty,
            Reason::DigestMismatch,
            Reason::ContentTypeInvalid,
            Reason::SubmissionIdReused
        ]
    );
    assert_eq!(answered.summary, Some(summary("r", 0, 2, 5, 0)));
    let ids = answered.receipts.iter().map(|r| match r {
        Ok(receipt) => receipt.submission_id.as_str(),
        Err(refusal) => refusal.submission_id.as_str(),
    });
    assert_eq!(ids.collect::<Vec<_>>()[..3], ["r/a", "r/", "r/b"]);
    assert_eq!(fixture.count("reload_line").await?, 2);
    assert_eq!(fixture.count("original").await?, 2);
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_reload_is_opened_by_field_and_rule_and_its_steps_have_an_order() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    ReloadSteps::new("taken", &[]).run(&mut client).await?;
    fixture.received_events().await?;
    let before = fixture.snapshot().await?;
    let long = "r".repeat(65);
    let of = |steps: Vec<Step>| ReloadSteps { steps };
    for (steps, reason, field) in [
        (
            vec![begin("", "xzcf", 0)],
            Reason::ReloadIdInvalid,
            "reload_id",
        ),
        (
            vec![begin("a/b", "xzcf", 0)],
            Reason::ReloadIdInvalid,
            "reload_id",
        ),
        (
            vec![begin(&long, "xzcf", 0)],
            Reason::ReloadIdInvalid,
            "reload_id",
        ),
        (
            vec![begin("r", "XZCF", 0)],
            Reason::ItemCodeInvalid,
            "item_code",
        ),
        (
            vec![begin("r", "nowhere", 0)],
            Reason::ItemUnknown,
            "item_code",
        ),
        (
            vec![begin("r", "xzcf", 9)],
            Reason::ItemVersionUnknown,
            "item_version",
        ),
        (
            vec![begin("taken", "xzxk", 0)],
            Reason::ReloadIdReused,
            "reload_id",
        ),
        (
            vec![begin("taken", "xzcf", 2)],
            Reason::ReloadIdReused,
            "reload_id",
        ),
        (vec![line("k", "{}")], Reason::ReloadStepMisplaced, "begin"),
        (
            vec![begin("taken", "xzcf", 0), begin("taken", "xzcf", 0)],
            Reason::ReloadStepMisplaced,
            "record",
        ),
    ] {
        let status = of(steps).run(&mut client).await.unwrap_err();
        let refusal = RefusalDetails::from_status(&status);
        assert_eq!(refusal.reason_and_field(), (reason, field));
        assert!(status.message().contains('，') || reason != Reason::ReloadIdInvalid);
    }
    let mut disabled = fixture.client(DISABLED_PROVIDER)?;
    let status = ReloadSteps::new("r", &[])
        .run(&mut disabled)
        .await
        .unwrap_err();
    assert_eq!(
        RefusalDetails::from_status(&status).reason,
        Reason::ProviderDisabled
    );
    assert_eq!(fixture.snapshot().await?, before, "nothing is stored");
    // Nothing at all is no reload, and no error.
    let nothing = of(Vec::new()).run(&mut client).await?;
    assert!(nothing.receipts.is_empty() && nothing.summary.is_none());
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_ids_of_records_of_a_reload_are_ids_of_submissions() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let known = submit(&mut client, submission("1", "k", b"{}")).await?;
    // Used before there was a reload of that name.
    let early = submit(&mut client, submission("r/early", "other key", b"{}")).await?;
    let lines = [("k", "{}"), ("new", "{}"), ("early", "{}")];
    let answered = ReloadSteps::new("r", &lines).run(&mut client).await?;
    assert_eq!(answered.all().len(), 2);
    assert_eq!(answered.reasons(), [Reason::SubmissionIdReused]);
    assert_eq!(answered.all()[0].record_id, known.record_id);
    // Afterwards nothing takes an id away from the reload; a record that had one before keeps it.
    for id in ["r/k", "r/other"] {
        let status = submit(&mut client, submission(id, "elsewhere", b"{}"))
            .await
            .unwrap_err();
        assert_eq!(
            RefusalDetails::from_status(&status).reason,
            Reason::SubmissionIdReused,
            "{id}"
        );
    }
    let again = submit(&mut client, submission("r/early", "other key", b"{}")).await?;
    assert_eq!(again, early);
    submit(&mut client, submission("r2/k", "elsewhere", b"{}")).await?;
    let mut other = fixture.client(PROVIDERS[1])?;
    submit(&mut other, submission("r/k", "elsewhere", b"{}")).await?;
    fixture.finish().await?;
    Ok(())
}

/// Two streams of one reload at once, as after a break that the server has not noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_two_streams_of_one_reload_take_each_record_once() -> TestResult {
    let fixture = IngestFixture::start().await?;
    let second = fixture.second_process().await?;
    let roles = [service_kit::identity::Role::Provider];
    let mut one = fixture.client(PROVIDER)?;
    let mut two = fixture.client_of(&second, PROVIDER, &roles)?;
    let keys: Vec<String> = (0..1500).map(|n| format!("k{n}")).collect();
    for key in &keys[..3] {
        submit(&mut one, submission(key, key, b"{}")).await?;
    }
    let lines: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "{}")).collect();
    let (there, back) = tokio::join!(
        ReloadSteps::new("r", &lines).run(&mut one),
        ReloadSteps::new("r", &lines).run(&mut two),
    );
    let (there, back) = (there?, back?);
    assert_eq!(there.all().len(), 1500);
    assert_eq!(there.all(), back.all(), "one record, one receipt");
    assert_eq!(fixture.count("original").await?, 1500);
    let ended = ReloadSteps::new("r", &[]).end(1500).run(&mut two).await?;
    assert_eq!(ended.summary, Some(summary("r", 3, 1497, 0, 0)));
    fixture.received_events().await?;
    crate::fixture::stop_process(&second).await?;
    fixture.finish().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_what_a_reload_did_not_name_is_listed_whole_in_many_messages() -> TestResult {
    const ALL: usize = 2301;
    let fixture = IngestFixture::start().await?;
    let mut client = fixture.client(PROVIDER)?;
    let keys: Vec<String> = (0..ALL).map(|n| format!("k{n}")).collect();
    let lines: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "{}")).collect();
    ReloadSteps::new("first", &lines)
        .end(ALL as u64)
        .run(&mut client)
        .await?;
    let answered = ReloadSteps::new("none", &[])
        .end(0)
        .run(&mut client)
        .await?;
    assert_eq!(answered.missing.len(), ALL);
    let all: BTreeSet<&str> = keys.iter().map(String::as_str).collect();
    assert_eq!(answered.missing_keys(), all);
    assert_eq!(answered.summary, Some(summary("none", 0, 0, 0, ALL as u64)));
    fixture.finish().await?;
    Ok(())
}
