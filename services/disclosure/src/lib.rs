//! Disclosure: stores every accepted version and decides, when it is read, who may see what.
//!
//! The service is [`start`], a function of (config, listener, bus, context). Map:
//!
//! - [`handlers`] → [`app::storing`], [`app::revoking`]: versions, revocations, item versions, providers and objection
//!   marks come in by events
//! - [`grpc`] → [`app`]: PublicService, SubjectService, DisclosureService
//! - [`domain`]: pure rules; [`domain::visibility`] turns the catalogue and today into bounds on the effective day
//! - [`store`]: the SQL, in two roles: `disclosure` and `disclosure_public`, which has no grant on persons
//! - [`error`]: the errors, and the gRPC status of each
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
use service_kit::{
    ServiceContext,
    config::Secret,
    db::Pool,
    grpc::MAX_MESSAGE_BYTES,
    start::{database_pool, spawn_grpc_server},
};
use tokio::net::TcpListener;
use tonic::service::Routes;

pub use config::Config;
pub use service_kit::start::StartError;
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

/// Starts the service and returns: consumers and server run as essential tasks of the context.
pub async fn start(
    config: Config,
    listener: TcpListener,
    bus: Bus,
    context: ServiceContext,
) -> Result<(), StartError> {
    let pool = database_pool(&config.database_url, SCHEMA, config.max_connections)?;
    let public_pool = public_pool(&config.public_database_url, config.public_max_connections)?;

    let records = Arc::new(handlers::RecordHandler::new(context.clone()));
    bus.start_consumer(&RECORDS, &pool, records, None, &context);
    bus.start_consumer(
        &CATALOGUE,
        &pool,
        Arc::new(handlers::DisclosureCatalogueHandler),
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
    let limit = MAX_MESSAGE_BYTES;
    let routes = Routes::new(PublicServiceServer::new(public).max_decoding_message_size(limit))
        .add_service(SubjectServiceServer::new(subject).max_decoding_message_size(limit))
        .add_service(DisclosureServiceServer::new(statistics).max_decoding_message_size(limit));
    spawn_grpc_server("disclosure grpc", listener, routes, &context);
    Ok(())
}

/// The pool of the role that PublicService uses; its errors name its own key.
fn public_pool(public_database_url: &Secret, max_connections: u32) -> Result<Pool, StartError> {
    let pool = database_pool(public_database_url, SCHEMA, max_connections);
    pool.map_err(|error| match error {
        StartError::DatabaseUrl { source, .. } => StartError::DatabaseUrl {
            key: "public_database_url",
            source,
        },
        other => other,
    })
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
    fn a_login_that_is_no_address_is_named_by_its_key() {
        let refused = public_pool(&Secret::Plain("no address".to_owned()), 1).unwrap_err();
        let named = refused.to_string();
        assert_eq!(named, "public_database_url is not a postgres:// address");
    }

    #[test]
    fn subscriptions_name_the_events_that_the_handlers_read() {
        assert_eq!(RECORD_ACCEPTED, RecordAccepted::full_name());
        assert_eq!(RECORD_REVOKED, RecordRevoked::full_name());
        assert_eq!(ITEM_VERSION_PUBLISHED, ItemVersionPublished::full_name());
        assert_eq!(PROVIDER_REGISTERED, ProviderRegistered::full_name());
        assert_eq!(OBJECTION_CHANGED, ObjectionChanged::full_name());
    }
}
