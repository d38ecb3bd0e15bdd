//! Helpers that make calls about drafts and duties. Called by the tests of both.

use proto::credit::catalog::v1::{
    DismissDutyRequest, Draft, Duty, DutyFilter, GetDraftRequest, ListDutiesRequest,
    PublishDraftRequest, PublishItemVersionRequest, RecordTriggerRequest, RecordTriggerResponse,
    ReturnDraftRequest, ReturnReason, SaveDraftRequest, SubmitDraftRequest, TriggerKind,
    WithdrawDraftRequest,
};
use tonic::Status;

use crate::fixture::CatalogClient;

/// A department of the city.
pub const BUREAU: &str = "12430100444900018L";
/// An organ of 岳麓区.
pub const YUELU: &str = "51430100MJJ000012E";
/// Another organisation, registered nowhere.
pub const STRANGER: &str = "1143000000612221XY";

type CatalogResult<T> = Result<T, Status>;

fn draft_of(draft: Option<Draft>) -> CatalogResult<Draft> {
    draft.ok_or_else(|| Status::internal("no draft"))
}

pub async fn save_draft(
    client: &mut CatalogClient,
    id: &str,
    toml: &str,
    revision: u64,
) -> CatalogResult<Draft> {
    let request = SaveDraftRequest {
        draft_id: id.to_owned(),
        definition_toml: toml.to_owned(),
        revision,
    };
    draft_of(client.save_draft(request).await?.into_inner().draft)
}

pub async fn submit_draft(client: &mut CatalogClient, id: &str) -> CatalogResult<Draft> {
    let draft_id = id.to_owned();
    let answer = client.submit_draft(SubmitDraftRequest { draft_id }).await?;
    draft_of(answer.into_inner().draft)
}

pub async fn return_draft(
    client: &mut CatalogClient,
    id: &str,
    text: &str,
) -> CatalogResult<Draft> {
    let reason = ReturnReason {
        field: "definition_toml.legal_basis".to_owned(),
        text: text.to_owned(),
    };
    let request = ReturnDraftRequest {
        draft_id: id.to_owned(),
        reasons: if text.is_empty() {
            vec![]
        } else {
            vec![reason]
        },
    };
    draft_of(client.return_draft(request).await?.into_inner().draft)
}

pub async fn publish_draft(client: &mut CatalogClient, id: &str) -> CatalogResult<Draft> {
    let draft_id = id.to_owned();
    let answer = client
        .publish_draft(PublishDraftRequest { draft_id })
        .await?;
    draft_of(answer.into_inner().draft)
}

pub async fn withdraw_draft(
    client: &mut CatalogClient,
    id: &str,
    reason: &str,
) -> CatalogResult<Draft> {
    let request = WithdrawDraftRequest {
        draft_id: id.to_owned(),
        reason: reason.to_owned(),
    };
    draft_of(client.withdraw_draft(request).await?.into_inner().draft)
}

pub async fn get_draft(client: &mut CatalogClient, id: &str) -> CatalogResult<Draft> {
    let draft_id = id.to_owned();
    let answer = client.get_draft(GetDraftRequest { draft_id }).await?;
    draft_of(answer.into_inner().draft)
}

/// A draft that waits for the review.
pub async fn submitted_draft(client: &mut CatalogClient, toml: &str) -> CatalogResult<Draft> {
    let draft = save_draft(client, "", toml, 0).await?;
    submit_draft(client, &draft.draft_id).await
}

/// Publishes without a draft.
pub async fn publish_directly(
    client: &mut CatalogClient,
    definition_toml: String,
) -> CatalogResult<u32> {
    let request = PublishItemVersionRequest { definition_toml };
    let answer = client.publish_item_version(request).await?.into_inner();
    Ok(answer.item.map_or(0, |item| item.version))
}

/// A law that was promulgated on a day and affects these items.
pub fn law_amended(number: &str, on: &str, codes: &[&str]) -> RecordTriggerRequest {
    RecordTriggerRequest {
        kind: TriggerKind::LawAmended.into(),
        document_title: "中华人民共和国某法（修订）".to_owned(),
        document_number: number.to_owned(),
        promulgated_on: on.to_owned(),
        item_codes: codes.iter().map(|code| (*code).to_owned()).collect(),
        ..RecordTriggerRequest::default()
    }
}

pub async fn record_trigger(
    client: &mut CatalogClient,
    request: RecordTriggerRequest,
) -> CatalogResult<RecordTriggerResponse> {
    Ok(client.record_trigger(request).await?.into_inner())
}

pub async fn list_duties(
    client: &mut CatalogClient,
    filter: DutyFilter,
) -> CatalogResult<Vec<Duty>> {
    let request = ListDutiesRequest {
        filter: filter.into(),
        ..ListDutiesRequest::default()
    };
    Ok(client.list_duties(request).await?.into_inner().duties)
}

pub async fn dismiss_duty(
    client: &mut CatalogClient,
    id: &str,
    reason: &str,
) -> CatalogResult<Duty> {
    let request = DismissDutyRequest {
        duty_id: id.to_owned(),
        reason: reason.to_owned(),
    };
    let answer = client.dismiss_duty(request).await?.into_inner();
    answer.duty.ok_or_else(|| Status::internal("no duty"))
}
