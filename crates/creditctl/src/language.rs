//! The two languages: the macro `say!` for texts with variables, and texts about codes (names of kinds, rules and
//! warnings). Called by everything that people read. JSON never changes with the language.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Write as _;

use clap::ValueEnum;
use credit_record::id::{IdRule, IdentifiedKind, Warning};

use crate::CommandFailure;

/// A text in one of two languages; both may name the same variables.
macro_rules! say {
    ($language:expr, $zh:literal, $en:literal $(,)?) => {
        match $language {
            $crate::language::Language::Zh => format!($zh),
            $crate::language::Language::En => format!($en),
        }
    };
}
pub(crate) use say;

/// A language of help and explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Chinese, the officers' language.
    Zh,
    /// English.
    En,
}

impl Language {
    /// The language that a command line asks for, found before it is parsed, because the help depends on it.
    pub fn asked_for(arguments: &[OsString]) -> Self {
        let mut words = arguments.iter().skip(1).map(|word| word.to_string_lossy());
        while let Some(word) = words.next() {
            let value = match word.strip_prefix("--lang") {
                Some("") => words.next().map(|value| value.into_owned()),
                Some(value) => value.strip_prefix('=').map(str::to_owned),
                None if word == "--" => break,
                None => continue,
            };
            if value.as_deref() == Some("en") {
                return Self::En;
            }
        }
        Self::Zh
    }

    /// One of two fixed texts.
    pub fn choose_text(self, zh: &'static str, en: &'static str) -> &'static str {
        match self {
            Self::Zh => zh,
            Self::En => en,
        }
    }

    /// Name of a kind.
    pub fn kind(self, kind: IdentifiedKind) -> &'static str {
        let (zh, en) = match kind {
            IdentifiedKind::CitizenNumber => ("公民身份号码", "citizen number"),
            IdentifiedKind::ResidencePermit => (
                "港澳台居民居住证号码",
                "residence permit of Hong Kong, Macao or Taiwan",
            ),
            IdentifiedKind::PermanentResidence => {
                ("外国人永久居留身份证号码", "permanent residence number")
            }
            IdentifiedKind::CreditCode => ("统一社会信用代码", "unified social credit code"),
            IdentifiedKind::OrganisationCode => ("组织机构代码", "organisation code"),
            IdentifiedKind::RegistrationNumber => ("工商注册号", "registration number"),
            IdentifiedKind::OldRegistrationNumber => (
                "2007年以前的工商注册号",
                "registration number of before 2007",
            ),
            IdentifiedKind::Passport => ("护照号", "passport number"),
            IdentifiedKind::HkMacaoPass => (
                "港澳居民来往内地通行证号码",
                "mainland travel permit of Hong Kong or Macao",
            ),
            IdentifiedKind::TaiwanPass => (
                "台湾居民来往大陆通行证号码",
                "mainland travel permit of Taiwan",
            ),
            IdentifiedKind::Unknown => ("无法识别的代码", "unknown code"),
        };
        self.choose_text(zh, en)
    }

    /// What a failed rule means.
    pub fn rule(self, rule: IdRule) -> &'static str {
        let (zh, en) = match rule {
            IdRule::Length => ("位数不对", "wrong number of characters"),
            IdRule::Alphabet => ("有不允许的字符", "a character that is not allowed there"),
            IdRule::Dummy => ("是占位值", "a filler value"),
            IdRule::Category => (
                "登记管理部门与机构类别不成立",
                "no such pair of department and category",
            ),
            IdRule::Date => ("出生日期不成立", "no calendar date"),
            IdRule::DateFuture => ("出生日期晚于今天", "a date of birth after today"),
            IdRule::Check => ("校验位不符", "the check character does not fit"),
            IdRule::InnerCheck => (
                "主体标识码的校验位不符",
                "the check character of the organisation code inside does not fit",
            ),
            IdRule::PersonalNumber => ("是个人证件号码", "a person's number"),
        };
        self.choose_text(zh, en)
    }

    /// What a warning means.
    pub fn warning(self, warning: Warning) -> &'static str {
        let (zh, en) = match warning {
            Warning::Region => ("行政区划码无法识别", "unknown division"),
            Warning::Nationality => ("国籍代码无法识别", "unknown nationality"),
            Warning::DerivedFrom15 => (
                "15位旧号码，已推算18位号码用于比对",
                "15 digits of the first generation; the 18 given are derived",
            ),
            Warning::FormOnly => ("只能检查格式", "only the form can be checked"),
            Warning::Ambiguous => ("也可能是其他种类的代码", "could be of another kind, too"),
            Warning::SpreadsheetDamage => (
                "疑被电子表格软件截断，请把单元格设为文本后重新导出",
                "cut off by a spreadsheet: format the cells as text and export again",
            ),
        };
        self.choose_text(zh, en)
    }

    /// Bytes that are no UTF-8.
    pub fn not_utf8(self) -> &'static str {
        self.choose_text(
            "不是UTF-8编码，请另存为UTF-8",
            "not UTF-8: save the file as UTF-8",
        )
    }

    /// A line that is longer than any code.
    pub fn too_long(self) -> &'static str {
        self.choose_text(
            "这一行过长，只显示开头",
            "the line is too long, only its beginning is shown",
        )
    }

    /// A character's position for people, who count from 1.
    pub fn position_text(self, position: usize) -> String {
        match self {
            Self::Zh => format!("第{}位", position + 1),
            Self::En => format!("character {}", position + 1),
        }
    }

    /// A suggested correction of a code, to be reviewed.
    pub fn suggestion(self, text: &str) -> String {
        match self {
            Self::Zh => format!("是否应为 {text}？请核实"),
            Self::En => format!("meant {text}? please verify"),
        }
    }

    /// The prompt of a terminal when input is waited for.
    pub fn waiting_notice(self) -> &'static str {
        self.choose_text(
            "请输入代码，每行一个，按 Ctrl-D 结束",
            "type codes, one a line; Ctrl-D ends",
        )
    }

    /// A failure with its causes.
    pub fn failure(self, failure: &CommandFailure) -> String {
        let mut said = match (self, failure) {
            (Self::Zh, CommandFailure::Read(_)) => "读取标准输入失败".to_owned(),
            (Self::Zh, CommandFailure::Write(_)) => "写入标准输出失败".to_owned(),
            (_, failure) => failure.to_string(),
        };
        let mut cause = failure.source();
        while let Some(error) = cause {
            // Writing to a String cannot fail.
            let _ = write!(said, ": {error}");
            cause = error.source();
        }
        said
    }
}
