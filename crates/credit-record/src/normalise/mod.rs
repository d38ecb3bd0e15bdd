//! The clean-up of one value: an ordered list of small steps, each with a stable id and a version, each
//! explained in the list of changes. Called by `check` for every field of a record.
//!
//! The original bytes stay what they are; what comes out here is a second layer beside them. The
//! steps are deterministic, a second run changes nothing, and none of them guesses: a lookalike letter is
//! suggested by [`crate::id`], never exchanged here.

mod date;
mod decimal;
mod steps;

pub(crate) use steps::is_zero_width;

pub use date::{format_date, parse_date};
pub use decimal::Decimal;

use std::borrow::Cow;

use serde::Serialize;

use crate::item::{Field, FieldKind, Format};

/// One step. `id` and `version` are what a [`Change`] names.
#[derive(Debug)]
pub struct Normaliser {
    /// Stable id.
    pub id: &'static str,
    /// Version, raised with every change of behaviour.
    pub version: u32,
    /// What it does, in Chinese, for the people who read the changes.
    pub title: &'static str,
    apply: fn(&str) -> Option<String>,
}

impl Normaliser {
    /// The cleaned value, or `None` when the step changes nothing.
    pub fn apply(&self, value: &str) -> Option<String> {
        (self.apply)(value).filter(|after| after != value)
    }
}

/// What one step changed in one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Code of the field.
    pub field: String,
    /// Id of the step.
    pub rule: &'static str,
    /// Version of the step.
    pub rule_version: u32,
    /// Value before; of a personal field only a description, see [`Change::redact`].
    pub before: String,
    /// Value after; of a personal field only a description.
    pub after: String,
}

impl Change {
    /// Replaces both values by their lengths, because they identify a natural person. The original and
    /// the normalised value, both sealed, still show what happened.
    pub fn redact(&mut self) {
        for value in [&mut self.before, &mut self.after] {
            *value = format!("（个人信息，{}个字符）", value.chars().count());
        }
    }
}

/// Characters that nobody sees, line ends, tabs, the apostrophe by which Excel marks text.
pub static INVISIBLE: Normaliser = Normaliser {
    id: "strip-invisible",
    version: 1,
    title: "去除不可见字符",
    apply: steps::strip_invisible,
};
/// The same for free text, which keeps its line ends.
pub static INVISIBLE_TEXT: Normaliser = Normaliser {
    id: "strip-invisible-text",
    version: 1,
    title: "去除不可见字符和首尾空白",
    apply: steps::strip_invisible_text,
};
/// Unicode NFKC: full-width letters and digits, Roman numeral ten.
pub static COMPATIBLE: Normaliser = Normaliser {
    id: "nfkc",
    version: 1,
    title: "全角字符转半角",
    apply: steps::nfkc,
};
/// Spaces and all kinds of hyphens.
pub static SEPARATORS: Normaliser = Normaliser {
    id: "strip-separators",
    version: 1,
    title: "去除空格和连字符",
    apply: steps::strip_separators,
};
/// Upper case.
pub static UPPER: Normaliser = Normaliser {
    id: "upper-case",
    version: 1,
    title: "字母转大写",
    apply: steps::upper,
};
/// Brackets, middle dots, spaces and width in names.
pub static NAME: Normaliser = Normaliser {
    id: "name-form",
    version: 1,
    title: "统一名称中的括号、间隔号和空格",
    apply: steps::name_form,
};
/// 〔year〕 in document numbers.
pub static DOCUMENT: Normaliser = Normaliser {
    id: "document-number-form",
    version: 1,
    title: "统一文书号的年份括号",
    apply: steps::document_form,
};
/// Dates as `YYYY-MM-DD`.
pub static DATE: Normaliser = Normaliser {
    id: "date-form",
    version: 1,
    title: "统一日期格式",
    apply: date::date_form,
};
/// Decimals without separators and idle zeros.
pub static DECIMAL: Normaliser = Normaliser {
    id: "decimal-form",
    version: 1,
    title: "统一数字格式",
    apply: decimal::decimal_form,
};
/// One value of a code list.
pub static LIST: Normaliser = Normaliser {
    id: "list-form",
    version: 1,
    title: "统一代码项写法",
    apply: steps::list_form,
};
/// Several values of a code list, joined by `;`.
pub static SEVERAL: Normaliser = Normaliser {
    id: "list-separators",
    version: 1,
    title: "统一多值分隔符",
    apply: steps::list_separators,
};
/// 无, /, -, 空 in coded fields mean that nothing is given.
pub static BLANK: Normaliser = Normaliser {
    id: "blank-word",
    version: 1,
    title: "“无”“/”等视为空",
    apply: steps::blank_word,
};

/// Every step, for documentation.
pub static ALL: [&Normaliser; 12] = [
    &INVISIBLE,
    &INVISIBLE_TEXT,
    &COMPATIBLE,
    &SEPARATORS,
    &UPPER,
    &NAME,
    &DOCUMENT,
    &DATE,
    &DECIMAL,
    &LIST,
    &SEVERAL,
    &BLANK,
];

// Blank words come last, so that ／ and ＮＵＬＬ are known for what they are, and a second run finds no more.
static CODE_STEPS: [&Normaliser; 5] = [&INVISIBLE, &COMPATIBLE, &SEPARATORS, &UPPER, &BLANK];
static DATE_STEPS: [&Normaliser; 3] = [&INVISIBLE, &DATE, &BLANK];
static DECIMAL_STEPS: [&Normaliser; 4] = [&INVISIBLE, &COMPATIBLE, &DECIMAL, &BLANK];
static LIST_STEPS: [&Normaliser; 3] = [&INVISIBLE, &LIST, &BLANK];
static SEVERAL_STEPS: [&Normaliser; 4] = [&INVISIBLE, &LIST, &SEVERAL, &BLANK];
static DOCUMENT_STEPS: [&Normaliser; 3] = [&INVISIBLE, &DOCUMENT, &BLANK];
static NAME_STEPS: [&Normaliser; 2] = [&INVISIBLE_TEXT, &NAME];
static TEXT_STEPS: [&Normaliser; 1] = [&INVISIBLE_TEXT];

/// The steps for a field, in order.
pub fn pipeline(field: &Field) -> &'static [&'static Normaliser] {
    if let Some(list) = &field.code_list {
        return if list.several {
            &SEVERAL_STEPS
        } else {
            &LIST_STEPS
        };
    }
    match (field.kind, field.format) {
        (FieldKind::Date, _) => &DATE_STEPS,
        (FieldKind::Decimal, _) => &DECIMAL_STEPS,
        (FieldKind::Code, _) => &CODE_STEPS,
        (FieldKind::Text, Format::Name) => &NAME_STEPS,
        (FieldKind::Text, Format::DocumentNumber) => &DOCUMENT_STEPS,
        (FieldKind::Text, _) => &TEXT_STEPS,
    }
}

/// Rounds after which normalisation ends even if a step still finds work; two are the usual most.
const MAX_ROUNDS: usize = 8;

/// Runs the steps of a field over a value, again until none finds work, and
/// writes down each change. An empty result means that the
/// field is not given. Changes of personal fields are redacted.
pub fn normalise<'a>(
    field: &Field,
    value: Cow<'a, str>,
    changes: &mut Vec<Change>,
) -> Cow<'a, str> {
    let mut value = value;
    // One step can make work for an earlier one: without its space a macron joins the letter before
    // it, without its hyphen an apostrophe leads. A clean value costs one round.
    for _ in 0..MAX_ROUNDS {
        let seen = changes.len();
        for step in pipeline(field) {
            let Some(after) = step.apply(&value) else {
                continue;
            };
            let mut change = Change {
                field: field.code.clone(),
                rule: step.id,
                rule_version: step.version,
                before: value.into_owned(),
                after: after.clone(),
            };
            if field.is_personal() {
                change.redact();
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
