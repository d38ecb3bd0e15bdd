//! `credit dead-letters list|retry|drop`: events that a consumer could not deal with.

use anyhow::Result;
use clap::{Args, Subcommand};
use event_bus::dead_letters;
use service_kit::config::Overlay;

use super::{owner_pool, services_with_schema};
use crate::{config::Configs, target::Service};

/// Arguments of `credit dead-letters`.
#[derive(Debug, Args)]
pub struct DeadLettersCommand {
    #[command(subcommand)]
    action: DeadLettersAction,
}

#[derive(Debug, Subcommand)]
enum DeadLettersAction {
    /// Prints them, one JSON object a line.
    List {
        /// Of this service only.
        #[arg(long, value_enum)]
        service: Option<Service>,
    },
    /// Lets the consumer try again, after the cause is mended.
    Retry(DeadLetterSelection),
    /// Gives up; the rows stay as evidence.
    Drop(DeadLetterSelection),
}

#[derive(Debug, Args)]
struct DeadLetterSelection {
    /// The service whose consumer parked them.
    #[arg(long, value_enum)]
    service: Service,
    /// Numbers as `list` prints them.
    #[arg(required_unless_present = "all")]
    ids: Vec<i64>,
    /// All that are parked.
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

impl DeadLettersCommand {
    /// Runs the action with the owner's rights.
    pub async fn execute(self, overlay: &Overlay) -> Result<()> {
        let configs = Configs::load(overlay)?;
        match self.action {
            DeadLettersAction::List { service } => {
                for (service, schema) in services_with_schema(service) {
                    let pool = owner_pool(&configs, schema)?;
                    for letter in dead_letters::list_letters(&pool).await? {
                        let line = serde_json::json!({
                            "service": service.name(),
                            "id": letter.id,
                            "consumer": letter.consumer,
                            "event_id": letter.event_id.to_string(),
                            "event_type": letter.event_type,
                            "reason": letter.reason,
                            "attempts": letter.attempts,
                            "state": letter.state,
                            "parked_at": letter.parked_at.to_string(),
                        });
                        println!("{line}");
                    }
                }
            }
            DeadLettersAction::Retry(which) => {
                for (_, schema) in services_with_schema(Some(which.service)) {
                    let pool = owner_pool(&configs, schema)?;
                    let count = dead_letters::retry_letters(&pool, &which.ids).await?;
                    println!("{count} will be tried again by the running service");
                }
            }
            DeadLettersAction::Drop(which) => {
                for (_, schema) in services_with_schema(Some(which.service)) {
                    let pool = owner_pool(&configs, schema)?;
                    let count = dead_letters::drop_letters(&pool, &which.ids).await?;
                    println!("{count} given up");
                }
            }
        }
        Ok(())
    }
}
