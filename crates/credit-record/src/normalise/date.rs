//! Dates in the forms that providers send. Called by the `date-form` step, by `check` and by everyone
//! who reads a date that a person typed.

use legal_clock::format_day;
use time::{Date, Duration, Month};

use super::numerals;
use super::text::{is_hyphen, to_half_width};

/// Years that a date in a record may have; 2099-12-31 stands for "long-term".
const YEARS: std::ops::RangeInclusive<i32> = 1900..=2999;
/// The first day that a record may name.
pub const FIRST_DAY: Date = time::macros::date!(1900 - 01 - 01);
/// The last day that a record may name.
pub const LAST_DAY: Date = time::macros::date!(2999 - 12 - 31);
/// Most characters of a date with its weekday, time and zone.
const MAX_CHARACTERS: usize = 64;

/// The canonical form of a date that can be read; an unreadable one stays as it is, for `check` to refuse.
pub(super) fn date_form(value: &str) -> Option<String> {
    if canonical(value).is_some() {
        return None;
    }
    parse_date(value).map(format_day)
}

/// Reads `YYYY-MM-DD`, `YYYY/M/D`, `YYYY.M.D`, `YYYYMMDD`, `YYYY年M月D日` and `二〇一九年十月十日`, also with
/// full-width digits and spaces around the separators. A weekday may follow if it is the right one, and
/// a time of day, which is dropped: `00:00:00.0`, `T08:30`, `上午9:30`, `9时30分`, and `YYYYMMDDHHMMSS`. A time
/// zone may only be `+08:00`: any other could move the day. `None` when it is no such date; forms that do
/// not begin with the year, such as 10/11/2019, have two readings and are none.
pub fn parse_date(text: &str) -> Option<Date> {
    match canonical(text) {
        Some(parts) => day(parts).ok(),
        None => read(text).ok(),
    }
}

/// Why a text is no date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DateFault {
    /// A serial number of a spreadsheet, with the day that it means in the calendar of 1900, which Excel
    /// and WPS use by default.
    Serial(Date),
    /// 长期, 永久, 9999-12-31: written as 2099-12-31 in this standard.
    LongTerm,
    /// Day, month and year in an order that has two readings, such as 10/11/2019.
    OrderUnclear,
    /// A year of two digits.
    ShortYear,
    /// A year, or a year and a month, without a day.
    Partial,
    /// A time zone that is not +08:00.
    Zone,
    /// A weekday that is not that of the day.
    Weekday,
    /// Letters that look like digits, with the day that would then stand there.
    Lookalike(Date),
    /// In the form of a date, but the calendar has no such day, or the year is out of range.
    NoSuchDay,
    /// None of these.
    Form,
}

impl DateFault {
    /// What is wrong, in Chinese, to follow the name of the field.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Serial(_) => "是电子表格的日期序号，请以YYYY-MM-DD格式报送",
            Self::LongTerm => "表示长期的，请填写2099-12-31",
            Self::OrderUnclear => "年月日的顺序不明确，请以YYYY-MM-DD格式报送",
            Self::ShortYear => "的年份应为4位",
            Self::Partial => "应填写到日，格式为YYYY-MM-DD",
            Self::Zone => "带有北京时间以外的时区，可能改变日期，请以YYYY-MM-DD格式报送",
            Self::Weekday => "中的星期与日期不一致，请核对",
            Self::Lookalike(_) => "含有形近数字的字母，请核对",
            Self::NoSuchDay => "不是日历中存在的日期，请核对",
            Self::Form => "不是合法的日期，格式应为YYYY-MM-DD",
        }
    }

    /// The day that is probably meant, as `YYYY-MM-DD`; only ever a suggestion.
    pub fn suggestion(self) -> Option<String> {
        match self {
            Self::Serial(date) | Self::Lookalike(date) => Some(format_day(date)),
            Self::LongTerm => Some("2099-12-31".to_owned()),
            _ => None,
        }
    }
}

/// The reason why a cleaned value is no date; `None` when it is one. Called by `check` for its message.
pub fn date_fault(text: &str) -> Option<DateFault> {
    let fault = match canonical(text) {
        Some(parts) => day(parts).err()?,
        None => read(text).err()?,
    };
    let plain: String = text
        .chars()
        .take(MAX_CHARACTERS + 1)
        .map(to_half_width)
        .collect();
    if plain.chars().count() > MAX_CHARACTERS {
        return Some(DateFault::Form);
    }
    let plain = plain.trim();
    if matches!(
        plain,
        "长期" | "长期有效" | "永久" | "永久有效" | "无期限" | "无固定期限"
    ) || (fault == DateFault::NoSuchDay && plain.starts_with("9999"))
    {
        return Some(DateFault::LongTerm);
    }
    if fault != DateFault::Form {
        return Some(fault);
    }
    if let Some(date) = serial_day(plain) {
        return Some(DateFault::Serial(date));
    }
    let lookalike: String = plain.chars().map(digit_like).collect();
    if let (true, Some(date)) = (lookalike != plain, parse_date(&lookalike)) {
        return Some(DateFault::Lookalike(date));
    }
    Some(by_groups(plain))
}

/// The day of a spreadsheet's serial number of five digits, with or without a fraction: 43748 is
/// 2019-10-10 in the calendar of 1900. Five digits reach from 1927 to 2173.
pub fn serial_day(text: &str) -> Option<Date> {
    let (days, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    if days.len() != 5 || days.starts_with('0') || !digits(days) || !digits(fraction) {
        return None;
    }
    // Excel counts a 29 February 1900 that never was, so its day 0 is one day earlier than it says.
    let zero = Date::from_calendar_date(1899, Month::December, 30).ok()?;
    zero.checked_add(Duration::days(days.parse().ok()?))
}

/// Letters and signs that stand where a digit belongs.
fn digit_like(c: char) -> char {
    match c {
        'O' | 'o' | 'Ο' | 'О' => '0',
        'l' | 'I' => '1',
        c => c,
    }
}

/// Names the fault of groups of digits that are no date.
fn by_groups(plain: &str) -> DateFault {
    let mut lengths = [0usize; 4];
    let mut groups = 0;
    let mut inside = false;
    for c in plain.chars() {
        if c.is_ascii_digit() {
            if !inside {
                groups += 1;
                inside = true;
            }
            if let Some(length) = lengths.get_mut(groups - 1) {
                *length += 1;
            }
        } else if is_hyphen(c) || matches!(c, '/' | '.' | '年' | '月' | '日' | ' ') {
            inside = false;
        } else {
            return DateFault::Form;
        }
    }
    match (groups, lengths) {
        (3, [1..=2, 1..=2, 4, _]) => DateFault::OrderUnclear,
        (3, [1..=2, 1..=2, 1..=2, _]) => DateFault::ShortYear,
        (2, [4, 1..=2, ..]) | (1, [4 | 6, ..]) => DateFault::Partial,
        _ => DateFault::Form,
    }
}

/// Year, month and day.
type DateParts = [u32; 3];

/// The parts of `YYYY-MM-DD`, whether or not there is such a day.
fn canonical(text: &str) -> Option<DateParts> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text.as_bytes() else {
        return None;
    };
    let number = |digits: &[u8]| {
        digits.iter().try_fold(0u32, |n, b| {
            b.is_ascii_digit().then(|| n * 10 + u32::from(b - b'0'))
        })
    };
    Some([
        number(&[y1, y2, y3, y4])?,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    ])
}

fn day([year, month, day]: DateParts) -> Result<Date, DateFault> {
    let date = || {
        let year = i32::try_from(year).ok().filter(|y| YEARS.contains(y))?;
        let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
        Date::from_calendar_date(year, month, u8::try_from(day).ok()?).ok()
    };
    date().ok_or(DateFault::NoSuchDay)
}

/// Reads every form but the canonical one.
fn read(text: &str) -> Result<Date, DateFault> {
    let mut chars = ['\0'; MAX_CHARACTERS];
    let mut count = 0;
    for c in text.trim().chars() {
        *chars.get_mut(count).ok_or(DateFault::Form)? = match to_half_width(c) {
            c if c.is_whitespace() => ' ',
            '：' => ':',
            '．' => '.',
            '／' => '/',
            '＋' => '+',
            c if is_hyphen(c) => '-',
            c => c,
        };
        count += 1;
    }
    let mut rest = DateReader(&chars[..count]);
    let (parts, ends_in_sign) = rest.date().ok_or(DateFault::Form)?;
    rest.finish_date(parts, ends_in_sign)
}

/// What is left to read.
struct DateReader<'a>(&'a [char]);

impl<'a> DateReader<'a> {
    fn take_char(&mut self, wanted: char) -> bool {
        match self.0.split_first() {
            Some((c, rest)) if *c == wanted => {
                self.0 = rest;
                true
            }
            _ => false,
        }
    }

    fn take_any(&mut self, wanted: &[&str]) -> bool {
        wanted.iter().any(|word| {
            let length = word.chars().count();
            let found = self.0.len() >= length && word.chars().zip(self.0).all(|(a, b)| a == *b);
            if found {
                self.0 = &self.0[length..];
            }
            found
        })
    }

    /// True when there were spaces.
    fn spaces(&mut self) -> bool {
        let before = self.0.len();
        while self.take_char(' ') {}
        self.0.len() < before
    }

    /// The characters in front for which the test holds.
    fn run(&mut self, test: impl Fn(char) -> bool) -> &'a [char] {
        let length = self.0.iter().take_while(|c| test(**c)).count();
        let (run, rest) = self.0.split_at(length);
        self.0 = rest;
        run
    }

    fn digits(&mut self) -> &'a [char] {
        self.run(|c| c.is_ascii_digit())
    }

    /// Day, month and year, and whether 日 or 号 ended them.
    fn date(&mut self) -> Option<(DateParts, bool)> {
        let run = self.run(|c| numerals::year_digit(c).is_some() || c.is_ascii_digit());
        let chinese = !run.iter().all(char::is_ascii_digit);
        if let (8 | 14, false) = (run.len(), chinese) {
            let (date, time) = run.split_at(8);
            if !time.is_empty() && !is_time(time) {
                return None;
            }
            let parts = [
                number(&date[..4])?,
                number(&date[4..6])?,
                number(&date[6..])?,
            ];
            // Behind 14 digits nothing can follow.
            return (time.is_empty() || self.0.is_empty()).then_some((parts, false));
        }
        if run.len() != 4 {
            return None;
        }
        let year = run.iter().try_fold(0, |n, c| {
            let digit = c.to_digit(10).or_else(|| numerals::year_digit(*c))?;
            Some(n * 10 + digit)
        })?;
        let in_words = self.separator('年', chinese)?;
        let month = self.part(in_words)?;
        let in_words = self.separator('月', month.1)?;
        let day = self.part(in_words)?;
        let before = self.0;
        self.spaces();
        let signed = self.take_char('日') || self.take_char('号');
        if !signed {
            self.0 = before;
            // 十月十 may be what is left of 十月十一日.
            if day.1 {
                return None;
            }
        }
        Some(([year, month.0, day.0], signed))
    }

    /// A separator with spaces around it; true when it is the word. A part in Chinese numerals demands
    /// the word.
    fn separator(&mut self, word: char, demanded: bool) -> Option<bool> {
        self.spaces();
        let in_words = self.take_char(word);
        let found = in_words
            || (!demanded && (self.take_char('-') || self.take_char('/') || self.take_char('.')));
        self.spaces();
        found.then_some(in_words)
    }

    /// A month or a day of one or two digits, or in Chinese numerals where words separate; and whether
    /// it was written so.
    fn part(&mut self, in_words: bool) -> Option<(u32, bool)> {
        let digits = self.digits();
        if !digits.is_empty() {
            return (digits.len() <= 2)
                .then(|| number(digits))
                .flatten()
                .map(|n| (n, false));
        }
        if !in_words {
            return None;
        }
        // 元月 is January in documents; 正月 is the first month of the lunar calendar.
        if self.take_any(&["元"]) {
            return Some((1, true));
        }
        let run = self.run(|c| c == '十' || numerals::year_digit(c).is_some_and(|d| d > 0));
        numerals::up_to_99(run).map(|n| (n, true))
    }

    /// What may follow a date: nothing, its weekday, a time of day, the zone +08:00.
    fn finish_date(&mut self, parts: DateParts, ends_in_sign: bool) -> Result<Date, DateFault> {
        let date = day(parts);
        if self.0.is_empty() {
            return date;
        }
        let mut apart = self.spaces() || ends_in_sign;
        if apart && self.take_any(&["星期", "周"]) {
            let named = self.run(|c| "一二三四五六日天".contains(c));
            let date = date?;
            let right = match date.weekday().number_days_from_monday() {
                6 => matches!(named, ['日' | '天']),
                n => matches!(named, [c] if numerals::year_digit(*c) == Some(u32::from(n) + 1)),
            };
            if !right {
                return Err(DateFault::Weekday);
            }
            self.spaces();
            apart = true;
        }
        if self.0.is_empty() {
            return date;
        }
        if !(self.take_char('T') || apart) || !self.time_of_day() {
            return Err(DateFault::Form);
        }
        self.spaces();
        let zone = self.run(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | ':'));
        if !self.0.is_empty() {
            return Err(DateFault::Form);
        }
        match zone {
            [] | ['+', '0', '8'] | ['+', '0', '8', '0', '0'] | ['+', '0', '8', ':', '0', '0'] => {
                date
            }
            _ => Err(DateFault::Zone),
        }
    }

    /// `8:30`, `08:30:00.000`, `上午9:30`, `9:30 AM`, `9时30分`, `9点`.
    fn time_of_day(&mut self) -> bool {
        let halves: &[&str] = &["上午", "下午", "AM", "PM", "am", "pm"];
        self.take_any(halves);
        self.spaces();
        let fits = |run: &[char], least: usize, below: u32| {
            (least..=2).contains(&run.len()) && number(run).is_some_and(|n| n < below)
        };
        if !fits(self.digits(), 1, 24) {
            return false;
        }
        if self.take_char('时') || self.take_char('点') {
            let minutes = self.digits();
            if minutes.is_empty() {
                return true;
            }
            if !fits(minutes, 1, 60) || !self.take_char('分') {
                return false;
            }
            let seconds = self.digits();
            return seconds.is_empty() || (fits(seconds, 1, 60) && self.take_char('秒'));
        }
        if !self.take_char(':') || !fits(self.digits(), 2, 60) {
            return false;
        }
        if self.take_char(':') {
            if !fits(self.digits(), 2, 60) {
                return false;
            }
            if self.take_char('.') && !(1..=9).contains(&self.digits().len()) {
                return false;
            }
        }
        let before = self.0;
        self.spaces();
        if !self.take_any(halves) {
            self.0 = before;
        }
        true
    }
}

fn number(digits: &[char]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0u32, |n, c| n.checked_mul(10)?.checked_add(c.to_digit(10)?))
}

/// `HHMMSS`.
fn is_time(digits: &[char]) -> bool {
    digits
        .chunks(2)
        .zip([24, 60, 60])
        .all(|(part, below)| number(part).is_some_and(|n| n < below))
}
