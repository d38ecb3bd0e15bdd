//! A private NATS server with JetStream. Called by `xtask`, the demo and `testkit`.

use crate::child::{self, LaunchPlan, ServerProcess};
use crate::credentials::{Credentials, random_hex, write_private};
use crate::port::Port;
use crate::{Binaries, LockedFolder};
use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

const USER: &str = "credit";
const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(30);

/// How a private NATS runs.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// True (the default): JetStream writes each message to the disk before it acknowledges, as in production.
    /// False: only every two minutes.
    pub durable: bool,
    /// True: the server outlives this process, and [`Nats`] does not stop it when dropped.
    pub detached: bool,
}

impl Default for NatsOptions {
    fn default() -> Self {
        Self {
            durable: true,
            detached: false,
        }
    }
}

/// A private NATS with an encrypted JetStream: 127.0.0.1 only, one user with a password. Stopped when dropped.
#[derive(Debug)]
pub struct Nats {
    program: PathBuf,
    folder: PathBuf,
    credentials: Credentials,
    port: Port,
    monitor: Port,
    options: NatsOptions,
    process: Option<ServerProcess>,
    _place: LockedFolder,
}

impl Nats {
    /// Starts a server whose streams live in `folder` (kept, and taken up again by the next start there), and waits
    /// until JetStream is ready.
    pub fn start(binaries: &Binaries, folder: &Path, options: NatsOptions) -> Result<Self> {
        Self::start_in(binaries, LockedFolder::open(folder)?, options)
    }

    /// Starts a server with new streams that go when it is dropped.
    pub fn temporary(binaries: &Binaries, options: NatsOptions) -> Result<Self> {
        Self::start_in(binaries, LockedFolder::temporary()?, options)
    }

    fn start_in(binaries: &Binaries, place: LockedFolder, options: NatsOptions) -> Result<Self> {
        let folder = place.path().to_owned();
        let credentials = Credentials::load_or_create(&folder.join("nats.json"))?;
        let mut server = Self {
            program: binaries.nats_server.clone(),
            folder,
            credentials,
            port: Port::reserve()?,
            monitor: Port::reserve()?,
            options,
            process: None,
            _place: place,
        };
        server.restart()?;
        Ok(server)
    }

    /// `nats://credit:…@127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!(
            "nats://{USER}:{}@127.0.0.1:{}",
            self.credentials.password,
            self.port.number()
        )
    }

    /// The address of the monitor (`/varz`, `/jsz`, `/healthz`).
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor.number())
    }

    /// The TCP port of clients on 127.0.0.1; stays the same over restarts.
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The process, when it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }

    /// The folder of everything: `jetstream/`, `nats.conf`, `nats.log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops the server in order.
    pub fn stop(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process
                .stop("TERM", STOP_LIMIT)
                .map(drop)
                .context("stopping NATS"),
            None => Ok(()),
        }
    }

    /// Kills the server as a crash would; it is gone when this returns.
    pub fn kill9(&mut self) -> Result<()> {
        match self.process.take() {
            Some(process) => process.kill9().context("killing NATS"),
            None => Ok(()),
        }
    }

    /// Stops the server when it runs, and deletes all streams and consumers: the loss of JetStream's disk.
    /// [`Nats::restart`] starts it again, empty.
    pub fn wipe_files(&mut self) -> Result<()> {
        self.kill9()?;
        let store = self.store();
        std::fs::remove_dir_all(&store).with_context(|| format!("deleting {}", store.display()))
    }

    /// Starts the server again on the same port with the same streams, stopping it first when it runs.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        // Recognised by its name: another server might answer on this port.
        let name = format!("credit-{}", random_hex(8)?);
        let configuration = self.folder.join("nats.conf");
        write_private(&configuration, &self.configuration(&name)?)?;
        let mut process = ServerProcess::start(&LaunchPlan {
            program: self.program.clone(),
            arguments: vec!["--config".to_owned(), configuration.display().to_string()],
            folder: &self.folder,
            log: self.folder.join("nats.log"),
            account: None,
            detached: self.options.detached,
        })?;
        let (port, monitor) = (self.port.number(), self.monitor.number());
        process
            .wait_ready(START_LIMIT, |_| {
                greets_as(port, &name).unwrap_or(false) && is_healthy(monitor).unwrap_or(false)
            })
            .context("starting NATS")?;
        std::fs::write(self.folder.join("nats.pid"), process.pid().to_string())
            .context("writing nats.pid")?;
        self.process = Some(process);
        Ok(())
    }

    fn store(&self) -> PathBuf {
        self.folder.join("jetstream")
    }

    fn configuration(&self, name: &str) -> Result<String> {
        let store = self.store();
        let store = store
            .to_str()
            .context("the path of JetStream's store is not UTF-8")?;
        if store.contains(['"', '\\']) {
            bail!("the path {store} cannot be written into nats.conf");
        }
        let sync = if self.options.durable {
            "always"
        } else {
            "\"2m\""
        };
        let Credentials { password, key } = &self.credentials;
        Ok(format!(
            "# Written at each start by crates/local-servers.\n\
             server_name: \"{name}\"\n\
             listen: \"127.0.0.1:{port}\"\n\
             http: \"127.0.0.1:{monitor}\"\n\
             max_payload: 8MB\n\
             authorization {{ user: \"{USER}\", password: \"{password}\" }}\n\
             jetstream {{\n  store_dir: \"{store}\"\n  sync_interval: {sync}\n  cipher: \"aes\"\n  key: \"{key}\"\n}}\n",
            port = self.port.number(),
            monitor = self.monitor.number(),
        ))
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        if self.options.detached {
            return;
        }
        let _ = if self.options.durable {
            self.stop()
        } else {
            self.kill9()
        };
    }
}

/// The path on the command line of the server whose files are in `folder`.
pub(crate) fn configuration_path(folder: &Path) -> PathBuf {
    folder.join("nats.conf")
}

/// Stops a detached server of which only `folder` is known. True: it ran.
pub(crate) fn stop_by_folder(folder: &Path) -> Result<bool> {
    let Ok(content) = std::fs::read_to_string(folder.join("nats.pid")) else {
        return Ok(false);
    };
    let pid: u32 = content.trim().parse().context("reading nats.pid")?;
    child::stop_detached(pid, "TERM", STOP_LIMIT, &configuration_path(folder))
}

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let limit = Duration::from_secs(2);
    let stream = TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), limit)?;
    stream.set_read_timeout(Some(limit))?;
    Ok(stream)
}

/// Whether the server of this name greets on the port: the first line of NATS's protocol is `INFO {"server_name":…}`.
fn greets_as(port: u16, name: &str) -> std::io::Result<bool> {
    let mut line = String::new();
    BufReader::new(connect(port)?).read_line(&mut line)?;
    Ok(line.starts_with("INFO ") && line.contains(name))
}

/// Whether JetStream has taken up its streams.
fn is_healthy(monitor: u16) -> std::io::Result<bool> {
    let mut stream = connect(monitor)?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
