//! Names of organisations and persons: the `name-form` step, and what matching by name needs besides it.
//! The step is called through [`super::Normaliser`], the other functions by `check` and by services that compare names.

use unicode_normalization::char::decompose_compatible;

use super::rewrite::Rewriter;
use super::text::{plain_chinese, to_half_width};

/// Marks by which a market regulator tells an individual business from a company, at the end of its name.
const INDIVIDUAL_MARKS: [&str; 2] = ["个体工商户", "个体户"];

/// Names: full-width round brackets, one middle dot, half-width letters and digits, ideographs for the
/// radicals that PDF readers copy in their place; no space beside a Chinese character and one elsewhere.
pub(super) fn name_form(value: &str) -> Option<String> {
    if plain_chinese(value) {
        return None;
    }
    let mut out = Rewriter::new(value);
    let mut last: Option<char> = None;
    let mut gap = false;
    let mut rest = value.chars().peekable();
    while let Some(c) = rest.next() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        let c = match to_half_width(c) {
            '(' | '﹙' => '（',
            ')' | '﹚' => '）',
            '•' | '・' | '･' | '‧' | '∙' | '⋅' | '․' | '\u{0387}' => '·',
            // Between two Chinese characters a full stop can only be the dot of a minority name.
            '.' | '．'
                if last.is_some_and(is_ideograph)
                    && rest.peek().is_some_and(|c| is_ideograph(*c)) =>
            {
                '·'
            }
            '．' => '.',
            '＆' => '&',
            c @ ('\u{2F00}'..='\u{2FD5}' | '\u{2E9F}' | '\u{2EF3}') => ideograph_of(c),
            c => c,
        };
        if gap && last.is_some_and(|last| !is_wide(last)) && !is_wide(c) {
            out.push(' ');
        }
        gap = false;
        last = Some(c);
        out.push(c);
    }
    out.finish()
}

/// The ideograph of a Kangxi radical; the two look the same and are not equal.
fn ideograph_of(radical: char) -> char {
    let mut out = radical;
    decompose_compatible(radical, |c| out = c);
    out
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Characters beside which a space is only layout. Ideographs of people's own making stand in the
/// private-use area.
fn is_wide(c: char) -> bool {
    is_ideograph(c)
        || matches!(c, '·' | '\u{2E80}'..='\u{33FF}' | '\u{E000}'..='\u{F8FF}' | '\u{FE30}'..='\u{FE4F}'
            | '\u{FF00}'..='\u{FFEF}')
}

/// The name without a mark `（个体工商户）` at its end, in brackets of either width; the name itself where
/// there is none or where nothing would be left. The mark is part of the registered name and stays in the
/// record; but registers and older systems leave it out, so a comparison of names tries both.
pub fn without_individual_mark(name: &str) -> &str {
    let name = name.trim();
    let Some(inner) = name.strip_suffix(['）', ')']) else {
        return name;
    };
    let inner = inner.trim_end();
    INDIVIDUAL_MARKS
        .iter()
        .find_map(|mark| {
            let front = inner.strip_suffix(mark)?.trim_end();
            Some(front.strip_suffix(['（', '('])?.trim_end())
        })
        .filter(|front| !front.is_empty())
        .unwrap_or(name)
}

/// How a name is hidden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NameMask {
    /// `张*`, `张＊＊`, `张××`, `张○○`: certain.
    Signs,
    /// `张某`, `李某某`, `王某甲` as in published judgments: nearly certain.
    Word,
}

/// Whether a name is masked, so that it names nobody. Never repaired: the finding goes back.
pub fn masked_name(name: &str) -> Option<NameMask> {
    if name.contains(['*', '＊', '×', '╳', '○', '●', '█', '■', '□']) {
        return Some(NameMask::Signs);
    }
    let mut chars = name.chars();
    let [surname, some, third, more] = std::array::from_fn(|_| chars.next());
    let ordinals = "某甲乙丙丁戊己庚辛";
    let word = surname.is_some_and(is_ideograph)
        && some == Some('某')
        && third.is_none_or(|c| ordinals.contains(c) || c.is_ascii_digit())
        && more.is_none();
    word.then_some(NameMask::Word)
}
