//! What tests of every service share besides the test bed: where a service under test listens, calls to it in a role,
//! the events that it announced as another service gets them, and the details of a refusal.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::Result;
use event_bus::{BatchHandler, Delivery, HandlerError, Poison, Subscription};
use futures::future::BoxFuture;
use service_kit::{
    config::Secret,
    db::{Conn, Pool},
    grpc::{AuthorisedChannel, BearerToken, open_channel},
    identity::{PersonClaim, Role},
    reason::Reason,
};
use tokio::net::TcpListener;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::test_bed::TestBed;

/// Where a service under test listens.
#[derive(Debug)]
pub struct ServiceAddress {
    /// What the service is started with.
    pub listener: TcpListener,
    /// Its address, `http://127.0.0.1:…`.
    pub url: String,
}

impl TestBed {
    /// A free port for a service that is about to start.
    pub async fn service_address(&self) -> Result<ServiceAddress> {
        let listener = self.listener().await?;
        let url = format!("http://{}", listener.local_addr()?);
        Ok(ServiceAddress { listener, url })
    }

    /// The address of the database, as a configuration has it.
    pub fn database_secret(&self) -> Secret {
        Secret::Plain(self.database_url.clone())
    }

    /// A channel on which an organisation calls in a role.
    pub fn call_as(&self, url: &str, organisation: &str, role: Role) -> Result<AuthorisedChannel> {
        self.call_with(url, organisation, &[role], None)
    }

    /// A channel on which a natural person calls about itself; `number` is that of an identity card.
    pub fn call_as_person(&self, url: &str, number: &str) -> Result<AuthorisedChannel> {
        let person = PersonClaim::new("身份证", number);
        self.call_with(url, "", &[Role::Subject], Some(person))
    }

    /// A channel with any token.
    pub fn call_with(
        &self,
        url: &str,
        organisation: &str,
        roles: &[Role],
        person: Option<PersonClaim>,
    ) -> Result<AuthorisedChannel> {
        let token = BearerToken::new(&self.token(organisation, roles, person)?)?;
        Ok(AuthorisedChannel::new(open_channel(url)?, token))
    }

    /// Starts a consumer that keeps what comes on a subscription of this test bed; its inbox is in the schema of
    /// `pool`.
    pub fn start_collector<M>(&self, subscription: &Subscription, pool: &Pool) -> EventCollector<M>
    where
        M: prost::Message + prost::Name + Clone + Default + 'static,
    {
        let collector = EventCollector::default();
        let handler = Arc::new(collector.clone());
        self.bus
            .start_consumer(subscription, pool, handler, None, &self.context);
        collector
    }
}

/// The details of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalDetails {
    /// Code of the status.
    pub code: Code,
    /// Its reason.
    pub reason: Reason,
    /// Field of the request; empty when none is meant.
    pub field: String,
    /// The rule that was broken.
    pub rule: String,
}

impl RefusalDetails {
    /// Of a status.
    ///
    /// # Panics
    /// When the reason is none of the table or has another gRPC code there, or no rule is named: then it is no refusal.
    #[track_caller]
    pub fn from_status(status: &Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let of = |key: &str| {
            let value = info.and_then(|info| info.metadata.get(key));
            value.cloned().unwrap_or_default()
        };
        let reason = info.map(|info| info.reason.parse());
        let Some(Ok(reason)) = reason else {
            panic!("no reason of the table: {status:?}");
        };
        let refusal = Self {
            code: status.code(),
            reason,
            field: of("field"),
            rule: of("rule"),
        };
        assert_eq!(refusal.code, reason.code(), "{status:?}");
        assert!(!refusal.rule.is_empty(), "{status:?}");
        refusal
    }

    /// Reason and field: what most tests compare.
    pub fn reason_and_field(&self) -> (Reason, &str) {
        (self.reason, &self.field)
    }
}

/// The refusal that a call was answered with.
///
/// # Panics
/// When the call was not refused.
#[track_caller]
pub fn refusal_of<T: std::fmt::Debug>(answer: Result<T, Status>) -> RefusalDetails {
    match answer {
        Ok(answer) => panic!("was not refused: {answer:?}"),
        Err(status) => RefusalDetails::from_status(&status),
    }
}

/// A consumer that keeps the events of one type as it gets them, to be started on a subscription of the test.
#[derive(Clone, Debug)]
pub struct EventCollector<M>(Arc<Mutex<Vec<(Uuid, M)>>>);

impl<M> Default for EventCollector<M> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<M: Clone> EventCollector<M> {
    /// What it has got, in order, each event once. Complete when the test bed is settled.
    pub fn events(&self) -> Vec<M> {
        let collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A batch whose commit failed is handled again, and memory is not rolled back with it.
        let mut known = HashSet::new();
        let fresh = collected.iter().filter(|(id, _)| known.insert(*id));
        fresh.map(|(_, event)| event.clone()).collect()
    }
}

impl<M> BatchHandler for EventCollector<M>
where
    M: prost::Message + prost::Name + Default + Send + 'static,
{
    fn handle<'a>(
        &'a self,
        _conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        Box::pin(async move {
            let mut collected = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut poison = Vec::new();
            for delivery in batch.iter().filter(|delivery| delivery.carries::<M>()) {
                match delivery.decode() {
                    Ok(event) => collected.push((delivery.event_id, event)),
                    Err(bad) => poison.push(bad),
                }
            }
            Ok(poison)
        })
    }
}
