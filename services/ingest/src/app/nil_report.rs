//! The use cases of nil reports (零报告, R-11): reported in a transaction that the caller commits, listed in pages.

use event_bus::NewEvent;
use legal_clock::{end_of_day, format_day, shanghai_date, start_of_day};
use proto::credit::ingest::events::v1::NilReported;
use record_ref::{ItemCode, ProviderCode};
use service_kit::{db::Conn, grpc::to_timestamp, page::Page};
use time::OffsetDateTime;
use uuid::Uuid;
use vault::{Keyring, keyed_hash};

use crate::{
    domain::nil_report::{
        NilReportDecision, NilReportPosition, NilReportState, Period, decide_nil_report,
    },
    error::IngestError,
    intake,
    store::{
        self,
        nil_report::{self, NilRow},
    },
};

/// A nil report as it is asked for, checked for form.
#[derive(Clone, Debug)]
pub struct IncomingNilReport {
    /// Who reports.
    pub provider: ProviderCode,
    /// The caller's submission id.
    pub submission_id: String,
    /// Of which item.
    pub item: ItemCode,
    /// In which days.
    pub period: Period,
}

/// Decides a nil report and stores it with its event. Locks the provider's ledger row: this waits for the provider's
/// batch in flight and delays the next one, so no record of the period can be committed between the check of the
/// originals and the commit of the report.
pub async fn report_nil(
    conn: &mut Conn,
    keyring: &Keyring,
    incoming: &IncomingNilReport,
    now: OffsetDateTime,
) -> Result<NilRow, IngestError> {
    let (provider, item, period) = (&incoming.provider, &incoming.item, incoming.period);
    let id = incoming.submission_id.as_str();
    let submission_digest = keyed_hash::hash_submission_id(keyring, provider, id);
    // A record has more parts, so no request is ever both.
    let days = [period.from, period.to].map(|day| day.to_string());
    let parts = [item.as_str(), &days[0], &days[1]].map(str::as_bytes);
    let request_digest = intake::digest_of_parts(&parts);

    let failed = IngestError::NotCommitted;
    let locked = store::lock_ledger(conn, provider).await;
    locked.map_err(failed)?;
    let earlier = nil_report::find_earlier_request(conn, &submission_digest).await;
    let earlier = earlier.map_err(failed)?;
    let (from, to) = (start_of_day(period.from), end_of_day(period.to));
    let contradicted = nil_report::any_received_between(conn, provider, item, from, to).await;
    let registration = store::find_registration(conn, provider).await;
    let state = NilReportState {
        earlier_request: earlier.map(|(request, _)| request),
        id_reserved: is_reserved(conn, keyring, provider, id).await?,
        registration: registration.map_err(failed)?,
        item: store::find_item(conn, item).await.map_err(failed)?,
        contradicted: contradicted.map_err(failed)?,
        today: shanghai_date(now),
    };
    match (decide_nil_report(&request_digest, period, &state), earlier) {
        (NilReportDecision::Refused(rejection), _) => Err(rejection.into()),
        (_, Some((_, report_id))) => {
            let row = nil_report::load_nil_report(conn, report_id).await;
            row.map_err(failed)
        }
        (_, None) => {
            let report_id = Uuid::now_v7();
            let row = NilRow {
                report_id,
                provider: *provider,
                item: item.clone(),
                period,
                received_at: now,
                sealed_submission_id: keyring.seal(report_id.as_bytes(), id.as_bytes()),
            };
            let inserted =
                nil_report::insert_nil_report(conn, &row, &submission_digest, &request_digest)
                    .await;
            inserted.map_err(failed)?;
            let appended = event_bus::append_events(conn, &[nil_reported_event(&row)]).await;
            appended.map_err(failed)?;
            Ok(row)
        }
    }
}

/// Whether the id is that of a record of a reload of the provider, see `domain::SealedSubmission`.
async fn is_reserved(
    conn: &mut Conn,
    keyring: &Keyring,
    provider: &ProviderCode,
    submission_id: &str,
) -> Result<bool, IngestError> {
    let Some(prefix) = intake::reload_prefix_digest(keyring, provider, submission_id) else {
        return Ok(false);
    };
    let reload = store::reload::find_reload(conn, provider, &prefix).await;
    Ok(reload.map_err(IngestError::NotCommitted)?.is_some())
}

fn nil_reported_event(row: &NilRow) -> NewEvent {
    let event = NilReported {
        report_id: row.report_id.as_bytes().to_vec().into(),
        provider_code: row.provider.to_string(),
        item_code: row.item.to_string(),
        period_from: format_day(row.period.from),
        period_to: format_day(row.period.to),
        received_at: Some(to_timestamp(row.received_at)),
    };
    NewEvent::new(&event, row.received_at, "")
}

/// A page of a provider's nil reports, of one item or of all; each with the provider's own id of it, and the token of
/// the next page.
pub async fn list_nil_reports(
    conn: &mut Conn,
    keyring: &Keyring,
    provider: Option<&ProviderCode>,
    item: Option<&ItemCode>,
    page: &Page<NilReportPosition>,
) -> Result<(Vec<(String, NilRow)>, String), IngestError> {
    // Who is no provider has reported nothing.
    let Some(provider) = provider else {
        return Ok((Vec::new(), String::new()));
    };
    let mut rows = nil_report::list_nil_reports(conn, provider, item, page)
        .await
        .map_err(IngestError::database("查询零报告"))?;
    let next_page_token = page.truncate_rows(&mut rows, |row| NilReportPosition {
        received_at: row.received_at,
        report_id: row.report_id,
    });
    let with_id = |row: NilRow| {
        const DOING: &str = "打开零报告";
        let opened = keyring.open(row.report_id.as_bytes(), &row.sealed_submission_id);
        let opened = opened.map_err(IngestError::damaged(DOING))?;
        let id = String::from_utf8(opened).map_err(IngestError::damaged(DOING))?;
        Ok((id, row))
    };
    let reports = rows
        .into_iter()
        .map(with_id)
        .collect::<Result<_, IngestError>>()?;
    Ok((reports, next_page_token))
}
