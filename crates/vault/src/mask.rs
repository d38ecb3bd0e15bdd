//! What the public may see of personal data. Called by every service that shows or exports a
//! record: `disclosure` masks fields by their kind, and free text (contents of penalties, replies,
//! reports) passes [`mask_text`] before it is published.
//!
//! No national rule fixes these masks; they follow common practice and never show a birth date. A
//! value of unexpected shape is hidden whole, so an odd value can only show less.

mod find;
mod structure;

pub use find::{PersonalNumberKind, find_personal};

const STAR: char = '*';

/// Compound surnames in use. A name that begins with one keeps both characters.
const COMPOUND_SURNAMES: [&str; 72] = [
    "欧阳", "太史", "端木", "上官", "司马", "东方", "独孤", "南宫", "万俟", "闻人", "夏侯", "诸葛",
    "尉迟", "公羊", "赫连", "澹台", "皇甫", "宗政", "濮阳", "公冶", "太叔", "申屠", "公孙", "慕容",
    "仲孙", "钟离", "长孙", "宇文", "司徒", "鲜于", "司空", "闾丘", "子车", "亓官", "司寇", "巫马",
    "公西", "颛孙", "壤驷", "公良", "漆雕", "乐正", "宰父", "谷梁", "拓跋", "夹谷", "轩辕", "令狐",
    "段干", "百里", "呼延", "东郭", "南门", "羊舌", "微生", "梁丘", "左丘", "东门", "西门", "南荣",
    "第五", "公乘", "贯丘", "公皙", "仲长", "即墨", "达奚", "褚师", "歐陽", "司馬", "諸葛", "東方",
];

/// A person's name: the surname and a star for each further character, at most two:
/// 张三 → 张*, 欧阳娜娜 → 欧阳**. A name with a middle dot or in another script keeps its first
/// character; a name of one character is hidden whole.
pub fn mask_person_name(name: &str) -> String {
    let characters: Vec<char> = name.chars().filter(|c| !c.is_whitespace()).collect();
    let compact: String = characters.iter().collect();
    let shown = match characters.len() {
        0 => return String::new(),
        1 => 0,
        3.. if COMPOUND_SURNAMES.iter().any(|s| compact.starts_with(s)) => 2,
        _ => 1,
    };
    // A longer name would else be recognisable by its length.
    let hidden = (characters.len() - shown).min(2);
    characters[..shown]
        .iter()
        .copied()
        .chain(std::iter::repeat_n(STAR, hidden))
        .collect()
}

/// A citizen number: 18 characters keep the first and last 4, the old 15 digits keep the first 4
/// and the last 3, anything else is hidden whole.
pub fn mask_citizen_number(number: &str) -> String {
    match number.trim().chars().count() {
        18 => keep(number, 4, 4),
        15 => keep(number, 4, 3),
        _ => keep(number, 0, 0),
    }
}

/// A passport or permit number: the first character and the last 2; shorter than 5, hidden whole.
pub fn mask_passport(number: &str) -> String {
    match number.trim().chars().count() {
        5.. => keep(number, 1, 2),
        _ => keep(number, 0, 0),
    }
}

/// A mobile phone number, with or without country code and separators: 138****1234. Anything that
/// is not one is hidden whole.
pub fn mask_phone(number: &str) -> String {
    let digits: String = number.chars().filter_map(find::ascii_digit).collect();
    match structure::mobile_digits(&digits) {
        Some(mobile) => keep(mobile, 3, 4),
        None => keep(number, 0, 0),
    }
}

/// A bank card number: the last 4 digits; shorter than 12, hidden whole.
pub fn mask_bank_card(number: &str) -> String {
    match number.trim().chars().count() {
        12.. => keep(number, 0, 4),
        _ => keep(number, 0, 0),
    }
}

/// Free text with everything that [`find_personal`] finds masked. Width and separators of a
/// masked number are not kept.
pub fn mask_text(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut copied = 0;
    for (range, kind) in find_personal(text) {
        masked.push_str(&text[copied..range.start]);
        let plain = find::plain_digits(&text[range.clone()]);
        masked.push_str(&match kind {
            PersonalNumberKind::CitizenNumber | PersonalNumberKind::OldCitizenNumber => {
                mask_citizen_number(&plain)
            }
            PersonalNumberKind::MobilePhone => mask_phone(&plain),
            PersonalNumberKind::BankCard => mask_bank_card(&plain),
        });
        copied = range.end;
    }
    masked.push_str(&text[copied..]);
    masked
}

/// The first and last characters of a trimmed text, stars between. Callers ask for fewer
/// characters than there are.
fn keep(text: &str, first: usize, last: usize) -> String {
    let text = text.trim();
    let count = text.chars().count();
    text.chars()
        .enumerate()
        .map(|(at, c)| {
            if at < first || at + last >= count {
                c
            } else {
                STAR
            }
        })
        .collect()
}
