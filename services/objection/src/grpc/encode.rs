//! Objections as messages. Called by `grpc`.

use proto::credit::objection::v1::{
    DueDate, EvidenceInfo, ListObjectionsResponse, Objection, ObjectionState,
};
use service_kit::grpc::to_timestamp;

use crate::{
    app::{FoundObjections, view::ObjectionView},
    domain::{DueDay, ObjectionPhase, ProviderDecision, application::EvidenceDescription},
};

pub(super) fn encode_objection(view: ObjectionView) -> Objection {
    let objection = view.objection;
    Objection {
        objection_id: view.objection_id.to_string(),
        record_id: view.version_id.to_string(),
        provider_code: objection.provider.into(),
        state: encode_state(objection.phase).into(),
        filed_at: Some(to_timestamp(objection.filed_at)),
        transferred_at: objection.transferred_at().map(to_timestamp),
        answered_at: objection.answered_at().map(to_timestamp),
        transfer_due: view.clocks.map(|clocks| encode_due_day(&clocks.transfer)),
        answer_due: view.clocks.map(|clocks| encode_due_day(&clocks.answer)),
        statement: view.statement,
        answer: view.answer,
        evidence: view.evidence.into_iter().map(encode_evidence).collect(),
    }
}

pub(super) fn encode_objections(found: FoundObjections) -> ListObjectionsResponse {
    ListObjectionsResponse {
        objections: found.objections.into_iter().map(encode_objection).collect(),
        next_page_token: found.next,
    }
}

fn encode_evidence(piece: EvidenceDescription) -> EvidenceInfo {
    EvidenceInfo {
        file_name: piece.file_name,
        media_type: piece.media_type,
        size_bytes: piece.size_bytes,
        sha256: piece.sha256.to_vec().into(),
    }
}

fn encode_state(phase: ObjectionPhase) -> ObjectionState {
    match phase {
        ObjectionPhase::Filed => ObjectionState::Filed,
        ObjectionPhase::Transferred { .. } => ObjectionState::Transferred,
        ObjectionPhase::Answered { answer, .. } => match answer.decision {
            ProviderDecision::Keep => ObjectionState::AnsweredKept,
            ProviderDecision::Correct => ObjectionState::AnsweredCorrect,
        },
    }
}

/// A civil date prints as `YYYY-MM-DD` for every year that occurs here. That a clock has not
/// started is seen from the missing `transferred_at`.
fn encode_due_day(due: &DueDay) -> DueDate {
    DueDate {
        due_on: due.deadline.due_on.to_string(),
        provisional: due.deadline.provisional,
        article: due.article.to_owned(),
        overdue: due.overdue,
    }
}
