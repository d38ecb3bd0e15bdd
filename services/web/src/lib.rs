//! The public site 信用长沙: pages rendered here from what disclosure and catalog answer over
//! gRPC. It holds no table, no bus and no state beyond its connections; what a visitor may see is
//! decided by disclosure at the moment of reading, so nothing here is cached.
//!
//! Map, in the order of a request:
//! - [`Config`]: the keys of `config.default.toml`
//! - `routes`: which address is which page; the handlers
//! - `query`: parses and validates query parameters
//! - `client`: the two services, with deadline, token and errors
//! - `pages`: HTML, one module a page, and the frame around all
//! - `text`: numbers, dates and terms in the words of the site
//! - `assets`: style sheet and pictures, addressed by their content
//! - `http`: security headers and metrics of every response
//!
//! Called by the platform binary, which gives listener and context.

mod assets;
mod client;
mod config;
mod http;
mod pages;
mod query;
mod routes;
mod text;

use std::future::IntoFuture;

use service_kit::{ServiceContext, shutdown::Shutdown};
use tokio::net::TcpListener;

pub use config::Config;
pub use service_kit::start::StartError;

/// Name of the service: its table in the operator's file and its target in `credit run`.
pub const SERVICE: &str = "web";

/// Starts the site on `listener` and returns; it runs until `context.shutdown` is requested and
/// then finishes the requests in flight, for the grace period. The services that it calls need not be up yet.
///
/// # Errors
/// When the configuration cannot be used; names the key.
pub async fn start(
    config: Config,
    listener: TcpListener,
    context: ServiceContext,
) -> Result<(), StartError> {
    config.check()?;
    let backends = client::Backends::new(&config)?;
    let router = routes::site_router(routes::Site::new(backends, config.page_size, &context));
    let shutdown = context.shutdown.clone();
    context
        .shutdown
        .spawn_essential("web http", serve(listener, router, shutdown));
    Ok(())
}

async fn serve(
    listener: TcpListener,
    router: axum::Router,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let stop = shutdown.clone();
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.wait_requested().await })
        .into_future();
    // A client that sends its request byte by byte would otherwise delay the shutdown: the grace period bounds it.
    let grace_period_over = async {
        shutdown.wait_requested().await;
        tokio::time::sleep(shutdown.grace_period()).await;
    };
    tokio::select! {
        outcome = served => outcome,
        () = grace_period_over => {
            tracing::warn!("connections that did not end in time are cut");
            Ok(())
        }
    }
}
