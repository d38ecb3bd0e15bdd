//! Every reason that a caller can be refused for: a promise to clients, who program against the codes. The only table;
//! services take their rows from here by [`crate::error::Refusal::new`], so no other code can leave.

use tonic::Code;

/// Makes the enum and its table: variant, code on the wire, gRPC code, meaning in Chinese, what the caller does.
macro_rules! reasons {
    ($($variant:ident $wire:literal $code:ident $meaning:literal $remedy:literal;)+) => {
        /// Why something is refused; one mistake has one reason, in every service.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Reason {
            $(
                #[doc = $meaning]
                $variant,
            )+
        }

        impl Reason {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// As clients know it: `reason` of `google.rpc.ErrorInfo`, stable.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire,)+
                }
            }

            /// The gRPC code that goes with it.
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$variant => Code::$code,)+
                }
            }

            /// What it means, Chinese. The text of a refusal is more precise where more is known.
            pub const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)+
                }
            }

            /// What the caller does about it.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)+
                }
            }
        }
    };
}

reasons! {
    // the authentication layer and the limits of every call
    TokenMissing "TOKEN_MISSING" Unauthenticated "缺少身份令牌" "send `authorization: Bearer …`";
    TokenInvalid "TOKEN_INVALID" Unauthenticated "身份令牌无效" "get a token of the configured issuer";
    TokenExpired "TOKEN_EXPIRED" Unauthenticated "身份令牌已过期" "get a new token and call again";
    TokenNotYetValid "TOKEN_NOT_YET_VALID" Unauthenticated "身份令牌尚未生效" "wait until the token is valid; compare clocks";
    TokenForeign "TOKEN_FOREIGN" Unauthenticated "身份令牌不是签发给本平台的" "get a token whose issuer and audience are the platform's";
    RoleNotAllowed "ROLE_NOT_ALLOWED" PermissionDenied "当前身份无权调用该接口" "call as one of the roles that the RPC names";
    RpcUnknown "RPC_UNKNOWN" Unimplemented "没有这个接口" "compare the path with the proto files";
    // the platform itself
    Internal "INTERNAL" Internal "内部错误" "send the same request later; tell the operator when it stays";
    Unavailable "UNAVAILABLE" Unavailable "服务暂不可用" "send the same request, with the same ids, later";
    NotCommitted "NOT_COMMITTED" Unavailable "未能确认是否已保存" "send the same submission id again: nothing is stored twice";
    Stopping "STOPPING" Unavailable "服务正在停止" "send the same request again, to another copy or a little later";
    Overtaken "OVERTAKEN" Unavailable "数据正在变化" "send the same request again";
    // the form of any request
    RequestIncomplete "REQUEST_INCOMPLETE" InvalidArgument "申请材料不齐全，或者有多处错误" "complete and correct every field that is listed";
    TextWithNul "TEXT_WITH_NUL" InvalidArgument "文字中含有空字符（U+0000）" "take the character out";
    PageSizeInvalid "PAGE_SIZE_INVALID" InvalidArgument "每页条数超过上限" "ask for at most the number that is named, or 0";
    PageTokenInvalid "PAGE_TOKEN_INVALID" InvalidArgument "翻页标识无效" "begin with the first page";
    DateInvalid "DATE_INVALID" InvalidArgument "日期格式不正确" "write YYYY-MM-DD";
    PeriodReversed "PERIOD_REVERSED" InvalidArgument "止日早于起日" "exchange or correct the two days";
    PeriodTooLong "PERIOD_TOO_LONG" InvalidArgument "期间过长" "report in shorter periods";
    PeriodNotOver "PERIOD_NOT_OVER" InvalidArgument "期间尚未结束" "wait for the period to end";
    CreditCodeInvalid "CREDIT_CODE_INVALID" InvalidArgument "统一社会信用代码不正确" "correct the code (GB 32100)";
    ReasonInvalid "REASON_INVALID" InvalidArgument "理由不符合要求" "give a reason of the length that is named";
    StatementInvalid "STATEMENT_INVALID" InvalidArgument "说明不符合要求" "give a statement of the length that is named";
    // ids
    RecordIdInvalid "RECORD_ID_INVALID" InvalidArgument "记录标识格式不正确" "send the UUID as the receipt has it";
    CaseIdInvalid "CASE_ID_INVALID" InvalidArgument "反馈标识格式不正确" "send the UUID as the feedback has it";
    ObjectionIdInvalid "OBJECTION_ID_INVALID" InvalidArgument "异议标识格式不正确" "send the UUID as the answer to the filing has it";
    DraftIdInvalid "DRAFT_ID_INVALID" InvalidArgument "草案标识格式不正确" "send the UUID as the draft has it";
    DutyIdInvalid "DUTY_ID_INVALID" InvalidArgument "办理任务标识格式不正确" "send the UUID as the duty has it";
    SubmissionIdInvalid "SUBMISSION_ID_INVALID" InvalidArgument "申报编号格式不正确" "send 1 to 128 characters";
    ReloadIdInvalid "RELOAD_ID_INVALID" InvalidArgument "全量报送编号格式不正确" "send 1 to 64 characters without a slash";
    RecordKeyInvalid "RECORD_KEY_INVALID" InvalidArgument "记录主键格式不正确" "send 1 to 512 characters";
    ItemCodeInvalid "ITEM_CODE_INVALID" InvalidArgument "目录事项代码格式不正确" "send a code of the catalogue";
    ItemCodeMissing "ITEM_CODE_MISSING" InvalidArgument "未指明目录事项" "name an item";
    ProviderCodeMissing "PROVIDER_CODE_MISSING" InvalidArgument "未指明信息提供主体" "name a provider";
    CursorInvalid "CURSOR_INVALID" InvalidArgument "续接标识无效" "begin without a cursor";
    ResumeTokenInvalid "RESUME_TOKEN_INVALID" InvalidArgument "续传标记无效" "send the token of the last answer, or begin anew";
    ResumeTokenMisplaced "RESUME_TOKEN_MISPLACED" InvalidArgument "续传标记位置不正确" "send it in the first message of the stream only";
    ResumeTokenForeign "RESUME_TOKEN_FOREIGN" PermissionDenied "续传标记属于其他单位" "use tokens of the caller's own streams";
    // submissions
    SubmissionMissing "SUBMISSION_MISSING" InvalidArgument "请求中没有申报内容" "send one submission a request";
    OperationInvalid "OPERATION_INVALID" InvalidArgument "操作不存在" "send upsert, revoke or withdraw";
    ContentTypeInvalid "CONTENT_TYPE_INVALID" InvalidArgument "内容类型不受支持" "send the content type that is named";
    ContentEmpty "CONTENT_EMPTY" InvalidArgument "内容为空" "send the content";
    ContentTooLarge "CONTENT_TOO_LARGE" InvalidArgument "内容过大" "send at most 1 MiB a record or file";
    DigestInvalid "DIGEST_INVALID" InvalidArgument "摘要长度不正确" "send 32 bytes or none";
    DigestMismatch "DIGEST_MISMATCH" InvalidArgument "摘要与内容不符" "send the content again: it was changed on the way";
    TraceparentInvalid "TRACEPARENT_INVALID" InvalidArgument "跟踪标识格式不正确" "send a W3C trace context or none";
    RecordsCountInvalid "RECORDS_COUNT_INVALID" InvalidArgument "记录条数超出范围" "send the number of records that is named";
    SubmissionIdReused "SUBMISSION_ID_REUSED" AlreadyExists "申报编号已用于其他内容" "use a new id for other content";
    SubmissionUnknown "SUBMISSION_UNKNOWN" NotFound "没有该申报" "compare the id; send the submission if it was never sent";
    RecordUnknown "RECORD_UNKNOWN" NotFound "没有该记录" "compare item and key, or the id: the record is not the caller's or was never reported";
    ReloadStepMisplaced "RELOAD_STEP_MISPLACED" InvalidArgument "全量报送的步骤顺序不正确" "begin once, then records, then end once";
    ReloadIdReused "RELOAD_ID_REUSED" AlreadyExists "全量报送编号已用于其他事项" "use a new id";
    ReloadEnded "RELOAD_ENDED" FailedPrecondition "该次全量报送已经结束" "begin another under a new id";
    ReloadIncomplete "RELOAD_INCOMPLETE" FailedPrecondition "全量报送的数目不符" "send what is missing, then end again";
    NilReportContradicted "NIL_REPORT_CONTRADICTED" FailedPrecondition "期间内已有报送记录" "do not report nil for this period";
    // providers
    ProviderNotRegistered "PROVIDER_NOT_REGISTERED" PermissionDenied "本单位未登记为信用信息提供主体" "have the credit office register the caller";
    ProviderDisabled "PROVIDER_DISABLED" PermissionDenied "本单位的信息提供资格已停用" "ask the credit office";
    ProviderNotYetValid "PROVIDER_NOT_YET_VALID" PermissionDenied "本单位的信息提供资格尚未开始" "wait for the day that is named";
    ProviderExpired "PROVIDER_EXPIRED" PermissionDenied "本单位的信息提供资格已届满" "ask the credit office";
    ProviderUnknown "PROVIDER_UNKNOWN" NotFound "没有登记该信息提供主体" "name a registered provider";
    ProviderMissing "PROVIDER_MISSING" InvalidArgument "请求中没有单位信息" "send the registration";
    ProviderNameInvalid "PROVIDER_NAME_INVALID" InvalidArgument "单位名称不符合要求" "correct the name";
    ProviderLevelInvalid "PROVIDER_LEVEL_INVALID" InvalidArgument "单位级别不正确" "send city or district";
    ProviderDistrictInvalid "PROVIDER_DISTRICT_INVALID" InvalidArgument "区划代码与级别不符" "send the district of a district organ, none of a city organ";
    ProviderParentInvalid "PROVIDER_PARENT_INVALID" InvalidArgument "上级单位不正确" "name another registered organ";
    ProviderContactInvalid "PROVIDER_CONTACT_INVALID" InvalidArgument "联系方式不符合要求" "correct the contact";
    ProviderOutsideDistrict "PROVIDER_OUTSIDE_DISTRICT" FailedPrecondition "单位不在本区划内" "leave it to the office of its district";
    // the catalogue
    ItemUnknown "ITEM_UNKNOWN" NotFound "目录中没有该事项" "name an item of the catalogue";
    ItemVersionUnknown "ITEM_VERSION_UNKNOWN" NotFound "该事项没有这个版本" "name a published version, or 0 for the one in force";
    ItemVersionNotYetInForce "ITEM_VERSION_NOT_YET_IN_FORCE" FailedPrecondition "该版本尚未施行" "use the version in force, or wait for the day that is named";
    ItemRetired "ITEM_RETIRED" FailedPrecondition "该事项已停止采集" "use the item that follows it";
    ItemVersionImmutable "ITEM_VERSION_IMMUTABLE" AlreadyExists "该版本已经公布" "publish the next version";
    ItemVersionKnown "ITEM_VERSION_KNOWN" AlreadyExists "该版本已有草案或已经公布" "draft the next version";
    ItemVersionGap "ITEM_VERSION_GAP" FailedPrecondition "版本号不连续" "use the number that is named";
    ItemEffectivePast "ITEM_EFFECTIVE_PAST" FailedPrecondition "施行日期已过" "use a day that is still to come";
    ItemEffectiveReversed "ITEM_EFFECTIVE_REVERSED" FailedPrecondition "施行日期早于上一版本" "use a later day";
    ItemPredecessorInvalid "ITEM_PREDECESSOR_INVALID" InvalidArgument "前身事项不正确" "name a published item other than this one";
    RetirementInvalid "RETIREMENT_INVALID" InvalidArgument "停止采集的内容不正确" "correct the field that is named";
    RetirementUnsuitable "RETIREMENT_UNSUITABLE" FailedPrecondition "目前不能这样停止采集" "correct what is named first";
    ItemAlreadyRetired "ITEM_ALREADY_RETIRED" AlreadyExists "该事项已经停止采集" "nothing is to be done";
    CodeListUnknown "CODE_LIST_UNKNOWN" NotFound "没有该代码表" "name a published code list";
    CodeListVersionImmutable "CODE_LIST_VERSION_IMMUTABLE" AlreadyExists "该代码表版本已经公布" "publish the next version";
    CodeListVersionGap "CODE_LIST_VERSION_GAP" FailedPrecondition "代码表版本号不连续" "use the number that is named";
    DefinitionUnreadable "DEFINITION_UNREADABLE" InvalidArgument "定义无法读取" "correct the TOML";
    DefinitionInconsistent "DEFINITION_INCONSISTENT" InvalidArgument "定义自相矛盾" "correct all that is listed";
    DefinitionTooLarge "DEFINITION_TOO_LARGE" InvalidArgument "定义过大" "make it smaller than the limit";
    ExportFormatInvalid "EXPORT_FORMAT_INVALID" InvalidArgument "导出格式不存在" "name one of the formats";
    DefinitionMissing "DEFINITION_MISSING" InvalidArgument "没有给出定义" "send a definition";
    DefinitionUnknown "DEFINITION_UNKNOWN" FailedPrecondition "没有保存该版本的定义" "send the text of the definition";
    DefinitionUnusable "DEFINITION_UNUSABLE" FailedPrecondition "该版本的定义暂不可用" "tell the credit office";
    PinnedVersionsInvalid "PINNED_VERSIONS_INVALID" InvalidArgument "版本号不正确" "send at most 100 numbers from 1";
    ReplaysBusy "REPLAYS_BUSY" ResourceExhausted "正在进行的试算过多" "send the same request later";
    DraftUnknown "DRAFT_UNKNOWN" NotFound "没有该草案" "compare the id";
    DraftReasonsInvalid "DRAFT_REASONS_INVALID" InvalidArgument "退回理由的条数超出范围" "give 1 to 100 reasons";
    DraftStateUnsuitable "DRAFT_STATE_UNSUITABLE" FailedPrecondition "草案目前的状态不允许该操作" "look at the draft and choose a step of its state";
    DraftChanged "DRAFT_CHANGED" Aborted "草案已被他人修改" "read it again, then repeat";
    DraftsTooMany "DRAFTS_TOO_MANY" FailedPrecondition "草案过多" "end some of them first";
    DutyUnknown "DUTY_UNKNOWN" NotFound "没有该项办理任务" "compare the id";
    DutyStateUnsuitable "DUTY_STATE_UNSUITABLE" FailedPrecondition "该任务已经办结" "nothing is to be done";
    TriggerInvalid "TRIGGER_INVALID" InvalidArgument "依据变更的内容不正确" "correct the field that is named";
    TriggerDiffers "TRIGGER_DIFFERS" AlreadyExists "该依据变更已另行登记" "use another id for another change";
    TriggerItemsInvalid "TRIGGER_ITEMS_INVALID" InvalidArgument "所涉事项的个数超出范围" "name at least one, and at most the number that is named";
    TriggerItemsUnsuitable "TRIGGER_ITEMS_UNSUITABLE" FailedPrecondition "该单位没有在用的目录事项" "name an organ that has items in use";
    NotYourCatalogue "NOT_YOUR_CATALOGUE" PermissionDenied "不属于本单位的目录" "leave it to the organ that owns the catalogue";
    OwnCatalogue "OWN_CATALOGUE" PermissionDenied "不能审定本单位的目录" "leave it to another office";
    OwnDraft "OWN_DRAFT" PermissionDenied "不能审定本人提交的草案" "leave it to another officer";
    OwnerUnsuitable "OWNER_UNSUITABLE" FailedPrecondition "责任单位目前不能负责目录" "enable or change the owner first";
    OwnerChanged "OWNER_CHANGED" FailedPrecondition "不能更改目录的归属" "keep the owner of the version before";
    OwnerOutsideDistrict "OWNER_OUTSIDE_DISTRICT" FailedPrecondition "责任单位不在本区划内" "name an organ of the district";
    // feedback and confirmations
    NotOwnFeedback "NOT_OWN_FEEDBACK" PermissionDenied "只能查看本单位的反馈" "leave provider_code empty or name the caller";
    VerdictUnknown "VERDICT_UNKNOWN" NotFound "没有该记录的校验结果" "compare the id, or wait: it may still be in work";
    CaseUnknown "CASE_UNKNOWN" NotFound "没有该反馈" "compare the id: the case is not the caller's or never was";
    CaseClosed "CASE_CLOSED" FailedPrecondition "该反馈已经办结" "nothing is to be done";
    AttesterInvalid "ATTESTER_INVALID" InvalidArgument "确认人姓名不符合要求" "name a person";
    NotConfirmable "NOT_CONFIRMABLE" FailedPrecondition "该问题不能以确认方式办结" "correct the record and report it again";
    Superseded "SUPERSEDED" FailedPrecondition "该记录已有更新的版本" "look at the newer version";
    ContentNotKept "CONTENT_NOT_KEPT" FailedPrecondition "该反馈未保存原文" "report the record again";
    // disclosure
    NotDisclosed "NOT_DISCLOSED" NotFound "没有可以公开的信息" "nothing: absent and not public are one answer";
    QueryTooShort "QUERY_TOO_SHORT" InvalidArgument "查询内容过短" "give a credit code or two characters of a name";
    QueryTooLong "QUERY_TOO_LONG" InvalidArgument "查询内容过长" "give at most 200 characters";
    SubjectMissing "SUBJECT_MISSING" PermissionDenied "身份令牌未载明信用信息主体" "use a token that names a person or an organisation";
    // objections
    ObjectionUnknown "OBJECTION_UNKNOWN" NotFound "没有该异议申请" "compare the id: the objection is not the caller's or never was";
    RequestIdInvalid "REQUEST_ID_INVALID" InvalidArgument "申请标识格式不正确" "send 1 to 128 characters";
    FileNameInvalid "FILE_NAME_INVALID" InvalidArgument "文件名不正确" "send 1 to 255 characters without path or control characters";
    EvidenceCountInvalid "EVIDENCE_COUNT_INVALID" InvalidArgument "证据材料份数超出范围" "send at most the number that is named";
    RequestIdReused "REQUEST_ID_REUSED" AlreadyExists "申请标识已用于其他内容" "use a new id for another application";
    RegulationNotInForce "REGULATION_NOT_IN_FORCE" FailedPrecondition "办法尚未施行" "nothing: R-25";
    ObjectionStepUnsuitable "OBJECTION_STEP_UNSUITABLE" FailedPrecondition "该异议的办理顺序不正确" "look at its state";
    ObjectionNotTransferred "OBJECTION_NOT_TRANSFERRED" FailedPrecondition "该异议尚未转交" "wait for the transfer";
    ObjectionAnswered "OBJECTION_ANSWERED" FailedPrecondition "该异议已经答复" "nothing: an answer stands";
    NotTheProvider "NOT_THE_PROVIDER" PermissionDenied "由提供该信息的主体办理" "leave it to the provider of the record";
    ViewNotSettled "VIEW_NOT_SETTLED" PermissionDenied "当前身份无查看范围" "ask the city's office";
    // the province
    PushUnknown "PUSH_UNKNOWN" NotFound "没有该记录的上报情况" "compare the id";
    BehaviourImpossible "BEHAVIOUR_IMPOSSIBLE" InvalidArgument "模拟行为不成立" "correct the field that is named";
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, UnknownReason> {
        let known = Self::ALL.iter().find(|reason| reason.as_str() == text);
        known.copied().ok_or(UnknownReason)
    }
}

/// A text that is no reason of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no reason of the table")]
pub struct UnknownReason;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_code_stands_once_and_everything_is_said_of_it() {
        let codes: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let code = reason.as_str();
            assert!(
                code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'),
                "{code}"
            );
            assert_ne!(reason.code(), Code::Ok, "{code}");
            assert!(
                reason.meaning().chars().all(|c| !c.is_ascii_lowercase()),
                "{code}"
            );
            assert!(
                !reason.meaning().is_empty() && !reason.remedy().is_empty(),
                "{code}"
            );
            assert_eq!(code.parse(), Ok(*reason));
        }
        assert_eq!("PAGE_TOKEN".parse::<Reason>(), Err(UnknownReason));
    }
}
