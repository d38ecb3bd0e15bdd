//! One file a command of `credit`.

pub mod dead_letters;
pub mod dump_config;
pub mod healthcheck;
pub mod migrate;
pub mod run;
pub mod secrets;
pub mod streams;
pub mod token;

use anyhow::{Context, Result};
use service_kit::db::{Pool, connect_lazy};

use crate::{config::Configs, target::Service};

/// A small pool of the owner in one service's schema.
fn owner_pool(configs: &Configs, schema: &str) -> Result<Pool> {
    let url = configs.platform.owner_database_url.reveal()?;
    connect_lazy(&url, schema, 2).context("platform.owner_database_url")
}

/// The services with a schema, or the named one.
fn services_with_schema(only: Option<Service>) -> Vec<(Service, &'static str)> {
    Service::PLATFORM
        .into_iter()
        .filter(|service| only.is_none_or(|only| only == *service))
        .filter_map(|service| Some((service, service.schema()?)))
        .collect()
}
