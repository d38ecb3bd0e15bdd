//! Pages by key: a token is the sort key of the last row shown, so a page never shifts when records come and go.
//! Called by `grpc` (reading requests) and `app` (making the next token).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use credit_record::normalise::{format_date, parse_date};
use time::Date;
use uuid::Uuid;

use super::visibility::LAST_DAY;
use crate::error::DisclosureError;

const DEFAULT_SIZE: u32 = 20;
const MAX_SIZE: u32 = 100;

/// A sort key that fits into a token.
pub trait PageKey: Sized {
    /// The key before all rows.
    fn start() -> Self;
    /// Its two parts as text.
    fn parts(&self) -> (String, String);
    /// From its parts; none when they are not of this key.
    fn from_parts(first: &str, second: &str) -> Option<Self>;
}

/// Key of lists of records: newest decision first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordPosition {
    /// Day of the decision, descending.
    pub decision_date: Date,
    /// Id of the version, descending.
    pub record_id: Uuid,
}

impl PageKey for RecordPosition {
    fn start() -> Self {
        Self {
            decision_date: LAST_DAY,
            record_id: Uuid::max(),
        }
    }

    fn parts(&self) -> (String, String) {
        (format_date(self.decision_date), self.record_id.to_string())
    }

    fn from_parts(first: &str, second: &str) -> Option<Self> {
        Some(Self {
            decision_date: parse_date(first)?,
            record_id: second.parse().ok()?,
        })
    }
}

/// Key of search results: the shortest name first, since it is nearest to what was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamePosition {
    /// Characters of the shortest name that matches, ascending.
    pub length: i32,
    /// Credit code, ascending.
    pub credit_code: String,
}

impl PageKey for NamePosition {
    fn start() -> Self {
        Self {
            length: 0,
            credit_code: String::new(),
        }
    }

    fn parts(&self) -> (String, String) {
        (self.length.to_string(), self.credit_code.clone())
    }

    fn from_parts(first: &str, second: &str) -> Option<Self> {
        Some(Self {
            length: first.parse().ok()?,
            credit_code: second.to_owned(),
        })
    }
}

/// A page that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<K> {
    /// Most rows.
    pub size: u32,
    /// Rows behind this key.
    pub after: K,
}

impl<K: PageKey> Page<K> {
    /// Reads `page_size` and `page_token` of a request.
    ///
    /// # Errors
    /// [`DisclosureError::PageSize`] over 100, [`DisclosureError::PageToken`] when it is none of ours.
    pub fn read(size: u32, token: &str) -> Result<Self, DisclosureError> {
        let size = match size {
            0 => DEFAULT_SIZE,
            1..=MAX_SIZE => size,
            _ => return Err(DisclosureError::PageSize),
        };
        if token.is_empty() {
            return Ok(Self {
                size,
                after: K::start(),
            });
        }
        let after = decode(token).ok_or(DisclosureError::PageToken)?;
        Ok(Self { size, after })
    }

    /// Whether it is the first page of its list.
    pub fn is_first(&self) -> bool
    where
        K: PartialEq,
    {
        self.after == K::start()
    }

    /// Rows to read: one more than shown tells whether another page follows.
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts what was read to the page, and the token of the next one; empty at the end.
    pub fn cut<R>(&self, rows: &mut Vec<R>, key: impl Fn(&R) -> K) -> String {
        // A u32 of at most 100 fits any usize.
        let size = self.size as usize;
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last().map(|row| encode(&key(row))).unwrap_or_default()
    }
}

fn encode<K: PageKey>(key: &K) -> String {
    let (first, second) = key.parts();
    URL_SAFE_NO_PAD.encode(format!("{first}|{second}"))
}

fn decode<K: PageKey>(token: &str) -> Option<K> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (first, second) = text.split_once('|')?;
    K::from_parts(first, second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::date;

    #[test]
    fn the_token_of_a_full_page_leads_behind_its_last_row() {
        let keys: Vec<RecordPosition> = (0..3)
            .map(|n| RecordPosition {
                decision_date: date!(2025 - 01 - 02),
                record_id: Uuid::from_u128(n),
            })
            .collect();
        let page = Page::<RecordPosition>::read(2, "").unwrap();
        assert!(page.is_first());
        assert_eq!((page.limit(), page.after), (3, RecordPosition::start()));
        let mut rows = keys.clone();
        let token = page.cut(&mut rows, |row| *row);
        assert_eq!(rows, keys[..2]);
        assert_eq!(
            Page::<RecordPosition>::read(2, &token).unwrap().after,
            keys[1]
        );
        assert_eq!(page.cut(&mut rows, |row| *row), "");
        let name = NamePosition {
            length: 4,
            credit_code: "12430100444900018L".to_owned(),
        };
        assert_eq!(decode::<NamePosition>(&encode(&name)), Some(name));
    }

    #[test]
    fn a_foreign_token_or_a_huge_page_is_refused() {
        for token in ["x", "####", "eHw", &encode(&NamePosition::start())] {
            let refused = Page::<RecordPosition>::read(0, token);
            assert!(
                matches!(refused, Err(DisclosureError::PageToken)),
                "{token}"
            );
        }
        assert!(matches!(
            Page::<RecordPosition>::read(101, ""),
            Err(DisclosureError::PageSize)
        ));
        assert_eq!(Page::<RecordPosition>::read(0, "").unwrap().size, 20);
    }
}
