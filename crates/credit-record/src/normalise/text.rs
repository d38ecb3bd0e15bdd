//! Steps on characters: invisible ones, width, separators, case. Called only through
//! [`super::Normaliser`]; each returns `None` when it has nothing to do, which is the usual case and costs
//! one scan.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Characters without a shape of their own: byte-order mark, zero-width characters, soft hyphen, marks of
/// writing direction.
pub(crate) fn is_zero_width(c: char) -> bool {
    matches!(
        c,
        '\u{FEFF}'
            | '\u{200B}'..='\u{200F}'
            | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}'
            | '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
    )
}

/// White space that is not the plain space.
fn is_odd_space(c: char) -> bool {
    c != ' ' && c.is_whitespace()
}

/// Bytes with which an invisible character, white space or a typographic apostrophe can begin. Chinese
/// characters begin with none of them, so one pass over the bytes clears most values.
const LEADS: [bool; 256] = {
    let mut leads = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        leads[byte] = true;
        byte += 1;
    }
    leads[0xC2] = true;
    leads[0xCD] = true;
    leads[0xD8] = true;
    leads[0xE1] = true;
    leads[0xE2] = true;
    leads[0xE3] = true;
    leads[0xEF] = true;
    leads
};

/// False when a value certainly holds nothing to strip.
fn suspect(value: &str) -> bool {
    let bytes = value.as_bytes();
    matches!(bytes.first(), Some(b' ' | b'\''))
        || bytes.last() == Some(&b' ')
        || bytes.iter().any(|b| LEADS[usize::from(*b)])
}

/// What stands before a value and is no part of it: space, and the apostrophe by which Excel marks text.
fn is_mark(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\'' | '‘' | '’' | '＇')
}

/// For codes: zero-width characters, odd spaces, spaces at both ends, leading apostrophes.
pub(super) fn strip_invisible(value: &str) -> Option<String> {
    strip(value, |c| !is_odd_space(c))
}

/// For dates and numbers: the same, but odd spaces become plain ones, because a tab may stand between a
/// day and its time or between two numbers.
pub(super) fn strip_invisible_value(value: &str) -> Option<String> {
    let stripped = strip(value, |_| true);
    let text = stripped.as_deref().unwrap_or(value);
    if !text.contains(is_odd_space) {
        return stripped;
    }
    Some(
        text.chars()
            .map(|c| if is_odd_space(c) { ' ' } else { c })
            .collect(),
    )
}

fn strip(value: &str, keeps: fn(char) -> bool) -> Option<String> {
    if !suspect(value) {
        return None;
    }
    let keeps = |c: char| !is_zero_width(c) && keeps(c);
    if value.chars().all(keeps) {
        let trimmed = value.trim_start_matches(is_mark).trim_end();
        return (trimmed.len() < value.len()).then(|| trimmed.to_owned());
    }
    let mut kept = String::with_capacity(value.len());
    kept.extend(value.chars().filter(|c| keeps(*c)));
    let end = kept.trim_end().len();
    kept.truncate(end);
    let start = kept.len() - kept.trim_start_matches(is_mark).len();
    kept.drain(..start);
    Some(kept)
}

/// For free text and names: zero-width characters go, line ends become one kind, both ends are trimmed.
pub(super) fn strip_invisible_text(value: &str) -> Option<String> {
    if !suspect(value) {
        return None;
    }
    let odd = |c: char| {
        is_zero_width(c) || matches!(c, '\r' | '\u{00A0}' | '\u{85}' | '\u{2028}' | '\u{2029}')
    };
    let trimmed = value.trim();
    if !trimmed.contains(odd) {
        return (trimmed.len() < value.len()).then(|| trimmed.to_owned());
    }
    let mut out = String::with_capacity(trimmed.len());
    let mut rest = trimmed.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            c if is_zero_width(c) => {}
            '\r' if rest.peek() == Some(&'\n') => {}
            '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => out.push('\n'),
            '\u{00A0}' => out.push(' '),
            c => out.push(c),
        }
    }
    Some(out.trim().to_owned())
}

/// Longest value, in bytes, that is brought to NFKC. What is longer is no code and goes back for its
/// length; but a single character can become 18, so a megabyte of them is not worth the work.
const LONGEST_CODE: usize = 4096;

/// Unicode NFKC.
pub(super) fn to_nfkc(value: &str) -> Option<String> {
    if value.len() > LONGEST_CODE
        || value.is_ascii()
        || is_nfkc_quick(value.chars()) == IsNormalized::Yes
    {
        return None;
    }
    Some(value.nfkc().collect())
}

/// Full-width digits, letters and signs, and no more: NFKC would make 102 of 10².
pub(super) fn half_width(value: &str) -> Option<String> {
    let wide = |c: char| matches!(c, '\u{FF01}'..='\u{FF5E}' | '￥');
    if value.is_ascii() || !value.contains(wide) {
        return None;
    }
    Some(
        value
            .chars()
            .map(|c| match c {
                '￥' => '¥',
                c if wide(c) => char::from_u32(c as u32 - 0xFEE0).unwrap_or(c),
                c => c,
            })
            .collect(),
    )
}

/// Hyphens and dashes of all lengths.
pub(super) fn is_hyphen(c: char) -> bool {
    matches!(
        c,
        '-' | '－' | '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣'
    )
}

/// Spaces, hyphens and dashes.
pub(super) fn strip_separators(value: &str) -> Option<String> {
    let separator = |c: char| c.is_whitespace() || is_hyphen(c);
    value
        .contains(separator)
        .then(|| value.chars().filter(|c| !separator(*c)).collect())
}

/// Upper case of ASCII letters.
pub(super) fn to_upper_case(value: &str) -> Option<String> {
    value
        .bytes()
        .any(|b| b.is_ascii_lowercase())
        .then(|| value.to_ascii_uppercase())
}

/// Half-width form of a full-width letter or digit.
pub(super) fn to_half_width(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' => {
            char::from_u32(c as u32 - 0xFEE0).unwrap_or(c)
        }
        c => c,
    }
}

/// True for a value of the usual Chinese characters (U+4000 to U+9FFF), ASCII letters and digits alone,
/// in which no step on names and lists finds work: one pass over the bytes.
pub(super) fn plain_chinese(value: &str) -> bool {
    value
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, 0x80..=0xBF | 0xE4..=0xE9))
}

/// Words and signs that mean "no value".
pub(super) fn blank_word(value: &str) -> Option<String> {
    matches!(
        value,
        "无" | "空"
            | "/"
            | "／"
            | "-"
            | "--"
            | "—"
            | "——"
            | "－"
            | "、"
            | "\\"
            | "N/A"
            | "n/a"
            | "NULL"
            | "null"
            | "(空)"
            | "（空）"
            | "(无)"
            | "（无）"
            | "暂无"
            | "没有"
    )
    .then(String::new)
}
