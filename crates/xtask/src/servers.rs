//! `cargo xtask servers`: PostgreSQL and NATS of this checkout, left running for development.

use anyhow::Result;
use clap::{Args, Subcommand};
use local_servers::{Binaries, DevServers};
use std::path::Path;

/// Without a subcommand: `start`.
#[derive(Debug, Args)]
pub(crate) struct ServersTask {
    #[command(subcommand)]
    action: Option<ServersAction>,
}

#[derive(Debug, Subcommand)]
enum ServersAction {
    /// Starts the servers, unless they run, and prints the lines that set DATABASE_URL and NATS_URL.
    Start,
    /// Stops the servers; their data stay in .servers/run.
    Stop,
    /// Prints the lines that set DATABASE_URL and NATS_URL, for `eval "$(cargo xtask servers env)"`.
    Env,
}

impl ServersTask {
    pub(crate) fn run(self, root: &Path) -> Result<bool> {
        match self.action.unwrap_or(ServersAction::Start) {
            ServersAction::Start => println!(
                "{}",
                DevServers::start(root, &Binaries::locate(root)?)?.exports()
            ),
            ServersAction::Stop if DevServers::stop(root)? => eprintln!("stopped"),
            ServersAction::Stop => eprintln!("no servers ran"),
            ServersAction::Env => match DevServers::running(root) {
                Some(servers) => println!("{}", servers.exports()),
                None => {
                    eprintln!("no servers run; start them by `cargo xtask servers`");
                    return Ok(false);
                }
            },
        }
        Ok(true)
    }
}
