//! Requests of `credit.objection.v1` as domain values. Called by `grpc`.

use proto::credit::objection::v1::{
    AnswerDecision, AnswerObjectionRequest, FileObjectionRequest, ListObjectionsRequest,
};
use record_ref::ProviderCode;
use service_kit::{error::Refusal, page::Page, reason::Reason, request::decode_id};
use uuid::Uuid;

use crate::{
    app::{HandlingStep, WrittenAnswer},
    domain::{
        ProviderDecision,
        application::{
            Application, ApplicationForm, EvidencePiece, validate_answer, validate_application,
        },
        page::{ObjectionPosition, PAGE_SIZES},
    },
    error::ObjectionError,
};

pub(super) fn decode_application(
    request: FileObjectionRequest,
) -> Result<Application, ObjectionError> {
    let evidence = request.evidence.into_iter().map(|piece| EvidencePiece {
        file_name: piece.file_name,
        media_type: piece.media_type,
        content: piece.content,
    });
    validate_application(ApplicationForm {
        request_id: request.request_id,
        record_id: request.record_id,
        provider_code: request.provider_code,
        statement: request.statement,
        evidence: evidence.collect(),
    })
}

pub(super) fn decode_answer(
    request: AnswerObjectionRequest,
    provider: Option<ProviderCode>,
) -> Result<HandlingStep, ObjectionError> {
    let decision = match request.decision() {
        AnswerDecision::Keep => Some(ProviderDecision::Keep),
        AnswerDecision::Correct => Some(ProviderDecision::Correct),
        AnswerDecision::Unspecified => None,
    };
    let (decision, text) = validate_answer(decision, request.answer)?;
    Ok(HandlingStep::Answer {
        provider,
        answer: WrittenAnswer { decision, text },
    })
}

pub(super) fn objection_id(text: &str) -> Result<Uuid, Refusal> {
    decode_id(Reason::ObjectionIdInvalid, "objection_id", text)
}

pub(super) fn decode_page(
    request: &ListObjectionsRequest,
) -> Result<Page<ObjectionPosition>, Refusal> {
    Page::from_request(PAGE_SIZES, request.page_size, &request.page_token)
}
