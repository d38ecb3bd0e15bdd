//! What makes an application complete (R-18, D-4): in writing, with evidence, against a named
//! record of a named provider. An incomplete one gets one list of all that is missing, and no
//! clock starts. Called by `grpc` before anything is stored.

use bytes::Bytes;
use record_ref::{ProviderCode, VersionId};

use super::ProviderDecision;
use crate::error::ObjectionError;

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
    /// Field of the request.
    pub field: String,
    /// The rule, stable.
    pub rule: &'static str,
    /// For the applicant.
    pub message: String,
}

fn request_fault(
    field: impl Into<String>,
    rule: &'static str,
    message: &str,
) -> ObjectionRequestFault {
    ObjectionRequestFault {
        field: field.into(),
        rule,
        message: message.to_owned(),
    }
}

/// The application, or all that it lacks.
///
/// # Errors
/// [`ObjectionError::Incomplete`] with all of it; [`ObjectionError::ProviderUnknown`] for a text that is no
/// provider's code, since nobody can have registered it.
pub fn complete_application(form: ApplicationForm) -> Result<Application, ObjectionError> {
    let mut lacks = Vec::new();
    let characters = form.request_id.chars().count();
    if !(1..=128).contains(&characters) {
        lacks.push(request_fault(
            "request_id",
            "request_id has 1 to 128 characters",
            "请提供1至128个字符的申请标识，以便安全重试",
        ));
    }
    let version_id = form.record_id.parse().ok();
    if version_id.is_none() {
        lacks.push(request_fault(
            "record_id",
            "record_id is a UUID",
            "记录编号格式不正确",
        ));
    }
    if form.provider_code.is_empty() {
        lacks.push(request_fault(
            "provider_code",
            "provider_code is the credit code of the record's provider",
            "请填写信用信息提供主体的统一社会信用代码",
        ));
    }
    lacks.extend(check_text(&form.statement, "statement", "异议说明"));
    lacks.extend(check_evidence(&form.evidence));
    match version_id {
        Some(version_id) if lacks.is_empty() => Ok(Application {
            request_id: form.request_id,
            version_id,
            provider: (form.provider_code.parse()).map_err(|_| ObjectionError::ProviderUnknown)?,
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
pub fn complete_answer(
    decision: Option<ProviderDecision>,
    answer: String,
) -> Result<(ProviderDecision, String), ObjectionError> {
    let mut lacks: Vec<ObjectionRequestFault> = check_text(&answer, "answer", "书面答复")
        .into_iter()
        .collect();
    if decision.is_none() {
        lacks.push(request_fault(
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
        return Some(request_fault(field, rule, &format!("{name}不能为空")));
    }
    (value.chars().count() > MAX_TEXT_CHARS).then(|| {
        let message = format!("{name}不得超过{MAX_TEXT_CHARS}个字符");
        request_fault(field, "at most 10000 characters", &message)
    })
}

fn check_evidence(evidence: &[EvidencePiece]) -> Vec<ObjectionRequestFault> {
    if evidence.is_empty() {
        return vec![request_fault(
            "evidence",
            "an objection comes with evidence (R-18)",
            "请随申请提交证据材料",
        )];
    }
    if evidence.len() > MAX_EVIDENCE_PIECES {
        return vec![request_fault(
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
                field("file_name"),
                "1 to 255 characters, no path, no control characters",
                "证据文件名不正确",
            ));
        }
        if !is_media_type(&piece.media_type) {
            lacks.push(request_fault(
                field("media_type"),
                "a media type such as application/pdf",
                "证据文件类型不正确",
            ));
        }
        if piece.content.is_empty() {
            lacks.push(request_fault(field("content"), "not empty", "证据文件为空"));
        } else if piece.content.len() > MAX_EVIDENCE_BYTES {
            lacks.push(request_fault(
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
        lacking(complete_application(form).unwrap_err())
    }

    #[test]
    fn a_complete_application_is_taken_as_it_is() {
        let form = good();
        let application = complete_application(form.clone()).unwrap();
        assert_eq!(application.evidence, form.evidence);
        assert_eq!(application.statement, form.statement);
        assert_eq!(application.version_id.to_string(), form.record_id);
        assert_eq!(application.provider.as_str(), form.provider_code);
        let longest = ApplicationForm {
            statement: "信".repeat(MAX_TEXT_CHARS),
            ..good()
        };
        assert!(complete_application(longest).is_ok());
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
    fn what_is_no_code_of_a_provider_is_registered_by_nobody() {
        for code in ["11430100006123458r", "某局", "11430100006123458R\0"] {
            let form = ApplicationForm {
                provider_code: code.to_owned(),
                ..good()
            };
            let refused = complete_application(form).unwrap_err();
            assert!(
                matches!(refused, ObjectionError::ProviderUnknown),
                "{refused}"
            );
        }
        // What is missing is listed first.
        let form = ApplicationForm {
            provider_code: "某局".to_owned(),
            statement: String::new(),
            ..good()
        };
        assert_eq!(fields(form), ["statement"]);
    }

    #[test]
    fn an_answer_decides_and_is_written() {
        let kept = complete_answer(Some(ProviderDecision::Keep), "经核实无误".to_owned()).unwrap();
        assert_eq!(kept, (ProviderDecision::Keep, "经核实无误".to_owned()));
        let refused = complete_answer(None, " ".to_owned()).unwrap_err();
        assert_eq!(lacking(refused), ["answer", "decision"]);
    }
}
