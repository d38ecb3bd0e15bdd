//! gRPC statuses that name the field and the rule. Services map their own errors to these in one
//! exhaustive match; internal causes are logged and never sent.

use std::collections::HashMap;

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt};

use crate::reason::Reason;

/// Domain of the reasons in `google.rpc.ErrorInfo`.
pub const DOMAIN: &str = "credit.changsha";

/// A refusal as the caller sees it: reason, field and rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason; it determines the gRPC code.
    pub reason: Reason,
    /// Field of the request; empty when none is meant.
    pub field: String,
    /// The rule that was broken, in English, stable.
    pub rule: &'static str,
    /// Text for people, Chinese.
    pub message: String,
    /// Further fields that are wrong, each with a text for people.
    pub others: Vec<(String, String)>,
}

/// Most bytes of a refusal's text for people, and of its path of the field: a status travels in headers, which have at
/// most 16 KiB together, and its message stands in them three times (as text with three bytes for each byte of Chinese,
/// and twice as base64).
const MOST_MESSAGE_BYTES: usize = 1_500;
const MOST_FIELD_BYTES: usize = 256;

impl Refusal {
    /// A refusal of one field, or of the whole request where `field` is empty.
    pub fn new(
        reason: Reason,
        field: impl Into<String>,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            field: cut_text(field.into(), MOST_FIELD_BYTES),
            rule,
            message: cut_text(message.into(), MOST_MESSAGE_BYTES),
            others: Vec::new(),
        }
    }

    /// The same with one more field that is wrong: a caller that corrects its request needs all of them at once.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, message: impl Into<String>) -> Self {
        let (field, message) = (field.into(), message.into());
        let said: usize = self.others.iter().map(|(f, m)| f.len() + m.len()).sum();
        if self.message.len() + said + field.len() + message.len() < MOST_MESSAGE_BYTES {
            self.others.push((field, message));
        }
        self
    }

    /// The status: message in clear, field violation in `BadRequest`, reason and rule in `ErrorInfo`.
    pub fn to_status(&self) -> Status {
        let mut details = ErrorDetails::with_error_info(
            self.reason.as_str(),
            DOMAIN,
            HashMap::from([
                ("field".to_owned(), self.field.clone()),
                ("rule".to_owned(), self.rule.to_owned()),
            ]),
        );
        if !self.field.is_empty() {
            details.add_bad_request_violation(self.field.clone(), self.message.clone());
        }
        let mut message = if self.field.is_empty() {
            format!("{}: {}", self.reason, self.message)
        } else {
            format!("{}: {}: {}", self.reason, self.field, self.message)
        };
        for (field, text) in &self.others {
            details.add_bad_request_violation(field.clone(), text.clone());
            message.push_str(&format!("；{field}: {text}"));
        }
        Status::with_error_details(self.reason.code(), message, details)
    }
}

/// At most so many bytes of a text, and an ellipsis where something was left out.
pub fn cut_text(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most.saturating_sub('…'.len_utf8());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.to_status()
    }
}

/// A status for a failure that the caller cannot correct: the cause is logged here with what was
/// being done, and the caller learns only whether to try again.
pub fn internal_status(doing: &'static str, cause: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(doing, error = %error_chain(cause), "request failed");
    let message = format!("内部错误（{doing}），已记录，请稍后重试");
    Refusal::new(Reason::Internal, "", "the platform works", message).into()
}

/// A status for a failure of something that the service depends on and that may be back soon.
/// The write certainly did not happen only if the operation's documentation guarantees it; a retry with the same id is
/// safe.
pub fn unavailable_status(
    doing: &'static str,
    cause: &(dyn std::error::Error + 'static),
) -> Status {
    tracing::warn!(doing, error = %error_chain(cause), "dependency unavailable");
    let message = format!("服务暂不可用（{doing}），请用同一标识重试");
    let rule = "what the service depends on answers";
    Refusal::new(Reason::Unavailable, "", rule, message).into()
}

/// A database failure as a status: transient ones may be tried again, and a text with NUL, which PostgreSQL cannot
/// hold, is the caller's.
pub fn database_status(doing: &'static str, cause: &crate::db::Error) -> Status {
    if crate::db::is_invalid_text(cause) {
        Refusal::new(
            Reason::TextWithNul,
            "",
            "no text holds the character U+0000",
            "请求的文字中含有空字符（U+0000）",
        )
        .to_status()
    } else if crate::db::is_transient(cause) {
        unavailable_status(doing, cause)
    } else {
        internal_status(doing, cause)
    }
}

/// An error with its sources in one line, outermost intent first.
pub fn error_chain(error: &(dyn std::error::Error + 'static)) -> String {
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
    use tonic::Code;

    use super::*;

    #[test]
    fn a_refusal_names_field_and_rule_in_the_status() {
        let status = Refusal::new(
            Reason::DigestMismatch,
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

    #[test]
    fn several_fields_are_told_at_once_and_fit_into_the_headers() {
        let two = Refusal::new(Reason::RequestIncomplete, "a", "a rule", "缺少甲")
            .with_field("b", "缺少乙");
        let status = two.to_status();
        assert_eq!(status.message(), "REQUEST_INCOMPLETE: a: 缺少甲；b: 缺少乙");
        let details = status.get_error_details();
        let violations = &details.bad_request().unwrap().field_violations;
        assert_eq!((violations.len(), violations[1].field.as_str()), (2, "b"));
        let long = "长".repeat(5_000);
        let mut huge = Refusal::new(Reason::ItemUnknown, &long, "a rule", &long);
        for _ in 0..100 {
            huge = huge.with_field("field", &long).with_field("field", "短");
        }
        let status = huge.to_status();
        // As tonic writes them: the message in percent code, the details in base64.
        let headers = status.message().len() * 3 + status.details().len() * 4 / 3;
        assert!(headers < 14 * 1024, "{headers}");
        assert_eq!(cut_text("长长".to_owned(), 6), "长长");
        assert_eq!(cut_text("长长长".to_owned(), 8), "长…");
    }
}
