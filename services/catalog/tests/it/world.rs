//! A running catalog with a listener on its stream. Called by all tests of this binary.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use catalog::{
    Config,
    domain::duty::Law,
    jobs::{Reconciled, reconcile},
};
use credit_record::item::{ItemVersion, standard_items};
use event_bus::{BatchHandler, Delivery, HandlerError, Poison, Subscription};
use futures::future::BoxFuture;
use legal_clock::{Calendar, RuleSet};
use proto::credit::catalog::{
    events::v1::{ItemVersionPublished, ProviderRegistered},
    v1::{
        Provider, ProviderLevel, RegisterProviderRequest,
        catalog_service_client::CatalogServiceClient,
    },
};
use service_kit::{
    ServiceContext,
    config::{Overlay, Secret},
    db::{Conn, Pool, connect_lazy},
    grpc::{BearerToken, channel},
    identity::Role,
};
use testkit::{bed::Bed, eventually};
use time::OffsetDateTime;
use tonic::{Code, Status, service::interceptor::InterceptedService, transport::Channel};
use tonic_types::StatusExt;

/// What stands in for another service that keeps the catalogue.
const LISTENER: Subscription = Subscription {
    consumer: "test-catalogue",
    from: catalog::SERVICE,
    events: &[
        "credit.catalog.events.v1.ItemVersionPublished",
        "credit.catalog.events.v1.ProviderRegistered",
    ],
    max_batch: 100,
};

/// Credit code of the credit office in these tests.
pub const OFFICE: &str = "11430100006123458R";

pub type Client = CatalogServiceClient<InterceptedService<Channel, BearerToken>>;

/// A running service and what it takes to look at it.
pub struct World {
    pub bed: Bed,
    /// The service's own role.
    pub pool: Pool,
    address: String,
    heard: Heard,
}

impl World {
    /// Starts catalog without further data files.
    pub async fn start() -> Result<Self> {
        Self::start_with(String::new()).await
    }

    /// Starts catalog with a folder of data files; does not wait until it is ready.
    pub async fn start_with(items_dir: String) -> Result<Self> {
        Self::start_on(items_dir, None).await
    }

    /// Starts catalog at a moment of its clock.
    pub async fn start_at(now: OffsetDateTime) -> Result<Self> {
        Self::start_on(String::new(), Some(now)).await
    }

    async fn start_on(items_dir: String, now: Option<OffsetDateTime>) -> Result<Self> {
        let stream = catalog::STREAM.context("catalog emits")?;
        let bed = Bed::start(
            catalog::SCHEMA,
            catalog::migrations(),
            &[stream],
            &[LISTENER],
        )
        .await?;
        if let Some(now) = now {
            bed.clock.set(now);
        }
        let listener = bed.listener().await?;
        let config = Config {
            database_url: Secret::Plain(bed.database_url.clone()),
            items_dir,
            reconcile_seconds: 1,
            ..Config::load(&Overlay::default())?
        };
        let address = format!("http://{}", listener.local_addr()?);
        let pool = connect_lazy(&bed.database_url, catalog::SCHEMA, 2)?;
        let heard = Heard::default();
        let handler = Arc::new(heard.clone());
        bed.bus
            .start_consumer(&LISTENER, &pool, handler, None, &bed.context);
        catalog::start(config, listener, bed.bus.clone(), bed.context.clone()).await?;
        Ok(Self {
            bed,
            pool,
            address,
            heard,
        })
    }

    /// Waits until no lane complains.
    pub async fn ready(&self) -> Result<()> {
        eventually("catalog is ready", Duration::from_secs(20), async || {
            let complaints = self.bed.context.readiness.complaints();
            if complaints.is_empty() {
                Ok(())
            } else {
                Err(complaints)
            }
        })
        .await
    }

    /// What the lane of the data files says, when it complains with all these texts in it.
    pub async fn lane_complains(&self, parts: &[&str]) -> Result<String> {
        eventually("the lane complains", Duration::from_secs(20), async || {
            let complaints = self.bed.context.readiness.complaints();
            let found = complaints.iter().find(|line| {
                line.starts_with("catalog data files: ")
                    && parts.iter().all(|part| line.contains(part))
            });
            found.cloned().ok_or(complaints)
        })
        .await
    }

    /// A client that calls as the credit office's organisation with a role.
    pub fn client_as(&self, role: Role) -> Result<Client> {
        self.client_of(OFFICE, role)
    }

    /// A client that calls as an organisation with a role.
    pub fn client_of(&self, organisation: &str, role: Role) -> Result<Client> {
        let token = BearerToken::new(&self.bed.token(organisation, &[role], None)?)?;
        let channel = channel(&self.address)?;
        Ok(CatalogServiceClient::with_interceptor(channel, token))
    }

    /// The credit office's client of one more instance of the service, which runs as `context` says.
    pub async fn another(&self, context: &ServiceContext) -> Result<Client> {
        let listener = self.bed.listener().await?;
        let address = format!("http://{}", listener.local_addr()?);
        let config = Config {
            database_url: Secret::Plain(self.bed.database_url.clone()),
            reconcile_seconds: 1,
            ..Config::load(&Overlay::default())?
        };
        catalog::start(config, listener, self.bed.bus.clone(), context.clone()).await?;
        let token = self.bed.token(OFFICE, &[Role::CreditOffice], None)?;
        let channel = channel(&address)?;
        Ok(CatalogServiceClient::with_interceptor(
            channel,
            BearerToken::new(&token)?,
        ))
    }

    /// The credit office's client.
    pub fn office(&self) -> Result<Client> {
        self.client_as(Role::CreditOffice)
    }

    /// One run of the reconciler beside the service's own.
    pub async fn reconcile(&self, items_dir: Option<&PathBuf>) -> Result<Reconciled> {
        let items_dir = items_dir.map(PathBuf::as_path);
        Ok(reconcile(&self.pool, &law()?, &self.bed.clock, items_dir).await?)
    }

    /// A registered provider: its credit code and district (empty: of the city).
    pub async fn register(&self, code: &str, district_code: &str) -> Result<()> {
        let level = if district_code.is_empty() {
            ProviderLevel::City
        } else {
            ProviderLevel::District
        };
        let provider = Some(Provider {
            code: code.to_owned(),
            name: "某单位".to_owned(),
            level: level.into(),
            district_code: district_code.to_owned(),
            enabled: true,
            ..Provider::default()
        });
        let request = RegisterProviderRequest { provider };
        self.office()?.register_provider(request).await?;
        Ok(())
    }

    /// A statement that the service's own role may not run.
    pub async fn is_forbidden(&self, statement: &'static str) -> Result<()> {
        let refused = sqlx::query(statement).execute(&self.pool).await;
        let Err(refused) = refused else {
            anyhow::bail!("{statement} is allowed");
        };
        let code = refused.as_database_error().and_then(|e| e.code());
        anyhow::ensure!(code.as_deref() == Some("42501"), "{statement}: {refused}");
        Ok(())
    }

    /// What the listener has got once everything is on its way no more.
    pub async fn heard(&self) -> Result<(Vec<ItemVersionPublished>, Vec<ProviderRegistered>)> {
        self.bed.settled().await?;
        let heard = self.heard.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(heard.clone())
    }

    /// Ends the test when all is dealt with; fails when something is left or parked.
    pub async fn finish(self) -> Result<()> {
        self.bed.settled().await?;
        self.bed.finish().await?;
        self.pool.close().await;
        Ok(())
    }
}

type Events = (Vec<ItemVersionPublished>, Vec<ProviderRegistered>);

/// Keeps every event that arrives, in order.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Events>>);

impl BatchHandler for Heard {
    fn handle<'a>(
        &'a self,
        _conn: &'a mut Conn,
        batch: &'a [Delivery],
    ) -> BoxFuture<'a, Result<Vec<Poison>, HandlerError>> {
        let mut poison = Vec::new();
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for delivery in batch {
            let decoded = if delivery.is::<ItemVersionPublished>() {
                delivery.decode().map(|event| heard.0.push(event))
            } else {
                delivery.decode().map(|event| heard.1.push(event))
            };
            poison.extend(decoded.err());
        }
        drop(heard);
        Box::pin(async move { Ok(poison) })
    }
}

/// The numbers of the regulation with the calendar that ships with the program.
pub fn law() -> Result<Law> {
    Ok(Law {
        calendar: Calendar::builtin()?,
        rules: RuleSet::changsha_2017(),
    })
}

/// An item of a data file: the penalties of the standard under a code of their own.
pub fn definition(code: &str, version: u32, change: impl FnOnce(&mut ItemVersion)) -> String {
    let mut items = standard_items().unwrap();
    items.retain(|item| item.code == "xzcf" && item.version == 3);
    let mut item = items.remove(0);
    item.code = code.to_owned();
    item.version = version;
    item.effective_from = None;
    item.predecessor = None;
    change(&mut item);
    toml::to_string(&item).unwrap()
}

/// As [`definition`], unchanged.
pub fn plain(code: &str, version: u32) -> String {
    definition(code, version, |_| ())
}

/// Code, reason and field of a refusal.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String, String) {
    let status = answer.unwrap_err();
    let (reason, field, rule) = refusal(&status);
    assert!(!rule.is_empty(), "{status}");
    (status.code(), reason, field)
}

/// Reason, field and rule of a refusal.
pub fn refusal(status: &Status) -> (String, String, String) {
    let details = status.get_error_details();
    let info = details.error_info().expect("a refusal has an ErrorInfo");
    let of = |key: &str| info.metadata.get(key).cloned().unwrap_or_default();
    (info.reason.clone(), of("field"), of("rule"))
}

/// Puts a file into a folder of data files that the service may be reading: it sees all of it or nothing.
pub fn place(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let whole = folder.join(format!("{name}.part"));
    std::fs::write(&whole, text)?;
    std::fs::rename(whole, folder.join(name))
}
