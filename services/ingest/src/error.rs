//! The errors of ingest and the refusal of each: reason, field and rule, in exhaustive matches. Called by every module
//! that answers; records of streams carry their [`Refusal`] in a message.

mod definition;
mod form;

use credit_record::item::ItemError;
use record_ref::Malformed;
use service_kit::{
    blocking::{BlockingError, Stopping},
    db,
    error::{Refusal, database_status, error_chain, internal_status},
    reason::Reason,
};
use tonic::Status;

use crate::domain::IngestRuleViolation;
use definition::{unnamed_definition, unusable_definition};
pub use form::{FormError, MAX_CONTENT_BYTES};

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
    /// The form of a submission is wrong.
    #[error("the form of the submission is wrong: {0:?}")]
    Form(FormError),
    /// A rule does not allow it.
    #[error("refused: {0:?}")]
    Rule(IngestRuleViolation),
    /// What the kit refuses: a page that the list does not have.
    #[error("refused: {}", .0.reason)]
    Refused(Refusal),
    /// `resume_token` is not one that was given.
    #[error("resume_token was not given here")]
    ResumeToken,
    /// `resume_token` was given to another provider.
    #[error("resume_token was given to another provider")]
    ResumeTokenForeign,
    /// `resume_token` is sent where none is allowed.
    #[error("resume_token stands where none may")]
    ResumeTokenMisplaced,
    /// `reload_id` is empty, too long, or has a slash.
    #[error("reload_id has the wrong form")]
    ReloadId,
    /// A step of a reload comes in place of another one.
    #[error("another step than {expected} must come")]
    ReloadStep {
        /// The step expected.
        expected: &'static str,
    },
    /// A replay of no definition.
    #[error("no definition is offered")]
    DefinitionMissing,
    /// The text of a definition is too long.
    #[error("the definition is too large")]
    DefinitionTooLarge,
    /// `received_to` is before `received_from`.
    #[error("received_to is before received_from")]
    ReceivedReversed,
    /// `pinned_versions` has what is no version, or too many.
    #[error("pinned_versions has what is no version")]
    PinnedVersions,
    /// No submission of the caller was answered with a receipt under this id.
    #[error("no receipt under this submission id")]
    SubmissionUnknown,
    /// No version of this id, or none that the caller may read.
    #[error("no original of this id for the caller")]
    OriginalUnknown,
    /// The registry never named this provider.
    #[error("provider_code is not registered")]
    ProviderUnknown,
    /// Nothing was published under this code.
    #[error("no item of this code is published")]
    PublishedItemUnknown,
    /// The item has no such version.
    #[error("the item has no such version")]
    PublishedVersionUnknown,
    /// The version was announced before definitions were kept.
    #[error("the definition of the version is not kept")]
    DefinitionUnknown,
    /// The definition that is kept is none to this program.
    #[error("a kept definition cannot be used")]
    DefinitionUnusable(#[source] ItemError),
    /// The definition offered is unreadable or contradicts itself.
    #[error("the definition is refused")]
    Definition(#[source] ItemError),
    /// The item code of the definition offered is one that no original could be pinned to.
    #[error("the definition has no item")]
    DefinitionUnnamed(#[source] Malformed),
    /// As many replays run as may.
    #[error("too many replays run")]
    ReplaysBusy,
    /// The service is stopping.
    #[error(transparent)]
    Stopping(#[from] Stopping),
    /// A task of the blocking pool panicked or was cancelled.
    #[error(transparent)]
    Blocking(#[from] BlockingError),
    /// The outcome of the commit is unknown; the caller finds out by repeating the request under the same id.
    #[error("not committed")]
    NotCommitted(#[source] db::Error),
    /// The database failed.
    #[error("database failed while {doing}")]
    Database {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: db::Error,
    },
    /// What is kept sealed does not open, or is not what was sealed.
    #[error("sealed content is damaged")]
    Damaged {
        /// What was being done.
        doing: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl IngestError {
    /// For `map_err`: a database error with what was being done.
    pub fn database(doing: &'static str) -> impl FnOnce(db::Error) -> Self {
        move |source| Self::Database { doing, source }
    }

    /// For `map_err`: sealed content that is damaged, with what was being done.
    pub fn damaged<E>(doing: &'static str) -> impl FnOnce(E) -> Self
    where
        E: std::error::Error + Send + Sync + 'static,
    {
        move |source| Self::Damaged {
            doing,
            source: Box::new(source),
        }
    }
}

impl From<FormError> for IngestError {
    fn from(error: FormError) -> Self {
        Self::Form(error)
    }
}

impl From<IngestRuleViolation> for IngestError {
    fn from(violation: IngestRuleViolation) -> Self {
        Self::Rule(violation)
    }
}

impl From<Refusal> for IngestError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<IngestError> for Status {
    fn from(error: IngestError) -> Self {
        let (reason, field, rule, message) = match error {
            IngestError::Form(error) => return Refusal::from(error).into(),
            IngestError::Rule(violation) => return Refusal::from(violation).into(),
            IngestError::Refused(refusal) => return refusal.into(),
            IngestError::Stopping(stopping) => return stopping.into(),
            IngestError::Blocking(error) => return error.into(),
            IngestError::NotCommitted(cause) => {
                tracing::warn!(error = %error_chain(&cause), "not committed");
                return not_committed(&cause).into();
            }
            IngestError::Database { doing, source } => return database_status(doing, &source),
            IngestError::Damaged { doing, .. } => return internal_status(doing, &error),
            IngestError::Definition(cause) => return unusable_definition(&cause).into(),
            IngestError::DefinitionUnnamed(malformed) => {
                return unnamed_definition(malformed).into();
            }
            IngestError::DefinitionUnusable(cause) => {
                tracing::warn!(error = %error_chain(&cause), "a kept definition cannot be used");
                (
                    Reason::DefinitionUnusable,
                    "published",
                    "a version whose definition this program can use",
                    "该版本的定义本程序无法使用",
                )
            }
            IngestError::ResumeToken => (
                Reason::ResumeTokenInvalid,
                "resume_token",
                "the resume_token of an answer, unchanged",
                "续传标记无效，请使用最后一次应答中的标记，或者从头报送",
            ),
            IngestError::ResumeTokenForeign => (
                Reason::ResumeTokenForeign,
                "resume_token",
                "given to the caller's own provider",
                "该续传标记属于其他单位",
            ),
            IngestError::ResumeTokenMisplaced => (
                Reason::ResumeTokenMisplaced,
                "resume_token",
                "only in the first request of a stream, which then has no submission",
                "续传标记只能单独放在数据流的第一个请求中",
            ),
            IngestError::ReloadId => (
                Reason::ReloadIdInvalid,
                "reload_id",
                "1 to 64 characters without slashes and control characters",
                "全量报送编号须为 1 至 64 个字符，不含斜线和控制字符",
            ),
            IngestError::ReloadStep { expected } => (
                Reason::ReloadStepMisplaced,
                expected,
                "begin once, then records, then end once",
                "全量报送须依次为：开始、逐条记录、结束",
            ),
            IngestError::DefinitionMissing => (
                Reason::DefinitionMissing,
                "offered",
                "definition_toml or published",
                "请提交定义文本，或者指明已发布的事项版本",
            ),
            IngestError::DefinitionTooLarge => (
                Reason::DefinitionTooLarge,
                "definition_toml",
                "at most 1 MiB (1048576 bytes)",
                "定义文本不得超过 1 MiB",
            ),
            IngestError::ReceivedReversed => (
                Reason::PeriodReversed,
                "received_to",
                "not before received_from",
                "接收日期的止日不得早于起日",
            ),
            IngestError::PinnedVersions => (
                Reason::PinnedVersionsInvalid,
                "pinned_versions",
                "at most 100 numbers from 1",
                "版本号须为正整数，最多 100 个",
            ),
            IngestError::SubmissionUnknown => (
                Reason::SubmissionUnknown,
                "submission_id",
                "a submission of the caller that was answered with a receipt",
                "没有该申报编号的回执",
            ),
            IngestError::OriginalUnknown => (
                Reason::RecordUnknown,
                "record_id",
                "a version that the caller may read",
                "没有该记录",
            ),
            IngestError::ProviderUnknown => (
                Reason::ProviderUnknown,
                "provider_code",
                "a provider of the registry, or empty",
                "没有登记该信息提供主体",
            ),
            IngestError::PublishedItemUnknown => (
                Reason::ItemUnknown,
                "published.item_code",
                "an item of the catalogue",
                "目录中没有该事项",
            ),
            IngestError::PublishedVersionUnknown => (
                Reason::ItemVersionUnknown,
                "published.item_version",
                "a published version of the item",
                "该事项没有这个版本",
            ),
            IngestError::DefinitionUnknown => (
                Reason::DefinitionUnknown,
                "published",
                "a version whose definition is kept here",
                "该版本发布时未保存定义，请改为提交定义文本",
            ),
            IngestError::ReplaysBusy => (
                Reason::ReplaysBusy,
                "",
                "only a few replays run at the same time",
                "正在进行的规则试算已达上限，请待其结束后再试",
            ),
        };
        Refusal::new(reason, field, rule, message).into()
    }
}

impl From<IngestRuleViolation> for Refusal {
    fn from(violation: IngestRuleViolation) -> Self {
        match violation {
            IngestRuleViolation::SubmissionIdReused => Self::new(
                Reason::SubmissionIdReused,
                "submission_id",
                "one submission id names one content for ever",
                "该申报编号已用于其他内容，请换用新的申报编号",
            ),
            IngestRuleViolation::RecordUnknown => Self::new(
                Reason::RecordUnknown,
                "record_key",
                "what is revoked or withdrawn was reported before, by the caller under the same item and key",
                "本单位未以该主键报送过该事项的记录，无法撤销或者撤回",
            ),
            IngestRuleViolation::ReloadEnded => Self::new(
                Reason::ReloadEnded,
                "reload_id",
                "a reload that has ended takes no further records",
                "该次全量报送已经结束，请另用编号重新开始",
            ),
            IngestRuleViolation::ReloadIdReused => Self::new(
                Reason::ReloadIdReused,
                "reload_id",
                "one reload id names one item and version for ever",
                "该全量报送编号已用于其他事项或者版本，请换用新的编号",
            ),
            IngestRuleViolation::ReloadIncomplete {
                declared,
                received,
                refused,
            } => Self::new(
                Reason::ReloadIncomplete,
                "records",
                "the distinct record keys sent under the reload id are those that arrived",
                format!(
                    "称报送 {declared} 条，实收 {received} 条，本次退回 {refused} 条，数目不符，请补报后再结束"
                ),
            ),
            IngestRuleViolation::ReloadEndedOtherwise { declared } => Self::new(
                Reason::ReloadEnded,
                "records",
                "a reload that has ended is ended again with the same number only",
                format!("该次全量报送已按 {declared} 条结束"),
            ),
            IngestRuleViolation::PeriodReversed => Self::new(
                Reason::PeriodReversed,
                "period_to",
                "not before period_from",
                "零报告的止日不得早于起日",
            ),
            IngestRuleViolation::PeriodTooLong => Self::new(
                Reason::PeriodTooLong,
                "period_to",
                "a year from period_from at most",
                "一次零报告的期间最长为一年",
            ),
            IngestRuleViolation::PeriodNotOver { today } => Self::new(
                Reason::PeriodNotOver,
                "period_to",
                "not after today, the day of receipt in Changsha",
                format!("零报告的止日不得晚于今天（{today}）"),
            ),
            IngestRuleViolation::NilReportContradicted => Self::new(
                Reason::NilReportContradicted,
                "period_from",
                "no version of the item was received from the caller within the period",
                "所报期间内收到过本单位该事项的记录，不能作零报告",
            ),
            IngestRuleViolation::ProviderNotRegistered => Self::new(
                Reason::ProviderNotRegistered,
                "authorization",
                "the caller is a provider of the registry",
                "该单位未登记为信用信息提供主体",
            ),
            IngestRuleViolation::ProviderDisabled => Self::new(
                Reason::ProviderDisabled,
                "authorization",
                "the caller is enabled in the registry",
                "该单位的信息提供资格已停用",
            ),
            IngestRuleViolation::ProviderNotYetValid { from } => Self::new(
                Reason::ProviderNotYetValid,
                "authorization",
                "the day of receipt is not before valid_from of the registration",
                format!("该单位自 {from} 起方可报送信用信息"),
            ),
            IngestRuleViolation::ProviderExpired { until } => Self::new(
                Reason::ProviderExpired,
                "authorization",
                "the day of receipt is not after valid_until of the registration",
                format!("该单位的信息提供资格已于 {until} 届满"),
            ),
            IngestRuleViolation::ItemUnknown => Self::new(
                Reason::ItemUnknown,
                "item_code",
                "an item of the catalogue",
                "目录中没有该事项",
            ),
            IngestRuleViolation::ItemVersionUnknown => Self::new(
                Reason::ItemVersionUnknown,
                "item_version",
                "a published version of the item, or 0 for the one in force",
                "该事项没有这个版本",
            ),
            IngestRuleViolation::ItemVersionNotYetInForce { version, from } => Self::new(
                Reason::ItemVersionNotYetInForce,
                "item_version",
                "the day of receipt is not before effective_from of the version",
                format!("该事项的第 {version} 版自 {from} 起施行，此前不能按该版本报送"),
            ),
            IngestRuleViolation::ItemRetired(retirement) => {
                let from = retirement.from;
                let instead = retirement.successor.map_or_else(
                    || "没有替代事项".to_owned(),
                    |s| format!("请改报“{}”（{}）", s.name, s.code),
                );
                Self::new(
                    Reason::ItemRetired,
                    "item_code",
                    "a new record is received before the day from which the item is retired",
                    format!("该事项自 {from} 起停止采集，仅可更正此前报送的记录；{instead}"),
                )
            }
            IngestRuleViolation::ReadingWithoutReason => Self::new(
                Reason::ReasonInvalid,
                "reason",
                "2 to 500 characters that say why, without control characters; the credit office must give one",
                "请填写查阅原始记录的理由（2 至 500 个字符）",
            ),
            IngestRuleViolation::ReadingNotAllowed => Self::new(
                Reason::RoleNotAllowed,
                "authorization",
                "providers, the credit office and auditors read originals",
                "当前身份无权查阅原始记录",
            ),
        }
    }
}

/// The refusal for a commit that failed. The outcome of one whose connection broke is unknown; repeating the request
/// with the same submission id finds out and stores nothing twice.
pub fn not_committed(error: &db::Error) -> Refusal {
    let (reason, message) = if db::is_transient(error) {
        (Reason::NotCommitted, "服务暂不可用，请用同一申报编号重试")
    } else {
        (Reason::Internal, "内部错误，已记录，请用同一申报编号重试")
    };
    let rule = "a receipt is given only after the commit";
    Refusal::new(reason, "", rule, message)
}

/// Reason and field of the refusal.
#[cfg(test)]
pub(crate) fn reason_and_field(error: IngestError) -> (String, String) {
    use tonic_types::StatusExt as _;

    let details = Status::from(error).get_error_details();
    let info = details.error_info().unwrap();
    (info.reason.clone(), info.metadata["field"].clone())
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    #[test]
    fn a_commit_that_failed_is_not_committed_when_it_may_succeed_later_and_internal_else() {
        let lost = not_committed(&db::Error::PoolTimedOut);
        assert_eq!(lost.reason, Reason::NotCommitted);
        let fault = not_committed(&db::Error::RowNotFound);
        assert_eq!(fault.reason, Reason::Internal);
        for refusal in [lost, fault] {
            assert!(
                refusal.message.contains("请用同一申报编号重试"),
                "{refusal:?}"
            );
        }
    }

    #[test]
    fn damage_is_internal_and_names_no_content() {
        let error = IngestError::damaged("打开台账")(std::fmt::Error);
        let status = Status::from(error);
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("打开台账"), "{status}");
    }
}
