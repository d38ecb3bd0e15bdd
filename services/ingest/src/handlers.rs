//! Follows the catalogue: providers and item versions, so that ingest answers with the catalogue
//! away. The bus calls it.

use event_bus::{BatchHandler, Delivery, HandlerError, Poison};
use futures::future::BoxFuture;
use proto::credit::catalog::events::v1::{ItemVersionPublished, ProviderRegistered};
use service_kit::db::Conn;

use crate::store;

/// Handles `ItemVersionPublished` and `ProviderRegistered`.
#[derive(Clone, Copy, Debug)]
pub struct CatalogueHandler;

impl BatchHandler for CatalogueHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut poison = Vec::new();
            let mut items: Vec<ItemVersionPublished> = Vec::new();
            let mut providers: Vec<ProviderRegistered> = Vec::new();
            for delivery in batch {
                let taken = if delivery.is::<ItemVersionPublished>() {
                    delivery.decode().map(|item| items.push(item))
                } else {
                    delivery.decode().map(|provider| providers.push(provider))
                };
                poison.extend(taken.err());
            }
            store::add_items(conn, &items).await?;
            store::upsert_providers(conn, &providers).await?;
            Ok(poison)
        })
    }
}
