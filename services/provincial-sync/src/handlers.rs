//! Accepted versions, and those that revoke or withdraw their records, become due rows. Called by the bus with batches
//! that may be out of order and repeated: each version is pushed under its own id, so neither matters.

use std::sync::Arc;

use event_bus::{BatchHandler, Delivery, HandlerError, Poison};
use futures::future::BoxFuture;
use proto::credit::{
    common::v1::{Operation as WireOperation, RecordVersion},
    validation::events::v1::{RecordAccepted, RecordRevoked},
};
use service_kit::{ServiceContext, db::Conn};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::{app, domain::Operation, store::NewPush};

/// Handles `RecordAccepted` and `RecordRevoked`.
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
            let read = if delivery.is::<RecordRevoked>() {
                revocation_of(delivery)
            } else {
                version_of(delivery)
            };
            match read {
                Ok(push) => new.push(push),
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
    let accepted: RecordAccepted = delivery.decode()?;
    if accepted.sealed_record.is_empty() {
        return Err(delivery.poison("sealed_record: must be given"));
    }
    let sealed = accepted.sealed_record.to_vec();
    push_of(delivery, accepted.version, Operation::Upsert, sealed)
}

fn revocation_of(delivery: &Delivery) -> Result<NewPush, Poison> {
    let ended: RecordRevoked = delivery.decode()?;
    let operation = match ended.operation() {
        WireOperation::Revoke => Operation::Revoke,
        WireOperation::Withdraw => Operation::Withdraw,
        WireOperation::Unspecified | WireOperation::Upsert => {
            return Err(delivery.poison("operation: must revoke or withdraw"));
        }
    };
    if ended.sealed_reason.is_empty() {
        return Err(delivery.poison("sealed_reason: must be given"));
    }
    let sealed = ended.sealed_reason.to_vec();
    push_of(delivery, ended.version, operation, sealed)
}

fn push_of(
    delivery: &Delivery,
    version: Option<RecordVersion>,
    operation: Operation,
    sealed: Vec<u8>,
) -> Result<NewPush, Poison> {
    let Some(version) = version else {
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
    Ok(NewPush {
        record_id,
        provider_code: version.provider_code,
        item_code: version.item_code,
        item_version,
        key_digest: version.key_digest.to_vec(),
        revision,
        operation,
        sealed,
        traceparent: delivery.traceparent.clone(),
    })
}
