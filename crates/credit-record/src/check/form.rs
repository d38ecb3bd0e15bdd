//! The two forms in which a record may come. Called by [`super::check_record_as`], by `ingest` (which types of content
//! it takes) and by `validation` (how the bytes of an event are to be read).

use std::fmt;

/// Form of the content of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentForm {
    /// One JSON object by field code.
    Json,
    /// A header row and one row (RFC 4180), columns by field code, Chinese name or alias.
    CsvRow,
}

impl ContentForm {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Json, Self::CsvRow];

    /// The form that a content type names: `application/json` or `text/csv` in any case. Of parameters only a
    /// charset of UTF-8 is taken, and of CSV a header that is present (RFC 4180 section 3): with any other the
    /// bytes would mean something else than we read.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let mut parts = content_type.split(';');
        let essence = parts.next()?.trim();
        let form = Self::ALL
            .into_iter()
            .find(|form| essence.eq_ignore_ascii_case(form.content_type()))?;
        let known = |part: &str| {
            let (name, value) = part.split_once('=')?;
            let value = value.trim();
            let value = value
                .strip_prefix('"')
                .and_then(|v| v.strip_suffix('"'))
                .unwrap_or(value);
            let name = name.trim();
            let fits = if name.eq_ignore_ascii_case("charset") {
                value.eq_ignore_ascii_case("utf-8")
            } else {
                form == Self::CsvRow
                    && name.eq_ignore_ascii_case("header")
                    && value.eq_ignore_ascii_case("present")
            };
            fits.then_some(())
        };
        parts.all(|part| known(part).is_some()).then_some(form)
    }

    /// The content type without parameters.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::CsvRow => "text/csv",
        }
    }
}

impl fmt::Display for ContentForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.content_type())
    }
}
