//! The errors of disclosure and the gRPC status of each, in one exhaustive match. Called by every module that answers a
//! request.

use service_kit::{
    db,
    error::{Refusal, database_status, internal_status},
    reason::Reason,
};
use tonic::Status;

/// An error of a request.
#[derive(Debug, thiserror::Error)]
pub enum DisclosureError {
    /// Nothing that the caller may see. Absent, superseded, ended, unpublished and about a person are one answer,
    /// so that it hints at nothing.
    #[error("nothing is disclosed under this name")]
    NotFound,
    /// A part of a name is too short.
    #[error("{field} has fewer than two characters of a name")]
    QueryTooShort {
        /// Field of the request.
        field: &'static str,
    },
    /// A text is too long.
    #[error("{field} has more than 200 characters")]
    QueryTooLong {
        /// Field of the request.
        field: &'static str,
    },
    /// Not a date.
    #[error("{field} is not a date YYYY-MM-DD")]
    Date {
        /// Field of the request.
        field: &'static str,
    },
    /// The period of a list ends before it begins.
    #[error("decided_from lies after decided_to")]
    PeriodReversed,
    /// Not a credit code.
    #[error("credit_code is not a unified social credit code")]
    CreditCode,
    /// The token names neither a person nor an organisation.
    #[error("the token names no subject")]
    NoSubject,
    /// A stored record does not open.
    #[error("sealed record does not open")]
    Sealed(#[source] vault::OpenError),
    /// An opened record cannot be decoded.
    #[error("opened record is unreadable")]
    Record(#[source] prost::DecodeError),
    /// A stored item definition is unreadable.
    #[error("stored catalogue item is unreadable")]
    Definition(#[source] serde_json::Error),
    /// The database failed.
    #[error("database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: db::Error,
    },
}

impl DisclosureError {
    /// Wraps a database failure with what was being done.
    pub fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }
}

impl From<DisclosureError> for Status {
    fn from(error: DisclosureError) -> Self {
        match &error {
            DisclosureError::NotFound => Refusal::new(
                Reason::NotDisclosed,
                "",
                "only current records of organisations within their term are disclosed",
                "没有可以公开的信息",
            )
            .into(),
            DisclosureError::QueryTooShort { field } => Refusal::new(
                Reason::QueryTooShort,
                *field,
                "a credit code or at least two characters of a name",
                "请输入统一社会信用代码，或者名称中的至少两个字",
            )
            .into(),
            DisclosureError::QueryTooLong { field } => Refusal::new(
                Reason::QueryTooLong,
                *field,
                "at most 200 characters",
                "查询内容不能超过200个字",
            )
            .into(),
            DisclosureError::Date { field } => Refusal::new(
                Reason::DateInvalid,
                *field,
                "a date YYYY-MM-DD",
                "日期格式应为“年-月-日”，例如2026-01-31",
            )
            .into(),
            DisclosureError::PeriodReversed => Refusal::new(
                Reason::PeriodReversed,
                "decided_from",
                "decided_from is not after decided_to",
                "起始日期不能晚于截止日期",
            )
            .into(),
            DisclosureError::CreditCode => Refusal::new(
                Reason::CreditCodeInvalid,
                "credit_code",
                "a unified social credit code of GB 32100 with right check characters",
                "统一社会信用代码格式或校验码不正确",
            )
            .into(),
            DisclosureError::NoSubject => Refusal::new(
                Reason::SubjectMissing,
                "authorization",
                "a subject's token names a person's document or an organisation",
                "身份令牌未载明信用主体，无法查询本人（本单位）信息",
            )
            .into(),
            DisclosureError::Sealed(_) | DisclosureError::Record(_) => {
                internal_status("读取信用信息", &error)
            }
            DisclosureError::Definition(_) => internal_status("读取信用信息目录", &error),
            DisclosureError::Database { doing, source } => database_status(doing, source),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn not_found_says_nothing_more() {
        let status = Status::from(DisclosureError::NotFound);
        assert_eq!(status.code(), Code::NotFound);
        assert_eq!(status.message(), "NOT_DISCLOSED: 没有可以公开的信息");
    }

    #[test]
    fn a_database_failure_hides_its_cause() {
        let error = DisclosureError::database("查询")(db::Error::RowNotFound);
        let status = Status::from(error);
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("row"), "{}", status.message());
    }
}
