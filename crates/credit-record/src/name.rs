//! Names of organisations as search keys. Called by `disclosure`, which stores the normal form and the
//! bigrams beside a published record, and by `web` through it for what a visitor types.

use unicode_normalization::UnicodeNormalization;

use crate::normalise::is_zero_width;

/// The form under which two spellings of one name are equal: NFKC, no spaces or invisible characters,
/// half-width round brackets for every kind of bracket, one middle dot, lower-case letters.
pub fn normal_form(name: &str) -> String {
    name.nfkc()
        .filter(|c| !c.is_whitespace() && !is_zero_width(*c))
        .map(|c| match c {
            '[' | '【' | '〔' | '「' | '〈' => '(',
            ']' | '】' | '〕' | '」' | '〉' => ')',
            '•' | '・' | '‧' | '∙' | '⋅' => '·',
            c => c,
        })
        .flat_map(char::to_lowercase)
        .collect()
}

/// Pairs of neighbouring letters, digits and ideographs of the normal form, each once, in the order of
/// their first appearance. Brackets and dots are skipped, so that 长沙(湖南) is found as 长沙湖南. A name
/// of one character gives that character.
pub fn name_bigrams(name: &str) -> Vec<String> {
    let letters: Vec<char> = normal_form(name)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect();
    if let [only] = letters[..] {
        return vec![only.to_string()];
    }
    let mut pairs: Vec<String> = Vec::with_capacity(letters.len().saturating_sub(1));
    for pair in letters.windows(2) {
        let pair: String = pair.iter().collect();
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    pairs
}
