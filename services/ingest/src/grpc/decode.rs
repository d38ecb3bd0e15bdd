//! Requests of `credit.ingest.v1` as what the use cases take. Called by `grpc`. Submissions are checked by `intake`.

use proto::credit::ingest::v1::{
    ListLedgerRequest, ListNilReportsRequest, ReloadBegin, ReloadRecord, ReportNilRequest,
    Submission,
};
use record_ref::{ItemCode, ProviderCode};
use service_kit::{
    identity::Principal,
    page::{Page, PageSizes},
};
use time::Date;

use crate::{
    app::{nil_report::IncomingNilReport, reload::ReloadHeader},
    domain::{
        Rejection,
        nil_report::{self, NilReportPosition, Period},
        parse_day,
        reload::Reload,
    },
    error::IngestError,
    intake::{self, FormError, WellFormedSubmission},
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
        return Err(FormError::SubmissionId.into());
    }
    let item = intake::item_code(&request.item_code)?;
    let from = decode_day(&request.period_from, "period_from")?;
    let to = decode_day(&request.period_to, "period_to")?;
    let period = Period::new(from, to)?;
    Ok(IncomingNilReport {
        provider: provider.ok_or(Rejection::ProviderNotRegistered)?,
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
pub(super) fn ledger_page(request: &ListLedgerRequest) -> Result<(i64, u32), IngestError> {
    let PageSizes { default, most } = LEDGER_SIZES;
    let limit = match request.limit {
        0 => default,
        limit if limit <= most => limit,
        _ => return Err(IngestError::LedgerLimit { most }),
    };
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
        provider: provider.ok_or(Rejection::ProviderNotRegistered)?,
        reload_id: begin.reload_id,
        item,
        item_version: begin.item_version,
    })
}

/// A record of a reload as a submission, and its id.
pub(super) fn reload_record(
    reload_id: &str,
    reload: &Reload,
    record: ReloadRecord,
) -> (String, Result<WellFormedSubmission, FormError>) {
    let id = format!("{reload_id}/{}", record.record_key);
    let submission = Submission {
        submission_id: id.clone(),
        item_code: reload.item.to_string(),
        item_version: reload.item_version,
        record_key: record.record_key,
        content_type: record.content_type,
        content: record.content,
        content_sha256: record.content_sha256,
        ..Submission::default()
    };
    (id, intake::check_submission(submission))
}

/// A day that a table can hold.
pub(super) fn decode_day(text: &str, field: &'static str) -> Result<Date, IngestError> {
    parse_day(text)
        .filter(|day| (1900..=9998).contains(&day.year()))
        .ok_or(IngestError::Date { field })
}

/// A day, or `None` where none is named.
pub(super) fn optional_day(text: &str, field: &'static str) -> Result<Option<Date>, IngestError> {
    match text {
        "" => Ok(None),
        text => decode_day(text, field).map(Some),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::error::reason_and_field;

    #[test]
    fn r11_days_of_a_period_are_written_in_one_way() {
        let good = decode_day("2026-11-01", "period_from").unwrap();
        assert_eq!(good, date!(2026 - 11 - 01));
        for bad in [
            "",
            "2026-11-31",
            "2026-1-1",
            "20261101",
            "+2026-11-01",
            "昨天",
            "0000-01-01",
            "9999-12-31",
        ] {
            let (reason, field) = reason_and_field(decode_day(bad, "period_to").unwrap_err());
            assert_eq!((&*reason, &*field), ("DATE_INVALID", "period_to"), "{bad}");
            let optional = optional_day(bad, "period_to");
            assert_eq!(optional.is_ok(), bad.is_empty(), "{bad}");
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
            let (reason, field) = reason_and_field(read(0, limit).unwrap_err());
            assert_eq!((&*reason, &*field), ("PAGE_SIZE_INVALID", "limit"));
        }
    }
}
