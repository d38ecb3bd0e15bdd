//! One platform: servers, secrets, configuration, processes. The program is the real one; the
//! journeys run it from a binary of this package that differs only in its fault points.

mod service_processes;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail, ensure};
use local_servers::{
    Binaries, LaunchPlan, LockedFolder, Nats, NatsOptions, Postgres, PostgresOptions, ServerProcess,
};
use platform::target::Service;
use service_kit::identity::{DevelopmentIssuer, PersonClaim, Role};
use testkit::eventually;
use time::OffsetDateTime;

use crate::{clients::Clients, ports::Ports};

/// How long a process may take to be ready or to stop.
const PROCESS_TIMEOUT: Duration = Duration::from_secs(60);

/// Size of each stream unless a journey wants another: a laptop has less to give than a server.
const MAX_STREAM_BYTES: u64 = 256 * 1024 * 1024;

/// How a platform is started.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The program `credit`, or the journeys' twin of it.
    pub program: PathBuf,
    /// Whether the servers wait for the disk, as in production.
    pub durable: bool,
    /// Endpoint for traces; empty for none.
    pub otlp_endpoint: String,
    /// Share of records that are traced.
    pub sample_ratio: f64,
    /// `info`, `warn` …
    pub log: String,
    /// Size of each stream, bytes: JetStream reserves it.
    pub max_stream_bytes: u64,
}

impl ClusterOptions {
    /// Durable servers, no traces.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            durable: true,
            otlp_endpoint: String::new(),
            sample_ratio: 0.0,
            log: "info".to_owned(),
            max_stream_bytes: MAX_STREAM_BYTES,
        }
    }
}

/// PostgreSQL and NATS: private ones, or those that the environment names.
#[derive(Debug)]
pub struct ClusterServers {
    /// Private PostgreSQL; `None` when `DATABASE_URL` is set.
    pub postgres: Option<Postgres>,
    /// Private NATS; `None` when `NATS_URL` is set.
    pub nats: Option<Nats>,
    owner_url: String,
    nats_url: String,
    namespace: String,
}

/// A running platform. Dropping it stops everything.
#[derive(Debug)]
pub struct Cluster {
    /// The servers under it.
    pub servers: ClusterServers,
    /// Its addresses.
    pub ports: Ports,
    options: ClusterOptions,
    folder_guard: LockedFolder,
    issuer: DevelopmentIssuer,
    platform: Option<ServerProcess>,
    simulator: Option<ServerProcess>,
    service_processes: Vec<service_processes::ServiceProcess>,
}

impl Cluster {
    /// Starts private servers and the platform in a fresh temporary folder.
    pub async fn start(options: ClusterOptions) -> Result<Self> {
        let place = LockedFolder::temporary()?;
        let binaries = Binaries::locate(&testkit::workspace_root())?;
        let servers = ClusterServers::start_private(&binaries, place.path(), options.durable)?;
        Self::start_on_servers(servers, place, options).await
    }

    /// Starts the platform on given servers with its files in `place`.
    pub async fn start_on_servers(
        servers: ClusterServers,
        place: LockedFolder,
        options: ClusterOptions,
    ) -> Result<Self> {
        let mut cluster = Self::prepare(servers, place, options)?;
        cluster.run_credit(&["migrate"])?;
        cluster.start_simulator()?;
        cluster.start_platform(None)?;
        cluster.wait_until_ready().await?;
        Ok(cluster)
    }

    /// Starts some services only, each in a process of its own; the database has the schemas of all.
    /// For faults of one service: the all-in-one process would take the others with it.
    pub async fn start_services(
        servers: ClusterServers,
        place: LockedFolder,
        options: ClusterOptions,
        services: &[Service],
    ) -> Result<Self> {
        let mut cluster = Self::prepare(servers, place, options)?;
        cluster.run_credit(&["migrate"])?;
        cluster.start_service_processes(services).await?;
        Ok(cluster)
    }

    /// Secrets and configuration, nothing running yet.
    fn prepare(
        servers: ClusterServers,
        place: LockedFolder,
        options: ClusterOptions,
    ) -> Result<Self> {
        let folder = place.path().to_owned();
        let ports = Ports::reserve()?;
        let secrets = folder.join("secrets");
        let host = host_of(&servers.owner_url)?;
        let database = servers.owner_url.rsplit('/').next().unwrap_or_default();
        let status = Command::new(&options.program)
            .arg("secrets")
            .arg("--dir")
            .arg(&secrets)
            .args(["--postgres", &host, "--database", database])
            .args(["--nats", &host_of(&servers.nats_url)?])
            .output()
            .with_context(|| format!("running {}", options.program.display()))?;
        ensure!(
            status.status.success(),
            "{}",
            String::from_utf8_lossy(&status.stderr)
        );
        let pem = std::fs::read_to_string(secrets.join("identity_private.pem"))?;
        let defaults = platform::config::PlatformConfig::load(&Default::default())?;
        let issuer = DevelopmentIssuer::from_pem(
            &defaults.identity.issuer,
            &defaults.identity.audience,
            &pem,
        )?;
        let cluster = Self {
            servers,
            ports,
            options,
            folder_guard: place,
            issuer,
            platform: None,
            simulator: None,
            service_processes: Vec::new(),
        };
        std::fs::write(
            cluster.config_file(),
            cluster.config(&cluster.ports.admin()),
        )?;
        std::fs::write(
            cluster.simulator_config_file(),
            cluster.config(&cluster.ports.simulator_admin()),
        )?;
        Ok(cluster)
    }

    fn config(&self, admin: &str) -> String {
        let secrets = self.folder().join("secrets");
        let file = |name: &str| format!("{{ file = {:?} }}", secrets.join(name));
        let mut text = format!(
            "[platform]\nadmin_listen = \"{admin}\"\nowner_database_url = {:?}\nkeyring = {}\n\
             [platform.bus]\nurl = {:?}\nnamespace = {:?}\nmax_stream_bytes = {}\nack_wait_seconds = 5\n\
             [platform.identity]\nkeys_file = {:?}\n\
             [platform.telemetry]\notlp_endpoint = {:?}\nsample_ratio = {:?}\n",
            self.servers.owner_url,
            file("keyring"),
            self.servers.nats_url,
            self.servers.namespace,
            self.options.max_stream_bytes,
            secrets.join("identity_public.pem"),
            self.options.otlp_endpoint,
            self.options.sample_ratio,
        );
        for service in Service::PLATFORM
            .into_iter()
            .chain([Service::ProvinceSimulator])
        {
            text.push_str(&format!("[{}]\n", service.name()));
            text.push_str(&format!("listen = {:?}\n", self.ports.address(service)));
            if let Some(schema) = service.schema() {
                let url = file(&format!("{schema}_database_url"));
                text.push_str(&format!("database_url = {url}\n"));
            }
            match service {
                // What only time does is announced sooner than in production.
                Service::Catalog => text.push_str("reconcile_seconds = 2\n"),
                Service::Disclosure => {
                    let url = file("disclosure_public_database_url");
                    text.push_str(&format!("public_database_url = {url}\n"));
                }
                Service::ProvincialSync => {
                    let upstream = self.ports.url(Service::ProvinceSimulator);
                    let token = file("upstream_token");
                    // A push that was interrupted is retried sooner than in production.
                    text.push_str(&format!(
                        "upstream_url = {upstream:?}\nupstream_token = {token}\n\
                         push_deadline_ms = 5000\nlease_ms = 12000\n"
                    ));
                }
                Service::Web => {
                    let disclosure = self.ports.url(Service::Disclosure);
                    let catalog = self.ports.url(Service::Catalog);
                    let token = file("web_token");
                    // A page shows what there is, however busy the machine: what it shows when a service does not
                    // answer is a test of the service.
                    text.push_str(&format!(
                        "disclosure_url = {disclosure:?}\ncatalog_url = {catalog:?}\ntoken = {token}\n\
                         backend_timeout_ms = 60000\n"
                    ));
                }
                _ => {}
            }
        }
        text
    }

    /// Folder of its files; logs are `credit.log` and `simulator.log`.
    pub fn folder(&self) -> &Path {
        self.folder_guard.path()
    }

    /// Its configuration, for commands of `credit` by hand.
    pub fn config_file(&self) -> PathBuf {
        self.folder().join("credit.toml")
    }

    fn simulator_config_file(&self) -> PathBuf {
        self.folder().join("simulator.toml")
    }

    /// The keys under which its services seal: to read what they have stored.
    pub fn keyring(&self) -> Result<vault::Keyring> {
        let text = std::fs::read_to_string(self.folder().join("secrets/keyring"))?;
        Ok(vault::Keyring::parse(&text)?)
    }

    /// Runs a command of `credit` on this platform; its standard output.
    pub fn run_credit(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(&self.options.program)
            .arg("--config")
            .arg(self.config_file())
            .args(arguments)
            .output()
            .with_context(|| format!("running {}", self.options.program.display()))?;
        ensure!(
            output.status.success(),
            "credit {}: {}{}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts the private NATS again after it was killed, and follows the operator's manual where one of its
    /// streams did not come back; whether that was so. nats-server 2.15.1 may find the files of a stream corrupt that
    /// was just beginning a new block.
    pub fn restart_killed_nats(&mut self) -> Result<bool> {
        self.servers
            .nats
            .as_mut()
            .context("private NATS")?
            .restart()?;
        let output = self.run_credit(&["streams", "provision"])?;
        let is_whole = output.contains("streams created: 0");
        if !is_whole {
            println!("NATS has lost a stream: {}", output.trim_end());
            self.run_credit(&["streams", "rebuild"])?;
        }
        Ok(!is_whole)
    }

    fn launch(
        &self,
        config: &Path,
        log: &str,
        target: &str,
        environment: &[String],
    ) -> Result<ServerProcess> {
        let mut arguments = vec![format!("CREDIT_LOG={}", self.options.log)];
        arguments.extend_from_slice(environment);
        let program = [
            self.options.program.display().to_string(),
            "--config".to_owned(),
            config.display().to_string(),
            "run".to_owned(),
            format!("--target={target}"),
        ];
        arguments.extend(program);
        ServerProcess::start(&LaunchPlan {
            program: "env".into(),
            arguments,
            folder: self.folder(),
            log: self.folder().join(log),
            account: None,
            detached: false,
        })
    }

    /// Starts the all-in-one process. `fault` is `point:count` for the journeys' program: it ends
    /// by `abort` when the point is reached for the count-th time.
    pub fn start_platform(&mut self, fault: Option<&str>) -> Result<()> {
        let fault = fault.map(|fault| format!("CREDIT_JOURNEY_FAULT={fault}"));
        let process = self.launch(&self.config_file(), "credit.log", "all", fault.as_slice())?;
        self.platform = Some(process);
        Ok(())
    }

    /// Starts the province's simulator.
    pub fn start_simulator(&mut self) -> Result<()> {
        let config = self.simulator_config_file();
        let process = self.launch(&config, "simulator.log", "province-simulator", &[])?;
        self.simulator = Some(process);
        Ok(())
    }

    /// Waits until the platform reports that it is ready.
    pub async fn wait_until_ready(&self) -> Result<()> {
        let admin = self.ports.admin();
        let outcome = eventually("the platform is ready", PROCESS_TIMEOUT, async || {
            http_get(&admin, "/readyz")
                .await
                .and_then(|(status, body)| {
                    ensure!(status == 200, "{status}: {body}");
                    Ok(())
                })
        });
        outcome.await.with_context(|| self.log_tail())
    }

    /// The end of the platform's log, for errors.
    pub fn log_tail(&self) -> String {
        self.service_log_tail("credit.log")
    }

    fn service_log_tail(&self, log: &str) -> String {
        let text = std::fs::read(self.folder().join(log)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// Number of the all-in-one process.
    pub fn platform_pid(&self) -> Option<u32> {
        self.platform.as_ref().map(ServerProcess::pid)
    }

    /// Process ids by role; a role may have several.
    pub fn process_ids(&self) -> Vec<(&'static str, u32)> {
        let ours = self.platform.iter().map(|p| ("platform", p.pid()));
        let simulator = self.simulator.iter().map(|p| ("province", p.pid()));
        let postgres = self.servers.postgres.as_ref().and_then(Postgres::pid);
        let nats = self.servers.nats.as_ref().and_then(Nats::pid);
        let apart = self.service_pids().into_iter();
        let apart = apart.map(|(service, pid)| (service.name(), pid));
        ours.chain(apart)
            .chain(simulator)
            .chain(postgres.map(|pid| ("postgres", pid)))
            .chain(nats.map(|pid| ("nats", pid)))
            .collect()
    }

    /// `kill -9` of the all-in-one process.
    pub fn kill_platform(&mut self) -> Result<()> {
        self.platform.take().context("the platform runs")?.kill9()
    }

    /// Asks the all-in-one process to end; it must end well.
    pub async fn stop_platform(&mut self) -> Result<()> {
        let process = self.platform.take().context("the platform runs")?;
        // In a blocking thread: clients on this runtime must be able to receive the server's last answers.
        let stopping = tokio::task::spawn_blocking(move || process.stop("TERM", PROCESS_TIMEOUT));
        let status = stopping.await??;
        ensure!(status.success(), "{status}; {}", self.log_tail());
        Ok(())
    }

    /// Waits until the all-in-one process has ended by itself, with all its threads.
    pub async fn wait_until_platform_ended(&mut self) -> Result<()> {
        let process = self.platform.as_mut().context("the platform runs")?;
        eventually("the process ends by itself", PROCESS_TIMEOUT, async || {
            process.has_ended().and_then(|ended| {
                ensure!(ended, "it runs");
                Ok(())
            })
        })
        .await?;
        self.platform = None;
        Ok(())
    }

    /// `kill -9` of the simulator: its memory is lost.
    pub fn kill_simulator(&mut self) -> Result<()> {
        self.simulator.take().context("the simulator runs")?.kill9()
    }

    /// A token of this platform's development issuer, valid for a day.
    pub fn token(
        &self,
        organisation: &str,
        roles: &[Role],
        person: Option<PersonClaim>,
    ) -> Result<String> {
        let expires = OffsetDateTime::now_utc() + time::Duration::days(1);
        Ok(self
            .issuer
            .token("journey", organisation, roles, person, expires)?)
    }

    /// A token of this platform's development issuer that expired an hour ago.
    pub fn expired_token(&self, roles: &[Role]) -> Result<String> {
        let expired = OffsetDateTime::now_utc() - time::Duration::hours(1);
        Ok(self.issuer.token("journey", "", roles, None, expired)?)
    }

    /// Clients of its services.
    pub fn clients(&self) -> Result<Clients<'_>> {
        Clients::new(self)
    }

    /// The database's owner.
    pub fn owner_url(&self) -> &str {
        &self.servers.owner_url
    }

    /// A pool of the database's owner in one service's schema, to read results.
    pub fn owner_pool(&self, schema: &str) -> Result<sqlx::PgPool> {
        Ok(service_kit::db::connect_lazy(
            &self.servers.owner_url,
            schema,
            2,
        )?)
    }

    /// Waits until every outbox is published and no event is a dead letter. A journey that leaves work
    /// unprocessed fails.
    pub async fn wait_until_drained(&self) -> Result<()> {
        for service in Service::PLATFORM {
            let Some(schema) = service.schema() else {
                continue;
            };
            let pool = self.owner_pool(schema)?;
            let left = eventually("outboxes are empty", PROCESS_TIMEOUT, async || {
                let rows = event_bus::outbox::count_unpublished(&pool).await?;
                ensure!(rows == 0, "{schema}: {rows} events unpublished");
                Ok(())
            });
            left.await?;
            let parked = event_bus::dead_letters::list_letters(&pool).await?;
            ensure!(parked.is_empty(), "{schema}: dead letters {parked:?}");
            pool.close().await;
        }
        if self.platform.is_some() {
            self.wait_until_ready().await?;
        }
        self.wait_until_services_ready().await
    }
}

impl ClusterServers {
    /// Private servers with their files below `folder`.
    pub fn start_private(binaries: &Binaries, folder: &Path, durable: bool) -> Result<Self> {
        let options = PostgresOptions {
            durable,
            ..PostgresOptions::default()
        };
        let postgres = Postgres::start(binaries, &folder.join("postgres"), options)?;
        let options = NatsOptions {
            durable,
            ..NatsOptions::default()
        };
        let nats = Nats::start(binaries, &folder.join("nats"), options)?;
        Ok(Self::from_started(postgres, nats))
    }

    /// These servers, fresh ones.
    pub fn from_started(postgres: Postgres, nats: Nats) -> Self {
        Self {
            owner_url: postgres.url("postgres"),
            nats_url: nats.url(),
            postgres: Some(postgres),
            nats: Some(nats),
            namespace: "credit".to_owned(),
        }
    }

    /// The servers that `DATABASE_URL` (a superuser's) and `NATS_URL` name, with a fresh database
    /// and a namespace of its own. The platform's login roles belong to the whole server.
    pub async fn connect_named(database_url: &str, nats_url: String) -> Result<Self> {
        let name = format!("credit_{}", uuid::Uuid::new_v4().simple());
        let admin = service_kit::db::connect_lazy(database_url, "public", 1)?;
        sqlx::query(sqlx::AssertSqlSafe(format!("create database {name}")))
            .execute(&admin)
            .await
            .context("creating a database on the server of DATABASE_URL")?;
        admin.close().await;
        let (server, _) = database_url
            .rsplit_once('/')
            .context("DATABASE_URL names a database")?;
        Ok(Self {
            postgres: None,
            nats: None,
            owner_url: format!("{server}/{name}"),
            nats_url,
            namespace: name,
        })
    }
}

/// `host:port` of a URL.
fn host_of(url: &str) -> Result<String> {
    let rest = url.split_once("://").context("a URL has a scheme")?.1;
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    if host.is_empty() {
        bail!("no host in the URL of a server");
    }
    Ok(host.to_owned())
}

/// A plain HTTP GET; status and body.
pub async fn http_get(address: &str, path: &str) -> Result<(u16, String)> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").context("an HTTP answer")?;
    let status = head.split(' ').nth(1).context("a status line")?.parse()?;
    Ok((status, body.to_owned()))
}
