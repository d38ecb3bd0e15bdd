//! What the use cases give as messages of `credit.ingest.v1`. Called by `grpc`.

use legal_clock::format_day;
use proto::credit::ingest::v1::{
    GetReportingScopeResponse, GetStatisticsResponse, GetSubmissionStatusResponse,
    ListLedgerResponse, ListNilReportsResponse, MissingRecord as MissingRecordMessage, NilReport,
    Outcome, ProviderCount, Receipt, Refusal as StreamRefusal, ReloadSummary, ReportableItem,
    Standing as StandingMessage,
};
use record_ref::LedgerNumber;
use service_kit::{error::Refusal, grpc::to_timestamp};

use crate::{
    app::reads::{LedgerPage, ReportingScope, SubmissionStatus},
    domain::{AnsweredVersion, StoredVersion, VersionStatus},
    reload::{MissingRecord, ReloadTotals},
    store::{nil_report::NilRow, reads::ProviderTotal},
};

pub(super) fn encode_receipt(submission_id: String, answered: &AnsweredVersion) -> Receipt {
    let outcome = match answered.unchanged {
        true => Outcome::Unchanged,
        false => Outcome::Accepted,
    };
    Receipt {
        outcome: outcome.into(),
        ..receipt_of_version(submission_id, &answered.stored)
    }
}

/// The receipt of the submission that made a version.
pub(super) fn receipt_of_version(submission_id: String, stored: &StoredVersion) -> Receipt {
    let version = &stored.version;
    Receipt {
        submission_id,
        record_id: version.id.to_string(),
        record_address: version.address.to_string(),
        provider_code: version.provider.to_string(),
        ledger_number: stored.ledger_number.get(),
        content_sha256: stored.content.sha256.to_vec().into(),
        received_at: Some(to_timestamp(stored.received_at)),
        revision: version.revision.get(),
        outcome: Outcome::Accepted.into(),
    }
}

/// A refusal as a message of a stream.
pub(super) fn stream_refusal(submission_id: String, refusal: Refusal) -> StreamRefusal {
    StreamRefusal {
        submission_id,
        status_code: refusal.reason.code().into(),
        reason: refusal.reason.to_string(),
        field: refusal.field,
        rule: refusal.rule.to_owned(),
        message: refusal.message,
    }
}

pub(super) fn submission_status(
    submission_id: String,
    status: &SubmissionStatus,
) -> GetSubmissionStatusResponse {
    let standing = match status.status {
        VersionStatus::Current => StandingMessage::Current,
        VersionStatus::Superseded => StandingMessage::Superseded,
        VersionStatus::Revoked => StandingMessage::Revoked,
    };
    GetSubmissionStatusResponse {
        receipt: Some(encode_receipt(submission_id, &status.answered)),
        standing: standing.into(),
        current_revision: status.current.version.revision.get(),
        current_operation: status.current.content.operation.into(),
    }
}

pub(super) fn encode_ledger(page: LedgerPage) -> ListLedgerResponse {
    let entries = page.entries.into_iter();
    ListLedgerResponse {
        receipts: entries
            .map(|(submission_id, stored)| receipt_of_version(submission_id, &stored))
            .collect(),
        last_number: page.last_number.map_or(0, LedgerNumber::get),
    }
}

pub(super) fn reporting_scope(scope: ReportingScope) -> GetReportingScopeResponse {
    let versions = scope.versions.into_iter();
    GetReportingScopeResponse {
        provider_code: scope.provider.to_string(),
        provider_name: scope.name,
        items: versions
            .map(|version| ReportableItem {
                item_code: version.item.code.to_string(),
                item_version: version.item.version(),
                name: version.name,
            })
            .collect(),
    }
}

pub(super) fn encode_statistics(totals: &[ProviderTotal]) -> GetStatisticsResponse {
    let of_each = totals.iter().map(|total| ProviderCount {
        provider_code: total.provider.to_string(),
        accepted_for_processing: total.accepted,
    });
    GetStatisticsResponse {
        accepted_for_processing: totals.iter().map(|total| total.accepted).sum(),
        by_provider: of_each.collect(),
    }
}

pub(super) fn nil_report(submission_id: String, row: &NilRow) -> NilReport {
    NilReport {
        submission_id,
        report_id: row.report_id.to_string(),
        provider_code: row.provider.to_string(),
        item_code: row.item.to_string(),
        period_from: format_day(row.period.from),
        period_to: format_day(row.period.to),
        received_at: Some(to_timestamp(row.received_at)),
    }
}

pub(super) fn nil_reports(
    (reports, next_page_token): (Vec<(String, NilRow)>, String),
) -> ListNilReportsResponse {
    let reports = reports.into_iter();
    ListNilReportsResponse {
        reports: reports.map(|(id, row)| nil_report(id, &row)).collect(),
        next_page_token,
    }
}

pub(super) fn missing_record(missing: &MissingRecord) -> MissingRecordMessage {
    let stored = &missing.stored;
    MissingRecordMessage {
        record_key: missing.record_key.clone(),
        record_id: stored.version.id.to_string(),
        ledger_number: stored.ledger_number.get(),
        received_at: Some(to_timestamp(stored.received_at)),
    }
}

pub(super) fn reload_summary(totals: ReloadTotals) -> ReloadSummary {
    let end = totals.end;
    ReloadSummary {
        reload_id: totals.reload_id,
        records: end.unchanged + end.accepted,
        unchanged: end.unchanged,
        accepted: end.accepted,
        refused: end.refused,
        missing: totals.missing,
    }
}
