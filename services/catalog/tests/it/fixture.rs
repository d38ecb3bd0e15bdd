//! A running catalog with a collector of its events. Called by all tests of this binary.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, Result};
use catalog::{
    Config,
    jobs::{ReconcileReport, reconcile_data_files},
};
use credit_record::item::{ItemVersion, standard_items};
use event_bus::Subscription;
use legal_clock::{Calendar, Law, LegalRuleSet};
use proto::credit::catalog::{
    events::v1::{ItemVersionPublished, ProviderRegistered},
    v1::{
        Provider, ProviderLevel, RegisterProviderRequest,
        catalog_service_client::CatalogServiceClient,
    },
};
use service_kit::{
    ServiceContext,
    config::Overlay,
    db::{Pool, connect_lazy},
    grpc::AuthorisedChannel,
    identity::Role,
};
use testkit::{EventCollector, eventually, service::ServiceAddress, test_bed::TestBed};
use time::OffsetDateTime;

/// Subscription of the collector of item versions, as another service would have it.
const ITEMS: Subscription = Subscription {
    consumer: "test-items",
    from: catalog::SERVICE,
    events: &["credit.catalog.events.v1.ItemVersionPublished"],
    max_batch: 100,
};

/// Subscription of the collector of providers.
const PROVIDERS: Subscription = Subscription {
    consumer: "test-providers",
    events: &["credit.catalog.events.v1.ProviderRegistered"],
    ..ITEMS
};

/// Credit code of the credit office in these tests.
pub const OFFICE: &str = "11430100006123458R";

pub type CatalogClient = CatalogServiceClient<AuthorisedChannel>;

/// The running service, its database and a collector of its events.
pub struct CatalogFixture {
    pub bed: TestBed,
    /// The service's own role.
    pub pool: Pool,
    url: String,
    published: EventCollector<ItemVersionPublished>,
    registered: EventCollector<ProviderRegistered>,
}

impl CatalogFixture {
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
        let bed = TestBed::start(
            catalog::SCHEMA,
            catalog::migrations(),
            &[stream],
            &[ITEMS, PROVIDERS],
        )
        .await?;
        if let Some(now) = now {
            bed.clock.set(now);
        }
        let ServiceAddress { listener, url } = bed.service_address().await?;
        let config = Config {
            database_url: bed.database_secret(),
            items_dir,
            reconcile_seconds: 1,
            ..Config::load(&Overlay::default())?
        };
        let pool = connect_lazy(&bed.database_url, catalog::SCHEMA, 3)?;
        let published = bed.start_collector(&ITEMS, &pool);
        let registered = bed.start_collector(&PROVIDERS, &pool);
        catalog::start(config, listener, bed.bus.clone(), bed.context.clone()).await?;
        Ok(Self {
            bed,
            pool,
            url,
            published,
            registered,
        })
    }

    /// Waits until every lane is ready.
    pub async fn ready(&self) -> Result<()> {
        eventually("catalog is ready", Duration::from_secs(20), async || {
            let complaints = self.bed.context.readiness.unready_reasons();
            if complaints.is_empty() {
                Ok(())
            } else {
                Err(complaints)
            }
        })
        .await
    }

    /// The report of the lane of the data files, once it names all these texts.
    pub async fn lane_complains(&self, parts: &[&str]) -> Result<String> {
        eventually("the lane complains", Duration::from_secs(20), async || {
            let complaints = self.bed.context.readiness.unready_reasons();
            let found = complaints.iter().find(|line| {
                line.starts_with("catalog data files: ")
                    && parts.iter().all(|part| line.contains(part))
            });
            found.cloned().ok_or(complaints)
        })
        .await
    }

    /// A client that calls as the credit office's organisation with a role.
    pub fn client_as(&self, role: Role) -> Result<CatalogClient> {
        self.client_of(OFFICE, role)
    }

    /// A client that calls as an organisation with a role.
    pub fn client_of(&self, organisation: &str, role: Role) -> Result<CatalogClient> {
        let channel = self.bed.call_as(&self.url, organisation, role)?;
        Ok(CatalogServiceClient::new(channel))
    }

    /// The credit office's client of one more instance of the service, which runs as `context` says.
    pub async fn start_instance(&self, context: &ServiceContext) -> Result<CatalogClient> {
        let ServiceAddress { listener, url } = self.bed.service_address().await?;
        let config = Config {
            database_url: self.bed.database_secret(),
            reconcile_seconds: 1,
            ..Config::load(&Overlay::default())?
        };
        catalog::start(config, listener, self.bed.bus.clone(), context.clone()).await?;
        let channel = self.bed.call_as(&url, OFFICE, Role::CreditOffice)?;
        Ok(CatalogServiceClient::new(channel))
    }

    /// The credit office's client.
    pub fn office(&self) -> Result<CatalogClient> {
        self.client_as(Role::CreditOffice)
    }

    /// One run of the reconciler besides the service's own.
    pub async fn reconcile(&self, items_dir: Option<&PathBuf>) -> Result<ReconcileReport> {
        let items_dir = items_dir.map(PathBuf::as_path);
        Ok(reconcile_data_files(&self.pool, &changsha_law()?, &self.bed.clock, items_dir).await?)
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

    /// The item versions collected so far, once outbox and consumers are drained.
    pub async fn published(&self) -> Result<Vec<ItemVersionPublished>> {
        self.bed.wait_until_settled().await?;
        Ok(self.published.events())
    }

    /// The providers collected so far, once outbox and consumers are drained.
    pub async fn registered(&self) -> Result<Vec<ProviderRegistered>> {
        self.bed.wait_until_settled().await?;
        Ok(self.registered.events())
    }

    /// Ends the test once outbox and consumers are drained; fails when an event is left over or parked.
    pub async fn finish(self) -> Result<()> {
        self.bed.wait_until_settled().await?;
        self.bed.finish().await?;
        self.pool.close().await;
        Ok(())
    }
}

/// The numbers of the regulation with the calendar that ships with the program.
pub fn changsha_law() -> Result<Law> {
    Ok(Law {
        calendar: Calendar::builtin()?,
        rules: LegalRuleSet::changsha_2017(),
    })
}

/// An item of a data file: the penalties of the standard under a code of their own.
pub fn item_definition(code: &str, version: u32, change: impl FnOnce(&mut ItemVersion)) -> String {
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
pub fn plain_definition(code: &str, version: u32) -> String {
    item_definition(code, version, |_| ())
}

/// Puts a file into a folder of data files that the service may be reading: it sees all of it or nothing.
pub fn place_file(folder: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let whole = folder.join(format!("{name}.part"));
    std::fs::write(&whole, text)?;
    std::fs::rename(whole, folder.join(name))
}
