//! Resident memory of processes, from `/proc`. Called by fault journeys, the hostile suite and the benchmarks.

use std::fmt;

use anyhow::{Context, Result};
use platform::target::Service;

use crate::cluster::Cluster;

/// Resident memory of one process, MiB.
#[derive(Clone, Copy, Debug)]
pub struct ResidentMemory {
    /// Now.
    pub now_mib: f64,
    /// The most since the process began, or since [`reset_peak`].
    pub peak_mib: f64,
}

/// Resident memory of a process and its peak.
pub fn resident_memory(pid: u32) -> Result<ResidentMemory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))
        .with_context(|| format!("reading the status of process {pid}"))?;
    let mib = |name: &str| -> Result<f64> {
        let line = status.lines().find(|line| line.starts_with(name));
        let kib: f64 = line
            .and_then(|line| line.split_whitespace().nth(1))
            .with_context(|| format!("{name} of process {pid}"))?
            .parse()?;
        Ok(kib / 1024.0)
    };
    Ok(ResidentMemory {
        now_mib: mib("VmRSS:")?,
        peak_mib: mib("VmHWM:")?,
    })
}

/// Lets the peak of a process begin anew at what it keeps now.
pub fn reset_peak(pid: u32) -> Result<()> {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5")
        .with_context(|| format!("resetting the peak of process {pid}"))
}

/// Resident memory of each service that runs in a process of its own.
pub fn service_memory(cluster: &Cluster) -> Result<Vec<(Service, ResidentMemory)>> {
    let pids = cluster.service_pids().into_iter();
    pids.map(|(service, pid)| Ok((service, resident_memory(pid)?)))
        .collect()
}

/// Names a list of services with their memory.
pub fn describe_memory(services: &[(Service, ResidentMemory)]) -> String {
    let all = services.iter();
    let each = all.map(|(service, resident)| format!("{} {resident}", service.name()));
    each.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for ResidentMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} MiB (peak {:.0})", self.now_mib, self.peak_mib)
    }
}
