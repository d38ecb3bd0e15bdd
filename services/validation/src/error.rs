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
    /// Not a cursor that this feed gave.
    #[error("cursor is not one that this feed gave")]
    Cursor,
    /// Not a UUID.
    #[error("case_id is not a UUID")]
    CaseId,
    /// No such case of the caller.
    #[error("there is no such case of this caller")]
    CaseUnknown,
    /// The case is closed, by something else than this word.
    #[error("the case is closed")]
    CaseClosed,
    /// No name of an attester.
    #[error("attester does not have 2 to 100 characters")]
    Attester,
    /// No statement.
    #[error("statement does not have 2 to 1000 characters")]
    Statement,
    /// Errors for which nobody's word helps: codes and fields, without values.
    #[error("errors that nobody may answer for: {0}")]
    NotConfirmable(String),
    /// A higher revision stands, or ended the record.
    #[error("a newer version of the record stands")]
    Superseded,
    /// A case from before originals were kept with it.
    #[error("the original was not kept with the case")]
    ContentNotKept,
    /// The definition by which the record was judged cannot be used.
    #[error("the item version cannot be used")]
    ItemUnusable,
    /// Something else was faster, or the process is stopping; the same again may pass.
    #[error("overtaken by another transaction")]
    Overtaken,
    /// None, or too many at once.
    #[error("1 to {0} records")]
    DryRunSize(usize),
    /// No such item or version.
    #[error("records[{0}] names no item version that can be judged by")]
    DryRunItem(usize),
    /// Neither JSON nor a CSV row.
    #[error("records[{0}].content_type is not one of records")]
    DryRunContentType(usize),
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
            ValidationError::Cursor => refuse(
                Code::InvalidArgument,
                "CURSOR_INVALID",
                "cursor",
                "cursor is one that this feed gave",
                "续接标识无效或者不属于该单位，请从头开始",
            ),
            ValidationError::CaseId => refuse(
                Code::InvalidArgument,
                "CASE_ID_INVALID",
                "case_id",
                "case_id is a UUID",
                "反馈标识不是UUID",
            ),
            ValidationError::CaseUnknown => refuse(
                Code::NotFound,
                "CASE_UNKNOWN",
                "case_id",
                "the case is the caller's own",
                "没有该反馈：标识有误或者不属于本单位",
            ),
            ValidationError::CaseClosed => refuse(
                Code::FailedPrecondition,
                "CASE_CLOSED",
                "case_id",
                "the case is open",
                "该反馈已经办结",
            ),
            ValidationError::Attester => refuse(
                Code::InvalidArgument,
                "ATTESTER_INVALID",
                "attester",
                "2 to 100 characters, no control characters",
                "请填写确认人姓名（2至100字）",
            ),
            ValidationError::Statement => refuse(
                Code::InvalidArgument,
                "STATEMENT_INVALID",
                "statement",
                "2 to 1000 characters, no control characters",
                "请填写确认依据（2至1000字）",
            ),
            ValidationError::NotConfirmable(findings) => refuse(
                Code::FailedPrecondition,
                "NOT_CONFIRMABLE",
                "case_id",
                "every error of the record may be confirmed",
                &format!("以下问题不能以确认方式办结，请更正后重新报送：{findings}"),
            ),
            ValidationError::Superseded => refuse(
                Code::FailedPrecondition,
                "SUPERSEDED",
                "case_id",
                "no newer version of the record was accepted, revoked or withdrawn",
                "该记录已有更新的有效版本或者已撤销，不能再确认本版本",
            ),
            ValidationError::ContentNotKept => refuse(
                Code::FailedPrecondition,
                "CONTENT_NOT_KEPT",
                "case_id",
                "the original was kept with the case",
                "该反馈未保存原文，请重新报送",
            ),
            ValidationError::ItemUnusable => refuse(
                Code::FailedPrecondition,
                "ITEM_UNUSABLE",
                "case_id",
                "the item version can be used",
                "该记录依据的目录版本暂不可用，请联系信用办",
            ),
            ValidationError::Overtaken => refuse(
                Code::Unavailable,
                "OVERTAKEN",
                "",
                "the same request may be sent again",
                "数据正在变化，请稍后重试",
            ),
            ValidationError::DryRunSize(most) => refuse(
                Code::InvalidArgument,
                "RECORDS_COUNT",
                "records",
                "1 to 200 records",
                &format!("每次试校验1至{most}条记录"),
            ),
            ValidationError::DryRunItem(index) => refuse(
                Code::NotFound,
                "ITEM_UNKNOWN",
                &format!("records[{index}].item_code"),
                "the item version is published and can be used",
                "目录中没有该事项或者该版本",
            ),
            ValidationError::DryRunContentType(index) => refuse(
                Code::InvalidArgument,
                "CONTENT_TYPE_UNKNOWN",
                &format!("records[{index}].content_type"),
                "application/json or text/csv",
                "内容类型应为application/json或者text/csv",
            ),
            ValidationError::Database { doing, source } => database(doing, source),
            ValidationError::Sealed { .. }
            | ValidationError::Content { .. }
            | ValidationError::RecordKey(_) => internal("读取已加密内容", &error),
        }
    }
}
