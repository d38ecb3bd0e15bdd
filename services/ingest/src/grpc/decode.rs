//! Requests of `credit.ingest.v1` as what the use cases take. Called by `grpc`. Submissions are checked by `intake`.

use proto::credit::ingest::v1::{
    ListLedgerRequest, ListNilReportsRequest, ReloadBegin, ReloadRecord, ReportNilRequest,
    Submission,
};
use record_ref::{ItemCode, Operation, ProviderCode};
use service_kit::{
    error::Refusal,
    identity::Principal,
    page::{Page, PageSizes},
    reason::Reason,
    request::{decode_day, decode_optional_day},
};
use time::Date;

use crate::{
    app::{nil_report::IncomingNilReport, reload::ReloadHeader},
    domain::{
        IncomingSubmission, IngestRuleViolation,
        nil_report::{self, NilReportPosition, Period},
        reload::Reload,
    },
    error::IngestError,
    intake::{self, WellFormedSubmission},
};

/// How many numbers the ledger gives at once.
const LEDGER_SIZES: PageSizes = PageSizes {
    default: 100,
    most: 1000,
};

/// The provider that calls. A token whose organisation has no such code names none; it is answered like that of an
/// organisation that the registry does not know.
pub(super) fn provider_of(principal: &Principal) -> Option<ProviderCode> {
    principal.organisation.parse().ok()
}

pub(super) fn nil_report(
    provider: Option<ProviderCode>,
    request: ReportNilRequest,
) -> Result<IncomingNilReport, IngestError> {
    if !intake::is_submission_id(&request.submission_id) {
        return Err(IngestRuleViolation::SubmissionIdMalformed.into());
    }
    let item = intake::item_code(&request.item_code)?;
    let from = storable_day(
        "period_from",
        decode_day("period_from", &request.period_from)?,
    )?;
    let to = storable_day("period_to", decode_day("period_to", &request.period_to)?)?;
    let period = Period::new(from, to)?;
    Ok(IncomingNilReport {
        provider: provider.ok_or(IngestRuleViolation::ProviderNotRegistered)?,
        submission_id: request.submission_id,
        item,
        period,
    })
}

pub(super) fn nil_report_list(
    request: &ListNilReportsRequest,
) -> Result<(Option<ItemCode>, Page<NilReportPosition>), IngestError> {
    let page = Page::from_request(
        nil_report::PAGE_SIZES,
        request.page_size,
        &request.page_token,
    )?;
    let item = match request.item_code.as_str() {
        "" => None,
        code => Some(intake::item_code(code)?),
    };
    Ok((item, page))
}

/// After which number, and how many: a ledger is continued by its numbers, which are the caller's own.
pub(super) fn ledger_page(request: &ListLedgerRequest) -> Result<(i64, u32), Refusal> {
    let limit = LEDGER_SIZES.check("limit", request.limit)?;
    let after = i64::try_from(request.after_number).unwrap_or(i64::MAX);
    Ok((after, limit))
}

pub(super) fn reload_header(
    provider: Option<ProviderCode>,
    begin: ReloadBegin,
) -> Result<ReloadHeader, IngestError> {
    if !intake::is_reload_id(&begin.reload_id) {
        return Err(IngestError::ReloadId);
    }
    let item = intake::item_code(&begin.item_code)?;
    Ok(ReloadHeader {
        provider: provider.ok_or(IngestRuleViolation::ProviderNotRegistered)?,
        reload_id: begin.reload_id,
        item,
        item_version: begin.item_version,
    })
}

/// A submission as it came.
pub(super) fn submission(message: Submission) -> IncomingSubmission {
    IncomingSubmission {
        operation: Operation::from_wire(message.operation).ok(),
        submission_id: message.submission_id,
        item_code: message.item_code,
        item_version: message.item_version,
        record_key: message.record_key,
        content_type: message.content_type,
        content: message.content,
        content_sha256: message.content_sha256,
        traceparent: message.traceparent,
    }
}

/// A record of a reload as a submission, and its id.
pub(super) fn reload_record(
    reload_id: &str,
    reload: &Reload,
    record: ReloadRecord,
) -> (String, Result<WellFormedSubmission, IngestRuleViolation>) {
    let id = format!("{reload_id}/{}", record.record_key);
    let submission = IncomingSubmission {
        operation: Some(Operation::Upsert),
        submission_id: id.clone(),
        item_code: reload.item.to_string(),
        item_version: reload.item_version,
        record_key: record.record_key,
        content_type: record.content_type,
        content: record.content,
        content_sha256: record.content_sha256,
        traceparent: String::new(),
    };
    (id, intake::check_submission(submission))
}

/// A day, or `None` where none is named.
pub(super) fn optional_day(field: &'static str, text: &str) -> Result<Option<Date>, Refusal> {
    let day = decode_optional_day(field, text)?;
    day.map(|day| storable_day(field, day)).transpose()
}

/// A day whose first and last instants a table can hold and computations do not leave.
fn storable_day(field: &'static str, day: Date) -> Result<Date, Refusal> {
    let storable = (1900..=9998).contains(&day.year());
    storable.then_some(day).ok_or_else(|| {
        let reason = Reason::DateInvalid;
        let message = "日期须在1900年至9998年之间";
        Refusal::new(reason, field, "a day of the years 1900 to 9998", message)
    })
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn r11_days_of_a_period_are_written_in_one_way() {
        let good = optional_day("period_from", "2026-11-01").unwrap();
        assert_eq!(good, Some(date!(2026 - 11 - 01)));
        assert_eq!(optional_day("period_to", "").unwrap(), None);
        for bad in [
            "2026-11-31",
            "2026-1-1",
            "20261101",
            "+2026-11-01",
            "昨天",
            "0000-01-01",
            "9999-12-31",
        ] {
            let refused = optional_day("period_to", bad).unwrap_err();
            assert_eq!(refused.reason, Reason::DateInvalid, "{bad}");
            assert_eq!(refused.field, "period_to", "{bad}");
        }
    }

    #[test]
    fn r11_the_ledger_gives_100_numbers_unless_asked_for_and_1000_at_most() {
        let read = |after_number, limit| {
            ledger_page(&ListLedgerRequest {
                after_number,
                limit,
            })
        };
        assert_eq!(read(7, 0).unwrap(), (7, 100));
        assert_eq!(read(u64::MAX, 1000).unwrap(), (i64::MAX, 1000));
        for limit in [1001, u32::MAX] {
            let refused = read(0, limit).unwrap_err();
            assert_eq!(refused.reason, Reason::PageSizeInvalid);
            assert_eq!(refused.field, "limit");
        }
    }
}
