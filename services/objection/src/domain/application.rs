//! What makes an application complete (R-18, D-4): in writing, with evidence, against a named
//! record of a named provider. An incomplete one gets one list of all that is missing, and no
//! clock starts. Called by `grpc` before anything is stored.

use bytes::Bytes;
use record_ref::{Malformed, ProviderCode, VersionId};
use service_kit::reason::Reason;

use super::ProviderDecision;
use crate::error::ObjectionError;

/// Characters of a caller's id at most.
const MAX_REQUEST_ID_CHARS: usize = 128;
/// Pieces of evidence at most.
pub const MAX_EVIDENCE_PIECES: usize = 5;
/// Bytes of one piece at most.
pub const MAX_EVIDENCE_BYTES: usize = 1024 * 1024;
/// Characters of a statement or an answer at most.
pub const MAX_TEXT_CHARS: usize = 10_000;

/// An application as it was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationForm {
    /// The caller's id of it.
    pub request_id: String,
    /// The version objected to, as text.
    pub record_id: String,
    /// Credit code of its provider, as text.
    pub provider_code: String,
    /// What is wrong.
    pub statement: String,
    /// Its pieces in order.
    pub evidence: Vec<EvidencePiece>,
}

/// One piece of evidence, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidencePiece {
    /// Name of the file.
    pub file_name: String,
    /// For instance `application/pdf`.
    pub media_type: String,
    /// The file.
    pub content: Bytes,
}

/// What views show of a piece of evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvidenceDescription {
    /// Name of the file.
    pub file_name: String,
    /// For instance `application/pdf`.
    pub media_type: String,
    /// Length of the file.
    pub size_bytes: u64,
    /// SHA-256 of the file.
    pub sha256: [u8; 32],
}

/// A complete application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The caller's id of it.
    pub request_id: String,
    /// The version objected to.
    pub version_id: VersionId,
    /// Its provider.
    pub provider: ProviderCode,
    /// What is wrong.
    pub statement: String,
    /// 1 to 5 pieces.
    pub evidence: Vec<EvidencePiece>,
}

/// One thing that is missing or wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectionRequestFault {
    /// Its reason where it is the only one.
    pub reason: Reason,
    /// Field of the request.
    pub field: String,
    /// The rule, stable.
    pub rule: &'static str,
    /// For the applicant.
    pub message: String,
}

fn request_fault(
    reason: Reason,
    field: impl Into<String>,
    rule: &'static str,
    message: &str,
) -> ObjectionRequestFault {
    ObjectionRequestFault {
        reason,
        field: field.into(),
        rule,
        message: message.to_owned(),
    }
}

/// The application, or all that it lacks.
///
/// # Errors
/// [`ObjectionError::Incomplete`] with all of it.
pub fn validate_application(form: ApplicationForm) -> Result<Application, ObjectionError> {
    let mut lacks = Vec::new();
    if !(1..=MAX_REQUEST_ID_CHARS).contains(&form.request_id.chars().count()) {
        lacks.push(request_fault(
            Reason::RequestIdInvalid,
            "request_id",
            "request_id has 1 to 128 characters",
            "请提供1至128个字符的申请标识，以便安全重试",
        ));
    }
    let version_id = form.record_id.parse();
    if let Err(Malformed { rule, .. }) = version_id {
        lacks.push(request_fault(
            Reason::RecordIdInvalid,
            "record_id",
            rule,
            "记录编号格式不正确",
        ));
    }
    let provider = form.provider_code.parse();
    if let Err(Malformed { rule, .. }) = provider {
        let reason = match form.provider_code.as_str() {
            "" => Reason::ProviderCodeMissing,
            _ => Reason::CreditCodeInvalid,
        };
        lacks.push(request_fault(
            reason,
            "provider_code",
            rule,
            "请填写信用信息提供主体的统一社会信用代码",
        ));
    }
    lacks.extend(check_text(&form.statement, "statement", "异议说明"));
    lacks.extend(check_evidence(&form.evidence));
    match (version_id, provider) {
        (Ok(version_id), Ok(provider)) if lacks.is_empty() => Ok(Application {
            request_id: form.request_id,
            version_id,
            provider,
            statement: form.statement,
            evidence: form.evidence,
        }),
        _ => Err(ObjectionError::Incomplete(lacks)),
    }
}

/// The provider's answer, or all that it lacks.
///
/// # Errors
/// [`ObjectionError::Incomplete`].
pub fn validate_answer(
    decision: Option<ProviderDecision>,
    answer: String,
) -> Result<(ProviderDecision, String), ObjectionError> {
    let mut lacks: Vec<ObjectionRequestFault> = check_text(&answer, "answer", "书面答复")
        .into_iter()
        .collect();
    if decision.is_none() {
        lacks.push(request_fault(
            Reason::RequestIncomplete,
            "decision",
            "decision is KEEP or CORRECT",
            "请选择维持或者更正",
        ));
    }
    match decision {
        Some(decision) if lacks.is_empty() => Ok((decision, answer)),
        _ => Err(ObjectionError::Incomplete(lacks)),
    }
}

fn check_text(value: &str, field: &str, name: &str) -> Option<ObjectionRequestFault> {
    if value.trim().is_empty() {
        let rule = "given in writing (R-18, R-19)";
        let message = format!("{name}不能为空");
        return Some(request_fault(
            Reason::StatementInvalid,
            field,
            rule,
            &message,
        ));
    }
    (value.chars().count() > MAX_TEXT_CHARS).then(|| {
        let message = format!("{name}不得超过{MAX_TEXT_CHARS}个字符");
        request_fault(
            Reason::StatementInvalid,
            field,
            "at most 10000 characters",
            &message,
        )
    })
}

fn check_evidence(evidence: &[EvidencePiece]) -> Vec<ObjectionRequestFault> {
    if evidence.is_empty() {
        return vec![request_fault(
            Reason::RequestIncomplete,
            "evidence",
            "an objection comes with evidence (R-18)",
            "请随申请提交证据材料",
        )];
    }
    if evidence.len() > MAX_EVIDENCE_PIECES {
        return vec![request_fault(
            Reason::EvidenceCountInvalid,
            "evidence",
            "at most 5 pieces of evidence",
            "证据材料不得超过5份",
        )];
    }
    let mut lacks = Vec::new();
    for (n, piece) in evidence.iter().enumerate() {
        let field = |name: &str| format!("evidence[{n}].{name}");
        if !is_file_name(&piece.file_name) {
            lacks.push(request_fault(
                Reason::FileNameInvalid,
                field("file_name"),
                "1 to 255 characters, no path, no control characters",
                "证据文件名不正确",
            ));
        }
        if !is_media_type(&piece.media_type) {
            lacks.push(request_fault(
                Reason::ContentTypeInvalid,
                field("media_type"),
                "a media type such as application/pdf",
                "证据文件类型不正确",
            ));
        }
        if piece.content.is_empty() {
            lacks.push(request_fault(
                Reason::ContentEmpty,
                field("content"),
                "not empty",
                "证据文件为空",
            ));
        } else if piece.content.len() > MAX_EVIDENCE_BYTES {
            lacks.push(request_fault(
                Reason::ContentTooLarge,
                field("content"),
                "at most 1048576 bytes",
                "单份证据不得超过1 MiB",
            ));
        }
    }
    lacks
}

fn is_file_name(name: &str) -> bool {
    (1..=255).contains(&name.chars().count())
        && !name
            .chars()
            .any(|c| c.is_control() || c == '/' || c == '\\')
}

fn is_media_type(text: &str) -> bool {
    let token = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b))
    };
    text.len() <= 127
        && text
            .split_once('/')
            .is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> ApplicationForm {
        ApplicationForm {
            request_id: "r-1".to_owned(),
            record_id: "00000000-0000-0000-0000-000000000007".to_owned(),
            provider_code: "11430100006123458R".to_owned(),
            statement: "处罚决定已被撤销".to_owned(),
            evidence: vec![EvidencePiece {
                file_name: "撤销决定书.pdf".to_owned(),
                media_type: "application/pdf".to_owned(),
                content: vec![1, 2, 3].into(),
            }],
        }
    }

    fn lacking(refused: ObjectionError) -> Vec<String> {
        let ObjectionError::Incomplete(lacks) = refused else {
            panic!("is incomplete: {refused}");
        };
        lacks.into_iter().map(|m| m.field).collect()
    }

    fn fields(form: ApplicationForm) -> Vec<String> {
        lacking(validate_application(form).unwrap_err())
    }

    #[test]
    fn a_complete_application_is_taken_as_it_is() {
        let form = good();
        let application = validate_application(form.clone()).unwrap();
        assert_eq!(application.evidence, form.evidence);
        assert_eq!(application.statement, form.statement);
        assert_eq!(application.version_id.to_string(), form.record_id);
        assert_eq!(application.provider.as_str(), form.provider_code);
        let longest = ApplicationForm {
            statement: "信".repeat(MAX_TEXT_CHARS),
            ..good()
        };
        assert!(validate_application(longest).is_ok());
    }

    #[test]
    fn all_that_is_missing_is_named_at_once() {
        let empty = ApplicationForm {
            request_id: String::new(),
            record_id: String::new(),
            provider_code: String::new(),
            statement: String::new(),
            evidence: Vec::new(),
        };
        assert_eq!(
            fields(empty),
            [
                "request_id",
                "record_id",
                "provider_code",
                "statement",
                "evidence"
            ]
        );
        let mut bad = good();
        bad.statement = "信".repeat(MAX_TEXT_CHARS + 1);
        bad.evidence[0].file_name = "../x".to_owned();
        bad.evidence[0].media_type = "pdf".to_owned();
        bad.evidence[0].content = vec![0; MAX_EVIDENCE_BYTES + 1].into();
        assert_eq!(
            fields(bad),
            [
                "statement",
                "evidence[0].file_name",
                "evidence[0].media_type",
                "evidence[0].content"
            ]
        );
        let mut many = good();
        many.evidence = vec![many.evidence[0].clone(); 6];
        assert_eq!(fields(many), ["evidence"]);
        let mut blank = good();
        blank.statement = " \u{3000}\n".to_owned();
        blank.evidence[0].content = Bytes::new();
        assert_eq!(fields(blank), ["statement", "evidence[0].content"]);
    }

    #[test]
    fn what_is_wrong_has_the_reason_that_it_has_in_every_service() {
        type SpoilForm = fn(&mut ApplicationForm);
        let table: [(Reason, SpoilForm); 14] = [
            (Reason::RequestIdInvalid, |form| form.request_id.clear()),
            (Reason::RequestIdInvalid, |form| {
                form.request_id = "r".repeat(129);
            }),
            (Reason::RecordIdInvalid, |form| form.record_id.clear()),
            (Reason::StatementInvalid, |form| form.statement.clear()),
            (Reason::RequestIncomplete, |form| form.evidence.clear()),
            (Reason::RecordIdInvalid, |form| form.record_id.push('7')),
            (Reason::ProviderCodeMissing, |form| {
                form.provider_code.clear()
            }),
            (Reason::CreditCodeInvalid, |form| {
                form.provider_code = "11430100006123458r".to_owned();
            }),
            (Reason::CreditCodeInvalid, |form| {
                form.provider_code.push('\0')
            }),
            (Reason::StatementInvalid, |form| {
                form.statement = "信".repeat(MAX_TEXT_CHARS + 1);
            }),
            (Reason::FileNameInvalid, |form| {
                form.evidence[0].file_name = "../x".to_owned();
            }),
            (Reason::ContentTypeInvalid, |form| {
                form.evidence[0].media_type = "pdf".to_owned();
            }),
            (Reason::ContentEmpty, |form| {
                form.evidence[0].content = Bytes::new();
            }),
            (Reason::ContentTooLarge, |form| {
                form.evidence[0].content = vec![0; MAX_EVIDENCE_BYTES + 1].into();
            }),
        ];
        for (reason, spoil) in table {
            let mut form = good();
            spoil(&mut form);
            let refused = validate_application(form).unwrap_err();
            let ObjectionError::Incomplete(lacks) = refused else {
                panic!("is incomplete: {refused}");
            };
            let reasons: Vec<Reason> = lacks.iter().map(|lack| lack.reason).collect();
            assert_eq!(reasons, [reason]);
        }
    }

    #[test]
    fn an_answer_decides_and_is_written() {
        let kept = validate_answer(Some(ProviderDecision::Keep), "经核实无误".to_owned()).unwrap();
        assert_eq!(kept, (ProviderDecision::Keep, "经核实无误".to_owned()));
        let refused = validate_answer(None, " ".to_owned()).unwrap_err();
        assert_eq!(lacking(refused), ["answer", "decision"]);
    }
}
