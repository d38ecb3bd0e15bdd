//! The errors of ingest and the refusal of each: reason, field and rule, in exhaustive matches. Called by every module
//! that answers; records of streams carry their [`Refusal`] in a message.

mod definition;
mod violation;

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

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum IngestError {
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
