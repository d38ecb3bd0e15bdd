//! What a provider reads of its own: receipts, how a submission stands, the ledger, what it may report; and the counts
//! over all providers.

use legal_clock::shanghai_date;
use prost::Message as _;
use proto::credit::ingest::v1::{
    GetReportingScopeResponse, GetStatisticsResponse, GetSubmissionStatusResponse,
    ListLedgerRequest, ListLedgerResponse, ProviderCount, Receipt, ReportableItem,
    Standing as WireStanding,
};
use service_kit::error::{Refusal, database, internal};
use tonic::{Code, Status};

use super::{IngestApi, submit::receipt};
use crate::{
    domain::{Rejection, Standing, Stored},
    intake::{self, Labels},
    store,
};

impl IngestApi {
    /// The receipt of one of a provider's submissions.
    pub(super) async fn receipt_of(&self, provider: &str, id: String) -> Result<Receipt, Status> {
        let (stored, unchanged) = self.answered(provider, &id).await?;
        Ok(receipt(id, provider, &stored, unchanged))
    }

    /// How one of a provider's submissions stands.
    pub(super) async fn status_of(
        &self,
        provider: &str,
        id: String,
    ) -> Result<GetSubmissionStatusResponse, Status> {
        let (stored, unchanged) = self.answered(provider, &id).await?;
        let current = store::current(&self.pool, stored.record_id)
            .await
            .map_err(|error| database("查询申报状态", &error))?;
        let standing = match stored.standing(&current) {
            Standing::Current => WireStanding::Current,
            Standing::Superseded => WireStanding::Superseded,
            Standing::Revoked => WireStanding::Revoked,
        };
        Ok(GetSubmissionStatusResponse {
            receipt: Some(receipt(id, provider, &stored, unchanged)),
            standing: standing.into(),
            current_revision: current.revision,
            current_operation: current.content.operation.code().into(),
        })
    }

    /// The version that a submission was answered with, and whether as unchanged.
    async fn answered(&self, provider: &str, id: &str) -> Result<(Stored, bool), Status> {
        let failed = |error| database("查询回执", &error);
        let digest = intake::submission_digest(&self.context.keyring, provider, id);
        let found = store::receipt(&self.pool, &digest).await.map_err(failed)?;
        let found = match found {
            Some(found) => Some(found),
            None => self.line_of(provider, id).await.map_err(failed)?,
        };
        found.ok_or_else(|| {
            Refusal::field(
                Code::NotFound,
                "SUBMISSION_UNKNOWN",
                "submission_id",
                "a submission of the caller that was answered with a receipt",
                "没有该申报编号的回执",
            )
            .into()
        })
    }

    /// Of a record of a reload that was unchanged nothing is kept but its line.
    async fn line_of(
        &self,
        provider: &str,
        id: &str,
    ) -> Result<Option<(Stored, bool)>, service_kit::db::Error> {
        let parts = id.split_once('/');
        let Some((reload_id, key)) = parts.filter(|(id, _)| intake::is_reload_id(id)) else {
            return Ok(None);
        };
        let keyring = &self.context.keyring;
        let digest = intake::reload_digest(keyring, provider, reload_id);
        let Some(reload) = store::reload::find(&self.pool, provider, &digest).await? else {
            return Ok(None);
        };
        let key_digest = intake::key_digest(keyring, provider, &reload.item_code, key);
        store::receipt_of_line(&self.pool, reload.number, &key_digest).await
    }

    /// A page of a provider's ledger.
    pub(super) async fn ledger(
        &self,
        provider: &str,
        request: ListLedgerRequest,
    ) -> Result<ListLedgerResponse, Status> {
        let limit = match request.limit {
            0 => 100,
            1..=1000 => i64::from(request.limit),
            _ => {
                return Err(Refusal::field(
                    Code::InvalidArgument,
                    "LIMIT_RANGE",
                    "limit",
                    "0 to 1000",
                    "每次最多查询 1000 条",
                )
                .into());
            }
        };
        let after = i64::try_from(request.after_number).unwrap_or(i64::MAX);
        let failed = |error| database("查询台账", &error);
        let last_number = store::ledger_last(&self.pool, provider)
            .await
            .map_err(failed)?;
        let rows = store::ledger_after(&self.pool, provider, after, limit)
            .await
            .map_err(failed)?;
        let receipts = rows
            .iter()
            .map(|row| {
                let labels = self.labels(&row.stored, &row.sealed_labels)?;
                let id = labels.submission_id;
                Ok(receipt(id, provider, &row.stored, false))
            })
            .collect::<Result<_, Status>>()?;
        Ok(ListLedgerResponse {
            receipts,
            last_number,
        })
    }

    /// The provider's own words for a version.
    pub(super) fn labels(&self, stored: &Stored, sealed: &[u8]) -> Result<Labels, Status> {
        let opened = self
            .context
            .keyring
            .open(stored.record_id.as_bytes(), sealed)
            .map_err(|error| internal("打开台账", &error))?;
        Labels::decode(opened.as_slice()).map_err(|error| internal("打开台账", &error))
    }

    /// What a provider may report today.
    pub(super) async fn scope(
        &self,
        provider_code: String,
    ) -> Result<GetReportingScopeResponse, Status> {
        let scope = store::scope(&self.pool, &provider_code)
            .await
            .map_err(|error| database("查询报送范围", &error))?
            .ok_or_else(|| Refusal::from(Rejection::ProviderUnknown))?;
        let today = shanghai_date(self.context.clock.now());
        scope.registration.admits_on(today).map_err(Refusal::from)?;
        let mut items: Vec<ReportableItem> = scope
            .items
            .into_iter()
            .filter_map(|(item_code, item)| {
                let version = item.in_force_on(today)?;
                Some(ReportableItem {
                    item_version: version.number,
                    name: version.name.clone(),
                    item_code,
                })
            })
            .collect();
        items.sort_by(|a, b| a.item_code.cmp(&b.item_code));
        Ok(GetReportingScopeResponse {
            provider_code,
            provider_name: scope.name,
            items,
        })
    }

    /// Accepted versions by provider.
    pub(super) async fn statistics(&self) -> Result<GetStatisticsResponse, Status> {
        let totals = store::totals(&self.pool)
            .await
            .map_err(|error| database("统计", &error))?;
        let by_provider: Vec<ProviderCount> = totals
            .into_iter()
            .map(|total| ProviderCount {
                provider_code: total.provider_code,
                accepted_for_processing: total.accepted,
            })
            .collect();
        Ok(GetStatisticsResponse {
            accepted_for_processing: by_provider.iter().map(|p| p.accepted_for_processing).sum(),
            by_provider,
        })
    }
}
