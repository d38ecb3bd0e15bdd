//! Rules about amounts of money: the kinds of a penalty against its amounts, and 万元 against 元. Called
//! through the table of [`super`].

use super::{Finding, FindingCode, error, includes, parameter, warning};
use crate::check::Sheet;
use crate::item::RuleRef;
use crate::normalise::Decimal;

/// Rules 8 and 9: a fine or confiscation has an amount, and an amount has such a kind.
pub(super) fn amount_fits_kind(used: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let (kinds, field) = (parameter(used, "kinds"), parameter(used, "amount"));
    if sheet.faulty(field) {
        return None;
    }
    let demanded = includes(sheet.text(kinds)?, &used.words);
    let amount = sheet
        .text(field)
        .and_then(Decimal::parse)
        .unwrap_or_default();
    let words = used.words.join("、");
    let label = sheet.item().field(field).map_or(field, |f| f.name.as_str());
    if demanded && amount.is_zero() {
        let message = format!("处罚类别含有{words}，应填写“{label}”且大于零");
        return Some(error(FindingCode::PenaltyAmountMissing, field, message));
    }
    (!demanded && !amount.is_zero()).then(|| {
        let message = format!("填写了“{label}”，但处罚类别中没有{words}");
        warning(FindingCode::PenaltyAmountUnexpected, field, message)
    })
}

/// Rule 8: the figure of a text in yuan stands unchanged in a field of ten thousand yuan.
pub(super) fn amount_unit(used: &RuleRef, sheet: &Sheet<'_>) -> Option<Finding> {
    let field = parameter(used, "amount");
    let amount = sheet.text(field).and_then(Decimal::parse)?;
    let text = sheet.text(parameter(used, "text"))?;
    let meant = amount.times_ten_thousand()?;
    let mut confused = false;
    for yuan in sums_in(text) {
        if yuan == meant {
            return None;
        }
        confused |= yuan == amount;
    }
    (confused && !amount.is_zero()).then(|| {
        let message = "金额的单位是万元，但与处罚内容中的元数相同，请核对";
        warning(FindingCode::AmountUnit, field, message)
    })
}

/// Sums of money in a text, in yuan: digits before 元 or 万元.
fn sums_in(text: &str) -> impl Iterator<Item = Decimal> {
    text.split_inclusive('元').filter_map(|part| {
        let part = part.strip_suffix('元')?.trim_end();
        let (part, large) = match part.strip_suffix('万') {
            Some(part) => (part, true),
            None => (part, false),
        };
        let start = part
            .char_indices()
            .rev()
            .take_while(|(_, c)| c.is_ascii_digit() || matches!(c, '.' | ',' | '，'))
            .last()?
            .0;
        let digits: String = part[start..]
            .chars()
            .filter(|c| !matches!(c, ',' | '，'))
            .collect();
        let sum = Decimal::parse(&digits)?;
        if large {
            sum.times_ten_thousand()
        } else {
            Some(sum)
        }
    })
}
