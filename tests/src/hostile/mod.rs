//! Requests that must be refused, made from a seed: request `i` of a seed is always the same. Called by the hostile suite
//! (`tests/hostile.rs`) and `bench hostile`.
//!
//! - [`wire`]: frames and protobuf by hand;
//! - `targets`: records, cases and tokens of good callers, to be attacked;
//! - `frames`, `callers`, `forms`, `contents`: attacks on authentication and ingest's form check, each with the answer
//!   that must come;
//! - `ends`, `nil`, `reloads`, `reading`, `feedback`: attacks on the other calls;
//! - here: [`HostileClient`] makes and sends them, and judges the answers.
//!
//! A record whose *content* is wrong is taken, for its bytes must be kept, and then returned with findings: that
//! is its refusal, and [`HostileReport`] is the list of those that must come.

mod callers;
mod contents;
mod ends;
mod feedback;
mod forms;
mod frames;
mod nil;
mod reading;
mod reloads;
mod targets;
pub mod wire;

use service_kit::reason::Reason;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use anyhow::{Context, Result, bail, ensure};
use platform::target::Service;
use prost::Message;
use proto::credit::{
    ingest::v1::{
        ListLedgerResponse, ListNilReportsResponse, Receipt, Refusal, ReloadItemResponse,
        StreamRecordsRequest, StreamRecordsResponse, Submission, SubmitRecordRequest,
        SubmitRecordResponse, reload_item_response, stream_records_response,
    },
    validation::v1::{DryRunResponse, Severity, VerdictOutcome},
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use service_kit::identity::{DevelopmentIssuer, Role};
use testkit::records::Generator;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{books::ReceiptBook, cluster::Cluster, day::submission_of_record};
use targets::{AttackTargets, KnownRecord};
use wire::{RawAnswer, RawCall, RawConnection, frame_message};

const SUBMIT: &str = "/credit.ingest.v1.IngestService/SubmitRecord";
const STREAM: &str = "/credit.ingest.v1.IngestService/StreamRecords";
const RECEIPT: &str = "/credit.ingest.v1.IngestService/GetReceipt";
const LEDGER: &str = "/credit.ingest.v1.IngestService/ListLedger";
const STATUS: &str = "/credit.ingest.v1.IngestService/GetSubmissionStatus";
const ORIGINAL: &str = "/credit.ingest.v1.IngestService/ReadOriginal";
const REPORT_NIL: &str = "/credit.ingest.v1.IngestService/ReportNil";
const LIST_NIL: &str = "/credit.ingest.v1.IngestService/ListNilReports";
const RELOAD: &str = "/credit.ingest.v1.IngestService/ReloadItem";
const REPLAY: &str = "/credit.ingest.v1.IngestService/ReplayRules";
const STATISTICS: &str = "/credit.ingest.v1.IngestService/GetStatistics";
const FEEDBACK: &str = "/credit.validation.v1.ValidationService/ListFeedback";
const VERDICT: &str = "/credit.validation.v1.ValidationService/GetVerdict";

const WATCH: &str = "/credit.validation.v1.ValidationService/WatchFeedback";
const CONFIRM: &str = "/credit.validation.v1.ValidationService/ConfirmRecord";
const DRY_RUN: &str = "/credit.validation.v1.ValidationService/DryRun";

/// Largest content of a record, bytes.
const MAX_CONTENT_BYTES: usize = 1024 * 1024;

/// Number of the first generated record for hostile requests; good callers use lower numbers.
const FIRST_HOSTILE_RECORD: u64 = 10_000_000;

/// One request with what must be answered.
#[derive(Clone, Debug)]
pub struct HostileRequest {
    /// Its kind, for counts and errors.
    pub kind: &'static str,
    /// To whom.
    pub service: Service,
    /// What is sent.
    pub call: RawCall,
    /// What must come back.
    pub expected: ExpectedAnswer,
    /// Table that gets a row although the request is refused, and the key of that row: the same key twice
    /// is one row.
    pub expected_row: Option<(&'static str, String)>,
}

/// What must come back.
#[derive(Clone, Debug)]
pub enum ExpectedAnswer {
    /// One of these codes: gRPC itself refuses, without a reason of ours.
    Status(&'static [Code]),
    /// One of these reasons, and of this field where one is named.
    Refused(Vec<Reason>, Option<&'static str>),
    /// A page with nothing on it.
    EmptyPage,
    /// So many verdicts of a trial, each "returned" with an error.
    DryRunReturned(usize),
    /// A refusal by HTTP itself, before gRPC begins: one of these statuses.
    Http(&'static [u16]),
    /// A receipt, and later a verdict "returned".
    ReturnedLater(Box<Submission>, String),
}

/// Makes hostile requests against one platform.
#[derive(Clone, Debug)]
pub struct HostileClient {
    seed: u64,
    generator: Generator,
    providers: Vec<ProviderAccount>,
    /// Tokens that must not pass, each with its reason.
    bad_tokens: Arc<Vec<(String, Reason)>>,
    /// Tokens in order, for other roles than a provider's.
    other_roles: Arc<Vec<String>>,
    /// A valid token of an organisation that is not registered as a provider.
    unregistered_token: String,
    /// Valid tokens: the credit office, and a caller with no rights but the public's.
    office_token: String,
    public_token: String,
    /// Records with receipts, submitted by good callers.
    known: Arc<Vec<KnownRecord>>,
    /// What else one of them has.
    targets: Arc<AttackTargets>,
    ingest: String,
    validation: String,
}

#[derive(Clone, Debug)]
struct ProviderAccount {
    code: String,
    token: String,
}

/// What became of hostile requests.
#[derive(Debug, Default)]
pub struct HostileReport {
    /// Requests sent by kind.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Refusals by code and reason.
    pub by_answer: BTreeMap<String, u64>,
    /// Receipts for contents that must be returned.
    pub book: ReceiptBook,
    /// Those of the book, by record id, with the kind.
    pub to_be_returned: Vec<(String, &'static str)>,
    /// Rows that refused requests leave, by table: see [`HostileRequest::expected_row`].
    pub expected_rows: BTreeSet<(&'static str, String)>,
}

/// One request in the making.
struct RequestMaker<'e> {
    client: &'e HostileClient,
    rng: StdRng,
    number: u64,
}

impl HostileClient {
    /// Prepares a hostile client against a running platform with the generator's providers. It submits some records to
    /// attack them: their receipts are given back.
    pub async fn prepare(
        cluster: &Cluster,
        generator: Generator,
        seed: u64,
    ) -> Result<(Self, ReceiptBook)> {
        let mut providers = Vec::new();
        for provider in generator.providers() {
            providers.push(ProviderAccount {
                code: provider.code.clone(),
                token: cluster.token(&provider.code, &[Role::Provider], None)?,
            });
        }
        let mut book = ReceiptBook::default();
        let known =
            targets::report_known_records(cluster, &generator, &providers, &mut book).await?;
        let owner = known.first().context("records")?;
        let belongings =
            targets::prepare_targets(cluster, &providers, owner, seed, &mut book).await?;
        let role = |role| cluster.token("", &[role], None);
        let enemy = Self {
            seed,
            bad_tokens: Arc::new(bad_tokens(cluster, &providers)?),
            other_roles: Arc::new(vec![
                role(Role::Public)?,
                role(Role::Operator)?,
                role(Role::Auditor)?,
                role(Role::Subject)?,
            ]),
            unregistered_token: cluster.token("91430100MA4X0A01XK", &[Role::Provider], None)?,
            office_token: role(Role::CreditOffice)?,
            public_token: role(Role::Public)?,
            known: Arc::new(known),
            targets: Arc::new(belongings),
            ingest: cluster.ports.address(Service::Ingest),
            validation: cluster.ports.address(Service::Validation),
            generator,
            providers,
        };
        Ok((enemy, book))
    }

    /// The request with this number.
    pub fn request(&self, number: u64) -> HostileRequest {
        let mixed = self.seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut making = RequestMaker {
            client: self,
            rng: StdRng::seed_from_u64(mixed),
            number,
        };
        match making.rng.random_range(0..100) {
            0..25 => making.frame(),
            25..37 => making.caller(),
            37..60 => making.form(),
            60..78 => making.content(),
            78..82 => making.end(),
            82..86 => making.nil(),
            86..91 => making.reload(),
            91..96 => making.reading(),
            _ => making.feedback(),
        }
    }

    /// Address of a service that is attacked.
    pub fn address(&self, service: Service) -> &str {
        match service {
            Service::Validation => &self.validation,
            _ => &self.ingest,
        }
    }

    /// Sends the requests with these numbers, one after the other, and judges each answer.
    pub async fn send_requests(&self, numbers: impl Iterator<Item = u64>) -> Result<HostileReport> {
        let mut verdicts = HostileReport::default();
        let mut open: BTreeMap<&str, RawConnection> = BTreeMap::new();
        for number in numbers {
            let attack = self.request(number);
            let address = self.address(attack.service);
            let mut connection = match open.remove(address) {
                Some(connection) => connection,
                None => RawConnection::open(address).await?,
            };
            let answer = connection.perform(address, &attack.call).await;
            let answer = answer
                .with_context(|| format!("no answer to request {number}: {}", attack.kind))?;
            open.insert(address, connection);
            verdicts
                .check_answer(&attack, &answer)
                .with_context(|| format!("request {number}: {}: {answer:?}", attack.kind))?;
        }
        Ok(verdicts)
    }
}

/// Tokens that open nothing.
fn bad_tokens(cluster: &Cluster, providers: &[ProviderAccount]) -> Result<Vec<(String, Reason)>> {
    let (own, other) = (&providers[0].token, &providers[1].token);
    let parts = |token: &str| -> Result<[String; 3]> {
        let parts: Vec<String> = token.split('.').map(str::to_owned).collect();
        parts.try_into().ok().context("a token has three parts")
    };
    let ([header, payload, signature], [_, other_payload, other_signature]) =
        (parts(own)?, parts(other)?);
    let defaults = platform::config::PlatformConfig::load(&Default::default())?.identity;
    let in_an_hour = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    let signed_by = |issuer: &DevelopmentIssuer| {
        issuer.token(
            "enemy",
            &providers[0].code,
            &[Role::Provider],
            None,
            in_an_hour,
        )
    };
    // {"alg":"none","typ":"JWT"}
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
    Ok(vec![
        (
            cluster.expired_token(&[Role::Provider])?,
            Reason::TokenExpired,
        ),
        (format!("{none}.{payload}."), Reason::TokenInvalid),
        (format!("{header}.{payload}."), Reason::TokenInvalid),
        // Another provider's claims under one's own signature, and the other way round.
        (
            format!("{header}.{other_payload}.{signature}"),
            Reason::TokenInvalid,
        ),
        (
            format!("{header}.{payload}.{other_signature}"),
            Reason::TokenInvalid,
        ),
        (
            signed_by(&DevelopmentIssuer::generate(
                &defaults.issuer,
                &defaults.audience,
            ))?,
            Reason::TokenInvalid,
        ),
        (format!("{header}.{payload}"), Reason::TokenInvalid),
        ("x".to_owned(), Reason::TokenInvalid),
        ("..".to_owned(), Reason::TokenInvalid),
        ("ey".repeat(3_000), Reason::TokenInvalid),
    ])
}

impl HostileReport {
    /// Takes another's counts in.
    pub fn extend(&mut self, other: Self) {
        for (kind, count) in other.by_kind {
            *self.by_kind.entry(kind).or_default() += count;
        }
        for (answer, count) in other.by_answer {
            *self.by_answer.entry(answer).or_default() += count;
        }
        self.book.extend(other.book);
        self.to_be_returned.extend(other.to_be_returned);
        self.expected_rows.extend(other.expected_rows);
    }

    /// Requests judged.
    pub fn requests(&self) -> u64 {
        self.by_kind.values().sum()
    }

    fn check_answer(&mut self, attack: &HostileRequest, answer: &RawAnswer) -> Result<()> {
        *self.by_kind.entry(attack.kind).or_default() += 1;
        self.expected_rows.extend(attack.expected_row.clone());
        let said = match &attack.expected {
            ExpectedAnswer::Http(statuses) => {
                ensure!(statuses.contains(&answer.http), "HTTP {}", answer.http);
                format!("HTTP {}", answer.http)
            }
            ExpectedAnswer::Status(codes) => {
                let refusal = RefusedAnswer::from_answer(attack, answer)?;
                ensure!(codes.contains(&refusal.code), "{refusal:?}");
                ensure!(!refusal.message.is_empty(), "says not why: {refusal:?}");
                if !refusal.reason.is_empty() {
                    refusal.known_reason()?;
                }
                format!("{:?} {}", refusal.code, refusal.reason)
            }
            ExpectedAnswer::Refused(reasons, field) => {
                let refusal = RefusedAnswer::from_answer(attack, answer)?;
                let reason = refusal.known_reason()?;
                ensure!(
                    reasons.contains(&reason)
                        && field.is_none_or(|field| refusal.field == field)
                        && !refusal.rule.is_empty()
                        && !refusal.message.is_empty(),
                    "{refusal:?}, wanted {reasons:?} {field:?}"
                );
                format!("{:?} {reason}", refusal.code)
            }
            ExpectedAnswer::EmptyPage => {
                check_empty_page(attack, answer)?;
                "nothing".to_owned()
            }
            ExpectedAnswer::DryRunReturned(records) => {
                check_dry_run_returned(answer, *records)?;
                "tried out, would be returned".to_owned()
            }
            ExpectedAnswer::ReturnedLater(submission, provider) => {
                let receipt = receipt_in(attack, answer)?;
                self.to_be_returned
                    .push((receipt.record_id.clone(), attack.kind));
                self.book.insert(provider, submission, receipt)?;
                "receipt, returned later".to_owned()
            }
        };
        *self.by_answer.entry(said).or_default() += 1;
        Ok(())
    }
}

/// A refusal, of a call or of one submission in a stream.
#[derive(Debug)]
struct RefusedAnswer {
    code: Code,
    reason: String,
    field: String,
    rule: String,
    message: String,
}

impl From<Refusal> for RefusedAnswer {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: Code::from_i32(refusal.status_code),
            reason: refusal.reason,
            field: refusal.field,
            rule: refusal.rule,
            message: refusal.message,
        }
    }
}

impl RefusedAnswer {
    /// The reason: one of the table, with its own gRPC code. No other leaves a service.
    fn known_reason(&self) -> Result<Reason> {
        let reason: Reason = self.reason.parse().context("no reason of the table")?;
        let code = reason.code();
        ensure!(self.code == code, "{self:?}: {reason} goes with {code:?}");
        Ok(reason)
    }

    fn from_answer(attack: &HostileRequest, answer: &RawAnswer) -> Result<Self> {
        let status = answer
            .status
            .as_ref()
            .context("an answer without a status")?;
        if status.code() != Code::Ok {
            let details = status.get_error_details();
            let info = details.error_info();
            let of = |name| info.and_then(|info| info.metadata.get(name).cloned());
            return Ok(Self {
                code: status.code(),
                reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
                field: of("field").unwrap_or_default(),
                rule: of("rule").unwrap_or_default(),
                message: status.message().to_owned(),
            });
        }
        let message = answer.messages.first().cloned();
        let message = message.context("neither refused nor answered")?;
        match attack.call.path.as_str() {
            STREAM => match StreamRecordsResponse::decode(message)?.answer {
                Some(stream_records_response::Answer::Refusal(refusal)) => Ok(refusal.into()),
                other => bail!("was not refused: {other:?}"),
            },
            RELOAD => match ReloadItemResponse::decode(message)?.answer {
                Some(reload_item_response::Answer::Refusal(refusal)) => Ok(refusal.into()),
                other => bail!("was not refused: {other:?}"),
            },
            _ => bail!("was not refused"),
        }
    }
}

/// The one message of an answer in order.
fn only_message(answer: &RawAnswer) -> Result<bytes::Bytes> {
    let status = answer.status.as_ref().context("no status")?;
    ensure!(status.code() == Code::Ok, "was refused");
    answer.messages.first().cloned().context("no message")
}

fn check_empty_page(attack: &HostileRequest, answer: &RawAnswer) -> Result<()> {
    let message = only_message(answer)?;
    let rows = match attack.call.path.as_str() {
        LEDGER => ListLedgerResponse::decode(message)?.receipts.len(),
        _ => ListNilReportsResponse::decode(message)?.reports.len(),
    };
    ensure!(rows == 0, "{rows} rows on a page that must be empty");
    Ok(())
}

fn check_dry_run_returned(answer: &RawAnswer, records: usize) -> Result<()> {
    let verdicts = DryRunResponse::decode(only_message(answer)?)?.verdicts;
    ensure!(verdicts.len() == records, "{} verdicts", verdicts.len());
    for verdict in verdicts {
        let errors = verdict.findings.iter();
        let mut errors = errors.filter(|finding| finding.severity() == Severity::Error);
        ensure!(
            verdict.outcome() == VerdictOutcome::Returned && errors.next().is_some(),
            "{verdict:?}"
        );
    }
    Ok(())
}

fn receipt_in(attack: &HostileRequest, answer: &RawAnswer) -> Result<Receipt> {
    let message = answer.messages.first().context("no receipt")?.clone();
    if attack.call.path != STREAM {
        let answer = SubmitRecordResponse::decode(message)?;
        return answer.receipt.context("no receipt");
    }
    match StreamRecordsResponse::decode(message)?.answer {
        Some(stream_records_response::Answer::Receipt(receipt)) => Ok(receipt),
        other => bail!("no receipt: {other:?}"),
    }
}

impl RequestMaker<'_> {
    fn party(&mut self) -> &ProviderAccount {
        let at = self.rng.random_range(0..self.client.providers.len());
        &self.client.providers[at]
    }

    fn token(&self, provider: usize) -> String {
        self.client.providers[provider].token.clone()
    }

    fn other_provider(&mut self, provider: usize) -> usize {
        let all = self.client.providers.len();
        (provider + self.rng.random_range(1..all)) % all
    }

    /// The token of another provider.
    fn other_provider_token(&mut self, provider: usize) -> String {
        let other = self.other_provider(provider);
        self.token(other)
    }

    /// One of several.
    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.rng.random_range(0..all.len())]
    }

    fn chance_of(&mut self, one_in: u32) -> bool {
        self.rng.random_ratio(1, one_in)
    }

    /// A valid submission with its provider, to be spoiled by the caller. Its id and key are unique to this request.
    fn good_submission(&mut self) -> (Submission, ProviderAccount) {
        let enemy = self.client;
        let mut indices = (FIRST_HOSTILE_RECORD + 1_000 + 64 * self.number)..;
        let record = loop {
            // The range has no end that is ever reached, and most records have no planted error.
            let record = enemy
                .generator
                .record(indices.next().unwrap_or(FIRST_HOSTILE_RECORD));
            if record.planted.is_none() {
                break record;
            }
        };
        let mut submission = submission_of_record(&record);
        submission.submission_id = format!("enemy-{}-{}", enemy.seed, self.number);
        submission.record_key = format!("E{}-{}", enemy.seed, self.number);
        let own = enemy
            .providers
            .iter()
            .find(|party| party.code == record.provider_code);
        let party = own.unwrap_or(&enemy.providers[0]).clone();
        (submission, party)
    }

    /// Random bytes, at least one.
    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.rng.random_range(1..=most);
        let mut bytes = vec![0; length];
        self.rng.fill(bytes.as_mut_slice());
        bytes
    }

    /// A submission as a single call or as a stream of one.
    fn submission_request(
        &mut self,
        kind: &'static str,
        submission: Submission,
        token: &str,
        expected: ExpectedAnswer,
    ) -> HostileRequest {
        let (path, message) = if self.chance_of(3) {
            let request = StreamRecordsRequest {
                submission: Some(submission),
                ..StreamRecordsRequest::default()
            };
            (STREAM, request.encode_to_vec())
        } else {
            let request = SubmitRecordRequest {
                submission: Some(submission),
            };
            (SUBMIT, request.encode_to_vec())
        };
        raw_request(kind, path, token, frame_message(&message), expected)
    }
}

/// A refusal with reason and field.
fn refused_with(reason: Reason, field: &'static str) -> ExpectedAnswer {
    ExpectedAnswer::Refused(vec![reason], Some(field))
}

/// A refusal by one of these reasons, of whatever field.
fn refused_for(reasons: &[Reason]) -> ExpectedAnswer {
    ExpectedAnswer::Refused(reasons.to_vec(), None)
}

/// A call with a token and one message.
fn message_request(
    kind: &'static str,
    path: &str,
    token: &str,
    message: &impl Message,
    expected: ExpectedAnswer,
) -> HostileRequest {
    raw_request(
        kind,
        path,
        token,
        frame_message(&message.encode_to_vec()),
        expected,
    )
}

/// A call with a token and a body of frames, to the service whose path it is.
fn raw_request(
    kind: &'static str,
    path: &str,
    token: &str,
    body: bytes::Bytes,
    expected: ExpectedAnswer,
) -> HostileRequest {
    let mut headers = vec![
        ("content-type", "application/grpc".to_owned()),
        ("te", "trailers".to_owned()),
    ];
    if !token.is_empty() {
        headers.push(("authorization", format!("Bearer {token}")));
    }
    let service = match path.starts_with("/credit.validation.") {
        true => Service::Validation,
        false => Service::Ingest,
    };
    HostileRequest {
        kind,
        service,
        call: RawCall {
            path: path.to_owned(),
            headers,
            body,
        },
        expected,
        expected_row: None,
    }
}
