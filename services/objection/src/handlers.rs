//! Catalog's providers become rows of the registry. Called by the bus with batches that may be out
//! of order and repeated: the newest revision of a provider wins.

use event_bus::{BatchHandler, Delivery, HandlerError, Poison};
use futures::future::BoxFuture;
use proto::credit::catalog::events::v1::ProviderRegistered;
use service_kit::db::Conn;

use crate::store::{self, Provider};

/// Handles `ProviderRegistered`.
#[derive(Clone, Copy, Debug)]
pub struct ProviderHandler;

impl BatchHandler for ProviderHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let mut providers = Vec::with_capacity(batch.len());
            for delivery in batch {
                match provider_of(delivery) {
                    Ok(provider) => providers.push(provider),
                    Err(bad) => poison.push(bad),
                }
            }
            store::keep_providers(conn, &providers).await?;
            Ok(poison)
        })
    }
}

fn provider_of(delivery: &Delivery) -> Result<Provider, Poison> {
    let registered: ProviderRegistered = delivery.decode()?;
    if registered.code.is_empty() {
        return Err(delivery.poison("code: must be given"));
    }
    let revision = i64::try_from(registered.revision)
        .ok()
        .filter(|revision| *revision > 0)
        .ok_or_else(|| delivery.poison("revision: must be 1 to 2^63-1"))?;
    Ok(Provider {
        code: registered.code,
        name: registered.name,
        enabled: registered.enabled,
        revision,
    })
}
