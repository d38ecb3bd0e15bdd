//! `ReportNil` and `ListNilReports`: a provider had nothing to report of an item in a period (零报告, R-11).

use proto::credit::ingest::v1::{
    ListNilReportsRequest, ListNilReportsResponse, NilReport, ReportNilRequest,
};
use service_kit::{
    error::{Refusal, database, internal},
    grpc::timestamp,
};
use time::{Date, OffsetDateTime, macros::format_description};
use tonic::Status;
use uuid::Uuid;

use super::IngestApi;
use crate::{
    app::nil::NilIncoming,
    domain::nil::Period,
    error::{FormError, invalid},
    intake,
    store::nil::{self, NilRow},
    writer::refuse,
};

impl IngestApi {
    /// Stores a nil report, or answers as before.
    pub(super) async fn nil_report(
        &self,
        provider: &str,
        request: ReportNilRequest,
    ) -> Result<NilReport, Status> {
        let incoming = self.nil_incoming(provider, &request)?;
        let row = self
            .keep_nil(&incoming)
            .await
            .map_err(|error| {
                tracing::warn!(%error, "nil report not committed");
                refuse(&error)
            })?
            .map_err(Refusal::from)?;
        Ok(message(request.submission_id, &row))
    }

    async fn keep_nil(
        &self,
        incoming: &NilIncoming,
    ) -> Result<Result<NilRow, crate::domain::Rejection>, service_kit::db::Error> {
        let mut tx = self.pool.begin().await?;
        let now = self.context.clock.now();
        let outcome = crate::app::nil::report(&mut tx, incoming, now).await?;
        self.commits.commit(tx).await?;
        Ok(outcome)
    }

    fn nil_incoming(
        &self,
        provider: &str,
        request: &ReportNilRequest,
    ) -> Result<NilIncoming, Refusal> {
        let keyring = &self.context.keyring;
        let (id, item) = (&request.submission_id, &request.item_code);
        if !intake::is_submission_id(id) {
            return Err(FormError::SubmissionId.into());
        }
        if !intake::is_item_code(item) {
            return Err(FormError::ItemCode.into());
        }
        let from = day(&request.period_from, "period_from")?;
        let to = day(&request.period_to, "period_to")?;
        let period = Period::new(from, to)?;
        let parts = [item, &request.period_from, &request.period_to].map(|part| part.as_bytes());
        let report_id = Uuid::now_v7();
        Ok(NilIncoming {
            provider_code: provider.to_owned(),
            submission_digest: intake::submission_digest(keyring, provider, id),
            id_prefix: intake::id_prefix(keyring, provider, id),
            // A record has more parts, so no request is ever both.
            request_digest: intake::digest_of_parts(&parts),
            item_code: item.clone(),
            period,
            report_id,
            sealed_submission_id: keyring.seal(report_id.as_bytes(), id.as_bytes()),
        })
    }

    /// A page of a provider's nil reports.
    pub(super) async fn nil_reports(
        &self,
        provider: &str,
        request: ListNilReportsRequest,
    ) -> Result<ListNilReportsResponse, Status> {
        let limit = match request.page_size {
            0 => 100,
            1..=1000 => i64::from(request.page_size),
            _ => {
                return Err(invalid(
                    "PAGE_SIZE_RANGE",
                    "page_size",
                    "0 to 1000",
                    "每页最多 1000 条",
                )
                .into());
            }
        };
        if !request.item_code.is_empty() && !intake::is_item_code(&request.item_code) {
            return Err(Refusal::from(FormError::ItemCode).into());
        }
        let after = match request.page_token.as_str() {
            "" => None,
            token => Some(place_of(token).ok_or_else(|| {
                invalid(
                    "PAGE_TOKEN",
                    "page_token",
                    "the next_page_token of the page before",
                    "翻页标记无效，请使用上一页返回的标记",
                )
            })?),
        };
        // One more than asked for tells whether there is another page.
        let mut rows = nil::page(&self.pool, provider, &request.item_code, after, limit + 1)
            .await
            .map_err(|error| database("查询零报告", &error))?;
        let more = rows.len() as i64 > limit;
        rows.truncate(limit as usize);
        let next_page_token = rows.last().filter(|_| more).map(token_of);
        let reports = rows
            .iter()
            .map(|row| {
                let opened = self
                    .context
                    .keyring
                    .open(row.report_id.as_bytes(), &row.sealed_submission_id)
                    .map_err(|error| internal("打开零报告", &error))?;
                let id = String::from_utf8(opened).map_err(|e| internal("打开零报告", &e))?;
                Ok(message(id, row))
            })
            .collect::<Result<_, Status>>()?;
        Ok(ListNilReportsResponse {
            reports,
            next_page_token: next_page_token.unwrap_or_default(),
        })
    }
}

fn message(submission_id: String, row: &NilRow) -> NilReport {
    NilReport {
        submission_id,
        report_id: row.report_id.to_string(),
        provider_code: row.provider_code.clone(),
        item_code: row.item_code.clone(),
        period_from: row.period.from.to_string(),
        period_to: row.period.to.to_string(),
        received_at: Some(timestamp(row.received_at)),
    }
}

fn day(text: &str, field: &'static str) -> Result<Date, Refusal> {
    Date::parse(text, format_description!("[year]-[month]-[day]"))
        .ok()
        .filter(|day| (1900..=9998).contains(&day.year()) && day.to_string() == text)
        .ok_or_else(|| {
            invalid(
                "PERIOD_FORM",
                field,
                "YYYY-MM-DD, a day that exists",
                "日期应写作 YYYY-MM-DD，且为真实日期",
            )
        })
}

/// The token after a row: its moment in microseconds since 1970 (what the database keeps), and its id.
fn token_of(row: &NilRow) -> String {
    let micros = row.received_at.unix_timestamp_nanos() / 1000;
    format!("{micros}.{}", row.report_id.simple())
}

fn place_of(token: &str) -> Option<(OffsetDateTime, Uuid)> {
    let (micros, id) = token.split_once('.')?;
    let micros: u64 = micros.parse().ok()?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).ok()?;
    Some((at, Uuid::try_parse(id).ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use time::macros::date;

    use super::*;

    proptest! {
        #[test]
        fn a_page_token_leads_back_to_its_row(micros in 0_i64..253_402_300_799_000_000, id: u128) {
            let received_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000).unwrap();
            let row = NilRow {
                report_id: Uuid::from_u128(id),
                provider_code: String::new(),
                item_code: String::new(),
                period: Period { from: date!(2026 - 01 - 01), to: date!(2026 - 01 - 01) },
                received_at,
                sealed_submission_id: Vec::new(),
            };
            prop_assert_eq!(place_of(&token_of(&row)), Some((received_at, row.report_id)));
        }

        #[test]
        fn a_foreign_page_token_is_refused_or_harmless(token in "[0-9a-f.+-]{0,60}") {
            if let Some((at, _)) = place_of(&token) {
                prop_assert!(at.year() >= 1970);
            }
        }
    }

    #[test]
    fn r11_days_of_a_period_are_written_in_one_way() {
        assert_eq!(day("2026-11-01", "period_from"), Ok(date!(2026 - 11 - 01)));
        for bad in [
            "",
            "2026-11-31",
            "2026-1-1",
            "20261101",
            "+2026-11-01",
            "昨天",
            "0000-01-01",
        ] {
            let refusal = day(bad, "period_to").unwrap_err();
            assert_eq!(
                (refusal.reason, &*refusal.field),
                ("PERIOD_FORM", "period_to"),
                "{bad}"
            );
        }
    }
}
