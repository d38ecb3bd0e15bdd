//! Accepted versions, and those that revoke or withdraw their records, become due rows. Called by the bus with batches
//! that may be out of order and repeated: each version is pushed under its own id, so neither matters.

use std::sync::Arc;

use event_bus::{BatchHandler, Delivery, HandlerError, Poison};
use futures::future::BoxFuture;
use proto::credit::{
    common::v1::RecordVersion as WireVersion,
    validation::events::v1::{RecordAccepted, RecordRevoked},
};
use record_ref::{Operation, RecordVersion};
use service_kit::{ServiceContext, db::Conn};
use tokio::sync::Notify;

use crate::{app, store::PushRequest};

/// Handles `RecordAccepted` and `RecordRevoked`.
#[derive(Debug)]
pub struct VersionHandler {
    context: ServiceContext,
    wake: Arc<Notify>,
}

impl VersionHandler {
    /// `wake` notifies the sender.
    pub fn new(context: ServiceContext, wake: Arc<Notify>) -> Self {
        Self { context, wake }
    }

    async fn store_batch(
        &self,
        conn: &mut Conn,
        batch: &[Delivery],
    ) -> Result<Vec<Poison>, HandlerError> {
        let mut poison = Vec::new();
        let mut new = Vec::with_capacity(batch.len());
        for delivery in batch {
            let read = if delivery.carries::<RecordRevoked>() {
                decode_revocation(delivery)
            } else {
                decode_version(delivery)
            };
            match read {
                Ok(push) => new.push(push),
                Err(bad) => poison.push(bad),
            }
        }
        app::enqueue_pushes(conn, &new, self.context.clock.now()).await?;
        // The rows are not committed yet; a notified sender polls a few times in quick succession.
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
        Box::pin(self.store_batch(conn, batch))
    }
}

fn decode_version(delivery: &Delivery) -> Result<PushRequest, Poison> {
    let accepted: RecordAccepted = delivery.decode()?;
    if accepted.sealed_record.is_empty() {
        return Err(delivery.declare_poison("sealed_record: must be given"));
    }
    let sealed = accepted.sealed_record.to_vec();
    let version = accepted.version.as_ref();
    decode_push(delivery, version, Operation::Upsert, sealed)
}

fn decode_revocation(delivery: &Delivery) -> Result<PushRequest, Poison> {
    let ended: RecordRevoked = delivery.decode()?;
    let operation = Operation::from_wire(ended.operation)
        .ok()
        .filter(|operation| operation.ends_record())
        .ok_or_else(|| delivery.declare_poison("operation: must revoke or withdraw"))?;
    if ended.sealed_reason.is_empty() {
        return Err(delivery.declare_poison("sealed_reason: must be given"));
    }
    let sealed = ended.sealed_reason.to_vec();
    decode_push(delivery, ended.version.as_ref(), operation, sealed)
}

fn decode_push(
    delivery: &Delivery,
    version: Option<&WireVersion>,
    operation: Operation,
    sealed_content: Vec<u8>,
) -> Result<PushRequest, Poison> {
    Ok(PushRequest {
        version: RecordVersion::from_wire(version)
            .map_err(|malformed| delivery.declare_poison(malformed.to_string()))?,
        operation,
        sealed_content,
        traceparent: delivery.traceparent.clone(),
    })
}
