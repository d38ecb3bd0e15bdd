//! Which services there are, in one table: what each listens on, owns in the database and on the
//! bus, and how it is started. Adding a service is one variant and one arm in each match.

use anyhow::{Context, Result};
use clap::ValueEnum;
use event_bus::{Bus, StreamSpec, Subscription, Topology};
use service_kit::{
    ServiceContext,
    config::Secret,
    migrate::{SchemaPlan, login_from_url},
};
use tokio::net::TcpListener;

use crate::config::Configs;

/// A service of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // named after the services
pub enum Service {
    Ingest,
    Validation,
    Catalog,
    Disclosure,
    Objection,
    ProvincialSync,
    Web,
    ProvinceSimulator,
}

/// What `credit run` runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // named after the services
pub enum Target {
    /// Every service of the platform in one process; not the province's simulator.
    All,
    Ingest,
    Validation,
    Catalog,
    Disclosure,
    Objection,
    ProvincialSync,
    Web,
    ProvinceSimulator,
}

impl Target {
    /// The services of the target.
    pub fn services(self) -> &'static [Service] {
        match self {
            Self::All => &Service::PLATFORM,
            Self::Ingest => &[Service::Ingest],
            Self::Validation => &[Service::Validation],
            Self::Catalog => &[Service::Catalog],
            Self::Disclosure => &[Service::Disclosure],
            Self::Objection => &[Service::Objection],
            Self::ProvincialSync => &[Service::ProvincialSync],
            Self::Web => &[Service::Web],
            Self::ProvinceSimulator => &[Service::ProvinceSimulator],
        }
    }
}

impl Service {
    /// The platform, without the simulator of its neighbour.
    pub const PLATFORM: [Self; 7] = [
        Self::Catalog,
        Self::Ingest,
        Self::Validation,
        Self::Disclosure,
        Self::Objection,
        Self::ProvincialSync,
        Self::Web,
    ];

    /// Its name in logs, configuration and on the bus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingest => ingest::SERVICE,
            Self::Validation => validation::SERVICE,
            Self::Catalog => catalog::SERVICE,
            Self::Disclosure => disclosure::SERVICE,
            Self::Objection => objection::SERVICE,
            Self::ProvincialSync => provincial_sync::SERVICE,
            Self::Web => web::SERVICE,
            Self::ProvinceSimulator => province_simulator::SERVICE,
        }
    }

    /// Where it listens.
    pub fn listen_address(self, configs: &Configs) -> &str {
        match self {
            Self::Ingest => &configs.ingest.listen,
            Self::Validation => &configs.validation.listen,
            Self::Catalog => &configs.catalog.listen,
            Self::Disclosure => &configs.disclosure.listen,
            Self::Objection => &configs.objection.listen,
            Self::ProvincialSync => &configs.provincial_sync.listen,
            Self::Web => &configs.web.listen,
            Self::ProvinceSimulator => &configs.province_simulator.listen,
        }
    }

    /// Its stream and what it consumes.
    pub fn stream_and_subscriptions(self) -> (Option<StreamSpec>, &'static [Subscription]) {
        match self {
            Self::Ingest => (ingest::STREAM, ingest::SUBSCRIPTIONS),
            Self::Validation => (validation::STREAM, validation::SUBSCRIPTIONS),
            Self::Catalog => (catalog::STREAM, catalog::SUBSCRIPTIONS),
            Self::Disclosure => (disclosure::STREAM, disclosure::SUBSCRIPTIONS),
            Self::Objection => (objection::STREAM, objection::SUBSCRIPTIONS),
            Self::ProvincialSync => (provincial_sync::STREAM, provincial_sync::SUBSCRIPTIONS),
            Self::Web | Self::ProvinceSimulator => (None, &[]),
        }
    }

    /// Its schema, if it has one.
    pub fn schema(self) -> Option<&'static str> {
        match self {
            Self::Ingest => Some(ingest::SCHEMA),
            Self::Validation => Some(validation::SCHEMA),
            Self::Catalog => Some(catalog::SCHEMA),
            Self::Disclosure => Some(disclosure::SCHEMA),
            Self::Objection => Some(objection::SCHEMA),
            Self::ProvincialSync => Some(provincial_sync::SCHEMA),
            Self::Web | Self::ProvinceSimulator => None,
        }
    }

    /// What `credit migrate` prepares for it.
    pub fn schema_plan(self, configs: &Configs) -> Result<Option<SchemaPlan>> {
        let (urls, migrator): (Vec<&Secret>, _) = match self {
            Self::Ingest => (vec![&configs.ingest.database_url], ingest::migrations()),
            Self::Validation => (
                vec![&configs.validation.database_url],
                validation::migrations(),
            ),
            Self::Catalog => (vec![&configs.catalog.database_url], catalog::migrations()),
            Self::Disclosure => (
                vec![
                    &configs.disclosure.database_url,
                    &configs.disclosure.public_database_url,
                ],
                disclosure::migrations(),
            ),
            Self::Objection => (
                vec![&configs.objection.database_url],
                objection::migrations(),
            ),
            Self::ProvincialSync => (
                vec![&configs.provincial_sync.database_url],
                provincial_sync::migrations(),
            ),
            Self::Web | Self::ProvinceSimulator => return Ok(None),
        };
        let Some(schema) = self.schema() else {
            return Ok(None);
        };
        let mut logins = Vec::new();
        for url in urls {
            logins.push(login_from_url(&url.reveal()?)?);
        }
        Ok(Some(SchemaPlan {
            schema: schema.to_owned(),
            logins,
            migrators: vec![("bus", event_bus::migrations()), (schema, migrator)],
        }))
    }

    /// Starts it on a bound listener; everything runs until the context's shutdown. `bus` may be
    /// absent for services that neither emit nor consume.
    pub async fn start(
        self,
        configs: &Configs,
        listener: TcpListener,
        bus: Option<&Bus>,
        context: &ServiceContext,
    ) -> Result<()> {
        let context = context.clone();
        match self {
            Self::Web => return Ok(web::start(configs.web.clone(), listener, context).await?),
            Self::ProvinceSimulator => {
                let config = configs.province_simulator.clone();
                return Ok(province_simulator::start(config, listener, context).await?);
            }
            _ => {}
        }
        let bus = bus.context("this service needs the bus")?.clone();
        match self {
            Self::Ingest => ingest::start(configs.ingest.clone(), listener, bus, context).await?,
            Self::Validation => {
                validation::start(configs.validation.clone(), listener, bus, context).await?;
            }
            Self::Catalog => {
                catalog::start(configs.catalog.clone(), listener, bus, context).await?
            }
            Self::Disclosure => {
                disclosure::start(configs.disclosure.clone(), listener, bus, context).await?;
            }
            Self::Objection => {
                objection::start(configs.objection.clone(), listener, bus, context).await?;
            }
            Self::ProvincialSync => {
                provincial_sync::start(configs.provincial_sync.clone(), listener, bus, context)
                    .await?;
            }
            // Started above, without the bus.
            Self::Web | Self::ProvinceSimulator => {}
        }
        Ok(())
    }
}

/// All streams and consumers: whoever provisions must know every consumer.
pub fn bus_topology() -> Topology {
    let mut topology = Topology::default();
    for service in Service::PLATFORM {
        let (stream, subscriptions) = service.stream_and_subscriptions();
        topology.add(stream, subscriptions);
    }
    topology
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subscription_has_its_stream() {
        bus_topology().check().unwrap();
    }
}
