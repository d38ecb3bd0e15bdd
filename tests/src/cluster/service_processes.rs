//! The platform as containers run it: one process per service. For journeys in which one service is down, killed
//! or stopped while the others go on.

use anyhow::{Context, Result, ensure};
use local_servers::{Port, ServerProcess, send_signal};
use platform::target::Service;
use testkit::eventually;

use super::{Cluster, PROCESS_TIMEOUT, http_get};

/// A service in a process of its own.
#[derive(Debug)]
pub(super) struct ServiceProcess {
    service: Service,
    /// `None` after it was killed, until it is started again.
    process: Option<ServerProcess>,
    admin: Port,
    /// The environment variable of its process alone: `NAME=value`.
    environment: Vec<String>,
}

impl Cluster {
    /// Starts services, each in a process of its own on the address that it has in the all-in-one process, and
    /// waits until each is ready. The all-in-one process must have been stopped.
    pub async fn start_service_processes(&mut self, services: &[Service]) -> Result<()> {
        ensure!(self.platform.is_none(), "the all-in-one process runs");
        for service in services {
            self.launch_service(*service, &[])?;
        }
        self.wait_until_services_ready().await
    }

    /// Starts one more service with settings of its own (`CREDIT_…=value`); does not wait until it is ready.
    pub fn launch_service(&mut self, service: Service, environment: &[String]) -> Result<()> {
        let mut apart = ServiceProcess {
            service,
            process: None,
            admin: Port::reserve()?,
            environment: environment.to_vec(),
        };
        apart.process = Some(self.launch_process(&apart)?);
        self.service_processes.push(apart);
        Ok(())
    }

    fn launch_process(&self, apart: &ServiceProcess) -> Result<ServerProcess> {
        let mut environment = apart.environment.clone();
        environment.push(format!(
            "CREDIT_PLATFORM__ADMIN_LISTEN={}",
            apart.admin_address()
        ));
        let name = apart.service.name();
        self.launch(
            &self.config_file(),
            &format!("{name}.log"),
            name,
            &environment,
        )
    }

    /// Waits until every separate process reports that it is ready.
    pub async fn wait_until_services_ready(&self) -> Result<()> {
        for apart in self
            .service_processes
            .iter()
            .filter(|apart| apart.process.is_some())
        {
            let admin = apart.admin_address();
            let name = apart.service.name();
            eventually(&format!("{name} is ready"), PROCESS_TIMEOUT, async || {
                let (status, body) = http_get(&admin, "/readyz").await?;
                ensure!(status == 200, "{status}: {body}");
                anyhow::Ok(())
            })
            .await
            .with_context(|| self.service_log_tail(&format!("{name}.log")))?;
        }
        Ok(())
    }

    fn service_process(&self, service: Service) -> Result<&ServiceProcess> {
        let found = self
            .service_processes
            .iter()
            .find(|apart| apart.service == service);
        found.with_context(|| format!("{} runs apart", service.name()))
    }

    fn service_process_mut(&mut self, service: Service) -> Result<&mut ServiceProcess> {
        let found = self
            .service_processes
            .iter_mut()
            .find(|apart| apart.service == service);
        found.with_context(|| format!("{} runs apart", service.name()))
    }

    /// `host:port` of health and metrics of a service in its own process.
    pub fn service_admin_address(&self, service: Service) -> Result<String> {
        Ok(self.service_process(service)?.admin_address())
    }

    /// The services in processes of their own, with their pids.
    pub fn service_pids(&self) -> Vec<(Service, u32)> {
        let running = self.service_processes.iter();
        running
            .filter_map(|apart| Some((apart.service, apart.process.as_ref()?.pid())))
            .collect()
    }

    /// Pid of a service in its own process.
    pub fn service_pid(&self, service: Service) -> Result<u32> {
        let process = self.service_process(service)?.process.as_ref();
        Ok(process.context("the service runs")?.pid())
    }

    /// `kill -9` of a service in its own process. [`Self::restart_service`] starts it again.
    pub fn kill_service(&mut self, service: Service) -> Result<()> {
        let process = self.service_process_mut(service)?.process.take();
        process.context("the service runs")?.kill9()
    }

    /// Starts a service again that was killed, with the settings that it had; does not wait until it is ready.
    pub fn restart_service(&mut self, service: Service) -> Result<()> {
        let apart = self.service_process(service)?;
        ensure!(apart.process.is_none(), "{} runs", service.name());
        let process = self.launch_process(apart)?;
        self.service_process_mut(service)?.process = Some(process);
        Ok(())
    }

    /// Sends a signal (`STOP`, `CONT`) to a service in its own process.
    pub fn signal_service(&self, service: Service, signal: &str) -> Result<()> {
        send_signal(self.service_pid(service)?, signal)
    }

    /// Stops the separate processes; each must end without a failure.
    pub async fn stop_service_processes(&mut self) -> Result<()> {
        for apart in std::mem::take(&mut self.service_processes) {
            let name = apart.service.name();
            let Some(process) = apart.process else {
                continue;
            };
            // In a blocking thread: clients on this runtime must be able to receive the server's last answers.
            let stopping =
                tokio::task::spawn_blocking(move || process.stop("TERM", PROCESS_TIMEOUT));
            let status = stopping.await??;
            ensure!(
                status.success(),
                "{name}: {status}; {}",
                self.service_log_tail(&format!("{name}.log"))
            );
        }
        Ok(())
    }
}

impl ServiceProcess {
    fn admin_address(&self) -> String {
        format!("127.0.0.1:{}", self.admin.number())
    }
}
