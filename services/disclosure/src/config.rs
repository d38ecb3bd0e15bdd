//! Configuration; `config.default.toml` is its manual. Loaded by the process that starts the service.

use serde::{Deserialize, Serialize};
use service_kit::config::{ConfigError, Overlay, Secret};

/// The table `[disclosure]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the gRPC server, `host:port`.
    pub listen: String,
    /// Login of the role `disclosure`.
    pub database_url: Secret,
    /// Login of the role `disclosure_public`, which PublicService uses.
    pub public_database_url: Secret,
    /// Most connections as `disclosure`.
    pub max_connections: u32,
    /// Most connections as `disclosure_public`.
    pub public_max_connections: u32,
    /// Items counted as licences.
    pub licence_items: Vec<String>,
    /// Items counted as penalties.
    pub penalty_items: Vec<String>,
    /// Days for which an organisation's page shows the notice of a revocation, after that of the revocation.
    pub revocation_notice_days: u16,
}

impl Config {
    /// Defaults, overlaid by the operator.
    ///
    /// # Errors
    /// A key that is missing, unknown or of a wrong type.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load("disclosure", include_str!("../config.default.toml"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_complete() {
        let config = Config::load(&Overlay::default()).unwrap();
        assert_eq!(config.listen, "127.0.0.1:7104");
        assert_eq!(config.penalty_items, ["xzcf"]);
        assert_eq!(config.revocation_notice_days, 90);
    }
}
