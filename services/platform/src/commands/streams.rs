//! `credit streams provision|rebuild`: JetStream is fan-out; everything on it can be made again
//! from the outboxes.

use std::time::Duration;

use anyhow::Result;
use clap::{Args, Subcommand};
use event_bus::{Bus, FaultInjection, outbox};
use service_kit::{config::Overlay, telemetry::Telemetry};

use super::{migrate::provision_bus, owner_pool, services_with_schema};
use crate::config::Configs;

/// Arguments of `credit streams`.
#[derive(Debug, Args)]
pub struct StreamsCommand {
    #[command(subcommand)]
    action: StreamsAction,
}

#[derive(Debug, Subcommand)]
enum StreamsAction {
    /// Creates streams and consumers where missing and compares those that exist.
    Provision,
    /// After JetStream lost its files, or the database was restored from a dump: creates what is
    /// missing and lets every relay publish its whole outbox again. Consumers know by their inboxes what they have dealt with.
    Rebuild,
}

impl StreamsCommand {
    /// Runs the action; services may run meanwhile.
    pub async fn execute(self, overlay: &Overlay) -> Result<()> {
        let configs = Configs::load(overlay)?;
        let telemetry = Telemetry::off();
        let bus = Bus::connect(
            configs.platform.bus.clone(),
            FaultInjection::none(),
            &telemetry,
        )
        .await?;
        let created = provision_bus(&bus, Duration::from_secs(60)).await?;
        println!("streams created: {}", created.len());
        if matches!(self.action, StreamsAction::Rebuild) {
            for (service, schema) in services_with_schema(None) {
                let pool = owner_pool(&configs, schema)?;
                outbox::rebase_outbox(&pool).await?;
                let rows = outbox::count_unpublished(&pool).await?;
                println!("{}: {rows} events will be published again", service.name());
            }
        }
        Ok(())
    }
}
