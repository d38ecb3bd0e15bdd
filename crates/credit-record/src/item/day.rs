//! Civil days in data files and events: the text `YYYY-MM-DD`. Called by serde for the fields of an item.

/// For `Option<Date>`.
pub(crate) mod option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use time::Date;

    use crate::normalise::{format_day, parse_date};

    /// Writes the canonical form.
    pub(crate) fn serialize<S: Serializer>(day: &Option<Date>, to: S) -> Result<S::Ok, S::Error> {
        match day {
            Some(day) => to.serialize_some(&format_day(*day)),
            None => to.serialize_none(),
        }
    }

    /// Reads the canonical form and no other: a data file is written by people, who get an error message.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Date>, D::Error> {
        let Some(text) = Option::<String>::deserialize(from)? else {
            return Ok(None);
        };
        parse_date(&text)
            .filter(|day| format_day(*day) == text)
            .map(Some)
            .ok_or_else(|| D::Error::custom("a day is written YYYY-MM-DD"))
    }
}
