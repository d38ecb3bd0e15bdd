//! The clean-up of one value: an ordered list of small steps, each with a stable id and a version, each
//! explained in the list of changes. Called by `check` for every field of a record.
//!
//! The original bytes stay what they are; what comes out here is a second layer besides them. The
//! steps are deterministic, a second run changes nothing, and none of them guesses: a lookalike letter is
//! suggested by [`crate::id`], never exchanged here; a sum moves its point only where its own unit is
//! written out; a date with two readings stays as it is. A clean value is borrowed, not copied.
//!
//! Besides the steps this module has the diagnoses that `check` asks for: [`date_fault`],
//! [`amount_fault`], [`find_damage()`], [`masked_name`]; and [`CleansingRuleSet`], the name of all steps together.

mod amount;
mod damage;
mod date;
mod decimal;
mod document;
mod list;
mod name;
mod numerals;
mod rewrite;
mod rule_set;
mod text;

pub(crate) use text::is_zero_width;

pub use amount::{AmountFault, amount_fault};
pub use damage::{SpreadsheetDamage, find_damage, lost_digits};
pub use legal_clock::format_day;

pub use date::{DateFault, FIRST_DAY, LAST_DAY, date_fault, parse_date, serial_day};
pub use decimal::Decimal;
pub use list::{ReplacementFault, is_list_form, replace_codes, replacement_faults};
pub use name::{NameMask, masked_name, without_individual_mark};
pub use rule_set::CleansingRuleSet;

use std::borrow::Cow;

use serde::Serialize;

use crate::item::{CodeList, Field, FieldKind, ValueFormat};

/// One step. `id` and `version` are what a [`CleansingChange`] names.
#[derive(Debug)]
pub struct Normaliser {
    /// Stable id.
    pub id: &'static str,
    /// Version, raised with every change of behaviour.
    pub version: u32,
    /// What it does, in Chinese, for the people who read the changes.
    pub title: &'static str,
    work: StepFunction,
}

/// The input of a step.
#[derive(Debug)]
enum StepFunction {
    /// The value alone.
    Value(fn(&str) -> Option<String>),
    /// The value and the code list of its field.
    Codes(fn(&str, &CodeList) -> Option<String>),
}

impl Normaliser {
    /// The cleaned value, or `None` when the step changes nothing. A step that needs the code list of the
    /// field changes nothing here.
    pub fn apply(&self, value: &str) -> Option<String> {
        self.run(value, None)
    }

    fn run(&self, value: &str, list: Option<&CodeList>) -> Option<String> {
        let after = match self.work {
            StepFunction::Value(work) => work(value),
            StepFunction::Codes(work) => work(value, list?),
        };
        after.filter(|after| after != value)
    }
}

/// What one step changed in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CleansingChange {
    /// Code of the field.
    pub field: String,
    /// Id of the step.
    pub rule: &'static str,
    /// Version of the step.
    pub rule_version: u32,
    /// Value before; of a personal field only a description, see [`CleansingChange::redact_values`].
    pub before: String,
    /// Value after; of a personal field only a description.
    pub after: String,
}

impl CleansingChange {
    /// Replaces both values by their lengths, because they identify a natural person. The original and
    /// the normalised value, both sealed, still show what happened.
    pub fn redact_values(&mut self) {
        for value in [&mut self.before, &mut self.after] {
            *value = format!("（个人信息，{}个字符）", value.chars().count());
        }
    }
}

/// Invisible characters, line ends, tabs, the apostrophe by which Excel marks text.
pub static INVISIBLE: Normaliser = Normaliser {
    id: "strip-invisible",
    version: 2,
    title: "去除不可见字符",
    work: StepFunction::Value(text::strip_invisible),
};
/// The same for free text, which keeps its line ends.
pub static INVISIBLE_TEXT: Normaliser = Normaliser {
    id: "strip-invisible-text",
    version: 2,
    title: "去除不可见字符和首尾空白",
    work: StepFunction::Value(text::strip_invisible_text),
};
/// The same for dates and numbers, where an odd space becomes a plain one.
pub static INVISIBLE_VALUE: Normaliser = Normaliser {
    id: "strip-invisible-value",
    version: 1,
    title: "去除不可见字符，各种空白转为空格",
    work: StepFunction::Value(text::strip_invisible_value),
};
/// Unicode NFKC: full-width letters and digits, Roman numeral ten.
pub static COMPATIBLE: Normaliser = Normaliser {
    id: "nfkc",
    version: 2,
    title: "全角字符转半角",
    work: StepFunction::Value(text::to_nfkc),
};
/// Full-width digits, letters and signs, and nothing more of NFKC, which would read 10² as 102.
pub static HALF_WIDTH: Normaliser = Normaliser {
    id: "half-width",
    version: 1,
    title: "全角数字和符号转半角",
    work: StepFunction::Value(text::half_width),
};
/// Spaces and all kinds of hyphens.
pub static SEPARATORS: Normaliser = Normaliser {
    id: "strip-separators",
    version: 1,
    title: "去除空格和连字符",
    work: StepFunction::Value(text::strip_separators),
};
/// Upper case.
pub static UPPER: Normaliser = Normaliser {
    id: "upper-case",
    version: 1,
    title: "字母转大写",
    work: StepFunction::Value(text::to_upper_case),
};
/// Brackets, middle dots, spaces and width in names.
pub static NAME: Normaliser = Normaliser {
    id: "name-form",
    version: 2,
    title: "统一名称中的括号、间隔号和空格",
    work: StepFunction::Value(name::name_form),
};
/// 〔year〕 in document numbers.
pub static DOCUMENT: Normaliser = Normaliser {
    id: "document-number-form",
    version: 2,
    title: "统一文书号的年份括号",
    work: StepFunction::Value(document::document_form),
};
/// Dates as `YYYY-MM-DD`.
pub static DATE: Normaliser = Normaliser {
    id: "date-form",
    version: 2,
    title: "统一日期格式",
    work: StepFunction::Value(date::date_form),
};
/// Sums with their own unit 元 or 万元, in a field of 万元.
pub static AMOUNT_WAN_YUAN: Normaliser = Normaliser {
    id: "amount-to-wan-yuan",
    version: 1,
    title: "按值中写明的单位换算为万元",
    work: StepFunction::Value(amount::to_wan_yuan),
};
/// Sums with their own unit 元 or 万元, in a field of 元.
pub static AMOUNT_YUAN: Normaliser = Normaliser {
    id: "amount-to-yuan",
    version: 1,
    title: "按值中写明的单位换算为元",
    work: StepFunction::Value(amount::to_yuan),
};
/// Decimals without separators and idle zeros.
pub static DECIMAL: Normaliser = Normaliser {
    id: "decimal-form",
    version: 2,
    title: "统一数字格式",
    work: StepFunction::Value(decimal::decimal_form),
};
/// One value of a code list.
pub static LIST: Normaliser = Normaliser {
    id: "list-form",
    version: 1,
    title: "统一代码项写法",
    work: StepFunction::Value(list::list_form),
};
/// Several values of a code list, joined by `;`.
pub static SEVERAL: Normaliser = Normaliser {
    id: "list-separators",
    version: 1,
    title: "统一多值分隔符",
    work: StepFunction::Value(list::list_separators),
};
/// 无, /, -, 空 in coded fields mean that nothing is given.
pub static BLANK: Normaliser = Normaliser {
    id: "blank-word",
    version: 2,
    title: "“无”“/”等视为空",
    work: StepFunction::Value(text::blank_word),
};

/// Values of a code list that another has replaced, by the list of the item's version.
pub static CODE_REPLACED: Normaliser = Normaliser {
    id: "code-replaced",
    version: 1,
    title: "旧代码转为现行代码",
    work: StepFunction::Codes(|value, list| replace_codes(value, list.several, &list.replaced)),
};

/// Every step, for documentation.
pub static ALL: [&Normaliser; 17] = [
    &INVISIBLE,
    &INVISIBLE_TEXT,
    &INVISIBLE_VALUE,
    &COMPATIBLE,
    &HALF_WIDTH,
    &SEPARATORS,
    &UPPER,
    &NAME,
    &DOCUMENT,
    &DATE,
    &AMOUNT_WAN_YUAN,
    &AMOUNT_YUAN,
    &DECIMAL,
    &LIST,
    &SEVERAL,
    &BLANK,
    &CODE_REPLACED,
];

type StepList = &'static [&'static Normaliser];

// Blank words come last, so that ／ and ＮＵＬＬ are known for what they are, and a second run finds no more.
static CODE_STEPS: StepList = &[&INVISIBLE, &COMPATIBLE, &SEPARATORS, &UPPER, &BLANK];
static DATE_STEPS: StepList = &[&INVISIBLE_VALUE, &DATE, &BLANK];
static DECIMAL_STEPS: StepList = &[&INVISIBLE_VALUE, &HALF_WIDTH, &DECIMAL, &BLANK];
static WAN_YUAN_STEPS: StepList = &[
    &INVISIBLE_VALUE,
    &HALF_WIDTH,
    &AMOUNT_WAN_YUAN,
    &DECIMAL,
    &BLANK,
];
static YUAN_STEPS: StepList = &[
    &INVISIBLE_VALUE,
    &HALF_WIDTH,
    &AMOUNT_YUAN,
    &DECIMAL,
    &BLANK,
];
static LIST_STEPS: StepList = &[&INVISIBLE, &LIST, &BLANK, &CODE_REPLACED];
static SEVERAL_STEPS: StepList = &[&INVISIBLE, &LIST, &SEVERAL, &BLANK, &CODE_REPLACED];
static DOCUMENT_STEPS: StepList = &[&INVISIBLE, &DOCUMENT, &BLANK];
static NAME_STEPS: StepList = &[&INVISIBLE_TEXT, &NAME];
static TEXT_STEPS: StepList = &[&INVISIBLE_TEXT];

/// Every list of steps of the standard rule-set, by the kind of field that it is for.
static PIPELINES: [(&str, StepList); 10] = [
    ("code", CODE_STEPS),
    ("date", DATE_STEPS),
    ("decimal", DECIMAL_STEPS),
    ("decimal-wan-yuan", WAN_YUAN_STEPS),
    ("decimal-yuan", YUAN_STEPS),
    ("list", LIST_STEPS),
    ("list-several", SEVERAL_STEPS),
    ("document-number", DOCUMENT_STEPS),
    ("name", NAME_STEPS),
    ("text", TEXT_STEPS),
];

/// Name of the list of steps for a field, one of [`pipeline_names`].
pub fn pipeline_name(field: &Field) -> &'static str {
    if let Some(list) = &field.code_list {
        return if list.several { "list-several" } else { "list" };
    }
    match (field.kind, field.format) {
        (FieldKind::Date, _) => "date",
        (FieldKind::Decimal, _) => match field.unit.as_deref() {
            Some("万元") => "decimal-wan-yuan",
            Some("元") => "decimal-yuan",
            _ => "decimal",
        },
        (FieldKind::Code, _) => "code",
        (FieldKind::Text, ValueFormat::Name) => "name",
        (FieldKind::Text, ValueFormat::DocumentNumber) => "document-number",
        (FieldKind::Text, _) => "text",
    }
}

/// The steps of the standard rule-set for a field, in order.
pub fn pipeline_steps(field: &Field) -> &'static [&'static Normaliser] {
    let name = pipeline_name(field);
    let found = PIPELINES.iter().find(|(own, _)| *own == name);
    found.map_or(&[], |(_, steps)| steps)
}

/// A code as its fields are cleaned, but for blank words: half width, upper case, without separators.
pub(crate) fn clean_code(value: &str) -> Cow<'_, str> {
    let steps = [&INVISIBLE, &COMPATIBLE, &SEPARATORS, &UPPER];
    steps.iter().fold(Cow::Borrowed(value), |value, step| {
        step.apply(&value).map_or(value, Cow::Owned)
    })
}

/// Names of all lists of steps.
pub fn pipeline_names() -> impl Iterator<Item = &'static str> {
    PIPELINES.iter().map(|(name, _)| *name)
}

/// Most steps of one list.
const MOST_STEPS: usize = 16;

/// The steps that texts such as `date-form/2` name, id and version.
///
/// # Errors
/// The first text that names no step of this program, or a step twice, or that is one too many.
pub fn steps_named(texts: &[String]) -> Result<Vec<&'static Normaliser>, String> {
    let mut steps: Vec<&'static Normaliser> = Vec::with_capacity(texts.len());
    for text in texts {
        let named = text.rsplit_once('/').and_then(|(id, version)| {
            let version: u32 = version.parse().ok()?;
            ALL.iter().find(|s| s.id == id && s.version == version)
        });
        match named {
            Some(step) if steps.len() < MOST_STEPS && !steps.iter().any(|s| s.id == step.id) => {
                steps.push(step);
            }
            _ => return Err(text.clone()),
        }
    }
    Ok(steps)
}

/// Rounds after which normalisation ends even if a step still finds work; two are the usual most.
const MAX_ROUNDS: usize = 8;

/// Runs the standard steps of a field over a value, see [`normalise_value_by`].
pub fn normalise_value<'a>(
    field: &Field,
    value: Cow<'a, str>,
    changes: &mut Vec<CleansingChange>,
) -> Cow<'a, str> {
    normalise_value_by(pipeline_steps(field), field, value, changes)
}

/// Runs steps over the value of a field, again until none finds work, and writes down each change. An
/// empty result means that the field is not given. Changes of personal fields are redacted.
pub fn normalise_value_by<'a>(
    steps: &[&'static Normaliser],
    field: &Field,
    value: Cow<'a, str>,
    changes: &mut Vec<CleansingChange>,
) -> Cow<'a, str> {
    let mut value = value;
    let list = field.code_list.as_ref();
    // One step can make work for an earlier one: without its space a macron joins the letter before
    // it, without its hyphen an apostrophe leads. A clean value costs one round.
    for _ in 0..MAX_ROUNDS {
        let seen = changes.len();
        for step in steps {
            let Some(after) = step.run(&value, list) else {
                continue;
            };
            let mut change = CleansingChange {
                field: field.code.clone(),
                rule: step.id,
                rule_version: step.version,
                before: value.into_owned(),
                after: after.clone(),
            };
            if field.is_personal() {
                change.redact_values();
            }
            changes.push(change);
            value = Cow::Owned(after);
        }
        if changes.len() == seen {
            break;
        }
    }
    value
}
