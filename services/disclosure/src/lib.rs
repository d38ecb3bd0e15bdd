//! Disclosure: stores every accepted version and decides, when it is read, who may see what.
//!
//! The service is [`start`], a function of (config, listener, bus, context). Map:
//!
//! - [`handlers`] → [`app::storing`], [`app::revoking`]: versions, revocations, item versions, providers and objection
//!   marks come in by events
//! - [`grpc`] → [`app`]: PublicService, SubjectService, DisclosureService
//! - [`domain`]: pure rules; [`domain::visibility`] turns the catalogue and today into bounds on the effective day
//! - [`store`]: the SQL, in two roles: `disclosure` and `disclosure_public`, which has no grant on persons
//! - [`error`]: what a caller is told
//!
//! There are no jobs: a term's end is a bound of each read, so nothing has to run for a record to leave disclosure.

pub mod app;
pub mod config;
pub mod domain;
pub mod error;
pub mod grpc;
pub mod handlers;
pub mod store;

use std::sync::Arc;

use event_bus::{Bus, StreamSpec, Subscription};
use proto::credit::disclosure::v1::{
    disclosure_service_server::DisclosureServiceServer, public_service_server::PublicServiceServer,
    subject_service_server::SubjectServiceServer,
};
use service_kit::{ServiceContext, config::ConfigError, db, grpc as kit};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use config::Config;
pub use store::migrations;

/// Name of the service, of its table in the configuration and of its stream.
pub const SERVICE: &str = "disclosure";
/// Name of its schema and login role.
pub const SCHEMA: &str = "disclosure";
/// Second login role, for PublicService only; the migrations grant to it.
pub const PUBLIC_ROLE: &str = "disclosure_public";
/// It announces nothing: what it stores is what validation announced.
pub const STREAM: Option<StreamSpec> = None;
/// What it consumes: records, catalogue, objections.
pub const SUBSCRIPTIONS: &[Subscription] = &[RECORDS, CATALOGUE, OBJECTIONS];

const RECORDS: Subscription = Subscription {
    consumer: "disclosure-records",
    from: "validation",
    events: &[RECORD_ACCEPTED, RECORD_REVOKED],
    max_batch: 500,
};
const CATALOGUE: Subscription = Subscription {
    consumer: "disclosure-catalogue",
    from: "catalog",
    events: &[ITEM_VERSION_PUBLISHED, PROVIDER_REGISTERED],
    max_batch: 100,
};
const OBJECTIONS: Subscription = Subscription {
    consumer: "disclosure-objections",
    from: "objection",
    events: &[OBJECTION_CHANGED],
    max_batch: 500,
};
const RECORD_ACCEPTED: &str = "credit.validation.events.v1.RecordAccepted";
const RECORD_REVOKED: &str = "credit.validation.events.v1.RecordRevoked";
const ITEM_VERSION_PUBLISHED: &str = "credit.catalog.events.v1.ItemVersionPublished";
const PROVIDER_REGISTERED: &str = "credit.catalog.events.v1.ProviderRegistered";
const OBJECTION_CHANGED: &str = "credit.objection.events.v1.ObjectionChanged";

/// Why the service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A login cannot be read.
    #[error("disclosure: a database login cannot be read")]
    Secret(#[from] ConfigError),
    /// A login is no database address.
    #[error("disclosure: a database login is no address")]
    Database(#[from] db::Error),
}

/// Starts the service and returns: consumers and server run as essential tasks of the context.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    let pool = db::connect_lazy(
        &config.database_url.reveal()?,
        SCHEMA,
        config.max_connections,
    )?;
    let public_url = config.public_database_url.reveal()?;
    let public_pool = db::connect_lazy(&public_url, SCHEMA, config.public_max_connections)?;

    let records = Arc::new(handlers::RecordHandler::new(context.clone()));
    bus.start_consumer(&RECORDS, &pool, records, None, &context);
    bus.start_consumer(
        &CATALOGUE,
        &pool,
        Arc::new(handlers::CatalogueHandler),
        None,
        &context,
    );
    bus.start_consumer(
        &OBJECTIONS,
        &pool,
        Arc::new(handlers::ObjectionHandler),
        None,
        &context,
    );

    let public = grpc::public::PublicApi::new(public_pool, Arc::new(config), context.clone());
    let subject = grpc::subject::SubjectApi::new(pool.clone(), context.clone());
    let statistics = grpc::statistics::StatisticsApi::new(pool, context.clone());
    let limit = kit::MAX_MESSAGE_BYTES;
    let routes = Routes::new(PublicServiceServer::new(public).max_decoding_message_size(limit))
        .add_service(SubjectServiceServer::new(subject).max_decoding_message_size(limit))
        .add_service(DisclosureServiceServer::new(statistics).max_decoding_message_size(limit));
    let serving = context.clone();
    kit::spawn_server(&context, "disclosure grpc", async move {
        kit::serve(listener, routes, &serving).await
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use prost::Name;
    use proto::credit::{
        catalog::events::v1::{ItemVersionPublished, ProviderRegistered},
        objection::events::v1::ObjectionChanged,
        validation::events::v1::{RecordAccepted, RecordRevoked},
    };

    use super::*;

    #[test]
    fn subscriptions_name_the_events_that_the_handlers_read() {
        assert_eq!(RECORD_ACCEPTED, RecordAccepted::full_name());
        assert_eq!(RECORD_REVOKED, RecordRevoked::full_name());
        assert_eq!(ITEM_VERSION_PUBLISHED, ItemVersionPublished::full_name());
        assert_eq!(PROVIDER_REGISTERED, ProviderRegistered::full_name());
        assert_eq!(OBJECTION_CHANGED, ObjectionChanged::full_name());
    }
}
