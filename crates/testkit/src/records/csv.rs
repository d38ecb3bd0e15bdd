//! A record as a header row and one row of CSV, the form in which the command-line client sends. Called by the
//! benchmarks and by tests of both forms.

use std::fmt;

use credit_record::export::csv_line;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

use super::GeneratedRecord;

impl GeneratedRecord {
    /// The same record as CSV, its columns in the order of the JSON and named by field code. `None` where the
    /// planted error is one that only JSON can have.
    pub fn csv(&self) -> Option<Vec<u8>> {
        let JsonPairs(pairs) = serde_json::from_slice(&self.content).ok()?;
        let mut cells = Vec::with_capacity(pairs.len());
        for (_, value) in &pairs {
            cells.push(match value {
                Value::String(text) => text.clone(),
                // As a person would type it: 7, where JSON has 7.0.
                Value::Number(number) => match number.as_f64() {
                    Some(float) if !number.is_u64() => float.to_string(),
                    _ => number.to_string(),
                },
                Value::Null => String::new(),
                Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
            });
        }
        let header = csv_line(pairs.iter().map(|(key, _)| key.as_str()));
        let row = csv_line(cells.iter().map(String::as_str));
        Some(format!("{header}{row}").into_bytes())
    }
}

/// The fields as they stand there; a map would hide a key that appears twice.
struct JsonPairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for JsonPairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct JsonPairsVisitor;
        impl<'de> Visitor<'de> for JsonPairsVisitor {
            type Value = JsonPairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonPairs, A::Error> {
                let mut pairs = Vec::with_capacity(32);
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(JsonPairs(pairs))
            }
        }
        deserializer.deserialize_map(JsonPairsVisitor)
    }
}
