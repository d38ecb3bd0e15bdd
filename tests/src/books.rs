//! Every receipt ever given, and the checks that nothing of it was lost or doubled. Called by fault
//! journeys after each fault, and by the hostile suite.
//!
//! - [`ReceiptBook`]: what callers were given;
//! - [`Auditor::check_while_running`]: what must hold at every moment, in one snapshot of the database;
//! - [`Auditor::check_settled`]: what must hold once everything is through: receipts = originals = events = verdicts, and what
//!   was revoked or withdrawn (D-24) is ended by a version of its own that carries the reason as sent.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use prost::Message;
use proto::credit::{
    common::v1::{Operation, RecordVersion},
    ingest::{
        events::v1::RecordSubmitted,
        v1::{Receipt, Submission},
    },
    validation::events::v1::{RecordAccepted, RecordReturned, RecordRevoked},
};
use testkit::eventually;
use uuid::Uuid;
use vault::Keyring;

use crate::cluster::Cluster;

/// How long everything may take to come through after the last fault.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(180);

/// Versions whose contents are opened at once.
const OPEN_AT_ONCE: usize = 1_000;

/// The receipts that callers were given, each with what it was given for.
#[derive(Clone, Debug, Default)]
pub struct ReceiptBook {
    by_submission: HashMap<(String, String), Arc<GivenReceipt>>,
}

/// One receipt.
#[derive(Debug)]
pub struct GivenReceipt {
    /// The version that holds what was sent.
    pub record_id: Uuid,
    /// Who has it.
    pub provider: String,
    /// What it does to its record.
    pub operation: Operation,
    /// Digest of the bytes that the caller sent.
    pub digest: [u8; 32],
    /// As it was given first.
    pub receipt: Receipt,
}

impl ReceiptBook {
    /// Enters a receipt; whether it is the first for its submission id.
    ///
    /// # Errors
    /// When it does not fit what was sent, or differs from the one that was given for the same id before.
    pub fn insert(
        &mut self,
        provider: &str,
        submission: &Submission,
        receipt: Receipt,
    ) -> Result<bool> {
        let digest = vault::sha256(&submission.content);
        ensure!(
            receipt.submission_id == submission.submission_id
                && receipt.provider_code == provider
                && receipt.content_sha256 == digest.as_slice(),
            "the receipt is for something else: {receipt:?}"
        );
        let operation = match submission.operation() {
            Operation::Unspecified => Operation::Upsert,
            named => named,
        };
        ensure!(
            operation == Operation::Upsert || receipt.revision > 1,
            "the end of a record that was not reported before: {receipt:?}"
        );
        let key = (provider.to_owned(), receipt.submission_id.clone());
        if let Some(before) = self.by_submission.get(&key) {
            ensure!(
                before.receipt == receipt,
                "another receipt for the same submission: {:?}, now {receipt:?}",
                before.receipt
            );
            return Ok(false);
        }
        let given = GivenReceipt {
            record_id: Uuid::parse_str(&receipt.record_id)?,
            provider: provider.to_owned(),
            operation,
            digest,
            receipt,
        };
        self.by_submission.insert(key, Arc::new(given));
        Ok(true)
    }

    /// Takes in another book.
    pub fn extend(&mut self, other: Self) {
        self.by_submission.extend(other.by_submission);
    }

    /// Receipts.
    pub fn len(&self) -> usize {
        self.by_submission.len()
    }

    /// Whether no receipt was given.
    pub fn is_empty(&self) -> bool {
        self.by_submission.is_empty()
    }

    /// All of them.
    pub fn receipts(&self) -> impl Iterator<Item = &GivenReceipt> {
        self.by_submission.values().map(Arc::as_ref)
    }
}

/// Looks into the database as its owner, with the cluster's keys.
#[derive(Debug)]
pub struct Auditor {
    ingest: sqlx::PgPool,
    validation: sqlx::PgPool,
    keyring: Keyring,
    /// Versions whose bytes were opened and found right. Originals cannot change, so once is enough until the last look.
    opened: HashSet<Uuid>,
}

/// What a settled platform holds.
#[derive(Debug)]
pub struct AuditTotals {
    /// Receipts given.
    pub receipts: usize,
    /// Of these records that validation accepted.
    pub accepted: usize,
    /// Records returned to their providers.
    pub returned: usize,
    /// Revocations and withdrawals.
    pub ends: usize,
}

impl Auditor {
    /// An auditor of one platform.
    pub fn new(cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            ingest: cluster.owner_pool("ingest")?,
            validation: cluster.owner_pool("validation")?,
            keyring: cluster.keyring()?,
            opened: HashSet::new(),
        })
    }

    /// What must hold at every moment, load or not: each receipt that was given is found with its bytes, once; ledgers
    /// have no gaps; no version has two events or two verdicts.
    pub async fn check_while_running(&mut self, book: &ReceiptBook) -> Result<()> {
        let unopened = |given: &&GivenReceipt| !self.opened.contains(&given.record_id);
        let fresh: Vec<&GivenReceipt> = book.receipts().filter(unopened).collect();
        self.check_originals(book).await?;
        self.check_contents(&fresh).await?;
        self.check_ledgers().await?;
        self.opened
            .extend(fresh.iter().map(|given| given.record_id));
        Ok(())
    }

    /// Waits until everything that was given is through, then checks all of it; every content is opened.
    pub async fn check_settled(
        &mut self,
        cluster: &Cluster,
        book: &ReceiptBook,
    ) -> Result<AuditTotals> {
        let receipts = book.len() as i64;
        eventually("all verdicts are there", SETTLE_TIMEOUT, async || {
            let verdicts: i64 = sqlx::query_scalar("select count(*) from verdict")
                .fetch_one(&self.validation)
                .await?;
            ensure!(
                verdicts >= receipts,
                "{verdicts} of {receipts}; waiting: {}",
                self.describe_backlog(cluster).await?
            );
            Ok(())
        })
        .await?;
        cluster.wait_until_drained().await?;
        self.check_originals(book).await?;
        self.check_contents(&book.receipts().collect::<Vec<_>>())
            .await?;
        self.check_ledgers().await?;
        self.check_counts(book).await
    }

    /// Describes the backlog, for the error message of a timeout.
    async fn describe_backlog(&self, cluster: &Cluster) -> Result<String> {
        let mut all = Vec::new();
        for (service, _) in cluster.service_pids() {
            let admin = cluster.service_admin_address(service)?;
            let (status, body) = crate::cluster::http_get(&admin, "/readyz").await?;
            all.push(format!("{} {status} {body}", service.name()));
        }
        let unpublished = event_bus::outbox::count_unpublished(&self.ingest).await?;
        all.push(format!("unpublished by ingest: {unpublished}"));
        Ok(all.join("; "))
    }

    /// Each receipt has its row with the same operation, digest, ledger number and revision.
    async fn check_originals(&self, book: &ReceiptBook) -> Result<()> {
        let (mut ids, mut providers, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        let (mut digests, mut revisions, mut operations) = (Vec::new(), Vec::new(), Vec::new());
        for given in book.receipts() {
            ids.push(given.record_id);
            providers.push(given.provider.as_str());
            numbers.push(i64::try_from(given.receipt.ledger_number)?);
            digests.push(given.digest.as_slice());
            revisions.push(i64::try_from(given.receipt.revision)?);
            operations.push(given.operation as i16);
        }
        let lost: Vec<(Uuid, String, i64)> = sqlx::query_as(
            "select g.id, g.provider, g.number
             from unnest($1::uuid[], $2::text[], $3::bigint[], $4::bytea[], $5::bigint[], $6::smallint[])
                  as g (id, provider, number, digest, revision, operation)
             left join original o on o.record_id = g.id and o.provider_code = g.provider
                  and o.ledger_number = g.number and o.content_sha256 = g.digest
                  and o.revision = g.revision and o.operation = g.operation
             where o.record_id is null limit 20",
        )
        .bind(ids)
        .bind(providers)
        .bind(numbers)
        .bind(digests)
        .bind(revisions)
        .bind(operations)
        .fetch_all(&self.ingest)
        .await?;
        ensure!(
            lost.is_empty(),
            "receipts whose original is lost or another: {lost:?}"
        );
        Ok(())
    }

    /// The sealed contents open to the bytes that were sent.
    async fn check_contents(&self, given: &[&GivenReceipt]) -> Result<()> {
        for some in given.chunks(OPEN_AT_ONCE) {
            let digests: HashMap<Uuid, [u8; 32]> =
                some.iter().map(|one| (one.record_id, one.digest)).collect();
            let ids: Vec<Uuid> = digests.keys().copied().collect();
            let sealed: Vec<(Uuid, Vec<u8>)> = sqlx::query_as(
                "select record_id, sealed_content from original where record_id = any($1)",
            )
            .bind(ids)
            .fetch_all(&self.ingest)
            .await?;
            ensure!(
                sealed.len() == digests.len(),
                "{} originals for {} receipts",
                sealed.len(),
                digests.len()
            );
            for (id, sealed) in sealed {
                let content = self
                    .keyring
                    .open(id.as_bytes(), &sealed)
                    .with_context(|| format!("original {id} does not open"))?;
                ensure!(
                    digests.get(&id) == Some(&vault::sha256(&content)),
                    "original {id} holds other bytes than were sent"
                );
            }
        }
        Ok(())
    }

    /// every ledger counts from 1 without gaps and without a number twice.
    async fn check_ledgers(&self) -> Result<()> {
        let bad: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
            "select l.provider_code, l.last_number, count(o.*), coalesce(max(o.ledger_number), 0),
                    count(distinct o.ledger_number)
             from provider_ledger l left join original o using (provider_code)
             group by 1, 2
             having count(o.*) <> l.last_number or coalesce(max(o.ledger_number), 0) <> l.last_number
                 or coalesce(min(o.ledger_number), 1) <> 1 or count(distinct o.ledger_number) <> l.last_number",
        )
        .fetch_all(&self.ingest)
        .await?;
        ensure!(bad.is_empty(), "ledgers with gaps: {bad:?}");
        Ok(())
    }

    /// Receipts = originals = events = verdicts = events of verdicts, version by version, whatever a version does.
    async fn check_counts(&self, book: &ReceiptBook) -> Result<AuditTotals> {
        let given: HashSet<Uuid> = book.receipts().map(|one| one.record_id).collect();
        let originals: Vec<Uuid> = sqlx::query_scalar("select record_id from original")
            .fetch_all(&self.ingest)
            .await?;
        check_same_ids("originals", &given, originals)?;
        // Of a new version its original holds the id. A nil report has an id of the same kind, and no receipt.
        let submissions: i64 = sqlx::query_scalar(
            "select (select count(submission_digest) from original)
                    + (select count(*) from submission s
                       where not exists (select from nil_report n where n.report_id = s.record_id))",
        )
        .fetch_one(&self.ingest)
        .await?;
        ensure!(
            submissions as usize == book.len(),
            "{submissions} submission ids, {} receipts",
            book.len()
        );
        let submitted = event_versions(
            &self.ingest,
            "credit.ingest.events.v1.RecordSubmitted",
            |b| Ok(RecordSubmitted::decode(b)?.version),
        );
        check_same_ids("events RecordSubmitted", &given, submitted.await?)?;

        let verdicts: Vec<(Uuid, String, String)> =
            sqlx::query_as("select record_id, outcome, operation from verdict")
                .fetch_all(&self.validation)
                .await?;
        let ids = verdicts.iter().map(|(id, ..)| *id).collect();
        check_same_ids("verdicts", &given, ids)?;
        let (mut accepted, mut returned, mut ended) =
            (HashSet::new(), HashSet::new(), HashSet::new());
        for (id, outcome, operation) in verdicts {
            let of_kind = match (outcome.as_str(), operation.as_str()) {
                ("accepted", "upsert") => &mut accepted,
                ("returned", "upsert") => &mut returned,
                // Ingest has checked the reason; validation has nothing to return it for.
                ("accepted", "revoke" | "withdraw") => &mut ended,
                other => bail!("a verdict that there must not be: {id}: {other:?}"),
            };
            of_kind.insert(id);
        }
        let announced = event_versions(
            &self.validation,
            "credit.validation.events.v1.RecordAccepted",
            |b| Ok(RecordAccepted::decode(b)?.version),
        );
        check_same_ids("events RecordAccepted", &accepted, announced.await?)?;
        let announced = event_versions(
            &self.validation,
            "credit.validation.events.v1.RecordReturned",
            |b| Ok(RecordReturned::decode(b)?.version),
        );
        check_same_ids("events RecordReturned", &returned, announced.await?)?;
        self.check_ends(book, &ended).await?;
        let settled = AuditTotals {
            receipts: book.len(),
            accepted: accepted.len(),
            returned: returned.len(),
            ends: ended.len(),
        };
        println!("books: {settled:?}; originals, events and verdicts are as many, each once");
        Ok(settled)
    }

    /// D-24: what was accepted as the end of a record is what callers sent as one; each is announced once, as the
    /// operation that it is and with the reason as sent, and no case of a record stays open after its end.
    async fn check_ends(&self, book: &ReceiptBook, ended: &HashSet<Uuid>) -> Result<()> {
        let sent: HashMap<Uuid, &GivenReceipt> = book
            .receipts()
            .filter(|given| given.operation != Operation::Upsert)
            .map(|given| (given.record_id, given))
            .collect();
        check_same_ids(
            "ends",
            &sent.keys().copied().collect(),
            ended.iter().copied().collect(),
        )?;
        let announced = event_versions(
            &self.validation,
            "credit.validation.events.v1.RecordRevoked",
            |b| {
                let event = RecordRevoked::decode(b)?;
                let version = event
                    .version
                    .clone()
                    .context("an event names its version")?;
                let id = Uuid::from_slice(&version.record_id)?;
                let given = sent.get(&id).context("nobody has ended that")?;
                let reason = self.keyring.open(id.as_bytes(), &event.sealed_reason)?;
                ensure!(
                    event.operation() == given.operation
                        && version.revision == given.receipt.revision
                        && vault::sha256(&reason) == given.digest,
                    "told otherwise than it was sent: {event:?}, {given:?}"
                );
                Ok(event.version)
            },
        );
        check_same_ids("events RecordRevoked", ended, announced.await?)?;
        let open: i64 = sqlx::query_scalar(
            "select count(*) from feedback_case c
             join verdict v using (provider_code, item_code, key_digest)
             where c.closed_at is null and v.operation <> 'upsert' and v.revision > c.revision",
        )
        .fetch_one(&self.validation)
        .await?;
        ensure!(
            open == 0,
            "{open} cases are open of records that were ended"
        );
        Ok(())
    }
}

/// Record ids in the events of one type in an outbox, with repetitions.
async fn event_versions(
    pool: &sqlx::PgPool,
    event_type: &str,
    version: impl Fn(&[u8]) -> Result<Option<RecordVersion>>,
) -> Result<Vec<Uuid>> {
    let payloads: Vec<Vec<u8>> =
        sqlx::query_scalar("select payload from outbox where event_type = $1")
            .bind(event_type)
            .fetch_all(pool)
            .await?;
    let versions = payloads.iter().map(|payload| {
        let version = version(payload)?.context("an event names its version")?;
        Ok(Uuid::from_slice(&version.record_id)?)
    });
    versions.collect()
}

/// The found ones are the wanted ones, each once.
fn check_same_ids(what: &str, wanted: &HashSet<Uuid>, found: Vec<Uuid>) -> Result<()> {
    let mut times: BTreeMap<Uuid, u32> = BTreeMap::new();
    for id in found {
        *times.entry(id).or_default() += 1;
    }
    let twice: Vec<_> = times.iter().filter(|(_, n)| **n > 1).take(5).collect();
    let missing: Vec<_> = wanted
        .iter()
        .filter(|id| !times.contains_key(id))
        .take(5)
        .collect();
    let strange: Vec<_> = times
        .keys()
        .filter(|id| !wanted.contains(id))
        .take(5)
        .collect();
    if twice.is_empty() && missing.is_empty() && strange.is_empty() {
        return Ok(());
    }
    bail!(
        "{what}: {} wanted, {} found; twice: {twice:?}; missing: {missing:?}; nobody has a receipt for: {strange:?}",
        wanted.len(),
        times.len(),
    )
}
