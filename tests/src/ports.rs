//! Addresses of one platform: a port a service, held for as long as the platform's files live, so
//! that a killed process finds its ports again.

use anyhow::Result;
use local_servers::Port;
use platform::target::Service;

/// A reserved port for each service and for the admin pages of each process.
#[derive(Debug)]
pub struct Ports {
    services: Vec<(Service, Port)>,
    admin: Port,
    simulator_admin: Port,
}

impl Ports {
    /// Reserves free ones.
    pub fn reserve() -> Result<Self> {
        let mut services = Vec::new();
        for service in Service::PLATFORM
            .into_iter()
            .chain([Service::ProvinceSimulator])
        {
            services.push((service, Port::reserve()?));
        }
        Ok(Self {
            services,
            admin: Port::reserve()?,
            simulator_admin: Port::reserve()?,
        })
    }

    /// `127.0.0.1:port` of a service.
    pub fn address(&self, service: Service) -> String {
        let found = self.services.iter().find(|(one, _)| *one == service);
        let port = found.map_or(0, |(_, port)| port.number());
        format!("127.0.0.1:{port}")
    }

    /// `http://127.0.0.1:port` of a service.
    pub fn url(&self, service: Service) -> String {
        format!("http://{}", self.address(service))
    }

    /// Address of `/readyz` of the all-in-one process.
    pub fn admin(&self) -> String {
        format!("127.0.0.1:{}", self.admin.number())
    }

    /// Address of `/readyz` of the simulator's process.
    pub fn simulator_admin(&self) -> String {
        format!("127.0.0.1:{}", self.simulator_admin.number())
    }
}
