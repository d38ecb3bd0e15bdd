//! Catalog's providers become rows of the registry. Called by the bus with batches that may be out
//! of order and repeated: the newest revision of a provider wins.

use event_bus::{BatchHandler, Delivery, HandlerError, Poison, decode_all};
use futures::future::BoxFuture;
use proto::credit::catalog::events::v1::ProviderRegistered;
use record_ref::{Malformed, ProviderCode, Revision};
use service_kit::db::Conn;

use crate::store::{self, ObjectionProviderRow};

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
) -> Result<ObjectionProviderRow, Malformed> {
    let code = ProviderCode::try_from(registered.code).map_err(|code| code.in_field("code"))?;
    let revision = Revision::try_from(registered.revision)?.as_i64();
    Ok(ObjectionProviderRow {
        code,
        name: registered.name,
        enabled: registered.enabled,
        revision,
    })
}
