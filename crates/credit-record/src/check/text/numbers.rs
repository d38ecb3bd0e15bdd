//! Finds numbers of persons in a text: citizen numbers of 18 and 15 characters, mobile phones, bank cards. Called by
//! [`super::check_text`]. Reads digits of either width, invisible characters and separators as `vault` does when it
//! masks a text for publication, and a differential test (`testkit`) keeps the two together. They part in one thing: a
//! mask leans to hiding, a finding sends a record back, so that an amount (`13800000000元`) and the number of a
//! certificate (`许可证编号：4301…`) are passed over here where nothing but their digits indicates a person.
//!
//! Nothing is allocated: groups of digits are read where they stand, into a row of at most 19.

use std::ops::Range;

/// Fewest digits of a number that is looked for: a mobile phone.
pub(super) const SHORTEST: usize = 11;
/// Most digits: a bank card.
const LONGEST: usize = 19;
/// Most separators between two groups of one number.
const SEPARATORS: u32 = 3;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PersonalNumber {
    /// 18 characters with a true check character, also of residence permits.
    Citizen,
    /// 15 digits with a real date.
    OldCitizen,
    /// A mobile phone.
    Mobile,
    /// A bank card of 16 to 19 digits that passes Luhn.
    BankCard,
}

impl PersonalNumber {
    /// Chinese name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Citizen => "公民身份号码",
            Self::OldCitizen => "15位公民身份号码",
            Self::Mobile => "手机号码",
            Self::BankCard => "银行卡号",
        }
    }
}

/// The numbers of persons in a text, in order and without overlap, as byte ranges.
pub fn personal_numbers(text: &str) -> impl Iterator<Item = (Range<usize>, PersonalNumber)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            at = next_digit(text, at)?;
            let (found, next) = longest(text, at);
            let start = std::mem::replace(&mut at, next);
            if let Some((end, kind)) = found
                && !is_something_else(text, start..end, kind)
            {
                return Some((start..end, kind));
            }
        }
    })
}

/// Where the next digit begins.
fn next_digit(text: &str, from: usize) -> Option<usize> {
    let bytes = &text.as_bytes()[from..];
    let found = bytes.iter().enumerate().position(|(at, byte)| match byte {
        b'0'..=b'9' => true,
        0xEF => matches!(bytes[at + 1..], [0xBC, 0x90..=0x99, ..]),
        _ => false,
    });
    found.map(|at| from + at)
}

/// The digit that a character stands for, in either width.
fn digit(c: char) -> Option<u8> {
    match c {
        '0'..='9' => Some(c as u8),
        '０'..='９' => Some(b'0' + (u32::from(c) - u32::from('０')) as u8),
        _ => None,
    }
}

fn is_x(c: char) -> bool {
    matches!(c, 'x' | 'X' | 'ｘ' | 'Ｘ')
}

fn is_separator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\u{a0}' | '\u{3000}' | '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '－'
    )
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}

/// Digits read so far; more than the longest number are counted only.
struct DigitBuffer {
    digits: [u8; LONGEST],
    len: usize,
}

impl DigitBuffer {
    fn push(&mut self, digit: u8) {
        if let Some(place) = self.digits.get_mut(self.len) {
            *place = digit;
        }
        self.len += 1;
    }
}

/// Digits without anything visible between them.
struct DigitGroup {
    /// Behind the last digit.
    end: usize,
    /// Behind an X that follows at once and may be a check character.
    x_end: Option<usize>,
    /// A Latin letter follows at once: the digits are part of a code.
    letter_follows: bool,
    /// Where the next group begins that may continue the same number.
    joined: Option<usize>,
    /// From where the next group of another number is looked for.
    next: usize,
}

/// Reads the group that begins here.
fn group(text: &str, start: usize, row: &mut DigitBuffer) -> DigitGroup {
    let mut group = DigitGroup {
        end: start,
        x_end: None,
        letter_follows: false,
        joined: None,
        next: text.len(),
    };
    // Visible separators since the last digit.
    let mut gap = 0;
    for (offset, c) in text[start..].char_indices() {
        let (at, end) = (start + offset, start + offset + c.len_utf8());
        if is_invisible(c) {
            continue;
        }
        let touching = gap == 0 && group.x_end.is_none();
        if let Some(digit) = digit(c) {
            if touching {
                row.push(digit);
                group.end = end;
                continue;
            }
            group.next = at;
            if gap == 0 {
                // The X stood between digits, so it is no check character.
                group.x_end = None;
            } else {
                group.joined = Some(at);
            }
            return group;
        }
        if touching && (c.is_ascii_alphabetic() || is_x(c)) {
            group.letter_follows = true;
        }
        if touching && is_x(c) {
            group.x_end = Some(end);
        } else if gap < SEPARATORS && is_separator(c) {
            gap += 1;
        } else {
            group.next = end;
            return group;
        }
    }
    group
}

/// The longest number that begins here, and from where to go on.
fn longest(text: &str, start: usize) -> (Option<(usize, PersonalNumber)>, usize) {
    let mut row = DigitBuffer {
        digits: [0; LONGEST],
        len: 0,
    };
    let (mut sizes, mut count) = ([0; LONGEST], 0);
    let (mut at, mut after, mut best) = (start, None, None);
    loop {
        let before = row.len;
        let group = group(text, at, &mut row);
        let after = *after.get_or_insert(group.next);
        if row.len > LONGEST {
            return (best.map(|(end, kind, _)| (end, kind)), go_on(&best, after));
        }
        sizes[count] = row.len - before;
        count += 1;
        if let Some((end, kind)) = judge(&row.digits[..row.len], &sizes[..count], &group) {
            best = Some((end, kind, group.next));
        }
        match group.joined {
            Some(next) => at = next,
            None => return (best.map(|(end, kind, _)| (end, kind)), go_on(&best, after)),
        }
    }
}

/// Behind the number that was found, else behind the first group.
fn go_on(best: &Option<(usize, PersonalNumber, usize)>, after: usize) -> usize {
    best.as_ref().map_or(after, |(_, _, next)| *next)
}

fn judge(digits: &[u8], sizes: &[usize], last: &DigitGroup) -> Option<(usize, PersonalNumber)> {
    if digits.len() == 18 && citizen(digits, None) {
        return Some((last.end, PersonalNumber::Citizen));
    }
    if digits.len() == 17
        && let Some(end) = last.x_end
        && citizen(digits, Some(10))
    {
        return Some((end, PersonalNumber::Citizen));
    }
    // The others have no check against codes that go on with letters, such as credit codes.
    if last.letter_follows {
        return None;
    }
    let kind = if card_parts(sizes) && bank_card(digits) {
        PersonalNumber::BankCard
    } else if phone_parts(sizes) && mobile(digits) {
        PersonalNumber::Mobile
    } else if matches!(sizes, [15] | [6, 6, 3]) && old_citizen(digits) {
        PersonalNumber::OldCitizen
    } else {
        return None;
    };
    Some((last.end, kind))
}

/// How cards are written: in one, in fours, or the issuer's six digits apart.
fn card_parts(sizes: &[usize]) -> bool {
    match sizes {
        [_] | [6, _] => true,
        [fours @ .., last] => fours.iter().all(|size| *size == 4) && *last <= 4,
        [] => false,
    }
}

/// How mobile numbers are written; a country code apart is not part of the number.
fn phone_parts(sizes: &[usize]) -> bool {
    matches!(
        sizes,
        [_] | [3, 4, 4] | [3, 8] | [7, 4] | [4, 3, 4] | [3, 3, 5] | [5, 4, 4]
    )
}

/// Known first part, real birth date, true check character (ISO 7064 MOD 11-2); 9 in front is a foreigner's.
fn citizen(digits: &[u8], x: Option<u32>) -> bool {
    let province = usize::from(digits[0] == b'9');
    let year = number(&digits[6..10]);
    is_province(&digits[province..province + 2])
        && (1850..2100).contains(&year)
        && is_date(year, number(&digits[10..12]), number(&digits[12..14]))
        && {
            let known = digits.iter().map(|byte| u32::from(byte - b'0')).chain(x);
            known.fold(0, |rest, digit| (2 * rest + digit) % 11) == 1
        }
}

/// Region and birth date; a county that ends in 00 is, outside of four cities without counties, that of an old
/// register number.
fn old_citizen(digits: &[u8]) -> bool {
    const CITIES_WITHOUT_COUNTIES: [&[u8]; 4] = [b"4419", b"4420", b"4604", b"6202"];
    let county = digits[4..6] != *b"00" || CITIES_WITHOUT_COUNTIES.contains(&&digits[..4]);
    let (year, month, day) = (
        number(&digits[6..8]),
        number(&digits[8..10]),
        number(&digits[10..12]),
    );
    county && is_province(&digits[..2]) && is_date(1900 + year, month, day)
}

/// 11 digits, also behind 0, 86 or 0086.
fn mobile(digits: &[u8]) -> bool {
    let local = match digits.len() {
        11 => Some(digits),
        12 => digits.strip_prefix(b"0"),
        13 => digits.strip_prefix(b"86"),
        15 => digits.strip_prefix(b"0086"),
        _ => None,
    };
    matches!(local, Some([b'1', b'3'..=b'9', ..]))
}

/// A first part that card issuers have, and Luhn. A credit code of digits only is none.
fn bank_card(digits: &[u8]) -> bool {
    if digits.len() < 16 {
        return false;
    }
    let issuer = match digits[0] {
        b'3'..=b'6' | b'9' => true,
        b'2' => matches!(number(&digits[..3]), 222..=272),
        _ => false,
    };
    issuer && luhn(digits) && !credit_code(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = (0..)
        .zip(digits.iter().rev())
        .map(|(at, byte)| match (at % 2, u32::from(byte - b'0')) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => 2 * digit - 9,
            (_, digit) => 2 * digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Digits only with a true check digit (GB 32100, MOD 31-3), of the registrars 3, 5 and 9.
fn credit_code(digits: &[u8]) -> bool {
    if digits.len() != 18 || !matches!(digits[0], b'3' | b'5' | b'9') {
        return false;
    }
    let (mut weight, mut sum) = (1, 0);
    for byte in &digits[..17] {
        sum += u32::from(byte - b'0') * weight;
        weight = weight * 3 % 31;
    }
    (31 - sum % 31) % 31 == u32::from(digits[17] - b'0')
}

fn is_province(two: &[u8]) -> bool {
    matches!(
        number(two),
        11..=15 | 21..=23 | 31..=37 | 41..=46 | 50..=54 | 61..=65 | 71 | 81..=83
    )
}

fn is_date(year: u32, month: u32, day: u32) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

fn number(digits: &[u8]) -> u32 {
    digits
        .iter()
        .fold(0, |value, byte| 10 * value + u32::from(byte - b'0'))
}

/// Words before the number of a certificate or document.
const LABELS: [&str; 12] = [
    "编号",
    "文号",
    "案号",
    "单号",
    "注册号",
    "登记号",
    "许可证号",
    "执照号",
    "备案号",
    "批准文号",
    "代码",
    "凭证号",
];

/// Whether the words around mark the number as an amount or a certificate's. A citizen number of 18 has a check
/// of its own and stays one.
fn is_something_else(text: &str, place: Range<usize>, kind: PersonalNumber) -> bool {
    if kind == PersonalNumber::Citizen {
        return false;
    }
    let (before, behind) = (&text[..place.start], &text[place.end..]);
    let before = before.trim_end_matches(|c: char| {
        c.is_whitespace()
            || is_invisible(c)
            || matches!(c, '：' | ':' | '为' | '是' | '（' | '(' | '“')
    });
    if before.ends_with(['¥', '￥']) || LABELS.iter().any(|label| before.ends_with(label)) {
        return true;
    }
    let fraction = behind
        .strip_prefix(['.', '．'])
        .map(|rest| rest.trim_start_matches(|c| digit(c).is_some()));
    let behind = fraction.unwrap_or(behind).trim_start();
    behind.starts_with(['元', '万', '亿', '圆'])
}
