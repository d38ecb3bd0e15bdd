//! The refusal of each broken rule: a value, since each record of a stream is answered with its own. Called by `error`
//! and by `app::submit_record`.

use service_kit::{error::Refusal, reason::Reason};

use crate::domain::IngestRuleViolation;

impl From<IngestRuleViolation> for Refusal {
    fn from(violation: IngestRuleViolation) -> Self {
        match violation {
            IngestRuleViolation::SubmissionMissing => Self::new(
                Reason::SubmissionMissing,
                "submission",
                "a request holds one submission",
                "请求中没有申报内容",
            ),
            IngestRuleViolation::SubmissionIdMalformed => Self::new(
                Reason::SubmissionIdInvalid,
                "submission_id",
                "1 to 128 characters without control characters",
                "申报编号须为 1 至 128 个字符，不含控制字符",
            ),
            IngestRuleViolation::RecordKeyMalformed => Self::new(
                Reason::RecordKeyInvalid,
                "record_key",
                "1 to 512 characters without control characters",
                "记录主键须为 1 至 512 个字符，不含控制字符",
            ),
            IngestRuleViolation::ItemCodeMissing(malformed) => Self::new(
                Reason::ItemCodeMissing,
                "item_code",
                malformed.rule,
                "请填写目录事项代码",
            ),
            IngestRuleViolation::ItemCodeMalformed(malformed) => Self::new(
                Reason::ItemCodeInvalid,
                "item_code",
                malformed.rule,
                "目录事项代码须为 1 至 64 个小写字母、数字或连字符",
            ),
            IngestRuleViolation::ContentTypeUnsuitable => Self::new(
                Reason::ContentTypeInvalid,
                "content_type",
                "of a record: application/json or text/csv",
                "内容类型须为 application/json 或 text/csv",
            ),
            IngestRuleViolation::OperationUnknown => Self::new(
                Reason::OperationInvalid,
                "operation",
                "upsert, revoke or withdraw",
                "操作须为报送、撤销或者撤回",
            ),
            IngestRuleViolation::ReasonTypeUnsuitable => Self::new(
                Reason::ContentTypeInvalid,
                "content_type",
                "of a revocation or withdrawal: text/plain",
                "撤销或者撤回时，内容为理由，内容类型须为 text/plain",
            ),
            IngestRuleViolation::EndingReasonMalformed => Self::new(
                Reason::ReasonInvalid,
                "content",
                "UTF-8, 2 to 2000 characters, at least two of them Chinese, no control characters but ends of lines and tabs",
                "撤销或者撤回的理由须为 2 至 2000 个字符的中文文本（UTF-8）",
            ),
            IngestRuleViolation::ContentEmpty => Self::new(
                Reason::ContentEmpty,
                "content",
                "at least one byte",
                "内容为空",
            ),
            IngestRuleViolation::ContentTooLarge => Self::new(
                Reason::ContentTooLarge,
                "content",
                "at most 1048576 bytes (1 MiB)",
                "单条记录内容不得超过 1048576 字节（1 MiB）",
            ),
            IngestRuleViolation::DigestLength => Self::new(
                Reason::DigestInvalid,
                "content_sha256",
                "32 bytes, or empty",
                "SHA-256 摘要须为 32 字节，或留空",
            ),
            IngestRuleViolation::DigestMismatch => Self::new(
                Reason::DigestMismatch,
                "content_sha256",
                "sha256(content) == content_sha256",
                "摘要与内容不符，内容在途中可能已被改动，未保存",
            ),
            IngestRuleViolation::TraceparentMalformed => Self::new(
                Reason::TraceparentInvalid,
                "traceparent",
                "W3C trace context, or empty",
                "traceparent 不符合 W3C 规范",
            ),
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
        }
    }
}
