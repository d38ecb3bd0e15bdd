//! Chinese numerals, exactly or not at all: 二〇一九 and 十月 in dates, 贰仟伍佰 in sums. Called by the
//! readers of dates and amounts.

/// Most characters that a number can have (九千九百九十九 three times, with 亿 and 万, and some noughts).
const MAX_CHARACTERS: usize = 32;

/// A digit of a year: 二〇一九, 二零一九 and 二○一九, also with 0 for the nought. No letter O: it is a
/// lookalike, not another way to write.
pub(super) fn year_digit(c: char) -> Option<u32> {
    match c {
        '〇' | '零' | '○' | '◯' | '0' => Some(0),
        c => "一二三四五六七八九"
            .chars()
            .zip(1..)
            .find(|(d, _)| *d == c)
            .map(|(_, v)| v),
    }
}

/// 一 to 九十九 as months and days are written: no nought in front, no 廿 and 初, which belong to the lunar
/// calendar.
pub(super) fn up_to_99(text: &[char]) -> Option<u32> {
    let digit = |c: char| year_digit(c).filter(|d| *d > 0 && c != '0');
    match *text {
        ['十'] => Some(10),
        ['十', ones] => Some(10 + digit(ones)?),
        [tens, '十'] => Some(digit(tens).filter(|d| *d > 1)? * 10),
        [tens, '十', ones] => Some(digit(tens).filter(|d| *d > 1)? * 10 + digit(ones)?),
        [ones] => digit(ones),
        _ => None,
    }
}

/// A digit or unit in its plain form; sums are written with 壹贰叁, the traditional forms and 两.
pub(super) fn plain_numeral(c: char) -> char {
    match c {
        '零' | '○' => '〇',
        '壹' | '弌' => '一',
        '贰' | '貳' | '貮' | '弍' | '两' | '兩' => '二',
        '叁' | '參' | '叄' | '参' | '弎' => '三',
        '肆' => '四',
        '伍' => '五',
        '陆' | '陸' => '六',
        '柒' => '七',
        '捌' => '八',
        '玖' => '九',
        '拾' => '十',
        '佰' => '百',
        '仟' => '千',
        '萬' => '万',
        '億' => '亿',
        c => c,
    }
}

/// A whole number up to 9999亿. The units must descend, and a nought must stand where one is left out:
/// 二千五 means 2500 to one reader and 2005 to another, so it is no number here.
pub(super) fn parse_whole_number(text: &str) -> Option<u64> {
    let mut chars = ['\0'; MAX_CHARACTERS];
    let mut count = 0;
    for c in text.chars() {
        *chars.get_mut(count)? = plain_numeral(c);
        count += 1;
    }
    let text = &chars[..count];
    if text == ['〇'] {
        return Some(0);
    }
    let (hundred_millions, rest) = before(text, '亿')?;
    let (ten_thousands, ones) = before(rest, '万')?;
    let mut total = 0;
    // The value of a 1 in front of the section before; nothing stands before the first.
    let mut last: Option<u64> = None;
    for (section, worth) in [
        (hundred_millions, 100_000_000),
        (ten_thousands, 10_000),
        (Some(ones), 1),
    ] {
        let Some(section) = section else {
            continue;
        };
        if section.is_empty() && worth == 1 {
            break;
        }
        let (nought, digits) = match section.split_first() {
            Some(('〇', digits)) => (true, digits),
            _ => (false, section),
        };
        let value = four_digits(digits, last.is_none())?;
        let wanting = match last {
            None if nought => return None,
            None => false,
            Some(last) => value < 1000 || last > worth * 10_000,
        };
        if wanting && !nought {
            return None;
        }
        total += value * worth;
        last = Some(worth);
    }
    last.map(|_| total)
}

/// What stands before the unit and behind it; `None` when the unit comes twice.
fn before(text: &[char], unit: char) -> Option<(Option<&[char]>, &[char])> {
    let Some(at) = text.iter().position(|c| *c == unit) else {
        return Some((None, text));
    };
    let behind = &text[at + 1..];
    (!behind.contains(&unit)).then_some((Some(&text[..at]), behind))
}

/// 1 to 9999. Only the first section of a number may begin with a bare 十.
fn four_digits(mut text: &[char], first: bool) -> Option<u64> {
    let mut value = 0;
    let mut last = 10_000;
    if let (true, ['十', rest @ ..]) = (first, text) {
        (value, last, text) = (10, 10, rest);
    }
    while let Some((c, rest)) = text.split_first() {
        let (nought, digit, rest) = match (c, rest.split_first()) {
            ('〇', Some((digit, rest))) if value > 0 => (true, digit, rest),
            _ => (false, c, rest),
        };
        let digit = year_digit(*digit).filter(|d| *d > 0)?;
        let (unit, rest) = match rest.split_first() {
            Some(('千', rest)) => (1000, rest),
            Some(('百', rest)) => (100, rest),
            Some(('十', rest)) => (10, rest),
            _ => (1, rest),
        };
        let gap = value > 0 && unit * 10 < last;
        if unit >= last || (gap && !nought) {
            return None;
        }
        value += u64::from(digit) * unit;
        last = unit;
        text = rest;
    }
    (value > 0).then_some(value)
}
