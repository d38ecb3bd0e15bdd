//! Keys of the public site. Loaded by the platform binary and by tests; the manual of the keys is
//! `config.default.toml`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use service_kit::config::{ConfigError, Overlay, Secret};

/// Most rows on a page: the most that disclosure gives at once.
pub const MAX_PAGE_SIZE: u32 = 100;

/// Configuration of the public site.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address and port of plain HTTP.
    pub listen: String,
    /// Where disclosure's `PublicService` answers, `http://host:port`.
    pub disclosure_url: String,
    /// Where catalog's `CatalogService` answers, `http://host:port`.
    pub catalog_url: String,
    /// Token with the role `public`.
    pub token: Secret,
    /// Rows on one page, 1 to 100.
    pub page_size: u32,
    /// Milliseconds that one call may take.
    pub backend_timeout_ms: u64,
}

impl Config {
    /// The defaults, overlaid by table `[web]` and the environment.
    ///
    /// # Errors
    /// When a key is missing, unknown, of a wrong type or out of its range.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        let config: Self = overlay.load(crate::SERVICE, include_str!("../config.default.toml"))?;
        config.check()?;
        Ok(config)
    }

    /// Whether the numbers are in their ranges.
    ///
    /// # Errors
    /// Names the key and the range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let wrong = |detail: &str| ConfigError::Invalid {
            section: crate::SERVICE.to_owned(),
            detail: detail.to_owned(),
        };
        if !(1..=MAX_PAGE_SIZE).contains(&self.page_size) {
            return Err(wrong("page_size must be 1 to 100"));
        }
        if !(1..=60_000).contains(&self.backend_timeout_ms) {
            return Err(wrong("backend_timeout_ms must be 1 to 60000"));
        }
        Ok(())
    }

    /// How long one call may take.
    pub(crate) fn backend_timeout(&self) -> Duration {
        Duration::from_millis(self.backend_timeout_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_load_and_hide_the_token() {
        let config = Config::load(&Overlay::default()).unwrap();
        assert_eq!(config.listen, "127.0.0.1:7080");
        assert!(format!("{config:?}").contains("Secret(/run/secrets/web_token)"));
    }

    #[test]
    fn numbers_out_of_range_are_named() {
        let good = Config::load(&Overlay::default()).unwrap();
        for page_size in [0, 101] {
            let bad = Config {
                page_size,
                ..good.clone()
            };
            assert!(bad.check().unwrap_err().to_string().contains("page_size"));
        }
        let bad = Config {
            backend_timeout_ms: 0,
            ..good
        };
        assert!(
            bad.check()
                .unwrap_err()
                .to_string()
                .contains("backend_timeout_ms")
        );
    }
}
