//! Values of code lists: their writing, and values that another has replaced. The steps are called
//! through [`super::Normaliser`], [`replacement_faults`] by the lint of an item.

use std::collections::{BTreeMap, BTreeSet};

use super::rewrite::Rewriter;
use super::text::{plain_chinese, to_half_width};

/// One value of a code list: half-width letters and digits, no spaces, a plain hyphen behind 其他.
pub(super) fn list_form(value: &str) -> Option<String> {
    if value.split(';').all(plain_chinese) {
        return None;
    }
    let mut out = Rewriter::new(value);
    // Characters of 其他 seen in a row, and then its hyphen.
    let mut other = 0;
    for c in value
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(to_half_width)
    {
        let dash = matches!(c, '-' | '－' | '—' | '–' | '―' | '：' | ':');
        match (other, dash) {
            (2, true) => {
                out.push('-');
                other = 3;
            }
            (3, true) => {}
            _ => {
                out.push(c);
                other = match (other, c) {
                    (_, '其') => 1,
                    (1, '他') => 2,
                    _ => 0,
                };
            }
        }
    }
    out.finish()
}

/// Several values: `;` between them, for which people type ；、，. Behind `其他-` only ； and ; separate,
/// because a description may hold the others.
pub(super) fn list_separators(value: &str) -> Option<String> {
    if plain_chinese(value) {
        return None;
    }
    let mut out = Rewriter::new(value);
    let mut first = true;
    let mut add = |part: &str| {
        if !part.is_empty() {
            if !first {
                out.push(';');
            }
            first = false;
            out.push_str(part);
        }
    };
    for part in value.split([';', '；']) {
        match part.find("其他-") {
            Some(at) => {
                part[..at].split(['、', '，', ',']).for_each(&mut add);
                add(&part[at..]);
            }
            None => part.split(['、', '，', ',']).for_each(&mut add),
        }
    }
    out.finish()
}

/// The value with each code that has a replacement changed to the one in force. Where that makes one
/// value of two, it stands once. `None` when no code has a replacement.
pub fn replace_codes(
    value: &str,
    several: bool,
    replaced: &BTreeMap<String, String>,
) -> Option<String> {
    if replaced.is_empty() {
        return None;
    }
    if !several {
        return in_force(value, several, replaced).map(str::to_owned);
    }
    if !value.split(';').any(|part| replaced.contains_key(part)) {
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut out = Rewriter::new(value);
    for part in value.split(';') {
        let part = in_force(part, several, replaced).unwrap_or(part);
        if seen.insert(part) {
            if seen.len() > 1 {
                out.push(';');
            }
            out.push_str(part);
        }
    }
    out.finish()
}

/// Most replacements one after the other; a list that is revised each year fills it in 16 years.
const MAX_CHAIN: usize = 16;

/// The end of the chain of replacements. `None` for a chain that does not end, which the lint refuses, and
/// for an end that the steps before would write otherwise: normalisation could never come to rest.
fn in_force<'a>(
    code: &str,
    several: bool,
    replaced: &'a BTreeMap<String, String>,
) -> Option<&'a str> {
    let mut last = replaced.get(code)?.as_str();
    for _ in 0..MAX_CHAIN {
        match replaced.get(last) {
            Some(next) => last = next,
            None => return is_list_form(last, several).then_some(last),
        }
    }
    None
}

/// True for a value of a code list as the steps leave it: only such a value can be met in a record.
pub fn is_list_form(value: &str, several: bool) -> bool {
    super::INVISIBLE.apply(value).is_none()
        && list_form(value).is_none()
        && super::BLANK.apply(value).is_none()
        && !(several && (value.contains(';') || list_separators(value).is_some()))
}

/// What is wrong with the replacements of a code list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplacementFault {
    /// The replacements lead back to where they began, or through more than 16 values.
    #[error("代码“{value}”的替换关系构成循环或过长")]
    Cycle {
        /// The code.
        value: String,
    },
    /// The end of the chain is no value of the list.
    #[error("代码“{value}”替换为“{by}”，但“{by}”不在代码表中")]
    Unknown {
        /// The code.
        value: String,
        /// What it leads to.
        by: String,
    },
    /// Cleansing writes the code otherwise, so it would never be found.
    #[error("代码“{value}”不是清洗后的写法，无法匹配")]
    Form {
        /// The code.
        value: String,
    },
}

/// Checks a code list before it is published: every value and every replaced code is written as
/// cleansing leaves it, and every replacement ends at a value of the list.
pub fn replacement_faults(
    values: &[String],
    several: bool,
    replaced: &BTreeMap<String, String>,
) -> Vec<ReplacementFault> {
    let known: BTreeSet<&str> = values.iter().map(String::as_str).collect();
    let mut faults: Vec<_> = values
        .iter()
        .chain(replaced.keys().filter(|k| !known.contains(k.as_str())))
        .filter(|v| !is_list_form(v, several))
        .map(|value| ReplacementFault::Form {
            value: value.clone(),
        })
        .collect();
    for value in replaced.keys() {
        let mut last = value;
        let mut steps = 0;
        while let Some(next) = replaced.get(last) {
            last = next;
            steps += 1;
            if steps > MAX_CHAIN {
                break;
            }
        }
        let value = value.clone();
        if steps > MAX_CHAIN {
            faults.push(ReplacementFault::Cycle { value });
        } else if !known.contains(last.as_str()) {
            let by = last.clone();
            faults.push(ReplacementFault::Unknown { value, by });
        }
    }
    faults
}
