//! The run of a full reload (全量, R-11), over transactions of its own: begin, batches of records, end. The records of a
//! batch that are known already are answered by one statement and never sealed; the others go through the ledger like
//! every submission. Called by `grpc`, which reads the steps and writes the answers.

use std::collections::HashSet;

use record_ref::{LedgerNumber, ProviderCode};
use service_kit::{
    ServiceContext,
    db::{self, Pool},
    error::Refusal,
};
use tonic::Code;

use crate::{
    app::{
        reload::{self, ReloadHeader},
        submit_record::{PendingReceipt, Submitter},
    },
    domain::{
        AnsweredVersion, IngestRuleViolation, StoredVersion, SubmissionDecision,
        reload::{Reload, ReloadOutcome},
    },
    error::IngestError,
    intake::{CheckedSubmission, SubmissionLabels, WellFormedSubmission},
    store::{self, reload::ReloadLookup},
};

/// Records of one batch.
const BATCH_RECORDS: usize = 500;
/// Bytes of content after which a batch takes no further record.
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Versions that are scanned at once for what is missing.
const MISSING_SCAN_LIMIT: i64 = 2000;

/// Begins reloads. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Reloads {
    pool: Pool,
    submitter: Submitter,
    context: ServiceContext,
}

/// A reload that is running.
pub struct ReloadRun {
    reloads: Reloads,
    provider: ProviderCode,
    reload_id: String,
    reload: Reload,
    /// Records of this stream that broke a rule.
    refused: u64,
}

/// Records that are answered together, bounded by number and size, so that memory does not grow with the reload.
#[derive(Default)]
pub struct ReloadBatch {
    records: Vec<(String, Result<WellFormedSubmission, IngestRuleViolation>)>,
    keys: HashSet<String>,
    bytes: usize,
}

/// The answer to a record: known already, or pending until its batch is committed.
pub enum ReloadAnswer {
    /// It needs no version of its own, or its form is wrong.
    Known(String, Result<AnsweredVersion, Refusal>),
    /// It is pending like every submission.
    Pending(PendingReceipt),
}

/// A record that the reload did not name, open.
pub struct MissingRecord {
    /// The provider's own key.
    pub record_key: String,
    /// The version that was current at the end.
    pub stored: StoredVersion,
}

/// How a reload ended, all counted.
pub struct ReloadTotals {
    /// The caller's id of it.
    pub reload_id: String,
    /// Its end.
    pub end: ReloadOutcome,
    /// Records that it did not name.
    pub missing: u64,
}

impl ReloadBatch {
    /// Whether a record under this key may be added. A batch holds each key once, so that of two contents under one key
    /// the first one counts.
    pub fn admit_key(&mut self, record_key: &str) -> bool {
        self.keys.insert(record_key.to_owned())
    }

    /// Adds a record with so many bytes of content.
    pub fn push(
        &mut self,
        submission_id: String,
        record: Result<WellFormedSubmission, IngestRuleViolation>,
        bytes: usize,
    ) {
        self.records.push((submission_id, record));
        self.bytes += bytes;
    }

    /// Whether no further record belongs into it.
    pub fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }
}

impl Reloads {
    /// Over the pool; records that need versions of their own go by `submitter`.
    pub fn new(pool: Pool, submitter: Submitter, context: ServiceContext) -> Self {
        Self {
            pool,
            submitter,
            context,
        }
    }

    /// Opens a reload, or the one of this id once more.
    ///
    /// # Errors
    /// The rule that does not allow it.
    pub async fn begin_reload(self, header: ReloadHeader) -> Result<ReloadRun, IngestError> {
        let failed = || IngestError::database("开始全量报送");
        let mut tx = self.pool.begin().await.map_err(failed())?;
        let (keyring, now) = (&self.context.keyring, self.context.clock.now());
        let reload = reload::begin_reload(&mut tx, keyring, &header, now).await?;
        tx.commit().await.map_err(failed())?;
        Ok(ReloadRun {
            reloads: self,
            provider: header.provider,
            reload_id: header.reload_id,
            reload,
            refused: 0,
        })
    }
}

impl ReloadRun {
    /// The caller's id of it.
    pub fn reload_id(&self) -> &str {
        &self.reload_id
    }

    /// As it was begun.
    pub fn reload(&self) -> &Reload {
        &self.reload
    }

    /// The answers to the records of a batch, in order; see [`Self::wait_answered`].
    ///
    /// # Errors
    /// Of the database. Nothing of the batch was answered then, so the caller may send it again.
    pub async fn answer_batch(&self, batch: ReloadBatch) -> Result<Vec<ReloadAnswer>, IngestError> {
        if batch.records.is_empty() {
            return Ok(Vec::new());
        }
        let keyring = &self.reloads.context.keyring;
        let with_digests =
            |record: WellFormedSubmission| record.compute_digests(self.provider, keyring);
        let records: Vec<_> = batch
            .records
            .into_iter()
            .map(|(id, record)| (id, record.map(with_digests)))
            .collect();
        let known = self
            .answer_known_records(&records)
            .await
            .map_err(IngestError::database("全量报送"))?;
        let submitter = &self.reloads.submitter;
        let mut answers = Vec::with_capacity(records.len());
        for ((id, record), known) in records.into_iter().zip(known) {
            answers.push(match (record, known) {
                (Err(error), _) => ReloadAnswer::Known(id, Err(error.into())),
                (Ok(_), Some(decision)) => {
                    ReloadAnswer::Known(id, decision.into_answer().map_err(Refusal::from))
                }
                (Ok(record), None) => {
                    let number = self.reload.number;
                    let pending = submitter.submit_reload_record(id, record, number).await;
                    ReloadAnswer::Pending(pending)
                }
            });
        }
        Ok(answers)
    }

    /// Answers the known records of a batch and stores their lines, in one transaction; `None` for the others.
    async fn answer_known_records(
        &self,
        records: &[(String, Result<CheckedSubmission, IngestRuleViolation>)],
    ) -> Result<Vec<Option<SubmissionDecision>>, db::Error> {
        let sound = || records.iter().filter_map(|(_, r)| r.as_ref().ok());
        let lookups: Vec<ReloadLookup<'_>> = sound()
            .map(|record| ReloadLookup {
                key_digest: &record.key.digest,
                content: &record.content,
                submission_digest: &record.submission_digest,
            })
            .collect();
        let mut tx = self.reloads.pool.begin().await?;
        let now = self.reloads.context.clock.now();
        let (reload, provider) = (&self.reload, &self.provider);
        let known = reload::answer_known_records(&mut tx, reload, provider, &lookups, now).await?;
        tx.commit().await?;
        let mut known = known.into_iter();
        let of_each = records.iter().map(|(_, record)| match record {
            Ok(_) => known.next().flatten(),
            Err(_) => None,
        });
        Ok(of_each.collect())
    }

    /// The caller's id of a record and its answer, once it is known; counts those that broke a rule.
    pub async fn wait_answered(
        &mut self,
        answer: ReloadAnswer,
    ) -> (String, Result<AnsweredVersion, Refusal>) {
        let (id, answered) = match answer {
            ReloadAnswer::Known(id, answered) => (id, answered),
            ReloadAnswer::Pending(pending) => pending.wait_answered().await,
        };
        if let Err(refusal) = &answered {
            // A record that could not be committed is still to come: without it the reload is incomplete.
            if !matches!(refusal.reason.code(), Code::Unavailable | Code::Internal) {
                self.refused += 1;
            }
        }
        (id, answered)
    }

    /// Ends it with the number of records that the caller declares.
    ///
    /// # Errors
    /// When other numbers arrived, or it was ended with another number.
    pub async fn end_reload(&self, declared: u64) -> Result<ReloadOutcome, IngestError> {
        let failed = || IngestError::database("结束全量报送");
        let mut tx = self.reloads.pool.begin().await.map_err(failed())?;
        let now = self.reloads.context.clock.now();
        let (reload, provider, refused) = (&self.reload, &self.provider, self.refused);
        let end = reload::end_reload(&mut tx, reload, provider, declared, refused, now).await?;
        tx.commit().await.map_err(failed())?;
        Ok(end)
    }

    /// A page of the records that it did not name, after the number `after`, and the number after which the next ones
    /// come; `None` after the last.
    ///
    /// # Errors
    /// Of the database, or damage.
    pub async fn list_missing(
        &self,
        end: &ReloadOutcome,
        after: Option<LedgerNumber>,
    ) -> Result<(Vec<MissingRecord>, Option<LedgerNumber>), IngestError> {
        let (pool, keyring) = (&self.reloads.pool, &self.reloads.context.keyring);
        let (provider, reload) = (&self.provider, &self.reload);
        let (up_to, most) = (end.last_ledger_number, MISSING_SCAN_LIMIT);
        let page = store::reload::load_missing_page(pool, provider, reload, up_to, after, most)
            .await
            .map_err(IngestError::database("列出未报记录"))?;
        let open = |row: store::reload::MissingVersion| {
            let version_id = row.stored.version.id;
            let labels = SubmissionLabels::open_labels(keyring, version_id, &row.sealed_labels)?;
            Ok(MissingRecord {
                record_key: labels.record_key,
                stored: row.stored,
            })
        };
        let missing = page.missing.into_iter().map(open);
        let missing = missing.collect::<Result<_, IngestError>>()?;
        Ok((missing, page.next))
    }

    /// Its numbers, with that of the missing records stored at the first count.
    ///
    /// # Errors
    /// Of the database.
    pub async fn store_totals(
        self,
        end: ReloadOutcome,
        missing: u64,
    ) -> Result<ReloadTotals, IngestError> {
        if end.missing.is_none() {
            store::reload::update_missing_count(&self.reloads.pool, self.reload.number, missing)
                .await
                .map_err(IngestError::database("结束全量报送"))?;
        }
        Ok(ReloadTotals {
            reload_id: self.reload_id,
            missing: end.missing.unwrap_or(missing),
            end,
        })
    }
}
