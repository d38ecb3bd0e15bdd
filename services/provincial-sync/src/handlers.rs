//! Disclosure's versions become due rows. Called by the bus with batches that may be out of order
//! and repeated: each version is pushed under its own id, so neither matters.

use std::sync::Arc;

use event_bus::{BatchHandler, Delivery, HandlerError, Poison};
use futures::future::BoxFuture;
use proto::credit::disclosure::events::v1::VersionStored;
use service_kit::{ServiceContext, db::Conn};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{app, store::NewPush};

/// Handles `VersionStored`.
#[derive(Debug)]
pub struct VersionHandler {
    context: ServiceContext,
    wake: Arc<Notify>,
}

impl VersionHandler {
    /// `wake` is the sender's bell.
    pub fn new(context: ServiceContext, wake: Arc<Notify>) -> Self {
        Self { context, wake }
    }

    async fn take(&self, conn: &mut Conn, batch: &[Delivery]) -> Result<Vec<Poison>, HandlerError> {
        let mut poison = Vec::new();
        let mut new = Vec::with_capacity(batch.len());
        for delivery in batch {
            match version_of(delivery) {
                Ok(version) => new.push(version),
                Err(bad) => poison.push(bad),
            }
        }
        app::record(conn, &new, self.context.clock.now()).await?;
        // The rows are not committed yet; a woken sender looks a few times in quick succession.
        self.wake.notify_one();
        Ok(poison)
    }
}

impl BatchHandler for VersionHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(self.take(conn, batch))
    }
}

fn version_of(delivery: &Delivery) -> Result<NewPush, Poison> {
    let stored: VersionStored = delivery.decode()?;
    let Some(version) = stored.version else {
        return Err(delivery.poison("version: must be given"));
    };
    let record_id = Uuid::from_slice(&version.record_id)
        .map_err(|_| delivery.poison("version.record_id: must be 16 bytes"))?;
    let item_version = i32::try_from(version.item_version)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| delivery.poison("version.item_version: must be 1 to 2^31-1"))?;
    let revision = i64::try_from(version.revision)
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| delivery.poison("version.revision: must be 1 to 2^63-1"))?;
    if version.key_digest.len() != 32 {
        return Err(delivery.poison("version.key_digest: must be 32 bytes"));
    }
    if stored.sealed_record.is_empty() {
        return Err(delivery.poison("sealed_record: must be given"));
    }
    Ok(NewPush {
        record_id,
        provider_code: version.provider_code,
        item_code: version.item_code,
        item_version,
        key_digest: version.key_digest.to_vec(),
        revision,
        sealed_record: stored.sealed_record.to_vec(),
        traceparent: delivery.traceparent.clone(),
    })
}
