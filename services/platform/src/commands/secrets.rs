//! `credit secrets`: fresh development secrets, one file each, in the names that the default
//! configuration and `docker-compose.yml` expect under /run/secrets. Existing files are kept, so
//! running it twice changes nothing. Production puts its own secrets there.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use clap::Args;
use service_kit::{
    clock::{Clock, SystemClock},
    config::Overlay,
    identity::{DevelopmentIssuer, Role},
};
use vault::Keyring;

use crate::{config::PlatformConfig, target::Service};

/// Arguments of `credit secrets`.
#[derive(Debug, Args)]
pub struct SecretsCommand {
    /// The folder to write into; created when missing.
    #[arg(long)]
    dir: PathBuf,
    /// host:port of PostgreSQL in the URLs.
    #[arg(long, default_value = "postgres:5432")]
    postgres: String,
    /// Database in the URLs.
    #[arg(long, default_value = "credit")]
    database: String,
    /// host:port of NATS in its URL.
    #[arg(long, default_value = "nats:4222")]
    nats: String,
    /// Octal mode of the files; containers that run as another user need 444.
    #[arg(long, default_value = "600", value_parser = parse_mode)]
    mode: u32,
}

fn parse_mode(text: &str) -> Result<u32, String> {
    u32::from_str_radix(text, 8).map_err(|error| error.to_string())
}

impl SecretsCommand {
    /// Writes what is missing.
    pub fn execute(self) -> Result<()> {
        fs::create_dir_all(&self.dir).with_context(|| format!("--dir {}", self.dir.display()))?;
        self.write_passwords()?;
        self.write_keys()?;
        println!("secrets are in {}", self.dir.display());
        Ok(())
    }

    /// Passwords and the URLs that hold them.
    fn write_passwords(&self) -> Result<()> {
        let Self {
            postgres, database, ..
        } = self;
        let owner = self.read_or_create("postgres_password", random)?;
        self.read_or_create("owner_database_url", || {
            format!("postgres://credit_owner:{owner}@{postgres}/{database}")
        })?;
        let schemas = Service::PLATFORM.into_iter().filter_map(Service::schema);
        for role in schemas.chain(["disclosure_public"]) {
            self.read_or_create(&format!("{role}_database_url"), || {
                format!("postgres://{role}:{}@{postgres}/{database}", random())
            })?;
        }
        let nats = self.read_or_create("nats_password", random)?;
        self.read_or_create("nats_url", || format!("nats://credit:{nats}@{}", self.nats))?;
        let jetstream = self.read_or_create("nats_storage_key", random)?;
        // The server reads no secret files, so its configuration is one.
        self.read_or_create("nats.conf", || nats_config(&nats, &jetstream))?;
        Ok(())
    }

    /// Keys and the services' own tokens.
    fn write_keys(&self) -> Result<()> {
        self.read_or_create("keyring", Keyring::generate)?;
        let identity = PlatformConfig::load(&Overlay::default())?.identity;
        let (name, audience) = (&identity.issuer, &identity.audience);
        let fresh = DevelopmentIssuer::generate(name, audience).private_pem()?;
        let private = self.read_or_create("identity_private.pem", || fresh)?;
        let issuer = DevelopmentIssuer::from_pem(name, audience, &private)?;
        let public = issuer.public_pem()?;
        self.read_or_create("identity_public.pem", || public)?;
        let expires = SystemClock.now() + time::Duration::days(365);
        for (file, role) in [
            ("web_token", Role::Public),
            ("upstream_token", Role::Operator),
        ] {
            let token = issuer.token(file, "", &[role], None, expires)?;
            self.read_or_create(file, || token)?;
        }
        Ok(())
    }

    /// The content of a file, written first when it is missing.
    fn read_or_create(&self, name: &str, make: impl FnOnce() -> String) -> Result<String> {
        let path = self.dir.join(name);
        if !path.exists() {
            write(&path, &make(), self.mode)?;
        }
        let text = fs::read_to_string(&path);
        text.with_context(|| format!("{} cannot be read", path.display()))
    }
}

fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

fn random() -> String {
    // 256 bits, in an alphabet that needs no quoting in URLs and configurations.
    hex::encode(rand::random::<[u8; 32]>())
}

fn nats_config(password: &str, storage_key: &str) -> String {
    format!(
        "port: 4222\n\
         http: 8222\n\
         max_payload: 8MB\n\
         authorization {{ user: credit, password: \"{password}\" }}\n\
         jetstream {{\n\
         \x20 store_dir: /data\n\
         \x20 # an acknowledged message is on the disk\n\
         \x20 sync_interval: always\n\
         \x20 # nothing is in clear at rest\n\
         \x20 cipher: aes\n\
         \x20 key: \"{storage_key}\"\n\
         }}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_run_keeps_every_secret() {
        let dir = std::env::temp_dir().join(format!("secrets-{}", uuid::Uuid::new_v4()));
        let run = || SecretsCommand {
            dir: dir.clone(),
            postgres: "db:5432".to_owned(),
            database: "credit".to_owned(),
            nats: "bus:4222".to_owned(),
            mode: 0o600,
        };
        let read = || {
            let mut files: Vec<_> = fs::read_dir(&dir)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
                .collect();
            files.sort();
            files
        };
        run().execute().unwrap();
        let first = read();
        run().execute().unwrap();
        assert_eq!(first, read());
        let url = fs::read_to_string(dir.join("ingest_database_url")).unwrap();
        assert!(url.starts_with("postgres://ingest:") && url.ends_with("@db:5432/credit"));
        fs::remove_dir_all(dir).unwrap();
    }
}
