//! What callers of ingest are told: each refusal names field and rule, in one table.

use service_kit::error::Refusal;
use tonic::Code;

use crate::domain::Rejection;

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
    /// `content_type` is not one that is taken.
    ContentType,
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
                "application/json",
                "内容类型须为 application/json".to_owned(),
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
