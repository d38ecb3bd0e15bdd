//! What callers of ingest are told: each refusal names field and rule, in one table.

use service_kit::error::Refusal;
use tonic::Code;

use crate::domain::{Rejection, nil::PeriodError, reading::ReadingError, reload::ReloadRejection};

/// Largest content of a record, bytes: 1 MiB.
pub const MAX_CONTENT_BYTES: usize = 1024 * 1024;

/// What is wrong with the form of a submission, before anything is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormError {
    /// The request has no submission.
    Missing,
    /// `submission_id` is empty or too long.
    SubmissionId,
    /// `record_key` is empty or too long.
    RecordKey,
    /// `item_code` has a form that no item has.
    ItemCode,
    /// `operation` is a number that stands for none.
    Operation,
    /// `content_type` is not one that records have.
    ContentType,
    /// `content_type` is not that of a reason.
    ReasonType,
    /// `content` is no reason.
    Reason,
    /// `content` is empty.
    ContentEmpty,
    /// `content` is larger than [`MAX_CONTENT_BYTES`].
    ContentTooLarge,
    /// `content_sha256` is not 32 bytes long.
    DigestLength,
    /// `content_sha256` is not the digest of `content`.
    DigestMismatch,
    /// `traceparent` is not a W3C trace context.
    Traceparent,
}

impl From<FormError> for Refusal {
    fn from(error: FormError) -> Self {
        let (reason, field, rule, message) = match error {
            FormError::Missing => (
                "SUBMISSION_MISSING",
                "submission",
                "a request holds one submission",
                "请求中没有申报内容".to_owned(),
            ),
            FormError::SubmissionId => (
                "SUBMISSION_ID_FORM",
                "submission_id",
                "1 to 128 characters without control characters",
                "申报编号须为 1 至 128 个字符，不含控制字符".to_owned(),
            ),
            FormError::RecordKey => (
                "RECORD_KEY_FORM",
                "record_key",
                "1 to 512 characters without control characters",
                "记录主键须为 1 至 512 个字符，不含控制字符".to_owned(),
            ),
            FormError::ItemCode => (
                "ITEM_CODE_FORM",
                "item_code",
                "1 to 64 of a-z, 0-9, '.', '_' and '-'",
                "目录事项代码须为 1 至 64 个小写字母、数字、点、下划线或连字符".to_owned(),
            ),
            FormError::ContentType => (
                "CONTENT_TYPE_UNSUPPORTED",
                "content_type",
                "of a record: application/json or text/csv",
                "内容类型须为 application/json 或 text/csv".to_owned(),
            ),
            FormError::Operation => (
                "OPERATION_UNKNOWN",
                "operation",
                "upsert, revoke or withdraw",
                "操作须为报送、撤销或者撤回".to_owned(),
            ),
            FormError::ReasonType => (
                "CONTENT_TYPE_UNSUPPORTED",
                "content_type",
                "of a revocation or withdrawal: text/plain",
                "撤销或者撤回时，内容为理由，内容类型须为 text/plain".to_owned(),
            ),
            FormError::Reason => (
                "REASON_FORM",
                "content",
                "UTF-8, 2 to 2000 characters, at least two of them Chinese, no control characters but ends of lines and tabs",
                "撤销或者撤回的理由须为 2 至 2000 个字符的中文文本（UTF-8）".to_owned(),
            ),
            FormError::ContentEmpty => (
                "CONTENT_EMPTY",
                "content",
                "at least one byte",
                "内容为空".to_owned(),
            ),
            FormError::ContentTooLarge => (
                "CONTENT_TOO_LARGE",
                "content",
                "at most 1048576 bytes (1 MiB)",
                format!("单条记录内容不得超过 {MAX_CONTENT_BYTES} 字节（1 MiB）"),
            ),
            FormError::DigestLength => (
                "DIGEST_LENGTH",
                "content_sha256",
                "32 bytes, or empty",
                "SHA-256 摘要须为 32 字节，或留空".to_owned(),
            ),
            FormError::DigestMismatch => (
                "DIGEST_MISMATCH",
                "content_sha256",
                "sha256(content) == content_sha256",
                "摘要与内容不符，内容在途中可能已被改动，未保存".to_owned(),
            ),
            FormError::Traceparent => (
                "TRACEPARENT_FORM",
                "traceparent",
                "W3C trace context, or empty",
                "traceparent 不符合 W3C 规范".to_owned(),
            ),
        };
        Self::field(Code::InvalidArgument, reason, field, rule, message)
    }
}

impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        match rejection {
            Rejection::SubmissionIdReused => Self::field(
                Code::AlreadyExists,
                "SUBMISSION_ID_REUSED",
                "submission_id",
                "one submission id names one content for ever",
                "该申报编号已用于其他内容，请换用新的申报编号",
            ),
            Rejection::RecordUnknown => Self::field(
                Code::NotFound,
                "RECORD_UNKNOWN",
                "record_key",
                "what is revoked or withdrawn was reported before, by the caller under the same item and key",
                "本单位未以该主键报送过该事项的记录，无法撤销或者撤回",
            ),
            Rejection::ReloadEnded => Self::field(
                Code::FailedPrecondition,
                "RELOAD_ENDED",
                "reload_id",
                "a reload that has ended takes no further records",
                "该次全量报送已经结束，请另用编号重新开始",
            ),
            Rejection::PeriodNotOver { today } => Self::field(
                Code::InvalidArgument,
                "PERIOD_NOT_OVER",
                "period_to",
                "not after today, the day of receipt in Changsha",
                format!("零报告的止日不得晚于今天（{today}）"),
            ),
            Rejection::NilReportContradicted => Self::field(
                Code::FailedPrecondition,
                "NIL_REPORT_CONTRADICTED",
                "period_from",
                "no version of the item was received from the caller within the period",
                "所报期间内收到过本单位该事项的记录，不能作零报告",
            ),
            Rejection::ProviderUnknown => Self::field(
                Code::PermissionDenied,
                "PROVIDER_UNKNOWN",
                "authorization",
                "the caller is a provider of the registry",
                "该单位未登记为信用信息提供主体",
            ),
            Rejection::ProviderDisabled => Self::field(
                Code::PermissionDenied,
                "PROVIDER_DISABLED",
                "authorization",
                "the caller is enabled in the registry",
                "该单位的信息提供资格已停用",
            ),
            Rejection::ProviderNotYetValid { from } => Self::field(
                Code::PermissionDenied,
                "PROVIDER_NOT_YET_VALID",
                "authorization",
                "the day of receipt is not before valid_from of the registration",
                format!("该单位自 {from} 起方可报送信用信息"),
            ),
            Rejection::ProviderExpired { until } => Self::field(
                Code::PermissionDenied,
                "PROVIDER_EXPIRED",
                "authorization",
                "the day of receipt is not after valid_until of the registration",
                format!("该单位的信息提供资格已于 {until} 届满"),
            ),
            Rejection::ItemUnknown => Self::field(
                Code::InvalidArgument,
                "ITEM_UNKNOWN",
                "item_code",
                "an item of the catalogue",
                "目录中没有该事项",
            ),
            Rejection::ItemVersionUnknown => Self::field(
                Code::InvalidArgument,
                "ITEM_VERSION_UNKNOWN",
                "item_version",
                "a published version of the item, or 0 for the one in force",
                "该事项没有这个版本",
            ),
            Rejection::ItemVersionNotYetInForce { version, from } => Self::field(
                Code::InvalidArgument,
                "ITEM_VERSION_NOT_YET_IN_FORCE",
                "item_version",
                "the day of receipt is not before effective_from of the version",
                format!("该事项的第 {version} 版自 {from} 起施行，此前不能按该版本报送"),
            ),
            Rejection::ItemRetired(retirement) => {
                let from = retirement.from;
                let instead = retirement.successor.map_or_else(
                    || "没有替代事项".to_owned(),
                    |s| format!("请改报“{}”（{}）", s.name, s.code),
                );
                Self::field(
                    Code::InvalidArgument,
                    "ITEM_RETIRED",
                    "item_code",
                    "a new record is received before the day from which the item is retired",
                    format!("该事项自 {from} 起停止采集，仅可更正此前报送的记录；{instead}"),
                )
            }
        }
    }
}

impl From<PeriodError> for Refusal {
    fn from(error: PeriodError) -> Self {
        let (reason, rule, message) = match error {
            PeriodError::Order => (
                "PERIOD_ORDER",
                "not before period_from",
                "零报告的止日不得早于起日",
            ),
            PeriodError::Length => (
                "PERIOD_LENGTH",
                "a year from period_from at most",
                "一次零报告的期间最长为一年",
            ),
        };
        invalid(reason, "period_to", rule, message)
    }
}

impl From<ReloadRejection> for Refusal {
    fn from(rejection: ReloadRejection) -> Self {
        match rejection {
            ReloadRejection::IdReused => Self::field(
                Code::AlreadyExists,
                "RELOAD_ID_REUSED",
                "reload_id",
                "one reload id names one item and version for ever",
                "该全量报送编号已用于其他事项或者版本，请换用新的编号",
            ),
            ReloadRejection::Incomplete {
                declared,
                taken,
                refused,
            } => Self::field(
                Code::FailedPrecondition,
                "RELOAD_INCOMPLETE",
                "records",
                "the distinct record keys sent under the reload id are those that arrived",
                format!(
                    "称报送 {declared} 条，实收 {taken} 条，本次退回 {refused} 条，数目不符，请补报后再结束"
                ),
            ),
            ReloadRejection::EndedOtherwise { declared } => Self::field(
                Code::FailedPrecondition,
                "RELOAD_ENDED",
                "records",
                "a reload that has ended is ended again with the same number only",
                format!("该次全量报送已按 {declared} 条结束"),
            ),
        }
    }
}

impl From<ReadingError> for Refusal {
    fn from(error: ReadingError) -> Self {
        match error {
            ReadingError::Reason => invalid(
                "REASON_MISSING",
                "reason",
                "2 to 500 characters that say why, without control characters; the credit office must give one",
                "请填写查阅原始记录的理由（2 至 500 个字符）",
            ),
            ReadingError::Role => Self::field(
                Code::PermissionDenied,
                "ROLE_NOT_ALLOWED",
                "authorization",
                "providers, the credit office and auditors read originals",
                "当前身份无权查阅原始记录",
            ),
        }
    }
}

/// A field whose form is wrong.
pub fn invalid(
    reason: &'static str,
    field: &'static str,
    rule: &'static str,
    message: &'static str,
) -> Refusal {
    Refusal::field(Code::InvalidArgument, reason, field, rule, message)
}
