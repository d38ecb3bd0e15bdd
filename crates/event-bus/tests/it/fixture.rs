//! A service made for these tests: it emits events on its own stream and consumes them into a
//! table. Its processes can be started, crashed and started again on one test bed. Called by all tests
//! of this binary.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Result;
use event_bus::{
    BatchHandler, Bus, BusConfig, Delivery, FaultInjection, HandlerError, NewEvent, Relay,
    StreamSpec, Subscription, Topology, append_events,
};
use futures::future::BoxFuture;
use proto::credit::catalog::events::v1::{ItemVersionPublished, ProviderRegistered};
use service_kit::{
    ServiceContext,
    db::{self, Conn, Pool},
    readiness::Readiness,
    shutdown::Shutdown,
    telemetry::Telemetry,
};
use testkit::{
    TestServers, eventually,
    test_bed::{TestBed, TestBedPlan},
};
use uuid::Uuid;

pub const SCHEMA: &str = "bus_test";
pub const SERVICE: &str = "catalog";
pub const LANE: &str = "test-effects";
pub const WAIT_TIMEOUT: Duration = Duration::from_secs(30);

pub const STREAM: StreamSpec = StreamSpec {
    service: SERVICE,
    max_bytes: 64 * 1024 * 1024,
};
/// Hears only what the test emits, not what its handler emits.
pub const SUBSCRIPTION: Subscription = Subscription {
    consumer: LANE,
    from: SERVICE,
    events: &["credit.catalog.events.v1.ProviderRegistered"],
    max_batch: 500,
};

/// An event whose code determines what the handler does with it.
pub fn test_event(code: &str) -> NewEvent {
    test_event_named(code, "")
}

/// The same with a name of any size.
pub fn test_event_named(code: &str, name: &str) -> NewEvent {
    let message = ProviderRegistered {
        code: code.to_owned(),
        name: name.to_owned(),
        ..ProviderRegistered::default()
    };
    let morning = time::macros::datetime!(2026-11-20 10:00 +8);
    NewEvent::new(&message, morning, "")
}

/// `prefix1` to `prefixN`.
pub fn numbered_codes(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{prefix}{n:04}")).collect()
}

/// The handler: writes one row an event, and emits one follow-up an event.
#[derive(Debug, Default)]
pub struct EffectHandler {
    /// While set, every batch is too early.
    pub not_yet: AtomicBool,
    /// Once set, nothing is poison any more and nothing panics.
    pub mended: AtomicBool,
    /// Sizes of the batches it was given.
    pub batches: Mutex<Vec<usize>>,
}

impl EffectHandler {
    fn count(&self, events: usize) {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.push(events);
    }

    fn read_code(&self, delivery: &Delivery) -> Result<String, event_bus::Poison> {
        let code = delivery.decode::<ProviderRegistered>()?.code;
        let mended = self.mended.load(Ordering::SeqCst);
        assert!(mended || !code.starts_with("panic"), "a fault in the code");
        if !mended && code.starts_with("poison") {
            return Err(delivery.declare_poison("no provider is called so\0"));
        }
        Ok(code)
    }
}

impl BatchHandler for EffectHandler {
    fn handle<'a>(
        &'a self,
        conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<event_bus::Poison>, HandlerError>> {
        Box::pin(async move {
            self.count(batch.len());
            if self.not_yet.load(Ordering::SeqCst) {
                return Err(HandlerError::Transient("the other lane is behind".into()));
            }
            let (mut ids, mut codes, mut poison): (Vec<Uuid>, Vec<String>, Vec<_>) =
                Default::default();
            for delivery in batch {
                match self.read_code(delivery) {
                    Ok(code) => {
                        ids.push(delivery.event_id);
                        codes.push(code);
                    }
                    Err(bad) => poison.push(bad),
                }
            }
            let follow_ups: Vec<NewEvent> = codes
                .iter()
                .map(|code| {
                    let message = ItemVersionPublished {
                        code: code.clone(),
                        ..ItemVersionPublished::default()
                    };
                    NewEvent::new(&message, batch[0].occurred_at, "")
                })
                .collect();
            sqlx::query(
                "insert into effect (event_id, code)
                 select * from unnest($1::uuid[], $2::text[])",
            )
            .bind(ids)
            .bind(codes)
            .execute(&mut *conn)
            .await?;
            append_events(conn, &follow_ups).await?;
            Ok(poison)
        })
    }
}

/// The test bed and the handler; both outlive the processes under test.
pub struct BusFixture {
    pub bed: TestBed,
    pub pool: Pool,
    pub handler: Arc<EffectHandler>,
}

/// One run of the service. Dropping it stops it.
pub struct BusProcess {
    pub context: ServiceContext,
    pub bus: Bus,
}

impl BusFixture {
    /// On the shared servers.
    pub async fn start() -> Result<Self> {
        Self::start_with(|_| ()).await
    }

    /// With a NATS of its own.
    pub async fn start_on(nats_url: &str) -> Result<Self> {
        let servers = TestServers {
            nats_url: nats_url.to_owned(),
            ..testkit::test_servers()?
        };
        Self::start_with(|plan| plan.servers = servers).await
    }

    /// With a changed plan.
    pub async fn start_with(change: impl FnOnce(&mut TestBedPlan<'_>)) -> Result<Self> {
        let migrations = sqlx::migrate!("./tests/migrations");
        let mut plan = TestBedPlan::new(SCHEMA, migrations, &[STREAM], &[SUBSCRIPTION])?;
        change(&mut plan);
        let bed = TestBed::from_plan(plan).await?;
        Ok(Self {
            pool: db::connect_lazy(&bed.database_url, SCHEMA, 6)?,
            bed,
            handler: Arc::default(),
        })
    }

    /// A process with nothing running in it yet.
    pub async fn process(&self) -> Result<BusProcess> {
        self.process_with(FaultInjection::none()).await
    }

    pub async fn process_with(&self, faults: FaultInjection) -> Result<BusProcess> {
        let context = ServiceContext {
            readiness: Readiness::default(),
            shutdown: Shutdown::new(),
            telemetry: Telemetry::off(),
            ..self.bed.context.clone()
        };
        let bus = Bus::connect(self.bed.bus_config.clone(), faults, &context.telemetry).await?;
        let created = provision_eventually(&bus).await?;
        assert!(created.is_empty(), "the bed has made them: {created:?}");
        Ok(BusProcess { context, bus })
    }

    /// A process with relay and consumer.
    pub async fn running(&self) -> Result<BusProcess> {
        let process = self.process().await?;
        self.start_all(&process);
        Ok(process)
    }

    pub fn start_all(&self, process: &BusProcess) {
        let relay = self.start_relay(process);
        self.start_consumer(process, Some(relay));
    }

    pub fn start_relay(&self, process: &BusProcess) -> Relay {
        process
            .bus
            .start_relay(SERVICE, &self.pool, &process.context)
    }

    pub fn start_consumer(&self, process: &BusProcess, relay: Option<Relay>) {
        let handler = self.handler.clone();
        process
            .bus
            .start_consumer(&SUBSCRIPTION, &self.pool, handler, relay, &process.context);
    }

    /// Appends events in one committed transaction.
    pub async fn emit(&self, events: &[NewEvent]) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        append_events(&mut tx, events).await?;
        Ok(tx.commit().await?)
    }

    /// Appends one event a code in one committed transaction.
    pub async fn emit_codes<S: AsRef<str>>(&self, codes: &[S]) -> Result<()> {
        let events: Vec<_> = codes.iter().map(|code| test_event(code.as_ref())).collect();
        self.emit(&events).await
    }

    /// Codes of all effects, in the order of the effects.
    pub async fn effects(&self) -> Result<Vec<String>> {
        Ok(
            sqlx::query_scalar("select code from effect order by number")
                .fetch_all(&self.pool)
                .await?,
        )
    }

    /// Waits until there are as many effects as `codes`; they must be these, each once.
    pub async fn wait_for_effects<S: AsRef<str>>(&self, codes: &[S]) -> Result<()> {
        let what = format!("{} effects", codes.len());
        let mut effects = eventually(&what, WAIT_TIMEOUT, async || {
            let effects = self.effects().await.map_err(|error| error.to_string())?;
            if effects.len() >= codes.len() {
                Ok(effects)
            } else {
                Err(format!("{} effects", effects.len()))
            }
        })
        .await?;
        effects.sort();
        let mut wanted: Vec<&str> = codes.iter().map(AsRef::as_ref).collect();
        wanted.sort();
        assert_eq!(effects, wanted);
        Ok(())
    }

    /// Events on the stream that some consumer still waits for, in messages.
    pub async fn messages(&self) -> Result<u64> {
        let name = self.bed.bus.stream_name(SERVICE);
        let mut stream = self.bed.jetstream().get_stream(name).await?;
        Ok(stream.info().await?.state.messages)
    }

    /// Waits until there are this many unresolved dead letters.
    pub async fn wait_for_letters(
        &self,
        count: usize,
    ) -> Result<Vec<event_bus::dead_letters::DeadLetter>> {
        eventually("dead letters", WAIT_TIMEOUT, async || {
            let letters = event_bus::dead_letters::list_letters(&self.pool).await;
            match letters {
                Ok(letters) if letters.len() == count => Ok(letters),
                other => Err(format!("{other:?}")),
            }
        })
        .await
    }

    /// Ends the test: everything is handled, and each effect has exactly one follow-up.
    pub async fn finish(self, process: BusProcess) -> Result<()> {
        self.bed.wait_until_settled().await?;
        process.stop().await?;
        let mut effects = self.effects().await?;
        let emitted = self.bed.emitted_events::<ItemVersionPublished>().await?;
        let mut emitted: Vec<String> = emitted.into_iter().map(|event| event.code).collect();
        effects.sort();
        emitted.sort();
        assert_eq!(effects, emitted, "a follow-up is missing or double");
        self.pool.close().await;
        self.bed.finish().await
    }
}

impl BusProcess {
    /// Stops in order.
    pub async fn stop(self) -> Result<()> {
        self.context.shutdown.request_stop();
        let ended = self.context.shutdown.wait_finished(WAIT_TIMEOUT).await;
        ended.map_err(anyhow::Error::msg)
    }

    /// Waits for the end of a process whose essential task has died, and gives its reason.
    pub async fn wait_for_crash(self) -> Result<String> {
        eventually("the process has died", WAIT_TIMEOUT, async || {
            self.context.shutdown.is_requested()
        })
        .await?;
        match self.context.shutdown.wait_finished(WAIT_TIMEOUT).await {
            Ok(()) => anyhow::bail!("it ended in order"),
            Err(why) => Ok(why),
        }
    }

    /// Events that its relay has published.
    pub fn published(&self) -> u64 {
        let text = self.context.telemetry.metrics_text();
        let line = text
            .lines()
            .find(|line| line.starts_with("credit_bus_published_events_total{"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or_default()
    }

    /// Waits until a reason for not being ready contains all these words.
    pub async fn wait_for_complaint(&self, words: &[&str]) -> Result<String> {
        eventually("a complaint", WAIT_TIMEOUT, async || {
            let complaints = self.context.readiness.unready_reasons();
            let found = complaints
                .iter()
                .find(|line| words.iter().all(|word| line.contains(word)));
            found.cloned().ok_or(complaints)
        })
        .await
    }

    /// Waits until no lane complains.
    pub async fn wait_until_ready(&self) -> Result<()> {
        eventually("readiness", WAIT_TIMEOUT, async || {
            let complaints = self.context.readiness.unready_reasons();
            if complaints.is_empty() {
                Ok(())
            } else {
                Err(complaints)
            }
        })
        .await
    }
}

impl Drop for BusProcess {
    fn drop(&mut self) {
        self.context.shutdown.request_stop();
    }
}

pub fn test_topology() -> Topology {
    Topology::new(&[STREAM], &[SUBSCRIPTION])
}

/// Makes what is missing, as soon as the server takes it: one that has just come back may not answer a single try.
pub async fn provision_eventually(bus: &Bus) -> Result<Vec<String>> {
    let topology = test_topology();
    eventually("provisioning", WAIT_TIMEOUT, async || {
        bus.provision(&topology).await
    })
    .await
}

/// Another connection of the test bed's bus with a changed configuration.
pub async fn bus_with(fixture: &BusFixture, change: impl FnOnce(&mut BusConfig)) -> Result<Bus> {
    let mut config = fixture.bed.bus_config.clone();
    change(&mut config);
    Ok(Bus::connect(config, FaultInjection::none(), &Telemetry::off()).await?)
}
