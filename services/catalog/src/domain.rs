//! The rules of catalog. Pure: time, registry and what is published always come in as arguments. Called
//! by `app`; `jobs` and `grpc` call it through `app`.
//!
//! - [`version`]: which item version may follow which, which is in force, retirement
//! - [`draft`]: the way of a draft from an organ through the review of the credit office
//! - [`rights`]: whose catalogue is whose, who may do and see what (R-5, D-25)
//! - [`duty`]: the clock of 15 working days (R-6, D-17)
//! - [`list`](mod@list): versions of code lists
//! - [`provider`], [`contact`]: the registry of providers
//! - [`page`]: the lists that come in pages

pub mod contact;
pub mod draft;
pub mod duty;
pub mod list;
pub mod page;
pub mod provider;
pub mod rights;
pub mod version;

use std::borrow::Cow;

use service_kit::reason::Reason;

/// Most bytes of one definition. The standard items have about 15 KiB; the limit keeps an event far
/// below what one message on the bus may hold.
pub const MAX_DEFINITION_BYTES: usize = 256 * 1024;

/// Most bytes of a definition as JSON, with the values of its code lists: what travels in an event and what GetItem
/// answers.
pub const MAX_EXPANDED_BYTES: usize = 1024 * 1024;

/// Most characters of a name, a title, a document number or a phone number.
pub const MAX_NAME_CHARS: usize = 200;

/// Most characters of a reason.
pub const MAX_REASON_CHARS: usize = 2_000;

/// A rule that a command broke: reason, field, rule, and the text for people. Data and not a variant each of
/// [`CatalogError`](crate::error::CatalogError), since no code of ours tells the rules apart and each has its field and
/// text where it is checked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {rule} ({message})")]
pub struct CatalogRuleViolation {
    /// Row of the table of reasons, which also has the gRPC code.
    pub reason: Reason,
    /// Path of the field in the request.
    pub field: Cow<'static, str>,
    /// The rule, in English.
    pub rule: &'static str,
    /// Text for the officer, Chinese.
    pub message: String,
}

impl CatalogRuleViolation {
    /// All at once.
    pub fn new(
        reason: Reason,
        field: impl Into<Cow<'static, str>>,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            reason,
            field: field.into(),
            rule,
            message: message.into(),
        }
    }
}

/// A text that somebody wrote: not blank, no space around it, no control characters but line ends, at most
/// `most` characters.
///
/// # Errors
/// The rule that is broken, under `reason` and `field`.
pub fn given_text(
    text: &str,
    reason: Reason,
    field: &'static str,
    most: usize,
) -> Result<String, CatalogRuleViolation> {
    let broken = |rule, message: String| CatalogRuleViolation::new(reason, field, rule, message);
    if text.trim().is_empty() {
        return Err(broken("the text is not blank", "不能为空".to_owned()));
    }
    if text.trim() != text || text.chars().any(|c| c.is_control() && c != '\n') {
        return Err(broken(
            "the text has no space around it and no control characters",
            "首尾不能有空白，也不能含控制字符".to_owned(),
        ));
    }
    if text.chars().count() > most {
        return Err(broken(
            "the text is not longer than its limit",
            format!("最多{most}个字符"),
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests;
