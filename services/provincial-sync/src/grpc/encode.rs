//! Pushes and counts as messages of `credit.provincialsync.v1`. Called by `grpc`.

use proto::credit::provincialsync::v1::{
    GetPushResponse, GetStatisticsResponse, PushState as WireState,
};
use service_kit::grpc::to_timestamp;
use time::OffsetDateTime;

use crate::{app::FoundPush, domain::PushState, store::PushStatistics};

pub(super) fn encode_push(found: FoundPush) -> GetPushResponse {
    let push = found.push;
    let (acknowledgement, acknowledged_at) = match push.acknowledgement {
        Some(known) => (known.number, Some(to_timestamp(known.at))),
        None => (String::new(), None),
    };
    GetPushResponse {
        record_id: found.version_id.to_string(),
        state: encode_state(push.state).into(),
        attempts: push.attempts,
        acknowledgement,
        acknowledged_at,
        last_error: push.last_error.unwrap_or_default(),
        record_address: found.address.to_string(),
    }
}

fn encode_state(state: PushState) -> WireState {
    match state {
        PushState::Due => WireState::Due,
        PushState::Acknowledged => WireState::Acknowledged,
        PushState::Refused => WireState::Refused,
    }
}

pub(super) fn encode_statistics(
    counts: &PushStatistics,
    now: OffsetDateTime,
) -> GetStatisticsResponse {
    let age = counts
        .oldest_due
        .map_or(0, |since| (now - since).whole_seconds());
    GetStatisticsResponse {
        due: counts.due.unsigned_abs(),
        acknowledged: counts.acknowledged.unsigned_abs(),
        refused: counts.refused.unsigned_abs(),
        oldest_due_seconds: u64::try_from(age).unwrap_or_default(),
        revocations: counts.revocations.unsigned_abs(),
        revocations_acknowledged: counts.revocations_acknowledged.unsigned_abs(),
    }
}
