//! Drafts as messages. Called by `grpc`.

use proto::credit::catalog::v1::{DefinitionFault, Draft, DraftChange, DraftState, ReturnReason};
use service_kit::grpc::to_timestamp;

use super::encode_owner;
use crate::domain::draft::{
    self, DraftDetail, DraftHistoryEntry, DraftReturnReason, ItemDraftState,
};

/// With definition, faults and history. With `officers`, accounts are named; without, only their organisations.
pub(in crate::grpc) fn encode_draft(whole: &DraftDetail, officers: bool) -> Draft {
    let DraftDetail {
        draft,
        faults,
        history,
    } = whole;
    let fault = |(field, rule): &(String, &'static str)| DefinitionFault {
        field: field.clone(),
        rule: (*rule).to_owned(),
    };
    let change = |change: &DraftHistoryEntry| DraftChange {
        state: state(change.state).into(),
        revision: change.revision,
        at: Some(to_timestamp(change.at)),
        by: if officers {
            change.by.as_str()
        } else {
            change.by.split('/').next().unwrap_or_default()
        }
        .to_owned(),
        reasons: reasons(&change.reasons),
        note: change.note.clone(),
    };
    Draft {
        definition_toml: draft.definition.clone(),
        faults: faults.iter().map(fault).collect(),
        history: history.iter().map(change).collect(),
        ..encode_draft_line(draft)
    }
}

/// As a list shows it.
pub(in crate::grpc) fn encode_draft_line(draft: &draft::ItemDraft) -> Draft {
    Draft {
        draft_id: draft.id.to_string(),
        item_code: draft.head.item.code.as_str().to_owned(),
        item_version: draft.head.item.version(),
        owner: Some(encode_owner(&draft.head.owner)),
        state: state(draft.state).into(),
        revision: draft.revision,
        definition_toml: String::new(),
        faults: Vec::new(),
        reasons: reasons(&draft.reasons),
        history: Vec::new(),
        created_by: draft.created_by.clone(),
        created_at: Some(to_timestamp(draft.created_at)),
        changed_at: Some(to_timestamp(draft.changed_at)),
    }
}

fn state(state: ItemDraftState) -> DraftState {
    match state {
        ItemDraftState::Draft => DraftState::Draft,
        ItemDraftState::Submitted => DraftState::Submitted,
        ItemDraftState::Returned => DraftState::Returned,
        ItemDraftState::Published => DraftState::Published,
        ItemDraftState::Withdrawn => DraftState::Withdrawn,
    }
}

fn reasons(reasons: &[DraftReturnReason]) -> Vec<ReturnReason> {
    let reason = |DraftReturnReason { field, text }: &DraftReturnReason| ReturnReason {
        field: field.clone(),
        text: text.clone(),
    };
    reasons.iter().map(reason).collect()
}
