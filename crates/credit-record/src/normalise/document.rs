//! Numbers of documents: the `document-number-form` step. Called only through [`super::Normaliser`].

use super::rewrite::Rewriter;
use super::text::{is_hyphen, to_half_width};

/// No spaces, half-width letters, digits and hyphens, and 〔〕 around the year, for which people type [],
/// 【】, 〖〗, {}, ［］ and ﹝﹞. Round brackets stay round, because courts write （2019） on purpose, and
/// become full-width.
pub(super) fn document_form(value: &str) -> Option<String> {
    let mut out = Rewriter::new(value);
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        if c.is_whitespace() {
            continue;
        }
        match to_half_width(c) {
            c if is_opening(c) => match bracketed_year(&mut rest) {
                Some(year) => {
                    out.push('〔');
                    year.into_iter().for_each(|digit| out.push(digit));
                    out.push('〕');
                }
                None => out.push(c),
            },
            '(' => out.push('（'),
            ')' => out.push('）'),
            c if is_hyphen(c) => out.push('-'),
            c => out.push(c),
        }
    }
    out.finish()
}

fn is_opening(c: char) -> bool {
    matches!(c, '〔' | '[' | '【' | '〖' | '{' | '［' | '｛' | '﹝')
}

/// The four digits before a closing bracket; only then the characters are taken.
fn bracketed_year(rest: &mut std::str::Chars<'_>) -> Option<[char; 4]> {
    let mut ahead = rest.clone();
    let mut next = || ahead.find(|c| !c.is_whitespace()).map(to_half_width);
    let mut year = ['0'; 4];
    for digit in &mut year {
        *digit = next().filter(char::is_ascii_digit)?;
    }
    next().filter(|c| matches!(c, '〕' | ']' | '】' | '〗' | '}' | '］' | '｝' | '﹞'))?;
    *rest = ahead;
    Some(year)
}
