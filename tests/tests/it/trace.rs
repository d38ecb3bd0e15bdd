//! One trace id runs from the submit call over the bus to the province's acknowledgement; an
//! OTLP receiver in this process collects the spans of both programs.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use journeys::{
    cluster::{Cluster, ClusterOptions},
    day::{Day, submission_of_record},
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
    trace_service_server::{TraceService, TraceServiceServer},
};
use proto::credit::ingest::v1::SubmitRecordRequest;
use testkit::{TestResult, eventually};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use crate::support::journey_options;

/// Trace id in hex, name of the span.
type Spans = Arc<Mutex<BTreeSet<(String, String)>>>;

#[derive(Clone, Default)]
struct Receiver(Spans);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut spans = self.0.lock().map_err(|_| Status::internal("poisoned"))?;
        for resource in request.into_inner().resource_spans {
            for span in resource
                .scope_spans
                .into_iter()
                .flat_map(|scope| scope.spans)
            {
                let id: String = span.trace_id.iter().map(|b| format!("{b:02x}")).collect();
                spans.insert((id, span.name));
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

#[tokio::test]
async fn one_trace_runs_from_the_submit_call_to_the_provinces_acknowledgement() -> TestResult {
    let receiver = Receiver::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", listener.local_addr()?);
    tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(receiver.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener)),
    );
    let cluster = Cluster::start(ClusterOptions {
        otlp_endpoint: endpoint,
        ..journey_options()
    })
    .await?;
    let day = Day::new(61, 50);
    day.register_providers(&cluster).await?;
    let record = day
        .records
        .iter()
        .find(|r| r.expected_public)
        .context("a good record")?;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    let mut request = Request::new(SubmitRecordRequest {
        submission: Some(submission_of_record(record)),
    });
    let header = format!("00-{trace_id}-00f067aa0ba902b7-01");
    request
        .metadata_mut()
        .insert("traceparent", header.parse()?);
    cluster
        .clients()?
        .ingest(&record.provider_code)?
        .submit_record(request)
        .await?;
    let wanted = [
        "grpc",
        "ingest.submit",
        "validation.check",
        "disclosure.store",
        "provincial.push",
        "province.acknowledge",
    ];
    eventually(
        "the whole trace arrives",
        Duration::from_secs(60),
        async || {
            let spans = receiver.0.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
            let names: BTreeSet<&str> = spans
                .iter()
                .filter(|(id, _)| id == trace_id)
                .map(|(_, name)| name.as_str())
                .collect();
            ensure!(wanted.iter().all(|name| names.contains(name)), "{names:?}");
            Ok(())
        },
    )
    .await?;
    cluster.wait_until_drained().await?;
    Ok(())
}
