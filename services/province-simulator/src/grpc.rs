//! The province's gRPC interface and the control of the simulator. `start` serves them; the platform's sender
//! calls the first, tests and the demo the second.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use proto::credit::province::v1::{
    Behaviour, GetStateRequest, GetStateResponse, PushRecordsRequest, PushRecordsResponse,
    SetBehaviourRequest, SetBehaviourResponse, province_service_server::ProvinceService,
    simulator_control_service_server::SimulatorControlService,
};
use service_kit::{ServiceContext, blocking::Stopping, error::Refusal, reason::Reason};
use tonic::{Request, Response, Status};

use crate::province::{BehaviourError, Province};

/// Both services over one state. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Simulator {
    province: Arc<Mutex<Province>>,
    context: ServiceContext,
}

impl Simulator {
    /// An empty province with this behaviour.
    pub fn new(behaviour: Behaviour, context: ServiceContext) -> Result<Self, BehaviourError> {
        Ok(Self {
            province: Arc::new(Mutex::new(Province::new(behaviour)?)),
            context,
        })
    }

    fn province(&self) -> MutexGuard<'_, Province> {
        // No call leaves the counts half changed, so a panic elsewhere does not spoil them.
        self.province.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal while the province is set to be away or to fail.
fn unavailable(message: &str) -> Status {
    Refusal::new(Reason::Unavailable, "", "the province answers", message).into()
}

impl From<BehaviourError> for Status {
    fn from(error: BehaviourError) -> Self {
        match error {
            BehaviourError::FailPercent(percent) => Refusal::new(
                Reason::BehaviourImpossible,
                "behaviour.fail_percent",
                "0 <= fail_percent <= 100",
                format!("失败比例须在0到100之间，不能是{percent}"),
            )
            .into(),
        }
    }
}

#[tonic::async_trait]
impl ProvinceService for Simulator {
    async fn push_records(
        &self,
        request: Request<PushRecordsRequest>,
    ) -> Result<Response<PushRecordsResponse>, Status> {
        let records = request.into_inner().records;
        let (behaviour, fails) = {
            let mut province = self.province();
            (province.behaviour(), province.call_fails())
        };
        if behaviour.away {
            return Err(unavailable("省平台离线（模拟）"));
        }
        let shutdown = &self.context.shutdown;
        let delay = Duration::from_millis(behaviour.delay_ms.into());
        if !delay.is_zero() && shutdown.sleep(delay).await {
            return Err(Stopping.into());
        }
        if fails {
            return Err(unavailable("省平台本次调用失败（模拟）"));
        }
        let telemetry = &self.context.telemetry;
        let spans: Vec<_> = records
            .iter()
            .filter_map(|r| telemetry.record_span("province.acknowledge", &r.traceparent))
            .collect();
        let answers = {
            let mut province = self.province();
            records
                .iter()
                .map(|record| province.answer_record(record))
                .collect()
        };
        drop(spans);
        let late = Duration::from_millis(behaviour.answer_late_ms.into());
        if !late.is_zero() {
            // On a stop it answers at once: the records are stored either way.
            shutdown.sleep(late).await;
        }
        Ok(Response::new(PushRecordsResponse { answers }))
    }
}

#[tonic::async_trait]
impl SimulatorControlService for Simulator {
    async fn set_behaviour(
        &self,
        request: Request<SetBehaviourRequest>,
    ) -> Result<Response<SetBehaviourResponse>, Status> {
        let behaviour = request.into_inner().behaviour.unwrap_or_default();
        self.province().set_behaviour(behaviour)?;
        tracing::info!(?behaviour, "behaviour changed");
        Ok(Response::new(SetBehaviourResponse {}))
    }

    async fn get_state(
        &self,
        _request: Request<GetStateRequest>,
    ) -> Result<Response<GetStateResponse>, Status> {
        let province = self.province();
        let (stored, repeated, conflicting) = province.record_counts();
        let (revocations, revoked) = province.revocation_counts();
        Ok(Response::new(GetStateResponse {
            behaviour: Some(province.behaviour()),
            stored,
            repeated,
            conflicting,
            revocations,
            revoked,
        }))
    }
}
