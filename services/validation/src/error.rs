//! What can go wrong, and what a caller is told. Called by `app` and `grpc`; `lib.rs` for the start.

use service_kit::{
    config::ConfigError,
    db,
    error::{Refusal, database, internal},
};
use tonic::{Code, Status};

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A secret cannot be read.
    #[error("validation.database_url cannot be read")]
    Config(#[from] ConfigError),
    /// Not an address of a database.
    #[error("validation.database_url is not a postgres:// address")]
    DatabaseUrl(#[source] db::Error),
    /// The calendar that ships with the program is broken.
    #[error("the built-in working-day calendar cannot be read")]
    Calendar(#[from] legal_clock::CalendarError),
}

/// Why a question cannot be answered.
#[derive(Debug, thiserror::Error)]
pub enum ValidationError {
    /// A provider asked for another's feedback.
    #[error("a provider reads only its own feedback")]
    NotOwnFeedback,
    /// Somebody without records of its own named no provider.
    #[error("provider_code is missing")]
    ProviderMissing,
    /// No such provider.
    #[error("the provider is not registered")]
    ProviderUnknown,
    /// Not a token of this list.
    #[error("page_token is not one that this list gave")]
    PageToken,
    /// Too many rows at once.
    #[error("page_size is over {0}")]
    PageSize(u32),
    /// Not a UUID.
    #[error("record_id is not a UUID")]
    RecordId,
    /// No verdict of that version that the caller may see.
    #[error("there is no verdict of that version for this caller")]
    VerdictUnknown,
    /// The database failed.
    #[error("database: {doing}")]
    Database {
        /// What was being done, Chinese.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: db::Error,
    },
    /// Something sealed does not open: a key is missing, or the row was changed by another hand.
    #[error("{what} does not open")]
    Sealed {
        /// Which column.
        what: &'static str,
        /// Why.
        #[source]
        source: vault::OpenError,
    },
    /// Something sealed opened, but is not what was sealed.
    #[error("{what} does not decode")]
    Content {
        /// Which column.
        what: &'static str,
        /// Why.
        #[source]
        source: prost::DecodeError,
    },
    /// A record key is text.
    #[error("a sealed record key is not UTF-8")]
    RecordKey(#[source] std::string::FromUtf8Error),
}

impl From<ValidationError> for Status {
    fn from(error: ValidationError) -> Self {
        let refuse = |code, reason, field: &str, rule, message: &str| {
            Refusal::field(code, reason, field, rule, message).to_status()
        };
        match &error {
            ValidationError::NotOwnFeedback => refuse(
                Code::PermissionDenied,
                "NOT_OWN_FEEDBACK",
                "provider_code",
                "a provider reads only its own feedback",
                "只能查看本单位的反馈",
            ),
            ValidationError::ProviderMissing => refuse(
                Code::InvalidArgument,
                "PROVIDER_CODE_MISSING",
                "provider_code",
                "callers that are no provider name one",
                "请填写信息提供主体的统一社会信用代码",
            ),
            ValidationError::ProviderUnknown => refuse(
                Code::NotFound,
                "PROVIDER_UNKNOWN",
                "provider_code",
                "the provider is in the registry",
                "没有登记该信息提供主体",
            ),
            ValidationError::PageToken => refuse(
                Code::InvalidArgument,
                "PAGE_TOKEN_INVALID",
                "page_token",
                "page_token is a next_page_token of this list",
                "翻页标识无效，请从第一页重新查询",
            ),
            ValidationError::PageSize(most) => refuse(
                Code::InvalidArgument,
                "PAGE_SIZE_TOO_LARGE",
                "page_size",
                "1 to 1000, or 0 for 100",
                &format!("每页最多{most}条"),
            ),
            ValidationError::RecordId => refuse(
                Code::InvalidArgument,
                "RECORD_ID_INVALID",
                "record_id",
                "record_id is a UUID",
                "记录标识不是UUID",
            ),
            ValidationError::VerdictUnknown => refuse(
                Code::NotFound,
                "VERDICT_UNKNOWN",
                "record_id",
                "the version is the caller's own and was judged",
                "没有该记录的校验结果：标识有误、不属于本单位，或尚在处理",
            ),
            ValidationError::Database { doing, source } => database(doing, source),
            ValidationError::Sealed { .. }
            | ValidationError::Content { .. }
            | ValidationError::RecordKey(_) => internal("读取已加密内容", &error),
        }
    }
}
