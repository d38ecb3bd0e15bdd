//! A private PostgreSQL. Called by `xtask`, the demo and `testkit`.

use crate::account::{self, Account};
use crate::child::{self, LaunchPlan, ServerProcess};
use crate::credentials::{Credentials, write_private};
use crate::locked_folder::reachable_folder;
use crate::port::Port;
use crate::{Binaries, LockedFolder};
use anyhow::{Context, Result, anyhow, bail};
use std::fs::DirBuilder;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Name of the superuser.
const SUPERUSER: &str = "credit_admin";

/// Recovery after a kill replays the log of everything since the last checkpoint.
const START_LIMIT: Duration = Duration::from_secs(120);
const STOP_LIMIT: Duration = Duration::from_secs(60);

/// How a private PostgreSQL runs.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// True (the default): a committed transaction survives a power failure. False, for tests that kill no machine:
    /// PostgreSQL does not wait for the disk. Even so a killed process loses nothing, since the kernel has the data.
    pub durable: bool,
    /// True: the server outlives this process, and [`Postgres`] does not stop it when dropped.
    pub detached: bool,
    /// Further settings, `name` and value as in `postgresql.conf`; they win over ours.
    pub settings: Vec<(String, String)>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            durable: true,
            detached: false,
            settings: Vec::new(),
        }
    }
}

/// A private PostgreSQL: 127.0.0.1 only, password by SCRAM, superuser `credit_admin`. Stopped when dropped.
#[derive(Debug)]
pub struct Postgres {
    bin: PathBuf,
    folder: PathBuf,
    account: Option<Account>,
    password: String,
    port: Port,
    options: PostgresOptions,
    process: Option<ServerProcess>,
    _place: Option<LockedFolder>,
}

impl Postgres {
    /// Starts a server whose data live in `folder` (kept, and taken up again by the next start there; as root in a
    /// folder under `/var/tmp` that stands for it, see [`Postgres::folder`]), and waits until it answers.
    pub fn start(binaries: &Binaries, folder: &Path, options: PostgresOptions) -> Result<Self> {
        let folder = reachable_folder(folder)?;
        let place = LockedFolder::open(&folder)?;
        Self::start_in(binaries, place, options)
    }

    /// Starts a server with new data that go when it is dropped.
    pub fn temporary(binaries: &Binaries, options: PostgresOptions) -> Result<Self> {
        Self::start_in(binaries, LockedFolder::temporary()?, options)
    }

    fn start_in(
        binaries: &Binaries,
        place: LockedFolder,
        options: PostgresOptions,
    ) -> Result<Self> {
        let folder = place.path().to_owned();
        let account = account::unprivileged_account()?;
        let credentials = Credentials::load_or_create(&folder.join("postgres.json"))?;
        let mut server = Self {
            bin: binaries.postgres_bin.clone(),
            account,
            password: credentials.password,
            port: Port::reserve()?,
            options,
            process: None,
            folder,
            _place: Some(place),
        };
        if !server.data().join("PG_VERSION").is_file() {
            server.initialise()?;
        }
        server.restart()?;
        Ok(server)
    }

    /// `postgres://credit_admin:…@127.0.0.1:<port>/<database>`. The database `postgres` always exists.
    pub fn url(&self, database: &str) -> String {
        self.url_for(SUPERUSER, &self.password, database)
    }

    /// The address for another role. `password` must need no escaping in a URL.
    pub fn url_for(&self, role: &str, password: &str, database: &str) -> String {
        format!(
            "postgres://{role}:{password}@127.0.0.1:{}/{database}",
            self.port.number()
        )
    }

    /// The TCP port on 127.0.0.1; stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process, when it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }

    /// Whether it runs; one that has ended by itself (a full disk) does not.
    pub fn is_running(&mut self) -> Result<bool> {
        match &mut self.process {
            Some(process) => Ok(!process.has_ended()?),
            None => Ok(false),
        }
    }

    /// The process, whose whole tree can be suspended and resumed.
    pub fn process(&self) -> Option<&ServerProcess> {
        self.process.as_ref()
    }

    /// The folder of everything: `data/`, `postgres.log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server in order: sessions are closed, everything is written.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process
                .stop("INT", STOP_LIMIT)
                .map(drop)
                .context("stopping PostgreSQL"),
            None => Ok(()),
        }
    }

    /// Kills the server and its sessions as a crash would; they are gone when this returns.
    pub fn kill9(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill9().context("killing PostgreSQL"),
            None => Ok(()),
        }
    }

    /// Starts the server again on the same port with the same data, stopping it first when it runs.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        let launch = LaunchPlan {
            program: self.bin.join("postgres"),
            arguments: self.arguments()?,
            folder: &self.folder,
            log: self.folder.join("postgres.log"),
            account: self.account,
            detached: self.options.detached,
        };
        let mut process = ServerProcess::start(&launch)?;
        let status_file = self.data().join("postmaster.pid");
        process
            .wait_ready(START_LIMIT, |pid| {
                std::fs::read_to_string(&status_file).is_ok_and(|text| says_ready(&text, pid))
            })
            .context("starting PostgreSQL")?;
        self.process = Some(process);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn arguments(&self) -> Result<Vec<String>> {
        let port = self.port.number().to_string();
        let durable = if self.options.durable { "on" } else { "off" };
        let mut settings = vec![
            ("listen_addresses", "127.0.0.1"),
            ("port", port.as_str()),
            // TCP only: a socket's path would be limited to 107 bytes.
            ("unix_socket_directories", ""),
            ("fsync", durable),
            ("full_page_writes", durable),
            ("max_connections", "300"),
            ("shared_buffers", "256MB"),
            ("max_wal_size", "2GB"),
            ("jit", "off"),
            ("timezone", "UTC"),
            ("log_timezone", "UTC"),
            ("log_line_prefix", "%m [%p] %q%u@%d "),
        ];
        settings.extend(
            self.options
                .settings
                .iter()
                .map(|(name, value)| (name.as_str(), value.as_str())),
        );
        let mut arguments = vec!["-D".to_owned(), text(&self.data())?];
        for (name, value) in settings {
            arguments.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        Ok(arguments)
    }

    /// Makes the empty cluster.
    fn initialise(&self) -> Result<()> {
        let data = self.data();
        let password_file = self.folder.join("password");
        // What a killed `initdb` has left is worth nothing: PG_VERSION is missing.
        let _ = std::fs::remove_dir_all(&data);
        DirBuilder::new()
            .mode(0o700)
            .create(&data)
            .with_context(|| format!("creating {}", data.display()))?;
        write_private(&password_file, &self.password)?;
        if let Some(Account { uid, gid }) = self.account {
            for path in [&data, &password_file] {
                chown(path, Some(uid), Some(gid))
                    .with_context(|| format!("giving {} away", path.display()))?;
            }
        }
        let mut command = Command::new(self.bin.join("initdb"));
        command
            .args([
                "--pgdata",
                &text(&data)?,
                "--username",
                SUPERUSER,
                "--auth",
                "scram-sha-256",
            ])
            .args([
                "--pwfile",
                &text(&password_file)?,
                "--encoding",
                "UTF8",
                "--locale",
                "C",
            ])
            .args([
                "--locale-provider",
                "builtin",
                "--builtin-locale",
                "C.UTF-8",
            ])
            .current_dir(&self.folder)
            .stdin(Stdio::null());
        if !self.options.durable {
            command.arg("--no-sync");
        }
        if let Some(account) = self.account {
            command.uid(account.uid).gid(account.gid);
        }
        let output = command
            .output()
            .with_context(|| format!("starting initdb of {}", self.bin.display()))?;
        std::fs::remove_file(&password_file).context("removing the password file")?;
        if !output.status.success() {
            // `initdb` puts PG_VERSION early: without this a half-made cluster would pass for a whole one.
            let _ = std::fs::remove_dir_all(&data);
            bail!(
                "initdb failed ({}):\n{}",
                output.status,
                String::from_utf8_lossy(&output.stderr).trim_end()
            );
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if self.options.detached {
            return;
        }
        // The data of a temporary server go with it: no need to write them out. Its shared memory must go too, which
        // the kernel keeps for ever when a server is only killed.
        let signal = if self.options.durable { "INT" } else { "QUIT" };
        if let Some(process) = self.process.take() {
            let _ = process.stop(signal, STOP_LIMIT);
        }
    }
}

/// The path on the command line of the server whose files are in `folder`.
pub(crate) fn data_path(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Stops a detached server of which only `folder` is known, as [`Postgres::folder`] gave it. True: it ran.
pub(crate) fn stop_by_folder(folder: &Path) -> Result<bool> {
    let file = folder.join("data/postmaster.pid");
    let Ok(content) = std::fs::read_to_string(&file) else {
        return Ok(false);
    };
    let pid: u32 = content
        .lines()
        .next()
        .and_then(|line| line.trim().parse().ok())
        .context("reading postmaster.pid")?;
    child::stop_detached(pid, "INT", STOP_LIMIT, &data_path(folder))
}

/// Whether `postmaster.pid` records that the process `pid` accepts connections: the pid is on its first line, the state
/// on its eighth. More exact than a connection, which another server on that port might answer.
fn says_ready(status: &str, pid: u32) -> bool {
    let mut lines = status.lines();
    lines
        .next()
        .is_some_and(|line| line.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|l| l.trim() == "ready")
}

fn text(path: &Path) -> Result<String> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| anyhow!("the path {} is not UTF-8", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_read_from_the_status_file_of_this_process() {
        let ready = "42\n/data\n1700000000\n15432\n\n127.0.0.1\n  1234  5\nready   \n";
        assert!(says_ready(ready, 42));
        assert!(!says_ready(ready, 43));
        assert!(!says_ready(&ready.replace("ready", "starting"), 42));
        assert!(!says_ready("42\n/data\n", 42));
    }
}
