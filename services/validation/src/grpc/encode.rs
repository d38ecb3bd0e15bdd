//! Answers as messages. Called by `grpc`.

use legal_clock::format_day;
use proto::credit::validation::v1::{
    CaseChange, CaseKind, CaseState, Change as ChangeMessage, ConfirmRecordResponse,
    DryRunResponse, DryRunVerdict, FeedbackCase, Finding, GetStatisticsResponse,
    GetVerdictResponse, ListFeedbackResponse, Severity, VerdictOutcome, WatchFeedbackResponse,
};
use service_kit::grpc::to_timestamp;

use crate::{
    app::{
        confirm::ConfirmedRecord,
        dry_run::DryRunResult,
        feedback::{FeedbackPage, OpenedCase, OpenedVerdict},
        watch::FeedChange,
    },
    domain::sealed::{StoredChange, StoredFinding, StoredSeverity},
    store::{
        cases::{CaseTransition, ClosedAs},
        reads::VerdictStatistics,
    },
};

pub(super) fn feedback_list(page: FeedbackPage) -> ListFeedbackResponse {
    ListFeedbackResponse {
        cases: page.cases.into_iter().map(feedback_case).collect(),
        next_page_token: page.next_page_token,
        total: page.total,
    }
}

pub(super) fn feedback_change(feed_change: FeedChange) -> WatchFeedbackResponse {
    let change = match feed_change.change {
        CaseTransition::Opened => CaseChange::Opened,
        CaseTransition::Reminded => CaseChange::Reminded,
        CaseTransition::Overdue => CaseChange::Overdue,
        CaseTransition::Closed(_) => CaseChange::Closed,
    };
    WatchFeedbackResponse {
        case: Some(feedback_case(feed_change.case)),
        change: change.into(),
        changed_at: Some(to_timestamp(feed_change.changed_at)),
        cursor: feed_change.cursor,
    }
}

pub(super) fn opened_verdict(verdict: OpenedVerdict) -> GetVerdictResponse {
    let row = &verdict.row;
    GetVerdictResponse {
        version: Some((&row.version).into()),
        outcome: outcome(row.accepted).into(),
        decided_at: Some(to_timestamp(row.decided_at)),
        findings: findings(verdict.findings),
        changes: changes(verdict.changes),
    }
}

pub(super) fn confirmed_record(confirmed: ConfirmedRecord) -> ConfirmRecordResponse {
    ConfirmRecordResponse {
        case: Some(feedback_case(confirmed.case)),
        findings: findings(confirmed.findings),
    }
}

pub(super) fn dry_run_results(verdicts: Vec<DryRunResult>) -> DryRunResponse {
    let verdicts = verdicts.into_iter().map(|verdict| DryRunVerdict {
        outcome: outcome(verdict.accepted).into(),
        findings: findings(verdict.findings),
        changes: changes(verdict.changes),
    });
    DryRunResponse {
        verdicts: verdicts.collect(),
    }
}

pub(super) fn verdict_statistics(counted: VerdictStatistics) -> GetStatisticsResponse {
    GetStatisticsResponse {
        accepted: counted.accepted,
        returned: counted.returned,
        returned_by_code: counted.returned_by_code.into_iter().collect(),
        revocations: counted.revocations,
        confirmed: counted.confirmed,
    }
}

fn feedback_case(case: OpenedCase) -> FeedbackCase {
    let row = case.row;
    let state = match row.closed {
        None => CaseState::Open,
        Some((_, ClosedAs::Rereport)) => CaseState::ClosedByRereport,
        Some((_, ClosedAs::Confirmation)) => CaseState::ClosedByConfirmation,
        Some((_, ClosedAs::Withdrawal)) => CaseState::ClosedByWithdrawal,
    };
    let kind = if row.contradicted {
        CaseKind::Contradicted
    } else {
        CaseKind::Returned
    };
    FeedbackCase {
        case_id: row.case_id.to_string(),
        version: Some((&row.version).into()),
        ledger_number: row.ledger_number.get(),
        record_key: case.record_key,
        state: state.into(),
        opened_at: Some(to_timestamp(row.opened_at)),
        due_on: row.due_on.map(format_day).unwrap_or_default(),
        due_provisional: row.due_provisional,
        findings: findings(case.findings),
        kind: kind.into(),
        overdue: case.overdue,
        reminders: row.reminders.unsigned_abs(),
        closed_at: row.closed.map(|(at, _)| to_timestamp(at)),
    }
}

fn outcome(accepted: bool) -> VerdictOutcome {
    if accepted {
        VerdictOutcome::Accepted
    } else {
        VerdictOutcome::Returned
    }
}

fn findings(findings: Vec<StoredFinding>) -> Vec<Finding> {
    findings.into_iter().map(finding).collect()
}

fn finding(finding: StoredFinding) -> Finding {
    let severity = match finding.severity() {
        StoredSeverity::Unspecified => Severity::Unspecified,
        StoredSeverity::Error => Severity::Error,
        StoredSeverity::Warning => Severity::Warning,
    };
    Finding {
        code: finding.code,
        severity: severity.into(),
        field: finding.field,
        rule: finding.rule,
        rule_version: finding.rule_version,
        message: finding.message,
        suggestion: finding.suggestion,
        confirmable: finding.confirmable,
    }
}

fn changes(changes: Vec<StoredChange>) -> Vec<ChangeMessage> {
    changes.into_iter().map(change).collect()
}

fn change(change: StoredChange) -> ChangeMessage {
    ChangeMessage {
        field: change.field,
        rule: change.rule,
        rule_version: change.rule_version,
        before: change.before,
        after: change.after,
    }
}
