//! Marks of classification as they stand on documents (保密法 art. 22, GB/T 9704 7.2.2): 机密★10年, or the level alone on
//! a line of its own or before its text. Called by [`super::check_text`].
//!
//! 商业秘密 is protected otherwise, and 秘密窃取 or 泄露国家秘密 are words of a sentence; none of them is a mark.

const LEVELS: [&str; 3] = ["绝密", "机密", "秘密"];

/// Whether the text bears a mark.
pub(super) fn is_classified(text: &str) -> bool {
    // Both levels that do not end so are no level.
    if !text.contains('密') {
        return false;
    }
    text.split(['\n', '\r']).any(leads) || starred(text)
}

/// A level with its star anywhere; the star is 五角星, or a sign typed for it with a term behind.
fn starred(text: &str) -> bool {
    LEVELS.iter().any(|level| {
        text.match_indices(level).any(|(at, _)| {
            let behind = text[at + level.len()..].trim_start();
            let mut rest = behind.chars();
            let star = match rest.next() {
                Some('★') => true,
                Some('☆' | '*' | '＊' | '※') => is_term(rest.as_str().trim_start()),
                _ => false,
            };
            star && !text[..at].ends_with("商业")
        })
    })
}

/// 10年, 6个月, 长期.
fn is_term(text: &str) -> bool {
    let digits = |c: char| c.is_ascii_digit() || ('０'..='９').contains(&c);
    let rest = text.trim_start_matches(digits);
    text.starts_with("长期")
        || (rest.len() < text.len() && rest.starts_with(['年', '个', '月', '天']))
}

/// A line that begins with a level and goes on as no word does.
fn leads(line: &str) -> bool {
    let opening =
        |c: char| matches!(c, '【' | '[' | '［' | '〔' | '（' | '(' | '《') || c.is_whitespace();
    let line = line.trim_start_matches(opening);
    LEVELS.iter().any(|level| {
        line.strip_prefix(level).is_some_and(|rest| {
            let rest = rest.strip_prefix('级').unwrap_or(rest);
            match rest.chars().next() {
                None => true,
                Some(c) => {
                    c.is_whitespace()
                        || matches!(c, '】' | ']' | '］' | '〕' | '）' | ')' | '：' | ':')
                        || is_term(rest)
                }
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use super::is_classified;

    #[test]
    fn marks_are_marks() {
        for text in [
            "机密★10年",
            "绝密★长期",
            "秘密★",
            "秘密 ★ 6个月 关于检查情况的通报",
            "依据《关于专项整治的通知》（机密★5年）作出决定",
            "机密*10年",
            "秘密☆１年",
            "【秘密】关于检查情况的通报",
            "机密：关于检查情况的通报",
            "机密级 关于检查情况的通报",
            "000012\n绝密\n关于检查情况的通报",
            "秘密",
            "机密10年",
        ] {
            assert!(is_classified(text), "{text}");
        }
    }

    #[test]
    fn words_are_words() {
        for text in [
            "",
            "侵犯商业秘密，处罚款10万元",
            "商业秘密★10年",
            "秘密窃取他人财物",
            "机密文件保管不善",
            "当事人泄露国家秘密",
            "绝密飞行主题乐园经营许可",
            "违反保密规定，在机密级涉密计算机上使用移动存储介质",
            "未按规定销毁秘密载体",
            "密★",
            "会议确定（秘密）投票",
            "秘密投票选举",
            "加工机密封件*10套",
        ] {
            assert!(!is_classified(text), "{text}");
        }
    }
}
