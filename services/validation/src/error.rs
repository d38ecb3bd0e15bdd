//! The errors of validation and the refusal of each, in one exhaustive match. Called by every module that answers a
//! request.

use legal_clock::format_day;
use service_kit::{
    blocking::Stopping,
    db,
    error::{Refusal, database_status, internal_status},
    reason::Reason,
};
use time::Date;
use tonic::Status;

/// Why a request is refused or fails.
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
    /// The caller is no organisation, so it can be no provider.
    #[error("the caller is no registered provider")]
    CallerNotRegistered,
    /// A page, an id or a code that is missing or cannot be read.
    #[error("{}: {}", .0.field, .0.rule)]
    Refused(Refusal),
    /// No verdict of that version that the caller may see.
    #[error("there is no verdict of that version for this caller")]
    VerdictUnknown,
    /// Not a cursor of this feed.
    #[error("cursor is not one that this feed gave")]
    Cursor,
    /// No such case of the caller.
    #[error("there is no such case of this caller")]
    CaseUnknown,
    /// The case is closed, and not by this attestation.
    #[error("the case is closed")]
    CaseClosed,
    /// No name of an attester.
    #[error("attester does not have 2 to 100 characters")]
    Attester,
    /// No statement.
    #[error("statement does not have 2 to 1000 characters")]
    Statement,
    /// Errors that cannot be confirmed: codes and fields, without values.
    #[error("errors that nobody may answer for: {0}")]
    NotConfirmable(String),
    /// A higher revision was accepted, or ended the record.
    #[error("a newer version of the record stands")]
    Superseded,
    /// The case was opened before originals were stored with it.
    #[error("the original was not kept with the case")]
    ContentNotKept,
    /// The definition by which the record was judged cannot be used.
    #[error("the item version of the case cannot be used")]
    DefinitionUnusable,
    /// Another transaction was faster; a retry may pass.
    #[error("overtaken by another transaction")]
    Overtaken,
    /// The process is stopping.
    #[error(transparent)]
    Stopping(#[from] Stopping),
    /// None, or too many at once.
    #[error("1 to {most} records")]
    RecordsCount {
        /// The limit.
        most: usize,
    },
    /// A record of a dry run that cannot be judged.
    #[error("records[{index}]: {fault}")]
    DryRun {
        /// Which record.
        index: usize,
        /// What is wrong with it.
        fault: DryRunFault,
    },
    /// The database failed.
    #[error("database: {doing}")]
    Database {
        /// What was being done, Chinese.
        doing: &'static str,
        /// Why it failed.
        #[source]
        source: db::Error,
    },
    /// Something sealed does not open: a key is missing, or the row was changed from outside.
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

/// What is wrong with a record of a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DryRunFault {
    /// No such item.
    #[error("the item is not published")]
    ItemUnknown,
    /// No such version.
    #[error("the item has no such version")]
    ItemVersionUnknown,
    /// No version is in force, because none has begun.
    #[error("no version of the item is in force yet")]
    NotYetInForce {
        /// First day of the first version.
        from: Option<Date>,
    },
    /// The definition cannot be used.
    #[error("the item version cannot be used")]
    DefinitionUnusable,
    /// Neither JSON nor a CSV row.
    #[error("content_type is not one of records")]
    ContentType,
}

impl ValidationError {
    /// For `map_err`: a database error with what was being done, Chinese.
    pub(crate) fn database(doing: &'static str) -> impl Fn(db::Error) -> Self + Copy {
        move |source| Self::Database { doing, source }
    }
}

impl From<Refusal> for ValidationError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<ValidationError> for Status {
    fn from(error: ValidationError) -> Self {
        match &error {
            ValidationError::NotOwnFeedback => Refusal::new(
                Reason::NotOwnFeedback,
                "provider_code",
                "a provider reads only its own feedback",
                "只能查看本单位的反馈",
            )
            .into(),
            ValidationError::ProviderMissing => Refusal::new(
                Reason::ProviderCodeMissing,
                "provider_code",
                "callers that are no provider name one",
                "请填写信息提供主体的统一社会信用代码",
            )
            .into(),
            ValidationError::ProviderUnknown => Refusal::new(
                Reason::ProviderUnknown,
                "provider_code",
                "the provider is in the registry",
                "没有登记该信息提供主体",
            )
            .into(),
            ValidationError::CallerNotRegistered => Refusal::new(
                Reason::ProviderNotRegistered,
                "authorization",
                "the caller is a provider of the registry",
                "身份令牌未载明信用信息提供主体",
            )
            .into(),
            ValidationError::Refused(refusal) => refusal.to_status(),
            ValidationError::VerdictUnknown => Refusal::new(
                Reason::VerdictUnknown,
                "record_id",
                "the version is the caller's own and was judged",
                "没有该记录的校验结果：标识有误、不属于本单位，或尚在处理",
            )
            .into(),
            ValidationError::Cursor => Refusal::new(
                Reason::CursorInvalid,
                "cursor",
                "cursor is one that this feed gave",
                "续接标识无效或者不属于该单位，请从头开始",
            )
            .into(),
            ValidationError::CaseUnknown => Refusal::new(
                Reason::CaseUnknown,
                "case_id",
                "the case is the caller's own",
                "没有该反馈：标识有误或者不属于本单位",
            )
            .into(),
            ValidationError::CaseClosed => Refusal::new(
                Reason::CaseClosed,
                "case_id",
                "the case is open",
                "该反馈已经办结",
            )
            .into(),
            ValidationError::Attester => Refusal::new(
                Reason::AttesterInvalid,
                "attester",
                "2 to 100 characters, no control characters",
                "请填写确认人姓名（2至100字）",
            )
            .into(),
            ValidationError::Statement => Refusal::new(
                Reason::StatementInvalid,
                "statement",
                "2 to 1000 characters, no control characters",
                "请填写确认依据（2至1000字）",
            )
            .into(),
            ValidationError::NotConfirmable(findings) => Refusal::new(
                Reason::NotConfirmable,
                "case_id",
                "every error of the record may be confirmed",
                format!("以下问题不能以确认方式办结，请更正后重新报送：{findings}"),
            )
            .into(),
            ValidationError::Superseded => Refusal::new(
                Reason::Superseded,
                "case_id",
                "no newer version of the record was accepted, revoked or withdrawn",
                "该记录已有更新的有效版本或者已撤销，不能再确认本版本",
            )
            .into(),
            ValidationError::ContentNotKept => Refusal::new(
                Reason::ContentNotKept,
                "case_id",
                "the original was kept with the case",
                "该反馈未保存原文，请重新报送",
            )
            .into(),
            ValidationError::DefinitionUnusable => Refusal::new(
                Reason::DefinitionUnusable,
                "case_id",
                "the item version can be used",
                "该记录依据的目录版本暂不可用，请联系信用办",
            )
            .into(),
            ValidationError::Overtaken => Refusal::new(
                Reason::Overtaken,
                "",
                "the same request may be sent again",
                "数据正在变化，请稍后重试",
            )
            .into(),
            ValidationError::Stopping(stopping) => (*stopping).into(),
            ValidationError::RecordsCount { most } => Refusal::new(
                Reason::RecordsCountInvalid,
                "records",
                "1 to 200 records",
                format!("每次试校验1至{most}条记录"),
            )
            .into(),
            ValidationError::DryRun { index, fault } => dry_run_refusal(*index, *fault).into(),
            ValidationError::Database { doing, source } => database_status(doing, source),
            ValidationError::Sealed { .. }
            | ValidationError::Content { .. }
            | ValidationError::RecordKey(_) => internal_status("读取已加密内容", &error),
        }
    }
}

fn dry_run_refusal(index: usize, fault: DryRunFault) -> Refusal {
    let (reason, field, rule, message) = match fault {
        DryRunFault::ItemUnknown => (
            Reason::ItemUnknown,
            "item_code",
            "an item of the catalogue",
            "目录中没有该事项",
        ),
        DryRunFault::ItemVersionUnknown => (
            Reason::ItemVersionUnknown,
            "item_version",
            "a published version of the item, or 0 for the one in force",
            "该事项没有这个版本",
        ),
        DryRunFault::NotYetInForce { from } => {
            let from = from.map_or_else(String::new, |day| {
                format!("，首个版本自{}起施行", format_day(day))
            });
            return Refusal::new(
                Reason::ItemVersionNotYetInForce,
                format!("records[{index}].item_version"),
                "0 only where a version of the item is in force",
                format!("该事项目前没有现行版本{from}"),
            );
        }
        DryRunFault::DefinitionUnusable => (
            Reason::DefinitionUnusable,
            "item_version",
            "the item version can be used",
            "该目录版本暂不可用，请联系信用办",
        ),
        DryRunFault::ContentType => (
            Reason::ContentTypeInvalid,
            "content_type",
            "application/json or text/csv",
            "内容类型应为application/json或者text/csv",
        ),
    };
    Refusal::new(reason, format!("records[{index}].{field}"), rule, message)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn the_table_of_reasons_gives_a_refusal_its_code() {
        let unknown = ValidationError::DryRun {
            index: 3,
            fault: DryRunFault::ItemVersionUnknown,
        };
        let status = Status::from(unknown);
        assert_eq!(status.code(), Code::NotFound);
        let message = status.message();
        assert!(
            message.starts_with("ITEM_VERSION_UNKNOWN: records[3].item_version: "),
            "{message}"
        );
        let status = Status::from(ValidationError::from(Stopping));
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().starts_with("STOPPING"), "{status}");
    }

    #[test]
    fn a_database_failure_hides_its_cause() {
        let error = ValidationError::database("查询")(db::Error::RowNotFound);
        let status = Status::from(error);
        assert_eq!(status.code(), Code::Internal);
        assert!(!status.message().contains("row"), "{}", status.message());
    }
}
