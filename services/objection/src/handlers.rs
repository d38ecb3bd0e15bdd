//! Catalog's providers become rows of the registry. Called by the bus with batches that may be out
//! of order and repeated: the newest revision of a provider wins.

use event_bus::{BatchHandler, Delivery, HandlerError, Poison, decode_all};
use futures::future::BoxFuture;
use proto::credit::catalog::events::v1::ProviderRegistered;
use service_kit::db::Conn;

use crate::store::{self, ObjectionProvider};

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
            let providers = decode_all(batch, &mut poison, decode_provider);
            store::upsert_providers(conn, &providers).await?;
            Ok(poison)
        })
    }
}

fn decode_provider(
    registered: ProviderRegistered,
    _delivery: &Delivery,
) -> Result<ObjectionProvider, &'static str> {
    let Ok(code) = registered.code.parse() else {
        return Err("code: must be 18 of 0-9 and A-Z (GB 32100)");
    };
    let revision = i64::try_from(registered.revision)
        .ok()
        .filter(|revision| *revision > 0)
        .ok_or("revision: must be 1 to 2^63-1")?;
    Ok(ObjectionProvider {
        code,
        name: registered.name,
        enabled: registered.enabled,
        revision,
    })
}
