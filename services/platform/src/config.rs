//! Configuration of the process and of all its services, for `run`, `migrate` and `dump-config`.

use event_bus::BusConfig;
use serde::{Deserialize, Serialize};
use service_kit::{
    config::{ConfigError, Overlay, Secret},
    identity::IdentityConfig,
    telemetry::TelemetryConfig,
};

/// Table `[platform]`; `config.default.toml` explains each key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // config.default.toml is the manual
pub struct PlatformConfig {
    pub admin_listen: String,
    pub log_format: LogFormat,
    pub shutdown_seconds: u64,
    pub owner_database_url: Secret,
    pub keyring: Secret,
    pub bus: BusConfig,
    pub identity: IdentityConfig,
    pub telemetry: TelemetryConfig,
}

/// Form of the logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl PlatformConfig {
    /// The defaults, overlaid.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load("platform", include_str!("../config.default.toml"))
    }
}

/// Everything.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)] // named after the services
pub struct Configs {
    pub platform: PlatformConfig,
    pub ingest: ingest::Config,
    pub validation: validation::Config,
    pub catalog: catalog::Config,
    pub disclosure: disclosure::Config,
    pub objection: objection::Config,
    #[serde(rename = "provincial-sync")]
    pub provincial_sync: provincial_sync::Config,
    pub web: web::Config,
    #[serde(rename = "province-simulator")]
    pub province_simulator: province_simulator::Config,
}

impl Configs {
    /// Loads and checks every section, so that a typing error shows at once and not with the
    /// first service that would read it.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        Ok(Self {
            platform: PlatformConfig::load(overlay)?,
            ingest: ingest::Config::load(overlay)?,
            validation: validation::Config::load(overlay)?,
            catalog: catalog::Config::load(overlay)?,
            disclosure: disclosure::Config::load(overlay)?,
            objection: objection::Config::load(overlay)?,
            provincial_sync: provincial_sync::Config::load(overlay)?,
            web: web::Config::load(overlay)?,
            province_simulator: province_simulator::Config::load(overlay)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_every_service_load_and_hide_their_secrets() {
        let configs = Configs::load(&Overlay::default()).unwrap();
        let text = toml::to_string(&configs).unwrap();
        assert!(text.contains("[provincial-sync]"), "{text}");
        assert!(!text.contains("postgres://"), "{text}");
    }
}
