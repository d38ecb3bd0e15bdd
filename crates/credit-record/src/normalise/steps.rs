//! The text steps of normalisation. Called only through [`super::Normaliser`]; each returns `None` when
//! it has nothing to do, which is the usual case and costs one scan.

use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};

/// Characters without a shape of their own: byte-order mark, zero-width characters, soft hyphen.
pub(crate) fn is_zero_width(c: char) -> bool {
    matches!(
        c,
        '\u{FEFF}' | '\u{200B}'..='\u{200F}' | '\u{2060}' | '\u{00AD}'
    )
}

/// White space that is not the plain space.
fn is_odd_space(c: char) -> bool {
    matches!(c, '\u{00A0}' | '\u{3000}' | '\t' | '\r' | '\n')
}

/// True for a value of plain ASCII without anything to strip: the fast path of most codes.
fn plain(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.iter().all(|b| b.is_ascii_graphic() || *b == b' ')
        && !matches!(bytes.first(), Some(b' ' | b'\''))
        && bytes.last() != Some(&b' ')
}

/// For coded values: zero-width characters, odd spaces, spaces at both ends, a leading apostrophe.
pub(super) fn strip_invisible(value: &str) -> Option<String> {
    if plain(value) {
        return None;
    }
    let kept: String = value
        .chars()
        .filter(|c| !is_zero_width(*c) && !is_odd_space(*c))
        .collect();
    let marked = |c: char| c.is_whitespace() || matches!(c, '\'' | '‘' | '’' | '＇');
    Some(kept.trim_start_matches(marked).trim_end().to_owned())
}

/// For free text and names: zero-width characters go, line ends become one kind, both ends are trimmed.
pub(super) fn strip_invisible_text(value: &str) -> Option<String> {
    let odd = value.contains(|c| is_zero_width(c) || c == '\r' || c == '\u{00A0}');
    let trimmed = value.trim();
    if !odd && trimmed.len() == value.len() {
        return None;
    }
    let mut out = String::with_capacity(trimmed.len());
    for c in trimmed.replace("\r\n", "\n").chars() {
        match c {
            c if is_zero_width(c) => {}
            '\r' => out.push('\n'),
            '\u{00A0}' => out.push(' '),
            c => out.push(c),
        }
    }
    Some(out.trim().to_owned())
}

/// Unicode NFKC.
pub(super) fn nfkc(value: &str) -> Option<String> {
    if value.is_ascii() || is_nfkc_quick(value.chars()) == IsNormalized::Yes {
        return None;
    }
    Some(value.nfkc().collect())
}

/// Spaces, hyphens and dashes.
pub(super) fn strip_separators(value: &str) -> Option<String> {
    let separator = |c: char| {
        c.is_whitespace()
            || matches!(
                c,
                '-' | '－' | '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '﹣'
            )
    };
    value
        .contains(separator)
        .then(|| value.chars().filter(|c| !separator(*c)).collect())
}

/// Upper case of ASCII letters.
pub(super) fn upper(value: &str) -> Option<String> {
    value
        .bytes()
        .any(|b| b.is_ascii_lowercase())
        .then(|| value.to_ascii_uppercase())
}

/// Half-width form of a full-width letter or digit.
fn narrow(c: char) -> char {
    match c {
        '０'..='９' | 'Ａ'..='Ｚ' | 'ａ'..='ｚ' => {
            char::from_u32(c as u32 - 0xFEE0).unwrap_or(c)
        }
        c => c,
    }
}

/// Names: full-width round brackets, one middle dot, half-width letters and digits, no space beside a
/// Chinese character and one space elsewhere.
pub(super) fn name_form(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut gap = false;
    for c in value.chars() {
        let c = match narrow(c) {
            '(' | '﹙' => '（',
            ')' | '﹚' => '）',
            '•' | '・' | '･' | '‧' | '∙' | '⋅' => '·',
            c => c,
        };
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if gap && c.is_ascii() && out.ends_with(|last: char| last.is_ascii()) {
            out.push(' ');
        }
        gap = false;
        out.push(c);
    }
    Some(out)
}

/// Document numbers: no spaces, half-width letters and digits, and 〔〕 around the year, for which
/// people type [], 【】, ［］ and ﹝﹞. Round brackets stay: courts write （2019） on purpose.
pub(super) fn document_form(value: &str) -> Option<String> {
    let text: Vec<char> = value
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(narrow)
        .collect();
    let mut out = String::with_capacity(value.len());
    let mut i = 0;
    while i < text.len() {
        let opens = matches!(text[i], '[' | '【' | '［' | '﹝' | '〔');
        let year = text
            .get(i + 1..i + 5)
            .filter(|y| y.iter().all(char::is_ascii_digit));
        let closes = matches!(text.get(i + 5), Some(']' | '】' | '］' | '﹞' | '〕'));
        match year {
            Some(year) if opens && closes => {
                out.push('〔');
                out.extend(year);
                out.push('〕');
                i += 6;
            }
            _ => {
                out.push(text[i]);
                i += 1;
            }
        }
    }
    Some(out)
}

/// One value of a code list: half-width letters and digits, no spaces, a plain hyphen behind 其他.
pub(super) fn list_form(value: &str) -> Option<String> {
    let text: String = value
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(narrow)
        .collect();
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("其他") {
        let (before, after) = rest.split_at(at + "其他".len());
        out.push_str(before);
        rest = after;
        let dashes = ['－', '—', '–', '―', '：', ':', '-'];
        let described = after.trim_start_matches(dashes);
        if described.len() < after.len() {
            out.push('-');
            rest = described;
        }
    }
    out.push_str(rest);
    Some(out)
}

/// Several values: `;` between them, for which people type ；、，. Behind `其他-` only ； and ; separate,
/// because a description may hold the others.
pub(super) fn list_separators(value: &str) -> Option<String> {
    let mut out = String::with_capacity(value.len());
    let mut add = |part: &str| {
        if !part.is_empty() {
            if !out.is_empty() {
                out.push(';');
            }
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
    Some(out)
}

/// Words and signs by which people say that there is nothing.
pub(super) fn blank_word(value: &str) -> Option<String> {
    matches!(
        value,
        "无" | "空"
            | "/"
            | "／"
            | "-"
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
            | "暂无"
            | "没有"
    )
    .then(String::new)
}
