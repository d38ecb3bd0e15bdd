//! A test bed for one service: its schema in a database of its own, its streams on the shared NATS
//! under a namespace of its own, a clock to turn, keys and tokens. Called by the integration
//! tests of services. A test that leaves work unprocessed fails: `finish` checks it, and dropping a test
//! bed without it panics.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, bail, ensure};
use async_nats::jetstream;
use event_bus::{Bus, BusConfig, FaultInjection, NewEvent, StreamSpec, Subscription, Topology};
use service_kit::{
    ServiceContext,
    config::Secret,
    identity::{DevelopmentIssuer, PersonClaim, Role, TokenVerifier},
    migrate::{Login, SchemaPlan, migrate_schema},
    readiness::Readiness,
    shutdown::Shutdown,
    telemetry::Telemetry,
};
use sqlx::{PgPool, migrate::Migrator};
use time::{OffsetDateTime, macros::datetime};
use vault::Keyring;

use crate::{TestDb, TestServers, clock::ManualClock, eventually, test_servers};

/// Password of every role in test databases; the servers listen on 127.0.0.1 only.
const PASSWORD: &str = "for-tests-only";

/// How long a test bed waits for what must come.
const WAIT_TIMEOUT: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug)]
pub struct TestBed {
    /// What the service is started with; its clock is [`TestBed::clock`].
    pub context: ServiceContext,
    /// The clock of the service; shows 2026-11-20 10:00 in Changsha at first.
    pub clock: ManualClock,
    /// The bus under a namespace of this test bed.
    pub bus: Bus,
    /// How the bus was connected, for a test that connects once more.
    pub bus_config: BusConfig,
    /// The service's own role.
    pub database_url: String,
    /// The owner, to read results and to prepare data.
    pub owner_pool: PgPool,
    schema: &'static str,
    issuer: DevelopmentIssuer,
    jetstream: jetstream::Context,
    streams: Vec<StreamSpec>,
    subscriptions: Vec<Subscription>,
    db: Option<TestDb>,
}

/// The settings of a test bed, for tests that need servers of their own, faults or a small stream.
#[derive(Debug)]
pub struct TestBedPlan<'a> {
    /// Schema of the service, and its login role.
    pub schema: &'static str,
    /// The service's own migrations; those of the bus run before them.
    pub migrations: Migrator,
    /// All streams, the service's own and those it listens to.
    pub streams: &'a [StreamSpec],
    /// All consumers.
    pub subscriptions: &'a [Subscription],
    /// Further login roles.
    pub roles: &'a [&'a str],
    /// Where PostgreSQL and NATS are.
    pub servers: TestServers,
    /// What the bus calls at its named points.
    pub faults: FaultInjection,
    /// Size of each stream, bytes.
    pub max_stream_bytes: i64,
}

impl<'a> TestBedPlan<'a> {
    /// The plain plan: shared servers, no faults, streams of 64 MiB.
    pub fn new(
        schema: &'static str,
        migrations: Migrator,
        streams: &'a [StreamSpec],
        subscriptions: &'a [Subscription],
    ) -> Result<Self> {
        Ok(Self {
            schema,
            migrations,
            streams,
            subscriptions,
            roles: &[],
            servers: test_servers()?,
            faults: FaultInjection::none(),
            max_stream_bytes: 64 * 1024 * 1024,
        })
    }
}

impl TestBed {
    /// A test bed for the service that owns `schema`, on the servers that tests share.
    pub async fn start(
        schema: &'static str,
        migrations: Migrator,
        streams: &[StreamSpec],
        subscriptions: &[Subscription],
    ) -> Result<Self> {
        Self::start_with_roles(schema, migrations, streams, subscriptions, &[]).await
    }

    /// The same with login roles besides the service's own, see [`TestBed::url_for`].
    pub async fn start_with_roles(
        schema: &'static str,
        migrations: Migrator,
        streams: &[StreamSpec],
        subscriptions: &[Subscription],
        roles: &[&str],
    ) -> Result<Self> {
        let plan = TestBedPlan {
            roles,
            ..TestBedPlan::new(schema, migrations, streams, subscriptions)?
        };
        Self::from_plan(plan).await
    }

    /// A test bed by plan.
    pub async fn from_plan(plan: TestBedPlan<'_>) -> Result<Self> {
        let TestBedPlan {
            schema,
            migrations,
            streams,
            subscriptions,
            roles,
            servers,
            faults,
            max_stream_bytes,
        } = plan;
        let bus_migrations = event_bus::migrations();
        let mut key = format!("{schema} {roles:?}");
        for migration in bus_migrations.iter().chain(migrations.iter()) {
            key.push_str(&hex::encode(&migration.checksum));
        }
        let plan = SchemaPlan {
            schema: schema.to_owned(),
            logins: [schema]
                .iter()
                .chain(roles)
                .map(|role| Login {
                    role: (*role).to_owned(),
                    password: PASSWORD.to_owned(),
                })
                .collect(),
            migrators: vec![("bus", bus_migrations), (schema, migrations)],
        };
        let prepare = async |url: &str| Ok(migrate_schema(url, plan).await?);
        let db = TestDb::on_server(&servers.database_url, &key, prepare).await?;
        let owner_pool = db.pool().await?;

        let clock = ManualClock::at(datetime!(2026-11-20 10:00 +8));
        let issuer = DevelopmentIssuer::generate("https://id.test", "credit");
        let context = ServiceContext {
            clock: Arc::new(clock.clone()),
            telemetry: Telemetry::off(),
            readiness: Readiness::default(),
            keyring: Keyring::parse(&Keyring::generate())?,
            verifier: Arc::new(TokenVerifier::for_development(&issuer)?),
            shutdown: Shutdown::new(),
        };
        let nats_url = servers.nats_url;
        let config = BusConfig {
            url: Secret::Plain(nats_url.clone()),
            namespace: format!("t{}", uuid::Uuid::new_v4().simple()),
            max_stream_bytes,
            replicas: 1,
            lane_limit_seconds: 60,
            // Short, so that a test of a crash need not wait long for the redelivery.
            ack_wait_seconds: 3,
        };
        let bus = Bus::connect(config.clone(), faults, &context.telemetry).await?;
        let topology = Topology::new(streams, subscriptions);
        // As a service does at its start: a busy server may need longer than one request waits.
        eventually("the streams are there", WAIT_TIMEOUT, async || {
            bus.provision(&topology).await
        })
        .await?;
        Ok(Self {
            database_url: db.url_for(schema, PASSWORD)?,
            jetstream: jetstream::new(nats_client(&nats_url).await?),
            streams: streams.to_vec(),
            subscriptions: subscriptions.to_vec(),
            db: Some(db),
            context,
            clock,
            bus,
            bus_config: config,
            owner_pool,
            schema,
            issuer,
        })
    }

    /// The test's own JetStream client.
    pub fn jetstream(&self) -> &jetstream::Context {
        &self.jetstream
    }

    /// The address of the database for another role of this test bed.
    pub fn url_for(&self, role: &str) -> Result<String> {
        let db = self.db.as_ref().context("the bed is finished")?;
        db.url_for(role, PASSWORD)
    }

    /// A pool of the owner with the service's schema as search path.
    pub async fn schema_pool(&self) -> Result<PgPool> {
        let db = self.db.as_ref().context("the bed is finished")?;
        Ok(service_kit::db::connect_lazy(&db.url()?, self.schema, 4)?)
    }

    /// A listener on a free port.
    pub async fn listener(&self) -> Result<tokio::net::TcpListener> {
        Ok(tokio::net::TcpListener::bind("127.0.0.1:0").await?)
    }

    /// A token that is valid for a year of the test bed's clock and of the real one.
    pub fn token(
        &self,
        organisation: &str,
        roles: &[Role],
        person: Option<PersonClaim>,
    ) -> Result<String> {
        let now: OffsetDateTime = self.context.clock.now().max(OffsetDateTime::now_utc());
        let expires = now + time::Duration::days(365 * 20);
        Ok(self
            .issuer
            .token("tester", organisation, roles, person, expires)?)
    }

    /// Puts events on the bus as another service's relay does, one message for all, and waits for
    /// the server's acknowledgement.
    pub async fn publish(&self, events: &[NewEvent]) -> Result<()> {
        use prost::Message as _;
        for chunk in events.chunk_by(|a, b| a.event_type() == b.event_type()) {
            let batch = proto::credit::bus::v1::EventBatch {
                events: chunk.iter().map(NewEvent::to_envelope).collect(),
            };
            let subject = self.bus.subject(chunk[0].event_type());
            self.publish_raw(&subject, batch.encode_to_vec()).await?;
        }
        Ok(())
    }

    /// Puts arbitrary bytes on a subject, and waits for the server's acknowledgement.
    pub async fn publish_raw(&self, subject: &str, payload: Vec<u8>) -> Result<()> {
        self.jetstream
            .publish(subject.to_owned(), payload.into())
            .await?
            .await?;
        Ok(())
    }

    /// Follows the operator's manual after a crash of NATS (`credit streams rebuild`), where a stream did not
    /// come back: nats-server 2.15.1 finds the files of a stream corrupt in about one of a hundred kills right after
    /// its start. True where one was lost.
    pub async fn rebuild_lost_streams(&self) -> Result<bool> {
        let lost = eventually("each stream is there or lost", WAIT_TIMEOUT, async || {
            let mut lost = false;
            for spec in &self.streams {
                let name = self.bus.stream_name(spec.service);
                match self.jetstream.get_stream(&name).await {
                    Err(error) if error.to_string().contains("not found") => lost = true,
                    other => drop(other?),
                }
            }
            anyhow::Ok(lost)
        })
        .await?;
        if lost {
            let topology = Topology::new(&self.streams, &self.subscriptions);
            eventually("the streams are made again", WAIT_TIMEOUT, async || {
                self.bus.provision(&topology).await
            })
            .await?;
            event_bus::outbox::rebase_outbox(&self.schema_pool().await?).await?;
        }
        Ok(lost)
    }

    /// The events of a type that the service has emitted, in order.
    pub async fn emitted_events<M: prost::Message + prost::Name + Default>(
        &self,
    ) -> Result<Vec<M>> {
        let pool = self.schema_pool().await?;
        let rows: Vec<Vec<u8>> = sqlx::query_scalar(
            "select payload from outbox where event_type = $1 order by xid, seq",
        )
        .bind(M::full_name())
        .fetch_all(&pool)
        .await?;
        rows.iter()
            .map(|payload| Ok(M::decode(payload.as_slice())?))
            .collect()
    }

    /// Waits until every event on the bus is handled and every event of the service is
    /// published.
    pub async fn wait_until_settled(&self) -> Result<()> {
        self.wait_until_done(&self.schema_pool().await?).await
    }

    async fn wait_until_done(&self, pool: &PgPool) -> Result<()> {
        eventually("all work is done", WAIT_TIMEOUT, async || {
            let unpublished = event_bus::outbox::count_unpublished(pool).await?;
            ensure!(unpublished == 0, "{unpublished} events unpublished");
            self.ensure_nothing_pending().await?;
            // What consumers did meanwhile, before they acknowledged it, may have been more events.
            let unpublished = event_bus::outbox::count_unpublished(pool).await?;
            ensure!(unpublished == 0, "{unpublished} events unpublished");
            Ok(())
        })
        .await
    }

    /// No consumer has a message pending or in flight. Streams are asked too: a message that was just published is in
    /// its stream before the server counts it for the consumers, and stays there until all have acknowledged it.
    async fn ensure_nothing_pending(&self) -> Result<()> {
        for subscription in &self.subscriptions {
            let name = self.bus.stream_name(subscription.from);
            let stream = self.jetstream.get_stream(&name).await?;
            let kept = stream.cached_info().state.messages;
            let info = stream.consumer_info(subscription.consumer).await?;
            let left = info.num_pending + info.num_ack_pending as u64;
            ensure!(
                left == 0 && kept == 0,
                "{left} messages for {}, {kept} in the stream",
                subscription.consumer
            );
        }
        Ok(())
    }

    /// Ends the test: everything is handled, nothing is parked, every task ends.
    pub async fn finish(mut self) -> Result<()> {
        let db = self.db.take();
        let outcome = self.close(db.as_ref()).await;
        drop(db);
        outcome
    }

    async fn close(&mut self, db: Option<&TestDb>) -> Result<()> {
        let db = db.context("the bed is finished already")?;
        let pool = service_kit::db::connect_lazy(&db.url()?, self.schema, 2)?;
        self.wait_until_done(&pool).await?;
        let parked = event_bus::dead_letters::list_letters(&pool).await?;
        if !parked.is_empty() {
            bail!("dead letters are left: {parked:?}");
        }
        self.context.shutdown.request_stop();
        let ended = self.context.shutdown.wait_finished(WAIT_TIMEOUT).await;
        ended.map_err(anyhow::Error::msg)?;
        // Acknowledgements come by another connection than this query.
        eventually("all is acknowledged", WAIT_TIMEOUT, async || {
            self.ensure_nothing_pending().await
        })
        .await?;
        for stream in &self.streams {
            let name = self.bus.stream_name(stream.service);
            self.jetstream.delete_stream(&name).await?;
        }
        pool.close().await;
        self.owner_pool.close().await;
        Ok(())
    }
}

/// A client for the test's own queries to the server.
async fn nats_client(url: &str) -> Result<async_nats::Client> {
    let server: async_nats::ServerAddr = url.parse()?;
    let options = match server.username().zip(server.password()) {
        Some((user, password)) => {
            async_nats::ConnectOptions::with_user_and_password(user.to_owned(), password.to_owned())
        }
        None => async_nats::ConnectOptions::new(),
    };
    // The first connection, too, is made as soon as the server can.
    Ok(options.retry_on_initial_connect().connect(server).await?)
}

impl Drop for TestBed {
    fn drop(&mut self) {
        self.context.shutdown.request_stop();
        if self.db.is_some() && !std::thread::panicking() {
            panic!("a bed was dropped without finish(): unprocessed work would go unseen");
        }
    }
}
