//! `ReloadItem` as a stream: begin, records, end; each answered in order. `crate::reload` runs the use cases. Called by
//! `grpc`.

use proto::credit::ingest::v1::{
    ReloadEnd, ReloadItemRequest, ReloadItemResponse, ReloadMissing, ReloadRecord,
    reload_item_request::Step, reload_item_response::Answer,
};
use record_ref::ProviderCode;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, codegen::BoxStream};

use super::{IngestApi, decode, encode, stream::DrainingRequests};
use crate::{
    error::IngestError,
    reload::{ReloadBatch, ReloadRun, Reloads},
};

/// Records of one message of what is missing.
const MISSING_PER_MESSAGE: usize = 500;

type Requests = DrainingRequests<Streaming<ReloadItemRequest>>;
type ReloadAnswerSender = mpsc::Sender<Result<ReloadItemResponse, Status>>;

/// What comes after a batch of records.
enum AfterReloadBatch {
    /// More of them, maybe with this one first.
    Records(Option<ReloadRecord>),
    End(ReloadEnd),
    /// The caller closed its side of the stream.
    Hangup,
}

/// Answers a reload of a provider.
pub(super) fn reload_item(
    api: &IngestApi,
    provider: Option<ProviderCode>,
    requests: Streaming<ReloadItemRequest>,
) -> BoxStream<ReloadItemResponse> {
    // Bounded: a client that does not read its answers is held back.
    let (answers, receiver) = mpsc::channel(api.stream_window);
    let requests = DrainingRequests::new(requests, api.context.shutdown.clone());
    let reloads = api.reloads.clone();
    tokio::spawn(async move {
        if let Err(status) = answer_steps(reloads, provider, requests, &answers).await {
            // A caller that has disconnected opens the reload again.
            let _ = answers.send(Err(status)).await;
        }
    });
    Box::pin(ReceiverStream::new(receiver))
}

async fn answer_steps(
    reloads: Reloads,
    provider: Option<ProviderCode>,
    mut requests: Requests,
    answers: &ReloadAnswerSender,
) -> Result<(), Status> {
    let begin = match requests.next().await.transpose()? {
        None => return Ok(()),
        Some(ReloadItemRequest {
            step: Some(Step::Begin(begin)),
        }) => begin,
        Some(_) => return Err(misplaced_step("begin")),
    };
    let header = decode::reload_header(provider, begin)?;
    let mut run = reloads.begin_reload(header).await?;
    let mut first = None;
    loop {
        let (batch, after) = receive_batch(&mut requests, &run, first.take()).await?;
        for answer in run.answer_batch(batch).await? {
            let (id, answered) = run.wait_answered(answer).await;
            let answer = match answered {
                Ok(answered) => Answer::Receipt(encode::encode_receipt(id, &answered)),
                Err(refusal) => Answer::Refusal(encode::stream_refusal(id, refusal)),
            };
            send_answer(answers, answer).await?;
        }
        match after {
            AfterReloadBatch::Records(next) => first = next,
            AfterReloadBatch::End(end) => return finish_reload(run, end, answers).await,
            AfterReloadBatch::Hangup => return Ok(()),
        }
    }
}

/// Records that belong into one batch, and what comes after them. Waits for the first only: a batch is what has
/// arrived.
async fn receive_batch(
    requests: &mut Requests,
    run: &ReloadRun,
    first: Option<ReloadRecord>,
) -> Result<(ReloadBatch, AfterReloadBatch), Status> {
    let mut batch = ReloadBatch::default();
    let mut next = match first {
        Some(first) => Some(Ok(ReloadItemRequest {
            step: Some(Step::Record(first)),
        })),
        None => requests.next().await,
    };
    loop {
        let record = match next.transpose()? {
            None => return Ok((batch, AfterReloadBatch::Hangup)),
            Some(message) => match message.step {
                Some(Step::Record(record)) => record,
                Some(Step::End(end)) => return Ok((batch, AfterReloadBatch::End(end))),
                Some(Step::Begin(_)) | None => return Err(misplaced_step("record")),
            },
        };
        if !batch.admit_key(&record.record_key) {
            return Ok((batch, AfterReloadBatch::Records(Some(record))));
        }
        let bytes = record.content.len();
        let (id, record) = decode::reload_record(run.reload_id(), run.reload(), record);
        batch.push(id, record, bytes);
        if batch.is_full() {
            return Ok((batch, AfterReloadBatch::Records(None)));
        }
        match requests.try_next() {
            Some(message) => next = message,
            None => return Ok((batch, AfterReloadBatch::Records(None))),
        }
    }
}

/// Ends the reload, sends the records that it did not name, then the summary.
async fn finish_reload(
    run: ReloadRun,
    end: ReloadEnd,
    answers: &ReloadAnswerSender,
) -> Result<(), Status> {
    let end = run.end_reload(end.records).await?;
    let mut count = 0;
    let mut after = None;
    loop {
        let (missing, next) = run.list_missing(&end, after).await?;
        count += missing.len() as u64;
        for part in missing.chunks(MISSING_PER_MESSAGE) {
            let records = part.iter().map(encode::missing_record).collect();
            send_answer(answers, Answer::Missing(ReloadMissing { records })).await?;
        }
        after = next;
        if after.is_none() {
            break;
        }
    }
    let totals = run.store_totals(end, count).await?;
    let summary = Answer::Summary(encode::reload_summary(totals));
    send_answer(answers, summary).await
}

fn misplaced_step(expected: &'static str) -> Status {
    IngestError::ReloadStep { expected }.into()
}

/// Sends an answer to the caller; a caller that has disconnected gets no more of them.
async fn send_answer(answers: &ReloadAnswerSender, answer: Answer) -> Result<(), Status> {
    let answer = ReloadItemResponse {
        answer: Some(answer),
    };
    let sent = answers.send(Ok(answer)).await;
    sent.map_err(|_| Status::cancelled("the caller has gone away"))
}
