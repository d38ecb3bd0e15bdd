//! `ReloadItem` (全量, R-11): begin, records, end. Records come in batches that are bounded by number and size, so memory
//! does not grow with the reload; what the platform has already is answered by one statement for the whole batch
//! and never sealed, the rest goes through the ledger like every submission.

use std::collections::HashSet;

use opentelemetry::trace::SpanKind;
use proto::credit::ingest::v1::{
    MissingRecord, Receipt, ReloadBegin, ReloadEnd, ReloadItemRequest, ReloadItemResponse,
    ReloadMissing, ReloadRecord, ReloadSummary, Submission, reload_item_request::Step,
    reload_item_response::Answer,
};
use service_kit::{
    db,
    error::{Refusal, database},
    grpc::timestamp,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{
    IngestApi,
    stream::Requests,
    submit::{Pending, answer, stream_refusal},
};
use crate::{
    app::{self, reload::Beginning},
    domain::{
        Decision,
        reload::{End, Reload},
    },
    error::{FormError, invalid},
    intake::{self, Prepared},
    store::{self, reload::Named},
    writer::Pace,
};

/// Records of one batch.
const BATCH_RECORDS: usize = 500;
/// Bytes of content after which a batch takes no further record.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Records that are looked at in one go for what is missing.
const SCANNED: i64 = 2000;
/// Records of one message of what is missing.
const NAMED: usize = 500;

type Answers = mpsc::Sender<Result<ReloadItemResponse, Status>>;

/// A reload on its way.
struct Run {
    api: IngestApi,
    provider: String,
    reload_id: String,
    reload: Reload,
    /// Records of this stream that broke a rule.
    refused: u64,
}

/// What comes after a batch of records.
enum Next {
    /// More of them, maybe with this one first.
    Records(Option<ReloadRecord>),
    End(ReloadEnd),
    /// The caller says no more.
    Hangup,
}

/// What a record is answered with: known by now, or when its batch is committed.
enum Slot {
    Known(String, Result<Receipt, Refusal>),
    Pending(Box<Pending>),
}

impl IngestApi {
    /// Answers a reload of a provider.
    pub(super) fn reload(
        &self,
        provider: String,
        requests: Streaming<ReloadItemRequest>,
    ) -> ReceiverStream<Result<ReloadItemResponse, Status>> {
        // Bounded: a client that does not read its answers is held back.
        let (answers, receiver) = mpsc::channel(self.stream_window);
        let requests = Requests::new(requests, self.context.shutdown.clone());
        let api = self.clone();
        tokio::spawn(async move {
            if let Err(status) = api.run_reload(provider, requests, &answers).await {
                // A caller that has gone away opens the reload again.
                let _ = answers.send(Err(status)).await;
            }
        });
        ReceiverStream::new(receiver)
    }

    async fn run_reload(
        self,
        provider: String,
        mut requests: Requests<Streaming<ReloadItemRequest>>,
        answers: &Answers,
    ) -> Result<(), Status> {
        let begin = match requests.next().await.transpose()? {
            None => return Ok(()),
            Some(ReloadItemRequest {
                step: Some(Step::Begin(begin)),
            }) => begin,
            Some(_) => return Err(misplaced("begin")),
        };
        let reload = self.begin_reload(&provider, &begin).await?;
        let mut run = Run {
            api: self,
            provider,
            reload_id: begin.reload_id,
            reload,
            refused: 0,
        };
        let mut first = None;
        loop {
            let (records, next) = gather(&mut requests, first.take()).await?;
            run.take(records, answers).await?;
            match next {
                Next::Records(held) => first = held,
                Next::End(end) => return run.end(end, answers).await,
                Next::Hangup => return Ok(()),
            }
        }
    }

    async fn begin_reload(&self, provider: &str, begin: &ReloadBegin) -> Result<Reload, Status> {
        if !intake::is_reload_id(&begin.reload_id) {
            return Err(invalid(
                "RELOAD_ID_FORM",
                "reload_id",
                "1 to 64 characters without slashes and control characters",
                "全量报送编号须为 1 至 64 个字符，不含斜线和控制字符",
            )
            .into());
        }
        if !intake::is_item_code(&begin.item_code) {
            return Err(Refusal::from(FormError::ItemCode).into());
        }
        let beginning = Beginning {
            provider_code: provider.to_owned(),
            reload_digest: intake::reload_digest(&self.context.keyring, provider, &begin.reload_id),
            item_code: begin.item_code.clone(),
            item_version: begin.item_version,
        };
        let failed = |error: db::Error| database("开始全量报送", &error);
        let mut tx = self.pool.begin().await.map_err(failed)?;
        let now = self.context.clock.now();
        let reload = app::reload::begin(&mut tx, &beginning, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(reload?)
    }
}

/// Records that belong into one batch, and what comes after them. Waits for the first only: a batch is what is there.
/// A key stands in a batch once, so that of two contents under one key the first counts.
async fn gather(
    requests: &mut Requests<Streaming<ReloadItemRequest>>,
    first: Option<ReloadRecord>,
) -> Result<(Vec<ReloadRecord>, Next), Status> {
    let mut records: Vec<ReloadRecord> = Vec::new();
    let mut keys = HashSet::new();
    let mut bytes = 0;
    let mut next = match first {
        Some(first) => Some(Ok(ReloadItemRequest {
            step: Some(Step::Record(first)),
        })),
        None => requests.next().await,
    };
    loop {
        let record = match next.transpose()? {
            None => return Ok((records, Next::Hangup)),
            Some(message) => match message.step {
                Some(Step::Record(record)) => record,
                Some(Step::End(end)) => return Ok((records, Next::End(end))),
                Some(Step::Begin(_)) | None => return Err(misplaced("record")),
            },
        };
        if !keys.insert(record.record_key.clone()) {
            return Ok((records, Next::Records(Some(record))));
        }
        bytes += record.content.len();
        records.push(record);
        if records.len() >= BATCH_RECORDS || bytes >= BATCH_BYTES {
            return Ok((records, Next::Records(None)));
        }
        match requests.at_hand() {
            Some(message) => next = message,
            None => return Ok((records, Next::Records(None))),
        }
    }
}

fn misplaced(step: &'static str) -> Status {
    invalid(
        "RELOAD_STEP_MISPLACED",
        step,
        "begin once, then records, then end once",
        "全量报送须依次为：开始、逐条记录、结束",
    )
    .into()
}

impl Run {
    /// Answers a batch of records, in order.
    async fn take(&mut self, records: Vec<ReloadRecord>, answers: &Answers) -> Result<(), Status> {
        if records.is_empty() {
            return Ok(());
        }
        let prepared: Vec<(String, Result<Prepared, FormError>)> = records
            .into_iter()
            .map(|record| {
                let id = format!("{}/{}", self.reload_id, record.record_key);
                let prepared = self.prepare(id.clone(), record);
                (id, prepared)
            })
            .collect();
        let known = self.known(&prepared).await.map_err(|error| {
            // Nothing of the batch was answered, so the caller may send it again.
            database("全量报送", &error)
        })?;
        let mut slots = Vec::with_capacity(prepared.len());
        for ((id, prepared), known) in prepared.into_iter().zip(known) {
            slots.push(match (prepared, known) {
                (Err(error), _) => Slot::Known(id, Err(error.into())),
                (Ok(_), Some(decision)) => {
                    let answer = answer(id.clone(), &self.provider, decision);
                    Slot::Known(id, answer)
                }
                (Ok(prepared), None) => Slot::Pending(Box::new(self.queue(id, prepared).await)),
            });
        }
        for slot in slots {
            let (id, answer) = match slot {
                Slot::Known(id, answer) => (id, answer),
                Slot::Pending(pending) => (pending.submission_id.clone(), pending.wait().await),
            };
            let answer = match answer {
                Ok(receipt) => Answer::Receipt(receipt),
                Err(refusal) => {
                    // What could not be committed is still to come: without it the reload is incomplete.
                    if !matches!(refusal.code, Code::Unavailable | Code::Internal) {
                        self.refused += 1;
                    }
                    Answer::Refusal(stream_refusal(id, refusal))
                }
            };
            tell(answers, answer).await?;
        }
        Ok(())
    }

    fn prepare(&self, id: String, record: ReloadRecord) -> Result<Prepared, FormError> {
        let submission = Submission {
            submission_id: id,
            item_code: self.reload.item_code.clone(),
            item_version: self.reload.item_version,
            record_key: record.record_key,
            content_type: record.content_type,
            content: record.content,
            content_sha256: record.content_sha256,
            ..Submission::default()
        };
        intake::prepare(submission, &self.provider, &self.api.context.keyring)
    }

    /// What the platform has already of a batch, answered and kept in one transaction; `None` for the others.
    async fn known(
        &self,
        prepared: &[(String, Result<Prepared, FormError>)],
    ) -> Result<Vec<Option<Decision>>, db::Error> {
        let sound = || prepared.iter().filter_map(|(_, p)| p.as_ref().ok());
        let named: Vec<Named<'_>> = sound()
            .map(|record| Named {
                key_digest: &record.key_digest,
                sha256: &record.sha256,
                content_type: record.content_type(),
                submission_digest: &record.submission_digest,
            })
            .collect();
        let mut tx = self.api.pool.begin().await?;
        let now = self.api.context.clock.now();
        let (reload, provider) = (&self.reload, self.provider.as_str());
        let known = app::reload::take_known(&mut tx, reload, provider, &named, now).await?;
        tx.commit().await?;
        let mut known = known.into_iter();
        let of_each = prepared.iter().map(|(_, record)| match record {
            Ok(_) => known.next().flatten(),
            Err(_) => None,
        });
        Ok(of_each.collect())
    }

    /// Seals a record that needs a version of its own, and queues it.
    async fn queue(&self, id: String, prepared: Prepared) -> Pending {
        let context = &self.api.context;
        let span = context
            .telemetry
            .span("ingest.submit", SpanKind::Producer, None);
        let trace = span.traceparent();
        let mut incoming = intake::seal(prepared, &self.provider, trace, &context.keyring);
        incoming.reload = Some(self.reload.number);
        self.api
            .queue(id, &self.provider, Some(span), Ok(incoming), Pace::GoesOn)
            .await
    }

    /// Ends the reload and tells what it did not name, then the summary.
    async fn end(self, end: ReloadEnd, answers: &Answers) -> Result<(), Status> {
        let end = self.keep_end(end.records).await?;
        let mut missing = 0;
        let mut after = Some(0);
        while let Some(from) = after {
            let (pool, provider) = (&self.api.pool, self.provider.as_str());
            let page =
                store::reload::missing_page(pool, provider, &self.reload, end.up_to, from, SCANNED)
                    .await
                    .map_err(|error| database("列出未报记录", &error))?;
            after = page.next;
            missing += page.missing.len() as u64;
            for part in page.missing.chunks(NAMED) {
                let records = part.iter().map(|row| self.named_missing(row));
                let records = records.collect::<Result<_, Status>>()?;
                tell(answers, Answer::Missing(ReloadMissing { records })).await?;
            }
        }
        if end.missing.is_none() {
            store::reload::keep_missing(&self.api.pool, self.reload.number, missing)
                .await
                .map_err(|error| database("结束全量报送", &error))?;
        }
        let summary = ReloadSummary {
            reload_id: self.reload_id,
            records: end.unchanged + end.accepted,
            unchanged: end.unchanged,
            accepted: end.accepted,
            refused: end.refused,
            missing: end.missing.unwrap_or(missing),
        };
        tell(answers, Answer::Summary(summary)).await
    }

    fn named_missing(&self, row: &store::reload::Missing) -> Result<MissingRecord, Status> {
        let labels = self.api.labels(&row.stored, &row.sealed_labels)?;
        Ok(MissingRecord {
            record_key: labels.record_key,
            record_id: row.stored.record_id.to_string(),
            ledger_number: row.stored.ledger_number,
            received_at: Some(timestamp(row.stored.received_at)),
        })
    }

    async fn keep_end(&self, declared: u64) -> Result<End, Status> {
        let failed = |error: db::Error| database("结束全量报送", &error);
        let mut tx = self.api.pool.begin().await.map_err(failed)?;
        let now = self.api.context.clock.now();
        let (reload, provider) = (&self.reload, self.provider.as_str());
        let end = app::reload::end(&mut tx, reload, provider, declared, self.refused, now)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(end.map_err(Refusal::from)?)
    }
}

/// Gives an answer to the caller; one that has gone away needs no more of them.
async fn tell(answers: &Answers, answer: Answer) -> Result<(), Status> {
    let answer = ReloadItemResponse {
        answer: Some(answer),
    };
    let sent = answers.send(Ok(answer)).await;
    sent.map_err(|_| Status::cancelled("the caller has gone away"))
}
