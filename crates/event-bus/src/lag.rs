//! The age of a consumer's oldest unfinished message, for readiness and metrics. Age is what
//! matters: a stalled consumer with three messages is worse than a busy one with thousands.

use std::time::Duration;

use async_nats::jetstream::{consumer::PullConsumer, stream::Stream};
use prost::Message as _;
use proto::credit::bus::v1::EventBatch;
use service_kit::{ServiceContext, grpc::from_timestamp, readiness::Lane};

/// Reports the age; `Err` when the server cannot answer.
pub(crate) async fn report_lag(
    stream: &Stream,
    consumer: &PullConsumer,
    lane: &Lane,
    context: &ServiceContext,
) -> Result<(), String> {
    let info = consumer
        .get_info()
        .await
        .map_err(|error| error.to_string())?;
    if info.num_pending == 0 && info.num_ack_pending == 0 {
        lane.report_age(None);
        return Ok(());
    }
    // The first message after the floor is unfinished, or gone because others had no interest;
    // then the next one of this consumer's subjects is.
    let mut oldest: Option<Duration> = None;
    let subjects = if info.config.filter_subject.is_empty() {
        info.config.filter_subjects.clone()
    } else {
        vec![info.config.filter_subject.clone()]
    };
    for subject in subjects {
        let next = stream
            .raw_message_builder()
            .sequence(info.ack_floor.stream_sequence + 1)
            .next_by_subject(subject)
            .send()
            .await;
        let Ok(message) = next else { continue };
        let age = EventBatch::decode(message.payload.clone())
            .ok()
            .and_then(|batch| from_timestamp(batch.events.first()?.occurred_at.as_ref()))
            .and_then(|at| Duration::try_from(context.clock.now() - at).ok());
        oldest = oldest.max(age);
    }
    lane.report_age(Some(oldest.unwrap_or_default()));
    Ok(())
}
