//! `credit migrate`: one-shot preparation of database and bus; safe to run again.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;
use event_bus::{Bus, FaultInjection, ProvisionError};
use service_kit::{config::Overlay, migrate::migrate_schema, telemetry::Telemetry};

use crate::{
    config::Configs,
    target::{Service, bus_topology},
};

/// Arguments of `credit migrate`.
#[derive(Debug, Args)]
pub struct MigrateCommand {
    /// Prepares the database only; running services create streams themselves.
    #[arg(long)]
    database_only: bool,
    /// How long to wait for the bus, seconds.
    #[arg(long, default_value_t = 60)]
    wait_seconds: u64,
}

impl MigrateCommand {
    /// Prepares every schema, then the bus.
    pub async fn execute(self, overlay: &Overlay) -> Result<()> {
        let configs = Configs::load(overlay)?;
        let owner = configs.platform.owner_database_url.reveal()?;
        for service in Service::PLATFORM {
            let plan = service
                .schema_plan(&configs)
                .with_context(|| format!("{}.database_url", service.name()))?;
            if let Some(plan) = plan {
                let schema = plan.schema.clone();
                migrate_schema(&owner, plan).await?;
                println!("schema {schema}: up to date");
            }
        }
        if self.database_only {
            return Ok(());
        }
        let telemetry = Telemetry::off();
        let bus = Bus::connect(
            configs.platform.bus.clone(),
            FaultInjection::none(),
            &telemetry,
        )
        .await?;
        let created = provision_bus(&bus, Duration::from_secs(self.wait_seconds)).await?;
        if created.is_empty() {
            println!("bus: up to date");
        } else {
            println!("bus: created {}", created.join(", "));
        }
        Ok(())
    }
}

/// Provisions, waiting for the server for a while.
pub(super) async fn provision_bus(bus: &Bus, timeout: Duration) -> Result<Vec<String>> {
    let topology = bus_topology();
    let attempt = async {
        loop {
            match bus.provision(&topology).await {
                Err(ProvisionError::Server { .. }) => {
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                other => return other,
            }
        }
    };
    match tokio::time::timeout(timeout, attempt).await {
        Ok(outcome) => Ok(outcome?),
        Err(_) => bail!(
            "the bus did not answer within {} s: check platform.bus.url",
            timeout.as_secs()
        ),
    }
}
