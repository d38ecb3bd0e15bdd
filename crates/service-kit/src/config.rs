//! Configuration: each service's `config.default.toml` is loaded by the program and so is its
//! manual; the operator's file overlays it by tables named after services; environment variables
//! `CREDIT_<SERVICE>__<KEY>` come last. Secrets are named by file and never printed.

use std::{fmt, path::PathBuf};

use figment::{
    Figment,
    providers::{Env, Format, Toml},
};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};

/// A configuration that cannot be used. The text names file and key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A key is missing, unknown or of a wrong type.
    #[error("configuration of {section}: {detail}")]
    Invalid {
        /// The table, for instance `ingest`.
        section: String,
        /// What is wrong where.
        detail: String,
    },
    /// A secret's file cannot be read.
    #[error("secret file {path} cannot be read")]
    Secret {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The operator's file was named but does not exist.
    #[error("configuration file {0} does not exist")]
    NoFile(PathBuf),
}

/// What overlays the defaults.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    /// The operator's TOML file, one table a service.
    pub file: Option<PathBuf>,
    /// Whether environment variables count. Tests leave them out.
    pub environment: bool,
}

impl Overlay {
    /// Loads one section: `defaults` (TOML without a table), then the file's table `[section]`,
    /// then the environment.
    pub fn load<T: DeserializeOwned>(
        &self,
        section: &str,
        defaults: &str,
    ) -> Result<T, ConfigError> {
        let mut figment = Figment::from(Toml::string(defaults));
        if let Some(file) = &self.file {
            if !file.exists() {
                return Err(ConfigError::NoFile(file.clone()));
            }
            figment = figment.merge(Figment::from(Toml::file_exact(file)).focus(section));
        }
        if self.environment {
            let prefix = format!("CREDIT_{}__", section.replace('-', "_").to_uppercase());
            figment = figment.merge(Env::prefixed(&prefix).split("__"));
        }
        figment.extract().map_err(|error| ConfigError::Invalid {
            section: section.to_owned(),
            detail: error.to_string(),
        })
    }
}

/// A secret in the configuration: `{ file = "/run/secrets/x" }`, or a plain string for
/// development. Printing it shows only where it comes from.
#[derive(Clone, Deserialize)]
#[serde(untagged)]
pub enum Secret {
    /// Read from this file when needed; a trailing line end is dropped.
    File {
        /// Path of the file.
        file: PathBuf,
    },
    /// The value itself.
    Plain(String),
}

impl Secret {
    /// The value.
    pub fn reveal(&self) -> Result<String, ConfigError> {
        match self {
            Self::Plain(value) => Ok(value.clone()),
            Self::File { file } => std::fs::read_to_string(file)
                .map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
                .map_err(|source| ConfigError::Secret {
                    path: file.clone(),
                    source,
                }),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { file } => write!(f, "Secret({})", file.display()),
            Self::Plain(_) => write!(f, "Secret(***)"),
        }
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::File { file } => serializer.collect_str(&format_args!("file {}", file.display())),
            Self::Plain(_) => serializer.serialize_str("***"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        batch: u32,
        database_url: Secret,
    }

    const DEFAULTS: &str = "batch = 500\ndatabase_url = \"postgres://x\"\n";

    #[test]
    fn the_file_overlays_the_defaults_and_secrets_stay_hidden() {
        let dir = std::env::temp_dir().join(format!("config-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&dir).unwrap();
        let file = dir.join("credit.toml");
        std::fs::write(&file, "[ingest]\nbatch = 7\n[other]\nbatch = 9\n").unwrap();
        let overlay = Overlay {
            file: Some(file),
            environment: false,
        };
        let sample: Sample = overlay.load("ingest", DEFAULTS).unwrap();
        assert_eq!(sample.batch, 7);
        assert_eq!(sample.database_url.reveal().unwrap(), "postgres://x");
        assert!(!format!("{sample:?}").contains("postgres://x"));
        std::fs::remove_dir_all(dir).unwrap();
    }

    /// An environment belongs to a process, so the test runs itself again with one.
    #[test]
    fn a_keyring_comes_from_the_environment_as_text_or_as_the_name_of_a_file() {
        #[derive(Debug, Deserialize)]
        struct WithKeyring {
            keyring: Secret,
        }
        const CHILD: &str = "CREDIT_SAMPLE_CHILD";
        let name = "a_keyring_comes_from_the_environment_as_text_or_as_the_name_of_a_file";
        if std::env::var_os(CHILD).is_some() {
            let overlay = Overlay {
                file: None,
                environment: true,
            };
            let sample: WithKeyring = overlay.load("sample", "keyring = \"none\"").unwrap();
            assert!(!format!("{sample:?}").contains("master"));
            let keyring = vault::Keyring::parse(&sample.keyring.reveal().unwrap()).unwrap();
            // Both masters are there: the retired one of the parent's blob, and the active one.
            let sealed = std::env::var(CHILD).unwrap();
            let bytes: Vec<u8> = sealed.split(',').map(|b| b.parse().unwrap()).collect();
            assert_eq!(keyring.open(b"c", &bytes).unwrap(), b"content");
            assert_ne!(keyring.sealed_under(&bytes), Some(keyring.active_master()));
            return;
        }
        let old = vault::Keyring::generate();
        let sealed = vault::Keyring::parse(&old).unwrap().seal(b"c", b"content");
        let sealed: Vec<String> = sealed.iter().map(u8::to_string).collect();
        let fresh = vault::Keyring::generate();
        let fresh = fresh.lines().find(|l| l.starts_with("master")).unwrap();
        let rotated = format!("{}{fresh}\n", old.replace(" active", ""));
        let file = std::env::temp_dir().join(format!("keyring-{}", uuid::Uuid::new_v4()));
        std::fs::write(&file, &rotated).unwrap();
        for (key, value) in [
            ("CREDIT_SAMPLE__KEYRING", rotated.as_str()),
            ("CREDIT_SAMPLE__KEYRING__FILE", file.to_str().unwrap()),
        ] {
            let output = std::process::Command::new(std::env::current_exe().unwrap())
                .args(["--exact", &format!("config::tests::{name}"), "--nocapture"])
                .env(CHILD, sealed.join(","))
                .env(key, value)
                .output()
                .unwrap();
            let printed = String::from_utf8_lossy(&output.stdout);
            assert!(
                output.status.success() && printed.contains("1 passed"),
                "{key}: {printed}"
            );
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn an_unknown_key_is_named() {
        let error = Overlay::default()
            .load::<Sample>("ingest", "batch = 1\nbtach = 2\ndatabase_url = \"x\"")
            .unwrap_err();
        assert!(error.to_string().contains("btach"), "{error}");
    }
}
