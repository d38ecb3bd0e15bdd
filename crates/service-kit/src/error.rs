//! gRPC statuses that name the field and the rule. Services map their own errors to these in one
//! exhaustive match; internal causes are logged and never sent.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Domain of the reasons in `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "credit.changsha";

/// Something that a caller can be told: why, where and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// gRPC code.
    pub code: Code,
    /// Stable reason in capitals, for instance `DIGEST_MISMATCH`.
    pub reason: &'static str,
    /// Field of the request; empty when none is meant.
    pub field: String,
    /// The rule that was broken, in English, stable.
    pub rule: &'static str,
    /// Text for people, Chinese.
    pub message: String,
}

impl Refusal {
    /// A refusal of one field.
    pub fn field(
        code: Code,
        reason: &'static str,
        field: impl Into<String>,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            reason,
            field: field.into(),
            rule,
            message: message.into(),
        }
    }

    /// The status: message in clear, field violation in `BadRequest`, reason and rule in `ErrorInfo`.
    pub fn to_status(&self) -> Status {
        let mut details = ErrorDetails::with_error_info(
            self.reason,
            DOMAIN,
            HashMap::from([
                ("field".to_owned(), self.field.clone()),
                ("rule".to_owned(), self.rule.to_owned()),
            ]),
        );
        if !self.field.is_empty() {
            details.add_bad_request_violation(self.field.clone(), self.message.clone());
        }
        let message = if self.field.is_empty() {
            format!("{}: {}", self.reason, self.message)
        } else {
            format!("{}: {}: {}", self.reason, self.field, self.message)
        };
        Status::with_error_details(self.code, message, details)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.to_status()
    }
}

/// A status for a failure that the caller cannot mend: the cause is logged here with what was
/// being done, and the caller learns only whether to try again.
pub fn internal(doing: &'static str, cause: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(doing, error = %chain(cause), "request failed");
    Status::internal(format!("内部错误（{doing}），已记录，请稍后重试"))
}

/// A status for a failure of something that the service depends on and that may be back soon.
/// The write certainly did not happen only if the operation says so; a retry with the same id is safe.
pub fn unavailable(doing: &'static str, cause: &(dyn std::error::Error + 'static)) -> Status {
    tracing::warn!(doing, error = %chain(cause), "dependency unavailable");
    Status::unavailable(format!("服务暂不可用（{doing}），请用同一标识重试"))
}

/// A database failure as a status: transient ones may be tried again, and a text with NUL, which PostgreSQL cannot
/// hold, is the caller's.
pub fn database(doing: &'static str, cause: &crate::db::Error) -> Status {
    if crate::db::is_no_text(cause) {
        Refusal::field(
            Code::InvalidArgument,
            "TEXT_WITH_NUL",
            "",
            "no text holds the character U+0000",
            "请求的文字中含有空字符（U+0000）",
        )
        .to_status()
    } else if crate::db::is_transient(cause) {
        unavailable(doing, cause)
    } else {
        internal(doing, cause)
    }
}

/// An error with its sources in one line, outermost intent first.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_field_and_rule_in_the_status() {
        let status = Refusal::field(
            Code::InvalidArgument,
            "DIGEST_MISMATCH",
            "content_sha256",
            "sha256(content) == content_sha256",
            "摘要与内容不符",
        )
        .to_status();
        assert_eq!(status.code(), Code::InvalidArgument);
        let details = status.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.reason, "DIGEST_MISMATCH");
        assert_eq!(info.metadata["rule"], "sha256(content) == content_sha256");
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "content_sha256");
    }
}
