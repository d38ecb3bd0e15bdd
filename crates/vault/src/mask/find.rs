//! Finds personal numbers in free text. Called by [`super::mask_text`] before publication and by
//! checks that report where a text names a person's number.
//!
//! The text is read as groups of digits (ASCII or full width, invisible characters skipped).
//! Groups with a short separator between them may be one number written in parts
//! (430102 19900307 1234), so from each group on the longest fitting row of whole groups is taken.
//! Parts of a longer row of digits never match: a 20-digit case number holds no phone.

use super::structure;
use std::ops::Range;

/// Longest number looked for: 19 digits of a bank card.
const LONGEST: usize = 19;
/// Most separator characters between two groups of one number.
const SEPARATORS: usize = 3;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PersonalNumberKind {
    /// A citizen number of 18 characters, or a residence number of the same build.
    CitizenNumber,
    /// A citizen number in the old form of 15 digits.
    OldCitizenNumber,
    /// A mobile phone number.
    MobilePhone,
    /// A bank card number.
    BankCard,
}

/// The personal numbers in a text: byte ranges in order, without overlap, each on character
/// boundaries. Covers citizen numbers of 18 characters with a true check character and of 15
/// digits with a real date, mobile phones, and bank cards of 16 to 19 digits that pass Luhn.
pub fn find_personal(text: &str) -> Vec<(Range<usize>, PersonalNumberKind)> {
    let groups = groups(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < groups.len() {
        match longest(&groups[at..]) {
            Some((count, end, kind)) => {
                found.push((groups[at].start..end, kind));
                at += count;
            }
            None => at += 1,
        }
    }
    found
}

/// The digit that a character stands for, in either width.
pub(super) fn ascii_digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_digit(u32::from(c) - u32::from('０'), 10),
        _ => None,
    }
}

/// A found number in ASCII without separators.
pub(super) fn plain_digits(found: &str) -> String {
    found
        .chars()
        .filter_map(|c| ascii_digit(c).or_else(|| is_x(c).then_some('X')))
        .collect()
}

/// A row of digits without anything visible between them.
struct MaskDigitGroup {
    start: usize,
    end: usize,
    digits: String,
    /// End of an X that follows at once and may be a check character.
    x_end: Option<usize>,
    /// A Latin letter follows at once (an X too): the digits are part of a code.
    letter_follows: bool,
    /// The next group may continue the same number.
    joined: bool,
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

/// Characters without width, which copying from documents leaves inside numbers.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}

fn groups(text: &str) -> Vec<MaskDigitGroup> {
    let mut groups: Vec<MaskDigitGroup> = Vec::new();
    // Visible characters since the last digit: none (still in the group), or that many separators;
    // no value when something else came between.
    let mut gap = None;
    for (at, c) in text.char_indices().filter(|(_, c)| !is_invisible(*c)) {
        let end = at + c.len_utf8();
        match (ascii_digit(c), groups.last_mut()) {
            (Some(d), Some(group)) if gap == Some(0) && group.x_end.is_none() => {
                group.digits.push(d);
                group.end = end;
            }
            (Some(d), last) => {
                if let Some(group) = last {
                    group.joined = gap.is_some_and(|gap| gap > 0);
                    if gap == Some(0) {
                        // The X stood between digits, so it is no check character.
                        group.x_end = None;
                    }
                }
                groups.push(MaskDigitGroup {
                    start: at,
                    end,
                    digits: d.to_string(),
                    x_end: None,
                    letter_follows: false,
                    joined: false,
                });
                gap = Some(0);
            }
            (None, Some(group)) => {
                let touching = gap == Some(0) && group.x_end.is_none();
                if touching && (c.is_ascii_alphabetic() || is_x(c)) {
                    group.letter_follows = true;
                }
                gap = match gap {
                    Some(0) if touching && is_x(c) => {
                        group.x_end = Some(end);
                        Some(0)
                    }
                    Some(gap) if gap < SEPARATORS && is_separator(c) => Some(gap + 1),
                    _ => None,
                };
            }
            (None, None) => {}
        }
    }
    groups
}

/// The longest number that begins with the first group: how many groups, where it ends, what.
fn longest(groups: &[MaskDigitGroup]) -> Option<(usize, usize, PersonalNumberKind)> {
    let mut digits = String::new();
    let mut sizes = Vec::new();
    let mut best = None;
    for (index, group) in groups.iter().enumerate() {
        digits.push_str(&group.digits);
        sizes.push(group.digits.len());
        if digits.len() > LONGEST {
            break;
        }
        if let Some((end, kind)) = judge(&digits, &sizes, group) {
            best = Some((index + 1, end, kind));
        }
        if !group.joined {
            break;
        }
    }
    best
}

fn judge(
    digits: &str,
    sizes: &[usize],
    last: &MaskDigitGroup,
) -> Option<(usize, PersonalNumberKind)> {
    if structure::is_citizen_number(digits) {
        return Some((last.end, PersonalNumberKind::CitizenNumber));
    }
    if let Some(end) = last.x_end
        && structure::is_citizen_number(&format!("{digits}X"))
    {
        return Some((end, PersonalNumberKind::CitizenNumber));
    }
    // The others have no check against codes that go on with letters, such as credit codes.
    if last.letter_follows {
        return None;
    }
    let kind = if card_parts(sizes) && structure::is_bank_card(digits) {
        PersonalNumberKind::BankCard
    } else if phone_parts(sizes) && structure::mobile_digits(digits).is_some() {
        PersonalNumberKind::MobilePhone
    } else if matches!(sizes, [15] | [6, 6, 3]) && structure::is_old_citizen_number(digits) {
        PersonalNumberKind::OldCitizenNumber
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

/// How mobile numbers are written; a country code apart is simply not part of the number.
fn phone_parts(sizes: &[usize]) -> bool {
    matches!(
        sizes,
        [_] | [3, 4, 4] | [3, 8] | [7, 4] | [4, 3, 4] | [3, 3, 5] | [5, 4, 4]
    )
}
