//! Findings: what a check reports to the provider. Called by all of `check`; `validation` stores them,
//! `catalog` and the feedback pages list the codes.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::Attestation;

/// Weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The record goes back.
    Error,
    /// The record is accepted, and the provider is notified.
    Warning,
}

impl Severity {
    /// Stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! finding_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $label:literal;)*) => {
        /// The closed list of finding codes. The texts are stable: providers program against them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingCode {
            $($(#[$doc])* $variant,)*
        }

        impl FindingCode {
            /// Every code.
            pub fn all() -> &'static [Self] {
                &[$(Self::$variant,)*]
            }

            /// Stable text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Short Chinese title, for lists of codes.
            pub fn label(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }
        }
    };
}

finding_codes! {
    /// The bytes are not UTF-8.
    FormNotUtf8 = "FORM_NOT_UTF8", "内容不是UTF-8编码";
    /// The text is not JSON.
    FormNotJson = "FORM_NOT_JSON", "内容不是合法的JSON";
    /// The JSON is not an object.
    FormNotObject = "FORM_NOT_OBJECT", "内容不是JSON对象";
    /// The text is not CSV of RFC 4180.
    FormNotCsv = "FORM_NOT_CSV", "内容不是合法的CSV";
    /// The CSV is not a header row and one row.
    FormRowCount = "FORM_ROW_COUNT", "CSV内容不是一行列名加一行数据";
    /// The row has another number of cells than the header.
    FormColumnCount = "FORM_COLUMN_COUNT", "CSV数据行与列名的个数不同";
    /// More bytes than a record may have.
    FormTooLarge = "FORM_TOO_LARGE", "内容超过大小上限";
    /// More fields than any item has.
    FormTooManyFields = "FORM_TOO_MANY_FIELDS", "字段数量超过上限";
    /// A key that the item does not have.
    FormUnknownField = "FORM_UNKNOWN_FIELD", "目录中没有该字段";
    /// A field that appears twice.
    FormDuplicateField = "FORM_DUPLICATE_FIELD", "字段重复";
    /// A value of another JSON type.
    ValueType = "VALUE_TYPE", "值的类型不符";
    /// A value longer than the standard allows.
    ValueTooLong = "VALUE_TOO_LONG", "值超过最大长度";
    /// Control characters or damaged characters.
    ValueCharacters = "VALUE_CHARACTERS", "值含有控制字符或乱码";
    /// A required field is missing or blank.
    RequiredMissing = "REQUIRED_MISSING", "必填字段为空";
    /// A value outside of the code list.
    CodeList = "CODE_LIST", "值不在代码表中";
    /// Not a number, or negative.
    DecimalInvalid = "DECIMAL_INVALID", "不是合法的数字";
    /// More digits behind the point than allowed.
    DecimalPrecision = "DECIMAL_PRECISION", "小数位数过多";
    /// Not a calendar day.
    DateInvalid = "DATE_INVALID", "不是合法的日期";
    /// Two days in the wrong order.
    DateOrder = "DATE_ORDER", "日期先后顺序不符";
    /// A decision after the day of receipt.
    DateFuture = "DATE_FUTURE", "决定日期晚于接收日期";
    /// The licence has ended already (warning).
    ExpiryPassed = "EXPIRY_PASSED", "有效期已届满";
    /// A value damaged by a spreadsheet.
    ExcelDamage = "EXCEL_DAMAGE", "值被电子表格软件损坏";
    /// Credit code: not 18 characters.
    UsccLength = "USCC_LENGTH", "统一社会信用代码长度不符";
    /// Credit code: a character outside of the alphabet.
    UsccAlphabet = "USCC_ALPHABET", "统一社会信用代码含有非法字符";
    /// Credit code: last check character.
    UsccCheck = "USCC_CHECK", "统一社会信用代码校验位不符";
    /// Credit code: check character of the organisation code inside.
    UsccInnerCheck = "USCC_INNER_CHECK", "统一社会信用代码中的主体标识码校验位不符";
    /// Credit code: pair of department and category.
    UsccCategory = "USCC_CATEGORY", "登记管理部门与机构类别代码不符";
    /// Credit code: filler.
    UsccDummy = "USCC_DUMMY", "统一社会信用代码是占位值";
    /// Credit code: region that begins with no province (warning).
    UsccRegion = "USCC_REGION", "登记机关行政区划码无法识别";
    /// Organisation code.
    OrganisationCodeInvalid = "ORGANISATION_CODE_INVALID", "组织机构代码不符";
    /// Registration number of 15 digits: filler or wrong check digit.
    RegistrationNumberInvalid = "REGISTRATION_NUMBER_INVALID", "工商注册号不符";
    /// Citizen number: form.
    CitizenForm = "CITIZEN_FORM", "公民身份号码格式不符";
    /// Citizen number: birth date.
    CitizenDate = "CITIZEN_DATE", "公民身份号码中的出生日期不符";
    /// Citizen number: check character.
    CitizenCheck = "CITIZEN_CHECK", "公民身份号码校验位不符";
    /// Citizen number: region that is no province (warning).
    CitizenRegion = "CITIZEN_REGION", "公民身份号码中的地区码无法识别";
    /// Citizen number of 15 digits (warning).
    CitizenLegacy = "CITIZEN_LEGACY", "使用了15位旧公民身份号码";
    /// Another personal document: form.
    DocumentForm = "DOCUMENT_FORM", "证件号码格式不符";
    /// A person's number in a field that is published and meant for organisations.
    PersonalNumberMisplaced = "PERSONAL_NUMBER_MISPLACED", "公开字段填写了个人证件号码";
    /// Category of the subject and its code do not fit.
    SubjectCategory = "SUBJECT_CATEGORY", "相对人类别与代码不符";
    /// A kind of subject that the item does not have.
    SubjectKindUnexpected = "SUBJECT_KIND_UNEXPECTED", "目录不收集该类别的相对人";
    /// A test or filler name.
    SubjectDummy = "SUBJECT_DUMMY", "相对人名称是测试或占位值";
    /// An individual business without a code (warning).
    SubjectCodeMissing = "SUBJECT_CODE_MISSING", "个体工商户没有填写统一社会信用代码";
    /// Characters that names do not have.
    NameCharacters = "NAME_CHARACTERS", "名称含有特殊字符";
    /// A name such as 张某 (warning).
    NameMasked = "NAME_MASKED", "名称像是遮蔽过的";
    /// Private-use characters in a name (warning).
    NamePrivateUse = "NAME_PRIVATE_USE", "名称含有自造字";
    /// A natural person with fields of organisations.
    PersonWithOrgFields = "PERSON_WITH_ORG_FIELDS", "自然人填写了法人字段";
    /// An organisation with fields of natural persons.
    OrgWithPersonFields = "ORG_WITH_PERSON_FIELDS", "法人填写了自然人字段";
    /// A fine or confiscation without an amount.
    PenaltyAmountMissing = "PENALTY_AMOUNT_MISSING", "处罚类别要求填写金额";
    /// An amount without the kind of penalty (warning).
    PenaltyAmountUnexpected = "PENALTY_AMOUNT_UNEXPECTED", "填写了金额但处罚类别不符";
    /// A certificate named as suspended or revoked without such a kind of penalty (warning).
    PenaltyCertificateUnexpected = "PENALTY_CERTIFICATE_UNEXPECTED", "填写了证照但处罚类别不符";
    /// Amount in yuan in a field of ten thousand yuan (warning).
    AmountUnit = "AMOUNT_UNIT", "金额单位疑似有误";
    /// A penalty for persons only (warning).
    PenaltyPersonOnly = "PENALTY_PERSON_ONLY", "该处罚类别只适用于自然人";
    /// The source unit is not the caller.
    SourceNotCaller = "SOURCE_NOT_CALLER", "数据来源单位不是报送单位";
    /// The authority's code is not that of an organ (warning).
    AuthorityNotOrgan = "AUTHORITY_NOT_ORGAN", "决定机关代码不是机关代码";
    /// Reported later than the item's deadline (warning): counted, not refused.
    LateReport = "LATE_REPORT", "超过报送时限";
    /// Disclosure has ended already on the day of receipt (warning).
    ExpiredOnArrival = "EXPIRED_ON_ARRIVAL", "接收时披露期限已届满";
    /// A legacy code that fails its check, admitted because it is attested (warning).
    LegacyAttested = "LEGACY_ATTESTED", "旧代码校验不符，经核实保留";
    /// A rule of a catalogue item that has no code of its own.
    ItemRule = "ITEM_RULE", "不符合目录项的校验规则";
    /// Publicity longer than the term (warning).
    TermTooLong = "TERM_TOO_LONG", "公示截止期超过最长期限";
    /// A number of a person (citizen number, phone, bank card) in a text that is published.
    PersonalInText = "PERSONAL_IN_TEXT", "公开文本含有个人号码";
    /// A mark of classification in a text: classified content is never accepted.
    ClassifiedInText = "CLASSIFIED_IN_TEXT", "文本带有密级标志";
    /// The name is not the one registered for the code. Never accepted, never confirmed.
    NameCodeMismatch = "NAME_CODE_MISMATCH", "名称与统一社会信用代码不一致";
    /// The name is an earlier one of the code's bearer (warning).
    NameFormer = "NAME_FORMER", "名称是该主体的曾用名";
    /// The subject was cancelled before the decision.
    SubjectCancelled = "SUBJECT_CANCELLED", "主体在决定日期前已注销";
    /// Another provider reported other base information of the same subject.
    BaseInfoConflict = "BASE_INFO_CONFLICT", "与其他单位报送的基础信息不一致";
    /// The same decision stands under another record key.
    DuplicateRecord = "DUPLICATE_RECORD", "同一决定已以其他记录主键报送";
    /// The version is about another subject or decision than the one before it.
    IdentityChanged = "IDENTITY_CHANGED", "记录的主体或文号与上一版本不同";
    /// The item is another organ's or another district's to report.
    ProviderNotCompetent = "PROVIDER_NOT_COMPETENT", "报送单位不负责该目录事项";
    /// The item itself cannot be used; an error of the catalogue, not of the record.
    ItemUnusable = "ITEM_UNUSABLE", "目录项不可用";
}

impl FindingCode {
    /// Whether a record with this error cannot be attested, so that no rule of an item may be confirmable with it:
    /// a name that is another's, what must not be published, what may not be here at all, and who one is.
    pub fn is_never_confirmable(self) -> bool {
        matches!(
            self,
            Self::NameCodeMismatch
                | Self::PersonalInText
                | Self::PersonalNumberMisplaced
                | Self::ClassifiedInText
                | Self::SourceNotCaller
                | Self::ProviderNotCompetent
                | Self::ItemUnusable
        )
    }

    /// Whether a named attester of the provider may answer for a record with this error: codes that real
    /// organisations bear although they fail a check, and facts that only the provider can know. What a rule of an
    /// item allows stands at the rule.
    pub fn is_confirmable(self) -> bool {
        matches!(
            self,
            Self::UsccCheck
                | Self::UsccInnerCheck
                | Self::UsccCategory
                | Self::OrganisationCodeInvalid
                | Self::RegistrationNumberInvalid
                | Self::SubjectCancelled
                | Self::IdentityChanged
        )
    }
}

/// A text that is no finding code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown finding code")]
pub struct UnknownFindingCode;

impl FromStr for FindingCode {
    type Err = UnknownFindingCode;
    fn from_str(text: &str) -> Result<Self, UnknownFindingCode> {
        Self::all()
            .iter()
            .copied()
            .find(|c| c.as_str() == text)
            .ok_or(UnknownFindingCode)
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FindingCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was found.
    pub code: FindingCode,
    /// Whether it sends the record back.
    pub severity: Severity,
    /// Code of the field; `None` when it is about the record.
    pub field: Option<String>,
    /// Stable id of the rule that found it: a check of this crate, or a rule of the item.
    pub rule: Cow<'static, str>,
    /// Version of that rule.
    pub rule_version: u32,
    /// Chinese text for the people of the provider. Never repeats a value.
    pub message: String,
    /// A proposal, never applied. Not given where it would repeat a personal number.
    pub suggestion: Option<String>,
    /// An error that a named attester of the provider may confirm; false once it is attested.
    pub confirmable: bool,
}

impl Finding {
    /// A finding about a field.
    pub(crate) fn error(
        code: FindingCode,
        rule: &'static str,
        field: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code,
            severity: Severity::Error,
            field: Some(field.to_owned()),
            rule: Cow::Borrowed(rule),
            rule_version: 1,
            message: message.into(),
            suggestion: None,
            confirmable: code.is_confirmable(),
        }
    }

    /// A warning about a field.
    pub(crate) fn warning(
        code: FindingCode,
        rule: &'static str,
        field: &str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            confirmable: false,
            ..Self::error(code, rule, field, message)
        }
    }

    /// A finding about the record as a whole.
    pub(crate) fn whole_record(
        code: FindingCode,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            field: None,
            ..Self::error(code, rule, "", message)
        }
    }

    /// The item was not linted.
    pub(crate) fn item_unusable(field: &str) -> Self {
        Self::error(
            FindingCode::ItemUnusable,
            "item",
            field,
            "目录项定义不完整，请联系信用办",
        )
    }

    /// A rule of the item could not be computed. The compiler keeps that from happening as far as it can be
    /// known; should it happen, the record is returned rather than accepted unseen.
    pub(crate) fn rule_failed(id: &str, version: u32, field: &str) -> Self {
        Self {
            rule: Cow::Owned(id.to_owned()),
            rule_version: version,
            ..Self::error(
                FindingCode::ItemUnusable,
                "item",
                field,
                "目录项的校验规则无法执行，请联系信用办",
            )
        }
    }

    /// The finding once the provider's officials have answered for what they attest: an error that may be confirmed, of
    /// a field with an attester, is a warning of the same code. Everything else stays what it is. For rules
    /// of an item, and for `validation`'s checks across records; for codes that fail a check [`super::check_record_as()`] does
    /// more, see [`crate::id::LegacyCode`].
    pub fn attested_by(mut self, attestations: &[Attestation<'_>]) -> Self {
        let answered = self.severity == Severity::Error
            && self.confirmable
            && attestations
                .iter()
                .any(|a| Some(a.field) == self.field.as_deref() && a.is_named());
        if answered {
            self.severity = Severity::Warning;
            self.confirmable = false;
        }
        self
    }

    /// Adds a proposal.
    pub(crate) fn with_suggestion(mut self, suggestion: Option<String>) -> Self {
        self.suggestion = suggestion;
        self
    }
}

/// Findings of one record, at most `Findings::MOST` of them: a record of nonsense gets a bounded answer.
#[derive(Debug, Default)]
pub struct Findings {
    list: Vec<Finding>,
    errors: usize,
}

impl Findings {
    const MOST: usize = 100;

    pub(crate) fn push(&mut self, finding: Finding) {
        if finding.severity == Severity::Error {
            self.errors += 1;
        }
        if self.list.len() < Self::MOST {
            self.list.push(finding);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Errors first, each kind in the order in which it was found.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.list.sort_by_key(|f| f.severity);
        self.list
    }
}
