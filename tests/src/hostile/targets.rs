//! What there is to attack, put there by good callers: records, a full reload, a nil report, a feedback case, and the
//! tokens that the platform gave for them.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use legal_clock::shanghai_date;
use proto::credit::{
    ingest::v1::{
        Receipt, ReloadBegin, ReloadEnd, ReloadItemRequest, ReloadRecord, ReportNilRequest,
        StreamRecordsRequest, Submission, SubmitRecordRequest, reload_item_request::Step,
        reload_item_response::Answer,
    },
    validation::v1::{ListFeedbackRequest, WatchFeedbackRequest},
};
use service_kit::grpc::from_timestamp;
use testkit::{eventually, records::Generator};
use time::Date;
use tokio_stream::StreamExt;

use super::{FIRST_HOSTILE_RECORD, ProviderAccount};
use crate::{books::ReceiptBook, cluster::Cluster, day::submission_of_record};

/// Records that are reported.
const KNOWN_RECORDS: u64 = 24;
/// How long validation may take to return a record.
const RETURN_TIMEOUT: Duration = Duration::from_secs(60);

/// A submission with its receipt.
#[derive(Clone, Debug)]
pub(super) struct KnownRecord {
    pub(super) provider: usize,
    pub(super) submission: Submission,
    pub(super) receipt: Receipt,
    /// Day of receipt in Changsha.
    pub(super) received_on: Date,
}

/// What one provider has besides records.
#[derive(Clone, Debug)]
pub(super) struct AttackTargets {
    /// Whose they are.
    pub(super) provider: usize,
    /// A reload that has ended, of one record.
    pub(super) reload: ReloadBegin,
    pub(super) reloaded: ReloadRecord,
    /// A nil report.
    pub(super) nil: ReportNilRequest,
    /// An open case whose errors are not confirmable.
    pub(super) case_id: String,
    /// Cursor of the feed after that case.
    pub(super) cursor: String,
    /// Resume token after the first answer of a stream.
    pub(super) resume_token: Vec<u8>,
}

/// Reports records. Their receipts go into the book.
pub(super) async fn report_known_records(
    cluster: &Cluster,
    generator: &Generator,
    providers: &[ProviderAccount],
    book: &mut ReceiptBook,
) -> Result<Vec<KnownRecord>> {
    let clients = cluster.clients()?;
    let mut known = Vec::new();
    for index in FIRST_HOSTILE_RECORD..FIRST_HOSTILE_RECORD + KNOWN_RECORDS {
        let record = generator.record(index);
        let submission = submission_of_record(&record);
        let provider = providers
            .iter()
            .position(|party| party.code == record.provider_code);
        let request = SubmitRecordRequest {
            submission: Some(submission.clone()),
        };
        let mut client = clients.ingest(&record.provider_code)?;
        let answer = client.submit_record(request).await?.into_inner();
        let receipt = answer.receipt.context("a receipt")?;
        book.insert(&record.provider_code, &submission, receipt.clone())?;
        let received = from_timestamp(receipt.received_at.as_ref()).context("a moment")?;
        known.push(KnownRecord {
            provider: provider.context("a provider of the generator")?,
            submission,
            receipt,
            received_on: shanghai_date(received),
        });
    }
    Ok(known)
}

/// Gives the provider of a known record everything else.
pub(super) async fn prepare_targets(
    cluster: &Cluster,
    providers: &[ProviderAccount],
    known: &KnownRecord,
    seed: u64,
    book: &mut ReceiptBook,
) -> Result<AttackTargets> {
    let owner = providers[known.provider].code.as_str();
    let reload = ReloadBegin {
        reload_id: format!("enemy-knows-{seed}"),
        item_code: "xzcf".to_owned(),
        item_version: 0,
    };
    // No record, so there will be a case.
    let reloaded = ReloadRecord {
        record_key: "of a reload".to_owned(),
        content_type: "application/json".to_owned(),
        content: "[]".into(),
        ..ReloadRecord::default()
    };
    reload_one(cluster, owner, &reload, &reloaded, book).await?;
    let nil = ReportNilRequest {
        submission_id: format!("enemy-knows-nil-{seed}"),
        item_code: "xzcf".to_owned(),
        period_from: "2020-01-01".to_owned(),
        period_to: "2020-01-31".to_owned(),
    };
    let clients = cluster.clients()?;
    clients.ingest(owner)?.report_nil(nil.clone()).await?;
    let (case_id, cursor) = wait_for_case(cluster, owner, &reloaded.record_key).await?;
    Ok(AttackTargets {
        provider: known.provider,
        resume_token: resume_token(cluster, owner, &known.submission).await?,
        reload,
        reloaded,
        nil,
        case_id,
        cursor,
    })
}

/// A reload of one record, to its end.
async fn reload_one(
    cluster: &Cluster,
    owner: &str,
    begin: &ReloadBegin,
    record: &ReloadRecord,
    book: &mut ReceiptBook,
) -> Result<()> {
    let steps = [
        Step::Begin(begin.clone()),
        Step::Record(record.clone()),
        Step::End(ReloadEnd { records: 1 }),
    ];
    let requests = steps.map(|step| ReloadItemRequest { step: Some(step) });
    let mut client = cluster.clients()?.ingest(owner)?;
    let answers = client.reload_item(tokio_stream::iter(requests)).await?;
    let mut answers = answers.into_inner();
    let mut ended = false;
    while let Some(answer) = answers.next().await {
        match answer?.answer.context("an answer has a content")? {
            Answer::Receipt(receipt) => {
                let submission = Submission {
                    submission_id: format!("{}/{}", begin.reload_id, record.record_key),
                    content: record.content.clone(),
                    ..Submission::default()
                };
                book.insert(owner, &submission, receipt)?;
            }
            Answer::Missing(_) => {}
            Answer::Summary(summary) => ended = summary.accepted == 1,
            Answer::Refusal(refusal) => anyhow::bail!("a good record: {refusal:?}"),
        }
    }
    ensure!(ended, "the reload has no summary");
    Ok(())
}

/// The case of a record that must be returned, and the cursor behind its opening.
async fn wait_for_case(cluster: &Cluster, owner: &str, key: &str) -> Result<(String, String)> {
    let mut client = cluster.clients()?.validation_provider(owner)?;
    eventually("a case is opened", RETURN_TIMEOUT, async || {
        let request = ListFeedbackRequest::default();
        let cases = client.clone().list_feedback(request).await?.into_inner();
        let there = cases.cases.iter().any(|case| case.record_key == key);
        ensure!(there, "{} cases", cases.total);
        anyhow::Ok(())
    })
    .await?;
    let request = WatchFeedbackRequest::default();
    let mut feed = client.watch_feedback(request).await?.into_inner();
    let feed_change = async {
        while let Some(change) = feed.next().await {
            let change = change?;
            let case = change.case.context("a change is one of a case")?;
            if case.record_key == key {
                return Ok((case.case_id, change.cursor));
            }
        }
        anyhow::bail!("the feed ended")
    };
    tokio::time::timeout(RETURN_TIMEOUT, feed_change)
        .await
        .context("the feed does not tell of the case")?
}

/// The token of a stream in which a known submission was repeated.
async fn resume_token(cluster: &Cluster, owner: &str, known: &Submission) -> Result<Vec<u8>> {
    let request = StreamRecordsRequest {
        submission: Some(known.clone()),
        ..StreamRecordsRequest::default()
    };
    let mut client = cluster.clients()?.ingest(owner)?;
    let answers = client.stream_records(tokio_stream::iter([request])).await?;
    let answer = answers.into_inner().next().await;
    Ok(answer.context("an answer")??.resume_token.into())
}
