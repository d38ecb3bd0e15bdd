//! A platform within the test: it keeps to the contract of `proto/` (receipts once for ever, answers in order, resume
//! tokens, verdicts a moment later), judges with the real check, and breaks on request. Used by the tests of all
//! commands that call the platform.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use credit_record::{
    CheckContext, CompiledItem, ContentForm, NoCalendar, Severity, Verdict, WorkingDays,
    check_record_as,
};
use proto::credit::common::v1::{Operation, RecordVersion};
use proto::credit::ingest::v1::ingest_service_server::{IngestService, IngestServiceServer};
use proto::credit::ingest::v1::{self as ingest, stream_records_response::Answer};
use proto::credit::validation::v1::validation_service_server::{
    ValidationService, ValidationServiceServer,
};
use proto::credit::validation::v1::{self as validation};
use sha2::{Digest, Sha256};
use testkit::Reason;
use time::{Date, Month};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Code, Request, Response, Status, Streaming, codegen::BoxStream};
use uuid::Uuid;

/// The token that is admitted.
pub const TOKEN: &str = "good-token";

/// How the platform behaves.
#[derive(Debug, Clone, Default)]
pub struct FakePlatformBehaviour {
    /// Ends the stream with UNAVAILABLE after so many answers of it, once for each entry.
    pub breaks: VecDeque<u64>,
    /// Refuses these rows (by submission id) with UNAVAILABLE, once each.
    pub retried_once: Vec<String>,
    /// Refuses these rows for good.
    pub refused: Vec<String>,
    /// Answers no more than so many submissions until this is raised.
    pub gate: Option<u64>,
    /// How often verdicts are asked for before they are there.
    pub slow: u32,
    /// Never gives a verdict.
    pub silent: bool,
    /// Forgets all resume tokens.
    pub forgetful: bool,
}

/// What the platform has and saw.
#[derive(Debug, Default)]
pub struct FakePlatformState {
    pub behaviour: FakePlatformBehaviour,
    /// Committed, in the order of the ledger.
    pub ledger: Vec<(ingest::Submission, ingest::Receipt)>,
    /// Every submission that arrived, repetitions included.
    pub arrived: Vec<String>,
    /// Resume tokens that streams began with, as positions.
    pub resumed: Vec<u64>,
    pub streams: u64,
    pub nil: HashMap<String, ingest::NilReport>,
    pub cases: Vec<validation::FeedbackCase>,
    pub changes: Vec<validation::WatchFeedbackResponse>,
    by_id: HashMap<String, usize>,
    heads: HashMap<(String, String), usize>,
    asked: HashMap<String, u32>,
    refused_once: Vec<String>,
}

#[derive(Clone)]
pub struct FakePlatform {
    inner: Arc<Mutex<FakePlatformState>>,
    provider: String,
    items: Arc<Vec<CompiledItem>>,
    changed: Arc<watch::Sender<u64>>,
    pub address: String,
}

pub fn today() -> Date {
    Date::from_calendar_date(2026, Month::July, 1).unwrap()
}

impl FakePlatform {
    /// Serves until the runtime ends.
    pub async fn start(provider: &str) -> Self {
        Self::serve(provider, None).await
    }

    /// Over TLS, with a certificate and its key.
    pub async fn start_tls(provider: &str, certificate: &str, key: &str) -> Self {
        Self::serve(provider, Some(Identity::from_pem(certificate, key))).await
    }

    async fn serve(provider: &str, identity: Option<Identity>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            inner: Arc::default(),
            provider: provider.to_owned(),
            items: Arc::new(credit_record::compiled_standard_items().unwrap()),
            changed: Arc::new(watch::Sender::new(0)),
            address: listener.local_addr().unwrap().to_string(),
        };
        let mut server = Server::builder();
        if let Some(identity) = identity {
            let tls = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(tls).unwrap();
        }
        let router = server
            .add_service(IngestServiceServer::new(fake.clone()))
            .add_service(ValidationServiceServer::new(fake.clone()));
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        tokio::spawn(async move { router.serve_with_incoming(incoming).await.unwrap() });
        fake
    }

    pub fn inner(&self) -> MutexGuard<'_, FakePlatformState> {
        self.inner.lock().unwrap()
    }

    /// Changes the behaviour and notifies those who wait for a change.
    pub fn change_behaviour(&self, change: impl FnOnce(&mut FakePlatformBehaviour)) {
        change(&mut self.inner().behaviour);
        self.changed.send_modify(|n| *n += 1);
    }

    pub fn append_change(&self, change: validation::WatchFeedbackResponse) {
        self.inner().changes.push(change);
        self.changed.send_modify(|n| *n += 1);
    }

    fn admit<T>(&self, request: &Request<T>) -> Result<(), Status> {
        let given = request.metadata().get("authorization");
        if given.is_some_and(|v| v == format!("Bearer {TOKEN}").as_str()) {
            return Ok(());
        }
        Err(refused(Reason::TokenInvalid))
    }

    fn answer_submission(&self, submission: ingest::Submission) -> Answer {
        let mut inner = self.inner();
        let id = submission.submission_id.clone();
        inner.arrived.push(id.clone());
        let refuse = |reason: Reason, field: &str| {
            Answer::Refusal(ingest::Refusal {
                submission_id: id.clone(),
                status_code: reason.code() as i32,
                reason: reason.to_string(),
                field: field.to_owned(),
                rule: "a rule".to_owned(),
                message: reason.meaning().to_owned(),
            })
        };
        if inner.behaviour.retried_once.contains(&id) && !inner.refused_once.contains(&id) {
            inner.refused_once.push(id.clone());
            return refuse(Reason::Stopping, "");
        }
        if inner.behaviour.refused.contains(&id) {
            return refuse(Reason::ContentTooLarge, "content");
        }
        if submission.content_sha256 != Sha256::digest(&submission.content).to_vec() {
            return refuse(Reason::DigestMismatch, "content_sha256");
        }
        if let Some(at) = inner.by_id.get(&id) {
            let (first, receipt) = &inner.ledger[*at];
            let mut same = first.clone();
            same.traceparent.clone_from(&submission.traceparent);
            if same != submission {
                return refuse(Reason::SubmissionIdReused, "submission_id");
            }
            return Answer::Receipt(receipt.clone());
        }
        let key = (submission.item_code.clone(), submission.record_key.clone());
        let head = inner.heads.get(&key).copied();
        if head.is_none() && operation(&submission) != Operation::Upsert {
            return refuse(Reason::RecordUnknown, "record_key");
        }
        let mut revision = 1;
        if let Some(at) = head {
            let (current, receipt) = &inner.ledger[at];
            let same = current.content == submission.content
                && operation(current) == operation(&submission);
            if same {
                return Answer::Receipt(ingest::Receipt {
                    outcome: ingest::Outcome::Unchanged.into(),
                    ..receipt.clone()
                });
            }
            revision = receipt.revision + 1;
        }
        let receipt = ingest::Receipt {
            submission_id: id.clone(),
            record_id: Uuid::now_v7().to_string(),
            provider_code: self.provider.clone(),
            ledger_number: inner.ledger.len() as u64 + 1,
            content_sha256: submission.content_sha256.clone(),
            received_at: Some(prost_types::Timestamp {
                seconds: 1_782_864_000,
                nanos: 0,
            }),
            revision,
            outcome: ingest::Outcome::Accepted.into(),
            ..ingest::Receipt::default()
        };
        let at = inner.ledger.len();
        inner.ledger.push((submission, receipt.clone()));
        inner.by_id.insert(id.clone(), at);
        inner.heads.insert(key, at);
        Answer::Receipt(receipt)
    }

    /// The check's result for a committed record.
    pub fn judge(&self, submission: &ingest::Submission) -> (bool, Vec<validation::Finding>) {
        let versions = self.items.iter().filter(|item| {
            item.item().code == submission.item_code
                && (submission.item_version == 0 || item.item().version == submission.item_version)
        });
        let item = versions.max_by_key(|item| item.item().version).unwrap();
        let working_days: Arc<dyn WorkingDays> = Arc::new(NoCalendar);
        let context = CheckContext {
            received_on: today(),
            provider_code: &self.provider,
            working_days: &working_days,
            attestations: &[],
        };
        let form = ContentForm::from_content_type(&submission.content_type).unwrap();
        let (accepted, findings) = match check_record_as(form, item, &submission.content, &context)
        {
            Verdict::Accepted(record) => (true, record.warnings),
            Verdict::Returned(findings) => (false, findings),
        };
        let findings = findings.into_iter().map(|finding| validation::Finding {
            code: finding.code.as_str().to_owned(),
            severity: match finding.severity {
                Severity::Error => validation::Severity::Error.into(),
                Severity::Warning => validation::Severity::Warning.into(),
            },
            field: finding.field.unwrap_or_default(),
            rule: finding.rule.into_owned(),
            rule_version: finding.rule_version,
            message: finding.message,
            suggestion: finding.suggestion.unwrap_or_default(),
            confirmable: finding.confirmable && finding.severity == Severity::Error,
        });
        (accepted, findings.collect())
    }

    /// Waits until the gate lets an answer pass.
    async fn wait_at_gate(&self) {
        let mut changed = self.changed.subscribe();
        loop {
            let inner = self.inner().behaviour.gate.map(|most| {
                let answered = self.inner.clone();
                (most, answered)
            });
            match inner {
                Some((most, answered)) if answered.lock().unwrap().arrived.len() as u64 >= most => {
                }
                _ => return,
            }
            changed.changed().await.unwrap();
        }
    }
}

/// A refusal without details, as of a platform that gives none.
fn refused(reason: Reason) -> Status {
    Status::new(reason.code(), format!("{reason}: {}", reason.meaning()))
}

fn operation(submission: &ingest::Submission) -> Operation {
    match submission.operation() {
        Operation::Unspecified => Operation::Upsert,
        other => other,
    }
}

#[tonic::async_trait]
impl IngestService for FakePlatform {
    async fn submit_record(
        &self,
        request: Request<ingest::SubmitRecordRequest>,
    ) -> Result<Response<ingest::SubmitRecordResponse>, Status> {
        self.admit(&request)?;
        let submission = request.into_inner().submission.unwrap();
        if submission.operation() != Operation::Unspecified
            && submission.content_type != "text/plain"
        {
            return Err(refused(Reason::ContentTypeInvalid));
        }
        match self.answer_submission(submission) {
            Answer::Receipt(receipt) => Ok(Response::new(ingest::SubmitRecordResponse {
                receipt: Some(receipt),
            })),
            Answer::Refusal(refusal) => {
                let code = Code::from_i32(refusal.status_code);
                let message = format!("{}: {}", refusal.reason, refusal.message);
                Err(Status::new(code, message))
            }
            Answer::Resumed(_) => unreachable!(),
        }
    }

    async fn stream_records(
        &self,
        request: Request<Streaming<ingest::StreamRecordsRequest>>,
    ) -> Result<Response<BoxStream<ingest::StreamRecordsResponse>>, Status> {
        self.admit(&request)?;
        self.inner().streams += 1;
        let mut requests = request.into_inner();
        let (to, answers) = mpsc::channel(16);
        let fake = self.clone();
        tokio::spawn(async move {
            let mut position = 0;
            let mut answered = 0;
            let mut first = true;
            let break_after = fake.inner().behaviour.breaks.pop_front();
            while let Ok(Some(request)) = requests.message().await {
                let answer = if std::mem::take(&mut first) && !request.resume_token.is_empty() {
                    assert!(request.submission.is_none(), "a token comes alone");
                    if fake.inner().behaviour.forgetful {
                        let unknown = refused(Reason::ResumeTokenInvalid);
                        let _ = to.send(Err(unknown)).await;
                        return;
                    }
                    let token: [u8; 8] = request.resume_token[..].try_into().unwrap();
                    position = u64::from_be_bytes(token);
                    fake.inner().resumed.push(position);
                    Answer::Resumed(ingest::Resumed { position })
                } else {
                    assert!(request.resume_token.is_empty());
                    if break_after == Some(answered) {
                        // Committed, and the answer is lost.
                        fake.answer_submission(request.submission.unwrap());
                        let _ = to.send(Err(refused(Reason::NotCommitted))).await;
                        return;
                    }
                    fake.wait_at_gate().await;
                    answered += 1;
                    position += 1;
                    fake.answer_submission(request.submission.unwrap())
                };
                let response = ingest::StreamRecordsResponse {
                    position,
                    resume_token: position.to_be_bytes().to_vec().into(),
                    answer: Some(answer),
                };
                if to.send(Ok(response)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn get_receipt(
        &self,
        request: Request<ingest::GetReceiptRequest>,
    ) -> Result<Response<ingest::GetReceiptResponse>, Status> {
        self.admit(&request)?;
        let inner = self.inner();
        let at = inner.by_id.get(&request.into_inner().submission_id);
        let at = at.ok_or_else(|| refused(Reason::SubmissionUnknown))?;
        Ok(Response::new(ingest::GetReceiptResponse {
            receipt: Some(inner.ledger[*at].1.clone()),
        }))
    }

    async fn get_submission_status(
        &self,
        request: Request<ingest::GetSubmissionStatusRequest>,
    ) -> Result<Response<ingest::GetSubmissionStatusResponse>, Status> {
        self.admit(&request)?;
        let inner = self.inner();
        let at = inner.by_id.get(&request.into_inner().submission_id);
        let at = *at.ok_or_else(|| refused(Reason::SubmissionUnknown))?;
        let (submission, receipt) = &inner.ledger[at];
        let key = (submission.item_code.clone(), submission.record_key.clone());
        let (head, current) = &inner.ledger[inner.heads[&key]];
        let standing = match operation(head) {
            Operation::Revoke | Operation::Withdraw => ingest::Standing::Revoked,
            _ if inner.heads[&key] == at => ingest::Standing::Current,
            _ => ingest::Standing::Superseded,
        };
        Ok(Response::new(ingest::GetSubmissionStatusResponse {
            receipt: Some(receipt.clone()),
            standing: standing.into(),
            current_revision: current.revision,
            current_operation: operation(head).into(),
        }))
    }

    async fn report_nil(
        &self,
        request: Request<ingest::ReportNilRequest>,
    ) -> Result<Response<ingest::ReportNilResponse>, Status> {
        self.admit(&request)?;
        let asked = request.into_inner();
        let provider_code = self.provider.clone();
        let mut inner = self.inner();
        let report = inner.nil.entry(asked.submission_id.clone());
        let report = report.or_insert_with(|| ingest::NilReport {
            submission_id: asked.submission_id,
            report_id: Uuid::now_v7().to_string(),
            provider_code,
            item_code: asked.item_code,
            period_from: asked.period_from,
            period_to: asked.period_to,
            received_at: None,
        });
        Ok(Response::new(ingest::ReportNilResponse {
            report: Some(report.clone()),
        }))
    }

    async fn get_reporting_scope(
        &self,
        request: Request<ingest::GetReportingScopeRequest>,
    ) -> Result<Response<ingest::GetReportingScopeResponse>, Status> {
        self.admit(&request)?;
        let mut items: Vec<ingest::ReportableItem> = Vec::new();
        for item in self.items.iter().map(CompiledItem::item) {
            items.retain(|known| known.item_code != item.code);
            items.push(ingest::ReportableItem {
                item_code: item.code.clone(),
                item_version: item.version,
                name: item.name.clone(),
            });
        }
        Ok(Response::new(ingest::GetReportingScopeResponse {
            provider_code: self.provider.clone(),
            provider_name: "某局".to_owned(),
            items,
        }))
    }
}

#[tonic::async_trait]
impl ValidationService for FakePlatform {
    async fn list_feedback(
        &self,
        request: Request<validation::ListFeedbackRequest>,
    ) -> Result<Response<validation::ListFeedbackResponse>, Status> {
        self.admit(&request)?;
        let asked = request.into_inner();
        let open = validation::CaseState::Open;
        let inner = self.inner();
        let cases = inner.cases.iter();
        let cases: Vec<_> = cases
            .filter(|case| !asked.open_only || case.state() == open)
            .cloned()
            .collect();
        // Pages of two, so that turning them is tried.
        let from = asked.page_token.parse().unwrap_or(0_usize);
        let to = (from + 2).min(cases.len());
        Ok(Response::new(validation::ListFeedbackResponse {
            cases: cases[from..to].to_vec(),
            next_page_token: if to < cases.len() {
                to.to_string()
            } else {
                String::new()
            },
            total: cases.len() as u64,
        }))
    }

    async fn get_verdict(
        &self,
        request: Request<validation::GetVerdictRequest>,
    ) -> Result<Response<validation::GetVerdictResponse>, Status> {
        self.admit(&request)?;
        let record_id = request.into_inner().record_id;
        let submission = {
            let mut inner = self.inner();
            let (silent, slow) = (inner.behaviour.silent, inner.behaviour.slow);
            let asked = inner.asked.entry(record_id.clone()).or_default();
            *asked += 1;
            if silent || *asked <= slow {
                return Err(refused(Reason::VerdictUnknown));
            }
            let found = inner.ledger.iter().find(|(_, r)| r.record_id == record_id);
            found.map(|(submission, _)| submission.clone())
        };
        let submission = submission.ok_or_else(|| refused(Reason::VerdictUnknown))?;
        let (accepted, findings) = match operation(&submission) {
            Operation::Upsert => self.judge(&submission),
            _ => (true, Vec::new()),
        };
        let outcome = if accepted {
            validation::VerdictOutcome::Accepted
        } else {
            validation::VerdictOutcome::Returned
        };
        Ok(Response::new(validation::GetVerdictResponse {
            version: Some(RecordVersion::default()),
            outcome: outcome.into(),
            decided_at: None,
            findings,
            changes: Vec::new(),
        }))
    }

    async fn watch_feedback(
        &self,
        request: Request<validation::WatchFeedbackRequest>,
    ) -> Result<Response<BoxStream<validation::WatchFeedbackResponse>>, Status> {
        self.admit(&request)?;
        let mut at = request.into_inner().cursor.parse().unwrap_or(0_usize);
        let (to, answers) = mpsc::channel(4);
        let fake = self.clone();
        let mut changed = self.changed.subscribe();
        tokio::spawn(async move {
            let mut sent = 0;
            let break_after = fake.inner().behaviour.breaks.pop_front();
            loop {
                let next = fake.inner().changes.get(at).cloned();
                let Some(mut next) = next else {
                    if changed.changed().await.is_err() {
                        return;
                    }
                    continue;
                };
                if break_after == Some(sent) {
                    let _ = to.send(Err(refused(Reason::Stopping))).await;
                    return;
                }
                at += 1;
                sent += 1;
                next.cursor = at.to_string();
                if to.send(Ok(next)).await.is_err() {
                    return;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(answers))))
    }

    async fn confirm_record(
        &self,
        request: Request<validation::ConfirmRecordRequest>,
    ) -> Result<Response<validation::ConfirmRecordResponse>, Status> {
        self.admit(&request)?;
        let asked = request.into_inner();
        let mut inner = self.inner();
        let case = inner.cases.iter_mut().find(|c| c.case_id == asked.case_id);
        let case = case.ok_or_else(|| refused(Reason::CaseUnknown))?;
        if !case.findings.iter().all(|finding| finding.confirmable) {
            return Err(refused(Reason::NotConfirmable));
        }
        assert_eq!(
            (&*asked.attester, &*asked.statement),
            ("李四", "查验证照原件")
        );
        case.set_state(validation::CaseState::ClosedByConfirmation);
        let mut findings = case.findings.clone();
        for finding in &mut findings {
            finding.set_severity(validation::Severity::Warning);
        }
        Ok(Response::new(validation::ConfirmRecordResponse {
            case: Some(case.clone()),
            findings,
        }))
    }
}
