//! Numbers of decision documents taken apart into a series and a running number, so that supervision can see where a
//! series has gaps. Pure; called by `figures`.

/// Most digits of a running number: organs count to some hundred thousand a year. Longer rows are of something else, such
/// as a landline or a permit.
const MOST_DIGITS: usize = 6;
/// Most digits that may stand with the running number without a letter or a Chinese character between them: a year and the
/// number, or the parts of an old licence number. Numbers of persons and telephones in parts have at least 11.
const MOST_DIGITS_WITH_PUNCTUATION: usize = 10;

/// A document number taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct SeriesNumber {
    /// The text without the running number: what all numbers of the series have in common.
    pub series: String,
    /// The running number, from 1.
    pub running_number: u32,
}

/// A document number can name a person, so a log shows none.
impl std::fmt::Debug for SeriesNumber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeriesNumber").finish_non_exhaustive()
    }
}

impl SeriesNumber {
    /// Takes a normalised document number apart: of 长市监罚决〔2026〕17号 the series is 长市监罚决〔2026〕号 and the running
    /// number 17. That is the last row of ASCII digits that is in no brackets; leading zeros belong to it. `None` where
    /// there is no such row, where it is 0, and where it may be part of a person's number: it has more than 6
    /// digits, a letter that touches it, or more than 10 digits with punctuation only between them.
    pub fn parse(document_number: &str) -> Option<Self> {
        let (start, end) = last_digits(document_number)?;
        let (before, digits) = document_number[..end].split_at(start);
        let after = &document_number[end..];
        let touched = before.chars().next_back().is_some_and(is_cased)
            || after.chars().next().is_some_and(is_cased);
        let together = digits.len()
            + digits_until_text(before.chars().rev())
            + digits_until_text(after.chars());
        if digits.len() > MOST_DIGITS || touched || together > MOST_DIGITS_WITH_PUNCTUATION {
            return None;
        }
        let running_number = digits.parse().ok().filter(|number| *number > 0)?;
        Some(Self {
            series: [before, after].concat(),
            running_number,
        })
    }
}

/// A letter of an alphabet with two cases, in any width: of a passport or permit number. Chinese characters are none.
fn is_cased(c: char) -> bool {
    c.is_uppercase() || c.is_lowercase()
}

/// How many digits, of either width, come before the first letter or Chinese character.
fn digits_until_text(characters: impl Iterator<Item = char>) -> usize {
    characters
        .take_while(|c| is_digit(*c) || !c.is_alphanumeric())
        .filter(|c| is_digit(*c))
        .count()
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || ('０'..='９').contains(&c)
}

/// Position of the last row of ASCII digits that is in no brackets. What follows a bracket that is never closed is in
/// it.
fn last_digits(text: &str) -> Option<(usize, usize)> {
    let mut last: Option<(usize, usize)> = None;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        if is_opening(c) {
            depth += 1;
        } else if is_closing(c) {
            depth = depth.saturating_sub(1);
        } else if depth == 0 && c.is_ascii_digit() {
            last = match last {
                Some((start, end)) if end == at => Some((start, at + 1)),
                _ => Some((at, at + 1)),
            };
        }
    }
    last
}

// Normalised years are in 〔〕 and round brackets are full width; records of items with cleansing of their own may have
// the others.
fn is_opening(c: char) -> bool {
    matches!(c, '〔' | '（' | '(' | '[' | '［' | '【' | '〖')
}

fn is_closing(c: char) -> bool {
    matches!(c, '〕' | '）' | ')' | ']' | '］' | '】' | '〗')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parts(text: &str) -> Option<(String, u32)> {
        SeriesNumber::parse(text).map(|found| (found.series, found.running_number))
    }

    #[test]
    fn r21_numbers_as_organs_write_them_are_taken_apart() {
        for (text, series, number) in [
            ("长市监罚决〔2026〕17号", "长市监罚决〔2026〕号", 17),
            ("湘长环罚字[2026]第003号", "湘长环罚字[2026]第号", 3),
            ("湘长环罚字〔2026〕第003号", "湘长环罚字〔2026〕第号", 3),
            ("(2026)湘0102执123号", "(2026)湘0102执号", 123),
            ("（2026）湘0102执123号", "（2026）湘0102执号", 123),
            ("XK43-201-00017", "XK43-201-", 17),
            ("长住建许决〔2026〕12号-1", "长住建许决〔2026〕12号-", 1),
            ("长公交决字〔2026〕第4301001234567号", "", 0),
            (
                "长公（交）行罚决字〔2026〕999999号",
                "长公（交）行罚决字〔2026〕号",
                999_999,
            ),
            ("长公交决字〔2026〕1000000号", "", 0),
            ("长环罚字[2026]第000123号", "长环罚字[2026]第号", 123),
            ("长食药监2026-0017", "长食药监2026-", 17),
            ("（长）工商罚〔2016〕12号", "（长）工商罚〔2016〕号", 12),
            ("17", "", 17),
            // No digits, or none outside brackets.
            ("", "", 0),
            ("长市监罚决字", "", 0),
            ("长市监罚决〔2026〕号", "", 0),
            ("长市监罚决〔2026〕（17）", "", 0),
            ("长市监罚决〔2026〕第000号", "", 0),
            // A bracket that is never closed, one that was never opened, and two kinds of one pair.
            ("长市监罚决〔2026", "", 0),
            ("长市监罚决2026〕17号", "长市监罚决2026〕号", 17),
            ("长市监罚决〔2026]17号", "长市监罚决〔2026]号", 17),
            // Full-width digits do not come out of the normalisation.
            ("长市监罚决〔2026〕１７号", "", 0),
            // A year without brackets looks like a number.
            ("长市监罚决2026年", "长市监罚决年", 2026),
            // A citizen number is longer than a running number; an X is no digit.
            ("长公决430102199003071242", "", 0),
            ("长公决43010219900307123X号", "", 0),
            ("430102199003071242长公决", "", 0),
        ] {
            let expected = (number > 0).then(|| (series.to_owned(), number));
            assert_eq!(parts(text), expected, "{text}");
        }
    }

    #[test]
    fn r14_what_may_be_a_persons_number_is_no_running_number() {
        for text in [
            // Passports and permits, whole and short.
            "长公决E12345678号",
            "长公决ＥA1234567号",
            "长公决H123号",
            "长公决Ｈ123号",
            "长公决123X号",
            "长公决〔2026〕A123456（7）",
            // Landlines and mobile phones.
            "长公决〔2026〕0731-88665544",
            "长公决0731-8866544",
            "长公决（0731）8866-5544",
            "长公决138/0013/8000",
            // Citizen numbers in parts, also with a wrong check character.
            "430102/19900307/1242",
            "430102/19900307/1243",
            "430102.1990.03.07.1242",
            "430102（19900307）1242",
            "长公决43010２/１９９０0307/1242",
            "1242/19900307/430102",
            // Numbers of officers and old cards.
            "南字第01234567号",
            "430102900307124",
        ] {
            assert_eq!(parts(text), None, "{text}");
        }
    }

    #[test]
    fn r14_a_log_shows_nothing_of_a_document_number() {
        let shown = format!("{:?}", SeriesNumber::parse("张某某〔2026〕17号"));
        assert!(!shown.contains("张") && !shown.contains("17"), "{shown}");
    }

    proptest! {
        #[test]
        fn r21_neighbours_of_a_series_differ_by_their_running_number_only(
            before in "[\\PC&&[^0-9０-９〔（(\\[［【〖]]{0,12}(〔20[0-9]{2}〕|[第字])",
            after in "(号[\\PC&&[^0-9〔（(\\[［【〖]]{0,6}(（[0-9]{1,4}）)?)?",
            number in 1_u32..999_999,
            width in 1_usize..=6,
        ) {
            let written = |number: u32| format!("{before}{number:0width$}{after}");
            let series = format!("{before}{after}");
            prop_assert_eq!(parts(&written(number)), Some((series.clone(), number)));
            prop_assert_eq!(parts(&written(number + 1)), Some((series, number + 1)));
        }

        #[test]
        fn what_is_taken_out_of_any_text_is_the_running_number(text in "[0-9〔〕（）()\\[\\]号第X长-]{0,24}|\\PC{0,24}") {
            if let Some((series, number)) = parts(&text) {
                prop_assert!((1..=999_999).contains(&number));
                let taken = text.len() - series.len();
                prop_assert!((1..=MOST_DIGITS).contains(&taken));
                let written = format!("{number:0taken$}");
                let fits = |at: usize| {
                    let halves = series.split_at_checked(at);
                    halves.is_some_and(|(a, b)| [a, &written, b].concat() == text)
                };
                prop_assert!((0..=series.len()).any(fits), "{}", text);
            }
        }
    }
}
