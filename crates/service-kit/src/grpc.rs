//! Serving and calling gRPC: one way to put services behind identity, tracing, health and
//! reflection, and one way to call another service with one's own token.

mod lingering;

use std::{str::FromStr, time::Duration};

use prost_types::Timestamp;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio_stream::StreamExt as _;
use tonic::{
    Request, Status,
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, Routes, interceptor::InterceptedService},
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};

use self::lingering::LingeringStream;
use crate::{
    ServiceContext,
    identity::{AccessTable, AuthLayer},
    telemetry::{Span, TraceParent},
};

/// Largest message taken or sent: a record of 1 MiB with its envelope, or a batch of them.
pub const MAX_MESSAGE_BYTES: usize = 8 * 1024 * 1024;

/// Why a server ended.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// The transport failed.
    #[error("gRPC server failed")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptor set does not load.
    #[error("gRPC reflection cannot be built")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The descriptor set does not name the roles of an RPC.
    #[error("the roles of RPCs cannot be read")]
    Access(#[from] prost::DecodeError),
}

/// Serves `routes` on `listener` until shutdown, behind identity and tracing, with health
/// (following readiness) and reflection.
pub async fn serve_grpc(
    listener: TcpListener,
    routes: Routes,
    context: &ServiceContext,
) -> Result<(), GrpcError> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
        .build_v1()?;
    let (readiness, shutdown) = (context.readiness.clone(), context.shutdown.clone());
    context.shutdown.spawn(async move {
        loop {
            let serving = readiness.unready_reasons().is_empty() && !shutdown.is_requested();
            let status = if serving {
                tonic_health::ServingStatus::Serving
            } else {
                tonic_health::ServingStatus::NotServing
            };
            reporter.set_service_status("", status).await;
            if shutdown.sleep(Duration::from_secs(1)).await {
                return;
            }
        }
    });
    let auth = AuthLayer::new(
        AccessTable::from_descriptors(proto::DESCRIPTORS)?,
        context.verifier.clone(),
        context.clock.clone(),
        context.telemetry.clone(),
    );
    let stop = context.shutdown.clone();
    let grace_period = stop.grace_period();
    // Many small answers on few connections: waiting to fill packets only adds latency. (Said here because
    // `Server::tcp_nodelay` is ignored for a listener that was made elsewhere.)
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let incoming = incoming
        .map(move |accepted| accepted.map(|stream| LingeringStream::new(stream, grace_period / 4)));
    let server = Server::builder()
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .initial_stream_window_size(4 * 1024 * 1024)
        .initial_connection_window_size(16 * 1024 * 1024)
        .layer(auth)
        .add_routes(routes.add_service(health).add_service(reflection))
        .serve_with_incoming_shutdown(incoming, async move {
            stop.wait_requested().await;
        });
    let shutdown = context.shutdown.clone();
    let grace_period_over = async {
        shutdown.wait_requested().await;
        tokio::time::sleep(grace_period).await;
    };
    tokio::select! {
        ended = server => Ok(ended?),
        // A client that keeps its connection open after GOAWAY must not delay the stop; its calls are answered.
        () = grace_period_over => Ok(()),
    }
}

/// The caller's trace context that the layer put into a request.
pub fn trace_parent<T>(request: &Request<T>) -> Option<TraceParent> {
    request.extensions().get::<TraceParent>().cloned()
}

/// A channel to another service that connects when first used and reconnects by itself.
pub fn open_channel(address: &str) -> Result<Channel, tonic::transport::Error> {
    Ok(Endpoint::from_str(address)?
        .connect_timeout(Duration::from_secs(5))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .initial_stream_window_size(4 * 1024 * 1024)
        .initial_connection_window_size(16 * 1024 * 1024)
        .connect_lazy())
}

/// Puts a token on each call.
#[derive(Clone)]
pub struct BearerToken(MetadataValue<Ascii>);

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BearerToken(***)")
    }
}

impl BearerToken {
    /// From the token's text; refused when it is no header value.
    pub fn new(token: &str) -> Result<Self, Status> {
        MetadataValue::from_str(&format!("Bearer {}", token.trim()))
            .map(Self)
            .map_err(|_| Status::invalid_argument("the token is not a header value"))
    }
}

/// A channel that puts a token on each call: what clients of services are made of.
pub type AuthorisedChannel = InterceptedService<Channel, BearerToken>;

impl Interceptor for BearerToken {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request
            .metadata_mut()
            .insert("authorization", self.0.clone());
        Ok(request)
    }
}

/// Puts a span's context on one call.
pub fn carry_trace<T>(request: &mut Request<T>, span: &Span) {
    if let Ok(value) = MetadataValue::from_str(&span.traceparent())
        && !value.is_empty()
    {
        request.metadata_mut().insert("traceparent", value);
    }
}

/// A moment as a protobuf timestamp.
pub fn to_timestamp(moment: OffsetDateTime) -> Timestamp {
    Timestamp {
        seconds: moment.unix_timestamp(),
        // Below 10^9 by definition, so it fits.
        nanos: moment.nanosecond() as i32,
    }
}

/// A moment from protobuf; `None` when it is missing or out of range.
pub fn from_timestamp(moment: Option<&Timestamp>) -> Option<OffsetDateTime> {
    let moment = moment?;
    let nanos = i128::from(moment.seconds) * 1_000_000_000 + i128::from(moment.nanos);
    OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()
}
