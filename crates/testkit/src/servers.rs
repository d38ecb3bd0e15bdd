//! Finds the servers that tests share. Called by tests through [`test_servers`] and by `TestDb`.

use anyhow::{Context, Result, bail};
use local_servers::{Binaries, DevServers};
use std::path::{Path, PathBuf};

/// Addresses of the servers that all tests share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestServers {
    /// A superuser's address of a PostgreSQL 15 to 18 in which databases and roles may be created.
    pub database_url: String,
    /// A NATS with JetStream; holds user and password where it wants them.
    pub nats_url: String,
}

/// The servers that `DATABASE_URL` and `NATS_URL` name; without these variables the development servers of this
/// checkout, when they run.
///
/// # Errors
/// With the line to type, when there are none: a test is never skipped for want of a server.
pub fn test_servers() -> Result<TestServers> {
    find(
        |name| std::env::var(name).ok().filter(|value| !value.is_empty()),
        || DevServers::running(&workspace_root()),
    )
}

fn find(
    variable: impl Fn(&str) -> Option<String>,
    running: impl Fn() -> Option<DevServers>,
) -> Result<TestServers> {
    match (variable("DATABASE_URL"), variable("NATS_URL")) {
        (Some(database_url), Some(nats_url)) => Ok(TestServers {
            database_url,
            nats_url,
        }),
        (None, None) => match running() {
            Some(DevServers {
                database_url,
                nats_url,
                ..
            }) => Ok(TestServers {
                database_url,
                nats_url,
            }),
            None => bail!(
                "no PostgreSQL and NATS for the tests: run the tests by `cargo xtask test`, or start servers by \
                 `cargo xtask servers`, or set DATABASE_URL and NATS_URL"
            ),
        },
        (Some(_), None) => bail!(
            "DATABASE_URL is set and NATS_URL is not; set both or none (`cargo xtask servers env`)"
        ),
        (None, Some(_)) => bail!(
            "NATS_URL is set and DATABASE_URL is not; set both or none (`cargo xtask servers env`)"
        ),
    }
}

/// The root of this checkout.
pub fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}

/// The servers' programs for private servers: those that `cargo xtask` names, else fetched into the checkout.
pub async fn server_binaries() -> Result<Binaries> {
    tokio::task::spawn_blocking(|| Binaries::locate(&workspace_root()))
        .await
        .context("fetching the servers")?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_servers_the_error_is_the_line_to_type() {
        let error = find(|_| None, || None).unwrap_err().to_string();
        assert!(
            error.contains("`cargo xtask test`") && error.contains("`cargo xtask servers`"),
            "{error}"
        );
    }

    #[test]
    fn the_environment_wins_and_must_name_both() {
        let both = find(|name| Some(format!("{name}!")), || None).unwrap();
        assert_eq!(both.database_url, "DATABASE_URL!");
        assert_eq!(both.nats_url, "NATS_URL!");
        let one = find(
            |name| (name == "NATS_URL").then(|| "nats://x".to_owned()),
            || None,
        )
        .unwrap_err();
        assert!(one.to_string().contains("DATABASE_URL is not"), "{one}");
    }

    #[test]
    fn the_root_is_the_workspace() {
        assert!(workspace_root().join("crates/testkit/Cargo.toml").is_file());
    }
}
