//! Pages of every list of every service: by key, never by offset, so that a page does not shift when rows come and go.
//! A token is the sort key of the last row shown. Called by `grpc` (reading requests) and `app` (making the next token).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::{error::Refusal, reason::Reason};

/// Longest token that is decoded, bytes.
const LONGEST_TOKEN: usize = 1024;

/// A sort key. Its fields distinguish the lists: a token of another list does not fit them, so a key is a struct of its
/// own with `#[serde(deny_unknown_fields)]`.
pub trait PageKey: Serialize + DeserializeOwned {
    /// The key before all rows.
    fn start() -> Self;
}

/// How many rows a list gives at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSizes {
    /// For a request with `page_size` 0.
    pub default: u32,
    /// At most; a larger size is refused.
    pub most: u32,
}

impl PageSizes {
    /// The size that `field` of a request asks for.
    ///
    /// # Errors
    /// [`Reason::PageSizeInvalid`] over the most; it names the limit.
    pub fn check(self, field: &'static str, size: u32) -> Result<u32, Refusal> {
        match size {
            0 => Ok(self.default),
            size if size <= self.most => Ok(size),
            _ => Err(Refusal::new(
                Reason::PageSizeInvalid,
                field,
                "at most the limit of the list, 0 for its default",
                format!("每页最多{}条", self.most),
            )),
        }
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
    /// [`Reason::PageSizeInvalid`] over the most, [`Reason::PageTokenInvalid`] for what no page of this list gave.
    pub fn from_request(sizes: PageSizes, size: u32, token: &str) -> Result<Self, Refusal> {
        let size = sizes.check("page_size", size)?;
        if token.is_empty() {
            return Ok(Self {
                size,
                after: K::start(),
            });
        }
        let after = from_token(token).ok_or_else(|| {
            Refusal::new(
                Reason::PageTokenInvalid,
                "page_token",
                "the next_page_token of a page of this list",
                "翻页标识无效，请从第一页重新查询",
            )
        })?;
        Ok(Self { size, after })
    }

    /// Whether it is the first page of its list.
    pub fn is_first(&self) -> bool
    where
        K: PartialEq,
    {
        self.after == K::start()
    }

    /// Rows to read: one more than shown, to know whether another page follows.
    pub fn limit(&self) -> i64 {
        i64::from(self.size) + 1
    }

    /// Cuts what was read to the page, and the token of the next one; empty at the end.
    pub fn truncate_rows<R>(&self, rows: &mut Vec<R>, key: impl Fn(&R) -> K) -> String {
        // Fits: sizes of pages are small.
        let size = self.size as usize;
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last()
            .map(|row| to_token(&key(row)))
            .unwrap_or_default()
    }
}

/// A moment in a key: microseconds since 1970, which is what the database keeps. What a token may not say (before 1970,
/// after the year 9999) is no moment, so that no forged token reaches the database. For `#[serde(with = …)]`.
pub mod microseconds {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use time::OffsetDateTime;

    /// A moment as its microseconds.
    pub fn serialize<S: Serializer>(at: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
        let micros = u64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or_default();
        micros.serialize(serializer)
    }

    /// A moment that a table can hold.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<OffsetDateTime, D::Error> {
        let micros = u64::deserialize(deserializer)?;
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
            .map_err(|_| D::Error::custom("no moment"))
    }
}

fn to_token<K: PageKey>(key: &K) -> String {
    // A key is numbers, texts and times: always representable in JSON.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

fn from_token<K: PageKey>(token: &str) -> Option<K> {
    if token.len() > LONGEST_TOKEN {
        return None;
    }
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    const SIZES: PageSizes = PageSizes {
        default: 20,
        most: 100,
    };

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct NumberKey {
        number: i64,
    }

    impl PageKey for NumberKey {
        fn start() -> Self {
            Self { number: 0 }
        }
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct CodeKey {
        code: String,
    }

    impl PageKey for CodeKey {
        fn start() -> Self {
            Self {
                code: String::new(),
            }
        }
    }

    #[test]
    fn the_token_of_a_full_page_leads_behind_its_last_row() {
        let page = Page::<NumberKey>::from_request(SIZES, 2, "").unwrap();
        assert!(page.is_first());
        assert_eq!(page.limit(), 3);
        let mut rows = vec![1, 2, 3];
        let token = page.truncate_rows(&mut rows, |number| NumberKey { number: *number });
        assert_eq!(rows, [1, 2]);
        let next = Page::<NumberKey>::from_request(SIZES, 2, &token).unwrap();
        assert_eq!(next.after, NumberKey { number: 2 });
        assert!(!next.is_first());
        assert_eq!(
            page.truncate_rows(&mut rows, |number| NumberKey { number: *number }),
            ""
        );
    }

    #[test]
    fn a_foreign_token_or_a_huge_page_is_refused_and_the_limit_named() {
        let foreign = to_token(&CodeKey {
            code: "x".to_owned(),
        });
        let long = "A".repeat(LONGEST_TOKEN + 1);
        for token in ["x", "####", "eHw", &foreign, &long] {
            let refused = Page::<NumberKey>::from_request(SIZES, 0, token).unwrap_err();
            assert_eq!(refused.reason, Reason::PageTokenInvalid, "{token}");
        }
        for size in [101, u32::MAX] {
            let refused = Page::<NumberKey>::from_request(SIZES, size, "").unwrap_err();
            assert_eq!(refused.reason, Reason::PageSizeInvalid);
            assert_eq!(refused.message, "每页最多100条");
        }
        let whole = Page::<NumberKey>::from_request(SIZES, 100, "").unwrap();
        let usual = Page::<NumberKey>::from_request(SIZES, 0, "").unwrap();
        assert_eq!((whole.size, usual.size), (100, 20));
    }
}
