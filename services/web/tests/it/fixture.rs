//! A site with its services on ports of their own, and a client to ask it.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use axum::body::{Body, Bytes, to_bytes};
use http::{HeaderMap, Method, StatusCode, header};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use proto::credit::{
    catalog::v1::catalog_service_server::CatalogServiceServer,
    disclosure::v1::public_service_server::PublicServiceServer,
};
use scraper::{Html, Selector};
use service_kit::{
    ServiceContext,
    config::Secret,
    identity::{DevelopmentIssuer, Role, TokenVerifier},
    readiness::Readiness,
    shutdown::Shutdown,
    start::spawn_grpc_server,
    telemetry::Telemetry,
};
use testkit::{Port, clock::ManualClock};
use time::{OffsetDateTime, macros::datetime};
use tokio::net::TcpListener;
use tonic::service::Routes;
use vault::Keyring;

use crate::{fake_catalog::FakeCatalog, fake_disclosure::FakeDisclosure};

/// The moment of all tests: 2026-04-01 09:30 in Changsha.
pub const NOW: OffsetDateTime = datetime!(2026-04-01 01:30 UTC);

const STOP_TIMEOUT: Duration = Duration::from_secs(20);

/// So long that a busy machine does not look like a service that hangs.
const BACKEND_TIMEOUT_MS: u64 = 60_000;

/// Binds the reserved port, for a server that is stopped and started again on it.
async fn listen(port: &Port) -> Result<TcpListener> {
    Ok(TcpListener::bind(("127.0.0.1", port.number())).await?)
}

/// An answer of the site.
#[derive(Debug)]
pub struct FetchedPage {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text; what is none reads as replacement characters.
    pub body: String,
    /// Body as it came.
    pub bytes: Bytes,
}

impl FetchedPage {
    /// The tree as a browser builds it.
    pub fn tree(&self) -> Html {
        Html::parse_document(&self.body)
    }

    /// Where the links of a selector lead.
    pub fn links(&self, selector: &str) -> Vec<String> {
        let selector = Selector::parse(selector).unwrap();
        let tree = self.tree();
        tree.select(&selector)
            .filter_map(|a| a.attr("href"))
            .map(str::to_owned)
            .collect()
    }

    /// A header as text; empty when it is missing.
    pub fn header(&self, name: impl header::AsHeaderName) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}

/// A path with its Chinese letters escaped, as browsers send them.
pub fn percent_encoded(path: &str) -> String {
    path.chars()
        .map(|c| {
            let mut buffer = [0; 4];
            if c.is_ascii() {
                c.to_string()
            } else {
                c.encode_utf8(&mut buffer)
                    .bytes()
                    .map(|b| format!("%{b:02X}"))
                    .collect()
            }
        })
        .collect()
}

/// A running server of this test: the site or a fake backend.
pub struct WebTestServer {
    /// Where it listens.
    pub address: SocketAddr,
    context: ServiceContext,
}

impl WebTestServer {
    /// Stops it and waits for its end.
    pub async fn stop(self) -> Result<()> {
        self.context.shutdown.request_stop();
        self.context
            .shutdown
            .wait_finished(STOP_TIMEOUT)
            .await
            .map_err(|why| anyhow!(why))
    }
}

/// A site over its two services.
pub struct WebFixture {
    /// Disclosure, to see what it was asked.
    pub disclosure: FakeDisclosure,
    /// Its server.
    pub disclosure_server: Option<WebTestServer>,
    /// Where it listens, also while it is stopped.
    disclosure_port: Port,
    /// Catalog, to see what it was asked.
    pub catalog: FakeCatalog,
    /// Catalog's server.
    pub catalog_server: Option<WebTestServer>,
    /// The site.
    pub site: WebTestServer,
    /// The site's clock.
    pub clock: ManualClock,
    /// Metrics of the site.
    pub telemetry: Telemetry,
    /// Where the site reads its token.
    pub token_file: PathBuf,
    /// Makes tokens that the services accept.
    pub issuer: DevelopmentIssuer,
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Body>,
}

impl WebFixture {
    /// Starts all three.
    pub async fn start() -> Result<Self> {
        Self::start_with(|_| {}).await
    }

    /// Starts all three; `change` changes the site's configuration first.
    pub async fn start_with(change: impl FnOnce(&mut web::Config)) -> Result<Self> {
        Self::start_all(change, Shutdown::new()).await
    }

    /// Starts all three; after a stop the site has this grace period for the requests in flight.
    pub async fn start_with_grace_period(grace_period: Duration) -> Result<Self> {
        Self::start_all(|_| {}, Shutdown::new().with_grace_period(grace_period)).await
    }

    async fn start_all(change: impl FnOnce(&mut web::Config), shutdown: Shutdown) -> Result<Self> {
        let issuer = DevelopmentIssuer::generate("https://id.changsha.example", "credit");
        let clock = ManualClock::at(NOW);
        let disclosure = FakeDisclosure::default();
        let disclosure_port = Port::reserve()?;
        let listener = listen(&disclosure_port).await?;
        let disclosure_server = serve_disclosure(&disclosure, &issuer, &clock, listener)?;
        let catalogue = FakeCatalog::default();
        let catalog_server = {
            let routes = Routes::new(CatalogServiceServer::new(catalogue.clone()));
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            serve(routes, &issuer, &clock, listener)?
        };
        let token_file = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("web-token-{}", uuid::Uuid::new_v4()));
        let token = public_token(&issuer)?;
        std::fs::write(&token_file, format!("{token}\n"))?;
        let mut config = web::Config {
            listen: "127.0.0.1:0".to_owned(),
            disclosure_url: format!("http://{}", disclosure_server.address),
            catalog_url: format!("http://{}", catalog_server.address),
            token: Secret::File {
                file: token_file.clone(),
            },
            page_size: 10,
            backend_timeout_ms: BACKEND_TIMEOUT_MS,
        };
        change(&mut config);
        let context = ServiceContext {
            shutdown,
            ..service_context(&issuer, &clock)?
        };
        let listener = TcpListener::bind(&config.listen).await?;
        let address = listener.local_addr()?;
        web::start(config, listener, context.clone()).await?;
        Ok(Self {
            disclosure,
            disclosure_server: Some(disclosure_server),
            disclosure_port,
            catalog: catalogue,
            catalog_server: Some(catalog_server),
            telemetry: context.telemetry.clone(),
            site: WebTestServer { address, context },
            clock,
            token_file,
            issuer,
            client: Client::builder(TokioExecutor::new()).build_http(),
        })
    }

    /// Starts disclosure again on the port that it had.
    pub async fn restart_disclosure(&mut self) -> Result<()> {
        let listener = listen(&self.disclosure_port).await?;
        let server = serve_disclosure(&self.disclosure, &self.issuer, &self.clock, listener)?;
        self.disclosure_server = Some(server);
        Ok(())
    }

    /// The site's address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.site.address)
    }

    /// Asks for a page.
    pub async fn get(&self, path: &str) -> Result<FetchedPage> {
        self.send(Method::GET, path).await
    }

    /// Sends a request.
    pub async fn send(&self, method: Method, path: &str) -> Result<FetchedPage> {
        self.send_with(method, path, HeaderMap::new()).await
    }

    /// Sends a request with headers.
    pub async fn send_with(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
    ) -> Result<FetchedPage> {
        let mut request = http::Request::builder()
            .method(method)
            .uri(self.url(path))
            .body(Body::empty())?;
        request.headers_mut().extend(headers);
        let (parts, body) = self
            .client
            .request(request)
            .await
            .context("asking the site")?
            .into_parts();
        let body: Bytes = to_bytes(Body::new(body), 4 << 20).await?;
        Ok(FetchedPage {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            bytes: body,
        })
    }

    /// Stops everything in order.
    pub async fn stop(self) -> Result<()> {
        self.site.stop().await.context("the site")?;
        for server in [self.disclosure_server, self.catalog_server]
            .into_iter()
            .flatten()
        {
            server.stop().await.context("a service")?;
        }
        std::fs::remove_file(&self.token_file)?;
        Ok(())
    }
}

/// A token as the public site has one.
pub fn public_token(issuer: &DevelopmentIssuer) -> Result<String> {
    Ok(issuer.token(
        "web",
        "",
        &[Role::Public],
        None,
        NOW + time::Duration::days(1),
    )?)
}

/// The context of a process.
pub fn service_context(issuer: &DevelopmentIssuer, clock: &ManualClock) -> Result<ServiceContext> {
    Ok(ServiceContext {
        clock: Arc::new(clock.clone()),
        telemetry: Telemetry::off(),
        readiness: Readiness::default(),
        keyring: Keyring::parse(&Keyring::generate())?,
        verifier: Arc::new(TokenVerifier::for_development(issuer)?),
        shutdown: Shutdown::new(),
    })
}

fn serve_disclosure(
    disclosure: &FakeDisclosure,
    issuer: &DevelopmentIssuer,
    clock: &ManualClock,
    listener: TcpListener,
) -> Result<WebTestServer> {
    let routes = Routes::new(PublicServiceServer::new(disclosure.clone()));
    serve(routes, issuer, clock, listener)
}

fn serve(
    routes: Routes,
    issuer: &DevelopmentIssuer,
    clock: &ManualClock,
    listener: TcpListener,
) -> Result<WebTestServer> {
    let context = service_context(issuer, clock)?;
    let address = listener.local_addr()?;
    spawn_grpc_server("service of a test", listener, routes, &context);
    Ok(WebTestServer { address, context })
}
