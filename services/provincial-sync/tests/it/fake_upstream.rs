//! A fake of the provincial exchange: keeps what it stored, and fails in the ways that tests ask for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use proto::credit::province::v1::{
    PushRecordsRequest, PushRecordsResponse, UpstreamAnswer, UpstreamRecord,
    province_service_server::{ProvinceService, ProvinceServiceServer},
    upstream_answer::Outcome,
};
use tokio::{net::TcpListener, sync::watch};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status, transport::Server};

/// How the fake answers.
#[derive(Debug, Clone, Default)]
pub struct FakeBehaviour {
    /// UNAVAILABLE to everything, nothing stored.
    pub away: bool,
    /// Hold each call before storing until this is false again.
    pub hold_before_storing: bool,
    /// Store, then hold the answer until this is false again.
    pub hold_after_storing: bool,
    /// UNAVAILABLE to so many calls, counted down.
    pub failures: u32,
    /// Refused for good, with this text.
    pub refused: BTreeMap<String, String>,
    /// A call with one of these is INVALID_ARGUMENT as a whole.
    pub unreadable_keys: BTreeSet<String>,
    /// Gets no answer among the others.
    pub left_out: BTreeSet<String>,
}

/// What the fake has seen.
#[derive(Debug, Default)]
pub struct FakeObservations {
    /// By idempotency key: what came first.
    pub stored: BTreeMap<String, UpstreamRecord>,
    /// Pushes of a stored key with the same content, and with other content.
    pub repeated: usize,
    pub conflicting: usize,
    pub calls: usize,
    /// Calls in flight now, and the most at once.
    pub in_flight: usize,
    pub max_in_flight: usize,
    pub largest_batch: usize,
    pub tokens: BTreeSet<String>,
}

struct FakeUpstreamState {
    behaviour: watch::Sender<FakeBehaviour>,
    seen: Mutex<FakeObservations>,
}

#[derive(Clone)]
pub struct FakeUpstream {
    inner: Arc<FakeUpstreamState>,
    pub url: String,
}

impl FakeUpstream {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let fake = Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            inner: Arc::new(FakeUpstreamState {
                behaviour: watch::Sender::new(FakeBehaviour::default()),
                seen: Mutex::default(),
            }),
        };
        let served = Server::builder().add_service(ProvinceServiceServer::new(fake.clone()));
        tokio::spawn(served.serve_with_incoming(TcpListenerStream::new(listener)));
        fake
    }

    pub fn set_behaviour(&self, behaviour: FakeBehaviour) {
        self.inner.behaviour.send_replace(behaviour);
    }

    pub fn observe<T>(&self, look: impl FnOnce(&mut FakeObservations) -> T) -> T {
        look(&mut self.inner.seen.lock().unwrap())
    }

    pub fn stored(&self) -> usize {
        self.observe(|seen| seen.stored.len())
    }

    async fn wait_until_released(&self, holds: impl Fn(&FakeBehaviour) -> bool) {
        let mut behaviour = self.inner.behaviour.subscribe();
        behaviour
            .wait_for(|behaviour| !holds(behaviour))
            .await
            .unwrap();
    }

    fn store(&self, record: &UpstreamRecord, behaviour: &FakeBehaviour) -> Option<UpstreamAnswer> {
        let key = record.idempotency_key.clone();
        if behaviour.left_out.contains(&key) {
            return None;
        }
        let outcome = if let Some(why) = behaviour.refused.get(&key) {
            Outcome::Refusal(why.clone())
        } else {
            self.observe(|seen| match seen.stored.get(&key) {
                Some(known) if same_content(known, record) => seen.repeated += 1,
                Some(_) => seen.conflicting += 1,
                None => {
                    seen.stored.insert(key.clone(), record.clone());
                }
            });
            Outcome::Acknowledgement(acknowledgement_number(&key))
        };
        Some(UpstreamAnswer {
            idempotency_key: key,
            outcome: Some(outcome),
        })
    }
}

/// The fake's number of a record.
pub fn acknowledgement_number(key: &str) -> String {
    format!("HN-{key}")
}

fn same_content(known: &UpstreamRecord, record: &UpstreamRecord) -> bool {
    let mut record = record.clone();
    record.traceparent.clone_from(&known.traceparent);
    *known == record
}

struct InFlightCall<'a>(&'a FakeUpstream);

impl Drop for InFlightCall<'_> {
    fn drop(&mut self) {
        self.0.observe(|seen| seen.in_flight -= 1);
    }
}

#[tonic::async_trait]
impl ProvinceService for FakeUpstream {
    async fn push_records(
        &self,
        request: Request<PushRecordsRequest>,
    ) -> Result<Response<PushRecordsResponse>, Status> {
        let token = request.metadata().get("authorization").cloned();
        let records = request.into_inner().records;
        self.observe(|seen| {
            let token = token.map(|t| t.to_str().unwrap().to_owned());
            seen.tokens.insert(token.unwrap_or_default());
            seen.calls += 1;
            seen.in_flight += 1;
            seen.max_in_flight = seen.max_in_flight.max(seen.in_flight);
            seen.largest_batch = seen.largest_batch.max(records.len());
        });
        let _under_way = InFlightCall(self);
        self.wait_until_released(|behaviour| behaviour.hold_before_storing)
            .await;
        let behaviour = self.inner.behaviour.borrow().clone();
        if behaviour.away {
            return Err(Status::unavailable("away"));
        }
        if behaviour.failures > 0 {
            self.inner.behaviour.send_modify(|b| b.failures -= 1);
            return Err(Status::unavailable("failing"));
        }
        if let Some(bad) = records
            .iter()
            .find(|r| behaviour.unreadable_keys.contains(&r.idempotency_key))
        {
            let why = format!("record {} is unreadable", bad.idempotency_key);
            return Err(Status::invalid_argument(why));
        }
        let answers = records
            .iter()
            .filter_map(|record| self.store(record, &behaviour))
            .collect();
        self.wait_until_released(|behaviour| behaviour.hold_after_storing)
            .await;
        Ok(Response::new(PushRecordsResponse { answers }))
    }
}
