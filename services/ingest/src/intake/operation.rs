//! What a submission does to its record, and which content goes with it. Called by `intake`.

use record_ref::Operation;

use crate::domain::{IncomingSubmission, IngestRuleViolation};

/// The content types of records.
pub const CONTENT_TYPES: &[&str] = &["application/json", "text/csv"];
/// The content type of the reason for a revocation or withdrawal.
pub const REASON_TYPE: &str = "text/plain";

/// The operation of a submission, whose content has the type that goes with it; a reason is also checked for form.
pub(super) fn check_operation(
    submission: &IncomingSubmission,
) -> Result<Operation, IngestRuleViolation> {
    let operation = submission
        .operation
        .ok_or(IngestRuleViolation::OperationUnknown)?;
    let content_type = submission.content_type.as_str();
    if !operation.ends_record() {
        let suits = CONTENT_TYPES.contains(&content_type);
        return suits
            .then_some(operation)
            .ok_or(IngestRuleViolation::ContentTypeUnsuitable);
    }
    if content_type != REASON_TYPE {
        return Err(IngestRuleViolation::ReasonTypeUnsuitable);
    }
    // Empty and oversized contents are refused with reasons of their own, by `check_submission`.
    if !submission.content.is_empty() && !is_reason(&submission.content) {
        return Err(IngestRuleViolation::EndingReasonMalformed);
    }
    Ok(operation)
}

/// 2 to 2000 characters, two of them Chinese, in lines.
fn is_reason(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let is_line = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().take(2001).count() <= 2000
        && text.chars().all(is_line)
        && text.chars().filter(|c| is_chinese(*c)).take(2).count() == 2
}

fn is_chinese(c: char) -> bool {
    // The blocks of unified ideographs, their extensions and compatibility forms.
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{323AF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn d24_a_reason_is_chinese_text_of_2_to_2000_characters() {
        for good in [
            "撤销",
            "法院判决撤销原处罚决定（（2026）湘01行终1号）。\r\n\t详见附件",
            "㐂𠀀",
            &"因".repeat(2000),
        ] {
            assert!(is_reason(good.as_bytes()), "{good}");
        }
        for bad in [
            "因",
            "revoked by court",
            "撤销\0",
            "撤\u{7}销",
            &"因".repeat(2001),
        ] {
            assert!(!is_reason(bad.as_bytes()), "{bad}");
        }
        assert!(!is_reason(b"\xff\xfe"));
        // GB18030, as an office's computer may send it.
        assert!(!is_reason(&[0xb3, 0xb7, 0xcf, 0xfa]));
    }

    #[test]
    fn d24_each_operation_has_its_content_type() {
        let submission = |operation, content_type: &str, content: &str| IncomingSubmission {
            operation,
            content_type: content_type.to_owned(),
            content: content.as_bytes().to_vec().into(),
            ..IncomingSubmission::default()
        };
        let (upsert, revoke, withdraw) =
            (Operation::Upsert, Operation::Revoke, Operation::Withdraw);
        for (operation, content_type, content, expected) in [
            (Some(upsert), "application/json", "{}", Ok(upsert)),
            (Some(upsert), "text/csv", "a\n1\n", Ok(upsert)),
            (
                Some(upsert),
                "text/plain",
                "撤销原决定",
                Err(IngestRuleViolation::ContentTypeUnsuitable),
            ),
            (
                Some(upsert),
                "text/xml",
                "<a/>",
                Err(IngestRuleViolation::ContentTypeUnsuitable),
            ),
            (Some(revoke), "text/plain", "撤销原决定", Ok(revoke)),
            (Some(withdraw), "text/plain", "误报", Ok(withdraw)),
            (
                Some(revoke),
                "application/json",
                "{}",
                Err(IngestRuleViolation::ReasonTypeUnsuitable),
            ),
            (
                Some(withdraw),
                "text/plain",
                "x",
                Err(IngestRuleViolation::EndingReasonMalformed),
            ),
            (
                None,
                "application/json",
                "{}",
                Err(IngestRuleViolation::OperationUnknown),
            ),
        ] {
            let submission = submission(operation, content_type, content);
            assert_eq!(check_operation(&submission), expected, "{submission:?}");
        }
    }
}
