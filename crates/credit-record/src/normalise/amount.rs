//! Sums of money that carry their own unit: `2000元` in a field of 万元 is `0.2`. Called by the steps
//! `amount-to-wan-yuan` and `amount-to-yuan`, and by `check` for the message on a sum that it cannot read.
//!
//! Nothing is guessed: a bare number keeps its value, and so does `¥2000`, because spreadsheets put the
//! sign before numbers of any unit. Only a unit that is written out moves the point.

use super::decimal::{is_canonical, join_thousands};
use super::numerals;

/// Longest text that is read as a sum, in bytes.
const MAX_BYTES: usize = 96;

/// A sum in 万元, for a field of that unit.
pub(super) fn to_wan_yuan(value: &str) -> Option<String> {
    yuan(value)?.shifted_text(-4)
}

/// A sum in 元, for a field of that unit. The sign ¥ alone means 元 here, because nothing contradicts it.
pub(super) fn to_yuan(value: &str) -> Option<String> {
    if let Some(bare) = value.trim().strip_prefix('¥') {
        let bare = bare.trim();
        if !bare.contains(['元', '圆', '圓', '万', '亿']) {
            return MoneySum::parse(bare)?.shifted_text(0);
        }
    }
    yuan(value)?.shifted_text(0)
}

/// A number as its digits and a power of ten.
struct MoneySum {
    digits: u128,
    power: i32,
}

impl MoneySum {
    /// Digits with at most one point, thousands separators allowed, at most 24 digits.
    fn parse(text: &str) -> Option<Self> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        if text.ends_with('.') || whole.is_empty() {
            return None;
        }
        let whole = join_thousands(whole)?;
        if whole.len() + fraction.len() > 24 {
            return None;
        }
        let mut digits: u128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            digits = digits * 10 + u128::from(byte - b'0');
        }
        Some(Self {
            digits,
            power: -i32::try_from(fraction.len()).ok()?,
        })
    }

    /// The number times ten to `by`, as canonical text.
    fn shifted_text(mut self, by: i32) -> Option<String> {
        if self.digits == 0 {
            return Some("0".to_owned());
        }
        self.power += by;
        while self.power < 0 && self.digits.is_multiple_of(10) {
            self.digits /= 10;
            self.power += 1;
        }
        let mut text = self.digits.to_string();
        match usize::try_from(self.power) {
            Ok(noughts) => text.extend(std::iter::repeat_n('0', noughts)),
            Err(_) => {
                let places = usize::try_from(self.power.unsigned_abs()).ok()?;
                if text.len() <= places {
                    text.insert_str(0, &"0".repeat(places + 1 - text.len()));
                }
                text.insert(text.len() - places, '.');
            }
        }
        Some(text)
    }
}

/// Reads a sum with its unit, in yuan: `2,000元`, `¥2000.50元整`, `0.2万元`, `3亿`, `12元3角4分`, `贰仟元整`.
fn yuan(value: &str) -> Option<MoneySum> {
    if value.len() > MAX_BYTES || is_canonical(value) {
        return None;
    }
    let mut text = value.trim();
    for prefix in ["人民币", "RMB", "rmb", "CNY"] {
        if let Some(rest) = text.strip_prefix(prefix) {
            text = rest.trim_start_matches([':', '：', ' ']);
            break;
        }
    }
    text = text.strip_prefix('¥').unwrap_or(text).trim();
    text = text.strip_suffix("人民币").unwrap_or(text).trim_end();
    text = text.strip_suffix(['整', '正']).unwrap_or(text).trim_end();
    let Some(at) = text.find(['元', '圆', '圓']) else {
        // 0.2万 has its unit in 万; 贰万 is a bare number that is only written otherwise.
        return text.ends_with(['万', '亿']).then(|| scaled(text))?;
    };
    let (head, tail) = (text[..at].trim_end(), text[at + '元'.len_utf8()..].trim());
    if tail.is_empty() {
        return scaled(head).or_else(|| numerals::parse_whole_number(head).map(sum_of));
    }
    let whole = match MoneySum::parse(head) {
        Some(sum) if sum.power == 0 => u64::try_from(sum.digits).ok()?,
        Some(_) => return None,
        None => numerals::parse_whole_number(head)?,
    };
    Some(MoneySum {
        digits: u128::from(whole) * 100 + u128::from(cents(tail)?),
        power: -2,
    })
}

fn sum_of(whole: u64) -> MoneySum {
    MoneySum {
        digits: u128::from(whole),
        power: 0,
    }
}

/// A number with a Chinese unit of counting behind it: `0.2万`, `5仟`, `1,000万`, `3百万`.
fn scaled(text: &str) -> Option<MoneySum> {
    let split = text
        .char_indices()
        .find(|(_, c)| !(c.is_ascii_digit() || matches!(c, '.' | ',')))
        .map_or(text.len(), |(at, _)| at);
    let mut sum = MoneySum::parse(&text[..split])?;
    let mut power = 0;
    let mut last = 0;
    for c in text[split..].trim_start().chars() {
        let unit = match numerals::plain_numeral(c) {
            '百' => 2,
            '千' => 3,
            '万' => 4,
            '亿' => 8,
            _ => return None,
        };
        // 百万 and 万亿 are units; 万百, 万万 and 百千 are slips of the pen.
        if unit <= last || (last > 0 && unit < 4) {
            return None;
        }
        last = unit;
        power += unit;
    }
    sum.power += power;
    Some(sum)
}

/// `5角`, `5分`, `3角4分`, `零伍分`, in hundredths of a yuan.
fn cents(tail: &str) -> Option<u32> {
    let digit = |text: &str| {
        let mut chars = text.chars();
        let (c, end) = (chars.next()?, chars.next());
        let value = c.to_digit(10).or_else(|| {
            let value = numerals::year_digit(numerals::plain_numeral(c));
            value.filter(|v| *v > 0)
        });
        value.filter(|_| end.is_none())
    };
    let (tens, rest) = match tail.split_once('角') {
        Some((tens, rest)) => (digit(tens)?, rest),
        None => (0, tail),
    };
    if rest.is_empty() {
        return Some(tens * 10);
    }
    let ones = rest.strip_suffix('分')?;
    let ones = ones.strip_prefix(['零', '〇']).unwrap_or(ones);
    Some(tens * 10 + digit(ones)?)
}

/// Why a text is no amount, where a more precise reason is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AmountFault {
    /// `¥2000` in a field of 万元: the sign leaves open whether 元 or 万元 is meant.
    SignWithoutUnit,
    /// A number in Chinese numerals without 元.
    NumeralsWithoutUnit,
    /// A currency that is not the yuan.
    Currency,
    /// Less than nought.
    Negative,
    /// A percentage.
    Percent,
    /// None of these.
    Form,
}

impl AmountFault {
    /// What to do, in Chinese; follows a comma or a full stop. Never repeats the value.
    pub fn advice(self) -> &'static str {
        match self {
            Self::SignWithoutUnit => "带有货币符号但未写明单位是元还是万元，请按字段单位只填写数字",
            Self::NumeralsWithoutUnit => "是汉字数字且未写明单位，请按字段单位填写阿拉伯数字",
            Self::Currency => "带有外币单位，请折合人民币后按字段单位填写",
            Self::Negative => "不能小于零",
            Self::Percent => "是百分数，请按字段单位填写数字",
            Self::Form => "应为不小于零的数字",
        }
    }
}

/// The reason why a cleaned value is no amount. Called by `check` when [`super::Decimal::parse`] refused it.
pub fn amount_fault(value: &str) -> AmountFault {
    let value = value.trim();
    let number = |text: &str| MoneySum::parse(text.trim()).is_some();
    if value.len() > MAX_BYTES {
        return AmountFault::Form;
    }
    let foreign = [
        "美元", "欧元", "港元", "港币", "日元", "英镑", "USD", "HKD", "EUR",
    ];
    if value.starts_with(['$', '€', '£']) || foreign.iter().any(|c| value.contains(c)) {
        AmountFault::Currency
    } else if value.strip_prefix('¥').is_some_and(number) {
        AmountFault::SignWithoutUnit
    } else if value.strip_prefix('-').is_some_and(number) {
        AmountFault::Negative
    } else if value.strip_suffix('%').is_some_and(number) {
        AmountFault::Percent
    } else if numerals::parse_whole_number(value).is_some() {
        AmountFault::NumeralsWithoutUnit
    } else {
        AmountFault::Form
    }
}
