//! The faults of form of a submission, and the refusal of each: a value, since streams answer each record with its own.
//! Called by `intake`, and by `grpc` for fields that other requests have as well.

use service_kit::{error::Refusal, reason::Reason};

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
    /// `item_code` is empty.
    ItemCodeMissing,
    /// `item_code` has a form that no item has.
    ItemCode,
    /// `operation` is an unknown number.
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
                Reason::SubmissionMissing,
                "submission",
                "a request holds one submission",
                "请求中没有申报内容",
            ),
            FormError::SubmissionId => (
                Reason::SubmissionIdInvalid,
                "submission_id",
                "1 to 128 characters without control characters",
                "申报编号须为 1 至 128 个字符，不含控制字符",
            ),
            FormError::RecordKey => (
                Reason::RecordKeyInvalid,
                "record_key",
                "1 to 512 characters without control characters",
                "记录主键须为 1 至 512 个字符，不含控制字符",
            ),
            FormError::ItemCodeMissing => (
                Reason::ItemCodeMissing,
                "item_code",
                "1 to 64 of a-z, 0-9 and '-'",
                "请填写目录事项代码",
            ),
            FormError::ItemCode => (
                Reason::ItemCodeInvalid,
                "item_code",
                "1 to 64 of a-z, 0-9 and '-'",
                "目录事项代码须为 1 至 64 个小写字母、数字或连字符",
            ),
            FormError::ContentType => (
                Reason::ContentTypeInvalid,
                "content_type",
                "of a record: application/json or text/csv",
                "内容类型须为 application/json 或 text/csv",
            ),
            FormError::Operation => (
                Reason::OperationInvalid,
                "operation",
                "upsert, revoke or withdraw",
                "操作须为报送、撤销或者撤回",
            ),
            FormError::ReasonType => (
                Reason::ContentTypeInvalid,
                "content_type",
                "of a revocation or withdrawal: text/plain",
                "撤销或者撤回时，内容为理由，内容类型须为 text/plain",
            ),
            FormError::Reason => (
                Reason::ReasonInvalid,
                "content",
                "UTF-8, 2 to 2000 characters, at least two of them Chinese, no control characters but ends of lines and tabs",
                "撤销或者撤回的理由须为 2 至 2000 个字符的中文文本（UTF-8）",
            ),
            FormError::ContentEmpty => (
                Reason::ContentEmpty,
                "content",
                "at least one byte",
                "内容为空",
            ),
            FormError::ContentTooLarge => (
                Reason::ContentTooLarge,
                "content",
                "at most 1048576 bytes (1 MiB)",
                "单条记录内容不得超过 1048576 字节（1 MiB）",
            ),
            FormError::DigestLength => (
                Reason::DigestInvalid,
                "content_sha256",
                "32 bytes, or empty",
                "SHA-256 摘要须为 32 字节，或留空",
            ),
            FormError::DigestMismatch => (
                Reason::DigestMismatch,
                "content_sha256",
                "sha256(content) == content_sha256",
                "摘要与内容不符，内容在途中可能已被改动，未保存",
            ),
            FormError::Traceparent => (
                Reason::TraceparentInvalid,
                "traceparent",
                "W3C trace context, or empty",
                "traceparent 不符合 W3C 规范",
            ),
        };
        Self::new(reason, field, rule, message)
    }
}
