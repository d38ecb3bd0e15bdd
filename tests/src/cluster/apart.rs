//! The platform as containers run it: one process a service. For journeys in which one service is away while
//! the others go on.

use anyhow::{Context, Result, ensure};
use local_servers::{Port, Process};
use platform::target::Service;
use testkit::eventually;

use super::{Cluster, PATIENCE, http_get};

/// A service in a process of its own.
#[derive(Debug)]
pub(super) struct Apart {
    service: Service,
    process: Process,
    admin: Port,
}

impl Apart {
    pub(super) fn name_and_pid(&self) -> (&'static str, u32) {
        (self.service.name(), self.process.pid())
    }
}

impl Cluster {
    /// Starts services, each in a process of its own on the address that it has in the all-in-one process, and
    /// waits until each is ready. The all-in-one process must have been stopped.
    pub async fn start_apart(&mut self, services: &[Service]) -> Result<()> {
        ensure!(self.platform.is_none(), "the all-in-one process runs");
        for service in services {
            let admin = Port::reserve()?;
            let listen = format!("127.0.0.1:{}", admin.number());
            let process = self.launch(
                &self.config_file(),
                &format!("{}.log", service.name()),
                service.name(),
                &[format!("CREDIT_PLATFORM__ADMIN_LISTEN={listen}")],
            )?;
            self.apart.push(Apart {
                service: *service,
                process,
                admin,
            });
        }
        for apart in &self.apart {
            let admin = format!("127.0.0.1:{}", apart.admin.number());
            let name = apart.service.name();
            eventually(&format!("{name} is ready"), PATIENCE, async || {
                let (status, body) = http_get(&admin, "/readyz").await?;
                ensure!(status == 200, "{status}: {body}");
                anyhow::Ok(())
            })
            .await
            .with_context(|| self.tail_of(&format!("{name}.log")))?;
        }
        Ok(())
    }

    /// Asks the processes of [`Self::start_apart`] to end; each must end well.
    pub async fn stop_apart(&mut self) -> Result<()> {
        for apart in std::mem::take(&mut self.apart) {
            let name = apart.service.name();
            // Off the runtime, whose clients must hear the farewell meanwhile.
            let stopping =
                tokio::task::spawn_blocking(move || apart.process.stop("TERM", PATIENCE));
            let status = stopping.await??;
            ensure!(
                status.success(),
                "{name}: {status}; {}",
                self.tail_of(&format!("{name}.log"))
            );
        }
        Ok(())
    }
}
