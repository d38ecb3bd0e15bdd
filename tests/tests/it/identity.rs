//! Every RPC of the real endpoints refuses strangers with a clear status.

use anyhow::{Context, Result, ensure};
use journeys::cluster::Cluster;
use platform::target::Service;
use service_kit::{
    grpc::open_channel,
    identity::{AccessTable, DevelopmentIssuer, Role},
};
use testkit::TestResult;
use time::{Duration, OffsetDateTime};
use tonic::{Code, Request, Status, client::Grpc, metadata::MetadataValue};

use crate::support::start_platform;

const WAIT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// Calls an RPC with an empty message, as anybody with a network could. Every RPC can be called as one that answers with
/// a stream; one that watches never ends it, so an answer that begins is an answer.
async fn call(cluster: &Cluster, path: &str, token: Option<&str>) -> Result<Status> {
    let service = owner(path).with_context(|| format!("{path} belongs to a service"))?;
    let mut grpc = Grpc::new(open_channel(&cluster.ports.url(service))?);
    grpc.ready().await?;
    let mut request = Request::new(());
    if let Some(token) = token {
        let value: MetadataValue<_> = format!("Bearer {token}").parse()?;
        request.metadata_mut().insert("authorization", value);
    }
    let codec = tonic_prost::ProstCodec::<(), ()>::default();
    let answer = grpc.server_streaming(request, path.parse()?, codec).await;
    Ok(answer.err().unwrap_or_else(|| Status::ok("answered")))
}

fn owner(path: &str) -> Option<Service> {
    let package = path.strip_prefix("/credit.")?.split('.').next()?;
    Some(match package {
        "ingest" => Service::Ingest,
        "validation" => Service::Validation,
        "catalog" => Service::Catalog,
        "disclosure" => Service::Disclosure,
        "objection" => Service::Objection,
        "provincialsync" => Service::ProvincialSync,
        "province" => Service::ProvinceSimulator,
        _ => return None,
    })
}

#[tokio::test]
async fn r5_every_rpc_refuses_missing_wrong_expired_and_unfit_tokens() -> TestResult {
    let (cluster, _) = start_platform(41, 1).await?;
    let foreign = DevelopmentIssuer::generate("https://evil.example", "credit-platform").token(
        "x",
        "11430100006123458R",
        &[Role::CreditOffice],
        None,
        OffsetDateTime::now_utc() + Duration::days(1),
    )?;
    let expired = cluster.expired_token(&Role::ALL)?;
    let access = AccessTable::from_descriptors(proto::DESCRIPTORS)?;
    for (path, allowed) in access.iter() {
        let missing = call(&cluster, path, None).await?;
        assert!(
            missing.code() == Code::Unauthenticated,
            "{}: {missing:?}",
            path
        );
        assert!(missing.message().contains("TOKEN_MISSING"), "{missing:?}");
        let wrong = call(&cluster, path, Some(&foreign)).await?;
        assert!(
            wrong.message().contains("TOKEN_INVALID"),
            "{}: {wrong:?}",
            path
        );
        let late = call(&cluster, path, Some(&expired)).await?;
        assert!(
            late.message().contains("TOKEN_EXPIRED"),
            "{}: {late:?}",
            path
        );
        for role in Role::ALL {
            let token = cluster.token("11430100006123458R", &[role], None)?;
            let status = call(&cluster, path, Some(&token)).await?;
            let refused = status.message().contains("ROLE_NOT_ALLOWED");
            assert!(
                refused != allowed.contains(&role),
                "{path} as {role:?}: {status:?}"
            );
            // A server that forgot an RPC answers by a stub.
            assert!(status.code() != Code::Unimplemented, "{path}: {status:?}");
        }
    }
    cluster.wait_until_drained().await?;
    Ok(())
}

#[tokio::test]
async fn health_and_reflection_answer_on_every_service_without_a_token() -> TestResult {
    use tonic_health::pb::{
        HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
    };
    use tonic_reflection::pb::v1::{
        ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
        server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
    };
    let (cluster, _) = start_platform(42, 1).await?;
    for service in Service::PLATFORM
        .into_iter()
        .filter(|service| *service != Service::Web)
    {
        let channel = open_channel(&cluster.ports.url(service))?;
        let mut health = HealthClient::new(channel.clone());
        testkit::eventually("gRPC health follows readiness", WAIT_TIMEOUT, async || {
            let answer = health.check(HealthCheckRequest::default()).await?;
            let status = answer.into_inner().status();
            ensure!(status == ServingStatus::Serving, "{status:?}");
            Ok(())
        })
        .await?;
        let request = ServerReflectionRequest {
            host: String::new(),
            message_request: Some(MessageRequest::ListServices(String::new())),
        };
        let mut answers = ServerReflectionClient::new(channel)
            .server_reflection_info(tokio_stream::iter([request]))
            .await?
            .into_inner();
        let answer = answers.message().await?.context("an answer")?;
        let Some(MessageResponse::ListServicesResponse(list)) = answer.message_response else {
            panic!("{answer:?}");
        };
        assert!(
            list.service
                .iter()
                .any(|one| one.name == "credit.ingest.v1.IngestService"),
            "{list:?}"
        );
    }
    cluster.wait_until_drained().await?;
    Ok(())
}
