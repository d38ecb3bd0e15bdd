//! A stand-in for the provincial platform, started by the `credit` binary as a target
//! of its own, by the demo and by journeys. It speaks the upstream's gRPC interface and can be
//! set to be slow, to fail, to answer late or to be away. It keeps everything in memory.
//!
//! - [`province`]: what it stores and how it answers; pure
//! - [`grpc`]: the two gRPC services in front of it

pub mod grpc;
pub mod province;

use proto::credit::province::v1::{
    Behaviour, province_service_server::ProvinceServiceServer,
    simulator_control_service_server::SimulatorControlServiceServer,
};
use serde::{Deserialize, Serialize};
use service_kit::{
    ServiceContext,
    config::{ConfigError, Overlay},
    grpc::MAX_MESSAGE_BYTES,
    start::spawn_grpc_server,
};
use tokio::net::TcpListener;
use tonic::service::Routes;

use crate::province::BehaviourError;

pub use service_kit::start::StartError;

/// Name of the service and of its configuration table.
pub const SERVICE: &str = "province-simulator";

/// The keys of `config.default.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the gRPC server.
    pub listen: String,
    /// Wait before working on a batch, milliseconds.
    pub delay_ms: u32,
    /// Share of the calls refused with UNAVAILABLE, 0 to 100.
    pub fail_percent: u32,
    /// Wait between storing and answering, milliseconds.
    pub answer_late_ms: u32,
    /// Answer every call with UNAVAILABLE.
    pub away: bool,
}

impl Config {
    /// The defaults under the operator's overlay.
    pub fn load(overlay: &Overlay) -> Result<Self, ConfigError> {
        overlay.load(SERVICE, include_str!("../config.default.toml"))
    }
}

/// Starts the gRPC server as an essential task and returns at once.
pub async fn start(
    config: Config,
    listener: TcpListener,
    context: ServiceContext,
) -> Result<(), StartError> {
    let behaviour = Behaviour {
        delay_ms: config.delay_ms,
        fail_percent: config.fail_percent,
        answer_late_ms: config.answer_late_ms,
        away: config.away,
    };
    let simulator =
        grpc::Simulator::new(behaviour, context.clone()).map_err(|error| match error {
            BehaviourError::FailPercent(_) => StartError::Rule {
                key: "fail_percent",
                rule: "0 to 100",
            },
        })?;
    let routes = Routes::new(
        ProvinceServiceServer::new(simulator.clone()).max_decoding_message_size(MAX_MESSAGE_BYTES),
    )
    .add_service(SimulatorControlServiceServer::new(simulator));
    spawn_grpc_server("province-simulator grpc", listener, routes, &context);
    Ok(())
}
