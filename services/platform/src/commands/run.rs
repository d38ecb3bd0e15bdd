//! `credit run`: binds ports first, so that a clash fails before any side effect, then starts the
//! target's services in one process and waits for a signal.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result, anyhow};
use clap::Args;
use event_bus::{Bus, FaultInjection, ProvisionError};
use service_kit::{
    ServiceContext, admin,
    clock::SystemClock,
    config::Overlay,
    identity::TokenVerifier,
    readiness::Readiness,
    shutdown::Shutdown,
    telemetry::{Telemetry, init_logging},
};
use tokio::net::TcpListener;
use vault::Keyring;

use crate::{
    config::{Configs, LogFormat},
    target::{Service, Target, bus_topology},
};

/// Arguments of `credit run`.
#[derive(Debug, Args)]
pub struct RunCommand {
    /// Which service; all but the simulator by default.
    #[arg(long, value_enum, default_value = "all")]
    target: Target,
}

impl RunCommand {
    /// Runs until SIGTERM or SIGINT; a second one exits at once.
    pub async fn execute(self, overlay: &Overlay, faults: FaultInjection) -> Result<()> {
        let configs = Configs::load(overlay)?;
        init_logging(configs.platform.log_format == LogFormat::Json);
        let services = self.target.services();
        let mut bound = Vec::new();
        for service in services {
            let address = service.listen_address(&configs);
            let listener = bind(service.name(), address).await?;
            bound.push((*service, listener));
        }
        let admin_listener = bind("platform.admin", &configs.platform.admin_listen).await?;
        let context = service_context(&configs, services)?;
        let bus = if needs_bus(services) {
            let config = configs.platform.bus.clone();
            let bus = Bus::connect(config, faults, &context.telemetry).await?;
            spawn_provisioning(&bus, &context);
            Some(bus)
        } else {
            None
        };
        for (service, listener) in bound {
            let address = listener.local_addr()?;
            service
                .start(&configs, listener, bus.as_ref(), &context)
                .await
                .with_context(|| format!("{} cannot start", service.name()))?;
            tracing::info!(service = service.name(), %address, "listening");
        }
        let (readiness, telemetry, shutdown) = (
            context.readiness.clone(),
            context.telemetry.clone(),
            context.shutdown.clone(),
        );
        context.shutdown.spawn_essential(
            "admin",
            admin::serve_admin(admin_listener, readiness, telemetry, shutdown),
        );
        wait_for_signal(&context.shutdown).await?;
        let stop_timeout = Duration::from_secs(configs.platform.shutdown_seconds);
        let outcome = context.shutdown.wait_finished(stop_timeout).await;
        let telemetry = context.telemetry.clone();
        tokio::task::spawn_blocking(move || telemetry.flush()).await?;
        outcome.map_err(|why| anyhow!(why))?;
        tracing::info!("stopped");
        Ok(())
    }
}

async fn bind(name: &str, address: &str) -> Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("{name}: cannot listen on {address}"))
}

fn needs_bus(services: &[Service]) -> bool {
    services.iter().any(|service| {
        service.stream_and_subscriptions().0.is_some()
            || !service.stream_and_subscriptions().1.is_empty()
    })
}

fn service_context(configs: &Configs, services: &[Service]) -> Result<ServiceContext> {
    let process = match services {
        [one] => one.name(),
        _ => "credit",
    };
    // A process without tables opens nothing that is sealed: it never sees the master keys.
    let keyring = if services.iter().any(|service| service.schema().is_some()) {
        configs.platform.keyring.reveal()?
    } else {
        Keyring::generate()
    };
    Ok(ServiceContext {
        clock: Arc::new(SystemClock),
        telemetry: Telemetry::start(&configs.platform.telemetry, process)?,
        readiness: Readiness::default(),
        keyring: Keyring::parse(&keyring).context("platform.keyring")?,
        verifier: Arc::new(TokenVerifier::from_config(&configs.platform.identity)?),
        shutdown: Shutdown::new(),
    })
}

/// Creates and compares streams and consumers in the background: with the bus unavailable, services
/// start and accept all the same.
fn spawn_provisioning(bus: &Bus, context: &ServiceContext) {
    let (bus, shutdown) = (bus.clone(), context.shutdown.clone());
    let lane = context.readiness.lane("bus topology", Duration::ZERO);
    context.shutdown.spawn(async move {
        let topology = bus_topology();
        loop {
            match bus.provision(&topology).await {
                Ok(created) => {
                    if !created.is_empty() {
                        tracing::info!(streams = ?created, "streams created; on a platform that ran before, run `credit streams rebuild`");
                    }
                    lane.report_age(None);
                    return;
                }
                Err(error) => {
                    let why = service_kit::error::error_chain(&error);
                    match error {
                        // Waiting does not mend a configuration; somebody must decide.
                        ProvisionError::Differs { .. } | ProvisionError::NoStream { .. } => {
                            tracing::error!(error = %why, "bus topology");
                        }
                        ProvisionError::Server { .. } => {
                            tracing::warn!(error = %why, "bus topology waits for the bus");
                        }
                    }
                    lane.report_failure(why);
                }
            }
            if shutdown.sleep(Duration::from_millis(500)).await {
                return;
            }
        }
    });
}

async fn wait_for_signal(shutdown: &Shutdown) -> Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
        () = shutdown.wait_requested() => {}
    }
    shutdown.request_stop();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("second signal: exiting at once");
        std::process::exit(130);
    });
    Ok(())
}
