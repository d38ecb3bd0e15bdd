//! Parses and validates query parameters: search text, filters, page tokens. Pure. Called by
//! `routes`; the forms in `pages` show what is kept here. Identifiers are cleaned by the same steps
//! that clean a provider's values, so a code copied from a PDF is found.

mod catalogue;

pub use catalogue::{CATALOGUES, CLASSES, CatalogueFilter};

use credit_record::{
    CreditCode, IdError,
    normalise::{COMPATIBLE, INVISIBLE, Normaliser, SEPARATORS, UPPER, format_day, parse_date},
};
use time::Date;
use vault::find_personal;

/// Fewest characters of a name that can be searched for.
pub const MIN_NAME: usize = 2;
/// Most characters that a field of a form may hold: the longest name of the standard.
pub const MAX_TEXT: usize = 200;
/// Most bytes of a page token; a longer one was not issued by our services and is ignored.
const MAX_PAGE_TOKEN_BYTES: usize = 1024;

/// The parameters of an address, in order. The first of a name counts.
#[derive(Debug, Default)]
pub struct QueryParams(Vec<(String, String)>);

impl QueryParams {
    /// From the raw query string. Every string can be read: broken escapes become visible
    /// replacement characters, and control characters are dropped.
    pub fn parse(raw: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(raw.unwrap_or_default().as_bytes());
        Self(
            pairs
                .map(|(name, value)| {
                    let value: String = value.chars().filter(|c| !c.is_control()).collect();
                    (name.into_owned(), value.trim().to_owned())
                })
                .collect(),
        )
    }

    /// The value of a parameter, trimmed; empty when it is missing.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, value)| value)
    }

    /// The page token; `None` means the first page.
    pub fn page_token(&self) -> Option<String> {
        let mark = self.get("page");
        (!mark.is_empty() && mark.len() <= MAX_PAGE_TOKEN_BYTES).then(|| mark.to_owned())
    }
}

/// An address with parameters; empty values are left out.
pub fn address_with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// A form field that takes a name or a credit code, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NameOrCode {
    /// Nothing.
    Empty,
    /// Part of a name, [`MIN_NAME`] to [`MAX_TEXT`] characters.
    Name(String),
    /// A credit code, canonical.
    Code(CreditCode),
    /// Invalid, with the error to show.
    Invalid(FieldError),
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FieldError {
    /// Fewer than [`MIN_NAME`] letters, digits or ideographs.
    TooShort,
    /// More than [`MAX_TEXT`] characters.
    TooLong,
    /// Looks like a person's number: nobody is searched by it here, and it is not shown again.
    Personal,
    /// 18 characters that are meant as a credit code and break a rule of GB 32100.
    NotACode,
    /// No date that exists.
    NotADate,
    /// The first day of a range lies after its last.
    ReversedRange,
    /// None of the options of a list.
    NotAChoice,
    /// The service refused the field, in its own Chinese words.
    Refused(String),
}

impl FieldError {
    /// The text next to the field.
    pub fn text(&self) -> &str {
        match self {
            Self::TooShort => "请至少输入 2 个字。",
            Self::TooLong => "内容过长，请不要超过 200 个字。",
            Self::Personal => {
                "输入的内容像是身份证件号码、手机号码或银行卡号。本站不提供自然人信息查询，请勿输入个人号码。"
            }
            Self::NotACode => {
                "统一社会信用代码校验未通过，请逐位核对（共 18 位，不使用字母 I、O、S、V、Z）。"
            }
            Self::NotADate => "日期无效，请按“年-月-日”填写，例如 2026-03-31。",
            Self::ReversedRange => "结束日期不能早于开始日期。",
            Self::NotAChoice => "没有这个选项，请重新选择。",
            Self::Refused(text) => text,
        }
    }
}

impl NameOrCode {
    /// Reads a field.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let length = text.chars().count();
        if length == 0 {
            return Self::Empty;
        }
        if length > MAX_TEXT {
            return Self::Invalid(FieldError::TooLong);
        }
        let tidy = tidy_code(text);
        if let Ok(code) = CreditCode::parse(&tidy) {
            return Self::Code(code);
        }
        if !find_personal(text).is_empty() {
            return Self::Invalid(FieldError::Personal);
        }
        if looks_like_code(&tidy) {
            return Self::Invalid(FieldError::NotACode);
        }
        // Brackets and dots do not count: disclosure compares names without them.
        if text.chars().filter(|c| c.is_alphanumeric()).count() < MIN_NAME {
            return Self::Invalid(FieldError::TooShort);
        }
        Self::Name(text.to_owned())
    }

    /// What is wrong, if anything.
    pub fn error(&self) -> Option<FieldError> {
        match self {
            Self::Invalid(complaint) => Some(complaint.clone()),
            Self::Empty | Self::Name(_) | Self::Code(_) => None,
        }
    }

    /// The value for the service request; empty when there is none.
    pub fn query(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Code(code) => code.as_str(),
            Self::Empty | Self::Invalid(_) => "",
        }
    }
}

/// Reads a credit code as visitors write it: half or full width, any case, with spaces or hyphens.
///
/// # Errors
/// The rule of GB 32100 that it breaks.
pub fn parse_credit_code(text: &str) -> Result<CreditCode, IdError> {
    CreditCode::parse(&tidy_code(text))
}

fn tidy_code(text: &str) -> String {
    let steps: [&Normaliser; 4] = [&INVISIBLE, &COMPATIBLE, &SEPARATORS, &UPPER];
    steps.iter().fold(text.to_owned(), |value, step| {
        step.apply(&value).unwrap_or(value)
    })
}

/// Heuristic: 18 letters and digits, at least 8 of them digits, are meant as a code and not as a name.
fn looks_like_code(tidy: &str) -> bool {
    tidy.len() == 18
        && tidy.bytes().all(|b| b.is_ascii_alphanumeric())
        && tidy.bytes().filter(u8::is_ascii_digit).count() >= 8
}

/// A field of a form with what the visitor typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FormEntry {
    /// To be shown again; empty when it should not be.
    pub text: String,
    /// What is wrong.
    pub error: Option<FieldError>,
}

/// The filters of the two lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFilter {
    /// Name or code as typed.
    pub subject_entry: FormEntry,
    /// Name or code as understood.
    pub subject: NameOrCode,
    /// Exact number of the decision document.
    pub document_number: FormEntry,
    /// First day of the decision.
    pub from: FormEntry,
    /// Last day of the decision.
    pub to: FormEntry,
}

impl RecordFilter {
    /// Reads the parameters `subject`, `number`, `from` and `to`.
    pub fn parse(params: &QueryParams) -> Self {
        let subject = NameOrCode::parse(params.get("subject"));
        let typed = match &subject {
            NameOrCode::Code(code) => code.as_str(),
            // Personal numbers are not shown again, neither on the page nor in its links.
            NameOrCode::Invalid(FieldError::Personal) => "",
            NameOrCode::Empty | NameOrCode::Name(_) | NameOrCode::Invalid(_) => {
                params.get("subject")
            }
        };
        let subject_entry = FormEntry {
            text: typed.to_owned(),
            error: subject.error(),
        };
        let number = params.get("number");
        let too_long = number.chars().count() > MAX_TEXT;
        let document_number = FormEntry {
            text: number.to_owned(),
            error: too_long.then_some(FieldError::TooLong),
        };
        let (from, first) = parse_day(params.get("from"));
        let (mut to, last) = parse_day(params.get("to"));
        if let (Some(first), Some(last)) = (first, last)
            && first > last
        {
            to.error = Some(FieldError::ReversedRange);
        }
        Self {
            subject_entry,
            subject,
            document_number,
            from,
            to,
        }
    }

    /// Whether no field has an error, so that the services may be called.
    pub fn is_valid(&self) -> bool {
        self.entries()
            .iter()
            .all(|(_, entry)| entry.error.is_none())
    }

    /// Attaches a service's error to the form field that it names; false when it names no field of this form.
    pub fn add_refusal(&mut self, field: &str, message: &str) -> bool {
        let entry = match field {
            "subject" => &mut self.subject_entry,
            "document_number" => &mut self.document_number,
            "decided_from" => &mut self.from,
            "decided_to" => &mut self.to,
            _ => return false,
        };
        entry.error = Some(FieldError::Refused(message.to_owned()));
        true
    }

    /// Whether nothing is filtered.
    pub fn is_empty(&self) -> bool {
        self.entries()
            .iter()
            .all(|(_, entry)| entry.text.is_empty())
    }

    /// The list's address with these filters, at a page.
    pub fn address(&self, path: &str, page: Option<&str>) -> String {
        let mut pairs: Vec<(&str, &str)> = self
            .entries()
            .iter()
            .map(|(name, entry)| (*name, entry.text.as_str()))
            .collect();
        pairs.push(("page", page.unwrap_or_default()));
        address_with_query(path, &pairs)
    }

    fn entries(&self) -> [(&'static str, &FormEntry); 4] {
        [
            ("subject", &self.subject_entry),
            ("number", &self.document_number),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }
}

/// A date field: its entry, canonical when the date exists, and the date.
fn parse_day(text: &str) -> (FormEntry, Option<Date>) {
    if text.is_empty() {
        return (FormEntry::default(), None);
    }
    match parse_date(text) {
        Some(date) => (
            FormEntry {
                text: format_day(date),
                error: None,
            },
            Some(date),
        ),
        None => {
            let kept: String = text.chars().take(MAX_TEXT).collect();
            (
                FormEntry {
                    text: kept,
                    error: Some(FieldError::NotADate),
                },
                None,
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filter(query: &str) -> RecordFilter {
        RecordFilter::parse(&QueryParams::parse(Some(query)))
    }

    #[test]
    fn a_code_is_recognised_however_it_is_written() {
        let code = CreditCode::parse("91430100MA4Q5W141P").unwrap();
        for text in [
            "91430100MA4Q5W141P",
            " 91430100ma4q5w141p ",
            "91430100-MA4Q5W14-1P",
            "９１４３０１００ＭＡ４Ｑ５Ｗ１４１Ｐ",
            "9143 0100 MA4Q 5W14 1P",
        ] {
            assert_eq!(NameOrCode::parse(text), NameOrCode::Code(code), "{text}");
        }
    }

    #[test]
    fn a_mistyped_code_is_not_searched_as_a_name() {
        let wrong = NameOrCode::Invalid(FieldError::NotACode);
        assert_eq!(NameOrCode::parse("91430100MA4Q5W142P"), wrong);
        assert_eq!(NameOrCode::parse("12430000MBOL67976N"), wrong);
    }

    #[test]
    fn short_and_long_names_are_told_apart_from_good_ones() {
        assert_eq!(NameOrCode::parse("  "), NameOrCode::Empty);
        for short in ["湘", "（湘）", "··"] {
            assert_eq!(
                NameOrCode::parse(short),
                NameOrCode::Invalid(FieldError::TooShort),
                "{short}"
            );
        }
        assert_eq!(
            NameOrCode::parse("湘江"),
            NameOrCode::Name("湘江".to_owned())
        );
        assert_eq!(
            NameOrCode::parse(&"长".repeat(201)),
            NameOrCode::Invalid(FieldError::TooLong)
        );
    }

    #[test]
    fn a_persons_number_is_refused_and_not_repeated() {
        for text in [
            "430102199003071234",
            "４３０１０２１９９００３０７１２３４",
            "13800138000",
        ] {
            assert_eq!(
                NameOrCode::parse(text),
                NameOrCode::Invalid(FieldError::Personal),
                "{text}"
            );
        }
        let filter = filter("subject=430102199003071234");
        assert!(!filter.is_valid());
        assert!(!filter.address("/licences", None).contains("4301"));
    }

    #[test]
    fn dates_are_taken_in_the_forms_that_people_use() {
        for text in [
            "2026-03-31",
            "2026/3/31",
            "2026.03.31",
            "20260331",
            "2026年3月31日",
        ] {
            let encoded = address_with_query("", &[("from", text)]);
            let filter = filter(encoded.trim_start_matches('?'));
            assert_eq!(filter.from.text, "2026-03-31", "{text}");
            assert!(filter.is_valid());
        }
        let filter = filter("from=2026-02-30&to=x");
        assert_eq!(filter.from.error, Some(FieldError::NotADate));
        assert_eq!(filter.to.error, Some(FieldError::NotADate));
        assert_eq!(
            filter.from.text, "2026-02-30",
            "what was typed stays in the form"
        );
    }

    #[test]
    fn a_reversed_range_is_named_at_its_end() {
        let filter = filter("from=2026-03-31&to=2026-03-30");
        assert_eq!(filter.to.error, Some(FieldError::ReversedRange));
        assert_eq!(filter.from.error, None);
    }

    #[test]
    fn a_services_refusal_stands_beside_its_field() {
        let mut filter = filter("from=1901-01-01");
        assert!(
            filter.add_refusal("decided_from", "日期太早")
                && !filter.add_refusal("page_token", "x")
        );
        assert_eq!(
            filter.from.error.as_ref().map(FieldError::text),
            Some("日期太早")
        );
    }

    #[test]
    fn addresses_keep_the_filters_and_the_page() {
        let filter = filter("subject=湘江&number=长市监〔2026〕1号&from=2026-01-01&utm=x&page=zz");
        let address = filter.address("/penalties", Some("a+/="));
        let params = QueryParams::parse(address.split_once('?').map(|(_, query)| query));
        assert_eq!(params.get("subject"), "湘江");
        assert_eq!(params.get("number"), "长市监〔2026〕1号");
        assert_eq!(params.get("from"), "2026-01-01");
        assert_eq!(params.get("to"), "");
        assert_eq!(params.page_token().unwrap(), "a+/=");
        assert_eq!(params.get("utm"), "");
    }

    #[test]
    fn the_first_of_two_equal_parameters_counts() {
        assert_eq!(QueryParams::parse(Some("q=a&q=b")).get("q"), "a");
    }

    proptest! {
        #[test]
        fn any_query_string_is_read_without_control_characters(raw in ".{0,200}") {
            let params = QueryParams::parse(Some(&raw));
            let filter = RecordFilter::parse(&params);
            for (_, entry) in filter.entries() {
                prop_assert!(!entry.text.contains(char::is_control));
            }
        }

        #[test]
        fn an_address_gives_back_what_went_in(
            name in "[^\\p{C}\\s][^\\p{C}]{0,20}[^\\p{C}\\s]",
            page in "[A-Za-z0-9+/=_-]{1,40}",
        ) {
            let made = address_with_query("/search", &[("q", &name), ("page", &page)]);
            let params = QueryParams::parse(made.split_once('?').map(|(_, query)| query));
            prop_assert_eq!(params.get("q"), name);
            prop_assert_eq!(params.page_token(), Some(page));
        }
    }
}
