//! The simulator behind its real gRPC server: tokens, behaviours, repeats.

use std::{collections::HashMap, sync::Arc, time::Duration};

use proto::credit::{
    common::v1::Operation,
    province::v1::{
        Behaviour, GetStateRequest, PushRecordsRequest, SetBehaviourRequest, UpstreamRecord,
        province_service_client::ProvinceServiceClient,
        simulator_control_service_client::SimulatorControlServiceClient, upstream_answer::Outcome,
    },
};
use province_simulator::Config;
use service_kit::{
    ServiceContext,
    clock::SystemClock,
    config::Overlay,
    grpc::{AuthorisedChannel, BearerToken, open_channel},
    identity::{DevelopmentIssuer, Role, TokenVerifier},
    readiness::Readiness,
    reason::Reason,
    shutdown::Shutdown,
    telemetry::Telemetry,
};
use testkit::refusal_of;
use tokio::net::TcpListener;
use tonic::{Request, transport::Channel};
use uuid::Uuid;

const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

struct SimulatorFixture {
    push: ProvinceServiceClient<AuthorisedChannel>,
    control: SimulatorControlServiceClient<AuthorisedChannel>,
    issuer: DevelopmentIssuer,
    channel: Channel,
    shutdown: Shutdown,
}

impl SimulatorFixture {
    fn token(&self, role: Role) -> BearerToken {
        token(&self.issuer, role)
    }

    async fn set_behaviour(&mut self, behaviour: Behaviour) {
        let behaviour = Some(behaviour);
        self.control
            .set_behaviour(SetBehaviourRequest { behaviour })
            .await
            .unwrap();
    }

    async fn counts(&mut self) -> (u64, u64, u64) {
        let state = self.control.get_state(GetStateRequest {}).await.unwrap();
        let state = state.into_inner();
        (state.stored, state.repeated, state.conflicting)
    }

    async fn finish(self) {
        self.shutdown.request_stop();
        drop((self.push, self.control, self.channel));
        self.shutdown
            .wait_finished(Duration::from_secs(10))
            .await
            .unwrap();
    }
}

fn token(issuer: &DevelopmentIssuer, role: Role) -> BearerToken {
    let expires = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    let text = issuer
        .token("sender", "11430100006123458R", &[role], None, expires)
        .unwrap();
    BearerToken::new(&text).unwrap()
}

fn service_context(issuer: &DevelopmentIssuer) -> ServiceContext {
    ServiceContext {
        clock: Arc::new(SystemClock),
        telemetry: Telemetry::off(),
        readiness: Readiness::default(),
        keyring: vault::Keyring::parse(&vault::Keyring::generate()).unwrap(),
        verifier: Arc::new(TokenVerifier::for_development(issuer).unwrap()),
        shutdown: Shutdown::new(),
    }
}

async fn start_simulator() -> SimulatorFixture {
    let issuer = DevelopmentIssuer::generate("https://id.example", "credit");
    let context = service_context(&issuer);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let config = Config::load(&Overlay::default()).unwrap();
    province_simulator::start(config, listener, context.clone())
        .await
        .unwrap();
    let channel = open_channel(&address).unwrap();
    let operator = token(&issuer, Role::Operator);
    SimulatorFixture {
        push: ProvinceServiceClient::with_interceptor(channel.clone(), operator.clone()),
        control: SimulatorControlServiceClient::with_interceptor(channel.clone(), operator),
        issuer,
        channel,
        shutdown: context.shutdown,
    }
}

fn batch(keys: std::ops::Range<u128>) -> PushRecordsRequest {
    let records = keys.map(|key| UpstreamRecord {
        idempotency_key: Uuid::from_u128(key).to_string(),
        provider_code: "11430100006123458R".to_owned(),
        item_code: "XZXK".to_owned(),
        item_version: 1,
        revision: 1,
        values: HashMap::from([("XK_WSH".to_owned(), format!("长市监许〔2026〕{key}号"))]),
        traceparent: String::new(),
        ..UpstreamRecord::default()
    });
    PushRecordsRequest {
        records: records.collect(),
    }
}

fn numbers(answers: &proto::credit::province::v1::PushRecordsResponse) -> Vec<String> {
    let number = |outcome: &Option<Outcome>| match outcome {
        Some(Outcome::Acknowledgement(number)) => number.clone(),
        other => panic!("not acknowledged: {other:?}"),
    };
    answers.answers.iter().map(|a| number(&a.outcome)).collect()
}

#[tokio::test]
async fn a_batch_is_acknowledged_in_order_and_a_repeat_gets_the_same_numbers() {
    let mut running = start_simulator().await;
    let first = running.push.push_records(batch(1..201)).await.unwrap();
    let again = running.push.push_records(batch(1..201)).await.unwrap();
    let (first, again) = (first.into_inner(), again.into_inner());
    assert_eq!(numbers(&first), numbers(&again));
    for (answer, key) in first.answers.iter().zip(1_u128..) {
        assert_eq!(answer.idempotency_key, Uuid::from_u128(key).to_string());
    }
    assert_eq!(running.counts().await, (200, 200, 0));
    running.finish().await;
}

#[tokio::test]
async fn d24_a_revocation_is_acknowledged_like_a_version_and_counted() {
    let mut running = start_simulator().await;
    running.push.push_records(batch(1..3)).await.unwrap();
    let mut revoked = batch(3..4);
    let record = &mut revoked.records[0];
    record.values.clear();
    record.operation = Operation::Revoke.into();
    record.reason = "原处罚决定经行政复议撤销".to_owned();
    record.revision = 2;
    record.record_key = "0a".repeat(32);
    let first = running.push.push_records(revoked.clone()).await.unwrap();
    let again = running.push.push_records(revoked).await.unwrap();
    assert_eq!(numbers(first.get_ref()), numbers(again.get_ref()));
    assert_eq!(running.counts().await, (3, 1, 0));
    let state = running.control.get_state(GetStateRequest {}).await.unwrap();
    let state = state.into_inner();
    assert_eq!((state.revocations, state.revoked), (1, 1));
    running.finish().await;
}

#[tokio::test]
async fn away_and_failing_calls_store_nothing() {
    let mut running = start_simulator().await;
    let away = Behaviour {
        away: true,
        ..Behaviour::default()
    };
    running.set_behaviour(away).await;
    let refused = refusal_of(running.push.push_records(batch(1..3)).await);
    assert_eq!(refused.reason, Reason::Unavailable);
    let half = Behaviour {
        fail_percent: 50,
        ..Behaviour::default()
    };
    running.set_behaviour(half).await;
    let mut answered = Vec::new();
    for _ in 0..4 {
        answered.push(running.push.push_records(batch(1..3)).await.is_ok());
    }
    assert_eq!(answered, [true, false, true, false]);
    assert_eq!(running.counts().await, (2, 2, 0));
    running.finish().await;
}

#[tokio::test]
async fn a_late_answer_has_stored_what_the_caller_gave_up_on() {
    let mut running = start_simulator().await;
    let late = Behaviour {
        answer_late_ms: 600_000,
        ..Behaviour::default()
    };
    running.set_behaviour(late).await;
    let mut caller = running.push.clone();
    let call = tokio::spawn(async move { caller.push_records(batch(1..4)).await.map(drop) });
    let stored = async { while running.counts().await.0 != 3 {} };
    tokio::time::timeout(WAIT_TIMEOUT, stored).await.unwrap();
    // The caller gives up while the answer is still held back.
    call.abort();
    assert!(call.await.is_err_and(|end| end.is_cancelled()));
    assert_eq!(running.counts().await, (3, 0, 0));
    running.set_behaviour(Behaviour::default()).await;
    running.push.push_records(batch(1..4)).await.unwrap();
    assert_eq!(running.counts().await, (3, 3, 0));
    running.finish().await;
}

#[tokio::test]
async fn a_slow_province_stores_nothing_for_a_caller_that_gave_up() {
    let mut running = start_simulator().await;
    let slow = Behaviour {
        delay_ms: 600_000,
        ..Behaviour::default()
    };
    running.set_behaviour(slow).await;
    let mut request = Request::new(batch(1..4));
    request.set_timeout(Duration::from_millis(100));
    assert!(running.push.push_records(request).await.is_err());
    assert_eq!(running.counts().await, (0, 0, 0));
    running.finish().await;
}

#[tokio::test]
async fn only_the_operator_pushes_and_an_impossible_behaviour_names_its_field() {
    let mut running = start_simulator().await;
    let provider = running.token(Role::Provider);
    let mut stranger = ProvinceServiceClient::with_interceptor(running.channel.clone(), provider);
    let refused = refusal_of(stranger.push_records(batch(1..2)).await);
    assert_eq!(refused.reason, Reason::RoleNotAllowed);
    let behaviour = Some(Behaviour {
        fail_percent: 200,
        ..Behaviour::default()
    });
    let answer = running
        .control
        .set_behaviour(SetBehaviourRequest { behaviour })
        .await;
    assert_eq!(
        refusal_of(answer).reason_and_field(),
        (Reason::BehaviourImpossible, "behaviour.fail_percent")
    );
    drop(stranger);
    running.finish().await;
}

#[tokio::test]
async fn a_configuration_that_cannot_be_followed_is_refused_with_its_key() {
    let issuer = DevelopmentIssuer::generate("https://id.example", "credit");
    let mut config = Config::load(&Overlay::default()).unwrap();
    config.fail_percent = 101;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let refused = province_simulator::start(config, listener, service_context(&issuer)).await;
    assert_eq!(refused.unwrap_err().to_string(), "fail_percent: 0 to 100");
}
