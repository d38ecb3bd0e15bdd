//! What a visitor looks for: a credit code or a part of a name, and the filters of a list. Called by `grpc` (reading)
//! and `app` (keys of stored names are made the same way).

use credit_record::{CreditCode, name, normalise::parse_date};
use record_ref::ItemCode;
use time::Date;

use super::visibility::{FIRST_DAY, LAST_DAY};
use crate::error::DisclosureError;

/// Fewest characters of a part of a name.
const MIN_NAME_PART_CHARS: usize = 2;
/// Most characters that are looked for; names of the standard have at most 200.
const MAX_QUERY_CHARS: usize = 200;

/// A subject that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectQuery {
    /// Exactly this credit code.
    Code(String),
    /// Names that contain this.
    Name(NamePart),
}

/// Part of a name as it is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePart {
    /// See [`name_key`].
    pub key: String,
    /// Its pairs of neighbouring characters.
    pub bigrams: Vec<String>,
}

impl SubjectQuery {
    /// Reads what a visitor typed into `field`.
    ///
    /// # Errors
    /// [`DisclosureError::QueryTooShort`] and [`DisclosureError::QueryTooLong`].
    pub fn parse(field: &'static str, text: &str) -> Result<Self, DisclosureError> {
        if text.chars().count() > MAX_QUERY_CHARS {
            return Err(DisclosureError::QueryTooLong { field });
        }
        let code = name::normal_form(text).to_uppercase();
        if CreditCode::parse(&code).is_ok() {
            return Ok(Self::Code(code));
        }
        let key = name_key(text);
        if key.chars().count() < MIN_NAME_PART_CHARS {
            return Err(DisclosureError::QueryTooShort { field });
        }
        Ok(Self::Name(NamePart {
            bigrams: name::name_bigrams(text),
            key,
        }))
    }
}

/// Letters, digits and ideographs of a name's normal form, so that 长沙(湖南) is found as 长沙湖南.
pub fn name_key(text: &str) -> String {
    name::normal_form(text)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .collect()
}

/// Normal form of a document number: brackets, width, blanks and case do not matter.
pub fn document_key(number: &str) -> String {
    name::normal_form(number)
}

/// Filters of a list of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicListFilter {
    /// The item, in any version.
    pub item: ItemCode,
    /// The organisation, when one is looked for.
    pub subject: Option<SubjectQuery>,
    /// Key of the document number, when one is looked for.
    pub document_key: Option<String>,
    /// First day of decision.
    pub decided_from: Date,
    /// Last day of decision.
    pub decided_to: Date,
}

impl PublicListFilter {
    /// Reads the filters of a request; empty texts filter nothing.
    ///
    /// # Errors
    /// Which field breaks which rule.
    pub fn parse(
        item: ItemCode,
        subject: &str,
        document_number: &str,
        decided_from: &str,
        decided_to: &str,
    ) -> Result<Self, DisclosureError> {
        if document_number.chars().count() > MAX_QUERY_CHARS {
            return Err(DisclosureError::QueryTooLong {
                field: "document_number",
            });
        }
        let given = |text: &str| !text.trim().is_empty();
        // As visitors type them: the site passes on what they wrote.
        let day = |field, text: &str, open| match given(text) {
            true => parse_date(text)
                .filter(|day| (FIRST_DAY..=LAST_DAY).contains(day))
                .ok_or(DisclosureError::Date { field }),
            false => Ok(open),
        };
        let filter = Self {
            item,
            subject: given(subject)
                .then(|| SubjectQuery::parse("subject", subject))
                .transpose()?,
            document_key: given(document_number).then(|| document_key(document_number)),
            decided_from: day("decided_from", decided_from, FIRST_DAY)?,
            decided_to: day("decided_to", decided_to, LAST_DAY)?,
        };
        if filter.decided_from > filter.decided_to {
            return Err(DisclosureError::PeriodReversed);
        }
        Ok(filter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_code_and_all_else_is_part_of_a_name() {
        let code = SubjectQuery::Code("12430100444900018L".to_owned());
        for text in [
            "12430100444900018L",
            " １２４３０１００４４４９０００１８ｌ ",
        ] {
            assert_eq!(SubjectQuery::parse("query", text).unwrap(), code);
        }
        let Ok(SubjectQuery::Name(part)) = SubjectQuery::parse("query", "长沙（湖南）")
        else {
            panic!("is part of a name");
        };
        assert_eq!(part.key, "长沙湖南");
        assert_eq!(part.bigrams, ["长沙", "沙湖", "湖南"]);
    }

    #[test]
    fn one_character_is_too_little_and_brackets_do_not_count() {
        for text in ["", "长", "（长）", "%_"] {
            let refused = SubjectQuery::parse("query", text);
            assert!(
                matches!(refused, Err(DisclosureError::QueryTooShort { .. })),
                "{text}"
            );
        }
        let long = "长".repeat(201);
        let refused = SubjectQuery::parse("query", &long);
        assert!(matches!(refused, Err(DisclosureError::QueryTooLong { .. })));
    }

    #[test]
    fn filters_name_the_field_that_is_wrong() {
        let bad = |from, to| {
            PublicListFilter::parse("xzcf".parse().unwrap(), "", "", from, to).unwrap_err()
        };
        assert!(matches!(
            bad("2024-13-01", ""),
            DisclosureError::Date {
                field: "decided_from"
            }
        ));
        assert!(matches!(
            bad("", "x"),
            DisclosureError::Date {
                field: "decided_to"
            }
        ));
        assert!(matches!(
            bad("2024-02-02", "2024-02-01"),
            DisclosureError::PeriodReversed
        ));
        let open = PublicListFilter::parse("xzcf".parse().unwrap(), " ", "", "", "").unwrap();
        assert_eq!((open.subject, open.document_key), (None, None));
        assert_eq!((open.decided_from, open.decided_to), (FIRST_DAY, LAST_DAY));
    }

    #[test]
    fn brackets_of_document_numbers_do_not_matter() {
        let keys = ["长卫罚〔2025〕3号", "长卫罚[2025]3号", "长卫罚（2025） 3号"].map(document_key);
        assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
    }
}
