//! The binary `credit`: puts services into processes. Only this crate and `tests/` see all
//! services. Called by operators, by compose, and by the suites in `tests/`.
//!
//! - [`target`]: which services there are and how each is started, in one table
//! - [`config`]: the configuration of the process and its services
//! - [`commands`]: one file a command

pub mod commands;
pub mod config;
pub mod target;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};
use event_bus::FaultInjection;
use service_kit::config::Overlay;

/// Exit code of a configuration that cannot be used (EX_USAGE of sysexits).
const EXIT_CONFIG: u8 = 64;

/// The public-credit platform: runs services, prepares databases, tends the bus.
#[derive(Debug, Parser)]
#[command(name = "credit", version)]
struct Cli {
    /// Operator's configuration (TOML, one table a service and [platform]).
    #[arg(long, global = true, env = "CREDIT_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: PlatformCommand,
}

#[derive(Debug, Subcommand)]
enum PlatformCommand {
    /// Runs one service, or all in one process.
    Run(commands::run::RunCommand),
    /// Creates roles and schemas, runs migrations, creates streams and consumers.
    Migrate(commands::migrate::MigrateCommand),
    /// Prints the configuration in force, secrets hidden.
    DumpConfig,
    /// Exits 0 when the process of this configuration is ready, else prints why not.
    Healthcheck(commands::healthcheck::HealthcheckCommand),
    /// Signs a development token.
    Token(commands::token::TokenCommand),
    /// Writes fresh development secrets (keys, passwords, URLs) into a folder.
    Secrets(commands::secrets::SecretsCommand),
    /// Lists, retries or gives up events that could not be dealt with.
    DeadLetters(commands::dead_letters::DeadLettersCommand),
    /// Creates streams, or rebuilds their content from the outboxes.
    Streams(commands::streams::StreamsCommand),
}

/// Parses the arguments and runs the command; its exit code. `faults` is `FaultInjection::none()` in
/// production.
pub fn run_command_line(faults: FaultInjection) -> ExitCode {
    let cli = Cli::parse();
    let overlay = Overlay {
        file: cli.config,
        environment: true,
    };
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("credit: the async runtime cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let outcome = runtime.block_on(async {
        match cli.command {
            PlatformCommand::Run(run) => run.execute(&overlay, faults).await,
            PlatformCommand::Migrate(migrate) => migrate.execute(&overlay).await,
            PlatformCommand::DumpConfig => commands::dump_config::print_config(&overlay),
            PlatformCommand::Healthcheck(check) => check.execute(&overlay).await,
            PlatformCommand::Token(token) => token.execute(&overlay),
            PlatformCommand::Secrets(secrets) => secrets.execute(),
            PlatformCommand::DeadLetters(letters) => letters.execute(&overlay).await,
            PlatformCommand::Streams(streams) => streams.execute(&overlay).await,
        }
    });
    // Blocking helpers (trace export) must not hold the exit up.
    runtime.shutdown_timeout(std::time::Duration::from_secs(2));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("credit: {error:#}");
            let is_config = error
                .chain()
                .any(|cause| cause.is::<service_kit::config::ConfigError>());
            if is_config {
                ExitCode::from(EXIT_CONFIG)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}
