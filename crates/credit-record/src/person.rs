//! The document by which a natural person is known: one form of it, however a record or a token writes it. Called by
//! `check` for the subjects of records and by `service-kit` for the persons of tokens, so that both name one person.

use std::fmt;

use time::Date;

use crate::id::CitizenNumber;
use crate::normalise::clean_code;

/// Document type of a resident's identity card in the catalogue's code list.
pub(crate) const RESIDENT: &str = "身份证";

/// Kind and number of a natural person's document in canonical form: half width, upper case, without separators,
/// a citizen number with its 18 characters also where 15 were written. Two are equal when they name one document. Never
/// shown: `Debug` hides the number and there is no `Display`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PersonDocument {
    kind: String,
    number: String,
}

impl PersonDocument {
    /// A document of this kind of the catalogue's code list, for instance 身份证. A number that breaks the rules of its
    /// kind stays what it is but for its form: it names nobody else. `today` is the day in Asia/Shanghai.
    pub fn new(kind: &str, number: &str, today: Date) -> Self {
        let kind = kind.trim();
        let number = clean_code(number);
        let citizen = match kind {
            RESIDENT => CitizenNumber::parse(&number, today).ok(),
            _ => None,
        };
        Self {
            kind: kind.to_owned(),
            number: citizen.map_or(number.into_owned(), |known| known.as_str().to_owned()),
        }
    }

    /// Kind of document.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The canonical number: personal data in clear.
    pub fn number(&self) -> &str {
        &self.number
    }
}

impl fmt::Debug for PersonDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PersonDocument({}, ***)", self.kind)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn number(kind: &str, written: &str) -> String {
        PersonDocument::new(kind, written, date!(2026 - 01 - 01)).number
    }

    #[test]
    fn r9_one_document_has_one_form() {
        for written in [
            "11010519491231002X",
            "11010519491231002x",
            "110105491231002",
            "110105 19491231 002X",
            "１１０１０５19491231002Ｘ",
            "\u{feff}11010519491231002X ",
        ] {
            assert_eq!(number("身份证", written), "11010519491231002X", "{written}");
        }
        assert_eq!(number("护照号", "e12345678"), "E12345678");
        // Fifteen digits are a citizen's only on a citizen's card.
        assert_eq!(number("护照号", "110105491231002"), "110105491231002");
        // What is no number of its kind names nobody else.
        assert_eq!(number("身份证", "110105491331002"), "110105491331002");
    }

    #[test]
    fn r4_a_log_never_shows_the_number() {
        let document = PersonDocument::new("身份证", "11010519491231002X", date!(2026 - 01 - 01));
        assert_eq!(format!("{document:?}"), "PersonDocument(身份证, ***)");
    }
}
