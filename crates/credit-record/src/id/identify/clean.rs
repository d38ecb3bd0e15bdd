//! Cleaning of one code by the steps of [`crate::normalise`], and the mapping back from a character of the
//! cleaned text to the character of the given one. Called by `identify_code`.

use std::borrow::Cow;

use crate::normalise::{COMPATIBLE, INVISIBLE, Normaliser, SEPARATORS, UPPER};

static STEPS: [&Normaliser; 4] = [&INVISIBLE, &COMPATIBLE, &SEPARATORS, &UPPER];
/// Rounds after which cleaning ends even if a step still finds work, as in [`crate::normalise::normalise_value`].
const MAX_ROUNDS: usize = 8;

/// A text after cleaning.
pub(super) struct CleanedCode<'a> {
    /// The cleaned text.
    pub(super) text: Cow<'a, str>,
    /// Written `XXXXXXXX-X`, as organisation codes are printed.
    pub(super) hyphened: bool,
}

impl<'a> CleanedCode<'a> {
    pub(super) fn from_text(text: &'a str) -> Self {
        let printed = run_steps(Cow::Borrowed(text), &[&INVISIBLE, &COMPATIBLE]);
        let mut letters = printed.chars();
        let hyphened = letters.by_ref().take(8).filter(|c| *c != '-').count() == 8
            && letters.next() == Some('-')
            && letters.next().is_some_and(|c| c != '-')
            && letters.next().is_none();
        Self {
            text: run_steps(printed, &STEPS),
            hyphened,
        }
    }
}

fn run_steps<'a>(text: Cow<'a, str>, steps: &[&Normaliser]) -> Cow<'a, str> {
    let mut text = text;
    for _ in 0..MAX_ROUNDS {
        let mut idle = true;
        for step in steps {
            if let Some(after) = step.apply(&text) {
                text = Cow::Owned(after);
                idle = false;
            }
        }
        if idle {
            break;
        }
    }
    text
}

/// The character of the given text from which character `at` of the cleaned text came; behind the last
/// one that counts, when the cleaned text is shorter.
pub(super) fn original_position(text: &str, at: usize) -> usize {
    let mut buffer = [0; 4];
    let mut cleaned = 0;
    let mut end = 0;
    for (i, c) in text.chars().enumerate() {
        // Only a leading apostrophe is dirt; every other step treats each character alike.
        let apostrophe = matches!(c, '\'' | '‘' | '’' | '＇');
        let kept = if apostrophe && cleaned > 0 {
            1
        } else {
            let one: &str = c.encode_utf8(&mut buffer);
            run_steps(Cow::Borrowed(one), &STEPS).chars().count()
        };
        if kept == 0 {
            continue;
        }
        cleaned += kept;
        end = i + 1;
        if cleaned > at {
            return i;
        }
    }
    end
}
