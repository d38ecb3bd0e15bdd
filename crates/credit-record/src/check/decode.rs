//! From the bytes of a JSON object to pairs of key and plain value, in one pass that borrows from the bytes. Called by
//! [`super::check_record_as`]. A map type would hide a key that appears twice, so the pairs are read one by one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

use super::finding::{Finding, FindingCode, Findings};

/// Most bytes of the content of one record (1 MiB).
pub const MAX_BYTES: usize = 1 << 20;
/// Most fields of one record; no item of the national catalogue comes near.
pub const MAX_FIELDS: usize = 256;

const RULE: &str = "form";

/// Keys and values in the order of the content.
pub(super) type FieldPairs<'a> = Vec<(Cow<'a, str>, DecodedValue<'a>)>;

/// A JSON value as far as a record may hold it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum DecodedValue<'a> {
    /// Text.
    Text(Cow<'a, str>),
    /// A number, as its shortest decimal text.
    Number(String),
    /// null.
    Null,
    /// true, false, an array or an object.
    Other,
}

/// Why there are no pairs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FormFault {
    TooLarge,
    NotUtf8 { at: usize },
    NotJson { line: usize, column: usize },
    NotObject,
    NotCsv { line: usize, column: usize },
    NoRow,
    SeveralRows,
    OtherColumns { headings: usize, cells: usize },
    TooManyFields,
}

impl FormFault {
    pub(super) fn report(self, findings: &mut Findings) {
        let (code, message) = match self {
            Self::TooLarge => (
                FindingCode::FormTooLarge,
                format!("内容超过{}字节的上限", MAX_BYTES),
            ),
            Self::NotUtf8 { at } => (
                FindingCode::FormNotUtf8,
                format!("内容应为UTF-8编码，第{}个字节起无法识别", at + 1),
            ),
            Self::NotJson { line, column } => (
                FindingCode::FormNotJson,
                format!("内容应为JSON，第{line}行第{column}列有语法错误"),
            ),
            Self::NotObject => (
                FindingCode::FormNotObject,
                "内容应为以字段代码为键的JSON对象".to_owned(),
            ),
            Self::NotCsv { line, column } => (
                FindingCode::FormNotCsv,
                format!(
                    "内容应为CSV（RFC 4180），第{line}行第{column}个字符处不符：含逗号、换行或引号的单元格应整个放在引号内，其中的引号写两遍"
                ),
            ),
            Self::NoRow => (
                FindingCode::FormRowCount,
                "CSV内容应为一行列名和一行数据，缺少数据行".to_owned(),
            ),
            Self::SeveralRows => (
                FindingCode::FormRowCount,
                "CSV内容应为一行列名和一行数据，数据行不止一行".to_owned(),
            ),
            Self::OtherColumns { headings, cells } => (
                FindingCode::FormColumnCount,
                format!("列名有{headings}个，数据行有{cells}个单元格，应一一对应"),
            ),
            Self::TooManyFields => (
                FindingCode::FormTooManyFields,
                format!("字段超过{MAX_FIELDS}个的上限"),
            ),
        };
        findings.push(Finding::whole_record(code, RULE, message));
    }
}

/// The text of a content within its bounds. A byte-order mark is no part of the text; some systems send it.
pub(super) fn text_of(content: &[u8]) -> Result<&str, FormFault> {
    if content.len() > MAX_BYTES {
        return Err(FormFault::TooLarge);
    }
    let text = std::str::from_utf8(content).map_err(|error| FormFault::NotUtf8 {
        at: error.valid_up_to(),
    })?;
    Ok(text.strip_prefix('\u{FEFF}').unwrap_or(text))
}

/// Reads the pairs.
pub(super) fn decode_json(content: &[u8]) -> Result<FieldPairs<'_>, FormFault> {
    let text = text_of(content)?;
    let syntax = |error: serde_json::Error| FormFault::NotJson {
        line: error.line(),
        column: error.column(),
    };
    if !text.trim_start().starts_with('{') {
        return match serde_json::from_str::<IgnoredAny>(text) {
            Ok(_) => Err(FormFault::NotObject),
            Err(error) => Err(syntax(error)),
        };
    }
    let object: DecodedObject<'_> = serde_json::from_str(text).map_err(syntax)?;
    if object.overflow {
        return Err(FormFault::TooManyFields);
    }
    Ok(object.pairs)
}

struct DecodedObject<'a> {
    pairs: FieldPairs<'a>,
    overflow: bool,
}

impl<'de> Deserialize<'de> for DecodedObject<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(DecodedObjectVisitor)
    }
}

struct DecodedObjectVisitor;

impl<'de> Visitor<'de> for DecodedObjectVisitor {
    type Value = DecodedObject<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs: FieldPairs<'de> = Vec::with_capacity(32);
        while let Some(Text(key)) = map.next_key()? {
            if pairs.len() == MAX_FIELDS {
                map.next_value::<IgnoredAny>()?;
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(DecodedObject {
                    pairs,
                    overflow: true,
                });
            }
            let value = map.next_value()?;
            pairs.push((key, value));
        }
        Ok(DecodedObject {
            pairs,
            overflow: false,
        })
    }
}

/// A borrowed text where the JSON holds no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(DecodedValueVisitor)? {
            DecodedValue::Text(text) => Ok(Self(text)),
            _ => Err(de::Error::custom("key is not a text")),
        }
    }
}

impl<'de> Deserialize<'de> for DecodedValue<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DecodedValueVisitor)
    }
}

struct DecodedValueVisitor;

impl<'de> Visitor<'de> for DecodedValueVisitor {
    type Value = DecodedValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<DecodedValue<'de>, E> {
        Ok(DecodedValue::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<DecodedValue<'de>, E> {
        Ok(DecodedValue::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_string<E>(self, text: String) -> Result<DecodedValue<'de>, E> {
        Ok(DecodedValue::Text(Cow::Owned(text)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<DecodedValue<'de>, E> {
        Ok(DecodedValue::Number(number.to_string()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<DecodedValue<'de>, E> {
        Ok(DecodedValue::Number(number.to_string()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<DecodedValue<'de>, E> {
        // Display of f64 is the shortest text that reads back as the same number, without an exponent.
        Ok(DecodedValue::Number(number.to_string()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<DecodedValue<'de>, E> {
        Ok(DecodedValue::Other)
    }

    fn visit_unit<E>(self) -> Result<DecodedValue<'de>, E> {
        Ok(DecodedValue::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<DecodedValue<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(DecodedValue::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DecodedValue<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(DecodedValue::Other)
    }
}
